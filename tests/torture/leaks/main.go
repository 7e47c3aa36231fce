// Program leaks does each kind of work by itself, many times, and looks at what is left.
package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/gophersnake/gophersnake/go/python"
	"github.com/gophersnake/gophersnake/tests/torture"
)

func main() {
	torture.Main(
		torture.Case{Name: "each kind of work by itself", Run: kinds},
		torture.Case{Name: "a leak is seen", Dies: "grown: ", Run: planted},
	)
}

// kinds does each kind for some time, twice: what the first time takes may stay, what the second takes may not.
func kinds() string {
	w := torture.Start()
	w.Warm()
	long := time.Duration(torture.Times(4000, 15)) * time.Millisecond
	total := 0
	for _, k := range torture.Kinds {
		do := func(end func(i int) bool) (done int) {
			var all sync.WaitGroup
			var counts [4]int
			for g := range counts {
				all.Go(func() {
					for r := torture.Random(g); !end(counts[g]); counts[g]++ {
						torture.Check(w.Do(k, r))
					}
				})
			}
			all.Wait()
			return counts[0] + counts[1] + counts[2] + counts[3]
		}
		do(func(i int) bool { return i >= 20 })
		before := w.Count()
		begin := time.Now()
		done := do(func(int) bool { return time.Since(begin) > long })
		if done == 0 {
			torture.Fail("%s: it was not done", k.Name)
		}
		total += done
		most := torture.Flat
		most.Blocks, most.Shared = 1_000, 300
		var err error
		if !torture.Eventually(func() bool { err = w.Count().Grown(before, most); return err == nil }) {
			torture.Fail("%s, %d times: %v", k.Name, done, err)
		}
	}
	return fmt.Sprintf("%d kinds, %d times in all", len(torture.Kinds), total)
}

// planted leaks on purpose, an object for every hundred calls.
func planted() string {
	w := torture.Start()
	w.Warm()
	before := w.Count()
	for i := range 1_000 {
		torture.Check(w.Any(torture.Random(i)))
		if i%100 == 0 {
			leaked = append(leaked, torture.Must(torture.Get[*python.Object](w, "evaluate", "[]")))
		}
	}
	torture.Check(w.Count().Grown(before, torture.Flat))
	return "was not seen"
}

var leaked []*python.Object
