package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/gophersnake/gophersnake/go/python"
)

// checkPlotFile finds out, before any work is done, whether the plot can be written, and that it would not
// replace the input.
func checkPlotFile(plot, input string) error {
	before, err := os.Stat(plot)
	if err == nil {
		if in, err := os.Stat(input); err == nil && os.SameFile(before, in) {
			return fmt.Errorf("-plot: %s is the input: want another file", plot)
		}
	}
	isNew := errors.Is(err, os.ErrNotExist)
	file, err := os.OpenFile(plot, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return fmt.Errorf("-plot: %w", err)
	}
	file.Close()
	if isNew {
		os.Remove(plot)
	}
	return nil
}

// draw returns the picture of the series as a PNG, made by matplotlib in this process.
func (r *report) draw(interpreter *python.Interpreter) ([]byte, error) {
	plot, err := interpreter.Func("outliers_plot:plot")
	if err != nil {
		return nil, err
	}
	defer plot.Close()

	x, xName, ticks := r.series.xAxis()
	names := make([]string, len(r.indices))
	for i, index := range r.indices {
		names[i] = cell(r.series.label(index))
	}
	png, err := plot.Call(context.Background(), x, r.series.values, r.indices, names, python.KW{
		"mean":      r.mean,
		"std":       r.std,
		"threshold": r.threshold,
		"title":     r.summary(),
		"x_name":    xName,
		"y_name":    cell(r.series.name),
		"ticks":     ticks,
	})
	if err != nil {
		return nil, err
	}
	defer png.Close()
	return python.As[[]byte](png)
}

// xAxis returns where on the x axis the values stand: at their labels when those are ascending numbers,
// such as years; else at their row numbers, with the labels as the names of the ticks.
func (s *series) xAxis() (x []float64, name string, ticks []string) {
	const mostTicks = 100_000 // rows beyond which the axis shows row numbers
	x = make([]float64, len(s.values))
	numeric := s.labelName != ""
	for i := 0; numeric && i < len(x); i++ {
		var err error
		x[i], err = parseNumber(s.labels.at(i))
		numeric = err == nil && (i == 0 || x[i] > x[i-1])
	}
	if numeric {
		return x, cell(s.labelName), nil
	}
	for i := range x {
		x[i] = float64(i + 1)
	}
	if s.labelName == "" || len(x) > mostTicks {
		return x, "row", nil
	}
	for i := range x {
		ticks = append(ticks, cell(s.label(i)))
	}
	return x, cell(s.labelName), ticks
}
