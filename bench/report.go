package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// report is what was measured; its JSON form is the file that -json names.
type report struct {
	Ratios         map[string]float64 `json:"ratios"`
	ThreadsAt1000  int                `json:"threads_at_1000"`
	AllocsPerNoop  float64            `json:"allocs_per_noop"`
	FaultsPerNoop  float64            `json:"faults_per_noop"`
	FaultsPerFresh float64            `json:"faults_per_fresh"` // of a call that makes a new thread state
	Rows           []row              `json:"rows"`
	Quick          bool               `json:"quick"` // too short for its numbers to mean anything
	Python         string             `json:"python"`
	NumPy          string             `json:"numpy"`
	Go             string             `json:"go"`
	CPU            string             `json:"cpu"`
	GOMAXPROCS     int                `json:"gomaxprocs"`
}

// row is one line of the table.
type row struct {
	Name      string     `json:"name"`
	N         int        `json:"n,omitempty"`        // length of what is passed
	NS        float64    `json:"ns,omitempty"`       // for one call
	Value     float64    `json:"value"`              // for a time: how many times the C floor it is
	Quartiles [2]float64 `json:"quartiles,omitzero"` // of the value, over the rounds
	Bar       string     `json:"bar,omitempty"`      // what is wanted
	OK        *bool      `json:"ok,omitempty"`       // whether it is
}

// atMost sets a bar.
func (r row) atMost(bar float64) row {
	ok := r.Value <= bar
	r.Bar, r.OK = fmt.Sprintf("≤ %g", bar), &ok
	return r
}

// atLeast sets a bar.
func (r row) atLeast(bar float64) row {
	ok := r.Value >= bar
	r.Bar, r.OK = fmt.Sprintf("≥ %g", bar), &ok
	return r
}

// addHeats adds the times of the race. Their ratio to the floor is the median of the ratios of all rounds: floor and contestant of
// one round run within a few milliseconds, so that what slows the machine slows both, and what hits only one of them is an
// outlier that the median leaves out.
func (r *report) addHeats(heats []heat) {
	var byLength []float64
	for _, h := range heats {
		for _, c := range h {
			line := row{Name: c.name, N: c.n, NS: median(c.ns), Value: median(c.ratios)}
			if c != h[0] {
				line.Quartiles = [2]float64{quantile(c.ratios, 0.25), quantile(c.ratios, 0.75)}
			}
			if c.key != "" {
				r.Ratios[c.key] = line.Value
			}
			if c.bar > 0 {
				line = line.atMost(c.bar)
			}
			if c.name == noopName {
				byLength = append(byLength, line.Value)
			}
			r.Rows = append(r.Rows, line)
		}
	}
	spread := quantile(byLength, 1) / quantile(byLength, 0)
	r.Ratios["noop_lengths"] = spread
	r.Rows = append(r.Rows, row{Name: noopName + ": greatest ratio by smallest, of all n", Value: spread}.atMost(1.15))
}

// addCosts adds what a call costs besides time.
func (r *report) addCosts(noop, fresh cost) {
	r.AllocsPerNoop, r.FaultsPerNoop, r.FaultsPerFresh = noop.allocs, noop.faults, fresh.faults
	r.Rows = append(r.Rows,
		row{Name: noopName + ": Go allocations per call", Value: noop.allocs}.atMost(2),
		row{Name: noopName + ": page faults per call (an mmap causes one)", Value: noop.faults}.atMost(0.01),
		row{Name: freshName + ": page faults per call", Value: fresh.faults})
}

// addLoad adds what many goroutines get through.
func (r *report) addLoad(l *load) {
	ratio := median(l.ratios)
	line := row{
		Name: fmt.Sprintf("%s: %d goroutines by one", l.name, crowd), Value: ratio,
		Quartiles: [2]float64{quantile(l.ratios, 0.25), quantile(l.ratios, 0.75)},
	}
	if l.key != "" {
		r.Ratios[l.key] = ratio
		line = line.atLeast(l.bar)
	}
	r.Rows = append(r.Rows,
		row{Name: l.name + ": calls per second of 1 goroutine", Value: median(l.one)},
		row{Name: fmt.Sprintf("%s: calls per second of %d goroutines", l.name, crowd), Value: median(l.many)},
		line)
	r.ThreadsAt1000 = max(r.ThreadsAt1000, l.maxThreads)
}

// addThreads adds how many OS threads there were while many goroutines called.
func (r *report) addThreads(atMost int) {
	name := fmt.Sprintf("OS threads of the process with %d goroutines", crowd)
	r.Rows = append(r.Rows, row{Name: name, Value: float64(r.ThreadsAt1000)}.atMost(float64(atMost)))
}

func (r *report) writeTable(w io.Writer) error {
	var out strings.Builder
	line := func(name, n, ns, value, quartiles, bar, verdict string) {
		text := fmt.Sprintf("%-56s %9s %11s %10s %16s %8s  %s", name, n, ns, value, quartiles, bar, verdict)
		fmt.Fprintln(&out, strings.TrimRight(text, " "))
	}
	fmt.Fprintf(&out, "Python %s, NumPy %s, %s, %s, GOMAXPROCS %d\n\n", r.Python, r.NumPy, r.Go, r.CPU, r.GOMAXPROCS)
	line("", "n", "ns per call", "× C floor", "quartiles", "bar", "")
	times := true
	for _, row := range r.Rows {
		if times && row.NS == 0 {
			fmt.Fprintln(&out)
			line("", "", "", "value", "quartiles", "bar", "")
			times = false
		}
		var n, ns, quartiles, verdict string
		value := strconv.FormatFloat(row.Value, 'f', 2, 64)
		if row.Value >= 1000 {
			value = strconv.FormatFloat(row.Value, 'f', 0, 64)
		}
		if row.N > 0 {
			n = strconv.Itoa(row.N)
		}
		if row.NS > 0 {
			ns = strconv.FormatFloat(row.NS, 'f', 1, 64)
		}
		if row.Quartiles[1] > 0 {
			quartiles = fmt.Sprintf("%.2f to %.2f", row.Quartiles[0], row.Quartiles[1])
		}
		if row.OK != nil {
			verdict = map[bool]string{true: "ok", false: "missed"}[*row.OK]
		}
		line(row.Name, n, ns, value, quartiles, row.Bar, verdict)
	}
	if r.Quick {
		fmt.Fprintln(&out, "\nA quick run: its numbers mean nothing.")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func (r *report) writeJSON(file string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644) //nolint:gosec // not secret
}

// machine returns the name of the processor and how many there are.
func machine() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	_, rest, found := strings.Cut(string(info), "model name")
	name, _, _ := strings.Cut(rest, "\n")
	if !found {
		name = runtime.GOARCH
	}
	return fmt.Sprintf("%d × %s", runtime.NumCPU(), strings.Trim(name, "\t :"))
}
