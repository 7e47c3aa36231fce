// The least that a call from Python can cost: a loop in Python that calls a function in C, which keeps the GIL.
#ifndef GOPHERSNAKE_BENCH_CALLBACK_H
#define GOPHERSNAKE_BENCH_CALLBACK_H

#include <stdint.h>

// The function in C.
enum callback {
    CALLBACK_NOOP,  // counts its calls
    CALLBACK_FLOAT, // adds one to a float
    CALLBACK_ARRAY, // returns the first element of an array
};

// How many calls a loop makes at most.
enum { CALLBACK_LOOP = 1000 };

// Lets the Python function `loop` call a function in C, over and over: loop(function, calls), or loop(function,
// argument, calls), where the argument is the first of the n elements of data, or all of them as an array. Sets *out to
// the number of calls, or to the last answer. Returns the nanoseconds that all took together, or -1 if one of them
// failed.
int64_t callback_run(void *loop, enum callback what, double *data, int64_t n, int64_t calls, double *out);

#endif
