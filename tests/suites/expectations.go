package main

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// expectations are what expected.txt says: which tests may differ, which are not run, and why.
type expectations struct {
	lock    sync.Mutex
	entries []*entry
}

// An entry is a line: the versions of CPython that it holds for, and a test, in which * is anything.
type entry struct {
	line    int
	reason  string
	leftOut bool // not run at all
	// sometimes differ tests whose outcome is a matter of time: it is no mistake that they do not.
	sometimes  bool
	pattern    string
	expression *regexp.Regexp
	seen, used bool
}

// readExpectations reads what holds for a version.
//
//	= REASON                  the tests below may differ, because
//	- REASON                  the tests below are not run, because
//	VERSIONS TEST             VERSIONS is all, or 3.11,3.12; with ? behind it, the test differs sometimes
func readExpectations(file, version string) (*expectations, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	e := &expectations{}
	var heading entry
	lines := bufio.NewScanner(f)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		first, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimSpace(rest)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case rest == "":
			return nil, fmt.Errorf("%s:%d: want a sign and a reason, or versions and a test, got %q", file, number, line)
		case first == "=" || first == "-":
			heading = entry{reason: rest, leftOut: first == "-"}
		case heading.reason == "":
			return nil, fmt.Errorf("%s:%d: want a reason first, got a test", file, number)
		default:
			versions, sometimes := strings.CutSuffix(first, "?")
			if versions != "all" && !slices.Contains(strings.Split(versions, ","), version) {
				continue
			}
			added := heading
			added.line, added.sometimes, added.pattern, added.expression = number, sometimes, rest, glob(rest)
			e.entries = append(e.entries, &added)
		}
	}
	return e, lines.Err()
}

func glob(pattern string) *regexp.Regexp {
	return regexp.MustCompile("(?s)^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$")
}

// leftOut returns the patterns of the tests that are not run.
func (e *expectations) leftOut() []string {
	patterns := []string{}
	for _, entry := range e.entries {
		if entry.leftOut {
			patterns = append(patterns, entry.pattern)
		}
	}
	return patterns
}

func (e *expectations) match(test string, found func(*entry)) (reason string) {
	e.lock.Lock()
	defer e.lock.Unlock()
	for _, entry := range e.entries {
		if !entry.leftOut && entry.expression.MatchString(test) {
			found(entry)
			if reason == "" {
				reason = entry.reason
			}
		}
	}
	return reason
}

// find returns why a test may differ, or "".
func (e *expectations) find(test string) string { return e.match(test, func(*entry) {}) }

// use does so for a test that differs.
func (e *expectations) use(test string) string {
	return e.match(test, func(entry *entry) { entry.used = true })
}

// see notes the tests that were run.
func (e *expectations) see(tests []string) {
	for _, test := range tests {
		e.match(test, func(entry *entry) { entry.seen = true })
	}
}

// unused returns the entries of which no test differed; those of which none was run only if all were.
func (e *expectations) unused(all bool) (unused []*entry) {
	for _, entry := range e.entries {
		if !entry.leftOut && !entry.used && !entry.sometimes && (entry.seen || all) {
			unused = append(unused, entry)
		}
	}
	return unused
}
