package python

import (
	"context"
	"errors"
	"fmt"
)

// The methods in this file do what the operators and built-in functions of Python do. They wait for their turn like a
// call, without a context; use [Object.Call] and [Object.Method] with one for what takes long. Exceptions are an
// [*Error].

// Object returns what "module:qualified.name" names, importing the module if need be; "module" alone is the module.
func (in *Interpreter) Object(name string) (*Object, error) {
	if err := in.refresh(name); err != nil {
		return nil, err
	}
	object, err := in.apply("gophersnake.values:resolve", name)
	return object, calledAs(name, err)
}

// apply calls a function that this package uses itself, and that stays loaded.
func (in *Interpreter) apply(name string, arguments ...any) (*Object, error) {
	return in.applyContext(admitted, name, arguments...)
}

func (in *Interpreter) applyContext(ctx context.Context, name string, arguments ...any) (*Object, error) {
	f, err := in.function(name)
	if err != nil {
		return nil, err
	}
	return f.Call(ctx, arguments...)
}

// function returns a function that this package uses itself, and that stays loaded.
func (in *Interpreter) function(name string) (*Function, error) {
	known, ok := in.functions.Load(name)
	if !ok {
		f, err := in.load(name)
		if err != nil {
			return nil, fmt.Errorf("python: %s: %w", name, err)
		}
		var loaded bool
		if known, loaded = in.functions.LoadOrStore(name, f); loaded {
			_ = f.Close()
		}
	}
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
	awaits, err := o.in.constant("gophersnake.values:AWAITS")
	if err != nil {
		return nil, err
	}
	result, err := o.in.applyContext(ctx, "gophersnake.values:"+name, arguments...)
	if err != nil || !result.Is(awaits) {
		return result, err
	}
	_ = result.Close()
	f, err := o.in.coroutineFunction("gophersnake.tasks:" + name)
	if err != nil {
		return nil, err
	}
	return f.Call(ctx, arguments...)
}

// Attr returns an attribute: o.name.
func (o *Object) Attr(name string) (*Object, error) { return o.in.apply("builtins:getattr", o, name) }

// SetAttr sets an attribute: o.name = value.
func (o *Object) SetAttr(name string, value any) error {
	return discarded(o.in.apply("builtins:setattr", o, name, value))
}

// Item returns an item: o[key].
func (o *Object) Item(key any) (*Object, error) { return o.in.apply("operator:getitem", o, key) }

// SetItem sets an item: o[key] = value.
func (o *Object) SetItem(key, value any) error {
	return discarded(o.in.apply("operator:setitem", o, key, value))
}

// DeleteItem removes an item: del o[key].
func (o *Object) DeleteItem(key any) error { return discarded(o.in.apply("operator:delitem", o, key)) }

// Contains tells whether an item is in the object: item in o.
func (o *Object) Contains(item any) (bool, error) {
	return asThenClose[bool](o.in.apply("operator:contains", o, item))
}

// Len returns len(o).
func (o *Object) Len() (int, error) { return asThenClose[int](o.in.apply("builtins:len", o)) }

// Truth returns bool(o).
func (o *Object) Truth() (bool, error) { return asThenClose[bool](o.in.apply("operator:truth", o)) }

// Type returns the name of the object's class: "int", "numpy.ndarray".
func (o *Object) Type() (string, error) {
	return asThenClose[string](o.in.apply("gophersnake.values:type_name", o))
}

// Repr returns repr(o).
func (o *Object) Repr() (string, error) { return asThenClose[string](o.in.apply("builtins:repr", o)) }

// String returns str(o), or a text in angle brackets that says why there is none.
func (o *Object) String() string {
	text, err := asThenClose[string](o.in.apply("builtins:str", o))
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
	return o.in.apply("operator:"+name, o, operand)
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
