package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// series is one numeric column of a CSV file and the labels of its rows.
type series struct {
	name      string // the column's name
	values    []float64
	labelName string // the name of the label column; "" when rows are labelled by their number
	labels    labels
}

// label returns the label of row i, counted from 0.
func (s *series) label(i int) string {
	if s.labelName == "" {
		return strconv.Itoa(i + 1)
	}
	return s.labels.at(i)
}

// labels is a list of strings in one piece of memory: 8 bytes a string beside its text.
type labels struct {
	text []byte
	ends []int
}

func (l *labels) add(s string) {
	l.text = append(l.text, s...)
	l.ends = append(l.ends, len(l.text))
}

func (l *labels) at(i int) string {
	start := 0
	if i > 0 {
		start = l.ends[i-1]
	}
	return string(l.text[start:l.ends[i]])
}

// readSeries reads one column of a CSV file, which may be compressed by gzip: the named one or, when column is "", the last one
// whose first cell is a number, cells without a value left aside. The labels are the first column's cells, unless that is the column itself.
// Errors name the file, its line, the data row (counted from 1, without the header) and the column.
func readSeries(r io.Reader, file, column string) (*series, error) {
	buffered := bufio.NewReaderSize(r, 1<<16)
	// Peek's own error comes again with the first Read.
	switch start, _ := buffered.Peek(3); {
	case bytes.HasPrefix(start, []byte("\xef\xbb\xbf")):
		buffered.Discard(3)
	case bytes.HasPrefix(start, []byte("\x1f\x8b")):
		unpacked, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, fmt.Errorf("%s: the file is no valid gzip: %w", file, err)
		}
		return readSeries(unpacked, file, column)
	case bytes.HasPrefix(start, []byte("\xff\xfe")), bytes.HasPrefix(start, []byte("\xfe\xff")):
		return nil, fmt.Errorf("%s: the file is UTF-16: save it as UTF-8", file)
	}
	table := csv.NewReader(buffered)
	table.FieldsPerRecord = -1 // checked below, where the error can name the column
	table.ReuseRecord = true

	first, err := table.Read()
	if err == io.EOF {
		return nil, fmt.Errorf("%s: the file is empty: want a header of column names and at least one row", file)
	} else if err != nil {
		return nil, csvError(file, 0, err)
	}
	header := make([]string, len(first))
	for i, cell := range first {
		header[i] = strings.TrimSpace(strings.ToValidUTF8(cell, "\ufffd"))
	}

	chosen := -1
	if column != "" {
		if chosen, err = findColumn(header, column); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	} else if allNumbers(header) {
		return nil, fmt.Errorf("%s:1: want a header of column names, found only numbers (%s): add a header line, or name a column with -column",
			file, list(header))
	}

	s := &series{}
	var firstRow []missingCell // cells without a value that may yet turn out to be in the column which is wanted
	for row := 1; ; row++ {
		record, err := table.Read()
		if err == io.EOF {
			break
		} else if err != nil {
			return nil, csvError(file, row, err)
		}
		line, _ := table.FieldPos(0)
		if len(record) < len(header) {
			return nil, fmt.Errorf("%s:%d: row %d, column %q: the cell is missing: want %d cells as in the header, found %d",
				file, line, row, clip(header[len(record)]), len(header), len(record))
		} else if len(record) > len(header) {
			return nil, fmt.Errorf("%s:%d: row %d, column %d: one cell too many: want %d cells as in the header, found %d",
				file, line, row, len(header)+1, len(header), len(record))
		}
		if row == 1 && column == "" {
			chosen = lastNumber(record)
			for i := chosen + 1; i < len(record); i++ {
				if isMissing(record[i]) {
					at, _ := table.FieldPos(i)
					firstRow = append(firstRow, missingCell{i, at, record[i]})
				}
			}
		} else if i := slices.IndexFunc(firstRow, func(m missingCell) bool { return isNumber(record[m.column]) }); i >= 0 {
			m := firstRow[i]
			_, err := parseNumber(m.cell)
			return nil, fmt.Errorf("%s:%d: row 1, column %q: %w: remove the row, or name another column with -column", file, m.line, clip(columnName(header, m.column)), err)
		}
		firstRow = slices.DeleteFunc(firstRow, func(m missingCell) bool { return !isMissing(record[m.column]) })
		if chosen < 0 && len(firstRow) > 0 {
			continue
		} else if chosen < 0 {
			return nil, fmt.Errorf("%s:%d: row %d: no cell is a number%s: columns are %s", file, line, row, delimiterHint(header), list(header))
		}
		if row == 1 {
			s.name = columnName(header, chosen)
			if chosen != 0 {
				s.labelName = header[0]
				if s.labelName == "" { // as pandas writes its index
					s.labelName = "label"
				}
			}
		}
		value, err := parseNumber(record[chosen])
		if err != nil {
			line, _ := table.FieldPos(chosen)
			return nil, fmt.Errorf("%s:%d: row %d, column %q: %w", file, line, row, clip(s.name), err)
		}
		s.values = append(s.values, value)
		if s.labelName != "" {
			s.labels.add(strings.ToValidUTF8(strings.TrimSpace(record[0]), "\ufffd"))
		}
	}
	if len(firstRow) > 0 && chosen < 0 {
		return nil, fmt.Errorf("%s: no cell is a number%s: columns are %s", file, delimiterHint(header), list(header))
	}
	if len(s.values) == 0 {
		return nil, fmt.Errorf("%s: no rows after the header: want at least one", file)
	}
	return s, nil
}

// parseNumber accepts what strconv.ParseFloat accepts, spaces around it, and nothing that is not finite.
func parseNumber(cell string) (float64, error) {
	text := strings.TrimSpace(cell)
	value, err := strconv.ParseFloat(text, 64)
	switch {
	case text == "":
		return 0, errors.New("want a number, found an empty cell")
	case errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("want a number within ±1.8e308, found %q", clip(text))
	case err != nil:
		return 0, fmt.Errorf("want a number, found %q", clip(text))
	case math.IsNaN(value), math.IsInf(value, 0):
		return 0, fmt.Errorf("want a finite number, found %q", clip(text))
	}
	if value == 0 {
		return 0, nil // not -0, which would print as such
	}
	return value, nil
}

// missingCell is a cell of the first row that has no value.
type missingCell struct {
	column, line int
	cell         string
}

// isMissing tells whether a cell says that there is no value, in the words of R, pandas, SQL and spreadsheets.
func isMissing(cell string) bool {
	switch strings.ToLower(strings.TrimSpace(cell)) {
	case "", "na", "n/a", "#n/a", "null", "none", "nil", "-", "?":
		return true
	}
	return false
}

// findColumn returns the index of a column by its name, or by its number: #2.
func findColumn(header []string, name string) (int, error) {
	i := slices.Index(header, name)
	if i < 0 {
		number, isNumbered := strings.CutPrefix(name, "#")
		if n, err := strconv.Atoi(number); isNumbered && err == nil && n >= 1 && n <= len(header) {
			return n - 1, nil
		}
		return 0, fmt.Errorf("no column %q%s: columns are %s", clip(name), delimiterHint(header), list(header))
	}
	if next := slices.Index(header[i+1:], name); next >= 0 {
		return 0, fmt.Errorf("two columns are named %q: want the number of one: -column '#%d' or -column '#%d'", clip(name), i+1, i+next+2)
	}
	return i, nil
}

// columnName returns the name of a column, with its number where another one has that name too.
func columnName(header []string, i int) string {
	name := header[i]
	if slices.Contains(header[:i], name) || slices.Contains(header[i+1:], name) {
		return fmt.Sprintf("%s (column %d)", name, i+1)
	}
	return name
}

func isNumber(cell string) bool {
	_, err := strconv.ParseFloat(strings.TrimSpace(cell), 64)
	return err == nil || errors.Is(err, strconv.ErrRange)
}

func allNumbers(cells []string) bool {
	return !slices.ContainsFunc(cells, func(cell string) bool { return !isNumber(cell) })
}

// lastNumber returns the index of the last cell that is a number, or -1.
func lastNumber(cells []string) int {
	for i, cell := range slices.Backward(cells) {
		if isNumber(cell) {
			return i
		}
	}
	return -1
}

// csvError turns an error of encoding/csv into one that names the data row; row 0 is the header.
func csvError(file string, row int, err error) error {
	var at *csv.ParseError
	if !errors.As(err, &at) {
		return fmt.Errorf("%s: %w", file, err) // of the file, not of its text
	}
	where := fmt.Sprintf("row %d", row)
	if row == 0 {
		where = "header"
	}
	return fmt.Errorf("%s:%d: %s, character %d of the line: %w: write a quote inside a quoted cell twice", file, at.Line, where, at.Column, at.Err)
}

// delimiterHint explains a header that looks like one cell.
func delimiterHint(header []string) string {
	if len(header) == 1 && strings.ContainsAny(header[0], ";\t|") {
		return " (cells must be separated by commas)"
	}
	return ""
}

// list quotes names for an error message; of a long list, the start.
func list(names []string) string {
	const most = 20
	var quoted []string
	for _, name := range names[:min(len(names), most)] {
		quoted = append(quoted, strconv.Quote(clip(name)))
	}
	if len(names) > most {
		quoted = append(quoted, fmt.Sprintf("and %d more", len(names)-most))
	}
	return strings.Join(quoted, ", ")
}

// clip shortens text for one line of output.
func clip(text string) string {
	const most = 40
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}
