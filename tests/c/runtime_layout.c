// Prints what src/pending.rs knows of CPython's memory, as the headers of one installed version say it. Needs no
// libpython.
#define Py_BUILD_CORE 1
#include <Python.h>

#include <internal/pycore_runtime.h>

#include <internal/pycore_ceval.h>
#include <internal/pycore_interp.h>

#include <stddef.h>
#include <stdio.h>

int main(void) {
#if PY_VERSION_HEX < 0x030C0000
    printf("pending=%zu\n", offsetof(_PyRuntimeState, _main_interpreter.ceval.pending.calls_to_do));
#elif PY_VERSION_HEX < 0x030D0000
    printf("pending=%zu\n", offsetof(_PyRuntimeState, ceval.pending_mainthread.calls_to_do));
#else
    printf("eval_breaker=%zu calls_to_do=%u\n", offsetof(PyThreadState, eval_breaker), _PY_CALLS_TO_DO_BIT);
#endif
    return 0;
}
