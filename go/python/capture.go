package python

// #include "core.h"
import "C"

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
)

// captureLimit bounds what a capture holds that nobody has looked at.
const captureLimit = 16 << 20

// Captured is what the calls with a context of [Capture] print. Any goroutine may use it, also while they run.
type Captured struct {
	mu      sync.Mutex
	queue   *captureQueue // in the core, once there was a call
	chunks  []capturedChunk
	dropped int
}

type capturedChunk struct {
	stream uint32
	text   string
}

type captureQueue struct{ number C.uint64_t }

// capturing counts the captures that there are, so that calls do not look for one where there is none.
var capturing atomic.Int64

type captureKey struct{}

// Capture returns a context for calls whose output is kept, in place of going where other output goes:
//
//	ctx, printed := python.Capture(ctx)
//	_, err := report.Call(ctx, data)
//	log.Printf("report: %s", printed)
//
// It keeps what the calls print to sys.stdout and sys.stderr: on their own threads, in coroutines, and in all that runs in
// their contextvars context, as tasks of asyncio and asyncio.to_thread do, also after the call. Other threads print where
// they did, those of thread pools and of [threading.Thread] among them; and so do other processes, and C code. It does not
// keep what a call logs if there is a [Config].Logger.
//
// Up to 16 MiB are kept between two looks at them; what exceeds that is dropped and counted.
//
// [threading.Thread]: https://docs.python.org/3/library/threading.html
func Capture(ctx context.Context) (context.Context, *Captured) {
	c := &Captured{queue: &captureQueue{}}
	capturing.Add(1)
	runtime.AddCleanup(c, func(queue *captureQueue) {
		capturing.Add(-1)
		if queue.number != 0 {
			C.snake_output_free(queue.number)
		}
	}, c.queue)
	return context.WithValue(ctx, captureKey{}, c), c
}

// captureOf returns the queue of the capture that a context has; 0 if it has none.
func captureOf(ctx context.Context) C.uint64_t {
	c, ok := ctx.Value(captureKey{}).(*Captured)
	if !ok {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.queue.number == 0 {
		_ = takeError(C.snake_output_new(captureLimit, 0, &c.queue.number)) // it fails for no number that we give
	}
	return c.queue.number
}

// Stdout returns what was printed to sys.stdout.
func (c *Captured) Stdout() string { return c.text(1, 1) }

// Stderr returns what was printed to sys.stderr.
func (c *Captured) Stderr() string { return c.text(2, 2) }

// String returns what was printed to both, in the order in which lines were written.
func (c *Captured) String() string { return c.text(1, 2) }

// Dropped returns how many lines were too many to be kept.
func (c *Captured) Dropped() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.collect()
	return c.dropped
}

func (c *Captured) text(first, last uint32) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.collect()
	var b strings.Builder
	for _, chunk := range c.chunks {
		if chunk.stream >= first && chunk.stream <= last {
			b.WriteString(chunk.text)
		}
	}
	return b.String()
}

// collect takes what the core has. The caller holds the lock.
func (c *Captured) collect() {
	if c.queue.number == 0 {
		return
	}
	var batch []byte
	for {
		var stream uint32
		var more, dropped int
		batch, more, dropped = readOutput(c.queue.number, batch[:0], &stream)
		c.dropped += dropped
		if more == 0 {
			return
		}
		c.chunks = append(c.chunks, capturedChunk{stream, string(batch)})
	}
}
