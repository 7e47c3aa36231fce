package python

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// limitedCommand makes the process of a scenario with stacks of a size: what `ulimit -s` takes.
func limitedCommand(name, stack string) *exec.Cmd {
	command := scenarioCommand(name)
	limited := exec.Command("bash", "-c", `ulimit -s "$0" && exec "$@"`, stack, command.Path)
	limited.Env = command.Env
	return limited
}

// Stacks that are too small for CPython are refused before it starts, with what to do.
func TestStackTooSmall(t *testing.T) { passCommand(t, limitedCommand("stack too small", "512")) }

var _ = scenario("stack too small", func() {
	_, err := Start(Config{})
	if !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), "stacks of 512 KiB") || !strings.Contains(err.Error(), "ulimit -s") {
		fail("got %v", err)
	}
})

// No recursion that CPython counts reaches the end of a stack, however large it is.
func TestStack(t *testing.T) {
	for _, size := range []string{"1024", "2048", "3500", "8192", "20000", "unlimited"} {
		if isShort && size != "2048" && size != "8192" {
			continue
		}
		t.Run(size, func(t *testing.T) {
			out := passCommand(t, limitedCommand("recursion", size))
			refused := map[string][]string{"1024": {"3.12", "3.13"}, "2048": {"3.12"}, "unlimited": {"3.12"}}[size]
			if strings.Contains(out, "refused") && !slices.ContainsFunc(refused, func(version string) bool { return strings.Contains(out, "Python "+version) }) {
				t.Errorf("stacks of %s KiB are refused", size)
			}
			t.Log(out)
		})
	}
}

const recursions = `
import _thread, ast, functools, json, sys, threading, warnings
import numpy as np

def nested():
    x = []
    for _ in range(100_000):
        x = [x]
    return x

class Repr:
    def __init__(self, inner):
        self.inner = inner
    def __repr__(self):
        return repr(self.inner)

class Descriptor:
    def __get__(self, instance, owner):
        return instance.attribute

class Described:
    attribute = Descriptor()

class Added:
    def __add__(self, other):
        return np.sum(np.array([self, self], dtype=object))

def nested_repr():
    x = None
    for _ in range(100_000):
        x = Repr([x])
    return repr(x)

def sort(_):
    return sorted([1], key=sort)

def through_map(_):
    return list(map(through_map, [1]))

ufunc = np.frompyfunc(lambda x: ufunc(x), 1, 1)

def literal():
    return ast.literal_eval("-" * 90_000 + "1")

recursions = [
    lambda: repr(nested()), nested_repr, lambda: json.dumps(nested()), lambda: json.loads("[" * 100_000),
    lambda: Described().attribute, lambda: sort(1), lambda: through_map(1), lambda: ufunc(1),
    lambda: Added() + Added(), literal, lambda: compile("a" + ".b" * 100_000, "x", "eval"),
    functools.partial(functools.reduce, lambda a, b: nested_repr(), [1, 2]),
]

def attempt():
    for recursion in recursions:
        try:
            recursion()
        except (RecursionError, MemoryError):
            pass
        else:
            raise AssertionError(recursion)

def everywhere():
    attempt()
    failed = []
    def work():
        try:
            attempt()
        except BaseException as e:
            failed.append(e)
    for size in 0, 40 << 10:
        threading.stack_size(size)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    threading.stack_size(0)
    if failed:
        raise failed[0]

everywhere()
before = sys.getrecursionlimit()
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    sys.setrecursionlimit(10**6)
everywhere()
`

var _ = scenario("recursion", func() {
	in, err := Start(Config{Path: []string{testdata}})
	if errors.Is(err, ErrLimit) {
		fmt.Println("refused:", err)
		return
	}
	check(err)
	execute := must(in.Func("callbacks:execute"))
	ctx := context.Background()
	object, err := execute.Call(ctx, recursions+`
after = sys.getrecursionlimit()
assert (after < 10**6) == bool(caught), (after, caught)
assert not caught or "ulimit -s" in str(caught[0].message) and caught[0].category is RuntimeWarning, caught
if sys.version_info < (3, 12):
    assert caught
sys.setrecursionlimit(500 if before > 500 else before - 1)
sys.setrecursionlimit(before)
result = f"{before} {after}"`)
	check(err)
	fmt.Println(must(As[string](object)))
	// 99 functions inside of one another, and then the recursion.
	var source string
	var down func(n int) error
	down = func(n int) error {
		if n == 0 {
			_, err := execute.Call(ctx, "def sort(_):\n    return sorted([1], key=sort)\nsort(1)")
			if !errors.Is(err, RecursionError) && !errors.Is(err, ErrLimit) {
				fail("at the bottom: %v", err)
			}
			return nil
		}
		_, err := execute.Call(ctx, source, KW{"f": func(n int) error { return down(n - 1) }, "n": n})
		return err
	}
	for _, source = range []string{"f(n)", "sorted([1], key=lambda _: f(n))", "import numpy as np\nnp.frompyfunc(lambda _: f(n), 1, 1)(1)"} {
		for _, depth := range []int{20, 99} {
			if err := down(depth); err != nil && !errors.Is(err, RecursionError) {
				fail("%d deep: %v", depth, err)
			}
		}
	}
})
