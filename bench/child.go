package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// child is a server in Python. It ends with its standard input, which the system closes for us, however we end.
type child struct {
	command *exec.Cmd
	stdin   io.WriteCloser
	stdout  io.Reader
}

// startChild starts a script of the folder python with the Python and the settings of this process. Descriptor 3 of the child
// is file, unless that is nil.
func startChild(python string, file *os.File, script string, arguments ...string) (*child, error) {
	// Isolated as the interpreter in this process is, but for the folder of the script, which is on sys.path.
	command := exec.Command(python, append([]string{"-E", "-s", filepath.Join("python", script)}, arguments...)...)
	command.Env = keeping()
	if file != nil {
		command.ExtraFiles = []*os.File{file}
	}
	stdin, stdout, err := startPiped(command)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", script, err)
	}
	return &child{command, stdin, stdout}, nil
}

// startPiped starts a program that ends when our end of its standard input does; Ctrl-C is for us.
func startPiped(command *exec.Cmd) (stdin io.WriteCloser, stdout io.Reader, err error) {
	command.Stderr = os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if stdin, err = command.StdinPipe(); err != nil {
		return nil, nil, err
	}
	if stdout, err = command.StdoutPipe(); err != nil {
		return nil, nil, err
	}
	return stdin, stdout, command.Start()
}

// line waits for the line that says that the server is ready, and returns what it says.
func (c *child) line() (string, error) {
	line, err := bufio.NewReaderSize(c.stdout, 16).ReadString('\n')
	if err != nil {
		return "", errors.Join(fmt.Errorf("%s ended before it was ready: does its environment have bench/requirements.txt (make .venv-bench)?",
			c.command.Args[3]), c.close())
	}
	return strings.TrimSpace(line), nil
}

func (c *child) pid() int { return c.command.Process.Pid }

// close ends the server and waits for it.
func (c *child) close() error {
	err := c.stdin.Close()
	late := time.AfterFunc(5*time.Second, func() { _ = c.command.Process.Kill() })
	defer late.Stop()
	if failed := c.command.Wait(); failed != nil {
		err = errors.Join(err, fmt.Errorf("%s: %w", c.command.Args[3], failed))
	}
	return err
}

var sockets atomic.Int64

// socketName returns the name of an abstract unix socket that nobody has: one that leaves no file behind.
func socketName() string {
	return fmt.Sprintf("gophersnake-bench-%d-%d", os.Getpid(), sockets.Add(1))
}
