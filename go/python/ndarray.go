package python

// #include "core.h"
import "C"

import (
	"errors"
	"fmt"
	"iter"
	"reflect"
	"runtime"
	"unsafe"
)

// Array is an array of any rank as a target of [As]: a copy in row-major order. As an argument it is lent without
// copying.
type Array[T Number] struct {
	// Data holds the elements, the last index changing fastest.
	Data []T
	// Shape holds the length of each dimension.
	Shape []int
}

// At returns the element at an index for each dimension. It panics if one is out of range.
func (a *Array[T]) At(index ...int) T { return a.Data[a.offset(index)] }

// Set changes the element at an index for each dimension. It panics if one is out of range.
func (a *Array[T]) Set(value T, index ...int) { a.Data[a.offset(index)] = value }

func (a *Array[T]) offset(index []int) int {
	if len(index) != len(a.Shape) {
		panic(fmt.Sprintf("python: %d indices for an array of %d dimensions", len(index), len(a.Shape)))
	}
	offset := 0
	for axis, i := range index {
		if i < 0 || i >= a.Shape[axis] {
			panic(fmt.Sprintf("python: index %v is out of range of shape %v", index, a.Shape))
		}
		offset = offset*a.Shape[axis] + i
	}
	return offset
}

// Strides returns how many elements lie between neighbours along each dimension.
func (a *Array[T]) Strides() []int {
	strides, stride := make([]int, len(a.Shape)), 1
	for axis := len(a.Shape) - 1; axis >= 0; axis-- {
		strides[axis] = stride
		stride *= a.Shape[axis]
	}
	return strides
}

// ToPython lends the array to a call.
func (a Array[T]) ToPython() (any, error) {
	lent := Lend(a.Data).Reshape(a.Shape...)
	return lent, lent.err
}

func (a *Array[T]) decode(s *results) error {
	v := s.peek()
	switch v.kind {
	case C.SNAKE_KIND_ARRAY, C.SNAKE_KIND_ND_ARRAY:
		if dtype(v.dtype).isTime() {
			return s.mismatch(a, v)
		}
	case C.SNAKE_KIND_BOOL, C.SNAKE_KIND_INT, C.SNAKE_KIND_UINT, C.SNAKE_KIND_FLOAT, C.SNAKE_KIND_COMPLEX:
		// An array of rank 0 comes as the number that it is.
		a.Data, a.Shape = make([]T, 1), []int{}
		return readNumber(s, &a.Data[0])
	default:
		return s.mismatch(a, v)
	}
	s.take()
	shape := s.shape(v)
	flat, err := copyFlat[T](s, v, shape)
	if err != nil {
		return err
	}
	a.Data, a.Shape = flat, shape
	return nil
}

// copyFlat copies the elements of an array of any rank, in row-major order.
func copyFlat[T Number](s *results, v *C.snake_value, shape []int) ([]T, error) {
	row := *v
	row.kind, row.len = C.SNAKE_KIND_ARRAY, 1
	for _, length := range shape {
		row.len *= C.uint64_t(length) //nolint:gosec // a length in memory
	}
	return copyArray[T](s, &row, nil)
}

// Masked is a masked array, or a column with missing values, as a target of [As]: of numbers, times, texts or whatever a
// []*T takes. One of more dimensions is taken by [][]*T.
type Masked[T any] struct {
	// Data holds the values. Where Mask is true, there is none: of numbers, Data has what lies there in Python, else the
	// zero value.
	Data []T
	// Mask is as long as Data.
	Mask []bool
}

// ToPython fails: make a masked array in Python, of Data and Mask.
func (m Masked[T]) ToPython() (any, error) {
	return nil, errors.New("a masked array is a result only: pass Data and Mask, and call numpy.ma.array")
}

func (m *Masked[T]) decode(s *results) error {
	element := reflect.TypeFor[T]()
	_, kind := elementShape(element)
	isNumber := kind != reflect.Invalid && element.Kind() != reflect.Array
	switch v := s.peek(); v.kind {
	case C.SNAKE_KIND_MASKED:
		what := s.kind(v)
		s.take()
		data := s.array()
		mask := elements[bool](s.array().flat())
		if len(data.shape) != 1 {
			return fmt.Errorf("want %T, got %s: ask for %s", *m, what, slicesOf(len(data.shape), "*"+element.String()))
		}
		if isNumber {
			m.Mask = append(make([]bool, 0, len(mask)), mask...)
			return s.fill(reflect.ValueOf(&m.Data).Elem(), data, nil)
		}
		return m.unbox(func(boxes reflect.Value) error { return s.fill(boxes, data, mask) })
	case C.SNAKE_KIND_ARRAY:
		if isNumber {
			err := s.fill(reflect.ValueOf(&m.Data).Elem(), s.array(), nil)
			m.Mask = make([]bool, len(m.Data))
			return err
		}
	}
	return m.unbox(func(boxes reflect.Value) error { return s.decode(boxes.Addr().Interface()) })
}

// unbox takes what `read` reads as pointers: nil where there is no value.
func (m *Masked[T]) unbox(read func(boxes reflect.Value) error) error {
	var boxes []*T
	if err := read(reflect.ValueOf(&boxes).Elem()); err != nil {
		return err
	}
	m.Data, m.Mask = make([]T, len(boxes)), make([]bool, len(boxes))
	for i, box := range boxes {
		if m.Mask[i] = box == nil; box != nil {
			m.Data[i] = *box
		}
	}
	return nil
}

// CopyTo copies an array of one dimension into a slice of the caller's, and returns how many elements it has. It
// takes no Go memory. The slice must be long enough; values are converted as [As] does.
func CopyTo[T Number](o *Object, into []T) (int, error) {
	count := 0
	err := o.describe(nil, func(s *results) error {
		v := s.take()
		if v.kind != C.SNAKE_KIND_ARRAY || dtype(v.dtype).isTime() {
			return s.mismatch(into, v)
		}
		count = int(v.len) //nolint:gosec // a length in memory
		if count > len(into) {
			return fmt.Errorf("want room for %d elements, got %d", count, len(into))
		}
		if count == 0 {
			return nil
		}
		_, err := copyArray(s, v, into)
		return err
	})
	return count, err
}

// View is an array in Python's memory, for those who want to look at it without copying. Python may write to the same
// memory meanwhile. Release it; afterwards its Data must not be used.
type View[T Number] struct {
	// Data starts at the element with index 0 in each dimension, and reaches to the last one.
	Data []T
	// Shape has the lengths, Strides the number of elements between neighbours along each dimension.
	Shape, Strides []int
	// Writable tells whether Python lets the array be written to.
	Writable bool

	owner   *handle
	cleanup runtime.Cleanup
}

// Borrow returns a view of an array. Its dtype must be that of T, its elements aligned and in native byte order, its
// strides not negative.
func Borrow[T Number](o *Object) (*View[T], error) {
	if o.handle == nil {
		return nil, fmt.Errorf("python: want an array of %v, got None", dtypeOf[T]())
	}
	frame, err := o.lane.enter(admitted)
	if err != nil {
		return nil, err
	}
	defer frame.leave()
	pointer, ok := o.handle.use()
	if !ok {
		return nil, ErrClosed
	}
	defer runtime.KeepAlive(o)
	var array C.snake_array
	var failure *C.snake_error
	frame.cross(func() { failure = C.snake_array_borrow((*C.snake_object)(pointer), frame.call.token, &array) })
	if err := takeError(failure); err != nil {
		return nil, fmt.Errorf("python: %w", err)
	}
	release := func(pointer unsafe.Pointer) { C.snake_array_release((*C.snake_object)(pointer)) }
	view := &View[T]{owner: &handle{pointer: unsafe.Pointer(array.owner), free: release}, Writable: array.writable != 0}
	view.cleanup = runtime.AddCleanup(view, (*handle).drop, view.owner)
	if found := dtype(array.dtype); found != dtypeOf[T]() {
		view.Release()
		return nil, fmt.Errorf("python: want an array of %v, got one of %v: copy it with As", dtypeOf[T](), found)
	}
	size, last := int64(dtypeOf[T]().size()), 0 //nolint:gosec // a size of at most 16
	for axis := range int(array.ndim) {
		length, stride := int(array.shape[axis]), int64(array.strides[axis])
		if length <= 1 {
			stride = 0 // there are no neighbours
		}
		if stride < 0 || stride%size != 0 {
			view.Release()
			return nil, fmt.Errorf("python: an array with strides of %d bytes cannot be borrowed: copy it with As", stride)
		}
		view.Shape = append(view.Shape, length)
		view.Strides = append(view.Strides, int(stride/size))
		if last >= 0 && length > 0 {
			last += (length - 1) * int(stride/size)
		} else {
			last = -1
		}
	}
	if last >= 0 {
		view.Data = unsafe.Slice((*T)(array.data), last+1)
	}
	if array.dtype == C.SNAKE_DTYPE_BOOL && !areTruths(as[byte](view.Data), view.Shape, view.Strides) {
		view.Release()
		return nil, errors.New("python: an array of bool with bytes that are neither 0 nor 1 cannot be borrowed: copy it with As")
	}
	return view, nil
}

// areTruths tells whether all elements are 0 or 1, as a Go bool has to be. What lies between them does not matter.
func areTruths(data []byte, shape, strides []int) bool {
	if len(data) == 0 {
		return true
	}
	if len(shape) == 0 {
		return data[0] <= 1
	}
	for i := range shape[0] {
		if !areTruths(data[i*strides[0]:], shape[1:], strides[1:]) {
			return false
		}
	}
	return true
}

// At returns the element at an index for each dimension. It panics if one is out of range.
func (v *View[T]) At(index ...int) T {
	if len(index) != len(v.Shape) {
		panic(fmt.Sprintf("python: %d indices for an array of %d dimensions", len(index), len(v.Shape)))
	}
	offset := 0
	for axis, i := range index {
		if i < 0 || i >= v.Shape[axis] {
			panic(fmt.Sprintf("python: index %v is out of range of shape %v", index, v.Shape))
		}
		offset += i * v.Strides[axis]
	}
	return v.Data[offset]
}

// Release ends the view. It may be called more than once, and never waits.
func (v *View[T]) Release() {
	v.cleanup.Stop()
	v.owner.drop()
	v.Data = nil
}

// Collect gathers the numbers of a sequence, which can then be lent as an array.
func Collect[T Number](sequence iter.Seq[T]) Lent {
	var numbers []T
	for number := range sequence {
		numbers = append(numbers, number)
	}
	return Lend(numbers)
}
