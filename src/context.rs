//! The context of the program: the values of context variables (PEP 567) that imports see and set. Each call has a copy.
//!
//! CPython keeps a context for each thread, which is whichever thread a call of the host's happens to be made on. So each
//! thread state is given a copy of the program's context, which is renewed when a call has changed it, and when an
//! import has changed the program's. Imports run in a context of their own, whose changes become the program's.
#![expect(unsafe_code, reason = "enters contexts through the C API of CPython")]

use std::cell::Cell;
use std::ffi::c_void;
use std::os::raw::{c_char, c_int};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyCFunction, PyDict, PyString, PyTuple};

use crate::error::type_name;
use crate::thread_state;

unsafe extern "C" {
    // The C API of PEP 567: exported by every libpython, but not part of the limited API.
    fn PyContext_Copy(context: *mut ffi::PyObject) -> *mut ffi::PyObject;
    fn PyContext_CopyCurrent() -> *mut ffi::PyObject;
    fn PyContext_Enter(context: *mut ffi::PyObject) -> c_int;
    fn PyContext_Exit(context: *mut ffi::PyObject) -> c_int;
    fn PyContextVar_New(name: *const c_char, default: *mut ffi::PyObject) -> *mut ffi::PyObject;
    fn PyContextVar_Get(
        variable: *mut ffi::PyObject,
        default: *mut ffi::PyObject,
        value: *mut *mut ffi::PyObject,
    ) -> c_int;
    fn PyContextVar_Set(variable: *mut ffi::PyObject, value: *mut ffi::PyObject) -> *mut ffi::PyObject;
}

/// The program's context, and its values of which each call needs a copy; see [`is_changed_in_place`].
///
/// Both are addresses of objects that this owns and that nobody changes: an import replaces them.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Program {
    context: usize,
    /// A dict of values by variable; 0 for none.
    own: usize,
}

/// There is none until the start installs it. It is locked only to take references, so that no Python code runs meanwhile.
static PROGRAM: Mutex<Option<Program>> = Mutex::new(None);

/// Changes with what a call would find in the program's context; 0 while there is none.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// `tp_traverse` of contexts.
static TRAVERSE: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

/// What `variables_of` says of no context.
const OTHER: usize = 1;

/// The context that a thread of the host's has between calls, and that the outermost call on it runs in.
pub(crate) struct ThreadContext {
    /// A copy of the program's context, which this owns and the thread has entered; NULL if there is none.
    context: Cell<*mut ffi::PyObject>,
    /// What `variables_of` said of it when it was made.
    variables: Cell<usize>,
    generation: Cell<u64>,
}

impl ThreadContext {
    pub(crate) const fn new() -> Self {
        ThreadContext {
            context: Cell::new(null_mut()),
            variables: Cell::new(0),
            generation: Cell::new(0),
        }
    }

    /// A call begins, and no other is under way on this thread, which is attached.
    #[inline(always)]
    pub(crate) fn begin(&self) {
        if self.generation.get() != GENERATION.load(Ordering::Relaxed) {
            self.renew();
        }
    }

    /// That call has ended. The thread is still attached.
    #[inline(always)]
    pub(crate) fn end(&self) {
        if variables_of(self.context.get()) != self.variables.get() {
            self.renew();
        }
    }

    #[cold]
    #[inline(never)]
    fn renew(&self) {
        self.clear();
        // SAFETY: attached, as the callers are; only `Bound` references are dropped.
        let py = unsafe { Python::assume_attached() };
        self.generation.set(GENERATION.load(Ordering::Relaxed));
        // It fails only where memory is short: then the thread has no context, and the next call tries again.
        match enter_program(py) {
            Ok(Some((context, has_own))) => {
                let variables = if has_own { OTHER } else { variables_of(context.as_ptr()) };
                self.variables.set(variables);
                self.context.set(context.into_ptr());
            }
            Ok(None) => {}
            Err(_) => self.generation.set(u64::MAX),
        }
    }

    /// Leaves the context and drops what it has. The thread is attached.
    pub(crate) fn clear(&self) {
        self.variables.set(0);
        pop(self.context.replace(null_mut()));
    }
}

/// A number that changes with the variables of a context or their values; 0 for NULL. The thread is attached.
///
/// All variables of a context are one immutable mapping, which is replaced when one is set. A context that is a copy shares it,
/// and so does the program's, from which it was made: so no other mapping comes to lie there while the number matters. The
/// objects that the garbage collector is told of, the mapping and the context that was there before this one, are what
/// the C API shows of that without a look at private structs.
#[inline(always)]
fn variables_of(context: *mut ffi::PyObject) -> usize {
    unsafe extern "C" fn add(object: *mut ffi::PyObject, sum: *mut c_void) -> c_int {
        // SAFETY: the `sum` below.
        unsafe { *sum.cast::<usize>() = (*sum.cast::<usize>()).wrapping_add(object.addr()) };
        0
    }
    let mut sum = 0_usize;
    if !context.is_null() {
        // SAFETY: what `install` found in the type of contexts, before there was one of the threads; `visitproc` as
        // traversing wants it.
        unsafe {
            let traverse: ffi::traverseproc = std::mem::transmute(TRAVERSE.load(Ordering::Relaxed));
            traverse(context, add, (&raw mut sum).cast());
        }
    }
    sum
}

/// Enters a copy of the current context, which [`pop`] leaves; NULL where memory is short. The thread is attached.
#[cold]
#[inline(never)]
pub(crate) fn push_copy() -> *mut ffi::PyObject {
    if GENERATION.load(Ordering::Relaxed) == 0 {
        return null_mut();
    }
    // SAFETY: attached, as the callers are; only `Bound` references are dropped.
    let py = unsafe { Python::assume_attached() };
    let entered = copy_current(py).and_then(|context| enter(&context).map(|()| context));
    entered.map_or(null_mut(), Bound::into_ptr)
}

/// Leaves a context and drops the reference. NULL is allowed. The thread is attached.
pub(crate) fn pop(context: *mut ffi::PyObject) {
    if context.is_null() {
        return;
    }
    // SAFETY: attached, as the callers are; the reference is the caller's, who gives it up.
    unsafe {
        if PyContext_Exit(context) != 0 {
            ffi::PyErr_Clear(); // C code has left another one behind, which only it can leave
        }
        ffi::Py_DecRef(context);
    }
}

/// A context that is the current one while this lives.
pub(crate) struct Entered<'py>(Bound<'py, PyAny>);

impl<'py> Entered<'py> {
    fn new(context: Bound<'py, PyAny>) -> PyResult<Self> {
        enter(&context)?;
        Ok(Entered(context))
    }

    /// Enters a copy of the program's context, if there is one.
    pub(crate) fn program(py: Python<'py>) -> PyResult<Option<Self>> {
        Ok(enter_program(py)?.map(|(context, _)| Entered(context)))
    }

    /// Stays entered until [`pop`].
    fn stay(self) -> Bound<'py, PyAny> {
        let context = self.0.clone();
        let this = std::mem::ManuallyDrop::new(self);
        // SAFETY: gives back the reference of this, which is never dropped.
        unsafe { ffi::Py_DecRef(this.0.as_ptr()) };
        context
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        // SAFETY: attached, as the reference shows; the context was entered when this was made.
        unsafe {
            if PyContext_Exit(self.0.as_ptr()) != 0 {
                ffi::PyErr_Clear(); // as in `pop`
            }
        }
    }
}

fn copy_current(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: attached; the result is a new reference, or NULL with an exception.
    unsafe { Bound::from_owned_ptr_or_err(py, PyContext_CopyCurrent()) }
}

fn copy<'py>(context: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: as above; it checks that it gets a context.
    unsafe { Bound::from_owned_ptr_or_err(context.py(), PyContext_Copy(context.as_ptr())) }
}

fn enter(context: &Bound<'_, PyAny>) -> PyResult<()> {
    // SAFETY: as above.
    match unsafe { PyContext_Enter(context.as_ptr()) } {
        0 => Ok(()),
        _ => Err(PyErr::fetch(context.py())),
    }
}

/// Sets a variable in the current context.
fn set(variable: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
    // SAFETY: attached; it checks that it gets a variable. The result is a token that nobody needs.
    let token = unsafe { PyContextVar_Set(variable.as_ptr(), value.as_ptr()) };
    // SAFETY: as above.
    unsafe { Bound::from_owned_ptr_or_err(variable.py(), token) }.map(drop)
}

/// The value of a variable in the current context, or its default.
fn get<'py>(variable: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let mut value = null_mut();
    // SAFETY: as above; `value` is room for a new reference, or for NULL where there is none.
    unsafe {
        if PyContextVar_Get(variable.as_ptr(), null_mut(), &raw mut value) != 0 {
            return Err(PyErr::fetch(variable.py()));
        }
        Ok(Bound::from_owned_ptr_or_opt(variable.py(), value))
    }
}

impl Program {
    /// The objects, by references of the caller's.
    ///
    /// # Safety
    ///
    /// They must be alive, as they are while `PROGRAM` is locked.
    unsafe fn objects<'py>(self, py: Python<'py>) -> (Bound<'py, PyAny>, Option<Bound<'py, PyDict>>) {
        let pointer = std::ptr::with_exposed_provenance_mut::<ffi::PyObject>;
        // SAFETY: the caller's promise; `own` is a dict or NULL.
        unsafe {
            (
                Bound::from_borrowed_ptr(py, pointer(self.context)),
                Bound::from_borrowed_ptr_or_opt(py, pointer(self.own)).map(|own| own.cast_into_unchecked()),
            )
        }
    }
}

/// The program's context and its values of which each call needs a copy, if there are any. Nobody may change them.
fn program<'py>(py: Python<'py>) -> Option<(Program, Bound<'py, PyAny>, Option<Bound<'py, PyDict>>)> {
    let program = PROGRAM.lock().unwrap_or_else(PoisonError::into_inner);
    program.map(|program| {
        // SAFETY: locked.
        let (context, own) = unsafe { program.objects(py) };
        (program, context, own)
    })
}

/// Replaces the program's context, if it is still the one that was `expected`.
fn replace_program(expected: Option<Program>, context: Bound<'_, PyAny>, own: Option<Bound<'_, PyDict>>) -> bool {
    let py = context.py();
    let mut program = PROGRAM.lock().unwrap_or_else(PoisonError::into_inner);
    if *program != expected {
        return false;
    }
    let address = |object: *mut ffi::PyObject| object.expose_provenance();
    *program = Some(Program {
        context: address(context.into_ptr()),
        own: own.map_or(0, |own| address(own.into_ptr())),
    });
    drop(program);
    GENERATION.fetch_add(1, Ordering::Relaxed);
    if let Some(expected) = expected {
        // SAFETY: the references that `PROGRAM` owned; those that others have taken are their own.
        unsafe {
            let (context, own) = expected.objects(py);
            ffi::Py_DecRef(context.as_ptr());
            own.inspect(|own| ffi::Py_DecRef(own.as_ptr()));
        }
    }
    true
}

/// Enters a copy of the program's context, if there is one, and tells whether it has copies of values. [`pop`] leaves it.
fn enter_program(py: Python<'_>) -> PyResult<Option<(Bound<'_, PyAny>, bool)>> {
    let Some((_, context, own)) = program(py) else {
        return Ok(None);
    };
    let entered = Entered::new(copy(&context)?)?;
    for (variable, value) in own.iter().flatten() {
        set(&variable, &copy_value(&value)?)?;
    }
    Ok(Some((entered.stay(), own.is_some())))
}

/// Whether a value is of a class whose objects hold settings that are changed in place, mostly: `getcontext().prec = 10`.
/// A call that did so would change them for all others. Values of other classes are shared, as asyncio shares them.
fn is_changed_in_place(value: &Bound<'_, PyAny>) -> bool {
    matches!(&*type_name(&value.get_type()), "decimal.Context" | "gmpy2.context")
}

fn copy_value<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    value.call_method0("copy")
}

/// What a value of such a class says, without the flags that results set.
fn settings(value: &Bound<'_, PyAny>) -> PyResult<String> {
    let copy = copy_value(value)?;
    copy.call_method0("clear_flags")?;
    Ok(copy.repr()?.to_string_lossy().into_owned())
}

/// Whether a value is what each context gets that has none.
fn is_default(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    if type_name(&value.get_type()) != "decimal.Context" {
        return Ok(false);
    }
    let default = PyModule::import(value.py(), "decimal")?.getattr("DefaultContext")?;
    Ok(settings(value)? == settings(&default)?)
}

/// The variable of an import that is under way: which one it is, and the context in which it began.
fn import_variable(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static VARIABLE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let variable = VARIABLE.get_or_try_init(py, || {
        // SAFETY: attached; the name is a C string; the result is a new reference, or NULL with an exception.
        unsafe { Bound::from_owned_ptr_or_err(py, PyContextVar_New(c"import".as_ptr(), null_mut())) }.map(Bound::unbind)
    })?;
    Ok(variable.bind(py))
}

/// The context in which the import began that the calling code is a part of, if it is one: not a call from within, nor
/// a thread or task that it has started.
fn current_import(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    let Some(value) = get(import_variable(py)?)? else {
        return Ok(None);
    };
    let (number, began): (u64, Bound<'_, PyAny>) = value.extract()?;
    Ok((number == import_number()).then_some(began))
}

fn import_number() -> u64 {
    // SAFETY: always succeeds.
    unsafe { libc::pthread_self() }.wrapping_add(thread_state::callbacks().unwrap_or(0).into())
}

/// Imports, in a copy of the program's context, and brings what it changes into the program's.
fn import<'py>(
    original: &Bound<'py, PyAny>,
    arguments: &Bound<'py, PyTuple>,
    keywords: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = original.py();
    let Some((_, context, own)) = program(py) else {
        return original.call(arguments, keywords);
    };
    if current_import(py)?.is_some() {
        return original.call(arguments, keywords);
    }
    let said = said_of(own.as_ref())?;
    let carried = carried(py)?;
    let entered = Entered::new(copy(&context)?)?;
    for (variable, value) in &carried {
        set(variable, value)?;
    }
    let began = copy_current(py)?;
    set(
        import_variable(py)?,
        (import_number(), &began).into_pyobject(py)?.as_any(),
    )?;
    let outcome = original.call(arguments, keywords);
    let ended = copy_current(py);
    drop(entered);
    // Also where it has failed: what was imported until then stays imported.
    let brought = ended.and_then(|ended| {
        let changed = bring(py, changes(&began, &ended)?)?;
        for (variable, value) in &changed {
            set(variable, &if_shared_or_copy(value)?)?;
        }
        if said_of(own.as_ref())? != said {
            GENERATION.fetch_add(1, Ordering::Relaxed);
            for (variable, value) in own.iter().flatten() {
                if !changed.iter().any(|(other, _)| other.is(&variable)) {
                    set(&variable, &copy_value(&value)?)?;
                }
            }
        }
        Ok(())
    });
    outcome.and_then(|module| brought.map(|()| module))
}

fn if_shared_or_copy<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if is_changed_in_place(value) {
        copy_value(value)
    } else {
        Ok(value.clone())
    }
}

/// What the values say that are changed in place.
fn said_of(own: Option<&Bound<'_, PyDict>>) -> PyResult<Vec<String>> {
    own.into_iter().flatten().map(|(_, value)| settings(&value)).collect()
}

type Values<'py> = Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>;

/// What a context has, by variable.
fn values<'py>(context: &Bound<'py, PyAny>) -> PyResult<Values<'py>> {
    context
        .call_method0("items")?
        .try_iter()?
        .map(|item| item?.extract())
        .collect()
}

/// The values of this library's own variables, which belong to the call: whose output it is, and whose task.
fn carried(py: Python<'_>) -> PyResult<Values<'_>> {
    let mut carried = values(&copy_current(py)?)?;
    let mut outcome = Ok(());
    carried.retain(|(variable, _)| {
        let name = variable
            .getattr("name")
            .and_then(|name| Ok(name.cast_into::<PyString>()?));
        match name {
            Ok(name) => name.to_string_lossy().starts_with("gophersnake."),
            Err(exception) => {
                outcome = Err(exception);
                false
            }
        }
    });
    outcome.map(|()| carried)
}

/// The values that an import has set.
fn changes<'py>(began: &Bound<'py, PyAny>, ended: &Bound<'py, PyAny>) -> PyResult<Values<'py>> {
    let mark = import_variable(began.py())?;
    let mut changes = Vec::new();
    for (variable, value) in values(ended)? {
        if !variable.is(mark) && !began.call_method1("get", (&variable,))?.is(&value) {
            changes.push((variable, value));
        }
    }
    Ok(changes)
}

/// Brings changes into the program's context, and returns those that are any: `decimal` gives each context its default
/// where a result is asked for.
fn bring<'py>(py: Python<'py>, mut changes: Values<'py>) -> PyResult<Values<'py>> {
    while let Some((expected, context, own)) = program(py) {
        let context = copy(&context)?;
        let own = own.map_or_else(|| Ok(PyDict::new(py)), |own| own.copy())?;
        let entered = Entered::new(context.clone())?;
        let mut kept = Vec::new();
        for (variable, value) in changes {
            if is_changed_in_place(&value) {
                if get(&variable)?.is_none() && is_default(&value)? {
                    continue;
                }
                own.set_item(&variable, &value)?;
            } else if own.contains(&variable)? {
                own.del_item(&variable)?;
            }
            set(&variable, &value)?;
            kept.push((variable, value));
        }
        drop(entered);
        let own = (!own.is_empty()).then_some(own);
        if kept.is_empty() || replace_program(Some(expected), context, own) {
            return Ok(kept);
        }
        changes = kept; // another thread has imported something meanwhile
    }
    Ok(changes)
}

/// The callable for a new thread that runs `function` in the program's context.
pub(crate) fn for_thread<'py>(function: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = function.py();
    if let Some(began) = current_import(py)? {
        bring(py, changes(&began, &copy_current(py)?)?)?; // as far as the import has come that starts the thread
    }
    let Some(context) = Entered::program(py)?.map(|entered| entered.0.clone()) else {
        return Ok(function);
    };
    if context.len()? == 0 || !function.is_callable() {
        return Ok(function);
    }
    // No function of Python's, which would be in tracebacks.
    let partial = PyModule::import(py, "functools")?.getattr("partial")?;
    partial.call1((context.getattr("run")?, function))
}

/// Makes the context of the calling thread, Python's main thread, the program's, and lets imports run in it.
///
/// What finds modules that are not there yet is called for each `import`, by CPython and by `importlib`; `_exec` loads one
/// again. They are replaced by functions of C, which are in no traceback.
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    let context = copy_current(py)?;
    // SAFETY: a type is asked for a slot, which all types with the garbage collector's flag have.
    let traverse = unsafe { ffi::PyType_GetSlot(context.get_type().as_type_ptr(), ffi::Py_tp_traverse) };
    if traverse.is_null() {
        return Err(PyRuntimeError::new_err("contexts have no tp_traverse in this Python"));
    }
    TRAVERSE.store(traverse, Ordering::Relaxed);
    replace_program(None, context, None);
    let bootstrap = PyModule::import(py, "_frozen_importlib")?;
    for name in ["_find_and_load", "_exec"] {
        let original = bootstrap.getattr(name)?.unbind();
        let replaced = PyCFunction::new_closure(py, Some(c"import"), None, move |arguments, keywords| {
            import(original.bind(arguments.py()), arguments, keywords).map(Bound::unbind)
        })?;
        bootstrap.setattr(name, replaced)?;
    }
    Ok(())
}
