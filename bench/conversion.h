// The least that converting a value to Python and back can cost: loops in C that hold the GIL and do nothing else.
#ifndef GOPHERSNAKE_BENCH_CONVERSION_H
#define GOPHERSNAKE_BENCH_CONVERSION_H

#include <stdint.h>

// What is converted.
enum conversion {
    CONVERT_FLOAT,  // the first number
    CONVERT_STRING, // the text
    CONVERT_LIST,   // of all numbers
    CONVERT_DICT,   // of all numbers by their names, read by walking it
    CONVERT_STRUCT, // the same, read by name
    CONVERT_MATRIX, // of all numbers, in rows of 10
};

// The length of a row of the matrix, and the room for a name, its NUL included.
enum { CONVERSION_COLUMNS = 10, CONVERSION_NAME = 16 };

// Makes the value of the n numbers, or of the n bytes of text, calls the function with it and converts the result, over
// and over. The text holds the names of a dict, each in CONVERSION_NAME bytes. The result is written to out and
// text_out, which have room for as much as came in. Returns the nanoseconds that all calls took together, or -1 if one
// of them failed.
int64_t conversion_run(void *function, enum conversion what, double *numbers, const char *text, int64_t n,
                       int64_t calls, double *out, char *text_out);

#endif
