// Descriptions of arguments: what Python makes of right ones, and that wrong ones are errors.
#include "host.h"
#include "tests.h"

#include <stdlib.h>
#include <string.h>

static snake_function *written;

static uint64_t bits_of(double number) {
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static void test_kinds(void) {
    job job;
    job_new(&job);
    job_argument(&job, SNAKE_KIND_NONE, 0, 0);
    job_argument(&job, SNAKE_KIND_BOOL, 1, 0);
    job_argument(&job, SNAKE_KIND_INT, (uint64_t)INT64_MIN, 0);
    job_argument(&job, SNAKE_KIND_UINT, UINT64_MAX, 0);
    job_argument(&job, SNAKE_KIND_FLOAT, bits_of(-0.5), 0);
    job_argument(&job, SNAKE_KIND_COMPLEX, bits_of(1.5), bits_of(-2));
    job_text(&job, "h\xc3\xa9");
    CHECK_SUCCESS(job_run(&job, written));
    CHECK(job_result_is_text(&job,
                             "(None, True, -9223372036854775808, 18446744073709551615, -0.5, (1.5-2j), 'h\xc3\xa9')"));
    job_free(&job);

    job_new(&job);
    memcpy(job.bytes, "a\0b\0\0\0\0\0\0\0\0\0\x80", 13);
    job.call.bytes_len = 13;
    job_argument(&job, SNAKE_KIND_TEXT, 0, 3);
    job_argument(&job, SNAKE_KIND_BYTES, 1, 2);
    job_argument(&job, SNAKE_KIND_BIG_INT, 3, 10);
    job_argument(&job, SNAKE_KIND_BIG_INT, 13, 0);
    job_argument(&job, SNAKE_KIND_TEXT, 13, 0);
    CHECK_SUCCESS(job_run(&job, written));
    CHECK(job_result_is_text(&job, "('a\\x00b', b'\\x00b', -604462909807314587353088, 0, '')"));
    job_free(&job);

    job_new(&job);
    job_argument(&job, SNAKE_KIND_LIST, 0, 2);
    job_value(&job, SNAKE_KIND_TUPLE, 0, 1);
    job_value(&job, SNAKE_KIND_INT, 1, 0);
    job_value(&job, SNAKE_KIND_DICT, 0, 2);
    job_value(&job, SNAKE_KIND_INT, 2, 0);
    job_value(&job, SNAKE_KIND_LIST, 0, 0);
    job_value(&job, SNAKE_KIND_INT, 3, 0);
    job_value(&job, SNAKE_KIND_NONE, 0, 0);
    job_name(&job, "key");
    job_argument(&job, SNAKE_KIND_BOOL, 0, 0);
    CHECK_SUCCESS(job_run(&job, written));
    CHECK(job_result_is_text(&job, "(([(1,), {2: [], 3: None}],), {'key': False})"));
    job_free(&job);
}

static void test_forged_kind(void) {
    const uint32_t kinds[] = {SNAKE_KIND_OTHER, SNAKE_KIND_OTHER + 1, 255, 1U << 31, UINT32_MAX};
    for (size_t i = 0; i < LENGTH(kinds); i++) {
        job job;
        job_new(&job);
        job_argument(&job, kinds[i], 0, 0);
        CHECK_ERROR(ARGUMENT, "kind", job_run(&job, written));
        job_new(&job);
        job_argument(&job, SNAKE_KIND_LIST, 0, 1);
        job_value(&job, kinds[i], 0, 0);
        CHECK_ERROR(ARGUMENT, "kind", job_run(&job, written));
    }
}

static void test_bytes(void) {
    static const struct {
        uint64_t bits, len;
    } OUTSIDE[] = {
        {5, 0},          {4, 1},          {0, 5},
        {1, 4},          {UINT64_MAX, 0}, {UINT64_MAX, 1},
        {1, UINT64_MAX}, {0, UINT64_MAX}, {(uint64_t)1 << 63, (uint64_t)1 << 63},
    };
    const uint32_t kinds[] = {SNAKE_KIND_TEXT, SNAKE_KIND_BYTES, SNAKE_KIND_BIG_INT};
    job job;
    for (size_t kind = 0; kind < LENGTH(kinds); kind++) {
        for (size_t i = 0; i < LENGTH(OUTSIDE); i++) {
            job_new(&job);
            job.call.bytes_len = 4;
            job_argument(&job, kinds[kind], OUTSIDE[i].bits, OUTSIDE[i].len);
            CHECK_ERROR(ARGUMENT, "bytes", job_run(&job, written));
        }
    }
    static const char *const BAD[] = {"\x80", "ab\xff", "\xc0\x80", "\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80"};
    for (size_t i = 0; i < LENGTH(BAD); i++) {
        check_subject = BAD[i];
        job_new(&job);
        job_text(&job, BAD[i]);
        CHECK_ERROR(ARGUMENT, "UTF-8", job_run(&job, written));
        job_new(&job);
        job_name(&job, BAD[i]);
        job_argument(&job, SNAKE_KIND_NONE, 0, 0);
        CHECK_ERROR(ARGUMENT, "UTF-8", job_run(&job, written));
    }
    check_subject = "";
}

static void test_children(void) {
    static const struct {
        uint32_t kind;
        uint64_t len;
    } TOO_MANY[] = {
        {SNAKE_KIND_LIST, 3},
        {SNAKE_KIND_TUPLE, 3},
        {SNAKE_KIND_DICT, 2},
        {SNAKE_KIND_LIST, UINT64_MAX},
        {SNAKE_KIND_TUPLE, (uint64_t)1 << 61},
        {SNAKE_KIND_DICT, (uint64_t)1 << 63},
        {SNAKE_KIND_DICT, UINT64_MAX},
    };
    job job;
    for (size_t i = 0; i < LENGTH(TOO_MANY); i++) {
        job_new(&job);
        job_argument(&job, TOO_MANY[i].kind, 0, TOO_MANY[i].len);
        job_value(&job, SNAKE_KIND_NONE, 0, 0);
        job_value(&job, SNAKE_KIND_NONE, 0, 0);
        CHECK_ERROR(ARGUMENT, "children", job_run(&job, written));
    }
    // Each container has enough values after it, but not both together.
    job_new(&job);
    job_argument(&job, SNAKE_KIND_LIST, 0, 2);
    job_value(&job, SNAKE_KIND_LIST, 0, 2);
    job_value(&job, SNAKE_KIND_NONE, 0, 0);
    job_value(&job, SNAKE_KIND_NONE, 0, 0);
    CHECK_ERROR(ARGUMENT, "", job_run(&job, written));
    // A dict does not take what cannot be hashed.
    job_new(&job);
    job_argument(&job, SNAKE_KIND_DICT, 0, 1);
    job_value(&job, SNAKE_KIND_LIST, 0, 0);
    job_value(&job, SNAKE_KIND_NONE, 0, 0);
    CHECK_ERROR(PYTHON, "unhashable", job_run(&job, written));
}

// Passes `levels` containers in each other as the only argument. `innermost` follows them, or nothing.
static snake_error *call_nested(uint32_t kind, size_t levels, bool innermost) {
    size_t len = levels * 2 + 1;
    snake_value *values = calloc(len, sizeof *values);
    size_t used = 0;
    for (size_t level = 0; level < levels; level++) {
        bool empty = level == levels - 1 && !innermost;
        values[used++] = (snake_value){.kind = kind, .len = empty ? 0 : 1};
        if (kind == SNAKE_KIND_DICT && !empty) {
            values[used++] = (snake_value){.kind = SNAKE_KIND_INT, .bits = level}; // the key
        }
    }
    used += innermost; // None
    job job;
    job_new(&job);
    job.call.values = values;
    job.call.values_len = used;
    job.call.args = 1;
    snake_error *error = job_run(&job, written);
    job_free(&job);
    free(values);
    return error;
}

static void test_depth(void) {
    const uint32_t kinds[] = {SNAKE_KIND_LIST, SNAKE_KIND_TUPLE, SNAKE_KIND_DICT};
    for (size_t i = 0; i < LENGTH(kinds); i++) {
        uint32_t kind = kinds[i];
        CHECK_SUCCESS(call_nested(kind, SNAKE_MAX_DEPTH, true));
        CHECK_SUCCESS(call_nested(kind, SNAKE_MAX_DEPTH, false));
        CHECK_ERROR(LIMIT, "100", call_nested(kind, SNAKE_MAX_DEPTH + 1, true));
        CHECK_ERROR(LIMIT, "100", call_nested(kind, SNAKE_MAX_DEPTH + 1, false));
        CHECK_ERROR(LIMIT, "100", call_nested(kind, 1000000, true));
    }
}

static void test_counts(void) {
    job job;
    job_new(&job); // more values than arguments
    job_argument(&job, SNAKE_KIND_NONE, 0, 0);
    job_value(&job, SNAKE_KIND_NONE, 0, 0);
    CHECK_ERROR(ARGUMENT, "more values", job_run(&job, written));
    job_new(&job); // fewer
    job_argument(&job, SNAKE_KIND_NONE, 0, 0);
    job.call.args = 2;
    CHECK_ERROR(ARGUMENT, "fewer values", job_run(&job, written));
    job.call.args = UINT32_MAX;
    CHECK_ERROR(ARGUMENT, "fewer values", job_run(&job, written));
    job_new(&job); // none
    job.call.args = 1;
    CHECK_ERROR(ARGUMENT, "fewer values", job_run(&job, written));
    job_new(&job); // a name without a value
    job_name(&job, "key");
    CHECK_ERROR(ARGUMENT, "fewer values", job_run(&job, written));
    job_new(&job); // more names than values
    job_name(&job, "key");
    job_argument(&job, SNAKE_KIND_NONE, 0, 0);
    job.call.kwargs = UINT32_MAX;
    CHECK_ERROR(ARGUMENT, "keyword", job_run(&job, written));

    const uint32_t kinds[] = {SNAKE_KIND_NONE, SNAKE_KIND_INT, SNAKE_KIND_BYTES, SNAKE_KIND_LIST, 99};
    for (size_t i = 0; i < LENGTH(kinds); i++) {
        job_new(&job);
        job_name(&job, "key");
        job_argument(&job, SNAKE_KIND_NONE, 0, 0);
        job.values[0].kind = kinds[i];
        CHECK_ERROR(ARGUMENT, "keyword", job_run(&job, written));
    }
    job_new(&job); // the same name twice
    job_name(&job, "key");
    job_argument(&job, SNAKE_KIND_NONE, 0, 0);
    job_name(&job, "key");
    job_argument(&job, SNAKE_KIND_NONE, 0, 0);
    snake_error *error = job_run(&job, written); // Python's own calls refuse it, so the callee need not look
    CHECK(error != NULL);
    snake_error_free(error);
}

void test_value(void) {
    written = fixture("written");
    test_kinds();
    test_forged_kind();
    test_bytes();
    test_children();
    test_depth();
    test_counts();

    size_t many = 1000000;
    snake_value *values = calloc(many + 1, sizeof *values);
    values[0] = (snake_value){.kind = SNAKE_KIND_LIST, .len = many};
    snake_function *identity = fixture("identity");
    job job;
    job_new(&job);
    job.call.values = values;
    job.call.values_len = many + 1;
    job.call.args = 1;
    job.call.want = SNAKE_WANT_OBJECT;
    CHECK_SUCCESS(job_run(&job, identity));
    CHECK(job.call.result.owner != NULL);
    job_free(&job);
    free(values);
    snake_function_free(identity);
    snake_function_free(written);
}
