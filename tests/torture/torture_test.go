package torture

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPrograms runs the short form of each program; `make torture` and `make soak` run the long one.
func TestPrograms(t *testing.T) {
	folder := t.TempDir()
	if said, err := exec.Command("go", "build", "-o", folder+"/", "./...").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	programs, err := os.ReadDir(folder)
	if err != nil || len(programs) < 9 {
		t.Fatal(programs, err)
	}
	for _, program := range programs {
		t.Run(program.Name(), func(t *testing.T) {
			arguments := []string{"-short"}
			if program.Name() == "soak" {
				arguments = []string{"-for", "8s", "-lines", "4"}
			}
			command := exec.Command(filepath.Join(folder, program.Name()), arguments...)
			if python := os.Getenv("GOPHERSNAKE_PYTHON"); python == "" {
				command.Env = append(os.Environ(), "GOPHERSNAKE_PYTHON="+absolute(t, "../../.venv-test"))
			}
			said, err := command.CombinedOutput()
			t.Logf("%s", said)
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// A case that fails, crashes, hangs or starts the program again is red, and so is a name that no case has.
func TestMainIsRed(t *testing.T) {
	for name, want := range map[string]string{
		"fails": "case failed: on purpose", "panics": "panic: on purpose", "crashes": "SIGSEGV", "hangs": "no end within 1s",
		"starts again": "has started the program again", "lives": "want that it dies", "none": "no case of",
	} {
		t.Run(name, func(t *testing.T) {
			executable, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			var said bytes.Buffer
			limit := "5m"
			if name == "hangs" {
				limit = "1s"
			}
			command := exec.Command(executable, "-run", "^"+name+"$", "-limit", limit)
			command.Env = append(os.Environ(), redVariable+"=1")
			command.Stdout, command.Stderr = &said, &said
			var status *exec.ExitError
			if err := command.Run(); !errors.As(err, &status) || !strings.Contains(said.String(), want) {
				t.Errorf("got %v and %s, want %q", err, said.String(), want)
			}
		})
	}
}

const redVariable = "GOPHERSNAKE_TORTURE_RED"

func TestMain(m *testing.M) {
	if os.Getenv(redVariable) == "" {
		os.Exit(m.Run())
	}
	Main(
		Case{Name: "fails", Run: func() string { Fail("on purpose"); return "" }},
		Case{Name: "panics", Run: func() string { panic("on purpose") }},
		Case{Name: "crashes", Run: func() string { var nothing *int; return string(rune(*nothing)) }},
		Case{Name: "hangs", Run: func() string { select {} }},
		Case{Name: "starts again", Run: func() string {
			executable := Must(os.Executable())
			_ = exec.Command(executable).Run()
			return "went on"
		}},
		Case{Name: "lives", Dies: "SIGSEGV", Run: func() string { return "went on" }},
	)
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
