package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/gophersnake/gophersnake/go/python"
)

// gateCrowd is how many goroutines call at once where the size of the gate is looked at.
const gateCrowd = 64

// gateSizes are the numbers of slots.
var gateSizes = []int{1, 2, 3, 4, 8, gateCrowd}

// gateFlag is PYTHON SLOTS: has this program put its own calls under load.
const gateFlag = "-gate"

// gates are programs with gates of several sizes, which work in turn.
type gates struct {
	programs []*again
	loads    []string
	answers  map[gateKey][]gateAnswer // by round
}

type gateKey struct {
	load  string
	slots int
}

// gateAnswer is what a program has measured in a round.
type gateAnswer struct{ perSecond, p50, p99, p999 float64 }

// gateRow is what a size gives, as multiples of what one slot gives in the same round.
type gateRow struct {
	Name      string     `json:"name"`
	Slots     int        `json:"slots"`
	VsOne     float64    `json:"per_second_vs_one"`
	Quartiles [2]float64 `json:"quartiles"`
	P50       float64    `json:"p50_vs_one"`
	P99       float64    `json:"p99_vs_one"`
	P999      float64    `json:"p999_vs_one"`
}

func startGates(executable string) (*gates, error) {
	g := &gates{answers: map[gateKey][]gateAnswer{}}
	for _, slots := range gateSizes {
		program, err := startAgain(gateFlag, executable, strconv.Itoa(slots))
		if err != nil {
			return nil, errors.Join(err, g.close())
		}
		g.programs = append(g.programs, program)
	}
	return g, nil
}

// run adds a round of each load and size.
func (g *gates) run(length time.Duration) error {
	for load := 0; load == 0 || load < len(g.loads); load++ {
		for i, program := range g.programs {
			answer, err := program.ask(load, length)
			if err != nil {
				return err
			}
			var a gateAnswer
			var loads int
			var name string
			if _, err := fmt.Sscanf(answer, "%d %g %g %g %g %q", &loads, &a.perSecond, &a.p50, &a.p99, &a.p999, &name); err != nil {
				return fmt.Errorf("a gate says %q: %w", answer, err)
			}
			if len(g.loads) < loads {
				g.loads = make([]string, loads)
			}
			g.loads[load] = name
			key := gateKey{name, gateSizes[i]}
			g.answers[key] = append(g.answers[key], a)
		}
	}
	return nil
}

func (g *gates) close() error {
	var failures []error
	for _, program := range g.programs {
		failures = append(failures, program.close())
	}
	return errors.Join(failures...)
}

func (r *report) addGates(g *gates) {
	for _, load := range g.loads {
		one := g.answers[gateKey{load, 1}]
		for _, slots := range gateSizes {
			answers := g.answers[gateKey{load, slots}]
			vsOne := func(figure func(gateAnswer) float64) []float64 {
				var ratios []float64
				for i, a := range answers {
					ratios = append(ratios, figure(a)/max(figure(one[i]), 1e-9)) // as for loads
				}
				return ratios
			}
			rates := vsOne(func(a gateAnswer) float64 { return a.perSecond })
			r.Gates = append(r.Gates, gateRow{
				Name: load, Slots: slots, VsOne: median(rates), Quartiles: quartiles(rates),
				P50:  median(vsOne(func(a gateAnswer) float64 { return a.p50 })),
				P99:  median(vsOne(func(a gateAnswer) float64 { return a.p99 })),
				P999: median(vsOne(func(a gateAnswer) float64 { return a.p999 })),
			})
		}
	}
}

// runGate is what such a program does. It tells whether the arguments ask for it.
func runGate(arguments []string) (asked bool, err error) {
	if len(arguments) != 3 || arguments[0] != gateFlag {
		return false, nil
	}
	slots, err := strconv.Atoi(arguments[2])
	if err != nil {
		return true, err
	}
	in, err := python.Start(python.Config{Python: arguments[1], Path: []string{"python"}, MallocTrimThreshold: kept, MaxConcurrent: slots})
	if err != nil {
		return true, err
	}
	c, err := newContestants(context.Background(), in)
	if err != nil {
		return true, err
	}
	loads, err := c.ownLoads(in)
	if err != nil {
		return true, err
	}
	for {
		var load int
		var text string
		if _, err := fmt.Scanln(&load, &text); errors.Is(err, io.EOF) {
			return true, nil
		} else if err != nil {
			return true, err
		}
		length, err := time.ParseDuration(text)
		if err != nil {
			return true, err
		}
		l := loads[load]
		times, took, _, err := throughput(l.work, gateCrowd, 0, length)
		if err != nil {
			return true, err
		}
		slices.Sort(times)
		fmt.Printf("%d %g %g %g %g %q\n", len(loads), float64(len(times))/took.Seconds(), ofSorted(times, 0.5), ofSorted(times, 0.99),
			ofSorted(times, 0.999), l.name)
	}
}
