package python

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// Calls that were given up and still run are bounded, however they were made: past the bound, calls that could be given up are
// refused at once, and are made again when those have ended.
func TestMaxStillRunning(t *testing.T) { passScenario(t, "max still running") }

// stuckCalls are ways to make calls that block in C until the writer of a pipe is closed.
func stuckCalls(in *Interpreter, descriptor int, lane ...CallOption) map[string]func(context.Context) error {
	read := must(in.Func("os:read", lane...))
	execute := must(in.Func("callbacks:execute", lane...))
	var bind []BindOption
	for _, option := range lane {
		bind = append(bind, option.(LaneOption))
	}
	bound := must(Bind[func(context.Context, int, int) ([]byte, error)](in, "os:read", bind...))
	object := func(source string) *Object {
		return must(execute.Call(context.Background(), "import os, asyncio, time\n"+source, KW{"fd": descriptor}))
	}
	each := func() *Object {
		return object("def each():\n    while True:\n        yield os.read(fd, 1) or 1 / 0\nresult = each()")
	}
	closed := func(_ any, err error) error { return err }
	return map[string]func(context.Context) error{
		"Call": func(ctx context.Context) error { return closed(read.Call(ctx, descriptor, 1)) },
		"Bind": func(ctx context.Context) error { return closed(bound(ctx, descriptor, 1)) },
		"Map": func(ctx context.Context) error {
			return closed(read.Map(ctx, []Arguments{{descriptor, 1}, {descriptor, 1}}))
		},
		"Go": func(ctx context.Context) error { return closed(read.Go(ctx, descriptor, 1).Wait(context.Background())) },
		"Worker": func(ctx context.Context) error {
			w := in.Worker(ctx)
			defer w.Close() //nolint:errcheck // it never fails
			return closed(read.Call(w.Context(ctx), descriptor, 1))
		},
		"Iter": func(ctx context.Context) error {
			for _, err := range Iter[[]byte](ctx, each()) {
				return err
			}
			return nil
		},
		"Generator": func(ctx context.Context) error {
			_, _, err := must(NewGenerator[[]byte](each())).Next(ctx)
			return err
		},
		"Object.Call": func(ctx context.Context) error {
			return closed(object("result = os.read").Call(ctx, descriptor, 1))
		},
		"Object.Method": func(ctx context.Context) error {
			return closed(object("result = os").Method(ctx, "read", descriptor, 1))
		},
		"coroutine": func(ctx context.Context) error {
			stubborn := object(`
async def stubborn():
    reading = asyncio.get_running_loop().run_in_executor(None, os.read, fd, 1)
    while not reading.done():
        try:
            await asyncio.shield(reading)
        except asyncio.CancelledError:
            pass
result = stubborn`)
			return closed(stubborn.Call(ctx))
		},
	}
}

var _ = scenario("max still running", func() {
	const bound, slots = 3, 4
	in := must(Start(Config{Path: []string{testdata}, MaxConcurrent: slots, MaxStillRunning: bound, CancelGrace: 20 * time.Millisecond}))
	length := must(in.Func("builtins:len"))
	for _, lane := range [][]CallOption{nil, {Lane("io", slots).MaxStillRunning(bound)}} {
		setting := "Config.MaxStillRunning"
		stuck := func() int { return in.Stats().StillRunning }
		if lane != nil {
			setting = `python.Lane("io", 4).MaxStillRunning`
			stuck = func() int { return in.Stats().Lanes["io"].StillRunning }
		}
		reader, writer, err := os.Pipe()
		check(err)
		ways := stuckCalls(in, int(reader.Fd()), lane...)
		names := make([]string, 0, len(ways))
		for name := range ways {
			names = append(names, name)
		}
		for _, name := range names {
			before := in.Stats()
			gaveUp, refused := 0, 0
			for attempt := 0; gaveUp < bound || refused < 5; attempt++ {
				if attempt == 1000 {
					fail("%s in %s: %d were given up, %d refused", name, setting, gaveUp, refused)
				}
				ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
				err := ways[name](ctx)
				cancel()
				switch {
				case errors.Is(err, ErrStillRunning):
					gaveUp++
				case errors.Is(err, ErrOverloaded) && strings.Contains(err.Error(), "3 calls that were given up") && strings.Contains(err.Error(), setting):
					refused++
				case errors.Is(err, context.DeadlineExceeded) && gaveUp < bound: // it had not begun, on a slow machine
				default:
					fail("%s in %s: got %v after %d that were given up", name, setting, err, gaveUp)
				}
			}
			if gaveUp != bound || stuck() != bound {
				fail("%s in %s: %d calls were given up, %d still run, want %d", name, setting, gaveUp, stuck(), bound)
			}
			// What cannot be given up is let in, as is what another lane does.
			check(must(length.Call(context.Background(), "abc")).Close())
			if lane != nil {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				check(must(length.Call(ctx, "abc")).Close())
				cancel()
			}
			check(writer.Close())
			if !eventually(func() bool { return stuck() == 0 }) {
				fail("%s: %d still run", name, stuck())
			}
			if after := in.Stats(); after.Abandoned-before.Abandoned != bound || after.Errors["ErrOverloaded"] == before.Errors["ErrOverloaded"] {
				fail("%s: %+v, before %+v", name, after, before)
			}
			check(reader.Close())
			reader, writer, err = os.Pipe()
			check(err)
			ways = stuckCalls(in, int(reader.Fd()), lane...)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			check(must(must(in.Func("builtins:len", lane...)).Call(ctx, "abc")).Close()) // it lets calls in again
			cancel()
		}
		check(writer.Close())
		check(reader.Close())
	}
	check(in.Shutdown(context.Background()))
})

// However many calls run when the bound is reached, no more threads are busy than slots and bound allow.
func TestMaxStillRunningBoundsThreads(t *testing.T) { passScenario(t, "max still running at once") }

var _ = scenario("max still running at once", func() {
	const bound, slots = 5, 20
	in := must(Start(Config{Path: []string{testdata}, CancelGrace: time.Millisecond}))
	lane := Lane("io", slots).MaxStillRunning(bound)
	read := must(in.Func("os:read", lane))
	reader, writer, err := os.Pipe()
	check(err)
	descriptor := int(reader.Fd())
	var mu sync.Mutex
	kinds := map[string]int{}
	for range 5 {
		var calls sync.WaitGroup
		for range slots {
			calls.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
				defer cancel()
				_, err := read.Call(ctx, descriptor, 1)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case errors.Is(err, ErrStillRunning):
					kinds["given up"]++
				case errors.Is(err, ErrOverloaded):
					kinds["refused"]++
				case errors.Is(err, context.DeadlineExceeded):
					kinds["waited"]++
				default:
					kinds[fmt.Sprint(err)]++
				}
			})
		}
		calls.Wait()
	}
	s := in.Stats().Lanes["io"]
	if s.StillRunning != kinds["given up"] || s.StillRunning < bound || s.StillRunning > bound+slots || s.Running != s.StillRunning-bound ||
		kinds["refused"] == 0 || kinds["given up"]+kinds["refused"]+kinds["waited"] != 5*slots {
		fail("got %v, %+v", kinds, s)
	}
	check(writer.Close())
	if !eventually(func() bool { s := in.Stats().Lanes["io"]; return s.StillRunning == 0 && s.Running == 0 }) {
		fail("got %+v", in.Stats())
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	check(must(read.Call(ctx, descriptor, 1)).Close())
	check(reader.Close())
	check(in.Shutdown(context.Background()))
})
