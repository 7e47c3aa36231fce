// Errors as data.
#include "host.h"
#include "tests.h"

#include <string.h>

// Calls a fixture that fails, with a text as its argument if there is one.
static snake_error *fail_in(const char *name, const char *argument) {
    snake_function *function = fixture(name);
    job job;
    job_new(&job);
    if (argument != NULL) {
        job_text(&job, argument);
    }
    snake_error *error = job_run(&job, function);
    snake_function_free(function);
    check_subject = name;
    CHECK(error != NULL && error_is_sound(error));
    check_subject = "";
    return error;
}

static void test_fields(void) {
    snake_error *error = fail_in("refuse", "nothing");
    if (error == NULL) {
        return;
    }
    CHECK(error->code == SNAKE_ERROR_CODE_PYTHON);
    CHECK(text_is(error->type_name, "fixtures.Refusal"));
    CHECK(text_is(error->message, "refused: nothing"));
    CHECK(text_has(error->traceback, "Traceback (most recent call last)"));
    CHECK(text_has(error->traceback, "raise Refusal(what)"));
    CHECK(text_has(error->traceback, "fixtures.Refusal: refused: nothing"));
    CHECK(error->notes_len == 0 && error->notes == NULL);
    CHECK(error->cause == NULL);

    static const char *const BASES[] = {
        "fixtures.Refusal",   "builtins.ValueError",    "builtins.KeyError", "builtins.LookupError",
        "builtins.Exception", "builtins.BaseException", "builtins.object",
    };
    CHECK(error->bases_len == LENGTH(BASES));
    for (size_t i = 0; i < LENGTH(BASES) && i < error->bases_len; i++) {
        check_subject = BASES[i];
        CHECK(text_is(error->bases[i], BASES[i]));
    }
    check_subject = "";

    if (CHECK(error->frames_len == 1)) {
        CHECK(text_has(error->frames[0].file, "tests/python/fixtures.py"));
        CHECK(text_is(error->frames[0].function, "refuse"));
        CHECK(error->frames[0].line > 100);
    }
    snake_error_free(error);
}

static void test_notes(void) {
    snake_error *error = fail_in("fail_noted", NULL);
    if (error != NULL && CHECK(error->notes_len == 2)) {
        CHECK(text_is(error->notes[0], "first note"));
        CHECK(text_is(error->notes[1], "second \\udc80 note"));
        CHECK(text_has(error->traceback, "first note"));
    }
    snake_error_free(error);
}

static void test_cause(void) {
    snake_error *error = fail_in("fail_chained", NULL);
    if (error != NULL && CHECK(error->cause != NULL)) {
        CHECK(text_is(error->type_name, "RuntimeError") && text_is(error->message, "outer"));
        CHECK(text_is(error->cause->type_name, "KeyError") && text_is(error->cause->message, "'inner'"));
        CHECK(error->cause->code == SNAKE_ERROR_CODE_PYTHON);
        CHECK(error->cause->bases_len == 5 && text_is(error->cause->bases[0], "builtins.KeyError"));
        CHECK(error->cause->cause == NULL);
        CHECK(text_has(error->traceback, "KeyError: 'inner'"));
        if (CHECK(error->cause->frames_len == 2)) { // outermost first
            CHECK(text_is(error->cause->frames[0].function, "fail_chained"));
            CHECK(text_is(error->cause->frames[1].function, "_inner"));
        }
    }
    snake_error_free(error);

    error = fail_in("fail_in_circle", NULL);
    CHECK(error != NULL && error->cause != NULL && text_is(error->cause->message, "second"));
    snake_error_free(error);
}

// Whatever the exception does, it comes out: its class, and as much of its message as there is.
static void test_hostile(void) {
    static const struct {
        const char *fixture, *type_name, *message;
        size_t longest;
    } HOSTILE[] = {
        {"fail_long", "ValueError", "\xc3\xa9\xc3\xa9", 40000},
        {"fail_surrogate", "ValueError", "a\\udc80b", 100},
        {"fail_mute", "fixtures.Mute", "RuntimeError", 1000},
        {"fail_exiting", "fixtures.Exiting", "SystemExit", 1000},
        {"fail_lying", "fixtures.Lying", "", 40000},
        {"fail_unnotable", "fixtures.Unnotable", "xxx", 40000},
        {"fail_hostile_note", "ValueError", "xxx", 40000},
        {"fail_nameless", "nowhere\\ud800.Odd\\udc80", "nameless", 100},
        {"fail_recursing", "RecursionError", "recursion", 1000},
        {"fail_system_exit", "SystemExit", "7", 100},
        {"fail_keyboard_interrupt", "KeyboardInterrupt", "", 100},
        {"fail_group", "ExceptionGroup", "group", 100},
    };
    for (size_t i = 0; i < LENGTH(HOSTILE); i++) {
        snake_error *error = fail_in(HOSTILE[i].fixture, NULL);
        check_subject = HOSTILE[i].fixture;
        if (error != NULL) {
            CHECK(error->code == SNAKE_ERROR_CODE_PYTHON);
            CHECK(text_has(error->type_name, HOSTILE[i].type_name));
            CHECK(error->type_name.len < 10000);
            CHECK(text_has(error->message, HOSTILE[i].message));
            if (!CHECK(error->message.len <= HOSTILE[i].longest)) {
                printf("    %zu bytes\n", error->message.len);
            }
            CHECK(error->bases_len > 2);
            CHECK(error->frames_len <= 128);
        }
        snake_error_free(error);
    }
    check_subject = "";
}

void test_error(void) {
    test_fields();
    test_notes();
    test_cause();
    test_hostile();
}
