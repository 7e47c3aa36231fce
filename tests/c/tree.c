// Results of more than one value.
#include "host.h"
#include "tests.h"

#include <stdarg.h>
#include <string.h>

enum { WRITTEN_SIZE = 4096 };

// A tree on its way to text.
typedef struct writer {
    const snake_tree *tree;
    size_t next; // of the values
    char text[WRITTEN_SIZE];
    size_t len;
    bool sound; // whether every value was what the header says
} writer;

static void put(writer *writer, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(writer->text + writer->len, WRITTEN_SIZE - writer->len, format, arguments);
    va_end(arguments);
    writer->len += (size_t)len;
    if (writer->len >= WRITTEN_SIZE) {
        writer->len = WRITTEN_SIZE - 1;
        writer->sound = false;
    }
}

static void put_data(writer *writer, const snake_value *value, const char *before) {
    const snake_tree *tree = writer->tree;
    if (value->len > tree->bytes_len || value->bits > tree->bytes_len - value->len) {
        writer->sound = false;
        return;
    }
    put(writer, "%s'%.*s'", before, (int)value->len, (const char *)tree->bytes + value->bits);
}

static double float_of(uint64_t bits) {
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static uint32_t put_value(writer *writer);

static void put_children(writer *writer, const char *open, uint64_t count, bool pairs, bool named, const char *close) {
    put(writer, "%s", open);
    for (uint64_t i = 0; i < count && writer->sound; i++) {
        put(writer, i > 0 ? " " : "");
        if (pairs) {
            writer->sound &= put_value(writer) == SNAKE_KIND_TEXT || !named;
            put(writer, ":");
        }
        put_value(writer);
    }
    put(writer, "%s", close);
}

// The elements of an array, whose dtype must be one of those below.
static void put_elements(writer *writer, const snake_value *value, uint64_t count) {
    const void *data = (const void *)(uintptr_t)value->bits;
    put(writer, "<");
    for (uint64_t i = 0; i < count; i++) {
        put(writer, i > 0 ? " " : "");
        switch (value->dtype) {
        case SNAKE_DTYPE_BOOL:
            put(writer, "%d", ((const uint8_t *)data)[i]);
            break;
        case SNAKE_DTYPE_INT8:
            put(writer, "%d", ((const int8_t *)data)[i]);
            break;
        case SNAKE_DTYPE_FLOAT64:
            put(writer, "%g", ((const double *)data)[i]);
            break;
        case SNAKE_DTYPE_INT64:
        case SNAKE_DTYPE_DATETIME64:
        case SNAKE_DTYPE_TIMEDELTA64:
            put(writer, "%lld", (long long)((const int64_t *)data)[i]);
            break;
        default:
            writer->sound = false;
        }
    }
    put(writer, ">");
    if (value->dtype == SNAKE_DTYPE_DATETIME64 || value->dtype == SNAKE_DTYPE_TIMEDELTA64) {
        writer->sound &= put_value(writer) == SNAKE_KIND_TEXT;
        writer->sound &= put_value(writer) == SNAKE_KIND_INT;
    }
}

// Writes the next value and its children. Returns its kind.
static uint32_t put_value(writer *writer) {
    if (writer->next >= writer->tree->values_len) {
        writer->sound = false;
        return UINT32_MAX;
    }
    const snake_value *value = &writer->tree->values[writer->next++];
    uint64_t elements = 1;
    switch (value->kind) {
    case SNAKE_KIND_NONE:
        put(writer, "None");
        break;
    case SNAKE_KIND_BOOL:
        put(writer, value->bits == 1 ? "True" : "False");
        break;
    case SNAKE_KIND_INT:
        put(writer, "%lld", (long long)value->bits);
        break;
    case SNAKE_KIND_UINT:
        put(writer, "%lluu", (unsigned long long)value->bits);
        break;
    case SNAKE_KIND_FLOAT:
        put(writer, "%gf", float_of(value->bits));
        break;
    case SNAKE_KIND_COMPLEX:
        put(writer, "%g,%gj", float_of(value->bits), float_of(value->len));
        break;
    case SNAKE_KIND_TEXT:
        put_data(writer, value, "");
        break;
    case SNAKE_KIND_BYTES:
        put_data(writer, value, "b");
        break;
    case SNAKE_KIND_BIG_INT:
        put_data(writer, value, "int");
        break;
    case SNAKE_KIND_DECIMAL:
        put_data(writer, value, "decimal");
        break;
    case SNAKE_KIND_OTHER:
        put_data(writer, value, "other");
        break;
    case SNAKE_KIND_UUID:
        put_data(writer, value, "uuid");
        writer->sound &= value->len == 16;
        break;
    case SNAKE_KIND_OBJECT:
        put(writer, "object");
        writer->sound &= value->bits != 0;
        break;
    case SNAKE_KIND_LIST:
        put_children(writer, "[", value->len, false, false, "]");
        break;
    case SNAKE_KIND_TUPLE:
        put_children(writer, "(", value->len, false, false, ")");
        break;
    case SNAKE_KIND_SET:
        put_children(writer, "set[", value->len, false, false, "]");
        break;
    case SNAKE_KIND_DICT:
        put_children(writer, "{", value->len, true, false, "}");
        break;
    case SNAKE_KIND_RECORD:
        put_children(writer, value->bits == 1 ? "named{" : "record{", value->len, true, true, "}");
        break;
    case SNAKE_KIND_COLUMNS:
        put_children(writer, "columns{", value->len, true, true, "}");
        break;
    case SNAKE_KIND_MASKED:
        put_children(writer, "masked[", value->len, false, false, "]");
        writer->sound &= value->len == 2;
        break;
    case SNAKE_KIND_ARRAY:
        put_elements(writer, value, value->len);
        break;
    case SNAKE_KIND_ND_ARRAY:
        put(writer, "nd");
        for (uint64_t i = 0; i < value->len && writer->next < writer->tree->values_len; i++) {
            put(writer, "%s", i > 0 ? "x" : "");
            elements *= writer->tree->values[writer->next].bits;
            writer->sound &= put_value(writer) == SNAKE_KIND_INT;
        }
        put_elements(writer, value, elements);
        break;
    case SNAKE_KIND_DATE:
        put(writer, "date%lld", (long long)value->bits);
        break;
    case SNAKE_KIND_DURATION:
        put(writer, "duration%lld,%lld", (long long)value->bits, (long long)value->len);
        break;
    case SNAKE_KIND_TIME:
    case SNAKE_KIND_DATETIME:
        put(writer, "%s%lld", value->kind == SNAKE_KIND_TIME ? "time" : "datetime", (long long)value->bits);
        writer->sound &= value->dtype == 0; // only a Timestamp of pandas has nanoseconds
        if (value->len == 1) {
            put(writer, "+");
            writer->sound &= put_value(writer) == SNAKE_KIND_INT;
            writer->sound &= put_value(writer) == SNAKE_KIND_TEXT;
        }
        break;
    default:
        writer->sound = false;
    }
    return value->kind;
}

// Whether a result is a tree that is written so and is as the header says in every value.
static bool result_is(const snake_result *result, const char *wanted) {
    writer writer = {.tree = result->tree, .sound = true};
    if (result->tree == NULL) {
        printf("    no tree\n    want %s\n", wanted);
        return false;
    }
    put_value(&writer);
    bool first = memcmp(&result->value, result->tree->values, sizeof result->value) == 0;
    bool all = writer.next == result->tree->values_len, data = result->data == NULL && result->data_len == 0;
    if (writer.sound && first && all && data && result->owner == NULL && strcmp(writer.text, wanted) == 0) {
        return true;
    }
    printf("    %s%s%s%s\n    want %s\n", writer.text, writer.sound ? "" : " NOT SOUND", first ? "" : " OTHER VALUE",
           all ? "" : " SOME VALUES LEFT", wanted);
    return false;
}

static void test_descriptions(void) {
    static const struct {
        const char *expression, *written;
    } TREES[] = {
        {"[]", "[]"},
        {"[1, ['a', (2.5, None)], 'bc', b'd']", "[1 ['a' (2.5f None)] 'bc' b'd']"},
        {"({}, {'k': {1: [True]}, (2,): 'v'}, [[], [[]]])", "({} {'k':{1:[True]} (2):'v'} [[] [[]]])"},
        {"[2**63, -1, 1j, 0x6261 << 64]", "[9223372036854775808u -1 0,1j int'']"}, // a NUL ends the text of ours
        {"0x4142434445464748494a", "int'JIHGFEDCBA'"},
        {"['', '', '\\xe9']", "['' '' '\xc3\xa9']"},
        {"{frozenset([3])}", "set[set[3]]"},
        {"[bytearray(b'ab'), memoryview(b'cd')]", "[b'ab' b'cd']"},
        {"[memoryview(np.arange(2.0)), memoryview(np.zeros((1, 2), 'i1'))]", "[<0 1> nd1x2<0 0>]"},
        {"np.array(3)", "3"},
        {"[np.float32(0.5), np.int8(3), np.str_('s'), np.bytes_(b'b')]", "[0.5f 3 's' b'b']"},
        {"[np.arange(3), np.arange(4, dtype='i1')[::-3]]", "[<0 1 2> <3 0>]"},
        {"np.arange(6, dtype='i1').reshape(2, 3)", "nd2x3<0 1 2 3 4 5>"},
        {"np.arange(6, dtype='i1').reshape(2, 3).T", "nd3x2<0 3 1 4 2 5>"},
        {"np.asfortranarray(np.arange(4.0).reshape(2, 2))", "nd2x2<0 1 2 3>"},
        {"np.arange(4, dtype='>i8').reshape(2, 1, 2)[:, :, ::-1]", "nd2x1x2<1 0 3 2>"},
        {"[np.zeros((2, 0)), 'after']", "[nd2x0<> 'after']"},
        {"np.broadcast_to(np.int8(7), (2, 2))", "nd2x2<7 7 7 7>"},
        {"np.zeros((1,) * 32, 'i1').shape and np.zeros((1,) * 3, '?')", "nd1x1x1<0>"},
        {"np.array(['x', 'yz'])", "['x' 'yz']"},
        {"np.array([None, 1])", "other'array of dtype object and shape (2,)'"},
        {"[object, np.ma.array([1])]", "[other'type' other'numpy.ma.MaskedArray of dtype int64 and shape (1,)']"},
        {"np.array([1, 2], 'M8[3s]')", "<1 2>'s'3"},
        {"np.array([[1], [-2]], 'm8[D]')", "nd2x1<1 -2>'D'1"},
        {"np.datetime64(5, 'ns')", "nd<5>'ns'1"},
        {"np.array([(1, 2.5)], 'i1,f8')", "columns{'f0':<1> 'f1':<2.5>}"},
        {"np.array([(1, 2.5)], 'i1,f8')[0]", "record{'f0':1 'f1':2.5f}"},
        {"SimpleNamespace(a=1, b=[2])", "record{'a':1 'b':[2]}"},
        {"collections.namedtuple('Point', 'x y')(1, (2,))", "named{'x':1 'y':(2)}"},
        {"collections.OrderedDict(a=1)", "{'a':1}"},
        {"type('M', (dict,), {'getlist': lambda self, key: [1, 2]})(a=1)", "{'a':1}"},
        {"type('M', (dict,), {'items': lambda self: [('a', 1)], 'getlist': lambda self, key: [1, 2]})(a=1)",
         "other'fixtures.M with 2 values of the key 'a''"},
        {"type('B', (), {'__iter__': lambda self: iter('ab')})()", "['a' 'b']"},
        {"[type('B', (), {'__iter__': lambda self: iter('ab')})()]",
         "[other'fixtures.B, which may be more than its items (a []any takes them)']"},
        {"datetime.datetime(1, 1, 2, microsecond=3)", "datetime86400000003"},
        {"datetime.datetime(1, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=-1)))",
         "datetime0+-3600000000''"},
        {"type('D', (datetime.datetime,), {'__sub__': None, 'replace': None, 'hour': 5})(1, 1, 1, 1)",
         "datetime3600000000"},
        {"[datetime.date(1, 1, 1), datetime.timedelta(-1, 2, 3)]", "[date0 duration-1,2000003]"},
        {"(datetime.time(1), datetime.time(0, tzinfo=datetime.timezone.utc))", "(time3600000000 time0+0'')"},
        {"[decimal.Decimal('-1.50'), uuid.UUID(bytes=b'0123456789abcdef')]", "[decimal'-1.50' uuid'0123456789abcdef']"},
        {"range(3)", "[0 1 2]"},
    };
    uint64_t scratch[32];
    for (size_t i = 0; i < LENGTH(TREES); i++) {
        check_subject = TREES[i].expression;
        memset(scratch, '!', sizeof scratch);
        snake_result result = {.scratch = scratch, .scratch_len = sizeof scratch};
        if (CHECK_SUCCESS(evaluate(TREES[i].expression, &result))) {
            CHECK(result_is(&result, TREES[i].written));
            CHECK(scratch[0] == UINT64_C(0x2121212121212121)); // trees do without it
            result_free(&result);
        }
    }
    // Classes that lie about what they are.
    static const char *const LIARS[] = {
        "type('T', (tuple,), {'_fields': (1, 2)})((3, 4))",
        "type('T', (tuple,), {'_fields': ('a', 'b', 'c')})((3, 4))",
        "type('T', (tuple,), {'_fields': ()})((3, 4))",
        "type('T', (tuple,), {'_fields': 'ab'})((3, 4))",
        "type('U', (uuid.UUID,), {'bytes': property(lambda self: [1, 2])})(int=1)",
        "type('U', (uuid.UUID,), {'bytes': property(lambda self: b'12')})(int=1)",
        "type('U', (uuid.UUID,), {'bytes': property(lambda self: None)})(int=1)",
        "type('M', (), {'model_fields': {1: 2}, '__getattr__': lambda self, name: name})()",
        "type('M', (), {'__attrs_attrs__': (SimpleNamespace(name=7),), '__getattr__': lambda self, name: name})()",
        "type('D', (decimal.Decimal,), {'__str__': lambda self: 1})()",
        "type('L', (list,), {'__len__': lambda self: 1, '__iter__': lambda self: iter('abc')})([1, 2, 3])",
        "type('D', (dict,), {'__len__': lambda self: 9, 'items': lambda self: 3})(a=1)",
        "type('I', (int,), {'bit_length': lambda self: -9})(2**70)",
        "type('I', (int,), {'to_bytes': lambda *a, **k: b''})(2**70)",
        "type('S', (), {'__iter__': lambda self: 5})()",
        "type('P', (), {'__fspath__': lambda self: 5})()",
    };
    for (size_t i = 0; i < LENGTH(LIARS); i++) {
        check_subject = LIARS[i];
        snake_result result = {0};
        uint64_t objects = stats().objects;
        snake_error *error = evaluate(LIARS[i], &result);
        if (error == NULL) {
            writer writer = {.tree = result.tree, .sound = true};
            put_value(&writer);
            CHECK(writer.sound && writer.next == result.tree->values_len);
            result_free(&result);
        } else {
            CHECK(error->code == SNAKE_ERROR_CODE_PYTHON && error_is_sound(error));
        }
        snake_error_free(error);
        CHECK(stats().objects == objects);
    }
    check_subject = "a class without a module"; // as `eval` and `exec` make them where `__name__` is not set
    snake_result result = {0};
    if (CHECK_SUCCESS(evaluate("eval('type(\\'N\\', (), {})()', {})", &result))) {
        CHECK(result.value.kind == SNAKE_KIND_OTHER);
        result_free(&result);
    }
    check_subject = "";
}

// Texts lie in the tree's bytes one after the other, in the order of their values.
static void test_positions(void) {
    snake_result result = {0};
    CHECK_SUCCESS(evaluate("['ab', {'c': b'd\\0e'}, '', 'f\\xe9', decimal.Decimal(7)]", &result));
    static const struct {
        uint32_t kind;
        uint64_t bits, len;
    } VALUES[] = {
        {SNAKE_KIND_LIST, 0, 5},  {SNAKE_KIND_TEXT, 0, 2}, {SNAKE_KIND_DICT, 0, 1}, {SNAKE_KIND_TEXT, 2, 1},
        {SNAKE_KIND_BYTES, 3, 3}, {SNAKE_KIND_TEXT, 6, 0}, {SNAKE_KIND_TEXT, 6, 3}, {SNAKE_KIND_DECIMAL, 9, 1},
    };
    const snake_tree *tree = result.tree;
    CHECK(tree->bytes_len == 10 && memcmp(tree->bytes,
                                          "abcd\0ef\xc3\xa9"
                                          "7",
                                          10) == 0);
    if (CHECK(tree->values_len == LENGTH(VALUES))) {
        for (size_t i = 0; i < LENGTH(VALUES); i++) {
            CHECK(tree->values[i].kind == VALUES[i].kind && tree->values[i].dtype == 0);
            CHECK(tree->values[i].bits == VALUES[i].bits && tree->values[i].len == VALUES[i].len);
        }
    }
    result_free(&result);
    // The memory of an array in a tree is its own, aligned, until the tree ends.
    snake_result first = {0}, second = {0};
    CHECK_SUCCESS(evaluate("(lambda a: [a, a])(np.frombuffer(b'x' + b'\\7' + b'\\0' * 7, '<i8', offset=1))", &first));
    CHECK_SUCCESS(evaluate("[np.arange(3.0)]", &second));
    const snake_value *values = first.tree->values;
    CHECK(values[1].bits % 8 == 0 && values[2].bits % 8 == 0 && values[1].bits != values[2].bits);
    *(int64_t *)(uintptr_t)values[1].bits = 8;
    CHECK(*(int64_t *)(uintptr_t)values[2].bits == 7);
    result_free(&first);
    CHECK(((double *)(uintptr_t)second.tree->values[1].bits)[2] == 2);
    result_free(&second);
    snake_tree_free(NULL);
}

static snake_error *evaluate_as(const char *expression, const snake_plan *plan, snake_result *result) {
    *result = (snake_result){.plan = plan};
    return evaluate(expression, result);
}

static void test_references(void) {
    const snake_value nodes[] = {{.kind = SNAKE_KIND_LIST, .bits = 1}, {.kind = SNAKE_KIND_OBJECT}};
    const snake_plan plan = {.nodes = nodes, .nodes_len = LENGTH(nodes)};
    snake_result result;
    uint64_t objects = stats().objects;
    CHECK_SUCCESS(evaluate_as("[[1], None, 'two']", &plan, &result));
    CHECK(result_is(&result, "[object None object]"));
    CHECK(stats().objects == objects + 2);
    snake_object *taken = (snake_object *)(uintptr_t)result.tree->values[1].bits;
    result.tree->values[1].bits = 0;
    result_free(&result);
    CHECK(stats().objects == objects + 1);
    snake_result value = {0};
    CHECK_SUCCESS(snake_object_value(taken, 0, &value));
    CHECK(result_is(&value, "[1]"));
    result_free(&value);
    snake_object_free(taken);
    CHECK(stats().objects == objects);

    const snake_plan root = {.nodes = nodes + 1, .nodes_len = 1};
    CHECK_SUCCESS(evaluate_as("3", &root, &result));
    CHECK(result_is(&result, "object"));
    result_free(&result);
    CHECK_SUCCESS(evaluate_as("None", &root, &result)); // needs no reference
    CHECK(result.value.kind == SNAKE_KIND_NONE);
    result_free(&result);
    CHECK_ERROR(PYTHON, "surrogates", evaluate_as("{1: 2, 'a\\udc80': 3}", &plan, &result));
    // What fails at its end leaves no reference either.
    const snake_value record[] = {{.kind = SNAKE_KIND_RECORD, .bits = 1, .len = 1},
                                  {.kind = SNAKE_KIND_TEXT, .bits = 0, .len = 1, .dtype = 2},
                                  {.kind = SNAKE_KIND_OBJECT}};
    const snake_plan fields = {.nodes = record, .nodes_len = 3, .bytes = (const uint8_t *)"a", .bytes_len = 1};
    CHECK_SUCCESS(evaluate_as("{'a': [1], 'b': [2]}", &fields, &result));
    CHECK(result_is(&result, "{'a':object 'b':[2]}") && stats().objects == objects + 1);
    result_free(&result);
    CHECK_SUCCESS(evaluate_as("type('C', (), {'a': 1, 'b': 2})()", &fields, &result)); // attributes by name
    CHECK(result_is(&result, "record{'a':object}"));
    result_free(&result);
    CHECK_ERROR(PYTHON, "surrogates",
                evaluate_as("{'a': np.arange(3), 'b': [np.arange(3), '\\udc80']}", &fields, &result));
    CHECK(stats().objects == objects);
}

// A plan of the host's that says nonsense is followed as far as it goes, and harms nobody.
static void test_forged_plan(void) {
    const uint32_t kinds[] = {SNAKE_KIND_NONE, SNAKE_KIND_OBJECT, SNAKE_KIND_LIST,
                              SNAKE_KIND_DICT, SNAKE_KIND_RECORD, SNAKE_KIND_TUPLE,
                              SNAKE_KIND_TEXT, SNAKE_KIND_ARRAY,  99,
                              UINT32_MAX};
    const uint64_t numbers[] = {0, 1, 2, 3, (uint64_t)1 << 32, (uint64_t)1 << 63, UINT64_MAX - 1, UINT64_MAX};
    static const char *const EXPRESSIONS[] = {
        "[['x', ('y', {'a': 1})], {'a': [2], 'b': ()}]",
        "{'a': ['x'], 'b': {'a': 1}}",
        "(1, (2, [3]), 'four')",
        "collections.namedtuple('Point', 'a b')(1, (2,))",
        "SimpleNamespace(a=[1], b=2)",
        "np.array([(1, 2.5)], 'i1,f8')",
        "np.ma.array([1, 2], mask=[0, 1])",
        "np.array([[1], 'a', None], object)",
    };
    const uint8_t *const names = (const uint8_t *)"a\xff\xc3";
    uint64_t objects = stats().objects;
    size_t wrong = 0, runs = 0;
    for (size_t e = 0; e < LENGTH(EXPRESSIONS); e++) {
        for (size_t kind = 0; kind < LENGTH(kinds); kind++) {
            for (size_t i = 0; i < LENGTH(numbers); i++) {
                for (size_t j = 0; j < LENGTH(numbers); j++) {
                    // Nodes that point to themselves, to each other, beyond the last, at names that are no UTF-8.
                    const snake_value nodes[] = {
                        {.kind = kinds[kind], .bits = numbers[i], .len = numbers[j]},
                        {.kind = SNAKE_KIND_TEXT, .bits = numbers[j], .len = numbers[i], .dtype = (uint32_t)numbers[i]},
                        {.kind = kinds[(kind + i) % LENGTH(kinds)], .bits = numbers[j], .len = numbers[i]},
                    };
                    const snake_plan plan = {.nodes = nodes, .nodes_len = 3, .bytes = names, .bytes_len = 3};
                    snake_result result;
                    runs++;
                    if (CHECK_SUCCESS(evaluate_as(EXPRESSIONS[e], &plan, &result)) && result.tree != NULL) {
                        writer writer = {.tree = result.tree, .sound = true};
                        put_value(&writer);
                        wrong += !writer.sound || writer.next != result.tree->values_len;
                    }
                    result_free(&result);
                }
            }
        }
    }
    CHECK(wrong == 0 && runs > 5000);
    CHECK(stats().objects == objects);

    snake_result result;
    const snake_plan empty = {0};
    CHECK_SUCCESS(evaluate_as("[1]", &empty, &result));
    CHECK(result_is(&result, "[1]"));
    result_free(&result);
    const snake_plan null_nodes = {.nodes_len = 1}, null_names = {.bytes_len = 1};
    CHECK_ERROR(ARGUMENT, "plan", evaluate_as("[1]", &null_nodes, &result));
    CHECK_ERROR(ARGUMENT, "plan", evaluate_as("[1]", &null_names, &result));
    const snake_value masked[] = {{.kind = SNAKE_KIND_LIST, .bits = 1}, {.kind = SNAKE_KIND_NONE}};
    const snake_plan items = {.nodes = masked, .nodes_len = 2};
    CHECK_SUCCESS(evaluate_as("np.ma.array([1, 2], mask=[0, 1])", &items, &result));
    CHECK(result_is(&result, "masked[<1 2> <0 1>]"));
    result_free(&result);
    CHECK_SUCCESS(evaluate_as("np.array([None, 'a'], object)", &items, &result));
    CHECK(result_is(&result, "[None 'a']"));
    result_free(&result);
}

static void test_limits(void) {
    enum { MAKES_ITSELF = 9 };
    static const char *const ENDLESS[] = {
        "functools.reduce(lambda inner, _: [inner], range(101), None)",
        "functools.reduce(lambda inner, _: (inner,), range(101), 1)",
        "functools.reduce(lambda inner, _: {1: inner}, range(101), 1)",
        "functools.reduce(lambda inner, _: frozenset([inner]), range(101), 1)",
        "functools.reduce(lambda inner, _: SimpleNamespace(a=inner), range(101), 1)",
        "functools.reduce(lambda inner, _: [inner], range(100000), None)",
        "(lambda itself: itself.append(itself) or itself)([])",
        "(lambda itself: itself.update(a=itself) or itself)({})",
        "(lambda itself: vars(itself).update(a=itself) or itself)(SimpleNamespace())",
        "type('P', (collections.UserList,), {'__module__': 'p', '__iter__': lambda s: iter([s])})()", // named by its
                                                                                                      // class
        "functools.reduce(lambda inner, _: [inner], range(100), [])",                                 // 101 lists
        "iter(int, 1)", // zeros without end
        "functools.reduce(lambda inner, _: [inner, inner], range(60), None)",
    };
    uint64_t objects = stats().objects;
    for (size_t i = 0; i < LENGTH(ENDLESS); i++) {
        check_subject = ENDLESS[i];
        snake_result result = {0};
        CHECK_ERROR(LIMIT, i == MAKES_ITSELF ? "p.P nests" : "the result", evaluate(ENDLESS[i], &result));
        CHECK(result.tree == NULL && result.owner == NULL);
        result_free(&result);
    }
    static const char *const DEEP[] = {
        "functools.reduce(lambda inner, _: [inner], range(100), None)",
        "functools.reduce(lambda inner, _: {1: inner}, range(100), 1)",
        "functools.reduce(lambda inner, _: [inner], range(99), [])",
    };
    for (size_t i = 0; i < LENGTH(DEEP); i++) {
        check_subject = DEEP[i];
        snake_result result = {0};
        CHECK_SUCCESS(evaluate(DEEP[i], &result));
        CHECK(result.tree != NULL && result.tree->values_len >= 100);
        result_free(&result);
    }
    check_subject = "";
    CHECK(stats().objects == objects);
}

static void test_many(void) {
    const snake_value nodes[] = {{.kind = SNAKE_KIND_RECORD, .bits = 1, .len = 1},
                                 {.kind = SNAKE_KIND_TEXT, .bits = 0, .len = 1, .dtype = 2},
                                 {.kind = SNAKE_KIND_OBJECT}};
    const snake_plan plan = {.nodes = nodes, .nodes_len = 3, .bytes = (const uint8_t *)"a", .bytes_len = 1};
    uint64_t objects = stats().objects;
    size_t right = 0, wanted = 10000;
    for (size_t i = 0; i < wanted; i++) {
        snake_result result;
        snake_error *error =
            evaluate_as("{'a': object(), 'b': np.zeros((20, 50)), 'c': ['text', np.ones(9)]}", &plan, &result);
        right += error == NULL && result.tree->values_len == 11;
        snake_error_free(error);
        result_free(&result);
    }
    CHECK(right == wanted);
    CHECK(stats().objects == objects);
}

// Items whose `__hash__` changes the set.
static void test_set_that_changes(void) {
    snake_result result = {0};
    if (CHECK_SUCCESS(evaluate(
            "(lambda s: [s.add(type('H', (), {'__hash__': lambda self: s.add(len(s)) or 1})()), s.add(5), s][2])"
            "(set())",
            &result))) {
        CHECK(result.value.kind == SNAKE_KIND_SET && result.value.len == 3);
        result_free(&result);
    }
}

void test_tree(void) {
    snake_result result = {0};
    CHECK_SUCCESS(evaluate("None", &result)); // loads `evaluate`, which stays
    uint64_t objects = stats().objects;
    test_descriptions();
    test_positions();
    test_references();
    test_forged_plan();
    test_limits();
    test_many();
    CHECK(stats().objects == objects);
    test_set_that_changes();
}
