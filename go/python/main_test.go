package python

import (
	"bytes"
	"context"
	"errors"
	commandline "flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	scenarioVariable = "GOPHERSNAKE_TEST_SCENARIO"
	testdataVariable = "GOPHERSNAKE_TEST_DATA"
	apartVariable    = "GOPHERSNAKE_TEST_APART" // Go functions run on goroutines of their own
	shortVariable    = "GOPHERSNAKE_TEST_SHORT"
	startsVariable   = "GOPHERSNAKE_TEST_STARTS" // a file that gets a line whenever the test program starts
)

// scenarios are what [runScenario] runs, each in a process of its own.
var scenarios = map[string]func(){}

// waitLimit is how long tests wait for what has to come: far beyond what any takes, however busy the machine is.
var waitLimit = lenient(time.Minute)

// scenarioTimeout is when a process counts as hung: far beyond what any takes.
var scenarioTimeout = 5 * waitLimit

// lenient is a time limit: longer where each call collects garbage.
func lenient(limit time.Duration) time.Duration {
	if collects {
		return 10 * limit
	}
	return limit
}

// repetitions is how often something is done that costs little: less often where each call collects garbage.
func repetitions(n int) int {
	if collects {
		return n / 200
	}
	return n
}

// isShort tells whether this is the short form (go test -short), also in a scenario.
var isShort = os.Getenv(shortVariable) != ""

// leakCalls is how often what leaves nothing behind is done: a tenth in the short form.
func leakCalls(n int) int {
	if isShort {
		n /= 10
	}
	return repetitions(n)
}

// scenario registers a scenario: var _ = scenario("name", func() { … }). It fails by [fail], by a panic or by a crash.
func scenario(name string, body func()) struct{} {
	if scenarios[name] != nil {
		panic("two scenarios are named " + name)
	}
	scenarios[name] = body
	return struct{}{}
}

func TestMain(m *testing.M) {
	if file := os.Getenv(startsVariable); file != "" {
		starts := must(os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600))
		_ = must(fmt.Fprintf(starts, "%q\n", os.Args))
		check(starts.Close())
	}
	if os.Getenv(apartVariable) != "" {
		pullsElsewhere = func() bool { return true }
	}
	name := os.Getenv(scenarioVariable)
	if name == "" {
		if os.Getenv("GOPHERSNAKE_PYTHON") == "" {
			_ = os.Setenv("GOPHERSNAKE_PYTHON", absolute("../../.venv-test"))
		}
		commandline.Parse()
		if isShort = testing.Short(); isShort {
			_ = os.Setenv(shortVariable, "1")
		}
		status := m.Run()
		_ = os.RemoveAll(program.folder)
		os.Exit(status)
	}
	_ = os.Unsetenv(scenarioVariable) // children of a scenario are no scenarios
	body := scenarios[name]
	if body == nil {
		fail("there is no scenario %q", name)
	}
	body()
}

// interpreter returns the interpreter of the test process, which finds the modules of testdata.
func interpreter(t testing.TB) *Interpreter {
	t.Helper()
	in, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// One call of Start, since tests change the working directory and GOMAXPROCS, which are part of the configuration.
var shared = sync.OnceValues(func() (*Interpreter, error) { return Start(Config{Path: []string{"testdata"}}) })

// runScenario runs a scenario in a process of its own. "NAME=value" sets a variable of its environment, "NAME" removes one.
// A crash is an exit status other than 0; a scenario that hangs fails the test.
func runScenario(t testing.TB, name string, env ...string) (stdout, stderr string, exit int) {
	t.Helper()
	return runCommand(t, scenarioCommand(name, env...))
}

// passScenario runs a scenario that has to succeed, and returns what it prints.
func passScenario(t testing.TB, name string, env ...string) (stdout string) {
	t.Helper()
	return passCommand(t, scenarioCommand(name, env...))
}

// passCommand runs a process that has to succeed, and returns what it prints.
func passCommand(t testing.TB, command *exec.Cmd) (stdout string) {
	t.Helper()
	stdout, stderr, exit := runCommand(t, command)
	if exit != 0 {
		t.Fatalf("exit status %d\nstdout: %s\nstderr: %s", exit, clip(stdout), clip(stderr))
	}
	return stdout
}

// scenarioCommand makes the process of a scenario, for the tests that change more of it than the environment.
func scenarioCommand(name string, env ...string) *exec.Cmd {
	executable, err := os.Executable()
	if err != nil {
		panic(err)
	}
	command := exec.Command(executable)
	command.Env = append(environ(env...), scenarioVariable+"="+name, testdataVariable+"="+testdata)
	return command
}

// environ returns the environment with "NAME=value" set and "NAME" removed.
func environ(changes ...string) []string {
	var env []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		kept := true
		for _, change := range changes {
			changed, _, _ := strings.Cut(change, "=")
			kept = kept && changed != name
		}
		if kept {
			env = append(env, entry)
		}
	}
	for _, change := range changes {
		if strings.Contains(change, "=") {
			env = append(env, change)
		}
	}
	return env
}

// runCommand runs a process with a time limit, after which it gets SIGQUIT, so that a Go program says where it hangs.
func runCommand(t testing.TB, command *exec.Cmd) (stdout, stderr string, exit int) {
	t.Helper()
	var out, complaints bytes.Buffer
	if command.Stdout == nil {
		command.Stdout = &out
	}
	if command.Stderr == nil {
		command.Stderr = &complaints
	}
	command.WaitDelay = 10 * time.Second
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	hung := time.AfterFunc(scenarioTimeout, func() {
		_ = command.Process.Signal(syscall.SIGQUIT)
		time.Sleep(5 * time.Second)
		_ = command.Process.Kill()
	})
	err := command.Wait()
	if !hung.Stop() {
		t.Fatalf("no end within %v\nstdout: %s\nstderr: %s", scenarioTimeout, clip(out.String()), clip(complaints.String()))
	}
	var status *exec.ExitError
	if err != nil && !errors.As(err, &status) {
		t.Fatal(err)
	}
	return out.String(), complaints.String(), command.ProcessState.ExitCode()
}

// clip shortens what a message quotes.
func clip(s string) string {
	const most = 6000
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// fail ends a scenario.
func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, "scenario failed: "+format+"\n", arguments...)
	os.Exit(1)
}

// must returns the value, or ends the scenario.
func must[T any](value T, err error) T {
	check(err)
	return value
}

// check ends the scenario on an error.
func check(err error) {
	if err != nil {
		fail("%v", err)
	}
}

// start starts the interpreter of a scenario, which finds the modules of testdata whatever its working directory is.
func start() *Interpreter {
	return must(Start(Config{Path: []string{testdata}}))
}

// testdata is the folder of the Python modules that the tests use, also where a scenario runs in another folder.
var testdata = func() string {
	if folder := os.Getenv(testdataVariable); folder != "" {
		return folder
	}
	return absolute("testdata")
}()

// evaluate calls a function of Python and converts its result.
func evaluate[T any](in *Interpreter, name string, arguments ...any) (T, error) {
	var none T
	f, err := in.Func(name)
	if err != nil {
		return none, err
	}
	defer func() { _ = f.Close() }()
	object, err := f.Call(context.Background(), arguments...)
	if err != nil {
		return none, err
	}
	defer func() { _ = object.Close() }()
	return As[T](object)
}

// deadline is a context whose deadline passes a moment after begin was first called. What has to be under way by then calls
// it, so that no test depends on how fast the machine is.
type deadline struct {
	context.Context
	passed chan struct{}
	once   sync.Once
}

func newDeadline(parent context.Context) *deadline {
	return &deadline{Context: parent, passed: make(chan struct{})}
}

func (d *deadline) begin() {
	d.once.Do(func() { time.AfterFunc(20*time.Millisecond, func() { close(d.passed) }) })
}

func (d *deadline) Done() <-chan struct{} { return d.passed }

func (d *deadline) Err() error {
	if closedNow(d.passed) {
		return context.DeadlineExceeded
	}
	return nil
}

// stuckCall is what makes a call of callbacks:stuck block in C, where no exception arrives.
type stuckCall struct {
	begun, over       int // descriptors: what the call is given
	hasBegun, release *os.File
}

func newStuckCall() *stuckCall {
	hasBegun, begun, err := os.Pipe()
	check(err)
	over, release, err := os.Pipe()
	check(err)
	// The descriptors of the call stay open: Go may have given it up when it uses them.
	return &stuckCall{must(syscall.Dup(int(begun.Fd()))), must(syscall.Dup(int(over.Fd()))), hasBegun, release}
}

// wait waits until the call is in C.
func (s *stuckCall) wait() { _ = must(s.hasBegun.Read(make([]byte, 1))) }

// end lets the call return.
func (s *stuckCall) end() { _ = must(s.release.Write([]byte("x"))) }

// run calls a function of Python for its effect.
func run(in *Interpreter, name string, arguments ...any) error {
	f, err := in.Func(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	object, err := f.Call(context.Background(), arguments...)
	if err != nil {
		return err
	}
	return object.Close()
}

func absolute(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		panic(err)
	}
	return path
}
