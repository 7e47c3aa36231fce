package python

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"testing"
	"time"
)

// What follows a call runs in its lane: with the main lane taken, all of it goes on.
func TestLaneOfObjects(t *testing.T) { passScenario(t, "lane of objects") }

// lanePart is a result with objects inside.
type lanePart struct {
	One  *Object
	Many []*Object
	Any  any
	Call func(int) (int, error)
	Each iter.Seq2[int, error]
}

type lanePlus interface{ Plus(int) (int, error) }

type lanePlusObject struct{ object *Object }

func (p lanePlusObject) Plus(n int) (int, error) {
	return asThenClose[int](p.object.Method(context.Background(), "plus", n))
}

const laneSource = `
import asyncio, io
class Thing:
    def __init__(self): self.items, self.x = {}, 1
    def __getitem__(self, key): return self.items[key]
    def __setitem__(self, key, value): self.items[key] = value
    def __delitem__(self, key): del self.items[key]
    def __contains__(self, key): return key in self.items
    def __len__(self): return len(self.items)
    def __add__(self, n): return n + 1
    def __eq__(self, other): return True
    def __str__(self): return "str"
    def __repr__(self): return "repr"
    def __call__(self, n): return n + 1
    def plus(self, n): return n + 1
    async def later(self, n):
        await asyncio.sleep(0)
        return n + 1
    def part(self): return {"One": self, "Many": [self], "Any": 3, "Call": self, "Each": each()}
def each():
    got = yield 1
    try:
        yield got or 2
    except ValueError:
        yield 7
    yield 3
async def each_later():
    yield 1
    await asyncio.sleep(0)
    yield 2
async def delayed(n):
    await asyncio.sleep(0)
    return Thing() if n is None else n
`

var _ = scenario("lane of objects", func() {
	in := must(Start(Config{Path: []string{testdata}, MaxConcurrent: 1}))
	check(Interface(in, func(o *Object) lanePlus { return lanePlusObject{o} }, "plus"))
	lane := Lane("io", 2)
	bg := context.Background()
	execute := must(in.Func("callbacks:execute", lane))
	run := func(source string, variables KW) *Object { return must(execute.Call(bg, laneSource+source, variables)) }
	held := block(in, 1)
	wantCalls(in, 1, 0)
	// step does something that may not wait for the main lane.
	step := func(name string, do func() error) {
		done := make(chan error, 1)
		go func() { done <- do() }()
		select {
		case err := <-done:
			if err != nil {
				fail("%s: %v", name, err)
			}
		case <-time.After(lenient(30 * time.Second)):
			fail("%s waits for the main lane: %+v", name, in.Stats())
		}
	}
	want := func(n int) func(int, error) error {
		return func(got int, err error) error {
			if err == nil && got != n {
				err = fmt.Errorf("got %d, want %d", got, n)
			}
			return err
		}
	}
	only := func(_ any, err error) error { return err }
	sum := func(seq iter.Seq2[int, error]) (total int, err error) {
		for n, err := range seq {
			if err != nil {
				return 0, err
			}
			total += n
		}
		return total, nil
	}
	// Each object that is made from `thing` in some way is tried in all ways.
	tryAll := func(origin string, thing *Object) {
		named := func(name string) string { return origin + ": " + name }
		step(named("attributes"), func() error {
			if err := thing.SetAttr("x", 4); err != nil {
				return err
			}
			return want(4)(asThenClose[int](thing.Attr("x")))
		})
		step(named("items"), func() error {
			check(thing.SetItem("k", 5))
			check(want(5)(asThenClose[int](thing.Item("k"))))
			check(only(thing.Contains("k")))
			check(want(1)(thing.Len()))
			check(only(thing.Truth()))
			return thing.DeleteItem("k")
		})
		step(named("texts"), func() error {
			if thing.String() != "str" || must(thing.Repr()) != "repr" {
				return fmt.Errorf("got %v, %v", thing, must(thing.Repr()))
			}
			return only(thing.Type())
		})
		step(named("operators"), func() error {
			check(only(thing.Equal(1)))
			return want(2)(asThenClose[int](thing.Op("+", 1)))
		})
		step(named("calls"), func() error {
			check(want(2)(asThenClose[int](thing.Call(bg, 1))))
			return want(2)(asThenClose[int](thing.Method(bg, "plus", 1)))
		})
		step(named("coroutines"), func() error { return want(2)(asThenClose[int](thing.Method(bg, "later", 1))) })
		step(named("As"), func() error {
			check(want(2)(must(As[lanePlus](thing)).Plus(1)))
			return want(2)(must(As[func(int) (int, error)](thing))(1))
		})
	}
	thing := run("result = Thing()", nil)
	tryAll("result", thing)
	tryAll("attribute", func() *Object { o := run("result = Thing(); result.y = Thing()", nil); return must(o.Attr("y")) }())
	part := must(asThenClose[lanePart](thing.Method(bg, "part")))
	tryAll("field", part.One)
	tryAll("item of a slice", part.Many[0])
	step("callable of a struct", func() error { return want(2)(part.Call(1)) })
	step("iterator of a struct", func() error { return want(6)(sum(part.Each)) })
	tryAll("Map", must(execute.Map(bg, []Arguments{{laneSource + "result = Thing()"}}))[0])
	tryAll("task of a function", must(execute.Go(bg, laneSource+"result = Thing()").Wait(bg)))
	delayed := run("result = delayed", nil)
	tryAll("coroutine", must(delayed.Call(bg, nil)))
	tryAll("Await", must(run("result = delayed(None)", nil).Await(bg)))
	for one, err := range Iter[*Object](bg, run("result = iter([Thing()])", nil)) {
		check(err)
		tryAll("item of Iter", one)
	}
	step("Iter of a generator", func() error { return want(6)(sum(Iter[int](bg, run("result = each()", nil)))) })
	step("Iter that is left", func() error {
		for range Iter[int](bg, run("result = each()", nil)) {
			break
		}
		return nil
	})
	step("Iter ahead", func() error { return want(499500)(sum(Iter[int](bg, run("result = range(1000)", nil)))) })
	step("Iter of an asynchronous generator", func() error {
		return want(3)(sum(Iter[int](bg, run("result = each_later()", nil))))
	})
	step("Bind with an iterator", func() error {
		bound := must(Bind[func(context.Context, string) (iter.Seq2[int, error], error)](in, "callbacks:execute", lane))
		return want(6)(sum(must(bound(bg, laneSource+"result = each()"))))
	})
	step("generator by hand", func() error {
		g := must(NewGenerator[int](run("result = each()", nil)))
		for _, resume := range []func(context.Context) (int, bool, error){
			g.Next, func(ctx context.Context) (int, bool, error) { return g.Send(ctx, 5) },
			func(ctx context.Context) (int, bool, error) { return g.Throw(ctx, ValueError) },
		} {
			if _, ok, err := resume(bg); !ok || err != nil {
				return fmt.Errorf("got %v, %w", ok, err)
			}
		}
		return g.Close(bg)
	})
	step("arrays", func() error {
		array := run("result = np.arange(5.0)", nil)
		view := must(Borrow[float64](array))
		defer view.Release()
		if got := must(As[[]float64](array)); !slices.Equal(got, view.Data) {
			return fmt.Errorf("got %v", got)
		}
		return nil
	})
	step("files", func() error {
		text, err := io.ReadAll(must(As[io.Reader](run("result = io.BytesIO(b'abc')", nil))))
		if string(text) != "abc" {
			return fmt.Errorf("got %q, %w", text, err)
		}
		return err
	})
	step("class and instance", func() error {
		class := run("from dataclasses import dataclass\n@dataclass\nclass Data:\n    n: int\nresult = Data", nil)
		return want(3)(asThenClose[int](must(execute.Call(bg, "result = d", KW{"d": New(class, KW{"n": 3})})).Attr("n")))
	})
	// What a Go function gets, and what it returns.
	step("arguments of a Go function", func() error {
		check(only(execute.Call(bg, laneSource+"f(Thing(), Thing(), each(), Thing())", KW{
			"f": func(o *Object, call func(int) (int, error), each iter.Seq2[int, error], p lanePlus) *Object {
				tryAll("argument", o)
				check(want(2)(call(1)))
				check(want(6)(sum(each)))
				check(want(2)(p.Plus(1)))
				return o
			},
		})))
		return nil
	})
	step("arguments of a Go function in a coroutine", func() error {
		calls := run("async def calls():\n    f(Thing())\nresult = calls", KW{"f": func(o *Object) { check(want(2)(asThenClose[int](o.Call(bg, 1)))) }})
		return only(calls.Call(bg))
	})
	// Another lane, by an option. The main one is as before.
	moved := must(thing.WithLane(Lane("other", 1)))
	check(thing.Close())
	inner := block(in, 2, lane)
	if !eventually(func() bool { return in.Stats().Lanes["io"].Running == 2 }) {
		fail("got %+v", in.Stats())
	}
	tryAll("WithLane", moved)
	step("Object with a lane", func() error {
		return want(3)(asThenClose[int](must(in.Object("operator", Lane("other", 1))).Method(bg, "add", 1, 2)))
	})
	inner.end()
	held.end()
	check(in.Shutdown(bg))
})
