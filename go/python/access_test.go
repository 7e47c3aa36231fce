package python

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"
)

// said turns what a method gives into a text: the repr of an object, or the error.
func said(o *Object, err error) string {
	if err != nil {
		return err.Error()
	}
	defer o.Close()
	text, err := o.Repr()
	if err != nil {
		return err.Error()
	}
	return text
}

func TestObjectMethods(t *testing.T) {
	in := interpreter(t)
	list, dict, point, text, none, five := expression(t, in, "[1, 2, 3]"), expression(t, in, "{'a': 1, (1, 2): 'x'}"), expression(t, in, "Point(1)"), expression(t, in, "'abc'"), expression(t, in, "None"), expression(t, in, "5")
	array := expression(t, in, "np.arange(3)")
	for _, row := range []struct {
		name, got, want string // want is contained
	}{
		{"Attr", said(point.Attr("x")), "1"}, {"Attr that is missing", said(point.Attr("z")), "AttributeError: 'Point' object has no attribute 'z'"}, {"Attr of None", said(none.Attr("__class__")), "<class 'NoneType'>"}, {"Attr that fails", said(expression(t, in, "Hostile()").Attr("x")), "ZeroDivisionError: x"}, {"Attr of invalid UTF-8", said(point.Attr("\xff")), "want valid UTF-8"},
		{"Item", said(list.Item(0)), "1"}, {"Item from the end", said(list.Item(-1)), "3"}, {"Item by text", said(dict.Item("a")), "1"}, {"Item by tuple", said(dict.Item(Tuple{1, 2})), "'x'"}, {"Item of an array", said(array.Item(2)), "np.int64(2)"}, {"Item by object", said(list.Item(expression(t, in, "slice(1, None)"))), "[2, 3]"},
		{"Item out of range", said(list.Item(3)), "IndexError: list index out of range"}, {"Item that is missing", said(dict.Item("b")), "KeyError: 'b'"}, {"Item of None", said(none.Item(0)), "TypeError: 'NoneType' object is not subscriptable"}, {"Item by what is no key", said(list.Item(unsafe.Pointer(nil))), "a Go unsafe.Pointer has no form in Python"},
		{"Call", said(expression(t, in, "max").Call(background, 1, 5, 2)), "5"}, {"Call with keywords", said(expression(t, in, "dict").Call(background, KW{"a": 1, "obj": 2, "self": 3})), "{'a': 1, 'obj': 2, 'self': 3}"}, {"Call of what cannot be called", said(five.Call(background)), "TypeError: 'int' object is not callable"}, {"Call of None", said(none.Call(background)), "TypeError: 'NoneType' object is not callable"},
		{"Call of a wrong signature", said(point.Call(background, 1)), "TypeError: 'Point' object is not callable"}, {"Method", said(text.Method(background, "replace", "b", "x")), "'axc'"}, {"Method with keywords", said(text.Method(background, "format", KW{"name": 1, "target": 2})), "'abc'"}, {"Method with arrays", said(array.Method(background, "dot", []int{1, 2, 3})), "8"}, {"Method that is missing", said(text.Method(background, "no")), "AttributeError: 'str' object has no attribute 'no'"},
		{"Method of None", said(none.Method(background, "__str__")), "'None'"}, {"Method of a wrong signature", said(text.Method(background, "upper", 1)), "TypeError: str.upper() takes no arguments (1 given)"},
		{"Op +", said(five.Op("+", 2)), "7"}, {"Op -", said(five.Op("-", 2)), "3"}, {"Op *", said(text.Op("*", 2)), "'abcabc'"}, {"Op /", said(five.Op("/", 2)), "2.5"}, {"Op //", said(five.Op("//", 2)), "2"}, {"Op %", said(five.Op("%", 2)), "1"}, {"Op **", said(five.Op("**", 2)), "25"}, {"Op @", said(array.Op("@", []int{1, 1, 1})), "3"},
		{"Op &", said(five.Op("&", 4)), "4"}, {"Op |", said(five.Op("|", 2)), "7"}, {"Op ^", said(five.Op("^", 1)), "4"}, {"Op <<", said(five.Op("<<", 1)), "10"}, {"Op >>", said(five.Op(">>", 1)), "2"}, {"Op ==", said(five.Op("==", 5.0)), "True"}, {"Op !=", said(five.Op("!=", five)), "False"}, {"Op <", said(five.Op("<", 6)), "True"}, {"Op <=", said(five.Op("<=", 4)), "False"}, {"Op >", said(five.Op(">", 6)), "False"}, {"Op >=", said(five.Op(">=", 5)), "True"},
		{"Op of an array", said(array.Op("+", []int{1, 1, 1})), "array([1, 2, 3])"}, {"Op that there is not", said(five.Op("and", 1)), `python: want a binary operator of Python, got "and"`}, {"Op of what does not fit", said(five.Op("+", "x")), "TypeError: unsupported operand type(s) for +: 'int' and 'str'"}, {"Op of None", said(none.Op("+", 1)), "TypeError"}, {"Op by zero", said(five.Op("//", 0)), "ZeroDivisionError"},
		{"Object", said(in.Object("math:pi")), "3.14159"}, {"Object of a module", said(in.Object("math")), "<module 'math'"}, {"Object of a part", said(in.Object("oracle:Colour.RED.value")), "'red'"}, {"Object without module", said(in.Object("no_such_module:x")), "ModuleNotFoundError"}, {"Object without attribute", said(in.Object("math:no")), "AttributeError"}, {"Object without a name", said(in.Object("")), "ValueError"},
	} {
		if !strings.Contains(row.got, row.want) {
			t.Errorf("%s: got %s, want %s", row.name, row.got, row.want)
		}
	}

	// A mistake is the caller's: nothing of this package's own is in the error.
	for name, call := range map[string]func() (*Object, error){
		"Object.Method no: AttributeError: 'str' object has no attribute 'no'": func() (*Object, error) { return text.Method(background, "no") },
		"Object.Call: TypeError: 'int' object is not callable":                 func() (*Object, error) { return five.Call(background) },
		"math:no: AttributeError: module 'math' has no attribute 'no'":         func() (*Object, error) { return in.Object("math:no") },
	} {
		_, err := call()
		var exception *Error
		if !errors.As(err, &exception) || err.Error() != "python: "+name || len(exception.Frames) != 0 || strings.Contains(exception.Traceback, "gophersnake") {
			t.Errorf("got %v with the frames %v, want %s\n%s", err, exception.Frames, name, exception.Traceback)
		}
	}

	// What changes an object.
	if err := list.SetItem(1, "new"); err != nil || list.String() != "[1, 'new', 3]" {
		t.Errorf("SetItem: %v, %v", list, err)
	}
	if err := list.DeleteItem(1); err != nil || list.String() != "[1, 3]" {
		t.Errorf("DeleteItem: %v, %v", list, err)
	}
	if err := dict.SetItem(Tuple{2}, []float64{1}); err != nil || dict.String() != "{'a': 1, (1, 2): 'x', (2,): array([1.])}" {
		t.Errorf("SetItem: %v, %v", dict, err)
	}
	if err := point.SetAttr("x", Tuple{1, nil}); err != nil || point.String() != "Point(x=(1, None), y=0.5)" {
		t.Errorf("SetAttr: %v, %v", point, err)
	}
	for name, row := range map[string]struct {
		err, is error
	}{
		"SetItem out of range": {list.SetItem(9, 1), IndexError}, "SetItem of None": {none.SetItem(0, 1), TypeError}, "DeleteItem that is missing": {dict.DeleteItem("b"), KeyError}, "SetAttr of an int": {five.SetAttr("x", 1), AttributeError}, "DeleteItem of None": {none.DeleteItem(0), TypeError}, "SetItem by a list": {dict.SetItem([]any{}, 1), TypeError},
	} {
		if !errors.Is(row.err, row.is) {
			t.Errorf("%s: got %v, want %v", name, row.err, row.is)
		}
	}

	// What tells something as a Go value.
	for name, row := range map[string]struct {
		got, want any
		err       error
	}{
		"Len": pair(list.Len())(2), "Len of text": pair(text.Len())(3), "Truth of a list": pair(list.Truth())(true), "Truth of an empty one": pair(expression(t, in, "[]").Truth())(false), "Truth of None": pair(none.Truth())(false), "Contains": pair(list.Contains(3))(true), "Contains not": pair(list.Contains("x"))(false), "Contains of a dict": pair(dict.Contains(Tuple{1, 2}))(true),
		"Type": pair(list.Type())("list"), "Type of an array": pair(array.Type())("numpy.ndarray"), "Type of None": pair(none.Type())("NoneType"), "Type of a class": pair(expression(t, in, "Point").Type())("type"), "Type of a point": pair(point.Type())("oracle.Point"), "Repr": pair(text.Repr())("'abc'"), "Repr of None": pair(none.Repr())("None"), "Equal": pair(five.Equal(5.0))(true), "Equal not": pair(five.Equal("5"))(false), "Equal of None": pair(none.Equal(nil))(true), "Equal of lists": pair(list.Equal([]any{1, 3}))(true),
	} {
		if row.err != nil || row.got != row.want {
			t.Errorf("%s: got %v, %v, want %v", name, row.got, row.err, row.want)
		}
	}
	for name, row := range map[string]struct {
		err  error
		want string
	}{
		"Len of an int": {second1(five.Len()), "object of type 'int' has no len()"}, "Truth of an array": {second1(array.Truth()), "truth value of an array"}, "Contains of an int": {second1(five.Contains(1)), "TypeError"}, "Equal of an array": {second1(array.Equal([]int{0, 1, 2})), "truth value of an array"}, "Len that is negative": {second1(expression(t, in, "type('N', (), {'__len__': lambda s: -1})()").Len()), "__len__() should return >= 0"},
		"Repr that fails": {second1(expression(t, in, "type('N', (), {'__repr__': lambda s: 1 / 0})()").Repr()), "ZeroDivisionError"}, "Repr that is no text": {second1(expression(t, in, "type('N', (), {'__repr__': lambda s: 1})()").Repr()), "__repr__ returned non-string"},
	} {
		if row.err == nil || !strings.Contains(row.err.Error(), row.want) {
			t.Errorf("%s: got %v, want %s", name, row.err, row.want)
		}
	}
	if got := text.String(); got != "abc" {
		t.Errorf("String: %s", got)
	}
	if got := none.String(); got != "None" {
		t.Errorf("String of None: %s", got)
	}
	if got := expression(t, in, "type('N', (), {'__str__': lambda s: 1 / 0})()").String(); !strings.HasPrefix(got, "<") || !strings.Contains(got, "ZeroDivisionError") {
		t.Errorf("String that fails: %s", got)
	}
}

func second1[T any](_ T, err error) error { return err }

// pair pairs what came with what was wanted.
func pair[T any](got T, err error) func(want T) struct {
	got, want any
	err       error
} {
	return func(want T) struct {
		got, want any
		err       error
	} {
		return struct {
			got, want any
			err       error
		}{got, want, err}
	}
}

func TestObjectIs(t *testing.T) {
	in := interpreter(t)
	a, other := expression(t, in, "sum"), expression(t, in, "sum")
	different, none := expression(t, in, "max"), expression(t, in, "None")
	if !a.Is(other) || !a.Is(a) || a.Is(different) || a.Is(none) || none.Is(a) || !none.Is(expression(t, in, "None")) || a.Is(nil) || !(*Object)(nil).Is(nil) || (*Object)(nil).Is(a) {
		t.Error("Is is wrong")
	}
	if !none.IsNone() || a.IsNone() {
		t.Error("IsNone is wrong")
	}
	_ = other.Close()
	if a.Is(other) || other.Is(a) {
		t.Error("a closed object is one")
	}
}

func TestObjectIter(t *testing.T) {
	in := interpreter(t)
	flatObjects(t, in, func() {
		for source, want := range map[string]string{
			"[1, 'x', None]": "1 'x' None ", "{'a': 1, 'b': 2}": "'a' 'b' ", "'ab'": "'a' 'b' ", "generator(1, 2)": "1 2 ", "[]": "", "5": "TypeError: 'int' object is not iterable ", "failing_generator()": "1 ValueError: in the middle ", "None": "TypeError: 'NoneType' object is not iterable ", "np.arange(2)": "np.int64(0) np.int64(1) ",
		} {
			o, got := expression(t, in, source), ""
			for item, err := range o.Iter() {
				if err != nil {
					var exception *Error
					if !errors.As(err, &exception) || item != nil {
						t.Errorf("%s: %v with %v", source, err, item)
						continue
					}
					got += exception.Type + ": " + exception.Message + " "
					continue
				}
				got += said(item, nil) + " "
			}
			if got != want {
				t.Errorf("%s: got %s, want %s", source, got, want)
			}
			_ = o.Close()
		}
		// It may be left, and is taken up where it was if the object is an iterator.
		counter := expression(t, in, "itertools.count()")
		for range 2 {
			for item, err := range counter.Iter() {
				if err != nil {
					t.Fatal(err)
				}
				_ = item.Close()
				break
			}
		}
		if next := said(in.apply("builtins:next", counter)); next != "2" {
			t.Errorf("after two items comes %s", next)
		}
		_ = counter.Close()
	})
}

// Every method of a closed object gives ErrClosed, and those of an object that is closed meanwhile one or the other.
func TestClosedObject(t *testing.T) {
	in := interpreter(t)
	o := expression(t, in, "[1]")
	for range 2 {
		if err := o.Close(); err != nil {
			t.Error("Close is not idempotent", err)
		}
	}
	for name, err := range map[string]error{
		"Attr": second1(o.Attr("x")), "SetAttr": o.SetAttr("x", 1), "Item": second1(o.Item(0)), "SetItem": o.SetItem(0, 1), "DeleteItem": o.DeleteItem(0), "Contains": second1(o.Contains(1)), "Len": second1(o.Len()), "Truth": second1(o.Truth()), "Type": second1(o.Type()), "Repr": second1(o.Repr()), "Op": second1(o.Op("+", 1)), "Equal": second1(o.Equal(1)),
		"Call": second1(o.Call(background)), "Method": second1(o.Method(background, "x")), "As": second1(As[int](o)), "Borrow": second1(Borrow[int](o)), "CopyTo": second1(CopyTo(o, []int{})), "an argument": second1(in.apply("oracle:same", o)), "Item by it": second1(expression(t, in, "{}").Item(o)),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for _, err := range o.Iter() {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("Iter: got %v", err)
		}
	}
	if got := o.String(); !strings.Contains(got, "closed") {
		t.Errorf("String: got %s", got)
	}
	none := expression(t, in, "None")
	if none.Close() != nil || none.String() != "None" {
		t.Error("None can be closed")
	}
}

func TestObjectFromManyGoroutines(t *testing.T) {
	in := interpreter(t)
	flatObjects(t, in, func() {
		list, shared := expression(t, in, "[]"), expression(t, in, "Point(1)")
		var users sync.WaitGroup
		for g := range 16 {
			users.Go(func() {
				for i := range 30 {
					if o, err := list.Method(background, "append", g*100+i); err != nil {
						t.Error(err)
					} else {
						_ = o.Close()
					}
					x, err := shared.Attr("x")
					if err == nil {
						_, err = As[int](x)
						_ = x.Close()
					}
					if err != nil && !errors.Is(err, ErrClosed) {
						t.Error(err)
					}
					_, _ = list.Len()
					_ = list.Is(shared)
					if g == 0 && i == 20 {
						_ = shared.Close()
					}
				}
			})
		}
		users.Wait()
		if n, err := list.Len(); n != 16*30 || err != nil {
			t.Errorf("%d items, %v", n, err)
		}
		_ = list.Close()
	})
}

func TestObjectContext(t *testing.T) {
	in := interpreter(t)
	ended, cancel := context.WithCancel(background)
	cancel()
	o := expression(t, in, "max")
	if _, err := o.Call(ended, 1, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("Call: %v", err)
	}
	if _, err := o.Method(ended, "__call__", 1, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("Method: %v", err)
	}
	late, cancel := context.WithTimeout(background, time.Hour)
	defer cancel()
	if got := said(o.Call(late, 1, 2)); got != "2" {
		t.Errorf("Call: %s", got)
	}
}
