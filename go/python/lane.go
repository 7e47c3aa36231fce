package python

// #include "core.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ErrOverloaded tells that as many calls wait as [Config].MaxQueued allows, or [LaneOption.MaxQueued] in a lane; or that as many
// were given up and still run as [Config].MaxStillRunning allows, or [LaneOption.MaxStillRunning]. The call was not made; try
// again later.
var ErrOverloaded = errors.New("python: too many calls")

// CallOption is an option of [Interpreter.Func] and [Interpreter.Object]: [Lane].
type CallOption interface{ callOption() }

// BindOption is an option of [Bind]: a [DecodeOption], or [Lane].
type BindOption interface{ bindOption() }

// LaneOption is what [Lane] makes.
type LaneOption struct {
	name                              string
	slots, maxQueued, maxStillRunning int
}

func (LaneOption) callOption()   {}
func (LaneOption) bindOption()   {}
func (DecodeOption) bindOption() {}

// Lane gives the calls of a function slots of their own: so many of them are in Python at a time, beside those that
// [Config].MaxConcurrent allows. It is for functions that sleep, or block in C without the GIL, and do not use the
// processor meanwhile: they would keep others waiting.
//
//	fetch, err := in.Func("client:fetch", python.Lane("io", 64))
//
// Functions that name the same lane share it; where its numbers differ, the later one is an error. A lane that is busy or
// full keeps no other waiting: within each, calls are served in the order in which they came, and fewer at a time where that
// gets more done, as [Config].MaxConcurrent says. Each call that is under way
// takes an OS thread; all lanes together have 4000 slots at most. A coroutine function takes a slot of its lane only
// to start and for its result.
//
// What comes of a call stays in its lane: the methods, attributes and items of an [Object], [Iter], [As] and iterators that [Bind]
// makes, callables and objects that a Go function gets from Python meanwhile, and what comes from all these. [Object.WithLane] sets
// another lane.
func Lane(name string, slots int) LaneOption { return LaneOption{name: name, slots: slots} }

// MaxQueued bounds how many calls wait in the lane, as [Config].MaxQueued does for the others.
func (o LaneOption) MaxQueued(n int) LaneOption {
	o.maxQueued = n
	return o
}

// MaxStillRunning bounds how many calls in the lane go on although they were given up, as [Config].MaxStillRunning does for the
// others.
func (o LaneOption) MaxStillRunning(n int) LaneOption {
	o.maxStillRunning = n
	return o
}

// String is how the option is written.
func (o LaneOption) String() string {
	s := fmt.Sprintf("python.Lane(%q, %d)", o.name, o.slots)
	if o.maxQueued != 0 {
		s += fmt.Sprintf(".MaxQueued(%d)", o.maxQueued)
	}
	if o.maxStillRunning != 0 {
		s += fmt.Sprintf(".MaxStillRunning(%d)", o.maxStillRunning)
	}
	return s
}

// leastStuck is how many calls may be given up and still run in a lane with fewer slots, where nothing else is said.
const leastStuck = 64

// stuckBound returns the bound of the calls that were given up and still run; below 0 there is none.
func (o LaneOption) stuckBound() int {
	if o.maxStillRunning == 0 {
		return max(o.slots, leastStuck)
	}
	return o.maxStillRunning
}

// maxLaneSlots bounds the OS threads of all named lanes; Go ends a process that has 10,000.
const maxLaneSlots = 4000

// lane is a gate with the frames of its slots. A call waits at the gate of its lane only, and never with a slot of
// another: one from within a Go function has no slot, for the call that called the function has given up its own. So no
// lane waits for another.
type lane struct {
	in     *Interpreter
	option LaneOption
	gate   *gate
	frames []atomic.Pointer[frame] // the one for each slot of the gate, if it has one; frame.slot says which
	// functions are those that this package uses itself, and constants, by name.
	functions sync.Map
}

func newLane(in *Interpreter, option LaneOption) *lane {
	l := &lane{in: in, option: option, gate: newGate(option.slots, originOfCaller)}
	l.gate.maxQueued, l.gate.maxStuck = option.maxQueued, option.stuckBound()
	l.frames = make([]atomic.Pointer[frame], l.gate.capacity())
	l.gate.settled = func(slot int) bool {
		f := l.frames[slot].Load()
		return f != nil && f.isSettled()
	}
	if option.slots > 1 {
		l.gate.limiter = newLimiter(l.gate, l.countCalls())
	}
	return l
}

// countCalls returns what counts the calls in the slots of the lane.
func (l *lane) countCalls() func() uint64 {
	var sum uint64
	counted := map[*frame]uint64{} // what each frame had counted before: it may have come from another lane
	return func() uint64 {
		for i := range l.frames {
			if f := l.frames[i].Load(); f != nil {
				calls := atomic.LoadUint64((*uint64)(&f.outer.activity.calls))
				if before, ok := counted[f]; ok {
					sum += calls - before
				}
				counted[f] = calls
			}
		}
		return sum
	}
}

// laneTable holds the lanes of an interpreter, that for calls which name none first, as soon as there are others. None is
// ever removed.
type laneTable struct {
	all atomic.Pointer[[]*lane] // replaced under started.mu
}

// lanes returns all lanes.
func (in *Interpreter) lanes() []*lane {
	if all := in.named.all.Load(); all != nil {
		return *all
	}
	return []*lane{in.lane}
}

// laneOf returns the lane that the options name, and makes it if need be.
func (in *Interpreter) laneOf(options []CallOption) (*lane, error) {
	l := in.lane
	for _, option := range options {
		if o, ok := option.(LaneOption); ok {
			var err error
			if l, err = in.find(o); err != nil {
				return nil, err
			}
		}
	}
	return l, nil
}

func (in *Interpreter) find(o LaneOption) (*lane, error) {
	if o.name == "" || o.slots < 1 {
		return nil, fmt.Errorf("python.Lane(%q, %d): want a name, and 1 slot or more", o.name, o.slots)
	}
	started.mu.Lock()
	defer started.mu.Unlock()
	all := in.lanes()
	slots := o.slots
	for _, l := range all[1:] {
		if l.option == o {
			return l, nil
		}
		if l.option.name == o.name {
			return nil, fmt.Errorf("%v: the lane is there already, as %v", o, l.option)
		}
		slots += l.option.slots
	}
	if slots > maxLaneSlots {
		return nil, fmt.Errorf("python.Lane(%q, %d): %w: with it, the lanes would have %d slots, and may have %d",
			o.name, o.slots, ErrLimit, slots, maxLaneSlots)
	}
	if in.gate.closed.Load() {
		return nil, ErrClosed
	}
	l := newLane(in, o)
	all = append(slices.Clip(all), l)
	// Before any call enters it: a handle whose close does not see the lane is closed for all its calls.
	in.named.all.Store(&all)
	return l, nil
}

// enter takes a slot and its frame, for the time until [frame.leave].
func (l *lane) enter(ctx context.Context) (*frame, error) {
	var (
		worker *Worker
		slot   int
		err    error
	)
	// Asked once: to ask for it again and again is 1 % of a no-op (make bench-budget).
	cancellable := ctx.Done() != nil
	if cancellable {
		if l.gate.full.Load() && l.mayGiveUp(ctx) {
			return nil, l.stuck()
		}
		if worker, err = enterWorker(ctx); err != nil {
			return nil, err
		}
		slot, err = l.gate.enter(ctx)
		if err == nil && l.gate.full.Load() && l.mayGiveUp(ctx) { // since it waited
			l.gate.leave(slot)
			err = l.stuck()
		}
	} else {
		slot, err = l.gate.enterLive(ctx)
	}
	if err != nil {
		if worker != nil {
			<-worker.turn
		}
		if err == ErrOverloaded { //nolint:errorlint // as the gate returns it
			return nil, l.overloaded()
		}
		return nil, err
	}
	freed.giveBack()
	// Nobody else reads or writes this element while the slot is taken.
	f := l.frames[slot].Load()
	if f == nil {
		f = l.newFrame(slot)
	}
	f.ctx, f.isCancellable, f.worker = ctx, cancellable, worker
	if f.home != nil || homes.count.Load() != 0 {
		f.home = homes.current()
	}
	if capturing.Load() != 0 || f.call.capture != 0 {
		f.call.capture = captureOf(ctx)
	}
	return f, nil
}

// overloaded says that the bound of the queue was passed.
func (l *lane) overloaded() error {
	return fmt.Errorf("%w: %d calls run and %d wait, which is the bound: see %s",
		ErrOverloaded, l.option.slots, max(l.option.maxQueued, 0), l.settingOf("MaxQueued"))
}

// stuck says that the bound of the calls was reached that were given up.
func (l *lane) stuck() error {
	return fmt.Errorf("%w: %d calls that were given up are still running, which is the bound: see %s",
		ErrOverloaded, l.gate.maxStuck, l.settingOf("MaxStillRunning"))
}

// settingOf names a bound of the lane.
func (l *lane) settingOf(bound string) string {
	if l.option.name == "" {
		return "Config." + bound
	}
	return fmt.Sprintf("python.Lane(%q, %d).%s", l.option.name, l.option.slots, bound)
}

// mayGiveUp tells whether a call with a context that may end may be given up: see [frame.carry].
func (l *lane) mayGiveUp(ctx context.Context) bool {
	return l.in.config.CancelGrace >= 0 && !isInCallback(ctx)
}

func (l *lane) newFrame(slot int) *frame {
	f := frames.take()
	f.in, f.lane, f.slot = l.in, l, slot
	l.frames[slot].Store(f)
	return f
}

// leave gives the slot of a call back, and what the call described.
func (f *frame) leave() {
	f.reset()
	f.leaveEmpty()
}

// isSettled tells whether the core has references of its own to all that the call was given: see SNAKE_PHASE_RUNNING.
func (f *frame) isSettled() bool {
	phase := atomic.LoadUint64((*uint64)(&f.outer.activity.phase))
	return phase == C.SNAKE_PHASE_RUNNING || phase == C.SNAKE_PHASE_CALLBACK
}

// leaveOrAbandon is leave for a call that has this error: if it was abandoned, the frame is no longer the caller's.
func (f *frame) leaveOrAbandon(ctx context.Context, err *error) {
	if isAbandoned(*err) {
		*err = abandoned(ctx, *err)
		return
	}
	f.leave()
}

// leaveEmpty is leave for a frame that was not used, or was reset.
func (f *frame) leaveEmpty() {
	if f.labels != nil {
		f.unlabel()
	}
	f.ctx = nil
	f.leaveWorker()
	f.lane.gate.leave(f.slot)
}

// suspend gives up the slot of a call while a Go function runs that it called.
// It tells whether it did: a call that was given up has no slot.
func (f *frame) suspend(outermost bool) (given bool, err error) {
	w := f.watched.Load()
	if w != nil && !w.slot.CompareAndSwap(slotHeld, slotGiven) {
		return false, nil
	}
	f.lane.frames[f.slot].Store(nil)
	if err := f.lane.gate.suspend(f.slot, outermost); err != nil {
		f.lane.frames[f.slot].Store(f)
		f.holdSlot(w)
		return false, err
	}
	return true, nil
}

// resume takes a slot for a suspended call again, and puts its frame there; one that was given up meanwhile needs none.
func (f *frame) resume(outermost bool) {
	w := f.watched.Load()
	if w != nil && w.slot.Load() == slotLost {
		f.lane.gate.endSuspension(outermost)
		return
	}
	f.slot = f.lane.gate.resume(outermost)
	if other := f.lane.frames[f.slot].Load(); other != nil {
		frames.put(other)
	}
	f.lane.frames[f.slot].Store(f)
	f.holdSlot(w)
}

// holdSlot notes that the call has its slot, which goes back if the call was given up just now.
func (f *frame) holdSlot(w *watched) {
	if w != nil && !w.slot.CompareAndSwap(slotGiven, slotHeld) {
		f.lane.frames[f.slot].Store(nil)
		f.lane.gate.leave(f.slot)
	}
}

// retire frees something that nobody takes into use any more, when the calls of all lanes that run now have ended.
func (in *Interpreter) retire(free func()) {
	lanes := in.lanes()
	if len(lanes) == 1 {
		in.gate.retire(free)
		return
	}
	var left atomic.Int64
	left.Store(int64(len(lanes)))
	for _, l := range lanes {
		l.gate.retire(func() {
			if left.Add(-1) == 0 {
				free()
			}
		})
	}
}

// LaneStats is what a [Lane] counts; see [Stats].
type LaneStats struct {
	// Slots is how many calls may run at a time; those from threads of Python's may be more.
	Slots int `json:"slots"`
	// Running calls have a slot.
	Running int `json:"running"`
	// Waiting ones wait for their turn.
	Waiting int `json:"waiting"`
	// Limit is how many slots calls get at a time while others wait: see [Config].MaxConcurrent.
	Limit int `json:"limit"`
	// StillRunning counts calls that go on although their callers have got [ErrStillRunning].
	StillRunning int `json:"still_running"`
	// Waits counts how often a call had to wait.
	Waits int `json:"waits_total"`
	// WaitTime is for how long.
	WaitTime time.Duration `json:"wait_time_total"`
}

// laneStats counts the calls of all lanes; those that have a name also one by one.
func (in *Interpreter) laneStats() (sum LaneStats, named map[string]LaneStats) {
	for i, l := range in.lanes() {
		s := LaneStats{
			Slots:   l.option.slots,
			Running: l.gate.running(),
			Waiting: l.gate.queued(),
			Limit:   l.gate.limited(),

			StillRunning: l.gate.stuck(),
			Waits:        int(l.gate.waits.Load()), //nolint:gosec // a counter of this process
			WaitTime:     time.Duration(l.gate.waitTime.Load()),
		}
		sum.Running += s.Running
		sum.Waiting += s.Waiting
		sum.Limit += s.Limit
		sum.StillRunning += s.StillRunning
		sum.Waits += s.Waits
		sum.WaitTime += s.WaitTime
		if i == 0 {
			continue
		}
		if named == nil {
			named = map[string]LaneStats{}
		}
		named[l.option.name] = s
	}
	return sum, named
}

// close turns away whoever waits in a lane or comes later. The channels that it returns are closed when all calls have
// ended.
func (in *Interpreter) close() (idle []<-chan struct{}) {
	started.mu.Lock() // no lane is made meanwhile
	defer started.mu.Unlock()
	for _, l := range in.lanes() {
		idle = append(idle, l.gate.close())
	}
	return idle
}
