package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/gophersnake/gophersnake/go/python"
)

const usage = `usage: outliers [-python ENV] [-column NAME] [-threshold K] [-json] [-plot FILE] FILE.csv

Prints the values of one column that are more than K standard deviations from its mean.
FILE.csv has a header line and commas between the cells; "-" reads standard input. It may be compressed by gzip.

  -column NAME   the column, by its name or its number (#2); default: the last one whose first
                 value is a number
  -threshold K   the distance from the mean, in standard deviations; default 2
  -json          print one object: {"n": …, "mean": …, "std": …, "indices": […]}
  -plot FILE     also draw the series and its outliers, as a PNG
  -python ENV    a virtual environment's folder or a Python executable; default:
                 $GOPHERSNAKE_PYTHON, $VIRTUAL_ENV, .venv beside the program or in the
                 folder above, then python3 on the PATH
  -help          print this

Rows count from 1, without the header; the indices of -json count from 0: index = row - 1.
Labels are the first column's cells, unless that is the column itself. The standard deviation
is that of all the values (divided by n). Numbers are written as for Go's strconv.ParseFloat
(12, -0.5, 1e6), with a decimal point; they may have spaces around them.
Exit status: 0, 2 for wrong usage or input, 1 for other failures.
`

// options are the command line.
type options struct {
	python, column, plot, file string
	threshold                  float64
	json                       bool
}

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is the program: it returns the exit status. All that can be wrong with the input is found before
// Python is started.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	fail := func(status int, err error) int {
		fmt.Fprintf(stderr, "outliers: %s\n", strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; "))
		return status
	}
	opts, err := parseOptions(args)
	if errors.Is(err, flag.ErrHelp) {
		io.WriteString(stdout, usage)
		return 0
	} else if err != nil {
		return fail(2, err)
	}
	if opts.plot != "" {
		if err := checkPlotFile(opts.plot, opts.file); err != nil {
			return fail(2, err)
		}
	}
	series, err := readFile(opts, stdin, stderr)
	if err != nil {
		return fail(2, err)
	}

	config.Python = opts.python
	interpreter, err := python.Start(config)
	if err != nil {
		return fail(1, err)
	}
	defer interpreter.Shutdown(context.Background())
	report, err := analyse(interpreter, series, opts)
	if err != nil {
		var raised *python.Error
		if errors.As(err, &raised) && (raised.Type == "OverflowError" || raised.Type == "ArithmeticError") {
			return fail(2, fmt.Errorf("%s: column %q: %s", name(opts.file), clip(series.name), raised.Message))
		}
		return fail(1, err)
	}
	if opts.plot != "" {
		png, err := report.draw(interpreter)
		if err == nil {
			err = os.WriteFile(opts.plot, png, 0o666)
		}
		if err != nil {
			return fail(1, fmt.Errorf("drawing the plot: %w", err))
		}
	}

	if opts.json {
		err = report.writeJSON(stdout)
	} else {
		err = report.writeTable(stdout)
		if err == nil && opts.plot != "" {
			_, err = fmt.Fprintf(stdout, "plot: %s\n", opts.plot)
		}
	}
	if err != nil {
		return fail(1, fmt.Errorf("writing the result: %w", err))
	}
	return 0
}

func parseOptions(args []string) (options, error) {
	var opts options
	flags := flag.NewFlagSet("outliers", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // an error is one line here, without the usage
	flags.StringVar(&opts.python, "python", "", "")
	flags.StringVar(&opts.column, "column", "", "")
	flags.Float64Var(&opts.threshold, "threshold", 2, "")
	flags.BoolVar(&opts.json, "json", false, "")
	flags.StringVar(&opts.plot, "plot", "", "")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return opts, err
		}
		return opts, fmt.Errorf("%w: see outliers -help", err)
	}
	if flags.NArg() == 0 {
		return opts, errors.New("want a FILE.csv, or - for standard input: see outliers -help")
	} else if flags.NArg() > 1 {
		return opts, fmt.Errorf("want one FILE.csv, found %s: flags go before it: see outliers -help", list(flags.Args()))
	}
	opts.file = flags.Arg(0)
	if !(opts.threshold > 0) || math.IsInf(opts.threshold, 0) {
		return opts, fmt.Errorf("-threshold: want a number above 0, found %g", opts.threshold)
	}
	return opts, nil
}

// readFile reads the series, with a progress bar where someone may be waiting for it.
func readFile(opts options, stdin io.Reader, stderr io.Writer) (*series, error) {
	in := stdin
	if opts.file != "-" {
		file, err := os.Open(opts.file)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	watched := watch(in, stderr)
	defer watched.done()
	return readSeries(watched, name(opts.file), opts.column)
}

// name is how messages call the input.
func name(file string) string {
	if file == "-" {
		return "stdin"
	}
	return file
}

// analyse finds the outliers, in Python.
func analyse(interpreter *python.Interpreter, series *series, opts options) (*report, error) {
	moments, err := python.Bind[func(context.Context, []float64) ([]float64, error)](interpreter, "outliers:moments")
	if err != nil {
		return nil, err
	}
	both, err := moments(context.Background(), series.values)
	if err != nil {
		return nil, err
	}

	outliers, err := NewOutliers("outliers", "detect")
	if err != nil {
		return nil, err
	}
	defer outliers.Close()
	outliers.Threshold = opts.threshold
	indices, err := outliers.Detect(series.values)
	if err != nil {
		return nil, err
	}
	return &report{series: series, threshold: opts.threshold, mean: both[0], std: both[1], indices: indices}, nil
}

// moduleFolder returns the absolute path of our Python modules: as seen from bin/outliers, else beside
// this source file, as for "go run" and tests.
func moduleFolder() string {
	if program, err := os.Executable(); err == nil {
		folder := filepath.Join(filepath.Dir(program), "..", "examples", "outliers", "python")
		if _, err := os.Stat(folder); err == nil {
			return folder
		}
	}
	_, source, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(source), "python")
}
