package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// What stands on a terminal while a file is read: a bar for a large file, nothing for a small one.
func TestProgress(t *testing.T) {
	big := "x\n" + strings.Repeat("123456.5\n", large/8)
	path := filepath.Join(t.TempDir(), "big.csv")
	if err := os.WriteFile(path, []byte(big), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, file string
		stdin      io.Reader
		want       []string
	}{
		{"large file", path, nil, []string{"reading", "100%", "MiB"}},
		{"large pipe", "-", io.MultiReader(strings.NewReader(big), pause{}, strings.NewReader("1\n")), []string{"reading", "MiB"}},
		{"small pipe", "-", io.MultiReader(strings.NewReader("x\n1\n"), pause{}, strings.NewReader("1\n")), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			shown := onTerminal(t, func(stderr *os.File) {
				if _, err := readFile(options{file: test.file}, test.stdin, stderr); err != nil {
					t.Error(err)
				}
			})
			for _, want := range test.want {
				if !strings.Contains(shown, want) {
					t.Errorf("want %q, got %q", want, shown)
				}
			}
			if test.want == nil && shown != "" {
				t.Errorf("want nothing, got %q", shown)
			}
			// The last thing on the line is its removal.
			if _, last, _ := cutLast(strings.TrimRight(shown, "\r"), "\r"); strings.TrimSpace(last) != "" {
				t.Errorf("%q is left on the terminal", last)
			}
		})
	}

	var notTerminal bytes.Buffer
	if _, err := readFile(options{file: path}, nil, &notTerminal); err != nil || notTerminal.Len() > 0 {
		t.Errorf("not a terminal: %v, %q", err, notTerminal.String())
	}
}

// pause is a reader of nothing that takes longer than the bar waits between two drawings.
type pause struct{}

func (pause) Read([]byte) (int, error) {
	time.Sleep(200 * time.Millisecond)
	return 0, io.EOF
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+len(sep):], true
}

// onTerminal returns what f writes to a terminal.
func onTerminal(t *testing.T, f func(terminal *os.File)) string {
	t.Helper()
	screen, terminal, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	if err := pty.Setsize(screen, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	var shown bytes.Buffer
	copied := make(chan struct{})
	go func() {
		io.Copy(&shown, screen) // ends with an error when the terminal is closed
		close(copied)
	}()
	f(terminal)
	terminal.Close()
	<-copied
	return shown.String()
}
