// The tests, in the order in which they run: each file tests one noun of the header.
#ifndef TESTS_H
#define TESTS_H

// Before the interpreter runs.
void test_not_started(void);
void test_wrong_config(void);

// Starts it.
void test_start(void);

void test_error(void);
void test_value(void);
void test_result(void);
void test_tree(void);
void test_array(void);
void test_lease(void);
void test_object(void);
void test_function(void);
void test_thread_state(void);
void test_callback(void);
void test_interrupt(void);

// Ends it.
void test_shutdown(void);

// Each in a process of its own.
void test_broken_stdlib(void);
void test_panic(void);

#endif
