package python

// #include "core.h"
import "C"

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
)

// adapter makes Go values that implement an interface of Python objects.
type adapter struct {
	adapt   func(*Object) reflect.Value
	methods []string // that the Python object must have
}

// interfaces are what is known of interfaces.
var interfaces struct {
	mu     sync.Mutex
	byType map[reflect.Type]*adapter // with an empty one for those that were used without
}

// adapterFor returns the adapter for an interface, which cannot be registered any more.
func adapterFor(t reflect.Type) *adapter {
	interfaces.mu.Lock()
	defer interfaces.mu.Unlock()
	found := interfaces.byType[t]
	if found == nil {
		found = &adapter{}
		switch {
		case pythonFileType.Implements(t): // an io.Reader, for example
			found.adapt = func(o *Object) reflect.Value { return reflect.ValueOf(&pythonFile{object: o}) }
		case objectType.Implements(t): // a fmt.Stringer, for example
			found.adapt = func(o *Object) reflect.Value { return reflect.ValueOf(o) }
		}
		setAdapter(t, found)
	}
	return found
}

func setAdapter(t reflect.Type, a *adapter) {
	if interfaces.byType == nil {
		interfaces.byType = map[reflect.Type]*adapter{}
	}
	interfaces.byType[t] = a
}

// Interface says how a Python object becomes a value of the Go interface T, wherever one is wanted: as an argument of a Go function,
// as a result of [As] and [Bind], inside of containers. A Go value that implements T and comes back from Python is itself. Any
// other object must have the methods, which are named as Python names them, or else as T does; an error lists those
// that it lacks.
//
// `adapt` makes the Go value: usually a struct that holds the object, and whose methods call those of the object. It
// must not call Python itself, as [ToPython] must not. The object is its own, to close or to leave to the garbage
// collector.
//
// Register an interface before the functions that use it.
func Interface[T any](in *Interpreter, adapt func(*Object) T, methods ...string) error {
	t := reflect.TypeFor[T]()
	failed := func(err error) error { return fmt.Errorf("python: interface %v: %w", t, err) }
	if t.Kind() != reflect.Interface || t.NumMethod() == 0 {
		return failed(errors.New("want an interface with methods"))
	}
	if adapt == nil {
		return failed(errors.New("want a function that makes one of an object, got nil"))
	}
	if len(methods) == 0 {
		for i := range t.NumMethod() {
			methods = append(methods, t.Method(i).Name)
		}
	}
	interfaces.mu.Lock()
	defer interfaces.mu.Unlock()
	if known := interfaces.byType[t]; known != nil {
		return failed(errors.New("it is registered or in use already: register it before the functions that use it"))
	}
	setAdapter(t, &adapter{func(o *Object) reflect.Value { return reflect.ValueOf(adapt(o)) }, methods})
	return nil
}

// readInterface makes a Go value that implements an interface.
func (s *results) readInterface(target reflect.Value) error {
	t, v := target.Type(), s.peek()
	switch v.kind {
	case C.SNAKE_KIND_NONE:
		s.take()
		target.SetZero()
		return nil
	case C.SNAKE_KIND_OBJECT:
		known := adapterFor(t)
		if known.adapt == nil {
			return fmt.Errorf("want %v, got an object of Python: say with python.Interface how that becomes one", t)
		}
		object, err := s.readObject()
		if err != nil {
			return err
		}
		adapted := known.adapt(object)
		if !adapted.IsValid() {
			return fmt.Errorf("want %v, got nil from its adapter", t)
		}
		target.Set(adapted)
		return nil
	}
	return s.mismatch(t, v)
}
