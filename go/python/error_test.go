package python

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// exception runs Python statements and returns the exception that they raise.
func exception(t *testing.T, in *Interpreter, statements string) *Error {
	t.Helper()
	err := run(in, "fixtures:execute", statements)
	var exception *Error
	if !errors.As(err, &exception) {
		t.Errorf("%s: got %v, want an exception", statements, err)
		return &Error{}
	}
	return exception
}

func TestExceptions(t *testing.T) {
	in := interpreter(t)
	long := strings.Repeat("x", 100)
	for _, row := range []struct {
		statements    string
		class         string
		message       string // what the message contains
		is            []Class
		isNot         []Class
		boundedLength bool
	}{
		{statements: "raise ValueError('plain')", class: "ValueError", message: "plain", is: []Class{ValueError, Exception, BaseException}, isNot: []Class{TypeError, "ValueError"}},
		{statements: "raise ValueError", class: "ValueError", is: []Class{ValueError}},
		{statements: "{}['k']", class: "KeyError", message: "'k'", is: []Class{KeyError, LookupError}, isNot: []Class{IndexError}},
		{statements: "[][0]", class: "IndexError", message: "out of range", is: []Class{IndexError, LookupError}},
		{statements: "1 / 0", class: "ZeroDivisionError", message: "division by zero", is: []Class{ZeroDivisionError, ArithmeticError}},
		{statements: "math.exp(1000)", class: "OverflowError", message: "range", is: []Class{OverflowError, ArithmeticError}},
		{statements: "open('/no/such/file')", class: "FileNotFoundError", message: "/no/such/file", is: []Class{FileNotFoundError, OSError}},
		{statements: "import no_such", class: "ModuleNotFoundError", message: "no_such", is: []Class{ModuleNotFoundError, ImportError}},
		{statements: "no_such", class: "NameError", message: "no_such", is: []Class{NameError}},
		{statements: "None.x", class: "AttributeError", message: "NoneType", is: []Class{AttributeError}},
		{statements: "assert False, 'no'", class: "AssertionError", message: "no", is: []Class{AssertionError}},
		{statements: "raise TimeoutError('late')", class: "TimeoutError", message: "late", is: []Class{TimeoutError, OSError}},
		{statements: "raise PermissionError(1, 'denied')", class: "PermissionError", message: "denied", is: []Class{PermissionError}},
		{statements: "raise NotImplementedError", class: "NotImplementedError", is: []Class{NotImplementedError, RuntimeError}},
		{statements: "b'\\xff'.decode()", class: "UnicodeDecodeError", message: "0xff", is: []Class{UnicodeError, ValueError}},
		{statements: "1 +", class: "SyntaxError", message: "invalid syntax", is: []Class{SyntaxError}},
		{statements: "raise StopIteration(5)", class: "StopIteration", message: "5", is: []Class{StopIteration}},
		{statements: "next(iter(()))", class: "StopIteration", is: []Class{StopIteration}},
		{statements: "list(generator(None))", class: "TypeError", message: "NoneType", is: []Class{TypeError}},
		{statements: "raise GeneratorExit", class: "GeneratorExit", is: []Class{"builtins.GeneratorExit", BaseException}, isNot: []Class{Exception}},
		// What would end a process.
		{statements: "sys.exit(3)", class: "SystemExit", message: "3", is: []Class{SystemExit, BaseException}, isNot: []Class{Exception}},
		{statements: "sys.exit('bye')", class: "SystemExit", message: "bye", is: []Class{SystemExit}},
		{statements: "raise SystemExit", class: "SystemExit", is: []Class{SystemExit}},
		{statements: "raise KeyboardInterrupt", class: "KeyboardInterrupt", is: []Class{KeyboardInterrupt}, isNot: []Class{Exception}},
		{statements: "endless()", class: "RecursionError", message: "recursion", is: []Class{RecursionError, RuntimeError}},
		{statements: "np.empty(2**57)", class: "numpy._core._exceptions._ArrayMemoryError", message: "allocate", is: []Class{MemoryError}},
		{statements: "b'x' * 2**62", class: "MemoryError", is: []Class{MemoryError}},
		// Classes of the user.
		{statements: "raise Broken('mine')", class: "fixtures.Broken", message: "mine", is: []Class{"fixtures.Broken", ValueError, Exception}, isNot: []Class{"Broken"}},
		{statements: "raise Broken.Inner('mine')", class: "fixtures.Broken.Inner", message: "mine", is: []Class{"fixtures.Broken.Inner", KeyError}, isNot: []Class{"fixtures.Broken", ValueError}},
		{statements: "group()", class: "ExceptionGroup", message: "several (2 sub-exceptions)", is: []Class{"builtins.ExceptionGroup", Exception}, isNot: []Class{ValueError}},
		{statements: "raise BaseExceptionGroup('g', [SystemExit()])", class: "BaseExceptionGroup", message: "g (1", is: []Class{BaseException}, isNot: []Class{Exception}},
		// Texts.
		{statements: "raise ValueError('a\\0b')", class: "ValueError", message: "a\x00b"},
		{statements: "raise ValueError('\\ud800 \\udfff')", class: "ValueError", message: `\ud800 \udfff`},
		{statements: "raise ValueError('h\\xe9 \\U0001f40d')", class: "ValueError", message: "hé 🐍"},
		{statements: "raise ValueError('x' * 10_000_000)", class: "ValueError", message: long, boundedLength: true},
		{statements: "raise ValueError('\\U0001f40d' * 10_000_000)", class: "ValueError", message: "🐍🐍", boundedLength: true},
		{statements: "raise ValueError('\\ud800' * 10_000_000)", class: "ValueError", message: `\ud800\ud800`, boundedLength: true},
		{statements: "raise type('C' * 10_000_000, (ValueError,), {})('x')", class: strings.Repeat("C", 100), message: "x", is: []Class{ValueError}, boundedLength: true},
		// What fails while it is described.
		{statements: "raise Unprintable(ZeroDivisionError())", class: "fixtures.Unprintable", message: "__str__ raised ZeroDivisionError", is: []Class{ValueError}},
		{statements: "raise Unprintable(SystemExit(3))", class: "fixtures.Unprintable", message: "__str__ raised SystemExit", is: []Class{ValueError}},
		{statements: "raise Unprintable(KeyboardInterrupt())", class: "fixtures.Unprintable", message: "__str__ raised KeyboardInterrupt", is: []Class{ValueError}},
		{statements: "raise Unprintable(Unprintable(ValueError()))", class: "fixtures.Unprintable", message: "__str__ raised fixtures.Unprintable", is: []Class{ValueError}},
		{statements: "raise NoText", class: "fixtures.NoText", message: "__str__ raised TypeError", is: []Class{ValueError}},
		{statements: "raise Endless", class: "fixtures.Endless", message: "__str__ raised RecursionError", is: []Class{ValueError}},
		{statements: "raise SubclassedText", class: "fixtures.SubclassedText", is: []Class{ValueError}},
		{statements: "raise named(__module__=5)('m')", class: "Named", message: "m", is: []Class{ValueError}},
		{statements: "raise named(__module__=Unprintable(SystemExit()))('m')", class: "Named", message: "m", is: []Class{ValueError}},
		{statements: "raise named(__module__='\\ud800')('m')", class: `\ud800.Named`, message: "m", is: []Class{ValueError}},
		{statements: "raise named(__qualname__='a\\0b')('m')", class: "a\x00b", message: "m", is: []Class{ValueError}},
		{statements: "raise failing_class('__module__')('m')", class: "Hostile", message: "m", is: []Class{ValueError}},
		{statements: "raise failing_class('__name__')('m')", class: "Hostile", message: "m", is: []Class{ValueError}},
		{statements: "raise failing_class('__mro__')('m')", class: "Hostile", message: "m", is: []Class{ValueError}},
		{statements: "raise failing_class('__module__')('x' * 10_000_000)", class: "Hostile", message: long, boundedLength: true},
		{statements: "raise failing('__notes__')('m')", class: "Hostile", message: "m", is: []Class{ValueError}},
		{statements: "raise failing('__cause__')('m')", class: "Hostile", message: "m", is: []Class{ValueError}},
		{statements: "raise failing('__context__')('m')", class: "Hostile", message: "m", is: []Class{ValueError}},
		{statements: "raise failing('__traceback__')('m')", class: "Hostile", message: "m", is: []Class{ValueError}},
		{statements: "raise failing('__class__')('m')", class: "Hostile", message: "m", is: []Class{ValueError}},
		{statements: "raise named(__cause__=5)('m')", class: "Named", message: "m", is: []Class{ValueError}},
		{statements: "raise named(__traceback__=5)('m')", class: "Named", message: "m", is: []Class{ValueError}},
		{statements: "raise named(__notes__=[Text('n'), 5, None])('m')", class: "Named", message: "m", is: []Class{ValueError}},
	} {
		e := exception(t, in, row.statements)
		if !strings.Contains(e.Type, row.class) || row.is != nil && len(row.class) < 100 && row.class != "" && !strings.HasSuffix(e.Type, row.class) {
			t.Errorf("%s: Type is %.200q, want %q", row.statements, e.Type, row.class)
		}
		if !strings.Contains(e.Message, row.message) {
			t.Errorf("%s: Message is %.200q, want … %q", row.statements, e.Message, row.message)
		}
		for _, class := range row.is {
			if !errors.Is(e, class) {
				t.Errorf("%s: is no %s, but %.200q", row.statements, string(class), e.bases)
			}
		}
		for _, class := range row.isNot {
			if errors.Is(e, class) {
				t.Errorf("%s: is a %s", row.statements, string(class))
			}
		}
		checkTexts(t, row.statements, e)
	}
}

// checkTexts checks that all texts of an exception are valid UTF-8 of bounded length.
func checkTexts(t *testing.T, what string, e *Error) {
	t.Helper()
	texts := append([]string{e.Type, e.Message, e.Traceback, e.Error()}, append(e.Notes, e.bases...)...)
	for _, frame := range e.Frames {
		texts = append(texts, frame.File, frame.Function)
	}
	for _, text := range texts {
		if !utf8.ValidString(text) {
			t.Errorf("%.200s: not UTF-8: %.200q", what, text)
		}
		if len(text) > 1<<20 {
			t.Errorf("%.200s: a text of %d bytes", what, len(text))
		}
	}
	if len(e.Type) > 8<<10 || len(e.Message) > 128<<10 {
		t.Errorf("%.200s: Type has %d bytes, Message %d", what, len(e.Type), len(e.Message))
	}
	if len(e.Frames) > 1000 || len(e.Notes) > 1000 {
		t.Errorf("%.200s: %d frames, %d notes", what, len(e.Frames), len(e.Notes))
	}
}

// What an exception is in Go: a chain of errors, of which none is a sentinel of this package.
func TestErrorIs(t *testing.T) {
	in := interpreter(t)
	err := run(in, "fixtures:outer")
	var e *Error
	if !errors.As(err, &e) || e.Type != "fixtures.Broken" {
		t.Fatalf("got %v", err)
	}
	if !errors.Is(err, Class("fixtures.Broken")) || !errors.Is(err, ValueError) {
		t.Error("the class does not show through")
	}
	for _, sentinel := range []error{ErrClosed, ErrRetained, ErrLimit, ErrInternal, ErrStart, ErrNoPython, context.Canceled} {
		if errors.Is(err, sentinel) {
			t.Errorf("an exception is %v", sentinel)
		}
	}
	if got := Class("fixtures.Broken").Error(); got != "python: fixtures.Broken" {
		t.Errorf("got %s", got)
	}
}

func TestErrorPlaces(t *testing.T) {
	in := interpreter(t)
	err := run(in, "fixtures:outer")
	var e *Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	line, lineErr := evaluate[int](in, "fixtures:value", "INNER_LINE")
	if lineErr != nil {
		t.Fatal(lineErr)
	}
	file := filepath.Join(testdata, "fixtures.py")
	if len(e.Frames) != 2 || e.Frames[0].Function != "outer" || e.Frames[1] != (Frame{file, "inner", line}) {
		t.Errorf("Frames: got %+v, want outer and then inner in line %d of %s", e.Frames, line, file)
	}
	for _, want := range []string{
		"Traceback (most recent call last):", "in outer\n    inner()", fmt.Sprintf("File %q, line %d, in inner", file, line),
		`raise Broken("from inside")`, "fixtures.Broken: from inside",
	} {
		if !strings.Contains(e.Traceback, want) {
			t.Errorf("the traceback has no %q:\n%s", want, e.Traceback)
		}
	}
	if want := fmt.Sprintf("python: fixtures:outer: fixtures.Broken: from inside (%s:%d in inner)", file, line); err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	// An exception that C code raises has no frames.
	err = run(in, "math:sqrt", -1.0)
	if !errors.As(err, &e) || len(e.Frames) != 0 || !strings.HasPrefix(err.Error(), "python: math:sqrt: ValueError: ") {
		t.Errorf("got %v with %v", err, e.Frames)
	}
}

// However deep the stack is, the place where the exception was raised is told.
func TestErrorPlaceOfDeepStack(t *testing.T) {
	in := interpreter(t)
	for _, depth := range []int{1, 100, 500} {
		err := run(in, "fixtures:deep", depth)
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, ValueError) {
			t.Fatal(err)
		}
		checkTexts(t, "deep", e)
		bottom, lineErr := evaluate[int](in, "fixtures:value", "deep.__code__.co_firstlineno + 2")
		if lineErr != nil {
			t.Fatal(lineErr)
		}
		if last := e.Frames[len(e.Frames)-1]; last.Line != bottom {
			t.Errorf("%d deep: the last frame is line %d, want %d, where it was raised", depth, last.Line, bottom)
		}
		if !strings.Contains(e.Traceback, `raise Broken("at the bottom")`) {
			t.Errorf("%d deep: the traceback does not show where it was raised", depth)
		}
	}
}

func TestErrorCause(t *testing.T) {
	in := interpreter(t)
	err := run(in, "fixtures:chained")
	var types []string
	for e := err; e != nil; e = errors.Unwrap(e) {
		if e, ok := e.(*Error); ok { //nolint:errorlint // each link by itself
			types = append(types, e.Type+" "+e.Message)
			checkTexts(t, "chained", e)
			if len(types) > 1 && e.Traceback != "" {
				t.Errorf("the cause %s has a traceback of its own", e.Type)
			}
			if len(e.Frames) == 0 {
				t.Errorf("%s has no frames", e.Type)
			}
		}
	}
	if want := "[RuntimeError third fixtures.Broken second KeyError 'missing']"; fmt.Sprint(types) != want {
		t.Errorf("got %v, want %s", types, want)
	}
	for _, class := range []Class{RuntimeError, "fixtures.Broken", ValueError, KeyError} {
		if !errors.Is(err, class) {
			t.Errorf("the chain has no %s", string(class))
		}
	}
	var e *Error
	if !errors.As(err, &e) || strings.Count(e.Traceback, "direct cause") != 2 {
		t.Errorf("the traceback does not show the causes:\n%s", e.Traceback)
	}
	// A context is no cause; it is told in the traceback unless it is suppressed.
	e = exception(t, in, "try:\n  1 / 0\nexcept ZeroDivisionError:\n  raise ValueError('second')")
	if e.Unwrap() != nil || errors.Is(e, ZeroDivisionError) || !strings.Contains(e.Traceback, "During handling") {
		t.Errorf("a context: got %v and\n%s", e.Unwrap(), e.Traceback)
	}
	e = exception(t, in, "try:\n  1 / 0\nexcept ZeroDivisionError:\n  raise ValueError('second') from None")
	if e.Unwrap() != nil || strings.Contains(e.Traceback, "ZeroDivision") {
		t.Errorf("from None: got %v and\n%s", e.Unwrap(), e.Traceback)
	}
	// A chain without an end gets one.
	links := 0
	for e := error(exception(t, in, "ring()")); e != nil; e = errors.Unwrap(e) {
		if links++; links > 1000 {
			t.Fatal("the chain has no end")
		}
	}
	if links < 3 {
		t.Errorf("the chain has %d links", links)
	}
}

func TestErrorNotes(t *testing.T) {
	in := interpreter(t)
	e := exception(t, in, "annotated()")
	if want := []string{"one", `two \ud800`}; fmt.Sprint(e.Notes) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", e.Notes, want)
	}
	if !strings.Contains(e.Traceback, "annotated\none\ntwo") {
		t.Errorf("the traceback has no notes:\n%s", e.Traceback)
	}
	if e := exception(t, in, "raise ValueError"); e.Notes != nil {
		t.Errorf("got %q, want none", e.Notes)
	}
	e = exception(t, in, "e = ValueError(); e.__notes__ = ['n' * 10_000_000] * 3 + ['x'] * 10_000; raise e")
	if len(e.Notes) < 4 || !strings.HasPrefix(e.Notes[0], "nnn") {
		t.Errorf("%d notes", len(e.Notes))
	}
	checkTexts(t, "many notes", e)
}

func TestErrorGroup(t *testing.T) {
	e := exception(t, interpreter(t), "group()")
	for _, want := range []string{"ValueError: a", "KeyError: 'b'"} {
		if !strings.Contains(e.Traceback, want) {
			t.Errorf("the traceback has no %q:\n%s", want, e.Traceback)
		}
	}
}

// An exception is dropped with its frames when it has been described: nothing stays behind, nor in the next call.
func TestErrorLeavesNothing(t *testing.T) {
	in := interpreter(t)
	fails := func() {
		if err := run(in, "fixtures:fail_with", []float64{1}); !errors.Is(err, ValueError) {
			t.Fatal(err)
		}
	}
	fails() // what it loads stays
	before, objects := in.Stats().RetainedTotal, objectsOf(in)
	for range 100 {
		fails()
	}
	if retained, left := in.Stats().RetainedTotal-before, objectsOf(in)-objects; retained != 0 || left != 0 {
		t.Errorf("%d arrays were kept, and %d objects are left", retained, left)
	}
	if got, err := evaluate[string](in, "fixtures:value", "repr((sys.exc_info(), getattr(sys, 'last_value', None)))"); err != nil || got != "((None, None, None), None)" {
		t.Errorf("got %s, %v", got, err)
	}
}
