package python

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
)

func TestObjectClose(t *testing.T) {
	in := interpreter(t)
	object := mustEvaluate(t, in, "5")
	if got, err := As[int](object); err != nil || got != 5 {
		t.Fatalf("got %v, %v", got, err)
	}
	for range 3 {
		if err := object.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := As[int](object); !errors.Is(err, ErrClosed) || got != 0 {
		t.Errorf("a closed object: got %v, %v, want 0, ErrClosed", got, err)
	}
	if object.IsNone() {
		t.Error("a closed object is None")
	}
}

func TestNone(t *testing.T) {
	none := mustEvaluate(t, interpreter(t), "None")
	for range 2 { // closing None changes nothing: it is shared
		if !none.IsNone() {
			t.Error("None is not None")
		}
		if _, err := As[int](none); err == nil || err.Error() != "python: result: want int, got None" {
			t.Errorf("got %v", err)
		}
		_ = none.Close()
	}
	if mustEvaluate(t, interpreter(t), "0").IsNone() {
		t.Error("0 is None")
	}
}

// An object that nobody closed is given back by the garbage collector, as is a function.
func TestCollected(t *testing.T) {
	in := interpreter(t)
	for name, make100 := range map[string]func(){
		"objects": func() {
			f, err := in.Func("builtins:dict")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = f.Close() }()
			for range 100 {
				if _, err := f.Call(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
		},
		"functions": func() {
			for range 100 {
				if _, err := in.Func("builtins:len"); err != nil {
					t.Fatal(err)
				}
			}
		},
		"bound functions": func() {
			for range 100 {
				if _, err := Bind[func() ([]byte, error)](in, "builtins:bytes"); err != nil {
					t.Fatal(err)
				}
			}
		},
	} {
		before := objectsOf(in)
		make100()
		if !eventually(func() bool { runtime.GC(); return in.Stats().Objects <= before }) {
			t.Errorf("%s: Stats counts %d objects, want %d", name, in.Stats().Objects, before)
		}
	}
}

// eventually waits until a condition holds.
func eventually(holds func() bool) bool {
	for deadline := time.Now().Add(waitLimit); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if holds() {
			return true
		}
	}
	return holds()
}

// What is closed beside a call that lasts is given back all the same.
func TestObjectsBesideLongCall(t *testing.T) {
	in := interpreter(t)
	read, same := function(t, in, "os:read"), function(t, in, "fixtures:same")
	for _, captured := range []bool{false, true} {
		reader, writer, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(background)
		if captured {
			ctx, _ = Capture(ctx)
		}
		ended := make(chan error, 1)
		go func() { ended <- discarded(read.Call(ctx, int(reader.Fd()), 1)) }()
		if !eventually(func() bool { return in.Stats().Running == 1 }) {
			t.Fatal("the call does not begin")
		}
		before := in.Stats().Objects
		for range repetitions(20_000) {
			if err := discarded(same.Call(background, "x")); err != nil {
				t.Fatal(err)
			}
		}
		if more := in.Stats().Objects - before; more > 100 {
			t.Errorf("%d objects are kept", more)
		}
		if err := writer.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		cancel()
		_ = reader.Close()
	}
}

// An object that is only an argument of a running call stays alive until the call has ended.
func TestObjectInUse(t *testing.T) {
	in := interpreter(t)
	object := mustEvaluate(t, in, "[5]")
	entered, leave := make(chan struct{}), make(chan struct{})
	go func() {
		frame, err := in.enter(context.Background())
		if err != nil {
			t.Error(err)
		}
		if pointer, ok := object.handle.use(); !ok || pointer == nil {
			t.Error("an open object does not open")
		}
		close(entered)
		<-leave
		frame.leave()
	}()
	<-entered
	before := objectsOf(in)
	_ = object.Close()
	if got := in.Stats().Objects; got != before {
		t.Errorf("closing a used object gave it back: %d objects, want %d", got, before)
	}
	close(leave)
	if !eventually(func() bool { return in.Stats().Objects == before-1 }) {
		t.Errorf("the last use did not give the object back: %d objects, want %d", in.Stats().Objects, before-1)
	}
}

func TestCloseRacesWithUse(t *testing.T) {
	in := interpreter(t)
	makeText, err := in.Func("builtins:str")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = makeText.Close() }()
	before := objectsOf(in)
	for i := range 10_000 {
		object, err := makeText.Call(context.Background(), i)
		if err != nil {
			t.Fatal(err)
		}
		var users sync.WaitGroup
		for user := range 3 {
			users.Go(func() {
				switch user {
				case 0:
					_ = object.Close()
				case 1:
					if got, err := As[string](object); got != fmt.Sprint(i) && !errors.Is(err, ErrClosed) {
						t.Errorf("As: got %q, %v", got, err)
					}
				case 2:
					copied, err := makeText.Call(context.Background(), object)
					if err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Errorf("Call: %v", err)
						}
						return
					}
					if got, err := As[string](copied); err != nil || got != fmt.Sprint(i) {
						t.Errorf("Call: got %q, %v", got, err)
					}
					_ = copied.Close()
				}
			})
		}
		users.Wait()
	}
	if got := in.Stats().Objects; got != before {
		t.Errorf("%d objects are left, want %d", got, before)
	}
}
