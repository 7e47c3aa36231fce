package python

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"unicode/utf8"
)

// TextFile passes a reader, a writer or both to Python as a file of text in UTF-8, where the value itself becomes a file
// of bytes. Line ends stay as they are, as the module csv wants.
func TextFile(stream any) ToPython { return textFile{stream} }

type textFile struct{ stream any }

// ToPython implements [ToPython].
func (t textFile) ToPython() (any, error) { return streamFile{t.stream, true}, nil }

// streamFile is a value that reads, writes or both, on its way to a file of Python's.
type streamFile struct {
	stream any
	text   bool
}

// byHandle is a value on its way to an object that stands for it and can nothing.
type byHandle struct{ value any }

func (b byHandle) handle() uint64 {
	switch reflect.ValueOf(b.value).Kind() {
	case reflect.Pointer, reflect.Chan:
		return hosted.share(b.value)
	default:
		return hosted.add(b.value)
	}
}

// internalFunction makes a function of this package ready for Python.
func internalFunction(function any, name string) *hostFunction {
	f, err := newHostFunction(function, name, "gophersnake", nil)
	if err != nil {
		panic(err) // no such function has a signature that Python cannot call
	}
	return f
}

// addChannel describes a channel as an iterator.
func (f *frame) addChannel(ch reflect.Value, depth int) error {
	if ch.IsNil() {
		return f.addValue(nil, depth)
	}
	var receiver, sender, closer any
	direction := ch.Type().ChanDir()
	if direction&reflect.RecvDir != 0 {
		receiver = internalFunction(func(ctx context.Context) (any, bool, error) { return receive(ctx, ch) }, "receive")
	}
	if direction&reflect.SendDir != 0 {
		// Of the element's type, so that the argument converts to it.
		t := reflect.FuncOf([]reflect.Type{contextType, ch.Type().Elem()}, []reflect.Type{errorType}, false)
		send, err := newHostFunction(reflect.MakeFunc(t, func(in []reflect.Value) []reflect.Value {
			failure := reflect.New(errorType).Elem()
			if err := send(in[0].Interface().(context.Context), ch, in[1]); err != nil {
				failure.Set(reflect.ValueOf(err))
			}
			return []reflect.Value{failure}
		}).Interface(), "send", "gophersnake", nil)
		if err != nil {
			return err
		}
		send.keeps = true
		sender = send
		closer = internalFunction(func() error { return closeChannel(ch) }, "close")
	}
	return f.addMade("streams:GoChannel", depth, byHandle{ch.Interface()}, receiver, sender, closer)
}

// receive receives a value; ok is false when the channel is closed.
func receive(ctx context.Context, ch reflect.Value) (value any, ok bool, err error) {
	if ctx.Err() != nil {
		return nil, false, contextError(ctx)
	}
	received, ok := ch.TryRecv()
	if !received.IsValid() {
		var chosen int
		chosen, received, ok = reflect.Select([]reflect.SelectCase{
			{Dir: reflect.SelectRecv, Chan: ch},
			{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(ctx.Done())},
		})
		if chosen == 1 {
			return nil, false, contextError(ctx)
		}
	}
	if !ok {
		return nil, false, nil
	}
	return received.Interface(), true, nil
}

func send(ctx context.Context, ch, value reflect.Value) (err error) {
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	defer closedError(&err)
	chosen, _, _ := reflect.Select([]reflect.SelectCase{
		{Dir: reflect.SelectSend, Chan: ch, Send: value},
		{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(ctx.Done())},
	})
	if chosen == 1 {
		return contextError(ctx)
	}
	return nil
}

func closeChannel(ch reflect.Value) (err error) {
	defer closedError(&err)
	ch.Close()
	return nil
}

// closedError makes a ValueError, as that of a closed file, of the panic of a closed channel.
func closedError(err *error) {
	if p := recover(); p != nil {
		failure, ok := p.(error)
		if !ok {
			failure = fmt.Errorf("%v", p)
		}
		*err = NewError(ValueError, failure)
	}
}

// isSequence tells whether a type is that of an iter.Seq or iter.Seq2.
func isSequence(t reflect.Type) bool {
	if t.Kind() != reflect.Func || t.NumIn() != 1 || t.NumOut() != 0 || t.IsVariadic() {
		return false
	}
	yield := t.In(0)
	return yield.Kind() == reflect.Func && (yield.NumIn() == 1 || yield.NumIn() == 2) && !yield.IsVariadic() &&
		yield.NumOut() == 1 && yield.Out(0).Kind() == reflect.Bool
}

// addSequence describes an iter.Seq or iter.Seq2 as an iterator.
func (f *frame) addIterator(seq reflect.Value, depth int) error {
	s := newSequence(seq)
	advance := internalFunction(s.next, "next")
	advance.dropped = s.end
	return f.addMade("streams:GoIterator", depth, byHandle{seq.Interface()}, advance, internalFunction(s.close, "close"))
}

// sequence runs an iter.Seq for a Python iterator, on a goroutine of its own: next may be called on any thread, while
// the coroutines of iter.Pull belong to the thread that has made them.
type sequence struct {
	seq     reflect.Value
	turn    chan struct{} // has room for one: who is in next
	wanted  chan struct{} // the next item is wanted
	items   chan []reflect.Value
	stop    chan struct{} // closed when no more items are wanted
	stopped sync.Once
	started atomic.Bool
	pending bool // an item was wanted and has not been taken: who wanted it did not wait
	done    chan struct{}
	ending  *ending // how the function ended, if it did not return; nobody has been told yet
}

// ending is how a function ended, on a goroutine of its own, that did not return.
type ending struct {
	value any // what it panicked with
	stack []byte
	exits bool // runtime.Goexit
}

// goOn ends the calling goroutine in the same way.
func (e *ending) goOn() {
	if e == nil {
		return
	}
	if e.exits {
		runtime.Goexit()
	}
	panic(e)
}

// endingOf calls body and returns how it ended, if it did not return; `then` is called in any case.
func endingOf(body func(), then func(*ending)) {
	returned := false
	defer func() {
		if returned {
			then(nil)
		} else if p := recover(); p != nil {
			then(&ending{value: p, stack: debug.Stack()})
		} else {
			then(&ending{exits: true})
		}
	}()
	body()
	returned = true
}

func newSequence(seq reflect.Value) *sequence {
	return &sequence{seq: seq, turn: make(chan struct{}, 1), wanted: make(chan struct{}), items: make(chan []reflect.Value, 1),
		stop: make(chan struct{}), done: make(chan struct{})}
}

// next returns the next item; ok is false at the end.
func (s *sequence) next(ctx context.Context) (item any, ok bool, err error) {
	if ctx.Err() != nil {
		return nil, false, contextError(ctx)
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, false, contextError(ctx)
	}
	defer func() { <-s.turn }()
	select {
	case <-s.stop:
		return nil, false, nil
	default:
	}
	switch {
	case !s.started.Swap(true):
		s.pending = true
		go endingOf(s.run, func(e *ending) {
			s.ending = e
			close(s.done)
		})
	case !s.pending:
		select {
		case s.wanted <- struct{}{}:
			s.pending = true
		case <-s.done:
		}
	}
	select {
	case values := <-s.items:
		s.pending = false
		return itemOf(values)
	case <-s.done:
		e := s.ending
		s.ending = nil
		e.goOn()
		return nil, false, nil
	case <-ctx.Done():
		return nil, false, contextError(ctx)
	}
}

// itemOf returns what was yielded: a pair is a tuple, but for an error, which is raised.
func itemOf(values []reflect.Value) (any, bool, error) {
	switch {
	case len(values) == 1:
		return values[0].Interface(), true, nil
	case values[1].Type() == errorType:
		if err, _ := values[1].Interface().(error); err != nil {
			return nil, false, err
		}
		return values[0].Interface(), true, nil
	default:
		return Tuple{values[0].Interface(), values[1].Interface()}, true, nil
	}
}

// run runs the function until its end.
func (s *sequence) run() {
	yield := reflect.MakeFunc(s.seq.Type().In(0), func(values []reflect.Value) []reflect.Value {
		select {
		case <-s.stop:
		case s.items <- values:
			select {
			case <-s.stop:
			case <-s.wanted:
				return []reflect.Value{reflect.ValueOf(true)}
			}
		}
		return []reflect.Value{reflect.ValueOf(false)}
	})
	s.seq.Call([]reflect.Value{yield})
}

// end lets the function end, without waiting for that.
func (s *sequence) end() { s.stopped.Do(func() { close(s.stop) }) }

// close lets the function end, and waits.
func (s *sequence) close(ctx context.Context) error {
	s.end()
	if !s.started.Load() {
		return nil
	}
	select {
	case <-s.done:
	case <-ctx.Done():
		return contextError(ctx)
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return contextError(ctx)
	}
	defer func() { <-s.turn }()
	e := s.ending
	s.ending = nil
	e.goOn()
	return nil
}

// addFile describes a value that reads, writes or both as a file.
func (f *frame) addFile(s streamFile, depth int) error {
	var read, write, seek, closing any
	if reader, ok := s.stream.(io.Reader); ok {
		read = internalFunction((&fileReader{reader: reader}).read, "read")
	}
	if writer, ok := s.stream.(io.Writer); ok {
		write = internalFunction(func(ctx context.Context, data []byte) error { return writeAll(ctx, writer, data) }, "write")
	}
	if read == nil && write == nil {
		return fmt.Errorf("python.TextFile: want an io.Reader or io.Writer, got %T", s.stream)
	}
	if v := reflect.ValueOf(s.stream); v.Kind() == reflect.Pointer && v.IsNil() {
		return f.addValue(nil, depth)
	}
	if seeker, ok := s.stream.(io.Seeker); ok {
		seek = internalFunction(func(offset int64, whence int) (int64, error) {
			position, err := seeker.Seek(offset, whence)
			return position, fileError(err)
		}, "seek")
	}
	if closer, ok := s.stream.(io.Closer); ok {
		closing = internalFunction(func() error { return fileError(closer.Close()) }, "close")
	}
	name := fmt.Sprintf("<Go %T>", s.stream)
	if named, ok := s.stream.(interface{ Name() string }); ok && utf8.ValidString(named.Name()) {
		name = named.Name()
	}
	return f.addMade("streams:open_file", depth, byHandle{s.stream}, name, s.text, read, write, seek, closing)
}

// fileReader reads for a file of Python's.
type fileReader struct {
	reader io.Reader
	mu     sync.Mutex
	// pending is the error that came with the last data: Python is told next time.
	pending error
}

// emptyReads is how often a reader may return neither data nor an error, as that of the package bufio.
const emptyReads = 100

// read reads into memory of Python's; 0 is the end.
func (r *fileReader) read(ctx context.Context, p Mut[byte]) (int, error) {
	r.mu.Lock()
	err := r.pending
	r.pending = nil
	r.mu.Unlock()
	for range emptyReads {
		if err == nil && ctx.Err() != nil {
			err = contextError(ctx)
		}
		if err != nil {
			if err == io.EOF { //nolint:errorlint // as the contract of io.Reader says
				return 0, nil
			}
			return 0, fileError(err)
		}
		var n int
		n, err = r.reader.Read(p)
		if n < 0 || n > len(p) {
			return 0, fileError(fmt.Errorf("%T.Read returned %d for a buffer of %d bytes", r.reader, n, len(p)))
		}
		if n > 0 {
			r.mu.Lock()
			r.pending = err
			r.mu.Unlock()
			return n, nil
		}
	}
	return 0, fileError(io.ErrNoProgress)
}

func writeAll(ctx context.Context, w io.Writer, data []byte) error {
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	n, err := w.Write(data)
	if err == nil && n < len(data) {
		err = io.ErrShortWrite
	}
	return fileError(err)
}

// fileError gives an error of a file the class that Python's own files raise: an OSError.
func fileError(err error) error {
	var exception *Error
	var chosen *classError
	if err == nil || errors.As(err, &exception) || errors.As(err, &chosen) {
		return err
	}
	for _, row := range fileErrors {
		if errors.Is(err, row.err) {
			return NewError(row.class, err)
		}
	}
	return NewError(OSError, err)
}

var fileErrors = []struct {
	err   error
	class Class
}{
	{fs.ErrNotExist, FileNotFoundError},
	{fs.ErrPermission, PermissionError},
	{os.ErrDeadlineExceeded, TimeoutError},
	{context.DeadlineExceeded, TimeoutError},
	{io.ErrClosedPipe, Class("builtins.BrokenPipeError")},
	{syscall.EPIPE, Class("builtins.BrokenPipeError")},
	{syscall.ECONNRESET, Class("builtins.ConnectionResetError")},
	{syscall.ECONNREFUSED, Class("builtins.ConnectionRefusedError")},
}

// pythonFile is a file of Python's, or any object with the methods that are called, as a Go reader and writer.
type pythonFile struct {
	object *Object
	mu     sync.Mutex
	rest   []byte // what a file of text has returned too much
}

var pythonFileType = reflect.TypeFor[*pythonFile]()

// Read implements io.Reader. Text comes in UTF-8.
func (p *pythonFile) Read(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(data) == 0 {
		return 0, nil
	}
	if len(p.rest) == 0 {
		read, err := asThenClose[[]byte](p.object.lane.apply("gophersnake.streams:read", p.object, len(data)))
		if err != nil {
			return 0, err
		}
		if len(read) == 0 {
			return 0, io.EOF
		}
		p.rest = read
	}
	n := copy(data, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// Write implements io.Writer.
func (p *pythonFile) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	written := 0
	for written < len(data) {
		n, err := asThenClose[int](p.object.lane.apply("gophersnake.streams:write", p.object, data[written:]))
		if err != nil {
			return written, err
		}
		if n <= 0 || n > len(data)-written {
			return written, io.ErrShortWrite
		}
		written += n
	}
	return written, nil
}

// Seek implements io.Seeker.
func (p *pythonFile) Seek(offset int64, whence int) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if whence == io.SeekCurrent {
		offset -= int64(len(p.rest))
	}
	p.rest = nil
	return asThenClose[int64](p.object.Method(admitted, "seek", offset, whence))
}

// Close implements io.Closer.
func (p *pythonFile) Close() error {
	return discarded(p.object.Method(admitted, "close"))
}
