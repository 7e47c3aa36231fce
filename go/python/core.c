#define _GNU_SOURCE
#include "core.h"

#include <dlfcn.h>
#include <link.h>
#include <signal.h>

// libc's sigaction by its other name, which signal.c does not define.
extern int __sigaction(int number, const struct sigaction *action, struct sigaction *previous);

// For each function of the header: where the core's is kept, and a forwarder by the header's own name.
#define FORWARD(result, name, parameters, arguments)                                                                   \
    static result(*core_##name) parameters;                                                                            \
    result snake_##name parameters {                                                                                   \
        return core_##name arguments;                                                                                  \
    }

FORWARD(void, error_free, (snake_error * error), (error))
FORWARD(snake_error *, interpreter_start, (const snake_config *config), (config))
FORWARD(snake_error *, interpreter_shutdown, (uint64_t timeout), (timeout))
FORWARD(snake_error *, interpreter_run, (void (*run)(void *), void *argument), (run, argument))
FORWARD(snake_error *, interpreter_stats, (snake_stats * stats), (stats))
FORWARD(void, lease_notify, (int32_t descriptor), (descriptor))
FORWARD(snake_error *, lease_returned_copy, (uint64_t *leases, size_t capacity, size_t *out_len),
        (leases, capacity, out_len))
FORWARD(snake_error *, array_borrow, (const snake_object *object, uint64_t token, snake_array *array),
        (object, token, array))
FORWARD(void, array_release, (snake_object * owner), (owner))
FORWARD(void, tree_free, (snake_tree * tree), (tree))
FORWARD(void, object_free, (snake_object * object), (object))
FORWARD(snake_error *, object_clone, (const snake_object *object, snake_object **clone), (object, clone))
FORWARD(snake_error *, object_value, (const snake_object *object, uint64_t token, snake_result *result),
        (object, token, result))
FORWARD(snake_error *, function_load, (const uint8_t *name, size_t name_len, uint64_t token, snake_function **function),
        (name, name_len, token, function))
FORWARD(snake_error *, interrupt_raise, (const snake_interrupt *interrupt, uint64_t serial, uint32_t *raised),
        (interrupt, serial, raised))
FORWARD(uint32_t, callback_origin, (void), ())
FORWARD(snake_error *, callback_install, (void (*call)(snake_invocation *)), (call))
FORWARD(snake_error *, function_map, (const snake_function *function, snake_batch *batch, const uint8_t *bytes),
        (function, batch, bytes))
FORWARD(void, function_free, (snake_function * function), (function))
FORWARD(snake_error *, output_new, (size_t limit, uint64_t patience, uint64_t *queue), (limit, patience, queue))
FORWARD(snake_error *, output_copy,
        (uint64_t queue, uint8_t *buffer, size_t capacity, size_t *len, uint32_t *stream, uint64_t *dropped),
        (queue, buffer, capacity, len, stream, dropped))
FORWARD(snake_error *, output_close, (uint64_t queue), (queue))
FORWARD(void, output_free, (uint64_t queue), (queue))
FORWARD(void, output_bypass, (uint32_t bypass), (bypass))

FORWARD(int32_t, signal_action, (int32_t number, const void *action, void *previous, const void *caller),
        (number, action, previous, caller))
FORWARD(snake_error *, threads_describe, (uint64_t thread, snake_result *result), (thread, result))

static snake_error *(*core_function_call)(const snake_function *, snake_call *, const uint8_t *, const void *,
                                          const void *, const void *, const void *);

void function_call(uintptr_t function, uintptr_t frame, const uint8_t *bytes, const uint8_t *lend0,
                   const uint8_t *lend1, const uint8_t *lend2, const uint8_t *lend3) {
    call_frame *f = (call_frame *)frame;
    f->failure = core_function_call((const snake_function *)function, &f->call, bytes, lend0, lend1, lend2, lend3);
}

void function_call_array(uintptr_t function, uintptr_t frame, const uint8_t *lend) {
    function_call(function, frame, NULL, lend, NULL, NULL, NULL);
}

snake_error *callback_install(void) {
    return snake_callback_install(gophersnakeCallback);
}

// Go must not see a number that looks like a pointer.
static void run_on_main_thread(void *number) {
    gophersnakeMainThread((uintptr_t)number);
}

snake_error *interpreter_run(uintptr_t number) {
    return snake_interpreter_run(run_on_main_thread, (void *)number);
}

static const struct {
    const char *name;
    void *place;
} functions[] = {
    {"snake_array_borrow", &core_array_borrow},
    {"snake_array_release", &core_array_release},
    {"snake_tree_free", &core_tree_free},
    {"snake_error_free", &core_error_free},
    {"snake_interpreter_start", &core_interpreter_start},
    {"snake_interpreter_shutdown", &core_interpreter_shutdown},
    {"snake_interpreter_run", &core_interpreter_run},
    {"snake_interpreter_stats", &core_interpreter_stats},
    {"snake_lease_notify", &core_lease_notify},
    {"snake_lease_returned_copy", &core_lease_returned_copy},
    {"snake_callback_install", &core_callback_install},
    {"snake_interrupt_raise", &core_interrupt_raise},
    {"snake_callback_origin", &core_callback_origin},
    {"snake_threads_describe", &core_threads_describe},
    {"snake_object_clone", &core_object_clone},
    {"snake_object_free", &core_object_free},
    {"snake_object_value", &core_object_value},
    {"snake_function_load", &core_function_load},
    {"snake_function_free", &core_function_free},
    {"snake_function_call", &core_function_call},
    {"snake_function_map", &core_function_map},
    {"snake_output_new", &core_output_new},
    {"snake_output_copy", &core_output_copy},
    {"snake_output_close", &core_output_close},
    {"snake_output_free", &core_output_free},
    {"snake_output_bypass", &core_output_bypass},
    {"snake_signal_action", &core_signal_action}, // the last: from here on it is called, and the core stays
};

int signal_action(int number, const struct sigaction *action, struct sigaction *previous, const void *caller) {
    if (__atomic_load_n((void **)&core_signal_action, __ATOMIC_ACQUIRE) != NULL) {
        return snake_signal_action(number, action, previous, caller);
    }
    return __sigaction(number, action, previous);
}

// Opens a library. On failure returns NULL and sets *error to a copy of what the loader says.
static void *open_library(const char *path, int flags, char **error) {
    void *library = dlopen(path, flags);
    if (library == NULL) {
        const char *reason = dlerror();
        *error = strdup(reason != NULL ? reason : "the loader gave no reason");
    }
    return library;
}

void *libpython_open(const char *path, uint32_t *version, const char **release, char **error) {
    void *library = open_library(path, RTLD_NOW | RTLD_LOCAL, error);
    if (library != NULL) {
        const unsigned long *hex = dlsym(library, "Py_Version");
        *version = hex != NULL ? (uint32_t)(*hex >> 16) : 0;
        const char *(*get_version)(void) = NULL; // may be called before Python starts
        *(void **)&get_version = dlsym(library, "Py_GetVersion");
        *release = get_version != NULL ? get_version() : "";
    }
    return library;
}

bool libpython_publish(const char *path, char **error) {
    return open_library(path, RTLD_NOW | RTLD_GLOBAL, error) != NULL;
}

void libpython_close(void *library) {
    dlclose(library);
}

bool core_open(const char *path, uint32_t *version, char **file, char **error) {
    void *library = open_library(path, RTLD_NOW | RTLD_LOCAL, error);
    if (library == NULL) {
        return false;
    }
    uint32_t (*abi_version)(void) = NULL;
    *(void **)&abi_version = dlsym(library, "snake_abi_version");
    *version = abi_version != NULL ? abi_version() : 0;
    if (*version != SNAKE_ABI_VERSION) {
        dlclose(library);
        return false;
    }
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *function = dlsym(library, functions[i].name);
        if (function == NULL) {
            *error = strdup(functions[i].name);
            dlclose(library);
            return false;
        }
        memcpy(functions[i].place, &function, sizeof function);
    }
    struct link_map *map = NULL;
    *file = strdup(dlinfo(library, RTLD_DI_LINKMAP, &map) == 0 ? map->l_name : path);
    return true;
}
