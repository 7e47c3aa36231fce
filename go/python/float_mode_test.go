package python

import (
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A library that is loaded in a call makes numbers near zero zero, as those built with -ffast-math do: in Python only.
func TestFloatMode(t *testing.T) {
	passScenario(t, "float mode", "GOMAXPROCS=1")
}

const fastMath = `
#include <stdint.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
static uint64_t get(void) { return _mm_getcsr() & ~0x3fu; }
static void set(uint64_t mode) { _mm_setcsr((uint32_t)mode); }
#define FAST (0x1f80 | 0x8040) /* numbers near zero become zero, as results and as operands */
#elif defined(__aarch64__)
static uint64_t get(void) { uint64_t mode; __asm__("mrs %0, fpcr" : "=r"(mode)); return mode; }
static void set(uint64_t mode) { __asm__("msr fpcr, %0" : : "r"(mode)); }
#define FAST (1u << 24)
#endif
__attribute__((constructor)) static void loaded(void) { set(FAST); }
void make_fast(void) { set(FAST); }
int is_fast(void) { return get() == FAST; }
uint64_t mode(void) { return get(); }
`

//go:noinline
func half(x float64) float64 { return x / 2 }

// checkDenormals fails if a number near zero is zero in Go.
func checkDenormals(where string) {
	if got := half(2 * math.SmallestNonzeroFloat64); got != math.SmallestNonzeroFloat64 {
		fail("%s: numbers near zero are %v in Go", where, got)
	}
	if got := half(0x1p-1022); got != 0x1p-1023 {
		fail("%s: got %v", where, got)
	}
	done := make(chan bool)
	go func() {
		if half(2*math.SmallestNonzeroFloat64) == 0 {
			fail("%s: numbers near zero are zero on another goroutine", where)
		}
		close(done)
	}()
	<-done
}

var _ = scenario("float mode", func() {
	folder := must(os.MkdirTemp("", ""))
	defer func() { check(os.RemoveAll(folder)) }()
	source, library := filepath.Join(folder, "fast.c"), filepath.Join(folder, "fast.so")
	check(os.WriteFile(source, []byte(fastMath), 0o600))
	if out, err := exec.Command("cc", "-O1", "-shared", "-fPIC", "-o", library, source).CombinedOutput(); err != nil {
		fail("%v: %s", err, out)
	}
	in := must(Start(Config{Path: []string{testdata}, MaxConcurrent: 2}))
	ctx := context.Background()
	execute := must(in.Func("callbacks:execute"))
	python := func(ctx context.Context, source string, variables KW) string {
		object := must(execute.Call(ctx, source, variables))
		defer object.Close()
		return must(As[string](object))
	}
	checkDenormals("before")
	const load = "import ctypes, threading\nfast = ctypes.CDLL(library)\n"
	// The library is loaded, and works as it wants to until the call ends; also in a call that can be cancelled.
	cancellable, cancel := context.WithCancel(ctx)
	defer cancel()
	for i, ctx := range []context.Context{ctx, cancellable} {
		want := "0.0 1"
		if got := python(ctx, load+"fast.make_fast()\nresult = f'{5e-324 * 1.0} {fast.is_fast()}'", KW{"library": library}); got != want {
			fail("%d: got %s in Python, want %s", i, got, want)
		}
		checkDenormals("after a call")
	}
	if got := python(ctx, load+"result = str(fast.is_fast())", KW{"library": library}); got != "0" {
		fail("the next call has the modes of the last one: %s", got)
	}
	// A Go function that Python calls has Go's modes, also where it calls Python again, and Python has its own afterwards.
	nested := func() {
		checkDenormals("in a function")
		python(ctx, load+"fast.make_fast()\nresult = ''", KW{"library": library})
		checkDenormals("in a function, after a call")
	}
	const around = "fast.make_fast()\nf()\nresult = str(fast.is_fast())"
	if got := python(ctx, load+around, KW{"library": library, "f": nested}); got != "1" {
		fail("Python's modes are lost in a Go function")
	}
	checkDenormals("after nested calls")
	const thread = `
def work():
    global result
    fast.make_fast()
    f()
    result = str(fast.is_fast())
t = threading.Thread(target=work)
t.start()
t.join()`
	if got := python(ctx, load+thread, KW{"library": library, "f": nested}); got != "1" {
		fail("Python's modes are lost in a Go function on a thread of Python's: %s", got)
	}
	// An exception, a failed import and a batch end like a call.
	if _, err := execute.Call(ctx, load+"fast.make_fast()\n1/0", KW{"library": library}); !errorsIs(err, ZeroDivisionError) {
		fail("got %v", err)
	}
	checkDenormals("after an exception")
	must(Map[string](ctx, execute, []Arguments{{load + "fast.make_fast()\nresult = ''", KW{"library": library}}}))
	checkDenormals("after a batch")
	module := filepath.Join(folder, "fast_module.py")
	check(os.WriteFile(module, []byte("import ctypes, os\nctypes.CDLL(os.path.dirname(__file__) + '/fast.so').make_fast()\n"), 0o600))
	python(ctx, "import sys\nsys.path.append(folder)\nresult = ''", KW{"folder": folder})
	must(in.Object("fast_module"))
	checkDenormals("after an import")
})
