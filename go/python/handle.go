package python

import (
	"sync/atomic"
	"unsafe"
)

// handle is a reference to something in Python that may be closed while calls use it. A call looks at it once it has a slot of the
// gate; the gate gives the reference back when all calls have ended that had a slot when it was closed.
type handle struct {
	pointer unsafe.Pointer // in C memory
	closed  atomic.Bool
	free    func(unsafe.Pointer)
}

// use returns the pointer for the time until the caller leaves the gate; ok is false if the handle is closed. The caller has a slot.
func (h *handle) use() (pointer unsafe.Pointer, ok bool) {
	collectForTest()
	return h.pointer, !h.closed.Load()
}

// close ends the handle; it tells whether it was open.
func (h *handle) close(g *gate) bool {
	if h.closed.Swap(true) {
		return false
	}
	g.retire(func() { h.free(h.pointer) })
	return true
}

// drop ends a handle that nobody can use any more: the garbage collector has found its owner unreachable.
func (h *handle) drop() {
	if !h.closed.Swap(true) {
		h.free(h.pointer)
	}
}
