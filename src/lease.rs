//! Lent memory that Python kept, and the news that Python let go of it.
//!
//! A lease is a capsule that the retained array holds as its base. Its destructor runs wherever Python drops the
//! last view, with the GIL held; so it only queues a number and rings a bell, and never waits for the host.
#![expect(
    unsafe_code,
    reason = "creates capsules with a destructor, and writes to the host's descriptor"
)]

use std::ffi::c_void;
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use pyo3::ffi;
use pyo3::prelude::*;

use crate::boundary::{guarded, out};
use crate::error::Error;
use crate::process;

/// How many leases are out.
pub(crate) static COUNT: AtomicUsize = AtomicUsize::new(0);

static NEXT: AtomicU64 = AtomicU64::new(1);
static RETURNED: Mutex<Vec<u64>> = Mutex::new(Vec::new());
static BELL: AtomicI32 = AtomicI32::new(-1);

/// Names a descriptor to which the library writes one byte when there is news: a lease came back while no other waited to
/// be taken, and the host calls `snake_lease_returned_copy` until it gets none; or output waits, and it calls
/// `snake_output_copy`. A descriptor below 0 means none. Writing never blocks if the descriptor does not.
///
/// Any thread; never attaches.
#[unsafe(no_mangle)]
pub extern "C" fn snake_lease_notify(descriptor: i32) {
    BELL.store(descriptor, Ordering::Release);
}

/// Takes the numbers of leases that came back: Python no longer reaches the memory that they stood for. The handles of
/// functions and values of the host's that Python let go of are among them, each as often as it was passed on.
///
/// Writes at most `capacity` numbers to `leases` and their count to `out_len`; what did not fit stays for the next
/// call. Any thread; never attaches.
///
/// # Safety
///
/// `leases` must point to room for `capacity` numbers, `out_len` to room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn snake_lease_returned_copy(
    leases: *mut u64,
    capacity: usize,
    out_len: *mut usize,
) -> *mut Error {
    guarded(|| {
        // SAFETY: the caller's promise.
        let out_len = unsafe { out("out_len", out_len) }?;
        if capacity > 0 {
            // SAFETY: the caller's promise; only the check for NULL and alignment is wanted.
            unsafe { out("leases", leases) }?;
        }
        let mut returned = RETURNED.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = returned.len().min(capacity);
        for (index, lease) in returned.drain(..taken).enumerate() {
            // SAFETY: `index` is below `capacity`, for which there is room.
            unsafe { leases.add(index).write(lease) };
        }
        *out_len = taken;
        Ok(())
    })
}

/// A new lease and the capsule that stands for it.
pub(crate) fn create(py: Python<'_>) -> PyResult<(u64, Bound<'_, PyAny>)> {
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    Ok((id, capsule(py, id)?))
}

/// Whether the number of a lease is one that the host has chosen, which no lease of the library's has.
pub(crate) fn is_of_host(id: u64) -> bool {
    id >> 63 == 1
}

/// A capsule that stands for a lease.
pub(crate) fn capsule(py: Python<'_>, id: u64) -> PyResult<Bound<'_, PyAny>> {
    let pointer = std::ptr::without_provenance_mut::<c_void>(usize::try_from(id).unwrap_or(usize::MAX));
    // SAFETY: attached; the pointer is not NULL and is never followed, the name is static, and the destructor has the
    // signature that is asked for.
    let capsule = unsafe {
        let capsule = ffi::PyCapsule_New(pointer, NAME.as_ptr(), Some(give_back));
        Bound::from_owned_ptr_or_err(py, capsule)?
    };
    COUNT.fetch_add(1, Ordering::Relaxed);
    Ok(capsule)
}

const NAME: &std::ffi::CStr = c"gophersnake.lease";

unsafe extern "C" fn give_back(capsule: *mut ffi::PyObject) {
    // SAFETY: CPython calls this with the capsule that `create` made, attached.
    let pointer = unsafe { ffi::PyCapsule_GetPointer(capsule, NAME.as_ptr()) };
    COUNT.fetch_sub(1, Ordering::Relaxed);
    come_back(pointer.addr() as u64);
}

/// Tells the host that Python has let go of what a number stands for.
pub(crate) fn come_back(id: u64) {
    if process::is_fork() {
        return; // the host is not there, and a thread of its may have held the lock
    }
    let first = {
        let mut returned = RETURNED.lock().unwrap_or_else(PoisonError::into_inner);
        returned.push(id);
        returned.len() == 1
    };
    if first {
        ring(); // else the host has been told, and takes all
    }
}

/// Tells the host that there is news.
pub(crate) fn ring() {
    let bell = BELL.load(Ordering::Acquire);
    if bell >= 0 {
        // A full pipe already says what this byte would; any other failure leaves the news to the next look.
        // SAFETY: one byte of static memory.
        unsafe { libc::write(bell, b"!".as_ptr().cast(), 1) };
    }
}
