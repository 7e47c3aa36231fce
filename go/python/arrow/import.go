package pyarrow

// #include <stdlib.h>
// #include <string.h>
// #include "capsule.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/cdata"
	"github.com/gophersnake/gophersnake/go/python"
)

// ImportRecordBatch returns what an object of Python holds as one record batch over the same memory. The object is whatever
// speaks the Arrow PyCapsule protocol: a pyarrow.RecordBatch or Table, a polars.DataFrame, a pandas.DataFrame (with
// pyarrow), a reader. Where it comes in several batches they are joined, which copies; [ImportTable] does not.
//
// Release the batch. Until then Python's memory stays alive, also after the object was closed.
func ImportRecordBatch(ctx context.Context, in *python.Interpreter, o *python.Object) (arrow.RecordBatch, error) {
	reader, err := ImportReader(ctx, in, o)
	if err != nil {
		return nil, err
	}
	defer reader.Release()
	batches, err := readAll(reader)
	defer releaseAll(batches)
	if err != nil {
		return nil, err
	}
	if len(batches) == 1 {
		batches[0].Retain()
		return batches[0], nil
	}
	schema, rows := reader.Schema(), int64(0)
	for _, batch := range batches {
		rows += batch.NumRows()
	}
	columns := make([]arrow.Array, schema.NumFields())
	defer func() { releaseAll(columns) }()
	for i, field := range schema.Fields() {
		parts := make([]arrow.Array, len(batches))
		for j, batch := range batches {
			parts[j] = batch.Column(i)
		}
		column, err := join(parts, field.Type)
		if err != nil {
			columns = columns[:i]
			return nil, fmt.Errorf("pyarrow: column %q: %w", field.Name, err)
		}
		columns[i] = column
	}
	return array.NewRecordBatch(schema, columns, rows), nil
}

// ImportTable returns what an object of Python holds as a table whose chunks lie in the same memory. It takes the objects that
// [ImportRecordBatch] takes, and its result is released in the same way.
func ImportTable(ctx context.Context, in *python.Interpreter, o *python.Object) (arrow.Table, error) {
	reader, err := ImportReader(ctx, in, o)
	if err != nil {
		return nil, err
	}
	defer reader.Release()
	batches, err := readAll(reader)
	defer releaseAll(batches)
	if err != nil {
		return nil, err
	}
	return array.NewTableFromRecords(reader.Schema(), batches), nil
}

// ImportArray returns an array of Python as an array over the same memory: a pyarrow.Array or ChunkedArray, a polars.Series, a pandas.Series.
// Where it has several chunks they are joined, which copies. Release the array.
func ImportArray(ctx context.Context, in *python.Interpreter, o *python.Object) (arrow.Array, error) {
	s, err := open(ctx, in, o)
	if err != nil {
		return nil, err
	}
	defer s.close()
	field, err := cdata.ImportCArrowField(s.schema())
	if err != nil {
		return nil, fmt.Errorf("pyarrow: %w", err)
	}
	var parts []arrow.Array
	defer func() { releaseAll(parts) }()
	for {
		part, err := s.next(field.Type)
		if err != nil {
			return nil, fmt.Errorf("pyarrow: %w", err)
		}
		if part == nil {
			break
		}
		parts = append(parts, part)
	}
	joined, err := join(parts, field.Type)
	if err != nil {
		return nil, fmt.Errorf("pyarrow: %w", err)
	}
	return joined, nil
}

// ImportReader returns a reader of an object of Python: record batches over the same memory, one after the other. It takes the
// objects that [ImportRecordBatch] takes; one that is a reader itself, such as a pyarrow.RecordBatchReader, is used up.
//
// Next runs what Python does to make a batch, in the calling goroutine and outside of the bound on calls
// ([python.Config].MaxConcurrent); an exception ends the reader and is its Err. One goroutine at a time may call it. Release the
// reader; batches that were retained stay valid.
func ImportReader(ctx context.Context, in *python.Interpreter, o *python.Object) (array.RecordReader, error) {
	s, err := open(ctx, in, o)
	if err != nil {
		return nil, err
	}
	field, err := cdata.ImportCArrowField(s.schema())
	if err != nil {
		s.close()
		return nil, fmt.Errorf("pyarrow: %w", err)
	}
	columns, ok := field.Type.(*arrow.StructType)
	if !ok {
		s.close()
		return nil, fmt.Errorf("pyarrow: want record batches, got an array of %v: use ImportArray", field.Type)
	}
	r := &reader{stream: s, columns: columns, schema: arrow.NewSchema(columns.Fields(), &field.Metadata)}
	r.references.Store(1)
	// The end of a stream may wait for Python's lock, and Go's cleanups must not.
	r.cleanup = runtime.AddCleanup(r, func(s *stream) { go s.close() }, s)
	return r, nil
}

// readAll reads the batches that are left. They are the caller's, also after an error.
func readAll(r array.RecordReader) (batches []arrow.RecordBatch, err error) {
	for r.Next() {
		batch := r.RecordBatch()
		batch.Retain()
		batches = append(batches, batch)
	}
	return batches, r.Err()
}

func releaseAll[T interface{ Release() }](all []T) {
	for _, one := range all {
		one.Release()
	}
}

// join joins arrays of one type.
func join(parts []arrow.Array, t arrow.DataType) (joined arrow.Array, err error) {
	switch len(parts) {
	case 0:
		err = safely(func() error {
			joined = array.MakeArrayOfNull(allocator, t, 0)
			return nil
		})
		return joined, err
	case 1:
		parts[0].Retain()
		return parts[0], nil
	}
	return array.Concatenate(parts, allocator)
}

// stream is what Python has given: a schema, and one array or several. It is used by one goroutine at a time.
type stream struct {
	c    *C.struct_imported // in C memory
	many bool               // the arrays come from c.stream, otherwise c.array is the only one
	over bool
}

// open takes Arrow data from an object.
func open(ctx context.Context, in *python.Interpreter, o *python.Object) (*stream, error) {
	m, err := load(ctx, in)
	if err != nil {
		return nil, err
	}
	s := &stream{c: (*C.struct_imported)(C.calloc(1, C.sizeof_struct_imported))}
	address := func(p unsafe.Pointer) uintptr { return uintptr(p) }
	none, err := m.take.Call(ctx, o, address(unsafe.Pointer(&s.c.schema)), address(unsafe.Pointer(&s.c.array)), address(unsafe.Pointer(&s.c.stream)))
	if err != nil {
		s.close()
		return nil, fmt.Errorf("pyarrow: %w", err)
	}
	_ = none.Close()
	s.many = s.c.stream.release != nil
	if s.many {
		if status := C.stream_schema(&s.c.stream, &s.c.schema); status != 0 {
			err := s.failure(status)
			s.close()
			return nil, fmt.Errorf("pyarrow: %w", err)
		}
	}
	C.schema_copy_ordered(&s.c.schema)
	return s, nil
}

// schema returns the schema, for one import.
func (s *stream) schema() *cdata.CArrowSchema {
	return (*cdata.CArrowSchema)(unsafe.Pointer(&s.c.schema))
}

// next returns the next array, nil at the end.
func (s *stream) next(t arrow.DataType) (next arrow.Array, err error) {
	if s.over {
		return nil, nil
	}
	if s.many {
		if status := C.stream_next(&s.c.stream, &s.c.array); status != 0 {
			s.over = true
			return nil, s.failure(status)
		}
	}
	s.over = !s.many || s.c.array.release == nil
	if s.c.array.release == nil {
		return nil, nil
	}
	in := (*cdata.CArrowArray)(unsafe.Pointer(&s.c.array))
	err = safely(func() error {
		next, err = cdata.ImportCArrayWithType(in, t)
		return err
	})
	if err != nil {
		s.over = true
		cdata.ReleaseCArrowArray(in)
		return nil, err
	}
	return next, nil
}

// failure returns the error of a stream.
func (s *stream) failure(status C.int) error {
	message := C.stream_error(&s.c.stream)
	if message == nil {
		message = C.strerror(status)
	}
	return fmt.Errorf("reading from Python: %s", C.GoString(message))
}

// close ends what is left. It is called once.
func (s *stream) close() {
	C.imported_free(s.c)
	s.c = nil
}

// reader reads record batches from a stream.
type reader struct {
	stream     *stream
	columns    *arrow.StructType
	schema     *arrow.Schema
	batch      arrow.RecordBatch
	err        error
	references atomic.Int64
	cleanup    runtime.Cleanup
}

func (r *reader) Retain() { r.references.Add(1) }

func (r *reader) Release() {
	if r.references.Add(-1) == 0 {
		r.drop()
		r.cleanup.Stop()
		r.stream.close()
	}
}

func (r *reader) Schema() *arrow.Schema          { return r.schema }
func (r *reader) RecordBatch() arrow.RecordBatch { return r.batch }
func (r *reader) Record() arrow.RecordBatch      { return r.batch }
func (r *reader) Err() error                     { return r.err }

func (r *reader) Next() bool {
	r.drop()
	rows, err := r.stream.next(r.columns)
	if err != nil {
		r.err = fmt.Errorf("pyarrow: %w", err)
	}
	if err != nil || rows == nil {
		return false
	}
	defer rows.Release()
	if rows.NullN() > 0 {
		r.err = errors.New("pyarrow: want record batches, got an array of structs of which some are null: use ImportArray")
		return false
	}
	structs := rows.(*array.Struct)
	columns := make([]arrow.Array, structs.NumField())
	for i := range columns {
		columns[i] = structs.Field(i)
	}
	r.batch = array.NewRecordBatch(r.schema, columns, int64(rows.Len()))
	return true
}

func (r *reader) drop() {
	if r.batch != nil {
		r.batch.Release()
		r.batch = nil
	}
}
