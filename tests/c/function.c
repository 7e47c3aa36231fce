// Resolving a callable, and the outer form of a call; its arguments are tested in value.c, array.c and lease.c.
#include "host.h"
#include "tests.h"

#include <string.h>

static snake_error *load(const char *name) {
    snake_function *function = NULL;
    snake_error *error = snake_function_load((const uint8_t *)name, strlen(name), 0, &function);
    CHECK((error == NULL) == (function != NULL));
    snake_function_free(function);
    return error;
}

static void test_load(void) {
    CHECK_SUCCESS(load("math:sqrt"));
    CHECK_SUCCESS(load("fixtures:Refusal.with_traceback"));
    CHECK_SUCCESS(load("os.path:join"));
    CHECK_ERROR(PYTHON, "nonexistent", load("nonexistent:f"));
    CHECK_ERROR(PYTHON, "nonexistent", load("math:nonexistent"));
    CHECK_ERROR(PYTHON, "callable", load("math:pi"));
    static const char *const NAMES[] = {"", ":", "math", "math:", ":sqrt", "math:a..b", "math:.a", "math:a.", "a:b:c:"};
    for (size_t i = 0; i < LENGTH(NAMES); i++) {
        check_subject = NAMES[i];
        CHECK_ERROR(PYTHON, "", load(NAMES[i]));
    }
    check_subject = "";
    CHECK_ERROR(ARGUMENT, "UTF-8", load("math:\xff"));
    CHECK_ERROR(ARGUMENT, "UTF-8", load("\xed\xa0\x80:f"));

    const uint8_t *name = (const uint8_t *)"math:sqrt\0:";
    snake_function *function = NULL;
    CHECK_ERROR(PYTHON, "", snake_function_load(name, 11, 0, &function)); // NUL
    CHECK_ERROR(PYTHON, "", snake_function_load(NULL, 0, 0, &function));
    CHECK_ERROR(ARGUMENT, "name", snake_function_load(NULL, 9, 0, &function));
    CHECK_ERROR(ARGUMENT, "function", snake_function_load(name, 9, 0, NULL));
    CHECK_ERROR(ARGUMENT, "name", snake_function_load(name, SIZE_MAX, 0, &function));
    CHECK_ERROR(ARGUMENT, "name", snake_function_load(name, (size_t)1 << 63, 0, &function));
    char memory[32];
    CHECK_ERROR(ARGUMENT, "aligned", snake_function_load(name, 9, 0, (snake_function **)(void *)(memory + 1)));
    CHECK(function == NULL);
}

static void test_call(void) {
    snake_function *identity = fixture("identity");
    const struct job right = {.values = {{.kind = SNAKE_KIND_INT, .bits = 5}}};
    job job;
    double memory[200];
    void *unaligned = (char *)memory + 1;

    CHECK_ERROR(ARGUMENT, "call", snake_function_call(identity, NULL, NULL, NULL, NULL, NULL, NULL));
    CHECK_ERROR(ARGUMENT, "aligned", snake_function_call(identity, unaligned, NULL, NULL, NULL, NULL, NULL));
    job_new(&job);
    CHECK_ERROR(ARGUMENT, "function", job_run(&job, NULL));

    job_new(&job);
    job_argument(&job, SNAKE_KIND_INT, 5, 0);
    CHECK_SUCCESS(job_run(&job, identity));
    CHECK(job.call.result.value.kind == SNAKE_KIND_INT && job.call.result.value.bits == 5);
    CHECK(job.call.result.owner == NULL && job.call.result.data == NULL);
    CHECK(memcmp(right.values, job.values, sizeof right.values) == 0); // only read

    const uint32_t wants[] = {SNAKE_WANT_VALUE + 1, 255, UINT32_MAX};
    for (size_t i = 0; i < LENGTH(wants); i++) {
        job.call.want = wants[i];
        job.call.retained = 77;
        CHECK_ERROR(ARGUMENT, "want", job_run(&job, identity));
        CHECK(job.call.retained == 0);
    }
    job.call.want = SNAKE_WANT_VALUE;

    const size_t lengths[] = {SIZE_MAX, (size_t)1 << 63, (size_t)1 << 62};
    for (size_t i = 0; i < LENGTH(lengths); i++) {
        struct job wrong = job;
        wrong.call.values_len = lengths[i];
        CHECK_ERROR(ARGUMENT, "values", job_run(&wrong, identity));
        wrong = job;
        wrong.call.lends_len = lengths[i];
        CHECK_ERROR(ARGUMENT, "lends", job_run(&wrong, identity));
        if (lengths[i] > SIZE_MAX / 2) {
            wrong = job;
            wrong.call.bytes_len = lengths[i];
            CHECK_ERROR(ARGUMENT, "bytes", job_run(&wrong, identity));
        }
    }
    struct job wrong = job;
    wrong.call.values = NULL;
    CHECK_ERROR(ARGUMENT, "values", job_run(&wrong, identity));
    wrong.call.values = unaligned;
    CHECK_ERROR(ARGUMENT, "aligned", job_run(&wrong, identity));
    wrong = job;
    wrong.call.lends = NULL;
    CHECK_ERROR(ARGUMENT, "lends", job_run(&wrong, identity));
    wrong.call.lends = unaligned;
    CHECK_ERROR(ARGUMENT, "aligned", job_run(&wrong, identity));
    wrong = job;
    wrong.call.leases = NULL;
    CHECK_ERROR(ARGUMENT, "leases", job_run(&wrong, identity));
    wrong.call.leases = unaligned;
    CHECK_ERROR(ARGUMENT, "aligned", job_run(&wrong, identity));
    wrong = job;
    wrong.call.bytes_len = 1;
    CHECK_ERROR(ARGUMENT, "bytes", snake_function_call(identity, &wrong.call, NULL, NULL, NULL, NULL, NULL));

    // A call that fails leaves the result as it was.
    job_new(&job);
    job.call.result.owner = (snake_object *)memory;
    job.call.result.data = memory;
    CHECK_ERROR(PYTHON, "argument", job_run(&job, identity));
    CHECK(job.call.result.owner == (snake_object *)memory && job.call.result.data == memory);
    snake_function_free(identity);
}

static void test_map(void) {
    snake_function *identity = fixture("identity");
    enum { CALLS = 40 };
    static job jobs[CALLS];
    static double numbers[CALLS][3];
    snake_call calls[CALLS];
    snake_error *errors[CALLS];
    _Alignas(16) char scratch[100]; // too little for all
    uint32_t stop = 0;
    snake_batch batch = {.calls = calls,
                         .calls_len = CALLS,
                         .errors = errors,
                         .scratch = scratch + 1,
                         .scratch_len = sizeof scratch - 1,
                         .stop = &stop};
    for (size_t i = 0; i < CALLS; i++) {
        job_new(&jobs[i]);
        if (i % 4 < 2) {
            numbers[i][0] = (double)i;
            job_array(&jobs[i], SNAKE_DTYPE_FLOAT64, numbers[i], 3);
        } else {
            job_argument(&jobs[i], i % 4 == 2 ? SNAKE_KIND_INT : 999, i, 0);
        }
        calls[i] = jobs[i].call;
        calls[i].lends = jobs[i].lends;
        calls[i].lends_len = jobs[i].arrays;
    }
    CHECK_ERROR(ARGUMENT, "batch", snake_function_map(identity, NULL, NULL));
    CHECK_ERROR(ARGUMENT, "function", snake_function_map(NULL, &batch, NULL));
    snake_batch wrong = batch;
    wrong.calls = NULL;
    CHECK_ERROR(ARGUMENT, "calls", snake_function_map(identity, &wrong, NULL));
    wrong = batch;
    wrong.errors = NULL;
    CHECK_ERROR(ARGUMENT, "errors", snake_function_map(identity, &wrong, NULL));
    wrong = batch;
    wrong.stop = (uint32_t *)(void *)(scratch + 1);
    CHECK_ERROR(ARGUMENT, "stop", snake_function_map(identity, &wrong, NULL));
    CHECK(wrong.made == 0);
    wrong = (snake_batch){.made = 5};
    CHECK_SUCCESS(snake_function_map(identity, &wrong, NULL));
    CHECK(wrong.made == 0);

    CHECK_SUCCESS(snake_function_map(identity, &batch, NULL));
    CHECK(batch.made == CALLS);
    for (size_t i = 0; i < CALLS; i++) {
        if (i % 4 == 3) {
            CHECK_ERROR(ARGUMENT, "999", errors[i]);
            continue;
        }
        CHECK_SUCCESS(errors[i]);
        const snake_result *result = &calls[i].result;
        if (i % 4 == 2) {
            CHECK(result->value.kind == SNAKE_KIND_INT && result->value.bits == i);
        } else {
            CHECK(result->value.kind == SNAKE_KIND_ARRAY && result->data_len == sizeof *numbers);
            CHECK(memcmp(result->data, numbers[i], sizeof *numbers) == 0); // no two share their place
            CHECK(result->data != numbers[i] && calls[i].retained == 0);
        }
        result_free(&calls[i].result);
    }

    batch.scratch = NULL;
    stop = 1;
    CHECK_SUCCESS(snake_function_map(identity, &batch, NULL));
    CHECK(batch.made == 0);
    snake_function_free(identity);
}

void test_function(void) {
    uint64_t objects = stats().objects;
    test_load();
    test_call();
    test_map();
    CHECK(stats().objects == objects);
}
