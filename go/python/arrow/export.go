package pyarrow

// #include "capsule.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/cdata"
	"github.com/gophersnake/gophersnake/go/python"
)

// ExportRecordBatch returns a record batch as a pyarrow.RecordBatch over the same memory, which stays pinned and alive until
// Python lets go of it. The caller's own reference stays the caller's: it may be released as soon as this returns.
//
// Without pyarrow in the environment the object is one that speaks the Arrow PyCapsule protocol: polars.DataFrame(object) takes it.
func ExportRecordBatch(ctx context.Context, in *python.Interpreter, batch arrow.RecordBatch) (*python.Object, error) {
	batch.Retain()
	return give(ctx, in, "batch", &export{
		schema: func(out *cdata.CArrowSchema) { cdata.ExportArrowSchema(batch.Schema(), out) },
		array: func(out *cdata.CArrowArray) {
			l := lendBatch(batch)
			defer l.Release()
			cdata.ExportArrowRecordBatch(l, out, nil)
		},
		stream: func() (array.RecordReader, error) {
			return array.NewRecordReader(batch.Schema(), []arrow.RecordBatch{batch})
		},
		release: batch.Release,
	}, batch.Schema().Fields())
}

// ExportArray returns an array as a pyarrow.Array. Apart from that it is [ExportRecordBatch].
func ExportArray(ctx context.Context, in *python.Interpreter, a arrow.Array) (*python.Object, error) {
	a.Retain()
	field := arrow.Field{Type: a.DataType(), Nullable: true}
	return give(ctx, in, "array", &export{
		schema: func(out *cdata.CArrowSchema) { exportField(field, out) },
		array: func(out *cdata.CArrowArray) {
			l := lendArray(a)
			defer l.Release()
			cdata.ExportArrowArray(l, out, nil)
		},
		release: a.Release,
	}, []arrow.Field{field})
}

// exportField exports a type by way of a schema with one field, because package cdata exports schemas and arrays only.
func exportField(field arrow.Field, out *cdata.CArrowSchema) {
	var schema cdata.CArrowSchema
	cdata.ExportArrowSchema(arrow.NewSchema([]arrow.Field{field}, nil), &schema)
	C.schema_take_child((*C.struct_ArrowSchema)(unsafe.Pointer(&schema)), (*C.struct_ArrowSchema)(unsafe.Pointer(out)))
	cdata.ReleaseCArrowSchema(&schema)
}

// ExportTable returns a table as a pyarrow.Table; its chunks become those of pyarrow. Apart from that it is [ExportRecordBatch].
func ExportTable(ctx context.Context, in *python.Interpreter, table arrow.Table) (*python.Object, error) {
	table.Retain()
	return give(ctx, in, "table", &export{
		schema:  func(out *cdata.CArrowSchema) { cdata.ExportArrowSchema(table.Schema(), out) },
		stream:  func() (array.RecordReader, error) { return array.NewTableReader(table, 0), nil },
		release: table.Release,
	}, table.Schema().Fields())
}

// ExportReader returns a reader as a pyarrow.RecordBatchReader: Python reads batch after batch, from whatever thread it
// likes, and releases the reader at the end. From now on nobody else may read from it. Its errors, and a panic in its Next,
// become exceptions in Python. Its Next must not call runtime.Goexit, nor wait for a call of Python: Python may hold its lock.
func ExportReader(ctx context.Context, in *python.Interpreter, reader array.RecordReader) (*python.Object, error) {
	reader.Retain()
	var used atomic.Bool
	return give(ctx, in, "reader", &export{
		schema: func(out *cdata.CArrowSchema) { cdata.ExportArrowSchema(reader.Schema(), out) },
		stream: func() (array.RecordReader, error) {
			if used.Swap(true) {
				return nil, errors.New("the reader was used before")
			}
			reader.Retain()
			return reader, nil
		},
		release: reader.Release,
	}, reader.Schema().Fields())
}

// export is data that Python may ask for until it drops it. What a function makes is owned by the caller.
type export struct {
	schema  func(*cdata.CArrowSchema)
	array   func(*cdata.CArrowArray)
	stream  func() (array.RecordReader, error)
	release func()

	users int // calls of fill, and one for Python; guarded by exports
}

// exports holds what Python may ask for, by a number that is never used again.
var exports struct {
	sync.Mutex
	held map[uint64]*export
	last uint64
}

// give makes an object of Python of an export, and takes over the export.
func give(ctx context.Context, in *python.Interpreter, kind string, e *export, fields []arrow.Field) (*python.Object, error) {
	if err := e.check(fields); err != nil {
		e.release()
		return nil, fmt.Errorf("pyarrow: cannot export: %w", err)
	}
	m, err := load(ctx, in)
	if err != nil {
		e.release()
		return nil, err
	}
	exports.Lock()
	if exports.held == nil {
		exports.held = map[uint64]*export{}
	}
	exports.last++
	number := exports.last
	e.users = 1
	exports.held[number] = e
	exports.Unlock()
	object, err := m.give.Call(ctx, kind, number)
	if err != nil {
		drop(number) // a second time if Python had got it
		return nil, fmt.Errorf("pyarrow: %w", err)
	}
	return object, nil
}

// check finds what cannot be exported exactly, so that it is an error here and not one in a callback.
func (e *export) check(fields []arrow.Field) (err error) {
	for _, field := range fields {
		if err := checkType(field.Type); err != nil {
			return fmt.Errorf("%q: %w", field.Name, err)
		}
	}
	return safely(func() error {
		var schema cdata.CArrowSchema
		e.schema(&schema)
		cdata.ReleaseCArrowSchema(&schema)
		return nil
	})
}

func checkType(t arrow.DataType) error {
	switch t := t.(type) {
	case arrow.ExtensionType:
		switch storage := t.StorageType().(type) {
		case arrow.NestedType, *arrow.DictionaryType, arrow.ExtensionType:
			return fmt.Errorf("the extension type %v is stored as %v, which arrow-go does not export", t, storage)
		}
	case *arrow.DictionaryType:
		return checkType(t.ValueType)
	case arrow.NestedType:
		for _, field := range t.Fields() {
			if err := checkType(field.Type); err != nil {
				return err
			}
		}
	}
	return nil
}

// safely turns a panic of arrow-go into an error.
func safely(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return f()
}

// fillExport exports to the one structure that is not nil, which is zero. It tells whether it did.
//
//export fillExport
func fillExport(number C.uint64_t, schema *C.struct_ArrowSchema, array *C.struct_ArrowArray, stream *C.struct_ArrowArrayStream) C.int {
	e := use(uint64(number))
	if e == nil {
		return 0
	}
	defer e.leave()
	err := safely(func() error {
		switch {
		case schema != nil:
			e.schema((*cdata.CArrowSchema)(unsafe.Pointer(schema)))
		case array != nil:
			e.array((*cdata.CArrowArray)(unsafe.Pointer(array)))
		case stream != nil:
			reader, err := e.stream()
			if err != nil {
				return err
			}
			lent := &lentReader{RecordReader: reader}
			cdata.ExportRecordReader(lent, (*cdata.CArrowArrayStream)(unsafe.Pointer(stream)))
		}
		return nil
	})
	if err != nil {
		return 0
	}
	return 1
}

// dropExport ends an export when its object in Python dies.
//
//export dropExport
func dropExport(number C.uint64_t) { drop(uint64(number)) }

func use(number uint64) *export {
	exports.Lock()
	defer exports.Unlock()
	e := exports.held[number]
	if e != nil {
		e.users++
	}
	return e
}

func drop(number uint64) {
	exports.Lock()
	e := exports.held[number]
	delete(exports.held, number)
	exports.Unlock()
	if e != nil {
		e.leave()
	}
}

// leave ends a use. The release may wait for Python's lock, so no lock of ours is held.
func (e *export) leave() {
	exports.Lock()
	e.users--
	last := e.users == 0
	exports.Unlock()
	if last {
		e.release()
	}
}

// lentReader is a reader whose batches have a lease on each buffer. It belongs to one stream, which releases it once.
type lentReader struct {
	array.RecordReader
	batch *lentBatch
	err   error
}

// Next reads a batch. A panic must not unwind through the C frames that call this.
func (r *lentReader) Next() (more bool) {
	r.drop()
	if r.err != nil {
		return false
	}
	defer func() {
		if p := recover(); p != nil {
			r.err, more = fmt.Errorf("panic in a Go reader: %v", p), false
		}
	}()
	if !r.RecordReader.Next() {
		r.err = r.RecordReader.Err()
		return false
	}
	batch := r.RecordReader.RecordBatch()
	if want, got := r.Schema(), batch.Schema(); !sameColumns(want, got) {
		r.err = fmt.Errorf("a Go reader with the %v has a batch with the %v", want, got)
		return false
	}
	r.batch = lendBatch(batch)
	return true
}

// sameColumns compares what tells a reader how memory is laid out.
func sameColumns(a, b *arrow.Schema) bool {
	return a == b || slices.EqualFunc(a.Fields(), b.Fields(), func(a, b arrow.Field) bool {
		return a.Name == b.Name && arrow.TypeEqual(a.Type, b.Type)
	})
}

func (r *lentReader) RecordBatch() arrow.RecordBatch { return r.batch }
func (r *lentReader) Record() arrow.RecordBatch      { return r.batch }
func (r *lentReader) Err() error                     { return r.err }

// Retain does nothing: package cdata calls it when it takes the reader over.
func (r *lentReader) Retain() {}

func (r *lentReader) Release() {
	r.drop()
	r.RecordReader.Release()
}

func (r *lentReader) drop() {
	if r.batch != nil {
		r.batch.Release()
		r.batch = nil
	}
}
