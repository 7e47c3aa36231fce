package python

import (
	"strings"
	"testing"
)

type (
	level2 struct {
		C int `py:"c"`
	}
	level1 struct {
		level2
		B int `py:"b,omitempty"`
	}
	Public     struct{ D int }
	deepRecord struct {
		level1
		Public
		*level3
		A    int `py:"a"`
		Zero int `py:",omitempty"`
		Dash int `py:"-"`
		Odd  int `py:"-,"`
	}
	level3 struct {
		E int `py:"e"`
	}
	keywordRecord struct {
		Keywords
		Threshold float64 `py:"threshold"`
		Label     *string `py:"label,omitempty"`
	}
	EmbedsNamed struct {
		Public `py:"inner"`
		X      int
	}
)

// How struct types look in Python: names, tags, embedded structs, in the order of the fields.
func TestRecords(t *testing.T) {
	in := interpreter(t)
	for _, row := range []struct {
		value any
		want  string
	}{
		{deepRecord{level1: level1{level2: level2{1}}, Public: Public{2}, A: 3, Dash: 4}, "{'c': 1, 'D': 2, 'a': 3, '-': 0}"},
		{deepRecord{level1: level1{level2: level2{1}, B: 5}, Zero: 6, Odd: 7}, "{'c': 1, 'b': 5, 'D': 0, 'a': 0, 'Zero': 6, '-': 7}"},
		{keywordRecord{Threshold: 2}, "{'threshold': 2.0}"}, {EmbedsNamed{Public{1}, 2}, "{'inner': {'D': 1}, 'X': 2}"}, {struct{ Ä int }{1}, "{'Ä': 1}"}, {struct {
			A int `py:"with space"`
		}{1}, "{'with space': 1}"}, {struct {
			A int `py:"a" json:"b"`
		}{1}, "{'a': 1}"}, {struct {
			A int    `json:"b"`
			B string `json:"c,omitempty"`
			C int    `json:",string,omitzero"`
			D int    `json:"-"`
			E int    `py:"-" json:"e"`
			F int    `py:",omitempty" json:"f"`
		}{A: 1, D: 1}, "{'b': 1, 'C': 0}"},
	} {
		if got, err := pythonText(in, "repr(x)", row.value); err != nil || got != row.want {
			t.Errorf("%s: got %s, %v, want %s", shown(row.value), got, err, row.want)
		}
	}
	checkConversions(t, []conversion{
		gives("{'c': 1, 'D': 2, 'a': 3, '-': 4}", deepRecord{level1: level1{level2: level2{1}}, Public: Public{2}, A: 3, Odd: 4}), gives("{'inner': {'D': 1}, 'X': 2}", EmbedsNamed{Public{1}, 2}), refuses[EmbedsNamed]("{'inner': {'D': 'x'}, 'X': 2}", `result["inner"]["D"]: want int, got str`), gives("Plain(inner=Plain(D=1), X=2)", EmbedsNamed{Public{1}, 2}),
		refuses[EmbedsNamed]("Plain(inner=Plain(D='x'), X=2)", `result.inner.D: want int, got str`),
	})
	type tagged struct {
		Name string `json:"full_name"`
	}
	checkConversions(t, []conversion{gives("{'full_name': 'x'}", tagged{"x"}), gives("types.SimpleNamespace(full_name='x')", tagged{"x"})})
	// An unknown option of a tag is a mistake that somebody wants to hear of.
	if err := run(in, "oracle:same", struct {
		A int `py:"a,omitemtpy"`
	}{}); err == nil || !strings.Contains(err.Error(), "omitemtpy") {
		t.Errorf("an unknown option of a tag: %v", err)
	}
}
