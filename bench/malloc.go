package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gophersnake/gophersnake/go/python"
)

// kept is how much freed memory malloc keeps, in this process and in the servers. Otherwise what a call with a large array costs
// is a matter of luck: of what else lies on a heap, which decides whether each call maps its temporary arrays anew.
const kept = 32 << 20

// startPython starts Python as all of this program uses it.
func startPython() (*python.Interpreter, error) {
	return python.Start(python.Config{Path: []string{"python"}, MallocTrimThreshold: kept})
}

// keeping is the environment of a server that keeps freed memory, too.
func keeping() []string {
	return append(os.Environ(), fmt.Sprintf("MALLOC_MMAP_THRESHOLD_=%d", kept), fmt.Sprintf("MALLOC_TRIM_THRESHOLD_=%d", kept))
}

// mallocFlag is PYTHON THRESHOLD: has this program make calls with its own malloc.
const mallocFlag = "-malloc"

// ownMalloc is this program again, with another malloc, which is a matter of a whole process. It makes its calls itself: we
// only say how many.
type ownMalloc struct {
	command *exec.Cmd
	stdin   io.WriteCloser
	stdout  *bufio.Reader
}

// startMallocs starts this program with malloc as it is, and with one that keeps freed memory.
func startMallocs(executable string) (usual, keeping *ownMalloc, err error) {
	if usual, err = startMalloc(executable, 0); err != nil {
		return nil, nil, err
	}
	if keeping, err = startMalloc(executable, kept); err != nil {
		return nil, nil, errors.Join(err, usual.close())
	}
	return usual, keeping, nil
}

func startMalloc(executable string, threshold int) (*ownMalloc, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.Command(program, mallocFlag, executable, strconv.Itoa(threshold))
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
	return &ownMalloc{command, stdin, bufio.NewReader(stdout)}, command.Start()
}

// detects makes calls with n values.
func (m *ownMalloc) detects(n int) func(calls int) (time.Duration, error) {
	return func(calls int) (time.Duration, error) {
		if _, err := fmt.Fprintln(m.stdin, n, calls); err != nil {
			return 0, err
		}
		line, err := m.stdout.ReadString('\n')
		if err != nil {
			return 0, fmt.Errorf("the program with another malloc has ended: %w", err)
		}
		return time.ParseDuration(strings.TrimSpace(line))
	}
}

func (m *ownMalloc) close() error { return errors.Join(m.stdin.Close(), m.command.Wait()) }

// runMalloc is what that program does. It tells whether the arguments ask for it.
func runMalloc(arguments []string) (asked bool, err error) {
	if len(arguments) != 3 || arguments[0] != mallocFlag {
		return false, nil
	}
	threshold, err := strconv.Atoi(arguments[2])
	if err != nil {
		return true, err
	}
	in, err := python.Start(python.Config{Python: arguments[1], Path: []string{"python"}, MallocTrimThreshold: threshold})
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
