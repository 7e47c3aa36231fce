// Package torture is what the torture programs below it share: they do for long, all at once and with the worst of
// arguments what the tests of the packages do one at a time.
//
// Each program is a list of cases, and each case runs in a process of its own with a time limit, so that a crash or a hang is
// the failure of that case. `make torture` runs all of them, `make test` their short form.
package torture

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// Case is one thing that a program does. It fails by [Fail], by a panic, by a crash, or by its time limit.
type Case struct {
	// Name says what is tried.
	Name string
	// Env holds variables, "NAME=value", of the environment of its process.
	Env []string
	// Shell, if there is any, is what a shell does before it executes the process: "ulimit -s 1024".
	Shell string
	// Dies, if there is any, is what the process has to say when it dies: such a case shows that the others can fail.
	Dies string
	// Full cases are no part of the short form.
	Full bool
	// Run does it. What it returns says how much was done.
	Run func() string
}

const (
	caseVariable  = "GOPHERSNAKE_TORTURE_CASE"
	shortVariable = "GOPHERSNAKE_TORTURE_SHORT"
	seedVariable  = "GOPHERSNAKE_TORTURE_SEED"
	// againVariable names a file that is made when a program is started by a case, which nothing does.
	againVariable = "GOPHERSNAKE_TORTURE_AGAIN"
)

// short tells whether this is the short form, for `make test`.
var short = os.Getenv(shortVariable) != ""

// Short returns whether this is the short form.
func Short() bool { return short }

// Times returns the first number, or the second in the short form.
func Times(full, brief int) int {
	if short {
		return brief
	}
	return full
}

// Main runs the cases, or the one that this process was started for.
func Main(cases ...Case) {
	if name := os.Getenv(caseVariable); name != "" {
		_ = os.Unsetenv(caseVariable) // what a case starts is no case
		for _, c := range cases {
			if c.Name == name {
				fmt.Println(c.Run())
				return
			}
		}
		Fail("there is no case %q", name)
	}
	if file := os.Getenv(againVariable); file != "" {
		Check(os.WriteFile(file, fmt.Appendf(nil, "%q", os.Args), 0o600))
		os.Exit(3)
	}
	brief := flag.Bool("short", false, "do less of everything, for `make test`")
	pattern := flag.String("run", "", "run the cases whose name matches this `expression`")
	limit := flag.Duration("limit", 0, "the time limit of each case (default 20m, or 5m with -short)")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "what random choices begin with") //nolint:gosec // any number will do
	flag.Parse()
	short = *brief
	if *limit == 0 {
		*limit = time.Duration(Times(1200, 300)) * time.Second
	}
	wanted := regexp.MustCompile(*pattern)
	program := filepath.Base(os.Args[0])
	failed, done := 0, 0
	for _, c := range cases {
		if c.Full && short || !wanted.MatchString(c.Name) {
			continue
		}
		done++
		begin := time.Now()
		said, err := c.start(*limit, *seed)
		took := time.Since(begin).Round(100 * time.Millisecond)
		if err != nil {
			failed++
			fmt.Printf("FAILED %s: %s (%v, -seed %d): %v\n", program, c.Name, took, *seed, err)
			continue
		}
		fmt.Printf("ok     %s: %s (%v): %s\n", program, c.Name, took, said)
	}
	if done == 0 {
		fmt.Fprintf(os.Stderr, "no case of %s matches %q\n", program, *pattern)
		os.Exit(2)
	}
	if failed > 0 {
		os.Exit(1)
	}
}

// start runs the case in a process of its own, and returns what it says.
func (c Case) start(limit time.Duration, seed uint64) (said string, err error) {
	executable, err := os.Executable()
	if err != nil {
		return "", err
	}
	command := exec.Command(executable)
	if c.Shell != "" {
		command = exec.Command("/bin/sh", "-c", c.Shell+` && exec "$0"`, executable)
	}
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	command.WaitDelay = 10 * time.Second
	folder, err := os.MkdirTemp("", "torture-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	again := filepath.Join(folder, "again")
	command.Env = append(os.Environ(), againVariable+"="+again, caseVariable+"="+c.Name, fmt.Sprintf("%s=%d", seedVariable, seed))
	if short {
		command.Env = append(command.Env, shortVariable+"=1")
	}
	command.Env = append(command.Env, c.Env...)
	if err := command.Start(); err != nil {
		return "", err
	}
	// SIGQUIT, so that a Go program says where it hangs.
	hung := time.AfterFunc(limit, func() {
		_ = command.Process.Signal(syscall.SIGQUIT)
		time.Sleep(5 * time.Second)
		_ = command.Process.Kill()
	})
	err = command.Wait()
	ended := hung.Stop()
	both := "\nstdout: " + clip(stdout.String()) + "\nstderr: " + clip(stderr.String())
	var status *exec.ExitError
	arguments, failure := os.ReadFile(again)
	switch {
	case failure == nil:
		return "", fmt.Errorf("the case has started the program again, as %s%s", arguments, both)
	case !ended:
		return "", fmt.Errorf("no end within %v%s", limit, both)
	case err != nil && !errors.As(err, &status):
		return "", err
	case c.Dies != "" && (status == nil || !strings.Contains(stderr.String(), c.Dies)):
		return "", fmt.Errorf("want that it dies and says %q, got %v%s", c.Dies, command.ProcessState, both)
	case c.Dies != "":
		return "dies, as it has to", nil
	case status != nil:
		return "", fmt.Errorf("%w%s", status, both)
	}
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	return lines[len(lines)-1], nil
}

// clip shortens what a message quotes: the beginning, where the reason of a crash stands, and the end.
func clip(s string) string {
	const most = 8000
	if len(s) > most {
		return s[:most/2] + "\n…\n" + s[len(s)-most/2:]
	}
	return s
}

// Fail ends the case.
func Fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, "case failed: "+format+"\n", arguments...)
	os.Exit(1)
}

// Check ends the case on an error.
func Check(err error) {
	if err != nil {
		Fail("%v", err)
	}
}

// Must returns the value, or ends the case.
func Must[T any](value T, err error) T {
	Check(err)
	return value
}

// Eventually tells whether a condition comes true within a minute.
func Eventually(condition func() bool) bool {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if condition() {
			return true
		}
	}
	return condition()
}

// Random returns a source of random numbers, which depends on the seed of the run and on a number.
func Random(stream int) *rand.Rand {
	var seed uint64
	_, _ = fmt.Sscan(os.Getenv(seedVariable), &seed)
	return rand.New(rand.NewPCG(seed, uint64(stream))) //nolint:gosec // tests need no secrets
}
