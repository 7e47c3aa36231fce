package python

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// fromOutside says of all calls that no Go function makes them that Python called.
func fromOutside() origin { return outside }

// slotsOf counts the slots of a gate that are not in reserve.
func slotsOf(g *gate) (slots int) {
	for _, word := range g.all[:g.regular] {
		slots += bits.OnesCount64(word)
	}
	return slots
}

func TestGateSlots(t *testing.T) {
	for _, slots := range []int{1, 2, 63, 64, 65, 200} {
		synctest.Test(t, func(t *testing.T) {
			g := newGate(slots, fromOutside)
			taken := map[int]bool{}
			for range slots {
				slot, err := g.enter(t.Context())
				if err != nil || slot < 0 || slot >= slots || taken[slot] {
					t.Fatalf("%d slots: got %d, %v; taken are %v", slots, slot, err, taken)
				}
				taken[slot] = true
			}
			if g.running() != slots {
				t.Errorf("%d run, want %d", g.running(), slots)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := g.enter(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%d slots: one more: %v", slots, err)
			}
			// Each slot that comes back goes to the one who waits.
			for slot := range slots {
				got := make(chan int)
				go func() {
					slot, _ := g.enter(t.Context())
					got <- slot
				}()
				synctest.Wait()
				g.leave(slot)
				if again := <-got; again != slot {
					t.Errorf("got slot %d, want %d", again, slot)
				}
			}
			for slot := range slots {
				g.leave(slot)
			}
			if g.running() != 0 || g.queued() != 0 {
				t.Errorf("%d run and %d wait at the end", g.running(), g.queued())
			}
		})
	}
}

func TestGateIsFirstComeFirstServed(t *testing.T) {
	for _, slots := range []int{1, 3, 70} {
		synctest.Test(t, func(t *testing.T) {
			g := newGate(slots, fromOutside)
			var held []int
			for range slots {
				slot, _ := g.enter(t.Context())
				held = append(held, slot)
			}
			type turn struct{ waiter, slot int }
			const waiters = 200
			turns := make(chan turn, waiters)
			for i := range waiters {
				go func() {
					slot, err := g.enter(t.Context())
					if err != nil {
						t.Error(err)
					}
					turns <- turn{i, slot}
				}()
				synctest.Wait() // it is in the queue now
			}
			if g.queued() != waiters {
				t.Errorf("%d wait, want %d", g.queued(), waiters)
			}
			for want := range waiters {
				g.leave(held[0])
				got := <-turns
				held = append(held[1:], got.slot)
				if got.waiter != want {
					t.Fatalf("%d slots: number %d came as number %d", slots, got.waiter, want)
				}
			}
		})
	}
}

func TestGateContext(t *testing.T) {
	reason := errors.New("the user left")
	for _, row := range []struct {
		name string
		end  func(context.Context) (context.Context, func())
		is   []error
	}{
		{"cancel", func(ctx context.Context) (context.Context, func()) { return context.WithCancel(ctx) }, []error{context.Canceled}},
		{"deadline", func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			return ctx, func() { time.Sleep(2 * time.Second); cancel() }
		}, []error{context.DeadlineExceeded}},
		{"cause", func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithCancelCause(ctx)
			return ctx, func() { cancel(reason) }
		}, []error{context.Canceled, reason}},
		{"cause of a deadline", func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithTimeoutCause(ctx, time.Second, reason)
			return ctx, func() { time.Sleep(2 * time.Second); cancel() }
		}, []error{context.DeadlineExceeded, reason}},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newGate(1, fromOutside)
			slot, _ := g.enter(t.Context())
			ctx, end := row.end(t.Context())
			failed := make(chan error)
			go func() {
				_, err := g.enter(ctx)
				failed <- err
			}()
			synctest.Wait()
			end()
			err := <-failed
			for _, is := range row.is {
				if !errors.Is(err, is) {
					t.Errorf("%s: got %v, want %v", row.name, err, is)
				}
			}
			if g.queued() != 0 {
				t.Errorf("%s: %d wait", row.name, g.queued())
			}
			// The slot does not go to the one who left.
			g.leave(slot)
			if slot, err := g.enter(t.Context()); err != nil {
				t.Errorf("%s: %v", row.name, err)
			} else {
				g.leave(slot)
			}
			if _, err := g.enter(ctx); !errors.Is(err, row.is[0]) {
				t.Errorf("%s: with room: got %v, want %v", row.name, err, row.is[0])
			}
		})
	}
}

func TestGateClose(t *testing.T) {
	for _, slots := range []int{1, 2, 70} {
		for _, running := range []int{0, 1, slots} {
			synctest.Test(t, func(t *testing.T) {
				g := newGate(slots, fromOutside)
				var held []int
				for range running {
					slot, _ := g.enter(t.Context())
					held = append(held, slot)
				}
				turnedAway := make(chan error, 10)
				waiters := 0
				if running == slots {
					waiters = cap(turnedAway)
				}
				for range waiters {
					go func() {
						_, err := g.enter(t.Context())
						turnedAway <- err
					}()
				}
				synctest.Wait()
				idle := g.close()
				for range waiters {
					if err := <-turnedAway; !errors.Is(err, ErrClosed) {
						t.Errorf("got %v, want ErrClosed", err)
					}
				}
				if _, err := g.enter(t.Context()); !errors.Is(err, ErrClosed) {
					t.Errorf("got %v, want ErrClosed", err)
				}
				if g.close() != idle {
					t.Error("closing again gives another channel")
				}
				for left, slot := range held {
					if closedNow(idle) {
						t.Errorf("%d slots: idle while %d run", slots, running-left)
					}
					if got := g.running(); got != running-left {
						t.Errorf("%d slots: %d run after close, want %d", slots, got, running-left)
					}
					g.leave(slot)
				}
				if !closedNow(idle) {
					t.Errorf("%d slots: not idle when all have left", slots)
				}
				if got := g.running(); got != 0 {
					t.Errorf("%d slots: %d run when all have left", slots, got)
				}
			})
		}
	}
}

func closedNow(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// visit has many goroutines enter and leave, whose contexts end at any time. No slot may be handed out twice, and none be left
// taken.
func visit(t *testing.T, g *gate) {
	t.Helper()
	owners := make([]atomic.Bool, g.slots)
	var visitors sync.WaitGroup
	for range 200 {
		visitors.Go(func() {
			for range 200 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.IntN(200))*time.Microsecond)
				if slot, err := g.enter(ctx); err == nil {
					if owners[slot].Swap(true) {
						t.Error("a slot has two owners")
					}
					runtime.Gosched()
					owners[slot].Store(false)
					g.leave(slot)
				}
				cancel()
			}
		})
	}
	visitors.Wait()
	if g.running() != 0 || g.queued() != 0 {
		t.Errorf("%d slots: %d run and %d wait at the end", g.slots, g.running(), g.queued())
	}
}

// Contexts that end while slots come back: no slot is handed out twice and none is lost.
func TestGateRaces(t *testing.T) {
	for _, slots := range []int{1, 3, 66} {
		visit(t, newGate(slots, fromOutside))
	}
}

// What is retired is not freed while a call has it that looked, in its slot, whether it is closed.
func TestGateRetireRaces(t *testing.T) {
	type thing struct{ closed, freed atomic.Bool }
	for _, slots := range []int{1, 2, 66} {
		g := newGate(slots, fromOutside)
		var current atomic.Pointer[thing]
		current.Store(new(thing))
		var stop atomic.Bool
		var users, closer sync.WaitGroup
		for range 32 {
			users.Go(func() {
				for range 3000 {
					slot, err := g.enter(context.Background())
					if err != nil {
						t.Error(err)
						return
					}
					if used := current.Load(); !used.closed.Load() {
						runtime.Gosched()
						if used.freed.Load() {
							t.Errorf("%d slots: freed beside a call that uses it", slots)
							stop.Store(true)
						}
					}
					g.leave(slot)
					if stop.Load() {
						return
					}
				}
			})
		}
		var retired []*thing
		ended := make(chan struct{})
		closer.Go(func() {
			for !closedNow(ended) {
				old := current.Swap(new(thing))
				old.closed.Store(true)
				g.retire(func() { old.freed.Store(true) })
				retired = append(retired, old)
				runtime.Gosched()
			}
		})
		users.Wait()
		close(ended)
		closer.Wait()
		if slices.ContainsFunc(retired, func(r *thing) bool { return !r.freed.Load() }) {
			t.Errorf("%d slots: something is not freed although no call runs", slots)
		}
	}
}

func TestManyGoroutines(t *testing.T) {
	for _, env := range [][]string{{"GOMAXPROCS=1"}, {"GOMAXPROCS=2"}, {"GOMAXPROCS=8"}, {"TEST_SLOTS=1"}, {"TEST_SLOTS=100"}} {
		passScenario(t, "64 goroutines", env...)
	}
}

// 64 goroutines call different functions, and each checks its own results.
var _ = scenario("64 goroutines", func() {
	slots, _ := strconv.Atoi(os.Getenv("TEST_SLOTS"))
	in := must(Start(Config{Path: []string{testdata}, MaxConcurrent: slots}))
	double := must(Bind[func(context.Context, []float64) ([]float64, error)](in, "fixtures:doubled"))
	failing := must(Bind[func(context.Context, []float64) error](in, "fixtures:fail_with"))
	written := must(in.Func("fixtures:written"))
	before := osThreads()
	var callers sync.WaitGroup
	for i := range 64 {
		callers.Go(func() {
			ctx := context.Background()
			for j := range 200 {
				data := []float64{float64(i), float64(j)}
				if got := must(double(ctx, data)); !slices.Equal(got, []float64{float64(2 * i), float64(2 * j)}) {
					fail("got %v for %v", got, data)
				}
				if j%20 == 0 {
					if err := failing(ctx, data); !errors.Is(err, ValueError) {
						fail("got %v, want a ValueError", err)
					}
				}
				object := must(written.Call(ctx, i, KW{"j": j}))
				if got, want := must(As[string](object)), fmt.Sprintf("((%d,), {'j': %d})", i, j); got != want {
					fail("got %s, want %s", got, want)
				}
				check(object.Close())
			}
		})
	}
	checkThreads(in, before, mostThreads(&callers))
})

func TestElevenThousandGoroutines(t *testing.T) {
	for _, processors := range []string{"2", "8"} {
		passScenario(t, "11,000 goroutines", "GOMAXPROCS="+processors)
	}
}

var _ = scenario("11,000 goroutines", func() {
	in := start()
	sum := must(Bind[func(context.Context, []int) (int, error)](in, "numpy:sum"))
	must(sum(context.Background(), []int{1}))
	text := must(in.Func("builtins:str"))
	reader, writer, err := os.Pipe()
	check(err)
	defer reader.Close() // the call has only its number
	before := osThreads()
	long := make(chan error)
	go func() { long <- run(in, "os:read", int(reader.Fd()), 1) }()
	if !eventually(func() bool { return in.Stats().Running == 1 }) {
		fail("the long call did not start: %+v", in.Stats())
	}
	var begin, callers sync.WaitGroup
	begin.Add(1)
	for i := range repetitions(11_000) {
		callers.Go(func() {
			begin.Wait()
			if got := must(sum(context.Background(), []int{i, 1, 2})); got != i+3 {
				fail("got %d, want %d", got, i+3)
			}
			object := must(text.Call(context.Background(), i))
			if got := must(As[string](object)); got != strconv.Itoa(i) {
				fail("got %s, want %d", got, i)
			}
			check(object.Close())
		})
	}
	begin.Done()
	most := mostThreads(&callers)
	if stats := in.Stats(); stats.Running != 1 {
		fail("the long call is not running any more: %+v", stats)
	}
	_, err = writer.WriteString("x")
	check(err)
	check(<-long)
	checkThreads(in, before, max(most, osThreads()))
})

// mostThreads waits for the callers, and returns how many OS threads there were at most.
func mostThreads(callers *sync.WaitGroup) int {
	finished := make(chan struct{})
	go func() { callers.Wait(); close(finished) }()
	most := osThreads()
	for {
		select {
		case <-finished:
			return max(most, osThreads())
		case <-time.After(time.Millisecond):
			most = max(most, osThreads())
		}
	}
}

// checkThreads ends a scenario that has made more OS threads than calls may run at a time, with some for Go's own use.
func checkThreads(in *Interpreter, before, most int) {
	if bound := before + slotsOf(in.gate) + 12; most > bound {
		fail("%d OS threads, want at most %d", most, bound)
	}
	if got := in.Stats().Threads; got > most {
		fail("%d thread states for %d OS threads", got, most)
	}
}

// osThreads returns how many OS threads this process has.
func osThreads() int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	_, rest, _ := strings.Cut(string(status), "\nThreads:")
	number, _, _ := strings.Cut(rest, "\n")
	threads, err := strconv.Atoi(strings.TrimSpace(number))
	if err != nil {
		panic(err)
	}
	return threads
}

// Calls after a shutdown, and those that waited for their turn meanwhile, get ErrClosed; running ones end.
func TestCallsAfterShutdown(t *testing.T) { passScenario(t, "calls after shutdown", "GOMAXPROCS=1") }

var _ = scenario("calls after shutdown", func() {
	in := start()
	length := must(in.Func("builtins:len"))
	object := must(length.Call(context.Background(), "abc"))
	reader, writer, err := os.Pipe()
	check(err)
	defer reader.Close() // the call has only its number
	running, waiting := make(chan error), make(chan error, 5)
	read := must(in.Func("os:read"))
	go func() {
		_, err := read.Call(context.Background(), int(reader.Fd()), 1)
		running <- err
	}()
	eventually(func() bool { return in.Stats().Running == 1 })
	for range cap(waiting) {
		go func() {
			_, err := length.Call(context.Background(), "abc")
			waiting <- err
		}()
	}
	eventually(func() bool { return in.Stats().Waiting == cap(waiting) })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := in.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		fail("got %v, want that a call still runs", err)
	}
	for range cap(waiting) {
		if err := <-waiting; !errors.Is(err, ErrClosed) {
			fail("a waiting call: got %v, want ErrClosed", err)
		}
	}
	_, err = writer.WriteString("x")
	check(err)
	check(<-running)
	check(in.Shutdown(context.Background()))
	for name, call := range map[string]func() error{
		"Call": func() error { _, err := length.Call(context.Background(), "abc"); return err },
		"As":   func() error { _, err := As[int](object); return err },
		"Func": func() error { _, err := in.Func("builtins:len"); return err },
		"Bind": func() error { _, err := Bind[func()](in, "builtins:len"); return err },
	} {
		if err := call(); !errors.Is(err, ErrClosed) {
			fail("%s: got %v, want ErrClosed", name, err)
		}
	}
	check(object.Close())
	check(length.Close())
	if stats := in.Stats(); stats.Running != 0 || stats.Waiting != 0 {
		fail("after the shutdown: %+v", stats)
	}
})

func never() bool { return false }

// What is retired does not wait for a call that has references of its own, with a slot or without, also if it settles later.
func TestGateRetiresBesideSettled(t *testing.T) {
	g := newGate(3, func() origin { return outside })
	settled := map[int]bool{}
	g.settled = func(slot int) bool { return settled[slot] }
	long, _ := g.enter(context.Background())
	given, _ := g.enter(context.Background())
	g.abandon(given, func() bool { return true }, func() {})
	settled[long] = true
	freed := 0
	free := func() { freed++ }
	g.retire(free)
	if freed != 1 {
		t.Fatal("waits for calls that have settled")
	}
	late, _ := g.enter(context.Background())
	short, _ := g.enter(context.Background())
	g.retire(free)
	if freed != 1 {
		t.Fatal("freed while a call may use it")
	}
	settled[late] = true
	g.leave(short)
	if freed != 2 {
		t.Fatal("waits for a call that has settled since")
	}
}

// What is retired waits for a call that was abandoned, and for no other one that was.
func TestGateRetiresBehindAbandoned(t *testing.T) {
	g := newGate(2, func() origin { return outside })
	first, _ := g.enter(context.Background())
	freed := false
	early := g.abandon(first, never, func() {})
	g.retire(func() { freed = true })
	second, _ := g.enter(context.Background())
	late := g.abandon(second, never, func() {})
	g.forget(late)
	if freed {
		t.Fatal("freed while a call may use it")
	}
	g.forget(early)
	if !freed {
		t.Fatal("not freed after the last call that may use it")
	}
	third, _ := g.enter(context.Background())
	freed = false
	g.retire(func() { freed = true })
	number := g.abandon(third, never, func() {})
	if freed {
		t.Fatal("freed while the call goes on that had a slot")
	}
	g.forget(number)
	if !freed {
		t.Fatal("not freed when that call has ended")
	}
	select {
	case <-g.close():
	default:
		t.Error("an empty gate is not idle")
	}
}

// As many calls as the bound says give up their slot when they are abandoned. Further ones keep theirs until they end, so that
// the threads are bounded; what is retired does not wait for them longer than for others.
func TestGateBoundsAbandoned(t *testing.T) {
	g := newGate(3, fromOutside)
	g.maxStuck = 2
	settled := map[int]bool{}
	g.settled = func(slot int) bool { return settled[slot] }
	type call struct {
		number uint64
		slot   int
		gave   bool
	}
	var calls []call
	for range 3 {
		slot, _ := g.enter(context.Background())
		calls = append(calls, call{slot: slot})
	}
	for i := range calls {
		c := &calls[i]
		c.number = g.abandon(c.slot, func() bool { return true }, func() { c.gave = true })
		if want := i < 2; c.gave != want || g.full.Load() != (i > 0) || g.stuck() != i+1 {
			t.Fatalf("call %d: it gave its slot up: %v; full: %v; %d are stuck", i, c.gave, g.full.Load(), g.stuck())
		}
	}
	if g.running() != 1 {
		t.Errorf("%d slots are taken, want that of the last call", g.running())
	}
	freed := 0
	g.retire(func() { freed++ })
	if freed != 0 {
		t.Error("freed while the call may use it that kept its slot")
	}
	settled[calls[2].slot] = true
	g.retire(func() { freed++ })
	if freed != 1 {
		t.Error("waits for a call that has settled")
	}
	idle := g.close()
	for _, i := range []int{2, 0, 1} {
		select {
		case <-idle:
			t.Error("idle while calls run")
		default:
		}
		g.forget(calls[i].number)
	}
	if freed != 2 || g.full.Load() || g.stuck() != 0 || g.running() != 0 {
		t.Errorf("%d freed, full: %v, %d stuck, %d running", freed, g.full.Load(), g.stuck(), g.running())
	}
	<-idle
}
