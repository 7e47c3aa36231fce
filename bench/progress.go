package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// progress tells how far the benchmark is: on a terminal in one line that is written anew, else in a line now and then.
type progress struct {
	to       io.Writer
	terminal bool
	phase    string
	done     int
	steps    int
	shown    time.Time
}

func newProgress(to io.Writer) *progress {
	file, ok := to.(*os.File)
	return &progress{to: to, terminal: ok && term.IsTerminal(int(file.Fd()))} //nolint:gosec // a descriptor is small
}

// begin names what happens next and in how many steps.
func (p *progress) begin(phase string, steps int) {
	p.phase, p.done, p.steps, p.shown = phase, 0, steps, time.Time{}
	p.show()
}

// step says that one step is done.
func (p *progress) step() {
	p.done++
	p.show()
}

func (p *progress) show() {
	pause, format := 10*time.Second, "%s: %d %%\n"
	if p.terminal {
		pause, format = 100*time.Millisecond, "\r\x1b[K%s: %d %%"
	}
	if time.Since(p.shown) >= pause {
		fmt.Fprintf(p.to, format, p.phase, 100*p.done/p.steps)
		p.shown = time.Now()
	}
}

// end removes the line.
func (p *progress) end() {
	if p.terminal {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}
