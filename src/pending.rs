//! What other threads leave for Python's main thread to do: calls that C code has added by `Py_AddPendingCall`, and signals
//! that were simulated.
//!
//! CPython does them between two instructions of bytecode that its main thread runs. Here, that waits in C for jobs. So it has
//! to be woken: by a pipe, to which CPython itself writes where a signal is meant, and by the clock of the library, which looks
//! at a word of CPython's memory that tells of calls. Where nothing waits, nobody takes the GIL.
#![expect(unsafe_code, reason = "reads a word of CPython's, and waits for a pipe")]

use std::ffi::{c_int, c_void};
use std::os::fd::RawFd;
use std::ptr::null_mut;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use std::time::Duration;

use pyo3::ffi;
use pyo3::prelude::*;

use crate::configuration::symbol;

/// The ends of the pipe by which the main thread is woken.
static PIPE: OnceLock<[RawFd; 2]> = OnceLock::new();
/// Something waits, and the main thread was told.
static IS_TOLD: AtomicBool = AtomicBool::new(false);
/// What the pipe carries for a job; any other byte, such as the number of a signal, asks for [`serve`].
const JOB: u8 = 0;
const SERVE: u8 = u8::MAX;

/// Makes the pipe.
pub(crate) fn prepare() -> std::io::Result<()> {
    let mut made = [0; 2];
    // SAFETY: room for two descriptors. Only the end that is written to must not block, so that no thread ever waits.
    if unsafe { libc::pipe2(made.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return Err(std::io::Error::last_os_error());
    }
    // A program that was started without standard streams has their numbers free. SAFETY: the descriptors are this function's.
    let (ends, failure) = unsafe {
        let ends = made.map(|end| libc::fcntl(end, libc::F_DUPFD_CLOEXEC, 3));
        let set = ends[1] < 0 || libc::fcntl(ends[1], libc::F_SETFL, libc::O_NONBLOCK) == 0;
        let failure = std::io::Error::last_os_error();
        for end in made {
            libc::close(end);
        }
        (ends, (ends[0] < 0 || ends[1] < 0 || !set).then_some(failure))
    };
    PIPE.get_or_init(|| ends);
    failure.map_or(Ok(()), Err)
}

/// The end of the pipe that CPython writes the numbers of signals to.
pub(crate) fn descriptor() -> RawFd {
    PIPE.get().map_or(-1, |ends| ends[1])
}

fn write(byte: u8) {
    // SAFETY: one byte. If the pipe is full, the main thread will be woken in any case.
    unsafe { libc::write(descriptor(), (&raw const byte).cast(), 1) };
}

/// Wakes the main thread for a job.
pub(crate) fn wake() {
    write(JOB);
}

/// Waits until the main thread is woken; tells whether there may be something to [`serve`].
pub(crate) fn wait() -> bool {
    let mut bytes = [0_u8; 64];
    // SAFETY: room for as many bytes.
    let read = unsafe {
        libc::read(
            PIPE.get().map_or(-1, |ends| ends[0]),
            bytes.as_mut_ptr().cast(),
            bytes.len(),
        )
    };
    match usize::try_from(read) {
        Ok(read) if read > 0 => bytes[..read].iter().any(|byte| *byte != JOB),
        // Hosted code has closed what it did not open.
        _ if std::io::Error::last_os_error().kind() != std::io::ErrorKind::Interrupted => {
            std::thread::sleep(Duration::from_millis(10));
            true
        }
        _ => false,
    }
}

/// The word of CPython's that tells whether pending calls wait for its main thread; NULL if it was not found.
static WORD: AtomicPtr<AtomicU32> = AtomicPtr::new(null_mut());
/// The bits that tell it.
static MASK: AtomicU32 = AtomicU32::new(0);

/// Where the number lies in `_PyRuntime` that is 1 while pending calls wait, by minor version of CPython. A test compares
/// them with the headers of the installed versions; what does not react as it should is not used.
const PENDING_OFFSETS: [(u8, usize); 2] = [(11, 59056), (12, 2032)];
/// From 3.13 on, it is a bit of `PyThreadState.eval_breaker` of the main thread, which lies here.
const EVAL_BREAKER_OFFSET: usize = 24;
const CALLS_TO_DO: u32 = 1 << 2;

/// Finds the word. The calling thread is Python's main thread and attached.
pub(crate) fn find_word(py: Python<'_>) {
    if !WORD.load(Ordering::Relaxed).is_null() {
        return;
    }
    let minor = py.version_info().minor;
    let (word, mask) = if let Some((_, offset)) = PENDING_OFFSETS.iter().find(|known| known.0 == minor) {
        // SAFETY: it is a struct, whose address is all that is wanted.
        let runtime: Option<*mut c_void> = unsafe { symbol(c"_PyRuntime") };
        (
            runtime.map_or(null_mut(), |runtime| runtime.wrapping_byte_add(*offset)),
            1,
        )
    } else if minor >= 13 {
        // SAFETY: attached.
        let state = unsafe { ffi::PyThreadState_Get() };
        (state.wrapping_byte_add(EVAL_BREAKER_OFFSET).cast(), CALLS_TO_DO)
    } else {
        return;
    };
    let word = word.cast::<AtomicU32>();
    if !word.is_null() && (0..2).all(|_| reacts(word, mask)) {
        MASK.store(mask, Ordering::Relaxed);
        WORD.store(word, Ordering::Release);
    }
}

/// Whether the word tells of a pending call, and of its end.
fn reacts(word: *const AtomicU32, mask: u32) -> bool {
    extern "C" fn nothing(_: *mut c_void) -> c_int {
        0
    }
    // SAFETY: memory of CPython's, a part of its one runtime or of the state of its main thread, which are never freed;
    // all write to it atomically. Attached, on the main thread.
    unsafe {
        let before = (*word).load(Ordering::Relaxed) & mask;
        if before != 0 || ffi::Py_AddPendingCall(Some(nothing), null_mut()) != 0 {
            return false;
        }
        let during = (*word).load(Ordering::Relaxed) & mask;
        let failed = ffi::Py_MakePendingCalls() != 0;
        if failed {
            ffi::PyErr_Clear();
        }
        during == mask && !failed && (*word).load(Ordering::Relaxed) & mask == 0
    }
}

/// Whether calls wait; none if nobody can tell without the GIL.
fn is_waiting() -> Option<bool> {
    // SAFETY: see `reacts`.
    let word = unsafe { WORD.load(Ordering::Acquire).as_ref() }?;
    Some(word.load(Ordering::Relaxed) & MASK.load(Ordering::Relaxed) != 0)
}

/// How often the clock looks while nobody makes calls.
pub(crate) const IDLE_LOOK: Duration = Duration::from_millis(250);
/// While they do, it looks at each tick; where it cannot see whether calls wait, at each of so many.
const BLIND_LOOKS: u32 = 25;

/// Wakes the main thread if something waits for it. For the clock, which says how many ticks have passed.
pub(crate) fn look(ticks: u32) {
    if is_waiting().unwrap_or_else(|| ticks.is_multiple_of(BLIND_LOOKS)) && !IS_TOLD.swap(true, Ordering::Relaxed) {
        write(SERVE);
    }
}

/// Does what waits. The calling thread is Python's main thread and attached.
pub(crate) fn serve(py: Python<'_>) {
    IS_TOLD.store(false, Ordering::Relaxed);
    // A call may add another, for ever; then the clock tells anew.
    for _ in 0..1000 {
        // SAFETY: attached.
        if unsafe { ffi::Py_MakePendingCalls() } == 0 {
            if is_waiting() != Some(true) {
                return;
            }
        } else if let Some(exception) = PyErr::take(py) {
            exception.write_unraisable(py, None);
        }
    }
}
