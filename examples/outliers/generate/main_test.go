package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
)

func generate(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if status := run(args, &stdout, &stderr); status != 0 || stderr.Len() > 0 {
		t.Fatalf("%q: status %d, %s", args, status, stderr.String())
	}
	return stdout.String()
}

func TestGenerate(t *testing.T) {
	text := generate(t, "-n", "10000", "-outliers", "0.02")
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(records) != 10_001 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	far := 0
	for i, record := range records[1:] {
		value, err := strconv.ParseFloat(record[1], 64)
		if err != nil || record[0] != strconv.Itoa(i) {
			t.Fatalf("record %d: %q", i, record)
		}
		if math.Abs(value-100) > 14 {
			far++
		}
	}
	if far < 150 || far > 250 {
		t.Errorf("%d of 10000 rows are far off, want about 200", far)
	}

	if generate(t, "-n", "10000", "-outliers", "0.02") != text {
		t.Error("the same flags wrote other bytes")
	}
	if generate(t, "-n", "10000", "-outliers", "0.02", "-seed", "2") == text {
		t.Error("another seed wrote the same bytes")
	}
	if got := generate(t, "-n", "0"); got != "t,value\n" {
		t.Errorf("-n 0: %q", got)
	}
}

func TestBadFlags(t *testing.T) {
	for _, args := range [][]string{{"-n", "-1"}, {"-n", "x"}, {"-outliers", "2"}, {"-outliers", "NaN"}, {"more"}} {
		var stdout, stderr bytes.Buffer
		if status := run(args, &stdout, &stderr); status != 2 || stdout.Len() > 0 || stderr.Len() == 0 {
			t.Errorf("%q: status %d, stdout %q, stderr %q", args, status, stdout.String(), stderr.String())
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestFullDisk(t *testing.T) {
	var stderr bytes.Buffer
	if status := run([]string{"-n", "100000"}, full{}, &stderr); status != 1 || stderr.String() != "generate: no space left\n" {
		t.Errorf("status %d, %q", status, stderr.String())
	}
}
