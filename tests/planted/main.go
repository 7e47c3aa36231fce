// Program planted does what the tools of the Makefile have to see: it shows that they are on.
package main

/*
#include <stdlib.h>

static int read_freed(void) {
	volatile char *memory = malloc(16);
	memory[3] = 7;
	free((void *)memory);
	return memory[3];
}
*/
import "C"

import (
	"fmt"
	"os"
	"unsafe"
)

func main() {
	switch os.Args[len(os.Args)-1] {
	case "use-after-free":
		fmt.Println("was not seen:", C.read_freed())
	case "go-pointer": // in C's memory
		memory := (**int)(C.malloc(C.size_t(unsafe.Sizeof(uintptr(0)))))
		*memory = new(int)
		fmt.Println("was not seen:", *memory != nil)
	default:
		fmt.Fprintln(os.Stderr, "usage: planted use-after-free | go-pointer")
		os.Exit(2)
	}
}
