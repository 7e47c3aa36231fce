// Lending memory as arrays.
#include "host.h"
#include "tests.h"

#include <string.h>

static double data[] = {1, 2, 4, 8};

static void test_dtypes(void) {
    static const struct {
        uint32_t dtype;
        const char *name;
    } DTYPES[] = {
        {SNAKE_DTYPE_BOOL, "bool"},           {SNAKE_DTYPE_INT8, "int8"},
        {SNAKE_DTYPE_INT16, "int16"},         {SNAKE_DTYPE_INT32, "int32"},
        {SNAKE_DTYPE_INT64, "int64"},         {SNAKE_DTYPE_UINT8, "uint8"},
        {SNAKE_DTYPE_UINT16, "uint16"},       {SNAKE_DTYPE_UINT32, "uint32"},
        {SNAKE_DTYPE_UINT64, "uint64"},       {SNAKE_DTYPE_FLOAT16, "float16"},
        {SNAKE_DTYPE_FLOAT32, "float32"},     {SNAKE_DTYPE_FLOAT64, "float64"},
        {SNAKE_DTYPE_COMPLEX64, "complex64"}, {SNAKE_DTYPE_COMPLEX128, "complex128"},
    };
    snake_function *flags = fixture("flags");
    static const uint64_t zeros[4];
    job job;
    char wanted[100];
    for (size_t i = 0; i < LENGTH(DTYPES); i++) {
        check_subject = DTYPES[i].name;
        job_new(&job);
        job_array(&job, DTYPES[i].dtype, zeros, 2);
        CHECK_SUCCESS(job_run(&job, flags));
        snprintf(wanted, sizeof wanted, "%s (2,) False True", DTYPES[i].name);
        CHECK(job_result_is_text(&job, wanted));
        CHECK(job.call.retained == 0);

        job_new(&job); // nothing is lent where there is no element
        job_array(&job, DTYPES[i].dtype, i % 2 ? zeros : NULL, 0);
        CHECK_SUCCESS(job_run(&job, flags));
        CHECK(job.call.result.value.kind == SNAKE_KIND_TEXT && strstr((char *)job.scratch, " (0,) ") != NULL);
    }
    check_subject = "";
    const uint32_t forged[] = {0, SNAKE_DTYPE_COMPLEX128 + 1, 255, 1U << 31, UINT32_MAX};
    for (size_t i = 0; i < LENGTH(forged); i++) {
        job_new(&job);
        job_array(&job, forged[i], data, 4);
        CHECK_ERROR(ARGUMENT, "dtype", job_run(&job, flags));
    }
    snake_function_free(flags);
}

static void test_memory(void) {
    snake_function *address = fixture("address"), *twice = fixture("double"), *force = fixture("force_double");
    job job;
    job_new(&job);
    job_array(&job, SNAKE_DTYPE_FLOAT64, data, 4);
    CHECK_SUCCESS(job_run(&job, address));
    CHECK(job.call.result.value.kind == SNAKE_KIND_INT && job.call.result.value.bits == (uintptr_t)data);

    job_new(&job);
    job_array(&job, SNAKE_DTYPE_FLOAT64, data, 4)->bits = 1;
    CHECK_SUCCESS(job_run(&job, twice));
    CHECK(data[0] == 2 && data[3] == 16);
    job_new(&job);
    job_array(&job, SNAKE_DTYPE_FLOAT64, data, 4);
    CHECK_ERROR(PYTHON, "read-only", job_run(&job, twice));
    CHECK_ERROR(PYTHON, "WRITEABLE", job_run(&job, force));
    CHECK(data[0] == 2 && data[3] == 16 && job.call.retained == 0);
    snake_function_free(address);
    snake_function_free(twice);
    snake_function_free(force);
}

static void test_misuse(void) {
    snake_function *total = fixture("total"), *wrongly_aligned = fixture("is_wrongly_aligned");
    static const struct {
        uint32_t dtype;
        uint64_t len;
    } TOO_LONG[] = {
        {SNAKE_DTYPE_INT8, UINT64_MAX},
        {SNAKE_DTYPE_INT8, (uint64_t)1 << 63},
        {SNAKE_DTYPE_FLOAT64, (uint64_t)1 << 60},
        {SNAKE_DTYPE_FLOAT64, ((uint64_t)1 << 61) + 1}, // 8 bytes, modulo 2^64
        {SNAKE_DTYPE_COMPLEX128, ((uint64_t)1 << 60) + 1},
        {SNAKE_DTYPE_COMPLEX128, UINT64_MAX / 16},
    };
    job job;
    for (size_t i = 0; i < LENGTH(TOO_LONG); i++) {
        job_new(&job);
        job_array(&job, TOO_LONG[i].dtype, data, TOO_LONG[i].len);
        CHECK_ERROR(ARGUMENT, "address space", job_run(&job, total));
    }
    job_new(&job);
    job_array(&job, SNAKE_DTYPE_FLOAT64, NULL, 1);
    CHECK_ERROR(ARGUMENT, "NULL", job_run(&job, total));
    // What is not aligned for its dtype is refused, or NumPy knows it.
    job_new(&job);
    job_array(&job, SNAKE_DTYPE_FLOAT64, (char *)data + 1, 3);
    snake_error *error = job_run(&job, wrongly_aligned);
    CHECK(error == NULL ? job.call.result.value.bits == 0 : error->code == SNAKE_ERROR_CODE_ARGUMENT);
    snake_error_free(error);
    snake_function_free(total);
    snake_function_free(wrongly_aligned);
}

static void test_many(void) {
    snake_function *total = fixture("total");
    double numbers[12];
    job job;
    job_new(&job);
    for (size_t i = 0; i < LENGTH(numbers); i++) {
        numbers[i] = (double)(1 << i);
        job_array(&job, SNAKE_DTYPE_FLOAT64, &numbers[i], 1);
    }
    CHECK_SUCCESS(job_run(&job, total));
    double sum;
    memcpy(&sum, &job.call.result.value.bits, sizeof sum);
    CHECK(job.call.result.value.kind == SNAKE_KIND_FLOAT && sum == 4095);
    CHECK(job.call.retained == 0);

    job.call.leases_len = 11; // room for one less
    CHECK_ERROR(ARGUMENT, "room", job_run(&job, total));
    CHECK(job.call.retained == 0);
    job.call.leases_len = 0;
    job.call.leases = NULL;
    CHECK_ERROR(ARGUMENT, "room", job_run(&job, total));
    job.call.leases = job.leases;
    job.call.leases_len = SIZE_MAX; // the host's word: there is room for as many as the call describes
    CHECK_SUCCESS(job_run(&job, total));
    job.call.lends_len = 7; // one pointer less than arrays
    CHECK_ERROR(ARGUMENT, "lends", job_run(&job, total));
    job.call.lends_len = 0;
    job.call.lends = NULL;
    CHECK_ERROR(ARGUMENT, "lends", job_run(&job, total));
    CHECK(job.call.retained == 0);

    job_new(&job); // an array in a container
    job_argument(&job, SNAKE_KIND_LIST, 0, 1);
    job_array(&job, SNAKE_DTYPE_FLOAT64, numbers, 1);
    job.call.args = 1;
    snake_function *written = fixture("written");
    CHECK_SUCCESS(job_run(&job, written));
    CHECK(job_result_is_text(&job, "([array([1.])],)"));
    CHECK(job.call.retained == 0);
    snake_function_free(written);
    snake_function_free(total);
}

// A result never is the lent memory.
static void test_alias(void) {
    snake_function *identity = fixture("identity");
    const size_t scratch_lengths[] = {0, sizeof data};
    for (size_t i = 0; i < LENGTH(scratch_lengths); i++) {
        job job;
        job_new(&job);
        job.call.result.scratch_len = scratch_lengths[i];
        job_array(&job, SNAKE_DTYPE_FLOAT64, data, 4);
        CHECK_SUCCESS(job_run(&job, identity));
        CHECK(job.call.result.value.kind == SNAKE_KIND_ARRAY && job.call.result.data_len == sizeof data);
        CHECK(job.call.result.data != data && memcmp(job.call.result.data, data, sizeof data) == 0);
        CHECK(job.call.retained == 0);
        job_free(&job);
    }
    snake_function_free(identity);
}

// Arrays of any rank.
static void test_layout(void) {
    static const int64_t numbers[] = {1, 2, 3, 4, 5, 6};
    static const struct {
        uint64_t dimensions;
        int64_t shape[3], strides[3];
        size_t first; // which of the numbers is at index 0
        const char *written;
    } LAYOUTS[] = {
        {0, {0}, {0}, 2, "(array(3),)"},
        {1, {3}, {-16}, 5, "(array([6, 4, 2]),)"},
        {2, {2, 3}, {24, 8}, 0, "(array([[1, 2, 3],\n       [4, 5, 6]]),)"},
        {2, {3, 2}, {8, 24}, 0, "(array([[1, 4],\n       [2, 5],\n       [3, 6]]),)"},
        {2, {2, 2}, {0, 8}, 1, "(array([[2, 3],\n       [2, 3]]),)"},
        {3, {1, 2, 1}, {8, -8, 8}, 1, "(array([[[2],\n        [1]]]),)"},
    };
    snake_function *written = fixture("written"), *flags = fixture("flags"), *twice = fixture("double"),
                   *force = fixture("force_double"), *identity = fixture("identity");
    job job;
    for (size_t i = 0; i < LENGTH(LAYOUTS); i++) {
        check_subject = LAYOUTS[i].written;
        job_new(&job);
        job_nd_array(&job, SNAKE_DTYPE_INT64, numbers + LAYOUTS[i].first, LAYOUTS[i].dimensions, LAYOUTS[i].shape,
                     LAYOUTS[i].strides);
        CHECK_SUCCESS(job_run(&job, written));
        CHECK(job_result_is_text(&job, LAYOUTS[i].written));
        CHECK(job.call.retained == 0);
        job_free(&job);
        CHECK_ERROR(PYTHON, "read-only", job_run(&job, twice));
        CHECK_ERROR(PYTHON, "", job_run(&job, force));
        CHECK(job.call.retained == 0);
    }
    check_subject = "";
    int64_t own[] = {1, 2, 3, 4};
    job_new(&job);
    job_nd_array(&job, SNAKE_DTYPE_INT64, own, 2, (int64_t[]){2, 2}, NULL)->bits = 1;
    CHECK_SUCCESS(job_run(&job, twice));
    CHECK(own[0] == 2 && own[3] == 8);
    CHECK_SUCCESS(job_run(&job, identity)); // the result is a copy
    CHECK(job.call.result.value.kind == SNAKE_KIND_ND_ARRAY && job.call.result.value.bits != (uintptr_t)own);
    CHECK(job.call.retained == 0);
    job_free(&job);

    job_new(&job); // no element, whatever the strides
    job_nd_array(&job, SNAKE_DTYPE_INT64, NULL, 2, (int64_t[]){3, 0}, (int64_t[]){INT64_MAX, INT64_MIN});
    CHECK_SUCCESS(job_run(&job, flags));
    CHECK(job_result_is_text(&job, "int64 (3, 0) True True"));
    job_free(&job);

    int64_t ones[33], strides[33] = {0};
    for (size_t i = 0; i < LENGTH(ones); i++) {
        ones[i] = 1;
    }
    job_new(&job);
    job_nd_array(&job, SNAKE_DTYPE_INT64, own, 32, ones, strides);
    CHECK_SUCCESS(job_run(&job, identity));
    CHECK(job.call.result.value.len == 32 && job.call.result.tree->values_len == 33);
    job_free(&job);
    job_new(&job);
    job_nd_array(&job, SNAKE_DTYPE_INT64, own, 33, ones, strides);
    CHECK_ERROR(LIMIT, "33", job_run(&job, flags));

    static const struct {
        int64_t shape[2];
    } FORGED[] = {
        {{-1, 1}},
        {{1, -1}},
        {{-1, -1}},
        {{-1, 0}},
        {{0, -1}},
        {{INT64_MIN, 1}},
        {{INT64_MAX, 1}},
        {{INT64_MAX, INT64_MAX}},
        {{1L << 32, 1L << 32}},
        {{1L << 33, 1L << 31}},
        {{3, 1L << 60}},
        {{INT64_MIN, INT64_MIN}},
    };
    for (size_t i = 0; i < LENGTH(FORGED); i++) {
        job_new(&job);
        job_nd_array(&job, SNAKE_DTYPE_INT64, own, 2, FORGED[i].shape, (int64_t[]){0, 0});
        CHECK_ERROR(ARGUMENT, "address space", job_run(&job, flags));
        CHECK(job.call.retained == 0);
    }
    const uint64_t counts[] = {2, 3, 100, (uint64_t)1 << 63,
                               UINT64_MAX}; // of dimensions, for one of which there are values
    for (size_t i = 0; i < LENGTH(counts); i++) {
        job_new(&job);
        job_nd_array(&job, SNAKE_DTYPE_INT64, own, 1, (int64_t[]){1}, NULL)->len = counts[i];
        CHECK_ERROR(ARGUMENT, "children", job_run(&job, flags));
    }
    job_new(&job);
    job_nd_array(&job, SNAKE_DTYPE_INT64, NULL, 2, (int64_t[]){1, 1}, NULL);
    CHECK_ERROR(ARGUMENT, "NULL", job_run(&job, flags));
    for (uint32_t dtype = SNAKE_DTYPE_DATETIME64; dtype <= SNAKE_DTYPE_TIMEDELTA64 + 1; dtype++) {
        job_new(&job);
        job_nd_array(&job, dtype, own, 2, (int64_t[]){1, 1}, NULL);
        CHECK_ERROR(ARGUMENT, "dtype", job_run(&job, flags));
    }
    snake_function_free(written);
    snake_function_free(flags);
    snake_function_free(twice);
    snake_function_free(force);
    snake_function_free(identity);
}

// The object that an expression is worth.
static snake_object *object_of(const char *expression) {
    static snake_value nodes[] = {{.kind = SNAKE_KIND_OBJECT}};
    const snake_plan plan = {.nodes = nodes, .nodes_len = 1};
    snake_result result = {.plan = &plan};
    if (!CHECK_SUCCESS(evaluate(expression, &result)) || !CHECK(result.tree != NULL)) {
        return NULL;
    }
    CHECK(result.value.kind == SNAKE_KIND_OBJECT && result.tree->values_len == 1);
    snake_object *object = (snake_object *)(uintptr_t)result.value.bits; // which we take
    result.tree->values[0].bits = 0;
    result_free(&result);
    return object;
}

static void test_borrow(void) {
    static const struct {
        const char *expression;
        uint32_t dtype, ndim, writable;
        int64_t shape[2], strides[2];
        int64_t first;
    } BORROWS[] = {
        {"np.arange(5, 9)", SNAKE_DTYPE_INT64, 1, 1, {4}, {8}, 5},
        {"np.arange(5, 9)[::-2]", SNAKE_DTYPE_INT64, 1, 1, {2}, {-16}, 8},
        {"np.arange(6).reshape(2, 3).T[1:]", SNAKE_DTYPE_INT64, 2, 1, {2, 2}, {8, 24}, 1},
        {"np.frombuffer(b'\\7' + b'\\0' * 7, np.int64)", SNAKE_DTYPE_INT64, 1, 0, {1}, {8}, 7},
        {"np.array(3)", SNAKE_DTYPE_INT64, 0, 1, {0}, {0}, 3},
        {"np.broadcast_to(np.int64(4), (2, 2))", SNAKE_DTYPE_INT64, 2, 0, {2, 2}, {0, 0}, 4},
    };
    uint64_t objects = stats().objects;
    snake_array array;
    for (size_t i = 0; i < LENGTH(BORROWS); i++) {
        check_subject = BORROWS[i].expression;
        snake_object *object = object_of(BORROWS[i].expression);
        memset(&array, '!', sizeof array);
        if (!CHECK_SUCCESS(snake_array_borrow(object, 0, &array))) {
            continue;
        }
        CHECK(stats().objects == objects + 2);
        snake_object_free(object); // the borrow keeps the memory
        CHECK(array.dtype == BORROWS[i].dtype && array.ndim == BORROWS[i].ndim);
        CHECK(array.writable == BORROWS[i].writable && *(const int64_t *)array.data == BORROWS[i].first);
        for (uint32_t axis = 0; axis < SNAKE_MAX_DIMENSIONS; axis++) {
            CHECK(array.shape[axis] == (axis < array.ndim ? BORROWS[i].shape[axis] : 0));
            CHECK(array.strides[axis] == (axis < array.ndim ? BORROWS[i].strides[axis] : 0));
        }
        snake_array_release(array.owner);
        CHECK(stats().objects == objects);
    }
    static const char *const REFUSED[] = {
        "[1]",
        "np.arange(3).astype('>i8')",
        "np.frombuffer(b'123456789', np.int64, offset=1)",
        "np.array(['x'])",
        "np.array([None])",
        "np.ma.array([1])",
        "np.zeros(1, 'M8[s]')",
        "np.zeros(1, np.longdouble)",
        "np.zeros(1, 'i4,f8')",
        "np.float64(1)",
    };
    snake_array before;
    memset(&before, '!', sizeof before);
    for (size_t i = 0; i < LENGTH(REFUSED); i++) {
        check_subject = REFUSED[i];
        snake_object *object = object_of(REFUSED[i]);
        array = before;
        CHECK_ERROR(PYTHON, "array", snake_array_borrow(object, 0, &array));
        CHECK(memcmp(&array, &before, sizeof array) == 0); // untouched on failure
        snake_object_free(object);
    }
    check_subject = "";
    snake_object *object = object_of("np.zeros(1)");
    CHECK_ERROR(ARGUMENT, "NULL", snake_array_borrow(NULL, 0, &array));
    CHECK_ERROR(ARGUMENT, "array", snake_array_borrow(object, 0, NULL));
    // Twice at a time; what is written here, Python sees.
    snake_array second;
    CHECK_SUCCESS(snake_array_borrow(object, 0, &array));
    CHECK_SUCCESS(snake_array_borrow(object, 0, &second));
    CHECK(array.data == second.data);
    snake_array_release(array.owner);
    *(double *)second.data = 2.5;
    snake_function *total = fixture("total");
    job job;
    job_new(&job);
    job_argument(&job, SNAKE_KIND_OBJECT, (uintptr_t)object, 0);
    CHECK_SUCCESS(job_run(&job, total));
    double sum;
    memcpy(&sum, &job.call.result.value.bits, sizeof sum);
    CHECK(sum == 2.5);
    snake_function_free(total);
    snake_array_release(second.owner);
    snake_object_free(object);
    snake_array_release(NULL);
    CHECK(stats().objects == objects);
}

void test_array(void) {
    snake_result none = {0};
    CHECK_SUCCESS(evaluate("None", &none)); // loads `evaluate`, which stays
    uint64_t objects = stats().objects;
    test_dtypes();
    test_memory();
    test_misuse();
    test_many();
    test_alias();
    test_layout();
    test_borrow();
    CHECK(stats().objects == objects);
    CHECK(stats().leases == 0);
}
