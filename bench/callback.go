package main

// #include "callback.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"github.com/gophersnake/gophersnake/go/python"
)

// What is called back.
const (
	callbackNoop  uint32 = C.CALLBACK_NOOP
	callbackFloat uint32 = C.CALLBACK_FLOAT
	callbackArray uint32 = C.CALLBACK_ARRAY
)

// callbacks returns the heats of loops in Python that call a Go function, each against the same loop that calls a function
// in C. The one in C never leaves the GIL, as C functions do that have nothing to wait for; the Go function always runs
// without it.
func (c *contestants) callbacks(in *python.Interpreter) ([]heat, error) {
	repeat, err := loadFloor("repeat", 0)
	if err != nil {
		return nil, err
	}
	repeatWith, err := loadFloor("repeat_with", 0)
	if err != nil {
		return nil, err
	}
	noop, err := callsBackNoop(in)
	if err != nil {
		return nil, err
	}
	number, err := callsBack(in, plusOne, c.data[0], c.data[0]+1)
	if err != nil {
		return nil, err
	}
	array, err := callsBack(in, first, c.data[:usual], c.data[0])
	if err != nil {
		return nil, err
	}
	const floor = ", C function that keeps the GIL"
	return []heat{
		{
			{name: "callback, no-op" + floor, run: repeat.callsBack(callbackNoop, nil, 0)},
			{name: "callback, no-op, Go function", run: noop, key: "callback_noop_vs_c"},
		},
		{
			{name: "callback, float" + floor, n: 1, run: repeatWith.callsBack(callbackFloat, c.data[:1], c.data[0]+1)},
			{name: "callback, float, Go function", n: 1, run: number, key: "callback_float_vs_c"},
		},
		{
			{name: "callback, array" + floor, n: usual, run: repeatWith.callsBack(callbackArray, c.data[:usual], c.data[0])},
			{name: "callback, array, Go function", n: usual, run: array, key: "callback_array_vs_c"},
		},
	}, nil
}

func plusOne(x float64) float64 { return x + 1 }

func first(data []float64) float64 { return data[0] }

// callsBackNoop lets Python call a Go function that counts its calls.
func callsBackNoop(in *python.Interpreter) (func(int) (time.Duration, error), error) {
	repeat, err := python.Bind[func(context.Context, func(), int) error](in, module+":repeat")
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	return func(calls int) (time.Duration, error) {
		made := 0
		noop := func() { made++ }
		start := time.Now()
		for left := calls; left > 0; left -= C.CALLBACK_LOOP {
			if err := repeat(ctx, noop, min(C.CALLBACK_LOOP, left)); err != nil {
				return 0, err
			}
		}
		took := time.Since(start)
		if made != calls {
			return 0, fmt.Errorf("wrong answer: want %d calls, got %d", calls, made)
		}
		return took, nil
	}, nil
}

// callsBack lets Python call a Go function with an argument.
func callsBack[A any](in *python.Interpreter, function func(A) float64, argument A, want float64) (func(int) (time.Duration, error), error) {
	repeat, err := python.Bind[func(context.Context, func(A) float64, A, int) (float64, error)](in, module+":repeat_with")
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	return func(calls int) (time.Duration, error) {
		start := time.Now()
		for left := calls; left > 0; left -= C.CALLBACK_LOOP {
			got, err := repeat(ctx, function, argument, min(C.CALLBACK_LOOP, left))
			if err != nil {
				return 0, err
			}
			if got != want {
				return 0, fmt.Errorf("wrong answer: want %v, got %v", want, got)
			}
		}
		return time.Since(start), nil
	}, nil
}

// callsBack lets the same loops call a function in C.
func (f *floor) callsBack(what uint32, data []float64, want float64) func(int) (time.Duration, error) {
	return func(calls int) (time.Duration, error) {
		var out C.double
		ns := C.callback_run(f.function, what, (*C.double)(unsafe.SliceData(data)), C.int64_t(len(data)), C.int64_t(calls), &out)
		if ns < 0 {
			return 0, errors.New("the C floor: a call failed")
		}
		want := want
		if what == callbackNoop {
			want = float64(calls)
		}
		if got := float64(out); got != want {
			return 0, fmt.Errorf("wrong answer: want %v, got %v", want, got)
		}
		return time.Duration(ns), nil
	}
}
