package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/gophersnake/gophersnake/go/python"
)

const (
	keptFlag = "-kept" // PYTHON: has this program make calls with an option that holds for all of a process
	byKept   = "gophersnake, Bind, freed memory kept"

	keptThreshold = 64 << 20 // what the documentation of the option advises
)

// keptMemory is this program again, with [python.Config.MallocTrimThreshold]. It makes its calls itself: we only say how many.
type keptMemory struct {
	command *exec.Cmd
	stdin   io.WriteCloser
	stdout  *bufio.Reader
}

func startKeptMemory(executable string) (*keptMemory, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.Command(program, keptFlag, executable)
	command.Stderr = os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // ends when our end of its standard input does
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &keptMemory{command, stdin, bufio.NewReader(stdout)}, command.Start()
}

// detects makes calls with n values.
func (k *keptMemory) detects(n int) func(calls int) (time.Duration, error) {
	return func(calls int) (time.Duration, error) {
		if _, err := fmt.Fprintln(k.stdin, n, calls); err != nil {
			return 0, err
		}
		line, err := k.stdout.ReadString('\n')
		if err != nil {
			return 0, fmt.Errorf("the program with another malloc has ended: %w", err)
		}
		return time.ParseDuration(strings.TrimSpace(line))
	}
}

func (k *keptMemory) close() error { return errors.Join(k.stdin.Close(), k.command.Wait()) }

// runKept is what that program does. It tells whether the arguments ask for it.
func runKept(arguments []string) (asked bool, err error) {
	if len(arguments) != 2 || arguments[0] != keptFlag {
		return false, nil
	}
	in, err := python.Start(python.Config{Python: arguments[1], Path: []string{"python"}, MallocTrimThreshold: keptThreshold})
	if err != nil {
		return true, err
	}
	find, err := python.Bind[find](in, module+":detect")
	if err != nil {
		return true, err
	}
	data, ctx := series(largest), context.Background()
	wants := map[int][]int{}
	for {
		var n, calls int
		if _, err := fmt.Scanln(&n, &calls); errors.Is(err, io.EOF) {
			return true, nil
		} else if err != nil {
			return true, err
		}
		if wants[n] == nil {
			wants[n] = detect(data[:n])
		}
		took, err := repeats(func() error {
			got, err := find(ctx, data[:n])
			return check(got, wants[n], err)
		})(calls)
		if err != nil {
			return true, err
		}
		fmt.Println(took)
	}
}
