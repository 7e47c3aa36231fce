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

use crate::boundary::{Failure, attached, out};
use crate::error::Error;
use crate::{interpreter, thread_state};

/// By what a call can be interrupted. It is the host's, which sets `serial` before each call that uses it, to a number
/// other than 0 that no earlier call had; the library does the rest. It stays valid for ever.
#[repr(C)]
#[derive(Debug)]
pub struct Interrupt {
    /// The number of the call.
    pub serial: u64,
    /// The library's: the number of the call while it can be interrupted, else 0.
    pub running: u64,
    /// The library's: the thread of the call.
    pub thread: u64,
    /// Out: how often the call was interrupted.
    pub count: u32,
}

/// Raises `gophersnake.GoCancelled` in a call, if it is the one with that number and Python runs it. Where the call is
/// blocked in C, it is raised when that returns. `*raised` tells whether it was: it is not if the call has ended, has not
/// begun or waits for a function of the host's.
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
        let exception = interpreter::helper(py, "errors")?.getattr("GoCancelled")?;
        if serial != 0 && shared.running().load(Ordering::Relaxed) == serial {
            // SAFETY: attached since the number was compared, so that the call has not ended: its thread is in Python
            // and waits for the GIL.
            let threads = unsafe { ffi::PyThreadState_SetAsyncExc(shared.id(), exception.as_ptr()) };
            if threads > 0 {
                shared.count().fetch_add(1, Ordering::Relaxed);
                *raised = 1;
            }
        }
        Ok(())
    })
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

    /// The call does not run for a while: it waits for a function of the host's.
    pub(crate) fn pause(self) {
        self.running().store(0, Ordering::Relaxed);
    }

    /// The call runs on this thread, which is attached.
    pub(crate) fn go_on(self) {
        // SAFETY: the struct is there; the host writes the number only between calls.
        let serial = unsafe { (*self.0).serial };
        // SAFETY: always succeeds. It is the thread's name for CPython too.
        let thread = unsafe { libc::pthread_self() };
        self.thread().store(thread, Ordering::Relaxed);
        self.running().store(serial, Ordering::Relaxed);
    }
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
            self.shared.pause();
            if self.shared.count().load(Ordering::Relaxed) > 0 {
                // SAFETY: attached; this takes back what was not delivered.
                unsafe { ffi::PyThreadState_SetAsyncExc(self.shared.id(), null_mut()) };
            }
        }
    }
    let shared = Shared(interrupt);
    shared.count().store(0, Ordering::Relaxed);
    shared.go_on();
    let _running = Running {
        shared,
        before: thread_state::exchange_interrupt(shared),
    };
    body()
}
