package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// report is what was measured; bench.json is its JSON form.
type report struct {
	Bars       []verdict             `json:"bars"`
	Ratios     map[string]float64    `json:"ratios"`
	Quartiles  map[string][2]float64 `json:"quartiles"` // of those ratios that have one for each round
	Quiet      map[string]float64    `json:"quiet"`     // of those of the race: the median of the quietest rounds
	Rows       []row                 `json:"rows"`
	Copies     []copied              `json:"copies"`
	Loads      []loadRow             `json:"loads"`
	Gates      []gateRow             `json:"gates"`
	ColdStarts []coldStartRow        `json:"cold_starts"`
	Machine    machine               `json:"machine"`
	Quick      bool                  `json:"quick"` // too short for its numbers to mean anything
}

// machine is what the figures hold for.
type machine struct {
	Python     string `json:"python"`
	NumPy      string `json:"numpy"`
	Rivals     string `json:"rivals"` // versions of the servers' packages
	Go         string `json:"go"`
	CPU        string `json:"cpu"`
	GOMAXPROCS int    `json:"gomaxprocs"`
}

// row is a contestant of the race.
type row struct {
	Name      string     `json:"name"`
	Job       string     `json:"job,omitempty"`
	By        string     `json:"by,omitempty"`
	N         int        `json:"n,omitempty"`        // length of what is passed
	NS        float64    `json:"ns"`                 // for one call
	VsC       float64    `json:"vs_c"`               // how many times the floor it is
	Quartiles [2]float64 `json:"quartiles,omitzero"` // of that over the rounds, or else of the next
	Quiet     float64    `json:"quiet,omitempty"`    // of the floor, in the quietest rounds
	VsBind    float64    `json:"vs_bind,omitempty"`  // how many times gophersnake's Bind, if that does the same
	Rounds    int        `json:"rounds"`             // of the race
}

// copied is what one call of `detect` moves through memory on the side of Go.
type copied struct {
	By     string  `json:"by"`
	N      int     `json:"n"`
	Heap   float64 `json:"heap_bytes"`   // allocated by Go
	Kernel float64 `json:"kernel_bytes"` // read and written by system calls
	Allocs float64 `json:"allocs"`
}

// loadRow is what some goroutines get through.
type loadRow struct {
	Name       string     `json:"name"`
	Goroutines int        `json:"goroutines"`
	PauseMS    float64    `json:"pause_ms,omitempty"` // after each call
	HogMS      float64    `json:"hog_ms,omitempty"`   // the switch interval beside a hog
	PerSecond  float64    `json:"per_second"`
	VsOne      float64    `json:"vs_one"` // of what one goroutine gets through
	Quartiles  [2]float64 `json:"quartiles"`
	P50        float64    `json:"p50_us"`
	P99        float64    `json:"p99_us"`
	P999       float64    `json:"p999_us"`
}

// coldStartRow is a program until its first result.
type coldStartRow struct {
	Name      string     `json:"name"`
	MS        float64    `json:"ms"`
	VsImport  float64    `json:"vs_import"` // of the time of `python -c 'import numpy'`
	Quartiles [2]float64 `json:"quartiles"`
	MiB       float64    `json:"mib"` // resident, of all of its processes
}

func newReport() *report {
	return &report{Ratios: map[string]float64{}, Quartiles: map[string][2]float64{}, Quiet: map[string]float64{}}
}

// ratio adds a ratio by its rounds: their median. What slows the machine slows both sides of a round, which run within moments,
// and what hits only one of them is an outlier, which the median leaves out.
func (r *report) ratio(key string, rounds []float64) (best bool) {
	if old, ok := r.Ratios[key]; ok && old <= median(rounds) {
		return false // of several transports the fastest one
	}
	r.Ratios[key], r.Quartiles[key] = median(rounds), quartiles(rounds)
	return true
}

func quartiles(values []float64) [2]float64 {
	return [2]float64{quantile(values, 0.25), quantile(values, 0.75)}
}

// addHeats adds the times of the race.
func (r *report) addHeats(heats []heat) {
	var byLength []float64
	for _, h := range heats {
		bind, quietest := h.by(byBind), h.quietest()
		for i, c := range h {
			if i == 0 && c == bind {
				continue // raced against the floor in another heat
			}
			vs := ratios(c, h[0])
			line := row{Name: c.name, Job: c.job, By: c.by, N: c.n, NS: median(c.ns), Rounds: len(c.ns)}
			if i > 0 {
				line.Quartiles = quartiles(vs)
			}
			if bind != nil {
				line.VsBind = median(ratios(c, bind))
			}
			if h[0] != bind {
				line.VsC = median(vs)
				line.Quiet = median(pick(vs, quietest))
			}
			if c.key != "" && r.ratio(c.key, vs) {
				r.Quiet[c.key] = median(pick(vs, quietest))
			}
			if c.name == noopName {
				byLength = append(byLength, line.VsC)
			}
			r.Rows = append(r.Rows, line)
		}
	}
	r.Ratios["noop_lengths"] = quantile(byLength, 1) / quantile(byLength, 0)
}

// addCost adds what a no-op costs besides time.
func (r *report) addCost(noop, fresh cost) {
	r.Ratios["allocs_per_noop"] = noop.allocs
	r.Ratios["faults_per_noop"] = noop.faults
	r.Ratios["faults_per_fresh"] = fresh.faults // a call that makes a new thread state
}

// addCopies adds what those who find outliers move through memory.
func (r *report) addCopies(by string, n int, c cost) {
	r.Copies = append(r.Copies, copied{By: by, N: n, Heap: c.heap, Kernel: c.kernel, Allocs: c.allocs})
}

// addLoad adds what goroutines get through.
func (r *report) addLoad(l *load) {
	for i, goroutines := range l.goroutines {
		vsOne := l.scaling(goroutines)
		times := slices.Sorted(slices.Values(l.times[i]))
		us := func(share float64) float64 { return ofSorted(times, share) / 1000 }
		r.Loads = append(r.Loads, loadRow{
			Name: l.name, Goroutines: goroutines, PauseMS: l.pause.Seconds() * 1000, HogMS: l.hog.Seconds() * 1000, PerSecond: median(l.rates[i]),
			VsOne: median(vsOne), Quartiles: quartiles(vsOne), P50: us(0.5), P99: us(0.99), P999: us(0.999),
		})
	}
	if l.key != "" {
		r.ratio(l.key, l.scaling(l.keyAt))
	}
	r.Ratios["threads_at_1000"] = max(r.Ratios["threads_at_1000"], float64(l.maxThreads))
}

// addColdStarts adds the programs, the first of which is what the others are compared with.
func (r *report) addColdStarts(starts []*coldStart) {
	for _, s := range starts {
		ratios := make([]float64, len(s.ms))
		for i := range ratios {
			ratios[i] = s.ms[i] / starts[0].ms[i]
		}
		r.ColdStarts = append(r.ColdStarts, coldStartRow{s.name, median(s.ms), median(ratios), quartiles(ratios), median(s.memory)})
		if s.name == firstOwn {
			r.ratio("cold_start_vs_import", ratios)
		}
	}
}

func (r *report) writeJSON(file string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644) //nolint:gosec // not secret
}

// processor returns the name of the processor and how many there are.
func processor() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	_, rest, found := strings.Cut(string(info), "model name")
	name, _, _ := strings.Cut(rest, "\n")
	if !found {
		name = runtime.GOARCH
	}
	return fmt.Sprintf("%d × %s", runtime.NumCPU(), strings.Trim(name, "\t :"))
}

// figure formats a number with three digits that count.
func figure(x float64) string {
	switch {
	case x >= 100:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case x >= 10:
		return strconv.FormatFloat(x, 'f', 1, 64)
	default:
		return strconv.FormatFloat(x, 'f', 2, 64)
	}
}

// orNothing is figure for a number that there may not be.
func orNothing(x float64) string {
	if x == 0 {
		return ""
	}
	return figure(x)
}

func between(q [2]float64) string {
	if q == [2]float64{} {
		return ""
	}
	return figure(q[0]) + " to " + figure(q[1])
}
