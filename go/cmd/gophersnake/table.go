package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// column is a column of a CSV file: numbers if its first cell that is not empty is one, else texts.
type column struct {
	name    string
	numeric bool
	decided bool
	numbers []float64
	texts   []string
}

func (c *column) value() any {
	if c.numeric {
		return c.numbers
	}
	return c.texts
}

// readTable reads a CSV file: the named column, else the only one of numbers, else all by name.
func readTable(r io.Reader, file, wanted string) (any, error) {
	wrong := func(err error) error { return wrongUsage("-in %s: %w", file, err) }
	buffered := bufio.NewReader(r)
	if start, _ := buffered.Peek(3); bytes.Equal(start, []byte("\xef\xbb\xbf")) { // Read tells the error again
		_, _ = buffered.Discard(len(start))
	}
	table := csv.NewReader(buffered) // it checks that each row has as many cells as the header
	table.ReuseRecord = true
	header, err := table.Read()
	if errors.Is(err, io.EOF) {
		err = errors.New("the file is empty: want a line of column names, then rows")
	}
	if err != nil {
		return nil, wrong(err)
	}
	var columns []*column
	for i, name := range header {
		name = strings.TrimSpace(strings.Clone(name))
		if slices.ContainsFunc(columns, func(c *column) bool { return c.name == name }) {
			return nil, wrong(fmt.Errorf("line 1, column %d: two columns are named %q: rename one", i+1, name))
		}
		if _, err := strconv.ParseFloat(name, 64); err == nil {
			return nil, wrong(fmt.Errorf("line 1, column %d: want a column name, got the number %s: add a line of column names", i+1, name))
		}
		columns = append(columns, &column{name: name})
	}
	chosen := slices.IndexFunc(columns, func(c *column) bool { return c.name == wanted })
	if wanted != "" && chosen < 0 {
		var names []string
		for _, c := range columns {
			names = append(names, c.name)
		}
		return nil, wrong(fmt.Errorf("no column %q: columns are %q", wanted, names))
	}
	for {
		record, err := table.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, wrong(err)
		}
		for i, cell := range record {
			if wanted != "" && i != chosen {
				continue
			}
			if err := columns[i].add(cell); err != nil {
				line, _ := table.FieldPos(i)
				return nil, wrong(fmt.Errorf("line %d, column %q: %w", line, columns[i].name, err))
			}
		}
	}
	if wanted != "" {
		return columns[chosen].value(), nil
	}
	var numeric []*column
	all := map[string]any{}
	for _, c := range columns {
		if c.numeric {
			numeric = append(numeric, c)
		}
		all[c.name] = c.value()
	}
	if len(numeric) == 1 {
		return numeric[0].numbers, nil
	}
	return all, nil
}

func (c *column) add(cell string) error {
	text := strings.TrimSpace(cell)
	number, err := strconv.ParseFloat(text, 64)
	if !c.decided && text != "" {
		c.numeric, c.decided = err == nil, true
	}
	switch {
	case c.numeric && text == "":
		number = math.NaN()
	case c.numeric && err != nil:
		return fmt.Errorf("want a number as in the rows before, got %q", cell)
	}
	// Both while it is not known which it will be.
	if c.numeric || !c.decided {
		if !c.decided {
			number = math.NaN()
		}
		c.numbers = append(c.numbers, number)
	}
	if !c.numeric {
		c.texts = append(c.texts, strings.Clone(cell)) // the row is read into the same memory
	}
	return nil
}
