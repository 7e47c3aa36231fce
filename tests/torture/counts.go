package torture

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/gophersnake/gophersnake/go/python"
)

// Counts are what a leak raises.
type Counts struct {
	// Blocks are Python's, Shared references to what all calls share, Allocated bytes of malloc, Resident bytes of memory.
	Blocks, Shared, Allocated, Resident int
	// Threads and Descriptors are the process's, Goroutines Go's.
	Threads, Descriptors, Goroutines int
	// Objects, Retained and Hosted are what [python.Stats] says; States are its Threads.
	Objects, Retained, Hosted, States int
}

// Count collects garbage on both sides until nothing more goes, and counts what is left.
func (w *World) Count() Counts {
	var c Counts
	last, same := python.Stats{}, 0
	for range 200 {
		runtime.GC()
		numbers := Must(python.As[[]int](Must(w.resources.Call(context.Background(), []float64{1}))))
		c.Blocks, c.Shared, c.Allocated = numbers[0], numbers[1], numbers[2]
		stats := w.In.Stats()
		if stats.Objects == last.Objects && stats.Retained == last.Retained && stats.Hosted == last.Hosted {
			same++
		} else {
			same = 0
		}
		if last = stats; same == 3 {
			break
		}
	}
	debug.FreeOSMemory()
	c.Objects, c.Retained, c.Hosted, c.States = last.Objects, last.Retained, last.Hosted, last.Threads
	c.Threads, c.Resident = OSThreads(), resident()
	c.Descriptors, c.Goroutines = len(Must(os.ReadDir("/proc/self/fd"))), runtime.NumGoroutine()
	return c
}

// String returns the counts as one line.
func (c Counts) String() string {
	return fmt.Sprintf("blocks %7d  shared %5d  allocated %5d KiB  resident %5d KiB  threads %3d  states %3d  descriptors %3d  goroutines %4d  objects %3d  retained %2d  hosted %3d",
		c.Blocks, c.Shared, c.Allocated>>10, c.Resident>>10, c.Threads, c.States, c.Descriptors, c.Goroutines, c.Objects, c.Retained, c.Hosted)
}

// Grown says what has grown by more than `most` allows; nothing if all lines are flat.
func (c Counts) Grown(before, most Counts) error {
	var grown []string
	for _, row := range []struct {
		name                string
		before, after, most int
	}{
		{"Python's blocks", before.Blocks, c.Blocks, most.Blocks},
		{"references to what all calls share", before.Shared, c.Shared, most.Shared},
		{"bytes of malloc", before.Allocated, c.Allocated, most.Allocated},
		{"bytes of resident memory", before.Resident, c.Resident, most.Resident},
		{"OS threads", before.Threads, c.Threads, most.Threads},
		{"thread states", before.States, c.States, most.States},
		{"descriptors", before.Descriptors, c.Descriptors, most.Descriptors},
		{"goroutines", before.Goroutines, c.Goroutines, most.Goroutines},
		{"objects", before.Objects, c.Objects, most.Objects},
		{"retained arrays", before.Retained, c.Retained, most.Retained},
		{"hosted handles", before.Hosted, c.Hosted, most.Hosted},
	} {
		if row.after-row.before > row.most {
			grown = append(grown, fmt.Sprintf("%d %s more (%d, before %d; at most %d more)", row.after-row.before, row.name, row.after, row.before, row.most))
		}
	}
	if grown != nil {
		return fmt.Errorf("grown: %s", strings.Join(grown, "; "))
	}
	return nil
}

// OSThreads returns how many OS threads this process has.
func OSThreads() int { return status("Threads") }

// resident returns how many bytes of this process are in memory, without the pages of files.
func resident() int { return status("RssAnon") << 10 }

// status returns a number that the kernel tells of this process.
func status(name string) int {
	_, rest, _ := strings.Cut(string(Must(os.ReadFile("/proc/self/status"))), "\n"+name+":")
	line, _, _ := strings.Cut(rest, "\n")
	return Must(strconv.Atoi(strings.Fields(line)[0]))
}

// Flat is what a count may differ by without a leak: caches, free lists, the fragments of memory, threads
// that Go keeps, and a goroutine for each frame: as many as there ever were calls at a time, nested ones included.
var Flat = Counts{
	Blocks: 2_000, Shared: 500, Allocated: 4 << 20, Resident: 32 << 20, Threads: 8, Descriptors: 0, Goroutines: 64, Objects: 0, Retained: 0, Hosted: 0, States: 8,
}
