//! Whether the stacks of threads carry what CPython may put on them.
//!
//! CPython before 3.14 counts levels of recursion and not bytes: where the stack ends first, the process does. The
//! threads that Go makes, and Python's own, have the default size of the system: `ulimit -s` at the start of the process,
//! but 2 MiB if that is unlimited (glibc), or 128 KiB (musl).
#![expect(unsafe_code, reason = "asks the system for the sizes of stacks")]

use std::ffi::{CString, c_int};
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::exceptions::PyRuntimeWarning;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::builtin;
use crate::error::{ErrorCode, Report};

/// What a version of CPython needs. Measured with 3.11.7, 3.12.1 and 3.13.0 on x86-64, for about 40 kinds of recursion
/// through C (repr, json, ast, sorted, descriptors, functions of NumPy; go/python/stack_test.go has the greediest).
struct Need {
    /// Bytes for one level that the recursion limit counts: `sorted(key=)` inside of itself, `numpy.frompyfunc`.
    level: usize,
    /// What the levels need that have a limit of their own, which no program can change: those of C from 3.12 on.
    fixed: usize,
    /// From this size on, that limit bounds all levels.
    enough: usize,
}

const KIB: usize = 1 << 10;

/// By minor version; later ones look at the stack itself.
const NEEDS: [(u32, Need); 3] = [
    (
        11,
        Need {
            level: 3 * KIB,
            fixed: 0,
            enough: usize::MAX,
        },
    ),
    (
        12,
        Need {
            level: 3 * KIB,
            fixed: 3200 * KIB,
            enough: 3200 * KIB,
        },
    ),
    (
        13,
        Need {
            level: 6 * KIB,
            fixed: 1920 * KIB,
            enough: 18 << 20,
        },
    ),
];

/// What is not counted: what the host has on the stack where it calls, and what handles signals. The host's functions, and
/// calls from within them, take less than the levels that they count as.
const RESERVE: usize = 256 * KIB;

/// The recursion limit below which too much of Python does not work.
const LEAST_LEVELS: usize = 200;

/// The size that a thread of the host's has to have.
static REQUIRED: AtomicUsize = AtomicUsize::new(0);

fn need(version: u32) -> Option<&'static Need> {
    let known = NEEDS.iter().find(|(minor, _)| version == 3 << 8 | minor);
    known.map(|(_, need)| need)
}

/// The size of the stacks of threads that are made without a size.
pub(crate) fn default_size() -> usize {
    let mut attributes = MaybeUninit::uninit();
    let mut size = 0;
    // SAFETY: the attributes are used between their initialisation and their end only.
    unsafe {
        if libc::pthread_attr_init(attributes.as_mut_ptr()) == 0 {
            libc::pthread_attr_getstacksize(attributes.as_ptr(), &raw mut size);
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
        }
    }
    size
}

/// Refuses to start CPython where the stacks are too small for a usable recursion limit.
pub(crate) fn check_default(version: u32) -> Result<(), Box<Report>> {
    let Some(need) = need(version) else { return Ok(()) };
    let (size, least) = (default_size(), (RESERVE + LEAST_LEVELS * need.level).max(need.fixed));
    if size >= least {
        return Ok(());
    }
    Err(Box::new(Report::new(
        ErrorCode::Limit,
        format!(
            "the threads of this process have stacks of {} KiB, and Python {}.{} needs {} KiB: set the size before the \
             program starts, with `ulimit -s 8192` (`unlimited` gives threads 2048 KiB)",
            size / KIB,
            version >> 8,
            version & 0xff,
            least / KIB
        ),
    )))
}

/// Lowers the recursion limit to what the stacks carry, and keeps it there.
pub(crate) fn install(py: Python<'_>, version: u32) -> PyResult<()> {
    let Some(need) = need(version) else { return Ok(()) };
    let size = default_size();
    let most = if size >= need.enough {
        i32::MAX as usize
    } else {
        ((size - RESERVE) / need.level).min(i32::MAX as usize)
    };
    replace(py, size, most, need.level)?;
    let limit = recursion_limit().min(most);
    // SAFETY: attached; a limit that is not above the one that holds.
    unsafe { ffi::Py_SetRecursionLimit(limit as c_int) };
    let levels = if size >= need.enough {
        0
    } else {
        RESERVE + limit * need.level
    };
    REQUIRED.store(levels.max(need.fixed).min(size), Ordering::Relaxed);
    Ok(())
}

/// Keeps the recursion limit and the stacks of new threads within what fits together, also in forked processes.
fn replace(py: Python<'_>, size: usize, most: usize, level: usize) -> PyResult<()> {
    builtin::replace(py, "sys", "setrecursionlimit", move |call| {
        let limit = match call.only() {
            Some(argument) => argument.extract::<c_int>(),
            None => return call.original(),
        };
        match limit {
            Ok(limit) if usize::try_from(limit).is_ok_and(|limit| limit > most) => {
                let message = format!(
                    "gophersnake: the recursion limit is {most} and not {limit}: stacks of {} KiB carry no more, and CPython \
                     would crash where they end. Give the program larger ones with ulimit -s",
                    size / KIB
                );
                let category = call.py().get_type::<PyRuntimeWarning>();
                PyErr::warn(call.py(), &category, &CString::new(message)?, 1)?;
                call.original_with(most.into_pyobject(call.py())?.as_any())
            }
            _ => call.original(),
        }
    })?;
    builtin::replace(py, "_thread", "stack_size", move |call| {
        match call.only().map(|argument| argument.extract::<usize>()) {
            // The recursion limit holds for all threads, so that none may have less than it takes.
            Some(Ok(wanted)) if wanted > 0 => {
                let least = size.min(RESERVE + level * recursion_limit());
                call.original_with(wanted.max(least).into_pyobject(call.py())?.as_any())
            }
            _ => call.original(),
        }
    })
}

fn recursion_limit() -> usize {
    // SAFETY: attached.
    usize::try_from(unsafe { ffi::Py_GetRecursionLimit() }).unwrap_or(0)
}

/// Refuses a thread of the host's whose stack is too small.
pub(crate) fn check_thread() -> Result<(), Box<Report>> {
    let (size, required) = (own_size(), REQUIRED.load(Ordering::Relaxed));
    if size >= required {
        return Ok(());
    }
    Err(Box::new(Report::new(
        ErrorCode::Limit,
        format!(
            "this thread has a stack of {} KiB, and Python needs {} KiB: make the thread with a larger one",
            size / KIB,
            required / KIB
        ),
    )))
}

/// The size of the calling thread's stack; that of the first thread grows, and counts as large enough.
#[cfg(target_os = "linux")]
fn own_size() -> usize {
    let mut attributes = MaybeUninit::uninit();
    let mut size = usize::MAX;
    // SAFETY: as in `default_size`; the calling thread exists.
    unsafe {
        if libc::gettid() != libc::getpid()
            && libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) == 0
        {
            libc::pthread_attr_getstacksize(attributes.as_ptr(), &raw mut size);
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
        }
    }
    size
}

#[cfg(not(target_os = "linux"))]
fn own_size() -> usize {
    usize::MAX
}
