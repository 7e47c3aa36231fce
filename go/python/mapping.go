package python

// #include "core.h"
import "C"

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// addMap describes a map, in the order of its keys: that of Go is another one each time, and Python keeps the order of a dict.
func (f *frame) addMap(v reflect.Value, depth int) error {
	if v.IsNil() {
		f.add(C.SNAKE_KIND_NONE, 0, 0, 0)
		return nil
	}
	if err := f.open(C.SNAKE_KIND_DICT, v.Len(), depth); err != nil {
		return err
	}
	type entry struct{ key, value reflect.Value }
	sorted := make([]entry, 0, v.Len())
	for entries := v.MapRange(); entries.Next(); {
		sorted = append(sorted, entry{entries.Key(), entries.Value()})
	}
	slices.SortFunc(sorted, func(a, b entry) int { return compareKeys(a.key, b.key) })
	for _, entry := range sorted {
		if err := f.addKey(entry.key, depth); err != nil {
			return fmt.Errorf("key %v: %w", entry.key, err)
		}
		if err := f.addChild(entry.value, depth); err != nil {
			return fmt.Errorf("[%#v]: %w", entry.key.Interface(), err)
		}
	}
	return nil
}

// addKey describes a key of a map: an array becomes a tuple, since Python can hash no other sequence.
func (f *frame) addKey(v reflect.Value, depth int) error {
	if v.Kind() == reflect.Interface && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Array {
		return f.addChild(v, depth)
	}
	if err := f.open(C.SNAKE_KIND_TUPLE, v.Len(), depth); err != nil {
		return err
	}
	for i := range v.Len() {
		if err := f.addKey(v.Index(i), depth+1); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
	}
	return nil
}

// compareKeys orders keys of a map: numbers and texts by their value, what has parts by its parts, false before true, nil first, and what is of
// different types by their names. References are in the order of their addresses, which is the same while the program runs.
func compareKeys(a, b reflect.Value) int {
	switch a.Kind() {
	case reflect.String:
		return cmp.Compare(a.String(), b.String())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return cmp.Compare(a.Int(), b.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return cmp.Compare(a.Uint(), b.Uint())
	case reflect.Float32, reflect.Float64:
		return cmp.Compare(a.Float(), b.Float())
	case reflect.Complex64, reflect.Complex128:
		a, b := a.Complex(), b.Complex()
		return cmp.Or(cmp.Compare(real(a), real(b)), cmp.Compare(imag(a), imag(b)))
	case reflect.Bool:
		switch {
		case a.Bool() == b.Bool():
			return 0
		case b.Bool():
			return -1
		}
		return 1
	case reflect.Pointer, reflect.Chan, reflect.UnsafePointer:
		return cmp.Compare(a.Pointer(), b.Pointer())
	case reflect.Array:
		for i := range a.Len() {
			if order := compareKeys(a.Index(i), b.Index(i)); order != 0 {
				return order
			}
		}
	case reflect.Struct:
		if a.Type() == timeType && a.CanInterface() {
			if order := a.Interface().(time.Time).Compare(b.Interface().(time.Time)); order != 0 {
				return order
			}
		}
		for i := range a.NumField() {
			if order := compareKeys(a.Field(i), b.Field(i)); order != 0 {
				return order
			}
		}
	case reflect.Interface:
		return compareInterfaces(a, b)
	}
	return 0
}

func compareInterfaces(a, b reflect.Value) int {
	switch {
	case a.IsNil() && b.IsNil():
		return 0
	case a.IsNil():
		return -1
	case b.IsNil():
		return 1
	}
	a, b = a.Elem(), b.Elem()
	if a.Type() == b.Type() {
		return compareKeys(a, b)
	}
	return strings.Compare(a.Type().String(), b.Type().String())
}
