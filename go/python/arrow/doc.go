// Package pyarrow passes Arrow data (github.com/apache/arrow-go) between Go and Python without copying it.
//
//	import pyarrow "github.com/gophersnake/gophersnake/go/python/arrow"
//
//	object, err := pyarrow.ExportRecordBatch(ctx, in, batch) // a pyarrow.RecordBatch over the memory of batch
//	result, err := clean.Call(ctx, object)                   // a table of pyarrow, polars, pandas, DuckDB, …
//	batch, err := pyarrow.ImportRecordBatch(ctx, in, result) // an arrow.RecordBatch over the memory of Python
//	defer batch.Release()
//
// Export and import come in pairs: for record batches, tables, arrays, and readers, which pass one batch after the other. Both
// ways use the Arrow C data interface and its form in Python, the PyCapsule protocol (__arrow_c_array__, __arrow_c_stream__), so
// that every library which speaks it can take and give data; pyarrow (14 or newer) is only needed to get pyarrow's own classes.
//
// # Memory
//
// Exporting copies no values. Each buffer is pinned (runtime.Pinner) and retained until Python has released the array that
// reaches it; then it is unpinned, and released in Go. So any allocator will do: memory.DefaultAllocator, which takes from
// Go's heap, mallocator.Mallocator, which takes from C, and what was imported from Python. Package cdata alone would ask for C
// memory, because it leaves pointers to Go memory in C memory without pinning them. The one thing that is copied are the
// bits that tell the nulls of a sliced column of structs.
//
// Do not write to a buffer from Go while it is exported: Arrow data is immutable. [Lent] counts the buffers that Python
// reaches. The objects that the functions return keep data alive too: close them.
//
// Importing copies no values, except where several batches are joined ([ImportRecordBatch], [ImportArray]). Python's memory
// lives until Release was called on what was imported: arrow-go counts references, and the garbage collector does not end
// them. That Release may wait for Python's lock if the memory belongs to an object of Python.
//
// # Types
//
// All types that both sides know pass, with nulls, metadata, dictionaries and nesting. An extension type comes to Go as its
// storage type, with its name in the metadata of the field, and goes back to Python as what it was; an array alone has no
// field, and is its storage. An extension type of Go's that is stored as a nested type cannot be exported: that is an error.
//
// The package stands apart so that programs without Arrow do not download it.
package pyarrow
