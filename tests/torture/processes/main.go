// Program processes starts processes in every way, from both sides, in the middle of everything else.
package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gophersnake/gophersnake/go/python"
	"github.com/gophersnake/gophersnake/tests/torture"
)

func main() {
	torture.Main(
		torture.Case{Name: "pools of all kinds at once", Run: pools},
		torture.Case{Name: "a storm of forks", Run: forks},
		torture.Case{Name: "workers that are killed", Run: killed},
	)
}

// ways are how Python has work done by other processes.
var ways = map[string]string{
	"spawn":      "import multiprocessing\nwith multiprocessing.get_context('spawn').Pool(2) as p: assert p.map(abs, [-1, 2, -3]) == [1, 2, 3]",
	"fork":       "import multiprocessing\nwith multiprocessing.get_context('fork').Pool(2) as p: assert p.map(abs, [-1, 2, -3]) == [1, 2, 3]",
	"forkserver": "import multiprocessing\nwith multiprocessing.get_context('forkserver').Pool(2) as p: assert p.map(abs, [-1, 2, -3]) == [1, 2, 3]",
	"executor":   "import concurrent.futures as c\nwith c.ProcessPoolExecutor(2) as p: assert list(p.map(abs, [-1, 2])) == [1, 2]",
	"module":     "import concurrent.futures as c, torturing\nwith c.ProcessPoolExecutor(1) as p: assert p.submit(torturing.count, 50).result() == 50",
	"subprocess": "import subprocess, sys\nassert subprocess.run([sys.executable, '-c', 'print(5)'], capture_output=True, text=True).stdout == '5\\n'",
	"shared":     "from multiprocessing import shared_memory as s\nb = s.SharedMemory(create=True, size=100)\na = np.ndarray(10, buffer=b.buf); a[:] = 3; assert a.sum() == 30\ndel a; b.close(); b.unlink()",
	"os.system":  "import os\nassert os.waitstatus_to_exitcode(os.system('exit 5')) == 5",
	"asyncio":    "import asyncio\nasync def run(): return await (await asyncio.create_subprocess_exec('/bin/sh', '-c', 'exit 6')).wait()\nassert asyncio.run(run()) == 6",
}

// alone fails if there are children that have ended and nobody has waited for. Those of multiprocessing itself, which serve
// others, end with this process.
func alone(w *torture.World) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	torture.Check(w.In.Shutdown(ctx))
	if child, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); child > 0 {
		torture.Fail("nobody has waited for process %d: %v", child, err)
	}
}

func pools() string {
	w := torture.Start()
	w.Warm()
	var over atomic.Bool
	var all, others sync.WaitGroup
	others.Go(func() { w.Mix(4, func() bool { return !over.Load() }) })
	var count atomic.Int64
	others.Go(func() {
		for i := 0; !over.Load(); i++ {
			command := exec.Command("/bin/sh", "-c", fmt.Sprintf("exit %d", i%100))
			_ = command.Run()
			if command.ProcessState.ExitCode() != i%100 {
				torture.Fail("Go's child: %v", command.ProcessState)
			}
			count.Add(1)
		}
	})
	for name, source := range ways {
		all.Go(func() {
			for range torture.Times(15, 1) {
				if err := w.Run(context.Background(), "execute", source); err != nil {
					torture.Fail("%s: %v", name, err)
				}
			}
		})
	}
	all.Wait()
	over.Store(true)
	others.Wait()
	alone(w)
	if count.Load() == 0 {
		torture.Fail("Go has started no process meanwhile")
	}
	return fmt.Sprintf("%d ways, and %d processes of Go's", len(ways), count.Load())
}

// forks forks from several threads while others do everything else; the children end in every way.
func forks() string {
	w := torture.Start()
	w.Warm()
	ends := []int{7, 8, 1, 0, 2, 9} // the exit status of the child
	const source = `
import os, sys
def child(end):
    sys.stderr = open(os.devnull, "w")
    if end == 7: os._exit(7)
    if end == 8: sys.exit(8)
    if end == 1: raise ValueError
    if end == 2:
        try: hosted()
        except BaseException: os._exit(2)
    if end == 9:
        import threading
        t = threading.Thread(target=int); t.start(); t.join()
        os._exit(9)
pid = os.fork()
if pid == 0:
    child(end)
else:
    result = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
`
	var over atomic.Bool
	var all, others sync.WaitGroup
	others.Go(func() { w.Mix(4, func() bool { return !over.Load() }) })
	var count atomic.Int64
	for g := range 4 {
		all.Go(func() {
			r := torture.Random(g)
			for range torture.Times(150, 10) {
				end := ends[r.IntN(len(ends))]
				got, err := torture.Get[int](w, "execute", source, python.KW{"end": end, "hosted": func() { torture.Fail("Go runs in a forked process") }})
				if err != nil || got != end {
					torture.Fail("the child was to end with %d: got %d, %v", end, got, err)
				}
				count.Add(1)
			}
		})
	}
	all.Wait()
	over.Store(true)
	others.Wait()
	alone(w)
	return fmt.Sprint(count.Load(), " forks")
}

// killed kills workers of a pool: an exception says so, and the next pool works.
func killed() string {
	w := torture.Start()
	n := torture.Times(20, 1)
	for range n {
		err := w.Run(context.Background(), "execute", `
import concurrent.futures as c, os, signal, time
with c.ProcessPoolExecutor(2) as p:
    p.submit(abs, 1).result()
    waiting = p.submit(time.sleep, 60)
    for worker in list(p._processes): os.kill(worker, signal.SIGKILL)
    waiting.result()
`)
		if !errors.Is(err, python.Class("concurrent.futures.process.BrokenProcessPool")) {
			torture.Fail("got %v", err)
		}
		torture.Check(w.Run(context.Background(), "execute", ways["executor"]))
	}
	alone(w)
	return fmt.Sprint(n, " times")
}
