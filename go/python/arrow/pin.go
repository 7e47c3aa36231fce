package pyarrow

import (
	"runtime"
	"sync/atomic"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// lent counts the buffers that are pinned.
var lent atomic.Int64

// Lent returns how many buffers of exported data Python still reaches. A buffer that was exported twice counts twice.
func Lent() int { return int(lent.Load()) }

// lease is the allocator of a buffer over the memory of another one, which stays pinned and alive until this one is released.
type lease struct {
	memory *memory.Buffer
	pins   runtime.Pinner
}

// lend returns a buffer over the same memory whose last release ends the lease. Pinning what is no Go memory does nothing.
func lend(b *memory.Buffer) *memory.Buffer {
	l := &lease{memory: b}
	b.Retain()
	if b.Len() > 0 {
		l.pins.Pin(unsafe.SliceData(b.Bytes()))
	}
	lent.Add(1)
	return memory.NewBufferWithAllocator(b.Bytes(), l)
}

// Free ends the lease.
func (l *lease) Free([]byte) {
	l.pins.Unpin()
	l.memory.Release()
	lent.Add(-1)
}

// Allocate is never called: the buffer cannot be resized.
func (*lease) Allocate(int) []byte { panic("pyarrow: a lent buffer cannot allocate") }

// Reallocate is never called: the buffer cannot be resized.
func (*lease) Reallocate(int, []byte) []byte { panic("pyarrow: a lent buffer cannot grow") }

// lendArray returns an array over the same memory with a lease on each buffer.
func lendArray(a arrow.Array) arrow.Array {
	data := lendData(a.Data())
	defer data.Release()
	return array.MakeFromData(data)
}

func lendData(d arrow.ArrayData) *array.Data {
	d = withoutOffset(d)
	defer d.Release()
	buffers := make([]*memory.Buffer, len(d.Buffers()))
	for i, b := range d.Buffers() {
		if b != nil {
			buffers[i] = lend(b)
			defer buffers[i].Release()
		}
	}
	offset := d.Offset()
	if d.Len() == 0 {
		offset = 0 // pyarrow (up to 26 at least) finds an empty view of strings with an offset invalid, its own included
	}
	if dictionary, ok := d.Dictionary().(*array.Data); ok && dictionary != nil {
		values := lendData(dictionary)
		defer values.Release()
		return array.NewDataWithDictionary(d.DataType(), d.Len(), buffers, d.NullN(), offset, values)
	}
	children := make([]arrow.ArrayData, len(d.Children()))
	for i, child := range d.Children() {
		children[i] = lendData(child)
		defer children[i].Release()
	}
	return array.NewData(d.DataType(), d.Len(), buffers, children, d.NullN(), offset)
}

// withoutOffset moves the offset of a struct or of a sparse union to its children, as arrow-go (up to 18.8 at least) exports
// the children of a slice sliced, and the offset with them, which a reader would then apply twice. That copies the bits which
// tell the nulls; everything else stays where it is.
func withoutOffset(d arrow.ArrayData) arrow.ArrayData {
	id := d.DataType().ID()
	if extension, ok := d.DataType().(arrow.ExtensionType); ok {
		id = extension.StorageType().ID()
	}
	if d.Offset() == 0 || (id != arrow.STRUCT && id != arrow.SPARSE_UNION) {
		d.Retain()
		return d
	}
	buffers := make([]*memory.Buffer, len(d.Buffers()))
	for i, b := range d.Buffers() {
		switch {
		case b == nil || b.Len() == 0:
		case i == 0:
			bits := make([]byte, bitutil.BytesForBits(int64(d.Len())))
			bitutil.CopyBitmap(b.Bytes(), d.Offset(), d.Len(), bits, 0)
			buffers[i] = memory.NewBufferBytes(bits)
		default: // the types of a union, a byte each
			buffers[i] = memory.SliceBuffer(b, d.Offset(), d.Len())
			defer buffers[i].Release()
		}
	}
	children := make([]arrow.ArrayData, len(d.Children()))
	for i, child := range d.Children() {
		children[i] = array.NewSliceData(child, int64(d.Offset()), int64(d.Offset()+d.Len()))
		defer children[i].Release()
	}
	return array.NewData(d.DataType(), d.Len(), buffers, children, d.NullN(), 0)
}

// lentBatch is a record batch with a lease on each buffer of its columns.
type lentBatch struct {
	arrow.RecordBatch
	columns []arrow.Array
}

func lendBatch(b arrow.RecordBatch) *lentBatch {
	l := &lentBatch{RecordBatch: b, columns: make([]arrow.Array, b.NumCols())}
	b.Retain()
	for i, column := range b.Columns() {
		l.columns[i] = lendArray(column)
	}
	return l
}

func (l *lentBatch) Columns() []arrow.Array   { return l.columns }
func (l *lentBatch) Column(i int) arrow.Array { return l.columns[i] }

// Release gives back the leases that nobody else holds. It is called once.
func (l *lentBatch) Release() {
	for _, column := range l.columns {
		column.Release()
	}
	l.RecordBatch.Release()
}
