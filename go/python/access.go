package python

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

// The methods in this file do what the operators and built-in functions of Python do. They wait for their turn like a
// call, without a context, in the lane of the object; use [Object.Call] and [Object.Method] with a context for what takes long.
// Exceptions are an [*Error].

// Object returns what "module:qualified.name" names, importing the module if need be; "module" alone is the module. The option
// is [Lane]: what is done with the object runs there.
func (in *Interpreter) Object(name string, options ...CallOption) (*Object, error) {
	lane, err := in.laneOf(options)
	if err != nil {
		return nil, err
	}
	if err := in.refresh(name); err != nil {
		return nil, err
	}
	object, err := lane.apply("gophersnake.values:resolve", name)
	return object, calledAs(name, err)
}

// WithLane returns another reference to the object: what is done with it, and with what comes from it, runs in that lane.
func (o *Object) WithLane(option LaneOption) (*Object, error) {
	lane, err := o.in.find(option)
	if err != nil {
		return nil, err
	}
	if o.handle == nil {
		return o, nil
	}
	pointer, err := lane.clone(o.handle)
	runtime.KeepAlive(o)
	if err != nil {
		return nil, err
	}
	return newObject(lane, pointer), nil
}

// apply calls a function that this package uses itself, and that stays loaded.
func (l *lane) apply(name string, arguments ...any) (*Object, error) {
	return l.applyContext(admitted, name, arguments...)
}

func (l *lane) applyContext(ctx context.Context, name string, arguments ...any) (*Object, error) {
	f, err := l.function(name)
	if err != nil {
		return nil, err
	}
	return f.Call(ctx, arguments...)
}

// function returns a function that this package uses itself, and that stays loaded, once for all lanes. Its calls are in this
// one.
func (l *lane) function(name string) (*Function, error) {
	if known, ok := l.functions.Load(name); ok {
		return known.(*Function), nil
	}
	first := l.in.lane
	known, ok := first.functions.Load(name)
	if !ok {
		f, err := l.load(name)
		if err != nil {
			return nil, fmt.Errorf("python: %s: %w", name, err)
		}
		f.lane = first
		f.cleanup.Stop() // the table of each lane has its handle, for ever
		var loaded bool
		if known, loaded = first.functions.LoadOrStore(name, f); loaded {
			_ = f.Close()
		}
	}
	f := known.(*Function)
	if l == first {
		return f, nil
	}
	known, _ = l.functions.LoadOrStore(name, &Function{in: l.in, lane: l, handle: f.handle, name: f.name, label: f.label})
	return known.(*Function), nil
}

// Call calls the object, as [Function.Call] does. Of a coroutine function, it waits for the end.
func (o *Object) Call(ctx context.Context, arguments ...any) (*Object, error) {
	result, err := o.call(ctx, "call", append([]any{o}, arguments...))
	return result, calledAs("Object.Call", err)
}

// Method calls a method of the object, as [Function.Call] does. Of a coroutine function, it waits for the end.
func (o *Object) Method(ctx context.Context, name string, arguments ...any) (*Object, error) {
	result, err := o.call(ctx, "call_method", append([]any{o, name}, arguments...))
	return result, calledAs("Object.Method "+name, err)
}

// calledAs names what the caller has called in an error that names a function of this package's own.
func calledAs(name string, err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return fmt.Errorf("python: %s: %w", name, inner)
	}
	return err
}

// call calls a function of gophersnake.values, or, if it says so, the one of gophersnake.tasks.
func (o *Object) call(ctx context.Context, name string, arguments []any) (*Object, error) {
	awaits, err := o.lane.constant("gophersnake.values:AWAITS")
	if err != nil {
		return nil, err
	}
	result, err := o.lane.applyContext(ctx, "gophersnake.values:"+name, arguments...)
	if err != nil || !result.Is(awaits) {
		return result, err
	}
	_ = result.Close()
	f, err := o.lane.coroutineFunction("gophersnake.tasks:" + name)
	if err != nil {
		return nil, err
	}
	return f.Call(ctx, arguments...)
}

// Attr returns an attribute: o.name.
func (o *Object) Attr(name string) (*Object, error) { return o.lane.apply("builtins:getattr", o, name) }

// SetAttr sets an attribute: o.name = value.
func (o *Object) SetAttr(name string, value any) error {
	return discarded(o.lane.apply("builtins:setattr", o, name, value))
}

// Item returns an item: o[key].
func (o *Object) Item(key any) (*Object, error) { return o.lane.apply("operator:getitem", o, key) }

// SetItem sets an item: o[key] = value.
func (o *Object) SetItem(key, value any) error {
	return discarded(o.lane.apply("operator:setitem", o, key, value))
}

// DeleteItem removes an item: del o[key].
func (o *Object) DeleteItem(key any) error {
	return discarded(o.lane.apply("operator:delitem", o, key))
}

// Contains tells whether an item is in the object: item in o.
func (o *Object) Contains(item any) (bool, error) {
	return asThenClose[bool](o.lane.apply("operator:contains", o, item))
}

// Len returns len(o).
func (o *Object) Len() (int, error) { return asThenClose[int](o.lane.apply("builtins:len", o)) }

// Truth returns bool(o).
func (o *Object) Truth() (bool, error) { return asThenClose[bool](o.lane.apply("operator:truth", o)) }

// Type returns the name of the object's class: "int", "numpy.ndarray".
func (o *Object) Type() (string, error) {
	return asThenClose[string](o.lane.apply("gophersnake.values:type_name", o))
}

// Repr returns repr(o).
func (o *Object) Repr() (string, error) { return asThenClose[string](o.lane.apply("builtins:repr", o)) }

// String returns str(o), or a text in angle brackets that says why there is none.
func (o *Object) String() string {
	text, err := asThenClose[string](o.lane.apply("builtins:str", o))
	if err != nil {
		return fmt.Sprintf("<%v>", err)
	}
	return text
}

// Is tells whether both are the same object. It does not wait for Python. A closed object is none.
func (o *Object) Is(other *Object) bool {
	if o == nil || other == nil {
		return o == other
	}
	if o.handle == nil || other.handle == nil {
		return o.handle == other.handle
	}
	return o.handle.pointer == other.handle.pointer && !o.handle.closed.Load() && !other.handle.closed.Load()
}

// operators are the binary operators by their sign.
var operators = map[string]string{
	"+": "add", "-": "sub", "*": "mul", "/": "truediv", "//": "floordiv", "%": "mod", "**": "pow", "@": "matmul",
	"&": "and_", "|": "or_", "^": "xor", "<<": "lshift", ">>": "rshift",
	"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge",
}

// Op applies a binary operator of Python to the object and an operand: o.Op("+", 1).
func (o *Object) Op(operator string, operand any) (*Object, error) {
	name, ok := operators[operator]
	if !ok {
		return nil, fmt.Errorf("python: want a binary operator of Python, got %q", operator)
	}
	return o.lane.apply("operator:"+name, o, operand)
}

// Equal tells whether o == other, as the truth of what Python answers.
func (o *Object) Equal(other any) (bool, error) {
	answer, err := o.Op("==", other)
	if err != nil {
		return false, err
	}
	defer answer.Close()
	return answer.Truth()
}

// asThenClose converts an intermediate result and closes it.
func asThenClose[T any](o *Object, err error) (T, error) {
	if err != nil {
		var zero T
		return zero, err
	}
	defer o.Close()
	return As[T](o)
}

// discarded closes an intermediate result.
func discarded(o *Object, err error) error {
	if err != nil {
		return err
	}
	return o.Close()
}
