package main

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestRivals sees that every rival answers, and that a wrong answer is found out.
func TestRivals(t *testing.T) {
	data := series(usual)
	want := detect(data)
	for _, s := range starters {
		t.Run(s.name, func(t *testing.T) {
			rivals, err := s.start(pythonOf(t))
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rivals {
				for range 2 {
					if r.noop != nil {
						if _, err := r.repeats(r.noop)(3); err != nil {
							t.Errorf("%s: no-op: %v", r.name, err)
						}
					}
					if _, err := r.repeats(r.prepare(data, want))(2); err != nil {
						t.Errorf("%s: %v", r.name, err)
					}
					if _, err := r.repeats(r.prepare(data[:10], detect(data[:10])))(1); err != nil {
						t.Errorf("%s: 10 values: %v", r.name, err)
					}
				}
				if _, err := r.repeats(r.prepare(data, want[1:]))(1); err == nil || !strings.Contains(err.Error(), "wrong answer") {
					t.Errorf("%s: want an error about a wrong answer, got %v", r.name, err)
				}
			}
			pids := map[int]bool{}
			for _, r := range rivals {
				pids[r.process.pid()] = true
			}
			if err := closeRivals(rivals); err != nil {
				t.Error(err)
			}
			for pid := range pids {
				if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
					t.Errorf("process %d is still there: %v", pid, err)
				}
			}
		})
	}
}

// pythonOf returns the executable of the environment that the tests use.
func pythonOf(t *testing.T) string {
	environment := os.Getenv("GOPHERSNAKE_PYTHON")
	if environment == "" {
		t.Fatal("GOPHERSNAKE_PYTHON is not set: want the environment that `make .venv-bench` makes")
	}
	return environment + "/bin/python"
}
