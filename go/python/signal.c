// The functions of libc that change how signals are handled. Libraries that are loaded later are bound to what the
// executable defines: so nothing that they do to the program's handlers goes unseen. Weak, because a program may have
// its own; then the core finds what libraries did when it looks, every 10 ms.
#define _GNU_SOURCE
#include "core.h"

#include <errno.h>
#include <signal.h>

typedef void (*handler)(int);

#define CALLER __builtin_return_address(0)
#define DEFINED __attribute__((weak, visibility("default")))

DEFINED int sigaction(int number, const struct sigaction *action, struct sigaction *previous) {
    return signal_action(number, action, previous, CALLER);
}

// Installs a handler and returns the one before.
static handler install(int number, handler wanted, int flags, bool blocked, const void *caller) {
    struct sigaction action = {.sa_handler = wanted, .sa_flags = flags}, previous;
    sigemptyset(&action.sa_mask);
    if (wanted == SIG_ERR || (blocked && sigaddset(&action.sa_mask, number) < 0)) {
        errno = EINVAL;
        return SIG_ERR;
    }
    return signal_action(number, &action, &previous, caller) < 0 ? SIG_ERR : previous.sa_handler;
}

// The signals whose handlers interrupt system calls: see siginterrupt.
static uint64_t interrupting;

static uint64_t bit(int number) {
    return number >= 1 && number <= 64 ? UINT64_C(1) << (number - 1) : 0;
}

static handler install_bsd(int number, handler wanted, const void *caller) {
    bool interrupts = (__atomic_load_n(&interrupting, __ATOMIC_RELAXED) & bit(number)) != 0;
    return install(number, wanted, interrupts ? 0 : SA_RESTART, true, caller);
}

DEFINED handler signal(int number, handler wanted) {
    return install_bsd(number, wanted, CALLER);
}

DEFINED handler bsd_signal(int number, handler wanted) {
    return install_bsd(number, wanted, CALLER);
}

DEFINED handler ssignal(int number, handler wanted) {
    return install_bsd(number, wanted, CALLER);
}

DEFINED handler sysv_signal(int number, handler wanted) {
    return install(number, wanted, (int)(SA_RESETHAND | SA_NODEFER), false, CALLER);
}

DEFINED handler __sysv_signal(int number, handler wanted) {
    return install(number, wanted, (int)(SA_RESETHAND | SA_NODEFER), false, CALLER);
}

DEFINED int sigignore(int number) {
    return install(number, SIG_IGN, 0, false, CALLER) == SIG_ERR ? -1 : 0;
}

DEFINED handler sigset(int number, handler wanted) {
    sigset_t signal, before;
    sigemptyset(&signal);
    if (wanted == SIG_ERR || sigaddset(&signal, number) < 0) {
        errno = EINVAL;
        return SIG_ERR;
    }
    struct sigaction previous;
    if (wanted == SIG_HOLD) {
        if (sigprocmask(SIG_BLOCK, &signal, &before) < 0 || signal_action(number, NULL, &previous, CALLER) < 0) {
            return SIG_ERR;
        }
    } else {
        previous.sa_handler = install(number, wanted, 0, false, CALLER);
        if (previous.sa_handler == SIG_ERR || sigprocmask(SIG_UNBLOCK, &signal, &before) < 0) {
            return SIG_ERR;
        }
    }
    return sigismember(&before, number) ? SIG_HOLD : previous.sa_handler;
}

DEFINED int siginterrupt(int number, int interrupts) {
    struct sigaction action;
    if (signal_action(number, NULL, &action, CALLER) < 0) {
        return -1;
    }
    if (interrupts) {
        __atomic_fetch_or(&interrupting, bit(number), __ATOMIC_RELAXED);
        action.sa_flags &= ~SA_RESTART;
    } else {
        __atomic_fetch_and(&interrupting, ~bit(number), __ATOMIC_RELAXED);
        action.sa_flags |= SA_RESTART;
    }
    return signal_action(number, &action, NULL, CALLER);
}
