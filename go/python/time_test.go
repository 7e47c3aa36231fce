package python

import (
	"strings"
	"testing"
	"time"
)

// Times and durations go to Python without their nanoseconds where somebody has said so, and only there.
func TestTruncated(t *testing.T) {
	in := interpreter(t)
	type record struct {
		Cut   time.Time       `py:"cut,truncate"`
		Spans []time.Duration `py:"spans,truncate"`
		Whole time.Time       `py:"whole"`
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC)
	early := time.Date(1900, 1, 1, 0, 0, 0, 1999, time.UTC) // cut towards earlier times, also before 1970
	for name, row := range map[string]struct {
		value any
		want  string
	}{
		"a time":       {Truncated(at), "2026-01-02 03:04:05.678901+00:00"},
		"an old time":  {Truncated(early), "1900-01-01 00:00:00.000001+00:00"},
		"a duration":   {Truncated(-1500 * time.Nanosecond), "-1 day, 23:59:59.999999"},
		"deep within":  {Truncated(map[string]any{"x": []time.Time{at}}), "2026, 1, 2, 3, 4, 5, 678901"},
		"by a tag":     {record{Cut: at, Spans: []time.Duration{1001}, Whole: at.Truncate(time.Second)}, "microseconds=1"},
		"twice":        {Truncated(Truncated(at)), "678901"},
		"only outside": {[]any{Truncated(at), at}, "argument 2: [1]: " + at.String() + " has nanoseconds, which a datetime has not: " + howToTruncate},
		"only the tag": {record{Cut: at, Whole: at}, "argument 2: .whole: " + at.String() + " has nanoseconds"},
		"nothing":      {at, howToTruncate},
	} {
		got, err := pythonText(in, "str(x)", row.value)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, row.want) {
			t.Errorf("%s: got %s, want %s", name, got, row.want)
		}
	}
	bound, err := Bind[func(time.Time) (string, error)](in, "builtins:str")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bound(at); err == nil {
		t.Error("what one call has cut, the next one cuts too")
	}
}

var _ = scenario("truncated times", func() {
	in := must(Start(Config{TruncateTimes: true}))
	equal("a time", must(evaluate[string](in, "builtins:str", time.Date(2026, 1, 2, 3, 4, 5, 999, time.UTC))), "2026-01-02 03:04:05+00:00")
	equal("a reply", must(evaluate[[]string](in, "builtins:list", must(evaluate[[]string](in, "builtins:map", must(in.Object("builtins:str")), []time.Duration{1999})))),
		[]string{"0:00:00.000001"})
})

func TestTruncateTimes(t *testing.T) { passScenario(t, "truncated times") }
