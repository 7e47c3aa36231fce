package python

// #include "core.h"
import "C"

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"unicode"
)

// TypeOption says how a Go type looks in Python: [Doc], [Constructor], [Method], [SnakeCase].
type TypeOption interface {
	setType(c *class) error
}

type typeOption func(*class) error

func (o typeOption) setType(c *class) error { return o(c) }

func (d Doc) setType(c *class) error {
	c.doc = string(d)
	return nil
}

// Constructor is a function that makes a value: func(…) T or *T, and perhaps an error. Slices of numbers among its arguments are
// copies, which it may keep.
func Constructor(function any, options ...FuncOption) TypeOption {
	return typeOption(func(c *class) error {
		c.constructor, c.constructorOptions = function, append([]FuncOption{CopyArguments()}, options...)
		return nil
	})
}

// Method gives a method options: a name, documentation, names of parameters. With Name("-") it is not in Python.
func Method(name string, options ...FuncOption) TypeOption {
	return typeOption(func(c *class) error {
		if c.options[name] != nil {
			return fmt.Errorf("python.Method: %s has options already", name)
		}
		c.options[name] = append([]FuncOption{}, options...)
		return nil
	})
}

// SnakeCase gives fields and methods names in Python's way, unless a `py` tag or [Name] gives one: ParseURL is parse_url.
func SnakeCase() TypeOption {
	return typeOption(func(c *class) error {
		c.snake = true
		return nil
	})
}

// class is a Go type that is a class in Python.
type class struct {
	name, module, doc  string
	typ                reflect.Type
	kind               string // as make_class in classes.py knows it
	constructor        any
	constructorOptions []FuncOption
	options            map[string][]FuncOption // of the methods, by their names in Go
	snake              bool

	object *Object // the class, which is never closed
	number int     // by which make_number knows it
}

// classes are the registered types.
var classes struct {
	any    atomic.Bool // there is one: so that a program without them does not look
	byType sync.Map    // of reflect.Type to *class
}

// classOf returns the class of a type; nil if it is not registered.
func classOf(t reflect.Type) *class {
	if known, ok := classes.byType.Load(t); ok && known.(*class).object != nil {
		return known.(*class)
	}
	return nil
}

// Type registers the type of a sample, or what it points to: a named struct, slice, array, map, func, number or string. It is a
// class in Python from then on, and its values are instances of that class wherever they reach Python.
//
// Structs, slices, arrays and maps are shared: Python refers to the Go value, which lives for as long as one of both
// reaches it. A pointer is always the same object, and comes back as the same pointer. A value that is passed or returned is
// copied, as Go does, and Python refers to the copy; but a field or an item that is of a registered type (of these) is not: the
// object refers to the part, as &p.Field and &p[i] do, and keeps the whole alive. Fields that are slices or arrays of
// numbers are arrays over the same memory. What is of another type is a copy, as the tables of the package say. Numbers
// and strings are instances of subclasses of int, float, complex and str; they are copied, and come back as values of
// their Go type where one is asked for. Elsewhere, in a variable of type any, they are plain numbers.
//
//   - Construction: by [Constructor]; else a struct takes its fields, by position or by name, and what is left out is
//     zero; the others take what converts to them.
//   - Fields and methods have their Go names; see the `py` tags, [Name] and [SnakeCase]. Embedded structs and their methods
//     are promoted.
//   - repr and str: String(); else fields or items.
//   - ==: Equal(T) bool; else ==, if all fields are exported and comparable; else identity. Slices and maps compare item by
//     item. What compares by value has no hash, unless it has Hash().
//   - < and the like: Compare(T) int, Cmp(T) int, or Less(T) bool.
//   - with: Close(). Calls: Call(…), and of a func type itself.
//   - copy.copy: Clone() or Copy(); else structs whose fields are all exported, slices and maps are copied as Go does.
//   - Slices and arrays are sequences, maps are mappings with their keys in order. A slice of a slice is a copy.
//
// A class cannot be subclassed, and its objects cannot be pickled, but numbers and strings can, as plain ones.
//
// Threads: the host locks nothing. Methods, fields and items are used by whichever thread runs Python code, and by
// several at a time if the type's methods run long, since Python is free meanwhile: guard the type as one that several
// goroutines use. Methods run as other functions do ([Module.Func]), also if a value holds a `next` of [iter.Pull]; [Method] with
// [OnThread] makes those quicker that do not.
func (m *Module) Type(name string, sample any, options ...TypeOption) error {
	t := reflect.TypeOf(sample)
	if t != nil && t.Kind() == reflect.Pointer && t.Name() == "" {
		t = t.Elem()
	}
	c := &class{name: name, module: m.name, typ: t, options: map[string][]FuncOption{}}
	if err := c.check(sample); err != nil {
		return m.failed(name, err)
	}
	for _, option := range options {
		if err := option.setType(c); err != nil {
			return m.failed(name, err)
		}
	}
	if _, twice := classes.byType.LoadOrStore(t, c); twice {
		return m.failed(name, fmt.Errorf("%v is registered already", t))
	}
	var err error
	if isIdentifier(name) {
		err = c.make(m.in)
	} else {
		err = fmt.Errorf("want a name, got %q", name)
	}
	if err == nil {
		err = m.add("add_value", name, c.object)
	}
	if err != nil {
		classes.byType.Delete(t)
		return m.failed(name, err)
	}
	classes.byType.Store(t, c) // now that it is whole
	classes.any.Store(true)
	return nil
}

// check finds out whether a type can be a class, and of which kind.
func (c *class) check(sample any) error {
	t := c.typ
	if t == nil || t.Name() == "" || t.PkgPath() == "" {
		return fmt.Errorf("want a value of a named type, got %T", sample)
	}
	for _, form := range []reflect.Type{t, reflect.PointerTo(t)} {
		if form.Implements(toPythonType) || form.Implements(decoderType) || form.Implements(mutableType) {
			return fmt.Errorf("%v has a form of its own in Python", t)
		}
	}
	switch t.PkgPath() {
	case classType.PkgPath():
		if unicode.IsUpper(rune(t.Name()[0])) { // the others are those of its tests
			return fmt.Errorf("%v has a form of its own in Python", t)
		}
	case "time", "math/big", "image":
		return fmt.Errorf("%v has a form of its own in Python", t)
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Slice, reflect.Array, reflect.Map, reflect.Func:
		c.kind = t.Kind().String()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		c.kind = "int"
	case reflect.Float32, reflect.Float64:
		c.kind = "float"
	case reflect.Complex64, reflect.Complex128:
		c.kind = "complex"
	case reflect.String:
		c.kind = "str"
	default:
		return fmt.Errorf("want a struct, slice, array, map, func, number or string, got %v", t)
	}
	return nil
}

var (
	classType = reflect.TypeFor[class]()
)

// isShared tells that Python refers to values by pointers.
func (c *class) isShared() bool {
	switch c.kind {
	case "struct", "slice", "array", "map":
		return true
	}
	return false
}

// self is the type that methods are of.
func (c *class) self() reflect.Type {
	if c.isShared() {
		return reflect.PointerTo(c.typ)
	}
	return c.typ
}

// addRegistered describes a value of a registered type; ok is false if its type is none.
func (f *frame) addRegistered(v reflect.Value, depth int) (ok bool, err error) {
	t := v.Type()
	if t.Kind() == reflect.Pointer {
		c := classOf(t.Elem())
		if c == nil || !c.isShared() || v.IsNil() {
			return false, nil
		}
		f.addHosted(hosted.share(v.Convert(c.self()).Interface()), c)
		return true, nil
	}
	c := classOf(t)
	switch {
	case c == nil:
		return false, nil
	case c.isShared():
		p := reflect.New(t)
		p.Elem().Set(v)
		f.addHosted(hosted.share(p.Interface()), c)
	case c.kind == "func":
		if v.IsNil() {
			return false, nil
		}
		f.addHosted(hosted.add(v.Interface()), c)
	case c.kind == "str":
		return true, f.addMade("make_number", depth, c.number, v.String())
	default:
		return true, f.addMade("make_number", depth, c.number, v.Convert(plainTypes[v.Kind()]).Interface())
	}
	return true, nil
}

// part returns what Python gets of a part of a value: what refers to it, if Python can refer to its type.
func part(v reflect.Value) any {
	if v.CanAddr() {
		if c := classOf(v.Type()); c != nil {
			if c.isShared() {
				return v.Addr().Interface()
			}
		} else if shape, _ := arrayShape(v.Type()); shape != nil {
			return v.Addr().Interface()
		}
	}
	return v.Interface()
}

// make makes the class in Python.
func (c *class) make(in *Interpreter) error {
	methods, err := c.methods()
	if err != nil {
		return err
	}
	special := map[string]*hostFunction{}
	if err := c.addOperators(methods, special); err != nil {
		return err
	}
	byName := map[string]*hostFunction{}
	for _, f := range methods {
		if byName[f.name] != nil {
			return fmt.Errorf("two methods are named %q", f.name)
		}
		byName[f.name] = f
	}
	fields := []any{}
	switch c.kind {
	case "struct":
		fields, err = c.addStruct(byName, special)
	case "slice", "array":
		err = c.addItems(special)
	case "map":
		err = c.addMap(special)
	case "func":
		err = c.addCall(special)
	}
	if err == nil {
		err = c.addConstructor(special)
	}
	if err != nil {
		return err
	}
	doc := c.doc
	if doc == "" {
		doc = fmt.Sprintf("The Go type %v.", c.typ)
	}
	made, err := in.apply("gophersnake.classes:make_class", c.name, c.module, doc, c.kind, fields, byName, special)
	if err != nil {
		return err
	}
	defer made.Close()
	parts, err := As[struct {
		Class  *Object
		Number int
	}](made)
	c.object, c.number = parts.Class, parts.Number
	return err
}

// methods returns the methods that Python sees, by their names in Go.
func (c *class) methods() (map[string]*hostFunction, error) {
	methods := map[string]*hostFunction{}
	t := c.self()
	for i := range t.NumMethod() {
		m := t.Method(i)
		options := c.options[m.Name]
		delete(c.options, m.Name)
		if slices.Contains(options, FuncOption(Name("-"))) {
			continue
		}
		f := &hostFunction{name: c.pythonName(m.Name), class: c.name, module: c.module, receiver: 1, value: m.Func, place: c.placeOf(m)}
		if err := f.inspect(options); err != nil {
			return nil, fmt.Errorf("method %s: %w; python.Method(%[1]q, python.Name(\"-\")) leaves it out", m.Name, err)
		}
		methods[m.Name] = f
	}
	for name := range c.options {
		return nil, fmt.Errorf("python.Method: %v has no method %s", t, name)
	}
	return methods, nil
}

// placeOf finds a method where it was written, and not where it was wrapped for pointers.
func (c *class) placeOf(m reflect.Method) place {
	p := placeOf(m.Func)
	if p.file == "<autogenerated>" {
		if written, ok := c.typ.MethodByName(m.Name); ok {
			return placeOf(written.Func)
		}
	}
	return p
}

func (c *class) pythonName(name string) string {
	if c.snake {
		return snakeCase(name)
	}
	return name
}

// snakeCase writes a Go name as Python does: ParseURL as parse_url.
func snakeCase(name string) string {
	var out []rune
	runes := []rune(name)
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 && runes[i-1] != '_' &&
			(!unicode.IsUpper(runes[i-1]) || (i+1 < len(runes) && unicode.IsLower(runes[i+1]))) {
			out = append(out, '_')
		}
		out = append(out, unicode.ToLower(r))
	}
	return string(out)
}

// function makes a function of the class. Its first parameter is the object, if `self` is among the parameters.
func (c *class) function(name string, self bool, parameters []parameter, body func([]reflect.Value) (any, error)) (*hostFunction, error) {
	f := &hostFunction{name: name, class: c.name, module: c.module, keeps: true, fails: true, parameters: parameters}
	f.place = place{fmt.Sprintf("%v.%s", c.typ, name), "<Go>", 0}
	f.qualname = c.name + "." + name
	if self {
		f.receiver = 1
		f.parameters = append([]parameter{{typ: c.self(), hosted: c.isShared()}}, parameters...)
	}
	f.call = func(in []reflect.Value) []reflect.Value {
		var result any
		var err error
		if self && c.isShared() && in[0].IsNil() {
			err = wrongCall("%s() wants a %s, got None", f.qualname, c.name)
		} else {
			result, err = body(in)
		}
		return []reflect.Value{reflect.ValueOf(&result).Elem(), reflect.ValueOf(&err).Elem()}
	}
	return f, f.prepare()
}

// define is function for one of the special functions.
func (c *class) define(special map[string]*hostFunction, name string, parameters []reflect.Type, body func([]reflect.Value) (any, error)) error {
	var list []parameter
	for _, t := range parameters {
		list = append(list, parameter{typ: t, hosted: c.isShared() && t == c.self()})
	}
	f, err := c.function(name, true, list, body)
	special[name] = f
	return err
}

// addOperators finds the methods that have a meaning in Python.
func (c *class) addOperators(methods, special map[string]*hostFunction) error {
	// is tells whether there is a method that takes so many values of the type and returns a value of such a kind.
	is := func(name string, others int, kinds ...reflect.Kind) bool {
		f := methods[name]
		if f == nil || f.context || f.variadic || f.keywords != nil || len(f.parameters) != 1+others {
			return false
		}
		for _, p := range f.parameters[1:] {
			if p.typ != c.typ && p.typ != c.self() {
				return false
			}
		}
		if len(kinds) == 0 {
			return f.results == 0
		}
		return f.results == 1 && slices.Contains(kinds, f.value.Type().Out(0).Kind())
	}
	if is("String", 0, reflect.String) {
		special["string"] = methods["String"]
	}
	if !c.isShared() {
		return nil // the rest is what a number or a text has
	}
	integers := []reflect.Kind{reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8,
		reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr}
	for _, row := range []struct {
		method, special string
		others          int
		kinds           []reflect.Kind
	}{
		{"Equal", "equal", 1, []reflect.Kind{reflect.Bool}},
		{"Less", "less", 1, []reflect.Kind{reflect.Bool}},
		{"Compare", "compare", 1, integers},
		{"Cmp", "compare", 1, integers},
		{"Hash", "hash", 0, integers},
		{"Close", "close", 0, nil},
		{"Clone", "copy", 0, []reflect.Kind{c.typ.Kind(), reflect.Pointer}},
		{"Copy", "copy", 0, []reflect.Kind{c.typ.Kind(), reflect.Pointer}},
	} {
		if special[row.special] == nil && is(row.method, row.others, row.kinds...) {
			special[row.special] = methods[row.method]
		}
	}
	if f := special["copy"]; f != nil {
		if out := f.value.Type().Out(0); out != c.typ && out != c.self() {
			delete(special, "copy")
		}
	}
	if f := methods["Call"]; f != nil {
		special["call"] = f
	}
	copyable := c.kind != "struct" || isPlain(c.typ)
	if special["equal"] == nil && c.kind == "struct" && copyable && c.typ.Comparable() {
		err := c.define(special, "equal", []reflect.Type{c.self()}, func(in []reflect.Value) (any, error) {
			a, b := in[0].Elem(), in[1].Elem()
			return a.Comparable() && b.Comparable() && a.Equal(b), nil
		})
		if err != nil {
			return err
		}
	}
	if special["copy"] != nil || !copyable {
		return nil
	}
	return c.define(special, "copy", nil, func(in []reflect.Value) (any, error) {
		out := reflect.New(c.typ)
		switch v := in[0].Elem(); {
		case c.kind == "slice":
			out.Elem().Set(reflect.AppendSlice(reflect.MakeSlice(c.typ, 0, v.Len()), v))
		case c.kind == "map":
			out.Elem().Set(reflect.MakeMapWithSize(c.typ, v.Len()))
			for entries := v.MapRange(); entries.Next(); {
				out.Elem().SetMapIndex(entries.Key(), entries.Value())
			}
		default:
			out.Elem().Set(v)
		}
		return out.Interface(), nil
	})
}

// isPlain tells that a struct has no state which others do not see, so that it can be copied and compared.
func isPlain(t reflect.Type) bool {
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || (f.Type.Kind() == reflect.Struct && !isLeaf(f.Type) && !isPlain(f.Type)) {
			return false
		}
	}
	return true
}

// addConstructor finds out how Python makes a value.
func (c *class) addConstructor(special map[string]*hostFunction) error {
	var f *hostFunction
	var err error
	switch {
	case c.constructor != nil:
		if f, err = newHostFunction(c.constructor, c.name, c.module, c.constructorOptions); err == nil {
			out := f.value.Type()
			if f.results != 1 || (out.Out(0) != c.typ && out.Out(0) != c.self()) {
				err = fmt.Errorf("python.Constructor: want a function that returns %v or %v, got %v", c.typ, c.self(), out)
			}
		}
	case c.kind == "struct":
		f, err = c.structConstructor()
	default:
		fallback := reflect.Zero(c.typ)
		value := parameter{typ: c.typ, fallback: &fallback}
		if c.kind == "func" {
			value.fallback = nil
		}
		f, err = c.function("__new__", false, []parameter{value}, func(in []reflect.Value) (any, error) {
			return in[0].Interface(), nil
		})
	}
	if err != nil {
		return err
	}
	f.qualname = c.name
	special["new"] = f
	return nil
}

func (c *class) structConstructor() (*hostFunction, error) {
	r, err := recordOf(c.typ)
	if err != nil {
		return nil, err
	}
	var parameters []parameter
	for _, field := range r.fields {
		name := c.fieldName(field)
		if !isIdentifier(name) {
			return nil, fmt.Errorf("field %q has no name that Python can use: give it one with a py tag", name)
		}
		zero := reflect.Zero(field.typ)
		parameters = append(parameters, parameter{name: name, typ: field.typ, fallback: &zero})
	}
	return c.function("__new__", false, parameters, func(in []reflect.Value) (any, error) {
		p := reflect.New(c.typ)
		for i, field := range r.fields {
			p.Elem().FieldByIndex(field.index).Set(in[i])
		}
		return p.Interface(), nil
	})
}

func (c *class) fieldName(field recordField) string {
	if f := c.typ.FieldByIndex(field.index); f.Name == field.name {
		return c.pythonName(f.Name)
	}
	return field.name
}

// addStruct describes the fields: name, documentation, what gets and sets it.
func (c *class) addStruct(methods, special map[string]*hostFunction) ([]any, error) {
	r, err := recordOf(c.typ)
	if err != nil {
		return nil, err
	}
	list, seen := []any{}, map[string]bool{}
	for _, field := range r.fields {
		name := c.fieldName(field)
		if methods[name] != nil || seen[name] {
			return nil, fmt.Errorf("two fields or methods are named %q", name)
		}
		seen[name] = true
		get, err := c.function(name, true, nil, func(in []reflect.Value) (any, error) {
			return part(in[0].Elem().FieldByIndex(field.index)), nil
		})
		if err != nil {
			return nil, err
		}
		set, err := c.function(name, true, []parameter{{typ: field.typ}}, func(in []reflect.Value) (any, error) {
			in[0].Elem().FieldByIndex(field.index).Set(in[1])
			return nil, nil
		})
		if err != nil {
			return nil, fmt.Errorf("field %s: %w; the tag `py:\"-\"` leaves it out", name, err)
		}
		list = append(list, Tuple{name, field.typ.String(), get, set})
	}
	return list, nil
}

var intType = reflect.TypeFor[int]()

// addItems describes what sequences are made of.
func (c *class) addItems(special map[string]*hostFunction) error {
	item := c.typ.Elem()
	// at finds an item; places below 0 count from the end.
	at := func(in []reflect.Value) (reflect.Value, int, error) {
		v, i := in[0].Elem(), int(in[1].Int())
		if i < 0 {
			i += v.Len()
		}
		if i < 0 || i >= v.Len() {
			return v, 0, &callError{IndexError, fmt.Sprintf("%s index out of range: %d of %d", c.name, in[1].Int(), v.Len())}
		}
		return v, i, nil
	}
	err := errors.Join(
		c.define(special, "len", nil, func(in []reflect.Value) (any, error) { return in[0].Elem().Len(), nil }),
		c.define(special, "get", []reflect.Type{intType}, func(in []reflect.Value) (any, error) {
			v, i, err := at(in)
			if err != nil {
				return nil, err
			}
			return part(v.Index(i)), nil
		}),
		c.define(special, "set", []reflect.Type{intType, item}, func(in []reflect.Value) (any, error) {
			v, i, err := at(in)
			if err == nil {
				v.Index(i).Set(in[2])
			}
			return nil, err
		}),
	)
	if c.kind == "array" {
		return err
	}
	return errors.Join(err,
		c.define(special, "part", []reflect.Type{intType, intType, intType}, func(in []reflect.Value) (any, error) {
			v, start, step, count := in[0].Elem(), int(in[1].Int()), int(in[2].Int()), int(in[3].Int())
			out := reflect.New(c.typ)
			out.Elem().Set(reflect.MakeSlice(c.typ, 0, count))
			for n := range count {
				if i := start + n*step; i >= 0 && i < v.Len() { // it may have shrunk
					out.Elem().Set(reflect.Append(out.Elem(), v.Index(i)))
				}
			}
			return out.Interface(), nil
		}),
		c.define(special, "delete", []reflect.Type{intType}, func(in []reflect.Value) (any, error) {
			v, i, err := at(in)
			if err == nil {
				reflect.Copy(v.Slice(i, v.Len()), v.Slice(i+1, v.Len()))
				v.Index(v.Len() - 1).SetZero()
				v.SetLen(v.Len() - 1)
			}
			return nil, err
		}),
		c.define(special, "insert", []reflect.Type{intType, item}, func(in []reflect.Value) (any, error) {
			v, i := in[0].Elem(), int(in[1].Int())
			if i < 0 {
				i += v.Len()
			}
			i = min(max(i, 0), v.Len())
			v.Set(reflect.Append(v, in[2]))
			reflect.Copy(v.Slice(i+1, v.Len()), v.Slice(i, v.Len()-1))
			v.Index(i).Set(in[2])
			return nil, nil
		}),
	)
}

// addMap describes what mappings are made of.
func (c *class) addMap(special map[string]*hostFunction) error {
	key, item := c.typ.Key(), c.typ.Elem()
	return errors.Join(
		c.define(special, "len", nil, func(in []reflect.Value) (any, error) { return in[0].Elem().Len(), nil }),
		c.define(special, "get", []reflect.Type{key}, func(in []reflect.Value) (any, error) {
			if found := in[0].Elem().MapIndex(in[1]); found.IsValid() {
				return Tuple{found.Interface(), true}, nil
			}
			return Tuple{nil, false}, nil
		}),
		c.define(special, "set", []reflect.Type{key, item}, func(in []reflect.Value) (any, error) {
			v := in[0].Elem()
			if v.IsNil() {
				v.Set(reflect.MakeMap(c.typ))
			}
			v.SetMapIndex(in[1], in[2])
			return nil, nil
		}),
		c.define(special, "delete", []reflect.Type{key}, func(in []reflect.Value) (any, error) {
			v := in[0].Elem()
			found := v.MapIndex(in[1]).IsValid()
			v.SetMapIndex(in[1], reflect.Value{})
			return found, nil
		}),
		c.define(special, "keys", nil, func(in []reflect.Value) (any, error) {
			keys := in[0].Elem().MapKeys()
			slices.SortFunc(keys, compareKeys)
			list := make([]any, len(keys))
			for i, key := range keys {
				list[i] = key.Interface()
			}
			return list, nil
		}),
	)
}

// addCall describes how Python calls a func.
func (c *class) addCall(special map[string]*hostFunction) error {
	t := c.typ
	in, out := []reflect.Type{t}, []reflect.Type{}
	for i := range t.NumIn() {
		in = append(in, t.In(i))
	}
	for i := range t.NumOut() {
		out = append(out, t.Out(i))
	}
	call := reflect.MakeFunc(reflect.FuncOf(in, out, t.IsVariadic()), func(in []reflect.Value) []reflect.Value {
		if t.IsVariadic() {
			return in[0].CallSlice(in[1:])
		}
		return in[0].Call(in[1:])
	})
	f := &hostFunction{name: "__call__", class: c.name, module: c.module, receiver: 1, value: call}
	f.place = place{t.String(), "<Go>", 0}
	special["call"] = f
	return f.inspect(nil)
}
