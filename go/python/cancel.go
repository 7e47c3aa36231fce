package python

// #include "core.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"time"
)

// ErrStillRunning tells that the context of a call has ended, but the call did not, in the time that [Config].CancelGrace gives it:
// it is blocked in C code, or it swallows the exception. It goes on. What was lent to it stays pinned, and its thread
// busy, until it ends ([Stats].StillRunning, [Config].MaxStillRunning). The error is a [*StillRunningError], which says where Python was.
var ErrStillRunning = errors.New("python: the call is still running")

// defaultGrace is the time that a cancelled call has to end in.
const defaultGrace = 5 * time.Second

// crossing is a call of the core by a goroutine that does not wait longer than it wants to.
type crossing struct {
	frame *frame
	in    *Interpreter
	cross func()
	state atomic.Int32 // crossingUnderWay and so on
	done  chan struct{}
	left  chan struct{} // closed when the caller has left the frame
	begun chan struct{} // closed when a thread that may be busy begins with it
}

const (
	crossingUnderWay int32 = iota
	crossingDone
	crossingAbandoned
	crossingPosted // to a thread that may be busy
	crossingWithdrawn
)

// carrier is a goroutine that makes crossings for others.
type carrier struct{ jobs chan *crossing }

func newCarrier() *carrier {
	c := &carrier{make(chan *crossing)}
	go c.work()
	return c
}

func (c *carrier) work() {
	unlabelled()
	for job := range c.jobs {
		job.make()
	}
}

func (j *crossing) make() {
	if labels := j.frame.labels; labels != nil {
		pprof.SetGoroutineLabels(labels)
		j.cross()
		unlabelled()
	} else {
		j.cross()
	}
	if j.state.CompareAndSwap(crossingUnderWay, crossingDone) {
		j.done <- struct{}{}
		return
	}
	<-j.left
	j.frame.endAbandoned()
}

// abandonedTotal counts how many calls were ever abandoned.
var abandonedTotal atomic.Uint64

// abandonment is what crossing returns when the frame is no longer the caller's.
type abandonment struct{ frames []Frame }

func (*abandonment) Error() string { return "abandoned" }

// isAbandoned tells whether an error is that of [frame.crossApart], which is never wrapped.
func isAbandoned(err error) bool {
	_, ok := err.(*abandonment) //nolint:errorlint // see above
	return ok
}

// crossApart calls `cross`, which calls the core, so that the call can be interrupted when its context ends. If it does not end
// then either, the error is an abandonment, and the frame is no longer the caller's.
//
// A goroutine that is in C cannot leave it. So another one goes there, and this one waits: about 500 ns.
func (f *frame) crossApart(cross func()) error {
	f.watched.Store(&watched{ctx: f.ctx})
	err := f.carry(cross)
	if !isAbandoned(err) {
		f.watched.Store(nil)
	}
	return err
}

func (f *frame) carry(cross func()) error {
	in := f.in
	ctx, serial := f.ctx, uint64(f.interrupt.serial)
	if isInCallback(ctx) || in.config.CancelGrace < 0 && f.worker == nil {
		f.crossInPlace(ctx, serial, func() { f.cross(cross) })
		f.call.interrupt = nil
		return nil
	}
	if f.carrier == nil {
		f.carrier = newCarrier()
	}
	job := &crossing{frame: f, in: in, cross: cross, done: make(chan struct{}, 1), left: make(chan struct{})}
	if f.worker == nil {
		f.carrier.jobs <- job
	} else if f.worker.isMain {
		if err := mainThread.post(ctx, job); err != nil {
			f.call.interrupt = nil
			return err
		}
	} else {
		select {
		case f.worker.carrier.jobs <- job:
		case <-ctx.Done():
			f.call.interrupt = nil
			return contextError(ctx)
		}
	}
	select {
	case <-job.done:
		f.call.interrupt = nil
		return nil
	case <-ctx.Done():
	}
	if frames, ended := job.interrupt(serial); !ended {
		f.abandon()
		close(job.left)
		return &abandonment{frames}
	}
	f.call.interrupt = nil
	return nil
}

// keep keeps a function from the garbage collector for a call that its caller may give up.
func (f *frame) keep(function *Function) {
	if f.isCancellable {
		f.kept = append(f.kept, function)
	}
}

// allowInterrupt prepares a call that can be interrupted.
func (f *frame) allowInterrupt() {
	if f.interrupt == nil {
		f.interrupt = (*C.snake_interrupt)(C.calloc(1, C.sizeof_snake_interrupt))
	}
	f.interrupt.serial = C.uint64_t(serials.Add(1))
	f.interrupt.count = 0
	f.call.interrupt = f.interrupt
}

// serials numbers the calls that can be interrupted.
var serials atomic.Uint64

// interrupt interrupts the call and waits until it has ended, or it is given up, where it is then.
func (j *crossing) interrupt(serial uint64) (frames []Frame, ended bool) {
	over, stop := j.in.grace()
	defer stop()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	request := j.frame.interruption(serial)
	for {
		request.send()
		select {
		case <-j.done:
			return nil, true
		case <-again.C: // it may be in a Go function, or about to begin
		case <-over:
			frames := j.frame.where()
			if j.state.CompareAndSwap(crossingUnderWay, crossingAbandoned) {
				return frames, false
			}
			<-j.done
			return nil, true
		}
	}
}

// grace starts the time that a cancelled call has to end in. The channel is nil if it has for ever.
func (in *Interpreter) grace() (over <-chan time.Time, stop func() bool) {
	grace := in.config.CancelGrace
	if grace < 0 {
		return nil, func() bool { return false }
	}
	if grace == 0 {
		grace = defaultGrace
	}
	timer := time.NewTimer(grace)
	return timer.C, timer.Stop
}

// crossInPlace calls `cross` on this goroutine, for a call that may be interrupted but is waited for: one inside of a Go
// function, which must run on the thread of the call that called it.
func (f *frame) crossInPlace(ctx context.Context, serial uint64, cross func()) {
	over := make(chan struct{})
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		again := time.NewTicker(10 * time.Millisecond)
		defer again.Stop()
		request := f.interruption(serial)
		for {
			request.send()
			select {
			case <-over:
				return
			case <-again.C:
			}
		}
	})
	cross()
	close(over)
	if !stop() {
		<-ended
	}
}

// interruption asks for the interruption of a call.
type interruption struct {
	interrupt *C.snake_interrupt
	serial    uint64
	raised    atomic.Bool
}

// interruption asks for that of the frame's call. The calls of a batch that have not begun by now are not made: those
// after the one that is interrupted have to know it before.
func (f *frame) interruption(serial uint64) *interruption {
	if f.batched {
		atomic.StoreUint32(f.batch.stop, 1)
	}
	return &interruption{interrupt: f.interrupt, serial: serial}
}

var interruptions struct {
	start sync.Once
	queue chan *interruption
}

// send lets a goroutine interrupt the call that has no other task, since that waits for Python. If it is busy, the
// request is dropped: the caller sends it again, until the call was interrupted.
func (r *interruption) send() {
	if r.raised.Load() {
		return
	}
	interruptions.start.Do(func() {
		interruptions.queue = make(chan *interruption, 64)
		go func() {
			unlabelled()
			for r := range interruptions.queue {
				if r.raised.Load() {
					continue
				}
				var raised C.uint32_t
				if takeError(C.snake_interrupt_raise(r.interrupt, C.uint64_t(r.serial), &raised)) == nil && raised != 0 {
					r.raised.Store(true)
				}
			}
		}()
	})
	select {
	case interruptions.queue <- r:
	default:
	}
}

// abandon leaves a frame to the goroutine that makes its call.
func (f *frame) abandon() {
	abandonedTotal.Add(1)
	f.unlabel()
	slot := noSlot
	if f.watched.Load().slot.Swap(slotLost) == slotHeld {
		slot = f.slot
	}
	f.keepsSlot = slot != noSlot
	f.number = f.lane.gate.abandon(slot, f.isSettled, func() {
		f.keepsSlot = false
		f.lane.frames[slot].Store(nil)
	})
}

// endAbandoned gives back what a call used that nobody waits for any more.
func (f *frame) endAbandoned() {
	c, gate, number := f.call, f.lane.gate, f.number
	if f.keepsSlot {
		f.lane.frames[f.slot].Store(nil)
	}
	c.lends = nil // while what it points to is alive: see frame.invoke
	if f.batched {
		f.batch.endAbandoned(f)
	} else {
		if c.retained > 0 {
			holdLeases(f.lends, f.leases)
		}
		if f.outer.failure != nil {
			C.snake_error_free(f.outer.failure)
		} else {
			f.releaseResult()
		}
	}
	c.interrupt = nil
	f.watched.Store(nil)
	f.labels = nil
	f.reset()
	f.leaveWorker()
	f.ctx = nil
	frames.put(f)
	gate.forget(number)
}

// cancelled adds the context's error to that of a call that was interrupted.
func (f *frame) cancelled(ctx context.Context, err error) error {
	if err == nil || f.interrupt == nil || f.interrupt.count == 0 || ctx.Err() == nil || err == errExiting { //nolint:errorlint // it is never wrapped
		return err
	}
	if e, ok := err.(*Error); ok && e.panicked { //nolint:errorlint // it is never wrapped
		return err
	}
	return fmt.Errorf("%w: %w", contextError(ctx), err)
}

// interrupted is cancelled for one of many calls: it shows by its exception that it was interrupted.
func interrupted(ctx context.Context, err error) error {
	if e, ok := err.(*Error); ok && e.Type == "gophersnake.GoCancelled" && ctx.Err() != nil { //nolint:errorlint // as it came
		return fmt.Errorf("%w: %w", contextError(ctx), err)
	}
	return err
}

// StillRunningError is the error of a call that was given up: errors.Is finds [ErrStillRunning] and the context's error.
type StillRunningError struct {
	// Frames say where Python was, outermost first. There are none if C code kept Python from telling.
	Frames []Frame
	err    error
}

// Error returns where Python was and the context's error.
func (e *StillRunningError) Error() string {
	if len(e.Frames) == 0 {
		return fmt.Sprintf("%v: %v", ErrStillRunning, e.err)
	}
	return fmt.Sprintf("%v (%v): %v", ErrStillRunning, e.Frames[len(e.Frames)-1], e.err)
}

// Unwrap returns [ErrStillRunning] and the context's error.
func (e *StillRunningError) Unwrap() []error { return []error{ErrStillRunning, e.err} }

// abandoned says that a call is still running.
func abandoned(ctx context.Context, err error) error {
	return &StillRunningError{Frames: err.(*abandonment).frames, err: contextError(ctx)} //nolint:errorlint // as the callers know
}

type callbackKey struct{}

// isInCallback tells whether a context is that of a Go function which Python calls.
func isInCallback(ctx context.Context) bool { return ctx.Value(callbackKey{}) != nil }

// enterWorker waits for the worker that a context belongs to; there may be none.
func enterWorker(ctx context.Context) (*Worker, error) {
	w := workerOf(ctx)
	if w == nil || isInCallback(ctx) {
		return nil, nil
	}
	select {
	case w.turn <- struct{}{}:
		return w, nil
	case <-ctx.Done():
		return nil, contextError(ctx)
	}
}

// leaveWorker lets the next call have the worker.
func (f *frame) leaveWorker() {
	if f.worker != nil {
		<-f.worker.turn
		f.worker = nil
	}
}

// Worker is an OS thread of its own for calls of Python, for libraries whose objects belong to the thread that has made
// them: sqlite3, asyncio, some of torch.
type Worker struct {
	carrier *carrier      // nil if it is Python's main thread
	turn    chan struct{} // holds a token while a call has the worker
	isMain  bool
	ctx     context.Context
	cancel  context.CancelCauseFunc
}

type workerKey struct{}

// workerOf returns the worker that a context belongs to.
func workerOf(ctx context.Context) *Worker {
	w, _ := ctx.Value(workerKey{}).(*Worker)
	return w
}

// Worker starts a worker, which ends with the context or by [Worker.Close].
//
//	w := in.Worker(ctx)
//	defer w.Close()
//	db, err := connect.Call(w.Context(ctx), "data.db") // every call with this context runs on the worker's thread
func (in *Interpreter) Worker(ctx context.Context) *Worker {
	w := &Worker{carrier: &carrier{make(chan *crossing)}, turn: make(chan struct{}, 1)}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	go func() {
		// Never unlocked: the thread ends with the goroutine, and with it its state in Python.
		runtime.LockOSThread()
		unlabelled()
		for {
			select {
			case job := <-w.carrier.jobs:
				job.make()
			case <-w.ctx.Done():
				return
			}
		}
	}()
	return w
}

// MainThread returns a worker that is Python's main thread, for what must run there: jpype.shutdownJVM, which needs jpype.startJVM
// there as well, most of what has windows, whatever asks for threading.main_thread. All other calls are never on that thread.
// Its workers share it: their calls run one after the other.
//
//	main := in.MainThread(ctx)
//	defer main.Close()
//	err := mainloop(main.Context(ctx))
//
// CPython does more on that thread: pending calls of C code (Py_AddPendingCall), threads and exit handlers at [Interpreter.Shutdown].
// Python code makes room for pending calls as it runs; a call that is blocked in C holds up all that, also when its
// caller has given it up.
func (in *Interpreter) MainThread(ctx context.Context) *Worker {
	w := &Worker{turn: mainThread.turn, isMain: true}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	return w
}

// mainThread is Python's main thread as workers use it.
var mainThread = mainThreadQueue{turn: make(chan struct{}, 1)}

type mainThreadQueue struct {
	turn chan struct{} // of all workers
	jobs sync.Map      // *crossing by number
	last atomic.Uint64
}

// post has the thread make a crossing, and waits until it begins with it. The thread may be busy with others' pending calls, or
// with a call that was given up.
func (q *mainThreadQueue) post(ctx context.Context, job *crossing) error {
	number := q.last.Add(1)
	job.begun = make(chan struct{})
	job.state.Store(crossingPosted)
	q.jobs.Store(number, job)
	if err := takeError(C.interpreter_run(C.uintptr_t(number))); err != nil {
		q.jobs.Delete(number)
		return err
	}
	select {
	case <-job.begun:
		return nil
	case <-ctx.Done():
		if job.state.CompareAndSwap(crossingPosted, crossingWithdrawn) {
			return contextError(ctx)
		}
		return nil
	}
}

// gophersnakeMainThread makes the crossing with that number. It runs on Python's main thread, which is not attached.
//
//export gophersnakeMainThread
func gophersnakeMainThread(number C.uintptr_t) {
	found, ok := mainThread.jobs.LoadAndDelete(uint64(number))
	if !ok {
		return
	}
	job := found.(*crossing)
	if job.state.CompareAndSwap(crossingPosted, crossingUnderWay) {
		close(job.begun)
		job.make()
	}
}

// Context returns a context: calls with it, or with one that is made from it, run on the worker's thread, one after the
// other. It ends with ctx and with the worker; then errors.Is(err, ErrClosed) holds for the calls.
func (w *Worker) Context(ctx context.Context) context.Context {
	ctx = context.WithValue(ctx, workerKey{}, w)
	if ctx.Done() == nil {
		return withValues{w.ctx, ctx} // what would be told to end could never be forgotten
	}
	ctx, cancel := context.WithCancelCause(ctx)
	forget := context.AfterFunc(w.ctx, func() { cancel(context.Cause(w.ctx)) })
	context.AfterFunc(ctx, func() { forget() })
	return ctx
}

// withValues is a context with the values of another one too.
type withValues struct {
	context.Context
	values context.Context
}

// Value returns a value of one of both.
func (c withValues) Value(key any) any {
	if value := c.values.Value(key); value != nil {
		return value
	}
	return c.Context.Value(key)
}

// Close ends the worker. A call that runs is cancelled.
func (w *Worker) Close() error {
	w.cancel(ErrClosed)
	return nil
}
