package python

import (
	"container/list"
	"context"
	"fmt"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
)

// gate lets a bounded number of calls into Python at a time. Each has a slot; the others wait as goroutines, and not
// inside cgo, where each would take an OS thread. Those that wait are served in the order in which they came; a
// newcomer may find a slot that has just come back before it is offered to them.
type gate struct {
	slots   int
	free    []atomic.Uint64 // a bit for each free slot
	waiting atomic.Int64    // who has to hear of a slot that comes back: queued goroutines, retirees, and a shutdown
	closed  atomic.Bool
	// suspended counts the calls that have given up their slot while a Go function runs, and come back for one.
	suspended atomic.Int64

	mu        sync.Mutex
	returning list.List // of chan int: suspended calls, which go first and which a closed gate lets in too
	queue     list.List // of chan int, each with room for a slot, or -1 if the gate is closed
	collected []uint64  // a bit for each slot that a closed gate has taken out of use
	idle      chan struct{}
	retired   []retiree
}

// retiree is something that calls may still use which were under way when it was retired.
type retiree struct {
	slots []uint64 // a bit for each slot whose call may
	free  func()
}

func newGate(slots int) *gate {
	g := &gate{slots: slots, free: make([]atomic.Uint64, (slots+63)/64), collected: make([]uint64, (slots+63)/64), idle: make(chan struct{})}
	for slot := range slots {
		g.free[slot/64].Or(1 << (slot % 64))
	}
	return g
}

// enter returns a slot, waiting for one until the context ends. The caller gives it back to [gate.leave].
func (g *gate) enter(ctx context.Context) (int, error) {
	if ctx.Err() != nil {
		return 0, contextError(ctx)
	}
	if g.closed.Load() {
		return 0, ErrClosed
	}
	if slot, ok := g.take(); ok {
		return slot, nil
	}
	return g.wait(ctx)
}

// take takes a free slot, if there is one.
func (g *gate) take() (int, bool) {
	for i := range g.free {
		for free := g.free[i].Load(); free != 0; free = g.free[i].Load() {
			bit := bits.TrailingZeros64(free)
			if g.free[i].CompareAndSwap(free, free&^(1<<bit)) {
				return i*64 + bit, true
			}
		}
	}
	return 0, false
}

func (g *gate) wait(ctx context.Context) (int, error) {
	turn := make(chan int, 1)
	g.mu.Lock()
	if g.closed.Load() {
		g.mu.Unlock()
		return 0, ErrClosed
	}
	place := g.queue.PushBack(turn)
	g.waiting.Add(1)
	// A slot that came back before `waiting` was raised was offered to nobody.
	g.offer()
	g.mu.Unlock()
	slot := -1
	select {
	case slot = <-turn:
		if slot < 0 {
			return 0, ErrClosed
		}
		return slot, nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case slot = <-turn: // it came while the context ended
		if slot >= 0 {
			g.free[slot/64].Or(1 << (slot % 64))
			g.settle(slot)
			g.offer()
		}
	default:
		g.queue.Remove(place)
		g.waiting.Add(-1)
	}
	return 0, contextError(ctx)
}

// leave gives a slot back.
func (g *gate) leave(slot int) {
	g.free[slot/64].Or(1 << (slot % 64))
	if g.waiting.Load() == 0 {
		return
	}
	g.mu.Lock()
	g.settle(slot)
	g.offer()
	g.mu.Unlock()
}

// maxSuspended bounds the calls that are suspended, each of which keeps an OS thread.
const maxSuspended = 1000

// suspend gives the slot of a call back that goes on, for the time until resume.
func (g *gate) suspend(slot int) error {
	if g.suspended.Add(1) > maxSuspended {
		g.suspended.Add(-1)
		return fmt.Errorf("%w: %d calls of Python wait for Go functions that they called", ErrLimit, maxSuspended)
	}
	g.leave(slot)
	return nil
}

// resume takes a slot for a call that was suspended.
func (g *gate) resume() int {
	if slot, ok := g.take(); ok {
		g.suspended.Add(-1)
		return slot
	}
	turn := make(chan int, 1)
	g.mu.Lock()
	for i, word := range g.collected {
		if word != 0 {
			g.collected[i] &= word - 1
			g.suspended.Add(-1)
			g.mu.Unlock()
			return i*64 + bits.TrailingZeros64(word)
		}
	}
	g.returning.PushBack(turn)
	g.waiting.Add(1)
	g.offer()
	g.mu.Unlock()
	return <-turn
}

// abandon gives the slot of a call back that goes on until forget, without anybody who waits for it.
func (g *gate) abandon(slot int) {
	g.suspended.Add(1)
	g.leave(slot)
}

// forget notes that a call has ended that was abandoned.
func (g *gate) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.suspended.Add(-1) == 0 && g.closed.Load() && g.collectedSlots() == g.slots {
		close(g.idle)
	}
}

// retire frees something that nobody takes into use any more, when the calls that run now have ended. So a call does
// not have to count itself in and out of all that it uses: it only has to look, once it has its slot, that the thing
// is not closed.
func (g *gate) retire(free func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	// Raised before the slots are looked at: whoever gives one back afterwards waits for the lock, and settles.
	g.waiting.Add(1)
	r := retiree{make([]uint64, len(g.free)), free}
	busy := false
	for slot := range g.slots {
		if g.free[slot/64].Load()&(1<<(slot%64)) == 0 && !g.isCollected(slot) {
			r.slots[slot/64] |= 1 << (slot % 64)
			busy = true
		}
	}
	if !busy {
		g.waiting.Add(-1)
		free()
		return
	}
	g.retired = append(g.retired, r)
}

// settle frees what only the call that held this slot still used. The caller holds the lock.
func (g *gate) settle(slot int) {
	kept := g.retired[:0]
	for _, r := range g.retired {
		r.slots[slot/64] &^= 1 << (slot % 64)
		if slices.ContainsFunc(r.slots, func(word uint64) bool { return word != 0 }) {
			kept = append(kept, r)
			continue
		}
		g.waiting.Add(-1)
		r.free()
	}
	clear(g.retired[len(kept):])
	g.retired = kept
}

// offer hands free slots to those who wait, first come first served. The caller holds the lock.
func (g *gate) offer() {
	for g.closed.Load() || g.queue.Len() > 0 || g.returning.Len() > 0 {
		slot, ok := g.take()
		if !ok {
			return
		}
		if g.returning.Len() > 0 {
			g.waiting.Add(-1)
			g.suspended.Add(-1)
			g.returning.Remove(g.returning.Front()).(chan int) <- slot
			continue
		}
		if g.closed.Load() {
			g.collected[slot/64] |= 1 << (slot % 64)
			if g.collectedSlots() == g.slots && g.suspended.Load() == 0 {
				close(g.idle)
			}
			continue
		}
		g.waiting.Add(-1)
		g.queue.Remove(g.queue.Front()).(chan int) <- slot
	}
}

func (g *gate) isCollected(slot int) bool { return g.collected[slot/64]&(1<<(slot%64)) != 0 }

func (g *gate) collectedSlots() (count int) {
	for _, word := range g.collected {
		count += bits.OnesCount64(word)
	}
	return count
}

// close turns away whoever waits or comes later. The channel that it returns is closed when all slots have come back.
func (g *gate) close() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed.Swap(true) {
		g.waiting.Add(1)
		for g.queue.Len() > 0 {
			g.waiting.Add(-1)
			g.queue.Remove(g.queue.Front()).(chan int) <- -1
		}
		g.offer()
	}
	return g.idle
}

// running returns how many slots are taken.
func (g *gate) running() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	taken := g.slots - g.collectedSlots()
	for i := range g.free {
		taken -= bits.OnesCount64(g.free[i].Load())
	}
	return taken
}

// queued returns how many goroutines wait.
func (g *gate) queued() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.queue.Len()
}
