package python

import (
	"context"
	"encoding/json"
	"errors"
	"expvar"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"
)

// Calls, errors by class and callbacks are counted exactly, whoever makes them.
func TestStatsExact(t *testing.T) {
	in := interpreter(t)
	executes, err := in.Func("callbacks:execute")
	if err != nil {
		t.Fatal(err)
	}
	defer executes.Close()
	mean, err := Bind[func(context.Context, []float64) (float64, error)](in, "numpy:mean")
	if err != nil {
		t.Fatal(err)
	}
	missing, closed := must(in.Func("callbacks:count")), must(in.Func("callbacks:count"))
	defer missing.Close()
	closed.Close()
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	watched, stop := context.WithCancel(context.Background())
	defer stop()
	each := 200 // rounds of 8 calls by each goroutine
	if testing.Short() {
		each = 20
	}
	callback := func() {}
	before := in.Stats()
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range each {
				_, err := mean(context.Background(), []float64{1, 2, 3})
				if err != nil {
					t.Error(err)
				}
				if _, err = mean(watched, []float64{1}); err != nil {
					t.Error(err)
				}
				if _, err = executes.Call(context.Background(), "raise KeyError(1)"); !errors.Is(err, KeyError) {
					t.Error(err)
				}
				if _, err = executes.Call(watched, "raise UnicodeDecodeError('utf-8', b'', 0, 1, '')"); !errors.Is(err, ValueError) {
					t.Error(err)
				}
				if o, err := executes.Call(context.Background(), "f()\nf()", KW{"f": callback}); err != nil {
					t.Error(err)
				} else {
					_ = o.Close()
				}
				if _, err = executes.Call(cancelled, "pass"); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				if _, err = closed.Call(context.Background()); !errors.Is(err, ErrClosed) {
					t.Error(err)
				}
				if _, err = missing.Call(context.Background(), "\xff"); err == nil {
					t.Error("invalid UTF-8 is no text")
				}
				if _, err = Map[int](context.Background(), executes, []string{"result = 1", "1/0", "result = 3"}); err == nil {
					t.Error("want an error")
				}
			}
		})
	}
	wg.Wait()
	after := in.Stats()
	rounds := 64 * each
	errorsBy := map[string]int{}
	for class, count := range after.Errors {
		if count -= before.Errors[class]; count != 0 {
			errorsBy[class] = count
		}
	}
	want := map[string]int{"KeyError": rounds, "UnicodeDecodeError": rounds, "context.Canceled": rounds, "ErrClosed": rounds, "conversion": rounds, "ZeroDivisionError": rounds}
	if !maps.Equal(errorsBy, want) {
		t.Errorf("errors by class: got %v, want %v", errorsBy, want)
	}
	for _, c := range []struct {
		what      string
		got, want int
	}{
		{"calls", after.Calls - before.Calls, 8 * rounds},
		{"failed", after.Failed - before.Failed, 6 * rounds},
		{"cancelled", after.Cancelled - before.Cancelled, rounds},
		{"callbacks", after.Callbacks - before.Callbacks, 2 * rounds},
		{"running", after.Running, 0},
		{"waiting", after.Waiting, 0},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %d, want %d", c.what, c.got, c.want)
		}
	}
	if after.RunTime <= before.RunTime {
		t.Errorf("%d calls ran for %v", 8*rounds, after.RunTime-before.RunTime)
	}
	if after.Waits == before.Waits || after.WaitTime <= before.WaitTime {
		t.Errorf("64 goroutines never waited: %+v", after)
	}
}

// Times go to what a call did: running, waiting for the GIL, waiting for Go.
func TestStatsTimes(t *testing.T) {
	in := interpreter(t)
	const pause = 200 * time.Millisecond
	near := func(what string, got time.Duration) {
		t.Helper()
		if got < pause-30*time.Millisecond || got > pause+waitLimit { // a machine may be slow, not fast
			t.Errorf("%s: %v, want about %v", what, got, pause)
		}
	}
	before := in.Stats()
	passes[any](t, in, "import time\ntime.sleep(0.2)", nil)
	after := in.Stats()
	near("sleeping", after.RunTime-before.RunTime)
	begin := time.Now()
	passes[any](t, in, "f()", KW{"f": func() { time.Sleep(pause) }})
	took := time.Since(begin)
	last := in.Stats()
	inGo := last.CallbackTime - after.CallbackTime
	near("in Go", inGo)
	if ran := last.RunTime - after.RunTime; ran+inGo > took+pause/2 { // the clocks differ by a tick
		t.Errorf("of %v, the call ran for %v and waited for Go for %v", took, ran, inGo)
	}
}

// The counters can be published.
func TestStatsSnapshot(t *testing.T) {
	in := interpreter(t)
	_ = run(in, "callbacks:execute", "raise LookupError")
	text := expvar.Func(func() any { return in.Stats() }).String()
	var decoded map[string]any
	if err := json.Unmarshal([]byte(text), &decoded); err != nil {
		t.Fatal(err)
	}
	all := in.Stats().Map()
	for name, value := range decoded {
		if parts, ok := value.(map[string]any); ok {
			for part, value := range parts {
				if _, ok := value.(map[string]any); ok {
					part += ".running" // of a lane
				}
				if _, ok := all[name+"."+part]; !ok {
					t.Errorf("Map has no %s.%s", name, part)
				}
			}
		} else if _, ok := all[name]; !ok || strings.ToLower(name) != name {
			t.Errorf("Map has no %s", name)
		}
	}
	if all["calls_total"] < 1 || all["errors_total.LookupError"] < 1 {
		t.Errorf("got %v", all)
	}
}

// However many classes of exceptions a program makes, the table stays small.
func TestStatsClasses(t *testing.T) {
	table := failureTable{byClass: map[string]int{}}
	for i := range 1000 {
		table.count(&Error{Type: fmt.Sprintf("Class%d", i)})
	}
	byClass, total, _ := table.counts()
	if len(byClass) != mostClasses+1 || total != 1000 || byClass["other"] != 1000-mostClasses {
		t.Errorf("%d classes, %d in all, %d others", len(byClass), total, byClass["other"])
	}
}
