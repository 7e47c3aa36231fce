package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMain is also the program that is started anew for the cold starts.
func TestMain(m *testing.M) {
	asked, err := runAgain(os.Args[1:])
	if !asked {
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// TestQuick sees that everything runs, that all answers are right and that the results are written. What the numbers are, it
// does not look at.
func TestQuick(t *testing.T) {
	folder := t.TempDir()
	var stdout, stderr bytes.Buffer
	if err := run(options{quick: true, out: folder}, &stdout, &stderr); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(folder, "bench.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	keys := []string{"callback_noop_vs_c", "callback_float_vs_c", "callback_array_vs_c", "iter_generator_vs_c", "iter_list_vs_c"}
	for _, b := range r.Bars {
		if b.Key != "faults_per_noop" && b.Key != "allocs_per_noop" { // it has none
			keys = append(keys, b.Key)
		}
	}
	for _, key := range keys {
		if r.Ratios[key] <= 0 {
			t.Errorf("ratio %s: want a positive number, got %v", key, r.Ratios[key])
		}
	}
	if m := r.Machine; m.Python == "" || m.NumPy == "" || m.Rivals == "" || m.Go == "" || m.CPU == "" {
		t.Errorf("something was not found out: %+v", m)
	}
	for _, name := range []string{"latency", "throughput", "cold_start", "overhead"} {
		if plot, err := os.ReadFile(filepath.Join(folder, name+".png")); err != nil || !bytes.HasPrefix(plot, []byte("\x89PNG")) {
			t.Errorf("no plot %s: %v", name, err)
		}
	}
	for _, row := range r.Rows {
		if !strings.Contains(stdout.String(), "| "+row.Name) && (row.By == "" || !strings.Contains(stdout.String(), "| "+row.By)) {
			t.Errorf("the table lacks %q", row.Name)
		}
	}
	document := filepath.Join(folder, "document.md")
	if err := os.WriteFile(document, []byte("a\n<!-- table: bars -->\nold\n<!-- end -->\nb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := fill(document, folder); err != nil {
		t.Fatal(err)
	}
	bars := r.barTable()
	if text, _ := os.ReadFile(document); string(text) != "a\n<!-- table: bars -->\n"+bars.body()+"<!-- end -->\nb\n" {
		t.Errorf("the document was not filled: %s", text)
	}
	if strings.Contains(stderr.String(), "\r") {
		t.Errorf("progress draws where there is no terminal: %q", stderr.String())
	}
}

// TestWrongAnswer sees that every contestant that returns something is found out if it is wrong.
func TestWrongAnswer(t *testing.T) {
	in, err := startPython()
	if err != nil {
		t.Fatal(err)
	}
	c, err := newContestants(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	floor, err := loadFloor("noop", 0) // returns None
	if err != nil {
		t.Fatal(err)
	}
	for what := convertFloat; what <= convertMatrix; what++ {
		if _, err := floor.converts(what, c.data[:10], strings.Repeat(padded("name"), 10))(1); err == nil {
			t.Errorf("conversion %d in C: want an error, got none", what)
		}
	}
	wrongFloat, err := converts(in, 1.0, 2.0)
	if err != nil {
		t.Fatal(err)
	}
	same, err := loadFloor("same", 0)
	if err != nil {
		t.Fatal(err)
	}
	wrongCallback, err := callsBack(in, plusOne, 1, 3)
	if err != nil {
		t.Fatal(err)
	}
	repeatWith, err := loadFloor("repeat_with", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := repeatWith.callsBack(callbackArray, nil, 0)(2); err == nil {
		t.Error("an array without a first element: want an error, got none")
	}
	if _, err := floor.iterates(2); err == nil {
		t.Error("None as an iterable: want an error, got none")
	}
	if err := checkSum(1002, 999*1000/2+1); err != nil {
		t.Error(err)
	}
	if err := checkSum(1002, 999*1000/2+2); err == nil {
		t.Error("the sum of other items: want an error, got none")
	}
	for name, run := range map[string]func(int) (time.Duration, error){
		"callback":   wrongCallback,
		"C callback": repeatWith.callsBack(callbackFloat, c.data[:1], c.data[0]),
		"C":          c.inC(c.threeFloor, gilHeld, usual, []int{1, 2, 4}),
		"C new":      c.inC(c.threeFloor, gilFresh, usual, []int{1, 2}),
		// Of all numbers only the first is converted.
		"C conversion": same.converts(convertFloat, c.data[:2], ""),
		"conversion":   wrongFloat,
		"Bind":         c.find(c.threeBound, usual, nil),
		"Call":         c.detectCall(usual, nil),
		"Map":          c.detectBatch(usual, nil),
		"Python loop":  c.loop("detect", usual, nil),
	} {
		if _, err := run(2); err == nil || !strings.Contains(err.Error(), "wrong answer") {
			t.Errorf("%s: want an error about a wrong answer, got %v", name, err)
		}
	}
	small, err := loadFloor("three", 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := small.run(gilHeld, c.data[:usual], 1, c.three); err == nil {
		t.Error("a result that is too long: want an error")
	}
	if _, err := loadFloor("missing", 0); err == nil {
		t.Error("a function that does not exist: want an error")
	}
}

// TestQuantile sees that the statistics are what they are called.
func TestQuantile(t *testing.T) {
	values := []float64{5, 1, 4, 2, 3}
	for share, want := range map[float64]float64{0: 1, 0.25: 2, 0.5: 3, 0.75: 4, 1: 5} {
		if got := quantile(values, share); got != want {
			t.Errorf("quantile %v: want %v, got %v", share, want, got)
		}
	}
}

// TestQuietest sees that the rounds which all contestants found quiet are chosen, whatever the ratios are in them.
func TestQuietest(t *testing.T) {
	noisy := []float64{20, 10, 21, 20, 11, 20, 19, 22}
	h := heat{{ns: noisy}, {ns: []float64{200, 300, 190, 210, 90, 205, 195, 220}}, {ns: []float64{3, 1, 3, 3, 1, 3, 3, 3}}}
	if got := h.quietest(); !slices.Equal(got, []int{4, 1}) {
		t.Errorf("want rounds 4 and 1, got %v", got)
	}
	if got := pick(noisy, []int{4, 1}); !slices.Equal(got, []float64{11, 10}) {
		t.Errorf("want the times of those rounds, got %v", got)
	}
}

// BenchmarkNoop is what `make bench-budget` profiles.
func BenchmarkNoop(b *testing.B) {
	in, err := startPython()
	if err != nil {
		b.Fatal(err)
	}
	c, err := newContestants(b.Context(), in)
	if err != nil {
		b.Fatal(err)
	}
	floor := c.inC(c.noopFloor, gilHeld, usual, nil)
	const chunks = 20 // so that both meet the same noise
	var own, floors time.Duration
	for range chunks {
		took, err := c.noop(usual)(max(b.N/chunks, 1))
		if err != nil {
			b.Fatal(err)
		}
		own += took
		if took, err = floor(max(b.N/chunks/100, 1)); err != nil { // few, because the profile is not to show them
			b.Fatal(err)
		}
		floors += took * 100
	}
	b.ReportMetric(float64(own)/float64(floors), "floors/op")
}
