package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
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

// startMallocs starts this program with malloc as it is, and with one that keeps freed memory.
func startMallocs(executable string) (usual, keeping *again, err error) {
	if usual, err = startAgain(mallocFlag, executable, "0"); err != nil {
		return nil, nil, err
	}
	if keeping, err = startAgain(mallocFlag, executable, strconv.Itoa(kept)); err != nil {
		return nil, nil, errors.Join(err, usual.close())
	}
	return usual, keeping, nil
}

// detects has such a program make calls with n values.
func detects(program *again, n int) func(calls int) (time.Duration, error) {
	return func(calls int) (time.Duration, error) {
		took, err := program.ask(n, calls)
		if err != nil {
			return 0, err
		}
		return time.ParseDuration(took)
	}
}

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
