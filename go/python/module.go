package python

import (
	"fmt"
	"reflect"
	"sync"
)

// Module is a Python module of the Go program. Python code imports what was registered in it.
//
//	host := in.Module("host")
//	err := host.Func("score", score, python.Doc("Score a row."), python.Params("row"))
//
// Then, in Python: from host import score.
type Module struct {
	in   *Interpreter
	name string

	mu     sync.Mutex
	object *Object // made by the first registration
}

// modules are those of the Go program, by name.
var modules struct {
	mu     sync.Mutex
	byName map[string]*Module
}

// Module returns the module of the Go program with that name, which may have dots. Its first registration makes it.
func (in *Interpreter) Module(name string) *Module {
	modules.mu.Lock()
	defer modules.mu.Unlock()
	m := modules.byName[name]
	if m == nil {
		m = &Module{in: in, name: name}
		if modules.byName == nil {
			modules.byName = map[string]*Module{}
		}
		modules.byName[name] = m
	}
	return m
}

// Func registers a Go function.
//
// Its parameters convert as results do ([As]); a slice of numbers is not copied but valid for the call only, and
// read-only ([Mut] for writing). A last parameter that is a struct with [Keywords] embedded takes keyword arguments by its
// fields. Results convert as arguments do; a slice of numbers becomes an array over the same memory, which is Python's from
// then on. More than one are a tuple.
//
// A leading context.Context gets that of the call which Python is in: on the host's loop, of the call that runs the
// coroutine, also in tasks and asyncio.to_thread, until that call has ended. On other threads of Python's, it is empty.
//
// An error becomes an exception: a GoError, of the class that [NewError] chose; and the error of the Go call that
// Python is in wraps it. A panic becomes a GoPanic and goes on in that call.
//
// The function does not run on the goroutine of that call, so that runtime.Goexit ends the function first. Python and the gate
// are free meanwhile, so that it may call Python; its calls are made on the thread that Python called it on. In a program without
// [iter.Pull] the function too is on that thread, and must leave runtime.LockOSThread as it found it. In one that has code of
// iter.Pull, it runs on a goroutine as any other, so that it may call a `next` that was made elsewhere; that costs ten times as much:
// see [OnThread]. Only a `next` that was made while [runtime.LockOSThread] held, or packages were initialised, is refused by the runtime,
// as it is on any other goroutine.
func (m *Module) Func(name string, function any, options ...FuncOption) error {
	f, err := newHostFunction(function, name, m.name, options)
	if err != nil {
		return m.failed(name, err)
	}
	return m.add("add_value", name, f)
}

// Value registers a value: a copy, as if it was passed to a call. Python may replace it in the module.
func (m *Module) Value(name string, value any) error { return m.add("add_value", name, value) }

// Const registers a value that Python cannot replace.
func (m *Module) Const(name string, value any) error {
	return m.add("add_variable", name, func() any { return value }, nil, nil)
}

// Var registers a variable: Python sees its value of the moment, and sets it. `variable` is a pointer. The program
// guards it against use by several goroutines, or registers functions with [Module.Property].
func (m *Module) Var(name string, variable any) error {
	v := reflect.ValueOf(variable)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return m.failed(name, fmt.Errorf("want a pointer to the variable, got %T", variable))
	}
	t := v.Type().Elem()
	get := reflect.MakeFunc(reflect.FuncOf(nil, []reflect.Type{t}, false), func([]reflect.Value) []reflect.Value {
		return []reflect.Value{v.Elem()}
	})
	set := reflect.MakeFunc(reflect.FuncOf([]reflect.Type{t}, nil, false), func(in []reflect.Value) []reflect.Value {
		v.Elem().Set(in[0])
		return nil
	})
	return m.Property(name, get.Interface(), set.Interface())
}

// Property registers a variable that functions read and write: func() T or func() (T, error), and func(T) or
// func(T) error; without the second it cannot be set. What it is set to is a copy.
func (m *Module) Property(name string, get, set any) error {
	if set != nil {
		f, err := newHostFunction(set, name, m.name, []FuncOption{CopyArguments()})
		if err != nil {
			return m.failed(name, err)
		}
		set = f
	}
	return m.add("add_variable", name, get, set, nil)
}

// add calls a function of callbacks.py that registers something.
func (m *Module) add(how, name string, arguments ...any) error {
	object, err := m.make()
	if err != nil {
		return m.failed(name, err)
	}
	done, err := m.in.apply("gophersnake.callbacks:"+how, append([]any{object, name}, arguments...)...)
	if err != nil {
		return m.failed(name, err)
	}
	return done.Close()
}

// make makes the module in Python.
func (m *Module) make() (*Object, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.object != nil {
		return m.object, nil
	}
	object, err := m.in.apply("gophersnake.callbacks:make_module", m.name, nil)
	m.object = object
	return object, err
}

func (m *Module) failed(name string, err error) error {
	return fmt.Errorf("python: module %s: %s: %w", m.name, name, err)
}

// NewError gives an error a class: where a Go function returns it to Python, the exception is one of that class too.
// A nil error stays nil.
func NewError(class Class, err error) error {
	if err == nil {
		return nil
	}
	return &classError{class, err}
}

// classError is an error that has a class in Python.
type classError struct {
	class Class
	err   error
}

func (e *classError) Error() string { return e.err.Error() }
func (e *classError) Unwrap() error { return e.err }

// Is tells whether the error is of a class, for errors.Is.
func (e *classError) Is(target error) bool { return target == error(e.class) }

// Mut is a parameter of a Go function that may write to the array which Python passes: the memory is Python's own. It
// takes arrays of exactly this type that are writable and whose elements lie one after the other; it is valid for the
// call only.
type Mut[T Number] []T

func (Mut[T]) isMutable() {}
