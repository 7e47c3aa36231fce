package python

// #include "core.h"
import "C"

import (
	"sync"
	"sync/atomic"
	"unsafe"
)

// sharing knows the Go functions that run with arrays of Python's as arguments. If one lends such memory on, and Python
// keeps it, pinning does not help, since the memory is not Go's: the lease then holds what the arguments lie in.
var sharing = sharingTable{running: map[*reply]struct{}{}}

type sharingTable struct {
	mu      sync.Mutex
	running map[*reply]struct{}
}

// sharedTree is what the arguments of a Go function lie in, taken over from the core.
type sharedTree struct {
	tree   *C.snake_tree
	leases atomic.Int64
}

func (t *sharingTable) begin(r *reply) {
	t.mu.Lock()
	t.running[r] = struct{}{}
	t.mu.Unlock()
}

func (t *sharingTable) end(r *reply) {
	t.mu.Lock()
	delete(t.running, r)
	t.mu.Unlock()
}

// take returns what holds memory that is an argument of a running Go function, for one lease; nil for memory of Go's.
func (t *sharingTable) take(memory unsafe.Pointer) *sharedTree {
	t.mu.Lock()
	defer t.mu.Unlock()
	for r := range t.running {
		if !r.contains(uintptr(memory)) {
			continue
		}
		if r.taken == nil {
			r.taken = &sharedTree{tree: r.invocation.tree}
			r.invocation.tree = nil
		}
		r.taken.leases.Add(1)
		return r.taken
	}
	return nil
}

// release ends one lease.
func (t *sharedTree) release() {
	if t.leases.Add(-1) == 0 {
		C.snake_tree_free(t.tree)
	}
}

// contains tells whether an address lies in an array among the arguments.
func (r *reply) contains(memory uintptr) bool {
	values := unsafe.Slice(r.invocation.values, r.invocation.values_len)
	for i := range values {
		v := &values[i]
		var elements uint64
		switch v.kind {
		case C.SNAKE_KIND_ARRAY:
			elements = uint64(v.len)
		case C.SNAKE_KIND_ND_ARRAY:
			elements = 1
			for _, length := range values[i+1:][:v.len] {
				elements *= uint64(length.bits)
			}
		default:
			continue
		}
		if begin := uintptr(v.bits); memory >= begin && memory < begin+uintptr(elements)*dtype(v.dtype).size() {
			return true
		}
	}
	return false
}

// hasArrays tells whether an array is among the values.
func (s *results) hasArrays() bool {
	for i := range s.values {
		if kind := s.values[i].kind; kind == C.SNAKE_KIND_ARRAY || kind == C.SNAKE_KIND_ND_ARRAY {
			return true
		}
	}
	return false
}
