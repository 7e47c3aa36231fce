package python

// #include "core.h"
import "C"

import (
	"container/list"
	"context"
	"fmt"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// gate lets a bounded number of calls into Python at a time. Each has a slot; the others wait as goroutines, and not
// inside cgo, where each would take an OS thread. Those that wait are served in the order in which they came; a
// newcomer may find a slot that has just come back before it is offered to them.
type gate struct {
	slots   int             // that all calls share
	origin  func() origin   // of the caller
	regular int             // how many words are slots that all calls share; the others are in reserve
	all     []uint64        // a bit for each slot
	free    []atomic.Uint64 // a bit for each free slot
	waiting atomic.Int64    // who has to hear of a slot that comes back: queued goroutines, retirees, and a shutdown
	closed  atomic.Bool
	// maxQueued bounds the queue: 0 is no bound, below it nobody waits.
	maxQueued int
	// maxStuck bounds the calls that were given up and still run; below 0 is no bound. While there are as many, `full` is set.
	maxStuck int
	full     atomic.Bool
	// suspended counts the calls that have given up their slot while a Go function runs, and come back for one.
	suspended atomic.Int64

	waits    atomic.Uint64 // how often a call had to wait
	waitTime atomic.Int64  // and for how long, in nanoseconds

	mu        sync.Mutex
	returning list.List // of chan int: suspended calls, which go first and which a closed gate lets in too
	nested    list.List // of chan int: calls from within a Go function that Python called, which go before others
	queue     list.List // of chan int, each with room for a slot, or -1 if the gate is closed
	collected []uint64  // a bit for each slot that a closed gate has taken out of use
	limit     int       // how many slots calls get at a time while others wait
	withheld  []uint64  // a bit for each slot that they do not get
	limiter   *limiter  // sets the limit; nil if it is that of the slots
	turns     uint64    // that those in line were given
	idle      chan struct{}
	isIdle    bool
	retired   []retiree
	abandoned []abandonedCall
	number    uint64 // of the last of them
	tasks     int    // coroutines that were given up and still run
	// settled tells whether the call that has a slot needs nothing any more that is retired. It may be nil.
	settled func(slot int) bool
}

// abandonedCall goes on without a slot, or, past the bound of such calls, with the one that it has.
type abandonedCall struct {
	number  uint64
	slot    int
	settled func() bool // as that of a gate
}

// retiree is something that calls may still use which were under way when it was retired.
type retiree struct {
	slots     []uint64 // a bit for each slot whose call may
	abandoned []uint64 // the numbers of the calls that may, and have no slot any more
	free      func()
}

// origin says where the Go function was called that makes a call.
type origin uint32

const (
	outside    origin = C.SNAKE_ORIGIN_NONE   // it was not called by Python
	fromCall   origin = C.SNAKE_ORIGIN_CALL   // in a call, which gave up its slot
	fromThread origin = C.SNAKE_ORIGIN_THREAD // on a thread of Python's
)

// reserved is how many slots are in reserve: for the calls from threads that Python started. They never wait for the
// others, because those may wait for that thread in Python; and they were in Python without a slot before. Likewise for
// calls that have called a Go function, but only after some patience: as a rule it is soon their turn.
const reserved = 16 * 64

// patience is how long a call that has called a Go function waits for its turn, to go on or for a call that the function makes.
// All others may wait in Python for what it holds there: a lock, or the import of a module.
const patience = 10 * time.Millisecond

func newGate(slots int, origin func() origin) *gate {
	regular := (slots + 63) / 64
	words := regular + reserved/64
	g := &gate{
		slots: slots, origin: origin, regular: regular, all: make([]uint64, words), free: make([]atomic.Uint64, words),
		maxStuck: -1, collected: make([]uint64, words), limit: slots, withheld: make([]uint64, regular), idle: make(chan struct{}),
	}
	for i := range g.all {
		g.all[i] = ^uint64(0)
		if i == regular-1 && slots%64 != 0 {
			g.all[i] = 1<<(slots%64) - 1
		}
		g.free[i].Store(g.all[i])
	}
	return g
}

// capacity returns a number that is above that of each slot.
func (g *gate) capacity() int { return len(g.all) * 64 }

// enter returns a slot, waiting for one until the context ends. The caller gives it back to [gate.leave].
func (g *gate) enter(ctx context.Context) (int, error) {
	if ctx.Err() != nil {
		return 0, contextError(ctx)
	}
	return g.enterLive(ctx)
}

// enterLive is enter for a context that has not ended.
func (g *gate) enterLive(ctx context.Context) (int, error) {
	if g.closed.Load() {
		return 0, ErrClosed
	}
	if slot, ok := g.take(); ok {
		return slot, nil
	}
	return g.enterLater(ctx)
}

// enterLater waits for a slot, apart from the quick way.
func (g *gate) enterLater(ctx context.Context) (int, error) {
	begin := uptime()
	slot, err := g.wait(ctx)
	if err != ErrOverloaded { //nolint:errorlint // as it comes from wait
		g.timeWait(begin)
	}
	return slot, err
}

// take takes a free slot, if there is one.
func (g *gate) take() (int, bool) { return g.takeFrom(0, g.regular) }

// takeReserved takes a free slot of the reserve. The caller holds the lock, and has seen that the gate is open or that
// a suspended call keeps it from being idle.
func (g *gate) takeReserved() (int, bool) { return g.takeFrom(g.regular, len(g.free)) }

func (g *gate) takeFrom(first, end int) (int, bool) {
	for i := first; i < end; i++ {
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
	// A call from within a Go function that Python called goes first: until it is done, a thread waits for it. Otherwise
	// each call would wait for all that came after it, and the suspended ones would become as many as there are.
	line, origin := &g.queue, g.origin()
	if origin != outside {
		line = &g.nested
	}
	g.mu.Lock()
	if g.closed.Load() {
		g.mu.Unlock()
		return 0, ErrClosed
	}
	if origin == fromThread {
		if slot, ok := g.takeReserved(); ok {
			g.mu.Unlock()
			return slot, nil
		}
	}
	if origin != outside {
		if slot, ok := g.takeWithheld(); ok {
			g.mu.Unlock()
			return slot, nil
		}
	} else if g.limiter != nil {
		g.limiter.start()
	}
	place := line.PushBack(turn)
	g.waiting.Add(1)
	// A slot that came back before `waiting` was raised was offered to nobody.
	g.offer()
	if line == &g.queue && g.maxQueued != 0 && len(turn) == 0 && line.Len() > max(g.maxQueued, 0) && isBounded(ctx) {
		slot, ok := g.takeWithheld() // sooner than to turn a call away
		if !ok {
			line.Remove(place)
			g.waiting.Add(-1)
			g.mu.Unlock()
			return 0, ErrOverloaded
		}
		g.next() <- slot
	}
	g.mu.Unlock()
	slot, came := -1, false
	if origin == fromCall {
		slot, came = g.patiently(turn, ctx.Done(), line, place)
	} else if end := ctx.Done(); end == nil {
		slot, came = <-turn, true
	} else {
		select {
		case slot = <-turn:
			came = true
		case <-end:
		}
	}
	if came {
		if slot < 0 {
			return 0, ErrClosed
		}
		return slot, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case slot = <-turn: // it came while the context ended
		if slot >= 0 {
			g.settle(slot)
			g.free[slot/64].Or(1 << (slot % 64))
			g.offer()
		}
	default:
		line.Remove(place)
		g.waiting.Add(-1)
	}
	return 0, contextError(ctx)
}

// admit makes a context for what belongs to a call that has been let in already, such as taking its result: it waits for
// its turn, however many do.
func admit(ctx context.Context) context.Context { return context.WithValue(ctx, admittedKey{}, true) }

type admittedKey struct{}

// admitted is a context for what has none, and for what this package does by itself.
var admitted = admit(context.Background())

// isBounded tells whether a call from the queue may be turned away. One that another goroutine makes for a Go function which
// Python called may not either.
func isBounded(ctx context.Context) bool {
	return ctx.Value(admittedKey{}) == nil && !isInCallback(ctx)
}

// leave gives a slot back.
func (g *gate) leave(slot int) {
	if g.waiting.Load() != 0 {
		g.handOn(slot)
		return
	}
	g.free[slot/64].Or(1 << (slot % 64))
	if g.waiting.Load() != 0 {
		g.handOnLate()
	}
}

// handOn gives a slot back that somebody waits for. What waits for its call is settled while the slot is still taken: what
// is retired afterwards may wait for the next call that has it.
func (g *gate) handOn(slot int) {
	g.mu.Lock()
	g.settle(slot)
	g.free[slot/64].Or(1 << (slot % 64))
	g.offer()
	g.mu.Unlock()
}

// handOnLate is handOn for a slot that has come back already, so that another call may have it: what waits for the slot
// waits for that call too then.
func (g *gate) handOnLate() {
	g.mu.Lock()
	g.settle(noSlot)
	g.offer()
	g.mu.Unlock()
}

// maxSuspended bounds the OS threads that wait in Python for Go functions which block. A Go program ends when it has
// 10,000 threads, and each of these takes some 100 KiB of memory.
//
// The next one fails. It cannot wait: whoever waits for others to come back may be the one that they wait for, because
// a blocked Go function may wait for a goroutine that calls Python.
const maxSuspended = 1000

// blockedThreads counts them, whatever gate their calls came through.
var blockedThreads atomic.Int64

// timeWait counts a wait that began then.
func (g *gate) timeWait(begin time.Duration) {
	g.waits.Add(1)
	g.waitTime.Add(int64(uptime() - begin))
}

// uptime is a clock that is read once where [time.Now] reads two.
func uptime() time.Duration { return time.Since(epoch) }

var epoch = time.Now()

// suspend gives the slot of a call back that goes on, for the time until resume. The outermost call of a thread counts.
func (g *gate) suspend(slot int, outermost bool) error {
	if outermost && blockedThreads.Add(1) > maxSuspended {
		blockedThreads.Add(-1)
		return fmt.Errorf("%w: %d threads wait in Python for Go functions that block: make fewer such calls at a time",
			ErrLimit, maxSuspended)
	}
	g.suspended.Add(1)
	g.leave(slot)
	return nil
}

// resume takes a slot for a call that was suspended.
func (g *gate) resume(outermost bool) int {
	slot := g.takeAgain()
	g.endSuspension(outermost) // after it has the slot: otherwise a closed gate would look idle
	return slot
}

// endSuspension notes that a suspended call goes on.
func (g *gate) endSuspension(outermost bool) {
	g.suspended.Add(-1)
	if outermost {
		blockedThreads.Add(-1)
	}
}

func (g *gate) takeAgain() int {
	if slot, ok := g.take(); ok {
		return slot
	}
	defer g.timeWait(uptime())
	turn := make(chan int, 1)
	origin := g.origin()
	g.mu.Lock()
	if origin == fromThread {
		if slot, ok := g.takeReserved(); ok {
			g.mu.Unlock()
			return slot
		}
	}
	slot, ok := takeBit(g.collected)
	if !ok {
		slot, ok = g.takeWithheld()
	}
	if ok {
		g.mu.Unlock()
		return slot
	}
	place := g.returning.PushBack(turn)
	g.waiting.Add(1)
	g.offer()
	g.mu.Unlock()
	slot, _ = g.patiently(turn, nil, &g.returning, place)
	return slot
}

// takeBit takes a bit that is set, if there is one.
func takeBit(words []uint64) (int, bool) {
	for i, word := range words {
		if word != 0 {
			words[i] &= word - 1
			return i*64 + bits.TrailingZeros64(word), true
		}
	}
	return 0, false
}

// takeWithheld takes a slot beyond the limit. The caller holds the lock.
func (g *gate) takeWithheld() (int, bool) { return takeBit(g.withheld) }

// isBeyondLimit tells whether more slots are to be withheld. The caller holds the lock.
func (g *gate) isBeyondLimit() bool { return countBits(g.withheld) < g.slots-g.limit }

// setLimit withholds slots from the calls that wait, or lets them have more. The caller holds the lock.
func (g *gate) setLimit(limit int) {
	g.limit = limit
	for countBits(g.withheld) > g.slots-limit {
		slot, _ := g.takeWithheld()
		g.free[slot/64].Or(1 << (slot % 64))
	}
	g.offer()
}

// patiently waits for a turn, and from some time on takes a slot of the reserve if that is sooner. It tells whether it got a
// slot, or -1 for a closed gate, before the end came.
func (g *gate) patiently(turn chan int, end <-chan struct{}, line *list.List, place *list.Element) (slot int, came bool) {
	late := time.NewTicker(patience)
	defer late.Stop()
	for {
		select {
		case slot = <-turn:
			return slot, true
		case <-end:
			return 0, false
		case <-late.C:
		}
		g.mu.Lock()
		if len(turn) == 0 { // it is still in line
			if slot, ok := g.takeReserved(); ok {
				line.Remove(place)
				g.waiting.Add(-1)
				g.mu.Unlock()
				return slot, true
			}
		}
		g.mu.Unlock()
	}
}

// abandon gives the slot of a call back that goes on until forget, without anybody who waits for it. What is retired
// waits for it all the same. The slot is -1 if the call is suspended: it has none, and what was retired does not wait for it.
// Past the bound of such calls, the call keeps its slot until forget, so that no more threads are taken than both allow.
// `gives` is called if it does not, before others may have the slot.
func (g *gate) abandon(slot int, settled func() bool, gives func()) (number uint64) {
	g.mu.Lock()
	g.number++
	number = g.number
	call := abandonedCall{number, noSlot, settled}
	if slot >= 0 && g.full.Load() {
		call.slot, slot = slot, noSlot
	} else if slot >= 0 {
		gives()
	}
	g.abandoned = append(g.abandoned, call)
	g.countStuck()
	for i, r := range g.retired {
		if slot >= 0 && r.slots[slot/64]&(1<<(slot%64)) != 0 {
			g.retired[i].abandoned = append(r.abandoned, number)
		}
	}
	g.mu.Unlock()
	g.suspended.Add(1)
	if slot >= 0 {
		g.leave(slot)
	}
	return number
}

// forget notes that a call has ended that was abandoned.
func (g *gate) forget(number uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.abandoned = slices.DeleteFunc(g.abandoned, func(call abandonedCall) bool {
		if call.number == number && call.slot >= 0 {
			g.settle(call.slot)
			g.free[call.slot/64].Or(1 << (call.slot % 64))
		}
		return call.number == number
	})
	g.countStuck()
	for i := range g.retired {
		g.retired[i].abandoned = slices.DeleteFunc(g.retired[i].abandoned, func(n uint64) bool { return n == number })
	}
	g.sweep()
	g.suspended.Add(-1)
	g.offer() // a closed gate may be idle now
}

// addTask counts a coroutine that was given up, or, with -1, that has ended.
func (g *gate) addTask(n int) {
	g.mu.Lock()
	g.tasks += n
	g.countStuck()
	g.mu.Unlock()
}

// countStuck looks whether the bound is reached. The caller holds the lock.
func (g *gate) countStuck() {
	g.full.Store(g.maxStuck >= 0 && len(g.abandoned)+g.tasks >= g.maxStuck)
}

// stuck returns how many calls were given up and still run.
func (g *gate) stuck() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.abandoned) + g.tasks
}

// retire frees something that nobody takes into use any more, when the calls that run now have ended or settled. So a call
// does not have to count itself in and out of all that it uses: it only has to look, once it has its slot, that the thing
// is not closed.
func (g *gate) retire(free func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	// Raised before the slots are looked at: whoever gives one back afterwards gets the lock later, and settles.
	g.waiting.Add(1)
	slots := g.unsettled()
	var abandoned []uint64
	for _, call := range g.abandoned {
		if !call.settled() {
			abandoned = append(abandoned, call.number)
		}
	}
	if isZero(slots) && len(abandoned) == 0 {
		g.waiting.Add(-1)
		free()
		return
	}
	g.retired = append(g.retired, retiree{slots, abandoned, free})
}

// unsettled returns a bit for each slot whose call may need what is retired now. The caller holds the lock.
func (g *gate) unsettled() []uint64 {
	slots := g.busy()
	if g.settled == nil {
		return slots
	}
	for i, word := range slots {
		for left := word; left != 0; left &= left - 1 {
			if bit := bits.TrailingZeros64(left); g.settled(i*64 + bit) {
				slots[i] &^= 1 << bit
			}
		}
	}
	return slots
}

const noSlot = -1

// settle frees what only the call that has this slot, if it is one, still used, or calls that have ended or settled. The
// caller holds the lock.
func (g *gate) settle(slot int) {
	if len(g.retired) == 0 {
		return
	}
	unsettled := g.unsettled()
	if slot != noSlot {
		unsettled[slot/64] &^= 1 << (slot % 64)
	}
	for _, r := range g.retired {
		for i := range r.slots {
			r.slots[i] &= unsettled[i]
		}
	}
	g.sweep()
}

// sweep frees what no call still uses. The caller holds the lock.
func (g *gate) sweep() {
	kept := g.retired[:0]
	for _, r := range g.retired {
		if !isZero(r.slots) || len(r.abandoned) > 0 {
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
	for g.closed.Load() || g.returning.Len() > 0 || g.nested.Len() > 0 || g.queue.Len() > 0 {
		slot, ok := g.take()
		if !ok {
			break
		}
		if g.returning.Len() > 0 {
			g.waiting.Add(-1)
			g.returning.Remove(g.returning.Front()).(chan int) <- slot
			continue
		}
		if g.closed.Load() {
			g.collected[slot/64] |= 1 << (slot % 64)
			continue
		}
		if g.nested.Len() == 0 && g.isBeyondLimit() {
			g.withheld[slot/64] |= 1 << (slot % 64)
			continue
		}
		g.next() <- slot
	}
	if g.closed.Load() && !g.isIdle && g.suspended.Load() == 0 && isZero(g.busy()) {
		g.isIdle = true
		close(g.idle)
	}
}

// next takes whose turn it is off its line. The caller holds the lock.
func (g *gate) next() chan int {
	g.waiting.Add(-1)
	g.turns++
	if g.nested.Len() > 0 {
		return g.nested.Remove(g.nested.Front()).(chan int)
	}
	return g.queue.Remove(g.queue.Front()).(chan int)
}

// busy returns a bit for each slot that a call has. The caller holds the lock.
func (g *gate) busy() []uint64 {
	busy := make([]uint64, len(g.all))
	for i, all := range g.all {
		busy[i] = all &^ g.free[i].Load() &^ g.collected[i]
	}
	for i, withheld := range g.withheld {
		busy[i] &^= withheld
	}
	return busy
}

func isZero(words []uint64) bool {
	return !slices.ContainsFunc(words, func(word uint64) bool { return word != 0 })
}

// close turns away whoever waits or comes later. The channel that it returns is closed when all slots have come back.
func (g *gate) close() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed.Swap(true) {
		g.waiting.Add(1)
		for g.nested.Len() > 0 || g.queue.Len() > 0 {
			g.next() <- -1
		}
		g.setLimit(g.slots)
	}
	return g.idle
}

// running returns how many slots are taken.
func (g *gate) running() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return countBits(g.busy())
}

func countBits(words []uint64) (count int) {
	for _, word := range words {
		count += bits.OnesCount64(word)
	}
	return count
}

// limited returns how many slots calls get at a time while others wait.
func (g *gate) limited() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.limit
}

// queued returns how many goroutines wait.
func (g *gate) queued() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.nested.Len() + g.queue.Len()
}
