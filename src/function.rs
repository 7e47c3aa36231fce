//! Resolving a callable, and calling it.
#![expect(unsafe_code, reason = "reads what the host described, and calls through the C API")]

use std::ffi::c_void;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use smallvec::SmallVec;

use crate::argument::Arguments;
use crate::array::{Lends, Lent};
use crate::boundary::{Failure, attached_in_call, counted, guarded, out, slice, text};
use crate::error::{Error, Report, type_name};
use crate::object::{self, Object};
use crate::value::{Kind, MAX_VALUES, Value, ValueResult};
use crate::{callback, output, thread_state};

unsafe extern "C" {
    // Exported by every libpython from 3.11 on, but in the limited API from 3.12 on only. It saves a tuple: 40 ns of
    // 265.
    fn PyObject_Vectorcall(
        callable: *mut ffi::PyObject,
        args: *const *mut ffi::PyObject,
        nargsf: usize,
        kwnames: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject;
}

/// Tells `PyObject_Vectorcall` that the slot before the arguments may be used.
const ARGUMENTS_OFFSET: usize = 1 << (usize::BITS - 1);

/// A resolved callable. Opaque; any thread may use it, several at a time.
pub struct Function {
    _opaque: [u8; 0],
}

/// What the host wants of a call's result.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// A reference to the object; no owner for None.
    Object = 0,
    /// A description of the value.
    Value = 1,
}

/// The arguments of a call and its result. The host fills in the first part; the call the second.
#[repr(C)]
#[derive(Debug)]
pub struct Call {
    /// The positional arguments, then a `TEXT` and a value for each keyword argument; containers followed by
    /// their children.
    pub values: *const Value,
    /// How many values there are, children included.
    pub values_len: usize,
    /// How many positional arguments there are.
    pub args: u32,
    /// How many keyword arguments there are.
    pub kwargs: u32,
    /// How many bytes the call's `bytes` has.
    pub bytes_len: usize,
    /// Lent memory from the fifth array on; the first four are arguments of the function.
    pub lends: *const *const c_void,
    /// How many pointers `lends` has.
    pub lends_len: usize,
    /// Room for one number for each lent array, in their order.
    pub leases: *mut u64,
    /// How many numbers `leases` has room for.
    pub leases_len: usize,
    /// A `SNAKE_WANT_*` value.
    pub want: u32,
    /// A number by which the host knows this call: its functions get it when Python calls them meanwhile.
    pub token: u64,

    /// Out, also on failure: how many lent arrays Python still reaches. Only then `leases` is written to: the lease of
    /// each retained array, 0 for the others.
    pub retained: u32,
    /// The result; its `scratch` is the host's part.
    pub result: ValueResult,
}

/// Resolves `module:qualified.name` to a callable, importing the module.
///
/// Any thread; attaches. The caller owns `*function` and ends it with `snake_function_free`. The token is that of a
/// `snake_call`.
///
/// # Safety
///
/// `name` must point to `name_len` bytes, `function` to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn snake_function_load(
    name: *const u8,
    name_len: usize,
    token: u64,
    function: *mut *mut Function,
) -> *mut Error {
    attached_in_call(token, |py| {
        // SAFETY: the caller's promise; likewise for `function`.
        let name = unsafe { text("name", name, name_len) }.map_err(Failure::Report)?;
        // SAFETY: see above.
        let function = unsafe { out("function", function) }.map_err(Failure::Report)?;
        *function = Object::give(load(py, name)?).cast();
        Ok(())
    })
}

fn load<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    let parts = name.split_once(':').filter(|(module, path)| {
        !module.is_empty() && path.split('.').all(|part| !part.is_empty()) && !name.contains('\0')
    });
    let Some((module, path)) = parts else {
        return Err(PyValueError::new_err(format!("want \"module:function\", got {name:?}")));
    };
    let mut found = PyModule::import(py, module)?.into_any();
    for part in path.split('.') {
        found = found.getattr(part)?;
    }
    if !found.is_callable() {
        let class = type_name(&found.get_type());
        return Err(PyTypeError::new_err(format!("{name}: want a callable, got {class}")));
    }
    Ok(found)
}

/// Ends a function. NULL is allowed. Any thread; never attaches and never waits.
///
/// # Safety
///
/// `function` must be NULL or one that its owner did not end yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn snake_function_free(function: *mut Function) {
    object::free(function.cast());
}

/// Calls a function.
///
/// Memory given by `lend0` to `lend3` and `call->lends`, in this order, is what the `ARRAY` values among the
/// arguments describe, in theirs. Python sees it without a copy, read-only unless the value says otherwise. When the
/// call has returned, Python reaches none of it, except that for which a lease is reported: the host keeps that
/// memory valid, in its place and unwritten until the lease comes back (`snake_lease_returned_copy`).
///
/// Any thread; attaches for the time of the call. The caller owns `call->result.owner` and ends it with
/// `snake_object_free`.
///
/// # Safety
///
/// `function` must be one that its owner did not end yet. Every pointer in `call` must point to what its
/// length says, and `bytes` to `call->bytes_len` bytes. Lent memory must have the size and dtype that its value says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn snake_function_call(
    function: *const Function,
    call: *mut Call,
    bytes: *const u8,
    lend0: *const c_void,
    lend1: *const c_void,
    lend2: *const c_void,
    lend3: *const c_void,
) -> *mut Error {
    guarded(|| {
        // SAFETY: the caller's promise; likewise for the slices.
        let call = unsafe { out("call", call) }?;
        call.retained = 0;
        let want = match call.want {
            0 => Want::Object,
            1 => Want::Value,
            other => {
                return Err(Box::new(Report::new(
                    crate::error::ErrorCode::Argument,
                    format!("{other} is nothing that a call can want"),
                )));
            }
        };
        // SAFETY: see above.
        let (values, bytes, more) = unsafe {
            (
                slice("values", call.values, call.values_len)?,
                slice("bytes", bytes, call.bytes_len)?,
                slice("lends", call.lends, call.lends_len)?,
            )
        };
        if call.leases_len > 0 {
            // SAFETY: see above; only the check for NULL and alignment is wanted.
            unsafe { out("leases", call.leases) }?;
        }
        if values.len() > MAX_VALUES {
            return Err(Box::new(Report::new(
                crate::error::ErrorCode::Limit,
                format!("the arguments have more than {MAX_VALUES} values"),
            )));
        }
        let lends = Lends {
            direct: [lend0, lend1, lend2, lend3],
            more,
            room: call.leases_len,
            taken: 0,
            gifts: None,
        };
        let attached = thread_state::attach().inspect_err(|_| callback::give_back(values))?;
        // SAFETY: attached until the end of this closure. PyO3's own count is not raised, which costs about 30 ns: so
        // only `Bound` references may be dropped here, as the rules of the crate say.
        let py = unsafe { Python::assume_attached() };
        let mut arguments = Arguments::new(values, bytes, lends);
        thread_state::enter_call(call.token)?;
        let function = function.cast_mut().cast::<ffi::PyObject>();
        // SAFETY: the caller's promise: NULL or alive.
        let outcome = match unsafe { Borrowed::from_ptr_or_opt(py, function) } {
            // A reference of its own: while a function of the host's runs, the host may end this one.
            Some(function) => run(&function.to_owned(), call, &mut arguments, want),
            None => Err(Failure::argument("function: want a pointer, got NULL")),
        };
        // The exception goes first: its frames may be all that still holds a lent array.
        let outcome = match outcome {
            Ok(()) => Ok(()),
            Err(failure) => Err(describe(failure)),
        };
        let ended = if arguments.lent.iter().all(Lent::is_unreached) {
            Ok(())
        } else {
            retain(call, &arguments.lent)
        };
        drop(arguments);
        output::complete();
        let keeps = thread_state::leave_call();
        drop(attached);
        if keeps {
            callback::end_call(call.token);
        }
        match (outcome, ended) {
            (Ok(()), Ok(())) => Ok(()),
            (Err(report), _) => Err(report),
            (Ok(()), Err(failure)) => Err(describe(failure)),
        }
    })
}

#[cold]
#[inline(never)]
fn describe(failure: Failure) -> Box<Report> {
    counted(|py| failure.report(py))
}

/// Builds the arguments, calls, and describes the result.
fn run<'py>(
    function: &Bound<'py, PyAny>,
    call: &mut Call,
    arguments: &mut Arguments<'_, 'py>,
    want: Want,
) -> Result<(), Failure> {
    let py = function.py();
    // The first slot belongs to the callee: `ARGUMENTS_OFFSET`.
    let mut objects = SmallVec::<[*mut ffi::PyObject; 8]>::new();
    // What `objects` points to, but for the arrays, which `arguments.lent` owns.
    let mut owned = SmallVec::<[Bound<'py, PyAny>; 8]>::new();
    objects.push(std::ptr::null_mut());
    for _ in 0..call.args {
        if let Some(array) = arguments.next_lent(py) {
            objects.push(array?);
            continue;
        }
        let object = arguments
            .build(py, 0)
            .map_err(|failure| in_argument(py, failure, objects.len()))?;
        objects.push(object.as_ptr());
        owned.push(object);
    }
    let names = if call.kwargs == 0 {
        None
    } else {
        let mut names = SmallVec::<[Bound<'py, PyAny>; 4]>::new();
        for _ in 0..call.kwargs {
            names.push(keyword(py, arguments, &names)?);
            let object = arguments
                .build(py, 0)
                .map_err(|failure| in_argument(py, failure, objects.len()))?;
            objects.push(object.as_ptr());
            owned.push(object);
        }
        Some(PyTuple::new(py, names)?)
    };
    if !arguments.values.as_slice().is_empty() {
        return Err(Failure::argument("the call describes more values than it counts"));
    }
    // SAFETY: attached; the arguments, which are alive, lie behind one free slot, as `ARGUMENTS_OFFSET` promises; the
    // names are as many different str as the last arguments. The result is a new reference, or NULL with an
    // exception.
    let result = unsafe {
        let result = PyObject_Vectorcall(
            function.as_ptr(),
            objects.as_ptr().add(1),
            call.args as usize | ARGUMENTS_OFFSET,
            names.as_ref().map_or(std::ptr::null_mut(), Bound::as_ptr),
        );
        Bound::from_owned_ptr_or_err(py, result)
    };
    drop(owned);
    let result = result?;
    match want {
        Want::Object => call.result.set_object(result),
        Want::Value => call.result.describe(result)?,
    }
    Ok(())
}

/// Says which argument could not be made.
#[cold]
fn in_argument(py: Python<'_>, failure: Failure, number: usize) -> Failure {
    let mut report = counted(|_| failure.report(py));
    report.of_argument(number);
    Failure::Report(report)
}

/// Builds the name of a keyword argument, which must be none of the others.
fn keyword<'py>(
    py: Python<'py>,
    arguments: &mut Arguments<'_, 'py>,
    others: &[Bound<'py, PyAny>],
) -> Result<Bound<'py, PyAny>, Failure> {
    let next = arguments.values.as_slice().first();
    if next.is_none_or(|name| name.kind != Kind::Text as u32) {
        return Err(Failure::argument("the name of a keyword argument is no TEXT"));
    }
    let name = arguments.build(py, 0)?;
    for other in others {
        if other.eq(&name)? {
            return Err(Failure::argument(format!("keyword argument {name} is given twice")));
        }
    }
    Ok(name)
}

/// Reports leases for the lent arrays that Python still reaches.
#[cold]
fn retain(call: &mut Call, lent: &[Lent<'_>]) -> Result<(), Failure> {
    let mut outcome = Ok(());
    for (index, lent) in lent.iter().enumerate() {
        let lease = match lent.end() {
            Ok(lease) => lease,
            Err(failure) => {
                outcome = Err(failure);
                None
            }
        };
        call.retained += u32::from(lease.is_some());
        // SAFETY: `Lends::next` let no more arrays through than `leases` has room for.
        unsafe { call.leases.add(index).write(lease.unwrap_or(0)) };
    }
    outcome
}
