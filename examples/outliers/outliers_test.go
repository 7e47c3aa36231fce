package main

import (
	"errors"
	"slices"
	"testing"

	"github.com/gophersnake/gophersnake/go/python"
)

// The library use that the README quotes, in this process.
func TestOutliers(t *testing.T) {
	outliers, err := NewOutliers("outliers", "detect")
	if err != nil {
		t.Fatal(err)
	}
	data := []float64{1, 2, 1, 2, 1, 2, 50, 1, 2, -60}
	if got, err := outliers.Detect(data); err != nil || !slices.Equal(got, []int{6, 9}) {
		t.Errorf("Detect: got %v, %v", got, err)
	}
	outliers.Threshold = 2.1
	if got, err := outliers.Detect(data); err != nil || !slices.Equal(got, []int{9}) {
		t.Errorf("Detect with threshold 2.1: got %v, %v", got, err)
	}
	if got, err := outliers.Detect(data[:6]); err != nil || len(got) != 0 {
		t.Errorf("Detect without outliers: got %v, %v", got, err)
	}
	for _, empty := range [][]float64{nil, {}} {
		if got, err := outliers.Detect(empty); got != nil || err != nil {
			t.Errorf("Detect(%#v): got %v, %v, want nil, nil", empty, got, err)
		}
	}

	for range 2 {
		if err := outliers.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if got, err := outliers.Detect(data); got != nil || !errors.Is(err, python.ErrClosed) {
		t.Errorf("Detect after Close: got %v, %v, want ErrClosed", got, err)
	}
	if _, err := NewOutliers("no_such_module", "detect"); err == nil {
		t.Error("NewOutliers of no module: want an error")
	}
	if _, err := NewOutliers("outliers", "no_such_function"); err == nil {
		t.Error("NewOutliers of no function: want an error")
	}
}
