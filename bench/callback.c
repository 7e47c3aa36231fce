#include "callback.h"

#include "capi.h"

static double counted; // by the no-op; the GIL guards it

static object *noop(object *self, object *argument) {
    (void)self;
    (void)argument;
    counted++;
    return incref(capi.none);
}

static object *plus_one(object *self, object *argument) {
    (void)self;
    double x;
    return number(argument, &x) ? capi.PyFloat_FromDouble(x + 1) : NULL;
}

// Without an exception, a NULL is a SystemError.
static object *first(object *self, object *argument) {
    (void)self;
    const array *a = (const array *)argument;
    if (argument->class != capi.array_class || a->dimensions_len != 1 || *a->dimensions == 0) {
        return NULL;
    }
    return capi.PyFloat_FromDouble(*(const double *)a->data);
}

// Python keeps their addresses.
static method methods[] = {
    [CALLBACK_NOOP] = {.name = "noop", .call = noop, .flags = METH_NOARGS},
    [CALLBACK_FLOAT] = {.name = "plus_one", .call = plus_one, .flags = METH_O},
    [CALLBACK_ARRAY] = {.name = "first", .call = first, .flags = METH_O},
};

static object *argument_of(enum callback what, double *data, int64_t n) {
    if (what == CALLBACK_FLOAT) {
        return capi.PyFloat_FromDouble(*data);
    }
    return capi.array_new(capi.array_class, 1, &n, NPY_DOUBLE, NULL, data, 0, NPY_ARRAY_CARRAY, NULL);
}

// One loop, attached. The function and the argument are made anew, as the host makes them.
static bool run_loop(object *loop, enum callback what, double *data, int64_t n, int64_t calls, double *out) {
    object *arguments[3] = {NULL};
    size_t len = 0;
    arguments[len++] = capi.PyCFunction_NewEx(&methods[what], NULL, NULL);
    if (what != CALLBACK_NOOP) {
        arguments[len++] = argument_of(what, data, n);
    }
    arguments[len++] = capi.PyLong_FromLongLong(calls);
    bool ok = true;
    for (size_t i = 0; i < len; i++) {
        ok = ok && arguments[i] != NULL;
    }
    object *result = ok ? capi.PyObject_Vectorcall(loop, arguments, len, NULL) : NULL;
    for (size_t i = 0; i < len; i++) {
        if (arguments[i] != NULL) {
            decref(arguments[i]);
        }
    }
    if (result == NULL) {
        return false;
    }
    ok = what == CALLBACK_NOOP || number(result, out);
    decref(result);
    return ok;
}

int64_t callback_run(void *loop, enum callback what, double *data, int64_t n, int64_t calls, double *out) {
    int state = capi.PyGILState_Ensure();
    bool ok = run_loop(loop, what, data, n, 1, out); // a new thread state takes its memory now
    counted = 0;
    int64_t start = now();
    for (int64_t left = calls; ok && left > 0; left -= CALLBACK_LOOP) {
        ok = run_loop(loop, what, data, n, left < CALLBACK_LOOP ? left : CALLBACK_LOOP, out);
    }
    int64_t ns = now() - start;
    if (what == CALLBACK_NOOP) {
        *out = counted;
    }
    if (!ok) {
        capi.PyErr_Clear();
    }
    capi.PyGILState_Release(state);
    return ok ? ns : -1;
}
