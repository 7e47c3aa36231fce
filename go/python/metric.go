package python

import (
	"maps"
	"slices"
	"strings"
)

// Metric is one of the numbers of [Stats] in the terms of monitoring systems: see [Stats.Metrics].
type Metric struct {
	// Name is as OpenTelemetry wants it: "python.call.waits". Prometheus wants "_" for its dots.
	Name string
	// Unit is that of the values in UCUM, as OpenTelemetry wants it: "s", "By", "{call}".
	Unit string
	// Description is a sentence for people.
	Description string
	// Counter tells that the values only grow. Others are gauges, which go up and down.
	Counter bool
	// Points are the values: one without attributes, but of "python.call.errors" one for each class of errors so far.
	Points []Point
}

// Point is a value of a [Metric].
type Point struct {
	// Value is in the metric's unit.
	Value float64
	// Attributes tell the points of a metric apart: "error.type" is the class of [Stats].Errors. Nil for the only point.
	Attributes map[string]string
}

// Metrics returns the same numbers for a monitoring system. The metrics are always the same ones in the same order: so those
// of an empty Stats tell which instruments to make. With OpenTelemetry:
//
//	for i, m := range (python.Stats{}).Metrics() {
//		observe := metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
//			for _, p := range in.Stats().Metrics()[i].Points {
//				o.Observe(p.Value, metric.WithAttributes(attributes(p)...)) // an attribute.String of each key and value
//			}
//			return nil
//		})
//		if m.Counter {
//			meter.Float64ObservableCounter(m.Name, metric.WithUnit(m.Unit), metric.WithDescription(m.Description), observe)
//		} else {
//			meter.Float64ObservableGauge(m.Name, metric.WithUnit(m.Unit), metric.WithDescription(m.Description), observe)
//		}
//	}
func (s Stats) Metrics() []Metric {
	all := s.Map()
	metrics := make([]Metric, len(metricsOf))
	for i, of := range metricsOf {
		m := Metric{Name: of.name, Unit: of.unit, Description: of.description, Counter: strings.HasSuffix(of.field, "_total")}
		if of.field == "errors_total" {
			for _, class := range slices.Sorted(maps.Keys(s.Errors)) {
				m.Points = append(m.Points, Point{float64(s.Errors[class]), map[string]string{"error.type": class}})
			}
		} else {
			value := float64(all[of.field])
			if of.unit == "s" {
				value /= 1e9
			}
			m.Points = []Point{{Value: value}}
		}
		metrics[i] = m
	}
	return metrics
}

// metricsOf names the metrics by the fields of [Stats] in JSON.
var metricsOf = []struct{ field, name, unit, description string }{
	{"running", "python.calls.running", "{call}", "Calls that have a slot."},
	{"waiting", "python.calls.waiting", "{call}", "Calls that wait for their turn."},
	{"limit", "python.calls.limit", "{call}", "Slots that calls get at a time while others wait."},
	{"still_running", "python.calls.still_running", "{call}", "Calls that go on although their callers have given up."},
	{"objects", "python.objects", "{object}", "References to Python objects that Go owns."},
	{"hosted", "python.hosted", "{object}", "Go functions and values that Python reaches."},
	{"retained", "python.retained", "{array}", "Lent arrays that Python reaches although their call has returned."},
	{"retained_bytes", "python.retained.size", "By", "Size of the lent arrays that Python reaches although their call has returned."},
	{"threads", "python.threads", "{thread}", "OS threads that have a Python thread state, but those that Python has started."},
	{"retained_total", "python.retentions", "{array}", "Lent arrays that Python reached when their call returned."},
	{"calls_total", "python.calls", "{call}", "Calls that came to Python."},
	{"failed_total", "python.call.failures", "{call}", "Calls that returned an error."},
	{"errors_total", "python.call.errors", "{call}", "Calls that returned an error, by its class."},
	{"cancelled_total", "python.call.cancellations", "{call}", "Calls that failed with the error of a context."},
	{"abandoned_total", "python.call.abandonments", "{call}", "Calls that were given up while they went on."},
	{"callbacks_total", "python.callbacks", "{call}", "Calls of Go functions by Python."},
	{"dropped_total", "python.output.drops", "{line}", "Lines of output and records of logging that were lost."},
	{"signals_mended_total", "python.signals.mended", "{change}", "Changes by C code to handlers of signals that were mended."},
	{"waits_total", "python.call.waits", "{wait}", "Times that a call had to wait for its turn."},
	{"wait_time_total", "python.call.wait.time", "s", "Time for which calls waited for their turn."},
	{"attach_time_total", "python.call.attach.time", "s", "Time for which calls waited for the GIL."},
	{"run_time_total", "python.call.run.time", "s", "Time for which calls were in Python."},
	{"callback_time_total", "python.callback.time", "s", "Time for which calls waited for Go functions."},
}
