package main

// #include <stdlib.h>
// #include "conversion.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unsafe"

	"github.com/gophersnake/gophersnake/go/python"
)

// What is converted.
const (
	convertFloat  uint32 = C.CONVERT_FLOAT
	convertString uint32 = C.CONVERT_STRING
	convertList   uint32 = C.CONVERT_LIST
	convertDict   uint32 = C.CONVERT_DICT
	convertStruct uint32 = C.CONVERT_STRUCT
	convertMatrix uint32 = C.CONVERT_MATRIX
)

const (
	listLength    = 1000
	dictLength    = 100
	matrixRows    = 1000
	matrixColumns = C.CONVERSION_COLUMNS
)

// record is the struct that becomes a dict and is read from one.
type record struct {
	A float64 `py:"a"`
	B float64 `py:"b"`
	C float64 `py:"c"`
	D float64 `py:"d"`
	E float64 `py:"e"`
	F float64 `py:"f"`
	G float64 `py:"g"`
	H float64 `py:"h"`
	I float64 `py:"i"`
	J float64 `py:"j"`
}

// conversions returns the heats of values that a Python function returns as they came, each against the same job in C, and those
// of Bind against what is written by hand without it.
func (c *contestants) conversions(in *python.Interpreter) ([]heat, error) {
	same, err := loadFloor("same", 0)
	if err != nil {
		return nil, err
	}
	var failures []error
	var heats []heat
	add := func(what uint32, name string, n int, text string, run func(int) (time.Duration, error), err error) {
		failures = append(failures, err)
		heats = append(heats, heat{
			{name: name + ", C floor", n: n, run: same.converts(what, c.data[:n], text)},
			{name: name + ", Bind", n: n, run: run},
		})
	}

	number := c.data[0]
	run, err := converts(in, number, number)
	add(convertFloat, "float", 1, "", run, err)

	text := strings.Repeat("gophersnake ", 84)[:1000]
	run, err = converts(in, text, text)
	add(convertString, "str of 1 kB", len(text), text, run, err)

	list := make([]any, listLength)
	for i := range list {
		list[i] = c.data[i]
	}
	run, err = converts(in, list, c.data[:listLength])
	add(convertList, "list of floats", listLength, "", run, err)

	dict, names := make(map[string]float64, dictLength), ""
	for i := range dictLength {
		name := fmt.Sprintf("key %d", i)
		dict[name] = c.data[i]
		names += padded(name)
	}
	run, err = converts(in, dict, dict)
	add(convertDict, "dict of floats", dictLength, names, run, err)

	var fields record
	names = ""
	for i := range reflect.TypeFor[record]().NumField() {
		reflect.ValueOf(&fields).Elem().Field(i).SetFloat(c.data[i])
		names += padded(reflect.TypeFor[record]().Field(i).Tag.Get("py"))
	}
	run, err = converts(in, fields, fields)
	add(convertStruct, "struct of floats", len(names)/C.CONVERSION_NAME, names, run, err)

	const elements = matrixRows * matrixColumns
	matrix := &python.Array[float64]{Data: c.data[:elements], Shape: []int{matrixRows, matrixColumns}}
	run, err = converts(in, python.Matrix(matrix.Data, matrixRows, matrixColumns), matrix)
	add(convertMatrix, "matrix of 10 columns", elements, "", run, err)

	byHand, err := c.findByHand(in)
	failures = append(failures, err)
	heats = append(heats, heat{
		{name: "noop with 3 ints, Call + As", n: usual, run: c.find(byHand, usual, c.three)},
		{name: "noop with 3 ints, Bind by Call + As", n: usual, run: c.find(c.threeBound, usual, c.three), key: "bind_vs_call_as"},
	})
	return heats, errors.Join(failures...)
}

// padded returns a name as C reads it.
func padded(name string) string {
	return name + strings.Repeat("\x00", C.CONVERSION_NAME-len(name))
}

// converts calls a function that returns its argument. As in C, the last answer of a round is compared, after the time is taken.
func converts[A, R any](in *python.Interpreter, argument A, want R) (func(int) (time.Duration, error), error) {
	same, err := python.Bind[func(context.Context, A) (R, error)](in, module+":same")
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	return func(calls int) (time.Duration, error) {
		var got R
		start := time.Now()
		for range calls {
			var err error
			if got, err = same(ctx, argument); err != nil {
				return 0, err
			}
		}
		took := time.Since(start)
		if !reflect.DeepEqual(got, want) {
			return 0, fmt.Errorf("wrong answer: a %T is not what it was", got)
		}
		return took, nil
	}, nil
}

// converts is the same in C.
func (f *floor) converts(what uint32, numbers []float64, text string) func(int) (time.Duration, error) {
	from, got, gotText := []byte(text), make([]float64, len(numbers)), make([]byte, len(text))
	want, wantText := numbers, text
	switch what {
	case convertFloat, convertList, convertMatrix, convertStruct:
		wantText = strings.Repeat("\x00", len(text)) // nothing is written
	case convertString:
		want = make([]float64, len(numbers))
	}
	return func(calls int) (time.Duration, error) {
		clear(got)
		clear(gotText)
		ns := C.conversion_run(f.function, what, (*C.double)(unsafe.SliceData(numbers)), (*C.char)(unsafe.Pointer(unsafe.SliceData(from))),
			C.int64_t(len(numbers)), C.int64_t(calls), (*C.double)(unsafe.SliceData(got)), (*C.char)(unsafe.Pointer(unsafe.SliceData(gotText))))
		if ns < 0 {
			return 0, errors.New("the C floor: a call failed")
		}
		if !reflect.DeepEqual(got, want) || string(gotText) != wantText {
			return 0, errors.New("wrong answer: the value is not what it was")
		}
		return time.Duration(ns), nil
	}
}

// findByHand is what Bind does, written with Call and As.
func (c *contestants) findByHand(in *python.Interpreter) (find, error) {
	three, err := in.Func(module + ":three")
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, data []float64) ([]int, error) {
		result, err := three.Call(ctx, data)
		if err != nil {
			return nil, err
		}
		indices, err := python.As[[]int](result)
		return indices, errors.Join(err, result.Close())
	}, nil
}
