//! What Python prints.
//!
//! The helper `gophersnake.output` writes whole lines and says when it holds back a part of one; the end of the call
//! flushes it. So nothing is lost when the host just ends.
//!
//! The host may take output over: then it goes into a queue here, and the host is told as it is of leases. So printing
//! needs nothing of the host's, and goes on if the host is slow, for as long as there is room.
#![expect(unsafe_code, reason = "fills memory of the host's")]

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCFunction};

use crate::boundary::{counted, guarded, out};
use crate::error::{Error, ErrorCode, Report};
use crate::{lease, package, process, thread_state};

/// What was dropped since the start, in lines.
pub(crate) static DROPPED: AtomicU64 = AtomicU64::new(0);

static INCOMPLETE: AtomicBool = AtomicBool::new(false);

static QUEUES: Mutex<BTreeMap<u64, Arc<Queue>>> = Mutex::new(BTreeMap::new());

/// What was printed and the host has not taken yet.
struct Queue {
    limit: usize,
    patience: Duration,
    state: Mutex<State>,
    room: Condvar,
}

#[derive(Default)]
struct State {
    chunks: VecDeque<Chunk>,
    /// How many bytes they have.
    len: usize,
    /// How many lines were dropped that the host does not know of.
    dropped: u64,
    /// Nothing was taken for as long as a thread was patient: nobody else waits until something is.
    stuck: bool,
    closed: bool,
}

/// What was written to one stream; what was written at once lies in one chunk.
struct Chunk {
    stream: u32,
    bytes: Vec<u8>,
    /// How many of them the host has taken.
    taken: usize,
}

/// Chunks of one stream become one up to this size.
const CHUNK: usize = 32 << 10;

thread_local! {
    /// Whether output of this thread is none of the host's.
    static BYPASS: Cell<bool> = const { Cell::new(false) };
}

fn queues() -> MutexGuard<'static, BTreeMap<u64, Arc<Queue>>> {
    QUEUES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn find(number: u64) -> Result<Arc<Queue>, Box<Report>> {
    queues().get(&number).cloned().ok_or_else(|| {
        Box::new(Report::new(
            ErrorCode::Argument,
            format!("queue: there is none with the number {number}"),
        ))
    })
}

/// Makes a queue for output, which `gophersnake.output` is told to use by its number.
///
/// It holds `limit` bytes, or one write of any size. Who writes to a full one waits for room for at most `patience`
/// nanoseconds, detached; then lines are dropped and counted, without another wait until the host takes something. The
/// bell of `snake_lease_notify` rings when something is written to an empty queue; for a patience of 0, it does not.
///
/// Any thread; never attaches. The caller ends the queue with `snake_output_free`.
///
/// # Safety
///
/// `queue` must point to room for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn snake_output_new(limit: usize, patience: u64, queue: *mut u64) -> *mut Error {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    guarded(|| {
        // SAFETY: the caller's promise.
        let queue = unsafe { out("queue", queue) }?;
        let made = Arc::new(Queue {
            limit,
            patience: Duration::from_nanos(patience),
            state: Mutex::default(),
            room: Condvar::new(),
        });
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        queues().insert(number, made);
        *queue = number;
        Ok(())
    })
}

/// Takes what was written to one stream at most `capacity` bytes of it, and how many lines were dropped since the last
/// time; `*len` is 0 if there is nothing. What was written at once is divided only where it does not fit.
///
/// Any thread; never attaches.
///
/// # Safety
///
/// `buffer` must point to room for `capacity` bytes, the others to room for one number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn snake_output_copy(
    queue: u64,
    buffer: *mut u8,
    capacity: usize,
    len: *mut usize,
    stream: *mut u32,
    dropped: *mut u64,
) -> *mut Error {
    guarded(|| {
        // SAFETY: the caller's promise; for the buffer, only the check for NULL is wanted.
        let (len, stream, dropped) = unsafe {
            out("buffer", buffer)?;
            (out("len", len)?, out("stream", stream)?, out("dropped", dropped)?)
        };
        let queue = find(queue)?;
        let mut state = queue.lock();
        (*len, *stream) = (0, 0);
        *dropped = std::mem::take(&mut state.dropped);
        if let Some(chunk) = state.chunks.front_mut() {
            let rest = &chunk.bytes[chunk.taken..];
            *stream = chunk.stream;
            *len = rest.len().min(capacity);
            // SAFETY: `rest` has so many bytes and the buffer room for them, and they are different memory.
            unsafe { std::ptr::copy_nonoverlapping(rest.as_ptr(), buffer, *len) };
            chunk.taken += *len;
            if chunk.taken == chunk.bytes.len() {
                state.chunks.pop_front();
            }
        }
        state.len -= *len;
        state.stuck = false;
        queue.room.notify_all();
        Ok(())
    })
}

/// Refuses what is written to a queue from now on: it goes where it would go without the queue. What is in it stays.
///
/// Any thread; never attaches.
#[unsafe(no_mangle)]
pub extern "C" fn snake_output_close(queue: u64) -> *mut Error {
    guarded(|| {
        let queue = find(queue)?;
        queue.lock().closed = true;
        queue.room.notify_all();
        Ok(())
    })
}

/// Ends a queue; 0 is none. Any thread; never attaches and never waits.
#[unsafe(no_mangle)]
pub extern "C" fn snake_output_free(queue: u64) {
    let ended = queues().remove(&queue);
    if let Some(queue) = ended {
        queue.lock().closed = true;
        queue.room.notify_all();
    }
}

/// Lets what Python prints on the calling thread go past the queues that have patience, until it is called with 0: for
/// the time in which the host writes output, so that this does not make new output for ever.
#[unsafe(no_mangle)]
pub extern "C" fn snake_output_bypass(bypass: u32) {
    let _ = BYPASS.try_with(|flag| flag.set(bypass != 0));
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing of that size may be added now.
    fn is_full(&self, state: &State, len: usize) -> bool {
        state.len > 0 && state.len.saturating_add(len) > self.limit
    }

    /// Adds what was written. Returns whether the queue takes it, which it does also where it drops it; or nothing
    /// if the caller has to wait.
    fn try_write(&self, state: &mut State, stream: u32, data: &[u8], waits: bool) -> Option<bool> {
        if state.closed {
            return Some(false);
        }
        if self.is_full(state, data.len()) {
            if waits && !state.stuck {
                return None;
            }
            let newlines = data.iter().filter(|byte| **byte == b'\n').count();
            let lines = (newlines + usize::from(data.last() != Some(&b'\n'))) as u64;
            state.dropped += lines;
            DROPPED.fetch_add(lines, Ordering::Relaxed);
            return Some(true);
        }
        match state.chunks.back_mut() {
            Some(last) if last.stream == stream && last.bytes.len() + data.len() <= CHUNK => {
                last.bytes.extend_from_slice(data);
            }
            _ => state.chunks.push_back(Chunk {
                stream,
                bytes: data.to_vec(),
                taken: 0,
            }),
        }
        let was_empty = state.len == 0;
        state.len += data.len();
        if was_empty && !self.patience.is_zero() {
            lease::ring();
        }
        Some(true)
    }

    /// Adds what was written as soon as there is room, or drops it. The calling thread is detached.
    fn write_patiently(&self, stream: u32, data: &[u8]) -> bool {
        let end = Instant::now() + self.patience;
        let mut state = self.lock();
        loop {
            if let Some(taken) = self.try_write(&mut state, stream, data, true) {
                return taken;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.stuck = true;
                continue;
            }
            (state, _) = self
                .room
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Writes to a queue. Returns whether it takes the data.
fn write(py: Python<'_>, number: u64, stream: u32, data: &[u8]) -> bool {
    if data.is_empty() || process::is_fork() {
        // In a fork, the queues may be locked by a thread that is not there, and nobody takes anything.
        return data.is_empty();
    }
    let Some(queue) = queues().get(&number).cloned() else {
        return false;
    };
    let waits = !queue.patience.is_zero();
    if waits && BYPASS.try_with(Cell::get).unwrap_or(false) {
        return false;
    }
    let tried = queue.try_write(&mut queue.lock(), stream, data, waits);
    tried.unwrap_or_else(|| py.detach(|| queue.write_patiently(stream, data)))
}

/// Replaces `sys.stdout` and `sys.stderr`.
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    let incomplete = PyCFunction::new_closure(py, Some(c"incomplete"), None, |_, _| {
        INCOMPLETE.store(true, Ordering::Relaxed);
        thread_state::is_in_call()
    })?;
    let write = PyCFunction::new_closure(py, Some(c"write"), None, |arguments, _| {
        let (number, stream, data): (u64, u32, Bound<'_, PyBytes>) = arguments.extract()?;
        Ok::<_, PyErr>(write(arguments.py(), number, stream, data.as_bytes()))
    })?;
    package::module(py, "output")?.call_method1("install", (incomplete, write))?;
    Ok(())
}

/// What the calling thread prints goes to a queue of its own while this lives. It ends attached.
pub(crate) struct Capture<'py>(Option<Bound<'py, PyAny>>);

/// Begins a capture, unless the queue is 0.
#[inline]
pub(crate) fn capture(py: Python<'_>, queue: u64) -> Capture<'_> {
    Capture(if queue == 0 { None } else { begin_capture(py, queue) })
}

#[cold]
fn begin_capture(py: Python<'_>, queue: u64) -> Option<Bound<'_, PyAny>> {
    counted(|_| {
        let captured = package::module(py, "output").and_then(|helper| helper.call_method1("capture", (queue,)));
        // It fails only where memory is short; the call goes on, and prints where others do.
        captured.map_err(|exception| exception.write_unraisable(py, None)).ok()
    })
}

impl Drop for Capture<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(before) = self.0.take() {
            end_capture(&before);
        }
    }
}

#[cold]
fn end_capture(before: &Bound<'_, PyAny>) {
    counted(|py| {
        let released = package::module(py, "output").and_then(|helper| helper.call_method1("release", (before,)));
        if let Err(exception) = released {
            exception.write_unraisable(py, None);
        }
    });
}

/// Flushes what the call that ends now left unwritten. The calling thread is attached.
#[inline]
pub(crate) fn complete() {
    if INCOMPLETE.load(Ordering::Relaxed) {
        flush();
    }
}

#[cold]
fn flush() {
    INCOMPLETE.store(false, Ordering::Relaxed);
    counted(|py| {
        let flushed = package::module(py, "output").and_then(|helper| helper.call_method0("flush"));
        if let Err(exception) = flushed {
            // A stream that cannot be written to is not the fault of the call that ends.
            exception.write_unraisable(py, None);
        }
    });
}
