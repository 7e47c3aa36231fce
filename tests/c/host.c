#include "host.h"

#include <stdlib.h>
#include <string.h>

static const char *variable(const char *name) {
    const char *value = getenv(name);
    if (value == NULL) {
        fprintf(stderr, "%s is not set: start this program with tests/c/run.sh\n", name);
        exit(2);
    }
    return value;
}

snake_text text_of(const char *string) {
    return (snake_text){.ptr = (const uint8_t *)string, .len = strlen(string)};
}

snake_config host_config(void) {
    static snake_text folder;
    folder = text_of(variable("TEST_FOLDER"));
    return (snake_config){
        .executable = text_of(variable("TEST_EXECUTABLE")),
        .version = (uint32_t)strtoul(variable("TEST_VERSION"), NULL, 10),
        .path_len = 1,
        .path = &folder,
    };
}

snake_function *fixture(const char *name) {
    char path[100];
    snprintf(path, sizeof path, "fixtures:%s", name);
    snake_function *function = NULL;
    if (!CHECK_SUCCESS(snake_function_load((const uint8_t *)path, strlen(path), 0, &function))) {
        printf("no fixture %s\n", path);
        exit(2);
    }
    return function;
}

void job_new(job *job) {
    memset(job, 0, sizeof *job);
    job->call = (snake_call){
        .values = job->values,
        .lends = job->lends + 4,
        .lends_len = JOB_LENDS,
        .leases = job->leases,
        .leases_len = LENGTH(job->leases),
        .want = SNAKE_WANT_VALUE,
        .result = {.scratch = job->scratch, .scratch_len = sizeof job->scratch},
    };
}

snake_value *job_value(job *job, uint32_t kind, uint64_t bits, uint64_t len) {
    if (job->call.values_len == JOB_VALUES) {
        abort();
    }
    snake_value *value = &job->values[job->call.values_len++];
    *value = (snake_value){.kind = kind, .bits = bits, .len = len};
    return value;
}

snake_value *job_argument(job *job, uint32_t kind, uint64_t bits, uint64_t len) {
    if (job->call.kwargs == 0) {
        job->call.args++;
    }
    return job_value(job, kind, bits, len);
}

static snake_value *job_string(job *job, const char *string) {
    size_t len = strlen(string);
    if (len > JOB_BYTES - job->call.bytes_len) {
        abort();
    }
    memcpy(job->bytes + job->call.bytes_len, string, len);
    snake_value *value = job_value(job, SNAKE_KIND_TEXT, job->call.bytes_len, len);
    job->call.bytes_len += len;
    return value;
}

void job_text(job *job, const char *string) {
    job_string(job, string);
    if (job->call.kwargs == 0) {
        job->call.args++;
    }
}

void job_name(job *job, const char *string) {
    job_string(job, string);
    job->call.kwargs++;
}

void job_function(job *job, uint64_t handle, const snake_plan *plan) {
    job_argument(job, SNAKE_KIND_FUNCTION, handle, 0);
    job_string(job, "f");
    job_string(job, "host.f");
    job_string(job, "host");
    job_value(job, SNAKE_KIND_NONE, 0, 0);
    job_value(job, SNAKE_KIND_NONE, 0, 0);
    job_value(job, SNAKE_KIND_INT, (uintptr_t)plan, 0);
}

snake_value *job_array(job *job, uint32_t dtype, const void *data, uint64_t len) {
    if (job->arrays == LENGTH(job->lends)) {
        abort();
    }
    job->lends[job->arrays++] = data;
    snake_value *value = job_argument(job, SNAKE_KIND_ARRAY, 0, len);
    value->dtype = dtype;
    return value;
}

snake_value *job_nd_array(job *job, uint32_t dtype, const void *data, uint64_t dimensions, const int64_t *shape,
                          const int64_t *strides) {
    snake_value *value = job_array(job, dtype, data, dimensions);
    value->kind = SNAKE_KIND_ND_ARRAY;
    for (uint64_t i = 0; i < dimensions; i++) {
        job_value(job, SNAKE_KIND_INT, (uint64_t)shape[i], 0);
    }
    for (uint64_t i = 0; i < dimensions; i++) {
        int64_t stride = 8;
        for (uint64_t j = i + 1; strides == NULL && j < dimensions; j++) {
            stride *= shape[j];
        }
        job_value(job, SNAKE_KIND_INT, (uint64_t)(strides == NULL ? stride : strides[i]), 0);
    }
    return value;
}

snake_error *job_run(job *job, const snake_function *function) {
    return snake_function_call(function, &job->call, job->bytes, job->lends[0], job->lends[1], job->lends[2],
                               job->lends[3]);
}

bool job_result_is_text(const job *job, const char *string) {
    const snake_result *result = &job->call.result;
    snake_text text = {.ptr = result->data, .len = result->data_len};
    bool same = result->value.kind == SNAKE_KIND_TEXT && result->value.len == text.len && text_is(text, string);
    if (!same) {
        printf("    kind %u: %.*s\n    want %s\n", (unsigned)result->value.kind, (int)text.len, (const char *)text.ptr,
               string);
    }
    return same;
}

void job_free(job *job) {
    result_free(&job->call.result);
}

void result_free(snake_result *result) {
    snake_object_free(result->owner);
    snake_tree_free(result->tree);
    result->owner = NULL;
    result->tree = NULL;
}

snake_error *evaluate(const char *expression, snake_result *result) {
    static snake_function *function;
    if (function == NULL) {
        function = fixture("evaluate");
    }
    job job;
    job_new(&job);
    job_text(&job, expression);
    job.call.result = *result;
    snake_error *error = job_run(&job, function);
    *result = job.call.result;
    return error;
}

snake_stats stats(void) {
    snake_stats stats = {0};
    CHECK_SUCCESS(snake_interpreter_stats(&stats));
    return stats;
}
