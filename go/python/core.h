// The core as Go reaches it: gophersnake.h, whose functions are forwarded to the library that core_open loads.
#ifndef GOPHERSNAKE_CORE_H
#define GOPHERSNAKE_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// Hidden, so that the core's own functions of the same names are never bound to the forwarders.
#pragma GCC visibility push(hidden)

#include "gophersnake.h"

// Opens a libpython to look at it: nothing is bound to it yet. Sets *version to major << 8 | minor, or to 0 if it is
// older than 3.11 or no libpython at all. On failure returns NULL and sets *error, which the caller frees.
void *libpython_open(const char *path, uint32_t *version, const char **release, char **error);

// Gives the symbols of a libpython to the whole process: the core and extension modules need them.
bool libpython_publish(const char *path, char **error);

// Closes a libpython that was opened or published.
void libpython_close(void *library);

// Opens the core and binds the functions of gophersnake.h to it. Sets *file to the name of the file that the loader has
// found, which the caller frees. On failure returns false, and sets *version if the library has another ABI version
// than the header, else *error, which the caller frees.
bool core_open(const char *path, uint32_t *version, char **file, char **error);

// A call, and what function_call left of it.
typedef struct {
    snake_call call;
    snake_error *failure;
    snake_activity activity;
    uint64_t lent; // bytes
} call_frame;

// snake_function_call with addresses in place of pointers to structs, and bytes in place of void. This spares cgo's
// check of each pointer (see ARCHITECTURE.md): the function and the frame lie in C memory, and lent memory holds no
// pointers. It returns nothing, because cgo spends 4 ns on a result.
void function_call(uintptr_t function, uintptr_t frame, const uint8_t *bytes, const uint8_t *lend0,
                   const uint8_t *lend1, const uint8_t *lend2, const uint8_t *lend3);

// function_call for one array.
void function_call_array(uintptr_t function, uintptr_t frame, const uint8_t *lend);

// Tells the core to call Go's functions through the one below.
snake_error *callback_install(void);

// sigaction for a caller, by the rules of the core once that is loaded.
struct sigaction;
int signal_action(int number, const struct sigaction *action, struct sigaction *previous, const void *caller);

// Has Go's function below run on Python's main thread, with the number.
snake_error *interpreter_run(uintptr_t number);

#pragma GCC visibility pop

// Written in Go: calls the function of the invocation.
extern void gophersnakeCallback(snake_invocation *invocation);

// Written in Go: makes the call with that number.
extern void gophersnakeMainThread(uintptr_t number);

#endif
