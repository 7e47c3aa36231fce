package main

import (
	"math"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Who waits at a door goes through as its policy says.
func TestDoor(t *testing.T) {
	for _, row := range []struct {
		door *door
		want []int // the order of those who came as 0 to 3, while one was inside
	}{
		{&door{free: 1}, []int{0, 1, 2, 3}},
		{&door{free: 1, latestFirst: true}, []int{3, 2, 1, 0}},
		{&door{free: 1, grabbed: true}, []int{0, 1, 2, 3}},
	} {
		synctest.Test(t, func(t *testing.T) {
			row.door.enter()
			came := make(chan int, len(row.want))
			for i := range row.want {
				go func() {
					row.door.enter()
					came <- i
					row.door.leave()
				}()
				synctest.Wait()
			}
			if len(came) > 0 {
				t.Errorf("%+v lets one through while another is inside", row.door)
			}
			row.door.leave()
			synctest.Wait()
			var order []int
			for range row.want {
				order = append(order, <-came)
			}
			if !slices.Equal(order, row.want) {
				t.Errorf("%+v: the order is %v, want %v", row.door, order, row.want)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		d := &door{free: 1, grabbed: true}
		d.enter()
		late := make(chan bool)
		go func() { d.enter(); late <- true }()
		synctest.Wait()
		d.leave()
		d.enter() // before the other wakes up
		d.leave()
		<-late
	})
}

// Who rides in a wagon comes through, with no more than it takes.
func TestWagon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var made, most atomic.Int64
		w := &wagon{most: 8, drive: func(calls int) error {
			made.Add(int64(calls))
			most.Store(max(most.Load(), int64(calls)))
			time.Sleep(time.Microsecond)
			return nil
		}}
		result, err := throughput(w.ride, 20, 0, time.Millisecond, 0)
		if err != nil || most.Load() != 8 || made.Load() < int64(len(result.times)) || len(result.times) < 1000 {
			t.Errorf("%d calls were made, %d at a time, %d were counted: %v", made.Load(), most.Load(), len(result.times), err)
		}
	})
}

// A goroutine that never comes through counts with all that it has waited.
func TestThroughputCountsStarved(t *testing.T) {
	const quick = 1100 * time.Microsecond // so that no call ends in the very moment in which counting begins or ends
	var first atomic.Bool
	work := func(int) (time.Duration, error) {
		if first.CompareAndSwap(false, true) {
			time.Sleep(time.Second)
			return time.Second, nil
		}
		time.Sleep(quick)
		return quick, nil
	}
	synctest.Test(t, func(t *testing.T) {
		result, err := throughput(work, 2, 0, 100*time.Millisecond, 200*time.Millisecond)
		if err != nil || slices.Max(result.times) != float64(time.Second) {
			t.Errorf("the longest call took %v: %v", slices.Max(result.times), err)
		}
		if math.Round(result.perSecond) != 910 { // those that ended from 200 to 300 ms
			t.Errorf("%v calls per second, want 910: those that ended in time", result.perSecond)
		}
	})
}
