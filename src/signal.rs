//! Signals are the host's: no handler of its changes, and no thread of its keeps a mask that Python has given it.
//!
//! The helper `gophersnake.signals` refuses what Python code would change. What C code changes is for `handler`: nothing while an
//! extension module is imported, and while CPython starts; what it does later is mended, and told.
#![expect(unsafe_code, reason = "changes the masks of threads")]

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use pyo3::types::PyCFunction;

use crate::builtin::Call;
use crate::handler::{self, Unchanged};
use crate::{activity, boundary, builtin, context, interpreter, package, process, stack, thread_state};

/// Installs the helper. The calling thread is Python's main thread.
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    // Extension modules may install handlers when they are imported; `readline` does.
    for name in ["create_dynamic", "exec_dynamic"] {
        builtin::replace(py, "_imp", name, |call| {
            if process::is_fork() {
                return call.original();
            }
            let _unchanged = Unchanged::new();
            call.original()
        })?;
    }
    for (module, name, blocked) in STARTS {
        builtin::replace(py, module, name, move |call| {
            if process::is_fork() {
                return call.original();
            }
            let before = set_sigpipe_blocked(blocked);
            let outcome = if module == "_thread" {
                start_thread(call)
            } else {
                call.original()
            };
            set_sigpipe_blocked(before);
            outcome
        })?;
    }
    let remember = PyCFunction::new_closure(py, Some(c"remember_mask"), None, |_, _| remember_mask())?;
    let taken = PyCFunction::new_closure(py, Some(c"find_taken"), None, |_, _| handler::find_taken())?;
    let notes = PyCFunction::new_closure(py, Some(c"notes"), None, |arguments, _| {
        PyResult::Ok(handler::notes(arguments.get_item(0)?.extract()?))
    })?;
    package::module(py, "signals")?.call_method1("install", (remember, taken, notes))?;
    activity::now(); // the clock looks from now on, also if there are no calls
    Ok(())
}

/// Mends what was done to the handlers, which the clock asks for again and again. Where there is something to tell, another
/// thread does it, since that waits for the GIL.
pub(crate) fn look() {
    static TELLING: AtomicBool = AtomicBool::new(false);
    if !handler::look() || interpreter::check_running().is_err() || TELLING.swap(true, Ordering::Relaxed) {
        return;
    }
    let thread = std::thread::Builder::new()
        .name("gophersnake-signals".to_owned())
        .stack_size(stack::default_size());
    let started = thread.spawn(|| {
        set_sigpipe_blocked(true);
        if let Ok(_attached) = thread_state::attach() {
            // What cannot be told is still counted.
            let _ = boundary::counted(|py| package::module(py, "signals")?.call_method0("tell").map(drop));
        }
        TELLING.store(false, Ordering::Relaxed);
    });
    if started.is_err() {
        TELLING.store(false, Ordering::Relaxed); // out of threads: another time
    }
}

/// Starts a thread, which begins with a copy of the program's context, and lets `gophersnake.main_thread` know which call
/// has it started.
fn start_thread(call: &Call<'_, '_>) -> PyResult<Py<PyAny>> {
    let py = call.py();
    let helper = package::module(py, "main_thread")?;
    let (token, number): (Bound<'_, PyAny>, Bound<'_, PyAny>) =
        helper.call_method1("starting", (call.first(),))?.extract()?;
    let outcome = match call.first().map(context::for_thread).transpose() {
        Ok(Some(function)) => call.original_with_first(&function),
        Ok(None) => call.original(),
        Err(failure) => Err(failure),
    };
    let thread = outcome.as_ref().ok().map(|thread| thread.bind(py));
    helper.call_method1("started", (token, number, thread))?;
    outcome
}

/// What starts threads and processes, which inherit the mask of the thread that does, and whether they have SIGPIPE
/// blocked. A pipe that nobody reads raises `BrokenPipeError` in a thread that hosted code starts: where the host keeps the
/// handler of SIGPIPE, the signal would end the process on a thread that is not the host's. It ends the programs that such
/// a thread starts, as any other.
const STARTS: [(&str, &str, bool); 7] = [
    ("_thread", "start_new_thread", true),
    ("_thread", "start_new", true),
    ("_thread", "start_joinable_thread", true), // from 3.13 on
    ("_posixsubprocess", "fork_exec", false),
    ("posix", "posix_spawn", false),
    ("posix", "posix_spawnp", false),
    ("posix", "system", false),
];

/// Keeps SIGPIPE away from this thread and from those that it starts, or lets it come again; returns how it was.
///
/// Without it, writing to a pipe that nobody reads fails with EPIPE. Where it comes on a thread that is not the
/// host's, a Go program ends.
pub(crate) fn set_sigpipe_blocked(blocked: bool) -> bool {
    let how = if blocked { libc::SIG_BLOCK } else { libc::SIG_UNBLOCK };
    // SAFETY: the sets are initialised before they are used; only the mask of the calling thread changes.
    unsafe {
        let (mut signals, mut before) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigemptyset(&raw mut signals);
        libc::sigaddset(&raw mut signals, libc::SIGPIPE);
        libc::pthread_sigmask(how, &raw const signals, &raw mut before);
        libc::sigismember(&raw const before, libc::SIGPIPE) == 1
    }
}

/// Whether Python has ever changed the mask of a thread of the host's.
static MASKED: AtomicBool = AtomicBool::new(false);

thread_local! {
    static MASK: Cell<Option<libc::sigset_t>> = const { Cell::new(None) };
}

/// Has the mask of this thread restored when the host's call ends that it is in.
fn remember_mask() {
    if !thread_state::is_in_call() || MASK.get().is_some() {
        return;
    }
    // SAFETY: without a new set, the mask is only read, into room for it.
    let mask = unsafe {
        let mut mask = std::mem::zeroed();
        libc::pthread_sigmask(libc::SIG_SETMASK, std::ptr::null(), &raw mut mask);
        mask
    };
    MASK.set(Some(mask));
    MASKED.store(true, Ordering::Relaxed);
}

/// Restores the mask of this thread, which leaves Python.
#[inline]
pub(crate) fn restore_mask() {
    if MASKED.load(Ordering::Relaxed) {
        restore_mask_if_changed();
    }
}

#[cold]
fn restore_mask_if_changed() {
    if let Ok(Some(mask)) = MASK.try_with(Cell::take) {
        // SAFETY: a mask that this thread had.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const mask, std::ptr::null_mut()) };
    }
}

/// Leaves a forked process without the host's handlers. May be called after a fork.
pub(crate) fn leave_host() {
    handler::leave_host();
    set_sigpipe_blocked(false);
}
