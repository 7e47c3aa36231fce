package main

import (
	"time"

	"github.com/gophersnake/gophersnake/go/python"
)

// hog is a Python thread that runs bytecode all the time. Who wants the GIL meanwhile gets it after the switch interval.
type hog struct {
	start func(interval float64) error
	stop  func() error
}

func newHog(in *python.Interpreter) (*hog, error) {
	start, err := python.Bind[func(float64) error](in, "hog:start")
	if err != nil {
		return nil, err
	}
	stop, err := python.Bind[func() error](in, "hog:stop")
	return &hog{start, stop}, err
}

// beside runs something beside a hog.
func (h *hog) beside(interval time.Duration, run func() error) error {
	if err := h.start(interval.Seconds()); err != nil {
		return err
	}
	if err := run(); err != nil {
		return err
	}
	return h.stop()
}
