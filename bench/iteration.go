package main

// #include "iteration.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gophersnake/gophersnake/go/python"
)

// iterated is how many floats there are to iterate over: 0, 1, 2 …
const iterated = 1000

// iterations returns the heats of loops over Python objects, item by item, each against the same loop in C, which holds the
// GIL all the time.
func iterations(in *python.Interpreter) ([]heat, error) {
	generate, err := python.Bind[func(context.Context) (*python.Object, error)](in, module+":generate")
	if err != nil {
		return nil, err
	}
	list, err := python.Bind[func(context.Context) (*python.Object, error)](in, module+":floats")
	if err != nil {
		return nil, err
	}
	generateFloor, err := loadFloor("generate", 0)
	if err != nil {
		return nil, err
	}
	listFloor, err := loadFloor("floats", 0)
	if err != nil {
		return nil, err
	}
	return []heat{
		{
			{name: "item of a generator, C floor", n: iterated, run: generateFloor.iterates},
			{name: "item of a generator, Iter", n: iterated, run: iterates(generate), key: "iter_generator_vs_c"},
		},
		{
			{name: "item of a list, C floor", n: iterated, run: listFloor.iterates},
			{name: "item of a list, Iter", n: iterated, run: iterates(list), key: "iter_list_vs_c"},
		},
	}, nil
}

// iterates iterates over what a function returns, which is called again until there were as many items as wanted.
func iterates(give func(context.Context) (*python.Object, error)) func(int) (time.Duration, error) {
	ctx := context.Background()
	loop := func(left int, sum *float64) (taken int, err error) {
		over, err := give(ctx)
		if err != nil {
			return 0, err
		}
		for x, err := range python.Iter[float64](ctx, over) {
			if err != nil {
				return 0, errors.Join(err, over.Close())
			}
			*sum += x
			if taken++; taken == left {
				break
			}
		}
		return taken, over.Close()
	}
	return func(items int) (time.Duration, error) {
		var sum float64
		start := time.Now()
		for left := items; left > 0; {
			taken, err := loop(left, &sum)
			if err != nil {
				return 0, err
			}
			if taken == 0 {
				return 0, errors.New("wrong answer: want items, got none")
			}
			left -= taken
		}
		return time.Since(start), checkSum(items, sum)
	}
}

// iterates is the same in C.
func (f *floor) iterates(items int) (time.Duration, error) {
	var sum C.double
	ns := C.iteration_run(f.function, C.int64_t(items), &sum)
	if ns < 0 {
		return 0, errors.New("the C floor: an iteration failed")
	}
	return time.Duration(ns), checkSum(items, float64(sum))
}

// checkSum tells whether so many items have this sum.
func checkSum(items int, got float64) error {
	whole, rest := items/iterated, items%iterated
	if want := float64(whole*iterated*(iterated-1)/2 + rest*(rest-1)/2); got != want {
		return fmt.Errorf("wrong answer: want the sum %v, got %v", want, got)
	}
	return nil
}
