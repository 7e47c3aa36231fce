// The least that iterating over a Python object can cost: a loop in C that holds the GIL.
#ifndef GOPHERSNAKE_BENCH_ITERATION_H
#define GOPHERSNAKE_BENCH_ITERATION_H

#include <stdint.h>

// Iterates over the floats that the function returns, which is called again until there were as many items as wanted.
// Sets *sum to their sum. Returns the nanoseconds that all took together, or -1 if something failed or nothing came.
int64_t iteration_run(void *function, int64_t items, double *sum);

#endif
