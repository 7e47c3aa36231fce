//! One Python thread state per OS thread, created at the thread's first attach and kept until the thread ends.
//!
//! `PyGILState_Ensure` and `PyGILState_Release` alone would create and destroy a thread state on every call: about
//! 7,400 ns instead of 220, one mmap and one munmap each, and the values of every `threading.local` lost.
#![expect(unsafe_code, reason = "attaches and detaches through the C API of CPython")]

use std::cell::Cell;
use std::os::raw::c_int;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::ffi;

use crate::error::Report;
use crate::{interpreter, object};

unsafe extern "C" {
    // Exported by every libpython, but not part of the limited API.
    fn PyGILState_Check() -> c_int;
}

/// How many OS threads of the host have a Python thread state now.
pub(crate) static COUNT: AtomicUsize = AtomicUsize::new(0);

/// The thread state that this module keeps for an OS thread.
pub(crate) struct ThreadState {
    kept: Cell<*mut ffi::PyThreadState>,
    /// Whether a guard of this module lives further up this thread's stack.
    entered: Cell<bool>,
}

thread_local! {
    static THREAD_STATE: ThreadState = const {
        ThreadState { kept: Cell::new(null_mut()), entered: Cell::new(false) }
    };
}

impl Drop for ThreadState {
    /// The OS thread ends: give its thread state back.
    fn drop(&mut self) {
        let kept = self.kept.get();
        if kept.is_null() || self.entered.get() {
            return;
        }
        // SAFETY: `kept` was created by `PyGILState_Ensure` on this thread, whose counter still stands at one, and
        // the interpreter is never finalised; so restoring it attaches, and the release clears and deletes it.
        unsafe {
            ffi::PyEval_RestoreThread(kept);
            ffi::PyGILState_Release(ffi::PyGILState_STATE::PyGILState_UNLOCKED);
        }
        COUNT.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The calling thread is attached while this lives.
pub(crate) enum Attached {
    /// Through the kept thread state. Holds where that is kept, and whether another guard lives further up the stack.
    Kept(*const ThreadState, bool),
    /// It was attached before by a guard further up the stack, or by Python itself.
    Nested,
    /// Python made this thread and its thread state.
    Foreign(ffi::PyGILState_STATE),
}

/// Whether this thread of Python runs for a call of the host.
pub(crate) fn is_in_call() -> bool {
    THREAD_STATE.try_with(|state| state.entered.get()).unwrap_or(false)
}

/// Attaches the calling thread, waiting for the GIL, and releases what other threads gave back meanwhile.
pub(crate) fn attach() -> Result<Attached, Box<Report>> {
    interpreter::check_running()?;
    let attached = THREAD_STATE
        .try_with(|state| {
            let kept = state.kept.get();
            if kept.is_null() {
                return first_attach(state);
            }
            // SAFETY: the interpreter runs, so the thread-specific storage that this reads exists.
            if state.entered.get() && unsafe { PyGILState_Check() } != 0 {
                return Attached::Nested;
            }
            // SAFETY: `kept` belongs to this thread, which is not attached: its last guard saved it, or the code
            // that runs inside that guard detached.
            unsafe { ffi::PyEval_RestoreThread(kept) };
            Attached::Kept(state, state.entered.replace(true))
        })
        // The thread is ending and its own thread state is gone: use one for this call only.
        // SAFETY: the interpreter runs.
        .unwrap_or_else(|_| Attached::Foreign(unsafe { ffi::PyGILState_Ensure() }));
    object::release_pending();
    Ok(attached)
}

#[cold]
fn first_attach(state: &ThreadState) -> Attached {
    // SAFETY: the interpreter runs; both functions may be called from any thread, attached or not.
    unsafe {
        let python_made_it = !ffi::PyGILState_GetThisThreadState().is_null();
        let before = ffi::PyGILState_Ensure();
        if python_made_it {
            return Attached::Foreign(before);
        }
        state.kept.set(ffi::PyThreadState_Get());
    }
    COUNT.fetch_add(1, Ordering::Relaxed);
    Attached::Kept(state, state.entered.replace(true))
}

impl Drop for Attached {
    fn drop(&mut self) {
        match *self {
            Attached::Kept(state, outer) => {
                // SAFETY: the thread-local of this thread, which this guard never leaves; it lives until the thread ends.
                unsafe { (*state).entered.set(outer) };
                // SAFETY: this guard attached the thread and guards end in reverse order, so it is attached now.
                unsafe { ffi::PyEval_SaveThread() };
            }
            Attached::Nested => {}
            // SAFETY: pairs with the `PyGILState_Ensure` that returned this state on this thread.
            Attached::Foreign(before) => unsafe { ffi::PyGILState_Release(before) },
        }
    }
}
