// What a host program needs for its calls: the environment that it runs in, and the arguments of a call.
#ifndef HOST_H
#define HOST_H

#include "check.h"

// The environment, from the variables that run.sh sets; and the folder of the Python fixtures.
snake_config host_config(void);
snake_text text_of(const char *string);

// Loads a function of tests/python/fixtures.py. Fails the program if that does not work.
snake_function *fixture(const char *name);

enum { JOB_VALUES = 80, JOB_BYTES = 4096, JOB_LENDS = 8, JOB_SCRATCH = 256 };

// A call and all the memory that it points to. Every part may be changed before it runs.
typedef struct job {
    snake_call call;
    snake_value values[JOB_VALUES];
    uint8_t bytes[JOB_BYTES];
    const void *lends[4 + JOB_LENDS];
    uint64_t leases[4 + JOB_LENDS];
    _Alignas(16) uint64_t scratch[JOB_SCRATCH / 8]; // an unaligned one would not be used
    uint32_t arrays;
} job;

// A call without arguments that wants the value of its result, in scratch.
void job_new(job *job);
// The next value, one of a container's children or an argument.
snake_value *job_value(job *job, uint32_t kind, uint64_t bits, uint64_t len);
// The next argument. job_name goes before that of a keyword.
snake_value *job_argument(job *job, uint32_t kind, uint64_t bits, uint64_t len);
void job_text(job *job, const char *string);
void job_name(job *job, const char *string);
// A function of this program's; the plan, or NULL, must stay for ever.
void job_function(job *job, uint64_t handle, const snake_plan *plan);
snake_value *job_array(job *job, uint32_t dtype, const void *data, uint64_t len);

// An array of any rank; without strides it is C-contiguous, which takes a dtype of 8 bytes.
snake_value *job_nd_array(job *job, uint32_t dtype, const void *data, uint64_t dimensions, const int64_t *shape,
                          const int64_t *strides);

snake_error *job_run(job *job, const snake_function *function);
// Whether the job's result is this text.
bool job_result_is_text(const job *job, const char *string);
// Ends the result, and its tree.
void job_free(job *job);

// fixtures.evaluate, whose result is described in `result`.
snake_error *evaluate(const char *expression, snake_result *result);

// Ends the owner and the tree of a result.
void result_free(snake_result *result);

snake_stats stats(void);

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

#endif
