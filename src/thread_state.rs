//! One Python thread state per OS thread, created at the thread's first attach and kept until the thread ends.
//!
//! `PyGILState_Ensure` and `PyGILState_Release` alone would create and destroy a thread state on every call: about
//! 7,400 ns instead of 220, one mmap and one munmap each, and the values of every `threading.local` lost.
#![expect(unsafe_code, reason = "attaches and detaches through the C API of CPython")]

use std::cell::{Cell, RefCell};
use std::os::raw::c_int;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::ffi;

use crate::activity::Writer;
use crate::callback::{MAX_NESTING, Origin};
use crate::context::{self, ThreadContext};
use crate::error::{ErrorCode, Report};
use crate::float_mode::FloatMode;
use crate::interrupt::Shared;
use crate::lend::Spare;
use crate::{interpreter, interrupt, object, process, signal, stack};

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
    /// The token of the call that the thread is in; 0 if it is in none.
    call: Cell<u64>,
    /// How many functions of the host's run on this thread, one inside of the other.
    callbacks: Cell<u32>,
    /// Whether the host keeps something for the call that the thread is in.
    keeps: Cell<bool>,
    /// By what that call can be interrupted.
    interrupt: Cell<Shared>,
    /// What that call is doing.
    activity: Cell<Writer>,
    /// What there is to do when that call ends: `NESTED` and `NUMBERED`.
    at_end: Cell<u8>,
    /// The number by which threads know that call: see `interrupt.rs`. Only valid if `NUMBERED`.
    number: Cell<u64>,
    /// The calls around that one, if C code that Python has called made it, and not a function of the host's.
    outer: RefCell<Vec<Outer>>,
    /// The thread, as Python's `threading.get_ident` names it.
    ident: Cell<u64>,
    /// The host's modes, since the last attach.
    float_mode: Cell<FloatMode>,
    /// What the outermost call runs in.
    context: ThreadContext,
    /// An array for the next lend.
    spare: Spare,
}

/// What a thread notes of a call while it is in another one.
struct Outer {
    call: u64,
    keeps: bool,
    activity: Writer,
    at_end: u8,
    number: u64,
}

/// `outer` has what to go on with.
const NESTED: u8 = 1;
/// The call has a number.
const NUMBERED: u8 = 2;

thread_local! {
    static THREAD_STATE: ThreadState = const {
        ThreadState {
            kept: Cell::new(null_mut()),
            entered: Cell::new(false),
            call: Cell::new(0),
            callbacks: Cell::new(0),
            keeps: Cell::new(false),
            interrupt: Cell::new(Shared::NONE),
            activity: Cell::new(Writer::NONE),
            at_end: Cell::new(0),
            number: Cell::new(0),
            outer: RefCell::new(Vec::new()),
            ident: Cell::new(0),
            float_mode: Cell::new(FloatMode::DEFAULT),
            context: ThreadContext::new(),
            spare: Spare::new(),
        }
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
            self.spare.clear();
            self.context.clear();
            ffi::PyGILState_Release(ffi::PyGILState_STATE::PyGILState_UNLOCKED);
        }
        COUNT.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The calling thread is attached while this lives.
///
/// Two words and no enum: copying an enum with a `bool` in it cost 5 ns of each call of 170 (`make bench`, noop),
/// because the processor has to wait for a byte that was just written before it can read it as a part of a word.
pub(crate) struct Attached {
    /// The thread state through which it is attached; NULL if that is not ours.
    kept: *const ThreadState,
    /// What to undo, in its lowest bits, and the context that was entered for what is within another call, or 0.
    before: usize,
}

impl Attached {
    /// Lets other threads attach that wait for it, and releases what was given back meanwhile.
    pub(crate) fn give_turn(&mut self) {
        // SAFETY: this guard attached the thread, and nothing of Python is touched in between.
        unsafe { ffi::PyEval_RestoreThread(ffi::PyEval_SaveThread()) };
        object::release_pending();
    }

    /// Drops what a call of a batch has set in its context, and gives the next one a new copy.
    #[inline]
    pub(crate) fn renew_context(&mut self) {
        if self.before > FLAGS {
            let flags = self.before;
            self.leave_context();
            self.before = within(flags & FLAGS);
        } else {
            self.end_context(true);
        }
    }

    /// Drops what a call has set in its context, if no other is around it; also, if asked for, what is out of date.
    #[inline(always)]
    fn end_context(&self, goes_on: bool) {
        if self.before != 0 {
            return;
        }
        // SAFETY: the thread-local of this thread, which this guard never leaves; it lives until the thread ends.
        if let Some(state) = unsafe { self.kept.as_ref() } {
            state.context.end();
            if goes_on {
                state.context.begin();
            }
        }
    }

    /// Leaves the context that was entered for this.
    #[cold]
    fn leave_context(&mut self) {
        context::pop(std::ptr::with_exposed_provenance_mut(self.before & !FLAGS));
        self.before &= FLAGS;
    }

    /// Notes which call of the host's the thread is in. Fails if they nest too deep.
    #[inline]
    pub(crate) fn enter_call(&self, token: u64, activity: Writer) -> Result<(), Box<Report>> {
        // The guard knows the thread-local, which would have to be looked up otherwise.
        // SAFETY: the thread-local of this thread, which this guard never leaves; it lives until the thread ends.
        if let Some(state) = unsafe { self.kept.as_ref() } {
            return state.enter_call(token, activity);
        }
        THREAD_STATE
            .try_with(|state| state.enter_call(token, activity))
            .unwrap_or(Ok(()))
    }

    /// Releases what the host gave back, and notes that the thread is in no call any more. Tells whether the host keeps
    /// something for it.
    ///
    /// Releasing may run Python code, which may call the host: so it comes while the host knows the call, and after all
    /// else, because the host may then end whatever it lent.
    #[inline]
    pub(crate) fn leave_call(&mut self) -> bool {
        self.end_context(false);
        if object::release_pending() {
            self.end_context(false);
        }
        if self.before > FLAGS {
            self.leave_context();
        }
        // SAFETY: as above.
        if let Some(state) = unsafe { self.kept.as_ref() } {
            return state.leave_call();
        }
        THREAD_STATE.try_with(ThreadState::leave_call).unwrap_or(false)
    }

    /// A call of a batch has ended.
    #[inline]
    pub(crate) fn end_call_of_batch(&self) {
        let end = |state: &ThreadState| {
            if state.at_end.get() & NUMBERED != 0 {
                state.end_number();
            }
        };
        // SAFETY: as above.
        match unsafe { self.kept.as_ref() } {
            Some(state) => end(state),
            None => THREAD_STATE.try_with(end).unwrap_or(()),
        }
    }

    /// The thread, as Python's `threading.get_ident` names it.
    #[inline]
    pub(crate) fn thread(&self) -> u64 {
        // SAFETY: the thread-local of this thread, which this guard never leaves; it lives until the thread ends.
        unsafe { self.kept.as_ref() }.map_or_else(ident, |state| state.ident.get())
    }

    /// The array that this thread keeps for its lends; none on a thread of Python's own.
    #[inline]
    pub(crate) fn spare(&self) -> Option<&Spare> {
        // SAFETY: the thread-local of this thread, which this guard never leaves; it lives until the thread ends.
        unsafe { self.kept.as_ref() }.map(|state| &state.spare)
    }
}

#[cold]
fn ident() -> u64 {
    // SAFETY: always succeeds.
    unsafe { libc::pthread_self() }
}

/// Another guard that has a kept thread state lives further up the stack, and this one has it too.
const OUTER: usize = 1;
/// Python made this thread and its thread state.
const FOREIGN: usize = 2;
/// It was not attached before.
const UNLOCKED: usize = 4;
const FLAGS: usize = OUTER | FOREIGN | UNLOCKED;

/// `before` for what is within another call or a thread of Python's, whose context it has a copy of. Attached.
fn within(flags: usize) -> usize {
    // Objects are aligned to 16 bytes.
    context::push_copy().expose_provenance() | flags
}

fn attach_foreign() -> Attached {
    // SAFETY: the interpreter runs, as the caller has checked; any thread may call this.
    let state = unsafe { ffi::PyGILState_Ensure() };
    let unlocked = matches!(state, ffi::PyGILState_STATE::PyGILState_UNLOCKED);
    Attached {
        kept: null(),
        before: within(FOREIGN | if unlocked { UNLOCKED } else { 0 }),
    }
}

/// Whether this thread of Python runs for a call of the host.
pub(crate) fn is_in_call() -> bool {
    THREAD_STATE.try_with(|state| state.entered.get()).unwrap_or(false)
}

impl ThreadState {
    #[inline]
    fn enter_call(&self, token: u64, activity: Writer) -> Result<(), Box<Report>> {
        if self.callbacks.get() >= MAX_NESTING {
            return Err(too_deep());
        }
        if self.call.get() != 0 {
            self.put_aside();
        }
        self.call.set(token);
        self.activity.set(activity);
        Ok(())
    }

    #[inline]
    fn leave_call(&self) -> bool {
        self.call.set(0);
        self.activity.set(Writer::NONE);
        let keeps = self.keeps.replace(false);
        if self.at_end.get() != 0 {
            self.end_call();
        }
        keeps
    }

    /// Another call begins within the one that the thread is in.
    #[cold]
    fn put_aside(&self) {
        self.pause();
        self.outer.borrow_mut().push(Outer {
            call: self.call.get(),
            keeps: self.keeps.replace(false),
            activity: self.activity.get(),
            at_end: self.at_end.replace(NESTED),
            number: self.number.get(),
        });
    }

    /// A call ends that has a number, or is within another one.
    #[cold]
    fn end_call(&self) {
        self.end_number();
        if self.at_end.get() & NESTED == 0 {
            return;
        }
        let outer = self.outer.borrow_mut().pop();
        if let Some(outer) = outer {
            self.call.set(outer.call);
            self.keeps.set(outer.keeps);
            self.activity.set(outer.activity);
            self.at_end.set(outer.at_end);
            self.number.set(outer.number);
            if let Some(number) = self.number() {
                interrupt::go_on(number);
            }
        }
    }

    /// The number of the call that the thread is in, if it has one.
    fn number(&self) -> Option<u64> {
        (self.at_end.get() & NUMBERED != 0).then(|| self.number.get())
    }

    /// That call is not what the thread runs from now on.
    fn pause(&self) {
        if let Some(number) = self.number() {
            interrupt::pause(number);
        }
    }

    /// The call ends, or that of a batch.
    #[cold]
    fn end_number(&self) {
        if let Some(number) = self.number() {
            self.at_end.set(self.at_end.get() & !NUMBERED);
            interrupt::end(number);
        }
    }
}

/// The number of the call that the thread is in, if it has one.
pub(crate) fn number() -> Option<u64> {
    THREAD_STATE.try_with(ThreadState::number).ok().flatten()
}

/// Notes the number of the call that the thread is in, made by `make` unless it has one; none if it is in none.
pub(crate) fn number_call(make: impl FnOnce() -> u64) -> Option<u64> {
    let number = THREAD_STATE.try_with(|state| {
        if state.call.get() == 0 {
            return None;
        }
        Some(state.number().unwrap_or_else(|| {
            state.number.set(make());
            state.at_end.set(state.at_end.get() | NUMBERED);
            state.number.get()
        }))
    });
    number.ok().flatten()
}

#[cold]
fn too_deep() -> Box<Report> {
    Box::new(Report::new(
        ErrorCode::Limit,
        format!("calls from the host to Python and back nest deeper than {MAX_NESTING} levels"),
    ))
}

/// By what the call that the thread is in can be interrupted.
pub(crate) fn interrupt() -> Shared {
    THREAD_STATE
        .try_with(|state| state.interrupt.get())
        .unwrap_or(Shared::NONE)
}

/// Notes by what the call that the thread is in can be interrupted, and returns what it was before.
pub(crate) fn exchange_interrupt(interrupt: Shared) -> Shared {
    THREAD_STATE
        .try_with(|state| state.interrupt.replace(interrupt))
        .unwrap_or(Shared::NONE)
}

/// The token of the call that the thread is in, 0 if it is in none; none if the thread is ending.
pub(crate) fn call() -> Option<u64> {
    THREAD_STATE.try_with(|state| state.call.get()).ok()
}

/// How many functions of the host's run on this thread, one inside of the other; none if the thread is ending.
pub(crate) fn callbacks() -> Option<u32> {
    THREAD_STATE.try_with(|state| state.callbacks.get()).ok()
}

/// Whether a function of the host's runs on this thread.
pub(crate) fn is_in_callback() -> bool {
    callbacks().is_some_and(|callbacks| callbacks > 0)
}

/// Where the function of the host's was called that runs on this thread.
pub(crate) fn origin() -> Origin {
    THREAD_STATE
        .try_with(|state| match state.callbacks.get() {
            0 => Origin::None,
            // The threads that make calls of the host's own accord keep their thread state.
            _ if state.kept.get().is_null() => Origin::Thread,
            _ => Origin::Call,
        })
        .unwrap_or(Origin::None)
}

/// The modes of the host on this thread: those at the last attach, or on a thread that Python made, the usual ones.
fn host_float_mode() -> FloatMode {
    THREAD_STATE
        .try_with(|state| state.float_mode.get())
        .unwrap_or(FloatMode::DEFAULT)
}

/// Runs `body`, a call of the host's, detached and with the host's floating point modes. `body` tells whether the host
/// keeps something for the call that the thread is in.
pub(crate) fn detached(body: impl FnOnce() -> bool) {
    /// Attaches again, however the body ends.
    struct Saved(*mut ffi::PyThreadState);
    impl Drop for Saved {
        fn drop(&mut self) {
            // SAFETY: the thread state of this thread, which was attached to it when this was made, and which calls
            // from within have left detached again.
            unsafe { ffi::PyEval_RestoreThread(self.0) };
        }
    }
    let (caller, kept, activity, at_end) = THREAD_STATE
        .try_with(|state| {
            state.callbacks.set(state.callbacks.get() + 1);
            let activity = state.activity.replace(Writer::NONE);
            state.pause();
            let at_end = (state.at_end.replace(0), state.number.get());
            (state.call.replace(0), state.keeps.replace(false), activity, at_end)
        })
        .unwrap_or((0, false, Writer::NONE, (0, 0)));
    let interrupt = exchange_interrupt(Shared::NONE);
    if !interrupt.is_none() {
        interrupt.pause();
    }
    // SAFETY: the calling thread is attached.
    let saved = Saved(unsafe { ffi::PyEval_SaveThread() });
    activity.enter_callback();
    let (of_host, of_python) = (host_float_mode(), FloatMode::now());
    of_host.restore();
    let keeps = body();
    of_python.restore();
    activity.leave_callback();
    drop(saved);
    activity.go_on();
    if !interrupt.is_none() {
        interrupt.go_on();
        exchange_interrupt(interrupt);
    }
    let _ = THREAD_STATE.try_with(|state| {
        state.callbacks.set(state.callbacks.get() - 1);
        state.call.set(caller);
        state.activity.set(activity);
        state.at_end.set(at_end.0);
        state.number.set(at_end.1);
        state.keeps.set(kept || keeps);
        state.float_mode.set(of_host); // a call from within has noted its own
    });
}

/// Runs `body`, a function of the host's, on Python's main thread, whose state this is and which is not attached: like a thread of
/// the host, for that time.
pub(crate) fn lend(main: *mut ffi::PyThreadState, body: impl FnOnce()) {
    let _ = THREAD_STATE.try_with(|state| {
        state.kept.set(main);
        state.ident.set(ident());
    });
    body();
    // What attaches it otherwise does not tell this module.
    let _ = THREAD_STATE.try_with(|state| state.kept.set(null_mut()));
}

/// Attaches the calling thread, waiting for the GIL.
#[inline(always)]
pub(crate) fn attach() -> Result<Attached, Box<Report>> {
    interpreter::check_running()?;
    if THREAD_STATE
        .try_with(|state| state.kept.get().is_null())
        .unwrap_or(false)
    {
        check_stack()?;
    }
    Ok(attach_started())
}

/// Checks the stack of a thread that is about to be attached for the first time.
#[cold]
fn check_stack() -> Result<(), Box<Report>> {
    // SAFETY: the interpreter runs; any thread may call this.
    let is_python = unsafe { !ffi::PyGILState_GetThisThreadState().is_null() };
    if is_python { Ok(()) } else { stack::check_thread() }
}

/// [`attach`], also when the interpreter was shut down. CPython has been started.
#[inline]
pub(crate) fn attach_started() -> Attached {
    THREAD_STATE
        .try_with(|state| {
            let kept = state.kept.get();
            if kept.is_null() || state.entered.get() {
                return attach_slowly(state);
            }
            // SAFETY: `kept` belongs to this thread, which is not attached: its last guard saved it.
            unsafe { ffi::PyEval_RestoreThread(kept) };
            state.entered.set(true);
            state.float_mode.set(FloatMode::now());
            state.context.begin();
            Attached { kept: state, before: 0 }
        })
        // The thread is ending and its own thread state is gone: use one for this call only.
        .unwrap_or_else(|_| attach_foreign())
}

/// Attaches a thread for the first time, or inside of another guard.
#[cold]
#[inline(never)]
fn attach_slowly(state: &ThreadState) -> Attached {
    let is_outer = state.entered.get();
    let kept = state.kept.get();
    state.float_mode.set(FloatMode::now());
    // SAFETY: the interpreter runs; these functions may be called from any thread, attached or not. A kept thread state
    // belongs to this thread, and it is restored only if the code that runs inside the outer guard has detached.
    unsafe {
        if !kept.is_null() {
            if PyGILState_Check() != 0 {
                return Attached {
                    kept: null(),
                    before: within(0),
                };
            }
            ffi::PyEval_RestoreThread(kept);
        } else {
            if !ffi::PyGILState_GetThisThreadState().is_null() {
                return attach_foreign();
            }
            ffi::PyGILState_Ensure();
            state.kept.set(ffi::PyThreadState_Get());
            state.ident.set(ident());
            COUNT.fetch_add(1, Ordering::Relaxed);
        }
    }
    state.entered.set(true);
    let before = if is_outer {
        within(OUTER)
    } else {
        state.context.begin();
        0
    };
    Attached { kept: state, before }
}

impl Drop for Attached {
    #[inline(always)]
    fn drop(&mut self) {
        if self.before > FLAGS {
            self.leave_context();
        }
        if !self.kept.is_null() {
            if process::is_fork() {
                process::end(None);
            }
            signal::restore_mask();
            // SAFETY: the thread-local of this thread, which this guard never leaves; it lives until the thread ends.
            unsafe { (*self.kept).entered.set(self.before != 0) };
            // SAFETY: this guard attached the thread and guards end in reverse order, so it is attached now.
            unsafe { ffi::PyEval_SaveThread() };
            // SAFETY: as above.
            unsafe { (*self.kept).float_mode.get() }.restore();
        } else if self.before & FOREIGN != 0 {
            let state = if self.before & UNLOCKED == 0 {
                ffi::PyGILState_STATE::PyGILState_LOCKED
            } else {
                ffi::PyGILState_STATE::PyGILState_UNLOCKED
            };
            // SAFETY: pairs with the `PyGILState_Ensure` that returned this state on this thread.
            unsafe { ffi::PyGILState_Release(state) };
            host_float_mode().restore();
        }
    }
}
