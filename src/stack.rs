//! Whether the stacks of threads carry what CPython may put on them.
//!
//! CPython before 3.14 counts levels of recursion and not bytes: where the stack ends first, the process does. The
//! threads that Go makes, and Python's own, have the default size of the system: `ulimit -s` at the start of the process,
//! but 2 MiB if that is unlimited (glibc), or 128 KiB (musl).
#![expect(unsafe_code, reason = "asks the system for the sizes of stacks")]

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::prelude::*;

use crate::error::{ErrorCode, Report};
use crate::package;

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
        (size - RESERVE) / need.level
    };
    let limit: usize = package::module(py, "stack")?
        .call_method1("install", (most, size, RESERVE, need.level))?
        .extract()?;
    let levels = if size >= need.enough {
        0
    } else {
        RESERVE + limit * need.level
    };
    REQUIRED.store(levels.max(need.fixed).min(size), Ordering::Relaxed);
    Ok(())
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
