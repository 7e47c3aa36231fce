package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// attempts bounds how many crashes and hangs of a part are stepped over.
const attempts = 20

// An outcome is what became of a test.
type outcome struct {
	what string // passed, skipped, failed, failed as expected, crashed, hung; "" if it was not run
	why  string
}

func (o outcome) String() string {
	if o.what == "" {
		return "not run"
	}
	lines := strings.Split(strings.TrimSpace(o.why), "\n")
	if len(lines) > 3 {
		lines = lines[len(lines)-3:]
	}
	return strings.TrimSuffix(o.what+": "+strings.Join(lines, "\n             "), ": ")
}

// line is a line that run_suite.py writes.
type line struct {
	ID      string `json:"id"`
	Outcome string `json:"outcome"`
	Why     string `json:"why"`
}

const (
	begun  = "begun"
	absent = "not there"
	end    = "(end)"
)

// runSide runs the tests of a part on a side, and again from where it crashed or hung.
func (s *session) runSide(p part, side, suffix string, only []string) map[string]outcome {
	if only == nil {
		only = []string{}
	}
	base := filepath.Join(s.folder, strings.ReplaceAll(p.suite+"-"+p.name, "/", "_")+"."+side+suffix)
	results := base + ".jsonl"
	arguments, err := json.Marshal([]any{p.kind, results, s.expected.leftOut(), only, p.tests})
	exitOn(err)
	for attempt := range attempts {
		if s.interrupted.Err() != nil {
			break
		}
		failure := s.runProcess(side, base, results, arguments)
		open, ended, size := unfinished(results)
		if failure == nil && ended && open == "" {
			break
		}
		name := open
		switch {
		case open != "":
		case ended:
			name = fmt.Sprintf("%s %s (exit)", p.suite, p.name)
		default:
			name = fmt.Sprintf("%s %s (between tests, %d)", p.suite, p.name, attempt)
		}
		what := "crashed"
		if errors.Is(failure, errHung) {
			what = "hung"
		}
		output, _ := os.ReadFile(base + ".log")
		appendLine(results, line{ID: name, Outcome: what, Why: fmt.Sprintf("%v\n%s", failure, output[max(0, len(output)-3000):])})
		if ended || open == "" && size == 0 {
			break
		}
	}
	outcomes := map[string]outcome{}
	for _, l := range readLines(results) {
		if l.Outcome == begun || l.ID == end {
			continue
		}
		if before, ok := outcomes[l.ID]; !ok || before.what == "passed" || before.what == "skipped" {
			outcomes[l.ID] = outcome{l.Outcome, l.Why}
		}
	}
	return outcomes
}

var errHung = errors.New("it did not end")

// runProcess runs a process until it ends or a test of it takes too long.
func (s *session) runProcess(side, base, results string, arguments []byte) error {
	here, err := os.Getwd()
	exitOn(err)
	scripts := filepath.Join(here, folder, "python")
	log, err := os.OpenFile(base+".log", os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	exitOn(err)
	defer func() { _ = log.Close() }()
	executable, err := os.Executable()
	exitOn(err)
	command := exec.Command(executable)
	if side == plain {
		const start = "import json, sys; sys.path.insert(0, sys.argv[1]); import run_suite; run_suite.run(*json.load(sys.stdin))"
		command = exec.Command(filepath.Join(s.environment, "bin", "python"), "-I", "-X", "utf8", "-c", start, scripts)
	}
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); !strings.HasPrefix(name, "PYTHON") && !strings.HasPrefix(name, "LC_") {
			command.Env = append(command.Env, variable)
		}
	}
	command.Env = append(command.Env, "LANG=C.UTF-8", "TMPDIR="+filepath.Join(s.folder, "tmp"))
	if side == hosted {
		command.Env = append(command.Env, hostVariable+"=1", "GOPHERSNAKE_SUITE_PATH="+scripts, "GOPHERSNAKE_PYTHON="+s.environment)
	}
	command.Dir = filepath.Join(s.folder, "tmp")
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(arguments), log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	exitOn(command.Start())
	// What tests have started and left behind goes with them.
	defer func() { _ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }()
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	var size int64
	progress := time.Now()
	for {
		select {
		case err := <-ended:
			return err
		case <-s.interrupted.Done():
			return s.interrupted.Err()
		case <-time.After(time.Second):
		}
		if info, err := os.Stat(results); err == nil && info.Size() != size {
			size, progress = info.Size(), time.Now()
		}
		if time.Since(progress) > s.patience {
			_ = command.Process.Signal(syscall.SIGQUIT) // Go prints its stacks
			select {
			case <-ended:
			case <-time.After(10 * time.Second):
				_ = command.Process.Kill()
				<-ended
			}
			return errHung
		}
	}
}

// unfinished returns the test that began last and has not ended, whether the part has, and how many lines there are.
func unfinished(results string) (open string, ended bool, lines int) {
	for _, l := range readLines(results) {
		lines++
		switch {
		case l.ID == end:
			ended = true
		case l.Outcome == begun:
			open = l.ID
		case l.ID == open:
			open = ""
		}
	}
	return open, ended, lines
}

func readLines(results string) (lines []line) {
	text, err := os.ReadFile(results)
	if err != nil {
		return nil
	}
	for piece := range bytes.Lines(text) {
		var l line
		if json.Unmarshal(piece, &l) == nil {
			lines = append(lines, l)
		}
	}
	return lines
}

func appendLine(results string, l line) {
	f, err := os.OpenFile(results, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	exitOn(err)
	exitOn(errors.Join(json.NewEncoder(f).Encode(l), f.Close()))
}
