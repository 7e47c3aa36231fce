package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// markdown returns the tables of the report, of which docs/PERFORMANCE.md has copies. All times in them are ratios.
func (r *report) markdown() string {
	var out strings.Builder
	out.WriteString(r.Machine.String())
	if r.Quick {
		out.WriteString("\nA quick run: its numbers mean nothing.\n")
	}
	for _, t := range r.tables() {
		fmt.Fprintf(&out, "\n%s:\n\n%s", t.title, t.body())
	}
	return out.String()
}

func (m machine) String() string {
	return fmt.Sprintf("%s, GOMAXPROCS %d, %s, Python %s, NumPy %s, %s\n", m.CPU, m.GOMAXPROCS, m.Go, m.Python, m.NumPy, m.Rivals)
}

func (r *report) tables() []table {
	return []table{r.barTable(), r.jobTable(), r.raceTable(), r.copyTable(), r.loadTable(), r.hogTable(), r.gateTable(), r.coldStartTable()}
}

func (r *report) barTable() table {
	t := table{name: "bars", title: "Bars", header: []string{"ratio", "bar", "measured", "quartiles", "quietest rounds", ""}}
	for _, b := range r.Bars {
		t.add(b.What, b.Want, figure(b.Value), between(b.Quartiles), orNothing(b.Quiet), map[bool]string{true: "met", false: "**missed**"}[b.Met])
	}
	return t
}

// jobTable compares all who do the same job with gophersnake's Bind.
func (r *report) jobTable() table {
	t := table{name: "jobs", title: "The same job, as a multiple of gophersnake's `Bind`", header: []string{"", "no-op"}}
	lengths, contestants := []int{}, []string{}
	for _, row := range r.Rows {
		if row.Job == "detect" && !slices.Contains(lengths, row.N) {
			lengths = append(lengths, row.N)
		}
		if row.By != "" && !slices.Contains(contestants, row.By) {
			contestants = append(contestants, row.By)
		}
	}
	slices.Sort(lengths)
	for _, n := range lengths {
		t.header = append(t.header, "`detect`, "+thousands(n))
	}
	for _, by := range contestants {
		line := []string{by}
		for _, n := range append([]int{0}, lengths...) {
			i := slices.IndexFunc(r.Rows, func(row row) bool {
				return row.By == by && (row.Job == "noop" && n == 0 || row.Job == "detect" && row.N == n)
			})
			if i < 0 {
				line = append(line, "")
			} else {
				line = append(line, figure(r.Rows[i].VsBind))
			}
		}
		t.add(line...)
	}
	return t
}

func (r *report) raceTable() table {
	t := table{name: "calls", title: "Calls, as a multiple of the C floor", header: []string{"", "n", "× C floor", "quartiles", "quietest rounds", "rounds"}}
	for _, row := range r.Rows {
		if row.VsC == 0 {
			continue // in the table before
		}
		n := ""
		if row.N > 0 {
			n = thousands(row.N)
		}
		t.add(row.Name, n, figure(row.VsC), between(row.Quartiles), orNothing(row.Quiet), strconv.Itoa(row.Rounds))
	}
	return t
}

func (r *report) copyTable() table {
	t := table{
		name:   "bytes",
		title:  "Bytes that a call of `detect` moves, on the side of Go",
		header: []string{"", "n", "allocated by Go", "read and written by system calls", "Go allocations"},
	}
	for _, c := range r.Copies {
		t.add(c.By, thousands(c.N), thousands(int(c.Heap+0.5)), thousands(int(c.Kernel+0.5)), figure(c.Allocs))
	}
	return t
}

// loadTable gives times as multiples of the median call of one goroutine.
func (r *report) loadTable() table {
	t := table{
		name: "goroutines",
		title: "Many goroutines: calls per second as a multiple of one goroutine's; times of a call, waiting included, as multiples of the median " +
			"when one goroutine calls",
		header: []string{"", "goroutines", "calls per second", "quartiles", "p50", "p99", "p99.9"},
	}
	for _, l := range r.Loads {
		if l.PauseMS == 0 {
			one := r.alone(l)
			t.add(l.Name, thousands(l.Goroutines), figure(l.VsOne), between(l.Quartiles), figure(l.P50/one), figure(l.P99/one), figure(l.P999/one))
		}
	}
	return t
}

func (r *report) hogTable() table {
	t := table{
		name: "hog",
		title: "Beside a hog, a thread that runs Python all the time, with a pause of 1 ms after each call: times of a call, waiting included, as multiples " +
			"of the median when one goroutine calls and there is no hog",
		header: []string{"", "goroutines", "hog, switch interval", "p50", "p99", "p99.9"},
	}
	for _, l := range r.Loads {
		if l.PauseMS > 0 {
			interval := "no hog"
			if l.HogMS > 0 {
				interval = fmt.Sprintf("%g ms", l.HogMS)
			}
			one := r.alone(l)
			t.add(l.Name, thousands(l.Goroutines), interval, figure(l.P50/one), figure(l.P99/one), figure(l.P999/one))
		}
	}
	return t
}

// alone returns the median time of a call when one goroutine makes them, without a hog.
func (r *report) alone(l loadRow) float64 {
	i := slices.IndexFunc(r.Loads, func(o loadRow) bool {
		return o.Name == l.Name && o.PauseMS == l.PauseMS && o.Goroutines == 1 && o.HogMS == 0
	})
	return r.Loads[i].P50
}

func (r *report) coldStartTable() table {
	t := table{
		name:   "cold-starts",
		title:  "Cold start: a program's time until its first result and the resident memory of all of its processes then, as multiples of `" + importNumPy + "`",
		header: []string{"", "time", "quartiles", "memory"},
	}
	for _, s := range r.ColdStarts {
		t.add(s.Name, figure(s.VsImport), between(s.Quartiles), figure(s.MiB/r.ColdStarts[0].MiB))
	}
	return t
}

// table is one of Markdown whose columns are also columns in a terminal.
type table struct {
	name   string // in docs/PERFORMANCE.md
	title  string
	header []string
	lines  [][]string
}

func (t *table) add(cells ...string) { t.lines = append(t.lines, cells) }

// body returns the table without its title.
func (t table) body() string {
	var out strings.Builder
	widths := make([]int, len(t.header))
	for _, line := range append([][]string{t.header}, t.lines...) {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), 3)
		}
	}
	write := func(cells []string) {
		for i, cell := range cells {
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				cell += padding
			} else {
				cell = padding + cell
			}
			out.WriteString("| " + cell + " ")
		}
		out.WriteString("|\n")
	}
	write(t.header)
	rule := make([]string, len(widths))
	for i, width := range widths {
		rule[i] = strings.Repeat("-", width-1) + ":"
	}
	rule[0] = strings.Repeat("-", widths[0])
	write(rule)
	for _, line := range t.lines {
		write(line)
	}
	return out.String()
}

// thousands writes a number with separators.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
