package python

/*
#include <malloc.h>

// malloc_keep returns 0 if this malloc cannot do it.
static int malloc_keep(int bytes) {
#if defined(M_TRIM_THRESHOLD) && defined(M_MMAP_THRESHOLD)
	return mallopt(M_MMAP_THRESHOLD, bytes) != 0 && mallopt(M_TRIM_THRESHOLD, bytes) != 0;
#else
	(void)bytes;
	return 0;
#endif
}
*/
import "C"

import (
	"errors"
	"fmt"
	"math"
)

// keepFreed does what [Config].MallocTrimThreshold says.
func keepFreed(bytes int) error {
	if bytes == 0 {
		return nil
	}
	if C.malloc_keep(C.int(bytes)) == 0 { //nolint:gosec // normal has checked it
		return errors.New("python: Config.MallocTrimThreshold: the C library of this system has no such setting: want 0")
	}
	return nil
}

func checkTrimThreshold(bytes int) error {
	if bytes < 0 || bytes > math.MaxInt32 {
		return fmt.Errorf("python: Config.MallocTrimThreshold: want 0 to %d bytes, got %d", math.MaxInt32, bytes)
	}
	return nil
}
