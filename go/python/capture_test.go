package python

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestCapture(t *testing.T) {
	in := interpreter(t)
	both, err := in.Func("host_output:both")
	if err != nil {
		t.Fatal(err)
	}
	defer both.Close()
	var wait sync.WaitGroup
	for i := range 2 {
		wait.Go(func() {
			name := fmt.Sprint("call", i)
			ctx, printed := Capture(context.Background())
			if _, err := both.Call(ctx, name); err != nil {
				t.Error(err)
			}
			var out, errs, all strings.Builder
			for line := range 50 {
				fmt.Fprintf(&out, "%s out %d\n", name, line)
				fmt.Fprintf(&errs, "%s err %d\n", name, line)
				fmt.Fprintf(&all, "%s out %d\n%s err %d\n", name, line, name, line)
			}
			out.WriteString(name + " end")
			all.WriteString(name + " end")
			if printed.Stdout() != out.String() || printed.Stderr() != errs.String() || printed.String() != all.String() {
				t.Errorf("got %q", printed)
			}
			if printed.Dropped() != 0 {
				t.Errorf("%d lines were dropped", printed.Dropped())
			}
		})
	}
	wait.Wait()
}

// A function of Go's passes its context on.
func TestCaptureNested(t *testing.T) {
	in := interpreter(t)
	print, err := in.Func("builtins:print")
	if err != nil {
		t.Fatal(err)
	}
	defer print.Close()
	apply, err := in.Func("operator:call")
	if err != nil {
		t.Fatal(err)
	}
	defer apply.Close()
	outer, printed := Capture(context.Background())
	var inner *Captured
	_, err = apply.Call(outer, func(ctx context.Context) error {
		if _, err := print.Call(ctx, "same"); err != nil {
			return err
		}
		ctx, inner = Capture(ctx)
		if _, err := print.Call(ctx, "other"); err != nil {
			return err
		}
		_, err := print.Call(outer, "part", KW{"end": ""})
		return err
	})
	if err != nil || printed.String() != "same\npart" || inner.String() != "other\n" {
		t.Errorf("got %q, %q and %v", printed, inner, err)
	}
}

var _ = scenario("capture spread", func() {
	in := start()
	spread := must(in.Func("host_output:spread"))
	ctx, printed := Capture(context.Background())
	must(spread.Call(ctx, "here"))
	want("captured", printed.String(), "here task\nhere to_thread\n")
	must(spread.Call(context.Background(), "there"))
	want("captured", printed.String(), "here task\nhere to_thread\n")
})

// Tasks and threads that run in the context of the call are captured; others print where they did.
func TestCaptureOfThreads(t *testing.T) {
	if stdout := passScenario(t, "capture spread"); stdout != "here thread\nthere task\nthere to_thread\nthere thread\n" {
		t.Errorf("got %q", stdout)
	}
}

func TestCaptureIsBounded(t *testing.T) {
	in := interpreter(t)
	ctx, printed := Capture(context.Background())
	flood, err := in.Func("host_output:flood")
	if err != nil {
		t.Fatal(err)
	}
	defer flood.Close()
	before := in.Stats().Dropped
	if _, err := flood.Call(ctx, 20<<10); err != nil {
		t.Fatal(err)
	}
	if got := len(printed.String()); got != captureLimit || printed.Dropped() != 4<<10 || in.Stats().Dropped-before != 4<<10 {
		t.Errorf("got %d bytes, %d lines were dropped, and %d counted", got, printed.Dropped(), in.Stats().Dropped-before)
	}
}

// What a capture has in the core is given back when nobody can look at it any more.
func TestCaptureIsFreed(t *testing.T) {
	in := interpreter(t)
	print, err := in.Func("builtins:print")
	if err != nil {
		t.Fatal(err)
	}
	defer print.Close()
	func() {
		ctx, printed := Capture(context.Background())
		if _, err := print.Call(ctx, "x"); err != nil || printed.String() != "x\n" {
			t.Fatal(err, printed)
		}
	}()
	if _, err := print.Call(context.Background(), "", KW{"end": ""}); err != nil { // the frame forgets the context
		t.Fatal(err)
	}
	for end := time.Now().Add(waitLimit); capturing.Load() != 0; time.Sleep(time.Millisecond) {
		runtime.GC()
		if time.Now().After(end) {
			t.Fatalf("%d captures are left", capturing.Load())
		}
	}
}
