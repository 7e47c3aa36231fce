//! References to Python objects that the host owns.
//!
//! Freeing one only queues it: the next call of any thread releases it, when it ends. So a host may free from its garbage
//! collector's thread, which must not wait for Python.
#![expect(unsafe_code, reason = "hands references out as opaque pointers and takes them back")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use pyo3::ffi;
use pyo3::prelude::*;

use crate::boundary::{Failure, attached, attached_in_call, out};
use crate::error::Error;
use crate::value::ValueResult;
use crate::{context, process};

/// A reference to a Python object. Opaque; any thread may use it.
pub struct Object {
    _opaque: [u8; 0],
}

/// How many references the host owns.
pub(crate) static COUNT: AtomicUsize = AtomicUsize::new(0);

static FREED: Mutex<Vec<usize>> = Mutex::new(Vec::new());
static ANY_FREED: AtomicBool = AtomicBool::new(false);

impl Object {
    /// Hands a reference to the host.
    pub(crate) fn give(object: Bound<'_, PyAny>) -> *mut Object {
        COUNT.fetch_add(1, Ordering::Relaxed);
        object.into_ptr().cast()
    }

    /// The object behind an address that came over the ABI.
    ///
    /// # Safety
    ///
    /// `address` must be 0 or that of an object that the host owns.
    pub(crate) unsafe fn borrow_address(py: Python<'_>, address: u64) -> Result<Bound<'_, PyAny>, Failure> {
        let pointer = std::ptr::with_exposed_provenance_mut::<ffi::PyObject>(usize::try_from(address).unwrap_or(0));
        // SAFETY: the caller's promise: NULL or alive.
        unsafe { Bound::from_borrowed_ptr_or_opt(py, pointer) }
            .ok_or_else(|| Failure::argument("want an object, got NULL"))
    }
}

/// A reference that outlives the time for which its thread is attached. It is given back as those of the host are.
#[derive(Default)]
pub(crate) struct Kept(usize);

impl Kept {
    pub(crate) fn new(object: Bound<'_, PyAny>) -> Self {
        Kept(Object::give(object).expose_provenance())
    }

    /// Hands the reference to the host; NULL if there is none.
    pub(crate) fn give(&mut self) -> *mut Object {
        std::ptr::with_exposed_provenance_mut(std::mem::take(&mut self.0))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        free(self.give().cast());
    }
}

/// Queues a reference that the host gave back.
pub(crate) fn free(object: *mut ffi::PyObject) {
    if object.is_null() || process::is_fork() {
        return; // in a fork, the queue may be locked by a thread that is not there
    }
    COUNT.fetch_sub(1, Ordering::Relaxed);
    FREED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(object.expose_provenance());
    ANY_FREED.store(true, Ordering::Release);
}

/// Releases a reference at once. The calling thread is attached.
pub(crate) fn release(object: *mut ffi::PyObject) {
    if !object.is_null() {
        COUNT.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: attached; the caller gives up the reference.
        unsafe { ffi::Py_DecRef(object) };
    }
}

/// Releases what was queued, and tells whether there was any. The calling thread is attached.
#[inline]
pub(crate) fn release_pending() -> bool {
    let any = ANY_FREED.load(Ordering::Relaxed);
    if any {
        release_freed();
    }
    any
}

/// [`release_pending`] while a call goes on, which is not to see what destructors set in its context.
#[inline]
pub(crate) fn release_pending_apart(py: Python<'_>) {
    if ANY_FREED.load(Ordering::Relaxed) {
        // It fails only where memory is short.
        let _entered = context::Entered::program(py);
        release_freed();
    }
}

#[cold]
fn release_freed() {
    ANY_FREED.store(false, Ordering::Relaxed);
    if process::is_fork() {
        return; // as in `free`
    }
    // The lock is not held while Python runs destructors.
    let freed = std::mem::take(&mut *FREED.lock().unwrap_or_else(PoisonError::into_inner));
    for object in freed {
        // SAFETY: attached; the host gave up the reference that `free` queued.
        unsafe { ffi::Py_DecRef(std::ptr::with_exposed_provenance_mut(object)) };
    }
}

/// Ends a reference. NULL is allowed. Any thread; never attaches and never waits.
///
/// # Safety
///
/// `object` must be NULL or a reference that its owner did not end yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn snake_object_free(object: *mut Object) {
    free(object.cast());
}

/// Makes another reference to the same object. The caller owns `*clone` and ends it with `snake_object_free`.
///
/// Any thread; attaches.
///
/// # Safety
///
/// `object` must be a reference that its owner did not end yet, `clone` room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn snake_object_clone(object: *const Object, clone: *mut *mut Object) -> *mut Error {
    attached(|py| {
        // SAFETY: the caller's promise.
        let clone = unsafe { out("clone", clone) }.map_err(Failure::Report)?;
        // SAFETY: the caller's promise.
        *clone = Object::give(unsafe { Object::borrow_address(py, object.addr() as u64) }?);
        Ok(())
    })
}

/// Describes the value of an object, as a call does that wants a value.
///
/// Any thread; attaches. The token is that of a `snake_call`.
///
/// # Safety
///
/// `object` must be a reference that its owner did not end yet; `result` must be as its contract says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn snake_object_value(object: *const Object, token: u64, result: *mut ValueResult) -> *mut Error {
    attached_in_call(token, |py| {
        // SAFETY: the caller's promise.
        let result = unsafe { out("result", result) }.map_err(Failure::Report)?;
        // SAFETY: the caller's promise.
        let object = unsafe { Object::borrow_address(py, object.addr() as u64) }?;
        result.describe(object)
    })
}
