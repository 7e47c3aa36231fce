package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/gophersnake/gophersnake/go/python"
)

// The examination runs in a process of its own: a module may crash the process that imports it, or print.

const (
	childVariable = "GOPHERSNAKE_DOCTOR_CHILD"
	// childPipe is the descriptor on which the child reports: the first of exec.Cmd.ExtraFiles.
	childPipe = 3
)

// crash is what Go says first when a signal ends it.
var crash = regexp.MustCompile(`(?m)^SIG[A-Z]+: .*$`)

// progress is what the child reports before each step, and in the end with no step.
type progress struct {
	Step      string
	Diagnosis *diagnosis
}

// examineInChild runs this program again with the same arguments, and returns what it finds, also if it crashes.
func examineInChild(args []string, stderr io.Writer) (*diagnosis, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	child := exec.Command(executable, append([]string{"doctor"}, args...)...)
	var words bytes.Buffer
	child.Env = append(os.Environ(), childVariable+"=1")
	child.ExtraFiles = []*os.File{writer}
	child.Stdout, child.Stderr = stderr, &words
	child.WaitDelay = time.Second // a process that a module left behind may hold the outputs
	err = child.Start()
	_ = writer.Close()
	if err != nil {
		return nil, err
	}
	last := progress{Step: "begin"}
	reports := json.NewDecoder(reader)
	for last.Step != "" {
		var next progress
		if reports.Decode(&next) != nil {
			break // the child has ended
		}
		last = next
	}
	_ = child.Wait() // its state says how it has ended
	// After a crash in C, Go writes the stacks of all goroutines, which do not help here.
	said, _, _ := bytes.Cut(words.Bytes(), []byte("\ngoroutine "))
	if _, err := stderr.Write(said); err != nil {
		return nil, err
	}
	if last.Diagnosis == nil {
		return nil, fmt.Errorf("the examination did not begin: %v", child.ProcessState)
	}
	if last.Step != "" {
		reason := string(crash.Find(said))
		if reason == "" {
			reason = child.ProcessState.String()
		}
		module := strings.TrimPrefix(last.Step, "import ")
		last.Diagnosis.complain(fmt.Errorf("the process ended at the step %q: %s: %w", last.Step, reason,
			python.Advice("see whether Python itself does that: "+last.Diagnosis.Python.File+" -I -X faulthandler -c 'import "+module+"'")))
		last.Diagnosis.Healthy = false
	}
	return last.Diagnosis, nil
}

// reporter returns how the child reports; elsewhere nil.
func reporter() func(step string, d *diagnosis) error {
	if os.Getenv(childVariable) == "" {
		return nil
	}
	_ = os.Unsetenv(childVariable)
	syscall.CloseOnExec(childPipe) // processes that modules start would hold it open
	pipe := json.NewEncoder(os.NewFile(childPipe, "report"))
	return func(step string, d *diagnosis) error { return pipe.Encode(progress{step, d}) }
}
