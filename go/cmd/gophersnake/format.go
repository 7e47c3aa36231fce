package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gophersnake/gophersnake/go/python"
)

// lineWidth is how long a container may be that stands on one line for people.
const lineWidth = 100

// format writes a natural value (see package python) as text that ends with a newline: as JSON on one line, or for
// people. It fails if the value has no JSON form.
func format(value any, asJSON bool) (string, error) {
	n, err := nodeOf(value)
	if err != nil {
		return "", err
	}
	if asJSON {
		return n.line() + "\n", nil
	}
	if shape := shapeOfArray(value); len(shape) == 1 || len(shape) == 2 {
		return n.rows(), nil
	}
	return n.indented("") + "\n", nil
}

// shapeOfArray returns the shape if the value came from an array of numbers.
func shapeOfArray(value any) []int {
	v := reflect.ValueOf(value)
	if isArray(value) {
		return v.Elem().FieldByName("Shape").Interface().([]int)
	}
	if v.Kind() == reflect.Slice && isNumber(v.Type().Elem().Kind()) && v.Type() != reflect.TypeFor[[]byte]() {
		return []int{v.Len()}
	}
	return nil
}

// isArray tells whether the value is a *python.Array of any type.
func isArray(value any) bool {
	_, ok := value.(interface{ Strides() []int })
	return ok
}

func isNumber(k reflect.Kind) bool { return reflect.Bool <= k && k <= reflect.Complex128 }

// node is a JSON value: a text, or a container of items.
type node struct {
	text        string
	open, close string
	keys        []string // of an object
	items       []node
}

// line writes the value on one line.
func (n node) line() string {
	if n.open == "" {
		return n.text
	}
	var b strings.Builder
	b.WriteString(n.open)
	for i, item := range n.items {
		if i > 0 {
			b.WriteString(", ")
		}
		if n.keys != nil {
			b.WriteString(n.keys[i] + ": ")
		}
		b.WriteString(item.line())
	}
	return b.String() + n.close
}

// indented writes the value on several lines if one is too short for it.
func (n node) indented(indent string) string {
	if line := n.line(); n.open == "" || len(indent)+len(line) <= lineWidth {
		return line
	}
	var b strings.Builder
	b.WriteString(n.open + "\n")
	for i, item := range n.items {
		b.WriteString(indent + "  ")
		if n.keys != nil {
			b.WriteString(n.keys[i] + ": ")
		}
		b.WriteString(item.indented(indent + "  "))
		if i < len(n.items)-1 {
			b.WriteString(",")
		}
		b.WriteString("\n")
	}
	return b.String() + indent + n.close
}

// rows writes an array of one or two dimensions: a line for each value or row, the columns aligned to the right.
func (n node) rows() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range n.items {
		if row.open != "[" {
			b.WriteString(row.line() + "\n")
			continue
		}
		for _, item := range row.items {
			_, _ = fmt.Fprint(w, item.line()+"\t") // a builder takes everything
		}
		_, _ = fmt.Fprintln(w)
	}
	_ = w.Flush()
	return b.String()
}

func scalar(text string, err error) (node, error) { return node{text: text}, err }

func quoted(text string) (node, error) {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(text)
	return node{text: strings.TrimSuffix(b.String(), "\n")}, err
}

// nodeOf turns a natural value of package python into JSON.
func nodeOf(value any) (node, error) {
	switch v := value.(type) {
	case nil:
		return scalar("null", nil)
	case string:
		return quoted(v)
	case []byte:
		return quoted(base64.StdEncoding.EncodeToString(v))
	case [16]byte:
		return quoted(fmt.Sprintf("%x-%x-%x-%x-%x", v[:4], v[4:6], v[6:8], v[8:10], v[10:]))
	case time.Time:
		return quoted(v.Format(time.RFC3339Nano))
	case time.Duration:
		return quoted(v.String())
	case *big.Int:
		return scalar(v.String(), nil)
	case *big.Rat: // a Decimal
		if digits, exact := v.FloatPrec(); exact {
			return scalar(v.FloatString(digits), nil)
		}
	case *python.Object:
		name, err := v.Type()
		return node{}, errors.Join(fmt.Errorf("it has a %s", name), err)
	}
	v := reflect.ValueOf(value)
	switch kind := v.Kind(); kind {
	case reflect.Bool:
		return scalar(strconv.FormatBool(v.Bool()), nil)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return scalar(strconv.FormatInt(v.Int(), 10), nil)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return scalar(strconv.FormatUint(v.Uint(), 10), nil)
	case reflect.Float32:
		return floatNode(v.Float(), 32), nil
	case reflect.Float64:
		return floatNode(v.Float(), 64), nil
	case reflect.Complex64, reflect.Complex128:
		bits := v.Type().Bits() / 2
		return node{
			open: "{", close: "}", keys: []string{`"real"`, `"imag"`},
			items: []node{floatNode(real(v.Complex()), bits), floatNode(imag(v.Complex()), bits)},
		}, nil
	case reflect.Slice:
		return list(v, []int{v.Len()})
	case reflect.Map:
		return object(v)
	case reflect.Pointer:
		switch {
		case v.IsNil():
			return scalar("null", nil) // NaT
		case isArray(value):
			return list(v.Elem().FieldByName("Data"), shapeOfArray(value))
		default:
			return nodeOf(v.Elem().Interface())
		}
	}
	return node{}, fmt.Errorf("it has a %T", value)
}

// floatNode writes a float as Python does: it stays a float where it is read again. JSON has no NaN.
func floatNode(x float64, bits int) node {
	switch {
	case math.IsNaN(x):
		return node{text: `"NaN"`}
	case math.IsInf(x, 1):
		return node{text: `"Infinity"`}
	case math.IsInf(x, -1):
		return node{text: `"-Infinity"`}
	}
	form := byte('f')
	if a := math.Abs(x); a != 0 && (a < 1e-4 || a >= 1e16) {
		form = 'e'
	}
	text := strconv.FormatFloat(x, form, -1, bits)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return node{text: text}
}

// list nests the elements of a slice by a shape.
func list(data reflect.Value, shape []int) (node, error) {
	n := node{open: "[", close: "]"}
	if len(shape) == 0 {
		return nodeOf(data.Index(0).Interface())
	}
	if shape[0] == 0 {
		return n, nil
	}
	step := data.Len() / shape[0]
	for i := range shape[0] {
		item, err := node{}, error(nil)
		if len(shape) == 1 {
			item, err = nodeOf(data.Index(i).Interface())
		} else {
			item, err = list(data.Slice(i*step, (i+1)*step), shape[1:])
		}
		if err != nil {
			return n, err
		}
		n.items = append(n.items, item)
	}
	return n, nil
}

// object sorts the keys: a Go map has no order. A key that is no text is written as its JSON, in quotes.
func object(m reflect.Value) (node, error) {
	n := node{open: "{", close: "}", keys: []string{}}
	items := map[string]node{}
	for key, value := range m.Seq2() {
		name, err := nodeOf(key.Interface())
		if err != nil {
			return n, err
		}
		if !strings.HasPrefix(name.text, `"`) {
			if name, err = quoted(name.line()); err != nil {
				return n, err
			}
		}
		if _, twice := items[name.text]; twice {
			return n, fmt.Errorf("two keys of a dict are both %s in JSON", name.text)
		}
		if items[name.text], err = nodeOf(value.Interface()); err != nil {
			return n, err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(items)) {
		n.keys, n.items = append(n.keys, key), append(n.items, items[key])
	}
	return n, nil
}
