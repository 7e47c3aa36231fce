// Runs the tests of one part and prints, last, how many checks passed.
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include "tests.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void run_abi(void) {
    test_not_started();
    test_wrong_config();
    test_start();
    test_error();
    test_value();
    test_result();
    test_tree();
    test_array();
    test_lease();
    test_object();
    test_function();
    test_thread_state();
    test_callback();
    test_interrupt();
    test_shutdown();
}

// Shows that AddressSanitizer watches: this must end the process.
static void run_overflow(void) {
    volatile char *bytes = malloc(8);
    volatile size_t beyond = 8;
    bytes[beyond] = 1;
    free((void *)bytes);
}

static const struct {
    const char *name;
    void (*run)(void);
} PARTS[] = {
    {"abi", run_abi},
    {"broken-stdlib", test_broken_stdlib},
    {"overflow", run_overflow},
#if defined(SNAKE_PANIC_FOR_TEST)
    {"panic", test_panic},
#endif
};

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0); // a crash loses no line
    alarm(300);                       // what hangs fails
    for (size_t i = 0; argc == 2 && i < sizeof PARTS / sizeof PARTS[0]; i++) {
        if (strcmp(argv[1], PARTS[i].name) == 0) {
            PARTS[i].run();
            printf("%d passed, %d failed\n", atomic_load(&checks_passed), atomic_load(&checks_failed));
            return atomic_load(&checks_failed) > 0;
        }
    }
    fprintf(stderr, "usage: %s PART\n", argv[0]);
    return 2;
}
