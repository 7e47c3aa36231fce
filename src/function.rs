//! Resolving a callable, and calling it.
#![expect(unsafe_code, reason = "reads what the host described, and calls through the C API")]

use std::ffi::c_void;
use std::sync::atomic::{AtomicU32, Ordering};

use pyo3::exceptions::{PyAttributeError, PyKeyError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use smallvec::SmallVec;

use crate::activity::{self, Activity};
use crate::argument::Arguments;
use crate::boundary::{Failure, attached_in_call, caught, counted, guarded, out, slice, text};
use crate::error::{Error, ErrorCode, Report, type_name};
use crate::interrupt::{Interrupt, interruptible};
use crate::lend::{Lends, Lent, Spare};
use crate::object::{self, Object};
use crate::thread_state::{self, Attached};
use crate::value::{Kind, MAX_VALUES, SCRATCH_ALIGNMENT, Value, ValueResult};
use crate::{callback, output};

unsafe extern "C" {
    // Exported by every libpython from 3.11 on, but in the limited API from 3.12 on only. It saves a tuple: 40 ns of
    // 265.
    pub(crate) fn PyObject_Vectorcall(
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

/// How many pointers to lent memory are arguments of `snake_function_call`.
const DIRECT: usize = 4;

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
    /// By what the call can be interrupted; NULL if it cannot. The calls of a batch share one.
    pub interrupt: *mut Interrupt,
    /// The queue of `snake_output_new` that gets what this call prints; 0 for none.
    pub capture: u64,
    /// What the call tells of itself; NULL for nothing. That of a call of a batch is not used.
    pub activity: *mut Activity,

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
    let look_up = |module: Bound<'py, PyAny>| path.split('.').try_fold(module, |found, part| found.getattr(part));
    let found = PyModule::import(py, module).map(Bound::into_any).and_then(look_up);
    let found = match found {
        // Without a traceback: what CPython says where another thread's import of the module has failed meanwhile. Its
        // other way to import locks the module, and says why.
        Err(error)
            if error.traceback(py).is_none()
                && (error.is_instance_of::<PyKeyError>(py) || error.is_instance_of::<PyAttributeError>(py)) =>
        {
            look_up(PyModule::import(py, "importlib")?.call_method1("import_module", (module,))?)?
        }
        found => found?,
    };
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
        // SAFETY: the caller's promise.
        let call = unsafe { out("call", call) }?;
        // SAFETY: as above.
        let described = unsafe { Described::read(call, bytes) }?;
        let give_back = || callback::give_back(described.values);
        // SAFETY: the caller's promise.
        let under_way = unsafe { activity::begin(call.activity) };
        let mut attached = thread_state::attach().inspect_err(|_| give_back())?;
        let activity = under_way.attached(attached.thread());
        activity.count_call();
        // SAFETY: attached until the end of this closure. PyO3's own count is not raised, which costs about 30 ns: so
        // only `Bound` references may be dropped here, as the rules of the crate say.
        let py = unsafe { Python::assume_attached() };
        // SAFETY: the caller's promise.
        let function = unsafe { borrow(py, function) }.inspect_err(|_| give_back())?;
        attached.enter_call(call.token, activity).inspect_err(|_| give_back())?;
        // To capture runs Python code, which lets others attach: see `Phase::Running`.
        // No SmallVec: to move it, the processor waits for what was written in parts, 5 ns of a call.
        let held: Option<Vec<_>> = if call.capture == 0 {
            None
        } else {
            let held = hold(py, described.values).map_err(describe);
            Some(held.inspect_err(|_| give_back())?.into_vec())
        };
        let captured = output::capture(py, call.capture);
        // SAFETY: the caller's promise.
        let outcome = unsafe { run_one(&function, call, &described, [lend0, lend1, lend2, lend3], &attached) };
        drop(function);
        drop(held);
        output::complete();
        drop(captured);
        let keeps = attached.leave_call();
        drop(attached);
        drop(under_way);
        if keeps {
            callback::end_call(call.token);
        }
        outcome
    })
}

/// Many calls of one function, made in one crossing.
#[repr(C)]
#[derive(Debug)]
pub struct Batch {
    /// The calls, in the order in which they are made. Their lent memory is in `lends`, from the first array on; they
    /// share `bytes` and `bytes_len`. Their `result.scratch` is set here.
    pub calls: *mut Call,
    /// How many calls there are.
    pub calls_len: usize,
    /// Room for as many errors. Out: NULL for each call that succeeded, else its error, which the caller then owns.
    pub errors: *mut *mut Error,
    /// Memory of the caller's for the small data of all results, or NULL; used from a position on that is aligned to
    /// 16 bytes.
    pub scratch: *mut c_void,
    /// The size of `scratch` in bytes.
    pub scratch_len: usize,
    /// NULL, or a flag that the host may set to another value than 0 at any time, on any thread: the calls that were
    /// not begun by then are not made.
    pub stop: *const u32,
    /// The `token` of all calls.
    pub token: u64,
    /// The `capture` of all calls.
    pub capture: u64,
    /// What the batch tells of itself; NULL for nothing.
    pub activity: *mut Activity,
    /// Out: how many calls were made. Nothing is set in those that were not.
    pub made: usize,
}

/// How much of a batch's scratch a result may take.
const MOST_SCRATCH: usize = 8 << 10;

/// Calls a function many times, as `snake_function_call` does once. Each call has its own result, leases and error; one
/// that fails does not stop the others. Other threads attach in between, as they do while Python runs.
///
/// Any thread; attaches. `batch->made` tells how many calls were made, also on failure.
///
/// # Safety
///
/// As for `snake_function_call`, for each call. `batch` and its pointers must point to what their lengths say, and
/// `bytes` to as many bytes as each call says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn snake_function_map(
    function: *const Function,
    batch: *mut Batch,
    bytes: *const u8,
) -> *mut Error {
    guarded(|| {
        // SAFETY: the caller's promise; likewise for the rest of the batch.
        let batch = unsafe { out("batch", batch) }?;
        batch.made = 0;
        if batch.calls_len > 0 {
            // SAFETY: see above; only the check for NULL and alignment is wanted.
            unsafe {
                out("calls", batch.calls)?;
                out("errors", batch.errors)?;
            }
        }
        if !batch.stop.is_aligned() {
            return Err(Box::new(Report::new(
                ErrorCode::Argument,
                "stop: the pointer is not aligned",
            )));
        }
        let outcome = make(function, batch, bytes);
        batch.give_back();
        outcome
    })
}

/// Makes the calls of a batch.
fn make(function: *const Function, batch: &mut Batch, bytes: *const u8) -> Result<(), Box<Report>> {
    // SAFETY: the caller's promise.
    let under_way = unsafe { activity::begin(batch.activity) };
    let mut attached = thread_state::attach()?;
    let activity = under_way.attached(attached.thread());
    // SAFETY: attached until the end of this closure, but for the turns of others, during which nothing of Python
    // is touched. See `snake_function_call` for what may be dropped.
    let py = unsafe { Python::assume_attached() };
    // SAFETY: the caller's promise.
    let function = unsafe { borrow(py, function) }?;
    // For all calls at once, because the first may end what the last describes.
    let mut held = Vec::new();
    for index in 0..batch.calls_len {
        // SAFETY: `index` is below the number of calls; the values are as many as it says, as the caller promises.
        let values = unsafe {
            let call = &*batch.calls.add(index);
            slice("values", call.values, call.values_len)?
        };
        if values.iter().any(|value| value.kind == Kind::Object as u32) {
            held.extend(hold(py, values).map_err(describe)?);
        }
    }
    attached.enter_call(batch.token, activity)?;
    let mut scratch = Scratch::new(batch.scratch, batch.scratch_len);
    let mut turn = activity::now();
    for index in 0..batch.calls_len {
        // SAFETY: NULL or the host's flag, aligned as checked, to which everybody writes atomically.
        let stop = unsafe { batch.stop.cast::<AtomicU32>().as_ref() };
        if stop.is_some_and(|stop| stop.load(Ordering::Relaxed) != 0) {
            break;
        }
        // Others that wait may attach at each tick of the clock. To ask them more often costs as much as a short call.
        if activity::now() != turn {
            output::complete();
            attached.give_turn();
            attached.renew_context();
            turn = activity::now();
        }
        // SAFETY: `index` is below the number of calls; nobody else has a reference to this one.
        let call = unsafe { &mut *batch.calls.add(index) };
        scratch.lend(&mut call.result);
        activity.count_call();
        let captured = output::capture(py, batch.capture);
        // Each by itself, so that a panic too is an error of one call only.
        let error = caught(|| {
            // SAFETY: the caller's promise.
            let mut described = unsafe { Described::read(call, bytes) }?;
            let mut direct = [std::ptr::null(); DIRECT];
            for (to, &from) in direct.iter_mut().zip(described.more) {
                *to = from;
            }
            described.more = described.more.get(DIRECT..).unwrap_or_default();
            // SAFETY: the caller's promise.
            unsafe { run_one(&function, call, &described, direct, &attached) }
        });
        attached.end_call_of_batch();
        if error.is_null() {
            scratch.take_back(&call.result);
        }
        // SAFETY: there is room for as many errors as calls.
        unsafe { batch.errors.add(index).write(error) };
        batch.made = index + 1;
        drop(captured);
        attached.renew_context();
    }
    drop((function, held));
    output::complete();
    let keeps = attached.leave_call();
    drop(attached);
    drop(under_way);
    if keeps {
        callback::end_call(batch.token);
    }
    Ok(())
}

impl Batch {
    /// Gives back the functions among the arguments of calls that were not made.
    fn give_back(&self) {
        for index in self.made..self.calls_len {
            // SAFETY: the contract of `snake_function_map`; the calls are only read.
            let values = unsafe {
                let call = &*self.calls.add(index);
                slice("values", call.values, call.values_len)
            };
            callback::give_back(values.unwrap_or_default());
        }
    }
}

/// The memory for the small data of many results.
struct Scratch {
    next: *mut u8,
    left: usize,
}

impl Scratch {
    fn new(scratch: *mut c_void, len: usize) -> Self {
        if scratch.is_null() {
            return Scratch {
                next: std::ptr::null_mut(),
                left: 0,
            };
        }
        let skip = scratch.cast::<u8>().align_offset(SCRATCH_ALIGNMENT);
        Scratch {
            next: scratch.cast::<u8>().wrapping_add(skip),
            left: len.saturating_sub(skip),
        }
    }

    /// Lets a call have what is left.
    fn lend(&self, result: &mut ValueResult) {
        result.scratch = self.next.cast();
        result.scratch_len = self.left.min(MOST_SCRATCH);
    }

    /// Goes on behind what the result of a call has taken.
    fn take_back(&mut self, result: &ValueResult) {
        if std::ptr::eq(result.data.cast(), self.next) {
            let taken = result.data_len.next_multiple_of(SCRATCH_ALIGNMENT).min(self.left);
            self.next = self.next.wrapping_add(taken);
            self.left -= taken;
        }
    }
}

/// The function of a call, by a reference of its own: while a function of the host's runs, the host may end its own.
///
/// # Safety
///
/// `function` must be NULL or one that its owner did not end yet, and does not end before the call has returned.
unsafe fn borrow(py: Python<'_>, function: *const Function) -> Result<Bound<'_, PyAny>, Box<Report>> {
    // SAFETY: the caller's promise: NULL or alive.
    unsafe { Bound::from_borrowed_ptr_or_opt(py, function.cast_mut().cast()) }
        .ok_or_else(|| describe(Failure::argument("function: want a pointer, got NULL")))
}

/// What the host says of a call, checked as far as that goes.
struct Described<'a> {
    values: &'a [Value],
    bytes: &'a [u8],
    more: &'a [*const c_void],
    want: Want,
}

impl Described<'_> {
    /// Reads what a call says, and clears what it gives back.
    ///
    /// # Safety
    ///
    /// As for `snake_function_call`.
    // Inlined, or the processor waits: it cannot read as one what was just written in parts. 8 ns of a call.
    #[inline(always)]
    unsafe fn read(call: &mut Call, bytes: *const u8) -> Result<Self, Box<Report>> {
        call.retained = 0;
        let want = match call.want {
            0 => Want::Object,
            1 => Want::Value,
            other => {
                return Err(Box::new(Report::new(
                    ErrorCode::Argument,
                    format!("{other} is nothing that a call can want"),
                )));
            }
        };
        if !call.interrupt.is_aligned() {
            return Err(Box::new(Report::new(
                ErrorCode::Argument,
                "interrupt: the pointer is not aligned for its type",
            )));
        }
        // SAFETY: the caller's promise; of `leases` only the check for NULL and alignment is wanted.
        let (values, bytes, more) = unsafe {
            if call.leases_len > 0 {
                out("leases", call.leases)?;
            }
            (
                slice("values", call.values, call.values_len)?,
                slice("bytes", bytes, call.bytes_len)?,
                slice("lends", call.lends, call.lends_len)?,
            )
        };
        if values.len() > MAX_VALUES {
            callback::give_back(values);
            return Err(Box::new(Report::new(
                ErrorCode::Limit,
                format!("the arguments have more than {MAX_VALUES} values"),
            )));
        }
        Ok(Described {
            values,
            bytes,
            more,
            want,
        })
    }
}

/// Makes one call. The calling thread is attached.
///
/// # Safety
///
/// As for `snake_function_call`.
#[inline(always)]
unsafe fn run_one(
    function: &Bound<'_, PyAny>,
    call: &mut Call,
    described: &Described<'_>,
    direct: [*const c_void; DIRECT],
    attached: &Attached,
) -> Result<(), Box<Report>> {
    if let ([value], Some(spare)) = (described.values, attached.spare())
        && is_one_array(call, value)
    {
        // SAFETY: the caller's promise.
        return unsafe { run_one_array(function, call, value, direct[0], described.want, spare) };
    }
    let lends = Lends {
        direct,
        more: described.more,
        room: call.leases_len,
        taken: 0,
        gifts: None,
    };
    let mut arguments = Arguments::new(described.values, described.bytes, lends);
    let outcome = run(function, call, described.values, &mut arguments, described.want);
    end(call, outcome, &arguments.lent)
}

/// Ends a call: looks what Python kept of the lent memory.
#[inline]
fn end(call: &mut Call, outcome: Result<(), Failure>, lent: &[Lent<'_>]) -> Result<(), Box<Report>> {
    // The exception goes first: its frames may be all that still holds a lent array.
    let outcome = outcome.map_err(describe);
    if !lent.iter().all(Lent::is_unreached)
        && let Err(failure) = retain(call, lent)
    {
        outcome.and(Err(describe(failure)))
    } else {
        outcome
    }
}

/// Whether a read-only array of one dimension is all that a call passes.
#[inline]
fn is_one_array(call: &Call, value: &Value) -> bool {
    value.kind == Kind::Array as u32 && value.bits & 1 == 0 && call.args == 1 && call.kwargs == 0 && call.leases_len > 0
}

/// Calls with the one argument that is most frequent. It does what `run` and `end` do with less: together with
/// the array that the thread keeps, 40 ns of a call of 210 (`make bench`, noop).
///
/// # Safety
///
/// `data` must be as `snake_function_call` demands.
#[inline]
unsafe fn run_one_array(
    function: &Bound<'_, PyAny>,
    call: &mut Call,
    value: &Value,
    data: *const c_void,
    want: Want,
    spare: &Spare,
) -> Result<(), Box<Report>> {
    // SAFETY: the caller's promise.
    let lent = unsafe { spare.lend(function.py(), value, data) }.map_err(describe)?;
    let objects = [std::ptr::null_mut(), lent.as_ptr()];
    // The result too: what it is made of may be a generator.
    let outcome = interruptible(call.interrupt, || {
        let result = vectorcall(function, &objects, 1, None);
        finish(call, result, want)
    });
    let outcome = end(call, outcome, std::slice::from_ref(&lent));
    if call.retained == 0 {
        spare.end(lent, value, data);
    }
    outcome
}

#[cold]
#[inline(never)]
fn describe(failure: Failure) -> Box<Report> {
    counted(|py| failure.report(py))
}

/// Makes references of our own to the objects among the arguments: making one may run Python code, and while that calls
/// a function of the host's, the host may end the references that it described.
fn hold<'py>(py: Python<'py>, values: &[Value]) -> Result<SmallVec<[Bound<'py, PyAny>; 4]>, Failure> {
    let objects = values
        .iter()
        .filter(|value| value.kind == Kind::Object as u32 && value.bits != 0);
    // SAFETY: the caller of the exported function promises that they are alive.
    objects
        .map(|value| unsafe { Object::borrow_address(py, value.bits) })
        .collect()
}

/// Builds the arguments, calls, and describes the result.
fn run<'py>(
    function: &Bound<'py, PyAny>,
    call: &mut Call,
    values: &[Value],
    arguments: &mut Arguments<'_, 'py>,
    want: Want,
) -> Result<(), Failure> {
    let py = function.py();
    let _held = hold(py, values)?;
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
    // The result too: what it is made of may be a generator.
    interruptible(call.interrupt, || {
        let result = vectorcall(function, &objects, call.args as usize, names.as_ref());
        drop(owned);
        finish(call, result, want)
    })
}

/// Calls with arguments that are alive and lie behind one free slot; the last of them have the names. `args` counts the
/// others.
#[inline]
fn vectorcall<'py>(
    function: &Bound<'py, PyAny>,
    objects: &[*mut ffi::PyObject],
    args: usize,
    names: Option<&Bound<'py, PyTuple>>,
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: attached; the arguments, which are alive, lie behind one free slot, as `ARGUMENTS_OFFSET` promises; the
    // names are as many different str as the last arguments. The result is a new reference, or NULL with an
    // exception.
    unsafe {
        let result = PyObject_Vectorcall(
            function.as_ptr(),
            objects.as_ptr().add(1),
            args | ARGUMENTS_OFFSET,
            names.map_or(std::ptr::null_mut(), Bound::as_ptr),
        );
        Bound::from_owned_ptr_or_err(function.py(), result)
    }
}

/// Gives the host what it wants of the result.
#[inline]
fn finish(call: &mut Call, result: PyResult<Bound<'_, PyAny>>, want: Want) -> Result<(), Failure> {
    match want {
        Want::Object => call.result.set_object(result?),
        Want::Value => call.result.describe(result?)?,
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
