// Checks that count.
#ifndef CHECK_H
#define CHECK_H

#include "gophersnake.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

extern atomic_int checks_passed, checks_failed;

// What the checks below are about, for their messages.
extern const char *check_subject;

bool check(bool passed, const char *file, int line, const char *condition);
bool check_success(snake_error *error, const char *file, int line, const char *call);
bool check_error(snake_error *error, uint32_t code, const char *part, const char *file, int line, const char *call);

// Whether the texts of an error, and of its causes, are valid UTF-8 of bounded length; prints what is not.
bool error_is_sound(const snake_error *error);

// Whether a text is this string.
bool text_is(snake_text text, const char *string);
// Whether a text has this string somewhere in it.
bool text_has(snake_text text, const char *string);

#define CHECK(condition) check((condition), __FILE__, __LINE__, #condition)
// The call succeeds; ends its error otherwise.
#define CHECK_SUCCESS(call) check_success((call), __FILE__, __LINE__, #call)
// The call fails with this code and a message that has `part` in it; ends its error.
#define CHECK_ERROR(code, part, call) check_error((call), SNAKE_ERROR_CODE_##code, part, __FILE__, __LINE__, #call)

#endif
