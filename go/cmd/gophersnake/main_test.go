package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const commandVariable = "GOPHERSNAKE_TEST_COMMAND"

// The test program is the command itself when it is asked to be.
func TestMain(m *testing.M) {
	if os.Getenv(commandVariable) != "" {
		main()
	}
	if os.Getenv("GOPHERSNAKE_PYTHON") == "" {
		venv, err := filepath.Abs("../../../.venv-test")
		if err != nil {
			panic(err)
		}
		_ = os.Setenv("GOPHERSNAKE_PYTHON", venv)
	}
	os.Exit(m.Run())
}

// outcome is what a run of the command has left.
type outcome struct {
	stdout, stderr string
	status         int
}

// gophersnake runs the command; changes are "NAME=value" for its environment.
func gophersnake(t *testing.T, stdin string, changes []string, args ...string) outcome {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(t.Context(), executable, args...)
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(stdin), &stdout, &stderr
	command.Env = append(append(os.Environ(), commandVariable+"=1"), changes...)
	command.WaitDelay = 10 * time.Second
	if err := command.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) && !errors.Is(err, exec.ErrWaitDelay) {
		t.Fatal(err)
	}
	return outcome{stdout.String(), stderr.String(), command.ProcessState.ExitCode()}
}

// says checks a run: its status, and what its outputs contain. Where nothing is wanted, nothing may come.
func (o outcome) says(t *testing.T, status int, stdout, stderr string) {
	t.Helper()
	if o.status != status || !strings.Contains(o.stdout, stdout) || !strings.Contains(o.stderr, stderr) ||
		stdout == "" && o.stdout != "" || stderr == "" && o.stderr != "" {
		t.Errorf("got status %d, want %d\nstdout: %s\nwant: %s\nstderr: %s\nwant: %s", o.status, status, o.stdout, stdout, o.stderr, stderr)
	}
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// ownPython is the executable of the environment of the tests.
func ownPython(t *testing.T) string {
	t.Helper()
	python := os.Getenv("GOPHERSNAKE_PYTHON")
	if info, err := os.Stat(python); err == nil && info.IsDir() {
		python = filepath.Join(python, "bin", "python")
	}
	return python
}

func runPython(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(ownPython(t), append([]string{"-I"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestUsage(t *testing.T) {
	for name, c := range map[string]struct {
		args   []string
		stderr string
	}{
		"no command":        {nil, "want a command, doctor or run"},
		"wrong command":     {[]string{"docter"}, `got "docter"`},
		"wrong flag":        {[]string{"doctor", "-jsn"}, "-jsn"},
		"flag of run":       {[]string{"doctor", "-in", "x.csv"}, "-in"},
		"flag without":      {[]string{"run", "a:b", "-python"}, "needs an argument"},
		"no folder":         {[]string{"doctor", "-path", "/no/such/folder"}, "/no/such/folder"},
		"no module":         {[]string{"doctor", "a:b"}, `"a:b"`},
		"no function":       {[]string{"run"}, "want a MODULE:FUNCTION"},
		"half a function":   {[]string{"run", "numpy"}, `got "numpy"`},
		"bare word":         {[]string{"run", "a:b", "1", "hello"}, `argument 2: want JSON, got hello`},
		"how to quote":      {[]string{"run", "a:b", "hello"}, `'"hello"'`},
		"two values":        {[]string{"run", "a:b", "1 2"}, "something follows"},
		"bare keyword":      {[]string{"run", "a:b", "x=hello"}, "argument x: want JSON"},
		"keyword twice":     {[]string{"run", "a:b", "x=1", "x=2"}, "argument x is given twice"},
		"infinite":          {[]string{"run", "a:b", `{"a": [1e999]}`}, "1e999"},
		"unknown file":      {[]string{"run", "a:b", "-in", "x.txt"}, "want a .csv or .npy file"},
		"missing file":      {[]string{"run", "a:b", "-in", "/no/such.csv"}, "/no/such.csv"},
		"missing array":     {[]string{"run", "a:b", "-in", "/no/such.npy"}, "/no/such.npy"},
		"column of nothing": {[]string{"run", "a:b", "-column", "x"}, "-in FILE.csv"},
		"column of array":   {[]string{"run", "a:b", "-in", "x.npy", "-column", "x"}, "no columns"},
	} {
		t.Run(name, func(t *testing.T) {
			gophersnake(t, "", []string{"GOPHERSNAKE_PYTHON=/never/started"}, c.args...).says(t, 2, "", c.stderr)
		})
	}
	for _, help := range []string{"help", "-h", "--help"} {
		gophersnake(t, "", nil, help).says(t, 0, usage, "")
	}
	gophersnake(t, "", nil, "run", "-h").says(t, 0, usage, "")
}

// The commands of the README.
func TestCommandsOfTheReadme(t *testing.T) {
	gophersnake(t, "", nil, "doctor").says(t, 0, "Nothing is wrong.", "")
	gophersnake(t, "", nil, "run", "numpy:median", "-in", "../../../examples/outliers/data/sunspots.csv", "-column", "sunspots").
		says(t, 0, "40.0\n", "")
}

func TestRun(t *testing.T) {
	for name, c := range map[string]struct {
		args   []string
		stdout string
	}{
		"float":               {[]string{"numpy:median", "[1, 2.5, 9]"}, "2.5\n"},
		"float that is whole": {[]string{"builtins:float", "3"}, "3.0\n"},
		"int":                 {[]string{"builtins:int", "3"}, "3\n"},
		"negative":            {[]string{"builtins:abs", "-7"}, "7\n"},
		"flag and negative":   {[]string{"builtins:abs", "-json", "-7"}, "7\n"},
		"after --":            {[]string{"-json", "builtins:abs", "--", "-7"}, "7\n"},
		"big int":             {[]string{"builtins:pow", "2", "100"}, "1267650600228229401496703205376\n"},
		"big argument":        {[]string{"operator:add", "1267650600228229401496703205376", "1"}, "1267650600228229401496703205377\n"},
		"text":                {[]string{"builtins:str", `"a<b\n\"ü"`}, `"a<b\n\"ü"` + "\n"},
		"None":                {[]string{"builtins:print", `"printed"`}, "printed\nnull\n"},
		"keywords":            {[]string{"builtins:dict", `b={"z": 1, "a": [1.5, null, true]}`, "a=1"}, `{"a": 1, "b": {"a": [1.5, null, true], "z": 1}}` + "\n"},
		"order of a dict":     {[]string{"builtins:list", `{"z": 1, "a": 2}`}, `["z", "a"]` + "\n"},
		"int array":           {[]string{"builtins:repr", "[1, 2]"}, `"array([1, 2])"` + "\n"},
		"float array":         {[]string{"builtins:repr", "[1, 2.5]"}, `"array([1. , 2.5])"` + "\n"},
		"two dimensions":      {[]string{"numpy:shape", "[[1, 2, 3], [4, 5, 6.5]]"}, "[2, 3]\n"},
		"ragged":              {[]string{"builtins:repr", "[[1, 2], [3]]"}, `"[[1, 2], [3]]"` + "\n"},
		"mixed":               {[]string{"builtins:repr", `[1, "a"]`}, `"[1, 'a']"` + "\n"},
		"empty":               {[]string{"builtins:repr", `[]`}, `"[]"` + "\n"},
		"inexact in float64":  {[]string{"builtins:repr", `[9007199254740993, 0.5]`}, `"[9007199254740993, 0.5]"` + "\n"},
		"list":                {[]string{"json:dumps", "[1, 2]", "-list"}, `"[1, 2]"` + "\n"},
		"rows":                {[]string{"numpy:multiply", "[[1, 2], [30, -4]]", "1"}, "   1   2\n  30  -4\n"},
		"one a line":          {[]string{"numpy:cumsum", "[1, 2.5]"}, "1.0\n3.5\n"},
		"array as JSON":       {[]string{"numpy:multiply", "[[1, 2], [30, -4]]", "1", "-json"}, "[[1, 2], [30, -4]]\n"},
		"three dimensions":    {[]string{"numpy:reshape", "[1, 2, 3, 4]", "[2, 2, 1]"}, "[[[1], [2]], [[3], [4]]]\n"},
		"empty array":         {[]string{"numpy:zeros", "0", "-json"}, "[]\n"},
		"empty rows":          {[]string{"numpy:zeros", "-list", "[2, 0]", "-json"}, "[[], []]\n"},
		"booleans":            {[]string{"numpy:isnan", "[1, 2]"}, "false\nfalse\n"},
		"not a number":        {[]string{"builtins:float", `"nan"`, "-json"}, `"NaN"` + "\n"},
		"infinite":            {[]string{"builtins:float", `"-inf"`, "-json"}, `"-Infinity"` + "\n"},
		"small and large":     {[]string{"builtins:list", "-list", "[1e300, 1e-7, 0.1, 123456.0]"}, "[1e+300, 1e-07, 0.1, 123456.0]\n"},
		"complex":             {[]string{"builtins:complex", "1", "-2.5"}, `{"real": 1.0, "imag": -2.5}` + "\n"},
		"bytes":               {[]string{"builtins:bytes", "-list", "[0, 255]"}, `"AP8="` + "\n"},
		"date":                {[]string{"datetime:date", "2026", "1", "31"}, `"2026-01-31T00:00:00Z"` + "\n"},
		"duration":            {[]string{"datetime:timedelta", "0", "90"}, `"1m30s"` + "\n"},
		"decimal":             {[]string{"decimal:Decimal", `"1.25"`}, "1.25\n"},
		"uuid":                {[]string{"uuid:UUID", `"12345678-1234-5678-1234-567812345678"`}, `"12345678-1234-5678-1234-567812345678"` + "\n"},
		"keys that are ints":  {[]string{"builtins:dict", "-list", `[[1, 2], [10, 3]]`}, `{"1": 2, "10": 3}` + "\n"},
		"repr":                {[]string{"fractions:Fraction", "1", "3"}, "Fraction(1, 3)\n"},
	} {
		t.Run(name, func(t *testing.T) {
			o := gophersnake(t, "", nil, append([]string{"run"}, c.args...)...)
			if o.says(t, 0, c.stdout, ""); o.stdout != c.stdout {
				t.Errorf("got %q, want %q", o.stdout, c.stdout)
			}
		})
	}
}

func TestLongResultIsIndented(t *testing.T) {
	o := gophersnake(t, "", nil, "run", "builtins:dict", `a="`+strings.Repeat("x", 60)+`"`, `b={"c": "`+strings.Repeat("y", 60)+`"}`)
	if want := "{\n  \"a\": \"" + strings.Repeat("x", 60) + "\",\n  \"b\": {\"c\": \"" + strings.Repeat("y", 60) + "\"}\n}\n"; o.stdout != want {
		t.Errorf("got %s, want %s", o.stdout, want)
	}
}

func TestRunFails(t *testing.T) {
	folder := filepath.Dir(write(t, "mine.py", "def fails(x):\n    raise ValueError(f'no {x}')\ndef leaves():\n    raise SystemExit(5)\n"))
	path := func(args ...string) outcome {
		return gophersnake(t, "", nil, append([]string{"run", "-path", folder}, args...)...)
	}
	o := path("mine:fails", "7")
	o.says(t, 1, "", "Traceback (most recent call last):\n")
	o.says(t, 1, "", filepath.Join(folder, "mine.py")+`", line 2, in fails`)
	if !strings.HasSuffix(o.stderr, "\nValueError: no 7\n") {
		t.Errorf("stderr ends otherwise: %s", o.stderr)
	}
	path("mine:leaves").says(t, 1, "", "SystemExit: 5")
	path("mine:missing").says(t, 1, "", "AttributeError")
	path("builtins:object", "-json").says(t, 1, "", "no JSON form")
	gophersnake(t, "", nil, "run", "mine:fails", "7").says(t, 1, "", "needs -path .")
	gophersnake(t, "", []string{"GOPHERSNAKE_PYTHON=/none"}, "run", "a:b").says(t, 1, "", "GOPHERSNAKE_PYTHON is \"/none\"")
}

func TestCSV(t *testing.T) {
	for name, c := range map[string]struct {
		text   string
		args   []string
		stdout string
	}{
		"one column":          {"x\n1\n2.5\n", []string{"builtins:repr"}, `"array([1. , 2.5])"`},
		"one of numbers":      {"\ufeffday, x \r\nmon,1\r\ntue,2\r\n", []string{"builtins:repr"}, `"array([1., 2.])"`},
		"several of numbers":  {"t,x,y\na,1,2\nb,3,\n", []string{"builtins:dict"}, `{"t": ["a", "b"], "x": [1.0, 3.0], "y": [2.0, "NaN"]}`},
		"chosen":              {"x,y\n1,2\n3,4\n", []string{"builtins:repr", "-column", "y"}, `"array([2., 4.])"`},
		"chosen texts":        {"x,y\n1,\n3,b\n", []string{"builtins:repr", "-column", "y"}, `"['', 'b']"`},
		"first cell missing":  {"x,y\n,a\n3,b\n", []string{"builtins:repr"}, `"array([nan,  3.])"`},
		"not only the chosen": {"x,y\n1,2\nbad,4\n", []string{"builtins:repr", "-column", "y"}, `"array([2., 4.])"`},
		"and more arguments":  {"x\n1\n2\n3\n", []string{"numpy:quantile", "0.5"}, `2.0`},
	} {
		t.Run(name, func(t *testing.T) {
			for _, in := range []string{"-", write(t, "data.csv", c.text)} {
				gophersnake(t, c.text, nil, append([]string{"run", "-in", in}, c.args...)...).says(t, 0, c.stdout+"\n", "")
			}
		})
	}
	for name, c := range map[string]struct{ text, column, stderr string }{
		"empty":            {"", "", "the file is empty"},
		"no header":        {"1,2\n3,4\n", "", "want a column name, got the number 1"},
		"twice":            {"x,x\n1,2\n", "", `two columns are named "x"`},
		"torn":             {"x,y\n1\n", "", "line 2"},
		"no number":        {"x\n1\nn/a\n", "", `line 3, column "x": want a number as in the rows before, got "n/a"`},
		"no such column":   {"x\n1\n", "y", `no column "y": columns are ["x"]`},
		"quote in a quote": {"x\n\"a\"b\"\n", "", "line 2"},
	} {
		t.Run(name, func(t *testing.T) {
			gophersnake(t, c.text, []string{"GOPHERSNAKE_PYTHON=/never/started"}, "run", "builtins:repr", "-in", "-", "-column", c.column).
				says(t, 2, "", c.stderr)
		})
	}
}

func TestNPY(t *testing.T) {
	folder := t.TempDir()
	runPython(t, "-c", `import numpy as np, sys
base = np.arange(6).reshape(2, 3)
for dtype in "<f8", ">f8", "<i4", ">i2", "|u1":
    for order in "C", "F":
        np.save(f"{sys.argv[1]}/{dtype[1:]}{'le' if dtype[0] != '>' else 'be'}{order}.npy", np.array(base, dtype, order=order))
        np.save(f"{sys.argv[1]}/flat{dtype[1:]}{'le' if dtype[0] != '>' else 'be'}{order}.npy", np.array(base.ravel(), dtype))
np.save(f"{sys.argv[1]}/pickled.bad", 0)
np.save(open(f"{sys.argv[1]}/objects.bad", "wb"), np.array([{}, print], object))`, folder)
	files, _ := filepath.Glob(filepath.Join(folder, "*[CF].npy"))
	if len(files) != 20 {
		t.Fatalf("files: %v", files)
	}
	for _, file := range files {
		want := "[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]\n"
		if !strings.Contains(file, "f8") {
			want = strings.ReplaceAll(want, ".0", "")
		}
		if strings.Contains(file, "flat") {
			want = strings.ReplaceAll(strings.ReplaceAll(want, "[[", "["), "]]", "]")
			want = strings.ReplaceAll(want, "], [", ", ")
		}
		gophersnake(t, "", nil, "run", "-json", "-in", file, "numpy:positive").says(t, 0, want, "")
	}
	if err := os.Rename(filepath.Join(folder, "objects.bad"), filepath.Join(folder, "objects.npy")); err != nil {
		t.Fatal(err)
	}
	gophersnake(t, "", nil, "run", "-in", filepath.Join(folder, "objects.npy"), "numpy:sum").says(t, 2, "", "Object arrays cannot be loaded")
	gophersnake(t, "", nil, "run", "-in", write(t, "torn.npy", "\x93NUMPY"), "numpy:sum").says(t, 2, "", "torn.npy: ")
}

// examine runs doctor with -json and checks that its object has the fields that it always has, and no others.
func examine(t *testing.T, status int, changes []string, args ...string) diagnosis {
	t.Helper()
	o := gophersnake(t, "", changes, append([]string{"doctor", "-json"}, args...)...)
	if o.status != status || o.stderr != "" || strings.Count(o.stdout, "\n") != 1 {
		t.Fatalf("status %d, want %d: %s%s", o.status, status, o.stdout, o.stderr)
	}
	var d diagnosis
	decoder := json.NewDecoder(strings.NewReader(o.stdout))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		t.Fatal(err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(o.stdout), &fields); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"healthy", "gophersnake", "go", "platform", "python", "libpython", "core", "modules", "signals", "signals_mended", "startup", "limits", "problems",
	} {
		if value := string(fields[name]); value == "" || value == "null" {
			t.Errorf("%s is %q", name, value)
		}
	}
	if d.Healthy != (status == 0) || d.Healthy != (len(d.Problems) == 0) {
		t.Errorf("status %d, healthy %v: %v", status, d.Healthy, d.Problems)
	}
	return d
}

func TestDoctor(t *testing.T) {
	d := examine(t, 0, nil, "json", "-path", filepath.Dir(write(t, "mine.py", "__version__ = '7'\n")), "mine")
	version := runPython(t, "-c", "import sys, numpy; print(sys.executable, sys.version.split()[0], numpy.__version__, numpy.__file__)")
	if got := strings.Join([]string{d.Python.File, d.Python.Version, d.Modules[0].Version, d.Modules[0].File}, " "); got != version {
		t.Errorf("got %s, want %s", got, version)
	}
	if d.Python.By != "GOPHERSNAKE_PYTHON" || !strings.HasPrefix(d.Python.Version, d.Libpython.Version+".") {
		t.Errorf("got %+v, %+v", d.Python, d.Libpython)
	}
	for _, file := range []string{d.Libpython.File, d.Core.File, d.Modules[2].File} {
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
	}
	if d.Core.By != "build output of the module" || !strings.HasPrefix(d.Core.Version, "ABI ") {
		t.Errorf("core: %+v", d.Core)
	}
	if m := d.Modules[2]; len(d.Modules) != 3 || m.Name != "mine" || m.Version != "7" || m.Error != "" {
		t.Errorf("modules: %+v", d.Modules)
	}
	var phases []string
	for _, p := range d.Startup {
		phases = append(phases, p.Name)
		if p.Seconds <= 0 {
			t.Errorf("%s took %v", p.Name, p.Seconds)
		}
	}
	want := []string{"find the environment", "load libpython", "load the core", "start Python", "import NumPy", "import json", "import mine"}
	if !slices.Equal(phases, want) {
		t.Errorf("phases: %q", phases)
	}
	if l := d.Limits; l.ThreadStack < leastStack || l.GOMAXPROCS < 1 || l.MaxConcurrent != l.GOMAXPROCS {
		t.Errorf("limits: %+v", l)
	}
}

// wants checks that doctor tells of these problems, in order, by a part of the text and a part of the remedy.
func (d diagnosis) wants(t *testing.T, problems ...problem) {
	t.Helper()
	if len(d.Problems) != len(problems) {
		t.Errorf("got %d problems, want %d: %q", len(d.Problems), len(problems), d.Problems)
		return
	}
	for i, want := range problems {
		if got := d.Problems[i]; !strings.Contains(got.What, want.What) || !strings.Contains(got.Remedy, want.Remedy) {
			t.Errorf("problem %d: got %q, want %q", i+1, got, want)
		}
	}
}

func TestDoctorFindsProblems(t *testing.T) {
	venv := filepath.Join(t.TempDir(), "venv")
	runPython(t, "-m", "venv", "--without-pip", venv)
	// It has no pip either.
	noNumPy := problem{"NumPy cannot be imported in the environment of " + venv, venv + "/bin/python -m ensurepip && " + venv + "/bin/python -m pip install numpy"}

	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	remedy := "make -C " + root + " build"

	d := examine(t, 1, nil, "-python", venv)
	d.wants(t, noNumPy)
	if d.Python.By != "Config.Python" || d.Python.Version == "" || d.Libpython.File == "" || len(d.Startup) > 0 {
		t.Errorf("got %+v", d)
	}
	d = examine(t, 1, []string{"GOPHERSNAKE_PYTHON=", "VIRTUAL_ENV=" + venv, "GOPHERSNAKE_CORE=/none"})
	d.wants(t, noNumPy, problem{"GOPHERSNAKE_CORE names a file that cannot be read", remedy})
	if d.Python.By != "VIRTUAL_ENV" || d.Core.By != "GOPHERSNAKE_CORE" {
		t.Errorf("got %+v, %+v", d.Python, d.Core)
	}
	examine(t, 1, []string{"GOPHERSNAKE_CORE=" + write(t, "text", "no library")}).wants(t, problem{"text: ", remedy})
	examine(t, 1, nil, "-python", "/none").wants(t, problem{`-python is "/none"`, "name the folder of a virtual environment"})
	examine(t, 1, []string{"GOPHERSNAKE_PYTHON=", "VIRTUAL_ENV=", "PATH=/none"}).
		wants(t, problem{"there is neither python3 nor python3.11 to", "install CPython 3.11"})

	folder := filepath.Dir(write(t, "torn.py", "import nosuch\n"))
	d = examine(t, 1, nil, "-path", folder, "torn", "missing.part", "json")
	d.wants(t,
		problem{"module torn cannot be imported: ModuleNotFoundError: No module named 'nosuch'", "-I -c 'import torn'"},
		problem{"module missing.part cannot be imported", ownPython(t) + " -m pip install missing"})
	if m := d.Modules; len(m) != 4 || m[1].Error == "" || m[3].Error != "" {
		t.Errorf("modules: %+v", m)
	}
}

// What installs NumPy is a command that works there.
func TestDoctorSaysHowToInstall(t *testing.T) {
	folder := t.TempDir()
	venv, python := filepath.Join(folder, "venv"), filepath.Join(folder, "venv", "bin", "python")
	runPython(t, "-m", "venv", "--without-pip", venv)
	says := func(what, advice string) {
		t.Helper()
		examine(t, 1, nil, "-python", venv).wants(t, problem{what, advice})
	}
	packages, err := filepath.Glob(filepath.Join(venv, "lib", "python*", "site-packages"))
	if err != nil || len(packages) != 1 {
		t.Fatal(packages, err)
	}
	settings, err := os.OpenFile(filepath.Join(venv, "pyvenv.cfg"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = settings.WriteString("uv = 0.5.0\n")
	}
	if err = errors.Join(err, settings.Close()); err != nil {
		t.Fatal(err)
	}
	says("NumPy cannot be imported", "uv pip install --python "+python+" numpy")
	if err := os.Mkdir(filepath.Join(packages[0], "pip"), 0o700); err != nil {
		t.Fatal(err)
	}
	says("NumPy cannot be imported", "install it with: "+python+" -m pip install numpy")

	if err := errors.Join(os.Remove(python), os.Symlink("python-gone", python)); err != nil {
		t.Fatal(err)
	}
	says("its bin/python is a link to "+python+"-gone, which is not there", "python3 -m venv --clear "+venv)
}

// An environment in the working directory is used by nobody who does not name it.
func TestDoctorSeesIdleEnvironment(t *testing.T) {
	folder := t.TempDir()
	runPython(t, "-m", "venv", "--without-pip", filepath.Join(folder, "empty"))
	if err := os.Symlink(filepath.Dir(filepath.Dir(ownPython(t))), filepath.Join(folder, ".venv")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(folder)
	advice := "export GOPHERSNAKE_PYTHON=" + folder + "/.venv; or install it with: "
	onPath := []string{"GOPHERSNAKE_PYTHON=", "VIRTUAL_ENV=", "PATH=" + filepath.Join(folder, "empty", "bin")}
	examine(t, 1, onPath).wants(t, problem{"NumPy cannot be imported", advice})
	examine(t, 1, nil, "-python", "empty").wants(t, problem{"NumPy cannot be imported", "install it with: "})
}

func TestDoctorLooksAtSignals(t *testing.T) {
	folder := filepath.Dir(write(t, "takes.py", `import ctypes
taken = ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda number: None)
signal = ctypes.CDLL(None).signal
signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
signal(12, ctypes.cast(taken, ctypes.c_void_p))
`))
	d := examine(t, 1, nil, "-path", folder, "takes", "json")
	d.wants(t, problem{"since module takes was imported, SIGUSR2 is handled by C code", "signal.Notify"})
	if len(d.Signals) != 1 || d.Signals["SIGUSR2"] != "made at run time (without SA_ONSTACK, which was added)" {
		t.Errorf("signals: %v", d.Signals)
	}
	if len(d.Mended) != 1 || !strings.HasPrefix(d.Mended[0], "SIGUSR2: handled by code made at run time without SA_ONSTACK") {
		t.Errorf("mended: %v", d.Mended)
	}
	gophersnake(t, "", nil, "doctor", "-path", folder, "takes").says(t, 1, "\nSIGUSR2            handled by C code: ", "")
	gophersnake(t, "", nil, "doctor").says(t, 0, "\nsignals            as Go handles them\n", "")
	dropped := filepath.Dir(write(t, "drops.py", "import ctypes\nctypes.CDLL(None).sigignore(12)\n"))
	gophersnake(t, "", nil, "doctor", "-path", dropped, "drops").says(t, 0, "SIGUSR2: was to be ignored, or to have its default, by ", "")
}

// A module that prints does not disturb the report; one that ends the process is named, and the rest is there.
func TestDoctorSurvivesModules(t *testing.T) {
	folder := filepath.Dir(write(t, "prints.py", "import os; os.write(1, b'chatter')\n"))
	for name, body := range map[string]string{
		"crashes": "import ctypes; ctypes.string_at(0)\n",
		"exits":   "import os; os._exit(0)\n",
		"stays":   "import subprocess; subprocess.Popen(['sleep', '300'], close_fds=False)\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name+".py"), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := gophersnake(t, "", nil, "doctor", "-json", "-path", folder, "prints")
	if err := json.Unmarshal([]byte(o.stdout), new(diagnosis)); o.status != 0 || err != nil || o.stderr != "chatter" {
		t.Errorf("status %d, %v: %s%s", o.status, err, o.stdout, o.stderr)
	}
	for name, reason := range map[string]string{"crashes": "SIGSEGV: segmentation violation", "exits": "exit status 0"} {
		o := gophersnake(t, "", nil, "doctor", "-path", folder, "json", name)
		if o.status != 1 || !strings.Contains(o.stdout, `the process ended at the step "import `+name+`": `+reason+"\n  -> ") || !strings.Contains(o.stdout, "\njson ") || strings.Contains(o.stderr, "goroutine") {
			t.Errorf("status %d: %s%s", o.status, o.stdout, o.stderr)
		}
	}
	begin := time.Now()
	if o := gophersnake(t, "", nil, "doctor", "-path", folder, "stays"); o.status != 0 || time.Since(begin) > 250*time.Second {
		t.Errorf("status %d after %v: %s", o.status, time.Since(begin), o.stdout)
	}
}

// Threads take their stack size from the limit at the start of the process.
func TestDoctorLooksAtTheStack(t *testing.T) {
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command("sh", "-c", `ulimit -s 1024; exec "$0" doctor`, executable)
	command.Env = append(os.Environ(), commandVariable+"=1")
	out, err := command.CombinedOutput()
	if status := command.ProcessState.ExitCode(); status != 1 || !strings.Contains(string(out), "ulimit -s 8192") {
		t.Errorf("status %d, %v: %s", status, err, out)
	}
}

func TestDoctorForPeople(t *testing.T) {
	o := gophersnake(t, "", nil, "doctor", "nosuch")
	for _, part := range []string{
		"\nPython     3.", " (GOPHERSNAKE_PYTHON)\n", "\nlibpython  3.", "\ncore       ABI ", " (build output of the module)\n",
		"\nnosuch             cannot be imported\n", "\n  find the environment  ", "\n  stack of a thread  ",
		"\nproblem 1: module nosuch cannot be imported: ModuleNotFoundError: No module named 'nosuch'\n  -> ",
	} {
		o.says(t, 1, part, "")
	}
}
