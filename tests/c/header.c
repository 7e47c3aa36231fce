// The header stands alone, in C and in C++, and may be included twice.
#include "gophersnake.h"

int main(void) {
    snake_error_code code = SNAKE_ERROR_CODE_PYTHON;
    return code == 1 && SNAKE_ABI_VERSION > 0 ? 0 : 1;
}
