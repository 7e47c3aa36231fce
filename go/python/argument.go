package python

// #include "core.h"
import "C"

import (
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"math/big"
	"reflect"
	"runtime"
	"slices"
	"sort"
	"time"
	"unicode/utf8"
	"unsafe"
)

// KW holds keyword arguments. It is the last argument of a call.
type KW map[string]any

// Tuple becomes a tuple, Set a set.
type (
	Tuple []any
	Set   []any
)

// ToPython is implemented by types that say what they are in Python.
//
// It runs while the call has its turn, so that it must not wait for Python itself: with [Config].MaxConcurrent at 1,
// that turn would never come.
type ToPython interface {
	// ToPython returns the value that is converted in place of this one.
	ToPython() (any, error)
}

// Instance is an argument that becomes an instance of a class, such as a data class; see [New].
type Instance struct {
	class  any
	fields any
}

// New describes a new instance of a class: class(**fields). The class is a [Function] or an [Object], the fields are
// a struct or a map with string keys.
func New(class, fields any) Instance { return Instance{class, fields} }

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	bigIntType   = reflect.TypeFor[big.Int]()
	bigRatType   = reflect.TypeFor[big.Rat]()
	lentType     = reflect.TypeFor[Lent]()
)

// addArguments describes the arguments of a call and returns how many are positional and how many have a keyword.
func (f *frame) addArguments(arguments []any) (args, kwargs int, err error) {
	var keywords KW
	if last := len(arguments) - 1; last >= 0 {
		if kw, ok := arguments[last].(KW); ok {
			keywords, arguments = kw, arguments[:last]
		}
	}
	for i, argument := range arguments {
		if err := f.addValue(argument, 0); err != nil {
			return 0, 0, fmt.Errorf("argument %d: %w", i+1, err)
		}
	}
	if len(keywords) == 0 {
		return len(arguments), 0, nil
	}
	names := make([]string, 0, len(keywords))
	for name := range keywords {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		err := f.addText(name)
		if err == nil {
			err = f.addValue(keywords[name], 0)
		}
		if err != nil {
			return 0, 0, fmt.Errorf("argument %q: %w", name, err)
		}
	}
	return len(arguments), len(names), nil
}

// addValue describes a value and its children. What is frequent stands first; what is not named here goes by its kind.
func (f *frame) addValue(value any, depth int) error {
	switch v := value.(type) {
	case nil:
		f.add(C.SNAKE_KIND_NONE, 0, 0, 0)
	case []float64:
		f.lend(Lend(v))
	case Lent:
		switch {
		case v.err != nil:
			return v.err
		case v.dtype == 0:
			return errors.New("an empty python.Lent lends nothing: make one with python.Lend, LendMut or Matrix")
		}
		f.lend(v)
	case float64:
		f.add(C.SNAKE_KIND_FLOAT, 0, math.Float64bits(v), 0)
	case int:
		f.addInt(int64(v))
	case string:
		return f.addText(v)
	case bool:
		f.addBool(v)
	case []byte:
		f.addBytes(C.SNAKE_KIND_BYTES, v)
	case []string:
		if err := f.open(C.SNAKE_KIND_LIST, len(v), depth); err != nil {
			return err
		}
		for i, item := range v {
			if err := f.addText(item); err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
		}
	case []any:
		return f.addItems(C.SNAKE_KIND_LIST, v, depth)
	case Tuple:
		return f.addItems(C.SNAKE_KIND_TUPLE, v, depth)
	case Set:
		return f.addItems(C.SNAKE_KIND_SET, v, depth)
	case *Object:
		if v == nil || v.handle == nil {
			f.add(C.SNAKE_KIND_NONE, 0, 0, 0)
			return nil
		}
		return f.addObject(v, v.handle)
	case *Function:
		if v == nil {
			f.add(C.SNAKE_KIND_NONE, 0, 0, 0)
			return nil
		}
		return f.addObject(v, v.handle)
	case time.Time:
		return f.addTime(v)
	case time.Duration:
		return f.addDuration(v)
	case *big.Int:
		if v == nil {
			f.add(C.SNAKE_KIND_NONE, 0, 0, 0)
			return nil
		}
		f.addBigInt(v)
	case big.Int:
		f.addBigInt(&v)
	case *big.Rat:
		return f.addRational(v)
	case big.Rat:
		return f.addRational(&v)
	case Instance:
		return f.addInstance(v, depth)
	case *hostFunction:
		if v.take != nil {
			return f.addMade("tasks:GoAsyncFunction", depth, (*startFunction)(v), v.take, internalFunction(asyncCalls.forget, "forget"))
		}
		return f.addFunction(v)
	case *startFunction:
		return f.addFunction((*hostFunction)(v))
	case byHandle:
		f.addHosted(v.handle(), nil)
	case streamFile:
		return f.addFile(v, depth)
	case truncated:
		return f.addTruncated(v.value, depth)
	case KW:
		return errors.New("want keyword arguments as the last argument only")
	case ToPython:
		if depth > C.SNAKE_MAX_DEPTH {
			return tooDeep()
		}
		if p := reflect.ValueOf(v); p.Kind() == reflect.Pointer && p.IsNil() {
			f.add(C.SNAKE_KIND_NONE, 0, 0, 0)
			return nil
		}
		replacement, err := v.ToPython()
		if err != nil {
			return fmt.Errorf("%T.ToPython: %w", value, err)
		}
		return f.addValue(replacement, depth+1)
	case image.Image:
		// A rectangle has the methods of an image.
		if rv := reflect.ValueOf(v); !isPicture(rv.Type()) {
			return f.addReflected(rv, depth)
		} else if classes.any.Load() {
			if registered, err := f.addRegistered(rv, depth); registered {
				return err
			}
		}
		return f.addImage(v)
	case io.Reader, io.Writer:
		if classes.any.Load() {
			if registered, err := f.addRegistered(reflect.ValueOf(v), depth); registered {
				return err
			}
		}
		return f.addFile(streamFile{v, false}, depth)
	default:
		return f.addReflected(reflect.ValueOf(value), depth)
	}
	return nil
}

// addReflected describes a value by the kind of its type.
func (f *frame) addReflected(v reflect.Value, depth int) error {
	t := v.Type()
	if classes.any.Load() {
		if registered, err := f.addRegistered(v, depth); registered {
			return err
		}
	}
	switch v.Kind() {
	case reflect.Bool:
		f.addBool(v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		f.addInt(v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		f.add(C.SNAKE_KIND_UINT, 0, v.Uint(), 0)
	case reflect.Float32, reflect.Float64:
		f.add(C.SNAKE_KIND_FLOAT, 0, math.Float64bits(v.Float()), 0)
	case reflect.Complex64, reflect.Complex128:
		c := v.Complex()
		f.add(C.SNAKE_KIND_COMPLEX, 0, math.Float64bits(real(c)), math.Float64bits(imag(c)))
	case reflect.String:
		return f.addText(v.String())
	case reflect.Pointer:
		if v.IsNil() {
			f.add(C.SNAKE_KIND_NONE, 0, 0, 0)
			return nil
		}
		if shape, element := arrayShape(t.Elem()); shape != nil {
			f.lend(Lent{pointer: v.UnsafePointer(), dtype: dtypeOfKind[element], shape: shape})
			return nil
		}
		// A pointer is no level of its own, but a type that points to itself must end.
		if f.indirections++; f.indirections > maxIndirections {
			return tooDeep()
		}
		defer func() { f.indirections-- }()
		if inner := v.Elem(); (inner.Kind() != reflect.Interface && inner.Kind() != reflect.Pointer) || !inner.IsNil() {
			return f.addValue(inner.Interface(), depth)
		}
		f.add(C.SNAKE_KIND_NONE, 0, 0, 0)
	case reflect.Slice:
		return f.addSlice(v, depth)
	case reflect.Func:
		if v.IsNil() {
			f.add(C.SNAKE_KIND_NONE, 0, 0, 0)
			return nil
		}
		if isSequence(t) {
			return f.addIterator(v, depth)
		}
		h, err := newHostFunction(v.Interface(), "", "go", nil)
		if err != nil {
			return err
		}
		return f.addFunction(h)
	case reflect.Array:
		if shape, _ := arrayShape(t); shape != nil {
			// An array in an interface is a copy already; this one can be lent.
			array := reflect.New(t)
			array.Elem().Set(v)
			return f.addReflected(array, depth)
		}
		return f.addSequence(v, depth)
	case reflect.Map:
		return f.addMap(v, depth)
	case reflect.Struct:
		return f.addStruct(v, depth)
	case reflect.Chan:
		return f.addChannel(v, depth)
	default:
		return fmt.Errorf("a Go %v has no form in Python", t)
	}
	return nil
}

// addChild describes a value inside another one.
func (f *frame) addChild(v reflect.Value, depth int) error {
	if depth > C.SNAKE_MAX_DEPTH {
		return tooDeep()
	}
	if (v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer) && v.IsNil() {
		f.add(C.SNAKE_KIND_NONE, 0, 0, 0)
		return nil
	}
	return f.addValue(v.Interface(), depth+1)
}

// maxIndirections bounds pointers to pointers; a real value has few.
const maxIndirections = 10_000

func tooDeep() error {
	return fmt.Errorf("%w: it nests deeper than %d levels, or contains itself", ErrLimit, C.SNAKE_MAX_DEPTH)
}

// open describes the head of a container. It fails before memory is taken for too much.
func (f *frame) open(kind uint32, children, depth int) error {
	if depth >= C.SNAKE_MAX_DEPTH {
		return tooDeep()
	}
	if children > C.SNAKE_MAX_VALUES-len(f.values) {
		return fmt.Errorf("%w: it has more than %d values", ErrLimit, C.SNAKE_MAX_VALUES)
	}
	f.add(kind, 0, 0, uint64(children)) //nolint:gosec // a length
	return nil
}

func (f *frame) addItems(kind uint32, items []any, depth int) error {
	if err := f.open(kind, len(items), depth); err != nil {
		return err
	}
	for i, item := range items {
		if err := f.addValue(item, depth+1); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
	}
	return nil
}

// addSlice describes a slice: of bytes as bytes, of numbers as an array over its memory, any other as a list.
func (f *frame) addSlice(v reflect.Value, depth int) error {
	element := v.Type().Elem()
	if element.Kind() == reflect.Uint8 {
		f.addBytes(C.SNAKE_KIND_BYTES, v.Bytes())
		return nil
	}
	if shape, kind := elementShape(element); kind != reflect.Invalid {
		shape = append([]int{v.Len()}, shape...)
		f.lend(Lent{pointer: v.UnsafePointer(), dtype: dtypeOfKind[kind], shape: shape})
		return nil
	}
	return f.addSequence(v, depth)
}

func (f *frame) addSequence(v reflect.Value, depth int) error {
	if err := f.open(C.SNAKE_KIND_LIST, v.Len(), depth); err != nil {
		return err
	}
	for i := range v.Len() {
		if err := f.addChild(v.Index(i), depth); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
	}
	return nil
}

func (f *frame) addStruct(v reflect.Value, depth int) error {
	r, err := recordOf(v.Type())
	if err != nil {
		return err
	}
	if r.isImage { // by its value, which has no methods
		image := reflect.New(v.Type())
		image.Elem().Set(v)
		return f.addValue(image.Interface(), depth)
	}
	if len(r.fields) == 0 && v.NumField() > 0 && !r.keywords {
		return fmt.Errorf("a Go %v has no form in Python: it has no exported fields", v.Type())
	}
	head := len(f.values)
	if err := f.open(C.SNAKE_KIND_DICT, len(r.fields), depth); err != nil {
		return err
	}
	count := 0
	for _, field := range r.fields {
		value := v.FieldByIndex(field.index)
		if field.omitEmpty && value.IsZero() {
			continue
		}
		if err := f.addText(field.name); err != nil {
			return err
		}
		if field.truncate {
			f.truncating++
		}
		err := f.addChild(value, depth)
		if field.truncate {
			f.truncating--
		}
		if err != nil {
			return fmt.Errorf(".%s: %w", field.name, err)
		}
		count++
	}
	f.values[head].len = C.uint64_t(count) //nolint:gosec // a count
	return nil
}

func (f *frame) addInstance(i Instance, depth int) error {
	if err := f.open(C.SNAKE_KIND_INSTANCE, 2, depth); err != nil {
		return err
	}
	switch i.class.(type) {
	case *Object, *Function:
	default:
		return fmt.Errorf("python.New: want a *python.Function or *python.Object as the class, got %T", i.class)
	}
	if err := f.addValue(i.class, depth+1); err != nil {
		return err
	}
	head := len(f.values)
	fields := i.fields
	if keywords, ok := fields.(KW); ok {
		fields = map[string]any(keywords)
	}
	if err := f.addValue(fields, depth+1); err != nil {
		return err
	}
	if f.values[head].kind != C.SNAKE_KIND_DICT {
		return fmt.Errorf("python.New: want a struct or a map as the fields, got %T", i.fields)
	}
	return nil
}

func (f *frame) addBool(v bool) {
	var bit uint64
	if v {
		bit = 1
	}
	f.add(C.SNAKE_KIND_BOOL, 0, bit, 0)
}

func (f *frame) addInt(v int64) {
	f.add(C.SNAKE_KIND_INT, 0, uint64(v), 0) //nolint:gosec // the bits are what is wanted
}

func (f *frame) addText(s string) error {
	if !utf8.ValidString(s) {
		valid := 0
		for valid < len(s) {
			r, size := utf8.DecodeRuneInString(s[valid:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			valid += size
		}
		return fmt.Errorf("want valid UTF-8, got byte 0x%02x at offset %d: pass []byte for bytes", s[valid], valid)
	}
	f.addBytes(C.SNAKE_KIND_TEXT, unsafe.Slice(unsafe.StringData(s), len(s)))
	return nil
}

func (f *frame) addBytes(kind uint32, data []byte) {
	f.add(kind, 0, uint64(len(f.bytes)), uint64(len(data)))
	f.bytes = append(f.bytes, data...)
}

// addBigInt describes an integer of any size: as little-endian two's complement.
func (f *frame) addBigInt(v *big.Int) {
	if v.IsInt64() {
		f.addInt(v.Int64())
		return
	}
	size := v.BitLen()/8 + 1
	digits := v
	if v.Sign() < 0 {
		digits = new(big.Int).Lsh(big.NewInt(1), uint(size)*8) //nolint:gosec // a size
		digits.Add(digits, v)
	}
	bytes := digits.FillBytes(make([]byte, size))
	slices.Reverse(bytes)
	f.addBytes(C.SNAKE_KIND_BIG_INT, bytes)
}

// addRational describes a rational number as a Decimal, if it has a finite decimal form.
func (f *frame) addRational(r *big.Rat) error {
	if r == nil {
		f.add(C.SNAKE_KIND_NONE, 0, 0, 0)
		return nil
	}
	digits, exact := r.FloatPrec()
	if !exact {
		return fmt.Errorf("%v has no finite decimal form, so that no Decimal is equal to it", r)
	}
	f.addBytes(C.SNAKE_KIND_DECIMAL, []byte(r.FloatString(digits)))
	return nil
}

// addObject describes a reference. The call has a slot, so that the object lives until it has ended.
func (f *frame) addObject(owner any, h *handle) error {
	if f.gives {
		pointer, err := laneOfOwner(owner).clone(h)
		runtime.KeepAlive(owner)
		if err != nil {
			return err
		}
		f.add(C.SNAKE_KIND_OBJECT, 0, uint64(uintptr(pointer)), 0)
		return nil
	}
	pointer, ok := h.use()
	if !ok {
		return ErrClosed
	}
	f.kept = append(f.kept, owner)
	f.add(C.SNAKE_KIND_OBJECT, 0, uint64(uintptr(pointer)), 0)
	return nil
}

// laneOfOwner returns the lane of an object or a function.
func laneOfOwner(owner any) *lane {
	if f, ok := owner.(*Function); ok {
		return f.lane
	}
	return owner.(*Object).lane
}
