//! Where the threads of Python are.
#![expect(unsafe_code, reason = "reads what the host described")]

use pyo3::prelude::*;

use crate::boundary::{Failure, counted, guarded, out};
use crate::error::Error;
use crate::value::ValueResult;
use crate::{interpreter, package, thread_state};

/// Describes where threads of Python are: a list of dicts with `ident` (as `threading.get_ident` names the thread),
/// `name`, `daemon`, `task`, and `frames`, a list of dicts with `file`, `function` and `line`, outermost first. A `thread`
/// other than 0 asks for that one only. The calling thread is left out. With 0, there are also the first 1,000 tasks that the
/// host waits for: `task` is the number that the host gave `gophersnake.tasks:start`, and 0 in a thread. A task alone is asked
/// for by its number and the highest bit.
///
/// Any thread, also after `snake_interpreter_shutdown`; attaches, so that it waits for as long as C code holds the GIL.
///
/// # Safety
///
/// `result` must be as its contract says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn snake_threads_describe(thread: u64, result: *mut ValueResult) -> *mut Error {
    guarded(|| {
        // SAFETY: the caller's promise.
        let result = unsafe { out("result", result) }?;
        interpreter::check_started()?;
        let _attached = thread_state::attach_started();
        counted(|py| describe(py, thread, result).map_err(|failure| failure.report(py)))
    })
}

fn describe(py: Python<'_>, thread: u64, result: &mut ValueResult) -> Result<(), Failure> {
    let threads = package::module(py, "threads")?.call_method1("describe", (thread,))?;
    result.describe(threads)
}
