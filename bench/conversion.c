#include "conversion.h"

#include "capi.h"

#include <stdbool.h>
#include <string.h>

typedef struct {
    enum conversion what;
    double *numbers;
    const char *text;
    int64_t n;
    double *out;
    char *text_out;
} job;

static object *list_of(const job *j) {
    object *list = capi.PyList_New(j->n);
    for (int64_t i = 0; list != NULL && i < j->n; i++) {
        object *item = capi.PyFloat_FromDouble(j->numbers[i]);
        if (item == NULL || capi.PyList_SetItem(list, i, item) != 0) { // takes the reference
            decref(list);
            return NULL;
        }
    }
    return list;
}

static object *dict_of(const job *j) {
    object *dict = capi.PyDict_New();
    for (int64_t i = 0; dict != NULL && i < j->n; i++) {
        object *item = capi.PyFloat_FromDouble(j->numbers[i]);
        bool ok = item != NULL && capi.PyDict_SetItemString(dict, j->text + i * CONVERSION_NAME, item) == 0;
        if (item != NULL) {
            decref(item);
        }
        if (!ok) {
            decref(dict);
            return NULL;
        }
    }
    return dict;
}

static object *matrix_of(const job *j) {
    int64_t shape[] = {j->n / CONVERSION_COLUMNS, CONVERSION_COLUMNS};
    return capi.array_new(capi.array_class, 2, shape, NPY_DOUBLE, NULL, j->numbers, 0, NPY_ARRAY_CARRAY, NULL);
}

static inline object *to_python(const job *j) {
    switch (j->what) {
    case CONVERT_FLOAT:
        return capi.PyFloat_FromDouble(*j->numbers);
    case CONVERT_STRING:
        return capi.PyUnicode_FromStringAndSize(j->text, j->n);
    case CONVERT_LIST:
        return list_of(j);
    case CONVERT_DICT:
    case CONVERT_STRUCT:
        return dict_of(j);
    case CONVERT_MATRIX:
        return matrix_of(j);
    }
    return NULL;
}

// Copies a text that has at most room bytes.
static inline bool text(object *o, char *out, int64_t room, int64_t *length) {
    ptrdiff_t size;
    const char *bytes = capi.PyUnicode_AsUTF8AndSize(o, &size);
    if (bytes == NULL || size > room) {
        return false;
    }
    memcpy(out, bytes, (size_t)size);
    *length = size;
    return true;
}

static bool from_list(const job *j, object *list) {
    if (capi.PyList_Size(list) != j->n) {
        return false;
    }
    for (int64_t i = 0; i < j->n; i++) {
        if (!number(capi.PyList_GetItem(list, i), &j->out[i])) {
            return false;
        }
    }
    return true;
}

static bool from_dict(const job *j, object *dict) {
    ptrdiff_t place = 0;
    object *key, *value;
    int64_t i = 0, length;
    for (; capi.PyDict_Next(dict, &place, &key, &value); i++) {
        if (i == j->n || !text(key, j->text_out + i * CONVERSION_NAME, CONVERSION_NAME - 1, &length) ||
            !number(value, &j->out[i])) {
            return false;
        }
        j->text_out[i * CONVERSION_NAME + length] = 0;
    }
    return i == j->n;
}

static bool from_struct(const job *j, object *dict) {
    for (int64_t i = 0; i < j->n; i++) {
        object *value = capi.PyDict_GetItemString(dict, j->text + i * CONVERSION_NAME);
        if (value == NULL || !number(value, &j->out[i])) {
            return false;
        }
    }
    return true;
}

static bool from_matrix(const job *j, object *matrix) {
    const array *a = (const array *)matrix;
    if (matrix->class != capi.array_class || a->dimensions_len != 2 || a->dimensions[0] * a->dimensions[1] != j->n) {
        return false;
    }
    memcpy(j->out, a->data, (size_t)j->n * sizeof *j->out);
    return true;
}

static inline bool from_python(const job *j, object *result) {
    int64_t length;
    switch (j->what) {
    case CONVERT_FLOAT:
        return number(result, j->out);
    case CONVERT_STRING:
        return text(result, j->text_out, j->n, &length) && length == j->n;
    case CONVERT_LIST:
        return from_list(j, result);
    case CONVERT_DICT:
        return from_dict(j, result);
    case CONVERT_STRUCT:
        return from_struct(j, result);
    case CONVERT_MATRIX:
        return from_matrix(j, result);
    }
    return false;
}

// One call, attached.
static inline bool call(object *function, const job *j) {
    object *argument = to_python(j);
    if (argument == NULL) {
        return false;
    }
    object *result = capi.PyObject_Vectorcall(function, &argument, 1, NULL);
    decref(argument);
    if (result == NULL) {
        return false;
    }
    bool ok = from_python(j, result);
    decref(result);
    return ok;
}

int64_t conversion_run(void *function, enum conversion what, double *numbers, const char *text, int64_t n,
                       int64_t calls, double *out, char *text_out) {
    job j = {.what = what, .numbers = numbers, .text = text, .n = n, .out = out, .text_out = text_out};
    int state = capi.PyGILState_Ensure();
    bool ok = call(function, &j); // a new thread state takes its memory now
    int64_t start = now();
    for (int64_t i = 0; ok && i < calls; i++) {
        ok = call(function, &j);
    }
    int64_t ns = now() - start;
    if (!ok) {
        capi.PyErr_Clear();
    }
    capi.PyGILState_Release(state);
    return ok ? ns : -1;
}
