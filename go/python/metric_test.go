package python

import (
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Each number of Stats is a metric, in the base unit.
func TestStatsMetrics(t *testing.T) {
	s := Stats{Errors: map[string]int{"ValueError": 1000, "ErrClosed": 1001}}
	fields := reflect.ValueOf(&s).Elem()
	want := map[float64]bool{1000: true, 1001: true} // the value, and whether it only grows
	for i := range fields.NumField() {
		if name := fields.Type().Field(i).Tag.Get("json"); fields.Field(i).CanInt() {
			value := int64(i + 1)
			want[float64(value)] = strings.HasSuffix(name, "_total")
			if fields.Field(i).Type() == reflect.TypeFor[time.Duration]() {
				value *= int64(time.Second)
			}
			fields.Field(i).SetInt(value)
		}
	}
	got, names := map[float64]bool{}, map[string]bool{}
	for i, m := range s.Metrics() {
		names[m.Name] = true
		if (Stats{}).Metrics()[i].Name != m.Name || m.Description == "" || m.Unit == "" || strings.ToLower(m.Name) != m.Name {
			t.Errorf("got %+v", m)
		}
		for _, p := range m.Points {
			got[p.Value] = m.Counter
			if class := p.Attributes["error.type"]; len(p.Attributes) > 0 && p.Value != float64(s.Errors[class]) {
				t.Errorf("got %+v", p)
			}
		}
	}
	if !maps.Equal(got, want) || len(names) != len(metricsOf) {
		t.Errorf("got %v, want %v; %d names", got, want, len(names))
	}
}
