package python

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestFunc(t *testing.T) {
	in := interpreter(t)
	for _, row := range []struct{ name, want string }{
		{"builtins:len", "<built-in function len>"},
		{"numpy:ndarray.sort", "<method 'sort' of 'numpy.ndarray' objects>"},
		{"os.path:basename", "<function basename"},
		{"fixtures:Broken", "<class 'fixtures.Broken'>"},
		{"fixtures:Broken.Inner", "<class 'fixtures.Broken.Inner'>"},
	} {
		f, err := in.Func(row.name)
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		if f.String() != row.name {
			t.Errorf("String: got %s, want %s", f, row.name)
		}
		if got, err := evaluate[string](in, "builtins:repr", f); err != nil || !strings.HasPrefix(got, row.want) {
			t.Errorf("%s: got %s, %v, want %s", row.name, got, err, row.want)
		}
		_ = f.Close()
	}
}

func TestFuncErrors(t *testing.T) {
	in := interpreter(t)
	const form = `want "module:function", got `
	for _, row := range []struct {
		name, want string
		class      Class
	}{
		{"", form, ValueError},
		{"x", form, ValueError},
		{":", form, ValueError},
		{"a:", form, ValueError},
		{":b", form, ValueError},
		{"a:b..c", form, ValueError},
		{"a:.b", form, ValueError},
		{"a:b.", form, ValueError},
		{"builtins:len\x00", form, ValueError},
		{"built\x00ins:len", form, ValueError},
		{"no_such_module:f", "No module named 'no_such_module'", ModuleNotFoundError},
		{"os.no_such:f", "No module named 'os.no_such'", ModuleNotFoundError},
		{".os:f", "", Exception},
		{"builtins:no_such", "has no attribute 'no_such'", AttributeError},
		{"builtins:len.no_such", "has no attribute 'no_such'", AttributeError},
		{"math:pi", "want a callable, got float", TypeError},
		{"fixtures:KEPT", "want a callable, got list", TypeError},
		{"a:b:c", "", ModuleNotFoundError},
		{"fixtures:Broken é", "", AttributeError},
		{strings.Repeat("m", 1<<20) + ":f", "", Exception},
	} {
		f, err := in.Func(row.name)
		if f != nil || err == nil || !strings.HasPrefix(err.Error(), "python: "+row.name+": ") || !strings.Contains(err.Error(), row.want) || !errors.Is(err, row.class) {
			t.Errorf("%.60q: got %.300v, want … %s, a %s", row.name, err, row.want, string(row.class))
		}
	}
	f, err := in.Func("a:\xff")
	if f != nil || err == nil || !strings.Contains(err.Error(), "UTF-8") || errors.Is(err, ErrInternal) {
		t.Errorf("invalid UTF-8: got %v, want an error that is no bug of this package", err)
	}
}

func TestCallAfterClose(t *testing.T) {
	in := interpreter(t)
	f, err := in.Func("builtins:len")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if object, err := f.Call(context.Background(), []byte("abc")); object != nil || !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, %v, want ErrClosed", object, err)
	}
	if err := run(in, "builtins:callable", f); !errors.Is(err, ErrClosed) {
		t.Errorf("as an argument: got %v, want ErrClosed", err)
	}
}

func TestCloseRacesWithCall(t *testing.T) {
	in := interpreter(t)
	before := objectsOf(in)
	calls := 0
	for range 10_000 {
		f, err := in.Func("builtins:len")
		if err != nil {
			t.Fatal(err)
		}
		var callers sync.WaitGroup
		callers.Go(func() { _ = f.Close() })
		callers.Go(func() {
			object, err := f.Call(context.Background(), []byte("abc"))
			if err != nil {
				if !errors.Is(err, ErrClosed) {
					t.Errorf("got %v, want ErrClosed", err)
				}
				return
			}
			calls++
			if got, err := As[int](object); err != nil || got != 3 {
				t.Errorf("got %v, %v, want 3", got, err)
			}
			_ = object.Close()
		})
		callers.Wait()
	}
	t.Logf("%d calls came first", calls)
	if got := in.Stats().Objects; got != before {
		t.Errorf("%d objects are left, want %d", got, before)
	}
}

// occupy fills all slots of the gate with calls that read from a pipe, and returns what lets them go on.
func occupy(t *testing.T, in *Interpreter, slots int) (release func()) {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	read, err := in.Func("os:read")
	if err != nil {
		t.Fatal(err)
	}
	descriptor := int(reader.Fd())
	var calls sync.WaitGroup
	for range slots {
		calls.Go(func() {
			object, err := read.Call(context.Background(), descriptor, 1)
			if err != nil {
				t.Error(err)
				return
			}
			_ = object.Close()
		})
	}
	if !eventually(func() bool { return in.Stats().Running == slots }) {
		t.Fatalf("%d calls run, want %d", in.Stats().Running, slots)
	}
	return func() {
		_ = writer.Close()
		calls.Wait()
		_ = reader.Close()
		_ = read.Close()
	}
}

// A call that waits for its turn ends with its context.
func TestWaitingHonoursContext(t *testing.T) {
	in := interpreter(t)
	f, err := in.Func("builtins:len")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	release := occupy(t, in, slotsOf(in.gate))
	reason := errors.New("the user left")
	for _, row := range []struct {
		name string
		end  func(context.Context) (context.Context, context.CancelFunc)
		is   []error
	}{
		{"deadline", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 20*time.Millisecond)
		}, []error{context.DeadlineExceeded}},
		{"cancel", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(20*time.Millisecond, cancel)
			return ctx, cancel
		}, []error{context.Canceled}},
		{"cause", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(20*time.Millisecond, func() { cancel(reason) })
			return ctx, func() { cancel(nil) }
		}, []error{context.Canceled, reason}},
		{"ended before", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		}, []error{context.Canceled}},
	} {
		ctx, cancel := row.end(context.Background())
		_, err := f.Call(ctx, []byte("abc"))
		cancel()
		for _, is := range row.is {
			if !errors.Is(err, is) {
				t.Errorf("%s: got %v, want %v", row.name, err, is)
			}
		}
	}
	done := make(chan error)
	go func() {
		_, err := f.Call(context.Background(), []byte("abc"))
		done <- err
	}()
	if !eventually(func() bool { return in.Stats().Waiting == 1 }) {
		t.Errorf("%d calls wait, want 1", in.Stats().Waiting)
	}
	release()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if !eventually(func() bool { return in.Stats().Running == 0 && in.Stats().Waiting == 0 }) {
		t.Errorf("calls are left: %+v", in.Stats())
	}
}

// A context that has ended is told even when there is room.
func TestContextEndedBefore(t *testing.T) {
	in := interpreter(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f, err := in.Func("builtins:len")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Call(ctx, []byte("abc")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// A module that fails while others import it too fails for all with its own error.
func TestFuncOfFailingModule(t *testing.T) {
	in := interpreter(t)
	folder := t.TempDir()
	passes[any](t, in, "sys.path.insert(0, folder)", KW{"folder": folder})
	t.Cleanup(func() { passes[any](t, in, "sys.path.remove(folder)", KW{"folder": folder}) })
	for i, source := range slices.Repeat([]string{"def f(:\n", "import time; time.sleep(0.001)\nraise SyntaxError"}, 20) {
		name := fmt.Sprint("failing_module_", i)
		writeFile(t, folder, name+".py", source, 0o600)
		var callers sync.WaitGroup
		for range 64 {
			callers.Go(func() {
				if _, err := in.Func(name + ":f"); !errors.Is(err, SyntaxError) {
					t.Errorf("got %v, want a SyntaxError", err)
				}
			})
		}
		callers.Wait()
	}
}
