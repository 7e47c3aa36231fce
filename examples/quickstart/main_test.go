package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestQuickstart(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "quickstart")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	command := exec.Command(binary)
	if os.Getenv("GOPHERSNAKE_PYTHON") == "" {
		command.Env = append(os.Environ(), "GOPHERSNAKE_PYTHON=../../.venv")
	}
	out, err := command.CombinedOutput()
	if err != nil || string(out) != "3.5 <nil>\n" {
		t.Errorf("got %q and %v, want %q", out, err, "3.5 <nil>\n")
	}
}
