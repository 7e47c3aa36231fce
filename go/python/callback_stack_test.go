package python

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

var _ = scenario("deep nesting", func() {
	in, err := Start(Config{Path: []string{testdata}})
	if errors.Is(err, ErrLimit) {
		fmt.Println("refused:", err)
		return
	}
	check(err)
	deepest := 0
	var down func(n int) (float64, error)
	down = func(n int) (float64, error) {
		deepest = max(deepest, n)
		// A frame of Python, one of NumPy's C, and one of Python that NumPy calls.
		return perform[float64](in, "result = float(np.apply_along_axis(lambda row: np.array([f(n + 1)]), 1, np.zeros((1, 3)))[0, 0])",
			KW{"f": down, "n": n})
	}
	if _, err := down(0); !errors.Is(err, ErrLimit) && !errors.Is(err, RecursionError) {
		fail("%v", err)
	}
	fmt.Println(deepest)
})

// A limit is reached before the stack's end, also where threads have small ones: those that cgo makes are as large as the
// limit of the process says, and 2 MiB without a limit. With 8 MiB it is that of nesting, else that of recursion.
func TestCallbackStack(t *testing.T) {
	for _, limit := range []string{"8192", "2048", "1024"} {
		t.Run(limit+" KiB", func(t *testing.T) {
			command := scenarioCommand("deep nesting")
			limited := exec.Command("bash", "-c", "ulimit -S -s "+limit+"; exec \"$0\"", command.Path)
			limited.Env = command.Env
			got := strings.TrimSpace(passCommand(t, limited))
			t.Log(got)
			if got != "100" && limit == "8192" {
				t.Errorf("nested %s levels deep", got)
			}
		})
	}
}
