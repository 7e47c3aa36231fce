package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/gophersnake/gophersnake/go/python"
)

// coldStart is how long it takes from the start of a program to its first result, `detect` of 1,000 values, and how much memory
// its processes have then.
type coldStart struct {
	name    string
	command []string

	ms     []float64 // until it wrote a line, by round
	memory []float64 // in MiB, of all of its processes, by round
}

const (
	firstFlag   = "-first" // NAME PYTHON: has this program get one result
	firstOwn    = "gophersnake"
	importNumPy = "python -c 'import numpy'"
)

// coldStarts returns the contestants: this program anew, as each of them, and a Python that only imports NumPy and says so.
func coldStarts(executable string) ([]*coldStart, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	starts := []*coldStart{
		{name: importNumPy, command: []string{executable, "-c", "import numpy; print(flush=True); input()"}},
		{name: firstOwn, command: []string{program, firstFlag, firstOwn, executable}},
	}
	for _, s := range starters {
		starts = append(starts, &coldStart{name: s.name, command: []string{program, firstFlag, s.name, executable}})
	}
	return starts, nil
}

// run adds a round.
func (s *coldStart) run() (err error) {
	command := exec.Command(s.command[0], s.command[1:]...)
	start := time.Now()
	stdin, stdout, err := startPiped(command)
	if err != nil {
		return err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	took := time.Since(start)
	if err == nil {
		var children []int
		if line = strings.TrimSpace(line); line != "" {
			err = json.Unmarshal([]byte(line), &children)
		}
		var memory float64
		for _, pid := range append(children, command.Process.Pid) {
			memory += resident(pid)
		}
		s.ms, s.memory = append(s.ms, took.Seconds()*1000), append(s.memory, memory)
	}
	_, writeErr := io.WriteString(stdin, "\n")
	return errors.Join(err, writeErr, stdin.Close(), command.Wait())
}

// runFirst is what the program does that is started: it gets a result, prints the processes that it has started, and waits until it
// may end. It tells whether the arguments ask for it.
func runFirst(arguments []string) (asked bool, err error) {
	if len(arguments) != 3 || arguments[0] != firstFlag {
		return false, nil
	}
	data := series(usual)
	processes, end, err := firstResult(arguments[1], arguments[2], data, detect(data))
	if err != nil {
		return true, err
	}
	line, err := json.Marshal(processes)
	if err != nil {
		return true, err
	}
	fmt.Println(string(line))
	_, err = io.Copy(io.Discard, os.Stdin)
	return true, errors.Join(err, end())
}

func firstResult(name, executable string, data []float64, want []int) (processes []int, end func() error, err error) {
	if name == firstOwn {
		in, err := python.Start(python.Config{Python: executable, Path: []string{"python"}})
		if err != nil {
			return nil, nil, err
		}
		find, err := python.Bind[find](in, module+":detect")
		if err != nil {
			return nil, nil, err
		}
		got, err := find(context.Background(), data)
		return nil, func() error { return in.Shutdown(context.Background()) }, check(got, want, err)
	}
	for _, s := range starters {
		if s.name == name {
			rivals, err := s.start(executable)
			if err != nil {
				return nil, nil, err
			}
			end := func() error { return closeRivals(rivals) }
			return []int{rivals[0].process.pid()}, end, rivals[0].prepare(data, want)()
		}
	}
	return nil, nil, fmt.Errorf("no contestant is called %q", name)
}

// resident returns the memory of a process in MiB.
func resident(pid int) float64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(status), "\nVmRSS:")
	line, _, _ := strings.Cut(rest, "kB")
	kib, err := strconv.ParseFloat(strings.TrimSpace(line), 64)
	if err != nil {
		panic(fmt.Sprintf("process %d has ended: %v", pid, err))
	}
	return kib / 1024
}
