#define _GNU_SOURCE
#include "capsule.h"
#include "_cgo_export.h"
#include <dlfcn.h>
#include <stdlib.h>

static void *(*new_capsule)(void *pointer, const char *name, void (*destructor)(void *));
static void *(*get_pointer)(void *capsule, const char *name);
static void (*set_error)(void *class, const char *message);
static void **value_error;

/* POSIX lets a function's address go through void *. */
#define LOAD(symbol, name)                                                                                             \
    do {                                                                                                               \
        *(void **)&(symbol) = dlsym(RTLD_DEFAULT, name);                                                               \
        if (!(symbol))                                                                                                 \
            return name;                                                                                               \
    } while (0)

const char *capsule_load(void) {
    LOAD(new_capsule, "PyCapsule_New");
    LOAD(get_pointer, "PyCapsule_GetPointer");
    LOAD(set_error, "PyErr_SetString");
    LOAD(value_error, "PyExc_ValueError");
    return NULL;
}

static const char OWNER[] = "gophersnake_arrow_export";

static void drop_owner(void *capsule) {
    dropExport((uint64_t)(uintptr_t)get_pointer(capsule, OWNER));
}

void *capsule_owner(uint64_t export) {
    return new_capsule((void *)(uintptr_t)export, OWNER, drop_owner);
}

/* The same for each structure: `name` is its name in the protocol, EXPORT calls Go to fill `made`. */
#define DEFINE_CAPSULE(noun, type, name, EXPORT)                                                                       \
    static void end_##noun(struct type *made) {                                                                        \
        if (made->release)                                                                                             \
            made->release(made);                                                                                       \
        free(made);                                                                                                    \
    }                                                                                                                  \
    static void drop_##noun(void *capsule) {                                                                           \
        struct type *made = get_pointer(capsule, name);                                                                \
        if (made)                                                                                                      \
            end_##noun(made);                                                                                          \
    }                                                                                                                  \
    void *capsule_##noun(uint64_t export) {                                                                            \
        struct type *made = calloc(1, sizeof *made);                                                                   \
        if (!made || !(EXPORT)) {                                                                                      \
            free(made);                                                                                                \
            set_error(*value_error, "Arrow data of Go that is closed, or a reader that was used before");              \
            return NULL;                                                                                               \
        }                                                                                                              \
        void *capsule = new_capsule(made, name, drop_##noun);                                                          \
        if (!capsule)                                                                                                  \
            end_##noun(made);                                                                                          \
        return capsule;                                                                                                \
    }                                                                                                                  \
    int capsule_take_##noun(void *capsule, struct type *out) {                                                         \
        struct type *in = get_pointer(capsule, name);                                                                  \
        if (!in)                                                                                                       \
            return -1;                                                                                                 \
        if (!in->release) {                                                                                            \
            set_error(*value_error, "an " name " capsule that was used before");                                       \
            return -1;                                                                                                 \
        }                                                                                                              \
        *out = *in;                                                                                                    \
        in->release = NULL;                                                                                            \
        return 0;                                                                                                      \
    }

DEFINE_CAPSULE(schema, ArrowSchema, "arrow_schema", fillExport(export, made, NULL, NULL))
DEFINE_CAPSULE(array, ArrowArray, "arrow_array", fillExport(export, NULL, made, NULL))
DEFINE_CAPSULE(stream, ArrowArrayStream, "arrow_array_stream", fillExport(export, NULL, NULL, made))

void schema_take_child(struct ArrowSchema *schema, struct ArrowSchema *out) {
    *out = *schema->children[0];
    schema->children[0]->release = NULL;
}

int stream_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
    return stream->get_schema(stream, out);
}

int stream_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
    return stream->get_next(stream, out);
}

const char *stream_error(struct ArrowArrayStream *stream) {
    return stream->get_last_error(stream);
}

void imported_free(struct imported *imported) {
    if (imported->array.release)
        imported->array.release(&imported->array);
    if (imported->schema.release)
        imported->schema.release(&imported->schema);
    if (imported->stream.release)
        imported->stream.release(&imported->stream);
    free(imported);
}

void schema_copy_ordered(struct ArrowSchema *schema) {
    for (int64_t i = 0; i < schema->n_children; i++)
        schema_copy_ordered(schema->children[i]);
    if (schema->dictionary) {
        schema_copy_ordered(schema->dictionary);
        schema->dictionary->flags &= ~(int64_t)ARROW_FLAG_DICTIONARY_ORDERED;
        schema->dictionary->flags |= schema->flags & ARROW_FLAG_DICTIONARY_ORDERED;
    }
}
