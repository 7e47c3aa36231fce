// Package python calls Python from Go, in the same process.
//
// [Start] starts Python once per process; [Interpreter.Func] resolves a function; [Function.Call] calls it; [As] converts
// what came back. [Bind] makes a plain Go function of a Python one:
//
//	in, err := python.Start(python.Config{Python: ".venv", Path: []string{"python"}})
//	find, err := python.Bind[func(context.Context, []float64) ([]int, error)](in, "outliers:detect")
//	indices, err := find(ctx, data)
//
// # What you may rely on
//
// Threads: call from any goroutine. At most [Config].MaxConcurrent calls are in Python at a time; the others wait, first come
// first served, until their context ends. OS threads stay bounded. No function returns holding Python's lock.
//
// Start: once. It ignores PYTHON* variables, the working directory and user site-packages, changes no signal handler and
// never exits the process.
//
// Lending: a numeric slice reaches Python without a copy, as a read-only NumPy array over the same memory; [LendMut] makes it
// writable. The memory stays valid as long as any array, view or buffer in Python reaches it. Do not write to it from Go while
// it is lent. An address that Python saved as a number is not covered.
//
// Results: your own copy, never an alias of what you lent.
//
// Types: exact, or an error. Nothing is silently rounded, wrapped, truncated or unmasked.
//
// Errors: every exception is an [*Error] in valid UTF-8, SystemExit included; no exception ends the process.
//
// Limits: arguments nest at most 100 levels; passing a bound is an error.
//
// Exit: [Interpreter.Shutdown] flushes output and runs atexit handlers. What Python prints is written line by line, and is there
// also when main just returns.
package python
