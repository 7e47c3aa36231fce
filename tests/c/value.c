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
    const uint32_t kinds[] = {SNAKE_KIND_OTHER,
                              SNAKE_KIND_RECORD,
                              SNAKE_KIND_TIME,
                              SNAKE_KIND_COLUMNS,
                              SNAKE_KIND_MASKED,
                              SNAKE_KIND_MADE + 1,
                              255,
                              1U << 31,
                              UINT32_MAX};
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
    const uint32_t kinds[] = {SNAKE_KIND_TEXT, SNAKE_KIND_BYTES, SNAKE_KIND_BIG_INT, SNAKE_KIND_DECIMAL,
                              SNAKE_KIND_UUID};
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
        {SNAKE_KIND_SET, 3},
        {SNAKE_KIND_SET, UINT64_MAX},
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

static snake_error *run_one(uint32_t kind, uint64_t bits, uint64_t len, const char *bytes) {
    job job;
    job_new(&job);
    job.call.bytes_len = strlen(bytes);
    memcpy(job.bytes, bytes, job.call.bytes_len);
    job_argument(&job, kind, bits, len);
    snake_error *error = job_run(&job, written);
    job_free(&job);
    return error;
}

static void test_further_kinds(void) {
    job job;
    job_new(&job);
    job.call.bytes_len = 24;
    memcpy(job.bytes, "-1.50E+70123456789abcdef", 24);
    job_argument(&job, SNAKE_KIND_SET, 0, 1);
    job_value(&job, SNAKE_KIND_TUPLE, 0, 1);
    job_value(&job, SNAKE_KIND_INT, 3, 0);
    job_argument(&job, SNAKE_KIND_SET, 0, 0);
    job_argument(&job, SNAKE_KIND_DATETIME, UINT64_C(86400000001), 0);
    job_argument(&job, SNAKE_KIND_DATETIME, 0, (uint64_t)-3600);
    // A zone by its name, if it has the offset and is known.
    memcpy(job.bytes + 24, "Europe/Berlinno/where", 21);
    job.call.bytes_len = 45;
    job_argument(&job, SNAKE_KIND_DATETIME, UINT64_C(63871286400000000), 3600)->dtype = 1;
    job_value(&job, SNAKE_KIND_TEXT, 24, 13);
    job_argument(&job, SNAKE_KIND_DATETIME, UINT64_C(63871286400000000), 7200)->dtype = 1;
    job_value(&job, SNAKE_KIND_TEXT, 24, 13);
    job_argument(&job, SNAKE_KIND_DATETIME, 0, 7200)->dtype = 1;
    job_value(&job, SNAKE_KIND_TEXT, 37, 8);
    job_argument(&job, SNAKE_KIND_DATE, 365, 0);
    job_argument(&job, SNAKE_KIND_DURATION, (uint64_t)-1, UINT64_C(86399999999));
    job_argument(&job, SNAKE_KIND_DECIMAL, 0, 8);
    job_argument(&job, SNAKE_KIND_UUID, 8, 16);
    CHECK_SUCCESS(job_run(&job, written));
    CHECK(job_result_is_text(
        &job, "({(3,)}, set(), datetime.datetime(1, 1, 2, 0, 0, 0, 1, tzinfo=datetime.timezone.utc), "
              "datetime.datetime(1, 1, 1, 0, 0, tzinfo=datetime.timezone(datetime.timedelta(days=-1, seconds=82800))), "
              "datetime.datetime(2025, 1, 1, 0, 0, tzinfo=zoneinfo.ZoneInfo(key='Europe/Berlin')), "
              "datetime.datetime(2025, 1, 1, 0, 0, tzinfo=datetime.timezone(datetime.timedelta(seconds=7200))), "
              "datetime.datetime(1, 1, 1, 0, 0, tzinfo=datetime.timezone(datetime.timedelta(seconds=7200))), "
              "datetime.date(2, 1, 1), datetime.timedelta(days=-1, seconds=86399, microseconds=999999), "
              "Decimal('-1.50E+7'), UUID('30313233-3435-3637-3839-616263646566'))"));
    job_free(&job);

    // Numbers that Python's classes refuse are its exceptions.
    static const uint64_t NUMBERS[] = {INT64_MAX, (uint64_t)INT64_MIN, UINT64_MAX};
    for (size_t i = 0; i < LENGTH(NUMBERS); i++) {
        CHECK_ERROR(PYTHON, "", run_one(SNAKE_KIND_DATETIME, NUMBERS[i], 0, ""));
        CHECK_ERROR(PYTHON, "", run_one(SNAKE_KIND_DATE, NUMBERS[i], 0, ""));
        if (NUMBERS[i] != UINT64_MAX) { // which is -1, as good as any
            CHECK_ERROR(PYTHON, "", run_one(SNAKE_KIND_DATETIME, 0, NUMBERS[i], ""));
            CHECK_ERROR(PYTHON, "", run_one(SNAKE_KIND_DURATION, NUMBERS[i], 0, ""));
            CHECK_SUCCESS(run_one(SNAKE_KIND_DURATION, 0, NUMBERS[i], ""));
        }
    }
    CHECK_ERROR(PYTHON, "", run_one(SNAKE_KIND_DATETIME, 0, 86400, ""));
    job_new(&job);
    job_argument(&job, SNAKE_KIND_DATETIME, 0, 0)->dtype = 1;
    CHECK_ERROR(ARGUMENT, "lacks its parts", job_run(&job, written));
    job_free(&job);
    CHECK_ERROR(PYTHON, "", run_one(SNAKE_KIND_DECIMAL, 0, 3, "one"));
    CHECK_ERROR(PYTHON, "", run_one(SNAKE_KIND_DECIMAL, 0, 0, ""));
    CHECK_ERROR(ARGUMENT, "UTF-8", run_one(SNAKE_KIND_DECIMAL, 0, 1, "\xff"));
    CHECK_ERROR(PYTHON, "16", run_one(SNAKE_KIND_UUID, 0, 15, "0123456789abcdef"));
    CHECK_ERROR(PYTHON, "16", run_one(SNAKE_KIND_UUID, 0, 0, ""));

    job_new(&job); // 1 and True are one item
    job_argument(&job, SNAKE_KIND_SET, 0, 2);
    job_value(&job, SNAKE_KIND_INT, 1, 0);
    job_value(&job, SNAKE_KIND_BOOL, 1, 0);
    CHECK_ERROR(PYTHON, "equal", job_run(&job, written));
    job_new(&job); // and one key
    job_argument(&job, SNAKE_KIND_DICT, 0, 2);
    job_value(&job, SNAKE_KIND_INT, 1, 0);
    job_value(&job, SNAKE_KIND_NONE, 0, 0);
    job_value(&job, SNAKE_KIND_BOOL, 1, 0);
    job_value(&job, SNAKE_KIND_NONE, 0, 0);
    CHECK_ERROR(PYTHON, "equal", job_run(&job, written));
    job_new(&job);
    job_argument(&job, SNAKE_KIND_SET, 0, 1);
    job_value(&job, SNAKE_KIND_LIST, 0, 0);
    CHECK_ERROR(PYTHON, "unhashable", job_run(&job, written));
}

// A class by reference.
static snake_object *class_of(const char *expression) {
    snake_function *function = fixture("evaluate");
    job job;
    job_new(&job);
    job.call.want = SNAKE_WANT_OBJECT;
    job_text(&job, expression);
    CHECK_SUCCESS(job_run(&job, function));
    snake_function_free(function);
    return job.call.result.owner;
}

static void test_instance(void) {
    snake_object *class = class_of("SimpleNamespace"), *refusing = class_of("int");
    job job;
    job_new(&job);
    job_argument(&job, SNAKE_KIND_INSTANCE, 0, 2);
    job_value(&job, SNAKE_KIND_OBJECT, (uintptr_t)class, 0);
    job_value(&job, SNAKE_KIND_DICT, 0, 1);
    job_text(&job, "field");
    job.call.args--;
    job_value(&job, SNAKE_KIND_INSTANCE, 0, 2);
    job_value(&job, SNAKE_KIND_OBJECT, (uintptr_t)class, 0);
    job_value(&job, SNAKE_KIND_DICT, 0, 0);
    CHECK_SUCCESS(job_run(&job, written));
    CHECK(job_result_is_text(&job, "(namespace(field=namespace()),)"));
    job_free(&job);

    const snake_value object = {.kind = SNAKE_KIND_OBJECT, .bits = (uintptr_t)class}, dict = {.kind = SNAKE_KIND_DICT},
                      nothing = {.kind = SNAKE_KIND_NONE}, null = {.kind = SNAKE_KIND_OBJECT},
                      int_class = {.kind = SNAKE_KIND_OBJECT, .bits = (uintptr_t)refusing};
    const struct {
        snake_value class, fields;
        uint32_t code;
    } FORGED[] = {
        {nothing, dict, SNAKE_ERROR_CODE_PYTHON},
        {dict, dict, SNAKE_ERROR_CODE_PYTHON},
        {object, nothing, SNAKE_ERROR_CODE_PYTHON},
        {object, object, SNAKE_ERROR_CODE_PYTHON},
        {null, dict, SNAKE_ERROR_CODE_ARGUMENT},
        {object, null, SNAKE_ERROR_CODE_ARGUMENT},
        {object, {.kind = SNAKE_KIND_DICT, .len = 1}, SNAKE_ERROR_CODE_ARGUMENT},
        {object, {.kind = SNAKE_KIND_TIME}, SNAKE_ERROR_CODE_ARGUMENT},
        {{.kind = 99}, dict, SNAKE_ERROR_CODE_ARGUMENT},
    };
    for (size_t i = 0; i < LENGTH(FORGED); i++) {
        job_new(&job);
        *job_argument(&job, SNAKE_KIND_INSTANCE, 0, 2) = (snake_value){.kind = SNAKE_KIND_INSTANCE, .len = 2};
        *job_value(&job, 0, 0, 0) = FORGED[i].class;
        *job_value(&job, 0, 0, 0) = FORGED[i].fields;
        snake_error *error = job_run(&job, written);
        CHECK(error != NULL && error->code == FORGED[i].code && error->argument == 1);
        snake_error_free(error);
    }
    job_new(&job); // no children at all
    job_argument(&job, SNAKE_KIND_INSTANCE, 0, 2);
    CHECK_ERROR(ARGUMENT, "fewer values", job_run(&job, written));
    job_new(&job); // keys that are no names of fields
    job_argument(&job, SNAKE_KIND_INSTANCE, 0, 2);
    *job_value(&job, 0, 0, 0) = int_class;
    job_value(&job, SNAKE_KIND_DICT, 0, 1);
    job_value(&job, SNAKE_KIND_INT, 1, 0);
    job_value(&job, SNAKE_KIND_NONE, 0, 0);
    CHECK_ERROR(PYTHON, "", job_run(&job, written));
    snake_object_free(class);
    snake_object_free(refusing);
}

// An argument that cannot be made is named, from 1, keyword arguments after the others.
static void test_argument_number(void) {
    job job;
    for (uint32_t bad = 0; bad <= 4; bad++) {
        job_new(&job);
        for (uint32_t number = 1; number <= 4; number++) {
            if (number > 2) {
                job_name(&job, number == 3 ? "three" : "four");
            }
            job_argument(&job, SNAKE_KIND_LIST, 0, 1);
            job_value(&job, number == bad ? SNAKE_KIND_OTHER : SNAKE_KIND_NONE, 0, 0);
        }
        snake_error *error = job_run(&job, written);
        CHECK((error == NULL) == (bad == 0) && (error == NULL || error->argument == bad));
        snake_error_free(error);
        job_free(&job);
    }
    snake_function *fail = fixture("fail_mute"); // an exception of the function is about none
    job_new(&job);
    snake_error *error = job_run(&job, fail);
    CHECK(error != NULL && error->argument == 0);
    snake_error_free(error);
    snake_function_free(fail);
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
    uint64_t objects = stats().objects;
    written = fixture("written");
    test_kinds();
    test_further_kinds();
    test_instance();
    test_argument_number();
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

    many = SNAKE_MAX_VALUES; // children, so that there is one value too many
    values = calloc(many + 1, sizeof *values);
    values[0] = (snake_value){.kind = SNAKE_KIND_LIST, .len = many};
    job.call.values = values;
    job.call.values_len = many + 1;
    CHECK_ERROR(LIMIT, "values", job_run(&job, identity));
    job_free(&job);
    free(values);
    snake_function_free(identity);
    snake_function_free(written);
    CHECK(stats().objects == objects);
}
