package python

// #include "core.h"
import "C"

import (
	"context"
	"fmt"
	"reflect"
)

// Bind resolves "module:qualified.name" and returns it as a Go function of type F. A leading context.Context is
// optional; the other parameters convert as the arguments of [Function.Call] do; the results are nothing or one value that [As] can make, then
// optionally an error. Without an error among its results, the function panics with the error that it would return.
//
//	find, err := python.Bind[func(context.Context, []float64) ([]int, error)](in, "outliers:detect")
//
// The call, the conversions included, is one crossing. The function stays loaded for as long as the Go function is reachable.
func Bind[F any](in *Interpreter, name string) (F, error) {
	var bound F
	signature := reflect.TypeFor[F]()
	if err := checkSignature(signature); err != nil {
		return bound, fmt.Errorf("python: %s: cannot bind %v: %w", name, signature, err)
	}
	f, err := in.Func(name)
	if err != nil {
		return bound, err
	}
	switch b := any(&bound).(type) {
	case *func(context.Context, []float64) error:
		*b = func(ctx context.Context, in []float64) error {
			return f.run(ctx, C.SNAKE_WANT_OBJECT, lendOne(in), discard)
		}
	case *func(context.Context, []float64) (float64, error):
		*b = bindArray(f, decodeFloat[float64])
	case *func(context.Context, []float64) ([]float64, error):
		*b = bindArray(f, copyArray[float64])
	case *func(context.Context, []float64) ([]int, error):
		*b = bindArray(f, copyArray[int])
	default:
		reflect.ValueOf(&bound).Elem().Set(reflect.MakeFunc(signature, f.reflected(signature)))
	}
	return bound, nil
}

// bindArray makes a function of the most common shape, which needs no reflection.
func bindArray[R any](f *Function, convert func(*C.snake_result) (R, error)) func(context.Context, []float64) (R, error) {
	return func(ctx context.Context, in []float64) (out R, err error) {
		err = f.run(ctx, C.SNAKE_WANT_VALUE, lendOne(in), func(r *C.snake_result) (err error) {
			out, err = convert(r)
			return err
		})
		return out, err
	}
}

func lendOne(in []float64) func(*frame) (int, int, error) {
	return func(frame *frame) (int, int, error) {
		frame.lend(Lend(in))
		return 1, 0, nil
	}
}

// discard ignores a result.
func discard(*C.snake_result) error { return nil }

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
	objectType  = reflect.TypeFor[*Object]()
)

// checkSignature tells whether [Bind] can make a function of this type.
func checkSignature(signature reflect.Type) error {
	if signature.Kind() != reflect.Func {
		return fmt.Errorf("want a function type")
	}
	results := signature.NumOut()
	if results > 0 && signature.Out(results-1) == errorType {
		results--
	}
	if results > 1 {
		return fmt.Errorf("want at most one result and an error")
	}
	return nil
}

// reflected makes the body of a function of any type that passes [checkSignature].
func (f *Function) reflected(signature reflect.Type) func([]reflect.Value) []reflect.Value {
	takesContext := signature.NumIn() > 0 && signature.In(0) == contextType
	results := signature.NumOut()
	returnsError := results > 0 && signature.Out(results-1) == errorType
	if returnsError {
		results--
	}
	return func(in []reflect.Value) []reflect.Value {
		ctx := context.Background()
		if takesContext {
			ctx, in = in[0].Interface().(context.Context), in[1:]
		}
		arguments := make([]any, 0, len(in))
		for i, value := range in {
			if signature.IsVariadic() && i == len(in)-1 {
				for j := range value.Len() {
					arguments = append(arguments, value.Index(j).Interface())
				}
				continue
			}
			arguments = append(arguments, value.Interface())
		}
		var out []reflect.Value
		var err error
		if results == 1 {
			target := reflect.New(signature.Out(0))
			err = f.callInto(ctx, arguments, target)
			out = append(out, target.Elem())
		} else {
			_, err = f.Call(ctx, arguments...)
		}
		if !returnsError {
			if err != nil {
				panic(err)
			}
			return out
		}
		failure := reflect.Zero(errorType)
		if err != nil {
			failure = reflect.ValueOf(err)
		}
		return append(out, failure.Convert(errorType))
	}
}

// callInto calls the function and converts its result into what `target` points to.
func (f *Function) callInto(ctx context.Context, arguments []any, target reflect.Value) error {
	if target.Type().Elem() == objectType {
		object, err := f.Call(ctx, arguments...)
		target.Elem().Set(reflect.ValueOf(object))
		return err
	}
	return f.run(ctx, C.SNAKE_WANT_VALUE, func(frame *frame) (int, int, error) {
		return frame.addArguments(arguments)
	}, func(r *C.snake_result) error { return decode(r, target.Interface()) })
}
