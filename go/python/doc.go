// Package python calls Python from Go, in the same process.
//
// [Start] starts Python once per process; [Interpreter.Func] resolves a function; [Function.Call] calls it; [As] converts
// what came back. [Bind] makes a plain Go function of a Python one:
//
//	in, err := python.Start(python.Config{Python: ".venv", Path: []string{"python"}})
//	find, err := python.Bind[func(context.Context, []float64) ([]int, error)](in, "outliers:detect")
//	indices, err := find(ctx, data)
//
// # Go to Python
//
//	Go                                                  Python
//	nil, nil pointer, nil map                           None
//	bool                                                bool
//	int…int64, uint…uint64, uintptr, *big.Int           int
//	float32, float64                                    float
//	complex64, complex128                               complex
//	string                                              str; invalid UTF-8 is an error, NUL is allowed
//	[]byte and other byte slices                        bytes
//	time.Time                                           datetime in its zone: ZoneInfo for time.LoadLocation, else the offset, as for time.Local; a lost nanosecond is an error: Truncate it
//	time.Duration                                       timedelta; likewise
//	named types of the above                            as their base type
//	[]float64 and any other slice of bool or numbers    read-only ndarray over the same memory
//	[][3]float64, *[N]T, *[M][N]T                       the same, with that shape
//	[N]T of numbers by value                            ndarray of a copy
//	Lend(s), Matrix(s, rows, columns), *Array[T]        read-only ndarray over the same memory: Reshape, Strided
//	LendMut(s)                                          writable ndarray over the same memory
//	Collect(iter.Seq[T])                                ndarray
//	*image.Gray, *image.Alpha                           uint8 ndarray (h, w) over the pixels
//	*image.RGBA, *image.NRGBA, *image.CMYK              uint8 ndarray (h, w, 4) over the pixels; only RGBA has colours multiplied by the alpha
//	*image.Gray16, *image.Alpha16                       uint16 ndarray (h, w) of a copy
//	*image.RGBA64, *image.NRGBA64                       uint16 ndarray (h, w, 4) of a copy; only RGBA64 has multiplied colours
//	*image.YCbCr, *image.NYCbCrA                        uint8 ndarray (h, w, 3) of RGB, (h, w, 4) of RGBA, by color.YCbCrToRGB
//	*image.Paletted                                     uint8 ndarray (h, w, 4) of RGBA, if the palette has no finer colours
//	any other image.Image                               uint16 ndarray (h, w, 4) of its colours, multiplied by the alpha, as Color.RGBA has them
//	[][]float64, []string, []any, any other slice       list
//	Tuple{…}, Set{…}                                    tuple, set
//	map                                                 dict in the order of its keys, which may be whatever Python can hash
//	struct, *struct                                     dict by field; `py:"name,omitempty"`, `py:"-"`, else the json tag; embedded structs flattened
//	New(class, struct or map)                           instance of the class
//	KW{…} as the last argument                          keyword arguments
//	func                                                function that Python calls; see [Module.Func]
//	chan T, iter.Seq, iter.Seq2                         iterator; a channel has send and close too
//	io.Reader, io.Writer                                binary file; TextFile(r) is a text file
//	NewFunc(f, Async())                                 function that Python awaits
//	*Object, *Function                                  the object itself
//	value or pointer of a registered type               instance of its class: Module.Type
//	ToPython() (any, error)                             what it says
//
// Containers nest at most 100 levels and have at most 16,777,216 values; more is an error before memory is taken.
//
// # Python to Go
//
//	Python                                              Go
//	None                                                nil pointer, nil any
//	bool                                                bool
//	int, any object with __index__                      integer types that it fits; float and complex types that hold it; *big.Int, *big.Rat
//	float                                               float64; float32, complex types and *big.Rat where exact
//	complex                                             complex128; complex64 where exact
//	NumPy scalar, array of rank 0 of any library        as the Python number that it is; with a unit, an error
//	Fraction, any Rational                              *big.Rat
//	str, os.PathLike                                    string
//	bytes, bytearray, memoryview of bytes               []byte, [N]byte
//	datetime, Timestamp, datetime64                     time.Time in its zone, by its name if Go knows it and it has that offset then; UTC if it has none
//	date                                                time.Time, at midnight UTC
//	timedelta, timedelta64; time without a zone         time.Duration; since midnight
//	Decimal                                             *big.Rat, string; -0 and exponents beyond a million are strings only
//	UUID                                                [16]byte
//	Enum                                                as its value
//	list, tuple, set, frozenset, iterator, iterable     []T, [N]T; any, but for an iterable of which no more is known
//	tuple                                               struct by position, Tuple
//	set                                                 Set
//	dict, Mapping                                       map, struct by key; one with several values of a key is an error
//	data class, NamedTuple, attrs, pydantic, msgspec    struct by attribute; map, with what pydantic has as extra fields
//	row of sqlite3 or SQLAlchemy                        struct by column; map; []T, [N]T
//	os.stat_result and others like it                   struct by attribute, or by position; map; []T, Tuple
//	any other object                                    struct by attribute
//	ndarray of rank 1                                   []T, [N]T; *Array[T]; CopyTo
//	ndarray of any rank                                 *Array[T], [][]T…; Borrow
//	ndarray of datetime64, timedelta64                  []time.Time, []time.Duration, nested by rank; pointers: nil for NaT
//	ndarray of str, StringDType, bytes                  []string, [][]byte; pointers: nil for a missing text
//	ndarray of bfloat16, float8, int4 (ml_dtypes)       as float32, int8, uint8, which hold them exactly
//	structured ndarray, recarray, DataFrame             []struct or []map by column; struct of slices; map of slices
//	object ndarray                                      []any, []string, … if asked for; no slice of numbers
//	masked array, column with missing values            Masked[T], []*T, [][]*T…; no []T
//	Series, Index, Categorical, pandas arrays           as their values, exactly: those of Arrow, of categories and of sparse arrays too
//	Series with labels                                  map of the labels; []T without them
//	DataFrame with an index of more than row numbers    its levels are columns too, by name, "index" or "level_0"
//	column or frame of polars or pyarrow                as those of pandas; nanoseconds that Python's time has not are an error
//	(h, w) or (h, w, 4) ndarray of uint8, uint16        *image.Gray, *image.Gray16; *image.RGBA, *image.NRGBA, *image.RGBA64, *image.NRGBA64, the channels as they are
//	(h, w), (h, w, 3) or (h, w, 4) ndarray of uint8     image.Image: *image.Gray, opaque *image.RGBA, *image.NRGBA
//	image of Pillow                                     image.Image; *image.Gray, Gray16, RGBA, NRGBA, CMYK, YCbCr where exact
//	iterator, iterable; dict, Mapping                   iter.Seq[T], iter.Seq2[T, error]; iter.Seq2[K, V], as Iter
//	callable                                            func, which calls it; a Go function as itself
//	file, or any object with read, write, …             io.Reader, io.Writer, io.Seeker, io.Closer
//	what a coroutine function returns in the end        as any result: Call and Bind await it
//	instance of a registered Go type                    *T: the same pointer; T: a copy; an interface that T implements
//	object with the methods                             an interface: Interface
//	anything                                            *Object, also inside slices, maps and structs
//
// Numbers in arrays may change their size where every value stays what it is: int32 to int, uint64 to int32 if they
// fit, float64 to float32 if exact. What is derived from a class of Python's counts by what that class says of it: a DateTime of pendulum is the
// datetime that it is made of. Integers, floats, bools and complex numbers in arrays do not become one another. A target of
// type any takes the natural Go value. Iterating consumes an iterator: it is asked for its items where the target takes items (a slice,
// an array, any), and stays as it is where it does not. An endless one ends at the limit, or with the context of the call. An exception while an iter.Seq[T] or iter.Seq2[K, V] is
// iterated over panics in Go, since these have no place for an error, and comes back as itself in a function that Python calls.
//
// # Python calls Go
//
// Any Go function is an argument. To make one importable, register it:
//
//	err := in.Module("host").Func("score", score, python.Doc("Score a row."), python.Params("row"))
//
// Then `from host import score` works in Python, and so do help(score) and inspect.signature(score). Its arguments convert by the
// second table, its results by the first. A slice of numbers is the array's own memory for the time of the call: read it only, or
// take it as [Mut]. A slice of numbers that is returned becomes Python's. An error becomes an exception, a [NewError] one of its
// class; in the error of the Go call that Python is in, errors.Is and errors.As find the original. A panic is a GoPanic in Python and goes
// on in that call. In a program that uses [iter.Pull], functions run on goroutines of their own: see [OnThread].
//
// # Expressions and statements
//
// [Interpreter.Eval] evaluates an expression, [Interpreter.Exec] runs statements:
//
//	names, err := in.Namespace(python.Names{"rate": 0.19})
//	err = in.Exec(ctx, "def gross(net):\n    return net * (1 + rate)", names)
//	price, err := in.Eval(ctx, "gross(100)", names)
//
// # Modules of your own
//
// Python finds, in this order: the folders of [Config].Path, the sources in [Config].Modules, the standard library, the packages
// of the environment. Modules takes them from the Go binary:
//
//	//go:embed all:python
//	var files embed.FS
//
//	modules, err := fs.Sub(files, "python") // so that python/outliers.py is the module outliers
//	in, err := python.Start(python.Config{Modules: modules})
//
// For development, the same from the folder, where a changed file is used by the next call:
//
//	in, err := python.Start(python.Config{Modules: os.DirFS("python"), Reload: true})
//
// # What you may rely on
//
// Cancelling: the end of a context interrupts the bytecode of its call, and of no other. See [ErrStillRunning]. A call with a
// context that can end takes about half a microsecond more, since another goroutine makes it.
//
// Threads: call from any goroutine. At most [Config].MaxConcurrent calls are in Python at a time; the others wait, first come
// first served, until their context ends. What follows a call takes its turn where the call did: see [Lane]. OS threads stay bounded,
// also where calls are stuck: see [Config].MaxStillRunning. No function returns holding Python's lock.
// Calls are never on Python's main thread: there is a current event loop only where one runs or was set, and
// threading.current_thread() is not threading.main_thread().
//
// Contexts (PEP 567): what an import sets, be it decimal.getcontext().prec, np.seterr or a ContextVar, holds in all calls, of all
// goroutines, tasks and workers. What a call sets ends with it, since each call has a copy; so a ContextVar.reset in one call of what
// another has set is an error. A call from within a Go function that Python calls has a copy of the context around it. All steps of
// an iteration ([Iter], [Generator]) share one. Contexts of decimal and gmpy2, which are changed in place, are copied too; other objects
// that can be changed are shared, as asyncio shares them. Threads that Python code starts begin with a copy of the program's context.
// What Python keeps by thread (threading.local, torch.set_grad_enabled, np.seterr of NumPy 1) belongs to whichever thread a call is
// made on: set it in each call, or use a [Worker].
//
// Start: once. It ignores PYTHON* variables, the working directory and user site-packages, changes no signal handler and
// never exits the process.
//
// Lending: a numeric slice reaches Python without a copy, as a read-only NumPy array over the same memory; [LendMut] makes it
// writable. The memory stays valid as long as any array, view or buffer in Python reaches it. Do not write to it from Go while
// it is lent. An address that Python saved as a number is not covered.
//
// Results: your own copy, never an alias of what you lent.
//
// Types: exact, or an error. Nothing is silently rounded, wrapped, truncated or unmasked.
//
// Errors: every exception is an [*Error] in valid UTF-8, SystemExit included; no exception ends the process.
//
// Limits: depth and size of values are bounded as said above; passing a bound is an error.
//
// Exit: [Interpreter.Shutdown] flushes output and runs atexit handlers. What Python prints is written line by line, and is there
// also when main just returns.
package python
