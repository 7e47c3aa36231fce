// The version of the ABI, and what a panic becomes.
#include "host.h"
#include "tests.h"

#if defined(SNAKE_PANIC_FOR_TEST)
void test_panic(void) {
    for (int i = 0; i < 3; i++) {
        snake_error *error = snake_panic_for_test();
        if (!CHECK(error != NULL)) {
            return;
        }
        CHECK(error->code == SNAKE_ERROR_CODE_PANIC);
        CHECK(text_has(error->message, "planted"));
        CHECK(text_has(error->message, "src/boundary.rs:"));
        CHECK(error->type_name.len == 0 && error->traceback.len == 0 && error->cause == NULL);
        CHECK(error->bases_len == 0 && error->frames_len == 0 && error->notes_len == 0);
        CHECK(error_is_sound(error));
        snake_error_free(error);
    }
    // It leaves the library usable.
    snake_config config = host_config();
    CHECK_SUCCESS(snake_interpreter_start(&config));
    CHECK_ERROR(PANIC, "planted", snake_panic_for_test());
    snake_function *written = fixture("written");
    job job;
    job_new(&job);
    CHECK_SUCCESS(job_run(&job, written));
    CHECK(job_result_is_text(&job, "()"));
    job_free(&job);
    snake_function_free(written);
}
#endif
