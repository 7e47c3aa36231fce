package python

// #include "core.h"
import "C"

import (
	"os"
	"runtime"
	"sync"
	"syscall"
	"unsafe"
)

// leases holds the lent memory that Python kept after its call: pinned until Python lets go of it.
var leases = leaseTable{held: map[uint64]*lease{}, early: map[uint64]bool{}}

type leaseTable struct {
	mu    sync.Mutex
	held  map[uint64]*lease
	early map[uint64]bool // leases that came back before they were held
	bytes uintptr
	total uint64

	bell    sync.Once
	failure error // of the bell
}

// lease is memory that Python still reaches.
type lease struct {
	pinner runtime.Pinner
	bytes  uintptr
	tree   *sharedTree // holds the memory, if it is Python's
}

// release gives the memory back.
func (l *lease) release() {
	l.pinner.Unpin()
	if l.tree != nil {
		l.tree.release()
	}
}

// hold pins memory until the lease comes back. The caller keeps the memory alive until hold has returned.
func (t *leaseTable) hold(id uint64, memory unsafe.Pointer, bytes uintptr) {
	t.bell.Do(t.listen)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total++
	if t.early[id] {
		delete(t.early, id)
		return
	}
	l := &lease{bytes: bytes, tree: sharing.take(memory)}
	if l.tree == nil {
		l.pinner.Pin(memory)
	}
	t.held[id] = l
	t.bytes += bytes
}

// give pins memory that becomes Python's, and returns the address and the lease for it.
func (t *leaseTable) give(memory unsafe.Pointer, bytes uintptr) (address uintptr, id uint64) {
	l := &lease{bytes: bytes}
	if memory != nil {
		l.pinner.Pin(memory)
	}
	return uintptr(memory), hosted.add(l)
}

// collect unpins the memory of the leases that came back.
func (t *leaseTable) collect() {
	var ids [64]C.uint64_t
	for {
		var count C.size_t
		if takeError(C.snake_lease_returned_copy(&ids[0], C.size_t(len(ids)), &count)) != nil || count == 0 {
			return
		}
		t.mu.Lock()
		for _, id := range ids[:count] {
			if id >= hostedBit {
				hosted.release(uint64(id))
				continue
			}
			l, ok := t.held[uint64(id)]
			if !ok {
				t.early[uint64(id)] = true
				continue
			}
			delete(t.held, uint64(id))
			t.bytes -= l.bytes
			l.release()
		}
		t.mu.Unlock()
	}
}

// listen starts a goroutine that collects, and wakes the drains of output, whenever the core rings. It waits in Go's poller, not on a thread.
func (t *leaseTable) listen() {
	var ends [2]int
	if err := syscall.Pipe2(ends[:], syscall.O_NONBLOCK|syscall.O_CLOEXEC); err != nil {
		t.failure = err
		return // out of descriptors: leases are then collected by the next call that holds one, or by Stats
	}
	bell := os.NewFile(uintptr(ends[0]), "gophersnake leases") //nolint:gosec // a descriptor is not negative
	C.snake_lease_notify(C.int32_t(ends[1]))                   //nolint:gosec // descriptors are small
	go func() {
		unlabelled()
		rings := make([]byte, 512)
		for {
			if _, err := bell.Read(rings); err != nil {
				return
			}
			t.collect()
			wakeDrains()
		}
	}()
	t.collect()
}

// count returns how many leases are out, of how many bytes, and how many there ever were.
func (t *leaseTable) count() (held int, bytes uintptr, total uint64) {
	t.collect()
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.held), t.bytes, t.total
}
