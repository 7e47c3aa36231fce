// Calls from many threads, each of which keeps one thread state until it ends.
#include "host.h"
#include "tests.h"

#include <pthread.h>
#include <string.h>

enum { THREADS = 16, CALLS = 2000 };

static snake_function *count_in_thread, *total, *refuse;

// Mixed calls; returns how often Python counted this thread.
static void *work(void *number) {
    double numbers[100], sum;
    for (size_t i = 0; i < LENGTH(numbers); i++) {
        numbers[i] = (double)(uintptr_t)number;
    }
    uint64_t counted = 0;
    int right = 0;
    job job;
    for (int i = 0; i < CALLS; i++) {
        job_new(&job);
        snake_error *error = NULL;
        switch (i % 4) {
        case 0:
            error = job_run(&job, count_in_thread);
            counted = job.call.result.value.bits;
            right += error == NULL;
            break;
        case 1:
            job_array(&job, SNAKE_DTYPE_FLOAT64, numbers, LENGTH(numbers));
            error = job_run(&job, total);
            memcpy(&sum, &job.call.result.value.bits, sizeof sum);
            right += error == NULL && sum == 100 * (double)(uintptr_t)number && job.call.retained == 0;
            break;
        case 2:
            job_text(&job, "thread");
            error = job_run(&job, refuse);
            right += error != NULL && text_is(error->message, "refused: thread");
            break;
        default:
            job.call.want = SNAKE_WANT_OBJECT;
            job_array(&job, SNAKE_DTYPE_FLOAT64, numbers, LENGTH(numbers));
            error = job_run(&job, total);
            right += error == NULL && job.call.result.owner != NULL;
            snake_object_free(job.call.result.owner);
        }
        snake_error_free(error);
    }
    CHECK(right == CALLS);
    return (void *)(uintptr_t)counted;
}

// What Python calls: calls Python again, with success and with failure.
static int call_again(void) {
    double numbers[] = {1, 2, 3};
    job job;
    job_new(&job);
    job_array(&job, SNAKE_DTYPE_FLOAT64, numbers, 3);
    CHECK_SUCCESS(job_run(&job, total));
    CHECK(job.call.result.value.kind == SNAKE_KIND_FLOAT && job.call.retained == 0);
    job_new(&job);
    job_text(&job, "inside");
    CHECK_ERROR(PYTHON, "refused: inside", job_run(&job, refuse));
    snake_config config = host_config();
    CHECK_SUCCESS(snake_interpreter_start(&config));
    return 42;
}

// Calls nest: C, Python, C, Python.
static void test_nested(void) {
    static const char *const WAYS[] = {"call_back", "call_back_attached", "call_back_in_thread"};
    uint64_t threads = stats().threads;
    for (size_t i = 0; i < LENGTH(WAYS); i++) {
        snake_function *function = fixture(WAYS[i]);
        check_subject = WAYS[i];
        for (int j = 0; j < 3; j++) {
            job job;
            job_new(&job);
            int (*again)(void) = call_again;
            uintptr_t address;
            memcpy(&address, &again, sizeof address);
            job_argument(&job, SNAKE_KIND_UINT, address, 0);
            CHECK_SUCCESS(job_run(&job, function));
            CHECK(job.call.result.value.kind == SNAKE_KIND_INT && job.call.result.value.bits == 42);
        }
        CHECK(stats().threads == threads);
        snake_function_free(function);
    }
    check_subject = "";
}

void test_thread_state(void) {
    count_in_thread = fixture("count_in_thread");
    total = fixture("total");
    refuse = fixture("refuse");
    snake_stats before = stats();
    CHECK(before.threads == 1); // this one
    for (int round = 0; round < 2; round++) {
        pthread_t threads[THREADS];
        for (uintptr_t i = 0; i < THREADS; i++) {
            CHECK(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
        }
        for (int i = 0; i < THREADS; i++) {
            void *counted = NULL;
            CHECK(pthread_join(threads[i], &counted) == 0);
            CHECK((uintptr_t)counted == CALLS / 4); // `threading.local` remembered them all
        }
        snake_stats after = stats();
        CHECK(after.threads == before.threads); // each gave its thread state back
        CHECK(after.objects == before.objects);
        CHECK(after.leases == 0);
    }
    test_nested();
    snake_function_free(count_in_thread);
    snake_function_free(total);
    snake_function_free(refuse);
}
