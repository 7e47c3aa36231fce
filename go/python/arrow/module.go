package pyarrow

// #include "capsule.h"
import "C"

import (
	"context"
	_ "embed" // for the Python part
	"fmt"
	"sync"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/gophersnake/gophersnake/go/python"
)

// allocator is for the little that this package allocates itself.
var allocator = memory.NewGoAllocator()

//go:embed gophersnake_arrow.py
var source string

// bootstrap makes a module of the source.
const bootstrap = `
import sys, types
module = types.ModuleType(name, "Python's part of the Go package go/python/arrow.")
exec(compile(source, name + ".py", "exec"), module.__dict__)
module.install(addresses)
sys.modules[name] = module
`

// module is Python's part of this package.
type module struct{ give, take *python.Function }

// loaded is the module of the interpreter of this process.
var loaded struct {
	sync.Mutex
	module *module
}

// load returns the module, which it brings to Python the first time.
func load(ctx context.Context, in *python.Interpreter) (*module, error) {
	loaded.Lock()
	defer loaded.Unlock()
	if loaded.module != nil {
		return loaded.module, nil
	}
	if missing := C.capsule_load(); missing != nil {
		return nil, fmt.Errorf("pyarrow: libpython has no %s", C.GoString(missing))
	}
	address := func(function unsafe.Pointer) uintptr { return uintptr(function) }
	m, err := install(ctx, in, map[string]uintptr{
		"owner":       address(C.capsule_owner),
		"schema":      address(C.capsule_schema),
		"array":       address(C.capsule_array),
		"stream":      address(C.capsule_stream),
		"take_schema": address(C.capsule_take_schema),
		"take_array":  address(C.capsule_take_array),
		"take_stream": address(C.capsule_take_stream),
	})
	if err != nil {
		return nil, fmt.Errorf("pyarrow: %w", err)
	}
	loaded.module = m
	return m, nil
}

func install(ctx context.Context, in *python.Interpreter, addresses map[string]uintptr) (*module, error) {
	const name = "gophersnake_arrow"
	exec, err := in.Func("builtins:exec")
	if err != nil {
		return nil, err
	}
	defer exec.Close()
	done, err := exec.Call(ctx, bootstrap, map[string]any{"name": name, "source": source, "addresses": addresses})
	if err != nil {
		return nil, err
	}
	_ = done.Close()
	give, err := in.Func(name + ":give")
	if err != nil {
		return nil, err
	}
	take, err := in.Func(name + ":take")
	if err != nil {
		return nil, err
	}
	return &module{give, take}, nil
}
