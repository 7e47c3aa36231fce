// Program soak mixes all kinds of work for a stated time, with a CPU profile running and garbage collected all the time,
// and looks whether anything grows. `make soak` runs it.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gophersnake/gophersnake/tests/torture"
)

func main() {
	long := flag.Duration("for", 10*time.Minute, "how long")
	goroutines := flag.Int("goroutines", 32, "how many goroutines work")
	lines := flag.Int("lines", 20, "how many lines are printed")
	flag.Parse()
	debug.SetGCPercent(1)
	profile := torture.Must(os.CreateTemp("", "soak-*.pprof"))
	defer func() { _ = os.Remove(profile.Name()) }()
	torture.Check(pprof.StartCPUProfile(profile))

	w := torture.Start()
	begin, done := time.Now(), int64(0)
	// work does it for a while, and then looks at what is left when it rests.
	work := func(long time.Duration) torture.Counts {
		var over atomic.Bool
		time.AfterFunc(long, func() { over.Store(true) })
		done += w.Mix(*goroutines, func() bool { return !over.Load() })
		c := w.Count()
		fmt.Printf("%6.0fs  %9d done  %v\n", time.Since(begin).Seconds(), done, c)
		return c
	}
	// The first part fills caches, and lets threads start.
	step := *long / time.Duration(*lines)
	var all []torture.Counts
	for range *lines {
		all = append(all, work(step))
	}
	pprof.StopCPUProfile()
	fmt.Printf("%d calls were interrupted, %d finished before their deadlines\n", w.Interrupted.Load(), w.Finished.Load())
	if w.Interrupted.Load() == 0 || w.Finished.Load() == 0 {
		torture.Fail("the deadlines come always too early or always too late")
	}
	if info := torture.Must(os.Stat(profile.Name())); info.Size() < 1000 {
		torture.Fail("the CPU profile has %d bytes", info.Size())
	}
	warm := len(all) / 4
	torture.Check(all[len(all)-1].Grown(all[warm], torture.Flat))
	fmt.Println(strings.TrimSpace(fmt.Sprintf("flat since %v", time.Duration(warm+1)*step)))
}
