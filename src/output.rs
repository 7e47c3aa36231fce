//! Python's standard streams: the helper `gophersnake.output` writes whole lines and says when it holds back a part of
//! one; the end of the call flushes it. So nothing is lost when the host just ends.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use pyo3::types::PyCFunction;

use crate::{interpreter, thread_state};

static INCOMPLETE: AtomicBool = AtomicBool::new(false);

/// Replaces `sys.stdout` and `sys.stderr`.
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    let incomplete = PyCFunction::new_closure(py, Some(c"incomplete"), None, |_, _| {
        INCOMPLETE.store(true, Ordering::Relaxed);
        thread_state::is_in_call()
    })?;
    interpreter::helper(py, "output")?.call_method1("install", (incomplete,))?;
    Ok(())
}

/// Flushes what the call that ends now left unwritten. The calling thread is attached.
#[inline]
pub(crate) fn complete() {
    if INCOMPLETE.load(Ordering::Relaxed) {
        flush();
    }
}

#[cold]
fn flush() {
    INCOMPLETE.store(false, Ordering::Relaxed);
    crate::boundary::counted(|py| {
        let flushed = interpreter::helper(py, "output").and_then(|helper| helper.call_method0("flush"));
        if let Err(exception) = flushed {
            // A stream that cannot be written to is not the fault of the call that ends.
            exception.write_unraisable(py, None);
        }
    });
}
