package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
)

// report is what was found in a series.
type report struct {
	series    *series
	threshold float64
	mean, std float64
	indices   []int // of the outliers, ascending, from 0
}

// summary is one line that says what was found, without the file's name.
func (r *report) summary() string {
	verb := "values are"
	if len(r.indices) == 1 {
		verb = "value is"
	}
	return fmt.Sprintf("%s: %d of %d %s more than %g standard deviations from the mean",
		cell(r.series.name), len(r.indices), len(r.series.values), verb, r.threshold)
}

// writeJSON writes one object on one line. encoding/json writes each number so that it reads back exactly.
func (r *report) writeJSON(w io.Writer) error {
	indices := r.indices
	if indices == nil {
		indices = []int{} // [] rather than null
	}
	return json.NewEncoder(w).Encode(struct {
		N       int     `json:"n"`
		Mean    float64 `json:"mean"`
		Std     float64 `json:"std"`
		Indices []int   `json:"indices"`
	}{len(r.series.values), r.mean, r.std, indices})
}

// writeTable writes a row for each outlier, aligned to the right, and the summary.
func (r *report) writeTable(w io.Writer) error {
	if len(r.indices) > 0 {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		labelName := ""
		if r.series.labelName != "" {
			labelName = cell(r.series.labelName) + "\t"
		}
		fmt.Fprintf(table, "row\t%s%s\tdistance\t\n", labelName, cell(r.series.name))
		format := sameDecimals(r.series.values, r.indices)
		for _, i := range r.indices {
			label := ""
			if labelName != "" {
				label = cell(r.series.label(i)) + "\t"
			}
			value := r.series.values[i]
			fmt.Fprintf(table, "%d\t%s%s\t%+.2f std\t\n", i+1, label, format(value), (value-r.mean)/r.std)
		}
		if err := table.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	_, err := fmt.Fprintf(w, "%s (mean %.6g, std %.6g)\n", r.summary(), r.mean, r.std)
	return err
}

// sameDecimals returns how to write the chosen values: exactly, and with as many decimals as the one that
// has most, so that their points stand below each other. Values that would get long are written shortest.
func sameDecimals(values []float64, chosen []int) func(float64) string {
	decimals := 0
	for _, i := range chosen {
		text := strconv.FormatFloat(values[i], 'f', -1, 64)
		if len(text) > 16 {
			return func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
		}
		if _, fraction, found := strings.Cut(text, "."); found {
			decimals = max(decimals, len(fraction))
		}
	}
	return func(x float64) string { return strconv.FormatFloat(x, 'f', decimals, 64) }
}

// cell makes text fit for a table: short, and without characters that would break it or drive a terminal.
func cell(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return '\ufffd'
	}, clip(text))
}
