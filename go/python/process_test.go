package python

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

var _ = scenario("processes", func() {
	in := start()
	want := map[string]any{
		"pool": []any{0, 1, 4, 9}, "executor": []any{0, 1, 4, 9}, "queue": 49, "exit": 0,
		"manager": []any{1, 2, 3}, "shared": []any{2, 4, 6, 8},
	}
	equal("default", must(evaluate[string](in, "multiprocessing:get_start_method")), os.Getenv("METHOD"))
	for _, method := range []string{os.Getenv("METHOD"), "forkserver", "fork"} {
		want["method"] = method
		equal(method, fmt.Sprint(must(evaluate[map[string]any](in, "start_processes:all_kinds", method))), fmt.Sprint(want))
	}
	equal("facts", must(evaluate[[]any](in, "start_processes:worker_facts")), []any{true, false, "default_int_handler"})
	equal("joblib", must(evaluate[[]int](in, "start_processes:with_joblib")), []int{0, 1, 4, 9, 16})
	// A worker ends by SIGTERM although Go handles that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM)
	for _, method := range []string{"spawn", "fork"} {
		equal(method, must(evaluate[int](in, "start_processes:terminate", method)), -int(syscall.SIGTERM))
	}
	for _, fromThread := range []bool{false, true} {
		equal("SIGPIPE", must(evaluate[[]int](in, "start_processes:sigpipe_of_child", fromThread)), []int{0, 0})
	}
	for _, answer := range must(evaluate[[]string](in, "start_processes:any_child")) {
		if !strings.Contains(answer, "host program") {
			fail("%q", answer)
		}
	}
	check(in.Shutdown(context.Background()))
	fmt.Println("end")
})

// All of multiprocessing works, and no process of it is the Go program.
func TestProcesses(t *testing.T) {
	starts := filepath.Join(t.TempDir(), "starts")
	method := "spawn"
	if environmentOfTest(t).version.minor >= 14 {
		method = "forkserver"
	}
	if out := passScenario(t, "processes", startsVariable+"="+starts, "METHOD="+method); out != "end\n" {
		t.Errorf("got %q", out)
	}
	got, err := os.ReadFile(starts)
	if err != nil || strings.Count(string(got), "\n") != 1 {
		t.Errorf("the Go program started as %q, %v", got, err)
	}
}

var _ = scenario("ends of forks", func() {
	in := start()
	defer func() {
		check(in.Shutdown(context.Background()))
		fmt.Println("end")
	}()
	check(run(in, "start_processes:give", func() { fmt.Println("Go runs") }))
	check(run(in, "coroutines:sleep", 0)) // so that there is a loop, whose thread a child does not have
	how := os.Getenv("HOW")
	var status int
	if nested := os.Getenv("NESTED") != ""; nested {
		check(run(in, "builtins:max", []int{1, 2}, KW{"key": func(x int) int {
			if x == 1 {
				status = must(evaluate[int](in, "start_processes:fork", how))
			}
			return x
		}}))
	} else {
		status = must(evaluate[int](in, "start_processes:fork", how))
	}
	fmt.Println("status", status)
})

// A forked process ends as a Python program does, and nothing of Go runs in it.
func TestFork(t *testing.T) {
	for how, c := range map[string]struct {
		status int
		stdout string
		stderr string
	}{
		"exit":      {3, "", ""},
		"text":      {1, "", "reason\n"},
		"return":    {0, "child", ""},
		"raise":     {1, "", "ValueError: planted"},
		"go":        {1, "", "Go does not run in a forked process"},
		"_exit":     {5, "", ""},
		"thread":    {0, "in thread\n", ""},
		"wait":      {4, "", ""},
		"handler":   {6, "", ""},
		"interrupt": {1, "", "KeyboardInterrupt"},
	} {
		for _, nested := range []string{"", "yes"} {
			t.Run(how+nested, func(t *testing.T) {
				stdout, stderr, exit := runScenario(t, "ends of forks", "HOW="+how, "NESTED="+nested)
				rest := strings.Replace(stdout, c.stdout, "", 1) // at any place
				if want := fmt.Sprintf("before after\nstatus %d\nend\n", c.status); rest != want || exit != 0 {
					t.Errorf("got %q, status %d, want %q and %q", stdout, exit, want, c.stdout)
				}
				if !strings.Contains(stderr, c.stderr) || c.stderr == "" && strings.Contains(stderr, "Traceback") {
					t.Errorf("got %q, want %q", stderr, c.stderr)
				}
			})
		}
	}
}

var _ = scenario("children of both", func() {
	in := start()
	const count = 200
	var wait sync.WaitGroup
	for _, function := range []string{"children", "later_children"} {
		wait.Go(func() { equal(function, must(evaluate[int](in, "start_processes:"+function, count)), count) })
	}
	for i := range count {
		wait.Go(func() {
			command := exec.Command("/bin/sh", "-c", fmt.Sprintf("exit %d", i%100))
			_ = command.Run()
			equal("exit status of Go's child", command.ProcessState.ExitCode(), i%100)
		})
	}
	wait.Wait()
	check(in.Shutdown(context.Background()))
	// Nothing is left to wait for.
	if child, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != syscall.ECHILD {
		fail("%d is left, %v", child, err)
	}
})

// Go and Python wait for their own children each.
func TestChildrenOfBoth(t *testing.T) { passScenario(t, "children of both") }
