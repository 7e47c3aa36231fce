package main

import "fmt"

// bar is what a ratio should be. Missing one is shown, and fails nothing.
type bar struct {
	what, key string
	atLeast   bool
	limit     float64
}

// bars returns them; `threads` is how many OS threads there may be.
func bars(threads int) []bar {
	atMost := func(what, key string, limit float64) bar { return bar{what, key, false, limit} }
	atLeast := func(what, key string, limit float64) bar { return bar{what, key, true, limit} }
	return []bar{
		atMost("no-op from any goroutine / C floor", "noop_vs_c", 2.3),
		atMost("`detect` of 1,000 values / C floor", "detect1000_vs_c", 1.05),
		atMost("batch of 100 no-ops, each / C floor", "map100_vs_c", 1.15),
		atLeast("gRPC, a message per value / `detect` of 1,000 values", "grpc_metrics_vs_bind", 60),
		atLeast("gRPC, packed doubles / `detect` of 1,000 values", "grpc_packed_vs_bind", 30),
		atLeast("gRPC no-op / no-op", "grpc_noop_vs_bind", 1000),
		atLeast("raw bytes over a unix socket / `detect` of 1,000 values", "socket_vs_bind", 3),
		atLeast("calls per second, 2 goroutines / 1, work without the GIL", "releases2_vs_1", 1.85),
		atLeast("calls per second, 1,000 goroutines / 1, `detect` of 1,000 values", "gate1000_vs_1", 0.7),
		atMost("OS threads meanwhile", "threads_at_1000", float64(threads)),
		atMost("cold start / `python -c 'import numpy'`", "cold_start_vs_import", 1.1),
		atMost("Go allocations per no-op", "allocs_per_noop", 1),
		atMost("page faults per no-op (an mmap causes one)", "faults_per_noop", 0.01),
		atMost("no-op, greatest ratio to the C floor / smallest, of all lengths", "noop_lengths", 1.15),
		atMost("no-op with 3 ints / C floor", "noop_result_vs_c", 3),
		atMost("no-op with 3 ints, Bind / Call and As", "bind_vs_call_as", 1.15),
	}
}

// verdict is a bar and what was measured.
type verdict struct {
	What      string     `json:"what"`
	Key       string     `json:"key"`
	Want      string     `json:"want"`
	Value     float64    `json:"value"`
	Quartiles [2]float64 `json:"quartiles,omitzero"`
	Quiet     float64    `json:"quiet,omitempty"` // in the quietest rounds
	Met       bool       `json:"met"`
}

// judge adds what has become of the bars.
func (r *report) judge(bars []bar) {
	for _, b := range bars {
		value := r.Ratios[b.key]
		sign, met := "≤", value <= b.limit
		if b.atLeast {
			sign, met = "≥", value >= b.limit
		}
		r.Bars = append(r.Bars, verdict{b.what, b.key, fmt.Sprintf("%s %g", sign, b.limit), value, r.Quartiles[b.key], r.Quiet[b.key], met})
	}
}
