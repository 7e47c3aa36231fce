package python

import (
	"context"
	"fmt"
	"log/slog"
	"math/big"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// recorder is a handler that keeps records.
type recorder struct {
	mu      sync.Mutex
	records []slog.Record
	level   slog.LevelVar
	handle  func() // called for each, if it is set
}

func (r *recorder) Enabled(_ context.Context, level slog.Level) bool { return level >= r.level.Level() }
func (r *recorder) WithAttrs([]slog.Attr) slog.Handler               { return r }
func (r *recorder) WithGroup(string) slog.Handler                    { return r }

func (r *recorder) Handle(_ context.Context, record slog.Record) error {
	r.mu.Lock()
	r.records = append(r.records, record)
	r.mu.Unlock()
	if r.handle != nil {
		r.handle()
	}
	return nil
}

// take waits for a number of records and forgets them.
func (r *recorder) take(count int) []slog.Record {
	waitFor(fmt.Sprint(count, " records"), func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.records) >= count
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.records
	r.records = nil
	want("records", len(taken), count)
	return taken
}

func attributes(record slog.Record) map[string]any {
	all := map[string]any{}
	record.Attrs(func(a slog.Attr) bool {
		all[a.Key] = a.Value.Any()
		return true
	})
	return all
}

func logging(config Config) (*Interpreter, *recorder) {
	r := &recorder{}
	config.Path, config.Logger = []string{testdata}, slog.New(r)
	return must(Start(config)), r
}

var _ = scenario("log basic config", func() {
	in, r := logging(Config{})
	configure := func(source string) error { return run(in, "callbacks:execute", source) }
	const configured = "import io, logging; logging.basicConfig(stream=io.StringIO()%s); logging.getLogger('app').error('here')"
	check(configure(fmt.Sprintf(configured, "")))
	want("message", r.take(1)[0].Message, "here")
	check(configure(fmt.Sprintf(configured, ", force=True")))
	check(in.Shutdown(context.Background())) // by then, all has come
	want("records", len(r.records), 0)
})

// With a logger, logging.basicConfig does nothing, and with force=True takes the logger away, as the documentation says.
func TestLogBasicConfig(t *testing.T) { passScenario(t, "log basic config") }

var _ = scenario("log", func() {
	in, r := logging(Config{})
	before := time.Now()

	check(run(in, "host_output:log_levels"))
	var levels []string
	for _, record := range r.take(6) {
		levels = append(levels, record.Level.String()+" "+record.Message)
	}
	want("levels", strings.Join(levels, ", "), "INFO at 20, INFO+2 at 25, WARN at 30, ERROR at 40, ERROR+4 at 50, ERROR+8 at 60")
	want("DEBUG is enabled", must(evaluate[bool](in, "host_output:is_enabled", 10)), false)
	r.level.Set(slog.LevelDebug)
	waitFor("DEBUG", func() bool { return must(evaluate[bool](in, "host_output:is_enabled", 10)) })
	r.level.Set(slog.LevelError)
	waitFor("no WARNING", func() bool { return !must(evaluate[bool](in, "host_output:is_enabled", 30)) })
	r.level.Set(slog.LevelInfo)
	waitFor("INFO", func() bool { return must(evaluate[bool](in, "host_output:is_enabled", 20)) })

	check(run(in, "host_output:log_exception"))
	record := r.take(1)[0]
	if record.Time.Before(before.Add(-time.Second)) || record.Time.After(time.Now()) {
		fail("time %v", record.Time)
	}
	a := attributes(record)
	want("message", record.Message, "it failed")
	want("logger", a["logger"], any("app.part"))
	want("function", a["function"], any("log_exception"))
	want("exception", a["exception"], any("ValueError: bad value"))
	if file, _ := a["file"].(string); !strings.HasSuffix(file, "/host_output.py") {
		fail("file %v", file)
	}
	if line, _ := a["line"].(int64); line < 100 {
		fail("line %v", line)
	}
	for _, name := range []string{"traceback", "stack"} {
		if text, _ := a[name].(string); !strings.Contains(text, "in log_exception") {
			fail("%s: %v", name, text)
		}
	}

	check(run(in, "host_output:log_extra"))
	record = r.take(1)[0]
	a = attributes(record)
	big70 := new(big.Int).Lsh(big.NewInt(1), 70)
	for name, value := range map[string]any{
		"i": int64(1 << 62), "big": big70, "f": 1.0, "s": "é\\udcff\n", "none": nil, "yes": true, "took": 1500 * time.Millisecond,
		"day": "2024-05-06", "price": "1.10", "id": "00000000-0000-0000-0000-000000000001", "path": "/tmp/x", "np": 2.5,
		"array": "array([0, 1, 2])", "list": []any{int64(1), "a", []any{2.5}}, "map": map[string]any{"a": int64(1), "2": "b"},
		"object": "<class 'object'>", "odd": "<Odd, whose __repr__ raised RuntimeError>",
	} {
		if !reflect.DeepEqual(a[name], value) {
			fail("%s: got %#v, want %#v", name, a[name], value)
		}
	}
	if f, ok := a["nan"].(float64); !ok || f == f {
		fail("nan: %v", a["nan"])
	}
	when, _ := a["when"].(time.Time)
	want("when", when.Format(time.RFC3339Nano), "2024-05-06T07:08:09.00001+02:00")
	if text, _ := a["long"].(string); len(text) > 20_000 || len(text) < 10_000 {
		fail("long: %d", len(text))
	}
	if many, _ := a["many"].([]any); len(many) > 300 || len(many) < 200 {
		fail("many: %d", len(many))
	}

	check(run(in, "host_output:log_wrongly"))
	if message := r.take(1)[0].Message; !strings.Contains(message, "two %s %s") || !strings.Contains(message, "TypeError") {
		fail("message %q", message)
	}

	check(run(in, "host_output:warn"))
	record = r.take(1)[0] // DeprecationWarning is not shown, the other once
	a = attributes(record)
	want("warning", record.Message, "careful")
	want("its level", record.Level, slog.LevelWarn)
	want("its logger", a["logger"], any("py.warnings"))
	want("its category", a["category"], any("UserWarning"))

	check(run(in, "host_output:destroy"))
	record = r.take(1)[0]
	if !strings.Contains(record.Message, "Reaper.__del__") || attributes(record)["exception"] != "ValueError: in __del__" {
		fail("unraisable: %v", record)
	}
	check(run(in, "host_output:fail_in_thread"))
	record = r.take(1)[0]
	a = attributes(record)
	if record.Message != "Exception in thread worker-7" || a["exception"] != "KeyError: 'in thread'" || a["function"] != "fail_in_thread.<locals>.body" {
		fail("thread: %v", record)
	}

	check(run(in, "host_output:at_exit"))
	check(in.Shutdown(context.Background()))
	want("at exit", r.take(1)[0].Message, "logged at exit")
})

func TestLog(t *testing.T) {
	stdout, stderr, exit := runScenario(t, "log")
	if stdout != "destroyed\nfrom thread\nat exit" || stderr != "" || exit != 0 {
		t.Errorf("got %q, %q and exit status %d", stdout, stderr, exit)
	}
}

var _ = scenario("log from handler", func() {
	in, r := logging(Config{MaxConcurrent: 1})
	r.handle = func() { check(run(in, "host_output:log_often", 1)) }
	check(run(in, "host_output:log_often", 3))
	r.take(3)
	time.Sleep(200 * time.Millisecond)
	r.take(0)
	check(in.Shutdown(context.Background()))
})

// What Python logs for a handler goes where it would without a logger, and not to the handler.
func TestLogFromHandler(t *testing.T) {
	_, stderr, exit := runScenario(t, "log from handler")
	if stderr != "record 0\nrecord 0\nrecord 0\n" || exit != 0 {
		t.Errorf("got %q and exit status %d", stderr, exit)
	}
}

var _ = scenario("log to blocked handler", func() {
	release := make(chan struct{})
	in, r := logging(Config{})
	r.handle = func() { <-release }
	const count = 60_000
	check(run(in, "host_output:log_often", count))
	dropped := in.Stats().Dropped
	if dropped == 0 || dropped >= count {
		fail("%d are counted as dropped", dropped)
	}
	close(release)
	check(in.Shutdown(context.Background()))
	records := r.take(count - dropped + 1)
	told := 0
	for _, record := range records {
		if strings.HasPrefix(record.Message, fmt.Sprintf("gophersnake: %d lines were dropped", dropped)) {
			told++
		}
	}
	want("records that tell", told, 1)
})

func TestLogToBlockedHandler(t *testing.T) { passScenario(t, "log to blocked handler") }

func TestLogLevels(t *testing.T) {
	for level, want := range map[float64]slog.Level{0: -8, 5: -6, 10: slog.LevelDebug, 20: slog.LevelInfo, 25: 2, 30: slog.LevelWarn, 40: slog.LevelError, 50: 12} {
		if got := slogLevel(level); got != want {
			t.Errorf("%v: got %v, want %v", level, got, want)
		}
	}
	for level, want := range map[slog.Level]int{slog.LevelDebug: 10, slog.LevelInfo: 20, slog.LevelWarn: 30, 100: 51} {
		if got := pythonLevel(slog.NewTextHandler(nil, &slog.HandlerOptions{Level: level})); got != want {
			t.Errorf("%v: got %v, want %v", level, got, want)
		}
	}
}
