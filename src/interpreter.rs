//! Starting CPython once, isolated, and shutting it down.
//!
//! One OS thread owns the start and lives for ever; it is Python's main thread. It takes jobs: start, finish, and calls of the
//! host that must be made there. In between, it does what others leave for it to do.
//! CPython is never finalised, because NumPy refuses to load a second time.
#![expect(
    unsafe_code,
    reason = "attaches the thread that owns the start, and switches the garbage collector"
)]

use std::ffi::{c_ulong, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyImportError, PyModuleNotFoundError};
use pyo3::ffi;
use pyo3::prelude::*;

use crate::boundary::{Failure, Text, counted, guarded, out, slice, text};
use crate::context::{self, Entered};
use crate::error::{Error, ErrorCode, Report};
use crate::handler::{self, Unchanged};
use crate::signal::{self, set_sigpipe_blocked};
use crate::{
    activity, array, builtin, callback, configuration, interrupt, lease, object, output, package, pending, process,
    stack, thread_state,
};

/// How to start the interpreter.
#[repr(C)]
#[derive(Debug)]
pub struct Config {
    /// The Python executable of the environment: an absolute path. It decides `sys.prefix`, `sys.executable` and
    /// where packages are looked for.
    pub executable: Text,
    /// The version of the environment: major << 8 | minor.
    pub version: u32,
    /// How many folders `path` has.
    pub path_len: u32,
    /// Folders to put in front of `sys.path`.
    pub path: *const Text,
}

/// What the library counts.
#[repr(C)]
#[derive(Debug)]
pub struct Stats {
    /// References to Python objects that the host owns, functions included.
    pub objects: u64,
    /// Lent arrays that Python still reaches although their call has returned.
    pub leases: u64,
    /// OS threads of the host that have a Python thread state.
    pub threads: u64,
    /// How long the import of NumPy took at the start, in nanoseconds.
    pub numpy_import: u64,
    /// Lines that were dropped because the queue of their output was full.
    pub dropped: u64,
    /// How often Python has called functions of the host's on threads that are in no call.
    pub callbacks: u64,
    /// The time by the clock of `snake_activity`, in nanoseconds.
    pub now: u64,
    /// How often a handler of a library was given `SA_ONSTACK`, or one of the host's was put back that a library had dropped.
    pub signals_mended: u64,
}

/// Starts CPython in this process and imports NumPy. The libpython of the environment must be loaded globally
/// before this library is.
///
/// Any thread. It may be called again: with the executable that runs already, it does nothing; after a failure, it
/// tries again what can be tried again. `SNAKE_ERROR_CODE_START` and `SNAKE_ERROR_CODE_ENVIRONMENT` are final where
/// CPython itself began to start: the message says so.
///
/// # Safety
///
/// `config` must point to a config whose pointers point to what their lengths say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn snake_interpreter_start(config: *const Config) -> *mut Error {
    guarded(|| {
        // SAFETY: the caller's promise; the config is only read.
        let config = unsafe { out("config", config.cast_mut()) }?;
        // SAFETY: the caller's promise; likewise below.
        let executable = unsafe { text("executable", config.executable.ptr, config.executable.len) }?;
        if executable.is_empty() || executable.contains('\0') {
            return Err(Box::new(Report::new(ErrorCode::Argument, "executable: want a path")));
        }
        let mut path = Vec::new();
        // SAFETY: see above.
        for folder in unsafe { slice("path", config.path, config.path_len as usize) }? {
            // SAFETY: see above.
            path.push(unsafe { text("path", folder.ptr, folder.len) }?.to_owned());
        }
        let wanted = Environment {
            executable: executable.to_owned(),
            version: config.version,
            path,
        };
        ask_main_thread(|reply| Job::Start(wanted, reply), None)
    })
}

/// Refuses further calls, and then does on Python's main thread what CPython does when a program ends: it joins
/// the threads that are not daemons, runs `atexit` and flushes the streams. Calls that run already go on.
///
/// Waits for at most `timeout` nanoseconds; past that it returns `SNAKE_ERROR_CODE_TIMEOUT` and the rest
/// goes on. Called again, it waits again. Any thread. There is no way back.
#[unsafe(no_mangle)]
pub extern "C" fn snake_interpreter_shutdown(timeout: u64) -> *mut Error {
    guarded(|| {
        if STATE.compare_exchange(RUNNING, CLOSED, Ordering::AcqRel, Ordering::Acquire) == Err(IDLE) {
            return check_running();
        }
        ask_main_thread(Job::Finish, Some(Duration::from_nanos(timeout)))
    })
}

/// Runs a function of the host's on Python's main thread, not attached: the calls that it makes are made there. Returns at once;
/// the functions run in the order in which they came. One that blocks keeps from running what is left for that thread: other
/// such functions, pending calls of C code, and `snake_interpreter_shutdown`.
///
/// Any thread; never attaches.
///
/// # Safety
///
/// `run` must be a function that may be called on any thread and must not unwind; `argument` is passed on to it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn snake_interpreter_run(
    run: Option<unsafe extern "C" fn(argument: *mut c_void)>,
    argument: *mut c_void,
) -> *mut Error {
    guarded(|| {
        check_started()?;
        let Some(run) = run else {
            return Err(Box::new(Report::new(
                ErrorCode::Argument,
                "run: want a function, got NULL",
            )));
        };
        send_to_main_thread(Job::Run(Run(run, argument)))
    })
}

/// Reads the counters. Any thread; never attaches.
///
/// # Safety
///
/// `stats` must point to room for them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn snake_interpreter_stats(stats: *mut Stats) -> *mut Error {
    guarded(|| {
        // SAFETY: the caller's promise.
        *unsafe { out("stats", stats) }? = Stats {
            objects: object::COUNT.load(Ordering::Relaxed) as u64,
            leases: lease::COUNT.load(Ordering::Relaxed) as u64,
            threads: thread_state::COUNT.load(Ordering::Relaxed) as u64,
            numpy_import: NUMPY_IMPORT.load(Ordering::Relaxed),
            dropped: output::DROPPED.load(Ordering::Relaxed),
            callbacks: activity::FOREIGN_CALLBACKS.load(Ordering::Relaxed),
            now: activity::exact(),
            signals_mended: handler::MENDED.load(Ordering::Relaxed),
        };
        Ok(())
    })
}

const IDLE: u8 = 0;
const RUNNING: u8 = 1;
const CLOSED: u8 = 2;

static STATE: AtomicU8 = AtomicU8::new(IDLE);

/// What `Stats::numpy_import` says.
static NUMPY_IMPORT: AtomicU64 = AtomicU64::new(0);

/// Fails unless CPython runs, be it that the interpreter was shut down.
pub(crate) fn check_started() -> Result<(), Box<Report>> {
    if STATE.load(Ordering::Acquire) == IDLE {
        Err(not_running())
    } else {
        Ok(())
    }
}

/// Fails unless the interpreter runs and takes calls.
#[inline]
pub(crate) fn check_running() -> Result<(), Box<Report>> {
    if STATE.load(Ordering::Acquire) == RUNNING {
        Ok(())
    } else {
        Err(not_running())
    }
}

#[cold]
fn not_running() -> Box<Report> {
    Box::new(if STATE.load(Ordering::Acquire) == CLOSED {
        Report::new(ErrorCode::Closed, "the interpreter was shut down")
    } else {
        Report::new(
            ErrorCode::NotStarted,
            "no interpreter runs in this process: it was not started, or its start failed",
        )
    })
}

/// The environment that the host chose.
struct Environment {
    executable: String,
    version: u32,
    path: Vec<String>,
}

type Reply = Sender<Result<(), Box<Report>>>;

enum Job {
    Start(Environment, Reply),
    Finish(Reply),
    Run(Run),
}

/// A function of the host's and its argument.
struct Run(unsafe extern "C" fn(*mut c_void), *mut c_void);

// SAFETY: the contract of `snake_interpreter_run` says that it may be called on any thread.
unsafe impl Send for Run {}

/// The way to Python's main thread; none before the first start.
static MAIN_THREAD: Mutex<Option<Sender<Job>>> = Mutex::new(None);

/// Sends a job to the main thread, creating it if need be.
fn send_to_main_thread(job: Job) -> Result<(), Box<Report>> {
    let failed = |what: &str| Box::new(Report::new(ErrorCode::Start, what));
    let mut main_thread = MAIN_THREAD.lock().unwrap_or_else(PoisonError::into_inner);
    if main_thread.is_none() {
        pending::prepare().map_err(|error| failed(&format!("cannot make a pipe: {error}")))?;
        let (jobs, queue) = channel();
        std::thread::Builder::new()
            .name("gophersnake".to_owned())
            .stack_size(stack::default_size().max(8 << 20))
            .spawn(move || MainThread::default().work(&queue))
            .map_err(|error| failed(&format!("cannot create a thread: {error}")))?;
        *main_thread = Some(jobs);
    }
    if let Some(jobs) = &*main_thread {
        jobs.send(job).map_err(|_| failed("Python's main thread has ended"))?;
        pending::wake();
    }
    Ok(())
}

/// Sends a job to the main thread and waits for the answer.
fn ask_main_thread(job: impl FnOnce(Reply) -> Job, patience: Option<Duration>) -> Result<(), Box<Report>> {
    let failed = |what: &str| Box::new(Report::new(ErrorCode::Start, what));
    let (reply, answer) = channel();
    send_to_main_thread(job(reply))?;
    match patience {
        None => answer.recv().map_err(|_| failed("Python's main thread has ended"))?,
        Some(patience) => match answer.recv_timeout(patience) {
            Ok(outcome) => outcome,
            Err(RecvTimeoutError::Timeout) => Err(Box::new(Report::new(
                ErrorCode::Timeout,
                format!("Python's threads and exit handlers did not end within {patience:?}; they go on"),
            ))),
            Err(RecvTimeoutError::Disconnected) => Err(failed("Python's main thread has ended")),
        },
    }
}

/// Whether Python's main thread runs a function of the host's.
static RUNS: AtomicBool = AtomicBool::new(false);

/// Interrupts the call that Python's main thread is in, as a signal does; tells whether there was one. Attached.
pub(crate) fn interrupt_main_call() -> bool {
    let runs = RUNS.load(Ordering::Relaxed);
    if runs {
        // SAFETY: any thread may. While this thread is attached, the call may end, but no other can begin there: see `take`.
        unsafe { ffi::PyErr_SetInterrupt() };
    }
    runs
}

/// What Python's main thread knows.
#[derive(Default)]
struct MainThread {
    /// The executable that CPython was started for, and this thread's state while it is detached.
    started: Option<(String, *mut ffi::PyThreadState)>,
    /// Why CPython can never start in this process.
    broken: Option<String>,
    finished: bool,
}

impl MainThread {
    fn work(&mut self, jobs: &Receiver<Job>) {
        set_sigpipe_blocked(true);
        loop {
            let serve = pending::wait();
            for job in jobs.try_iter() {
                self.take(job);
            }
            if serve {
                self.serve();
            }
        }
    }

    fn take(&mut self, job: Job) {
        let (outcome, reply) = match job {
            Job::Start(wanted, reply) => {
                handler::note_host();
                process::watch();
                // Importing `signal` installs a handler of SIGINT where the host has none; a .pth file may do worse.
                let unchanged = Unchanged::new();
                let outcome = self.caught(|this| this.start(&wanted));
                drop(unchanged);
                (outcome, reply)
            }
            Job::Finish(reply) => (self.caught(Self::finish), reply),
            Job::Run(Run(run, argument)) => {
                let Some((_, state)) = self.started else { return };
                RUNS.store(true, Ordering::Relaxed);
                // SAFETY: the contract of `snake_interpreter_run`.
                thread_state::lend(state, || unsafe { run(argument) });
                RUNS.store(false, Ordering::Relaxed);
                // An interrupt that was meant for its calls must not meet the next.
                return self.serve();
            }
        };
        // Nobody waits for an answer any more after a time-out.
        let _ = reply.send(outcome);
    }

    /// Does what others have left for this thread.
    fn serve(&mut self) {
        let Some((_, state)) = self.started else { return };
        let _ = self.caught(|_| {
            attached_as(state, |py| {
                pending::serve(py);
                Ok(())
            })
        });
    }

    fn caught(&mut self, job: impl FnOnce(&mut Self) -> Result<(), Box<Report>>) -> Result<(), Box<Report>> {
        catch_unwind(AssertUnwindSafe(|| job(self))).unwrap_or_else(|panic| {
            Err(Box::new(Report::new(
                ErrorCode::Panic,
                crate::boundary::panic_message(&*panic),
            )))
        })
    }

    fn start(&mut self, wanted: &Environment) -> Result<(), Box<Report>> {
        if STATE.load(Ordering::Acquire) == CLOSED {
            return check_running();
        }
        if let Some(broken) = &self.broken {
            return Err(Box::new(Report::new(ErrorCode::Start, broken.as_str())));
        }
        check_version(wanted)?;
        let executable = std::path::Path::new(&wanted.executable);
        if !executable.is_absolute() || !executable.exists() {
            // CPython would start with another prefix, and then could not start again.
            return Err(Box::new(Report::new(
                ErrorCode::Environment,
                format!(
                    "want the absolute path of a Python executable, got {}",
                    wanted.executable
                ),
            )));
        }
        let state = match &self.started {
            Some((running, _)) if *running != wanted.executable => {
                return Err(Box::new(Report::new(
                    ErrorCode::Environment,
                    format!(
                        "CPython already runs in this process for {running} and cannot be replaced by {}: start a new process",
                        wanted.executable
                    ),
                )));
            }
            Some(_) if STATE.load(Ordering::Acquire) == RUNNING => return Ok(()),
            Some((_, state)) => *state,
            None => {
                stack::check_default(wanted.version)?;
                if let Err(failure) = configuration::initialize(&wanted.executable) {
                    let failure = format!(
                        "CPython of {} did not start: {failure}. CPython cannot be started twice in a process: mend the \
                         environment and start a new process",
                        wanted.executable
                    );
                    self.broken = Some(failure.clone());
                    return Err(Box::new(Report::new(ErrorCode::Start, failure)));
                }
                // SAFETY: initialised just now on this thread, which is therefore attached.
                let state = unsafe { ffi::PyEval_SaveThread() };
                self.started = Some((wanted.executable.clone(), state));
                state
            }
        };
        attached_as(state, |py| prepare(py, wanted))?;
        activity::start();
        STATE.store(RUNNING, Ordering::Release);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Box<Report>> {
        let Some((_, state)) = self.started else {
            return check_running();
        };
        if std::mem::replace(&mut self.finished, true) {
            return Ok(());
        }
        attached_as(state, |py| {
            let _entered = Entered::program(py)?;
            object::release_pending();
            package::module(py, "lifecycle")?.call_method0("finish")?;
            package::module(py, "output")?.call_method0("flush_all")?;
            // SAFETY: NULL flushes all streams of C, to which extension modules write.
            unsafe { libc::fflush(std::ptr::null_mut()) };
            Ok(())
        })
    }
}

/// Runs `body` on Python's main thread, attached.
fn attached_as(
    state: *mut ffi::PyThreadState,
    body: impl FnOnce(Python<'_>) -> Result<(), Failure>,
) -> Result<(), Box<Report>> {
    struct Detach;
    impl Drop for Detach {
        fn drop(&mut self) {
            if process::is_fork() {
                process::end(None);
            }
            // SAFETY: `attached_as` attached this thread.
            unsafe { ffi::PyEval_SaveThread() };
        }
    }
    // SAFETY: `state` is this thread's own, saved when it last detached.
    unsafe { ffi::PyEval_RestoreThread(state) };
    let _detach = Detach;
    counted(|py| body(py).map_err(|failure| failure.report(py)))
}

/// Compares the loaded libpython with the environment: their extension modules do not fit each other otherwise.
fn check_version(wanted: &Environment) -> Result<(), Box<Report>> {
    // SAFETY: `Py_Version` is an `unsigned long` in every libpython from 3.11 on.
    let loaded = unsafe { configuration::symbol::<*const c_ulong>(c"Py_Version").map(|version| *version) };
    let loaded = loaded.map_or(0, |version| (version >> 16) as u32);
    if loaded == wanted.version {
        return Ok(());
    }
    let name = |version: u32| format!("{}.{}", version >> 8, version & 0xff);
    Err(Box::new(Report::new(
        ErrorCode::Environment,
        format!(
            "the environment of {} is for Python {}, but the libpython in this process is {}",
            wanted.executable,
            name(wanted.version),
            if loaded == 0 {
                "older than 3.11 or missing".to_owned()
            } else {
                name(loaded)
            }
        ),
    )))
}

/// Makes the started interpreter ready for calls. Everything here may be done again after a failure.
fn prepare(py: Python<'_>, wanted: &Environment) -> Result<(), Failure> {
    let paused = PausedCollection::new();
    static LOADED: AtomicBool = AtomicBool::new(false);
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if !LOADED.load(Ordering::Relaxed) {
        package::load(py)?;
        // Now, because an exception may have to be described where nothing can be imported.
        package::module(py, "errors")?;
        LOADED.store(true, Ordering::Relaxed);
    }
    if !INSTALLED.swap(true, Ordering::Relaxed) {
        pending::find_word(py);
        builtin::install(py)?;
        context::install(py)?;
        interrupt::install(py)?;
        package::module(py, "lifecycle")?.call_method0("install")?;
        stack::install(py, wanted.version)?;
        output::install(py)?;
        signal::install(py)?;
        package::module(py, "processes")?.call_method0("install")?;
        builtin::spread(py)?;
    }
    let begin = Instant::now();
    import_numpy(py).map_err(|exception| {
        let python = &wanted.executable;
        let reason = first_cause(&exception, py);
        let remedy = match missing_library(&reason) {
            Some((library, package)) => format!(
                "install the system's library {library}, which NumPy needs (Debian, Ubuntu: apt-get install {package})"
            ),
            None if is_missing(&exception, py) => format!("install it with: {python} -m pip install numpy"),
            // What is there, but torn, pip takes for installed.
            None => format!("install it with: {python} -m pip install --force-reinstall numpy"),
        };
        let message = format!("in the environment of {python}: {reason}\n{remedy}");
        let report = Failure::Python(exception).report(py);
        Failure::Report(report.explained(ErrorCode::Numpy, message))
    })?;
    let took = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
    NUMPY_IMPORT.store(took, Ordering::Relaxed);
    callback::install(py)?;
    package::module(py, "lifecycle")?.call_method1("extend_path", (wanted.path.clone(),))?;
    paused.make_old(py)?;
    Ok(())
}

/// The garbage collector does not run while this lives: what is imported stays, and to look at it again and again takes time.
struct PausedCollection {
    was_enabled: bool,
}

impl PausedCollection {
    fn new() -> Self {
        PausedCollection {
            // SAFETY: attached, as all who prepare are.
            was_enabled: unsafe { ffi::PyGC_Disable() } != 0,
        }
    }

    /// Puts all objects into the oldest generation, as if they had been looked at: that would be next, for as long as a tenth
    /// of the import of NumPy takes.
    fn make_old(&self, py: Python<'_>) -> PyResult<()> {
        let gc = PyModule::import(py, "gc")?;
        // What others have frozen stays so; CPython 3.12 has itself.
        if self.was_enabled && gc.call_method0("get_freeze_count")?.eq(0)? {
            gc.call_method0("freeze")?;
            gc.call_method0("unfreeze")?;
        }
        Ok(())
    }
}

impl Drop for PausedCollection {
    fn drop(&mut self) {
        if self.was_enabled {
            // SAFETY: as above.
            unsafe { ffi::PyGC_Enable() };
        }
    }
}

fn import_numpy(py: Python<'_>) -> PyResult<()> {
    PyModule::import(py, "numpy")?;
    catch_unwind(|| array::prepare(py))
        .unwrap_or_else(|panic| Err(PyImportError::new_err(crate::boundary::panic_message(&*panic))))
}

/// What was raised first: NumPy puts pages of advice around it.
fn first_cause(exception: &PyErr, py: Python<'_>) -> String {
    const MOST: usize = 16;
    let causes = std::iter::successors(Some(exception.clone_ref(py)), |exception| exception.cause(py));
    let text = |exception: PyErr| exception.to_string().trim().replace('\n', " ");
    causes.take(MOST).last().map(text).unwrap_or_default()
}

/// The library that the loader did not find, if that is what it says, and the name that Debian's rules give to its package.
fn missing_library(reason: &str) -> Option<(&str, String)> {
    let (before, _) = reason.split_once(": cannot open shared object file")?;
    let library = before.rsplit(' ').next()?;
    let (name, number) = library.split_once(".so.")?;
    let dash = if name.ends_with(|letter: char| letter.is_ascii_digit()) {
        "-"
    } else {
        ""
    };
    let package = match name {
        "libz" => "zlib1g".to_owned(),
        _ => format!("{}{dash}{number}", name.to_lowercase()),
    };
    Some((library, package))
}

/// Whether the import of NumPy failed because there is none.
fn is_missing(exception: &PyErr, py: Python<'_>) -> bool {
    let name = exception.value(py).getattr("name");
    exception.is_instance_of::<PyModuleNotFoundError>(py) && name.is_ok_and(|name| name.eq("numpy").unwrap_or(false))
}
