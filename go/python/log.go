package python

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"math/big"
	"strconv"
	"sync/atomic"
	"time"
)

// logRecord is a record as log.py describes it.
type logRecord struct {
	Time                        int64 // microseconds
	Level                       float64
	Logger, Message             string
	File, Function              string
	Line                        int
	Thread, Task                string
	Exception, Traceback, Stack string
	Extra                       [][2]any
}

// newLogDrain lets Python's logging go to a logger of the program's.
func (in *Interpreter) newLogDrain(logger *slog.Logger) (*drain, error) {
	handler := logger.Handler()
	level := pythonLevel(handler)
	var setting atomic.Bool
	d, err := newDrain(&drain{
		name:  "Config.Logger",
		write: func(lines []byte) (int, error) { return handleRecords(handler, lines) },
		tell: func(text string) error {
			return handler.Handle(context.Background(), slog.NewRecord(time.Now(), slog.LevelWarn, text, 0))
		},
		look: func() {
			// A slog.LevelVar may have changed. Python gets to know without being asked for each record.
			if now := pythonLevel(handler); now != level && setting.CompareAndSwap(false, true) {
				level = now
				go func() {
					_ = discarded(in.apply("gophersnake.log:set_level", now))
					setting.Store(false)
				}()
			}
		},
	})
	if err != nil {
		return nil, err
	}
	if err := discarded(in.apply("gophersnake.log:install", int64(d.queue), level)); err != nil { //nolint:gosec // they are numbered from 1
		d.end()
		return nil, err
	}
	return d, nil
}

// slogLevel maps DEBUG (10), INFO, WARNING and ERROR to slog's, and other levels to where they lie in between or beyond.
func slogLevel(level float64) slog.Level { return slog.Level(math.Floor((level - 20) * 2 / 5)) }

// pythonLevel returns the lowest level of Python's that a handler takes; one above CRITICAL if it takes none.
func pythonLevel(handler slog.Handler) int {
	level := 1
	for level <= 50 && !handler.Enabled(context.Background(), slogLevel(float64(level))) {
		level++
	}
	return level
}

// handleRecords gives records to a handler. It tells how many it could not.
func handleRecords(handler slog.Handler, lines []byte) (lost int, err error) {
	for line := range bytes.Lines(lines) {
		if failure := handleRecord(handler, line); failure != nil {
			lost, err = lost+1, failure
		}
	}
	return lost, err
}

func handleRecord(handler slog.Handler, line []byte) error {
	var r logRecord
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	if err := decoder.Decode(&r); err != nil {
		return fmt.Errorf("a record that cannot be read: %w", err)
	}
	ctx, level := context.Background(), slogLevel(r.Level)
	if !handler.Enabled(ctx, level) {
		return nil
	}
	record := slog.NewRecord(time.UnixMicro(r.Time), level, r.Message, 0)
	for _, attribute := range []slog.Attr{
		slog.String("logger", r.Logger), slog.String("file", r.File), slog.Int("line", r.Line), slog.String("function", r.Function),
		slog.String("thread", r.Thread), slog.String("task", r.Task), slog.String("exception", r.Exception),
		slog.String("traceback", r.Traceback), slog.String("stack", r.Stack),
	} {
		if s := attribute.Value.String(); s != "" && s != "0" {
			record.AddAttrs(attribute)
		}
	}
	for _, extra := range r.Extra {
		name, _ := extra[0].(string)
		record.AddAttrs(slog.Any(name, logValue(extra[1])))
	}
	return handler.Handle(ctx, record)
}

// logValue returns the Go value for what log.py made of one of Python's.
func logValue(value any) any {
	switch value := value.(type) {
	case json.Number:
		if i, err := strconv.ParseInt(value.String(), 10, 64); err == nil {
			return i
		}
		if i, ok := new(big.Int).SetString(value.String(), 10); ok {
			return i
		}
		f, _ := value.Float64()
		return f
	case []any:
		for i := range value {
			value[i] = logValue(value[i])
		}
		return value
	case map[string]any:
		for kind, content := range value {
			return taggedValue(kind, content)
		}
	}
	return value
}

func taggedValue(kind string, content any) any {
	switch kind {
	case "map":
		all := map[string]any{}
		pairs, _ := content.([]any)
		for _, pair := range pairs {
			if pair, ok := pair.([]any); ok && len(pair) == 2 {
				name, _ := pair[0].(string)
				all[name] = logValue(pair[1])
			}
		}
		return all
	case "float":
		text, _ := content.(string)
		f, _ := strconv.ParseFloat(text, 64)
		return f
	case "time":
		parts, _ := content.([]any)
		if len(parts) != 2 {
			return content
		}
		micros, _ := logValue(parts[0]).(int64)
		at := time.UnixMicro(micros).UTC()
		if offset, ok := logValue(parts[1]).(int64); ok && offset != 0 {
			at = at.In(time.FixedZone("", int(offset)))
		}
		return at
	case "duration":
		micros, ok := logValue(content).(int64)
		if ok && micros <= math.MaxInt64/1000 && micros >= math.MinInt64/1000 {
			return time.Duration(micros) * time.Microsecond
		}
	}
	return content
}
