// Outliers finds the values of a CSV column that are far from its mean. The finding is done by the Python
// function detect in python/outliers.py, which runs inside this process and reads the Go slice itself.
//
// This file is all that a Go program needs for that. The others read, print and plot.
package main

import (
	"context"

	"github.com/gophersnake/gophersnake/go/python"
)

// config says which Python to use and where our modules are. Set it before the first NewOutliers.
var config = python.Config{Path: []string{moduleFolder()}}

// Outliers finds outliers with a Python function. Any number of goroutines may share one.
type Outliers struct {
	Threshold float64 // in standard deviations; NewOutliers sets 2
	detect    *python.Function
}

// NewOutliers starts Python, once per process, and loads a function of one of its modules.
func NewOutliers(module, function string) (*Outliers, error) {
	interpreter, err := python.Start(config)
	if err != nil {
		return nil, err
	}
	detect, err := interpreter.Func(module + ":" + function)
	if err != nil {
		return nil, err
	}
	return &Outliers{Threshold: 2, detect: detect}, nil
}

// Detect returns the indices of the outliers in data. Python sees data itself, not a copy; the indices are ours.
func (o *Outliers) Detect(data []float64) ([]int, error) {
	if len(data) == 0 {
		return nil, nil
	}
	result, err := o.detect.Call(context.Background(), data, python.KW{"threshold": o.Threshold})
	if err != nil {
		return nil, err
	}
	defer result.Close()
	return python.As[[]int](result)
}

// Close lets go of the Python function. A later Detect fails with python.ErrClosed.
func (o *Outliers) Close() error { return o.detect.Close() }
