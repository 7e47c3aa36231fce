package python

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// sentinels are the errors of [Start] by name, to name them to a scenario.
var sentinels = map[string]error{
	"ErrNoPython": ErrNoPython, "ErrNotPython": ErrNotPython, "ErrBrokenPython": ErrBrokenPython, "ErrTooOld": ErrTooOld,
	"ErrNoSharedLibrary": ErrNoSharedLibrary, "ErrWrongLibrary": ErrWrongLibrary, "ErrNoNumPy": ErrNoNumPy, "ErrFreeThreaded": ErrFreeThreaded, "ErrNoCore": ErrNoCore,
	"ErrWrongCore": ErrWrongCore, "ErrStart": ErrStart,
}

// Starts with $WRONG_PYTHON and $WRONG_CORE, which gives $WANT and nothing else, then with $RIGHT_PYTHON.
var _ = scenario("start wrong, then right", func() {
	wrong := Config{Python: os.Getenv("WRONG_PYTHON"), Core: os.Getenv("WRONG_CORE")}
	var messages []string
	for range 2 { // a failure changes nothing for the next attempt
		in, err := Start(wrong)
		if err == nil || in != nil {
			fail("the wrong start gave %v, %v", in, err)
		}
		for name, sentinel := range sentinels {
			if is := errors.Is(err, sentinel); is != (name == os.Getenv("WANT")) {
				fail("errors.Is(err, %s) is %v for: %v", name, is, err)
			}
		}
		messages = append(messages, err.Error())
	}
	if messages[0] != messages[1] {
		fail("the second attempt says something else:\n%s\n%s", messages[0], messages[1])
	}
	fmt.Println(messages[0])
	for _, name := range []string{"GOPHERSNAKE_CORE", "VIRTUAL_ENV"} {
		check(os.Unsetenv(name))
	}
	in, err := Start(Config{Python: os.Getenv("RIGHT_PYTHON"), Path: []string{testdata}})
	if err != nil {
		fmt.Println("right start:", err)
		return
	}
	fmt.Println("right start:", must(evaluate[string](in, "start_facts:version")))
})

// wrong is a configuration that cannot start, and what the error has to say.
type wrong struct {
	python, core string
	env          []string // changes of the environment
	want         string   // name of the sentinel
	says         []string // what the message names
	final        string   // what a right start says afterwards, if it cannot work any more
}

// fails starts with the wrong configuration, then with the right one of the same process.
func (w wrong) fails(t *testing.T, right string) {
	t.Helper()
	env := append([]string{"WRONG_PYTHON=" + w.python, "WRONG_CORE=" + w.core, "WANT=" + w.want, "RIGHT_PYTHON=" + right}, w.env...)
	stdout := passScenario(t, "start wrong, then right", env...)
	message, after, _ := strings.Cut(stdout, "\nright start: ")
	for _, part := range w.says {
		if !strings.Contains(message, part) {
			t.Errorf("the message does not say %q: %s", part, message)
		}
	}
	want := versionOf(t, right).String() + "\n"
	if w.final != "" {
		if want = w.final; !strings.Contains(after, want) {
			t.Errorf("a right start afterwards: got %s, want an error that says %q", after, want)
		}
	} else if after != want {
		t.Errorf("a right start afterwards: got %s, want Python %s", after, want)
	}
}

func TestWrongEnvironment(t *testing.T) {
	right := environmentOfTest(t)
	folder := t.TempDir()
	text := writeFile(t, folder, "text", "just text", 0o600)
	missing := filepath.Join(folder, "missing")
	next := version{right.version.major, right.version.minor + 1}
	answer := func(change func(*answers)) string { return fakePython(t, answersOf(right), change) }
	for name, w := range map[string]wrong{
		"missing": {python: missing, want: "ErrNoPython", says: []string{missing, "Config.Python"}},
		"missing, named by a variable": {
			env: []string{"GOPHERSNAKE_PYTHON=" + missing}, want: "ErrNoPython", says: []string{missing, "GOPHERSNAKE_PYTHON"},
		},
		"folder without Python": {python: folder, want: "ErrNoPython", says: []string{folder, "no virtual environment"}},
		"nothing on PATH": {
			env: []string{"PATH=" + folder, "GOPHERSNAKE_PYTHON", "VIRTUAL_ENV"}, want: "ErrNoPython",
			says: []string{"neither python3 nor python3.11 to python3.15 on PATH", "install CPython 3.11"},
		},
		"another program":     {python: tool(t, "true"), want: "ErrNotPython", says: []string{tool(t, "true")}},
		"not executable":      {python: text, want: "ErrNotPython", says: []string{text, "permission denied"}},
		"killed by a signal":  {python: script(t, "kill -9 $$"), want: "ErrNotPython", says: []string{"killed"}},
		"a torn answer":       {python: script(t, "echo gophersnake:cpython"), want: "ErrNotPython", says: []string{"cpython"}},
		"a senseless version": {python: answer(func(a *answers) { a.version = "new" }), want: "ErrNotPython", says: []string{`"new"`}},
		"PyPy":                {python: answer(func(a *answers) { a.implementation = "pypy" }), want: "ErrNotPython", says: []string{"pypy", "install CPython 3.11"}},
		"free-threaded":       {python: answer(func(a *answers) { a.freeThreaded = "1" }), want: "ErrFreeThreaded", says: []string{"free-threaded", "default build"}},
		"too old to answer": {
			python: script(t, `[ "$1" = --version ] && echo Python 3.4.10 || exit 2`), want: "ErrTooOld", says: []string{"3.4", "install CPython 3.11 or newer"},
		},
		"too old": {python: answer(func(a *answers) { a.version = "3.10" }), want: "ErrTooOld", says: []string{"3.10", "install CPython 3.11 or newer"}},
		"static": {
			python: answer(func(a *answers) { a.library, a.usual = "libpython.a", "" }), want: "ErrNoSharedLibrary",
			says: []string{right.executable, "apt-get install libpython" + right.version.String(), "--enable-shared"},
		},
		"libpython missing": {python: answer(func(a *answers) { a.folders = folder }), want: "ErrNoSharedLibrary", says: []string{"apt-get install"}},
		"libpython torn": {
			python: answer(func(a *answers) {
				a.folders = filepath.Dir(writeFile(t, t.TempDir(), a.library, "\x7fELF", 0o600))
			}), want: "ErrNoSharedLibrary", says: []string{"cannot be loaded"},
		},
		"libpython of another version": {
			python: answer(func(a *answers) { a.version = next.String() }), want: "ErrWrongLibrary",
			says: []string{"for Python " + next.String(), right.libpython, "is Python " + right.version.String(), "make the environment anew"},
		},
		"libpython that is another library": {
			python: answer(func(a *answers) {
				a.library, a.folders = "libempty.so", filepath.Dir(library(t, "libempty.so", "int empty;"))
			}),
			want: "ErrWrongLibrary", says: []string{"libempty.so", "no Python 3.11 or newer"},
		},
		"without NumPy": {python: venv(t, right), want: "ErrNoNumPy", says: []string{"bin/python -m ensurepip && ", "bin/python -m pip install numpy"}},
		"broken standard library": {
			python: brokenVenv(t, right), want: "ErrBrokenPython", says: []string{"bin/python", "encodings", "make the environment anew"},
		},
		"core missing": {core: missing, want: "ErrNoCore", says: []string{missing, "Config.Core"}},
		"core missing, named by a variable": {
			env: []string{"GOPHERSNAKE_CORE=" + missing}, want: "ErrNoCore", says: []string{missing, "GOPHERSNAKE_CORE"},
		},
		"core that is no library": {core: text, want: "ErrNoCore", says: []string{text, "Config.Core", "make -C "}},
		"core without functions": {
			core: library(t, "half.so", fmt.Sprintf("unsigned snake_abi_version(void) { return %d; }", abiVersionOfHeader(t))),
			want: "ErrNoCore", says: []string{"snake_", "make -C "},
		},
		"core of another version": {
			core: library(t, "other.so", "unsigned snake_abi_version(void) { return 999; }"), want: "ErrWrongCore",
			says: []string{"other.so", "ABI version 999", fmt.Sprint(abiVersionOfHeader(t)), "from the same release"},
		},
		"core that is another library": {core: library(t, "empty.so", "int empty;"), want: "ErrWrongCore", says: []string{"empty.so"}},
	} {
		t.Run(name, func(t *testing.T) { w.fails(t, right.executable) })
	}
}

// A wrong core must not bind the process to the libpython that was opened for it.
func TestWrongCoreThenAnotherVersion(t *testing.T) {
	right, other := environmentOfTest(t), otherVersion(t)
	for name, w := range map[string]wrong{
		"missing": {core: library(t, "empty.so", "int empty;"), want: "ErrWrongCore"},
		"other":   {core: library(t, "other.so", "unsigned snake_abi_version(void) { return 999; }"), want: "ErrWrongCore"},
		"torn":    {core: writeFile(t, t.TempDir(), "torn.so", "\x7fELF", 0o600), want: "ErrNoCore"},
	} {
		t.Run(name, func(t *testing.T) {
			w.python = other.executable
			w.fails(t, right.executable)
		})
	}
	t.Run("libpython of another version", func(t *testing.T) {
		// The fake says that it is `right`, but its libpython is the other's, which is opened and closed again.
		fake := fakePython(t, answersOf(right), func(a *answers) { a.library, a.folders = filepath.Base(other.libpython), filepath.Dir(other.libpython) })
		wrong{python: fake, want: "ErrWrongLibrary", says: []string{other.libpython, other.version.String()}}.fails(t, right.executable)
	})
}

// Once CPython itself has begun to start there is no second attempt; the process lives on.
func TestStartThatIsFinal(t *testing.T) {
	right := environmentOfTest(t)
	// An environment that breaks between the question and the start.
	fake := fakePython(t, answersOf(right), func(a *answers) { a.executable = filepath.Join(brokenVenv(t, right), "bin", "python") })
	wrong{
		python: fake, want: "ErrStart", says: []string{"did not start", "start a new process"}, final: "start a new process",
	}.fails(t, right.executable)
}

// An environment whose NumPy exists but cannot be imported.
func TestNumPyThatCannotBeImported(t *testing.T) {
	right := environmentOfTest(t)
	broken := func(t *testing.T) string {
		folder := venv(t, right)
		writeFile(t, filepath.Join(sitePackages(folder, right), "numpy"), "__init__.py", "raise ImportError('numpy is torn')", 0o600)
		return folder
	}
	says := []string{"numpy is torn", "bin/python -m pip install --force-reinstall numpy"}
	t.Run("then another environment", func(t *testing.T) {
		wrong{python: broken(t), want: "ErrNoNumPy", says: says, final: "start a new process"}.fails(t, right.executable)
	})
	t.Run("for want of a library", func(t *testing.T) {
		folder := venv(t, right)
		// As NumPy does it: the true cause below pages of advice.
		writeFile(t, filepath.Join(sitePackages(folder, right), "numpy"), "__init__.py", `
try:
    raise ImportError("libgfortran.so.5: cannot open shared object file: No such file or directory")
except ImportError as cause:
    raise ImportError("\n\nIMPORTANT: PLEASE READ THIS\nOriginal error was: " + str(cause)) from cause
`, 0o600)
		stdout := passScenario(t, "no library", "WRONG_PYTHON="+folder)
		want := "python: NumPy cannot be imported in the environment of " + filepath.Join(folder, "bin", "python") +
			": ImportError: libgfortran.so.5: cannot open shared object file: No such file or directory: " +
			"install the system's library libgfortran.so.5, which NumPy needs (Debian, Ubuntu: apt-get install libgfortran5)\n"
		if stdout != want {
			t.Errorf("got  %swant %s", stdout, want)
		}
	})
	t.Run("without its first file", func(t *testing.T) {
		folder := venv(t, right)
		writeFile(t, filepath.Join(sitePackages(folder, right), "numpy"), "version.py", "", 0o600)
		wrong{python: folder, want: "ErrNoNumPy", says: says[1:], final: "start a new process"}.fails(t, right.executable)
	})
	t.Run("then another version", func(t *testing.T) {
		wrong{python: broken(t), want: "ErrNoNumPy", says: says, final: "start a new process"}.fails(t, otherVersion(t).executable)
	})
	t.Run("then mended", func(t *testing.T) {
		folder := broken(t)
		passScenario(t, "numpy mended", "WRONG_PYTHON="+folder, "TORN="+filepath.Join(sitePackages(folder, right), "numpy"),
			"PACKAGES="+packages(t, right))
	})
}

var _ = scenario("no library", func() {
	_, err := Start(Config{Python: os.Getenv("WRONG_PYTHON")})
	var exception *Error
	if !errors.Is(err, ErrNoNumPy) || !errors.As(err, &exception) || !strings.Contains(exception.Message, "IMPORTANT") {
		fail("%v", err)
	}
	fmt.Println(err)
})

var _ = scenario("numpy mended", func() {
	config := Config{Python: os.Getenv("WRONG_PYTHON"), Path: []string{testdata}}
	if _, err := Start(config); !errors.Is(err, ErrNoNumPy) {
		fail("want ErrNoNumPy, got %v", err)
	}
	check(os.RemoveAll(os.Getenv("TORN")))
	check(os.Symlink(filepath.Join(os.Getenv("PACKAGES"), "numpy"), os.Getenv("TORN")))
	libraries := filepath.Join(os.Getenv("PACKAGES"), "numpy.libs")
	if _, err := os.Stat(libraries); err == nil {
		check(os.Symlink(libraries, os.Getenv("TORN")+".libs"))
	}
	in := must(Start(config))
	sum := must(evaluate[float64](in, "numpy:sum", []float64{1, 2}))
	if sum != 3 {
		fail("numpy.sum is %v", sum)
	}
})

// The old Pythons that pyenv has, as they are.
func TestOldPythons(t *testing.T) {
	root, err := exec.Command("pyenv", "root").Output()
	if err != nil {
		t.Skip("needs old Pythons: there is no pyenv on PATH")
	}
	pythons, _ := filepath.Glob(filepath.Join(strings.TrimSpace(string(root)), "versions", "*", "bin", "python"))
	tried := 0
	for _, python := range pythons {
		said, err := exec.Command(python, "--version").CombinedOutput() // Python 2 says it on stderr
		var v version
		if _, scan := fmt.Sscanf(string(said), "Python %d.%d", &v.major, &v.minor); err != nil || scan != nil || !v.before(minimum) {
			continue
		}
		tried++
		t.Run(v.String(), func(t *testing.T) {
			if _, err := findEnvironment(python, false); !errors.Is(err, ErrTooOld) || !strings.Contains(err.Error(), v.String()) {
				t.Errorf("want ErrTooOld and %s, got %v", v, err)
			}
		})
	}
	if tried == 0 {
		t.Skip("needs old Pythons: pyenv has none before 3.11")
	}
}

func TestPythonThatHangs(t *testing.T) {
	begin := time.Now()
	_, problems := askWithin(time.Second, script(t, "sleep 300"))
	if err := errors.Join(problems...); !errors.Is(err, ErrBrokenPython) || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("want ErrBrokenPython, got %v", err)
	}
	if took := time.Since(begin); took > 250*time.Second {
		t.Errorf("it took %v", took)
	}
}

// A wrapper that leaves a process behind, which holds its output open.
func TestPythonThatLeavesAProcess(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"silent":   "sleep 100 & exit 1",
		"answered": "sleep 100 & cat " + fakePython(t, answersOf(environmentOfTest(t)), func(*answers) {}) + ".answer",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			_, err := ask(script(t, body))
			if took := time.Since(begin); took > 90*time.Second {
				t.Errorf("ask waited %v for a process that it did not start; it returned %v", took, err)
			}
		})
	}
}

func TestFind(t *testing.T) {
	right := environmentOfTest(t)
	env, problems := Find(Config{Core: builtCore})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := Environment{
		Python: right.executable, PythonSource: "GOPHERSNAKE_PYTHON", Version: env.Version, Libpython: right.libpython, Install: right.executable + " -m pip install",
		Core: builtCore, CoreSource: "Config.Core", ABI: abiVersionOfHeader(t),
	}
	if env != want || !strings.HasPrefix(env.Version, right.version.String()+".") {
		t.Errorf("got  %+v\nwant %+v", env, want)
	}
}

// Find goes on where Start stops, and each problem says what mends it.
func TestFindAllProblems(t *testing.T) {
	right := environmentOfTest(t)
	missing := filepath.Join(t.TempDir(), "missing")
	fake := fakePython(t, answersOf(right), func(a *answers) { a.folders, a.numpy = t.TempDir(), "0" })
	env, problems := Find(Config{Python: fake, Core: missing})
	if env.Python != right.executable || env.Version != right.version.String() || env.Libpython != "" || env.Core != missing {
		t.Errorf("got %+v", env)
	}
	for i, want := range []struct {
		sentinel error
		advice   string
	}{
		{ErrNoSharedLibrary, "apt-get install libpython" + right.version.String()},
		{ErrNoNumPy, right.executable + " -m pip install numpy"},
		{ErrNoCore, "make -C "},
	} {
		if i >= len(problems) {
			t.Fatalf("only %v", problems)
		}
		var advice Advice
		if err := problems[i]; !errors.Is(err, want.sentinel) || !errors.As(err, &advice) ||
			!strings.Contains(string(advice), want.advice) || !strings.Contains(err.Error(), ": "+string(advice)) {
			t.Errorf("problem %d: want %v with the advice %q, got %v with %q", i, want.sentinel, want.advice, err, advice)
		}
	}
	if env, problems := Find(Config{Python: missing}); len(problems) != 1 || env.PythonSource != "Config.Python" {
		t.Errorf("got %+v, %v", env, problems)
	}
}

func TestStartup(t *testing.T) {
	s := interpreter(t).Environment().Startup
	for name, took := range map[string]time.Duration{
		"Find": s.Find, "Libpython": s.Libpython, "Core": s.Core, "Python": s.Python, "NumPy": s.NumPy,
	} {
		if took <= 0 || took > scenarioTimeout {
			t.Errorf("%s took %v", name, took)
		}
	}
}

func TestSearchOrderOfPython(t *testing.T) {
	folder := t.TempDir()
	pythons := map[string]string{}
	for _, name := range []string{"config", "variable", "venv", "path"} {
		pythons[name] = writeFile(t, filepath.Join(folder, name, "bin"), "python", "#!/bin/sh\n", 0o700)
	}
	check := func(t *testing.T, configured, want, wantSource string) {
		t.Helper()
		path, source, err := findExecutable(configured)
		if path != want || source != wantSource || err != nil {
			t.Errorf("findExecutable(%q): got %q by %q, %v; want %q by %q", configured, path, source, err, want, wantSource)
		}
	}
	t.Chdir(folder)
	onPath := writeFile(t, filepath.Join(folder, "path"), "python3", "#!/bin/sh\n", 0o700)
	t.Setenv("PATH", filepath.Join(folder, "path"))
	t.Setenv("GOPHERSNAKE_PYTHON", filepath.Join(folder, "variable"))
	t.Setenv("VIRTUAL_ENV", filepath.Join(folder, "venv"))

	check(t, filepath.Join(folder, "config"), pythons["config"], "Config.Python")
	check(t, pythons["config"], pythons["config"], "Config.Python")
	check(t, "config", pythons["config"], "Config.Python") // a folder relative to the working directory
	check(t, "config/bin/python", pythons["config"], "Config.Python")
	check(t, "python3", onPath, "Config.Python")
	check(t, "", pythons["variable"], "GOPHERSNAKE_PYTHON")
	t.Setenv("GOPHERSNAKE_PYTHON", "")
	check(t, "", pythons["venv"], "VIRTUAL_ENV")
	t.Setenv("VIRTUAL_ENV", "")
	check(t, "", onPath, "python3 on PATH")
	check(t, "", rename(t, onPath, "python3.14"), "python3.14 on PATH")
	check(t, "", rename(t, filepath.Join(filepath.Dir(onPath), "python3.14"), "python3.11"), "python3.11 on PATH")

	t.Run("a wrong choice is not passed over", func(t *testing.T) {
		t.Setenv("VIRTUAL_ENV", filepath.Join(folder, "missing"))
		if path, _, err := findExecutable(""); !errors.Is(err, ErrNoPython) {
			t.Errorf("got %q, %v; want ErrNoPython", path, err)
		}
	})
}

var _ = scenario("find", func() {
	env, problems := Find(Config{})
	fmt.Println(env.PythonSource, env.Python, errors.Join(problems...))
})

// A program takes the .venv in its folder, or in the one above, unless somebody else has put it there.
func TestPythonBesideTheProgram(t *testing.T) {
	right := environmentOfTest(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	copied := writeFile(t, filepath.Join(folder, "project", "bin"), "program", string(must(os.ReadFile(program))), 0o700)
	onPath := writeFile(t, t.TempDir(), "python3", "#!/bin/sh\n", 0o700)
	find := func(t *testing.T, changes ...string) string {
		t.Helper()
		command := scenarioCommand("find", append([]string{"GOPHERSNAKE_PYTHON", "VIRTUAL_ENV", "PATH=" + filepath.Dir(onPath)}, changes...)...)
		command.Path = copied
		return passCommand(t, command)
	}
	says := func(t *testing.T, got, want string) {
		t.Helper()
		if !strings.HasPrefix(got, want+" ") {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	says(t, find(t), "python3 on PATH "+onPath)
	writeFile(t, filepath.Join(folder, "project", ".venv", "bin"), "python", "", 0o700) // no virtual environment
	says(t, find(t), "python3 on PATH "+onPath)
	check(os.RemoveAll(filepath.Join(folder, "project", ".venv")))
	for _, place := range []string{"project", "project/bin"} { // the nearer one is better
		venv := filepath.Join(folder, place, ".venv")
		makeVenv(t, venv, right)
		says(t, find(t), sourceBeside+" "+filepath.Join(venv, "bin", "python"))
	}
	says(t, find(t, "VIRTUAL_ENV="+filepath.Join(folder, "project", ".venv")), "VIRTUAL_ENV "+filepath.Join(folder, "project", ".venv", "bin", "python"))
	t.Run("of another user", func(t *testing.T) {
		if os.Geteuid() != 0 {
			t.Skip("needs root, to give a folder away")
		}
		for _, place := range []string{"project", "project/bin"} {
			check(os.Chown(filepath.Join(folder, place, ".venv"), 12345, 12345))
		}
		says(t, find(t), "python3 on PATH "+onPath)
	})
}

func rename(t *testing.T, file, name string) string {
	t.Helper()
	renamed := filepath.Join(filepath.Dir(file), name)
	check(os.Rename(file, renamed))
	return renamed
}

// What lies in the working directory is not what PATH names.
func TestPythonOfTheWorkingDirectory(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"python3", "python", "bin/python", ".venv/bin/python", "venv/bin/python"} {
		writeFile(t, filepath.Join(folder, filepath.Dir(name)), filepath.Base(name), "#!/bin/sh\n", 0o700)
	}
	t.Chdir(folder)
	t.Setenv("GOPHERSNAKE_PYTHON", "")
	t.Setenv("VIRTUAL_ENV", "")
	elsewhere := t.TempDir()
	onPath := writeFile(t, elsewhere, "python3", "#!/bin/sh\n", 0o700)
	for _, configured := range []string{"", "python3"} {
		for _, path := range []string{"", ".", "." + string(os.PathListSeparator), string(os.PathListSeparator) + "."} {
			t.Setenv("PATH", path)
			if found, _, err := findExecutable(configured); !errors.Is(err, ErrNoPython) {
				t.Errorf("findExecutable(%q) with PATH=%q: got %q, %v; want ErrNoPython", configured, path, found, err)
			}
		}
		t.Setenv("PATH", elsewhere)
		if found, _, err := findExecutable(configured); found != onPath {
			t.Errorf("findExecutable(%q) with python3 on PATH: got %q, %v; want %q", configured, found, err, onPath)
		}
	}
}

var _ = scenario("environment", func() {
	in := start()
	fmt.Println(in.Executable())
	fmt.Print(must(evaluate[string](in, "start_facts:environment")))
})

// The hosted Python has the executable, the prefix and the path that the environment's own program has.
func TestEnvironmentIsThatOfItsExecutable(t *testing.T) {
	right := environmentOfTest(t)
	odd := filepath.Join(t.TempDir(), "with spaces, ünïcode and 'quotes'")
	makeVenv(t, odd, right)
	linkPackages(t, odd, right)
	for name, c := range map[string]struct{ python, executable string }{
		"executable":   {right.executable, right.executable},
		"odd name":     {odd, filepath.Join(odd, "bin", "python")},
		"environments": {filepath.Dir(filepath.Dir(right.executable)), right.executable},
	} {
		t.Run(name, func(t *testing.T) {
			stdout := passScenario(t, "environment", "GOPHERSNAKE_PYTHON="+c.python)
			executable, facts, _ := strings.Cut(stdout, "\n")
			want, err := exec.Command(c.executable, "-I", filepath.Join(testdata, "start_facts.py")).Output()
			if err != nil {
				t.Fatal(err)
			}
			got, expected := parse(t, facts), parse(t, string(want))
			expected["path"] = append([]any{testdata}, expected["path"].([]any)...) // Config.Path comes first
			if !reflect.DeepEqual(got, expected) {
				t.Errorf("got  %v\nwant %v", got, expected)
			}
			if executable != got["executable"] {
				t.Errorf("Executable: got %s, want %s", executable, got["executable"])
			}
		})
	}
}

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	var facts map[string]any
	if err := json.Unmarshal([]byte(text), &facts); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return facts
}

// environmentOfTest is the environment that the tests run with.
func environmentOfTest(t testing.TB) *environment {
	t.Helper()
	env, err := ownEnvironment()
	if err != nil {
		t.Fatal(err)
	}
	return env
}

var ownEnvironment = sync.OnceValues(func() (*environment, error) { return findEnvironment("", false) })

// What files tell of a virtual environment is what its executable says, and where one misses, the executable is asked.
func TestRecognisedEnvironment(t *testing.T) {
	asked := environmentOfTest(t)
	recognised := recogniseVirtual(asked.executable)
	if recognised == nil {
		t.Fatalf("%s is not recognised", asked.executable)
	}
	same := *asked
	same.source, same.stdlib = "", nil
	if !reflect.DeepEqual(*recognised, same) {
		t.Errorf("got  %+v\nwant %+v", *recognised, same)
	}
	for name, change := range map[string]func(t *testing.T, folder string){
		"no numpy": func(t *testing.T, folder string) {
			mustRemove(t, filepath.Join(sitePackages(folder, asked), "numpy", "__init__.py"))
		},
		"no pip": func(t *testing.T, folder string) {
			mustRemove(t, filepath.Join(sitePackages(folder, asked), "pip", "__init__.py"))
		},
		"no link": func(t *testing.T, folder string) {
			python := filepath.Join(folder, "bin", "python")
			mustRemove(t, python)
			writeFile(t, filepath.Join(folder, "bin"), "python", "", 0o700)
		},
		"another link": func(t *testing.T, folder string) {
			python := filepath.Join(folder, "bin", "python")
			mustRemove(t, python)
			if err := os.Symlink("/bin/sh", python); err != nil {
				t.Fatal(err)
			}
		},
		"an old version": func(t *testing.T, folder string) { changeConfig(t, folder, "version", "3.10.1") },
		"another version": func(t *testing.T, folder string) {
			changeConfig(t, folder, "version", version{3, asked.version.minor + 1}.String()+".0")
		},
		"no version":   func(t *testing.T, folder string) { changeConfig(t, folder, "version", "") },
		"another home": func(t *testing.T, folder string) { changeConfig(t, folder, "home", t.TempDir()) },
		"no config":    func(t *testing.T, folder string) { mustRemove(t, filepath.Join(folder, "pyvenv.cfg")) },
	} {
		t.Run(name, func(t *testing.T) {
			folder := venv(t, asked)
			for _, name := range []string{"numpy", "pip"} {
				writeFile(t, filepath.Join(sitePackages(folder, asked), name), "__init__.py", "", 0o600)
			}
			python := filepath.Join(folder, "bin", "python")
			if recogniseVirtual(python) == nil {
				t.Fatal("it is not recognised as it is")
			}
			change(t, folder)
			if env := recogniseVirtual(python); env != nil {
				t.Errorf("recognised as %+v", *env)
			}
		})
	}
}

// The version that pyvenv.cfg tells is that with which the environment was made; Python may have been upgraded since.
func TestUpgradedEnvironment(t *testing.T) {
	right := environmentOfTest(t)
	folder := venv(t, right)
	for _, name := range []string{"numpy", "numpy.libs", "pip"} {
		if err := os.Symlink(filepath.Join(packages(t, right), name), filepath.Join(sitePackages(folder, right), name)); err != nil {
			t.Fatal(err)
		}
	}
	changeConfig(t, folder, "version", right.version.String()+".99")
	if recogniseVirtual(filepath.Join(folder, "bin", "python")) == nil {
		t.Fatal("it is not recognised")
	}
	if got := strings.TrimSpace(passScenario(t, "version", "WRONG_PYTHON="+folder)); got != right.release {
		t.Errorf("got %s, want %s", got, right.release)
	}
}

var _ = scenario("version", func() {
	fmt.Println(must(Start(Config{Python: os.Getenv("WRONG_PYTHON")})).Environment().Version)
})

func mustRemove(t *testing.T, file string) {
	t.Helper()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
}

// changeConfig gives a key of pyvenv.cfg another value.
func changeConfig(t testing.TB, folder, key, value string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "pyvenv.cfg"))
	if err != nil {
		t.Fatal(err)
	}
	changed := regexp.MustCompile(`(?m)^`+key+` = .*$`).ReplaceAllString(string(text), key+" = "+value)
	writeFile(t, folder, "pyvenv.cfg", changed, 0o600)
}

// otherVersion is an environment of another version than that of the test, from the virtual environments at the root.
func otherVersion(t testing.TB) *environment {
	t.Helper()
	own := environmentOfTest(t)
	folders, _ := filepath.Glob(absolute("../../.venv*"))
	for _, folder := range folders {
		if env, err := findEnvironment(folder, false); err == nil && env.version != own.version {
			return env
		}
	}
	t.Skip("needs a virtual environment of a second version of CPython at the root: scripts/test_pythons.sh makes them")
	return nil
}

func versionOf(t testing.TB, executable string) version {
	t.Helper()
	env, err := findEnvironment(executable, false)
	if err != nil {
		t.Fatal(err)
	}
	return env.version
}

// answers are what the probe prints.
type answers struct {
	implementation, version, freeThreaded, numpy, executable, library, usual, folders string
}

func answersOf(env *environment) answers {
	return answers{
		"cpython", env.version.String(), "0", "1", env.executable,
		filepath.Base(env.libpython), "libpython" + env.version.String() + ".so.1.0", filepath.Dir(env.libpython),
	}
}

// fakePython writes an executable that answers the probe. Its answers lie beside it.
func fakePython(t testing.TB, a answers, change func(*answers)) string {
	t.Helper()
	change(&a)
	fake := script(t, `cat "$0.answer"`)
	fields := []string{a.implementation, a.version, a.freeThreaded, a.numpy, a.executable, a.library, a.usual, a.folders, "sys", a.executable + " -m pip install", "", ""}
	writeFile(t, filepath.Dir(fake), filepath.Base(fake)+".answer", probeMark+strings.Join(fields, "\x00"), 0o600)
	return fake
}

// script writes a shell script and returns its path.
func script(t testing.TB, body string) string {
	t.Helper()
	return writeFile(t, t.TempDir(), "python", "#!/bin/sh\n"+body+"\n", 0o700)
}

// writeFile writes a file that can be executed at once: no process is forked while it is open for writing, because the child
// would have it open too until it executes its own program, and whoever executes the file then gets ETXTBSY.
func writeFile(t testing.TB, folder, name, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(folder, name)
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := errors.Join(os.MkdirAll(folder, 0o700), os.WriteFile(path, []byte(content), mode)); err != nil {
		t.Fatal(err)
	}
	return path
}

// library compiles a shared library.
func library(t testing.TB, name, source string) string {
	t.Helper()
	folder := t.TempDir()
	file := filepath.Join(folder, name)
	passCommand(t, exec.Command(tool(t, "cc"), "-shared", "-fPIC", "-o", file, writeFile(t, folder, "library.c", source, 0o600)))
	return file
}

// tool finds a program that the tests need.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip("needs " + name)
	}
	return path
}

// venv makes a virtual environment without any package.
func venv(t testing.TB, base *environment) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "venv")
	makeVenv(t, folder, base)
	return folder
}

func makeVenv(t testing.TB, folder string, base *environment) {
	t.Helper()
	passCommand(t, exec.Command(base.executable, "-I", "-m", "venv", "--without-pip", folder))
}

func sitePackages(venv string, env *environment) string {
	return filepath.Join(venv, "lib", "python"+env.version.String(), "site-packages")
}

// packages is the folder of the packages of an environment.
func packages(t testing.TB, env *environment) string {
	t.Helper()
	return strings.TrimSpace(passCommand(t, exec.Command(env.executable, "-I", "-c", "import numpy, os; print(os.path.dirname(os.path.dirname(numpy.__file__)))")))
}

// linkPackages lets a virtual environment see the packages of another environment, by a path file.
func linkPackages(t testing.TB, venv string, env *environment) {
	t.Helper()
	writeFile(t, sitePackages(venv, env), "link.pth", packages(t, env)+"\n", 0o600)
}

// brokenVenv makes a virtual environment over a standard library of which only the landmark is there.
func brokenVenv(t testing.TB, base *environment) string {
	t.Helper()
	folder := venv(t, base)
	prefix := t.TempDir()
	home := filepath.Join(prefix, "bin")
	modules := filepath.Join(prefix, "lib", "python"+base.version.String())
	writeFile(t, modules, "os.py", "", 0o600)
	if err := errors.Join(os.MkdirAll(filepath.Join(modules, "lib-dynload"), 0o700), os.MkdirAll(home, 0o700)); err != nil {
		t.Fatal(err)
	}
	changeConfig(t, folder, "home", home)
	return folder
}

// abiVersionOfHeader is what the header says.
func abiVersionOfHeader(t testing.TB) int {
	t.Helper()
	header, err := os.ReadFile(absolute("../../include/gophersnake.h"))
	if err != nil {
		t.Fatal(err)
	}
	var number int
	found := regexp.MustCompile(`#define SNAKE_ABI_VERSION (\d+)`).FindSubmatch(header)
	if found == nil {
		t.Fatal("the header has no SNAKE_ABI_VERSION")
	}
	if _, err := fmt.Sscan(string(found[1]), &number); err != nil {
		t.Fatal(err)
	}
	return number
}
