package main

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every kind of bad input is one exact line and exit status 2. The Python environment of these runs does not
// exist: what is wrong with the input must be found before Python is looked for.
func TestBadInput(t *testing.T) {
	for _, test := range []struct {
		name, text string
		args       []string
		want       string
	}{
		{"empty file", "", nil, `stdin: the file is empty: want a header of column names and at least one row`},
		{"blank lines only", "\n\n", nil, `stdin: the file is empty: want a header of column names and at least one row`},
		{"header only", "a,b\n", nil, `stdin: no rows after the header: want at least one`},
		{"header only, column", "a,b\n", []string{"-column", "b"}, `stdin: no rows after the header: want at least one`},
		{"no header", "1700,5\n1701,11\n", nil, `stdin:1: want a header of column names, found only numbers ("1700", "5"): add a header line, or name a column with -column`},
		{"no such column", "year, spots \n1,2\n", []string{"-column", "dots"}, `stdin: no column "dots": columns are "year", "spots"`},
		{"column twice", "a,b,b\n1,2,3\n", []string{"-column", "b"}, `stdin: two columns are named "b": want the number of one: -column '#2' or -column '#3'`},
		{"number of no column", "a,b\n1,2\n", []string{"-column", "#3"}, `stdin: no column "#3": columns are "a", "b"`},
		{"semicolons", "a;b\n1;2\n", nil, `stdin:2: row 1: no cell is a number (cells must be separated by commas): columns are "a;b"`},
		{"no numeric column", "a,b\nx,y\n", nil, `stdin:2: row 1: no cell is a number: columns are "a", "b"`},
		{"no number", "a,b\nx,1\ny,n/a\n", nil, `stdin:3: row 2, column "b": want a number, found "n/a"`},
		{"decimal comma", "a,b\nx,1\ny,\"1,5\"\n", nil, `stdin:3: row 2, column "b": want a number, found "1,5"`},
		{"number with unit", "b\n1\n5 kg\n", nil, `stdin:3: row 2, column "b": want a number, found "5 kg"`},
		{"control characters", "b\n1\n\x1b[2J\n", nil, `stdin:3: row 2, column "b": want a number, found "\x1b[2J"`},
		{"long cell", "b\n1\n" + strings.Repeat("x", 100000) + "\n", nil, `stdin:3: row 2, column "b": want a number, found "` + strings.Repeat("x", 39) + `…"`},
		{"empty cell", "a,b\nx,1\ny, \n", nil, `stdin:3: row 2, column "b": want a number, found an empty cell`},
		{"NaN", "a,b\nx,1\ny,NaN\n", nil, `stdin:3: row 2, column "b": want a finite number, found "NaN"`},
		{"NaN first", "a,b\nx,nan\n", nil, `stdin:2: row 1, column "b": want a finite number, found "nan"`},
		{"NA first", "year,b,note\n1,NA,x\n2,,y\n3,5,z\n", nil, `stdin:2: row 1, column "b": want a number, found "NA": remove the row, or name another column with -column`},
		{"empty first", "year,b,b\n1,7,\n2,8,9\n", nil, `stdin:2: row 1, column "b (column 3)": want a number, found an empty cell: remove the row, or name another column with -column`},
		{"nothing but NA", "a,b\nx,NA\ny,NA\n", nil, `stdin: no cell is a number: columns are "a", "b"`},
		{"NA, then text", "a,b\nx,NA\ny,z\n", nil, `stdin:3: row 2: no cell is a number: columns are "a", "b"`},
		{"half a gzip", "\x1f\x8b\x08", nil, `stdin: the file is no valid gzip: unexpected EOF`},
		{"infinity", "a,b\nx,-Inf\n", nil, `stdin:2: row 1, column "b": want a finite number, found "-Inf"`},
		{"too large a number", "a,b\nx,1e999\n", nil, `stdin:2: row 1, column "b": want a number within ±1.8e308, found "1e999"`},
		{"line after a quoted line break", "a,b\n\"x\ny\",1\nz,?\n", nil, `stdin:4: row 2, column "b": want a number, found "?"`},
		{"short row", "a,b,c\n1,2,3\n1,2\n", nil, `stdin:3: row 2, column "c": the cell is missing: want 3 cells as in the header, found 2`},
		{"long row", "a,b\n1,2\n1,2,3\n", nil, `stdin:3: row 2, column 3: one cell too many: want 2 cells as in the header, found 3`},
		{"long first row", "a,b\nx,y,3\n", nil, `stdin:2: row 1, column 3: one cell too many: want 2 cells as in the header, found 3`},
		{"stray quote", "a,b\nx,1\ny\"z,2\n", nil, `stdin:3: row 2, character 2 of the line: bare " in non-quoted-field: write a quote inside a quoted cell twice`},
		{"stray quote in header", "a\"b,c\n", nil, `stdin:1: header, character 2 of the line: bare " in non-quoted-field: write a quote inside a quoted cell twice`},
		{"UTF-16", "\xff\xfea\x00", nil, `stdin: the file is UTF-16: save it as UTF-8`},
		{"threshold no number", "", []string{"-threshold", "x"}, `invalid value "x" for flag -threshold: parse error: see outliers -help`},
		{"threshold negative", "", []string{"-threshold", "-1"}, `-threshold: want a number above 0, found -1`},
		{"threshold 0", "", []string{"-threshold", "0"}, `-threshold: want a number above 0, found 0`},
		{"threshold NaN", "", []string{"-threshold", "NaN"}, `-threshold: want a number above 0, found NaN`},
		{"threshold infinite", "", []string{"-threshold", "Inf"}, `-threshold: want a number above 0, found +Inf`},
		{"unknown flag", "", []string{"-colour"}, `flag provided but not defined: -colour: see outliers -help`},
		{"flag after the file", "", []string{"a.csv", "-json"}, `want one FILE.csv, found "a.csv", "-json", "-": flags go before it: see outliers -help`},
	} {
		t.Run(test.name, func(t *testing.T) {
			fails(t, test.text, append(append([]string{"-python", "/no/such/python"}, test.args...), "-"), test.want)
		})
	}
}

func TestBadFile(t *testing.T) {
	folder := t.TempDir()
	bad := filepath.Join(folder, "bad.csv")
	if err := os.WriteFile(bad, []byte("a\n1\n?\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := filepath.Join(folder, "good.csv")
	if err := os.WriteFile(good, []byte("a\n1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(folder, "missing.csv")
	nowhere := filepath.Join(folder, "no", "plot.png")

	fails(t, "", nil, "want a FILE.csv, or - for standard input: see outliers -help")
	fails(t, "", []string{bad}, bad+`:3: row 2, column "a": want a number, found "?"`)
	fails(t, "", []string{missing}, "open "+missing+": no such file or directory")
	fails(t, "", []string{folder}, folder+": read "+folder+": is a directory")
	fails(t, "", []string{"-plot", nowhere, good}, "-plot: open "+nowhere+": no such file or directory")
	fails(t, "", []string{"-plot", folder, good}, "-plot: open "+folder+": is a directory")
	fails(t, "", []string{"-plot", good, good}, "-plot: "+good+" is the input: want another file")

	// A run that fails leaves no empty plot behind.
	plot := filepath.Join(folder, "plot.png")
	fails(t, "", []string{"-plot", plot, bad}, bad+`:3: row 2, column "a": want a number, found "?"`)
	if _, err := os.Stat(plot); !os.IsNotExist(err) {
		t.Errorf("%s: %v", plot, err)
	}
}

// fails runs the program in this process and expects one line on standard error and exit status 2.
func fails(t *testing.T, stdin string, args []string, want string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := run(args, strings.NewReader(stdin), &stdout, &stderr)
	if got := stderr.String(); status != 2 || got != "outliers: "+want+"\n" || stdout.Len() > 0 {
		t.Errorf("status %d, stdout %q\n got %q\nwant %q", status, stdout.String(), got, "outliers: "+want+"\n")
	}
}

// The rows, labels and values of well-formed input, in the forms that files have.
func TestReadSeries(t *testing.T) {
	for _, text := range []string{
		"k,v\na,1\nb,-2e3\n",
		"k,v\r\na,1\r\nb,-2e3", // CRLF, no line end at the end
		"\ufeff\"k\",\"v\"\n\"a\",\"1\"\n\n b , -2000 \n",
	} {
		s, err := readSeries(strings.NewReader(text), "f", "")
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if s.name != "v" || s.labelName != "k" || len(s.values) != 2 || s.values[0] != 1 || s.values[1] != -2000 || s.label(0) != "a" || s.label(1) != "b" {
			t.Errorf("%q: got %+v", text, s)
		}
	}
	// A column without any value is none of numbers.
	s, err := readSeries(strings.NewReader("k,v,note,unit\na,1,,NA\nb,2,late,NA\n"), "f", "")
	if err != nil || s.name != "v" {
		t.Errorf("columns without values: %+v, %v", s, err)
	}
	// A second column of the same name.
	for column, want := range map[string]string{"": "v (column 3)", "#2": "v (column 2)"} {
		if s, err := readSeries(strings.NewReader("k,v,v\na,1,2\n"), "f", column); err != nil || s.name != want {
			t.Errorf("two columns of one name: %+v, %v, want %s", s, err, want)
		}
	}
	// Compressed, with the mark of UTF-8 inside.
	var packed bytes.Buffer
	packer := gzip.NewWriter(&packed)
	packer.Write([]byte("\ufeffk,v\na,1\n"))
	packer.Close()
	if s, err := readSeries(&packed, "f", ""); err != nil || s.name != "v" || s.values[0] != 1 {
		t.Errorf("compressed: %+v, %v", s, err)
	}
	s, err = readSeries(strings.NewReader("v,k\n1,a\n2,b\n"), "f", "v")
	if err != nil || s.labelName != "" || s.label(1) != "2" {
		t.Errorf("the first column as the column: %+v, %v", s, err)
	}
	s, err = readSeries(strings.NewReader("2001,2002\n1,3\n"), "f", "2002")
	if err != nil || s.values[0] != 3 {
		t.Errorf("a header of numbers with -column: %+v, %v", s, err)
	}
}
