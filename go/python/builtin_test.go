package python

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"
)

var _ = scenario("built-in functions", func() {
	fmt.Println(must(evaluate[string](start(), "builtin_functions:"+os.Getenv("WHICH"))))
})

// What stands for a built-in function looks like it and is used like it: what the host shows is what plain Python shows.
func TestBuiltinFunctions(t *testing.T) {
	for _, which := range []string{"functions", "wrong", "use"} {
		t.Run(which, func(t *testing.T) {
			plain := exec.Command(environmentOfTest(t).executable, "-I", filepath.Join(testdata, "builtin_functions.py"), which)
			want := parse(t, passCommand(t, plain))
			got := parse(t, passScenario(t, "built-in functions", "WHICH="+which))
			if len(want) < 4 {
				t.Errorf("plain Python shows %v", want)
			}
			for name := range want {
				if !reflect.DeepEqual(got[name], want[name]) {
					t.Errorf("%s:\ngot  %q\nwant %q", name, got[name], want[name])
				}
				delete(got, name)
			}
			if len(got) > 0 {
				t.Errorf("the host alone has %v", got)
			}
		})
	}
}

// Stacks of threads have room for the recursion limit, where CPython counts levels and not bytes.
func TestBuiltinFunctionRaises(t *testing.T) {
	want := "[true, 67108864, 0]\n"
	if environmentOfTest(t).version.minor > 13 {
		want = "[false, 67108864, 0]\n"
	}
	if got := passScenario(t, "built-in functions", "WHICH=raised"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The warning of a recursion limit that stacks do not carry names the line that sets it.
func TestBuiltinFunctionWarns(t *testing.T) {
	const few, none = `[true, ["builtin_functions.py"]]`, `[false, []]`
	want := map[string]string{"3.11": few, "3.12": none, "3.13": few}[environmentOfTest(t).version.String()]
	command := limitedCommand("built-in functions", "8192")
	command.Env = append(command.Env, "WHICH=warned")
	if got := passCommand(t, command); want != "" && got != want+"\n" {
		t.Errorf("got %s, want %s", got, want)
	}
}
