// Starting and shutting down.
#define _GNU_SOURCE // NSIG
#include "host.h"
#include "tests.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void test_not_started(void) {
    CHECK(snake_abi_version() == SNAKE_ABI_VERSION);
    snake_stats counted = stats();
    CHECK(counted.objects == 0 && counted.leases == 0 && counted.threads == 0);

    snake_function *function = (snake_function *)&counted;
    CHECK_ERROR(NOT_STARTED, "", snake_function_load((const uint8_t *)"math:sqrt", 9, 0, &function));
    CHECK(function == (snake_function *)&counted); // an out pointer is written to only on success
    CHECK_ERROR(NOT_STARTED, "", snake_function_load(NULL, 9, 0, NULL));
    job job;
    job_new(&job);
    CHECK_ERROR(NOT_STARTED, "", job_run(&job, NULL));
    CHECK_ERROR(NOT_STARTED, "", snake_object_value(NULL, 0, &job.call.result));
    CHECK_ERROR(NOT_STARTED, "", snake_interpreter_shutdown(1000));
    CHECK_ERROR(NOT_STARTED, "", snake_interpreter_shutdown(UINT64_MAX));

    uint64_t lease = 7;
    size_t len = 7;
    CHECK_SUCCESS(snake_lease_returned_copy(&lease, 1, &len));
    CHECK(len == 0 && lease == 7);
    snake_lease_notify(-1);
    snake_error_free(NULL);
    snake_object_free(NULL);
    snake_function_free(NULL);
    CHECK(stats().objects == 0);
}

static snake_text bytes_of(const char *bytes, size_t len) {
    return (snake_text){.ptr = (const uint8_t *)bytes, .len = len};
}

// None of these may begin to start CPython: test_start, which comes later, must still succeed.
void test_wrong_config(void) {
    const snake_config right = host_config();
    CHECK_ERROR(ARGUMENT, "config", snake_interpreter_start(NULL));
    char memory[sizeof(snake_config) + 16];
    CHECK_ERROR(ARGUMENT, "aligned", snake_interpreter_start((snake_config *)(void *)(memory + 1)));

    struct {
        const char *subject;
        snake_text text;
    } wrong[] = {
        {"NULL", {NULL, 5}},
        {"a length of SIZE_MAX", {right.executable.ptr, SIZE_MAX}},
        {"a length of 2^63", {right.executable.ptr, (size_t)1 << 63}},
        {"bad UTF-8", bytes_of("/bin/\xff", 6)},
        {"a truncated character", bytes_of("/bin/\xe2\x82", 7)},
        {"a surrogate", bytes_of("/bin/\xed\xa0\x80", 8)},
        {"NUL in the executable", bytes_of("/bin\0/python", 12)},
        {"an empty executable", {NULL, 0}},
    };
    for (size_t i = 0; i < LENGTH(wrong); i++) {
        check_subject = wrong[i].subject;
        snake_config config = right;
        config.executable = wrong[i].text;
        CHECK_ERROR(ARGUMENT, "executable", snake_interpreter_start(&config));
        if (i < 6) {
            config = right;
            config.path = &wrong[i].text;
            CHECK_ERROR(ARGUMENT, "path", snake_interpreter_start(&config));
        }
    }
    check_subject = "";
    snake_config config = right;
    config.path = NULL;
    CHECK_ERROR(ARGUMENT, "path", snake_interpreter_start(&config));
    config.path = (snake_text *)(void *)(memory + 1);
    CHECK_ERROR(ARGUMENT, "path", snake_interpreter_start(&config));

    const uint32_t versions[] = {0, 3 << 8 | 10, 3 << 8 | 99, 2 << 8 | 7, UINT32_MAX, right.version << 16};
    for (size_t i = 0; i < LENGTH(versions); i++) {
        config = right;
        config.version = versions[i];
        CHECK_ERROR(ENVIRONMENT, "libpython", snake_interpreter_start(&config));
    }
    job job;
    job_new(&job);
    CHECK_ERROR(NOT_STARTED, "", job_run(&job, NULL));
}

static void *start_in_thread(void *unused) {
    (void)unused;
    snake_config config = host_config();
    return snake_interpreter_start(&config);
}

static void (*handler_of(int number))(int) {
    struct sigaction action = {0};
    return sigaction(number, NULL, &action) == 0 ? action.sa_handler : SIG_ERR;
}

void test_start(void) {
    void (*handlers[NSIG])(int) = {0};
    host_config(); // sets its static folder before there are threads
    for (int number = 1; number < NSIG; number++) {
        handlers[number] = handler_of(number);
    }
    pthread_t threads[8];
    for (size_t i = 0; i < LENGTH(threads); i++) {
        CHECK(pthread_create(&threads[i], NULL, start_in_thread, NULL) == 0);
    }
    bool started = true;
    for (size_t i = 0; i < LENGTH(threads); i++) {
        void *error = NULL;
        CHECK(pthread_join(threads[i], &error) == 0);
        started &= CHECK_SUCCESS(error);
    }
    if (!started) {
        printf("without an interpreter there is nothing more to test\n");
        exit(1);
    }
    for (int number = 1; number < NSIG; number++) {
        check_subject = strsignal(number);
        CHECK(handler_of(number) == handlers[number]);
    }
    check_subject = "";

    snake_config config = host_config();
    CHECK_SUCCESS(snake_interpreter_start(&config));
    config.version++;
    CHECK_ERROR(ENVIRONMENT, "libpython", snake_interpreter_start(&config));
    config = host_config();
    config.executable = text_of("/bin/sh");
    CHECK_ERROR(ENVIRONMENT, "already runs", snake_interpreter_start(&config));
    config.executable = text_of("/nonexistent/bin/python");
    CHECK_ERROR(ENVIRONMENT, "absolute path", snake_interpreter_start(&config));
    config.executable = text_of("python3");
    CHECK_ERROR(ENVIRONMENT, "absolute path", snake_interpreter_start(&config));

    // None of the failures above changes what runs.
    snake_result result = {0};
    CHECK_SUCCESS(evaluate("__import__('sys').executable", &result));
    config = host_config();
    CHECK(result.data_len == config.executable.len && memcmp(result.data, config.executable.ptr, result.data_len) == 0);
    snake_object_free(result.owner);

    CHECK_ERROR(ARGUMENT, "stats", snake_interpreter_stats(NULL));
    char memory[sizeof(snake_stats) + 16];
    CHECK_ERROR(ARGUMENT, "aligned", snake_interpreter_stats((snake_stats *)(void *)(memory + 1)));
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void *shut_down_in_thread(void *unused) {
    (void)unused;
    return snake_interpreter_shutdown(UINT64_MAX);
}

void test_shutdown(void) {
    snake_function *written = fixture("written"), *linger = fixture("linger"), *at_exit = fixture("print_at_exit");
    job job, late;
    job_new(&late);
    late.call.want = SNAKE_WANT_OBJECT;
    CHECK_SUCCESS(job_run(&late, written));
    snake_object *object = late.call.result.owner;
    CHECK(object != NULL);

    job_new(&job);
    double one = 1.0;
    memcpy(&job_argument(&job, SNAKE_KIND_FLOAT, 0, 0)->bits, &one, sizeof one);
    CHECK_SUCCESS(job_run(&job, linger));
    job_new(&job);
    job_text(&job, "printed by atexit");
    CHECK_SUCCESS(job_run(&job, at_exit));

    double begin = seconds();
    CHECK_ERROR(TIMEOUT, "", snake_interpreter_shutdown(0));
    CHECK_ERROR(TIMEOUT, "", snake_interpreter_shutdown(1000000));
    CHECK(seconds() - begin < 0.9);

    // Closed from the moment that shutdown was called, whatever still goes on.
    job_new(&job);
    CHECK_ERROR(CLOSED, "shut down", job_run(&job, written));
    CHECK_ERROR(CLOSED, "shut down", snake_object_value(object, 0, &job.call.result));
    snake_function *function = NULL;
    CHECK_ERROR(CLOSED, "shut down", snake_function_load((const uint8_t *)"math:sqrt", 9, 0, &function));
    CHECK(function == NULL);

    pthread_t thread;
    void *error = NULL;
    CHECK(pthread_create(&thread, NULL, shut_down_in_thread, NULL) == 0);
    CHECK_SUCCESS(snake_interpreter_shutdown(UINT64_C(20000000000)));
    CHECK(pthread_join(thread, &error) == 0);
    CHECK_SUCCESS(error);
    CHECK(seconds() - begin >= 0.9); // it waited for Python's thread
    CHECK_SUCCESS(snake_interpreter_shutdown(UINT64_C(1000000000)));

    snake_config config = host_config();
    CHECK_ERROR(CLOSED, "shut down", snake_interpreter_start(&config));
    CHECK_ERROR(CLOSED, "shut down", job_run(&job, written));
    snake_object_free(object);
    snake_function_free(written);
    snake_function_free(linger);
    snake_function_free(at_exit);
    uint64_t lease;
    size_t len = 7;
    CHECK_SUCCESS(snake_lease_returned_copy(&lease, 1, &len));
    CHECK(len == 0);
    stats();
}

// The executable is in a folder that looks like an environment, but its standard library is empty.
void test_broken_stdlib(void) {
    snake_config broken = host_config();
    broken.executable = text_of(getenv("TEST_BROKEN_EXECUTABLE"));
    CHECK_ERROR(START, "did not start", snake_interpreter_start(&broken));
    double begin = seconds();
    snake_function *function = NULL;
    CHECK_ERROR(NOT_STARTED, "", snake_function_load((const uint8_t *)"math:sqrt", 9, 0, &function));
    CHECK_ERROR(START, "did not start", snake_interpreter_start(&broken));
    snake_config right = host_config();
    CHECK_ERROR(START, "start a new process", snake_interpreter_start(&right));
    job job;
    job_new(&job);
    CHECK_ERROR(NOT_STARTED, "", job_run(&job, NULL));
    CHECK_ERROR(NOT_STARTED, "", snake_interpreter_shutdown(UINT64_MAX));
    CHECK(stats().threads == 0);
    CHECK(seconds() - begin < 1);
}
