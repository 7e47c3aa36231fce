package python

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"
)

// Arguments that outgrow the memory of a frame, and small ones after them.
func TestLargeArguments(t *testing.T) {
	in := interpreter(t)
	for _, count := range []int{0, 1, 15, 16, 17, keptValues - 1, keptValues, keptValues + 1, 100_000, 3} {
		items, texts := make([]any, count), make([]string, count)
		for i := range items {
			items[i], texts[i] = i, fmt.Sprint(i)
		}
		const check = "len(a[0]) == len(a[1]) and a[0] == list(range(len(a[0]))) and a[1] == [str(i) for i in a[0]]"
		if got, err := evaluate[bool](in, "fixtures:value", check, items, texts); err != nil || !got {
			t.Errorf("%d items: %v, %v", count, got, err)
		}
	}
	for _, size := range []int{0, 1, keptBytes - 1, keptBytes, keptBytes + 1, 10 << 20, 1} {
		data := []byte(strings.Repeat("0123456789", size/10+1)[:size])
		got, err := evaluate[[]byte](in, "fixtures:same", data)
		if err != nil || !slices.Equal(got, data) {
			t.Errorf("%d bytes: got %d, %v", size, len(got), err)
		}
		text, err := evaluate[string](in, "fixtures:same", string(data))
		if err != nil || text != string(data) {
			t.Errorf("a string of %d bytes: got %d, %v", size, len(text), err)
		}
	}
	for i := range in.frames {
		frame := in.frames[i].Load()
		if frame != nil && (cap(frame.values) > keptValues || cap(frame.bytes) > keptBytes) {
			t.Errorf("a frame keeps room for %d values and %d bytes", cap(frame.values), cap(frame.bytes))
		}
	}
}

// Nothing of a call is in the next one that uses the same frame, also after an error half way through the arguments.
func TestFramesAreReset(t *testing.T) {
	in := interpreter(t)
	object := mustEvaluate(t, in, "[1]")
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for range 200 {
				if err := run(in, "fixtures:nothing", "text", []float64{1}, object, []int{2}, unsafe.Pointer(nil)); err == nil {
					t.Error("a pointer without a type was converted")
				}
				if got, err := evaluate[string](in, "fixtures:written", "x"); err != nil || got != "('x',)" {
					t.Errorf("got %s, %v", got, err)
				}
				if err := run(in, "fixtures:fail_with", []float64{1}); !errorsIs(err, ValueError) {
					t.Errorf("got %v", err)
				}
			}
		})
	}
	callers.Wait()
	for i := range in.frames {
		frame := in.frames[i].Load()
		if frame != nil && (len(frame.kept) > 0 || slices.ContainsFunc(frame.kept[:cap(frame.kept)], func(o any) bool { return o != nil })) {
			t.Error("a frame still holds an object")
		}
	}
}
