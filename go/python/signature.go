package python

// #include "core.h"
import "C"

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"unicode"
)

// FuncOption says how a Go function looks in Python: [Doc], [Name], [Params], [Default], [CopyArguments], [OnThread].
type FuncOption interface {
	setFunc(f *hostFunction) error
}

type funcOption func(*hostFunction) error

func (o funcOption) setFunc(f *hostFunction) error { return o(f) }

// Doc is the documentation of a function or a type.
type Doc string

func (d Doc) setFunc(f *hostFunction) error {
	f.doc = string(d)
	return nil
}

// Name is the name of a function or a method in Python. A method with the name "-" is not in Python.
type Name string

func (n Name) setFunc(f *hostFunction) error {
	if !isIdentifier(string(n)) {
		return fmt.Errorf("python.Name: want a name, got %q", string(n))
	}
	f.name = string(n)
	return nil
}

// Params names the parameters, without the context and the struct with [Keywords]; so Python can pass them by name.
// Without it, they are taken by position only.
func Params(names ...string) FuncOption {
	return funcOption(func(f *hostFunction) error {
		parameters := f.parameters[f.receiver:]
		if len(names) != len(parameters) {
			return fmt.Errorf("python.Params: the function has %d parameters to name, got %d names", len(parameters), len(names))
		}
		for i, name := range names {
			if !isIdentifier(name) {
				return fmt.Errorf("python.Params: want a name, got %q", name)
			}
			parameters[i].name = name
		}
		return nil
	})
}

// CopyArguments makes slices of numbers among the arguments copies, which the function may keep.
func CopyArguments() FuncOption {
	return funcOption(func(f *hostFunction) error {
		f.keeps = true
		return nil
	})
}

// Default makes a parameter, which [Params] has named, one that may be left out; it has this value then.
func Default(name string, value any) FuncOption {
	return funcOption(func(f *hostFunction) error {
		for i := range f.parameters {
			p := &f.parameters[i]
			if p.name != name || (f.variadic && i == len(f.parameters)-1) {
				continue
			}
			v := reflect.ValueOf(value)
			switch {
			case !v.IsValid():
				v = reflect.Zero(p.typ)
			case v.Type() != p.typ && !(v.CanConvert(p.typ) && v.Kind() != reflect.String):
				return fmt.Errorf("python.Default: %s: want a %v, got %T", name, p.typ, value)
			default:
				v = v.Convert(p.typ)
			}
			p.fallback = &v
			return nil
		}
		return fmt.Errorf("python.Default: no parameter is named %q: put python.Params before it", name)
	})
}

// newHostFunction makes a Go function ready for Python.
func newHostFunction(value any, name, module string, options []FuncOption) (*hostFunction, error) {
	v := reflect.ValueOf(value)
	if v.Kind() != reflect.Func || v.IsNil() {
		return nil, fmt.Errorf("want a function, got %T", value)
	}
	f := &hostFunction{name: name, module: module, place: placeOf(v), value: v}
	if err := f.inspect(options); err != nil {
		return nil, err
	}
	return f, nil
}

// inspect finds out what there is to know of a function before Python calls it.
func (f *hostFunction) inspect(options []FuncOption) error {
	v := f.value
	t := v.Type()
	f.call, f.variadic = v.Call, t.IsVariadic()
	if f.variadic {
		f.call = v.CallSlice
	}
	if f.name == "" {
		f.name = functionName(f.place)
	}
	first, last := f.receiver, t.NumIn()
	for i := range f.receiver {
		f.parameters = append(f.parameters, parameter{typ: t.In(i), hosted: t.In(i).Kind() == reflect.Pointer})
	}
	if last > first && t.In(first) == contextType {
		f.context = true
		first++
	}
	if last > first {
		if options := t.In(last - 1); options.Kind() == reflect.Struct && !isLeaf(options) {
			r, err := recordOf(options)
			if err != nil {
				return err
			}
			if r.keywords {
				f.keywords, f.options = r, options
				last--
			}
		}
	}
	for i := first; i < last; i++ {
		f.parameters = append(f.parameters, parameter{typ: t.In(i)})
	}
	f.results = t.NumOut()
	if f.results > 0 && t.Out(f.results-1) == errorType {
		f.fails = true
		f.results--
	}
	for i := range f.results {
		if t.Out(i).Kind() == reflect.UnsafePointer {
			return fmt.Errorf("a Go %v has no form in Python", t.Out(i))
		}
	}
	for _, option := range options {
		if err := option.setFunc(f); err != nil {
			return err
		}
	}
	f.qualname = f.name
	if f.class != "" {
		f.qualname = f.class + "." + f.name
	}
	if f.receiver == 0 && !f.keeps {
		f.direct = directCall(v.Interface())
	}
	return f.prepare()
}

// prepare checks the parameters and tells the core of them.
func (f *hostFunction) prepare() error {
	if err := f.checkDefaults(); err != nil {
		return err
	}
	plan, err := f.makePlan()
	f.plan = plan
	return err
}

func (f *hostFunction) checkDefaults() error {
	optional := ""
	for i, p := range f.parameters {
		switch {
		case p.fallback != nil:
			optional = p.name
		case optional != "" && !(f.variadic && i == len(f.parameters)-1):
			return fmt.Errorf("python.Default: parameter %q follows %q, which may be left out", p.name, optional)
		}
	}
	return nil
}

// makePlan tells the core what the parameters expect.
func (f *hostFunction) makePlan() (*C.snake_plan, error) {
	var names []string
	var types []reflect.Type
	var rest reflect.Type
	for i, p := range f.parameters {
		if f.variadic && i == len(f.parameters)-1 {
			rest = p.typ.Elem()
			continue
		}
		t := p.typ
		if p.hosted {
			t = hostedType
		}
		names, types = append(names, p.name), append(types, t)
	}
	if f.keywords != nil {
		for _, field := range f.keywords.fields {
			names, types = append(names, field.name), append(types, field.typ)
		}
	}
	return planOfArguments(names, types, rest)
}

// hostedType stands for a value of Go's in a plan, whatever its type looks like in Python.
var hostedType = reflect.TypeFor[interface{ isHosted() }]()

// signature is what the module inspect reads.
func (f *hostFunction) signature() string {
	var parts []string
	byPosition := 0
	for i, p := range f.parameters {
		last := f.variadic && i == len(f.parameters)-1
		name := p.name
		if name == "" {
			name = fmt.Sprintf("arg%d", i)
			switch {
			case last:
				name = "args"
			case i < f.receiver:
				name = "self"
				fallthrough
			default:
				byPosition = i + 1
			}
		}
		switch {
		case last:
			name = "*" + name
		case p.fallback != nil:
			name += "=" + literal(*p.fallback)
		}
		parts = append(parts, name)
		if byPosition == i+1 && (i+1 == len(f.parameters) || f.parameters[i+1].name != "" || (f.variadic && i+1 == len(f.parameters)-1)) {
			parts = append(parts, "/")
		}
	}
	if f.keywords != nil {
		if !f.variadic && len(f.keywords.fields) > 0 {
			parts = append(parts, "*")
		}
		for _, field := range f.keywords.fields {
			parts = append(parts, field.name+"="+literal(reflect.Zero(field.typ)))
		}
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// literal writes a value as Python does, or as an ellipsis, where a literal cannot say it.
func literal(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() {
			return "True"
		}
		return "False"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16,
		reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		text := fmt.Sprint(v.Convert(plainTypes[v.Kind()]).Interface()) // without a String method
		if strings.ContainsAny(text, "IN") {                            // Inf, NaN
			return "..."
		}
		if (v.Kind() == reflect.Float64 || v.Kind() == reflect.Float32) && !strings.ContainsAny(text, ".e") {
			text += ".0"
		}
		return text
	case reflect.String:
		text, err := json.Marshal(v.String()) // its escapes are those of Python
		if err == nil {
			return string(text)
		}
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice, reflect.Func:
		if v.IsNil() {
			return "None"
		}
	}
	return "..."
}

func isIdentifier(name string) bool {
	for i, r := range name {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return false
		}
	}
	return name != ""
}

// read makes Go values of the arguments: one for each parameter, the struct of keywords included.
func (f *hostFunction) read(s *results, args, kwargs int) ([]reflect.Value, error) {
	fixed := len(f.parameters)
	if f.variadic {
		fixed--
	}
	if args > fixed && !f.variadic {
		return nil, wrongCall("%s() takes %d positional arguments but %d were given", f.qualname, fixed-f.receiver, args-f.receiver)
	}
	values := make([]reflect.Value, len(f.parameters), len(f.parameters)+2)
	for i := range min(args, fixed) {
		v, err := f.readOne(s, f.parameters[i].typ, i, "")
		if err != nil {
			return nil, err
		}
		values[i] = v
	}
	if f.variadic {
		rest := f.parameters[fixed].typ
		more := reflect.MakeSlice(rest, max(args-fixed, 0), max(args-fixed, 0))
		for i := fixed; i < args; i++ {
			v, err := f.readOne(s, rest.Elem(), i, "")
			if err != nil {
				return nil, err
			}
			more.Index(i - fixed).Set(v)
		}
		values[fixed] = more
	}
	var options reflect.Value
	if f.keywords != nil {
		options = reflect.New(f.options).Elem()
	}
	for range kwargs {
		name := s.text(s.take())
		if err := f.readKeyword(s, name, values[:fixed], options); err != nil {
			return nil, err
		}
	}
	for i := range fixed {
		if values[i].IsValid() {
			continue
		}
		p := f.parameters[i]
		if p.fallback == nil {
			return nil, wrongCall("%s() missing required argument: %s", f.qualname, f.argument(i, ""))
		}
		values[i] = *p.fallback
	}
	if f.keywords != nil {
		values = append(values, options)
	}
	return values, nil
}

// argument names the argument for a parameter, or for a keyword, in a message.
func (f *hostFunction) argument(i int, keyword string) string {
	if keyword != "" {
		return "'" + keyword + "'"
	}
	if i < len(f.parameters) && f.parameters[i].name != "" && !(f.variadic && i >= len(f.parameters)-1) {
		return "'" + f.parameters[i].name + "'"
	}
	if i < f.receiver {
		return "self"
	}
	return fmt.Sprint(i + 1 - f.receiver)
}

func (f *hostFunction) readOne(s *results, t reflect.Type, i int, keyword string) (reflect.Value, error) {
	target := reflect.New(t)
	err := errNotShared
	if !f.keeps || t.Implements(mutableType) {
		err = s.readShared(target.Elem())
	}
	if err == errNotShared { //nolint:errorlint // it is never wrapped
		err = s.decode(target.Interface())
	}
	if err != nil {
		name := f.argument(i, keyword)
		var inner *placed
		if errors.As(err, &inner) {
			return reflect.Value{}, wrongCall("%s() argument %s%s: %v", f.qualname, name, inner.place, inner.err)
		}
		return reflect.Value{}, wrongCall("%s() argument %s: %v", f.qualname, name, err)
	}
	return target.Elem(), nil
}

func (f *hostFunction) readKeyword(s *results, name string, values []reflect.Value, options reflect.Value) error {
	for i := range values {
		p := f.parameters[i]
		if p.name != name {
			continue
		}
		if values[i].IsValid() {
			return wrongCall("%s() got multiple values for argument '%s'", f.qualname, name)
		}
		v, err := f.readOne(s, p.typ, i, name)
		values[i] = v
		return err
	}
	if f.keywords != nil {
		if index, ok := f.keywords.byName[name]; ok {
			field := f.keywords.fields[index]
			v, err := f.readOne(s, field.typ, index, name)
			if err == nil {
				options.FieldByIndex(field.index).Set(v)
			}
			return err
		}
	}
	return wrongCall("%s() got an unexpected keyword argument '%s'", f.qualname, name)
}

// directCall is [hostFunction.call] without reflection, for the types of functions that numerical code calls most. It
// takes arguments that need no conversion only.
func directCall(function any) func(*results, *C.snake_invocation) bool {
	floats := func(s *results, i *C.snake_invocation) ([]float64, bool) {
		if i.args != 1 {
			return nil, false
		}
		// The kind first: the length of anything else counts no floats.
		v := s.peek()
		if v.kind != C.SNAKE_KIND_ARRAY || v.dtype != C.SNAKE_DTYPE_FLOAT64 {
			return nil, false
		}
		if v.len == 0 {
			return []float64{}, true // as readShared has it: not nil
		}
		return elements[float64](v), true
	}
	answer := func(i *C.snake_invocation, x float64) bool {
		i.reply = C.snake_value{kind: C.SNAKE_KIND_FLOAT, bits: C.uint64_t(math.Float64bits(x))}
		return true
	}
	switch f := function.(type) {
	case func():
		return func(_ *results, i *C.snake_invocation) bool {
			if i.args != 0 {
				return false
			}
			f()
			return true
		}
	case func(float64) float64:
		return func(s *results, i *C.snake_invocation) bool {
			if i.args != 1 || s.peek().kind != C.SNAKE_KIND_FLOAT {
				return false
			}
			return answer(i, f(math.Float64frombits(uint64(s.peek().bits))))
		}
	case func([]float64) float64:
		return func(s *results, i *C.snake_invocation) bool {
			x, ok := floats(s, i)
			return ok && answer(i, f(x))
		}
	}
	return nil
}
