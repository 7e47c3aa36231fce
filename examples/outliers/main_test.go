package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// bin is the folder of the built programs, outliers and generate.
var bin string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	// The environment that make sets up, unless the caller has chosen one.
	if os.Getenv("GOPHERSNAKE_PYTHON") == "" {
		if venv, err := filepath.Abs("../../.venv"); err == nil {
			if _, err := os.Stat(venv); err == nil {
				os.Setenv("GOPHERSNAKE_PYTHON", venv)
			}
		}
	}
	var err error
	if bin, err = os.MkdirTemp("", "outliers"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(bin)
	if out, err := exec.Command("go", "build", "-o", bin+"/", ".", "./generate").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// program runs a built program as a user would and returns what it wrote and its exit status.
func program(t *testing.T, stdin, name string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	command := exec.Command(filepath.Join(bin, name), args...)
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(stdin), &out, &errs
	if err := command.Run(); err != nil {
		if command.ProcessState == nil {
			t.Fatal(err)
		}
		status = command.ProcessState.ExitCode()
	}
	return out.String(), errs.String(), status
}

// succeed is program for a run that must succeed and leave standard error empty.
func succeed(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	stdout, stderr, status := program(t, stdin, name, args...)
	if status != 0 || stderr != "" {
		t.Fatalf("%s %q: status %d, stderr:\n%s", name, args, status, stderr)
	}
	return stdout
}

type result struct {
	N         int
	Mean, Std float64
	Indices   []int
}

func decode(t *testing.T, text string) result {
	t.Helper()
	var r result
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if decoder.More() || strings.Count(text, "\n") != 1 {
		t.Fatalf("want one object on one line, got %s", text)
	}
	return r
}

// expected computes in Go what Python must find.
func expected(values []float64, threshold float64) result {
	r := result{N: len(values)}
	for _, x := range values {
		r.Mean += x / float64(len(values))
	}
	for _, x := range values {
		r.Std += (x - r.Mean) * (x - r.Mean) / float64(len(values))
	}
	r.Std = math.Sqrt(r.Std)
	for i, x := range values {
		if math.Abs(x-r.Mean) > threshold*r.Std {
			r.Indices = append(r.Indices, i)
		}
	}
	return r
}

func check(t *testing.T, got, want result) {
	t.Helper()
	near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-12*math.Abs(b) }
	if got.N != want.N || !near(got.Mean, want.Mean) || !near(got.Std, want.Std) || !slices.Equal(got.Indices, want.Indices) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// columnOf reads a column of numbers without the code under test.
func columnOf(t *testing.T, text string, column int) []float64 {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var values []float64
	for _, record := range records[1:] {
		x, err := strconv.ParseFloat(record[column], 64)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, x)
	}
	return values
}

const sunspots = "data/sunspots.csv"

func sunspotsText(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(sunspots)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestJSON(t *testing.T) {
	text := sunspotsText(t)
	for _, threshold := range []float64{2, 2.5, 1, 9} {
		t.Run(fmt.Sprint(threshold), func(t *testing.T) {
			out := succeed(t, "", "outliers", "-json", "-threshold", fmt.Sprint(threshold), sunspots)
			check(t, decode(t, out), expected(columnOf(t, text, 1), threshold))
			if threshold == 9 && !strings.Contains(out, `"indices":[]`) {
				t.Errorf("want an empty list, got %s", out)
			}
			if threshold == 2 && !strings.Contains(out, `"mean":49.752103559870`) {
				t.Errorf("want the mean in full precision, got %s", out)
			}
		})
	}
}

func TestTable(t *testing.T) {
	got := succeed(t, "", "outliers", "-threshold", "2.7", sunspots)
	want := `  row  year  sunspots   distance
  258  1957     190.2  +3.48 std
  259  1958     184.8  +3.34 std
  260  1959     159.0  +2.71 std

sunspots: 3 of 309 values are more than 2.7 standard deviations from the mean (mean 49.7521, std 40.3871)
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTableWithoutOutliers(t *testing.T) {
	got := succeed(t, "x\n5\n5\n", "outliers", "-")
	want := "x: 0 of 2 values are more than 2 standard deviations from the mean (mean 5, std 0)\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestColumnChoice(t *testing.T) {
	const text = "\ufeffday,\"low, °C\",high,note\r\n\"mon\nx\",1,10,a\r\ntue,2, 20 ,b\r\nwed,3,30,\"c \"\"d\"\"\"\r\n"
	for _, test := range []struct {
		column string
		mean   float64
	}{{"", 20}, {"high", 20}, {"low, °C", 2}} {
		got := decode(t, succeed(t, text, "outliers", "-json", "-column", test.column, "-"))
		if got.N != 3 || got.Mean != test.mean {
			t.Errorf("column %q: got %+v, want mean %g of 3", test.column, got, test.mean)
		}
	}
	// A label that would break the table does not.
	got := succeed(t, text, "outliers", "-threshold", "0.1", "-")
	if !strings.Contains(got, "  row    day  high   distance\n    1  mon\ufffdx    10  -1.22 std\n    3    wed    30  +1.22 std\n") {
		t.Errorf("got\n%s", got)
	}
}

func TestEqualValues(t *testing.T) {
	for _, x := range []string{"0", "-0", "0.1", "1e300", "5e-324"} {
		got := decode(t, succeed(t, "x\n"+strings.Repeat(x+"\n", 6), "outliers", "-json", "-threshold", "0.5", "-"))
		want, _ := strconv.ParseFloat(x, 64)
		if got.N != 6 || got.Mean != want || math.Signbit(got.Mean) || got.Std != 0 || len(got.Indices) != 0 {
			t.Errorf("%s: got %+v", x, got)
		}
	}
}

// Numbers that float64 holds but whose standard deviation it does not are an error, not "no outliers".
func TestExtremeValues(t *testing.T) {
	for _, test := range []struct{ cells, want string }{
		{"1e308\n-1e308\n1\n", "the values are too large: their standard deviation overflows float64"},
		{"1e308\n1e308\n1\n", "the values are too large: their standard deviation overflows float64"},
		{"1e200\n0\n1\n", "the values are too large: their standard deviation overflows float64"},
		{"1e-200\n0\n2e-200\n", "the values are too close together: their standard deviation underflows to 0"},
	} {
		stdout, stderr, status := program(t, "x\n"+test.cells, "outliers", "-")
		if want := `outliers: stdin: column "x": ` + test.want + "\n"; stdout != "" || stderr != want || status != 2 {
			t.Errorf("%q: status %d, stdout %q, stderr %q, want %q", test.cells, status, stdout, stderr, want)
		}
	}
}

func TestPlot(t *testing.T) {
	for name, text := range map[string]string{
		"sunspots":   sunspotsText(t),
		"dates":      "date,price ($)\n2024-01-01,1\n2024-01-02,1\n2024-01-03,1.5\n",
		"one value":  "x\n1\n",
		"all equal":  "t,_x\n1,5\n2,5\n",
		"large":      "t,x\n1,1e150\n2,-1e150\n3,2e150\n",
		"formula":    "$t$,$\\frac$\n$a$,1\n$b$,2\n",
		"hard names": "\x00\xff,a\x1bb\n\xff\x00,1\nö,2\n",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "plot ö") // any name will do
			got := succeed(t, text, "outliers", "-plot", path, "-threshold", "0.9", "-")
			if !strings.HasSuffix(got, "plot: "+path+"\n") {
				t.Errorf("stdout does not name the plot:\n%s", got)
			}
			file, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			picture, err := png.DecodeConfig(file)
			if err != nil {
				t.Fatal(err)
			}
			if picture.Width < 1000 || picture.Height < 500 {
				t.Errorf("%d x %d pixels", picture.Width, picture.Height)
			}
		})
	}
}

func TestPlotAndJSON(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plot.png")
	out := succeed(t, "", "outliers", "-json", "-plot", path, sunspots)
	check(t, decode(t, out), expected(columnOf(t, sunspotsText(t), 1), 2))
	if info, err := os.Stat(path); err != nil || info.Size() < 10_000 {
		t.Errorf("plot: %v, %v", info, err)
	}
}

// A large generated file is read, searched and plotted; no progress bar appears where no one looks.
func TestLargeFile(t *testing.T) {
	text := succeed(t, "", "generate", "-n", "700000", "-seed", "7", "-outliers", "0.0001")
	if len(text) < large {
		t.Fatalf("%d bytes are not large", len(text))
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "large.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	want := expected(columnOf(t, text, 1), 5)
	if len(want.Indices) == 0 {
		t.Fatal("the generator made no outliers")
	}
	got := decode(t, succeed(t, "", "outliers", "-json", "-threshold", "5", "-plot", filepath.Join(folder, "p.png"), path))
	if math.Abs(got.Mean-want.Mean) < 1e-9 && math.Abs(got.Std-want.Std) < 1e-9 {
		got.Mean, got.Std = want.Mean, want.Std // the naive sums of the test are off by more than 1e-12
	}
	check(t, got, want)
}

func TestWrongEnvironment(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "no-such-environment")
	stdout, stderr, status := program(t, "", "outliers", "-python", missing, sunspots)
	if status != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "outliers: ") || !strings.Contains(stderr, missing) {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
}

func TestHelp(t *testing.T) {
	if got := succeed(t, "", "outliers", "-help"); got != usage {
		t.Errorf("got %q", got)
	}
}
