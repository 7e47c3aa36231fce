// Functions and values of the host's: what Python calls, what it gets, and what a host does wrong.
#define _POSIX_C_SOURCE 200809L
#include "host.h"
#include "tests.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static snake_function *evaluate_with, *call_function;

// ---- what came back

enum { MOST_NUMBERS = 4096 };
static uint64_t numbers[MOST_NUMBERS];
static size_t numbers_len;

static void take_numbers(void) {
    size_t taken = 1;
    while (taken > 0 && numbers_len < MOST_NUMBERS) {
        taken = 0;
        CHECK_SUCCESS(snake_lease_returned_copy(numbers + numbers_len, MOST_NUMBERS - numbers_len, &taken));
        numbers_len += taken;
    }
}

// How often a number came back since it was last asked for.
static size_t came_back(uint64_t number) {
    take_numbers();
    size_t left = 0, count = 0;
    for (size_t i = 0; i < numbers_len; i++) {
        if (numbers[i] == number) {
            count++;
        } else {
            numbers[left++] = numbers[i];
        }
    }
    numbers_len = left;
    return count;
}

// ---- the host

enum { ENDING, ANSWER, LOOK, DEEPER, RAISE_AGAIN, QUIET, KEEP, HANDLES, VALUE = 1000 };
static const uint64_t LEASE = UINT64_C(1) << 63;

// What ANSWER answers; each pointer goes to a copy in memory of malloc, unless it is forged.
static struct {
    uint32_t outcome;
    size_t values_len, bytes_len, gifts_len;
    snake_value values[40];
    char bytes[400];
    snake_gift gifts[4];
    void (*forge)(snake_invocation *invocation);
} reply;

// What LOOK saw.
static struct {
    uint32_t args, kwargs;
    uint64_t caller, task;
    snake_value values[40];
    size_t values_len;
    char bytes[400];
    double element;
    snake_object *object;
} seen;

static atomic_int endings;
static _Atomic uint64_t ended_caller;
static int depth;

static void *copy_of(const void *memory, size_t size) {
    if (size == 0) {
        return NULL;
    }
    void *copy = malloc(size);
    memcpy(copy, memory, size);
    return copy;
}

static void answer(snake_invocation *invocation) {
    invocation->outcome = reply.outcome;
    if (reply.values_len == 1) {
        invocation->reply = reply.values[0];
    } else {
        invocation->reply_values = copy_of(reply.values, reply.values_len * sizeof *reply.values);
        invocation->reply_len = reply.values_len;
    }
    invocation->reply_bytes = copy_of(reply.bytes, reply.bytes_len);
    invocation->reply_bytes_len = reply.bytes_len;
    invocation->gifts = copy_of(reply.gifts, reply.gifts_len * sizeof *reply.gifts);
    invocation->gifts_len = reply.gifts_len;
    if (reply.forge != NULL) {
        reply.forge(invocation);
    }
}

static void look(snake_invocation *invocation) {
    memset(&seen, 0, sizeof seen);
    seen.args = invocation->args;
    seen.kwargs = invocation->kwargs;
    seen.caller = invocation->caller;
    seen.task = invocation->task;
    seen.values_len = invocation->values_len;
    if (!CHECK(invocation->values_len <= LENGTH(seen.values) && invocation->bytes_len <= sizeof seen.bytes)) {
        return;
    }
    memcpy(seen.values, invocation->values, invocation->values_len * sizeof *seen.values);
    if (invocation->bytes_len > 0) {
        memcpy(seen.bytes, invocation->bytes, invocation->bytes_len);
    }
    for (size_t i = 0; i < invocation->values_len; i++) {
        snake_value *value = &invocation->values[i];
        if (value->kind == SNAKE_KIND_ARRAY && value->dtype == SNAKE_DTYPE_FLOAT64 && value->len > 0) {
            memcpy(&seen.element, (const void *)(uintptr_t)value->bits, sizeof seen.element);
        } else if (value->kind == SNAKE_KIND_OBJECT) {
            seen.object = (snake_object *)(uintptr_t)value->bits;
            value->bits = 0; // taken over
        }
    }
}

// Calls Python, which calls this, until that is refused.
static void deeper(void) {
    depth++;
    job *job = malloc(sizeof *job);
    job_new(job);
    job_function(job, DEEPER, NULL);
    snake_error *error = job_run(job, call_function);
    if (error != NULL) {
        CHECK(error->code == SNAKE_ERROR_CODE_LIMIT && text_has(error->message, "nest"));
        snake_error_free(error);
    }
    free(job);
}

static void answer_failure(uint32_t outcome, uint64_t host, const char *class, snake_object *exception);

// Calls Python, which fails because ANSWER does, and raises that very exception again.
static void raise_again(snake_invocation *invocation) {
    answer_failure(SNAKE_OUTCOME_FAILED, VALUE, "builtins.LookupError", NULL);
    job job;
    job_new(&job);
    job_function(&job, ANSWER, NULL);
    snake_error *error = job_run(&job, call_function);
    CHECK(error != NULL && error->exception != NULL && error->outcome == SNAKE_OUTCOME_FAILED && error->host == VALUE);
    if (error == NULL) {
        return;
    }
    answer_failure(SNAKE_OUTCOME_FAILED, 0, "", error->exception);
    reply.values[2].len = 0; // no message: as it is
    answer(invocation);
    error->exception = NULL; // taken over
    snake_error_free(error);
}

static void host(snake_invocation *invocation) {
    switch (invocation->function) {
    case ENDING:
        atomic_fetch_add(&endings, 1);
        atomic_store(&ended_caller, invocation->caller);
        break;
    case ANSWER:
        answer(invocation);
        break;
    case LOOK:
        look(invocation);
        break;
    case DEEPER:
        deeper();
        break;
    case RAISE_AGAIN:
        raise_again(invocation);
        break;
    case KEEP:
        invocation->keeps = 1;
        seen.caller = invocation->caller;
        break;
    default:
        break;
    }
}

// ---- building replies

static void reply_new(void) {
    memset(&reply, 0, sizeof reply);
}

static snake_value *reply_value(uint32_t kind, uint64_t bits, uint64_t len) {
    if (reply.values_len == LENGTH(reply.values)) {
        abort();
    }
    snake_value *value = &reply.values[reply.values_len++];
    *value = (snake_value){.kind = kind, .bits = bits, .len = len};
    return value;
}

static void reply_data(uint32_t kind, const char *data, size_t len) {
    if (len > sizeof reply.bytes - reply.bytes_len) {
        abort();
    }
    memcpy(reply.bytes + reply.bytes_len, data, len);
    reply_value(kind, reply.bytes_len, len);
    reply.bytes_len += len;
}

static void reply_text(const char *string) {
    reply_data(SNAKE_KIND_TEXT, string, strlen(string));
}

static void reply_function(uint64_t handle) {
    reply_value(SNAKE_KIND_FUNCTION, handle, 0);
    reply_text("g");
    reply_text("host.g");
    reply_text("host");
    reply_text("What it does.");
    reply_text("(x, y=1)");
    reply_value(SNAKE_KIND_INT, 0, 0);
}

static void reply_host(uint64_t handle) {
    reply_value(SNAKE_KIND_HOST, handle, 0);
    reply_value(SNAKE_KIND_NONE, 0, 0);
}

static void reply_gift(void *data, uint64_t lease) {
    reply.gifts[reply.gifts_len++] = (snake_gift){.data = (uintptr_t)data, .lease = lease};
}

static void answer_failure(uint32_t outcome, uint64_t value, const char *class, snake_object *exception) {
    reply_new();
    reply.outcome = outcome;
    reply_value(SNAKE_KIND_TUPLE, 0, 5);
    if (value != 0) {
        reply_host(value);
    } else {
        reply_value(SNAKE_KIND_NONE, 0, 0);
    }
    reply_text("the reason\nthe stack");
    reply_text(class);
    reply_value(SNAKE_KIND_TUPLE, 0, 3);
    reply_text("host.refuse");
    reply_text("host.c");
    reply_value(SNAKE_KIND_INT, 42, 0);
    reply_value(exception == NULL ? SNAKE_KIND_NONE : SNAKE_KIND_OBJECT, (uintptr_t)exception, 0);
}

// Evaluates an expression in which `f` is the function of that handle.
static snake_error *ask(job *job, const char *expression, uint64_t handle) {
    job_new(job);
    job_text(job, expression);
    job_function(job, handle, NULL);
    job->call.token = 7;
    return job_run(job, evaluate_with);
}

static void check_answer(const char *expression, const char *want) {
    job job;
    if (CHECK_SUCCESS(ask(&job, expression, ANSWER))) {
        CHECK(job_result_is_text(&job, want));
        job_free(&job);
    }
    CHECK(came_back(ANSWER) == 1);
}

// ---- tests

static void test_arguments(void) {
    job job;
    CHECK_SUCCESS(ask(&job, "f(1, [2.5, 'ä'], np.full(3, 1.5), b=None, c={1: True})", LOOK));
    CHECK(job.call.result.value.kind == SNAKE_KIND_NONE);
    CHECK(seen.args == 3 && seen.kwargs == 2 && seen.caller == 7 && seen.values_len == 11 && seen.element == 1.5);
    const uint32_t kinds[] = {SNAKE_KIND_INT,   SNAKE_KIND_LIST, SNAKE_KIND_FLOAT, SNAKE_KIND_TEXT,
                              SNAKE_KIND_ARRAY, SNAKE_KIND_TEXT, SNAKE_KIND_NONE,  SNAKE_KIND_TEXT,
                              SNAKE_KIND_DICT,  SNAKE_KIND_INT,  SNAKE_KIND_BOOL};
    for (size_t i = 0; i < LENGTH(kinds); i++) {
        CHECK(seen.values[i].kind == kinds[i]);
    }
    CHECK(memcmp(seen.bytes + seen.values[5].bits, "b", 1) == 0);
    CHECK(memcmp(seen.bytes + seen.values[7].bits, "c", 1) == 0);

    // A plan: references for the first argument, by position, and for `whole`, by name; nothing for the others.
    static const snake_value nodes[] = {
        {.kind = SNAKE_KIND_TUPLE, .bits = 1, .len = 2},
        {.kind = SNAKE_KIND_TEXT, .dtype = 3, .bits = 0, .len = 5},
        {.kind = SNAKE_KIND_TEXT, .dtype = 3, .bits = 5, .len = 5},
        {.kind = SNAKE_KIND_OBJECT},
    };
    static const snake_plan plan = {
        .nodes = nodes, .nodes_len = LENGTH(nodes), .bytes = (const uint8_t *)"firstwhole", .bytes_len = 10};
    static const char *const WAYS[] = {"f(5)", "f(whole=5)"};
    for (size_t i = 0; i < LENGTH(WAYS); i++) {
        uint64_t objects = stats().objects;
        job_new(&job);
        job_text(&job, WAYS[i]);
        job_function(&job, LOOK, &plan);
        CHECK_SUCCESS(job_run(&job, evaluate_with));
        CHECK(seen.object != NULL && stats().objects == objects + 1);
        snake_result result = {0};
        CHECK_SUCCESS(snake_object_value(seen.object, 0, &result));
        CHECK(result.value.kind == SNAKE_KIND_INT && result.value.bits == 5);
        snake_object_free(seen.object);
        CHECK(stats().objects == objects);
    }

    // What the function is for Python.
    CHECK_SUCCESS(ask(&job, "repr((f, f.__name__, f.__doc__, f.__get__(5).__self__ == 5))", LOOK));
    CHECK(job_result_is_text(&job, "(<Go function host.host.f>, 'f', None, True)"));
    job_free(&job);
    CHECK(came_back(LOOK) == 4);

    // The host's own things come as what they are.
    reply_new();
    reply_host(VALUE);
    CHECK_SUCCESS(ask(&job, "f()", ANSWER));
    CHECK(job.call.result.value.kind == SNAKE_KIND_HOST && job.call.result.value.bits == VALUE);
    CHECK(came_back(VALUE) == 0); // the tree keeps it
    job_free(&job);
    CHECK_SUCCESS(ask(&job, "None", QUIET));
    CHECK(came_back(VALUE) == 1 && came_back(ANSWER) == 1 && came_back(QUIET) == 1);
}

static void test_returned(void) {
    static const struct {
        uint32_t kind;
        uint64_t bits, len;
        const char *want;
    } FLAT[] = {
        {SNAKE_KIND_NONE, 0, 0, "None"},
        {SNAKE_KIND_BOOL, 1, 0, "True"},
        {SNAKE_KIND_INT, (uint64_t)-5, 0, "-5"},
        {SNAKE_KIND_UINT, UINT64_MAX, 0, "18446744073709551615"},
        {SNAKE_KIND_FLOAT, UINT64_C(0x3ff8000000000000), 0, "1.5"},
        {SNAKE_KIND_COMPLEX, UINT64_C(0x3ff8000000000000), UINT64_C(0x3ff0000000000000), "(1.5+1j)"},
        {SNAKE_KIND_DATE, 0, 0, "datetime.date(1, 1, 1)"},
        {SNAKE_KIND_DURATION, 1, 2, "datetime.timedelta(days=1, microseconds=2)"},
        {SNAKE_KIND_LIST, 0, 0, "[]"},
        {SNAKE_KIND_TUPLE, 0, 0, "()"},
        {SNAKE_KIND_DICT, 0, 0, "{}"},
        {SNAKE_KIND_SET, 0, 0, "set()"},
    };
    for (size_t i = 0; i < LENGTH(FLAT); i++) {
        reply_new();
        reply_value(FLAT[i].kind, FLAT[i].bits, FLAT[i].len);
        check_subject = FLAT[i].want;
        check_answer("repr(f())", FLAT[i].want);
    }
    static const struct {
        uint32_t kind;
        const char *data, *want;
    } DATA[] = {
        {SNAKE_KIND_TEXT, "\xc3\xa4\xf0\x9f\x90\x8d", "'\xc3\xa4\xf0\x9f\x90\x8d'"},
        {SNAKE_KIND_BYTES, "\xff", "b'\\xff'"},
        {SNAKE_KIND_BIG_INT, "\x01\x02\x03\x04\x05\x06\x07\x08\x09", "166599134359138271745"},
        {SNAKE_KIND_DECIMAL, "1.50", "Decimal('1.50')"},
        {SNAKE_KIND_UUID, "0123456789abcdef", "UUID('30313233-3435-3637-3839-616263646566')"},
    };
    for (size_t i = 0; i < LENGTH(DATA); i++) {
        reply_new();
        reply_data(DATA[i].kind, DATA[i].data, strlen(DATA[i].data));
        check_subject = DATA[i].want;
        check_answer("repr(f())", DATA[i].want);
    }
    check_subject = "";

    reply_new();
    reply_value(SNAKE_KIND_LIST, 0, 3);
    reply_value(SNAKE_KIND_DICT, 0, 1);
    reply_text("key");
    reply_value(SNAKE_KIND_TUPLE, 0, 2);
    reply_value(SNAKE_KIND_INT, 1, 0);
    reply_value(SNAKE_KIND_NONE, 0, 0);
    reply_value(SNAKE_KIND_SET, 0, 1);
    reply_value(SNAKE_KIND_BOOL, 0, 0);
    reply_text("");
    check_answer("repr(f())", "[{'key': (1, None)}, {False}, '']");

    // An object becomes the library's; an instance of a class.
    snake_result class = {0};
    job job;
    job_new(&job);
    job.call.want = SNAKE_WANT_OBJECT;
    job_text(&job, "SimpleNamespace");
    snake_function *evaluate_function = fixture("evaluate");
    CHECK_SUCCESS(job_run(&job, evaluate_function));
    snake_function_free(evaluate_function);
    class = job.call.result;
    snake_object *clone = NULL;
    uint64_t objects = stats().objects;
    CHECK_SUCCESS(snake_object_clone(class.owner, &clone));
    reply_new();
    reply_value(SNAKE_KIND_INSTANCE, 0, 2);
    reply_value(SNAKE_KIND_OBJECT, (uintptr_t)clone, 0);
    reply_value(SNAKE_KIND_DICT, 0, 1);
    reply_text("a");
    reply_value(SNAKE_KIND_INT, 1, 0);
    check_answer("repr(f())", "namespace(a=1)");
    reply_new();
    reply_value(SNAKE_KIND_OBJECT, (uintptr_t)class.owner, 0);
    check_answer("repr(f() is SimpleNamespace)", "True");
    CHECK(stats().objects == objects - 1);

    reply_new();
    reply_function(QUIET);
    check_answer("(lambda g: repr((g, g.__doc__, g.__text_signature__, g())))(f())",
                 "(<Go function host.host.g>, 'What it does.', '(x, y=1)', None)");
    CHECK(came_back(QUIET) == 1);

    // One value is one object; each use of its handle comes back.
    reply_new();
    reply_host(VALUE);
    check_answer("repr((lambda a, b: (a is b, type(a).__name__))(f(), f()))", "(True, 'GoValue')");
    CHECK(came_back(VALUE) == 2);
    check_answer("repr(f() is f())", "True");
    CHECK(came_back(VALUE) == 2);

    reply_new();
    reply_value(SNAKE_KIND_MADE, 0, 2);
    reply_text("_find_class");
    reply_value(SNAKE_KIND_TUPLE, 0, 1);
    reply_text("builtins.KeyError");
    check_answer("f().__name__", "KeyError");
}

static void test_gifts(void) {
    static double data[6] = {1, 2, 3, 4, 5, 6};
    reply_new();
    reply_value(SNAKE_KIND_LIST, 0, 2);
    reply_value(SNAKE_KIND_ARRAY, 1, 6)->dtype = SNAKE_DTYPE_FLOAT64;
    reply_value(SNAKE_KIND_ND_ARRAY, 0, 2)->dtype = SNAKE_DTYPE_FLOAT64;
    const uint64_t layout[] = {2, 3, 24, 8};
    for (size_t i = 0; i < LENGTH(layout); i++) {
        reply_value(SNAKE_KIND_INT, layout[i], 0);
    }
    reply_gift(data, LEASE | 1);
    reply_gift(data, LEASE | 2);
    uint64_t leases = stats().leases;
    check_answer(
        "repr([(a.sum(), a.shape, a.flags.writeable, a.__setitem__(0, a[0]) if a.flags.writeable else 0) for a in "
        "f()]).replace('np.float64(21.0)', '21.0')",
        "[(21.0, (6,), True, None), (21.0, (2, 3), False, 0)]");
    CHECK(came_back(LEASE | 1) == 1 && came_back(LEASE | 2) == 1 && stats().leases == leases);

    // Until nothing reaches it.
    job job;
    job_new(&job);
    job_text(&job, "f()[0][2:]");
    job_function(&job, ANSWER, NULL);
    job.call.want = SNAKE_WANT_OBJECT;
    CHECK_SUCCESS(job_run(&job, evaluate_with));
    CHECK(came_back(LEASE | 1) == 0 && came_back(LEASE | 2) == 1 && stats().leases == leases + 1);
    job_free(&job);
    CHECK_SUCCESS(ask(&job, "None", QUIET));
    CHECK(came_back(LEASE | 1) == 1 && came_back(ANSWER) == 1 && came_back(QUIET) == 1);

    // What no array is made of comes back too: given in vain, or refused.
    reply_new();
    reply_gift(data, LEASE | 1);
    reply_value(SNAKE_KIND_NONE, 0, 0);
    check_answer("repr(f())", "None");
    CHECK(came_back(LEASE | 1) == 1);
    reply_new();
    reply_gift(data, LEASE | 1);
    reply_value(SNAKE_KIND_ARRAY, 0, 6)->dtype = 99;
    CHECK_ERROR(PYTHON, "dtype", ask(&job, "f()", ANSWER));
    CHECK(came_back(LEASE | 1) == 1);
    reply.values[0] = (snake_value){.kind = SNAKE_KIND_ND_ARRAY, .dtype = SNAKE_DTYPE_FLOAT64, .len = 3};
    CHECK_ERROR(PYTHON, "", ask(&job, "f()", ANSWER));
    CHECK(came_back(LEASE | 1) == 1 && came_back(ANSWER) == 2);
}

static void test_failed(void) {
    static const struct {
        uint32_t outcome;
        const char *class, *type_name, *message;
    } WAYS[] = {
        {SNAKE_OUTCOME_FAILED, "builtins.KeyError", "gophersnake.GoKeyError", "the reason\nthe stack"},
        {SNAKE_OUTCOME_FAILED, "", "gophersnake.GoError", "the reason\nthe stack"},
        {SNAKE_OUTCOME_PANICKED, "", "gophersnake.GoPanic", "the reason"},
        {SNAKE_OUTCOME_EXITED, "", "gophersnake.GoExit", "the Go function ended its goroutine"},
    };
    for (size_t i = 0; i < LENGTH(WAYS); i++) {
        check_subject = WAYS[i].type_name;
        job job;
        bool has_value = WAYS[i].outcome != SNAKE_OUTCOME_EXITED;
        answer_failure(WAYS[i].outcome, has_value ? VALUE : 0, WAYS[i].class, NULL);
        snake_error *error = ask(&job, "f()", ANSWER);
        if (!CHECK(error != NULL)) {
            continue;
        }
        CHECK(error->code == SNAKE_ERROR_CODE_PYTHON && text_is(error->type_name, WAYS[i].type_name));
        CHECK(text_is(error->message, WAYS[i].message) && error_is_sound(error));
        CHECK(error->outcome == WAYS[i].outcome && error->host == (has_value ? VALUE : 0));
        CHECK(error->exception == NULL); // no function of the host's waits
        const snake_frame *last = &error->frames[error->frames_len - 1];
        CHECK(text_is(last->function, "host.refuse") && text_is(last->file, "host.c") && last->line == 42);
        CHECK(came_back(VALUE) == 0); // valid until the error ends
        snake_error_free(error);
        CHECK_SUCCESS(ask(&job, "None", QUIET));
        CHECK(came_back(VALUE) == has_value && came_back(ANSWER) == 1);
    }
    check_subject = "";

    job job;
    snake_error *error = ask(&job, "f()", RAISE_AGAIN);
    CHECK(error != NULL && text_is(error->type_name, "gophersnake.GoLookupError") && error->cause == NULL);
    CHECK(error != NULL && error->outcome == SNAKE_OUTCOME_FAILED && error->host == VALUE);
    snake_error_free(error);
    CHECK_SUCCESS(ask(&job, "None", QUIET));
    CHECK(came_back(VALUE) == 1 && came_back(RAISE_AGAIN) == 1 && came_back(ANSWER) == 1);
}

static void test_keeps(void) {
    atomic_store(&endings, 0);
    job job;
    CHECK_SUCCESS(ask(&job, "[f(), f()]", KEEP)); // once for the call, not for the function
    job_free(&job);
    CHECK(atomic_load(&endings) == 1 && atomic_load(&ended_caller) == 7);
    CHECK_SUCCESS(ask(&job, "f()", QUIET));
    CHECK(atomic_load(&endings) == 1);
    CHECK_ERROR(PYTHON, "", ask(&job, "[f(), 1 / 0]", KEEP));
    CHECK(atomic_load(&endings) == 2);

    snake_call calls[2];
    snake_error *errors[2];
    job_new(&job);
    job_function(&job, KEEP, NULL);
    calls[0] = calls[1] = job.call;
    snake_batch batch = {.calls = calls, .calls_len = 2, .errors = errors, .token = 9};
    CHECK_SUCCESS(snake_function_map(call_function, &batch, job.bytes));
    CHECK(batch.made == 2 && errors[0] == NULL && errors[1] == NULL);
    CHECK(atomic_load(&endings) == 3 && atomic_load(&ended_caller) == 9);
    CHECK(came_back(KEEP) == 4);
}

// A call by C code that Python calls within a call, as through ctypes.
static int call_within(void) {
    job job;
    job_new(&job);
    job_text(&job, "f()");
    job_function(&job, KEEP, NULL);
    job.call.token = 8;
    CHECK_SUCCESS(job_run(&job, evaluate_with));
    CHECK(seen.caller == 8 && atomic_load(&endings) == 1 && atomic_load(&ended_caller) == 8);
    return 1;
}

// The outer call is itself again when the inner one has ended.
static void test_calls_within(void) {
    static const char *const WAYS[] = {"CFUNCTYPE", "PYFUNCTYPE"};
    for (size_t i = 0; i < LENGTH(WAYS); i++) {
        check_subject = WAYS[i];
        char expression[200];
        int (*within)(void) = call_within;
        uintptr_t address;
        memcpy(&address, &within, sizeof address);
        snprintf(expression, sizeof expression, "[f(), (c := __import__('ctypes')).%s(c.c_int)(%ju)(), f()]", WAYS[i],
                 (uintmax_t)address);
        atomic_store(&endings, 0);
        job job;
        CHECK_SUCCESS(ask(&job, expression, KEEP));
        job_free(&job);
        CHECK(seen.caller == 7 && atomic_load(&endings) == 2 && atomic_load(&ended_caller) == 7);
        CHECK(came_back(KEEP) == 2);
    }
    check_subject = "";
}

static void *call_many(void *unused) {
    int right = 0;
    for (int i = 0; i < 300; i++) {
        job job;
        right += CHECK_SUCCESS(ask(&job, "sum(f(i, [i]) is None for i in range(10))", QUIET)) &&
                 job.call.result.value.bits == 10;
    }
    CHECK(right == 300);
    return unused;
}

#define CURRENT "__import__('gophersnake.tasks').tasks.current"
#define CONTEXT "__import__('contextvars').copy_context()"
#define THREAD "(lambda c: (c, __import__('threading').Thread(target=c.run, args=(f, 6))))(" CONTEXT ")"

static void test_threads(void) {
    job job;
    CHECK_SUCCESS(
        ask(&job, "(lambda t: (t.start(), t.join()))(__import__('threading').Thread(target=f, args=(5,)))", LOOK));
    job_free(&job);
    CHECK(seen.args == 1 && seen.values[0].bits == 5 && seen.caller == 0 && seen.task == 0);
    // In the context of a coroutine: where the thread is in a call, that counts.
    CHECK_SUCCESS(ask(&job, "(lambda c, t: (c.run(" CURRENT ".set, 3), t.start(), t.join()))(*" THREAD ")", LOOK));
    job_free(&job);
    CHECK(seen.values[0].bits == 6 && seen.caller == 0 && seen.task == 3);
    CHECK_SUCCESS(ask(&job, "(lambda c: (c.run(" CURRENT ".set, 3), c.run(f, 7)))(" CONTEXT ")", LOOK));
    job_free(&job);
    CHECK(seen.values[0].bits == 7 && seen.caller == 7 && seen.task == 0);
    pthread_t threads[8];
    for (size_t i = 0; i < LENGTH(threads); i++) {
        CHECK(pthread_create(&threads[i], NULL, call_many, NULL) == 0);
    }
    for (size_t i = 0; i < LENGTH(threads); i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    take_numbers();
    CHECK(came_back(QUIET) >= 8 * 300);
}

static void test_nesting(void) {
    job job;
    depth = 0;
    job_new(&job);
    job_function(&job, DEEPER, NULL);
    CHECK_SUCCESS(job_run(&job, call_function));
    CHECK(depth == SNAKE_MAX_NESTING);
    CHECK(came_back(DEEPER) == SNAKE_MAX_NESTING + 1); // also that of the call which was refused
    CHECK_SUCCESS(ask(&job, "f()", QUIET));
}

// ---- what a host does wrong

static _Alignas(16) char unaligned[4096];

static void forge_values_len(snake_invocation *invocation) {
    invocation->reply_len = SIZE_MAX;
}
static void forge_values_many(snake_invocation *invocation) {
    invocation->reply_len = (size_t)SNAKE_MAX_VALUES + 1;
}
static void forge_values_none(snake_invocation *invocation) {
    invocation->reply_len = 0;
}
static void forge_bytes_len(snake_invocation *invocation) {
    invocation->reply_bytes_len = SIZE_MAX;
}
static void forge_gifts_len(snake_invocation *invocation) {
    invocation->gifts_len = SIZE_MAX;
}
static void forge_gifts_many(snake_invocation *invocation) {
    invocation->gifts_len = (size_t)SNAKE_MAX_VALUES + 1;
}
static void forge_bytes_null(snake_invocation *invocation) {
    free(invocation->reply_bytes);
    invocation->reply_bytes = NULL;
}
static void forge_gifts_null(snake_invocation *invocation) {
    free(invocation->gifts);
    invocation->gifts = NULL;
}
static void forge_values_unaligned(snake_invocation *invocation) {
    free(invocation->reply_values);
    invocation->reply_values = (snake_value *)(void *)(unaligned + 1);
}
static void forge_gifts_unaligned(snake_invocation *invocation) {
    free(invocation->gifts);
    invocation->gifts = (snake_gift *)(void *)(unaligned + 1);
}
// The number of a lease of the library's own.
static void forge_gifts_unmarked(snake_invocation *invocation) {
    invocation->gifts[0].lease = 5;
}
// A value that is part of a value, and so on: deeper than the stack.
static void forge_chain(snake_invocation *invocation, uint32_t kind) {
    enum { LINKS = 1000000 };
    free(invocation->reply_values);
    invocation->reply_values = malloc(LINKS * sizeof(snake_value));
    invocation->reply_len = LINKS;
    for (size_t i = 0; i < LINKS; i++) {
        invocation->reply_values[i] = (snake_value){.kind = kind, .bits = QUIET, .len = 1};
    }
}
static void forge_functions(snake_invocation *invocation) {
    forge_chain(invocation, SNAKE_KIND_FUNCTION);
}
static void forge_hosts(snake_invocation *invocation) {
    forge_chain(invocation, SNAKE_KIND_HOST);
}
static void forge_made(snake_invocation *invocation) {
    forge_chain(invocation, SNAKE_KIND_MADE);
}
static void forge_lists(snake_invocation *invocation) {
    forge_chain(invocation, SNAKE_KIND_LIST);
}

static void test_forged(void) {
    // What is given back although the reply is refused: what can be read without doubt.
    enum { NOTHING, HANDLE, ALL };
    static const struct {
        const char *part;
        void (*forge)(snake_invocation *invocation);
        int given_back;
    } WAYS[] = {
        {"reply_values", forge_values_len, NOTHING},
        {"reply_len", forge_values_many, NOTHING},
        {"fewer", forge_values_none, NOTHING},
        {"reply_bytes", forge_bytes_len, ALL},
        {"reply_bytes", forge_bytes_null, ALL},
        {"gifts", forge_gifts_len, HANDLE},
        {"gifts_len", forge_gifts_many, HANDLE},
        {"gifts", forge_gifts_null, HANDLE},
        {"aligned", forge_values_unaligned, NOTHING},
        {"aligned", forge_gifts_unaligned, HANDLE},
        {"highest bit", forge_gifts_unmarked, HANDLE},
        {"Function", forge_functions, NOTHING},
        {"Host", forge_hosts, NOTHING},
        {"nest deeper", forge_made, NOTHING},
        {"nest deeper", forge_lists, NOTHING},
    };
    job job;
    static double data[2];
    for (size_t i = 0; i < LENGTH(WAYS); i++) {
        reply_new();
        reply_value(SNAKE_KIND_LIST, 0, 3);
        reply_text("text");
        reply_value(SNAKE_KIND_ARRAY, 0, 2)->dtype = SNAKE_DTYPE_FLOAT64;
        reply_host(VALUE);
        reply_gift(data, LEASE | 5);
        reply.forge = WAYS[i].forge;
        check_subject = WAYS[i].part;
        CHECK_ERROR(PYTHON, WAYS[i].part, ask(&job, "f()", ANSWER));
        while (came_back(QUIET) > 0) {
        }
        CHECK(came_back(ANSWER) == 1);
        CHECK(came_back(VALUE) == (WAYS[i].given_back != NOTHING));
        size_t lease = came_back(LEASE | 5);
        CHECK(lease == 1 || WAYS[i].given_back != ALL);
        CHECK(came_back(5) == 0);
    }

    static const uint32_t OUTCOMES[] = {SNAKE_OUTCOME_EXITED + 1, 255, UINT32_MAX};
    for (size_t i = 0; i < LENGTH(OUTCOMES); i++) {
        answer_failure(OUTCOMES[i], VALUE, "", NULL);
        check_subject = "an outcome";
        CHECK_ERROR(PYTHON, "outcome", ask(&job, "f()", ANSWER));
        CHECK(came_back(VALUE) == 1);
    }
    static const uint32_t KINDS[] = {
        SNAKE_KIND_MADE + 1, 255, UINT32_MAX, SNAKE_KIND_OTHER, SNAKE_KIND_RECORD, SNAKE_KIND_TIME, SNAKE_KIND_COLUMNS,
        SNAKE_KIND_MASKED};
    for (size_t i = 0; i < LENGTH(KINDS); i++) {
        reply_new();
        reply_value(KINDS[i], 0, 0);
        CHECK_ERROR(PYTHON, "kind", ask(&job, "f()", ANSWER));
    }
    // Each lacks its children, its data or its memory.
    for (uint32_t kind = SNAKE_KIND_TEXT; kind <= SNAKE_KIND_MADE; kind++) {
        reply_new();
        reply_value(kind, 12345, UINT64_MAX)->dtype = SNAKE_DTYPE_FLOAT64;
        if (kind == SNAKE_KIND_OBJECT) {
            reply.values[0].bits = 0;
        }
        check_subject = "a value alone";
        if (kind != SNAKE_KIND_DURATION && kind != SNAKE_KIND_DATE && kind != SNAKE_KIND_DATETIME) {
            CHECK_ERROR(PYTHON, "", ask(&job, "f()", ANSWER));
        }
    }
    CHECK(came_back(12345) == 2); // FUNCTION and HOST

    check_subject = "";
    reply_new();
    reply_value(SNAKE_KIND_LIST, 0, 2);
    reply_function(QUIET);
    reply_function(QUIET);
    reply.values[13].bits = 1; // a plan at an odd address
    reply.values[14].bits = 1;
    CHECK_ERROR(PYTHON, "plan", ask(&job, "f()", ANSWER));
    CHECK(came_back(QUIET) == 2);
    reply.values_len = 14;
    CHECK_ERROR(PYTHON, "plan", ask(&job, "f()", ANSWER));
    CHECK(came_back(QUIET) == 2);
    reply_new();
    reply_value(SNAKE_KIND_INT, 0, 0);
    reply_host(VALUE);
    CHECK_ERROR(PYTHON, "more than one", ask(&job, "f()", ANSWER));
    CHECK(came_back(VALUE) == 1);
    reply_new();
    reply_value(SNAKE_KIND_ARRAY, 0, 2)->dtype = SNAKE_DTYPE_FLOAT64;
    CHECK_ERROR(PYTHON, "more arrays than it gives", ask(&job, "f()", ANSWER));
    reply_gift(NULL, LEASE | 6);
    CHECK_ERROR(PYTHON, "NULL", ask(&job, "f()", ANSWER));
    CHECK(came_back(LEASE | 6) == 1);

    // A failure without its five parts, or with wrong ones.
    for (size_t part = 0; part < 9; part++) {
        for (uint32_t outcome = SNAKE_OUTCOME_FAILED; outcome <= SNAKE_OUTCOME_EXITED; outcome++) {
            answer_failure(outcome, 0, "", NULL);
            reply.values[part] = (snake_value){.kind = SNAKE_KIND_FLOAT};
            snake_error *error = ask(&job, "f()", ANSWER);
            CHECK(error != NULL && error->code == SNAKE_ERROR_CODE_PYTHON && error_is_sound(error));
            snake_error_free(error);
        }
    }
    while (came_back(ANSWER) > 0) {
    }
    CHECK_ERROR(ARGUMENT, "call", snake_callback_install(NULL));
    CHECK_SUCCESS(ask(&job, "f()", QUIET)); // the one before stays
}

// Forged arguments of a call are an error of the call, as those of a reply are.
static void test_forged_arguments(void) {
    enum { LINKS = 1000000 };
    static const uint32_t KINDS[] = {SNAKE_KIND_FUNCTION, SNAKE_KIND_HOST};
    snake_value *values = malloc(LINKS * sizeof *values);
    for (size_t i = 0; i < LENGTH(KINDS); i++) {
        for (size_t j = 0; j < LINKS; j++) {
            values[j] = (snake_value){.kind = KINDS[i], .bits = VALUE};
        }
        job job;
        job_new(&job);
        job.call.values = values;
        job.call.values_len = LINKS;
        job.call.args = 1;
        CHECK_ERROR(ARGUMENT, "followed", job_run(&job, call_function));
        size_t count = 0, more;
        while ((more = came_back(VALUE)) > 0) {
            count += more;
        }
        CHECK(count == LINKS);
    }
    free(values);
}

static long resident_pages(void) {
    long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL && fscanf(file, "%ld %ld", &size, &resident) == 2);
    fclose(file);
    return resident;
}

// Many callbacks within one call, with arguments and replies that take memory.
static void test_leak(void) {
    static double data[100];
    job job;
    reply_new();
    reply_value(SNAKE_KIND_LIST, 0, 3);
    reply_text("a text that takes memory of its own");
    reply_value(SNAKE_KIND_ARRAY, 0, LENGTH(data))->dtype = SNAKE_DTYPE_FLOAT64;
    reply_host(VALUE);
    reply_gift(data, LEASE | 9);
    uint64_t objects = stats().objects, leases = stats().leases;
    long before = 0;
    for (int round = 0; round <= 100; round++) {
        if (round == 10) {
            before = resident_pages();
        }
        CHECK_SUCCESS(ask(&job, "sum(len(f([i], np.zeros(1000), x={i: 'text'})) for i in range(1000))", ANSWER));
        CHECK(job.call.result.value.bits == 3000);
        CHECK(came_back(LEASE | 9) == 1000 && came_back(VALUE) == 1000 && came_back(ANSWER) == 1);
    }
    CHECK_SUCCESS(ask(&job, "sum(f([i], np.zeros(1000)) is None for i in range(100000))", QUIET));
    CHECK(job.call.result.value.bits == 100000);
    long grown = (resident_pages() - before) * (sysconf(_SC_PAGESIZE) / 1024);
    printf("== 2 * 10^5 callbacks: %ld KiB more\n", grown);
#if !defined(__SANITIZE_ADDRESS__) // which keeps what is freed
    CHECK(grown < 16 * 1024);
#endif
    CHECK(came_back(QUIET) > 0);
    CHECK(stats().objects == objects && stats().leases == leases);
}

void test_callback(void) {
    evaluate_with = fixture("evaluate_with");
    CHECK_SUCCESS(snake_function_load((const uint8_t *)"operator:call", 13, 0, &call_function));
    job job;
    CHECK_ERROR(PYTHON, "", ask(&job, "f()", QUIET)); // no host
    CHECK_SUCCESS(snake_callback_install(host));
    uint64_t objects = stats().objects;
    numbers_len = 0;
    take_numbers();
    numbers_len = 0;
    test_arguments();
    test_returned();
    test_gifts();
    test_failed();
    test_keeps();
    test_calls_within();
    test_threads();
    test_nesting();
    test_forged();
    test_forged_arguments();
    test_leak();
    CHECK(stats().objects == objects);
    snake_function_free(evaluate_with);
    snake_function_free(call_function);
}
