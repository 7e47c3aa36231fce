// Interrupting calls that run, and no others.
#include "host.h"
#include "tests.h"

#include <pthread.h>
#include <string.h>

static snake_interrupt interrupt;

// Raises in the call of a serial number until that has worked; before each try, in one that never was.
static void *raise_once(void *serial) {
    uint32_t raised = 0;
    while (raised == 0) {
        uint32_t other = 77;
        if (snake_interrupt_raise(&interrupt, UINT64_MAX, &other) != NULL || other != 0 ||
            snake_interrupt_raise(&interrupt, (uintptr_t)serial, &raised) != NULL) {
            break;
        }
    }
    CHECK(raised == 1);
    return NULL;
}

static void test_endless(void) {
    snake_function *spin = fixture("spin"), *identity = fixture("identity");
    for (uintptr_t serial = 1; serial <= 20; serial++) {
        job job;
        job_new(&job);
        job.call.interrupt = &interrupt;
        interrupt.serial = serial;
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, raise_once, (void *)serial) == 0);
        snake_error *error = job_run(&job, spin);
        CHECK(error != NULL && text_is(error->type_name, "gophersnake.GoCancelled"));
        CHECK(error != NULL && error->outcome == 0 && error->host == 0 && error->exception == NULL);
        snake_error_free(error);
        CHECK(interrupt.count >= 1 && interrupt.running == 0);
        CHECK(pthread_join(thread, NULL) == 0);

        // Too late: it does nothing, not even to the next call.
        uint32_t raised = 77;
        CHECK_SUCCESS(snake_interrupt_raise(&interrupt, serial, &raised));
        CHECK(raised == 0);
        for (int i = 0; i < 3; i++) {
            job_new(&job);
            job_argument(&job, SNAKE_KIND_INT, 5, 0);
            CHECK_SUCCESS(job_run(&job, identity));
        }
    }
    snake_function_free(spin);
    snake_function_free(identity);
}

static atomic_bool done;
static _Atomic uint64_t current;

static void *raise_always(void *unused) {
    bool right = true;
    while (right && !atomic_load(&done)) {
        uint32_t raised;
        right = snake_interrupt_raise(&interrupt, atomic_load(&current), &raised) == NULL;
    }
    CHECK(right);
    return unused;
}

static void set_switch_interval(const char *expression) {
    snake_result result = {0};
    CHECK_SUCCESS(evaluate(expression, &result));
    result_free(&result);
}

// While another thread tries without end to interrupt every call, those that say that they were not interrupted
// succeed, and so does each that comes next.
static void test_innocent(void) {
    snake_function *evaluate_function = fixture("evaluate");
    set_switch_interval("__import__('sys').setswitchinterval(1e-5)");
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, raise_always, NULL) == 0);
    int interrupted = 0, wrong = 0;
    for (uint64_t serial = 100; serial < 600; serial++) {
        job job;
        job_new(&job);
        interrupt.serial = serial;
        atomic_store(&current, serial);
        job.call.interrupt = &interrupt;
        job_text(&job, "sum(i for i in range(20000))");
        snake_error *error = job_run(&job, evaluate_function);
        interrupted += interrupt.count > 0;
        wrong += error != NULL && (interrupt.count == 0 || !text_is(error->type_name, "gophersnake.GoCancelled"));
        snake_error_free(error);
        job_new(&job);
        job_text(&job, "sum(i for i in range(100))");
        error = job_run(&job, evaluate_function);
        wrong += error != NULL;
        snake_error_free(error);
    }
    atomic_store(&done, true);
    CHECK(pthread_join(thread, NULL) == 0);
    set_switch_interval("__import__('sys').setswitchinterval(5e-3)");
    CHECK(wrong == 0);
    printf("== %d of 500 calls interrupted, each exactly\n", interrupted);
    snake_function_free(evaluate_function);
}

static void test_misuse(void) {
    snake_function *identity = fixture("identity");
    uint32_t raised = 77;
    _Alignas(8) char memory[sizeof(snake_interrupt) + 8];
    snake_interrupt *unaligned = (snake_interrupt *)(void *)(memory + 1);
    CHECK_ERROR(ARGUMENT, "interrupt", snake_interrupt_raise(NULL, 1, &raised));
    CHECK_ERROR(ARGUMENT, "aligned", snake_interrupt_raise(unaligned, 1, &raised));
    CHECK_ERROR(ARGUMENT, "raised", snake_interrupt_raise(&interrupt, 1, NULL));
    CHECK_ERROR(ARGUMENT, "aligned", snake_interrupt_raise(&interrupt, 1, (uint32_t *)(void *)(memory + 1)));
    CHECK(raised == 77);
    interrupt.serial = 0;
    CHECK_SUCCESS(snake_interrupt_raise(&interrupt, 0, &raised));
    CHECK(raised == 0);
    job job;
    job_new(&job);
    job_argument(&job, SNAKE_KIND_INT, 5, 0);
    job.call.interrupt = unaligned;
    CHECK_ERROR(ARGUMENT, "interrupt", job_run(&job, identity));
    snake_function_free(identity);
}

void test_interrupt(void) {
    uint64_t objects = stats().objects;
    test_endless();
    test_innocent();
    test_misuse();
    CHECK(stats().objects == objects);
}
