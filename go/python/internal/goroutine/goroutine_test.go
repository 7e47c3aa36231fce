package goroutine

import (
	"runtime"
	"sync"
	"testing"
)

// Each goroutine has a number of its own, which stays whatever it does.
func TestCurrent(t *testing.T) {
	var mu sync.Mutex
	seen := map[uintptr]int{}
	var begun, ended sync.WaitGroup
	begun.Add(100)
	for i := range 100 {
		ended.Go(func() {
			number := Current()
			mu.Lock()
			if other, twice := seen[number]; twice {
				t.Errorf("goroutines %d and %d have the number %#x", other, i, number)
			}
			seen[number] = i
			mu.Unlock()
			begun.Done()
			begun.Wait() // all of them run
			grow(1000)
			runtime.Gosched()
			if again := Current(); again != number {
				t.Errorf("the number of goroutine %d was %#x and is %#x", i, number, again)
			}
		})
	}
	ended.Wait()
}

// grow lets the stack move.
func grow(n int) int {
	var room [128]byte
	if n == 0 {
		return 0
	}
	room[n%len(room)] = 1
	return grow(n-1) + int(room[0])
}
