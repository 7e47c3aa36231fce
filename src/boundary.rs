//! What every exported function goes through.
//!
//! An exported function is a shell: it checks its pointers and enters [`guarded`] or [`attached`], which catches a
//! panic, turns every failure into a `snake_error` and so lets nothing unwind into C.
#![expect(
    unsafe_code,
    reason = "turns the raw pointers of the C ABI into slices and references"
)]

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use pyo3::{PyErr, Python};

use crate::activity::Writer;
use crate::error::{Error, ErrorCode, Report};
use crate::{callback, process, thread_state};

/// The version of this ABI. It changes whenever a function, a struct or the meaning of a field changes.
pub const ABI_VERSION: u32 = 8;

/// A text in UTF-8 that is not terminated by NUL and may contain NUL.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// First byte; may be NULL when `len` is 0.
    pub ptr: *const u8,
    /// Length in bytes.
    pub len: usize,
}

/// The version of the ABI that this library implements: compare it with `SNAKE_ABI_VERSION` before any other call.
///
/// Cannot fail; may be called at any time, from any thread.
#[unsafe(no_mangle)]
pub extern "C" fn snake_abi_version() -> u32 {
    ABI_VERSION
}

/// Panics inside the library, to show what a panic becomes. Only in libraries built for tests.
#[cfg(feature = "panic-for-test")]
#[unsafe(no_mangle)]
pub extern "C" fn snake_panic_for_test() -> *mut Error {
    guarded(|| panic!("planted"))
}

/// Why a function of the core failed.
pub(crate) enum Failure {
    /// A Python exception.
    Python(PyErr),
    /// An exception that was already described, or any other finished report.
    Report(Box<Report>),
}

impl Failure {
    /// A failure of the core itself.
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Failure::Report(Box::new(Report::new(code, message)))
    }

    /// The host called the ABI with something that its contract forbids.
    #[cold]
    #[inline(never)]
    pub(crate) fn argument(message: impl Into<String>) -> Self {
        Failure::new(ErrorCode::Argument, message)
    }

    /// Says in which part of a result a bound was passed.
    #[cold]
    pub(crate) fn of_part(self, name: &str) -> Self {
        match self {
            Failure::Report(mut report) => {
                report.of_part(name);
                Failure::Report(report)
            }
            Failure::Python(_) => self,
        }
    }

    /// Describes the failure and drops the exception, and with it the frames and arrays that it holds.
    pub(crate) fn report(self, py: Python<'_>) -> Box<Report> {
        match self {
            Failure::Python(exception) if process::is_fork() => process::end(Some(exception)),
            Failure::Python(exception) => Box::new(Report::from_exception(py, exception)),
            Failure::Report(report) => report,
        }
    }
}

impl From<PyErr> for Failure {
    fn from(exception: PyErr) -> Self {
        Failure::Python(exception)
    }
}

/// Runs `body` and returns its failure, or the panic that ended it, as an error that the host owns.
pub(crate) fn guarded(body: impl FnOnce() -> Result<(), Box<Report>>) -> *mut Error {
    remember_panics();
    caught(body)
}

/// Like [`guarded`], which it is within.
#[inline]
pub(crate) fn caught(body: impl FnOnce() -> Result<(), Box<Report>>) -> *mut Error {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => std::ptr::null_mut(),
        Ok(Err(report)) => report.into_raw(),
        Err(payload) => Box::new(Report::new(ErrorCode::Panic, panic_message(&*payload))).into_raw(),
    }
}

/// Like [`guarded`], with the calling thread attached, for what is not on the path of a call.
pub(crate) fn attached(body: impl FnOnce(Python<'_>) -> Result<(), Failure>) -> *mut Error {
    guarded(|| {
        let mut attached = thread_state::attach()?;
        let outcome = counted(|py| body(py).map_err(|failure| failure.report(py)));
        attached.renew_context();
        outcome
    })
}

/// Like [`attached`], for what may call functions of the host's: they get the token.
pub(crate) fn attached_in_call(token: u64, body: impl FnOnce(Python<'_>) -> Result<(), Failure>) -> *mut Error {
    guarded(|| {
        let mut attached = thread_state::attach()?;
        attached.enter_call(token, Writer::NONE)?;
        let outcome = counted(|py| body(py).map_err(|failure| failure.report(py)));
        let keeps = attached.leave_call();
        drop(attached);
        if keeps {
            callback::end_call(token);
        }
        outcome
    })
}

/// Tells PyO3 that this thread is attached, which it already is, so that a `Py` dropped by `body` is released at once.
pub(crate) fn counted<R>(body: impl FnOnce(Python<'_>) -> R) -> R {
    Python::attach(body)
}

/// The elements of a pointer and a length that came over the ABI.
///
/// # Safety
///
/// `ptr` must be NULL or point to `len` initialised elements that outlive `'a` and are not written to meanwhile.
#[inline]
pub(crate) unsafe fn slice<'a, T>(name: &'static str, ptr: *const T, len: usize) -> Result<&'a [T], Box<Report>> {
    if len == 0 {
        return Ok(&[]);
    }
    if ptr.is_null() || !ptr.is_aligned() || len > isize::MAX as usize / size_of::<T>().max(1) {
        return Err(bad_pointer(name, ptr.is_null(), ptr.is_aligned(), len));
    }
    // SAFETY: not NULL, aligned and of a possible size as checked; the rest is the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(ptr, len) })
}

#[cold]
#[inline(never)]
fn bad_pointer(name: &str, is_null: bool, is_aligned: bool, len: usize) -> Box<Report> {
    let what = match (is_null, is_aligned) {
        (true, _) => "want a pointer, got NULL".to_owned(),
        (_, false) => "the pointer is not aligned for its type".to_owned(),
        _ => format!("a length of {len} exceeds the address space"),
    };
    Box::new(Report::new(ErrorCode::Argument, format!("{name}: {what}")))
}

/// The string of a pointer and a length that came over the ABI.
///
/// # Safety
///
/// As for `slice`.
pub(crate) unsafe fn text<'a>(name: &'static str, ptr: *const u8, len: usize) -> Result<&'a str, Box<Report>> {
    // SAFETY: the caller's promise is that of `slice`.
    let bytes = unsafe { slice(name, ptr, len) }?;
    std::str::from_utf8(bytes).map_err(|at| {
        Box::new(Report::new(
            ErrorCode::Argument,
            format!("{name}: want UTF-8, got an invalid byte at offset {}", at.valid_up_to()),
        ))
    })
}

/// A reference from a pointer that came over the ABI.
///
/// # Safety
///
/// `ptr` must be NULL or point to a live `T` that nobody else accesses during `'a`.
#[inline]
pub(crate) unsafe fn out<'a, T>(name: &'static str, ptr: *mut T) -> Result<&'a mut T, Box<Report>> {
    if ptr.is_null() || !ptr.is_aligned() {
        return Err(bad_pointer(name, ptr.is_null(), ptr.is_aligned(), 1));
    }
    // SAFETY: aligned and not NULL as checked; the rest is the caller's promise.
    Ok(unsafe { &mut *ptr })
}

thread_local! {
    /// Where the last panic of this thread happened.
    static PANIC_PLACE: Cell<Option<String>> = const { Cell::new(None) };
}

/// Keeps the place of a panic for its error instead of printing it. The hook belongs to this library's own copy of the
/// Rust runtime: a host that is written in Rust keeps its own.
fn remember_panics() {
    static HOOK: Once = Once::new();
    if HOOK.is_completed() {
        return;
    }
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            PANIC_PLACE.set(info.location().map(ToString::to_string));
        }));
    });
}

pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> String {
    let message = if let Some(text) = payload.downcast_ref::<&str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "a panic without a message"
    };
    match PANIC_PLACE.take() {
        Some(place) => format!("{message} (at {place})"),
        None => message.to_owned(),
    }
}
