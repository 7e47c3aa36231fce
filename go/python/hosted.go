package python

// #include "core.h"
import "C"

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
)

// hosted holds what of Go's Python reaches: functions, values and memory that was given away. Each has a handle, which
// the core sends back as it does leases, as often as it was passed on.
var hosted = hostedTable{entries: map[uint64]*hostedEntry{}, handles: map[any]uint64{}}

// hostedBit tells handles from the leases that the core numbers.
const hostedBit = 1 << 63

type hostedTable struct {
	last    atomic.Uint64
	mu      sync.RWMutex
	entries map[uint64]*hostedEntry
	handles map[any]uint64 // of the values that have an identity: pointers
}

type hostedEntry struct {
	value any
	uses  int
	key   any // in handles; nil if it has none
}

// add makes a handle for something that is passed on once.
func (t *hostedTable) add(value any) uint64 {
	leases.bell.Do(leases.listen)
	handle := t.last.Add(1) | hostedBit
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries[handle] = &hostedEntry{value: value, uses: 1}
	return handle
}

// share returns the handle of a value that has an identity, for passing it on once more.
func (t *hostedTable) share(value any) uint64 {
	leases.bell.Do(leases.listen)
	t.mu.Lock()
	defer t.mu.Unlock()
	if handle, ok := t.handles[value]; ok {
		t.entries[handle].uses++
		return handle
	}
	handle := t.last.Add(1) | hostedBit
	t.entries[handle] = &hostedEntry{value: value, uses: 1, key: value}
	t.handles[value] = handle
	return handle
}

// value returns what a handle stands for. The caller knows that Python reaches it.
func (t *hostedTable) value(handle uint64) (any, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	entry, ok := t.entries[handle]
	if !ok {
		return nil, false
	}
	return entry.value, true
}

// release notes that Python let go of one use of a handle.
func (t *hostedTable) release(handle uint64) {
	t.mu.Lock()
	entry, ok := t.entries[handle]
	if ok {
		entry.uses--
		if ok = entry.uses == 0; ok {
			delete(t.entries, handle)
			if entry.key != nil {
				delete(t.handles, entry.key)
			}
		}
	}
	t.mu.Unlock()
	if !ok {
		return
	}
	switch v := entry.value.(type) {
	case *lease:
		v.release()
	case *hostFunction:
		if v.dropped != nil {
			v.dropped()
		}
	}
}

// count returns how many handles Python has.
func (t *hostedTable) count() int {
	leases.collect()
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.entries)
}

// readHosted takes a Go value or a Go function that comes back from Python.
func (s *results) readHosted(target reflect.Value) error {
	v := s.peek()
	value, _ := hosted.value(uint64(v.bits))
	found := reflect.ValueOf(value)
	if f, ok := value.(*hostFunction); ok {
		found = f.value
		if !found.IsValid() {
			return fmt.Errorf("want %v, got a function of class %s", target.Type(), f.class)
		}
	}
	switch t := target.Type(); {
	case found.Type().AssignableTo(t):
		target.Set(found)
	case found.Kind() == reflect.Pointer && found.Type().Elem().AssignableTo(t):
		target.Set(found.Elem())
	default:
		return fmt.Errorf("want %v, got %v of Go", t, found.Type())
	}
	s.take()
	return nil
}

// errNotShared tells that an argument has to be converted.
var errNotShared = errors.New("not shared")

// readShared takes an argument that is an array as a slice over its memory, if target is a slice of just its type.
func (s *results) readShared(target reflect.Value) error {
	t, v := target.Type(), s.peek()
	if !s.shares || t.Kind() != reflect.Slice {
		return errNotShared
	}
	shape, kind := elementShape(t.Elem())
	if kind == reflect.Invalid || len(shape) > 0 {
		return errNotShared
	}
	if v.kind == C.SNAKE_KIND_ARRAY && dtypeOfKind[kind] == dtype(v.dtype) {
		s.take()
		if v.len > 0 {
			target.Set(reflect.SliceAt(t.Elem(), address(v), int(v.len)).Convert(t)) //nolint:gosec // a length in memory
		} else {
			target.Set(reflect.MakeSlice(t, 0, 0))
		}
		return nil
	}
	if t.Implements(mutableType) {
		return fmt.Errorf("want an array of %v that can be written to, got %s", dtypeOfKind[kind], s.kind(v))
	}
	return errNotShared
}

// readCallable makes a Go function of a Python callable.
func (s *results) readCallable(target reflect.Value) error {
	if kind := s.peek().kind; kind != C.SNAKE_KIND_OBJECT && kind != C.SNAKE_KIND_NONE {
		return s.mismatch(target.Type(), s.peek())
	}
	object, err := s.readObject()
	if err != nil {
		return err
	}
	if object.IsNone() {
		target.SetZero()
		return nil
	}
	signature, err := readSignature(target.Type())
	if err != nil {
		return err
	}
	f := &Function{in: s.lane.in, lane: s.lane, handle: object.handle, name: "callback", label: &callLabel{"a callable that Python passed"}, object: object, undetermined: true}
	target.Set(reflect.MakeFunc(target.Type(), signature.body(f, nil)))
	return nil
}
