#include "iteration.h"

#include "capi.h"

// One loop, attached. Returns how many items it has taken, or -1.
static int64_t run_loop(object *function, int64_t most, double *sum) {
    object *over = capi.PyObject_Vectorcall(function, NULL, 0, NULL);
    if (over == NULL) {
        return -1;
    }
    object *iterator = capi.PyObject_GetIter(over);
    decref(over);
    if (iterator == NULL) {
        return -1;
    }
    int64_t taken = 0;
    bool ok = true;
    while (ok && taken < most) {
        object *item = capi.PyIter_Next(iterator);
        if (item == NULL) {
            ok = capi.PyErr_Occurred() == NULL;
            break;
        }
        double x;
        ok = number(item, &x);
        decref(item);
        *sum += x;
        taken++;
    }
    decref(iterator);
    return ok ? taken : -1;
}

int64_t iteration_run(void *function, int64_t items, double *sum) {
    int state = capi.PyGILState_Ensure();
    int64_t taken = run_loop(function, 1, sum); // a new thread state takes its memory now
    *sum = 0;
    int64_t start = now();
    for (int64_t left = items; left > 0 && taken > 0; left -= taken) {
        taken = run_loop(function, left, sum);
    }
    int64_t ns = now() - start;
    if (taken < 0) {
        capi.PyErr_Clear();
    }
    capi.PyGILState_Release(state);
    return taken > 0 ? ns : -1;
}
