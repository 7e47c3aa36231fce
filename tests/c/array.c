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

void test_array(void) {
    uint64_t objects = stats().objects;
    test_dtypes();
    test_memory();
    test_misuse();
    test_many();
    test_alias();
    CHECK(stats().objects == objects);
    CHECK(stats().leases == 0);
}
