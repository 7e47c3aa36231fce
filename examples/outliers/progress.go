package main

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

const large = 8 << 20 // bytes; less is read before a bar could be looked at

// watched is a reader that shows how far it is.
type watched struct {
	io.Reader
	total int64 // -1: not known
	read  int64
	bar   *progressbar.ProgressBar // nil where nobody looks
	to    io.Writer
}

// watch returns a reader of in. While much is read a progress bar stands on stderr, if that is a terminal.
func watch(in io.Reader, stderr io.Writer) *watched {
	w := &watched{Reader: in, total: -1, to: stderr}
	if file, ok := in.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			w.total = info.Size()
		}
	}
	if terminal, ok := stderr.(*os.File); ok && term.IsTerminal(int(terminal.Fd())) {
		w.bar = progressbar.NewOptions64(w.total,
			progressbar.OptionSetWriter(w),
			progressbar.OptionSetDescription("reading"),
			progressbar.OptionSetWidth(20),
			progressbar.OptionShowCount(),
			progressbar.OptionShowBytes(true),
			progressbar.OptionUseIECUnits(true),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetSpinnerChangeInterval(0), // no goroutine that draws after done
		)
	}
	return w
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.read += int64(n)
	if w.bar != nil {
		w.bar.Add(n) // its error says only that the file is empty or has grown
	}
	return n, err
}

// Write is where the bar draws itself: it is seen once the input is known to be large, as a pipe is only
// when much of it has been read.
func (w *watched) Write(p []byte) (int, error) {
	if w.total > large || w.read > large {
		return w.to.Write(p)
	}
	return len(p), nil
}

// done removes the bar.
func (w *watched) done() {
	if w.bar != nil {
		w.bar.Exit()
		w.bar.Clear()
	}
}
