package python

import (
	"math"
	"sync/atomic"
	"unsafe"
)

// handle is a reference to something in Python that may be closed while calls use it: it is given back when it is closed and the last
// call has ended, whichever comes later.
type handle struct {
	pointer unsafe.Pointer // in C memory; nil when it was given back
	users   atomic.Int64   // below 0 once closed
	free    func(unsafe.Pointer)
}

// closed is added to the users of a closed handle.
const closed = math.MinInt64 / 2

// enter returns the pointer for the time until [handle.leave]; ok is false if the handle is closed.
func (h *handle) enter() (pointer unsafe.Pointer, ok bool) {
	collectForTest()
	if h.users.Add(1) > 0 {
		return h.pointer, true
	}
	h.leave()
	return nil, false
}

func (h *handle) leave() {
	if h.users.Add(-1) == closed {
		h.giveBack()
	}
}

// close ends the handle; it tells whether it was open.
func (h *handle) close() bool {
	for {
		users := h.users.Load()
		if users < 0 {
			return false
		}
		if h.users.CompareAndSwap(users, users+closed) {
			if users == 0 {
				h.giveBack()
			}
			return true
		}
	}
}

func (h *handle) isClosed() bool { return h.users.Load() < 0 }

func (h *handle) giveBack() {
	// Only one of those who see the last user leave gets the pointer.
	if pointer := atomic.SwapPointer(&h.pointer, nil); pointer != nil {
		h.free(pointer)
	}
}
