package python

// #include "core.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
)

// Bind resolves "module:qualified.name" and returns it as a Go function of type F.
//
//   - A leading context.Context is optional.
//   - The other parameters convert as the arguments of [Function.Call]; variadic ones become single arguments.
//   - A last parameter that is a struct with [Keywords] embedded becomes keyword arguments, by its fields.
//   - The results are those that [As] can make: none, one, or several from a tuple; then optionally an error. Without one, the
//     function panics with the error that it would return.
//
// Where Python can tell the signature (inspect.signature), Bind checks the number of parameters and the names of keywords.
//
//	find, err := python.Bind[func(context.Context, []float64) ([]int, error)](in, "outliers:detect")
//
// The options are those of [As], and [Lane]. The call, the conversions included, is one crossing. The function stays loaded for as long as the Go function is reachable.
func Bind[F any](in *Interpreter, name string, options ...BindOption) (F, error) {
	var bound F
	signature := reflect.TypeFor[F]()
	s, err := readSignature(signature)
	if err != nil {
		return bound, fmt.Errorf("python: %s: cannot bind %v: %w", name, signature, err)
	}
	var decode []DecodeOption
	var call []CallOption
	for _, option := range options {
		switch o := option.(type) {
		case DecodeOption:
			decode = append(decode, o)
		case LaneOption:
			call = append(call, o)
		}
	}
	f, err := in.Func(name, call...)
	if err != nil {
		return bound, err
	}
	if err := s.check(f); err != nil {
		_ = f.Close()
		return bound, fmt.Errorf("python: %s: cannot bind %v: %w", name, signature, err)
	}
	target := any(&bound)
	if f.async {
		target = nil // it has no short cut
	}
	switch b := target.(type) {
	case *func(context.Context, []float64) error:
		*b = func(ctx context.Context, data []float64) error {
			frame, err := f.runArray(ctx, data, C.SNAKE_WANT_OBJECT)
			if err != nil {
				return err
			}
			frame.releaseResult()
			frame.leaveEmpty()
			return nil
		}
	case *func(context.Context, []float64) (float64, error):
		*b = bindArray(f, floatAtOnce, readFloat[float64])
	case *func(context.Context, []float64) ([]float64, error):
		*b = bindArray(f, numbersAtOnce[float64](C.SNAKE_DTYPE_FLOAT64), readNumbers[float64])
	case *func(context.Context, []float64) ([]int, error):
		*b = bindArray(f, numbersAtOnce[int](C.SNAKE_DTYPE_INT64), readNumbers[int])
	case *func(context.Context, float64) (float64, error):
		*b = func(ctx context.Context, x float64) (y float64, err error) {
			err = f.run(ctx, C.SNAKE_WANT_VALUE, nil, func(frame *frame) (int, int, error) {
				frame.add(C.SNAKE_KIND_FLOAT, 0, math.Float64bits(x), 0)
				return 1, 0, nil
			}, func(r *C.snake_result) (err error) {
				y, err = readFloat[float64](f.lane.read(r, nil))
				return err
			})
			return y, err
		}
	default:
		reflect.ValueOf(&bound).Elem().Set(reflect.MakeFunc(signature, s.body(f, decode)))
	}
	return bound, nil
}

// bindArray makes a function of the most common shape, which needs no reflection. What `atOnce` does not take goes to
// `read`.
func bindArray[R any](f *Function, atOnce func(*C.snake_result) (R, bool), read func(*results) (R, error)) func(context.Context, []float64) (R, error) {
	return func(ctx context.Context, data []float64) (out R, err error) {
		frame, err := f.runArray(ctx, data, C.SNAKE_WANT_VALUE)
		if err != nil {
			return out, err
		}
		var ok bool
		if out, ok = atOnce(&frame.call.result); !ok {
			out, err = read(frame.results.reset(f.lane, &frame.call.result))
		}
		frame.releaseResult()
		frame.leaveEmpty()
		if err != nil {
			return out, f.failed(atResult(err))
		}
		return out, nil
	}
}

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
)

// signature is a Go function type as [Bind] understands it.
type signature struct {
	parameters   int // positional ones; a variadic one counts
	variadic     bool
	keywords     *record // of the last parameter; nil if there is none
	takesContext bool
	results      []reflect.Type // without the error
	returnsError bool
	plan         *C.snake_plan
}

func readSignature(t reflect.Type) (*signature, error) {
	if t.Kind() != reflect.Func {
		return nil, errors.New("want a function type")
	}
	s := &signature{variadic: t.IsVariadic(), parameters: t.NumIn()}
	if t.NumIn() > 0 && t.In(0) == contextType {
		s.takesContext = true
		s.parameters--
	}
	if s.parameters > 0 {
		if last := t.In(t.NumIn() - 1); last.Kind() == reflect.Struct && !isLeaf(last) {
			r, err := recordOf(last)
			if err != nil {
				return nil, err
			}
			if r.keywords {
				s.keywords = r
				s.parameters--
			}
		}
	}
	for i := range t.NumOut() {
		s.results = append(s.results, t.Out(i))
	}
	if n := len(s.results); n > 0 && s.results[n-1] == errorType {
		s.results, s.returnsError = s.results[:n-1], true
	}
	for i := range t.NumIn() {
		if err := checkKind(t.In(i)); err != nil {
			return nil, err
		}
	}
	for _, result := range s.results {
		if err := checkKind(result); err != nil {
			return nil, err
		}
	}
	var err error
	switch len(s.results) {
	case 0:
	case 1:
		s.plan, err = planOf(s.results[0])
	default:
		s.plan, err = planOfTuple(s.results)
	}
	return s, err
}

// checkKind refuses types that have no form in Python, whatever their value.
func checkKind(t reflect.Type) error {
	switch t.Kind() {
	case reflect.UnsafePointer:
		return fmt.Errorf("a Go %v has no form in Python", t)
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return checkKind(t.Elem())
	}
	return nil
}

// check compares the signature with that of the Python function, where Python can tell it.
func (s *signature) check(f *Function) error {
	var names []string
	if s.keywords != nil {
		for _, field := range s.keywords.fields {
			names = append(names, field.name)
		}
	}
	fixed := s.parameters
	if s.variadic {
		fixed--
	}
	checker, err := f.lane.function("gophersnake.signatures:check_signature")
	if err != nil {
		return err
	}
	complaint, err := checker.Call(admitted, f, fixed, names)
	if err != nil {
		return err
	}
	defer complaint.Close()
	if complaint.IsNone() {
		return nil
	}
	text, err := As[string](complaint)
	if err != nil {
		return err
	}
	return errors.New(text)
}

// body makes the body of a function of this signature.
func (s *signature) body(f *Function, options []DecodeOption) func([]reflect.Value) []reflect.Value {
	return func(in []reflect.Value) []reflect.Value {
		ctx := context.Background()
		if s.takesContext {
			ctx, in = in[0].Interface().(context.Context), in[1:]
		}
		targets := make([]reflect.Value, len(s.results))
		for i, result := range s.results {
			targets[i] = reflect.New(result)
		}
		want := uint32(C.SNAKE_WANT_VALUE)
		if len(s.results) == 0 {
			want = C.SNAKE_WANT_OBJECT
		}
		err := f.run(ctx, want, s.plan, func(frame *frame) (int, int, error) {
			return s.add(frame, in)
		}, func(r *C.snake_result) error {
			return s.read(f.lane.read(r, options), targets)
		})
		if err != nil && !s.returnsError {
			panic(err)
		}
		out := make([]reflect.Value, 0, len(s.results)+1)
		for i, result := range s.results {
			if err != nil {
				out = append(out, reflect.Zero(result))
			} else {
				out = append(out, targets[i].Elem())
			}
		}
		if s.returnsError {
			failure := reflect.New(errorType).Elem()
			if err != nil {
				failure.Set(reflect.ValueOf(err))
			}
			out = append(out, failure)
		}
		return out
	}
}

// read reads one result, or several from a tuple.
func (s *signature) read(r *results, targets []reflect.Value) error {
	switch len(targets) {
	case 0:
		return nil
	case 1:
		return r.decode(targets[0].Interface())
	}
	v := r.peek()
	if v.kind != C.SNAKE_KIND_TUPLE || int(v.len) != len(targets) { //nolint:gosec // a length in memory
		found := r.kind(v)
		if v.kind == C.SNAKE_KIND_TUPLE {
			found = fmt.Sprintf("one of %d", v.len)
		}
		return fmt.Errorf("want a tuple of %d, got %s", len(targets), found)
	}
	r.take()
	for i, target := range targets {
		if err := r.decode(target.Interface()); err != nil {
			return atIndex(i, err)
		}
	}
	return nil
}

// add describes the arguments. The last of variadic ones may be [KW].
func (s *signature) add(f *frame, in []reflect.Value) (args, kwargs int, err error) {
	arguments := make([]any, 0, s.parameters)
	for i, value := range in[:s.parameters] {
		if s.variadic && i == s.parameters-1 {
			for j := range value.Len() {
				arguments = append(arguments, value.Index(j).Interface())
			}
			continue
		}
		arguments = append(arguments, value.Interface())
	}
	if args, kwargs, err = f.addArguments(arguments); err != nil {
		return 0, 0, err
	}
	if s.keywords == nil {
		return args, kwargs, nil
	}
	last := in[len(in)-1]
	for _, field := range s.keywords.fields {
		value := last.FieldByIndex(field.index)
		if field.omitEmpty && value.IsZero() {
			continue
		}
		if err := f.addText(field.name); err != nil {
			return 0, 0, err
		}
		if err := f.addChild(value, 0); err != nil {
			return 0, 0, fmt.Errorf("argument %q: %w", field.name, err)
		}
		kwargs++
	}
	return args, kwargs, nil
}
