package python

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// builtCore is the core that `make build` makes.
var builtCore = filepath.Join(testdata, "..", "..", "..", "target", "release", coreName)

var _ = scenario("core", func() {
	in, err := Start(Config{Core: os.Getenv("CORE")})
	if err != nil {
		fmt.Println(err)
		return
	}
	if n := must(evaluate[int](in, "builtins:len", "four")); n != 4 {
		fail("len is %d", n)
	}
	fmt.Println("works:", in.Environment().CoreSource)
	if file := in.Environment().Core; !filepath.IsAbs(file) || filepath.Base(file) != coreName {
		fail("Environment names the core %q", file)
	}
})

// Each place comes before the next: a core of another version is seen exactly where it is looked for.
func TestSearchOrderOfCore(t *testing.T) {
	other := library(t, coreName, "unsigned snake_abi_version(void) { return 999; }")
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(own)
	if err != nil {
		t.Fatal(err)
	}
	executable := writeFile(t, filepath.Dir(other), "beside", string(program), 0o700)
	relative, err := filepath.Rel(absolute("."), builtCore)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, config, variable string
		beside                 bool   // whether the other core lies beside the executable
		source                 string // what Environment says; "" if the other core is taken
	}{
		{"Config.Core before all", builtCore, other, true, "Config.Core"},
		{"relative Config.Core", relative, other, true, "Config.Core"},
		{"wrong Config.Core", other, builtCore, false, ""},
		{"variable before executable", "", builtCore, true, "GOPHERSNAKE_CORE"},
		{"wrong variable", "", other, false, ""},
		{"beside the executable before build output", "", "", true, ""},
		{"build output", "", "", false, "build output of the module"},
	} {
		t.Run(c.name, func(t *testing.T) {
			command := scenarioCommand("core", "CORE="+c.config, "GOPHERSNAKE_CORE="+c.variable)
			if c.beside {
				command.Path = executable
			}
			stdout := passCommand(t, command)
			want := "ABI version 999"
			if c.source != "" {
				want = "works: " + c.source + "\n"
			}
			if !strings.Contains(stdout, want) {
				t.Errorf("want %q: %s", want, stdout)
			}
		})
	}
	t.Run("never the working directory", func(t *testing.T) {
		command := scenarioCommand("core", "CORE=", "GOPHERSNAKE_CORE=")
		command.Dir = filepath.Dir(other)
		if stdout := passCommand(t, command); stdout != "works: build output of the module\n" {
			t.Error(stdout)
		}
	})
}

// One binary serves every Python: neither the program nor the core is linked with a libpython.
func TestNoLibpythonIsLinked(t *testing.T) {
	for name, file := range map[string]string{"program": builtProgram(t), "core": builtCore} {
		for _, command := range [][]string{{tool(t, "readelf"), "-d", file}, {tool(t, "ldd"), file}} {
			stdout := passCommand(t, exec.Command(command[0], command[1:]...))
			if !strings.Contains(stdout, "libc.so") {
				t.Errorf("%v of the %s shows no libraries at all: %s", command, name, stdout)
			}
			if strings.Contains(stdout, "libpython") {
				t.Errorf("the %s needs libpython: %s", name, stdout)
			}
		}
	}
}

// The same program runs with the environments of all versions.
func TestOneProgramForEveryPython(t *testing.T) {
	program := builtProgram(t)
	for _, env := range []*environment{environmentOfTest(t), otherVersion(t)} {
		command := exec.Command(program, testdata, "start_facts:version")
		command.Env = environ("GOPHERSNAKE_PYTHON=" + env.executable)
		if got, want := passCommand(t, command), env.version.String()+"\n"; got != want {
			t.Errorf("%s: got %q, want %q", env.executable, got, want)
		}
	}
}

// With the build tag gophersnake_embed the program needs no other file, and no folder that it could write to.
func TestEmbeddedCore(t *testing.T) {
	folder := t.TempDir()
	overlay := writeFile(t, folder, "overlay.json",
		fmt.Sprintf(`{"Replace": {%q: %q}}`, absolute(coreName), builtCore), 0o600) // as `go build` would find it beside the package
	program := buildProgram(t, folder, "-tags=gophersnake_embed", "-overlay="+overlay)
	command := exec.Command(program, testdata, "start_facts:maps")
	command.Env = environ("GOPHERSNAKE_CORE", "TMPDIR="+filepath.Join(folder, "missing"))
	if maps := passCommand(t, command); strings.Contains(maps, builtCore) || !strings.Contains(maps, "memfd:gophersnake") {
		t.Errorf("the core that is loaded is not the embedded one: %s", maps)
	}
}

// Where no core was found, the error names each place, and advises what works there.
func TestCoreNotFound(t *testing.T) {
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	places := searchedPlaces("libgophersnake.so: cannot open shared object file")
	for _, place := range []string{"Config.Core", "GOPHERSNAKE_CORE", filepath.Join(filepath.Dir(executable), coreName), filepath.Clean(builtCore), "cannot open shared object file"} {
		if !strings.Contains(places, place) {
			t.Errorf("no %q in: %s", place, places)
		}
	}
	if advice := adviseCore(); !strings.Contains(string(advice), "make -C "+absolute("../..")+" build") {
		t.Error(advice)
	}
}

// programSource is a program of a user: it calls the function of its second argument, prints a string result, and just
// returns from main.
const programSource = `package main

import (
	"context"
	"fmt"
	"os"

	"github.com/gophersnake/gophersnake/go/python"
)

func main() {
	in, err := python.Start(python.Config{Path: os.Args[1:2]})
	if err != nil {
		panic(err)
	}
	f, err := in.Func(os.Args[2])
	if err != nil {
		panic(err)
	}
	object, err := f.Call(context.Background())
	if err != nil {
		panic(err)
	}
	if object.IsNone() {
		return
	}
	text, err := python.As[string](object)
	if err != nil {
		panic(err)
	}
	fmt.Println(text)
}
`

// builtProgram is that program, built once for all tests.
func builtProgram(t testing.TB) string {
	t.Helper()
	program.once.Do(func() {
		folder, err := os.MkdirTemp("", "gophersnake-program")
		if err != nil {
			t.Fatal(err)
		}
		program.folder = folder
		program.path = buildProgram(t, folder)
	})
	if program.path == "" {
		t.Fatal("the program was not built")
	}
	return program.path
}

var program struct {
	once         sync.Once
	folder, path string
}

func buildProgram(t testing.TB, folder string, flags ...string) string {
	t.Helper()
	source := writeFile(t, folder, "program.go", programSource, 0o600)
	path := filepath.Join(folder, "program")
	passCommand(t, exec.Command(tool(t, "go"), append(append([]string{"build", "-o", path}, flags...), source)...))
	return path
}
