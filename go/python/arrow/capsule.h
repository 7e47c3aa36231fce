/* Arrow structures in and out of Python capsules. */
#pragma once

#include "abi.h"

/* What an import takes out of a Python object: schema and array, or stream. What is not there is zero. */
struct imported {
    struct ArrowSchema schema;
    struct ArrowArray array;
    struct ArrowArrayStream stream;
};

/* Finds the functions of libpython, which the process has loaded by now. Returns the name of one that is missing, or
 * NULL. */
const char *capsule_load(void);

/* The functions below are for Python: gophersnake_arrow.py calls them, through ctypes, attached. Those that return a
 * capsule return NULL with an exception set when they fail; those that return an int then return -1. */

/* A capsule that keeps an export of Go's alive. */
void *capsule_owner(uint64_t export);
/* The capsules of the protocol, made anew from an export. They end what nobody took out of them. */
void *capsule_schema(uint64_t export);
void *capsule_array(uint64_t export);
void *capsule_stream(uint64_t export);
/* Move a structure out of a capsule. */
int capsule_take_schema(void *capsule, struct ArrowSchema *out);
int capsule_take_array(void *capsule, struct ArrowArray *out);
int capsule_take_stream(void *capsule, struct ArrowArrayStream *out);

/* The functions below are for Go. */

/* Moves the only child of a schema out of it. */
void schema_take_child(struct ArrowSchema *schema, struct ArrowSchema *out);
/* Calls get_schema or get_next, which return an errno value. */
int stream_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out);
int stream_next(struct ArrowArrayStream *stream, struct ArrowArray *out);
const char *stream_error(struct ArrowArrayStream *stream);
/* Ends what is left, and frees the structure. */
void imported_free(struct imported *imported);
/* arrow-go (up to 18.8 at least) looks for the flag "ordered" of a dictionary type at its values, where it is not. This
 * copies it there. */
void schema_copy_ordered(struct ArrowSchema *schema);
