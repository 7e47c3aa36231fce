package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/gophersnake/gophersnake/go/python"
)

// gateCrowd is how many goroutines call at once where policies of the gate are looked at.
const gateCrowd = 64

// starved is how many times as long as a round counts, it waits until all goroutines are at it: some policies leave a few waiting for
// as long as the others call.
const starved = 2

// policy is a way to let goroutines into Python.
type policy struct {
	name    string
	slots   int // how many calls are in Python at a time; 0: as many as is best
	prepare func(gateLoad) func(calls int) (time.Duration, error)
}

// gateLoad is what goroutines do under each policy.
type gateLoad struct {
	name   string
	gated  func(calls int) (time.Duration, error) // through the gate that everybody gets
	free   func(calls int) (time.Duration, error) // through one that is wide enough for all
	joined func(calls int) error                  // in one crossing
}

// inGate is what gophersnake does; the others are done here, before a gate in which nobody waits.
const inGate = "gophersnake's"

// policies returns those that are compared, that which all are compared with first.
func policies() []policy {
	all := []policy{}
	for _, slots := range []int{1, 2, 4, 8} {
		all = append(all, policy{"in order", slots, func(l gateLoad) func(int) (time.Duration, error) {
			return (&door{free: slots}).before(l.free)
		}})
	}
	all = append(all, policy{"all at once", gateCrowd, func(l gateLoad) func(int) (time.Duration, error) { return l.free }})
	for _, slots := range []int{1, 2} {
		all = append(all, policy{"latest first", slots, func(l gateLoad) func(int) (time.Duration, error) {
			return (&door{free: slots, latestFirst: true}).before(l.free)
		}}, policy{"whoever grabs it", slots, func(l gateLoad) func(int) (time.Duration, error) {
			return (&door{free: slots, grabbed: true}).before(l.free)
		}})
	}
	for _, most := range []int{8, gateCrowd} {
		all = append(all, policy{fmt.Sprintf("in order, up to %d stay attached", most), 1, func(l gateLoad) func(int) (time.Duration, error) {
			return (&wagon{most: most, drive: l.joined}).ride
		}})
	}
	return append(all, policy{inGate, 0, func(l gateLoad) func(int) (time.Duration, error) { return l.gated }})
}

// door lets a number of goroutines through at a time.
type door struct {
	latestFirst bool // who came last goes first
	grabbed     bool // who has waited has to be there before a newcomer is

	mu    sync.Mutex
	free  int
	queue []chan struct{}
}

func (d *door) enter() {
	d.mu.Lock()
	for d.free == 0 || !d.grabbed && len(d.queue) > 0 {
		turn := make(chan struct{}, 1)
		d.queue = append(d.queue, turn)
		d.mu.Unlock()
		<-turn
		if !d.grabbed {
			return // the other's place is ours
		}
		d.mu.Lock()
	}
	d.free--
	d.mu.Unlock()
}

func (d *door) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.queue) == 0 {
		d.free++
		return
	}
	next := 0
	if d.latestFirst {
		next = len(d.queue) - 1
	}
	if d.grabbed {
		d.free++
	}
	d.queue[next] <- struct{}{}
	d.queue = slices.Delete(d.queue, next, next+1)
}

// before has work wait at the door, which counts.
func (d *door) before(work func(calls int) (time.Duration, error)) func(calls int) (time.Duration, error) {
	return func(calls int) (time.Duration, error) {
		start := time.Now()
		d.enter()
		_, err := work(calls)
		d.leave()
		return time.Since(start), err
	}
}

// wagon takes those who wait into Python together: the thread that is attached makes the next calls too.
type wagon struct {
	most  int // at a time
	drive func(calls int) error

	mu      sync.Mutex
	driving bool
	queue   []chan error
}

func (w *wagon) ride(int) (time.Duration, error) {
	start := time.Now()
	done := make(chan error, 1)
	w.mu.Lock()
	w.queue = append(w.queue, done)
	if !w.driving {
		w.driving = true
		go w.run()
	}
	w.mu.Unlock()
	err := <-done
	return time.Since(start), err
}

func (w *wagon) run() {
	for {
		w.mu.Lock()
		riders := slices.Clone(w.queue[:min(w.most, len(w.queue))])
		w.queue = slices.Delete(w.queue, 0, len(riders))
		w.driving = len(riders) > 0
		w.mu.Unlock()
		if len(riders) == 0 {
			return
		}
		err := w.drive(len(riders))
		for _, done := range riders {
			done <- err
		}
	}
}

// gateLoads are the loads of this process, in all ways that the policies want.
func (c *contestants) gateLoads(in *python.Interpreter) ([]gateLoad, error) {
	wide := python.Lane("wide", gateCrowd)
	gated, err := c.ownLoads(in)
	if err != nil {
		return nil, err
	}
	free, err := c.ownLoads(in, wide)
	if err != nil {
		return nil, err
	}
	var loads []gateLoad
	for i, l := range gated {
		function, err := in.Func(l.function, wide)
		if err != nil {
			return nil, err
		}
		joined := func(calls int) error {
			_, err := function.Map(context.Background(), slices.Repeat([][]float64{c.data[:l.n]}, calls))
			return err
		}
		if l.want != nil {
			joined = func(calls int) error {
				results, err := python.Map[[]int](context.Background(), function, slices.Repeat([][]float64{c.data[:l.n]}, calls))
				for _, got := range results {
					if err == nil && !slices.Equal(got, l.want) {
						err = wrong(got, l.want)
					}
				}
				return err
			}
		}
		loads = append(loads, gateLoad{l.name, l.work, free[i].work, joined})
	}
	return loads, nil
}

// gateRace has all policies work in turn.
type gateRace struct {
	loads    []gateLoad
	policies []policy
	work     [][]func(calls int) (time.Duration, error) // by load and policy
	answers  [][][]gateAnswer                           // by round, too
}

// gateAnswer is what was measured in a round.
type gateAnswer struct{ perSecond, p50, p99, p999 float64 }

// gateRow is what a policy gives, as multiples of what the first one gives in the same round.
type gateRow struct {
	Name      string     `json:"name"`
	Policy    string     `json:"policy"`
	Slots     int        `json:"slots,omitempty"`
	VsFirst   float64    `json:"per_second_vs_first"`
	Quartiles [2]float64 `json:"quartiles"`
	P50       float64    `json:"p50_vs_first"`
	P99       float64    `json:"p99_vs_first"`
	P999      float64    `json:"p999_vs_first"`
}

func newGateRace(in *python.Interpreter, c *contestants) (*gateRace, error) {
	loads, err := c.gateLoads(in)
	if err != nil {
		return nil, err
	}
	g := &gateRace{loads: loads, policies: policies()}
	for _, l := range loads {
		var work []func(int) (time.Duration, error)
		for _, p := range g.policies {
			work = append(work, p.prepare(l))
		}
		g.work = append(g.work, work)
		g.answers = append(g.answers, make([][]gateAnswer, len(work)))
	}
	return g, nil
}

// run adds a round of each load and policy.
func (g *gateRace) run(length time.Duration) error {
	for load, policies := range g.work {
		for i, work := range policies {
			t, err := throughput(work, gateCrowd, 0, length, starved*length)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", g.loads[load].name, g.policies[i].name, err)
			}
			slices.Sort(t.times)
			g.answers[load][i] = append(g.answers[load][i],
				gateAnswer{t.perSecond, ofSorted(t.times, 0.5), ofSorted(t.times, 0.99), ofSorted(t.times, 0.999)})
		}
	}
	return nil
}

func (r *report) addGates(g *gateRace) {
	for load, answers := range g.answers {
		first := answers[0]
		for i, p := range g.policies {
			vsFirst := func(figure func(gateAnswer) float64) []float64 {
				var ratios []float64
				for round, a := range answers[i] {
					ratios = append(ratios, figure(a)/max(figure(first[round]), 1e-9)) // as for loads
				}
				return ratios
			}
			rates := vsFirst(func(a gateAnswer) float64 { return a.perSecond })
			r.Gates = append(r.Gates, gateRow{
				Name: g.loads[load].name, Policy: p.name, Slots: p.slots, VsFirst: median(rates), Quartiles: quartiles(rates),
				P50:  median(vsFirst(func(a gateAnswer) float64 { return a.p50 })),
				P99:  median(vsFirst(func(a gateAnswer) float64 { return a.p99 })),
				P999: median(vsFirst(func(a gateAnswer) float64 { return a.p999 })),
			})
		}
	}
}

func (r *report) gateTable() table {
	t := table{
		name: "gate",
		title: fmt.Sprintf("Ways through the gate, with %d goroutines: calls per second and times of a call as multiples of those with one call at a time, in order",
			gateCrowd),
		header: []string{"", "policy", "at a time", "calls per second", "quartiles", "p50", "p99", "p99.9"},
	}
	for _, g := range r.Gates {
		slots := ""
		if g.Slots > 0 {
			slots = strconv.Itoa(g.Slots)
		}
		t.add(g.Name, g.Policy, slots, figure(g.VsFirst), between(g.Quartiles), figure(g.P50), figure(g.P99), figure(g.P999))
	}
	return t
}
