package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestKilled sees that what a program has started ends with it, even if it is killed.
func TestKilled(t *testing.T) {
	for _, s := range starters {
		t.Run(s.name, func(t *testing.T) {
			command := exec.Command(os.Args[0], firstFlag, s.name, pythonOf(t))
			command.Stderr = os.Stderr
			if _, err := command.StdinPipe(); err != nil { // it ends when this does
				t.Fatal(err)
			}
			stdout, err := command.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(stdout).ReadBytes('\n')
			if err != nil {
				t.Fatal(err)
			}
			var children []int
			if err := json.Unmarshal(line, &children); err != nil || len(children) == 0 || !running(children[0]) {
				t.Fatalf("want the processes that were started, got %q, %v", line, err)
			}
			if err := command.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = command.Wait() // it was killed
			for _, pid := range children {
				for late := time.Now().Add(time.Minute); running(pid); time.Sleep(time.Millisecond) {
					if time.Now().After(late) {
						t.Fatalf("process %d has not ended", pid)
					}
				}
			}
		})
	}
}

// running tells whether a process is there and has not ended: nobody may have waited for it.
func running(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return err == nil && !strings.Contains(string(status), "\nState:\tZ")
}
