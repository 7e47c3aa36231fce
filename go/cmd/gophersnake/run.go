package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/gophersnake/gophersnake/go/python"
)

// run calls a function and prints the result. All that can be wrong with the command line is found before Python is
// started.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	opts, err := parseOptions("run", args)
	if err != nil {
		return 0, err
	}
	if len(opts.words) == 0 {
		return 0, wrongUsage("want a MODULE:FUNCTION: see gophersnake help")
	}
	name := opts.words[0]
	if module, function, ok := strings.Cut(name, ":"); !ok || module == "" || function == "" {
		return 0, wrongUsage("want MODULE:FUNCTION, such as numpy:median, got %q", name)
	}
	parsed, err := parseArguments(opts.words[1:], opts.list)
	if err != nil {
		return 0, err
	}
	var lead []any
	if opts.file != "" {
		input, err := readInput(opts.file, opts.column, stdin)
		if err != nil {
			return 0, err
		}
		lead = []any{input}
	} else if opts.column != "" {
		return 0, wrongUsage("-column %s: want also -in FILE.csv", opts.column)
	}

	in, err := python.Start(opts.config)
	if err != nil {
		return 0, err
	}
	text, err := call(in, name, lead, parsed, opts.json)
	// Before the result, so that what Python prints is not behind it.
	err = errors.Join(err, in.Shutdown(context.Background()))
	var raised *python.Error
	if errors.As(err, &raised) && !errors.Is(err, errUsage) {
		_, _ = fmt.Fprintln(stderr, strings.TrimRight(raised.Traceback, "\n"))
		if module, _, _ := strings.Cut(name, ":"); errors.Is(err, python.ModuleNotFoundError) && raised.Message == "No module named '"+module+"'" {
			_, _ = fmt.Fprintf(stderr, "gophersnake: %s looks in its own packages and in the folders that -path names; the current directory needs -path .\n",
				in.Executable())
		}
		return 1, nil
	}
	if err != nil {
		return 0, err
	}
	_, err = io.WriteString(stdout, text)
	return 0, err
}

// call calls a function and formats its result.
func call(in *python.Interpreter, name string, lead []any, parsed arguments, asJSON bool) (string, error) {
	ctx := context.Background()
	f, err := in.Func(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	for i, value := range lead {
		if file, ok := value.(npyFile); ok {
			if lead[i], err = file.load(in); err != nil {
				return "", err
			}
		}
	}
	rest, err := parsed.values(in)
	if err != nil {
		return "", err
	}
	object, err := f.Call(ctx, append(lead, rest...)...)
	if err != nil {
		return "", err
	}
	defer object.Close()
	value, err := python.As[any](object)
	if data, ok := value.([]byte); ok {
		// In Go, bytes and an array of uint8 are the same.
		if class, _ := object.Type(); class == "numpy.ndarray" {
			value = &python.Array[uint8]{Data: data, Shape: []int{len(data)}}
		}
	}
	if err == nil {
		var text string
		if text, err = format(value, asJSON); err == nil {
			return text, nil
		}
	}
	if asJSON {
		return "", fmt.Errorf("the result of %s has no JSON form: %w: leave -json away to see its repr()", name, err)
	}
	text, err := object.Repr()
	return text + "\n", err
}

// npyFile is a file in NumPy's own format, which NumPy reads.
type npyFile string

func (file npyFile) load(in *python.Interpreter) (*python.Object, error) {
	load, err := in.Func("numpy:load")
	if err != nil {
		return nil, err
	}
	defer load.Close()
	array, err := load.Call(context.Background(), string(file), python.KW{"allow_pickle": false})
	if err != nil {
		var raised *python.Error
		if errors.As(err, &raised) {
			return nil, wrongUsage("-in %s: %s: %s", string(file), raised.Type, raised.Message)
		}
		return nil, err
	}
	return array, nil
}

// readInput reads the file of -in; NumPy's own format is only looked for.
func readInput(name, column string, stdin io.Reader) (any, error) {
	kind := strings.ToLower(filepath.Ext(name))
	switch {
	case name == "-":
		return readTable(stdin, "stdin", column)
	case kind != ".csv" && kind != ".npy":
		return nil, wrongUsage("-in %s: want a .csv or .npy file, or -", name)
	case kind == ".npy" && column != "":
		return nil, wrongUsage("-column %s: a .npy file has no columns", column)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, wrongUsage("-in: %w", err)
	}
	defer file.Close()
	if kind == ".npy" {
		return npyFile(name), nil
	}
	return readTable(file, name, column)
}
