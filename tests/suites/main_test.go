package main

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if os.Getenv(hostVariable) != "" {
		exitOn(host())
		return
	}
	exitOn(os.Chdir("../..")) // the root of the project
	os.Exit(m.Run())
}

// newSession makes a session with expectations of its own.
func newSession(t *testing.T, expected string) *session {
	t.Helper()
	file := filepath.Join(t.TempDir(), "expected.txt")
	if err := os.WriteFile(file, []byte(expected), 0o600); err != nil {
		t.Fatal(err)
	}
	expectations, err := readExpectations(file, "3.11")
	if err != nil {
		t.Fatal(err)
	}
	environment, err := filepath.Abs(".venv")
	if err != nil {
		t.Fatal(err)
	}
	if configured := os.Getenv("GOPHERSNAKE_PYTHON"); configured != "" {
		environment = configured
	}
	s := &session{
		interrupted: context.Background(), environment: environment, version: "3.11", folder: t.TempDir(), expected: expectations,
		jobs: make(chan func()), patience: 30 * time.Second,
	}
	if err := os.Mkdir(filepath.Join(s.folder, "tmp"), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		go func() {
			for job := range s.jobs {
				job()
			}
		}()
	}
	return s
}

// A test that crashes, hangs, fails or is skipped in the host alone has its name in the report, and those after it are run.
func TestDifferencesAreSeen(t *testing.T) {
	s := newSession(t, `
= it is planted
all planted_suite.Planted.test_8_*
3.12 planted_suite.Planted.*
- it would fail on both sides
all *test_7_left_out
= nothing differs there
all planted_suite.Planted.test_1_same
all? planted_suite.Planted.test_9_*
all other_suite.*
`)
	p := part{"planted", "suite", "unittest", []string{"planted_suite"}, false}
	var c comparison
	s.finish(p, s.begin(p, "", nil, &c.seconds)(), &c)
	got := map[string]string{}
	for _, d := range c.unexpected {
		got[strings.TrimPrefix(d.test, "planted_suite.Planted.test_")] = d.host.what + ", " + d.plain.what
	}
	want := map[string]string{
		"2_crash": "crashed, passed", "3_hang": "hung, passed", "4_fail": "failed, passed", "5_skip": "skipped, passed",
		"6_fail_in_part": "failed, passed",
	}
	if !maps.Equal(got, want) {
		t.Errorf("differences: got %v, want %v", got, want)
	}
	if c.tests != 8 || len(c.differing) != 1 || c.differing[0].reason != "it is planted" {
		t.Errorf("%d tests, as expected differ %v", c.tests, c.differing)
	}
	for whole, want := range map[bool][]int{false: {8}, true: {8, 10}} {
		var lines []int
		for _, entry := range s.expected.unused(whole) {
			lines = append(lines, entry.line)
		}
		if !slices.Equal(lines, want) {
			t.Errorf("entries without a difference: got lines %v, want %v", lines, want)
		}
	}
	if s.report([]comparison{c}, false) {
		t.Error("it is not red")
	}
}

// An expectation that cannot be read is told, with its line.
func TestExpectations(t *testing.T) {
	for text, want := range map[string]string{
		"all some.test":            ":1: want a reason first",
		"= a reason\n\nsome.test":  ":3: want a sign and a reason, or versions and a test",
		"= a reason\nall a.test\n": "",
	} {
		file := filepath.Join(t.TempDir(), "expected.txt")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readExpectations(file, "3.11")
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
