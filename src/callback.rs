//! What of the host Python holds: functions that it calls and values that it passes on.
//!
//! Both are known by a number, the handle, which the host gives. Whenever Python lets go of one, its handle goes back to
//! the host as a lease does; so the host keeps the thing alive for as long as Python reaches it.
#![expect(unsafe_code, reason = "calls the host through the function that it installed")]

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use crate::argument::Arguments;
use crate::boundary::{Failure, guarded, slice};
use crate::error::{Error, ErrorCode, Report};
use crate::lend::Lends;
use crate::object;
use crate::tree::{Plan, Tree};
use crate::value::{Kind, MAX_VALUES, Value};
use crate::{interrupt, lease, package, process, thread_state};

/// How a call of the host's function ended.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It returned.
    Returned = 0,
    /// It failed: in Python, an exception of `gophersnake.GoError`.
    Failed = 1,
    /// It panicked: in Python, a `gophersnake.GoPanic`.
    Panicked = 2,
    /// It ended its thread of control: in Python, a `gophersnake.GoExit`.
    Exited = 3,
}

/// Where the function of the host's was called that a thread runs.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It runs none.
    None = 0,
    /// In a call of the host's.
    Call = 1,
    /// On a thread that Python started.
    Thread = 2,
}

/// Memory that the host gives away as an array: it stays valid and in its place until the lease comes back.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Gift {
    /// Its address.
    pub data: u64,
    /// The number of the lease, which the host chooses; its highest bit is 1.
    pub lease: u64,
}

/// A call of one of the host's functions. The library fills in the first part; the host the second.
#[repr(C)]
#[derive(Debug)]
pub struct Invocation {
    /// The handle of the function.
    pub function: u64,
    /// The `token` of the `snake_call` that this thread is in; 0 on a thread that is in none.
    pub caller: u64,
    /// Where `caller` is 0: the number that the host gave `gophersnake.tasks:start` for the coroutine in whose context
    /// Python calls the function, be it on another thread; 0 if there is none. That coroutine may have ended.
    pub task: u64,
    /// How many of the host's functions run on this thread already.
    pub depth: u32,
    /// The positional arguments, then a `TEXT` and a value for each keyword argument. All that they point to stays
    /// valid for the call; the host may take an `OBJECT` over by setting its `bits` to 0.
    pub values: *mut Value,
    /// How many values there are, children included.
    pub values_len: usize,
    /// What the positions of texts and bytes count in.
    pub bytes: *const u8,
    /// How many bytes there are.
    pub bytes_len: usize,
    /// How many positional arguments there are.
    pub args: u32,
    /// How many keyword arguments there are.
    pub kwargs: u32,
    /// What all these belong to. A host that lends memory of theirs on, and finds it retained, takes this over by setting
    /// it to NULL, and ends it with `snake_tree_free` when the leases have come back.
    pub tree: *mut Tree,

    /// Out: 1 if the host keeps something for the time of the caller: it is then invoked once more, with 0 as the
    /// function, on this thread, when the `snake_call` ends.
    pub keeps: u32,
    /// Out: a `SNAKE_OUTCOME_*` value.
    pub outcome: u32,
    /// Out: the result, or what the exception is made of; `reply_values` if it is more than one value. An `OBJECT`
    /// and each use of a `FUNCTION` or `HOST` become the library's.
    pub reply: Value,
    /// Out: the values of the reply, in memory of `malloc` that the library frees; NULL if it is one value.
    pub reply_values: *mut Value,
    /// Out: how many values the reply has, if it has more than one.
    pub reply_len: usize,
    /// Out: what the positions in the reply count in; memory of `malloc` that the library frees, or NULL.
    pub reply_bytes: *mut u8,
    /// Out: how many bytes there are.
    pub reply_bytes_len: usize,
    /// Out: the memory of the arrays in the reply; the list is memory of `malloc` that the library frees, or NULL.
    pub gifts: *mut Gift,
    /// Out: how many there are.
    pub gifts_len: usize,
}

/// How deep calls of the host's functions and calls from within them may nest on one thread.
///
/// A level through NumPy takes 6 KiB of stack, so that this is a third of the 2 MiB that threads have at least where
/// nobody asked for less; with 1 MiB there is half of it left. CPython's limit of recursion may come first.
pub const MAX_NESTING: u32 = 100;

/// The function of the host that calls its functions.
static CALL: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());

/// Names the function that calls the host's functions. It is called on any thread, which is not attached meanwhile,
/// and must not unwind. It may call this library, also to make calls.
///
/// Any thread; never attaches.
///
/// # Safety
///
/// `call` must be a function that stays there for ever.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn snake_callback_install(
    call: Option<unsafe extern "C" fn(invocation: *mut Invocation)>,
) -> *mut Error {
    guarded(|| {
        let Some(call) = call else {
            return Err(Box::new(Report::new(
                ErrorCode::Argument,
                "call: want a function, got NULL",
            )));
        };
        CALL.store(call as *mut c_void, Ordering::Release);
        Ok(())
    })
}

// A function of the host's, as Python sees it. (A comment for rustdoc would become its `__doc__`.)
#[pyclass(module = "gophersnake", frozen, weakref)]
pub(crate) struct GoFunction {
    handle: u64,
    plan: *const Plan,
    #[pyo3(get, name = "__name__")]
    name: Py<PyString>,
    #[pyo3(get, name = "__qualname__")]
    qualname: Py<PyString>,
    #[pyo3(get, name = "__module__")]
    module: Py<PyString>,
    #[pyo3(get, name = "__doc__")]
    doc: Option<Py<PyString>>,
    /// "(x, y=1)"; the module `inspect` reads it.
    #[pyo3(get, name = "__text_signature__")]
    signature: Option<Py<PyString>>,
}

// SAFETY: the plan is never written to and lives for ever, as the contract of `FUNCTION` says; the rest may be shared.
unsafe impl Send for GoFunction {}
// SAFETY: as above.
unsafe impl Sync for GoFunction {}

impl Drop for GoFunction {
    fn drop(&mut self) {
        lease::come_back(self.handle);
    }
}

#[pymethods]
impl GoFunction {
    #[pyo3(signature = (*arguments, **keywords))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        arguments: &Bound<'py, PyTuple>,
        keywords: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.call(py, arguments, keywords).map_err(into_exception)
    }

    /// As a function of Python's own, it becomes a method where it is found in a class.
    fn __get__<'py>(
        slf: Bound<'py, Self>,
        instance: Option<Bound<'py, PyAny>>,
        _owner: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        static METHOD: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let py = slf.py();
        match instance {
            None => Ok(slf.into_any()),
            Some(instance) => METHOD
                .get_or_try_init(py, || {
                    Ok::<_, PyErr>(PyModule::import(py, "types")?.getattr("MethodType")?.unbind())
                })?
                .bind(py)
                .call1((slf, instance)),
        }
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("<Go function {}.{}>", self.module.bind(py), self.qualname.bind(py))
    }
}

impl GoFunction {
    fn call<'py>(
        &self,
        py: Python<'py>,
        arguments: &Bound<'py, PyTuple>,
        keywords: Option<&Bound<'py, PyDict>>,
    ) -> Result<Bound<'py, PyAny>, Failure> {
        let call = installed();
        let caller = thread_state::call();
        let refusal = if process::is_fork() || call.is_none() {
            Some("Go does not run in a forked process: use the start method \"spawn\" or \"forkserver\"")
        } else if caller.is_none() {
            Some("Go does not run any more on this thread, which is ending")
        } else {
            None
        };
        if let Some(refusal) = refusal {
            return Err(PyRuntimeError::new_err(format!("{}: {refusal}", self.__repr__(py))).into());
        }
        // SAFETY: the host promises that the plan of a function stays as it is for ever, or is NULL.
        let plan = unsafe { self.plan.as_ref() };
        let caller = caller.unwrap_or(0);
        let task = if caller == 0 { current_task(py)? } else { 0 };
        let tree = Tree::of_arguments(arguments, keywords, plan)?;
        // SAFETY: `of_arguments` returned it, and it is freed below only, or by the host.
        let view = unsafe { &*tree };
        let mut invocation = Invocation {
            caller,
            task,
            values: view.values,
            values_len: view.values_len,
            bytes: view.bytes,
            bytes_len: view.bytes_len,
            args: u32::try_from(arguments.len()).unwrap_or(u32::MAX),
            kwargs: keywords.map_or(0, |keywords| u32::try_from(keywords.len()).unwrap_or(u32::MAX)),
            tree,
            ..Invocation::of(self.handle)
        };
        thread_state::detached(|| {
            if let Some(call) = call {
                // SAFETY: the function that the host installed, with a struct that it may write to; the tree lives
                // until it has returned.
                unsafe { call(&raw mut invocation) };
            }
            invocation.keeps != 0
        });
        // SAFETY: made by `of_arguments`, and nobody uses it any more; NULL if the host has taken it over.
        unsafe { Tree::release(invocation.tree) };
        // SAFETY: the host filled the reply in as its contract says.
        let reply = unsafe { build_reply(py, &invocation) };
        // SAFETY: memory of `malloc` or NULL, which the host gave away.
        unsafe {
            free(invocation.reply_values);
            free(invocation.reply_bytes);
            free(invocation.gifts);
        }
        // What the host gave back meanwhile, which would else wait for its next call: a loop in Python may call its
        // functions millions of times before.
        object::release_pending_apart(py);
        let reply = match reply {
            Ok(reply) => reply,
            Err(failure) => {
                interrupt::raise_pending(py, false)?;
                return Err(failure);
            }
        };
        interrupt::raise_pending(py, invocation.outcome == Outcome::Returned as u32)?;
        if invocation.outcome == Outcome::Returned as u32 {
            return Ok(reply);
        }
        if invocation.outcome > Outcome::Exited as u32 {
            return Err(Failure::argument(format!(
                "{}: the host says that it ended with outcome {}, which is none",
                self.__repr__(py),
                invocation.outcome
            )));
        }
        let parts = reply.cast_into::<PyTuple>().map_err(PyErr::from)?;
        let exception = package::module(py, "callbacks")?.getattr("make_exception")?.call(
            (invocation.outcome,)
                .into_pyobject(py)?
                .as_sequence()
                .concat(parts.as_sequence())?
                .to_tuple()?,
            None,
        )?;
        Err(PyErr::from_value(exception).into())
    }
}

impl Invocation {
    fn of(function: u64) -> Self {
        Invocation {
            function,
            caller: 0,
            task: 0,
            depth: thread_state::callbacks().unwrap_or(0),
            values: std::ptr::null_mut(),
            values_len: 0,
            bytes: std::ptr::null(),
            bytes_len: 0,
            args: 0,
            kwargs: 0,
            tree: std::ptr::null_mut(),
            keeps: 0,
            outcome: Outcome::Returned as u32,
            reply: Value::new(Kind::None, 0, 0),
            reply_values: std::ptr::null_mut(),
            reply_len: 0,
            reply_bytes: std::ptr::null_mut(),
            reply_bytes_len: 0,
            gifts: std::ptr::null_mut(),
            gifts_len: 0,
        }
    }
}

/// What `Invocation::task` says.
#[cold]
fn current_task(py: Python<'_>) -> PyResult<u64> {
    static GET: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    GET.get_or_try_init(py, || {
        let variable = package::module(py, "tasks")?.getattr("current")?;
        Ok::<_, PyErr>(variable.getattr("get")?.unbind())
    })?
    .call0(py)?
    .extract(py)
}

/// Frees memory that the host gave away. What is not aligned was refused and is none of `malloc`.
///
/// # Safety
///
/// If aligned, `memory` must be memory of `malloc` or NULL.
unsafe fn free<T>(memory: *mut T) {
    if memory.is_aligned() {
        // SAFETY: the caller's promise.
        unsafe { libc::free(memory.cast()) };
    }
}

/// The function that the host installed.
fn installed() -> Option<unsafe extern "C" fn(*mut Invocation)> {
    let call = CALL.load(Ordering::Acquire);
    // SAFETY: only `snake_callback_install` stores here; NULL is none.
    unsafe { std::mem::transmute::<*mut c_void, Option<unsafe extern "C" fn(*mut Invocation)>>(call) }
}

/// Tells whether the calling thread runs a function of the host's: a `SNAKE_ORIGIN_*` value. Any thread; never attaches.
#[unsafe(no_mangle)]
pub extern "C" fn snake_callback_origin() -> u32 {
    thread_state::origin() as u32
}

/// Lets the host end what it keeps for a call that ends now.
#[cold]
pub(crate) fn end_call(caller: u64) {
    if let Some(call) = installed() {
        let mut invocation = Invocation {
            caller,
            ..Invocation::of(0)
        };
        // SAFETY: the function that the host installed, with a struct that it may write to.
        unsafe { call(&raw mut invocation) };
    }
}

/// Makes the object that the host answered with. Whatever is wrong with the rest, what `values` describes is taken over, as
/// long as it can be read.
///
/// # Safety
///
/// The reply in `invocation` must be as its contract says.
unsafe fn build_reply<'py>(py: Python<'py>, invocation: &Invocation) -> Result<Bound<'py, PyAny>, Failure> {
    let values = if invocation.reply_values.is_null() {
        std::slice::from_ref(&invocation.reply)
    } else {
        // SAFETY: the caller's promise.
        let values = unsafe {
            slice(
                "reply_values",
                invocation.reply_values.cast_const(),
                invocation.reply_len,
            )
        };
        values.map_err(Failure::Report)?
    };
    check_length("reply_len", values.len())?;
    // SAFETY: the caller's promise.
    let reply = unsafe { build_values(py, invocation, values) };
    for value in values {
        if value.kind == Kind::Object as u32 {
            object::release(std::ptr::with_exposed_provenance_mut(
                usize::try_from(value.bits).unwrap_or(0),
            ));
        }
    }
    reply
}

/// Makes the object that `values` describe, all of which it uses or gives back, but for `OBJECT`s.
///
/// # Safety
///
/// As for [`build_reply`].
unsafe fn build_values<'py>(
    py: Python<'py>,
    invocation: &Invocation,
    values: &[Value],
) -> Result<Bound<'py, PyAny>, Failure> {
    // SAFETY: the caller's promise; likewise below.
    let gifts = unsafe { slice("gifts", invocation.gifts.cast_const(), invocation.gifts_len) };
    let gifts = gifts.map_err(Failure::Report).and_then(|gifts| {
        check_length("gifts_len", gifts.len())?;
        Ok(gifts)
    });
    let (gifts, wrong) = match gifts {
        Ok(gifts) => (gifts, None),
        Err(failure) => (&[][..], Some(failure)),
    };
    let mut arguments = Arguments::new(values, &[], Lends::given(gifts));
    if let Some(failure) = wrong {
        return Err(failure);
    }
    // SAFETY: see above.
    let bytes = unsafe {
        slice(
            "reply_bytes",
            invocation.reply_bytes.cast_const(),
            invocation.reply_bytes_len,
        )
    };
    arguments.bytes = bytes.map_err(Failure::Report)?;
    let reply = arguments.build(py, 0)?;
    if !arguments.values.as_slice().is_empty() {
        return Err(Failure::argument("the reply describes more than one value"));
    }
    Ok(reply)
}

fn check_length(name: &str, len: usize) -> Result<(), Failure> {
    if len > MAX_VALUES {
        return Err(Failure::new(
            ErrorCode::Limit,
            format!("{name}: {len} is more than the {MAX_VALUES} values that a reply may have"),
        ));
    }
    Ok(())
}

/// The exception for a failure of the core's own.
fn into_exception(failure: Failure) -> PyErr {
    match failure {
        Failure::Python(exception) => exception,
        Failure::Report(report) => PyRuntimeError::new_err(report.message().to_owned()),
    }
}

/// Makes a function of the host's. Its handle comes back when Python has let go of it, also if this fails.
pub(crate) fn make_function<'py>(
    py: Python<'py>,
    handle: u64,
    plan: *const Plan,
    texts: [Bound<'py, PyAny>; 5],
) -> PyResult<Bound<'py, PyAny>> {
    let text = |object: &Bound<'py, PyAny>| object.cast::<PyString>().map(|text| text.clone().unbind()).ok();
    let [name, qualname, module, doc, signature] = &texts;
    let (Some(name), Some(qualname), Some(module)) = (text(name), text(qualname), text(module)) else {
        lease::come_back(handle);
        return Err(PyTypeError::new_err(
            "a function of the host needs names that are texts",
        ));
    };
    // What a call of it may need: it may come where nothing can be imported, at the recursion limit for example.
    static IMPORTED: AtomicBool = AtomicBool::new(false);
    if !IMPORTED.load(Ordering::Relaxed) {
        for name in ["callbacks", "tasks", "values"] {
            package::module(py, name).inspect_err(|_| lease::come_back(handle))?;
        }
        IMPORTED.store(true, Ordering::Relaxed);
    }
    let function = GoFunction {
        handle,
        plan,
        name,
        qualname,
        module,
        doc: text(doc),
        signature: text(signature),
    };
    Ok(Bound::new(py, function)?.into_any())
}

/// A value of the host's, as Python sees it; registered types are subclasses.
#[pyclass(module = "gophersnake", subclass, frozen, weakref)]
pub(crate) struct GoValue {
    handle: u64,
    /// How often the host has passed it on.
    uses: AtomicU32,
    /// Where this object is: the key of its entry in `LIVE`.
    address: AtomicUsize,
}

/// The objects that stand for the host's values now, so that one value is one object.
static LIVE: Mutex<Option<HashMap<u64, usize>>> = Mutex::new(None);

thread_local! {
    /// The handle for the object that `make_value` is making on this thread.
    static PENDING: std::cell::Cell<Option<u64>> = const { std::cell::Cell::new(None) };
}

#[pymethods]
impl GoValue {
    #[new]
    fn new() -> PyResult<Self> {
        let handle = PENDING.take().ok_or_else(|| {
            PyTypeError::new_err("only the host program makes these: call a function of its that returns one")
        })?;
        Ok(GoValue {
            handle,
            uses: AtomicU32::new(1),
            address: AtomicUsize::new(0),
        })
    }
}

impl Drop for GoValue {
    fn drop(&mut self) {
        if process::is_fork() {
            return; // as for `lease::come_back`
        }
        let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
        let address = self.address.load(Ordering::Relaxed);
        if let Some(live) = live.as_mut()
            && live.get(&self.handle) == Some(&address)
        {
            live.remove(&self.handle);
        }
        drop(live);
        for _ in 0..self.uses.load(Ordering::Relaxed) {
            lease::come_back(self.handle);
        }
    }
}

/// The object that stands for a value of the host's: the one that is there, or a new one of `class`.
pub(crate) fn make_value<'py>(
    py: Python<'py>,
    handle: u64,
    class: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    if let Some(object) = find_live(py, handle) {
        return Ok(object);
    }
    let class = match class.map(Bound::cast::<PyType>) {
        Some(Ok(class)) => class.clone(),
        _ => py.get_type::<GoValue>(),
    };
    // Making an object may run Python code, which may come here again.
    let outer = PENDING.replace(Some(handle));
    // As `object.__new__` would be called: a subclass has a constructor of its own.
    let made = py
        .get_type::<GoValue>()
        .getattr("__new__")
        .and_then(|new| new.call1((class,)));
    if PENDING.replace(outer).is_some() {
        lease::come_back(handle);
    }
    let made = made?;
    let value = made.cast::<GoValue>()?.get();
    let address = made.as_ptr().expose_provenance();
    value.address.store(address, Ordering::Relaxed);
    LIVE.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get_or_insert_default()
        .insert(handle, address);
    Ok(made)
}

fn find_live<'py>(py: Python<'py>, handle: u64) -> Option<Bound<'py, PyAny>> {
    let live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
    let address = *live.as_ref()?.get(&handle)?;
    let pointer = std::ptr::with_exposed_provenance_mut::<ffi::PyObject>(address);
    // SAFETY: attached, and the object is there: its `Drop` removes the entry before its memory is freed. An object
    // whose count is 0 is being destroyed, which may run Python code, and must not be used any more.
    let object = unsafe {
        if ffi::Py_REFCNT(pointer) == 0 {
            return None;
        }
        Bound::from_borrowed_ptr(py, pointer)
    };
    if let Ok(value) = object.cast::<GoValue>() {
        value.get().uses.fetch_add(1, Ordering::Relaxed);
    }
    Some(object)
}

/// What an object of the host's is and its handle.
pub(crate) fn handle_of(object: &Bound<'_, PyAny>) -> Option<(Kind, u64)> {
    if let Ok(value) = object.cast::<GoValue>() {
        Some((Kind::Host, value.get().handle))
    } else if let Ok(function) = object.cast::<GoFunction>() {
        Some((Kind::Function, function.get().handle))
    } else {
        None
    }
}

/// Gives the handles back of what `values` describe and nobody will make.
pub(crate) fn give_back(values: &[Value]) {
    for value in values {
        if value.kind == Kind::Function as u32 || value.kind == Kind::Host as u32 {
            lease::come_back(value.bits);
        }
    }
}

/// Puts the classes where Python code finds them: `gophersnake.GoValue`.
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    let package = PyModule::import(py, "sys")?
        .getattr("modules")?
        .get_item("gophersnake")?;
    package.setattr("GoFunction", py.get_type::<GoFunction>())?;
    package.setattr("GoValue", py.get_type::<GoValue>())
}
