//! Interrupting calls that run.
//!
//! CPython can raise an exception in another thread: between two instructions of bytecode, whenever the thread gets to
//! one. Alone, that would hit whatever call the thread makes by then. So each call that can be interrupted has a serial
//! number, which is compared while the GIL is held, and what was raised but not yet delivered is taken back at its end.
#![expect(unsafe_code, reason = "shares memory with the host and other threads")]

use std::os::raw::c_long;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict};

use crate::boundary::{Failure, attached, out};
use crate::error::Error;
use crate::{package, thread_state};

/// By what a call can be interrupted. It is the host's, which sets `serial` before each call that uses it, to a number
/// other than 0 that no earlier call had; the library does the rest. It stays valid for ever.
#[repr(C)]
#[derive(Debug)]
pub struct Interrupt {
    /// The number of the call.
    pub serial: u64,
    /// The library's: the number of the call while its Python code runs, or waits for a function of the host's; else 0.
    pub running: u64,
    /// The library's: the thread of the call.
    pub thread: u64,
    /// The library's: 1 while the call waits for a function of the host's.
    pub paused: u32,
    /// The library's: 1 while the exception was raised but did not arrive.
    pub pending: u32,
    /// Out: how often the call was interrupted.
    pub count: u32,
}

/// Raises `gophersnake.GoCancelled` in a call, if it is the one with that number and Python runs it. Where the call is
/// blocked in C or waits for a function of the host's, it is raised when that returns. `*raised` tells whether it was:
/// it is not if the call has ended or has not begun, nor while Python 3.11 starts a thread; then ask again.
///
/// Any thread; attaches.
///
/// # Safety
///
/// `interrupt` must be that of a call; `raised` must point to room for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn snake_interrupt_raise(
    interrupt: *const Interrupt,
    serial: u64,
    raised: *mut u32,
) -> *mut Error {
    attached(|py| {
        // SAFETY: the caller's promise.
        let raised = unsafe { out("raised", raised) }.map_err(Failure::Report)?;
        if interrupt.is_null() || !interrupt.is_aligned() {
            return Err(Failure::argument(
                "interrupt: want a pointer, got NULL or one that is not aligned",
            ));
        }
        *raised = 0;
        let shared = Shared(interrupt);
        // First, because other threads may run while it is looked for.
        let exception = package::module(py, "errors")?.getattr("GoCancelled")?;
        let starting = starting_threads(py)?;
        if serial != 0
            && shared.running().load(Ordering::Relaxed) == serial
            && starting.is_none_or(|threads| threads.is_empty())
        {
            // Not now, if it waits: what the host's function calls on that thread is another call.
            // SAFETY: attached since the number was compared, so that the call has not ended: its thread is in Python
            // and waits for the GIL.
            let found = shared.paused().load(Ordering::Relaxed) != 0
                || unsafe { ffi::PyThreadState_SetAsyncExc(shared.id(), exception.as_ptr()) } > 0;
            if found {
                shared.pending().store(1, Ordering::Relaxed);
                shared.count().fetch_add(1, Ordering::Relaxed);
                *raised = 1;
            }
        }
        Ok(())
    })
}

/// The threads that the module threading is starting, in Python 3.11, whose new thread has the number of the thread that
/// starts it until it runs: it would get the exception that is for the other one.
fn starting_threads(py: Python<'_>) -> PyResult<Option<Bound<'_, PyDict>>> {
    if py.version_info() >= (3, 12) {
        return Ok(None);
    }
    Ok(Some(py.import("threading")?.getattr("_limbo")?.cast_into()?))
}

/// An interrupt, whose fields several threads use; those of the library's own only while attached.
#[derive(Clone, Copy)]
pub(crate) struct Shared(*const Interrupt);

impl Shared {
    pub(crate) const NONE: Shared = Shared(std::ptr::null());

    pub(crate) fn is_none(self) -> bool {
        self.0.is_null()
    }

    fn field<'a>(self, field: *const u64) -> &'a AtomicU64 {
        // SAFETY: a field of the host's struct, which stays valid for ever by its contract and is used atomically by all.
        unsafe { AtomicU64::from_ptr(field.cast_mut()) }
    }

    fn running<'a>(self) -> &'a AtomicU64 {
        // SAFETY: the pointer is not NULL, as all callers check.
        self.field(unsafe { &raw const (*self.0).running })
    }

    fn thread<'a>(self) -> &'a AtomicU64 {
        // SAFETY: as above.
        self.field(unsafe { &raw const (*self.0).thread })
    }

    /// The thread of the call, as CPython takes it.
    fn id(self) -> c_long {
        self.thread().load(Ordering::Relaxed).cast_signed()
    }

    fn count<'a>(self) -> &'a AtomicU32 {
        // SAFETY: as above, and as in `field`.
        unsafe { AtomicU32::from_ptr((&raw const (*self.0).count).cast_mut()) }
    }

    fn paused<'a>(self) -> &'a AtomicU32 {
        // SAFETY: as above.
        unsafe { AtomicU32::from_ptr((&raw const (*self.0).paused).cast_mut()) }
    }

    fn pending<'a>(self) -> &'a AtomicU32 {
        // SAFETY: as above.
        unsafe { AtomicU32::from_ptr((&raw const (*self.0).pending).cast_mut()) }
    }

    /// Whether the exception was raised but did not arrive.
    pub(crate) fn is_pending(self) -> bool {
        !self.is_none() && self.pending().load(Ordering::Relaxed) != 0
    }

    /// The exception has arrived.
    pub(crate) fn arrive(self) {
        if !self.is_none() {
            self.pending().store(0, Ordering::Relaxed);
            self.take_back();
        }
    }

    /// Takes back what did not arrive. The thread is that of the call, and attached.
    fn take_back(self) {
        // SAFETY: attached; no exception is what takes it back.
        unsafe { ffi::PyThreadState_SetAsyncExc(self.id(), null_mut()) };
    }

    /// The call waits for a function of the host's.
    pub(crate) fn pause(self) {
        self.paused().store(1, Ordering::Relaxed);
        if self.is_pending() {
            self.take_back();
        }
    }

    /// The call does not wait any more. Its thread is attached.
    pub(crate) fn go_on(self) {
        self.paused().store(0, Ordering::Relaxed);
    }
}

/// Raises what is pending for the call that this thread is in, after a function of the host's: at once, if that has
/// returned, else at the next instruction, since the function has an exception of its own.
pub(crate) fn raise_pending(py: Python<'_>, returned: bool) -> Result<(), Failure> {
    let shared = thread_state::interrupt();
    if !shared.is_pending() {
        return Ok(());
    }
    let exception = package::module(py, "errors")?.getattr("GoCancelled")?;
    if returned {
        shared.arrive();
        return Err(PyErr::from_type(exception.cast_into().map_err(PyErr::from)?, ()).into());
    }
    // SAFETY: attached, and the thread is this one.
    unsafe { ffi::PyThreadState_SetAsyncExc(shared.id(), exception.as_ptr()) };
    Ok(())
}

/// Lets `GoCancelled` say that it has arrived: whoever makes one is the interpreter, which raises it.
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    let arrived = PyCFunction::new_closure(py, Some(c"arrived"), None, |_, _| thread_state::interrupt().arrive())?;
    package::module(py, "errors")?.setattr("arrived", arrived)
}

/// Runs `body`, the Python code of a call, which may be interrupted from now on.
#[inline]
pub(crate) fn interruptible<R>(interrupt: *const Interrupt, body: impl FnOnce() -> R) -> R {
    if interrupt.is_null() {
        return body();
    }
    /// Ends the time in which the call can be interrupted, also when a panic unwinds: PyO3 lets those that came
    /// through Python go on.
    struct Running {
        shared: Shared,
        before: Shared,
    }
    impl Drop for Running {
        fn drop(&mut self) {
            thread_state::exchange_interrupt(self.before);
            self.shared.running().store(0, Ordering::Relaxed);
            if self.shared.is_pending() {
                self.shared.take_back();
            }
        }
    }
    let shared = Shared(interrupt);
    shared.count().store(0, Ordering::Relaxed);
    shared.pending().store(0, Ordering::Relaxed);
    shared.paused().store(0, Ordering::Relaxed);
    // SAFETY: always succeeds. It is the thread's name for CPython too.
    shared
        .thread()
        .store(unsafe { libc::pthread_self() }, Ordering::Relaxed);
    // SAFETY: the struct is there; the host writes the number only between calls.
    shared
        .running()
        .store(unsafe { (*interrupt).serial }, Ordering::Relaxed);
    let _running = Running {
        shared,
        before: thread_state::exchange_interrupt(shared),
    };
    body()
}
