package main

// #cgo CFLAGS: -std=gnu11 -Wall -Wextra
// #cgo LDFLAGS: -ldl
// #include <stdlib.h>
// #include "floor.h"
import "C"

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unsafe"
)

// floor is a Python function as a C program would call it.
type floor struct {
	function unsafe.Pointer
	out      []int
}

// openFloor looks up the C API; Python must run.
func openFloor() error {
	if missing := C.floor_open(); missing != nil {
		return fmt.Errorf("the C floor: this Python has not %s", C.GoString(missing))
	}
	return nil
}

// loadFloor loads a function whose results have at most `room` elements.
func loadFloor(name string, room int) (*floor, error) {
	module, function := C.CString(module), C.CString(name)
	defer C.free(unsafe.Pointer(module))
	defer C.free(unsafe.Pointer(function))
	f := &floor{C.floor_load(module, function), make([]int, room+1)}
	if f.function == nil {
		return nil, fmt.Errorf("the C floor: %s cannot be loaded", name)
	}
	return f, nil
}

// How the loop holds the GIL.
const (
	gilHeld  uint32 = C.GIL_HELD
	gilTaken uint32 = C.GIL_TAKEN
	gilFresh uint32 = C.GIL_FRESH
)

// run makes calls with data and compares the last result.
func (f *floor) run(gil uint32, data []float64, calls int, want []int) (time.Duration, error) {
	var length C.int64_t
	clear(f.out)
	ns := C.floor_run(f.function, gil, (*C.double)(unsafe.SliceData(data)), C.int64_t(len(data)), C.int64_t(calls),
		(*C.int64_t)(unsafe.Pointer(unsafe.SliceData(f.out))), C.int64_t(len(f.out)), &length)
	if ns < 0 {
		return 0, errors.New("the C floor: a call failed")
	}
	if got := f.out[:length]; !slices.Equal(got, want) {
		return 0, wrong(got, want)
	}
	return time.Duration(ns), nil
}

// cross makes empty crossings to C that take a pointer.
func cross(data []float64, calls int) time.Duration {
	pointer := (*C.double)(unsafe.SliceData(data))
	start := time.Now()
	for range calls {
		C.floor_cross(pointer)
	}
	return time.Since(start)
}
