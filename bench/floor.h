// The least that a call of Python with an array can cost: a loop in C that does nothing else.
#ifndef GOPHERSNAKE_BENCH_FLOOR_H
#define GOPHERSNAKE_BENCH_FLOOR_H

#include <stdint.h>

// How the loop holds the GIL.
enum gil {
    GIL_HELD,  // all the time: the floor
    GIL_TAKEN, // anew for each call, by the kept thread state of the thread
    GIL_FRESH, // anew for each call, by a new thread state, which is what PyGILState_Ensure makes on a foreign thread
};

// Looks up the C API in the libpython that the process has loaded, and NumPy's. Returns NULL, or what failed.
const char *floor_open(void);

// Loads module.name. Returns a reference that is never given back, or NULL.
void *floor_load(const char *module, const char *name);

// Calls the function with the n elements of data as an array, over and over. If the result is an array of integers,
// copies it to out, which has room for `room` of them, and sets *out_len. Returns the nanoseconds that all calls took
// together, or -1 if one of them failed.
int64_t floor_run(void *function, enum gil gil, double *data, int64_t n, int64_t calls, int64_t *out, int64_t room,
                  int64_t *out_len);

// What one crossing from Go to C costs.
void floor_cross(const double *data);

#endif
