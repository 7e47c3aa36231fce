//! Interrupting calls that run.
//!
//! CPython can raise an exception in another thread: between two instructions of bytecode, whenever the thread gets to
//! one. Alone, that would hit whatever call the thread makes by then. So each call that can be interrupted has a serial
//! number, which is compared while the GIL is held, and what was raised but not yet delivered is taken back at its end.
//!
//! Hosted code interrupts calls as well: `_thread.interrupt_main` raises `KeyboardInterrupt` in the call that has started the
//! thread. Such calls, the host's contexts aside, have a number from when they start a thread: see `gophersnake.main_thread`.
#![expect(unsafe_code, reason = "shares memory with the host and other threads")]

use std::collections::HashMap;
use std::os::raw::c_long;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict};

use crate::boundary::{Failure, attached, out};
use crate::error::Error;
use crate::handler::Unchanged;
use crate::{interpreter, package, pending, thread_state};

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
            numbered_arrived(); // one is enough
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
        return raise_numbered(returned);
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

/// Lets `GoCancelled` say that it has arrived: whoever makes one is the interpreter, which raises it. And lets hosted code
/// interrupt calls.
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    let arrived = PyCFunction::new_closure(py, Some(c"arrived"), None, |_, _| thread_state::interrupt().arrive())?;
    package::module(py, "errors")?.setattr("arrived", arrived)?;
    let module = package::module(py, "main_thread")?;
    let arrived = PyCFunction::new_closure(py, Some(c"arrived"), None, |_, _| numbered_arrived())?;
    let number = PyCFunction::new_closure(py, Some(c"number_call"), None, |_, _| number_call())?;
    let interrupt = PyCFunction::new_closure(py, Some(c"interrupt_call"), None, |arguments, _| {
        let number = arguments.get_item(0)?.extract()?;
        interrupt_numbered(number, &arguments.get_item(1)?)
    })?;
    let tell = PyCFunction::new_closure(py, Some(c"tell"), None, |arguments, _| {
        PyErr::from_value(arguments.get_item(0)?).write_unraisable(arguments.py(), None);
        Ok::<_, PyErr>(())
    })?;
    let main = PyCFunction::new_closure(py, Some(c"interrupt_main_call"), None, |_, _| {
        interpreter::interrupt_main_call()
    })?;
    // While this runs, SIGINT is Python's, for the time that it takes to note a handler which is not the system's.
    let unchanged = Unchanged::new();
    let installed = module.call_method1(
        "install",
        (pending::descriptor(), number, interrupt, main, arrived, tell),
    );
    drop(unchanged);
    installed?;
    // SAFETY: attached, on Python's main thread.
    if unsafe { ffi::PyErr_CheckSignals() } != 0 {
        return Err(PyErr::fetch(py));
    }
    module.call_method0("begin")?;
    Ok(())
}

/// A call that has a number.
struct Numbered {
    /// The thread of the call, as CPython takes it.
    thread: c_long,
    /// By what the host can interrupt it.
    shared: Shared,
    /// Its thread runs something else meanwhile: a function of the host's, or another call.
    is_paused: bool,
    /// The exception to raise, or which was raised but did not arrive.
    exception: Option<Py<PyAny>>,
}

// SAFETY: `Shared` points to what lives for ever and is used atomically.
unsafe impl Send for Numbered {}

impl Numbered {
    /// Raises what there is to raise, or takes it back. Attached.
    fn raise(&self, exception: Option<&Py<PyAny>>) -> bool {
        let exception = exception.map_or(null_mut(), Py::as_ptr);
        // SAFETY: attached; the call has not ended, so that its thread is there.
        unsafe { ffi::PyThreadState_SetAsyncExc(self.thread, exception) > 0 }
    }
}

/// The calls that have a number. Whoever locks this is attached and runs no code of Python's meanwhile.
static NUMBERED: LazyLock<Mutex<HashMap<u64, Numbered>>> = LazyLock::new(Mutex::default);

fn numbered() -> MutexGuard<'static, HashMap<u64, Numbered>> {
    NUMBERED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The number of the call that this thread is in, 0 if it is in none.
fn number_call() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let number = thread_state::number_call(|| {
        let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        let call = Numbered {
            // SAFETY: always succeeds.
            thread: unsafe { libc::pthread_self() }.cast_signed(),
            shared: thread_state::interrupt(),
            is_paused: false,
            exception: None,
        };
        numbered().insert(number, call);
        number
    });
    number.unwrap_or(0)
}

/// Raises an exception in the call with that number. Returns whether it was, as `snake_interrupt_raise` does; none if the call has
/// ended.
fn interrupt_numbered(number: u64, exception: &Bound<'_, PyAny>) -> PyResult<Option<bool>> {
    let starting = starting_threads(exception.py())?;
    let mut calls = numbered();
    let Some(call) = calls.get_mut(&number) else {
        return Ok(None);
    };
    if call.shared.is_pending() {
        return Ok(Some(true)); // it is cancelled
    }
    let exception = exception.clone().unbind();
    if !call.is_paused {
        if starting.is_some_and(|threads| !threads.is_empty()) {
            return Ok(Some(false));
        }
        call.raise(Some(&exception));
    }
    call.exception = Some(exception);
    Ok(Some(true))
}

/// The thread of a call runs something else from now on.
pub(crate) fn pause(number: u64) {
    if let Some(call) = numbered().get_mut(&number) {
        call.is_paused = true;
        if call.exception.is_some() {
            call.raise(None);
        }
    }
}

/// It runs the call again.
pub(crate) fn go_on(number: u64) {
    if let Some(call) = numbered().get_mut(&number) {
        call.is_paused = false;
        if let Some(exception) = &call.exception {
            call.raise(Some(exception));
        }
    }
}

/// A call ends.
pub(crate) fn end(number: u64) {
    let call = numbered().remove(&number);
    if let Some(call) = call
        && call.exception.is_some()
    {
        call.raise(None);
    }
}

/// What was raised in the call that this thread is in has arrived.
fn numbered_arrived() {
    if let Some(number) = thread_state::number() {
        let arrived = numbered().get_mut(&number).and_then(|call| call.exception.take());
        drop(arrived);
    }
}

/// Goes on with the call that this thread is in, after a function of the host's, and raises what is pending for it.
fn raise_numbered(returned: bool) -> Result<(), Failure> {
    let Some(number) = thread_state::number() else {
        return Ok(());
    };
    if !returned {
        go_on(number);
        return Ok(());
    }
    let exception = numbered().get_mut(&number).and_then(|call| {
        call.is_paused = false;
        call.exception.take()
    });
    match exception {
        None => Ok(()),
        Some(_) => Err(PyKeyboardInterrupt::new_err(()).into()),
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
