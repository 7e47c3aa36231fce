//! Processes that hosted code makes by forking this one: nothing of the host but the calling thread is there, so they
//! never return to it.
#![expect(unsafe_code, reason = "watches forks, and ends forked processes")]

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;

use crate::{boundary, package, signal};

static IS_FORK: AtomicBool = AtomicBool::new(false);

/// Whether this process is a fork of the host's.
#[inline]
pub(crate) fn is_fork() -> bool {
    IS_FORK.load(Ordering::Relaxed)
}

extern "C" fn note_fork() {
    IS_FORK.store(true, Ordering::Relaxed);
    signal::leave_host();
}

/// Watches forks from now on.
pub(crate) fn watch() {
    static WATCH: Once = Once::new();
    // SAFETY: the handler stores a flag and makes system calls, which is allowed after a fork; this library is never
    // unloaded.
    WATCH.call_once(|| unsafe {
        libc::pthread_atfork(None, None, Some(note_fork));
    });
}

/// Ends a forked process where it would return to the host, as CPython ends a program. The calling thread is attached.
#[cold]
#[inline(never)]
pub(crate) fn end(exception: Option<PyErr>) -> ! {
    let status = boundary::counted(|py| {
        package::module(py, "processes")?
            .call_method1("end", (exception,))?
            .extract()
    });
    // Not `exit`: what the host and its libraries have registered is theirs, and their threads are not there.
    // SAFETY: ends the process.
    unsafe { libc::_exit(status.unwrap_or(1)) }
}
