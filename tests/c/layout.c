// Prints what src/interpreter.rs knows of CPython's structs, as one installed header says it. Needs no libpython.
#include <Python.h>

#include <stddef.h>
#include <stdio.h>

int main(void) {
    printf("program_name=%zu utf8_mode=%zu preconfig_size=%zu config_size=%zu status=%zu,%zu,%zu,%zu,%zu\n",
           offsetof(PyConfig, program_name), offsetof(PyPreConfig, utf8_mode), sizeof(PyPreConfig), sizeof(PyConfig),
           offsetof(PyStatus, _type), offsetof(PyStatus, func), offsetof(PyStatus, err_msg),
           offsetof(PyStatus, exitcode), sizeof(PyStatus));
    return 0;
}
