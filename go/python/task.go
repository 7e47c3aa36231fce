package python

// #include "core.h"
import "C"

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// Task is a call that was started with [Function.Go]. Any goroutine may use it, several at a time.
type Task struct {
	function *Function
	number   int64 // by which Python knows it
	began    time.Time
	ctx      context.Context
	cancel   context.CancelFunc // of an ordinary function
	done     chan struct{}

	// Before done is closed, only who makes the task uses these.
	object *Object // stands for it in Python
	result *Object // of an ordinary function
	err    error   // why it did not begin, or what the ordinary function failed with
	how    *ending // how the ordinary function ended, if it did not return

	mu      sync.Mutex
	ended   bool
	givenUp bool        // counts as still running
	unwatch func() bool // stops waiting for the end of ctx
}

// Go starts a call and returns at once; [Task.Wait] returns the result. Arguments are those of [Function.Call].
//
// A coroutine function (async def) runs on an asyncio loop that the host keeps on a thread of its own, and which all such
// calls share: while they wait for something, they take neither a slot of [Config].MaxConcurrent nor a thread. Starting
// and taking the result take a slot for a moment. Slices that Go lends stay pinned until the coroutine has let go of
// them, and must not be written to until the task has ended; [Config].ForbidRetaining does not apply.
//
// The coroutine is cancelled when the context ends, and by [Interpreter.Shutdown].
//
// An ordinary function is called on a goroutine of its own. It cannot be cancelled once it is in Python.
func (f *Function) Go(ctx context.Context, arguments ...any) *Task {
	add := func(frame *frame) (args, kwargs int, err error) { return frame.addArguments(arguments) }
	if f.async || f.undetermined && f.determined() {
		t, err := f.begin(ctx, add)
		if err != nil {
			t = &Task{function: f, err: fmt.Errorf("python: %s: %w", f.name, err), done: make(chan struct{})}
			close(t.done)
		}
		return t
	}
	t := &Task{function: f, done: make(chan struct{})}
	t.ctx, t.cancel = context.WithCancel(ctx)
	go endingOf(func() { t.result, t.err = f.Call(t.ctx, arguments...) }, func(how *ending) {
		t.how = how
		t.cancel()
		close(t.done)
	})
	return t
}

// Done returns a channel that is closed when the task has ended.
func (t *Task) Done() <-chan struct{} { return t.done }

// Cancel asks the task to end. It does not wait for that. A coroutine gets a CancelledError where it waits, and may go
// on nevertheless. That ends the context of a Go function made with [Async] that it waits for. Any other Go function that it
// is in goes on: what ends its context is the end of the context that [Function.Go] was given.
func (t *Task) Cancel() {
	if t.cancel != nil {
		t.cancel()
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended && t.err == nil {
		courier.cancel(t.function.in, t.number)
	}
}

// Wait waits for the end of the task, or of the context, which leaves the task running. It returns what [Function.Call]
// would, and may be called again: an object is a reference of its own, but for an ordinary function, where it is the same.
//
// If the context of [Function.Go] has ended, and the coroutine with it, the error is that of the context.
func (t *Task) Wait(ctx context.Context) (*Object, error) {
	select {
	case <-t.done:
	default:
		select {
		case <-t.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("python: %s: %w", t.function.name, contextError(ctx))
		}
	}
	if t.object == nil {
		t.how.goOnAs()
		return t.result, t.err
	}
	var object *Object
	err := t.read(C.SNAKE_WANT_OBJECT, nil, func(r *C.snake_result) error {
		object = newObject(t.function.lane, unsafe.Pointer(r.owner))
		r.owner = nil
		return nil
	})
	if err != nil {
		return nil, t.function.failed(err)
	}
	return object, nil
}

// goOnAs is goOn with the value itself.
func (e *ending) goOnAs() {
	if e != nil && !e.exits {
		panic(e.value)
	}
	e.goOn()
}

// Await waits for an awaitable on the host's loop, such as a coroutine, and returns its result. The end of the context
// cancels it, as that of [Function.Call].
func (o *Object) Await(ctx context.Context) (*Object, error) {
	f, err := o.lane.coroutineFunction("gophersnake.tasks:wait_for")
	if err != nil {
		return nil, err
	}
	return f.Call(ctx, o)
}

// coroutineFunction is function for a coroutine function.
func (l *lane) coroutineFunction(name string) (*Function, error) {
	f, err := l.function(name)
	if err != nil {
		return nil, err
	}
	// The one that the table holds is used without its mark.
	return &Function{in: l.in, lane: l, handle: f.handle, name: name, async: true}, nil
}

// isAsync asks Python whether a function is a coroutine function.
func (l *lane) isAsync(f *Function) (bool, error) {
	answer, err := l.apply("gophersnake.signatures:is_async", f)
	if err != nil {
		return false, err
	}
	return !answer.IsNone(), answer.Close()
}

// determined is isAsync for a function that came as an argument: there was no time to ask.
func (f *Function) determined() bool {
	f.determine.Do(func() { f.async, _ = f.lane.isAsync(f) }) // if that fails, the call fails as well
	return f.async
}

// cancelledError is what a coroutine gets that is cancelled.
const cancelledError = Class("asyncio.exceptions.CancelledError")

// runAsync is runOnce for a coroutine function.
func (f *Function) runAsync(ctx context.Context, want uint32, plan *C.snake_plan, add func(*frame) (args, kwargs int, err error), use func(*C.snake_result) error) error {
	t, err := f.begin(ctx, add)
	if err != nil {
		return err
	}
	return f.endOf(ctx, t, want, plan, use)
}

// endOf waits for the end of a call of a coroutine function, and lets `use` have its result.
func (f *Function) endOf(ctx context.Context, t *Task, want uint32, plan *C.snake_plan, use func(*C.snake_result) error) error {
	defer t.object.Close() //nolint:errcheck // it never fails
	if !t.endsInTime() && t.giveUp() {
		return abandoned(ctx, &abandonment{t.where()})
	}
	return t.read(want, plan, use)
}

// endsInTime waits for the end of the task, but not for ever once its context has ended: see [Config].CancelGrace.
func (t *Task) endsInTime() bool {
	select {
	case <-t.done:
		return true
	case <-t.ctx.Done():
	}
	over, stop := t.function.in.grace()
	defer stop()
	select {
	case <-t.done:
		return true
	case <-over:
		return false
	}
}

// giveUp counts the task as one that still runs, unless it has ended just now.
func (t *Task) giveUp() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return false
	}
	t.givenUp = true
	abandonedTotal.Add(1)
	t.function.lane.gate.addTask(1)
	return true
}

// begin starts a call of a coroutine function.
func (f *Function) begin(ctx context.Context, add func(*frame) (args, kwargs int, err error)) (*Task, error) {
	if ctx.Done() != nil && f.lane.gate.full.Load() && f.in.config.CancelGrace >= 0 {
		return nil, f.lane.stuck() // also for a Go function that Python called: it may be given up
	}
	if err := f.lane.prepareTasks(); err != nil {
		return nil, err
	}
	start, err := f.lane.function("gophersnake.tasks:start")
	if err != nil {
		return nil, err
	}
	t := &Task{function: f, ctx: ctx, began: time.Now(), done: make(chan struct{})}
	t.number = runningTasks.add(t)
	start = &Function{in: f.in, lane: f.lane, handle: start.handle, name: f.name, label: f.label, retains: true}
	entered, err := f.lane.enter(ctx)
	if err != nil {
		runningTasks.remove(t.number)
		return nil, err
	}
	// Not to be interrupted: what the context ends is the coroutine.
	entered.ctx, entered.isCancellable = context.WithoutCancel(ctx), false
	err = start.runIn(entered.ctx, entered, C.SNAKE_WANT_OBJECT, nil, func(frame *frame) (args, kwargs int, err error) {
		frame.leading = 2
		frame.addInt(t.number)
		if err := frame.addObject(f, f.handle); err != nil {
			return 0, 0, err
		}
		args, kwargs, err = add(frame)
		return args + 2, kwargs, err
	}, func(r *C.snake_result) error {
		t.object = newObject(f.lane, unsafe.Pointer(r.owner))
		r.owner = nil
		return nil
	})
	if err != nil {
		runningTasks.remove(t.number)
		return nil, err
	}
	if ctx.Done() != nil {
		t.mu.Lock()
		if !t.ended {
			t.unwatch = context.AfterFunc(ctx, t.Cancel)
		}
		t.mu.Unlock()
	}
	return t, nil
}

// read takes what came of a task that has ended.
func (t *Task) read(want uint32, plan *C.snake_plan, use func(*C.snake_result) error) error {
	outcome, err := t.function.lane.function("gophersnake.tasks:outcome")
	if err != nil {
		return err
	}
	f := t.function
	outcome = &Function{in: f.in, lane: f.lane, handle: outcome.handle, name: f.name, label: f.label}
	err = outcome.runOnce(admit(context.WithoutCancel(t.ctx)), want, plan, func(frame *frame) (args, kwargs int, err error) {
		return 1, 0, frame.addObject(t.object, t.object.handle)
	}, use)
	if exception, ok := err.(*Error); ok && t.ctx.Err() != nil && !exception.panicked { //nolint:errorlint // a panic must go on
		if errors.Is(exception, cancelledError) {
			return contextError(t.ctx)
		}
		return fmt.Errorf("%w: %w", contextError(t.ctx), err)
	}
	return err
}

// end notes that Python has ended the task.
func (t *Task) end() {
	t.mu.Lock()
	t.ended = true
	if t.unwatch != nil {
		t.unwatch()
	}
	if t.givenUp {
		t.function.lane.gate.addTask(-1)
	}
	t.mu.Unlock()
	close(t.done)
}

// runningTasks holds the tasks that run in Python.
var runningTasks taskTable

type taskTable struct {
	last     atomic.Int64
	mu       sync.Mutex
	byNumber map[int64]*Task

	prepare sync.Once
	failed  error
}

func (t *taskTable) add(task *Task) int64 {
	number := t.last.Add(1)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byNumber == nil {
		t.byNumber = map[int64]*Task{}
	}
	t.byNumber[number] = task
	return number
}

func (t *taskTable) remove(number int64) *Task {
	t.mu.Lock()
	defer t.mu.Unlock()
	task := t.byNumber[number]
	delete(t.byNumber, number)
	return task
}

// origin returns the lane and the context of a task; those of none if the task has ended, or the number is 0.
func (t *taskTable) origin(in *Interpreter, number int64) (*lane, context.Context) {
	if number != 0 {
		t.mu.Lock()
		defer t.mu.Unlock()
		if task := t.byNumber[number]; task != nil {
			return task.function.lane, task.ctx
		}
	}
	return in.lane, context.Background()
}

// list returns the tasks by their numbers.
func (t *taskTable) list() []*Task {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.SortedFunc(maps.Values(t.byNumber), func(a, b *Task) int { return cmp.Compare(a.number, b.number) })
}

// prepareTasks gives Python the function that hears of the end of a task.
func (l *lane) prepareTasks() error {
	runningTasks.prepare.Do(func() {
		finished := internalFunction(func(number int64) {
			if task := runningTasks.remove(number); task != nil {
				task.end()
			}
		}, "finished")
		finished.onThread = true
		runningTasks.failed = discarded(l.apply("gophersnake.tasks:install", finished))
	})
	return runningTasks.failed
}

// Async makes a function one that Python awaits: a call starts it on a goroutine of its own and returns a future of the
// running asyncio loop, which goes on meanwhile. Cancelling the future ends the function's context. Arguments are
// copied. Errors and panics are raised where the future is awaited.
func Async() FuncOption {
	return funcOption(func(f *hostFunction) error {
		for _, p := range f.parameters {
			if p.typ.Implements(mutableType) {
				return fmt.Errorf("python.Async: want arguments that can be copied, got a parameter of type %v, which is valid during a call only", p.typ)
			}
		}
		f.keeps = true
		take := *f
		take.keeps = true // so that it takes no short cut
		take.call = asyncCalls.take
		take.context, take.variadic, take.keywords = false, false, nil
		take.parameters = []parameter{{typ: reflect.TypeFor[int64]()}}
		plan, err := take.makePlan()
		take.plan, f.take = plan, &take
		return err
	})
}

// NewFunc is a Go function with options, for use as an argument or a result, where a function itself has none:
// NewFunc(fetch, python.Async()). With [OnThread] it may not call a `next` of [iter.Pull] that was made elsewhere.
func NewFunc(function any, options ...FuncOption) ToPython { return newFunc{function, options} }

type newFunc struct {
	function any
	options  []FuncOption
}

// ToPython implements [ToPython].
func (n newFunc) ToPython() (any, error) { return newHostFunction(n.function, "", "go", n.options) }

// startFunction is the part of a function with [Async] that starts a call.
type startFunction hostFunction

// asyncCalls holds the calls of functions with [Async] that Python has not taken the result of.
var asyncCalls asyncTable

type asyncTable struct {
	last     int64
	mu       sync.Mutex
	byNumber map[int64]*asyncCall
}

type asyncCall struct {
	cancel           context.CancelFunc
	out              []reflect.Value
	how              *ending
	ended, forgotten bool
}

// start calls the function on a goroutine of its own and returns the number of the call.
func (t *asyncTable) start(ctx context.Context, f *hostFunction, arguments []reflect.Value) int64 {
	ctx, cancel := context.WithCancel(ctx)
	c := &asyncCall{cancel: cancel}
	t.mu.Lock()
	t.last++
	number := t.last
	if t.byNumber == nil {
		t.byNumber = map[int64]*asyncCall{}
	}
	t.byNumber[number] = c
	t.mu.Unlock()
	if f.context {
		arguments = append([]reflect.Value{reflect.ValueOf(ctx)}, arguments...)
	}
	go endingOf(func() { c.out = f.call(arguments) }, func(how *ending) {
		cancel()
		t.mu.Lock()
		c.how, c.ended = how, true
		if c.forgotten {
			delete(t.byNumber, number)
		}
		t.mu.Unlock()
		courier.complete(started.interpreter, number)
	})
	return number
}

// take returns what a call returned, or ends as it has ended.
func (t *asyncTable) take(number []reflect.Value) []reflect.Value {
	t.mu.Lock()
	c := t.byNumber[number[0].Int()]
	delete(t.byNumber, number[0].Int())
	t.mu.Unlock()
	c.how.goOn()
	return c.out
}

// forget ends the context of a call that nobody awaits any more.
func (t *asyncTable) forget(number int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.byNumber[number]
	if c == nil {
		return
	}
	c.cancel()
	if c.forgotten = true; c.ended {
		delete(t.byNumber, number)
	}
}

// courier tells Python what loops are to hear. It takes no slot: the calls that wait for the news may have them all. One
// goroutine brings all news, so that they take one OS thread at most.
var courier courierState

type courierState struct {
	mu                   sync.Mutex
	running              bool
	cancelled, completed []any // numbers of tasks, and of calls with [Async]

	// These are of the goroutine that runs.
	notify unsafe.Pointer
	frame  *frame
}

func (c *courierState) cancel(in *Interpreter, task int64) {
	c.mu.Lock()
	c.cancelled = append(c.cancelled, task)
	c.wake(in)
}

func (c *courierState) complete(in *Interpreter, call int64) {
	c.mu.Lock()
	c.completed = append(c.completed, call)
	c.wake(in)
}

// wake starts the goroutine, if it does not run. The caller has the lock, which it gives back.
func (c *courierState) wake(in *Interpreter) {
	starts := !c.running
	c.running = true
	c.mu.Unlock()
	if starts {
		go c.run(in)
	}
}

func (c *courierState) run(in *Interpreter) {
	for {
		c.mu.Lock()
		cancelled, completed := c.cancelled, c.completed
		c.cancelled, c.completed = nil, nil
		if cancelled == nil && completed == nil {
			c.running = false
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		// It fails after the end of Python, and if memory runs out: there is nobody to tell.
		_ = c.bring(in, cancelled, completed)
	}
}

func (c *courierState) bring(in *Interpreter, cancelled, completed []any) error {
	if c.notify == nil {
		const name = "gophersnake.tasks:notify"
		var pointer *C.snake_function
		if err := copyFailure(C.snake_function_load((*C.uint8_t)(unsafe.StringData(name)), C.size_t(len(name)), 0, &pointer)); err != nil {
			return err
		}
		c.notify = unsafe.Pointer(pointer)
		c.frame = newFrame() // its token is 0: Go functions that run meanwhile belong to no call
	}
	c.frame.ctx = context.Background()
	defer c.frame.reset()
	args, kwargs, err := c.frame.addArguments([]any{cancelled, completed})
	if err != nil {
		return err
	}
	if err := c.frame.invoke(c.notify, args, kwargs, C.SNAKE_WANT_OBJECT, false); err != nil {
		return err
	}
	c.frame.releaseResult()
	return nil
}

// asyncStep is what gophersnake.tasks:next_item returns.
type asyncStep[T any] struct {
	Yields bool
	Item   T
}

// iterateAsync is [Iter] for an asynchronous iterator.
func iterateAsync[T any](ctx context.Context, iterator *Object, options []DecodeOption, yield func(T, error) bool) {
	var none T
	lane := iterator.lane
	defer iterator.Close() //nolint:errcheck // it never fails
	plan, err := planOf(reflect.TypeFor[asyncStep[T]]())
	var next, leave *Function
	if err == nil {
		next, err = lane.coroutineFunction("gophersnake.tasks:next_item")
	}
	if err == nil {
		leave, err = lane.coroutineFunction("gophersnake.tasks:close_iterator")
	}
	if err != nil {
		yield(none, fmt.Errorf("python: %w", err))
		return
	}
	leaves := func() error { return unwrapped(discarded(leave.Call(context.WithoutCancel(ctx), iterator))) }
	left := false
	defer func() {
		if !left {
			_ = leaves() // an exception of a finally block goes to nobody, as where the loop of Python's is left
		}
	}()
	for taken := 0; ; taken++ {
		var more bool
		var item T
		var broken error
		err := next.runAsync(ctx, C.SNAKE_WANT_VALUE, plan, func(frame *frame) (args, kwargs int, err error) {
			return frame.addArguments([]any{iterator})
		}, func(r *C.snake_result) error {
			s := lane.read(r, options)
			s.take() // the head of the tuple
			if err := readNumber(s, &more); err != nil || !more {
				return err
			}
			broken = s.decode(&item)
			return nil
		})
		runtime.KeepAlive(iterator)
		if err == nil && broken != nil {
			err = at(fmt.Sprintf("item %d", taken), broken)
		}
		if err != nil {
			left = true
			goOn(err)
			if closing := leaves(); closing != nil && !errors.Is(closing, ErrClosed) {
				err = fmt.Errorf("%w\nclosing the generator: %w", err, closing)
			}
			yield(none, fmt.Errorf("python: %w", err))
			return
		}
		if !more {
			left = true
			return
		}
		if !yield(item, nil) {
			return
		}
	}
}
