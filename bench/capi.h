// The C API of Python and NumPy, as far as the floor calls it. floor_open fills it.
#ifndef GOPHERSNAKE_BENCH_CAPI_H
#define GOPHERSNAKE_BENCH_CAPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
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

// A function in C, of which METH_NOARGS and METH_O are used: both take two objects.
typedef struct {
    const char *name;
    object *(*call)(object *self, object *argument);
    int flags;
    const char *doc;
} method;

enum { METH_NOARGS = 0x4, METH_O = 0x8 };

extern struct capi {
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
    object *(*PyFloat_FromDouble)(double);
    double (*PyFloat_AsDouble)(object *);
    object *(*PyUnicode_FromStringAndSize)(const char *, ptrdiff_t);
    const char *(*PyUnicode_AsUTF8AndSize)(object *, ptrdiff_t *);
    object *(*PyList_New)(ptrdiff_t);
    int (*PyList_SetItem)(object *, ptrdiff_t, object *);
    object *(*PyList_GetItem)(object *, ptrdiff_t);
    ptrdiff_t (*PyList_Size)(object *);
    object *(*PyDict_New)(void);
    int (*PyDict_SetItemString)(object *, const char *, object *);
    object *(*PyDict_GetItemString)(object *, const char *);
    int (*PyDict_Next)(object *, ptrdiff_t *, object **, object **);
    object *(*PyErr_Occurred)(void);
    object *(*PyLong_FromLongLong)(long long);
    object *(*PyCFunction_NewEx)(method *, object *self, object *module);
    object *(*PyObject_GetIter)(object *);
    object *(*PyIter_Next)(object *);
    object *none;
    // NumPy:
    object *array_class;
    object *(*array_new)(object *class, int dimensions, const int64_t *lengths, int dtype, const int64_t *strides,
                         void *data, int itemsize, int flags, object *base);
} capi;

// NumPy's numbers.
enum { NPY_DOUBLE = 12, NPY_ARRAY_CARRAY = 0x501 };

// As the macros of Python's headers: immortal objects have a negative low half.
static inline object *incref(object *o) {
    if (o->references >= 0) {
        o->references++;
    }
    return o;
}

static inline void decref(object *o) {
    if (o->references >= 0 && --o->references == 0) {
        capi._Py_Dealloc(o);
    }
}

// As a C program finds out whether a number was one.
static inline bool number(object *o, double *out) {
    *out = capi.PyFloat_AsDouble(o);
    return *out != -1 || capi.PyErr_Occurred() == NULL;
}

static inline int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

#endif
