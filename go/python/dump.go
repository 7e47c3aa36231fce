package python

// #include "core.h"
import "C"

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime/pprof"
	"slices"
	"sync/atomic"
	"time"
)

const (
	// dumpPatience is how long Dump waits for Python to say where its threads are.
	dumpPatience = time.Second
	// wherePatience is how long a call is waited for that is given up, to learn where it is.
	wherePatience = 100 * time.Millisecond
	// mostTasks is how many coroutines Dump lists.
	mostTasks = 1000
)

// callLabel is how a call is known to [Interpreter.Dump]. It is not the Function, which a frame must not keep alive.
type callLabel struct{ name string }

// watched is a call that can be interrupted.
type watched struct {
	ctx  context.Context
	slot atomic.Int32 // slotHeld and so on
}

const (
	slotHeld  int32 = iota
	slotGiven       // back, while a Go function runs
	slotLost        // for the call was given up
)

// loading is a function that is being loaded, which may run an import.
type loading struct {
	name  string
	begin time.Time
}

// name notes which function a call is of.
func (f *frame) name(function *Function) {
	if f.label.Load() != function.label || f.in.config.ProfileLabels { // a store costs more
		f.rename(function)
	}
}

// rename is name where it changes something, apart from it so that the rest is inlined.
func (f *frame) rename(function *Function) {
	f.label.Store(function.label)
	if f.in.config.ProfileLabels {
		f.labels = pprof.WithLabels(f.ctx, pprof.Labels("python.function", function.name))
		pprof.SetGoroutineLabels(f.labels)
	}
}

// unlabelled takes the labels away that a goroutine of this package's own has inherited.
func unlabelled() { pprof.SetGoroutineLabels(context.Background()) }

// unlabel gives the goroutine of the caller the labels that it had.
func (f *frame) unlabel() {
	if f.labels != nil {
		pprof.SetGoroutineLabels(f.ctx)
		f.labels = nil
	}
}

// callNow is a call that is under way.
type callNow struct {
	name      string
	activity  C.snake_activity
	lent      uint64
	ctx       context.Context // nil if it cannot be interrupted
	abandoned bool
	callback  string // the Go function that it waits for
}

// now looks what the frame is used for; ok is false if there is no call.
func (f *frame) now() (call callNow, ok bool) {
	for range 3 {
		call = callNow{activity: f.activity(), lent: atomic.LoadUint64((*uint64)(&f.outer.lent))}
		if call.activity.phase == C.SNAKE_PHASE_NONE {
			return call, false
		}
		if l := f.label.Load(); l != nil {
			call.name = l.name
		}
		if w := f.watched.Load(); w != nil {
			call.ctx, call.abandoned = w.ctx, w.slot.Load() == slotLost
		}
		if h := f.callback.Load(); h != nil && call.activity.phase == C.SNAKE_PHASE_CALLBACK {
			call.callback = fmt.Sprintf("%s (%s:%d)", h.name, h.place.file, h.place.line)
		}
		again := f.activity()
		if again.phase != C.SNAKE_PHASE_NONE && again.calls == call.activity.calls && again.began == call.activity.began {
			return call, true
		}
	}
	return call, false // they come and go: none of them hangs
}

// pythonThread is where a thread of Python is, or a task of its loop, which has a number of a [Task] in place of an ident.
type pythonThread struct {
	Ident  uint64        `py:"ident"`
	Task   int64         `py:"task"`
	Name   string        `py:"name"`
	Daemon bool          `py:"daemon"`
	Frames []pythonFrame `py:"frames"`
}

type pythonFrame struct {
	File     string `py:"file"`
	Function string `py:"function"`
	Line     int    `py:"line"`
}

func (t pythonThread) frames() (frames []Frame) {
	for _, f := range t.Frames {
		frames = append(frames, Frame(f))
	}
	return frames
}

// errNoAnswer: Python did not say where its threads are.
var errNoAnswer = errors.New("no answer")

// threadQueries bounds the questions to Python that are open: each waits for the GIL on a thread.
var threadQueries = make(chan struct{}, 4)

// threads asks Python where a thread is, or, if it is 0, all threads and tasks: see snake_threads_describe. It takes no slot of the gate.
func (in *Interpreter) threads(thread uint64, patience time.Duration) ([]pythonThread, error) {
	over := time.NewTimer(patience)
	defer over.Stop()
	select {
	case threadQueries <- struct{}{}:
	case <-over.C:
		return nil, errNoAnswer
	}
	type answer struct {
		threads []pythonThread
		err     error
	}
	answers := make(chan answer, 1)
	go func() {
		defer func() { <-threadQueries }()
		threads, err := in.describeThreads(thread)
		answers <- answer{threads, err}
	}()
	select {
	case a := <-answers:
		return a.threads, a.err
	case <-over.C:
		return nil, errNoAnswer
	}
}

func (in *Interpreter) describeThreads(thread uint64) (threads []pythonThread, err error) {
	plan, err := planOf(reflect.TypeFor[[]pythonThread]())
	if err != nil {
		return nil, err
	}
	result := &C.snake_result{plan: plan}
	if err := copyFailure(C.snake_threads_describe(C.uint64_t(thread), result)); err != nil {
		return nil, err
	}
	defer freeResult(result)
	err = in.read(result, nil).decode(&threads)
	return threads, err
}

// where returns where the coroutine of the task waits or is, as far as that can be learnt soon.
func (t *Task) where() []Frame {
	const task = 1 << 63
	threads, err := t.function.in.threads(task|uint64(t.number), wherePatience) //nolint:gosec // it counts from 1
	if err != nil || len(threads) != 1 {
		return nil
	}
	return threads[0].frames()
}

// where returns where Python is in the call of the frame, as far as that can be learnt soon.
func (f *frame) where() []Frame {
	a := f.activity()
	if a.phase == C.SNAKE_PHASE_NONE || a.thread == 0 {
		return nil
	}
	threads, err := f.in.threads(uint64(a.thread), wherePatience)
	if err != nil || len(threads) != 1 {
		return nil
	}
	return threads[0].frames()
}

// Dump writes where every call and every thread of Python is now, for a program that hangs: the name of the function, for
// how long it has run, the deadline of its context, whether it waits for the GIL or for a Go function, whether its caller has
// given it up ([ErrStillRunning]), what it has been lent, the labels of its context (see [pprof.Do]), and its Python stack. Calls
// that run as coroutines tell what they await. Times are right to 10 ms.
//
// It works while all slots are taken, and after [Interpreter.Shutdown]. It waits for Python for at most a second: where C code
// does not let go of the GIL, it writes what Go knows, and that the stacks are missing. The error is that of the writer. The Go side
// is in the list of goroutines, which carries the names of functions with [Config].ProfileLabels.
func (in *Interpreter) Dump(w io.Writer) error {
	var b bytes.Buffer
	threads, err := in.threads(0, dumpPatience)
	now := uint64(coreStats().now)
	var calls []callNow
	abandoned := 0
	for _, f := range frames.list() {
		if call, ok := f.now(); ok {
			calls = append(calls, call)
			if call.abandoned {
				abandoned++
			}
		}
	}
	slices.SortFunc(calls, func(a, b callNow) int { return int(int64(a.activity.began - b.activity.began)) })
	tasks := runningTasks.list()
	fmt.Fprintf(&b, "python: %d calls, %d of them given up; %d coroutines; %d of %d slots are taken; %d goroutines wait for one\n",
		len(calls), abandoned, len(tasks), in.gate.running(), in.gate.slots, in.gate.queued())
	for _, l := range in.lanes()[1:] {
		fmt.Fprintf(&b, "lane %q: %d of %d slots are taken; %d goroutines wait for one\n",
			l.option.name, l.gate.running(), l.option.slots, l.gate.queued())
	}
	if err != nil {
		fmt.Fprintf(&b, "The stacks of Python are missing: %v\n", reasonOf(err))
	}
	for _, f := range frames.list() {
		if l := f.loading.Load(); l != nil {
			fmt.Fprintf(&b, "\nloading %s for %v\n", l.name, time.Since(l.begin).Round(time.Millisecond))
		}
	}
	for _, call := range calls {
		var of pythonThread
		for _, thread := range threads {
			if thread.Task == 0 && thread.Ident == uint64(call.activity.thread) {
				of = thread
			}
		}
		call.write(&b, now, of.Name)
		of.write(&b)
	}
	for i, t := range tasks {
		if i == mostTasks {
			fmt.Fprintf(&b, "\n%d coroutines more\n", len(tasks)-i)
			break
		}
		fmt.Fprintf(&b, "\ncoroutine %s for %v\n", t.function.name, time.Since(t.began).Round(time.Millisecond))
		writeContext(&b, t.ctx)
		for _, thread := range threads {
			if thread.Task == t.number {
				thread.write(&b)
			}
		}
	}
	for _, thread := range threads {
		if thread.Task != 0 {
			continue
		}
		if slices.ContainsFunc(calls, func(c callNow) bool { return uint64(c.activity.thread) == thread.Ident }) {
			continue
		}
		fmt.Fprintf(&b, "\nthread 0x%x", thread.Ident)
		if thread.Name != "" {
			fmt.Fprintf(&b, " %q", thread.Name)
		}
		if thread.Daemon {
			b.WriteString(", daemon")
		}
		b.WriteString(", in no call\n")
		thread.write(&b)
	}
	_, err = w.Write(b.Bytes())
	return err
}

func reasonOf(err error) string {
	if errors.Is(err, errNoAnswer) {
		return fmt.Sprintf("no answer within %v. A thread holds the GIL: C code that does not let go of it, called by what is running", dumpPatience)
	}
	return err.Error()
}

// write writes what Go knows of the call. Its thread has a name if it is Python's main thread, or if Python has started it.
func (c *callNow) write(b *bytes.Buffer, now uint64, thread string) {
	a := c.activity
	since := func(begin C.uint64_t) time.Duration {
		return time.Duration(max(0, int64(now-uint64(begin)))).Round(time.Millisecond) //nolint:gosec // a time since the boot
	}
	fmt.Fprintf(b, "\ncall of %s for %v, ", c.name, since(a.began))
	switch a.phase {
	case C.SNAKE_PHASE_ATTACHING:
		fmt.Fprintf(b, "waits for the GIL for %v", since(a.since))
	case C.SNAKE_PHASE_CALLBACK:
		fmt.Fprintf(b, "waits for the Go function %s for %v", c.callback, since(a.since))
	default:
		b.WriteString("running")
	}
	if a.thread != 0 {
		fmt.Fprintf(b, ", thread 0x%x", uint64(a.thread))
		if thread != "" {
			fmt.Fprintf(b, " %q", thread)
		}
	}
	b.WriteString("\n")
	if c.ctx != nil {
		writeContext(b, c.ctx)
	}
	if c.abandoned {
		b.WriteString("  given up: its caller has got ErrStillRunning\n")
	}
	if c.lent > 0 {
		fmt.Fprintf(b, "  %d bytes lent\n", c.lent)
	}
}

// writeContext writes when a call has to end, and the labels of its goroutine.
func writeContext(b *bytes.Buffer, ctx context.Context) {
	pprof.ForLabels(ctx, func(key, value string) bool {
		fmt.Fprintf(b, "  label %s=%q\n", key, value)
		return true
	})
	if deadline, ok := ctx.Deadline(); ok {
		if left := time.Until(deadline).Round(time.Millisecond); left >= 0 {
			fmt.Fprintf(b, "  deadline in %v\n", left)
		} else {
			fmt.Fprintf(b, "  deadline %v ago\n", -left)
		}
	}
	if err := ctx.Err(); err != nil {
		fmt.Fprintf(b, "  %v\n", err)
	}
}

// write writes the stack.
func (t pythonThread) write(b *bytes.Buffer) {
	for _, f := range t.Frames {
		fmt.Fprintf(b, "  File %q, line %d, in %s\n", f.File, f.Line, f.Function)
	}
}
