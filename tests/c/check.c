#define _GNU_SOURCE // memmem
#include "check.h"

#include <string.h>

// The longest that any text of an error may get: 128 Ki characters of a traceback, escaped.
enum { BOUND = 10 * 128 * 1024 };

atomic_int checks_passed, checks_failed;
const char *check_subject = "";

bool check(bool passed, const char *file, int line, const char *condition) {
    atomic_fetch_add(passed ? &checks_passed : &checks_failed, 1);
    if (!passed) {
        printf("%s:%d: FAILED %s%s%s\n", file, line, condition, *check_subject ? " with " : "", check_subject);
    }
    return passed;
}

static void print_error(const snake_error *error) {
    printf("    error %u %.*s: %.*s\n", (unsigned)error->code, (int)error->type_name.len,
           (const char *)error->type_name.ptr, error->message.len > 1000 ? 1000 : (int)error->message.len,
           (const char *)error->message.ptr);
}

bool check_success(snake_error *error, const char *file, int line, const char *call) {
    check(error == NULL, file, line, call);
    if (error == NULL) {
        return true;
    }
    print_error(error);
    snake_error_free(error);
    return false;
}

bool check_error(snake_error *error, uint32_t code, const char *part, const char *file, int line, const char *call) {
    bool right = error != NULL && error->code == code && text_has(error->message, part) && error_is_sound(error);
    check(right, file, line, call);
    if (!right) {
        printf("    want error %u: ...%s...\n", (unsigned)code, part);
    }
    if (!right && error != NULL) {
        print_error(error);
    }
    snake_error_free(error);
    return right;
}

bool text_is(snake_text text, const char *string) {
    return text.len == strlen(string) && (text.len == 0 || memcmp(text.ptr, string, text.len) == 0);
}

bool text_has(snake_text text, const char *string) {
    return *string == '\0' || (text.len > 0 && memmem(text.ptr, text.len, string, strlen(string)) != NULL);
}

static bool is_utf8(snake_text text) {
    for (size_t i = 0; i < text.len;) {
        uint8_t first = text.ptr[i++];
        int more = first < 0x80 ? 0 : first >= 0xc2 && first < 0xe0 ? 1 : first >= 0xe0 && first < 0xf0 ? 2 : 3;
        if (more == 3 && (first < 0xf0 || first > 0xf4)) {
            return false;
        }
        uint32_t point = more == 0 ? first : first & (0x3fU >> more);
        for (int j = 0; j < more; j++, i++) {
            if (i == text.len || (text.ptr[i] & 0xc0) != 0x80) {
                return false;
            }
            point = point << 6 | (text.ptr[i] & 0x3fU);
        }
        if ((more == 2 && point < 0x800) || (more == 3 && (point < 0x10000 || point > 0x10ffff)) ||
            (point >= 0xd800 && point < 0xe000)) {
            return false;
        }
    }
    return true;
}

static bool text_is_sound(const char *name, snake_text text) {
    if (text.len > BOUND || (text.len > 0 && text.ptr == NULL) || !is_utf8(text)) {
        printf("    %s: %zu bytes, %s\n", name, text.len, text.len > BOUND ? "too many" : "no valid UTF-8");
        return false;
    }
    return true;
}

bool error_is_sound(const snake_error *error) {
    bool sound = true;
    int causes = 0;
    for (; error != NULL; error = error->cause) {
        sound &= text_is_sound("type_name", error->type_name);
        sound &= text_is_sound("message", error->message);
        sound &= text_is_sound("traceback", error->traceback);
        for (uint32_t i = 0; i < error->bases_len; i++) {
            sound &= text_is_sound("bases", error->bases[i]);
        }
        for (uint32_t i = 0; i < error->frames_len; i++) {
            sound &= text_is_sound("file", error->frames[i].file);
            sound &= text_is_sound("function", error->frames[i].function);
        }
        for (uint32_t i = 0; i < error->notes_len; i++) {
            sound &= text_is_sound("notes", error->notes[i]);
        }
        causes++;
    }
    return sound && causes <= 100;
}
