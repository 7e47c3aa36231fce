// Descriptions of results, and where their data lies.
#include "host.h"
#include "tests.h"

#include <stdlib.h>
#include <string.h>

static void test_kinds(void) {
    static const struct {
        const char *expression;
        uint32_t kind, dtype;
        uint64_t bits, len; // the bits of an array are the address of its data
        const char *data;   // of at most 16 bytes
        size_t data_len;
        bool tree;
    } RESULTS[] = {
        {"None", SNAKE_KIND_NONE, 0, 0, 0, NULL, 0, false},
        {"True", SNAKE_KIND_BOOL, 0, 1, 0, NULL, 0, false},
        {"np.bool_(False)", SNAKE_KIND_BOOL, 0, 0, 0, NULL, 0, true},
        {"-5", SNAKE_KIND_INT, 0, (uint64_t)-5, 0, NULL, 0, false},
        {"2**63-1", SNAKE_KIND_INT, 0, INT64_MAX, 0, NULL, 0, false},
        {"-2**63", SNAKE_KIND_INT, 0, (uint64_t)INT64_MIN, 0, NULL, 0, false},
        {"2**63", SNAKE_KIND_UINT, 0, (uint64_t)1 << 63, 0, NULL, 0, true},
        {"np.uint64(2**64-1)", SNAKE_KIND_UINT, 0, UINT64_MAX, 0, NULL, 0, true},
        {"2**64", SNAKE_KIND_BIG_INT, 0, 0, 9, "\0\0\0\0\0\0\0\0\1", 9, true},
        {"-2**63-1", SNAKE_KIND_BIG_INT, 0, 0, 9, "\xff\xff\xff\xff\xff\xff\xff\x7f\xff", 9, true},
        {"0.5", SNAKE_KIND_FLOAT, 0, UINT64_C(0x3fe0000000000000), 0, NULL, 0, false},
        {"np.float32(0.5)", SNAKE_KIND_FLOAT, 0, UINT64_C(0x3fe0000000000000), 0, NULL, 0, true},
        {"0.5-0.5j", SNAKE_KIND_COMPLEX, 0, UINT64_C(0x3fe0000000000000), UINT64_C(0xbfe0000000000000), NULL, 0, true},
        {"'h\\xe9\\0'", SNAKE_KIND_TEXT, 0, 0, 4, "h\xc3\xa9\0", 4, false},
        {"''", SNAKE_KIND_TEXT, 0, 0, 0, "", 0, false},
        {"b'a\\0b'", SNAKE_KIND_BYTES, 0, 0, 3, "a\0b", 3, false},
        {"bytearray(b'ab')", SNAKE_KIND_BYTES, 0, 0, 2, "ab", 2, true},
        {"memoryview(b'abcd')[::2]", SNAKE_KIND_BYTES, 0, 0, 2, "ac", 2, true},
        {"np.array([1, 2], np.int16)", SNAKE_KIND_ARRAY, SNAKE_DTYPE_INT16, 0, 2, "\1\0\2\0", 4, false},
        {"np.array([1, 2], '>i2')", SNAKE_KIND_ARRAY, SNAKE_DTYPE_INT16, 0, 2, "\1\0\2\0", 4, false},
        {"np.arange(6, dtype='u1')[::-2]", SNAKE_KIND_ARRAY, SNAKE_DTYPE_UINT8, 0, 3, "\5\3\1", 3, false},
        {"np.frombuffer(b'x\\1\\0\\2\\0', '<i2', offset=1)", SNAKE_KIND_ARRAY, SNAKE_DTYPE_INT16, 0, 2, "\1\0\2\0", 4,
         false},
        {"np.zeros(0, bool)", SNAKE_KIND_ARRAY, SNAKE_DTYPE_BOOL, 0, 0, "", 0, false},
        {"np.array(7)", SNAKE_KIND_INT, 0, 7, 0, NULL, 0, true},
        {"np.zeros((1, 2), np.int8)", SNAKE_KIND_ND_ARRAY, SNAKE_DTYPE_INT8, 0, 2, "\0\0", 2, true},
        {"np.longdouble(1)", SNAKE_KIND_OTHER, 0, 0, 16, "numpy.longdouble", 16, true},
        {"np.ma.array([1])", SNAKE_KIND_OTHER, 0, 0, 50, "numpy.ma", 8, true},
        {"[]", SNAKE_KIND_LIST, 0, 0, 0, NULL, 0, true},
        {"()", SNAKE_KIND_TUPLE, 0, 0, 0, NULL, 0, true},
        {"{}", SNAKE_KIND_DICT, 0, 0, 0, NULL, 0, true},
        {"object", SNAKE_KIND_OTHER, 0, 0, 4, "type", 4, true},
    };
    uint64_t scratch[8];
    for (size_t i = 0; i < LENGTH(RESULTS); i++) {
        snake_result result = {.scratch = scratch, .scratch_len = sizeof scratch};
        check_subject = RESULTS[i].expression;
        if (!CHECK_SUCCESS(evaluate(RESULTS[i].expression, &result))) {
            continue;
        }
        CHECK(result.value.kind == RESULTS[i].kind);
        CHECK(result.value.dtype == RESULTS[i].dtype);
        CHECK(result.value.len == RESULTS[i].len);
        CHECK(result.owner == NULL && (result.tree != NULL) == RESULTS[i].tree);
        const uint8_t *data = result.data;
        bool is_array = result.value.kind == SNAKE_KIND_ARRAY || result.value.kind == SNAKE_KIND_ND_ARRAY;
        if (result.tree == NULL) {
            CHECK(result.data_len == RESULTS[i].data_len && (RESULTS[i].data == NULL || result.data == scratch));
            CHECK(result.value.bits == (is_array ? (uintptr_t)data : RESULTS[i].bits));
        } else {
            CHECK(result.data == NULL && result.data_len == 0);
            CHECK(memcmp(&result.value, result.tree->values, sizeof result.value) == 0);
            CHECK(is_array || result.value.bits == RESULTS[i].bits);
            data = is_array ? (const uint8_t *)(uintptr_t)result.value.bits : result.tree->bytes;
        }
        if (RESULTS[i].data != NULL) {
            CHECK(memcmp(data, RESULTS[i].data, RESULTS[i].data_len) == 0);
        }
        result_free(&result);
    }
    check_subject = "";
    snake_result result = {.scratch = scratch, .scratch_len = sizeof scratch};
    CHECK_ERROR(PYTHON, "surrogates", evaluate("'a\\udc80'", &result)); // has no UTF-8 form
}

// Data of 24 bytes with scratch of `scratch_len`: in it if it fits, else in memory of the owner.
static void test_scratch(void) {
    static const struct {
        const char *expression;
        const char *data;
    } DATA[] = {
        {"'abcdefgh' * 3", "abcdefghabcdefghabcdefgh"},
        {"b'abcdefgh' * 3", "abcdefghabcdefghabcdefgh"},
        {"np.frombuffer(b'abcdefgh' * 3, np.int64)", "abcdefghabcdefghabcdefgh"},
        {"np.frombuffer(b'abcdefgh' * 3, np.int64).copy()", "abcdefghabcdefghabcdefgh"},
        {"np.frombuffer(b'hgfedcba' * 3, '>i8')", "abcdefghabcdefghabcdefgh"},
        {"np.frombuffer(b'abcdefgh' * 6, np.int64)[::2]", "abcdefghabcdefghabcdefgh"},
    };
    for (size_t i = 0; i < LENGTH(DATA); i++) {
        check_subject = DATA[i].expression;
        for (size_t scratch_len = 23; scratch_len <= 25; scratch_len++) {
            bool fits = scratch_len >= 24;
            uint8_t *scratch = malloc(scratch_len); // as long as it says, for ASan to see
            memset(scratch, '!', scratch_len);
            snake_result result = {.scratch = scratch, .scratch_len = scratch_len};
            uint64_t objects = stats().objects;
            CHECK_SUCCESS(evaluate(DATA[i].expression, &result));
            CHECK(result.data_len == 24 && memcmp(result.data, DATA[i].data, 24) == 0);
            CHECK(result.tree == NULL);
            CHECK(result.value.bits == (result.value.kind == SNAKE_KIND_ARRAY ? (uintptr_t)result.data : 0));
            CHECK((result.data == scratch) == fits && (result.owner == NULL) == fits);
            CHECK(stats().objects == objects + !fits);
            CHECK(fits || scratch[0] == '!');
            CHECK(scratch_len != 25 || scratch[24] == '!');
            result_free(&result);
            free(scratch);
        }
        const size_t lengths[] = {0, 24, SIZE_MAX}; // without scratch its length means nothing
        for (size_t j = 0; j < LENGTH(lengths); j++) {
            snake_result result = {.scratch = NULL, .scratch_len = lengths[j]};
            CHECK_SUCCESS(evaluate(DATA[i].expression, &result));
            CHECK(result.owner != NULL && result.data_len == 24 && memcmp(result.data, DATA[i].data, 24) == 0);
            result_free(&result);
        }
    }
    // The data of an array is aligned, whatever scratch is.
    uint64_t memory[8];
    const char *const arrays[] = {"np.arange(3)", "np.arange(6)[::2]"};
    for (size_t i = 0; i < LENGTH(arrays); i++) {
        check_subject = arrays[i];
        snake_result result = {.scratch = (uint8_t *)memory + 1, .scratch_len = 24};
        CHECK_SUCCESS(evaluate(arrays[i], &result));
        CHECK((uintptr_t)result.data % 8 == 0);
        result_free(&result);
    }
    check_subject = "";
}

void test_result(void) {
    snake_result result = {0};
    CHECK_SUCCESS(evaluate("None", &result)); // loads `evaluate`, which stays
    uint64_t objects = stats().objects;
    test_kinds();
    test_scratch();
    CHECK(stats().objects == objects);
}
