package python

import (
	"fmt"
	"math"
	"strings"
	"syscall"
	"testing"
)

// faultsOfTemporaries counts the page faults of a call whose temporary arrays have 800 kB.
func faultsOfTemporaries(in *Interpreter) float64 {
	outside := must(in.Func("fixtures:outside"))
	data := make([]float64, 100_000)
	faults := func() int64 {
		var usage syscall.Rusage
		check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
		return usage.Minflt
	}
	work := func(calls int) {
		for range calls {
			check(must(outside.Call(background, data)).Close())
		}
	}
	work(50)
	const calls = 500
	before := faults()
	work(calls)
	return float64(faults()-before) / calls
}

var _ = scenario("malloc trims", func() { fmt.Println(faultsOfTemporaries(start())) })

var _ = scenario("malloc keeps", func() {
	fmt.Println(faultsOfTemporaries(must(Start(Config{Path: []string{testdata}, MallocTrimThreshold: 64 << 20}))))
})

// Memory that was freed is used again, where it would be mapped anew by each call otherwise.
func TestMallocTrimThreshold(t *testing.T) {
	faults := func(name string) (each float64) {
		if _, err := fmt.Sscan(passScenario(t, name), &each); err != nil {
			t.Fatal(err)
		}
		return each
	}
	trims, keeps := faults("malloc trims"), faults("malloc keeps")
	t.Logf("page faults for each call: %.1f, with the threshold %.1f", trims, keeps)
	if keeps > 5 {
		t.Errorf("%.1f page faults for each call, want almost none", keeps)
	}
}

func TestMallocTrimThresholdRange(t *testing.T) {
	for _, bytes := range []int{-1, math.MaxInt32 + 1} {
		_, err := Start(Config{MallocTrimThreshold: bytes})
		if err == nil || !strings.Contains(err.Error(), "Config.MallocTrimThreshold: want 0 to 2147483647 bytes, got ") {
			t.Errorf("%d: got %v", bytes, err)
		}
	}
}
