package python

import (
	"bufio"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"
)

//go:embed all:testdata/modules
var embeddedFiles embed.FS

// without all: before it, so that __init__.py is missing.
//
//go:embed testdata/modules
var embeddedWithoutAll embed.FS

// sub returns a part of a file system.
func sub(files fs.FS, folder string) fs.FS {
	part, err := fs.Sub(files, folder)
	if err != nil {
		panic(err)
	}
	return part
}

func embedded() fs.FS { return sub(embeddedFiles, "testdata/modules") }

// startEmbedded starts the interpreter of a scenario, which finds the modules of testdata/modules in memory only.
func startEmbedded() *Interpreter { return must(Start(Config{Modules: embedded()})) }

// equal ends the scenario where two values differ.
func equal(what string, got, want any) {
	if !reflect.DeepEqual(got, want) {
		fail("%s: got %#v, want %#v", what, got, want)
	}
}

var _ = scenario("modules", func() {
	in := startEmbedded()

	var exception *Error
	if err := run(in, "embedded:boom"); !errors.As(err, &exception) {
		fail("%v", err)
	}
	last := exception.Frames[len(exception.Frames)-1]
	equal("line", last.Line, 17)
	equal("file", last.File, "<embedded>/embedded.py")
	if !strings.Contains(exception.Traceback, "raise ValueError(below)  # the line") {
		fail("%+v\n%s", last, exception.Traceback)
	}
	if err := run(in, "embedded:nested"); !errors.As(err, &exception) {
		fail("%v", err)
	}
	for _, line := range []string{`File "<embedded>/embedded.py", line 21, in nested`, "shapes.area.negative()", `File "<embedded>/shapes/area.py", line 15`, `raise ArithmeticError("negative area")`} {
		if !strings.Contains(exception.Traceback, line) {
			fail("no %q in\n%s", line, exception.Traceback)
		}
	}

	equal("source", must(evaluate[[]string](in, "embedded:source")), []string{
		"def square(x):\n    return x * x * ONE\n", "class Circle:\n    radius = 1\n", `"""Areas of shapes."""`,
	})
	found := must(evaluate[map[string]any](in, "embedded:resources"))
	equal("resources", found, map[string]any{
		"note": "größer", "bytes": []byte("deep"), "get_data": "größer", "as_file": "größer", "below": []any{"deep.bin"},
		"names":   []any{"__init__.py", "area.py", "late.py", "note.txt", "texts", "units.py"},
		"modules": []any{"shapes.area", "shapes.late", "shapes.units"},
	})
	equal("files", must(evaluate[[]string](in, "embedded:files")), []string{
		"<embedded>/embedded.py", "<embedded>/shapes/__init__.py", "<embedded>/shapes/area.py", "<embedded>/shapes/area.py", "<embedded>/shapes/area.py",
	})
	equal("failures of threads", must(evaluate[[]string](in, "embedded:from_threads", 32)), []string{})
	equal("change", must(evaluate[string](in, "embedded:change")), "PermissionError")
	equal("another Python", must(evaluate[string](in, "embedded:subprocesses")), "25")
})

func TestModules(t *testing.T) { passScenario(t, "modules") }

var _ = scenario("modules in workers", func() {
	in := startEmbedded()
	for _, method := range []string{"spawn", "forkserver"} {
		type answers struct {
			Squares []int  `py:"squares"`
			More    []int  `py:"more"`
			Cause   string `py:"cause"`
			Note    string `py:"note"`
		}
		answer := must(evaluate[answers](in, "embedded:pools", method))
		if !strings.Contains(answer.Cause, "raise ValueError(below)  # the line") {
			fail("%s: %s", method, answer.Cause)
		}
		answer.Cause = ""
		equal(method, answer, answers{Squares: []int{0, 1, 4, 9}, More: []int{0, 1, 4, 9}, Note: "größer"})
	}
	check(in.Shutdown(context.Background()))
})

// The processes of pools import the modules, and leave nothing in the folder for temporary files.
func TestModulesReachWorkers(t *testing.T) {
	folder := t.TempDir()
	passScenario(t, "modules in workers", "TMPDIR="+folder)
	isEmpty(t, folder)
}

func isEmpty(t *testing.T, folder string) {
	t.Helper()
	left, err := os.ReadDir(folder)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

var _ = scenario("modules until killed", func() {
	in := startEmbedded()
	check(run(in, "embedded:source"))
	path := must(evaluate[[]string](in, "embedded:path"))
	fmt.Println(path[0])
	select {}
})

// A killed process leaves nothing behind: the archive goes with it.
func TestModulesLeaveNothingBehind(t *testing.T) {
	folder := t.TempDir()
	command := scenarioCommand("modules until killed", "TMPDIR="+folder)
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	hung := time.AfterFunc(scenarioTimeout, func() { _ = command.Process.Kill() })
	defer hung.Stop()
	archive, err := bufio.NewReader(stdout).ReadString('\n')
	archive = strings.TrimSpace(archive)
	if err != nil || !strings.HasPrefix(archive, fmt.Sprintf("/proc/%d/fd/", command.Process.Pid)) {
		t.Fatalf("got %q and %v", archive, err)
	}
	if _, err := os.Stat(archive); err != nil {
		t.Error(err)
	}
	if err := command.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()
	if _, err := os.Stat(archive); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v", archive, err)
	}
	isEmpty(t, folder)
}

// mapOf makes a file system of names and contents.
func mapOf(files ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for i := 0; i < len(files); i += 2 {
		m[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return m
}

const report = "def who(): return __name__ + ' of Modules'\n"

var _ = scenario("order of modules", func() {
	folder := must(os.MkdirTemp(os.Getenv("TMPDIR"), ""))
	check(os.WriteFile(filepath.Join(folder, "both.py"), []byte("def who(): return 'both of Path'\n"), 0o600))
	in := must(Start(Config{Path: []string{folder}, Modules: mapOf(
		"both.py", report,
		"pip/__init__.py", report, // in every environment
		"space/inner.py", report, // a namespace package
		"space/deep/most.py", report,
		"code/notes.txt", "no package", // hides no module of that name
		".hidden/x-y.py", "", "__pycache__/x-y.py", "", ".#lock.py", "",
	)}))
	for name, want := range map[string]string{
		"both:who": "both of Path", "pip:who": "pip of Modules",
		"space.inner:who": "space.inner of Modules", "space.deep.most:who": "space.deep.most of Modules",
	} {
		equal(name, must(evaluate[string](in, name)), want)
	}
	check(run(in, "code:InteractiveInterpreter"))
	if err := run(in, "hidden:x"); !errors.Is(err, ModuleNotFoundError) {
		fail("%v", err)
	}
})

func TestModulesOrder(t *testing.T) { passScenario(t, "order of modules", "TMPDIR="+t.TempDir()) }

// brokenFS has a file that cannot be read.
type brokenFS struct{ fstest.MapFS }

func (b brokenFS) Open(name string) (fs.File, error) {
	if name == "broken.py" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return b.MapFS.Open(name)
}

func (b brokenFS) ReadFile(name string) ([]byte, error) {
	if name == "broken.py" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return b.MapFS.ReadFile(name)
}

// wrongModules are file systems that Start refuses, and what it says.
func wrongModules() map[string]struct {
	files fs.FS
	says  []string
} {
	folder := must(os.MkdirTemp(os.Getenv("TMPDIR"), ""))
	check(syscall.Mkfifo(filepath.Join(folder, "pipe.py"), 0o600))
	type wrong = struct {
		files fs.FS
		says  []string
	}
	return map[string]wrong{
		"empty":           {mapOf(), []string{"no .py file"}},
		"no sources":      {mapOf("a.txt", ""), []string{"no .py file"}},
		"no folder":       {os.DirFS("/no/such"), []string{"no such file"}},
		"a pipe":          {os.DirFS(folder), []string{"pipe.py", "want a file"}},
		"unreadable":      {brokenFS{mapOf("a.py", "", "broken.py", "")}, []string{"broken.py", "permission denied"}},
		"dash":            {mapOf("my-module.py", ""), []string{"my-module.py", `"my-module"`, "rename"}},
		"dash in package": {mapOf("my-package/__init__.py", ""), []string{"my-package/__init__.py", `"my-package"`}},
		"keyword":         {mapOf("pkg/class.py", ""), []string{"pkg/class.py", `"class"`}},
		"digit":           {mapOf("2d.py", ""), []string{`"2d"`}},
		"dot":             {mapOf("a.b.py", ""), []string{`"a.b"`}},
		"standard":        {mapOf("random.py", ""), []string{"random.py", "Python 3.", "hide", "rename"}},
		"standard folder": {mapOf("json/__init__.py", ""), []string{"json", "hide", "rename"}},
		"numpy":           {mapOf("numpy.py", ""), []string{"numpy", "rename"}},
		"gophersnake":     {mapOf("gophersnake/__init__.py", ""), []string{"gophersnake", "rename"}},
		"embedded whole":  {embeddedFiles, []string{"fs.Sub", `"testdata"`}},
		"not all":         {sub(embeddedWithoutAll, "testdata/modules"), []string{"shapes/area.py", "go:embed all:", "__init__.py"}},
	}
}

var _ = scenario("wrong modules", func() {
	for name, wrong := range wrongModules() {
		_, err := Start(Config{Modules: wrong.files})
		if err == nil || !strings.HasPrefix(err.Error(), "python: Config.Modules: ") {
			fail("%s: %v", name, err)
		}
		for _, part := range wrong.says {
			if !strings.Contains(err.Error(), part) {
				fail("%s: no %q in %v", name, part, err)
			}
		}
	}
	for _, config := range []Config{{Reload: true}, {Reload: true, Modules: embedded()}} {
		if _, err := Start(config); err == nil || !strings.Contains(err.Error(), "Config.Reload: ") {
			fail("%v", err)
		}
	}
	// After all that, a good one starts.
	equal("square", must(evaluate[int](startEmbedded(), "shapes.area:square", 3)), 9)
	equal("archives that are open", len(archives()), 1)
})

// archives returns the files in memory that this process has open.
func archives() (names []string) {
	for _, entry := range must(os.ReadDir("/proc/self/fd")) {
		if name, _ := os.Readlink("/proc/self/fd/" + entry.Name()); strings.Contains(name, "memfd:gophersnake") {
			names = append(names, name)
		}
	}
	return names
}

func TestModulesThatAreWrong(t *testing.T) { passScenario(t, "wrong modules", "TMPDIR="+t.TempDir()) }

// funcFS is a file system that cannot be compared.
type funcFS func(string) (fs.File, error)

func (f funcFS) Open(name string) (fs.File, error) { return f(name) }

var _ = scenario("equal modules", func() {
	files := mapOf("one.py", report, "two.py", report)
	in := must(Start(Config{Modules: funcFS(files.Open)}))
	again := mapOf("two.py", report, "one.py", report)
	again["one.py"].ModTime = time.Now()
	equal("again", must(Start(Config{Modules: again})) == in, true)
	again["one.py"].Data = []byte("changed = 'a secret of the source'")
	for _, other := range []fs.FS{nil, again, os.DirFS(testdata)} {
		_, err := Start(Config{Modules: other})
		if err == nil || !strings.Contains(err.Error(), "Config.Modules are not the same") || strings.Contains(err.Error(), "secret") {
			fail("%v", err)
		}
	}
})

func TestModulesCompare(t *testing.T) { passScenario(t, "equal modules") }

var _ = scenario("modules of a folder", func() {
	folder := must(os.MkdirTemp(os.Getenv("TMPDIR"), ""))
	check(os.WriteFile(filepath.Join(folder, "one.py"), []byte(report), 0o600))
	check(os.Chdir(folder))
	in := must(Start(Config{Modules: os.DirFS(".")}))
	// They are read once: what happens to the folder does not matter any more.
	check(os.RemoveAll(folder))
	check(os.Chdir("/"))
	equal("one", must(evaluate[string](in, "one:who")), "one of Modules")
	equal("again", must(Start(Config{Modules: os.DirFS(folder)})) == in, true)
})

func TestModulesOfFolder(t *testing.T) { passScenario(t, "modules of a folder", "TMPDIR="+t.TempDir()) }
