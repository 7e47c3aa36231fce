package python

// #include "core.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"sync"
)

// Generator is a Python generator that Go resumes by hand. To loop over one, use [Iter].
//
// Methods may be called on any goroutine, one at a time: a generator that runs already gives [ValueError]. What a step sets
// for its context (PEP 567) holds in the next ones, and nowhere else.
type Generator[T any] struct {
	object  *Object
	context *Object // in which all steps run
	options []DecodeOption
	mu      sync.Mutex
	result  *Object
}

// step is what gophersnake.iterator:step returns.
type step[T any] struct {
	Yields bool
	Item   T
	Result *Object
}

// NewGenerator takes an object that has the methods of a generator and whose items convert to T. The object stays the
// caller's and must stay open: it is the reference to the generator. [Generator.Close] ends the generator in Python.
func NewGenerator[T any](o *Object, options ...DecodeOption) (*Generator[T], error) {
	if _, err := planOf(reflect.TypeFor[step[T]]()); err != nil {
		return nil, fmt.Errorf("python: %w", err)
	}
	start, err := o.lane.function("gophersnake.iterator:start_generator")
	if err != nil {
		return nil, err
	}
	var found struct {
		Is      bool
		Context *Object
	}
	if err := start.decode(context.Background(), &found, o); err != nil {
		return nil, fmt.Errorf("python: %w", unwrapped(err))
	}
	if !found.Is {
		class, err := o.Type()
		if err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("python: want a generator, got %s: call the generator function, or use Iter", class)
	}
	return &Generator[T]{object: o, context: found.Context, options: options}, nil
}

// Generator takes the object as a generator, whose items are objects. See [NewGenerator].
func (o *Object) Generator() (*Generator[*Object], error) { return NewGenerator[*Object](o) }

// Next resumes the generator until it yields its next item. At its end, ok is false, and Result has what it returned.
// An exception that leaves the generator is an [*Error]. An item that does not convert is an error, too, after which
// the generator goes on.
func (g *Generator[T]) Next(ctx context.Context) (item T, ok bool, err error) {
	return g.step(ctx, "gophersnake.iterator:step", g.context, g.object, "__next__")
}

// Send resumes the generator with what its yield is worth, until it yields again. A generator that has not started takes
// nil only.
func (g *Generator[T]) Send(ctx context.Context, value any) (item T, ok bool, err error) {
	return g.step(ctx, "gophersnake.iterator:step", g.context, g.object, "send", value)
}

// Throw raises an exception in the generator where it waits, until it yields again: of the class and with the message
// of an [*Error]; of a [Class]; or, of any other error, a RuntimeError that says what it says.
func (g *Generator[T]) Throw(ctx context.Context, err error) (item T, ok bool, failure error) {
	var exception *Error
	var class Class
	switch {
	case errors.As(err, &exception) && len(exception.bases) > 0:
		return g.step(ctx, "gophersnake.iterator:throw", g.context, g.object, exception.bases[0], exception.Message)
	case errors.As(err, &class):
		return g.step(ctx, "gophersnake.iterator:throw", g.context, g.object, string(class), nil)
	}
	return g.step(ctx, "gophersnake.iterator:throw", g.context, g.object, string(RuntimeError), fmt.Sprint(err))
}

// Result returns what the generator has returned, the value of a yield from; nil while it has not ended by itself. The
// caller closes it, or leaves that to the garbage collector.
func (g *Generator[T]) Result() *Object {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.result
}

// Close closes the generator: its finally blocks have run when Close returns, and an exception of theirs is its error. It
// may be called more than once.
func (g *Generator[T]) Close(ctx context.Context) error {
	if err := closeIn(ctx, g.object, g.context); err != nil {
		return fmt.Errorf("python: %w", unwrapped(err))
	}
	return nil
}

func (g *Generator[T]) step(ctx context.Context, name string, arguments ...any) (item T, ok bool, err error) {
	var none T
	plan, err := planOf(reflect.TypeFor[step[T]]())
	if err != nil {
		return none, false, fmt.Errorf("python: %w", err)
	}
	f, err := g.object.lane.function(name)
	if err != nil {
		return none, false, err
	}
	var result *Object
	var broken error
	err = f.run(ctx, C.SNAKE_WANT_VALUE, plan, func(frame *frame) (int, int, error) {
		return frame.addArguments(arguments)
	}, func(r *C.snake_result) (err error) {
		s := f.lane.read(r, g.options)
		s.take() // the head of the tuple
		if err = readNumber(s, &ok); err != nil {
			return err
		}
		if ok {
			broken = s.decode(&item)
			return nil
		}
		s.skip()
		result, err = s.readObject()
		return err
	})
	runtime.KeepAlive(g.object)
	switch {
	case err != nil:
		return none, false, fmt.Errorf("python: %w", unwrapped(err))
	case broken != nil:
		return none, false, fmt.Errorf("python: %w", at("item", broken))
	}
	if !ok {
		g.mu.Lock()
		if g.result == nil {
			g.result = result
		} else {
			_ = result.Close() // a generator that has ended returns None ever after
		}
		g.mu.Unlock()
	}
	return item, ok, nil
}
