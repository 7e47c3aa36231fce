// References to Python objects.
#include "host.h"
#include "tests.h"

#include <string.h>

void test_object(void) {
    snake_function *evaluate_function = fixture("evaluate"), *written = fixture("written");
    uint64_t objects = stats().objects;
    job job;
    job_new(&job);
    job.call.want = SNAKE_WANT_OBJECT;
    job_text(&job, "np.arange(100)");
    CHECK_SUCCESS(job_run(&job, evaluate_function));
    CHECK(job.call.result.value.kind == SNAKE_KIND_OBJECT);
    CHECK(job.call.result.data == NULL && job.call.result.data_len == 0);
    snake_object *object = job.call.result.owner;
    CHECK(object != NULL && stats().objects == objects + 1);

    int64_t numbers[100];
    snake_result result = {.scratch = numbers, .scratch_len = sizeof numbers};
    CHECK_SUCCESS(snake_object_value(object, 0, &result));
    CHECK(result.value.kind == SNAKE_KIND_ARRAY && result.value.dtype == SNAKE_DTYPE_INT64 && result.value.len == 100);
    CHECK(result.owner == NULL && result.data == numbers && numbers[99] == 99);
    // Twice without scratch: two copies, neither of which is the object's own memory.
    snake_result first = {0}, second = {0};
    CHECK_SUCCESS(snake_object_value(object, 0, &first));
    CHECK_SUCCESS(snake_object_value(object, 0, &second));
    CHECK(first.owner != NULL && second.owner != NULL && first.data != second.data);
    CHECK(stats().objects == objects + 3);

    char memory[sizeof(snake_result) + 16];
    CHECK_ERROR(ARGUMENT, "object", snake_object_value(NULL, 0, &result));
    CHECK_ERROR(ARGUMENT, "result", snake_object_value(object, 0, NULL));
    CHECK_ERROR(ARGUMENT, "aligned", snake_object_value(object, 0, (snake_result *)(void *)(memory + 1)));

    snake_object *clone = NULL;
    CHECK_SUCCESS(snake_object_clone(object, &clone));
    CHECK(clone == object && stats().objects == objects + 4); // the same object, with a count of its own
    snake_object_free(clone);
    CHECK_ERROR(ARGUMENT, "NULL", snake_object_clone(NULL, &clone));
    CHECK_ERROR(ARGUMENT, "clone", snake_object_clone(object, NULL));
    CHECK_ERROR(ARGUMENT, "aligned", snake_object_clone(object, (snake_object **)(void *)(memory + 1)));
    CHECK(stats().objects == objects + 3);

    // An object is an argument like any other, also in a container and twice; NULL is none.
    job_new(&job);
    job_argument(&job, SNAKE_KIND_OBJECT, (uintptr_t)first.owner, 0);
    job_argument(&job, SNAKE_KIND_LIST, 0, 1);
    job_value(&job, SNAKE_KIND_OBJECT, (uintptr_t)first.owner, 0);
    job.call.want = SNAKE_WANT_OBJECT;
    CHECK_SUCCESS(job_run(&job, written));
    job_free(&job);
    job_new(&job);
    job_argument(&job, SNAKE_KIND_OBJECT, 0, 0);
    CHECK_ERROR(ARGUMENT, "NULL", job_run(&job, written));

    snake_object_free(object);
    CHECK(((const int64_t *)first.data)[99] == 99); // its own
    snake_object_free(first.owner);
    snake_object_free(second.owner);
    CHECK(stats().objects == objects);

    job_new(&job); // None needs no reference
    job.call.want = SNAKE_WANT_OBJECT;
    job_text(&job, "None");
    CHECK_SUCCESS(job_run(&job, evaluate_function));
    CHECK(job.call.result.value.kind == SNAKE_KIND_NONE && job.call.result.owner == NULL);
    snake_function_free(evaluate_function);
    snake_function_free(written);
}
