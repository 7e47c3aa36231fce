/* Finds outliers among the numbers on standard input, with a Python function that runs inside this process and
 * reads the C array itself. It needs gophersnake.h and nothing else; built once, it works with any Python from 3.11 on.
 *
 * Build and run it in the project's folder:
 *
 *   cc -std=c11 -Wall -Wextra -Werror -pedantic -Iinclude -o target/outliers examples/c/outliers.c -ldl
 *   echo 10 11 9 10 95 10 12 9 11 10 | target/outliers .venv/bin/python target/release examples/outliers/python
 */
#define _POSIX_C_SOURCE 200809L
#include "gophersnake.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 4096, MAX_NUMBERS = 1000000, MAX_OUTLIERS = 1000 };

// The core is opened at run time, after a libpython that is chosen at run time: so its functions are pointers.
static struct {
    uint32_t (*abi_version)(void);
    void (*error_free)(snake_error *error);
    snake_error *(*interpreter_start)(const snake_config *config);
    snake_error *(*interpreter_shutdown)(uint64_t timeout);
    snake_error *(*function_load)(const uint8_t *name, size_t name_len, uint64_t token, snake_function **function);
    snake_error *(*function_call)(const snake_function *function, snake_call *call, const uint8_t *bytes,
                                  const void *lend0, const void *lend1, const void *lend2, const void *lend3);
    void (*function_free)(snake_function *function);
    void (*object_free)(snake_object *object);
} snake;

static void fail(const char *what, const char *why) {
    fprintf(stderr, "outliers: %s: %s\n", what, why);
    exit(2);
}

static void bind(void *core, const char *name, void *function) {
    void *address = dlsym(core, name);
    if (address == NULL) {
        fail(name, dlerror());
    }
    memcpy(function, &address, sizeof address); // ISO C has no cast from `void *` to a function
}

// The operand of `sizeof` is compared with the header, but not evaluated.
#define BIND(core, name) ((void)sizeof(snake.name = snake_##name), bind(core, "snake_" #name, &snake.name))

static void open_core(const char *libpython, const char *folder) {
    // Globally, because extension modules such as NumPy look for Python's symbols there.
    if (dlopen(libpython, RTLD_NOW | RTLD_GLOBAL) == NULL) {
        fail("libpython", dlerror());
    }
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/libgophersnake.so", folder);
    void *core = dlopen(path, RTLD_NOW);
    if (core == NULL) {
        fail("core", dlerror());
    }
    BIND(core, abi_version);
    if (snake.abi_version() != SNAKE_ABI_VERSION) {
        fail(path, "this program was built for another version of gophersnake");
    }
    BIND(core, error_free);
    BIND(core, interpreter_start);
    BIND(core, interpreter_shutdown);
    BIND(core, function_load);
    BIND(core, function_call);
    BIND(core, function_free);
    BIND(core, object_free);
}

// Asks a Python for its own path, its libpython and its version; the path goes through the environment, not the shell.
static void ask_python(const char *python, char executable[PATH_SIZE], char libpython[PATH_SIZE], uint32_t *version) {
    setenv("PYTHON", python, 1);
    FILE *answer = popen("\"$PYTHON\" -I -c 'import sys, sysconfig as s; v = s.get_config_var; print(sys.executable,"
                         " v(\"LIBDIR\") + \"/\" + v(\"INSTSONAME\"), sys.hexversion >> 16, sep=\"\\n\")'",
                         "r");
    if (answer == NULL || fscanf(answer, "%4095[^\n]\n%4095[^\n]\n%" SCNu32, executable, libpython, version) != 3) {
        fail(python, "it does not say where its libpython is");
    }
    pclose(answer);
}

static snake_text text(const char *string) {
    return (snake_text){.ptr = (const uint8_t *)string, .len = strlen(string)};
}

// Prints a failure and ends it. Returns whether there was one.
static int report(snake_error *error) {
    if (error == NULL) {
        return 0;
    }
    if (error->code == SNAKE_ERROR_CODE_PYTHON) {
        fprintf(stderr, "%.*s", (int)error->traceback.len, (const char *)error->traceback.ptr);
        fprintf(stderr, "outliers: Python raised %.*s: ", (int)error->type_name.len,
                (const char *)error->type_name.ptr);
    } else {
        fprintf(stderr, "outliers: error %" PRIu32 ": ", error->code);
    }
    fprintf(stderr, "%.*s\n", (int)error->message.len, (const char *)error->message.ptr);
    snake.error_free(error);
    return 1;
}

// Prints the indices of the outliers in `data`, which Python reads in place.
static snake_error *print_outliers(const snake_function *detect, const double *data, size_t len) {
    int64_t indices[MAX_OUTLIERS]; // more of them come in memory of the result's owner
    uint64_t lease = 0;
    snake_value array = {.kind = SNAKE_KIND_ARRAY, .dtype = SNAKE_DTYPE_FLOAT64, .len = len};
    snake_call call = {
        .values = &array,
        .values_len = 1,
        .args = 1,
        .leases = &lease,
        .leases_len = 1,
        .want = SNAKE_WANT_VALUE,
        .result = {.scratch = indices, .scratch_len = sizeof indices},
    };
    snake_error *error = snake.function_call(detect, &call, NULL, data, NULL, NULL, NULL);
    if (call.retained > 0) {
        fail("detect", "it kept the array, which this program does not expect"); // it would have to outlive the lease
    }
    if (error != NULL) {
        return error;
    }
    if (call.result.value.kind != SNAKE_KIND_ARRAY || call.result.value.dtype != SNAKE_DTYPE_INT64) {
        fail("detect", "its result is no array of int64");
    }
    const int64_t *found = call.result.data;
    for (uint64_t i = 0; i < call.result.value.len; i++) {
        printf("%" PRId64 "\t%g\n", found[i], data[found[i]]);
    }
    snake.object_free(call.result.owner);
    return NULL;
}

int main(int argc, char **argv) {
    static double data[MAX_NUMBERS];
    if (argc != 4) {
        fail("usage", "outliers PYTHON CORE_FOLDER MODULE_FOLDER <NUMBERS");
    }
    size_t len = 0;
    while (len < MAX_NUMBERS && scanf("%lf", &data[len]) == 1) {
        len++;
    }
    if (!feof(stdin)) {
        fail("standard input", "want at most a million numbers and nothing else");
    }

    char executable[PATH_SIZE], libpython[PATH_SIZE];
    snake_text folder = text(argv[3]);
    snake_config config = {.path_len = 1, .path = &folder};
    ask_python(argv[1], executable, libpython, &config.version);
    config.executable = text(executable);
    open_core(libpython, argv[2]);

    snake_text name = text("outliers:detect");
    snake_function *detect = NULL;
    int failed = report(snake.interpreter_start(&config)) ||
                 report(snake.function_load(name.ptr, name.len, 0, &detect)) ||
                 report(print_outliers(detect, data, len));
    snake.function_free(detect);
    if (!failed) {
        failed = report(snake.interpreter_shutdown(UINT64_C(5000000000))); // flushes what Python printed
    }
    return failed;
}
