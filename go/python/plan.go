package python

// #include "core.h"
import "C"

import (
	"fmt"
	"reflect"
	"sync"
	"unsafe"
)

// plans holds for each Go type what the core is told to expect of a result, in C memory, for ever: there are as many
// as the program has types of results.
var plans sync.Map // of reflect.Type to *C.snake_plan or error

var (
	objectType  = reflect.TypeFor[*Object]()
	mutableType = reflect.TypeFor[interface{ isMutable() }]()
	decoderType = reflect.TypeFor[decoder]()
)

// planOf returns the plan for a type; nil for one that takes whatever comes.
func planOf(t reflect.Type) (*C.snake_plan, error) {
	if known, ok := plans.Load(t); ok {
		if err, failed := known.(error); failed {
			return nil, err
		}
		return known.(*C.snake_plan), nil
	}
	b := planBuilder{indices: map[reflect.Type]int{}}
	root, err := b.node(t)
	if err != nil {
		plans.Store(t, err)
		return nil, err
	}
	var plan *C.snake_plan
	if b.nodes[root].kind != C.SNAKE_KIND_NONE || b.nodes[root].dtype != 0 {
		plan = b.build()
	}
	plans.Store(t, plan)
	return plan, nil
}

// planOfTuple returns the plan for a tuple whose items are expected to be of these types.
func planOfTuple(types []reflect.Type) (*C.snake_plan, error) {
	b := planBuilder{nodes: make([]C.snake_value, 1+len(types)), indices: map[reflect.Type]int{}}
	b.nodes[0] = C.snake_value{kind: C.SNAKE_KIND_TUPLE, bits: 1, len: C.uint64_t(len(types))}
	for i, t := range types {
		inner, err := b.node(t)
		if err != nil {
			return nil, err
		}
		b.nodes[1+i] = C.snake_value{kind: C.SNAKE_KIND_TEXT, dtype: C.uint32_t(inner)} //nolint:gosec // an index
	}
	return b.build(), nil
}

// planOfArguments returns the plan for the arguments of a Go function, by position and by name; `rest` is the type of
// those that follow, or nil.
func planOfArguments(names []string, types []reflect.Type, rest reflect.Type) (*C.snake_plan, error) {
	b := planBuilder{nodes: make([]C.snake_value, 1+len(types)), indices: map[reflect.Type]int{}}
	b.nodes[0] = C.snake_value{kind: C.SNAKE_KIND_TUPLE, bits: 1, len: C.uint64_t(len(types))}
	for i, t := range types {
		inner, err := b.node(t)
		if err != nil {
			return nil, err
		}
		b.nodes[1+i] = b.field(names[i], inner)
	}
	if rest != nil {
		inner, err := b.node(rest)
		if err != nil {
			return nil, err
		}
		b.nodes[0].dtype = C.uint32_t(inner) //nolint:gosec // an index
	}
	return b.share(), nil
}

// field describes a named part with the index of its node.
func (b *planBuilder) field(name string, inner int) C.snake_value {
	field := C.snake_value{
		kind:  C.SNAKE_KIND_TEXT,
		dtype: C.uint32_t(inner),        //nolint:gosec // an index
		bits:  C.uint64_t(len(b.names)), //nolint:gosec // an offset
		len:   C.uint64_t(len(name)),
	}
	b.names = append(b.names, name...)
	return field
}

// built holds the plans of Go functions by their content, so that there are as many as there are kinds of functions.
var built sync.Map // of string to *C.snake_plan

// share is build for what may be built again and again.
func (b *planBuilder) share() *C.snake_plan {
	key := fmt.Sprintf("%v%s", b.nodes, b.names)
	if plan, ok := built.Load(key); ok {
		return plan.(*C.snake_plan)
	}
	plan, _ := built.LoadOrStore(key, b.build())
	return plan.(*C.snake_plan)
}

type planBuilder struct {
	nodes   []C.snake_value
	names   []byte
	indices map[reflect.Type]int // types that are done or under way
}

// node adds a node for a type and returns its index.
func (b *planBuilder) node(t reflect.Type) (int, error) {
	if index, ok := b.indices[t]; ok {
		return index, nil
	}
	index := len(b.nodes)
	b.indices[t] = index
	b.nodes = append(b.nodes, C.snake_value{kind: C.SNAKE_KIND_NONE})
	switch {
	case t == errorType:
		return 0, fmt.Errorf("%v is no target of a conversion", t)
	case t == objectType || isIterator(t):
		b.nodes[index].kind = C.SNAKE_KIND_OBJECT
	case t.Kind() == reflect.Func:
		b.nodes[index].kind = C.SNAKE_KIND_FUNCTION
		b.nodes[index].dtype = 1 // what can be called
	case t == imageType && adapterFor(t).adapt == nil:
		// Whatever has pixels.
	case t.Kind() == reflect.Interface && t.NumMethod() > 0:
		b.methods(index, adapterFor(t).methods)
	case t.Implements(mutableType):
		b.nodes[index].kind = C.SNAKE_KIND_ARRAY
	case t.Kind() == reflect.UnsafePointer:
		return 0, fmt.Errorf("%v is no target of a conversion", t)
	case reflect.PointerTo(t).Implements(decoderType):
		b.nodes[index].kind = C.SNAKE_KIND_LIST // a type of this package that takes masked arrays
		b.nodes[index].bits = C.uint64_t(index)
	case t.Kind() == reflect.Pointer:
		// A pointer expects what it points to.
		inner, err := b.node(t.Elem())
		b.nodes[index] = b.nodes[inner]
		return index, err
	case t == reflect.TypeFor[Tuple]() || t == reflect.TypeFor[Set]():
		b.nodes[index].kind = C.SNAKE_KIND_TUPLE // a container of its kind, whatever is inside, and no iterable
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Array:
		// Numbers are taken from arrays of numbers only, so that nothing is lost silently.
		if _, kind := elementShape(t.Elem()); kind == reflect.Invalid {
			return index, b.container(index, C.SNAKE_KIND_LIST, t.Elem())
		}
	case t.Kind() == reflect.Map:
		return index, b.container(index, C.SNAKE_KIND_DICT, t.Elem())
	case t.Kind() == reflect.Struct && !isLeaf(t):
		return index, b.record(index, t)
	case t.Kind() == reflect.Interface:
		b.nodes[index].dtype = 1 // all of it, whatever it is
	case t != lentType:
		b.nodes[index].kind = C.SNAKE_KIND_OTHER // one value: an iterable stays as it is
	}
	return index, nil
}

func (b *planBuilder) container(index int, kind C.uint32_t, element reflect.Type) error {
	inner, err := b.node(element)
	b.nodes[index].kind = kind
	b.nodes[index].bits = C.uint64_t(inner) //nolint:gosec // an index
	return err
}

// methods expects a value of Go's, or an object with these methods.
func (b *planBuilder) methods(index int, names []string) {
	first := len(b.nodes)
	for _, name := range names {
		b.nodes = append(b.nodes, b.field(name, 0))
	}
	b.nodes[index].kind = C.SNAKE_KIND_FUNCTION
	b.nodes[index].bits, b.nodes[index].len = C.uint64_t(first), C.uint64_t(len(names)) //nolint:gosec // an index and a length
}

func (b *planBuilder) record(index int, t reflect.Type) error {
	r, err := recordOf(t)
	if err != nil {
		return err
	}
	first := len(b.nodes)
	b.nodes = append(b.nodes, make([]C.snake_value, len(r.fields))...)
	b.nodes[index].kind = C.SNAKE_KIND_RECORD
	b.nodes[index].bits, b.nodes[index].len = C.uint64_t(first), C.uint64_t(len(r.fields)) //nolint:gosec // an index and a length
	for i, field := range r.fields {
		inner, err := b.node(field.typ)
		if err != nil {
			return err
		}
		b.nodes[first+i] = b.field(field.name, inner)
	}
	return nil
}

func (b *planBuilder) build() *C.snake_plan {
	plan := (*C.snake_plan)(C.calloc(1, C.sizeof_snake_plan))
	plan.nodes_len = C.size_t(len(b.nodes))
	plan.nodes = (*C.snake_value)(C.CBytes(unsafe.Slice((*byte)(unsafe.Pointer(&b.nodes[0])), len(b.nodes)*C.sizeof_snake_value)))
	if len(b.names) > 0 {
		plan.bytes = (*C.uint8_t)(C.CBytes(b.names))
		plan.bytes_len = C.size_t(len(b.names))
	}
	return plan
}
