package python

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// What an import sets for its context (PEP 567) holds in all calls; what a call sets ends with it.
func TestContext(t *testing.T) {
	if got := passScenario(t, "context"); got != "at exit: 60 raise failed\n" {
		t.Errorf("got %q", got)
	}
}

func TestContextWithoutSettings(t *testing.T) { passScenario(t, "context without settings") }

func TestContextReload(t *testing.T) { passScenario(t, "context and reload") }

// contextCalls are the functions of testdata/contexts.py.
type contextCalls struct {
	in  *Interpreter
	ctx context.Context
}

func (c contextCalls) text(name string, arguments ...any) string {
	f := must(c.in.Func(name))
	defer f.Close()
	object := must(f.Call(c.ctx, arguments...))
	defer object.Close()
	return must(As[string](object))
}

// everywhere fails if one of many calls finds other settings, whatever calls do that run before and beside it. All of
// them change what they find.
func (c contextCalls) everywhere(want string) {
	var group sync.WaitGroup
	for range 64 {
		group.Go(func() {
			for range repetitions(200)/10 + 1 {
				equal("a call", c.text("contexts:change"), want)
			}
		})
	}
	group.Wait()

	inputs := make([]Arguments, 300)
	for i := range inputs {
		inputs[i] = Arguments{i}
	}
	change := must(c.in.Func("contexts:change"))
	captured, _ := Capture(c.ctx)
	for _, ctx := range []context.Context{c.ctx, captured} {
		for _, got := range must(Map[string](ctx, change, inputs)) {
			equal("a call of Map", got, want)
		}
	}

	w := c.in.Worker(c.ctx)
	for range 3 {
		equal("a call of a Worker", contextCalls{c.in, w.Context(c.ctx)}.text("contexts:change"), want)
	}
	check(w.Close())
	cancellable, cancel := context.WithCancel(c.ctx)
	equal("a call that can be cancelled", contextCalls{c.in, cancellable}.text("contexts:change"), want)
	cancel()

	coroutine := must(c.in.Func("contexts:coroutine"))
	var tasks []*Task
	for range 20 {
		equal("a coroutine", c.text("contexts:coroutine"), want)
		tasks = append(tasks, coroutine.Go(c.ctx))
	}
	for _, task := range tasks {
		equal("a task", must(As[string](must(task.Wait(c.ctx)))), want)
	}

	// What a Go function calls on its thread finds the settings of the call around it, and leaves them.
	const changed = "7 ignore changed"
	callback := func(ctx context.Context) string {
		nested := contextCalls{c.in, ctx}
		object := must(must(c.in.Object("contexts")).Method(ctx, "change"))
		equal("a method from a callback", must(As[string](object)), changed)
		for _, got := range must(Map[string](ctx, change, inputs[:3])) {
			equal("a call of Map from a callback", got, changed)
		}
		equal("a coroutine from a callback", nested.text("contexts:coroutine"), changed)
		must(must(c.in.Func("contexts:Late")).Call(ctx)).Close()
		return nested.text("contexts:state")
	}
	for range 3 {
		equal("a callback", c.text("contexts:change_and_call", callback), changed+", "+changed)
	}
	equal("a thread", c.text("contexts:in_thread"), want)
	const thread = "import threading, contexts\n" +
		"def work():\n    global result\n    result = contexts.change_and_call(f)\n" +
		"t = threading.Thread(target=work)\nt.start()\nt.join()"
	nested := func() string { return c.text("contexts:change") }
	equal("a callback of a thread", c.text("callbacks:execute", thread, KW{"f": nested}), changed+", "+changed)

	// Destructors: of what a call made, and of what Go held.
	for range 3 {
		late := must(must(c.in.Func("contexts:Late")).Call(c.ctx))
		check(late.Close())
		equal("a call, when references were released", c.text("contexts:state"), want)
		equal("a call after that", c.text("contexts:state"), want)
	}
	module := must(c.in.Object("contexts"))
	for range 3 {
		equal("a method", must(As[string](must(module.Method(c.ctx, "change")))), want)
		equal("an object", must(As[string](must(must(module.Attr("change")).Call(c.ctx)))), want)
	}
	c.iterations(want)
	equal("after all", c.text("contexts:state"), want)
}

// iterations fails if the steps of an iteration do not share a context of their own.
func (c contextCalls) iterations(want string) {
	stepping := []string{"11 call stepping", "11 call stepping", "11 call " + want[len("50 raise "):]}
	if want == "28 warn default" {
		stepping[2] = "11 call default"
	}
	for _, name := range []string{"contexts:steps", "contexts:async_steps"} {
		object := must(must(c.in.Func(name)).Call(c.ctx))
		var got []string
		for item, err := range Iter[string](c.ctx, object) {
			check(err)
			got = append(got, item)
			// The steps come to other threads, and calls between them see nothing of it.
			done := make(chan string)
			go func() { done <- c.text("contexts:change") }()
			equal("a call between steps", <-done, want)
		}
		equal(name, got, stepping)
		// Leaving the loop closes the generator, in the same context.
		for item, err := range Iter[string](c.ctx, must(must(c.in.Func(name)).Call(c.ctx))) {
			check(err)
			equal(name, item, stepping[0])
			break
		}
	}
	g := must(NewGenerator[string](must(must(c.in.Func("contexts:steps")).Call(c.ctx))))
	for i := range 2 {
		done := make(chan string)
		go func() {
			item, _, err := g.Next(c.ctx)
			check(err)
			done <- item
		}()
		equal("Generator.Next", <-done, stepping[i])
	}
	check(g.Close(c.ctx))
}

var _ = scenario("context", func() {
	in := must(Start(Config{Path: []string{testdata}, MaxConcurrent: 8}))
	c := contextCalls{in, context.Background()}
	// A thread that exists already has the settings too.
	equal("before", c.text("contexts:change"), "28 warn default")
	equal("a thread of the import", c.text("contexts_set:in_thread"), "50 raise set")
	c.everywhere("50 raise set")
	// A module that is imported in a call sees the program's context, and what it sets holds from then on, in that call as well.
	equal("the call that imports", c.text("contexts:import_late"), "60 raise late")
	equal("the import", must(As[string](must(in.Object("contexts_late:SEEN")))), "50 raise set")
	c.everywhere("60 raise late")
	// What a failing import has set before it failed stays, as its modules do.
	folder := must(os.MkdirTemp("", ""))
	defer func() { check(os.RemoveAll(folder)) }()
	check(os.WriteFile(filepath.Join(folder, "contexts_fail.py"), []byte("import contexts\ncontexts.VARIABLE.set('failed')\nraise OSError('no')\n"), 0o600))
	c.text("callbacks:execute", "import sys\nsys.path.append(folder)\nresult = ''", KW{"folder": folder})
	if _, err := in.Func("contexts_fail:f"); !errorsIs(err, OSError) {
		fail("got %v", err)
	}
	equal("after a failed import", c.text("contexts:state"), "60 raise failed")
	// An atexit handler finds the program's settings.
	c.text("callbacks:execute", "import atexit, contexts\natexit.register(lambda: print('at exit:', contexts.state(), flush=True))\nresult = ''")
	check(in.Shutdown(context.Background()))
})

var _ = scenario("context without settings", func() {
	in := must(Start(Config{Path: []string{testdata}, MaxConcurrent: 8}))
	contextCalls{in, context.Background()}.everywhere("28 warn default")
	check(in.Shutdown(context.Background()))
})

var _ = scenario("context and reload", func() {
	folder := must(os.MkdirTemp("", ""))
	defer func() { check(os.RemoveAll(folder)) }()
	file := filepath.Join(folder, "changing.py")
	write := func(digits string, when time.Time) {
		check(os.WriteFile(file, []byte("import decimal\ndecimal.getcontext().prec = "+digits+"\ndef digits(): return str(decimal.getcontext().prec)\n"), 0o600))
		check(os.Chtimes(file, when, when))
	}
	now := time.Now()
	write("40", now.Add(-time.Hour))
	in := must(Start(Config{Path: []string{folder, testdata}, Reload: true}))
	c := contextCalls{in, context.Background()}
	equal("before", c.text("changing:digits"), "40")
	write("41", now)
	equal("after a change", c.text("changing:digits"), "41")
	equal("elsewhere", c.text("contexts:state"), "41 warn default")
	c.text("callbacks:execute", "import importlib, changing, decimal, contexts\nwith decimal.localcontext():\n    decimal.getcontext().prec = 3\n    importlib.reload(changing)\nresult = ''")
	equal("after importlib.reload", c.text("contexts:state"), "41 warn default")
	check(in.Shutdown(context.Background()))
})
