package python

// #include "core.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"sync"
	"time"
	"unsafe"
)

// Config says how to start Python. The zero value is a good one.
type Config struct {
	// Python is the environment: the folder of a virtual environment, an executable, or the name of one on PATH. If it
	// is empty, the first of these decides: GOPHERSNAKE_PYTHON, VIRTUAL_ENV, a virtual environment .venv in the folder of
	// the program or in the one above it, python3 on PATH.
	Python string
	// Path lists folders to put in front of sys.path. Relative ones are relative to the working directory of Start.
	Path []string
	// Modules holds Python sources, as [embed.FS] does: what lies at its root is importable, after the folders of Path and
	// before the packages of the environment. A module that would hide one of the standard library is an error. Tracebacks
	// show the lines, and importlib.resources reads the other files. They are read once, by Start, and kept in memory, where
	// the worker processes of multiprocessing and concurrent.futures find them too. They have the same file names in each
	// process, "<embedded>/shapes/area.py" for example, which is no file on disk; worker processes see the name that the archive has
	// in sys.path. Names that begin with a dot, and __pycache__, are left out.
	//
	// Where go:embed names a folder, write all: before it, because it leaves out __init__.py otherwise, and take that folder
	// with [fs.Sub].
	Modules fs.FS
	// Reload lets a call use the files in the folders of Path as they are then, and those of Modules if that is [os.DirFS]. It
	// is for development. Where a file of an imported module has changed, all modules of these folders are imported anew by
	// the next call of a [Function], or a function that [Bind] made, and by the next [Interpreter.Func] and
	// [Interpreter.Object]; what these modules held in their variables is lost. If that fails, because of a syntax error for
	// example, the call gets the error, and the next one tries again. Calls that are running, objects that Go holds,
	// threads, and worker processes keep the code that they have. Each call looks at all imported files of the folders.
	Reload bool
	// Core is the file of the core, libgophersnake.so. If it is empty, the first of these decides: GOPHERSNAKE_CORE,
	// the copy embedded by the build tag gophersnake_embed, the folder of the executable, the build output of this
	// module, /usr/local/lib, /usr/lib.
	Core string
	// MaxConcurrent bounds how many calls are in Python at a time; others wait. 0 means GOMAXPROCS at the start.
	//
	// While calls wait, the host tries now and then whether fewer at a time get more done, as is the case with short calls that
	// hand the GIL to and fro, and lets fewer in where they do: [Stats].Limit. It lets all in within some milliseconds
	// when no call comes through, so that calls may wait for each other.
	MaxConcurrent int
	// MaxQueued bounds how many calls wait for that; past it they get [ErrOverloaded] at once. 0 means no bound, a negative
	// number that no call waits. Calls from within a Go function that Python calls are never turned away.
	MaxQueued int
	// MaxStillRunning bounds how many calls go on although they were given up ([ErrStillRunning]), in all lanes but those of
	// [Lane], since each keeps a thread. While there are as many, calls whose context may end get [ErrOverloaded] at once, and those
	// that are given up keep their slot. 0 means MaxConcurrent, but 64 at least; a negative number no bound.
	MaxStillRunning int
	// SwitchInterval is how long a thread that runs bytecode keeps the others waiting: sys.setswitchinterval. A shorter one
	// lets short calls in sooner beside long ones, and costs these more switches. 0 leaves Python's own, 5 ms.
	SwitchInterval time.Duration
	// CancelGrace is how long a call whose context has ended is waited for, after Python was interrupted; then the caller
	// gets [ErrStillRunning]. 0 means 5 seconds; a negative one that every call is waited for until it ends.
	CancelGrace time.Duration
	// ProfileLabels labels the goroutine of each call, for the time of the call, with the name of its function:
	// "python.function" in a CPU profile and in the list of goroutines, which is where the time in C and Python goes too.
	// The labels of the call's context stay, as with [pprof.Do].
	ProfileLabels bool
	// MallocTrimThreshold lets malloc keep freed memory for the next use, up to so many bytes at the end of each of its
	// heaps, in place of giving it back to the system: arrays of more than some 100 kB, such as the temporaries of NumPy,
	// are mapped, zeroed page by page and unmapped by every call otherwise. 64 MiB suit most programs. It costs memory: that
	// much for each heap, of which glibc makes up to eight for each CPU, also for what in the process is not Python. 0
	// leaves malloc as it is. Start fails where the C library is not glibc.
	MallocTrimThreshold int
	// TruncateTimes cuts the nanoseconds of all times and durations that go to Python, where a datetime and a timedelta have
	// none. Without it they are an error, unless [Truncated] or a field's tag cuts them.
	TruncateTimes bool
	// ForbidRetaining makes a call fail with [ErrRetained] if Python keeps lent memory.
	ForbidRetaining bool
	// Stdout and Stderr get what Python prints to sys.stdout and sys.stderr, in whole lines where Python ends them, from a
	// goroutine each. Up to 4 MiB wait for a writer that is slow; then who prints waits too, until the writer has not
	// taken anything for a second. From then on lines are dropped, which Stats counts, and a line says how many as soon as the
	// writer works. So they are where a writer fails. Shutdown returns when all is written; a program that ends without it
	// loses what still waits. If Python is called by a writer, what it prints goes to the process's own streams.
	//
	// What is printed by C code and by other processes, and through descriptors, goes to the process's own streams, and so does
	// all output if the writer is nil: there it is written before print returns.
	Stdout, Stderr io.Writer
	// Logger gets what Python logs by its module logging, unless that goes to handlers of its own only; warnings of the
	// module warnings; and exceptions that nobody can catch, in threads and in __del__. If it is nil, Python does with them
	// what it always does.
	//
	// The levels DEBUG to ERROR are those of slog, CRITICAL is ERROR+4, and others lie where they lie in Python. The root
	// logger has the lowest level that the logger's handler has enabled, so that records below it cost little; a change
	// of that level reaches Python within a second or so. A record keeps its time, and has these attributes: logger, file, line,
	// function, thread, task, exception, traceback, stack, and those that `extra` gives it: numbers, texts, times, slices and
	// maps, and repr of the rest. Long values are cut. Records wait and are dropped as lines are.
	//
	// The root logger has a handler for this, so that logging.basicConfig does nothing, as always where there is one. With
	// force=True it takes the handler away, and no record comes here any more.
	Logger *slog.Logger
}

// Interpreter is the Python of this process. Any goroutine may use it.
type Interpreter struct {
	config Config
	env    Environment
	*lane  // of the calls that name none
	named  laneTable
	// sources keeps Config.Modules open; imports may come at any time, until the process ends.
	sources    *os.File
	sourcesKey string
	outputs    outputs
	none       *Object
}

// started is the interpreter of this process.
var started struct {
	mu          sync.Mutex
	interpreter *Interpreter
}

// Start starts Python in this process. CPython runs once in a process: another Start with an equal configuration
// returns the same [Interpreter], one with a different configuration is an error.
//
// Python starts isolated: PYTHON* variables, the working directory and user site-packages have no effect. It changes
// no signal handler and never ends the process. Errors wrap one of [ErrNoPython] and its neighbours and say what
// mends them. After an error, Start may be called again with a better configuration. The exceptions are an error that
// wraps [ErrStart], as where the standard library is damaged beyond its first files, and another Python version once libpython
// and core are loaded: the message says so.
func Start(config Config) (*Interpreter, error) {
	config, err := config.normal()
	if err != nil {
		return nil, err
	}
	sources, err := sourcesOf(config.Modules)
	if err != nil {
		return nil, err
	}
	byFiles := config.Modules == nil // none of these may hide one of Python's own, whose names the executable knows
	output := outputs{config.Stdout, config.Stderr, config.Logger}
	// Neither comparable nor printable.
	config.Modules, config.Stdout, config.Stderr, config.Logger = nil, nil, nil, nil
	started.mu.Lock()
	defer started.mu.Unlock()
	if in := started.interpreter; in != nil {
		if in.sourcesKey != sources.key {
			return nil, errors.New("python: already started with another configuration: Config.Modules are not the same")
		}
		if err := in.outputs.compare(output); err != nil {
			return nil, fmt.Errorf("python: already started with another configuration: %w", err)
		}
		if !reflect.DeepEqual(in.config, config) {
			return nil, fmt.Errorf("python: already started with another configuration: have %+v, want %+v", in.config, config)
		}
		return in, nil
	}
	begin := time.Now()
	env, err := findEnvironment(config.Python, byFiles)
	if err != nil {
		return nil, err
	}
	found := time.Now()
	if err := keepFreed(config.MallocTrimThreshold); err != nil {
		return nil, err
	}
	if err := load(env, config.Core); err != nil {
		return nil, err
	}
	loading := time.Now()
	folders, file, err := sources.place(config, env)
	if err != nil {
		return nil, err
	}
	if err := startCore(env, folders); err != nil {
		_ = file.Close()
		return nil, err
	}
	running := time.Since(loading)
	slots := config.MaxConcurrent
	if slots == 0 {
		slots = runtime.GOMAXPROCS(0)
	}
	if err := takeError(C.callback_install()); err != nil {
		return nil, err
	}
	in := &Interpreter{
		config: config, env: env.describe(loaded.core), sources: file, sourcesKey: sources.key, outputs: output,
	}
	in.lane = newLane(in, LaneOption{slots: slots, maxQueued: config.MaxQueued, maxStillRunning: config.MaxStillRunning})
	in.none = &Object{in: in, lane: in.lane}
	numpy := time.Duration(coreStats().numpy_import) //nolint:gosec // no import takes that long
	in.env.Startup = Startup{
		Find: found.Sub(begin), Libpython: loaded.took.libpython, Core: loaded.took.core, Python: running - numpy, NumPy: numpy,
	}
	if config.SwitchInterval != 0 {
		if err := discarded(in.apply("sys:setswitchinterval", config.SwitchInterval.Seconds())); err != nil {
			return nil, err
		}
	}
	if file != nil {
		if err := discarded(in.apply("gophersnake.sources:install", file.Name())); err != nil {
			return nil, err
		}
	}
	if config.Reload {
		if err := in.watch(folders); err != nil {
			return nil, err
		}
	}
	if err := in.takeOutput(output); err != nil {
		return nil, err
	}
	started.interpreter = in
	return in, nil
}

// normal checks the fields and makes paths absolute.
func (c Config) normal() (Config, error) {
	if c.MaxConcurrent < 0 {
		return c, fmt.Errorf("python: Config.MaxConcurrent: want 0 or more, got %d", c.MaxConcurrent)
	}
	if err := checkTrimThreshold(c.MallocTrimThreshold); err != nil {
		return c, err
	}
	if c.SwitchInterval != 0 && c.SwitchInterval < time.Microsecond {
		return c, fmt.Errorf("python: Config.SwitchInterval: want 0, or 1µs or more, got %v", c.SwitchInterval)
	}
	var path []string
	for i, folder := range c.Path {
		absolute, err := filepath.Abs(folder)
		if err != nil {
			return c, fmt.Errorf("python: Config.Path[%d]: %w", i, err)
		}
		if _, err := os.Stat(absolute); err != nil {
			return c, fmt.Errorf("python: Config.Path[%d]: %w", i, err)
		}
		path = append(path, absolute)
	}
	c.Path = path
	return c, nil
}

// startCore hands the environment to the core, which starts CPython.
func startCore(env *environment, path []string) error {
	var pins runtime.Pinner
	defer pins.Unpin()
	text := func(s string) C.snake_text {
		bytes := unsafe.StringData(s)
		if bytes != nil {
			pins.Pin(bytes)
		}
		return C.snake_text{ptr: (*C.uint8_t)(bytes), len: C.size_t(len(s))}
	}
	folders := make([]C.snake_text, 0, len(path))
	for _, folder := range path {
		folders = append(folders, text(folder))
	}
	config := &C.snake_config{executable: text(env.executable), version: C.uint32_t(env.abiVersion())}
	if len(folders) > 0 {
		pins.Pin(&folders[0])
		config.path, config.path_len = &folders[0], C.uint32_t(len(folders)) //nolint:gosec // a path is short
	}
	return takeError(C.snake_interpreter_start(config))
}

// Executable returns the path of the environment's python, which is sys.executable.
func (in *Interpreter) Executable() string { return in.env.Python }

// Environment returns what the interpreter runs on.
func (in *Interpreter) Environment() Environment { return in.env }

// Shutdown ends the use of Python: later calls and those that wait get [ErrClosed]; running ones end first. Then it
// does what Python does at the end of a program: it joins threads that are not daemons, runs atexit handlers and
// flushes output.
//
// It also waits until [Config].Stdout, Stderr and Logger have got all of it, and returns an error if they could not.
//
// If the context ends earlier, Shutdown returns its error and the rest goes on in the background. It may be called
// again, to wait again. CPython is not finalised and cannot be started anew in this process.
func (in *Interpreter) Shutdown(ctx context.Context) error {
	for _, idle := range in.close() {
		select {
		case <-idle:
		case <-ctx.Done():
			flushOutput()
			return fmt.Errorf("python: calls are still running: %w", contextError(ctx))
		}
	}
	done := make(chan error, 1)
	go func() { done <- takeError(C.snake_interpreter_shutdown(C.uint64_t(math.MaxInt64))) }()
	select {
	case err := <-done:
		return errors.Join(err, endOutput(ctx))
	case <-ctx.Done():
		flushOutput()
		return fmt.Errorf("python: threads or exit handlers of Python are still running: %w", contextError(ctx))
	}
}
