package python

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestTaskCall(t *testing.T) {
	in := interpreter(t)
	for _, row := range []struct {
		name      string
		arguments []any
		want      string
	}{
		{"sleep", []any{0.001, "done"}, "done"},
		{"sleep", []any{0.001, KW{"result": 5}}, "5"},
		{"partial", []any{7}, "7"},
		{"instance", []any{8}, "8"},
		{"instance.method", []any{9}, "9"},
		{"total", []any{[]float64{1, 2}, KW{"scale": 2.0}}, "6.0"},
		{"sleep", []any{0.001}, "None"},
	} {
		f, err := in.Func("coroutines:" + row.name)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			o, err := f.Call(context.Background(), row.arguments...)
			if err != nil || o.String() != row.want {
				t.Errorf("%s: got %v, %v, want %s", row.name, o, err, row.want)
			}
		}
	}
	total := bind[func(context.Context, []float64) (float64, error)](t, in, "coroutines:total")
	if got, err := total(context.Background(), []float64{1, 2, 3}); got != 6 || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	slow := bind[func(float64, any) (map[string]int, error)](t, in, "coroutines:sleep")
	if got, err := slow(0, map[string]int{"a": 1}); got["a"] != 1 || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	// Not a coroutine function, but a function that returns a coroutine.
	coroutine, err := evaluate[*Object](in, "coroutines:later", 3)
	if err != nil {
		t.Fatal(err)
	}
	if o, err := coroutine.Await(context.Background()); err != nil || o.String() != "3" {
		t.Errorf("got %v, %v", o, err)
	}
	if _, err := coroutine.Await(context.Background()); !errors.Is(err, RuntimeError) {
		t.Errorf("a coroutine was awaited twice: %v", err)
	}
	// As a callback of a Go function.
	got := passes[int](t, in, "async def double(n): return 2 * n\nresult = f(double)", KW{"f": func(f func(int) (int, error)) (int, error) { return f(4) }})
	if got != 8 {
		t.Errorf("got %d", got)
	}
	f, err := in.Func("coroutines:total")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Call(context.Background(), 1, map[any]any{1: 2, true: 3}); err == nil || !strings.Contains(err.Error(), "coroutines:total: argument 2:") {
		t.Errorf("the argument has another number: %v", err)
	}
	if _, err := f.Call(context.Background()); !errors.Is(err, TypeError) {
		t.Errorf("got %v", err)
	}
}

// Whatever calls a coroutine function waits for its end.
func TestTaskOfObjects(t *testing.T) {
	in := interpreter(t)
	ctx := context.Background()
	instance, err := in.Object("coroutines:instance")
	if err != nil {
		t.Fatal(err)
	}
	module, err := in.Object("coroutines")
	if err != nil {
		t.Fatal(err)
	}
	partial, err := in.Object("coroutines:partial")
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() (*Object, error){
		"instance":        func() (*Object, error) { return instance.Call(ctx, 5) },
		"method":          func() (*Object, error) { return instance.Method(ctx, "method", 5) },
		"module function": func() (*Object, error) { return module.Method(ctx, "sleep", 0, KW{"result": 5}) },
		"partial":         func() (*Object, error) { return partial.Call(ctx, 5) },
		"ordinary":        func() (*Object, error) { return module.Method(ctx, "add", 2, 3) },
	} {
		if o, err := call(); err != nil || o.String() != "5" {
			t.Errorf("%s: got %v, %v", name, o, err)
		}
	}
	if _, err := module.Method(ctx, "fails"); !errors.Is(err, ValueError) {
		t.Errorf("got %v", err)
	}
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	if _, err := module.Method(short, "sleep", 60); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestTaskMap(t *testing.T) {
	in := interpreter(t)
	ctx := context.Background()
	sleep, err := in.Func("coroutines:sleep")
	if err != nil {
		t.Fatal(err)
	}
	defer sleep.Close()
	inputs := make([]Arguments, 1000)
	for i := range inputs {
		inputs[i] = Arguments{0.5, i} // one after the other, they would take longer than the test may
	}
	got, err := Map[int](ctx, sleep, inputs)
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range got {
		if n != i {
			t.Fatalf("[%d]: got %d", i, n)
		}
	}
	total, err := in.Func("coroutines:total")
	if err != nil {
		t.Fatal(err)
	}
	defer total.Close()
	objects, err := total.Map(ctx, [][]float64{{1, 2}, {3}, nil})
	if err != nil || len(objects) != 3 || objects[0].String() != "3.0" || objects[2].String() != "0.0" {
		t.Errorf("got %v, %v", objects, err)
	}
	_, err = Map[float64](ctx, total, []any{[]float64{1}, "x", make(chan struct{}, 1), []float64{2}})
	var be *BatchError
	if !errors.As(err, &be) || be.Errors[0] != nil || !errors.Is(be.Errors[1], AttributeError) || be.Errors[2] == nil || be.Errors[3] != nil {
		t.Errorf("got %v", err)
	}
	finishFirst, err := in.Func("coroutines:finish_first")
	if err != nil {
		t.Fatal(err)
	}
	defer finishFirst.Close()
	late := newDeadline(ctx)
	_, err = Map[any](late, finishFirst, []Arguments{{false, late.begin}, {true, nil}, {false, late.begin}})
	if !errors.As(err, &be) || !errors.Is(be.Errors[0], context.DeadlineExceeded) || be.Errors[1] != nil || !errors.Is(be.Errors[2], context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestTaskGo(t *testing.T) {
	in := interpreter(t)
	ctx := context.Background()
	add, err := in.Func("coroutines:add")
	if err != nil {
		t.Fatal(err)
	}
	task := add.Go(ctx, 1, 2)
	<-task.Done()
	if o, err := task.Wait(ctx); err != nil || o.String() != "3" {
		t.Errorf("got %v, %v", o, err)
	}
	if _, err := add.Go(ctx, 1, "x").Wait(ctx); !errors.Is(err, TypeError) {
		t.Errorf("got %v", err)
	}
	sleep, err := in.Func("coroutines:sleep")
	if err != nil {
		t.Fatal(err)
	}
	// Many at once take one sleep, and neither slots nor threads.
	threads := osThreads()
	tasks := make([]*Task, 1000)
	for i := range tasks {
		tasks[i] = sleep.Go(ctx, 1, i) // one after the other, they would take longer than the test may
	}
	if running := in.Stats().Running; running != 0 {
		t.Errorf("%d slots are taken", running)
	}
	if more := osThreads() - threads; more > 10 {
		t.Errorf("%d threads more", more)
	}
	for i, task := range tasks {
		o, err := task.Wait(ctx)
		if err != nil || o.String() != fmt.Sprint(i) {
			t.Fatalf("[%d]: got %v, %v", i, o, err)
		}
		if again, err := task.Wait(ctx); err != nil || !again.Is(o) {
			t.Fatalf("[%d]: got %v, %v", i, again, err)
		}
	}
	// The end of Wait's context leaves the task alone.
	waits, err := in.Func("coroutines:wait_for")
	if err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	task = waits.Go(ctx, NewFunc(func() string { <-release; return "end" }, Async()))
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	if _, err := task.Wait(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	close(release)
	if o, err := task.Wait(ctx); err != nil || o.String() != "end" {
		t.Errorf("got %v, %v", o, err)
	}
	if _, err := sleep.Go(ctx, make(chan struct{}, 1), fs.ErrExist).Wait(ctx); err == nil || !strings.HasPrefix(err.Error(), "python: coroutines:sleep: ") {
		t.Errorf("got %v", err)
	}
}

func TestTaskErrors(t *testing.T) {
	in := interpreter(t)
	ctx := context.Background()
	fails, err := in.Func("coroutines:fails")
	if err != nil {
		t.Fatal(err)
	}
	task := fails.Go(ctx, 1, 2)
	for range 2 {
		_, err = task.Wait(ctx)
		var pe *Error
		if !errors.As(err, &pe) || !errors.Is(err, ValueError) || pe.Message != "deep 2" {
			t.Fatalf("got %v", err)
		}
		var names []string
		for _, frame := range pe.Frames {
			names = append(names, frame.Function)
		}
		if n := len(names); n < 2 || !slices.Equal(names[n-2:], []string{"fails", "inner"}) {
			t.Errorf("the frames are %v", names)
		}
	}
	limited, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	if guarded, err := in.Func("coroutines:fails_guarded"); err != nil {
		t.Error(err)
	} else if _, err := guarded.Call(limited); !errors.Is(err, ValueError) {
		t.Errorf("got %v", err)
	}
	for _, name := range []string{"exits", "exits_inside"} {
		if err := run(in, "coroutines:"+name); !errors.Is(err, SystemExit) && !errors.Is(err, cancelledError) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if got, err := evaluate[int](in, "coroutines:sleep", 0, 5); got != 5 || err != nil {
		t.Errorf("the loop has ended: %v, %v", got, err)
	}
	special := errors.New("special")
	if err := run(in, "coroutines:call", func() error { return special }); !errors.Is(err, special) {
		t.Errorf("got %v", err)
	}
	value := new(int)
	func() {
		defer func() {
			if got := recover(); got != any(value) {
				t.Errorf("recovered %v", got)
			}
		}()
		t.Errorf("no panic: %v", run(in, "coroutines:call", func() { panic(value) }))
	}()
	// A Go function that waits on the loop's thread for the loop.
	sleep, err := in.Func("coroutines:sleep")
	if err != nil {
		t.Fatal(err)
	}
	err = run(in, "coroutines:call", func() error { _, err := sleep.Call(ctx, 0); return err })
	if !errors.Is(err, RuntimeError) || !strings.Contains(err.Error(), "python.Async") {
		t.Errorf("got %v", err)
	}
}

func TestTaskCancel(t *testing.T) {
	in := interpreter(t)
	var cleaned atomic.Int32
	clean := func() { cleaned.Add(1) }
	stubborn, err := in.Func("coroutines:stubborn")
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	if _, err := stubborn.Call(ctx, clean, func() { cancel(cause) }); !errors.Is(err, context.Canceled) || !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	if cleaned.Load() != 1 {
		t.Error("Call did not wait for the end of the coroutine")
	}
	if _, err := stubborn.Call(ctx, clean); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	begun := make(chan bool, 1)
	task := stubborn.Go(context.Background(), clean, func() { begun <- true })
	<-begun
	task.Cancel()
	if _, err := task.Wait(context.Background()); !errors.Is(err, cancelledError) {
		t.Errorf("got %v", err)
	}
	task.Cancel()
	many, cancelMany := context.WithCancel(context.Background())
	tasks := make([]*Task, 200)
	for i := range tasks {
		tasks[i] = stubborn.Go(many, clean)
	}
	cancelMany()
	for _, task := range tasks {
		if _, err := task.Wait(context.Background()); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	late, cancelLate := context.WithCancel(context.Background())
	defer cancelLate()
	ignores, err := in.Func("coroutines:ignores")
	if err != nil {
		t.Fatal(err)
	}
	if o, err := ignores.Call(late, cancelLate); err != nil || o.String() != "nevertheless" {
		t.Errorf("got %v, %v", o, err)
	}
}

// A Go function that a coroutine calls gets the context of the call that runs the coroutine.
func TestTaskContext(t *testing.T) {
	in := interpreter(t)
	type key struct{}
	with := func(value string) context.Context { return context.WithValue(context.Background(), key{}, value) }
	read := func(ctx context.Context) string { return fmt.Sprint(ctx.Value(key{})) }
	load := func(name string) *Function {
		f, err := in.Func("coroutines:" + name)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	check := func(name string, o *Object, err error, want string) {
		t.Helper()
		if err != nil || o.String() != want {
			t.Errorf("%s: got %v, %v, want %s", name, o, err, want)
		}
	}
	for _, name := range []string{"call", "call_in_task", "call_in_thread"} {
		o, err := load(name).Call(with(name), read)
		check(name, o, err, name)
	}
	o, err := load("wait_for").Call(with("async"), NewFunc(read, Async()))
	check("async", o, err, "async")
	o, err = load("call_in_bare_thread").Call(with("a call"), read)
	check("bare thread", o, err, "<nil>")
	coroutine := passes[*Object](t, in, "import coroutines; result = coroutines.call(f)", KW{"f": read})
	o, err = coroutine.Await(with("awaited"))
	check("awaited", o, err, "awaited")
	left := ""
	generator, err := evaluate[*Object](in, "coroutines:generate", 2, func(ctx context.Context) { left = read(ctx) })
	if err != nil {
		t.Fatal(err)
	}
	for range Iter[int](with("iteration"), generator) {
		break
	}
	if left != "iteration" {
		t.Errorf("the generator was left with %q", left)
	}
	// Many at once, each with its own.
	tasks := make([]*Task, 100)
	thread := load("call_in_thread")
	for i := range tasks {
		tasks[i] = thread.Go(with(fmt.Sprint(i)), read)
	}
	for i, task := range tasks {
		o, err := task.Wait(context.Background())
		check("many", o, err, fmt.Sprint(i))
	}
	// The end of the context reaches a function that keeps the loop from going on.
	wait := func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(waitLimit):
			return errors.New("the context has not ended")
		}
	}
	for name, f := range map[string]any{"call": wait, "wait_for": NewFunc(wait, Async())} {
		short, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		if _, err := load(name).Call(short, f); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v", name, err)
		}
		cancel()
	}
	// What goes on when the call has ended belongs to it no more.
	ended, afterwards := make(chan struct{}), make(chan string, 1)
	_, err = load("call_afterwards").Call(with("ended"), func(ctx context.Context) { afterwards <- read(ctx) }, func() { <-ended })
	close(ended)
	if got := <-afterwards; err != nil || got != "<nil>" {
		t.Errorf("after the end: got %s, %v", got, err)
	}
}

// What is lent to a coroutine stays pinned until it has let go of it.
func TestTaskLends(t *testing.T) {
	in := interpreter(t)
	total, err := in.Func("coroutines:total")
	if err != nil {
		t.Fatal(err)
	}
	var tasks []*Task
	for i := range 50 {
		data := make([]float64, 1000)
		for j := range data {
			data[j] = float64(i)
		}
		tasks = append(tasks, total.Go(context.Background(), data))
	}
	for i, task := range tasks {
		runtime.GC()
		o, err := task.Wait(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := As[float64](o); got != float64(1000*i) || err != nil {
			t.Errorf("got %v, %v, want %d", got, err, 1000*i)
		}
	}
	fails, err := in.Func("coroutines:fails")
	if err != nil {
		t.Fatal(err)
	}
	task := fails.Go(context.Background(), make([]float64, 100))
	<-task.Done()
	if !eventually(func() bool { return in.Stats().Retained == 0 }) {
		t.Errorf("%d arrays are retained after their tasks", in.Stats().Retained)
	}
	if err := run(in, "coroutines:keep", []float64{1}); err != nil || in.Stats().Retained != 1 {
		t.Errorf("%v; %d arrays are retained", err, in.Stats().Retained)
	}
	passes[any](t, in, "import coroutines; assert coroutines.kept.pop()[0] == 1", nil)
	if !eventually(func() bool { return in.Stats().Retained == 0 }) {
		t.Errorf("%d arrays are retained", in.Stats().Retained)
	}
}

var _ = scenario("task forbid retaining", func() {
	in := must(Start(Config{Path: []string{testdata}, ForbidRetaining: true, MaxConcurrent: 1}))
	if got := must(evaluate[float64](in, "coroutines:total", []float64{1, 2})); got != 3 {
		fail("got %v", got)
	}
	// With one slot, which the call of run has, too.
	module := in.Module("host")
	check(module.Func("twice", func(data []float64) []float64 { return append(data, data...) }, Async()))
	if got := must(evaluate[[]float64](in, "coroutines:run", must(in.Object("host:twice")), []float64{1})); len(got) != 2 {
		fail("got %v", got)
	}
})

func TestTaskForbidRetaining(t *testing.T) { passScenario(t, "task forbid retaining") }

var _ = scenario("task shutdown", func() {
	in := start()
	begun, cleaned := make(chan bool, 10), make(chan bool, 10)
	stubborn := must(in.Func("coroutines:stubborn"))
	var tasks []*Task
	for range 3 {
		tasks = append(tasks, stubborn.Go(context.Background(), func() { cleaned <- true }, func() { begun <- true }))
	}
	ignored := must(in.Func("coroutines:ignores")).Go(context.Background(), func() { begun <- true })
	for range 4 {
		<-begun
	}
	check(in.Shutdown(context.Background()))
	if len(cleaned) != 3 {
		fail("%d coroutines have cleaned up, want 3", len(cleaned))
	}
	for _, task := range append(tasks, ignored) {
		if _, err := task.Wait(context.Background()); !errors.Is(err, ErrClosed) {
			fail("got %v", err)
		}
	}
	if _, err := stubborn.Go(context.Background()).Wait(context.Background()); !errors.Is(err, ErrClosed) {
		fail("got %v", err)
	}
})

func TestTaskShutdown(t *testing.T) { passScenario(t, "task shutdown") }

func TestAsync(t *testing.T) {
	in := interpreter(t)
	type row struct {
		N    int
		Data []float64
	}
	special := errors.New("special")
	functions := map[string]any{
		"square":  func(n int) int { return n * n },
		"context": func(ctx context.Context, n int, more ...string) string { return fmt.Sprint(ctx.Err(), n, more) },
		"array":   func(data []float64) []float64 { time.Sleep(time.Millisecond); return data },
		"failing": func() (int, error) { return 0, NewError(KeyError, special) },
		"row":     func(r row) row { return r },
	}
	m := in.Module("host_async")
	for name, f := range functions {
		if err := m.Func(name, f, Async(), Doc("Does it.")); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Func("mut", func(Mut[float64]) {}, Async()); err == nil || !strings.Contains(err.Error(), "python.Async: want arguments that can be copied") {
		t.Errorf("got %v", err)
	}
	for source, want := range map[string]string{
		"result = run(h.square, 5)":            "25",
		"result = run(h.context, 1, 'a', 'b')": "<nil> 1 [a b]",
		"a = np.arange(3.0)\nasync def go():\n    f = h.array(a); a[:] = 9\n    return (await f).tolist()\nresult = asyncio.run(go())": "[0.0, 1.0, 2.0]",
		"result = run(h.row, {'N': 2, 'Data': [1.5]})['N']":                                                                            "2",
		"result = asyncio.run(coroutines.gather(h.square, 5))":                                                                         "[0, 1, 4, 9, 16]",
		"result = [h.square.__name__, h.square.__doc__, str(inspect.signature(h.square)), repr(h.square)]":                             "['square', 'Does it.', '(arg0, /)', '<Go async function host_async.square>']",
		"try: run(h.square, 'x')\nexcept TypeError as e: result = e":                                                                   "square() argument 1: want int, got str",
		"try: h.square(1)\nexcept RuntimeError as e: result = e":                                                                       "no running event loop",
		"try: run(h.failing)\nexcept KeyError as e: result = (str(e), e.value is not None)":                                            "('special', True)",
		"class C: m = h.context\nasync def go(): return C().m\nresult = asyncio.run(go()).__self__.__class__.__name__":                 "C",
	} {
		got, err := execute[string](t, in, "import asyncio, inspect, coroutines, host_async as h\nfrom coroutines import run\n"+source+"\nresult = str(result)", nil)
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", source, got, err, want)
		}
	}
	// On the host's own loop, as a value, with its errors and panics.
	if got, err := evaluate[[]int](in, "coroutines:gather", NewFunc(func(n int) int { return n + 1 }, Async()), 100); err != nil || len(got) != 100 || got[99] != 100 {
		t.Errorf("got %v, %v", got, err)
	}
	if err := run(in, "coroutines:wait_for", NewFunc(func() error { return special }, Async())); !errors.Is(err, special) {
		t.Errorf("got %v", err)
	}
	for _, name := range []string{"coroutines:wait_for", "coroutines:run"} {
		func() {
			defer func() {
				if got := recover(); got != any(special) {
					t.Errorf("%s: recovered %v", name, got)
				}
			}()
			t.Errorf("%s: no panic: %v", name, run(in, name, NewFunc(func() { panic(special) }, Async())))
		}()
	}
	// The loop goes round meanwhile: the function waits for that.
	beats, err := evaluate[int](in, "coroutines:beats", NewFunc(func(isEnough func() (bool, error)) error {
		for end := time.Now().Add(waitLimit); time.Now().Before(end); time.Sleep(time.Millisecond) {
			if enough, err := isEnough(); enough || err != nil {
				return err
			}
		}
		return errors.New("the loop does not go round")
	}, Async()))
	if err != nil || beats < 2 {
		t.Errorf("the loop went round %d times, %v", beats, err)
	}
	// Cancelling what awaits it ends the context of the function.
	ended := make(chan error, 1)
	got, err := evaluate[string](in, "coroutines:cancels", NewFunc(func(ctx context.Context) error {
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}, Async()))
	if err != nil || got != "cancelled" {
		t.Errorf("got %v, %v", got, err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	// As does the end of the context of the outer call, on a loop of one's own.
	late := newDeadline(context.Background())
	_, err = executeContext[any](t, late, in, "import coroutines; coroutines.run(f)", KW{"f": NewFunc(func(ctx context.Context) error {
		late.begin()
		<-ctx.Done()
		return ctx.Err()
	}, Async())})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	// A call that nobody awaits, whose loop is closed before it ends.
	quit := make(chan struct{})
	passes[any](t, in, "import asyncio\nasync def go(): f()\nasyncio.run(go())", KW{"f": NewFunc(func() { <-quit }, Async())})
	close(quit)
	if !eventually(func() bool { asyncCalls.mu.Lock(); defer asyncCalls.mu.Unlock(); return len(asyncCalls.byNumber) == 0 }) {
		t.Errorf("%d calls are left", len(asyncCalls.byNumber))
	}
	if !eventually(func() bool {
		return passes[int](t, in, "import gophersnake.tasks as t; result = len(t._calls) + len(t._running)", nil) == 0
	}) {
		t.Error("Python remembers calls that have ended")
	}
}

func TestAsyncIteration(t *testing.T) {
	in := interpreter(t)
	ctx := context.Background()
	generator := func(arguments ...any) *Object {
		o, err := evaluate[*Object](in, "coroutines:generate", arguments...)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	var got []int
	for v, err := range Iter[int](ctx, generator(5)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, v)
	}
	if !slices.Equal(got, []int{0, 1, 2, 3, 4}) {
		t.Errorf("got %v", got)
	}
	left := 0
	for range Iter[int](ctx, generator(5, func() { left++ })) {
		break
	}
	if left != 1 {
		t.Error("leaving the loop did not close the generator")
	}
	bad, err := evaluate[*Object](in, "coroutines:generate_badly")
	if err != nil {
		t.Fatal(err)
	}
	var errs []error
	for _, err := range Iter[int](ctx, bad) {
		errs = append(errs, err)
	}
	if len(errs) != 2 || errs[0] != nil || !errors.Is(errs[1], KeyError) {
		t.Errorf("got %v", errs)
	}
	for _, err := range Iter[string](ctx, generator(2, func() { left++ })) {
		if err == nil || !strings.Contains(err.Error(), "item 0: want string, got int") {
			t.Errorf("got %v", err)
		}
	}
	if left != 2 {
		t.Error("an error did not close the generator")
	}
	cancelled, cancel := context.WithCancel(ctx)
	defer cancel()
	count := 0
	for _, err := range Iter[int](cancelled, generator(1000)) {
		if count++; count == 2 {
			cancel()
		}
		if count > 2 && !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	if count != 3 {
		t.Errorf("%d rounds, want 3", count)
	}
}

// Tasks and awaited calls of all kinds leave nothing behind.
func TestTaskLeak(t *testing.T) {
	in := interpreter(t)
	total := bind[func(context.Context, []float64) (float64, error)](t, in, "coroutines:total")
	gather := bind[func(any, int) ([]int, error)](t, in, "coroutines:gather")
	cancels := bind[func(any) (string, error)](t, in, "coroutines:cancels")
	fails := bind[func(...any) error](t, in, "coroutines:fails")
	generate := bind[func(int) (*Object, error)](t, in, "coroutines:generate")
	stubborn, err := in.Func("coroutines:stubborn")
	if err != nil {
		t.Fatal(err)
	}
	data := make([]float64, 100)
	work := func(calls int) {
		for i := range calls {
			if _, err := total(context.Background(), data); err != nil {
				t.Fatal(err)
			}
			if got, err := gather(NewFunc(func(n int) (int, error) { return n, nil }, Async()), 5); err != nil || len(got) != 5 {
				t.Fatal(err)
			}
			if got, err := cancels(NewFunc(func(ctx context.Context) { <-ctx.Done() }, Async())); err != nil || got != "cancelled" {
				t.Fatal(got, err)
			}
			if err := fails(data, i); !errors.Is(err, ValueError) {
				t.Fatal(err)
			}
			if err := run(in, "coroutines:wait_for", NewFunc(func() error { return fs.ErrExist }, Async())); !errors.Is(err, fs.ErrExist) {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			task := stubborn.Go(ctx, func() {})
			cancel()
			_, err := task.Wait(context.Background())
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			o, err := generate(3)
			if err != nil {
				t.Fatal(err)
			}
			for range Iter[int](context.Background(), o) {
				if i%2 == 0 {
					break
				}
			}
		}
	}
	work(100)
	before, goroutines, handles := count(t, in), runtime.NumGoroutine(), in.Stats().Hosted
	after := flat(t, in, func() { work(300) })
	if after.Objects > before.Objects || after.Retained > before.Retained || after.Threads-before.Threads > 6 {
		t.Errorf("%+v, before %+v", after, before)
	}
	if !eventually(func() bool { return in.Stats().Hosted <= handles && runtime.NumGoroutine() <= goroutines }) {
		t.Errorf("%d handles and %d goroutines, before %d and %d", in.Stats().Hosted, runtime.NumGoroutine(), handles, goroutines)
	}
}
