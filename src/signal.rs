//! Signals are the host's: no handler of its changes, and no thread of its keeps a mask that Python has given it.
//!
//! The helper `gophersnake.signals` refuses what Python code would change. What C code changes while an extension
//! module is imported, and while CPython starts, is undone; later changes can be asked for.
#![expect(unsafe_code, reason = "asks the kernel for the handlers, and puts them back")]

use std::cell::Cell;
use std::ffi::{CStr, c_int, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use pyo3::types::PyCFunction;

use crate::{builtin, package, process, thread_state};

/// What the kernel knows of a signal: handler, flags, restorer, mask. Not the struct of libc, whose functions would
/// put a restorer of their own in the place of the host's.
type Action = [usize; 4];

const HANDLER: usize = 0;
const SIGNALS: c_int = 64;

fn read(number: c_int) -> Action {
    let mut action = Action::default();
    // SAFETY: the kernel writes four words; a number that it does not know leaves zeros, which is `SIG_DFL`.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, number, 0_usize, &raw mut action, 8_usize) };
    action
}

/// May be called after a fork.
fn write(number: c_int, action: Action) {
    // SAFETY: the kernel reads four words: what it gave before, or zeros with a handler that is none.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, number, &raw const action, 0_usize, 8_usize) };
}

fn is_function(action: Action) -> bool {
    action[HANDLER] != libc::SIG_DFL && action[HANDLER] != libc::SIG_IGN
}

/// The handlers of all signals.
pub(crate) struct Handlers([Action; SIGNALS as usize]);

impl Handlers {
    pub(crate) fn read() -> Self {
        let mut table = [Action::default(); SIGNALS as usize];
        for (number, action) in (1..).zip(&mut table) {
            *action = read(number);
        }
        Handlers(table)
    }

    /// Puts back what code outside of the host has changed since; changes of the host's own stay.
    pub(crate) fn restore(&self) {
        for (number, before) in (1..).zip(self.0) {
            let now = read(number);
            if now != before && (is_taken(now) || now[HANDLER] == before[HANDLER]) {
                write(number, before);
            }
        }
    }
}

/// Notes which objects have handlers before CPython starts: these are the host's.
pub(crate) fn note_host() {
    HOST.get_or_init(|| {
        let handlers = Handlers::read().0.into_iter().filter(|action| is_function(*action));
        // SAFETY: reads a number.
        let executable = unsafe { libc::getauxval(libc::AT_PHDR) } as usize;
        handlers
            .map(|action| action[HANDLER])
            .chain([executable])
            .filter_map(object_of)
            .map(|object| object.0)
            .collect()
    });
}

/// Where the objects of the host begin: its executable and, say, the library of a sanitizer.
static HOST: OnceLock<Vec<usize>> = OnceLock::new();

/// Whether a handler is none of the host's.
fn is_taken(action: Action) -> bool {
    let host = HOST.get().map_or(&[][..], Vec::as_slice);
    is_function(action) && object_of(action[HANDLER]).is_none_or(|(base, _)| !host.contains(&base))
}

/// Where the executable or library begins that has the address, and its file.
fn object_of(address: usize) -> Option<(usize, String)> {
    // SAFETY: zeros are valid for its pointers; any address may be asked for; the name is a string of the loader's.
    unsafe {
        let mut info: libc::Dl_info = std::mem::zeroed();
        if libc::dladdr(std::ptr::without_provenance::<c_void>(address), &raw mut info) == 0 {
            return None;
        }
        let file = CStr::from_ptr(info.dli_fname).to_string_lossy().into_owned();
        Some((info.dli_fbase.addr(), file))
    }
}

/// The signals that have a handler which is none of the host's, and the file where it is.
fn find_taken() -> Vec<(c_int, String)> {
    let taken = (1..=SIGNALS).map(|number| (number, read(number)));
    taken
        .filter(|(_, action)| is_taken(*action))
        .map(|(number, action)| {
            let file = object_of(action[HANDLER]).map_or_else(|| "made at run time".to_owned(), |(_, file)| file);
            (number, file)
        })
        .collect()
}

/// Installs the helper. The calling thread is Python's main thread.
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    // Extension modules may install handlers when they are imported; `readline` does.
    for name in ["create_dynamic", "exec_dynamic"] {
        builtin::replace(py, "_imp", name, |call| {
            if process::is_fork() {
                return call.original();
            }
            let before = Handlers::read();
            let outcome = call.original();
            before.restore();
            outcome
        })?;
    }
    for (module, name, blocked) in STARTS {
        builtin::replace(py, module, name, move |call| {
            if process::is_fork() {
                return call.original();
            }
            let before = set_sigpipe_blocked(blocked);
            let outcome = call.original();
            set_sigpipe_blocked(before);
            outcome
        })?;
    }
    let remember = PyCFunction::new_closure(py, Some(c"remember_mask"), None, |_, _| remember_mask())?;
    let taken = PyCFunction::new_closure(py, Some(c"find_taken"), None, |_, _| find_taken())?;
    package::module(py, "signals")?.call_method1("install", (remember, taken))?;
    Ok(())
}

/// What starts threads and processes, which inherit the mask of the thread that does, and whether they have SIGPIPE
/// blocked. A pipe that nobody reads raises `BrokenPipeError` in a thread that hosted code starts: where the host keeps the
/// handler of SIGPIPE, the signal would end the process on a thread that is not the host's. It ends the programs that such
/// a thread starts, as any other.
const STARTS: [(&str, &str, bool); 7] = [
    ("_thread", "start_new_thread", true),
    ("_thread", "start_new", true),
    ("_thread", "start_joinable_thread", true), // from 3.13 on
    ("_posixsubprocess", "fork_exec", false),
    ("posix", "posix_spawn", false),
    ("posix", "posix_spawnp", false),
    ("posix", "system", false),
];

/// Keeps SIGPIPE away from this thread and from those that it starts, or lets it come again; returns how it was.
///
/// Without it, writing to a pipe that nobody reads fails with EPIPE. Where it comes on a thread that is not the
/// host's, a Go program ends.
pub(crate) fn set_sigpipe_blocked(blocked: bool) -> bool {
    let how = if blocked { libc::SIG_BLOCK } else { libc::SIG_UNBLOCK };
    // SAFETY: the sets are initialised before they are used; only the mask of the calling thread changes.
    unsafe {
        let (mut signals, mut before) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigemptyset(&raw mut signals);
        libc::sigaddset(&raw mut signals, libc::SIGPIPE);
        libc::pthread_sigmask(how, &raw const signals, &raw mut before);
        libc::sigismember(&raw const before, libc::SIGPIPE) == 1
    }
}

/// Whether Python has ever changed the mask of a thread of the host's.
static MASKED: AtomicBool = AtomicBool::new(false);

thread_local! {
    static MASK: Cell<Option<libc::sigset_t>> = const { Cell::new(None) };
}

/// Has the mask of this thread restored when the host's call ends that it is in.
fn remember_mask() {
    if !thread_state::is_in_call() || MASK.get().is_some() {
        return;
    }
    // SAFETY: without a new set, the mask is only read, into room for it.
    let mask = unsafe {
        let mut mask = std::mem::zeroed();
        libc::pthread_sigmask(libc::SIG_SETMASK, std::ptr::null(), &raw mut mask);
        mask
    };
    MASK.set(Some(mask));
    MASKED.store(true, Ordering::Relaxed);
}

/// Restores the mask of this thread, which leaves Python.
#[inline]
pub(crate) fn restore_mask() {
    if MASKED.load(Ordering::Relaxed) {
        restore_mask_if_changed();
    }
}

#[cold]
fn restore_mask_if_changed() {
    if let Ok(Some(mask)) = MASK.try_with(Cell::take) {
        // SAFETY: a mask that this thread had.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const mask, std::ptr::null_mut()) };
    }
}

/// Takes the host's handlers away from a forked process, as starting a program does: nothing of the host runs there
/// that they could wake. May be called after a fork.
pub(crate) fn leave_host() {
    for number in 1..=SIGNALS {
        if is_function(read(number)) {
            write(number, Action::default());
        }
    }
    set_sigpipe_blocked(false);
}
