package python

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// blockedCalls is calls of os.read that do not return, and release the GIL.
type blockedCalls struct {
	read           *Function
	reader, writer *os.File
	calls          sync.WaitGroup
}

func block(in *Interpreter, n int, options ...CallOption) *blockedCalls {
	b := &blockedCalls{read: must(in.Func("os:read", options...))}
	var err error
	b.reader, b.writer, err = os.Pipe()
	check(err)
	descriptor := int(b.reader.Fd())
	for range n {
		b.calls.Go(func() {
			object, err := b.read.Call(context.Background(), descriptor, 1)
			if errors.Is(err, ErrClosed) {
				return // it was closed while the call waited
			}
			check(err)
			check(object.Close())
		})
	}
	return b
}

// end lets the calls return.
func (b *blockedCalls) end() {
	check(b.writer.Close())
	b.calls.Wait()
	check(b.reader.Close())
	check(b.read.Close())
}

// wantCalls waits until so many calls run and wait.
func wantCalls(in *Interpreter, running, waiting int) {
	if !eventually(func() bool { s := in.Stats(); return s.Running == running && s.Waiting == waiting }) {
		fail("want %d running and %d waiting, got %+v", running, waiting, in.Stats())
	}
}

// Past the bound of the queue, calls are turned away at once, and those that wait go on.
func TestMaxQueued(t *testing.T) { passScenario(t, "max queued") }

var _ = scenario("max queued", func() {
	in := must(Start(Config{Path: []string{testdata}, MaxConcurrent: 2, MaxQueued: 3}))
	length := must(in.Func("builtins:len"))
	call := must(in.Func("operator:call"))
	for range 3 {
		held := block(in, 5)
		wantCalls(in, 2, 3)
		_, err := length.Call(context.Background(), "abc")
		if !errors.Is(err, ErrOverloaded) || !strings.Contains(err.Error(), "2 calls run and 3 wait") || !strings.Contains(err.Error(), "Config.MaxQueued") {
			fail("got %v", err)
		}
		wantCalls(in, 2, 3)
		held.end()
		wantCalls(in, 0, 0)
		check(must(length.Call(context.Background(), "abc")).Close())
	}
	// A call from within a Go function has been let in already.
	var held *blockedCalls
	got := must(call.Call(context.Background(), func(ctx context.Context) (int, error) {
		held = block(in, 5)
		wantCalls(in, 2, 3)
		time.AfterFunc(50*time.Millisecond, held.end)
		object, err := length.Call(ctx, "abcd")
		if err != nil {
			return 0, err
		}
		return As[int](object)
	}))
	if n := must(As[int](got)); n != 4 {
		fail("got %d", n)
	}
	held.calls.Wait()
	if n := in.Stats().Errors["ErrOverloaded"]; n != 3 {
		fail("%d calls were turned away, want 3", n)
	}
	check(in.Shutdown(context.Background()))
})

// slowArgument is an argument that a function makes.
type slowArgument func() any

func (s slowArgument) ToPython() (any, error) { return s(), nil }

// What belongs to a call that was let in waits, however full the queue is.
func TestMaxQueuedLetsFinish(t *testing.T) { passScenario(t, "max queued lets finish") }

var _ = scenario("max queued lets finish", func() {
	in := must(Start(Config{Path: []string{testdata}, MaxConcurrent: 1, MaxQueued: -1}))
	ctx := context.Background()
	same := must(in.Func("fixtures:same"))
	sleep := must(in.Func("asyncio:sleep"))
	list := must(must(in.Func("builtins:list")).Call(ctx, []int{1, 2, 3}))
	read := must(in.Func("os:read"))
	// occupied takes the slot until the function that it returns is called.
	occupied := func() (leave func()) {
		reader, writer, err := os.Pipe()
		check(err)
		go func() {
			object, err := read.Call(admitted, int(reader.Fd()), 1)
			check(err)
			check(object.Close())
			check(reader.Close())
		}()
		if !eventually(func() bool { s := in.Stats(); return s.Running+s.Waiting > 0 }) {
			fail("the call does not begin")
		}
		return func() { check(writer.Close()) }
	}
	// occupiedForAMoment takes the slot, and leaves it for the call that waits for it.
	occupiedForAMoment := func() {
		leave := occupied()
		go func() {
			for end := time.Now().Add(time.Second); in.Stats().Waiting == 0 && time.Now().Before(end); {
				time.Sleep(time.Millisecond)
			}
			leave()
		}()
	}
	refusals := map[string]func() error{
		"Call":   func() error { return discarded(same.Call(ctx, 1)) },
		"Map":    func() error { _, err := Map[int](ctx, same, []int{1}); return err },
		"Method": func() error { return discarded(list.Method(ctx, "copy")) },
		"Iter": func() error {
			for _, err := range list.Iter() {
				return err
			}
			return nil
		},
		"coroutine": func() error { return discarded(sleep.Call(ctx, 0)) },
		"Go":        func() error { _, err := sleep.Go(ctx, 0).Wait(ctx); return err },
	}
	for name, refused := range refusals {
		if err := refused(); err != nil { // this package loads functions of its own
			fail("%s: %v", name, err)
		}
		leave := occupied()
		if err := refused(); !errors.Is(err, ErrOverloaded) {
			fail("%s: got %v", name, err)
		}
		leave()
		wantCalls(in, 0, 0)
	}
	task := sleep.Go(ctx, 0, "slept")
	<-task.Done()
	occupiedForAMoment()
	if got := must(As[string](must(task.Wait(ctx)))); got != "slept" {
		fail("got %s", got)
	}
	occupiedForAMoment()
	if got := must(As[[]int](list)); len(got) != 3 {
		fail("got %v", got)
	}
	occupiedForAMoment()
	check(must(list.Attr("append")).Close())
	occupiedForAMoment()
	check(must(in.Func("math:sqrt")).Close())
	sum := 0
	for item, err := range Iter[int](ctx, list) {
		check(err)
		sum += item
		occupiedForAMoment()
	}
	wantCalls(in, 0, 0)
	inputs := make([]any, 2*maxBatch)
	for i := range inputs {
		inputs[i] = i
	}
	inputs[maxBatch-1] = slowArgument(func() any { occupiedForAMoment(); return maxBatch - 1 })
	for i, got := range must(Map[int](ctx, same, inputs)) {
		if got != i {
			fail("input %d: got %d", i, got)
		}
	}
	if sum != 6 {
		fail("the items have the sum %d", sum)
	}
})

func TestGateMaxQueued(t *testing.T) {
	for _, bound := range []int{-1, 1, 5} {
		synctest.Test(t, func(t *testing.T) {
			g := newGate(1, fromOutside)
			g.maxQueued = bound
			slot, _ := g.enter(t.Context())
			var served atomic.Int64
			waiters := max(bound, 0)
			for range waiters {
				go func() {
					slot, err := g.enter(t.Context())
					if err == nil {
						served.Add(1)
						g.leave(slot)
					}
				}()
			}
			synctest.Wait()
			for range 3 {
				if _, err := g.enter(t.Context()); err != ErrOverloaded { //nolint:errorlint // exactly this one
					t.Errorf("bound %d: got %v", bound, err)
				}
			}
			g.leave(slot)
			synctest.Wait()
			if int(served.Load()) != waiters || g.waiting.Load() != 0 || g.running() != 0 {
				t.Errorf("bound %d: %d were served, %d wait, %d run", bound, served.Load(), g.waiting.Load(), g.running())
			}
		})
	}
}

// settled counts the calls that have references of their own.
func settled(in *Interpreter) (calls int) {
	for _, l := range in.lanes() {
		for i := range l.frames {
			if f := l.frames[i].Load(); f != nil && f.isSettled() {
				calls++
			}
		}
	}
	return calls
}

// Functions in a lane do not take the slots of the others, nor those of the other lanes.
func TestLane(t *testing.T) { passScenario(t, "lanes") }

var _ = scenario("lanes", func() {
	in := must(Start(Config{Path: []string{testdata}, MaxConcurrent: 1}))
	ctx := context.Background()
	if got := in.Stats().Lanes; got != nil {
		fail("lanes: %v", got)
	}
	wide, narrow := Lane("wide", 70), Lane("narrow", 1).MaxQueued(2)
	slow, one := block(in, 75, wide), block(in, 3, narrow)
	wantCalls(in, 71, 7)
	for name, want := range map[string]LaneStats{"wide": {Slots: 70, Running: 70, Waiting: 5, Limit: 70}, "narrow": {Slots: 1, Running: 1, Waiting: 2, Limit: 1}} {
		if got := in.Stats().Lanes[name]; got != want {
			fail("%s: got %+v, want %+v", name, got, want)
		}
	}
	if _, err := one.read.Call(ctx, 0, 1); !errors.Is(err, ErrOverloaded) || !strings.Contains(err.Error(), `python.Lane("narrow", 1).MaxQueued`) {
		fail("got %v", err)
	}
	until(func() bool { return settled(in) == 71 })
	// The other lanes go on.
	length := must(Bind[func(context.Context, string) (int, error)](in, "builtins:len", AllowUnknown, Lane("third", 2)))
	plain := must(Bind[func(context.Context, string) (int, error)](in, "builtins:len"))
	sum := must(Bind[func(context.Context, []float64) (float64, error)](in, "numpy:sum", Lane("third", 2)))
	for range 200 {
		if must(length(ctx, "abc")) != 3 || must(plain(ctx, "ab")) != 2 || must(sum(ctx, []float64{1, 2})) != 3 {
			fail("wrong results")
		}
	}
	// A function that was closed is given back although calls of it run in a lane: these have references of their own.
	objects := in.Stats().Objects
	check(slow.read.Close())
	check(one.read.Close())
	for range 50 {
		must(plain(ctx, "x"))
		must(length(ctx, "x"))
	}
	if got := in.Stats().Objects; got > objects-2 { // Go may have collected what is not used any more
		fail("%d objects, want %d: calls that run keep a closed function", got, objects-2)
	}
	slow.end()
	one.end()
	wantCalls(in, 0, 0)
	must(plain(ctx, "x"))
	must(plain(ctx, "x")) // gives back what the last one found
	if got := in.Stats().Objects; got > objects-2 {
		fail("%d objects, want %d: without slow and one", got, objects-2)
	}
	// Nested: each call takes its slot again in its own lane.
	call := must(in.Func("operator:call", narrow))
	object := must(call.Call(ctx, func(ctx context.Context) (int, error) {
		if got := in.Stats(); got.Running != 0 {
			fail("the slot is not given up: %+v", got)
		}
		inner, err := call.Call(ctx, func() int { return must(plain(ctx, "xyz")) })
		if err != nil {
			return 0, err
		}
		return As[int](inner)
	}))
	if got := must(As[int](object)); got != 3 {
		fail("got %d", got)
	}
	if got := must(Map[int](ctx, call, []Arguments{{func() int { return 5 }}})); len(got) != 1 || got[0] != 5 {
		fail("got %v", got)
	}
	for _, bad := range []LaneOption{Lane("wide", 71), Lane("wide", 70).MaxQueued(1), Lane("", 1), Lane("x", 0), Lane("x", 4000)} {
		if _, err := in.Func("builtins:len", bad); err == nil || !strings.Contains(err.Error(), "python.Lane(") {
			fail("%+v: got %v", bad, err)
		}
	}
	// A cancelled call that does not end leaves its lane.
	stuck := block(in, 0, narrow)
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	_, err := stuck.read.Call(short, int(stuck.reader.Fd()), 1)
	if !errors.Is(err, context.DeadlineExceeded) {
		fail("got %v", err)
	}
	stuck.end()
	// Shutdown waits for the calls in all lanes, and turns away whoever waits.
	last := block(in, 1, Lane("last", 1))
	wantCalls(in, 1, 0)
	short, cancel = context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if err := in.Shutdown(short); !errors.Is(err, context.DeadlineExceeded) {
		fail("Shutdown: %v", err)
	}
	if _, err := in.Func("builtins:len", Lane("new", 1)); !errors.Is(err, ErrClosed) {
		fail("got %v", err)
	}
	last.end()
	check(in.Shutdown(ctx))
})

// Many goroutines call, close and are cancelled in several lanes at once.
func TestLaneRaces(t *testing.T) {
	in := interpreter(t)
	_ = run(in, "builtins:len", "x") // loads what stays
	before := in.Stats().Objects
	lanes := [][]CallOption{nil, {Lane("race 1", 1)}, {Lane("race 2", 3)}, {Lane("race 3", 65)}}
	var callers sync.WaitGroup
	for i := range 16 {
		callers.Go(func() {
			for j := range 50 {
				f, err := in.Func("fixtures:same", lanes[(i+j)%len(lanes)]...)
				if err != nil {
					t.Error(err)
					return
				}
				var calls sync.WaitGroup
				for range 2 {
					calls.Go(func() {
						object, err := f.Call(context.Background(), "x")
						if errors.Is(err, ErrClosed) {
							return
						}
						if err != nil {
							t.Error(err)
							return
						}
						_ = object.Close()
					})
				}
				_ = f.Close()
				calls.Wait()
			}
		})
	}
	callers.Wait()
	_ = run(in, "builtins:len", "x")
	if !eventually(func() bool { _ = run(in, "builtins:len", "x"); return in.Stats().Objects <= before }) {
		t.Errorf("%d objects, want %d", in.Stats().Objects, before)
	}
	if s := in.Stats(); s.Running != 0 || s.Waiting != 0 {
		t.Errorf("got %+v", s)
	}
}

func TestSwitchInterval(t *testing.T) { passScenario(t, "switch interval") }

var _ = scenario("switch interval", func() {
	if _, err := Start(Config{SwitchInterval: -1}); err == nil || !strings.Contains(err.Error(), "Config.SwitchInterval") {
		fail("got %v", err)
	}
	in := must(Start(Config{SwitchInterval: 500 * time.Microsecond}))
	if got := must(evaluate[float64](in, "sys:getswitchinterval")); got != 0.0005 {
		fail("got %v", got)
	}
})

// Go functions that Python calls may call into any lane, from where they run and from threads, while all slots are wanted.
func TestLaneNested(t *testing.T) { passScenario(t, "nested lanes") }

var _ = scenario("nested lanes", func() {
	in := must(Start(Config{Path: []string{testdata}, MaxConcurrent: 1, MaxQueued: 40}))
	ctx := context.Background()
	options := [][]CallOption{nil, {Lane("a", 1).MaxQueued(40)}, {Lane("b", 1).MaxQueued(40)}}
	var executes []*Function
	for _, o := range options {
		executes = append(executes, must(in.Func("callbacks:execute", o...)))
	}
	// A call in one lane, from within it one in the next, and so on; every other one on a thread of Python's that it waits for.
	sources := []string{
		"result = f(n) + 1",
		"import threading\nr = []\nt = threading.Thread(target=lambda: r.append(f(n)))\nt.start()\nt.join()\nresult = r[0] + 1",
	}
	var down func(ctx context.Context, lane, n int) (int, error)
	down = func(ctx context.Context, lane, n int) (int, error) {
		if n == 0 {
			return 0, nil
		}
		object, err := executes[lane%len(executes)].Call(ctx, sources[n%2], KW{
			"n": n, "f": func(ctx context.Context, n int) (int, error) { return down(ctx, lane+1, n-1) },
		})
		if err != nil {
			return 0, err
		}
		return As[int](object)
	}
	const depth, callers = 6, 30
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			for range 3 {
				if got := must(down(ctx, i, depth)); got != depth {
					fail("got %d", got)
				}
			}
		})
	}
	all.Wait()
	wantCalls(in, 0, 0)
	// Two calls, each with the one slot of its lane, whose functions call into the other's lane at the same time.
	meet := make(chan struct{})
	for i := range 2 {
		all.Go(func() {
			object := must(executes[1+i].Call(ctx, "result = f()", KW{"f": func(ctx context.Context) (int, error) {
				select {
				case meet <- struct{}{}:
				case <-meet:
				}
				return down(ctx, 2-i, 1)
			}}))
			if got := must(As[int](object)); got != 1 {
				fail("got %d", got)
			}
		})
	}
	all.Wait()
	check(in.Shutdown(ctx))
})

// A worker's calls stay on its thread in whatever lane, and a context ends the wait for one.
func TestLaneWorker(t *testing.T) { passScenario(t, "lane and worker") }

var _ = scenario("lane and worker", func() {
	in := must(Start(Config{Path: []string{testdata}, MaxConcurrent: 2}))
	ctx := context.Background()
	narrow := Lane("narrow", 1)
	here, there := must(in.Func("threading:get_ident")), must(in.Func("threading:get_ident", narrow))
	w := in.Worker(ctx)
	working := w.Context(ctx)
	want := must(As[int](must(here.Call(working))))
	for range 20 {
		if got := must(As[int](must(there.Call(working)))); got != want {
			fail("on thread %d, want %d", got, want)
		}
	}
	held := block(in, 3, narrow)
	wantCalls(in, 1, 2)
	for name, ctx := range map[string]context.Context{"plain": ctx, "worker": working} {
		short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		if _, err := there.Call(short); !errors.Is(err, context.DeadlineExceeded) {
			fail("%s: got %v", name, err)
		}
		cancel()
	}
	wantCalls(in, 1, 2)
	// The worker is free again, although it waited at a lane that is full.
	if got := must(As[int](must(here.Call(working)))); got != want {
		fail("on thread %d, want %d", got, want)
	}
	// The end of the worker ends the wait of its call.
	ended := make(chan error)
	go func() { _, err := there.Call(working); ended <- err }()
	wantCalls(in, 1, 3)
	check(w.Close())
	if err := <-ended; !errors.Is(err, ErrClosed) {
		fail("got %v", err)
	}
	held.end()
	wantCalls(in, 0, 0)
})

// A call that is given up leaves its lane, which lets the next one in, and its end is noted.
func TestLaneAbandons(t *testing.T) { passScenario(t, "lane abandons") }

var _ = scenario("lane abandons", func() {
	in := must(Start(Config{Path: []string{testdata}, CancelGrace: 20 * time.Millisecond}))
	narrow := Lane("narrow", 1).MaxQueued(-1)
	blocks := must(in.Func("callbacks:stuck", narrow))
	length := must(in.Func("builtins:len", narrow))
	stuck := newStuckCall()
	late := newDeadline(context.Background())
	go func() { stuck.wait(); late.begin() }()
	if _, err := blocks.Call(late, stuck.begun, stuck.over); !errors.Is(err, ErrStillRunning) {
		fail("got %v", err)
	}
	if s := in.Stats(); s.StillRunning != 1 || s.Lanes["narrow"].Running != 0 {
		fail("got %+v", s)
	}
	check(must(length.Call(context.Background(), "abc")).Close())
	check(blocks.Close())
	short, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := in.Shutdown(short); !errors.Is(err, context.DeadlineExceeded) {
		fail("Shutdown while a call goes on that was given up: %v", err)
	}
	stuck.end()
	check(in.Shutdown(context.Background()))
	if s := in.Stats(); s.StillRunning != 0 {
		fail("got %+v", s)
	}
})

// A call whose Go function does not return either is given up without a slot, and takes none when it goes on.
func TestLaneAbandonsInCallback(t *testing.T) { passScenario(t, "lane abandons in a function") }

var _ = scenario("lane abandons in a function", func() {
	in := must(Start(Config{Path: []string{testdata}, CancelGrace: 20 * time.Millisecond}))
	narrow := Lane("narrow", 1)
	execute := must(in.Func("callbacks:execute", narrow))
	length := must(in.Func("builtins:len", narrow))
	for range 5 {
		release := make(chan struct{})
		late := newDeadline(context.Background())
		_, err := execute.Call(late, "f()\nresult = 1", KW{"f": func() { late.begin(); <-release }})
		if !errors.Is(err, ErrStillRunning) {
			fail("got %v", err)
		}
		// The one slot is there, once.
		held := block(in, 2, narrow)
		wantCalls(in, 1, 1)
		close(release)
		held.end()
		if !eventually(func() bool { return in.Stats().StillRunning == 0 }) {
			fail("got %+v", in.Stats())
		}
		wantCalls(in, 0, 0)
		for range 3 {
			check(must(length.Call(context.Background(), "abc")).Close())
		}
	}
	check(in.Shutdown(context.Background()))
})
