#define _GNU_SOURCE
#include "floor.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

// The layouts below are those of every CPython from 3.11 on, and of NumPy's stable ABI. Declared here, they need no
// headers, so that one build serves every Python, as the core does.

typedef struct object {
    int32_t references; // the low half, which holds the count in every version
    int32_t flags;
    struct object *class;
} object;

typedef struct {
    object head;
    char *data;
    int dimensions_len;
    int64_t *dimensions;
} array;

static struct {
    int (*PyGILState_Ensure)(void);
    void (*PyGILState_Release)(int);
    void *(*PyEval_SaveThread)(void);
    void (*PyEval_RestoreThread)(void *);
    object *(*PyImport_ImportModule)(const char *);
    object *(*PyObject_GetAttrString)(object *, const char *);
    void *(*PyCapsule_GetPointer)(object *, const char *);
    object *(*PyObject_Vectorcall)(object *, object *const *, size_t, object *);
    void (*PyErr_Clear)(void);
    void (*_Py_Dealloc)(object *);
} python;

static const struct {
    const char *name;
    void *place;
} symbols[] = {
    {"PyGILState_Ensure", &python.PyGILState_Ensure},
    {"PyGILState_Release", &python.PyGILState_Release},
    {"PyEval_SaveThread", &python.PyEval_SaveThread},
    {"PyEval_RestoreThread", &python.PyEval_RestoreThread},
    {"PyImport_ImportModule", &python.PyImport_ImportModule},
    {"PyObject_GetAttrString", &python.PyObject_GetAttrString},
    {"PyCapsule_GetPointer", &python.PyCapsule_GetPointer},
    {"PyObject_Vectorcall", &python.PyObject_Vectorcall},
    {"PyErr_Clear", &python.PyErr_Clear},
    {"_Py_Dealloc", &python._Py_Dealloc},
};

// Places in NumPy's table, and its numbers.
enum { PYARRAY_TYPE = 2, PYARRAY_NEW = 93, NPY_DOUBLE = 12, NPY_ARRAY_CARRAY = 0x501 };

static object *array_class;
static object *(*array_new)(object *class, int dimensions, const int64_t *lengths, int dtype, const int64_t *strides,
                            void *data, int itemsize, int flags, object *base);

// As the macro of Python's headers: immortal objects have a negative low half.
static inline void decref(object *o) {
    if (o->references >= 0 && --o->references == 0) {
        python._Py_Dealloc(o);
    }
}

// module.name, attached; NULL if there is none.
static object *load(const char *module, const char *name) {
    object *from = python.PyImport_ImportModule(module);
    object *found = from == NULL ? NULL : python.PyObject_GetAttrString(from, name);
    if (from != NULL) {
        decref(from);
    }
    if (found == NULL) {
        python.PyErr_Clear();
    }
    return found;
}

const char *floor_open(void) {
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        void *symbol = dlsym(RTLD_DEFAULT, symbols[i].name);
        if (symbol == NULL) {
            return symbols[i].name;
        }
        memcpy(symbols[i].place, &symbol, sizeof symbol);
    }
    int state = python.PyGILState_Ensure();
    object *capsule = load("numpy._core.multiarray", "_ARRAY_API");
    if (capsule == NULL) {
        capsule = load("numpy.core.multiarray", "_ARRAY_API"); // NumPy 1
    }
    void **table = capsule == NULL ? NULL : python.PyCapsule_GetPointer(capsule, NULL);
    if (table != NULL) {
        array_class = table[PYARRAY_TYPE];
        memcpy(&array_new, &table[PYARRAY_NEW], sizeof array_new);
    }
    python.PyGILState_Release(state);
    return table == NULL ? "the C API of NumPy" : NULL;
}

void *floor_load(const char *module, const char *name) {
    int state = python.PyGILState_Ensure();
    object *function = load(module, name);
    python.PyGILState_Release(state);
    return function;
}

typedef struct {
    object *function;
    enum gil gil;
    double *data;
    int64_t n, calls;
    int64_t *out;
    int64_t room, out_len;
    int64_t ns;
} job;

// One call, attached.
static inline bool call(job *j) {
    object *argument = array_new(array_class, 1, &j->n, NPY_DOUBLE, NULL, j->data, 0, NPY_ARRAY_CARRAY, NULL);
    if (argument == NULL) {
        return false;
    }
    object *result = python.PyObject_Vectorcall(j->function, &argument, 1, NULL);
    decref(argument);
    if (result == NULL) {
        return false;
    }
    if (result->class == array_class) {
        const array *a = (const array *)result;
        j->out_len = *a->dimensions;
        if (j->out_len > j->room) {
            decref(result);
            return false;
        }
        memcpy(j->out, a->data, (size_t)j->out_len * sizeof *j->out);
    }
    decref(result);
    return true;
}

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool run_held(job *j) {
    int state = python.PyGILState_Ensure();
    bool ok = call(j); // a new thread state takes its memory now
    int64_t start = now();
    for (int64_t i = 0; ok && i < j->calls; i++) {
        ok = call(j);
    }
    j->ns = now() - start;
    if (!ok) {
        python.PyErr_Clear();
    }
    python.PyGILState_Release(state);
    return ok;
}

static bool run_taken(job *j) {
    int outer = python.PyGILState_Ensure();
    bool ok = call(j);
    void *state = python.PyEval_SaveThread();
    int64_t start = now();
    for (int64_t i = 0; ok && i < j->calls; i++) {
        python.PyEval_RestoreThread(state);
        ok = call(j);
        state = python.PyEval_SaveThread();
    }
    j->ns = now() - start;
    python.PyEval_RestoreThread(state);
    if (!ok) {
        python.PyErr_Clear();
    }
    python.PyGILState_Release(outer);
    return ok;
}

static bool run_fresh(job *j) {
    bool ok = true;
    int64_t start = now();
    for (int64_t i = 0; ok && i < j->calls; i++) {
        int state = python.PyGILState_Ensure();
        ok = call(j);
        if (!ok) {
            python.PyErr_Clear();
        }
        python.PyGILState_Release(state);
    }
    j->ns = now() - start;
    return ok;
}

static void *run_fresh_thread(void *j) {
    return run_fresh(j) ? j : NULL;
}

// Runs on a thread that has no thread state yet; those of Go may have one.
static bool run_on_new_thread(job *j) {
    pthread_t thread;
    void *result = NULL;
    return pthread_create(&thread, NULL, run_fresh_thread, j) == 0 && pthread_join(thread, &result) == 0 &&
           result != NULL;
}

int64_t floor_run(void *function, enum gil gil, double *data, int64_t n, int64_t calls, int64_t *out, int64_t room,
                  int64_t *out_len) {
    job j = {.function = function, .data = data, .n = n, .calls = calls, .out = out, .room = room};
    bool ok = gil == GIL_HELD ? run_held(&j) : gil == GIL_TAKEN ? run_taken(&j) : run_on_new_thread(&j);
    *out_len = j.out_len;
    return ok ? j.ns : -1;
}

void floor_cross(const double *data) {
    (void)data;
}
