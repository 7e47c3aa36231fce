package python

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// record is how a struct type looks in Python: its exported fields by name, those of embedded structs among them.
//
// The tag `py:"name,omitempty"` gives a field another name, and leaves it out of a dict when it is zero; `py:"-"`
// hides it; the option truncate cuts the nanoseconds of its times. A field without it goes by its tag json, whose options string and omitzero have no
// meaning here.
type record struct {
	fields []recordField
	byName map[string]int
	// isImage tells that a pointer to the struct is an image, and the struct is none.
	isImage bool
	// keywords tells that the struct stands for keyword arguments: it embeds [Keywords].
	keywords bool
}

type recordField struct {
	name      string
	index     []int
	omitEmpty bool
	truncate  bool
	typ       reflect.Type
}

// Keywords marks a struct, which embeds it, as the keyword arguments of a function that [Bind] makes.
type Keywords struct{}

var (
	records      sync.Map // of reflect.Type to *record or error
	keywordsType = reflect.TypeFor[Keywords]()
)

// recordOf returns how a struct type looks in Python.
func recordOf(t reflect.Type) (*record, error) {
	if known, ok := records.Load(t); ok {
		if err, failed := known.(error); failed {
			return nil, err
		}
		return known.(*record), nil
	}
	r := &record{byName: map[string]int{}}
	if pointer := reflect.PointerTo(t); pointer.Implements(imageType) && !t.Implements(imageType) {
		r.isImage = isPicture(pointer)
	}
	if err := r.add(t, nil); err != nil {
		records.Store(t, err)
		return nil, err
	}
	records.Store(t, r)
	return r, nil
}

func (r *record) add(t reflect.Type, prefix []int) error {
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(append([]int{}, prefix...), i)
		tag, tagged := f.Tag.Lookup("py")
		fallback := !tagged
		if fallback {
			tag = f.Tag.Get("json")
		}
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case f.Type == keywordsType && f.Anonymous:
			r.keywords = true
			continue
		case tag == "-":
			continue
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct && !isLeaf(f.Type):
			if err := r.add(f.Type, index); err != nil {
				return err
			}
			continue
		case !f.IsExported():
			if tagged {
				return fmt.Errorf("%v: field %s has a py tag but is not exported", t, f.Name)
			}
			continue
		case name == "":
			name = f.Name
		}
		field := recordField{name: name, index: index, typ: f.Type}
		for option := range strings.SplitSeq(options, ",") {
			switch {
			case option == "omitempty":
				field.omitEmpty = true
			case option == "truncate" && !fallback:
				field.truncate = true
			case option != "" && !fallback:
				return fmt.Errorf("%v: field %s has the py option %q: the options are omitempty and truncate", t, f.Name, option)
			}
		}
		if _, twice := r.byName[name]; twice {
			return fmt.Errorf("%v: two fields are named %q", t, name)
		}
		r.byName[name] = len(r.fields)
		r.fields = append(r.fields, field)
	}
	return nil
}

// isLeaf tells that a struct type has a form of its own in Python.
func isLeaf(t reflect.Type) bool {
	switch t {
	case timeType, bigIntType, bigRatType, lentType:
		return true
	}
	return imageTypes[t]
}
