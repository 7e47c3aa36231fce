package python

// #include "core.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unsafe"
)

// Errors of this package that are no exceptions. The errors of [Start] stand with [ErrNoPython].
var (
	// ErrClosed: the function, the object or the interpreter was closed.
	ErrClosed = errors.New("python: closed")
	// ErrRetained: Python kept lent memory although [Config].ForbidRetaining is set. The memory stays pinned until
	// Python lets go of it.
	ErrRetained = errors.New("python: lent memory was retained")
	// ErrLimit: a bound of depth or size was passed.
	ErrLimit = errors.New("python: limit passed")
	// ErrInternal: a bug of gophersnake. The message says where.
	ErrInternal = errors.New("python: internal error")
)

// Error is a Python exception. It holds no reference to Python.
//
// errors.Is(err, python.ValueError) tells its class, base classes included; Unwrap returns its __cause__. All texts
// are valid UTF-8 of bounded length; what has no UTF-8 form, such as lone surrogates, is escaped with backslashes.
type Error struct {
	// Type is the name of the class: "ValueError", "module.Class".
	Type string
	// Message is what str() says of the exception.
	Message string
	// Traceback is what Python prints of an uncaught exception, causes and contexts included. A cause has none of its
	// own.
	Traceback string
	// Frames are the places of the traceback, outermost first.
	Frames []Frame
	// Notes are what add_note has added.
	Notes []string

	bases []string
	cause error
	// exception is the exception itself, if a Go function may raise it again. See copyException.
	exception *Object
	// panicked and value say with what a Go function panicked.
	panicked bool
	value    any
}

// Frame is a place in a traceback.
type Frame struct {
	// File is the file, as Python knows it; Function the qualified name of the function.
	File, Function string
	// Line counts from 1; it is 0 if Python does not know it.
	Line int
}

// String returns the place as one line.
func (f Frame) String() string { return fmt.Sprintf("%s:%d in %s", f.File, f.Line, f.Function) }

// Error returns the class and the message, and the place where the exception was raised.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Type)
	if e.Message != "" {
		b.WriteString(": ")
		b.WriteString(e.Message)
	}
	if len(e.Frames) > 0 {
		fmt.Fprintf(&b, " (%v)", e.Frames[len(e.Frames)-1])
	}
	return b.String()
}

// Is tells whether the exception is an instance of a class, for errors.Is.
func (e *Error) Is(target error) bool {
	class, ok := target.(Class)
	if !ok {
		return false
	}
	for _, base := range e.bases {
		if base == string(class) {
			return true
		}
	}
	return false
}

// Unwrap returns the __cause__ of the exception, an *Error, or nil. For an exception that a Go function caused
// (GoError) it returns the error of the Go function.
func (e *Error) Unwrap() error { return e.cause }

// Class is an exception class by its full name, for errors.Is: Class("package.module.Class"). The classes of Python's
// own that programs ask for most are variables of this package.
type Class string

// Error makes a class a target for errors.Is.
func (c Class) Error() string { return "python: " + string(c) }

// Classes of Python's own exceptions.
const (
	BaseException       = Class("builtins.BaseException")
	Exception           = Class("builtins.Exception")
	ArithmeticError     = Class("builtins.ArithmeticError")
	AssertionError      = Class("builtins.AssertionError")
	AttributeError      = Class("builtins.AttributeError")
	FileNotFoundError   = Class("builtins.FileNotFoundError")
	ImportError         = Class("builtins.ImportError")
	IndexError          = Class("builtins.IndexError")
	KeyError            = Class("builtins.KeyError")
	KeyboardInterrupt   = Class("builtins.KeyboardInterrupt")
	LookupError         = Class("builtins.LookupError")
	MemoryError         = Class("builtins.MemoryError")
	ModuleNotFoundError = Class("builtins.ModuleNotFoundError")
	NameError           = Class("builtins.NameError")
	NotImplementedError = Class("builtins.NotImplementedError")
	OSError             = Class("builtins.OSError")
	OverflowError       = Class("builtins.OverflowError")
	PermissionError     = Class("builtins.PermissionError")
	RecursionError      = Class("builtins.RecursionError")
	RuntimeError        = Class("builtins.RuntimeError")
	StopIteration       = Class("builtins.StopIteration")
	SyntaxError         = Class("builtins.SyntaxError")
	SystemExit          = Class("builtins.SystemExit")
	TimeoutError        = Class("builtins.TimeoutError")
	TypeError           = Class("builtins.TypeError")
	UnicodeError        = Class("builtins.UnicodeError")
	ValueError          = Class("builtins.ValueError")
	ZeroDivisionError   = Class("builtins.ZeroDivisionError")
)

// takeError turns an error of the core into one of Go, and ends it. NULL is nil. If a Go function panicked in Python, it
// panics on; so the caller has nothing to give back that is not deferred.
func takeError(e *C.snake_error) error {
	err := copyFailure(e)
	goOn(err)
	return err
}

// errExiting: a Go function that Python called has ended its goroutine.
var errExiting = errors.New("a Go function ended its goroutine")

// goOn panics if a Go function that Python called has panicked, and ends the goroutine if it has ended its own.
func goOn(err error) {
	if err == nil {
		return
	}
	if err == errExiting { //nolint:errorlint // it is never wrapped
		runtime.Goexit()
	}
	if e, ok := err.(*Error); ok && e.panicked { //nolint:errorlint // a cause that panicked was handled by Python
		panic(e.value)
	}
}

// copyFailure is takeError, but leaves it to the caller to go on.
func copyFailure(e *C.snake_error) error {
	if e == nil {
		return nil
	}
	defer C.snake_error_free(e)
	err := copyError(e)
	if e.argument > 0 {
		err = fmt.Errorf("argument %d: %w", e.argument, err)
	}
	return err
}

func copyError(e *C.snake_error) error {
	if e.code == C.SNAKE_ERROR_CODE_PYTHON {
		if e.outcome == C.SNAKE_OUTCOME_EXITED {
			return errExiting
		}
		return copyException(e)
	}
	sentinel := map[C.uint32_t]error{
		C.SNAKE_ERROR_CODE_NOT_STARTED: ErrClosed,
		C.SNAKE_ERROR_CODE_START:       ErrStart,
		C.SNAKE_ERROR_CODE_ENVIRONMENT: ErrWrongLibrary,
		C.SNAKE_ERROR_CODE_NUMPY:       ErrNoNumPy,
		C.SNAKE_ERROR_CODE_CLOSED:      ErrClosed,
		C.SNAKE_ERROR_CODE_LIMIT:       ErrLimit,
	}[e.code]
	if sentinel == nil {
		// A panic, a call that this package must not make, or a time-out that it does not ask for.
		sentinel = ErrInternal
	}
	message := copyText(e.message)
	if end := strings.LastIndexByte(message, '\n'); sentinel == ErrNoNumPy && end >= 0 {
		return &importError{message: message[:end], advice: Advice(message[end+1:]), exception: copyException(e.cause)}
	}
	if e.cause != nil {
		return fmt.Errorf("%w: %s\n%w", sentinel, message, copyException(e.cause))
	}
	return fmt.Errorf("%w: %s", sentinel, message)
}

// importError says why NumPy cannot be imported: what was raised first, and not all that NumPy says about it.
type importError struct {
	message   string
	advice    Advice
	exception *Error
}

func (e *importError) Error() string {
	return fmt.Sprintf("%v %s: %v", ErrNoNumPy, e.message, e.advice)
}

func (e *importError) Unwrap() []error { return []error{ErrNoNumPy, e.advice, e.exception} }

func copyException(e *C.snake_error) *Error {
	exception := &Error{
		Type:      copyText(e.type_name),
		Message:   copyText(e.message),
		Traceback: copyText(e.traceback),
		Notes:     copyTexts(e.notes, e.notes_len),
		bases:     copyTexts(e.bases, e.bases_len),
	}
	for _, frame := range unsafe.Slice(e.frames, e.frames_len) {
		exception.Frames = append(exception.Frames, Frame{copyText(frame.file), copyText(frame.function), int(frame.line)})
	}
	if e.cause != nil {
		exception.cause = copyException(e.cause)
	}
	if e.exception != nil {
		exception.exception = newObject(started.interpreter.lane, unsafe.Pointer(e.exception))
		e.exception = nil
	}
	if e.host != 0 {
		switch value, _ := hosted.value(uint64(e.host)); e.outcome {
		case C.SNAKE_OUTCOME_FAILED:
			exception.joinCause(value.(error))
		case C.SNAKE_OUTCOME_PANICKED:
			exception.panicked, exception.value = true, value.(panicValue).value
		}
	}
	return exception
}

// joinCause makes the error of a Go function what the exception unwraps to, together with its __cause__.
func (e *Error) joinCause(err error) {
	if e.cause != nil {
		var inner *Error
		if errors.As(err, &inner) {
			e.cause = err // it wraps what became the cause
			return
		}
		err = errors.Join(err, e.cause)
	}
	e.cause = err
}

func copyTexts(first *C.snake_text, count C.uint32_t) []string {
	if count == 0 {
		return nil
	}
	texts := make([]string, 0, count)
	for _, text := range unsafe.Slice(first, count) {
		texts = append(texts, copyText(text))
	}
	return texts
}

func copyText(text C.snake_text) string {
	return strings.Clone(unsafe.String((*byte)(text.ptr), text.len))
}

// contextError returns why a context has ended: its error, and its cause if it has one of its own.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == nil || errors.Is(cause, err) {
		return err
	}
	return fmt.Errorf("%w: %w", err, cause)
}
