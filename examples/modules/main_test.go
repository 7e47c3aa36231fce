package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestModules(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "modules")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	folder, err := filepath.Abs("python")
	if err != nil {
		t.Fatal(err)
	}
	environment, err := filepath.Abs("../../.venv")
	if err != nil {
		t.Fatal(err)
	}
	for _, arguments := range [][]string{nil, {"-dev", folder}} {
		command := exec.Command(binary, arguments...)
		command.Dir = t.TempDir() // nothing comes from the working directory
		if os.Getenv("GOPHERSNAKE_PYTHON") == "" {
			command.Env = append(os.Environ(), "GOPHERSNAKE_PYTHON="+environment)
		}
		out, err := command.CombinedOutput()
		if err != nil || string(out) != "3 words\n" {
			t.Errorf("%q: got %q and %v, want %q", arguments, out, err, "3 words\n")
		}
	}
}
