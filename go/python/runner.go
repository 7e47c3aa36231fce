package python

// #include "core.h"
import "C"

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"iter"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/gophersnake/gophersnake/go/python/internal/goroutine"
)

// runner is a goroutine on which the Go functions run that a call of Python calls.
//
// They need one of their own, because runtime.Goexit, which t.FailNow calls, would unwind the frames of C and Python
// below them, and nothing can stop it. There are two kinds.
//
// A coroutine stays on this thread, so that calls of Python from within are nested in this one. The runtime ends the process if a
// coroutine is resumed on another thread or with another count of thread locks than it was made with. So a runner is
// used by the callbacks of one call only, and ended in one: see `keeps` in the header. And so a function that runs on it must not
// resume a coroutine that was made elsewhere, by `next` of iter.Pull, for C has locked its goroutine to the thread.
//
// Apart, a goroutine as any other, it may do all that Go code does. It takes two threads that wake each other for each function.
// Its calls of Python are made by the goroutine that waits for it, on the thread of the call that they are nested in: there
// Python has its locks and its variables of the thread.
//
// Which kind it is, is decided by the program: without iter.Pull it has no coroutines that could be resumed.
type runner struct {
	// of a coroutine
	next func() (turn, bool)
	stop func()

	// of a goroutine apart
	turns   chan struct{} // a function is to be run
	events  chan event    // what the one who waits has to know or to do
	crossed chan struct{} // it has done it
	origin  origin        // of the function

	reply reply // kept here, it costs the callbacks no allocation
	lane  *lane // of what comes with the arguments
	ctx   context.Context
}

// turn is what a runner yields: a type of its own, so that the names of functions tell this use of iter.Pull from others.
type turn struct{ gophersnakeTurn struct{} }

// event is a call of Python to be made, or the end of a function, and of the runner if runtime.Goexit ended it.
type event struct {
	cross  func()
	exited bool
}

// goexit is what a runner that is being ended by runtime.Goexit panics with, to tell its caller.
type goexit struct{}

func newRunner(apart bool) *runner {
	r := &runner{}
	if apart {
		r.turns, r.events, r.crossed = make(chan struct{}, 1), make(chan event, 1), make(chan struct{}, 1)
		go r.workApart()
	} else {
		r.next, r.stop = iter.Pull(r.work)
	}
	return r
}

// work runs one function after the other.
func (r *runner) work(yield func(turn) bool) {
	idle := false
	defer func() {
		if !idle {
			panic(goexit{}) // iter.Pull hands panics over as panics, but a Goexit as a Goexit
		}
	}()
	for !idle {
		r.reply.run(r.lane, r.ctx)
		idle = true
		if !yield(turn{}) {
			return
		}
		idle = false
	}
}

// workApart is work on a goroutine of its own.
func (r *runner) workApart() {
	idle := true
	defer func() {
		if !idle {
			_ = recover()
			r.events <- event{exited: true}
		}
	}()
	defer homes.add(r)()
	for range r.turns {
		idle = false
		r.reply.run(r.lane, r.ctx)
		idle = true
		r.events <- event{}
	}
}

// prepare says which function the runner runs next. What it returns is valid until the function has returned, or, if
// runtime.Goexit has ended it, for ever.
func (r *runner) prepare(f *hostFunction, invocation *C.snake_invocation) *reply {
	r.reply = reply{invocation: invocation, function: f}
	return &r.reply
}

// run runs a function, and tells whether runtime.Goexit ended it, and the runner.
func (r *runner) run(lane *lane, ctx context.Context) (exited bool) {
	r.lane, r.ctx = lane, ctx
	if r.turns != nil {
		r.origin = originOfThread()
		r.turns <- struct{}{}
		for e := range r.events {
			if e.cross == nil {
				exited = e.exited
				break
			}
			e.cross()
			r.crossed <- struct{}{}
		}
		if exited {
			return true
		}
	} else {
		defer func() { exited = recover() != nil }()
		r.next()
	}
	r.reply, r.ctx = reply{}, nil // the memory of the arguments ends now
	return false
}

// cross calls `cross`, which calls the core, on the thread of the call that has called the function. The caller is the goroutine
// of the runner, which is apart.
func (r *runner) cross(cross func()) {
	r.events <- event{cross: cross}
	<-r.crossed
}

func (r *runner) end() {
	if r.turns != nil {
		close(r.turns)
	} else {
		r.stop()
	}
}

// endRunners ends those that no Goexit has ended.
func (f *frame) endRunners() {
	for _, place := range []**runner{&f.runner, &f.runnerApart} {
		if *place != nil {
			(*place).end()
			*place = nil
		}
	}
}

// cross calls `cross`, which calls the core, on the thread where the call belongs.
func (f *frame) cross(cross func()) {
	if f.home != nil {
		f.home.cross(cross)
	} else {
		cross()
	}
}

// homes knows the runners apart by their goroutines.
var homes homeTable

type homeTable struct {
	count       atomic.Int64
	byGoroutine sync.Map // of goroutine.Current to *runner
}

// add notes that the calling goroutine is that of a runner, until the function that it returns is called.
func (t *homeTable) add(r *runner) (remove func()) {
	number := goroutine.Current()
	t.byGoroutine.Store(number, r)
	t.count.Add(1)
	return func() {
		t.count.Add(-1)
		t.byGoroutine.Delete(number)
	}
}

// current returns the runner of the calling goroutine; nil if it is none's.
func (t *homeTable) current() *runner {
	if r, ok := t.byGoroutine.Load(goroutine.Current()); ok {
		return r.(*runner)
	}
	return nil
}

// originOfCaller tells whether the calling goroutine runs a Go function that Python called.
func originOfCaller() origin {
	if homes.count.Load() != 0 {
		if home := homes.current(); home != nil {
			return home.origin
		}
	}
	return originOfThread()
}

// originOfThread tells whether the calling goroutine, which stays on its thread then, runs in a call of a Go function.
func originOfThread() origin { return origin(C.snake_callback_origin()) }

// OnThread runs a Go function on the thread of Python's that calls it, also in a program that has code of [iter.Pull], where
// functions run on goroutines of their own by default. It is for functions that are called very often, which costs a tenth
// then, and for those that need that thread, such as C code with variables of the thread.
//
// The function, and what it calls, must not call a `next` or `stop` that iter.Pull has made elsewhere, in the caller of Python or in
// another call: the Go runtime ends the process then ("coro: OS thread locking must match"), and nothing can recover
// that. It must leave [runtime.LockOSThread] as it found it.
func OnThread() FuncOption {
	return funcOption(func(f *hostFunction) error {
		f.onThread = true
		return nil
	})
}

// pullsElsewhere tells whether the program has code of iter.Pull but that for [runner]. Where it cannot tell, it says so too.
var pullsElsewhere = sync.OnceValue(func() bool {
	names, err := functionNames()
	if err != nil {
		return true
	}
	// Not a constant, which would be found.
	pull := []byte(strings.Join([]string{"iter", "Pull"}, "."))
	own := false
	for {
		at := bytes.Index(names, pull)
		if at < 0 {
			return !own
		}
		names = names[at+len(pull):]
		if name, _, _ := bytes.Cut(names[:min(len(names), 512)], []byte{0}); !bytes.HasPrefix(name, []byte("[")) && !bytes.HasPrefix(name, []byte("2[")) {
			continue // such as a message of its own
		} else if !bytes.Contains(name, []byte("gophersnakeTurn")) {
			return true
		}
		own = true
	}
})

// functionNames returns the part of the program's memory that holds the names of its functions.
//
// The runtime has them for tracebacks, also in a program that was stripped, and hands them out without copying.
func functionNames() ([]byte, error) {
	name := runtime.FuncForPC(reflect.ValueOf(newFrame).Pointer()).Name()
	address := uintptr(unsafe.Pointer(unsafe.StringData(name)))
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return nil, err
	}
	defer maps.Close() //nolint:errcheck // it was only read
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var begin, end uintptr
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x r", &begin, &end); err == nil && begin <= address && address < end {
			return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(unsafe.StringData(name)), -int(address-begin))), end-begin), nil //nolint:gosec // a distance
		}
	}
	return nil, fmt.Errorf("no memory has the name %s", name)
}
