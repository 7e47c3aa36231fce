#define _GNU_SOURCE
#include "floor.h"

#include "capi.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

struct capi capi;

static const struct {
    const char *name;
    void *place;
} symbols[] = {
    {"PyGILState_Ensure", &capi.PyGILState_Ensure},
    {"PyGILState_Release", &capi.PyGILState_Release},
    {"PyEval_SaveThread", &capi.PyEval_SaveThread},
    {"PyEval_RestoreThread", &capi.PyEval_RestoreThread},
    {"PyImport_ImportModule", &capi.PyImport_ImportModule},
    {"PyObject_GetAttrString", &capi.PyObject_GetAttrString},
    {"PyCapsule_GetPointer", &capi.PyCapsule_GetPointer},
    {"PyObject_Vectorcall", &capi.PyObject_Vectorcall},
    {"PyErr_Clear", &capi.PyErr_Clear},
    {"_Py_Dealloc", &capi._Py_Dealloc},
    {"PyFloat_FromDouble", &capi.PyFloat_FromDouble},
    {"PyFloat_AsDouble", &capi.PyFloat_AsDouble},
    {"PyUnicode_FromStringAndSize", &capi.PyUnicode_FromStringAndSize},
    {"PyUnicode_AsUTF8AndSize", &capi.PyUnicode_AsUTF8AndSize},
    {"PyList_New", &capi.PyList_New},
    {"PyList_SetItem", &capi.PyList_SetItem},
    {"PyList_GetItem", &capi.PyList_GetItem},
    {"PyList_Size", &capi.PyList_Size},
    {"PyDict_New", &capi.PyDict_New},
    {"PyDict_SetItemString", &capi.PyDict_SetItemString},
    {"PyDict_GetItemString", &capi.PyDict_GetItemString},
    {"PyDict_Next", &capi.PyDict_Next},
    {"PyErr_Occurred", &capi.PyErr_Occurred},
    {"PyLong_FromLongLong", &capi.PyLong_FromLongLong},
    {"PyCFunction_NewEx", &capi.PyCFunction_NewEx},
    {"PyObject_GetIter", &capi.PyObject_GetIter},
    {"PyIter_Next", &capi.PyIter_Next},
    {"_Py_NoneStruct", &capi.none},
};

// Places in NumPy's table.
enum { PYARRAY_TYPE = 2, PYARRAY_NEW = 93 };

// module.name, attached; NULL if there is none.
static object *load(const char *module, const char *name) {
    object *from = capi.PyImport_ImportModule(module);
    object *found = from == NULL ? NULL : capi.PyObject_GetAttrString(from, name);
    if (from != NULL) {
        decref(from);
    }
    if (found == NULL) {
        capi.PyErr_Clear();
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
    int state = capi.PyGILState_Ensure();
    object *capsule = load("numpy._core.multiarray", "_ARRAY_API");
    if (capsule == NULL) {
        capsule = load("numpy.core.multiarray", "_ARRAY_API"); // NumPy 1
    }
    void **table = capsule == NULL ? NULL : capi.PyCapsule_GetPointer(capsule, NULL);
    if (table != NULL) {
        capi.array_class = table[PYARRAY_TYPE];
        memcpy(&capi.array_new, &table[PYARRAY_NEW], sizeof capi.array_new);
    }
    capi.PyGILState_Release(state);
    return table == NULL ? "the C API of NumPy" : NULL;
}

void *floor_load(const char *module, const char *name) {
    int state = capi.PyGILState_Ensure();
    object *function = load(module, name);
    capi.PyGILState_Release(state);
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
    object *argument = capi.array_new(capi.array_class, 1, &j->n, NPY_DOUBLE, NULL, j->data, 0, NPY_ARRAY_CARRAY, NULL);
    if (argument == NULL) {
        return false;
    }
    object *result = capi.PyObject_Vectorcall(j->function, &argument, 1, NULL);
    decref(argument);
    if (result == NULL) {
        return false;
    }
    if (result->class == capi.array_class) {
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

static bool run_held(job *j) {
    int state = capi.PyGILState_Ensure();
    bool ok = call(j); // a new thread state takes its memory now
    int64_t start = now();
    for (int64_t i = 0; ok && i < j->calls; i++) {
        ok = call(j);
    }
    j->ns = now() - start;
    if (!ok) {
        capi.PyErr_Clear();
    }
    capi.PyGILState_Release(state);
    return ok;
}

static bool run_taken(job *j) {
    int outer = capi.PyGILState_Ensure();
    bool ok = call(j);
    void *state = capi.PyEval_SaveThread();
    int64_t start = now();
    for (int64_t i = 0; ok && i < j->calls; i++) {
        capi.PyEval_RestoreThread(state);
        ok = call(j);
        state = capi.PyEval_SaveThread();
    }
    j->ns = now() - start;
    capi.PyEval_RestoreThread(state);
    if (!ok) {
        capi.PyErr_Clear();
    }
    capi.PyGILState_Release(outer);
    return ok;
}

static bool run_fresh(job *j) {
    bool ok = true;
    int64_t start = now();
    for (int64_t i = 0; ok && i < j->calls; i++) {
        int state = capi.PyGILState_Ensure();
        ok = call(j);
        if (!ok) {
            capi.PyErr_Clear();
        }
        capi.PyGILState_Release(state);
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
