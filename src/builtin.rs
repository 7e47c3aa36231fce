//! Built-in functions of CPython that do something else in the host: what stands for one is a built-in function too.
//!
//! A Python function would become a method where a class has it (`spawn = os.posix_spawn`), a frame in tracebacks and
//! for the `stacklevel` of warnings, and a level of recursion.
#![expect(unsafe_code, reason = "makes functions of C, and calls those that they stand for")]

use std::ffi::{CString, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyCFunction;

use crate::boundary::{counted, panic_message};
use crate::function::PyObject_Vectorcall;
use crate::{package, process};

/// What is done in place of a built-in function.
type Hosted = Box<dyn Fn(&Call<'_, '_>) -> PyResult<Py<PyAny>> + Send + Sync>;

struct Function {
    original: Py<PyAny>,
    hosted: Hosted,
}

/// How many functions there may be.
const PLACES: usize = 32;

static FUNCTIONS: [OnceLock<Function>; PLACES] = [const { OnceLock::new() }; PLACES];

/// A call of a function that stands for another one.
pub(crate) struct Call<'a, 'py> {
    py: Python<'py>,
    original: &'a Bound<'py, PyAny>,
    args: *const *mut ffi::PyObject,
    positional: usize,
    /// The names of the arguments that follow the positional ones: a tuple, or NULL.
    names: *mut ffi::PyObject,
}

impl<'py> Call<'_, 'py> {
    pub(crate) fn py(&self) -> Python<'py> {
        self.py
    }

    /// The only argument, if there is one and it has no name.
    pub(crate) fn only(&self) -> Option<Bound<'py, PyAny>> {
        (self.positional == 1 && self.names.is_null()).then(|| {
            // SAFETY: attached; there is an argument, which the caller holds for as long as the call takes.
            unsafe { Bound::from_borrowed_ptr(self.py, *self.args) }
        })
    }

    /// The first argument, if there is one that has no name.
    pub(crate) fn first(&self) -> Option<Bound<'py, PyAny>> {
        (self.positional > 0).then(|| {
            // SAFETY: as in `only`.
            unsafe { Bound::from_borrowed_ptr(self.py, *self.args) }
        })
    }

    /// Calls the original with the same arguments.
    pub(crate) fn original(&self) -> PyResult<Py<PyAny>> {
        match self.only() {
            Some(argument) => self.original_with(&argument),
            None => self.forward(self.original),
        }
    }

    /// Calls the original with one argument.
    pub(crate) fn original_with(&self, argument: &Bound<'py, PyAny>) -> PyResult<Py<PyAny>> {
        let (original, argument) = (self.original.as_ptr(), argument.as_ptr());
        // SAFETY: attached; `make` has made sure that the original is a built-in function, whose C function takes its own
        // `self` and, with this flag, one argument.
        unsafe {
            let result = match ffi::PyCFunction_GetFunction(original) {
                // As its caller would call it: a level of recursion more would be one that the limit counts.
                Some(function) if ffi::PyCFunction_GetFlags(original) & ffi::METH_O != 0 => {
                    function(ffi::PyCFunction_GetSelf(original), argument)
                }
                _ => PyObject_Vectorcall(original, &raw const argument, 1, std::ptr::null_mut()),
            };
            Bound::from_owned_ptr_or_err(self.py, result).map(Bound::unbind)
        }
    }

    /// Calls the original with another first argument; there is one.
    pub(crate) fn original_with_first(&self, first: &Bound<'py, PyAny>) -> PyResult<Py<PyAny>> {
        let named = if self.names.is_null() {
            0
        } else {
            // SAFETY: attached; it is a tuple.
            unsafe { ffi::PyTuple_Size(self.names) }.unsigned_abs()
        };
        // SAFETY: CPython gave as many arguments.
        let mut args = unsafe { std::slice::from_raw_parts(self.args, self.positional + named) }.to_vec();
        args[0] = first.as_ptr();
        // SAFETY: the arguments are alive: the caller holds them, and `first` is borrowed.
        unsafe {
            let result = PyObject_Vectorcall(self.original.as_ptr(), args.as_ptr(), self.positional, self.names);
            Bound::from_owned_ptr_or_err(self.py, result).map(Bound::unbind)
        }
    }

    fn forward(&self, function: &Bound<'py, PyAny>) -> PyResult<Py<PyAny>> {
        // SAFETY: attached; the arguments and their names are those that CPython gave, and stay as they are meanwhile.
        unsafe {
            let result = PyObject_Vectorcall(function.as_ptr(), self.args, self.positional, self.names);
            Bound::from_owned_ptr_or_err(self.py, result).map(Bound::unbind)
        }
    }

    /// Calls a Python function with the same arguments; those that do not fit it are the original's to refuse.
    fn hand_to(&self, function: &Bound<'py, PyAny>) -> PyResult<Py<PyAny>> {
        self.forward(function).or_else(|failure| {
            // No line of the function has run.
            let unfit = failure.is_instance_of::<PyTypeError>(self.py) && failure.traceback(self.py).is_none();
            if unfit { self.original() } else { Err(failure) }
        })
    }
}

/// Runs what stands in a place.
///
/// # Safety
///
/// The calling thread must be attached, and `args` and `names` be as CPython gives them to a C function.
unsafe fn run(
    place: usize,
    args: *const *mut ffi::PyObject,
    positional: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    counted(|py| {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let Some(function) = FUNCTIONS[place].get() else {
                return Err(PyRuntimeError::new_err("nothing stands here"));
            };
            (function.hosted)(&Call {
                py,
                original: function.original.bind(py),
                args,
                positional,
                names,
            })
        }));
        let outcome = outcome.unwrap_or_else(|panic| Err(PyRuntimeError::new_err(panic_message(&*panic))));
        match outcome {
            Ok(result) => result.into_ptr(),
            Err(failure) => {
                failure.restore(py);
                std::ptr::null_mut()
            }
        }
    })
}

// Nothing but the address of its C function tells a built-in function which one it is, beside its module.
unsafe extern "C" fn with_one<const PLACE: usize>(
    _: *mut ffi::PyObject,
    arg: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython calls it.
    unsafe { run(PLACE, &raw const arg, 1, std::ptr::null_mut()) }
}

unsafe extern "C" fn with_any<const PLACE: usize>(
    _: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    positional: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython calls it, with a number that is not negative.
    unsafe { run(PLACE, args, positional.unsigned_abs(), names) }
}

macro_rules! entries {
    ($($place:literal)*) => { [$((with_one::<$place>, with_any::<$place>)),*] };
}

/// The C functions of each place: for an original that takes one argument, which CPython counts then, and for others.
const ENTRIES: [(ffi::PyCFunction, ffi::PyCFunctionFastWithKeywords); PLACES] = entries!(
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
);

/// Makes a function that looks like a built-in one, and does something else.
fn make<'py>(original: &Bound<'py, PyAny>, hosted: Hosted) -> PyResult<Bound<'py, PyAny>> {
    let py = original.py();
    let original = original.cast::<PyCFunction>()?;
    let text = |name: &str| original.getattr(name)?.extract::<Option<String>>();
    let name = text("__name__")?.unwrap_or_default();
    // CPython keeps the signature in front of the documentation.
    let doc = match (text("__text_signature__")?, text("__doc__")?) {
        (Some(signature), doc) => Some(format!("{name}{signature}\n--\n\n{}", doc.unwrap_or_default())),
        (None, doc) => doc,
    };
    let (name, doc) = (CString::new(name)?, doc.map(CString::new).transpose()?);
    let module = original.getattr("__module__")?;
    let mut function = Some(Function {
        original: original.clone().into_any().unbind(),
        hosted,
    });
    let place = FUNCTIONS.iter().position(|place| {
        if place.get().is_none()
            && let Some(function) = function.take()
        {
            return place.set(function).is_ok();
        }
        false
    });
    let place =
        place.ok_or_else(|| PyRuntimeError::new_err("more built-in functions are replaced than there are places"))?;
    // SAFETY: attached; the function has a `self`, its module, or none.
    let (flags, module_object) = unsafe {
        let original = original.as_ptr();
        (ffi::PyCFunction_GetFlags(original), ffi::PyCFunction_GetSelf(original))
    };
    let (with_one, with_any) = ENTRIES[place];
    let (ml_meth, ml_flags): (_, c_int) = if flags & ffi::METH_O == 0 {
        let any = ffi::PyMethodDefPointer {
            PyCFunctionFastWithKeywords: with_any,
        };
        (any, ffi::METH_FASTCALL | ffi::METH_KEYWORDS)
    } else {
        (ffi::PyMethodDefPointer { PyCFunction: with_one }, ffi::METH_O)
    };
    // A function refers to it for ever, and to what it refers to.
    let definition = Box::leak(Box::new(ffi::PyMethodDef {
        ml_name: name.into_raw(),
        ml_meth,
        ml_flags,
        ml_doc: doc.map_or(std::ptr::null(), |doc| doc.into_raw().cast_const()),
    }));
    // SAFETY: attached; the definition is never freed, and its C function is of the kind that its flags say.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyCFunction_NewEx(definition, module_object, module.as_ptr())) }
}

/// Replaces a function of a module that C provides, wherever Python has it, if there is one of that name. `hosted` also
/// runs in processes that hosted code has forked.
pub(crate) fn replace(
    py: Python<'_>,
    module: &str,
    name: &str,
    hosted: impl Fn(&Call<'_, '_>) -> PyResult<Py<PyAny>> + Send + Sync + 'static,
) -> PyResult<()> {
    let module = PyModule::import(py, module)?;
    let Some(original) = module.getattr_opt(name)? else {
        return Ok(());
    };
    let function = make(&original, Box::new(hosted))?;
    package::module(py, "builtin")?.call_method1("put", (module, name, function))?;
    Ok(())
}

/// Installs the helper.
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    let make = PyCFunction::new_closure(py, Some(c"make"), None, |arguments, _| {
        let hosted = arguments.get_item(1)?.unbind();
        let function = make(
            &arguments.get_item(0)?,
            Box::new(move |call| {
                if process::is_fork() {
                    return call.original();
                }
                call.hand_to(hosted.bind(call.py()))
            }),
        );
        function.map(Bound::unbind)
    })?;
    package::module(py, "builtin")?.call_method1("install", (make,))?;
    Ok(())
}

/// Puts what stands for functions where modules have them that were imported before.
pub(crate) fn spread(py: Python<'_>) -> PyResult<()> {
    package::module(py, "builtin")?.call_method0("spread")?;
    Ok(())
}
