package python

import "time"

// limiter finds how many slots of a gate calls get at a time while others wait. Threads that hand the GIL to and fro in calls of
// some microseconds wake each other each time, and get less done than one of them alone; work without the GIL gets more done
// with more of them. Which it is shows only when it is tried: now and then the limiter halves or doubles the limit for a moment,
// and keeps to that if as many calls come through as before and after (make bench, the gate).
//
// It keeps no call waiting for another that waits in Python: once nobody who waits is let in, they get all slots. It works only while
// calls wait, and all its fields but calls are guarded by the lock of the gate.
type limiter struct {
	gate  *gate
	calls func() uint64 // how many calls have begun in the slots of the gate

	isRunning bool
	learned   int // the limit that was best when it ran last
	stage     limiterStage
	ticks     int // until the next stage
	rest      int // how many ticks the next rest takes
	widen     bool
	home      int        // the limit before the trial
	done      [3]float64 // calls per second before the trial, in it and after it
	tried     int        // the limit in the trial

	idle, stuck, slow int // for how many ticks nobody has waited, nobody who waits was let in, or few calls came through

	lastTick  time.Time
	lastCalls uint64
	lastWaits uint64
	lastTurns uint64
}

// limiterStage is what the limiter is about: it rests, or measures.
type limiterStage int

const (
	beforeTrial limiterStage = iota
	inTrial
	afterTrial
	resting
)

const (
	limiterTick = 2 * time.Millisecond
	trialTicks  = 2 // that count in each stage of a trial
	// leastRest and mostRest bound the ticks from one trial to the next: it is longer after each that brought nothing. A limit
	// of half of what is best then costs one call in a hundred.
	leastRest, mostRest = 8, 200
	// leastCalls is how many calls must come through in a tick for a trial. When there are fewer, they are so long that they
	// hand the GIL over too seldom for that to matter; and too few to compare.
	leastCalls = 10
	// The limit is that of the slots when calls were so long for slowTicks, or nobody was let in for stuckTicks.
	slowTicks, stuckTicks = 4, 2
	// endTicks is for how many ticks nobody waits, or nobody is let in, before the limiter ends.
	endTicks = 10
	// At equal rates a lower limit is better: calls take longer the more of them there are, and most of all the slowest.
	worthLess, worthMore = 0.97, 1.07
)

func newLimiter(g *gate, calls func() uint64) *limiter {
	return &limiter{gate: g, calls: calls, learned: g.slots, rest: leastRest}
}

// start begins to look at the gate, where a call waits. The caller holds the lock.
func (l *limiter) start() {
	if l.isRunning {
		return
	}
	l.isRunning = true
	l.idle, l.stuck, l.slow = 0, 0, 0
	l.stage, l.ticks = resting, leastRest
	l.lastTick, l.lastCalls, l.lastWaits, l.lastTurns = time.Now(), l.calls(), l.gate.waits.Load(), l.gate.turns
	l.gate.setLimit(l.learned)
	go l.run()
}

func (l *limiter) run() {
	ticker := time.NewTicker(limiterTick)
	defer ticker.Stop()
	for range ticker.C {
		l.gate.mu.Lock()
		l.isRunning = l.tick()
		goesOn := l.isRunning
		l.gate.mu.Unlock()
		if !goesOn {
			return
		}
	}
}

// tick looks at what came through since the last one, and tells whether the limiter goes on. The caller holds the lock.
func (l *limiter) tick() (goesOn bool) {
	g := l.gate
	if g.closed.Load() {
		return false
	}
	now, calls, waits := time.Now(), l.calls(), g.waits.Load()
	through, rate := calls-l.lastCalls, float64(calls-l.lastCalls)/now.Sub(l.lastTick).Seconds()
	waited := waits != l.lastWaits || g.queue.Len() > 0
	tally(&l.idle, !waited)
	tally(&l.stuck, g.queue.Len() > 0 && g.turns == l.lastTurns)
	tally(&l.slow, waited && through < leastCalls)
	l.lastTick, l.lastCalls, l.lastWaits, l.lastTurns = now, calls, waits, g.turns
	switch {
	case l.idle == endTicks, l.stuck == endTicks:
		g.setLimit(g.slots)
		return false
	case l.stuck == stuckTicks && g.limit < g.slots:
		// Those that run may wait for those that do not.
		l.settle(g.slots, mostRest)
		return true
	case l.slow == slowTicks && l.stage == resting:
		l.slow = 0
		l.settle(g.slots, l.rest)
		return true
	}
	if l.stage != resting && l.ticks <= trialTicks {
		l.done[l.stage] += rate
	}
	if l.ticks--; l.ticks > 0 {
		return true
	}
	// At first, the calls end that began before the stage. As many run as take a call's time to come through (Little's law).
	takes := time.Duration(float64(g.limit) / max(rate, 1) * float64(time.Second))
	l.ticks = trialTicks + 1 + int(min(takes/limiterTick, mostRest))
	switch l.stage {
	case resting:
		l.stage, l.done = beforeTrial, [3]float64{}
	case beforeTrial:
		l.stage, l.home, l.tried = inTrial, g.limit, l.trial()
		g.setLimit(l.tried)
	case inTrial:
		l.stage = afterTrial
		g.setLimit(l.home)
	case afterTrial:
		l.judge()
	}
	return true
}

// tally counts ticks of a kind that come one after the other.
func tally(ticks *int, isOne bool) {
	if !isOne {
		*ticks = 0
		return
	}
	*ticks++
}

// trial returns the limit to try next: in turn a lower and a higher one, where there are.
func (l *limiter) trial() int {
	limit, slots := l.gate.limit, l.gate.slots
	l.widen = limit == 1 || limit < slots && !l.widen
	if l.widen {
		return min(2*limit, slots)
	}
	return (limit + 1) / 2
}

// judge keeps to the limit of the trial, or to that before it.
func (l *limiter) judge() {
	worth := worthLess * (l.done[beforeTrial] + l.done[afterTrial]) / 2
	if l.widen {
		worth = worthMore * max(l.done[beforeTrial], l.done[afterTrial])
	}
	if l.done[inTrial] >= worth {
		l.settle(l.tried, leastRest)
	} else {
		l.settle(l.home, min(2*l.rest, mostRest))
	}
}

// settle keeps to a limit for so many ticks.
func (l *limiter) settle(limit, rest int) {
	l.stage, l.ticks = resting, rest
	l.rest, l.learned = rest, limit
	l.gate.setLimit(limit)
}
