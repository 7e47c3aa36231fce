package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/gophersnake/gophersnake/go/python"
)

// arguments are the arguments of the command line. What is no array of numbers stays JSON, for Python's own reader: it
// knows big integers, and its dicts keep their order.
type arguments struct {
	positional []any // arrays, and json.RawMessage
	keywords   map[string]any
}

var keyword = regexp.MustCompile(`(?s)^([\pL_][\pL\pN_]*)=(.*)$`)

func parseArguments(words []string, lists bool) (arguments, error) {
	parsed := arguments{keywords: map[string]any{}}
	for i, word := range words {
		place, text, name := fmt.Sprintf("argument %d", i+1), word, ""
		if match := keyword.FindStringSubmatch(word); match != nil {
			name, text = match[1], match[2]
			place = "argument " + name
		}
		value, err := parseArgument(text, lists)
		if err != nil {
			return parsed, wrongUsage("%s: %w", place, err)
		}
		if name == "" {
			parsed.positional = append(parsed.positional, value)
			continue
		}
		if _, twice := parsed.keywords[name]; twice {
			return parsed, wrongUsage("%s is given twice", place)
		}
		parsed.keywords[name] = value
	}
	return parsed, nil
}

func parseArgument(text string, lists bool) (any, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	err := decoder.Decode(&value)
	if err == nil {
		if _, err = decoder.Token(); err == io.EOF {
			err = nil
		} else {
			err = errors.New("something follows the value")
		}
	}
	if err != nil {
		quoted, _ := json.Marshal(text) // a string is always JSON
		return nil, fmt.Errorf("want JSON, got %s (%w): a text needs quotes, as in '%s'", text, err, quoted)
	}
	if err := checkNumbers(value); err != nil {
		return nil, err
	}
	if shape, ok := shapeOf(value); ok && !lists {
		if array, ok := arrayOf(value, shape, parseInt); ok {
			return array, nil
		}
		if array, ok := arrayOf(value, shape, parseFloat); ok {
			return array, nil
		}
	}
	return json.RawMessage(text), nil
}

// checkNumbers refuses numbers that Python would take for infinite.
func checkNumbers(value any) error {
	switch v := value.(type) {
	case json.Number:
		if _, err := strconv.ParseFloat(v.String(), 64); err != nil && !isInteger(v.String()) {
			return fmt.Errorf("want numbers within ±1.8e308, got %s", v)
		}
	case []any:
		for _, item := range v {
			if err := checkNumbers(item); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, item := range v {
			if err := checkNumbers(item); err != nil {
				return err
			}
		}
	}
	return nil
}

func isInteger(text string) bool { return !strings.ContainsAny(text, ".eE") }

// shapeOf returns the shape of nested arrays of numbers; ok is false for anything else, and for what is empty.
func shapeOf(value any) (shape []int, ok bool) {
	items, isArray := value.([]any)
	if !isArray || len(items) == 0 {
		return nil, false
	}
	var inner []int
	for i, item := range items {
		var below []int
		if _, isNumber := item.(json.Number); !isNumber {
			if below, ok = shapeOf(item); !ok {
				return nil, false
			}
		}
		if i > 0 && fmt.Sprint(below) != fmt.Sprint(inner) {
			return nil, false
		}
		inner = below
	}
	return append([]int{len(items)}, inner...), true
}

func parseInt(text string) (int64, error) { return strconv.ParseInt(text, 10, 64) }

// parseFloat refuses integers that no float64 holds: the array would not be exact.
func parseFloat(text string) (float64, error) {
	if isInteger(text) {
		n, err := parseInt(text)
		if err == nil && int64(float64(n)) != n {
			err = strconv.ErrRange
		}
		return float64(n), err
	}
	return strconv.ParseFloat(text, 64)
}

// arrayOf makes an array of nested numbers; ok is false if one is not of the type.
func arrayOf[T int64 | float64](value any, shape []int, parse func(string) (T, error)) (array *python.Array[T], ok bool) {
	array = &python.Array[T]{Shape: shape}
	var add func(any) bool
	add = func(value any) bool {
		if number, isNumber := value.(json.Number); isNumber {
			element, err := parse(number.String())
			array.Data = append(array.Data, element)
			return err == nil
		}
		for _, item := range value.([]any) {
			if !add(item) {
				return false
			}
		}
		return true
	}
	return array, add(value)
}

// values are the arguments of the call.
func (a arguments) values(in *python.Interpreter) ([]any, error) {
	loads, err := in.Func("json:loads")
	if err != nil {
		return nil, err
	}
	defer loads.Close()
	value := func(v any) (any, error) {
		if text, ok := v.(json.RawMessage); ok {
			return loads.Call(context.Background(), string(text))
		}
		return v, nil
	}
	var list []any
	for _, v := range a.positional {
		converted, err := value(v)
		if err != nil {
			return nil, err
		}
		list = append(list, converted)
	}
	keywords := python.KW{}
	for name, v := range a.keywords {
		if keywords[name], err = value(v); err != nil {
			return nil, err
		}
	}
	if len(keywords) > 0 {
		list = append(list, keywords)
	}
	return list, nil
}
