package python

import (
	"sync"
	"sync/atomic"
	"unsafe"
)

// handle is a reference to something in Python that may be closed while calls use it. A call looks at it once it has
// a slot of a gate; the reference is given back when all calls have ended that had a slot when it was closed.
type handle struct {
	pointer unsafe.Pointer // in C memory
	closed  atomic.Bool
	free    func(unsafe.Pointer)
}

// use returns the pointer for the time until the caller leaves the gate; ok is false if the handle is closed. The
// caller has a slot.
func (h *handle) use() (pointer unsafe.Pointer, ok bool) {
	collectForTest()
	return h.pointer, !h.closed.Load()
}

// close ends the handle; it tells whether it was open.
func (h *handle) close(in *Interpreter) bool {
	if h.closed.Swap(true) {
		return false
	}
	in.retire(func() { freed.add(h) })
	return true
}

// drop ends a handle that nobody can use any more: the garbage collector has found its owner unreachable.
func (h *handle) drop() {
	if !h.closed.Swap(true) {
		freed.add(h)
	}
}

// freed holds the handles that are to be given back to the core, until the next call does that in its slot. Any
// number of goroutines may close something at once, each of which would take an OS thread for itself in cgo.
var freed freeList

type freeList struct {
	any     atomic.Bool
	mu      sync.Mutex
	handles []*handle
}

func (l *freeList) add(h *handle) {
	l.mu.Lock()
	l.handles = append(l.handles, h)
	l.mu.Unlock()
	l.any.Store(true)
}

// giveBack gives back what was added.
func (l *freeList) giveBack() {
	if l.any.Load() {
		l.giveAll()
	}
}

// giveAll is giveBack where there is something, apart from it so that the rest is inlined.
func (l *freeList) giveAll() {
	l.any.Store(false)
	l.mu.Lock()
	handles := l.handles
	l.handles = nil
	l.mu.Unlock()
	for _, h := range handles {
		h.free(h.pointer)
	}
}
