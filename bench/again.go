package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// again is this program, started once more for what a process can be only one way. It measures by itself, and answers each line
// with a line.
type again struct {
	command *exec.Cmd
	stdin   io.WriteCloser
	stdout  *bufio.Reader
}

func startAgain(arguments ...string) (*again, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.Command(program, arguments...)
	stdin, stdout, err := startPiped(command)
	if err != nil {
		return nil, err
	}
	return &again{command, stdin, bufio.NewReader(stdout)}, nil
}

func (a *again) ask(question ...any) (answer string, err error) {
	if _, err := fmt.Fprintln(a.stdin, question...); err != nil {
		return "", err
	}
	line, err := a.stdout.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("%s has ended: %w", strings.Join(a.command.Args, " "), err)
	}
	return strings.TrimSpace(line), nil
}

func (a *again) close() error { return errors.Join(a.stdin.Close(), a.command.Wait()) }
