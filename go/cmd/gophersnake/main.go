// Gophersnake tells whether a Python environment is fit for programs that use package python, and calls Python
// functions from the shell.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"

	"github.com/gophersnake/gophersnake/go/python"
)

const usage = `usage: gophersnake doctor [-python ENV] [-path DIR]... [-json] [MODULE]...
       gophersnake run [-python ENV] [-path DIR]... [-in FILE [-column NAME]] [-list] [-json]
                       MODULE:FUNCTION [ARGUMENT | NAME=ARGUMENT]...

doctor says which Python, libpython and core a Go program gets, and why; whether NumPy and the
modules import; whether libraries handle signals; how long each step takes; which limits hold; and
what is wrong, with what mends it.

run calls a function and prints its result.

  -python ENV    a virtual environment's folder or a Python executable; default:
                 $GOPHERSNAKE_PYTHON, $VIRTUAL_ENV, .venv beside the program or in the
                 folder above, then python3 on the PATH
  -path DIR      look for modules in DIR first; the current directory only counts with -path .
  -json          print one line of JSON
  -in FILE       the first argument is what FILE holds:
                   .npy  the array
                   .csv  the only column of numbers, as an array; of several columns, a dict of arrays
                         and lists by name. The first line has the names, an empty cell is NaN.
                         "-" is a CSV from standard input.
  -column NAME   take this column of the CSV file
  -list          pass numbers in brackets as lists, not as arrays

An ARGUMENT is JSON: 2, '"text"', null, '{"a": [1, 2]}'. Numbers in brackets, [1, 2.5] or [[1, 2], [3, 4]], are
NumPy arrays of int64 or float64.

The result is printed as JSON; an array has one line for each value or row, unless with -json. What JSON lacks is
written as text: "NaN", "2026-01-31T12:00:00Z", "1m30s", bytes as base64. Without -json, an object that has
no JSON form is printed as its repr().

Exit status: 0, 1 when something is wrong or the function failed, 2 for wrong usage or input.
`

// options are the command line.
type options struct {
	config       python.Config
	json, list   bool
	file, column string
	words        []string // what is no flag
}

// errUsage marks what is wrong with the command line or the input.
var errUsage = errors.New("")

func main() { os.Exit(command(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// command is the program: it returns the exit status.
func command(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	status, err := 0, error(nil)
	name := ""
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	switch name {
	case "doctor":
		status, err = doctor(args, stdout, stderr)
	case "run":
		status, err = run(args, stdin, stdout, stderr)
	case "help", "-h", "-help", "--help":
		err = flag.ErrHelp
	case "":
		err = wrongUsage("want a command, doctor or run: see gophersnake help")
	default:
		err = wrongUsage("want the command doctor or run, got %q: see gophersnake help", name)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = io.WriteString(stdout, usage)
		return 0
	case err != nil:
		_, _ = fmt.Fprintf(stderr, "gophersnake: %v\n", err)
		if errors.Is(err, errUsage) {
			return 2
		}
		return 1
	}
	return status
}

func wrongUsage(format string, arguments ...any) error {
	return fmt.Errorf("%w"+format, append([]any{errUsage}, arguments...)...)
}

// parseOptions takes flags before and after the other words, and ends them at "--". A negative number is no flag.
func parseOptions(name string, args []string) (options, error) {
	var opts options
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // an error is one line here, without the usage
	flags.StringVar(&opts.config.Python, "python", "", "")
	flags.BoolVar(&opts.json, "json", false, "")
	flags.Func("path", "", func(folder string) error {
		info, err := os.Stat(folder)
		if err == nil && !info.IsDir() {
			err = errors.New("want a folder")
		}
		opts.config.Path = append(opts.config.Path, folder)
		return err
	})
	if name == "run" {
		flags.StringVar(&opts.file, "in", "", "")
		flags.StringVar(&opts.column, "column", "", "")
		flags.BoolVar(&opts.list, "list", false, "")
	}
	for len(args) > 0 {
		if args[0] == "--" {
			opts.words = append(opts.words, args[1:]...)
			break
		}
		if args[0] == "-" || !flagLike.MatchString(args[0]) {
			opts.words, args = append(opts.words, args[0]), args[1:]
			continue
		}
		// One flag at a time, so that the words after it are looked at here.
		count := 1
		known := flags.Lookup(flagLike.FindStringSubmatch(args[0])[1])
		if known != nil && !hasValue.MatchString(args[0]) && !isBool(known) {
			count = 2
		}
		if err := flags.Parse(args[:min(count, len(args))]); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return opts, err
			}
			return opts, wrongUsage("%v: see gophersnake help", err)
		}
		args = args[min(count, len(args)):]
	}
	return opts, nil
}

var (
	flagLike = regexp.MustCompile(`^--?([A-Za-z][^=]*)`)
	hasValue = regexp.MustCompile(`=`)
)

func isBool(f *flag.Flag) bool {
	value, ok := f.Value.(interface{ IsBoolFlag() bool })
	return ok && value.IsBoolFlag()
}
