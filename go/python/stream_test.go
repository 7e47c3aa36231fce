package python

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"
)

// closing is a reader or writer that notes that it was closed.
type closing struct {
	io.Reader
	closed atomic.Int32
}

func (c *closing) Close() error {
	c.closed.Add(1)
	return nil
}

func TestStreamChannel(t *testing.T) {
	in := interpreter(t)
	ch := make(chan int, 3)
	ch <- 1
	ch <- 2
	go func() {
		time.Sleep(time.Millisecond)
		ch <- 3
		close(ch)
	}()
	if got := passes[[]int](t, in, "result = [x for x in ch] + list(ch)", KW{"ch": ch}); !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("got %v", got)
	}
	out := make(chan map[string][]float64)
	go func() {
		_, err := execute[any](t, in, "a = np.arange(3.0)\nout.send({'a': a})\nout.send({'b': [1]})\na[:] = 9\nout.close()", KW{"out": (chan<- map[string][]float64)(out)})
		if err != nil {
			t.Error(err)
			close(out)
		}
	}()
	var got []string
	for m := range out {
		got = append(got, fmt.Sprint(m))
	}
	if want := []string{"map[a:[0 1 2]]", "map[b:[1]]"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	// What is sent is no memory of Python's.
	arrays := make(chan []float64, 1)
	passes[any](t, in, "a = np.arange(3.0)\nch.send(a)\na[:] = 9", KW{"ch": arrays})
	if got := <-arrays; got[2] != 2 {
		t.Errorf("the array that was sent is Python's: %v", got)
	}
	for source, want := range map[string]string{
		"ch.close()\nch.close()": "close of closed channel",
		"ch.close()\nch.send(1)": "send on closed channel",
		"ch.send('x')":           "send() argument 1: want int, got str",
		"next(sending)":          "nothing can be received: the Go program passed this channel for sending only",
		"receiving.send(1)":      "nothing can be sent: the Go program passed this channel for receiving only",
		"receiving.close()":      "only the sender closes: the Go program passed this channel for receiving only",
		"f('x')":                 "f() argument 1: want chan int, got str",
	} {
		_, err := execute[any](t, in, source, KW{"ch": make(chan int, 1), "sending": make(chan<- int), "receiving": make(<-chan int),
			"f": NewFunc(func(chan int) {}, Name("f"))})
		var pe *Error
		if !errors.As(err, &pe) || pe.Message != want {
			t.Errorf("%s: got %v, want %s", source, err, want)
		}
	}
	if got := passes[bool](t, in, "result = f(ch, any=None) if False else f(ch)", KW{"ch": ch, "f": func(c <-chan int) bool { return c == ch }}); !got {
		t.Error("a channel comes back as another one")
	}
	if got := passes[bool](t, in, "result = f(ch)", KW{"ch": ch, "f": func(c any) bool { return c == any(ch) }}); !got {
		t.Error("a channel comes back as something else")
	}
}

// A receive, a send and the next item of an iterator that block end with the context of the call, and nothing is lost.
func TestStreamContext(t *testing.T) {
	in := interpreter(t)
	ch := make(chan int)
	resume := make(chan struct{})
	seq := iter.Seq[int](func(yield func(int) bool) {
		if yield(1) {
			<-resume
			yield(2)
		}
	})
	for _, source := range []string{"next(ch)", "ch.send(1)", "global kept\nkept = seq\nnext(seq); next(seq)"} {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		_, err := executeContext[any](t, ctx, in, source, KW{"ch": ch, "seq": seq})
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v", source, err)
		}
	}
	close(resume)
	// An item that came too late is the next one's.
	late := make(chan struct{})
	slow := iter.Seq[int](func(yield func(int) bool) {
		<-late
		for i := range 3 {
			if !yield(i) {
				return
			}
		}
	})
	it, err := evaluate[*Object](in, "fixtures:same", slow)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	if _, err := it.Method(ctx, "__next__"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	close(late)
	if got := passes[[]int](t, in, "result = list(it)", KW{"it": it}); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("got %v", got)
	}
}

func TestStreamSequence(t *testing.T) {
	in := interpreter(t)
	failure := errors.New("the third")
	variables := KW{
		"seq": slices.Values([]string{"a", "b"}), "pairs": maps.All(map[string]int{"x": 1}), "empty": slices.Values([]int(nil)),
		"fails": iter.Seq2[int, error](func(yield func(int, error) bool) {
			_ = yield(1, nil) && yield(2, nil) && yield(0, failure)
		}),
	}
	if got := passes[string](t, in, "result = repr([list(seq), list(seq), list(pairs), list(empty), next(empty, 7)])", variables); got != "[['a', 'b'], [], [('x', 1)], [], 7]" {
		t.Errorf("got %s", got)
	}
	got, err := execute[any](t, in, "for x in fails: seen = x", variables)
	if !errors.Is(err, failure) {
		t.Errorf("got %v, %v", got, err)
	}
	numbers := func() iter.Seq[int] { return slices.Values([]int{3, 4}) }
	if got := passes[int](t, in, "result = sum(f())", KW{"f": numbers}); got != 7 {
		t.Errorf("got %d", got)
	}
}

// A sequence that Python drops ends: yield returns false, and deferred functions run.
func TestStreamSequenceEnds(t *testing.T) {
	in := interpreter(t)
	before := runtime.NumGoroutine()
	var ended atomic.Int32
	forever := func() iter.Seq[int] {
		return func(yield func(int) bool) {
			defer ended.Add(1)
			for i := 0; yield(i); i++ {
			}
		}
	}
	for n, source := range []string{
		"for x in f():\n    if x == 3: break",
		"it = f(); next(it); it.close(); assert list(it) == []; it.close()\nassert ended() == 2",
		"with f() as it: next(it)\nassert ended() == 3",
		"it = f(); next(it); cycle = [it]; cycle.append(cycle); del it, cycle; import gc; gc.collect()",
	} {
		passes[any](t, in, source, KW{"f": forever, "ended": func() int { return int(ended.Load()) }})
		if !eventually(func() bool { in.Stats(); return int(ended.Load()) == n+1 }) {
			t.Errorf("%s: %d have ended", source, ended.Load())
		}
	}
	passes[any](t, in, "f()\nf().close()", KW{"f": forever}) // they have not begun
	if !eventually(func() bool { return runtime.NumGoroutine() <= before+2 }) {
		t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
	}
}

func TestStreamSequencePanics(t *testing.T) {
	in := interpreter(t)
	value := &struct{ n int }{1}
	panics := iter.Seq[int](func(yield func(int) bool) {
		yield(1)
		panic(value)
	})
	for _, source := range []string{"list(f)", "next(f); f.close()"} {
		func() {
			defer func() {
				if got := recover(); got != any(value) {
					t.Errorf("recovered %v, want the original value", got)
				}
			}()
			_, err := execute[any](t, in, source, KW{"f": panics})
			t.Errorf("%s: no panic, but %v", source, err)
		}()
	}
	got := passes[string](t, in, "import gophersnake\ntry: list(f)\nexcept gophersnake.GoPanic as e: result = str(e.__notes__)", KW{"f": panics})
	if !strings.Contains(got, "TestStreamSequencePanics") {
		t.Errorf("the stack is not that of the sequence: %s", got)
	}
	after, done := false, make(chan bool)
	go func() {
		defer close(done)
		_, _ = execute[any](t, in, "list(f)", KW{"f": iter.Seq[int](func(func(int) bool) { runtime.Goexit() })})
		after = true
	}()
	<-done
	if after {
		t.Error("the goroutine went on")
	}
}

const table = "name,n\né,1\n\"a\r\nb\",2\n"

func TestStreamReader(t *testing.T) {
	in := interpreter(t)
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func() any{
		"strings":  func() any { return strings.NewReader(table) },
		"buffer":   func() any { return bytes.NewBufferString(table) },
		"one byte": func() any { return iotest.OneByteReader(strings.NewReader(table)) },
		"data+EOF": func() any { return iotest.DataErrReader(strings.NewReader(table)) },
		"bufio":    func() any { return bufio.NewReader(strings.NewReader(table)) },
		"os.File": func() any {
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { f.Close() })
			return f
		},
		"by value": func() any { return struct{ io.Reader }{strings.NewReader(table)} },
		"net.Conn": func() any { a, b := net.Pipe(); go func() { io.WriteString(a, table); a.Close() }(); return b },
	} {
		t.Run(name, func(t *testing.T) {
			for source, want := range map[string]string{
				"result = f.read().decode()":                                                                           table,
				"result = repr([f.read(3), f.readline(), list(f)])":                                                    `[b'nam', b'e,n\n', [b'\xc3\xa9,1\n', b'"a\r\n', b'b",2\n']]`,
				"import csv; result = repr(list(csv.reader(text)))":                                                    "[['name', 'n'], ['é', '1'], ['a\\r\\nb', '2']]",
				"import io; o = io.BytesIO(); import shutil; shutil.copyfileobj(f, o); result = o.getvalue().decode()": table,
				"import pandas; result = pandas.read_csv(f).to_dict('list').__repr__()":                                `{'name': ['é', 'a\r\nb'], 'n': [1, 2]}`,
				"import pandas; result = pandas.read_csv(text).to_dict('list').__repr__()":                             `{'name': ['é', 'a\r\nb'], 'n': [1, 2]}`,
			} {
				stream := open()
				if got, err := execute[string](t, in, source, KW{"f": stream, "text": TextFile(stream)}); err != nil || got != want {
					t.Errorf("%s: got %q, %v, want %q", source, got, err, want)
				}
			}
		})
	}
	if got := passes[any](t, in, "import json; result = json.load(f)", KW{"f": strings.NewReader(`{"a": [1, 2.5]}`)}); fmt.Sprint(got) != "map[a:[1 2.5]]" {
		t.Errorf("got %v", got)
	}
	if got := passes[string](t, in, "result = repr([f.seek(2), f.read(2), f.tell(), f.seek(-2, 2), f.read(), f.seekable(), f.readable(), f.writable(), f.name, f.mode, type(f).__name__])",
		KW{"f": strings.NewReader(table)}); got != `[2, b'me', 4, 19, b'2\n', True, True, False, '<Go *strings.Reader>', 'rb', 'GoReader']` {
		t.Errorf("got %s", got)
	}
	if got := passes[bool](t, in, "result = f.seekable() or not isinstance(f, io.BufferedIOBase)", KW{"f": bytes.NewBufferString("x"), "io": must(in.Object("io"))}); got {
		t.Error("a bytes.Buffer can seek")
	}
	// A nil reader is None, and a reader comes back as itself.
	reader := strings.NewReader("x")
	if got := passes[string](t, in, "result = repr([none, same(f), same(text)])", KW{"none": (*os.File)(nil), "f": reader, "text": TextFile(reader),
		"same": func(v any) bool { return v == any(reader) }}); got != "[None, True, True]" {
		t.Errorf("got %s", got)
	}
	if _, err := execute[any](t, in, "", KW{"f": TextFile(5)}); err == nil || !strings.Contains(err.Error(), "python.TextFile: want an io.Reader or io.Writer, got int") {
		t.Errorf("got %v", err)
	}
}

// Python closes what has a Close method where it says so, and not where it lets go of the file.
func TestStreamClose(t *testing.T) {
	in := interpreter(t)
	for source, want := range map[string]int32{
		"f.read()":                               0,
		"text.read()":                            0,
		"import io; io.TextIOWrapper(f)":         0,
		"import io; io.TextIOWrapper(f).close()": 1,
		"f.close(); f.close()":                   1,
		"with f: f.read()":                       1,
		"with text: text.read()":                 1,
	} {
		stream := &closing{Reader: strings.NewReader(table)}
		f := KW{"f": stream}
		if strings.Contains(source, "text.") {
			f = KW{"text": TextFile(stream)}
		}
		passes[any](t, in, source+"\nimport gc; gc.collect()", f)
		if got := stream.closed.Load(); got != want {
			t.Errorf("%s: closed %d times, want %d", source, got, want)
		}
	}
	var b strings.Builder
	passes[any](t, in, "import gc; gc.collect()", KW{"w": struct {
		io.Writer
		io.Closer
	}{&b, &closing{}}})
	_, err := execute[any](t, in, "f.close(); f.read()", KW{"f": strings.NewReader("")})
	if !errors.Is(err, ValueError) {
		t.Errorf("reading from a closed file: %v", err)
	}
}

type shortWriter struct{}

func (shortWriter) Write(p []byte) (int, error) { return len(p) - 1, nil }

func TestStreamWriter(t *testing.T) {
	in := interpreter(t)
	var b, s bytes.Buffer
	writer := struct{ io.Writer }{&b}
	passes[any](t, in, `
print("é", 1, file=text)
w.write(b"bytes\n")
assert w.write(memoryview(np.arange(2, dtype=np.int16))) == 4 and w.write(b"") == 0
import csv, json, shutil
csv.writer(text).writerow(["a", 2])
json.dump({"k": 1}, text)
print(file=text)
shutil.copyfileobj(r, w)
assert not w.readable() and w.writable() and w.mode == "wb"
`, KW{"w": writer, "text": TextFile(writer), "r": strings.NewReader("copied")})
	if got, want := b.String(), "é 1\nbytes\n\x00\x00\x01\x00a,2\r\n{\"k\": 1}\ncopied"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// Both at once.
	a, z := net.Pipe()
	go func() {
		line, _ := bufio.NewReader(z).ReadString('\n')
		fmt.Fprintf(z, "got %s", line)
		z.Close()
	}()
	if got := passes[string](t, in, "print('hello', file=f); result = f.read()", KW{"f": TextFile(a)}); got != "got hello\n" {
		t.Errorf("got %q", got)
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if got := passes[string](t, in, "f.write(b'0123456789'); f.seek(2); a = f.read(2); f.write(b'xx'); f.seek(0); result = repr([a, f.read(), f.name == name])",
		KW{"f": file, "name": file.Name()}); got != "[b'23', b'0123xx6789', True]" {
		t.Errorf("got %s", got)
	}
	passes[any](t, in, "f.write(b'at once')", KW{"f": &s})
	if s.String() != "at once" {
		t.Errorf("got %q", s.String())
	}
}

// Errors of Go are OSErrors in Python and themselves again in Go; data that came before an error is not lost.
func TestStreamErrors(t *testing.T) {
	in := interpreter(t)
	special := errors.New("special")
	partial := func(err error) io.Reader { return io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(err)) }
	for _, row := range []struct {
		source string
		stream any
		err    error
		class  Class
	}{
		{"f.read()", partial(special), special, OSError},
		{"assert f.read(3) == b'abc'\nf.read(1)", iotest.DataErrReader(partial(special)), special, OSError},
		{"f.read()", iotest.ErrReader(io.ErrUnexpectedEOF), io.ErrUnexpectedEOF, OSError},
		{"f.read()", iotest.ErrReader(fs.ErrNotExist), fs.ErrNotExist, FileNotFoundError},
		{"f.read()", iotest.ErrReader(os.ErrDeadlineExceeded), os.ErrDeadlineExceeded, TimeoutError},
		{"f.read()", iotest.ErrReader(NewError(KeyError, special)), special, KeyError},
		{"f.read()", iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("abc"))), iotest.ErrTimeout, OSError},
		{"f.read()", readerFunc(func([]byte) (int, error) { return 0, nil }), io.ErrNoProgress, OSError},
		{"f.read()", readerFunc(func(p []byte) (int, error) { return len(p) + 1, nil }), nil, OSError},
		{"import json; json.load(f)", iotest.ErrReader(special), special, OSError},
		{"f.write(b'x')", shortWriter{}, io.ErrShortWrite, OSError},
		{"print('x', file=f)", TextFile(shortWriter{}), io.ErrShortWrite, OSError},
		{"f.write(b'x')", errorWriter{io.ErrClosedPipe}, io.ErrClosedPipe, "builtins.BrokenPipeError"},
		{"f.write(b'x')", strings.NewReader(""), nil, OSError}, // io.UnsupportedOperation
		{"import pandas; pandas.read_csv(f)", partial(special), special, OSError},
	} {
		_, err := execute[any](t, in, row.source, KW{"f": row.stream})
		if err == nil || row.err != nil && !errors.Is(err, row.err) || !errors.Is(err, row.class) {
			t.Errorf("%s of %T: got %v", row.source, row.stream, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	_, err := executeContext[any](t, ctx, in, "cancel(); f.read()", KW{"f": strings.NewReader("x"), "cancel": func() { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

type readerFunc func([]byte) (int, error)

func (r readerFunc) Read(p []byte) (int, error) { return r(p) }

type errorWriter struct{ err error }

func (w errorWriter) Write([]byte) (int, error) { return 0, w.err }

// Files of Python's, and what behaves like them, are readers and writers of Go.
func TestStreamPythonFile(t *testing.T) {
	in := interpreter(t)
	read := func(r io.Reader) (string, error) {
		data, err := io.ReadAll(iotest.OneByteReader(r))
		return string(data), err
	}
	write := func(w io.Writer, text string) error { _, err := io.WriteString(w, text); return err }
	ends := func(r io.ReadSeeker) (string, error) {
		if _, err := r.Seek(-2, io.SeekEnd); err != nil {
			return "", err
		}
		return read(r)
	}
	variables := KW{"read": read, "write": write, "ends": ends, "close": func(c io.Closer) error { return c.Close() },
		"none": func(r io.Reader) bool { return r == nil }, "g": strings.NewReader("from Go")}
	source := `
import io
class Source:
    def __init__(self): self.n = 3
    def read(self, size):
        self.n -= 1
        return b"x" * min(size, 1) if self.n >= 0 else b""
class Slow(io.RawIOBase):
    data = b""
    def writable(self): return True
    def write(self, b):
        self.data += bytes(b[:2]); return min(len(b), 2)
slow, text, closed = Slow(), io.StringIO(), io.BytesIO()
write(slow, "abcde"); write(text, "é\n"); close(closed)
result = repr([read(io.BytesIO(b"ab")), read(io.StringIO("é😀")), read(Source()), read(g), ends(io.BytesIO(b"abcd")), slow.data, text.getvalue(), closed.closed, none(None)])`
	if got := passes[string](t, in, source, variables); got != `['ab', 'é😀', 'xxx', 'from Go', 'cd', b'abcde', 'é\n', True, True]` {
		t.Errorf("got %s", got)
	}
	for source, want := range map[string]string{
		"read([])":      "want a file with a method read, got list",
		"write(5, 'x')": "want a file with a method write, got int",
		"class F:\n    def read(self, n): 1/0\nread(F())":          "division by zero",
		"class F:\n    def read(self, n): return b'xx'\nread(F())": "",
	} {
		if want == "" {
			continue
		}
		_, err := execute[any](t, in, source, variables)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", source, err)
		}
	}
	// As a result, too.
	file, err := evaluate[io.ReadWriteCloser](in, "io:BytesIO", []byte("data"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(file)
	if err != nil || string(data) != "data" {
		t.Errorf("got %q, %v", data, err)
	}
	bound, err := Bind[func(io.Reader) (any, error)](in, "json:load")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := bound(strings.NewReader("[1]")); err != nil || !reflect.DeepEqual(got, []any{1}) {
		t.Errorf("got %v, %v", got, err)
	}
}

// Streams of all kinds, used up or dropped early, leave nothing behind.
func TestStreamLeak(t *testing.T) {
	in := interpreter(t)
	stream := func(i int) KW {
		ch := make(chan int, 2)
		ch <- i
		close(ch)
		return KW{"ch": ch, "seq": slices.Values([]int{1, 2, 3}), "early": slices.Values([]int{1, 2, 3}), "f": strings.NewReader(table),
			"text": TextFile(strings.NewReader(table)), "w": TextFile(io.Discard), "bad": iotest.ErrReader(io.ErrUnexpectedEOF), "read": func(r io.Reader) int {
				data, _ := io.ReadAll(r)
				return len(data)
			}}
	}
	run := bind[func(string, ...any) error](t, in, "callbacks:execute")
	work := func(calls int) {
		for i := range calls {
			if err := run(`
import io
assert list(ch) and len(list(seq)) == 3 and next(early) and f.read() and list(text)
print(1, file=w)
try: bad.read()
except OSError: pass
assert read(io.BytesIO(b"abc")) == 3`, stream(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	work(300)
	before, goroutines, handles := count(t, in), runtime.NumGoroutine(), in.Stats().Hosted
	after := flat(t, in, func() { work(300) })
	if !eventually(func() bool { return in.Stats().Hosted <= handles && runtime.NumGoroutine() <= goroutines }) {
		t.Errorf("%d handles and %d goroutines, before %d and %d", in.Stats().Hosted, runtime.NumGoroutine(), handles, goroutines)
	}
	if after.Threads-before.Threads > 6 {
		t.Errorf("%d threads, before %d", after.Threads, before.Threads)
	}
}

// flat does the work again and again until it takes no more blocks than caches do, of which there are some at first.
func flat(t *testing.T, in *Interpreter, work func()) counts {
	t.Helper()
	var grown []int
	before := count(t, in)
	for range 8 {
		work()
		after := count(t, in)
		grown = append(grown, after.Blocks-before.Blocks)
		if after.Blocks-before.Blocks < 100 {
			return after
		}
		before = after
	}
	t.Errorf("it takes ever more blocks: %v", grown)
	return before
}
