package python

// #include "core.h"
import "C"

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
	"syscall"
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
	// ErrFreeThreaded: the Python is a build without the GIL.
	ErrFreeThreaded = errors.New("python: free-threaded Python is not supported")
	// ErrTooOld: the Python is older than 3.11.
	ErrTooOld = errors.New("python: Python is too old")
	// ErrNoSharedLibrary: the Python has no shared libpython, or the loader refuses it.
	ErrNoSharedLibrary = errors.New("python: no shared libpython")
	// ErrWrongLibrary: a libpython belongs to another Python than the environment.
	ErrWrongLibrary = errors.New("python: libpython does not belong to the environment")
	// ErrNoNumPy: NumPy cannot be imported, because it is not installed in the environment, say, or needs a library of the system
	// that is not there.
	ErrNoNumPy = errors.New("python: NumPy cannot be imported")
	// ErrNoCore: the core, libgophersnake.so, was not found or cannot be loaded.
	ErrNoCore = errors.New("python: core not found")
	// ErrWrongCore: the core has another ABI version than this package.
	ErrWrongCore = errors.New("python: core of another version")
	// ErrStart: CPython itself failed to start. This is final: CPython cannot start twice in a process.
	ErrStart = errors.New("python: CPython did not start")
)

// Advice is the part of an error of [Start] that says what mends it, such as a command; errors.As finds it.
type Advice string

// Error returns the advice.
func (a Advice) Error() string { return string(a) }

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
	source     string // what has named it
	version    version
	release    string // the version in full
	libpython  string
	// stdlib are the names of the modules of the standard library; none if the environment was only recognised.
	stdlib []string
	// install is the command that installs packages, without their names.
	install string
	// base is the folder of the Python that a virtual environment was made from.
	base string
}

// abiVersion is the form of the version that the core takes.
func (e *environment) abiVersion() uint32 {
	return uint32(e.version.major)<<8 | uint32(e.version.minor) //nolint:gosec // versions are small
}

// Environment is what [Start] uses, and which rule of the search order has named it.
type Environment struct {
	// Python is the executable. PythonSource has named it: "Config.Python", "GOPHERSNAKE_PYTHON", "VIRTUAL_ENV",
	// ".venv beside the program", "python3 on PATH".
	Python, PythonSource string
	// Version is that of Python: "3.11.2".
	Version string
	// Libpython is the file of its shared library.
	Libpython string
	// Install is the shell command that installs packages, whose names follow: "/srv/.venv/bin/python -m pip install". If the
	// environment belongs to the system, which refuses that, it makes a virtual environment in .venv first.
	Install string
	// Core is the file of the core: "" if it is embedded, and where the loader has to look before it has loaded it.
	// CoreSource has named it: "Config.Core", "GOPHERSNAKE_CORE", "embedded", "beside the executable",
	// "build output of the module", "the loader's folders".
	Core, CoreSource string
	// ABI is the version of the binary interface between this package and the core.
	ABI int
	// Startup is how long the start took; zero before it.
	Startup Startup
}

// Startup is how long each phase of [Start] took.
type Startup struct {
	// Find is the search for the environment, whose executable is asked if files do not tell enough; Libpython and Core are the
	// loading of the libraries; Python is the start of CPython, NumPy the import of NumPy.
	Find, Libpython, Core, Python, NumPy time.Duration
}

// Find looks for what [Start] would use, and loads nothing. The problems are errors such as Start gives, but all that
// can be seen from outside; fields that they leave unknown are empty. What shows only by loading, such as a core of
// another version, only Start can tell.
func Find(config Config) (Environment, []error) {
	env, problems := inspectEnvironment(config.Python, false)
	core, err := findCore(config.Core)
	if err != nil {
		problems = append(problems, err)
	}
	return env.describe(core), problems
}

func (e *environment) describe(core foundCore) Environment {
	return Environment{
		Python: e.executable, PythonSource: e.source, Version: e.release, Libpython: e.libpython, Install: e.install,
		Core: core.file, CoreSource: core.source, ABI: C.SNAKE_ABI_VERSION,
	}
}

// findEnvironment finds a Python, asks it about itself and checks the answer. By files, it asks only if these do not tell
// enough. It loads nothing.
func findEnvironment(configured string, byFiles bool) (*environment, error) {
	env, problems := inspectEnvironment(configured, byFiles)
	if len(problems) > 0 {
		return nil, problems[0]
	}
	return env, nil
}

// inspectEnvironment is findEnvironment that goes on after a problem as far as it gets.
func inspectEnvironment(configured string, byFiles bool) (*environment, []error) {
	executable, source, err := findExecutable(configured)
	if err != nil {
		return &environment{executable: executable, source: source}, []error{err}
	}
	if byFiles {
		if env := recogniseVirtual(executable); env != nil {
			env.source = source
			return env, nil
		}
	}
	env, problems := ask(executable)
	for i, problem := range problems {
		problems[i] = fmt.Errorf("%w (chosen by %s)", problem, source)
	}
	env.source = source
	return env, problems
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
				err = fmt.Errorf("%w: %s is %q: %w: %w", ErrNoPython, choice.source, choice.value, err,
					adviseOn(err))
			}
			return path, choice.source, err
		}
	}
	if folder := besideProgram(); folder != "" {
		if path, err = executableOf(folder); err != nil {
			err = fmt.Errorf("%w: %s is %s: %w: %w", ErrNoPython, sourceBeside, folder, err, adviseOn(err))
		}
		return path, sourceBeside, err
	}
	names := []string{"python3"}
	for minor := newestMinor; minor >= minimum.minor; minor-- { // some systems have only names with a version
		names = append(names, "python"+version{3, minor}.String())
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, name + " on PATH", nil
		}
	}
	return "", "PATH", fmt.Errorf("%w: there is neither python3 nor %s to %s on PATH: %w", ErrNoPython, names[len(names)-1], names[1],
		advise("install CPython %s or newer, or name one in Config.Python or GOPHERSNAKE_PYTHON", minimum))
}

// newestMinor is the minor version of the newest CPython 3 that is looked for by a name of its own.
const newestMinor = 15

const sourceBeside = ".venv beside the program"

// besideProgram returns the virtual environment .venv in the folder of the program, or in the one above it, as there is one
// above bin/. It returns "" if there is none, or if it belongs to neither root, this user nor the owner of the program: anybody can make a
// .venv in a folder like /tmp.
func besideProgram() string {
	program, err := os.Executable()
	if err != nil {
		return ""
	}
	owner := func(file string) int {
		if info, err := os.Stat(file); err == nil {
			if status, ok := info.Sys().(*syscall.Stat_t); ok {
				return int(status.Uid)
			}
		}
		return -1
	}
	trusted := []int{0, os.Geteuid(), owner(program)}
	folder := filepath.Dir(program)
	for _, folder := range []string{folder, filepath.Dir(folder)} {
		venv := filepath.Join(folder, ".venv")
		if _, err := os.Stat(filepath.Join(venv, "pyvenv.cfg")); err == nil && slices.Contains(trusted, owner(venv)) {
			return venv
		}
	}
	return ""
}

const nameAnother = Advice("name the folder of a virtual environment or a Python executable")

// goneError says that the Python is gone which a virtual environment was made from.
type goneError struct{ folder, target string }

func (e *goneError) Error() string {
	return "its bin/python is a link to " + e.target + ", which is not there"
}

// adviseOn says what mends a name that names no Python.
func adviseOn(err error) Advice {
	var gone *goneError
	if errors.As(err, &gone) {
		return advise("make the environment anew with: python3 -m venv --clear %s", gone.folder)
	}
	return nameAnother
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
		for link := executable; ; { // python -> python3 -> /usr/bin/python3
			target, isLink := os.Readlink(link)
			if isLink != nil {
				if link != executable && errors.Is(err, os.ErrNotExist) {
					return "", &goneError{folder: name, target: link}
				}
				break
			}
			if !filepath.IsAbs(target) {
				target = filepath.Join(filepath.Dir(link), target)
			}
			link = target
		}
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

// ask runs the probe in a short isolated process. It returns what it has learnt also beside problems.
func ask(executable string) (*environment, []error) { return askWithin(probeTimeout, executable) }

func askWithin(limit time.Duration, executable string) (*environment, []error) {
	env := &environment{executable: executable}
	wrong := func(err error) (*environment, []error) { return env, []error{err} }
	ctx, cancel := context.WithTimeout(context.Background(), limit)
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
		return wrong(fmt.Errorf("%w: %s gave no answer within %v", ErrBrokenPython, executable, limit))
	}
	_, answer, marked := strings.Cut(stdout.String(), probeMark)
	if failure != nil || !marked {
		return wrong(explainSilence(ctx, executable, failure, stderr.String()))
	}
	answers := strings.Split(answer, "\x00")
	const wanted = 11
	if len(answers) <= wanted {
		return wrong(fmt.Errorf("%w: %s answered %q", ErrNotPython, executable, answer))
	}
	implementation, numbers, freeThreaded, hasNumPy := answers[0], answers[1], answers[2], answers[3]
	env.stdlib = strings.Split(answers[8], "\n")
	env.install, env.base = answers[9], answers[10]
	env.release = numbers
	if answers[4] != "" {
		env.executable = answers[4]
	}
	if _, err := fmt.Sscanf(numbers, "%d.%d", &env.version.major, &env.version.minor); err != nil {
		return wrong(fmt.Errorf("%w: %s says that its version is %q", ErrNotPython, executable, numbers))
	}
	switch {
	case implementation != "cpython":
		return wrong(fmt.Errorf("%w: %s is %s: %w", ErrNotPython, executable, implementation, advise("install CPython %s or newer", minimum)))
	case env.version.before(minimum):
		return wrong(tooOld(executable, env.version))
	case freeThreaded == "1":
		return wrong(fmt.Errorf("%w: %s is such a build of Python %s: %w",
			ErrFreeThreaded, executable, env.version, advise("use the default build: python%s in place of python%[1]st", env.version)))
	}
	var problems []error
	var err error
	if env.libpython, err = findLibpython(env, answers[5:7], answers[7]); err != nil {
		problems = append(problems, err)
	}
	if hasNumPy != "1" {
		problems = append(problems, fmt.Errorf("%w in the environment of %s: it is not installed: %w", ErrNoNumPy, env.executable,
			adviseInstall(env.install, "numpy")))
	}
	return env, problems
}

// adviseInstall says how to install a package with a command of [Environment].
func adviseInstall(command, name string) Advice {
	advice := "install it with: " + command + " " + name
	if strings.Contains(command, " -m venv .venv ") {
		advice += "; then name the folder .venv in Config.Python or GOPHERSNAKE_PYTHON"
	}
	return Advice(advice)
}

func advise(format string, arguments ...any) Advice { return Advice(fmt.Sprintf(format, arguments...)) }

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
		return fmt.Errorf("%w: %s: %s: %w", ErrNotPython, executable, reason, nameAnother)
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
	return fmt.Errorf("%w: %s ends with %q: %w", ErrBrokenPython, executable, reason, Advice("reinstall it or make the environment anew"))
}

func tooOld(executable string, v version) error {
	return fmt.Errorf("%w: %s is Python %s: %w", ErrTooOld, executable, v,
		advise("install CPython %s or newer, and name it, or an environment made with it, in Config.Python or GOPHERSNAKE_PYTHON", minimum))
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
	return "", fmt.Errorf("%w: Python %s of %s has none: %w", ErrNoSharedLibrary, env.version, env.executable, env.adviseLibpython())
}

func (e *environment) adviseLibpython() Advice {
	switch folder, name := filepath.Split(e.base); {
	case e.base == "/usr":
		return advise("install it with: apt-get install libpython%[1]s (Debian, Ubuntu), or dnf install python%[1]s-libs (Fedora)", e.version)
	case filepath.Base(folder) == "versions":
		return advise("build it anew with: PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install --force %s", name)
	}
	return advise("build Python with ./configure --enable-shared, or use one that has it (Debian: apt-get install libpython%[1]s; "+
		"pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install --force %[1]s)", e.version)
}
