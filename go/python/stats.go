package python

// #include "core.h"
import "C"

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// Stats is what an [Interpreter] counts. In JSON and in [Stats.Map], the names of what only grows, counters, end in _total; the
// others are gauges, which go up and down. Times are in nanoseconds.
//
//	expvar.Publish("python", expvar.Func(func() any { return in.Stats() }))
//
// [Stats.Metrics] suits OpenTelemetry and Prometheus.
//
// Calls are those of Python functions, each input of a [Map] by itself, and those that methods like [Object.Attr] make. To
// count them costs a call a few nanoseconds. The times in Python are read from a clock that ticks every 10 ms: shorter calls
// count by the ticks that fall into them, as in a CPU profile, so that sums are right in the long run.
type Stats struct {
	// Running calls have a slot; this and the next two, StillRunning, Waits and WaitTime are the sums over all lanes.
	Running int `json:"running"`
	// Waiting ones wait for their turn.
	Waiting int `json:"waiting"`
	// Limit is how many slots calls get at a time while others wait: see [Config].MaxConcurrent.
	Limit int `json:"limit"`
	// Lanes counts for each [Lane], by its name; nil if there are none.
	Lanes map[string]LaneStats `json:"lanes,omitempty"`
	// StillRunning counts calls that go on although their callers have got [ErrStillRunning]: see [Config].MaxStillRunning.
	StillRunning int `json:"still_running"`
	// Objects counts references to Python objects that Go owns, functions included.
	Objects int `json:"objects"`
	// Hosted counts Go functions and Go values that Python reaches.
	Hosted int `json:"hosted"`
	// Retained counts lent arrays that Python still reaches although their call has returned.
	Retained int `json:"retained"`
	// RetainedBytes is the size of their elements.
	RetainedBytes int `json:"retained_bytes"`
	// Threads counts OS threads that have a Python thread state, but those that Python has started.
	Threads int `json:"threads"`

	// RetainedTotal counts the lent arrays that were ever retained.
	RetainedTotal int `json:"retained_total"`
	// Calls counts those that came to Python.
	Calls int `json:"calls_total"`
	// Failed counts those that returned an error, also because they did not come to Python.
	Failed int `json:"failed_total"`
	// Errors counts these by class: [Error].Type for an exception, and the name of the variable for other errors, such as
	// "ErrClosed" or "context.Canceled"; "conversion" is an argument or a result that could not be converted. Beyond 200
	// classes, further ones count as "other".
	Errors map[string]int `json:"errors_total"`
	// Cancelled counts those of them that failed with the error of a context.
	Cancelled int `json:"cancelled_total"`
	// Abandoned counts those that failed with [ErrStillRunning].
	Abandoned int `json:"abandoned_total"`
	// Callbacks counts how often Python has called Go functions.
	Callbacks int `json:"callbacks_total"`

	// Dropped counts lines of output and records of logging that were lost, because writing them took too long or failed.
	Dropped int `json:"dropped_total"`

	// SignalsMended counts what C code did to the handlers of signals and was mended: handlers without SA_ONSTACK, which got the
	// flag, and handlers of Go's that were dropped, and put back. The log names each handler once; so does "gophersnake doctor".
	SignalsMended int `json:"signals_mended_total"`

	// Waits counts how often a call had to wait for its turn, also after a Go function that it has called.
	Waits int `json:"waits_total"`
	// WaitTime is for how long, exactly.
	WaitTime time.Duration `json:"wait_time_total"`
	// AttachTime is how long calls that had their turn waited for the GIL.
	AttachTime time.Duration `json:"attach_time_total"`
	// RunTime is how long calls were in Python, C code that lets go of the GIL included.
	RunTime time.Duration `json:"run_time_total"`
	// CallbackTime is how long they waited for Go functions.
	CallbackTime time.Duration `json:"callback_time_total"`
}

// Stats returns the counters. It never waits for Python.
func (in *Interpreter) Stats() Stats {
	freed.giveBack()
	counts := coreStats()
	held, bytes, total := leases.count()
	calls, lanes := in.laneStats()
	s := Stats{
		Running:       calls.Running,
		Waiting:       calls.Waiting,
		Limit:         calls.Limit,
		Lanes:         lanes,
		StillRunning:  calls.StillRunning,
		Objects:       int(counts.objects), //nolint:gosec // counters of this process
		Hosted:        hosted.count(),
		Retained:      held,
		RetainedBytes: int(bytes),                 //nolint:gosec // a size in memory
		Threads:       int(counts.threads),        //nolint:gosec // a counter of this process
		RetainedTotal: int(total),                 //nolint:gosec // likewise
		Abandoned:     int(abandonedTotal.Load()), //nolint:gosec // likewise
		Callbacks:     int(counts.callbacks),      //nolint:gosec // likewise
		Waits:         calls.Waits,
		Dropped:       int(counts.dropped) + droppedLines(), //nolint:gosec // likewise
		SignalsMended: int(counts.signals_mended),           //nolint:gosec // likewise
		WaitTime:      calls.WaitTime,
	}
	s.Errors, s.Failed, s.Cancelled = failures.counts()
	for _, f := range frames.list() {
		a := f.activity()
		s.Calls += int(a.calls)         //nolint:gosec // a counter of this process
		s.Callbacks += int(a.callbacks) //nolint:gosec // likewise
		s.AttachTime += time.Duration(a.attaching_time)
		s.RunTime += time.Duration(a.running_time)
		s.CallbackTime += time.Duration(a.callback_time)
	}
	return s
}

// Map returns all numbers by their names in JSON; errors_total has one for each class: "errors_total.ValueError", and lanes
// has all of each lane: "lanes.io.running".
func (s Stats) Map() map[string]int64 {
	all := map[string]int64{}
	addNumbers(all, "", s)
	for name, lane := range s.Lanes {
		addNumbers(all, "lanes."+name+".", lane)
	}
	for class, count := range s.Errors {
		all["errors_total."+class] = int64(count)
	}
	return all
}

// addNumbers adds the fields of a struct that are numbers.
func addNumbers(all map[string]int64, prefix string, numbers any) {
	v := reflect.ValueOf(numbers)
	for i := range v.NumField() {
		if v.Field(i).CanInt() {
			all[prefix+v.Type().Field(i).Tag.Get("json")] = v.Field(i).Int()
		}
	}
}

// coreStats returns what the core counts.
func coreStats() C.snake_stats {
	var counts C.snake_stats
	if err := takeError(C.snake_interpreter_stats(&counts)); err != nil {
		panic(err) // the pointer is valid, so that nothing can fail
	}
	return counts
}

// activity copies what the call of the frame is doing, and what its calls did.
func (f *frame) activity() (copied C.snake_activity) {
	from := unsafe.Slice((*uint64)(unsafe.Pointer(&f.outer.activity)), unsafe.Sizeof(copied)/8)
	to := unsafe.Slice((*uint64)(unsafe.Pointer(&copied)), len(from))
	for i := range from {
		to[i] = atomic.LoadUint64(&from[i])
	}
	return copied
}

// list returns all frames that there are.
func (t *frameTable) list() []*frame {
	if all := t.all.Load(); all != nil {
		return *all
	}
	return nil
}

// failures counts the calls that failed.
var failures = failureTable{byClass: map[string]int{}}

type failureTable struct {
	mu        sync.Mutex
	byClass   map[string]int
	total     int
	cancelled int
}

// mostClasses bounds the classes that are counted, since a program may make any number of them.
const mostClasses = 200

// count counts an error of a call.
func (t *failureTable) count(err error) {
	class := errorClass(err)
	isCancelled := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.byClass[class]; !known && len(t.byClass) >= mostClasses {
		class = "other"
	}
	t.byClass[class]++
	t.total++
	if isCancelled {
		t.cancelled++
	}
}

func (t *failureTable) counts() (byClass map[string]int, total, cancelled int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.byClass), t.total, t.cancelled
}

// errorNames are the errors that are no exceptions, by name.
var errorNames = []struct {
	err  error
	name string
}{
	{ErrStillRunning, "ErrStillRunning"},
	{ErrClosed, "ErrClosed"},
	{ErrOverloaded, "ErrOverloaded"},
	{ErrRetained, "ErrRetained"},
	{ErrLimit, "ErrLimit"},
	{ErrInternal, "ErrInternal"},
	{errExiting, "runtime.Goexit"},
	{context.DeadlineExceeded, "context.DeadlineExceeded"},
	{context.Canceled, "context.Canceled"},
}

// errorClass names what kind of error it is.
func errorClass(err error) string {
	var exception *Error
	if errors.As(err, &exception) {
		return strings.Clone(exception.Type) // it is a part of a longer text
	}
	for _, sentinel := range errorNames {
		if errors.Is(err, sentinel.err) {
			return sentinel.name
		}
	}
	return "conversion"
}
