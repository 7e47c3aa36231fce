package python

// #include "core.h"
import "C"

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

const (
	outputLimit    = 4 << 20         // bytes that wait for a writer
	outputPatience = 1 * time.Second // for which a thread of Python waits for room
	outputBatch    = 64 << 10        // bytes that a writer gets at a time, if no line is longer
	outputGrace    = 100 * time.Millisecond
)

// outputs are where a configuration wants output to go.
type outputs struct {
	stdout, stderr io.Writer
	logger         *slog.Logger
}

// compare tells whether these are the same writers and the same logger, and not only equal ones.
func (o outputs) compare(other outputs) error {
	for _, field := range []struct {
		name        string
		have, wants any
	}{
		{"Stdout", o.stdout, other.stdout}, {"Stderr", o.stderr, other.stderr}, {"Logger", o.logger, other.logger},
	} {
		for _, value := range []any{field.have, field.wants} {
			if value != nil && !reflect.ValueOf(value).Comparable() {
				return fmt.Errorf("the field Config.%s: a %T cannot be compared: want a pointer", field.name, value)
			}
		}
		if field.have != field.wants {
			return fmt.Errorf("the field Config.%s is not the same", field.name)
		}
	}
	return nil
}

// drain is a goroutine that hands what Python writes to a queue of the core over to the program.
type drain struct {
	name  string
	queue C.uint64_t
	// write takes whole lines, and tells how many it could not write.
	write func(lines []byte) (lost int, err error)
	// tell says that lines were dropped.
	tell func(text string) error
	// look is called once a second; nil if there is nothing to look at.
	look func()

	news    chan struct{}      // something waits in the queue
	flushes chan chan struct{} // closed when what waits has been written
	stop    chan struct{}
	stopped chan struct{}
	once    sync.Once

	dropped atomic.Int64 // lines that could not be written
	untold  int          // dropped lines that the program was not told of
	reason  string
	err     error // what kept it from telling, at the end
}

// drains are those of the interpreter.
var drains atomic.Pointer[[]*drain]

// newDrain makes a queue and starts what empties it.
func newDrain(d *drain) (*drain, error) {
	if err := takeError(C.snake_output_new(outputLimit, C.uint64_t(outputPatience), &d.queue)); err != nil {
		return nil, err
	}
	d.news, d.flushes = make(chan struct{}, 1), make(chan chan struct{})
	d.stop, d.stopped = make(chan struct{}), make(chan struct{})
	go d.run()
	return d, nil
}

// takeOutput lets Python's output go where the configuration says.
func (in *Interpreter) takeOutput(o outputs) (err error) {
	if o == (outputs{}) {
		return nil
	}
	leases.bell.Do(leases.listen)
	if leases.failure != nil {
		return fmt.Errorf("python: cannot make a pipe for the news of output: %w", leases.failure)
	}
	var all []*drain
	defer func() {
		if err != nil {
			for _, d := range all {
				d.end()
			}
		}
	}()
	var queues [2]int64
	for i, to := range []struct {
		name   string
		writer io.Writer
	}{{"Stdout", o.stdout}, {"Stderr", o.stderr}} {
		if to.writer == nil {
			continue
		}
		d, err := newDrain(&drain{name: "Config." + to.name, write: linesWriter(to.writer), tell: func(text string) error {
			_, err := io.WriteString(to.writer, text+"\n")
			return err
		}})
		if err != nil {
			return err
		}
		all, queues[i] = append(all, d), int64(d.queue) //nolint:gosec // they are numbered from 1
	}
	if o.logger != nil {
		d, err := in.newLogDrain(o.logger)
		if err != nil {
			return err
		}
		all = append(all, d)
	}
	drains.Store(&all)
	return discarded(in.apply("gophersnake.output:redirect", queues[0], queues[1]))
}

// linesWriter writes lines to a writer of the program's.
func linesWriter(w io.Writer) func([]byte) (int, error) {
	return func(lines []byte) (int, error) {
		n, err := w.Write(lines)
		if err == nil && n < len(lines) {
			err = io.ErrShortWrite
		}
		if err == nil {
			return 0, nil
		}
		rest := lines[min(max(n, 0), len(lines)):]
		lost := bytes.Count(rest, []byte("\n"))
		if !bytes.HasSuffix(rest, []byte("\n")) {
			lost++
		}
		return lost, err
	}
}

// wakeDrains lets the drains look into their queues.
func wakeDrains() {
	all := drains.Load()
	if all == nil {
		return
	}
	for _, d := range *all {
		select {
		case d.news <- struct{}{}:
		default: // it will look anyway
		}
	}
}

func (d *drain) run() {
	defer close(d.stopped)
	var clock <-chan time.Time
	if d.look != nil {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		clock = ticker.C
	}
	for {
		select {
		case <-d.news:
			d.empty()
		case <-clock:
			d.look()
		case flushed := <-d.flushes:
			d.empty()
			close(flushed)
		case <-d.stop:
			d.empty()
			C.snake_output_free(d.queue)
			return
		}
	}
}

// empty writes what the queue has.
func (d *drain) empty() {
	// So that what Python prints while the program writes does not come here to be written, and so on for ever.
	runtime.LockOSThread()
	C.snake_output_bypass(1)
	defer func() {
		C.snake_output_bypass(0)
		runtime.UnlockOSThread()
	}()
	var batch []byte
	for {
		var more, dropped int
		batch, more, dropped = readOutput(d.queue, batch, nil)
		if more == outputBatch && batch[len(batch)-1] != '\n' {
			d.drop(dropped, tooSlow)
			continue // the rest of a line that is longer
		}
		if len(batch) > 0 {
			d.confess()
			lost, err := d.write(batch)
			if err != nil {
				d.dropped.Add(int64(lost))
				d.drop(lost, err.Error())
			}
		}
		d.drop(dropped, tooSlow) // they came after what was in the queue
		if more == 0 {
			d.confess()
			return
		}
		batch = batch[:0]
	}
}

const tooSlow = "too many were waiting to be written"

func (d *drain) drop(lines int, reason string) {
	if lines > 0 {
		d.untold += lines
		d.reason = reason
	}
}

// confess tells that lines were dropped, unless that cannot be written either.
func (d *drain) confess() {
	if d.untold == 0 {
		return
	}
	if d.err = d.tell(fmt.Sprintf("gophersnake: %d lines were dropped: %s", d.untold, d.reason)); d.err == nil {
		d.untold = 0
	}
}

// readOutput appends what waits in a queue, at most outputBatch bytes. It tells how many, and how many lines were dropped.
func readOutput(queue C.uint64_t, to []byte, stream *uint32) (all []byte, more, dropped int) {
	if cap(to)-len(to) < outputBatch {
		to = append(make([]byte, 0, 2*len(to)+outputBatch), to...)
	}
	room := to[len(to) : len(to)+outputBatch]
	var length C.size_t
	var of C.uint32_t
	var lost C.uint64_t
	err := takeError(C.snake_output_copy(queue, (*C.uint8_t)(unsafe.SliceData(room)), outputBatch, &length, &of, &lost))
	if err != nil {
		return to, 0, 0 // the queue was ended
	}
	if stream != nil {
		*stream = uint32(of)
	}
	return to[:len(to)+int(length)], int(length), int(lost) //nolint:gosec // bounded by the room, and a count of lines
}

// end lets a drain write what is in its queue, and stops it. It does not wait.
func (d *drain) end() {
	d.once.Do(func() {
		_ = takeError(C.snake_output_close(d.queue))
		close(d.stop)
	})
}

// endOutput waits until all output is written, after which nothing more goes to the program.
func endOutput(ctx context.Context) error {
	all := drains.Load()
	if all == nil {
		return nil
	}
	for _, d := range *all {
		d.end()
	}
	var failures []error
	for _, d := range *all {
		select {
		case <-d.stopped:
		default:
			grace := time.After(outputGrace)
			select {
			case <-d.stopped:
			case <-ctx.Done():
				select {
				case <-d.stopped:
				case <-grace:
					failures = append(failures, fmt.Errorf("python: %s: output is still being written: %w", d.name, contextError(ctx)))
					continue
				}
			}
		}
		if d.err != nil {
			failures = append(failures, fmt.Errorf("python: %s: %d lines were dropped: %s: %w", d.name, d.untold, d.reason, d.err))
		}
	}
	return errors.Join(failures...)
}

// flushOutput lets what waits be written, for a moment.
func flushOutput() {
	all := drains.Load()
	if all == nil {
		return
	}
	grace := time.After(outputGrace)
	for _, d := range *all {
		flushed := make(chan struct{})
		select {
		case d.flushes <- flushed:
		case <-d.stopped:
			continue
		case <-grace:
			return
		}
		select {
		case <-flushed:
		case <-grace:
			return
		}
	}
}

// droppedLines counts the lines that could not be written.
func droppedLines() (count int) {
	if all := drains.Load(); all != nil {
		for _, d := range *all {
			count += int(d.dropped.Load())
		}
	}
	return count
}
