package python

import (
	"context"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// limitedGate is a gate with calls that only take time.
type limitedGate struct {
	*gate
	calls  atomic.Uint64
	inside atomic.Int64 // calls that run
}

func newLimitedGate(slots int) *limitedGate {
	g := &limitedGate{gate: newGate(slots, fromOutside)}
	g.limiter = newLimiter(g.gate, g.calls.Load)
	return g
}

// crowd makes so many goroutines call for so long; a call takes what `takes` says of how many run.
func (g *limitedGate) crowd(t *testing.T, goroutines int, length time.Duration, takes func(running int64) time.Duration) {
	t.Helper()
	end := time.Now().Add(length)
	var callers sync.WaitGroup
	for range goroutines {
		callers.Go(func() {
			for time.Now().Before(end) {
				slot, err := g.enter(context.Background())
				if err != nil {
					t.Error(err)
					return
				}
				g.calls.Add(1)
				time.Sleep(takes(g.inside.Add(1)))
				g.inside.Add(-1)
				g.leave(slot)
			}
		})
	}
	callers.Wait()
}

// best returns the limit that was found.
func (g *limitedGate) best() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.limiter.learned
}

// rest lets the limiter end, without which no bubble of [synctest] does.
func (g *limitedGate) rest() { time.Sleep(2 * endTicks * limiterTick) }

// convoy is how long calls take that get less done the more of them there are.
func convoy(running int64) time.Duration {
	return about(time.Duration(running*(20+running)) * time.Microsecond)
}

// apart is how long calls take that have nothing to do with each other.
func apart(int64) time.Duration { return about(100 * time.Microsecond) }

// about is half to one and a half times as long.
func about(length time.Duration) time.Duration { return length/2 + rand.N(length) }

func TestLimiter(t *testing.T) {
	for _, slots := range []int{2, 8, 70} {
		synctest.Test(t, func(t *testing.T) {
			g := newLimitedGate(slots)
			g.crowd(t, 100, time.Second, convoy)
			if g.best() != 1 {
				t.Errorf("%d slots: calls that hinder each other get %d, want 1", slots, g.best())
			}
			g.crowd(t, 100, 2*time.Second, apart)
			if g.best() != slots {
				t.Errorf("%d slots: calls that do not hinder each other get %d", slots, g.best())
			}
			if slots <= 8 { // where there are many more, one more or less makes no difference that shows
				g.crowd(t, 100, 2*time.Second, func(running int64) time.Duration {
					return apart(running) * time.Duration(max(1, running-1))
				})
				if most := g.best(); most > 2 {
					t.Errorf("%d slots: calls of which two do not hinder each other get %d", slots, most)
				}
			}
			g.rest()
			if limit := g.limited(); limit != slots {
				t.Errorf("%d slots: the limit is %d where nobody waits", slots, limit)
			}
		})
	}
}

// What a limiter has learned does not keep those waiting whom a call waits for.
func TestLimiterOpens(t *testing.T) {
	const slots = 8
	synctest.Test(t, func(t *testing.T) {
		g := newLimitedGate(slots)
		g.crowd(t, 100, time.Second, convoy)
		if g.best() != 1 {
			t.Fatalf("the limit is %d", g.best())
		}
		var all, entered sync.WaitGroup
		entered.Add(slots)
		start := time.Now()
		for range 10 * slots {
			all.Go(func() {
				slot, err := g.enter(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				if g.calls.Add(1); g.inside.Add(1) <= slots {
					entered.Done()
				}
				entered.Wait() // for calls that wait
				g.leave(slot)
			})
		}
		all.Wait()
		if took := time.Since(start); took > 3*limiterTick {
			t.Errorf("calls that waited for each other took %v", took)
		}
		g.rest()
	})
}

// A call that goes on after a Go function, or that such a function makes, gets a slot beyond the limit.
func TestLimiterLetsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := outside
		g := newGate(2, func() origin { return from })
		g.limiter = newLimiter(g, func() uint64 { return 0 })
		g.limiter.isRunning = true // it would open the gate
		first, _ := g.enter(t.Context())
		second, _ := g.enter(t.Context())
		waiter := make(chan int)
		go func() {
			slot, _ := g.enter(t.Context())
			waiter <- slot
		}()
		synctest.Wait()
		g.mu.Lock()
		g.setLimit(1)
		g.mu.Unlock()
		if err := g.suspend(second, true); err != nil {
			t.Fatal(err)
		}
		if g.running() != 1 || g.queued() != 1 {
			t.Fatalf("%d run and %d wait, want 1 and 1", g.running(), g.queued())
		}
		from = fromCall
		nested, err := g.enter(t.Context())
		if err != nil || nested != second {
			t.Fatalf("a call from within got slot %d, %v", nested, err)
		}
		g.leave(nested)
		if again := g.resume(true); again != second {
			t.Errorf("the call goes on with slot %d, want %d", again, second)
		}
		g.leave(first)
		if g.queued() != 1 {
			t.Error("the limit was passed")
		}
		g.leave(second)
		g.leave(<-waiter)
		if g.running() != 0 || g.queued() != 0 {
			t.Errorf("%d run and %d wait at the end", g.running(), g.queued())
		}
		select {
		case <-g.close():
		default:
			t.Error("a closed gate with nobody in it is not idle")
		}
	})
}

// A call is turned away only when all slots are taken and the queue is full.
func TestLimiterBoundsQueue(t *testing.T) {
	const slots, bound = 4, 2
	synctest.Test(t, func(t *testing.T) {
		g := newGate(slots, fromOutside)
		g.maxQueued = bound
		var held []int
		for range slots {
			slot, _ := g.enter(t.Context())
			held = append(held, slot)
		}
		admitted := make(chan int, slots+bound)
		enter := func() {
			slot, err := g.enter(t.Context())
			if err != nil {
				t.Error(err)
			}
			admitted <- slot
		}
		go enter() // so that slots which come back are withheld
		synctest.Wait()
		g.mu.Lock()
		g.setLimit(1)
		g.mu.Unlock()
		for _, slot := range held {
			g.leave(slot)
		}
		for range slots + bound - 1 {
			go enter()
		}
		synctest.Wait()
		if g.running() != slots || g.queued() != bound {
			t.Errorf("%d run and %d wait, want %d and %d", g.running(), g.queued(), slots, bound)
		}
		if _, err := g.enter(t.Context()); err != ErrOverloaded { //nolint:errorlint // as the gate returns it
			t.Errorf("got %v, want ErrOverloaded", err)
		}
		for range slots + bound {
			g.leave(<-admitted)
		}
		if g.running() != 0 || g.queued() != 0 || g.waiting.Load() != 0 {
			t.Errorf("%d run and %d wait at the end", g.running(), g.queued())
		}
	})
}

// Calls beside the queue do not hide that nobody in it is let in.
func TestLimiterSeesQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newLimitedGate(4)
		g.crowd(t, 100, time.Second, convoy)
		g.rest()
		first, _ := g.enter(t.Context())
		var slots []int
		for range 3 {
			slot, _ := g.enter(t.Context())
			slots = append(slots, slot)
		}
		second := make(chan int)
		go func() {
			slot, _ := g.enter(t.Context())
			second <- slot
		}()
		synctest.Wait() // the limiter has begun, with a limit of one
		for _, slot := range slots[:2] {
			g.leave(slot)
		}
		if g.running() != 2 || g.queued() != 1 {
			t.Fatalf("%d run and %d wait", g.running(), g.queued())
		}
		done := make(chan struct{})
		go func() {
			for !closedNow(done) {
				g.calls.Add(100) // those of threads that Python has started
				time.Sleep(time.Millisecond)
			}
		}()
		start := time.Now()
		slot := <-second
		close(done)
		if took := time.Since(start); took > (stuckTicks+1)*limiterTick {
			t.Errorf("a call got its turn after %v", took)
		}
		for _, slot := range []int{first, slots[2], slot} {
			g.leave(slot)
		}
		g.rest()
	})
}

func TestLimitedGateCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newLimitedGate(4)
		g.crowd(t, 100, time.Second, convoy)
		failed := make(chan error, 100)
		for range cap(failed) {
			go func() {
				slot, err := g.enter(t.Context())
				if err == nil {
					time.Sleep(time.Millisecond)
					g.leave(slot)
				}
				failed <- err
			}()
		}
		synctest.Wait()
		if g.running() != 1 {
			t.Errorf("%d run, want 1", g.running())
		}
		<-g.close()
		ran := 0
		for range cap(failed) {
			if err := <-failed; err == nil {
				ran++
			} else if err != ErrClosed { //nolint:errorlint // as the gate returns it
				t.Error(err)
			}
		}
		if ran == 0 || g.running() != 0 || g.queued() != 0 {
			t.Errorf("%d ran, %d run, %d wait", ran, g.running(), g.queued())
		}
		g.rest()
	})
}

// Limits that change all the time, and contexts that end: no slot is handed out twice and none is lost.
func TestLimiterRaces(t *testing.T) {
	for _, slots := range []int{2, 3, 66} {
		g := newGate(slots, fromOutside)
		stop := make(chan struct{})
		var limits sync.WaitGroup
		limits.Go(func() {
			for !closedNow(stop) {
				g.mu.Lock()
				g.setLimit(1 + rand.IntN(slots))
				g.mu.Unlock()
				runtime.Gosched()
			}
		})
		visit(t, g)
		close(stop)
		limits.Wait()
		g.mu.Lock()
		g.setLimit(slots)
		g.mu.Unlock()
		for range slots {
			if _, ok := g.take(); !ok {
				t.Errorf("%d slots: one is lost", slots)
			}
		}
	}
}

// Calls of Python that wait for each other get through beside short ones, at a limit that would not let them in.
func TestLimiterBesideBlocked(t *testing.T) {
	const slots = 4
	in := interpreter(t)
	lane := Lane("limited", slots)
	short, read, write := must(in.Func("fixtures:same", lane)), must(in.Func("os:read", lane)), must(in.Func("os:write", lane))
	limit := func() int { return in.Stats().Lanes["limited"].Limit }
	if limit() != slots {
		t.Fatalf("the limit is %d where nobody has waited", limit())
	}
	g := short.lane.gate
	g.mu.Lock()
	g.limiter.learned = 1
	g.mu.Unlock()
	var stop atomic.Bool
	var crowd, readers sync.WaitGroup
	for range 4 * slots {
		crowd.Go(func() {
			for !stop.Load() {
				object, err := short.Call(t.Context(), "x")
				if err != nil {
					t.Error(err)
					return
				}
				_ = object.Close()
			}
		})
	}
	if !eventually(func() bool { return limit() == 1 }) {
		t.Errorf("the limit is %d beside short calls", limit())
	}
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	source, sink := int(from.Fd()), int(to.Fd())
	for range slots - 1 {
		readers.Go(func() {
			if object, err := read.Call(t.Context(), source, 1); err != nil {
				t.Error(err)
			} else {
				_ = object.Close()
			}
		})
	}
	for range slots - 1 {
		object, err := write.Call(t.Context(), sink, []byte("x"))
		if err != nil {
			t.Error(err)
			break
		}
		_ = object.Close()
	}
	readers.Wait()
	stop.Store(true)
	crowd.Wait()
	_, _ = from.Close(), to.Close()
	if !eventually(func() bool { return limit() == slots }) {
		t.Errorf("the limit is %d at the end", limit())
	}
}
