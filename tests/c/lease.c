// Memory that Python keeps, and the news that it let go.
#define _GNU_SOURCE // pipe2
#include "host.h"
#include "tests.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static double data[] = {1, 2, 4, 8};

static void call_without_arguments(const char *name) {
    snake_function *function = fixture(name);
    job job;
    job_new(&job);
    CHECK_SUCCESS(job_run(&job, function));
    snake_function_free(function);
}

static size_t returned(uint64_t *leases, size_t capacity) {
    size_t len = SIZE_MAX;
    CHECK_SUCCESS(snake_lease_returned_copy(leases, capacity, &len));
    return len;
}

// How many bytes wait in a pipe; takes them.
static ssize_t rings(int descriptor) {
    char bytes[100];
    ssize_t read_bytes = read(descriptor, bytes, sizeof bytes);
    return read_bytes < 0 ? 0 : read_bytes;
}

static void test_kept(int bell) {
    static const struct {
        const char *fixture;
        bool fails;
    } KEEPERS[] = {
        {"keep", false},          {"keep_view", false},         {"keep_memoryview", false}, {"keep_and_fail", true},
        {"keep_in_cycle", false}, {"keep_in_exception", false}, {"fail_with", true},
    };
    for (size_t i = 0; i < LENGTH(KEEPERS); i++) {
        const char *name = KEEPERS[i].fixture;
        bool keeps = strcmp(name, "fail_with") != 0;
        snake_function *function = fixture(name);
        check_subject = name;
        job job;
        job_new(&job);
        memset(job.leases, 0xee, sizeof job.leases);
        job_array(&job, SNAKE_DTYPE_FLOAT64, data, 4);
        if (KEEPERS[i].fails) {
            CHECK_ERROR(PYTHON, "", job_run(&job, function));
        } else {
            CHECK_SUCCESS(job_run(&job, function));
        }
        CHECK(job.call.retained == keeps);
        CHECK(stats().leases == keeps);
        uint64_t leases[4];
        CHECK(returned(leases, 4) == 0 && rings(bell) == 0);
        call_without_arguments("drop");
        CHECK(stats().leases == 0);
        CHECK(rings(bell) == keeps);
        CHECK(returned(leases, 4) == keeps);
        if (keeps) {
            CHECK(job.leases[0] != 0 && leases[0] == job.leases[0]);
        } else {
            CHECK(job.leases[0] == UINT64_C(0xeeeeeeeeeeeeeeee)); // written to only if something is retained
        }
        CHECK(job.leases[1] == UINT64_C(0xeeeeeeeeeeeeeeee));
        CHECK(returned(leases, 4) == 0);
        snake_function_free(function);
    }
    check_subject = "";
}

static void test_several(int bell) {
    snake_function *keep = fixture("keep"), *keep_second = fixture("keep_second"), *kept = fixture("kept_total");
    job job;
    job_new(&job);
    for (int i = 0; i < 3; i++) {
        job_array(&job, SNAKE_DTYPE_FLOAT64, data, 4);
    }
    memset(job.leases, 0xee, sizeof job.leases);
    CHECK_SUCCESS(job_run(&job, keep_second));
    CHECK(job.call.retained == 1);
    CHECK(job.leases[0] == 0 && job.leases[1] != 0 && job.leases[2] == 0);
    CHECK(job.leases[3] == UINT64_C(0xeeeeeeeeeeeeeeee));
    uint64_t second = job.leases[1];

    CHECK_SUCCESS(job_run(&job, keep));
    CHECK(job.call.retained == 3);
    CHECK(job.leases[0] && job.leases[1] && job.leases[2]);
    CHECK(job.leases[0] != job.leases[1] && job.leases[1] != job.leases[2] && job.leases[1] != second);
    CHECK(stats().leases == 4);

    // It is the host's memory that Python kept, not a copy.
    struct job look;
    job_new(&look);
    data[0] = 101;
    CHECK_SUCCESS(job_run(&look, kept));
    double sum;
    memcpy(&sum, &look.call.result.value.bits, sizeof sum);
    CHECK(sum == 4 * 115);
    data[0] = 1;

    call_without_arguments("drop");
    CHECK(stats().leases == 0);
    CHECK(rings(bell) == 1); // one for all that came back before they were taken
    uint64_t leases[5] = {0, 0, 0, 0, 77};
    CHECK(returned(NULL, 0) == 0);
    CHECK(returned(leases, 3) == 3 && leases[3] == 0); // what does not fit stays
    CHECK(returned(leases + 3, 1) == 1);
    CHECK(returned(leases, 4) == 0 && leases[4] == 77);
    uint64_t sum_of_leases = 0, sum_of_returned = 0;
    for (int i = 0; i < 4; i++) {
        sum_of_leases += i < 3 ? job.leases[i] : second;
        sum_of_returned += leases[i];
    }
    CHECK(sum_of_leases == sum_of_returned);
    snake_function_free(keep);
    snake_function_free(keep_second);
    snake_function_free(kept);
}

static void test_misuse(void) {
    uint64_t leases[3];
    size_t len = 7;
    CHECK_ERROR(ARGUMENT, "leases", snake_lease_returned_copy(NULL, 2, &len));
    CHECK_ERROR(ARGUMENT, "out_len", snake_lease_returned_copy(leases, 2, NULL));
    CHECK_ERROR(ARGUMENT, "leases", snake_lease_returned_copy((uint64_t *)(void *)((char *)leases + 1), 2, &len));
    CHECK_ERROR(ARGUMENT, "out_len", snake_lease_returned_copy(leases, 2, (size_t *)(void *)((char *)leases + 4)));
    CHECK(len == 7);
    CHECK_SUCCESS(snake_lease_returned_copy(leases, SIZE_MAX, &len)); // the host's word: few came back
    CHECK(len == 0);
}

// News gets through with no bell, with a descriptor that is closed, and with a pipe that is full.
static void test_bells(void) {
    int full[2];
    CHECK(pipe2(full, O_NONBLOCK) == 0);
    char bytes[4096] = {0};
    while (write(full[1], bytes, sizeof bytes) > 0) {
    }
    const int descriptors[] = {-1, INT32_MIN, 1000000, full[1]};
    snake_function *keep = fixture("keep");
    for (size_t i = 0; i < LENGTH(descriptors); i++) {
        snake_lease_notify(descriptors[i]);
        job job;
        job_new(&job);
        job_array(&job, SNAKE_DTYPE_FLOAT64, data, 4);
        CHECK_SUCCESS(job_run(&job, keep));
        call_without_arguments("drop");
        uint64_t lease = 0;
        CHECK(returned(&lease, 1) == 1 && lease == job.leases[0]);
    }
    snake_function_free(keep);
    snake_lease_notify(-1);
    close(full[0]);
    close(full[1]);
}

void test_lease(void) {
    int bell[2];
    CHECK(pipe2(bell, O_NONBLOCK) == 0);
    snake_lease_notify(bell[1]);
    test_kept(bell[0]);
    test_several(bell[0]);
    test_bells();
    test_misuse();
    close(bell[0]);
    close(bell[1]);
}
