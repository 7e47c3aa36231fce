package python

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// What can be wrong with an environment or an installation. [Start] wraps them in errors that name the file and say
// what mends it.
var (
	// ErrNoPython: no Python was found, or the configured one does not exist.
	ErrNoPython = errors.New("python: no Python found")
	// ErrNotPython: the executable is no CPython.
	ErrNotPython = errors.New("python: not a CPython executable")
	// ErrBrokenPython: the executable is a Python that cannot run, because its standard library is broken for example.
	ErrBrokenPython = errors.New("python: Python does not run")
	// ErrTooOld: the Python is older than 3.11.
	ErrTooOld = errors.New("python: Python is too old")
	// ErrNoSharedLibrary: the Python has no shared libpython, or the loader refuses it.
	ErrNoSharedLibrary = errors.New("python: no shared libpython")
	// ErrWrongLibrary: a libpython belongs to another Python than the environment.
	ErrWrongLibrary = errors.New("python: libpython does not belong to the environment")
	// ErrNoNumPy: NumPy is not installed in the environment, or cannot be imported.
	ErrNoNumPy = errors.New("python: NumPy is missing")
	// ErrNoCore: the core, libgophersnake.so, was not found or cannot be loaded.
	ErrNoCore = errors.New("python: core not found")
	// ErrWrongCore: the core has another ABI version than this package.
	ErrWrongCore = errors.New("python: core of another version")
	// ErrStart: CPython itself failed to start. This is final: CPython cannot start twice in a process.
	ErrStart = errors.New("python: CPython did not start")
)

// minimum is the oldest supported version.
var minimum = version{3, 11}

type version struct{ major, minor int }

func (v version) String() string { return fmt.Sprintf("%d.%d", v.major, v.minor) }

func (v version) before(w version) bool {
	return v.major < w.major || v.major == w.major && v.minor < w.minor
}

// environment is a Python environment as its own executable describes it.
type environment struct {
	executable string
	version    version
	libpython  string
	// stdlib are the names of the modules of the standard library.
	stdlib []string
}

// abiVersion is the form of the version that the core takes.
func (e *environment) abiVersion() uint32 {
	return uint32(e.version.major)<<8 | uint32(e.version.minor) //nolint:gosec // versions are small
}

// findEnvironment finds a Python, asks it about itself and checks the answer. It loads nothing.
func findEnvironment(configured string) (*environment, error) {
	executable, source, err := findExecutable(configured)
	if err != nil {
		return nil, err
	}
	env, err := ask(executable)
	if err != nil {
		return nil, fmt.Errorf("%w (chosen by %s)", err, source)
	}
	return env, nil
}

// findExecutable returns the path of the Python executable, and what has named it.
func findExecutable(configured string) (path, source string, err error) {
	for _, choice := range []struct{ source, value string }{
		{"Config.Python", configured},
		{"GOPHERSNAKE_PYTHON", os.Getenv("GOPHERSNAKE_PYTHON")},
		{"VIRTUAL_ENV", os.Getenv("VIRTUAL_ENV")},
	} {
		if choice.value != "" {
			path, err = executableOf(choice.value)
			if err != nil {
				err = fmt.Errorf("%w: %s is %q: %w", ErrNoPython, choice.source, choice.value, err)
			}
			return path, choice.source, err
		}
	}
	path, err = exec.LookPath("python3")
	if err != nil {
		return "", "PATH", fmt.Errorf("%w: there is no python3 on PATH: install CPython %s or newer, or name one in Config.Python or GOPHERSNAKE_PYTHON",
			ErrNoPython, minimum)
	}
	return path, "python3 on PATH", nil
}

// executableOf takes an executable, the folder of a virtual environment, or the name of a program on PATH.
func executableOf(name string) (string, error) {
	info, err := os.Stat(name)
	isBare := !strings.ContainsRune(name, filepath.Separator)
	if isBare && (err != nil || !info.IsDir()) {
		// A program in the working directory is not meant, only a folder.
		return exec.LookPath(name)
	}
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return filepath.Abs(name)
	}
	executable, err := filepath.Abs(filepath.Join(name, "bin", "python"))
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(executable); err != nil {
		return "", fmt.Errorf("the folder is no virtual environment: %w", err)
	}
	return executable, nil
}

// probe is run by the executable in question. It prints a mark, then the answers, each ended by NUL.
//
//go:embed environment_probe.py
var probe string

const (
	probeMark    = "gophersnake:"
	probeTimeout = 30 * time.Second
	// probeGrace is how long to wait for output after the executable has ended.
	probeGrace = time.Second
)

// ask runs the probe in a short isolated process.
func ask(executable string) (*environment, error) {
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(ctx, executable, "-I", "-c", probe)
	command.Stdout, command.Stderr = &stdout, &stderr
	command.Env = cleanEnvironment()
	command.WaitDelay = probeGrace
	failure := command.Run()
	if errors.Is(failure, exec.ErrWaitDelay) {
		failure = nil // it has ended; a process that it left behind still holds the pipe
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%w: %s gave no answer within %v", ErrBrokenPython, executable, probeTimeout)
	}
	_, answer, marked := strings.Cut(stdout.String(), probeMark)
	if failure != nil || !marked {
		return nil, explainSilence(ctx, executable, failure, stderr.String())
	}
	answers := strings.Split(answer, "\x00")
	const wanted = 9
	if len(answers) <= wanted {
		return nil, fmt.Errorf("%w: %s answered %q", ErrNotPython, executable, answer)
	}
	implementation, numbers, freeThreaded, hasNumPy := answers[0], answers[1], answers[2], answers[3]
	env := &environment{executable: answers[4], stdlib: strings.Split(answers[8], "\n")}
	if _, err := fmt.Sscanf(numbers, "%d.%d", &env.version.major, &env.version.minor); err != nil {
		return nil, fmt.Errorf("%w: %s says that its version is %q", ErrNotPython, executable, numbers)
	}
	switch {
	case implementation != "cpython":
		return nil, fmt.Errorf("%w: %s is %s: install CPython %s or newer", ErrNotPython, executable, implementation, minimum)
	case env.version.before(minimum):
		return nil, tooOld(executable, env.version)
	case freeThreaded == "1":
		return nil, fmt.Errorf("%w: %s is a free-threaded build of Python %s, which is not supported yet: use the default build",
			ErrNotPython, executable, env.version)
	case env.executable == "":
		env.executable = executable
	}
	var err error
	if env.libpython, err = findLibpython(env, answers[5:7], answers[7]); err != nil {
		return nil, err
	}
	if hasNumPy != "1" {
		return nil, fmt.Errorf("%w in the environment of %s: install it with: %[2]s -m pip install numpy", ErrNoNumPy, env.executable)
	}
	return env, nil
}

// cleanEnvironment leaves out the variables that Python obeys even when it is isolated.
func cleanEnvironment() []string {
	return slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "PYTHON") || strings.HasPrefix(variable, "_PYTHON") ||
			strings.HasPrefix(variable, "__PYVENV_LAUNCHER__=")
	})
}

// explainSilence says why an executable did not answer the probe.
func explainSilence(ctx context.Context, executable string, failure error, stderr string) error {
	command := exec.CommandContext(ctx, executable, "--version")
	command.Env = cleanEnvironment()
	command.WaitDelay = probeGrace
	said, _ := command.CombinedOutput()
	numbers, isPython := strings.CutPrefix(strings.TrimSpace(string(said)), "Python ")
	if !isPython {
		reason := "it does not answer like one"
		if failure != nil {
			reason = failure.Error()
		}
		return fmt.Errorf("%w: %s: %s", ErrNotPython, executable, reason)
	}
	var v version
	if _, err := fmt.Sscanf(numbers, "%d.%d", &v.major, &v.minor); err == nil && v.before(minimum) {
		return tooOld(executable, v)
	}
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	// A fatal error of CPython ends with the stacks of its threads; the reason stands before them.
	for i, line := range lines {
		if strings.HasPrefix(line, "Current thread") {
			lines = lines[:i]
			break
		}
	}
	reason := strings.TrimSpace(strings.Join(lines[max(0, len(lines)-3):], " "))
	return fmt.Errorf("%w: %s ends with %q: reinstall it or make the environment anew", ErrBrokenPython, executable, reason)
}

func tooOld(executable string, v version) error {
	return fmt.Errorf("%w: %s is Python %s, want %s or newer", ErrTooOld, executable, v, minimum)
}

// findLibpython returns the first of the names in the first of the folders that holds it.
func findLibpython(env *environment, names []string, folders string) (string, error) {
	for _, folder := range strings.Split(folders, "\n") {
		for _, name := range names {
			if name == "" || folder == "" || !strings.Contains(name, ".so") {
				continue
			}
			file := filepath.Join(folder, name)
			if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
				return file, nil
			}
		}
	}
	return "", fmt.Errorf("%w: Python %s of %s has none: install libpython%[2]s (Debian: apt-get install libpython%[2]s; "+
		"pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install --force %[2]s)", ErrNoSharedLibrary, env.version, env.executable)
}
