package python

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Names are variables by name: for [Interpreter.Eval], [Interpreter.Exec] and [Interpreter.Namespace]. They become Python's as
// the arguments of a call do.
type Names map[string]any

// Eval evaluates an expression of Python, as eval does.
//
//	sum, err := in.Eval(ctx, "a + len(b)", python.Names{"a": 1, "b": []float64{1, 2}})
//
// The names that it sees, besides those of builtins, are those of namespace:
//   - nil: none;
//   - [Names], any other map with strings as keys, or a struct: variables of this call alone;
//   - an [*Object] that is a dict, as [Interpreter.Namespace] makes one: that dict itself, which keeps what is assigned;
//   - an *Object that is a module: its variables.
//
// It is a call like any other: it waits for its turn, the end of the context interrupts it, every exception is an
// [*Error], and what Python keeps of lent memory stays valid. The option is [Lane].
//
// A syntax error is a SyntaxError that says the line. Tracebacks and [Error.Frames] know the source as <eval 1>, <eval 2> and
// so on, and show its lines. The code of a source of at most 16 KiB is kept for the next time.
//
// Code runs with the rights of the process: never take it from somebody whom you do not trust.
func (in *Interpreter) Eval(ctx context.Context, expression string, namespace any, options ...CallOption) (*Object, error) {
	return in.runSource(ctx, "Eval", "gophersnake.namespace:evaluate", expression, namespace, options)
}

// Exec runs statements of Python, as exec does. What they assign stays in the namespace if that is an [*Object]; it is
// gone if it is [Names]. All else is as in [Interpreter.Eval].
//
//	names, err := in.Namespace(python.Names{"rate": 0.19})
//	err = in.Exec(ctx, "def gross(net):\n    return net * (1 + rate)", names)
//	price, err := in.Eval(ctx, "gross(100)", names)
//	gross, err := names.Item("gross") // a function to call
//
// The statements see themselves as the module __main__: a class that they define has that as its module.
func (in *Interpreter) Exec(ctx context.Context, statements string, namespace any, options ...CallOption) error {
	return discarded(in.runSource(ctx, "Exec", "gophersnake.namespace:execute", statements, namespace, options))
}

// Namespace makes a dict of variables that [Interpreter.Eval] and [Interpreter.Exec] share, for as long as the object is
// open. Several goroutines may use it at a time, as threads may use the variables of a module. [Object.Item] and
// [Object.SetItem] read and write a variable. Python adds __builtins__ and __name__.
//
// What a slice lends to it stays lent until the variable is gone.
func (in *Interpreter) Namespace(names Names) (*Object, error) {
	return in.apply("gophersnake.namespace:make_namespace", names)
}

// runSource calls what evaluates or runs a source, under the name that the caller knows.
func (in *Interpreter) runSource(ctx context.Context, name, helper, source string, namespace any, options []CallOption) (*Object, error) {
	lane, err := in.laneOf(options)
	if err != nil {
		return nil, err
	}
	object, keeps := namespace.(*Object)
	switch kind := reflect.Indirect(reflect.ValueOf(namespace)).Kind(); {
	case keeps && object == nil:
		namespace, keeps = nil, false
	case keeps, namespace == nil, kind == reflect.Map, kind == reflect.Struct:
	default:
		return nil, fmt.Errorf("python: %s: want python.Names, another map, a struct, a *python.Object or nil as the namespace, got %T", name, namespace)
	}
	loaded, err := in.function(helper)
	if err != nil {
		return nil, err
	}
	// The handle is that of a function that stays loaded.
	f := &Function{in: in, lane: lane, handle: loaded.handle, name: name, label: &callLabel{"python." + name}}
	return f.Call(ctx, source, namespace, keeps)
}

// frameFunctions are those of Python that never work where Go calls them.
var frameFunctions = map[string]bool{"builtins:locals": true, "builtins:globals": true}

var errNeedsFrame = errors.New("it looks at the variables of the Python code that calls it, and Go has none: use Interpreter.Eval or " +
	"Interpreter.Exec, with a namespace")

// needsFrame adds what to do to the error of a function that looks at its caller's variables: eval, exec, vars, dir, by whatever name.
func needsFrame(err error) error {
	var raised *Error
	if errors.As(err, &raised) && raised.Type == "SystemError" && len(raised.Frames) == 0 && strings.Contains(raised.Message, "frame does not exist") {
		return fmt.Errorf("%w: %w", err, errNeedsFrame)
	}
	return err
}
