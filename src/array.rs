//! Lending memory of the host to NumPy, and describing the arrays that come back.
//!
//! # Soundness
//!
//! *What the host guarantees:* the memory that it lends has the size that it says, is aligned for its dtype, and stays
//! valid and unmoved until the call returns, or, if the call reports a lease for it, until that lease comes back. It
//! does not write to the memory meanwhile.
//!
//! *What we guarantee:* after the call nothing in Python reaches the memory unless a lease was reported. The array over
//! lent memory owns no data and has no array as its base, so NumPy lets every view, memoryview or other buffer of it hold a reference
//! to that array itself (`PyArray_SetBaseObject` stops at an array whose base is not an array). An array whose
//! reference count is back to one, ours, therefore has no views, and dropping it ends all access. If the count is
//! higher, the array gets a capsule as its base, whose destructor runs when the array dies, which is when the last view has died.
//!
//! *Read-only:* the base of a read-only array is an object without a writable buffer, so that NumPy refuses
//! `setflags(write=True)` on the array and all its views.
//!
//! *Reuse:* making an array and dropping it costs as much as a call of a Python function. So each thread keeps one array
//! when its call ends ([`Spare`]), and points it at the memory of the next call that lends one read-only array of one
//! dimension. It is kept only if dropping it would have ended it, so nothing can tell the next lend from a new array:
//!
//! - Its reference count is one, ours, so no view, buffer, iterator, frame or exception holds it. Arrays are not tracked by
//!   the garbage collector, so that `gc` does not find it either.
//! - It has no weak reference, whose callback would otherwise wait for an array that never dies.
//! - Class, data, dtype, dimensions, length, stride, base and flags are what we set. Python may change each of them in
//!   place (`a.shape = …`, `a.dtype = …`, `setflags`, `__setstate__`); such an array is dropped. What else an array has
//!   does not matter: NumPy allocates lengths and strides anew where it changes them, and the array owns them in any
//!   case; its memory handler counts only if it owns its data, which the flags exclude; and its private list of buffer
//!   descriptions, to which NumPy adds one for each new shape of which a buffer is taken, is never read without
//!   being compared with the array's present shape. The list only grows, so an array is used [`MOST_USES`] times at
//!   most.
//!
//! Until then it has no elements and its data is a static, so that not even a debugger reaches lent memory through it.
//!
//! *Limits:* an address that Python saved as a number is not covered. `PyArray_SetBaseObject` refuses a second base, so
//! the base is exchanged in the array's struct, whose layout is part of NumPy's stable ABI.
#![expect(
    unsafe_code,
    reason = "wraps foreign memory through the C API of NumPy; see the soundness argument above"
)]

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicPtr, Ordering};

use numpy::npyffi::{self, NPY_TYPES, PY_ARRAY_API, PyArray_Descr, PyArrayObject, PyDataType_ELSIZE};
use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::boundary::{Failure, attached_in_call, out};
use crate::callback::Gift;
use crate::error::{Error, type_name};
use crate::lease;
use crate::object::{self, Object};
use crate::value::{Kind, Value, ValueResult};

/// The element types of arrays.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// One byte: 0 or 1.
    Bool = 1,
    /// Signed, 8 bits.
    Int8 = 2,
    /// Signed, 16 bits.
    Int16 = 3,
    /// Signed, 32 bits.
    Int32 = 4,
    /// Signed, 64 bits.
    Int64 = 5,
    /// Unsigned, 8 bits.
    Uint8 = 6,
    /// Unsigned, 16 bits.
    Uint16 = 7,
    /// Unsigned, 32 bits.
    Uint32 = 8,
    /// Unsigned, 64 bits.
    Uint64 = 9,
    /// IEEE 754 half precision.
    Float16 = 10,
    /// IEEE 754 single precision.
    Float32 = 11,
    /// IEEE 754 double precision.
    Float64 = 12,
    /// Two float32.
    Complex64 = 13,
    /// Two float64.
    Complex128 = 14,
    /// Points in time, as int64. Only in results: a `TEXT` with NumPy's name of the unit follows, and an `INT` with
    /// how many of them an element counts.
    Datetime64 = 15,
    /// Differences of time, as int64; likewise.
    Timedelta64 = 16,
}

/// Every dtype with its NumPy type number, kind character and item size.
const DTYPES: [(Dtype, NPY_TYPES, u8, usize); 14] = [
    (Dtype::Bool, NPY_TYPES::NPY_BOOL, b'b', 1),
    (Dtype::Int8, NPY_TYPES::NPY_BYTE, b'i', 1),
    (Dtype::Int16, NPY_TYPES::NPY_SHORT, b'i', 2),
    (Dtype::Int32, NPY_TYPES::NPY_INT, b'i', 4),
    (Dtype::Int64, NPY_TYPES::NPY_LONG, b'i', 8),
    (Dtype::Uint8, NPY_TYPES::NPY_UBYTE, b'u', 1),
    (Dtype::Uint16, NPY_TYPES::NPY_USHORT, b'u', 2),
    (Dtype::Uint32, NPY_TYPES::NPY_UINT, b'u', 4),
    (Dtype::Uint64, NPY_TYPES::NPY_ULONG, b'u', 8),
    (Dtype::Float16, NPY_TYPES::NPY_HALF, b'f', 2),
    (Dtype::Float32, NPY_TYPES::NPY_FLOAT, b'f', 4),
    (Dtype::Float64, NPY_TYPES::NPY_DOUBLE, b'f', 8),
    (Dtype::Complex64, NPY_TYPES::NPY_CFLOAT, b'c', 8),
    (Dtype::Complex128, NPY_TYPES::NPY_CDOUBLE, b'c', 16),
];

/// One more than the greatest type number above.
const NUMBERS: usize = NPY_TYPES::NPY_HALF as usize + 1;

/// Where a type number stands in `DTYPES`.
const BY_NUMBER: [Option<usize>; NUMBERS] = {
    let mut found = [None; NUMBERS];
    let mut index = 0;
    while index < DTYPES.len() {
        found[DTYPES[index].1 as usize] = Some(index);
        index += 1;
    }
    found
};

// The type numbers above take `long` to have 64 bits.
const _: () = assert!(size_of::<std::ffi::c_long>() == 8);

/// The base object of read-only arrays over lent memory: an object without a writable buffer. It lives for ever.
static READ_ONLY: AtomicPtr<ffi::PyObject> = AtomicPtr::new(null_mut());

/// NumPy's class of arrays and its `PyArray_New`. Through rust-numpy, each use looks the table up again, which costs
/// 5 ns of a call of 170 (`make bench`, noop).
static ARRAY_CLASS: AtomicPtr<ffi::PyTypeObject> = AtomicPtr::new(null_mut());
static ARRAY_NEW: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

/// NumPy's own descriptor of each dtype above, by type number: in native byte order, and alive for ever. Nearly every
/// array has one of these.
static DESCRIPTORS: [AtomicPtr<PyArray_Descr>; NUMBERS] = [const { AtomicPtr::new(null_mut()) }; NUMBERS];

type ArrayNew = unsafe extern "C" fn(
    class: *mut ffi::PyTypeObject,
    dimensions: c_int,
    shape: *const i64,
    type_number: c_int,
    strides: *const i64,
    data: *mut c_void,
    item_size: c_int,
    flags: c_int,
    object: *mut ffi::PyObject,
) -> *mut ffi::PyObject;

/// Loads NumPy's C API, which panics if NumPy is there but does not fit, and makes what every lend needs.
pub(crate) fn prepare(py: Python<'_>) -> PyResult<()> {
    // SAFETY: attached, and NumPy was imported; the call reads a number.
    unsafe { PY_ARRAY_API.PyArray_GetNDArrayCFeatureVersion(py) };
    let module = PyModule::import(
        py,
        if npyffi::is_numpy_2(py) {
            "numpy._core.multiarray"
        } else {
            "numpy.core.multiarray"
        },
    )?;
    let capsule = module.getattr("_ARRAY_API")?;
    // SAFETY: the capsule holds NumPy's table of functions and types, whose slots 2 and 93 are these two; it lives for
    // ever, as NumPy does.
    unsafe {
        let table = ffi::PyCapsule_GetPointer(capsule.as_ptr(), null()).cast::<*mut c_void>();
        ARRAY_CLASS.store((*table.add(2)).cast(), Ordering::Relaxed);
        ARRAY_NEW.store(*table.add(93), Ordering::Relaxed);
    }
    for (_, number, ..) in DTYPES {
        // SAFETY: attached; a type number of NumPy's own. The reference is kept for ever.
        let descriptor = unsafe { PY_ARRAY_API.PyArray_DescrFromType(py, number as c_int) };
        DESCRIPTORS[number as usize].store(descriptor, Ordering::Relaxed);
    }
    if READ_ONLY.load(Ordering::Relaxed).is_null() {
        let marker = pyo3::types::PyTuple::new(py, ["memory lent by the host program"])?;
        READ_ONLY.store(marker.into_ptr(), Ordering::Relaxed);
    }
    Ok(())
}

/// The memory that a call lends: four pointers that are arguments of the C function, and any number more.
pub(crate) struct Lends<'a> {
    pub(crate) direct: [*const c_void; 4],
    pub(crate) more: &'a [*const c_void],
    /// How many arrays the host has room to report leases for.
    pub(crate) room: usize,
    pub(crate) taken: usize,
    /// In place of all these: memory that the host gives away.
    pub(crate) gifts: Option<&'a [Gift]>,
}

impl<'a> Lends<'a> {
    /// The memory of a reply.
    pub(crate) fn given(gifts: &'a [Gift]) -> Self {
        Lends {
            direct: [null(); 4],
            more: &[],
            room: 0,
            taken: 0,
            gifts: Some(gifts),
        }
    }

    /// The lease that the memory taken last stands under, if it was given away.
    pub(crate) fn lease(&self) -> Option<u64> {
        Some(self.gifts?.get(self.taken.checked_sub(1)?)?.lease)
    }

    /// Gives the memory back that was taken last and that no array was made of.
    #[cold]
    pub(crate) fn refuse(&self) {
        if let Some(lease) = self.lease() {
            lease::come_back(lease);
        }
    }

    pub(crate) fn next(&mut self) -> Result<*const c_void, Failure> {
        let index = self.taken;
        self.taken += 1;
        if let Some(gifts) = self.gifts {
            let gift = gifts
                .get(index)
                .ok_or_else(|| Failure::argument(format!("the reply describes more arrays than it gives ({index})")))?;
            if !lease::is_of_host(gift.lease) {
                return Err(Failure::argument(format!(
                    "gifts[{index}]: the lease {} has 0 as its highest bit, as those of the library have",
                    gift.lease
                )));
            }
            return Ok(std::ptr::with_exposed_provenance(
                usize::try_from(gift.data).unwrap_or(0),
            ));
        }
        if index >= self.room {
            return Err(Failure::argument(format!(
                "the call lends more arrays than `leases` has room for ({})",
                self.room
            )));
        }
        match self.direct.get(index) {
            Some(&data) => Ok(data),
            None => self
                .more
                .get(index - self.direct.len())
                .copied()
                .ok_or_else(|| Failure::argument(format!("the call describes more arrays than it lends ({index})"))),
        }
    }
}

/// An array over lent memory, for the time of a call.
pub(crate) struct Lent<'py> {
    array: Bound<'py, PyAny>,
}

impl<'py> Lent<'py> {
    pub(crate) fn new(array: Bound<'py, PyAny>) -> Self {
        Lent { array }
    }

    /// The array, which this keeps alive.
    pub(crate) fn as_ptr(&self) -> *mut ffi::PyObject {
        self.array.as_ptr()
    }

    fn into_ptr(self) -> *mut PyArrayObject {
        self.array.into_ptr().cast()
    }

    /// Whether nothing in Python reaches the array.
    #[inline]
    pub(crate) fn is_unreached(&self) -> bool {
        // SAFETY: attached; the array is alive.
        let references = unsafe { ffi::Py_REFCNT(self.array.as_ptr()) };
        // Only the low half counts: from CPython 3.12 on the high half may hold flags.
        #[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
        let references = references as u32;
        references == 1
    }

    /// Ends the lend after the call. If something in Python still reaches the array, returns the lease of its memory.
    pub(crate) fn end(&self) -> Result<Option<u64>, Failure> {
        let py = self.array.py();
        if self.is_unreached() {
            return Ok(None);
        }
        let (id, capsule) = lease::create(py)?;
        // SAFETY: the object is an array that `lend` made, so its struct has this layout, its base is the marker or
        // NULL, and nothing else exchanges it; the array takes over the reference to the capsule and we drop the
        // base's.
        unsafe {
            let array = self.array.as_ptr().cast::<PyArrayObject>();
            let before = std::mem::replace(&mut (*array).fields.base, capsule.into_ptr());
            ffi::Py_XDECREF(before);
        }
        Ok(Some(id))
    }
}

impl Drop for Lends<'_> {
    /// Gives memory back of which no array was made.
    fn drop(&mut self) {
        for gift in self.gifts.unwrap_or_default().iter().skip(self.taken) {
            if lease::is_of_host(gift.lease) {
                lease::come_back(gift.lease);
            }
        }
    }
}

/// How often an array is used for a lend before it is dropped.
const MOST_USES: u32 = 256;

/// How many elements of any dtype fit the address space.
const MOST_ELEMENTS: u64 = isize::MAX as u64 / 16;

/// What the data of a spare array is while nothing is lent: aligned for every dtype.
static NOTHING: u128 = 0;

/// The flags of a read-only array of one dimension over aligned memory.
const LENT_FLAGS: c_int = npyffi::NPY_ARRAY_C_CONTIGUOUS | npyffi::NPY_ARRAY_F_CONTIGUOUS | npyffi::NPY_ARRAY_ALIGNED;

/// An array that a thread keeps between its calls, to lend memory without making one; see *Reuse* above. It is
/// touched by its own thread only, while that is attached.
pub(crate) struct Spare {
    array: Cell<*mut PyArrayObject>,
    /// How often an array was taken since one was last dropped for having been taken too often.
    uses: Cell<u32>,
}

impl Spare {
    pub(crate) const fn new() -> Self {
        Spare {
            array: Cell::new(null_mut()),
            uses: Cell::new(0),
        }
    }

    /// Wraps lent memory as a read-only array of one dimension, in the array that is kept if it fits.
    ///
    /// # Safety
    ///
    /// As for [`lend`].
    #[inline]
    pub(crate) unsafe fn lend<'py>(
        &self,
        py: Python<'py>,
        value: &Value,
        data: *const c_void,
    ) -> Result<Lent<'py>, Failure> {
        let array = self.array.replace(null_mut());
        if !array.is_null() {
            // SAFETY: the array was kept, so it is alive, and the reference to it is ours.
            let kept = unsafe { Bound::from_owned_ptr(py, array.cast()) };
            let uses = self.uses.get() + 1;
            self.uses.set(if uses < MOST_USES { uses } else { 0 });
            // SAFETY: as above; a kept array has a descriptor and one dimension.
            let number = unsafe { (*(*array).fields.descr).fields.type_num };
            if uses < MOST_USES
                && let Some(&(_, wanted, _, size)) = DTYPES.get((value.dtype as usize).wrapping_sub(1))
                && wanted as c_int == number
                && value.len.wrapping_sub(1) < MOST_ELEMENTS
                && !data.is_null()
                // Sizes are powers of two, and a division costs 5 ns.
                && data.addr() & (size.min(8) - 1) == 0
            {
                // SAFETY: as above; only we reach the array, and the memory is as the caller promises. Its stride is
                // that of its dtype.
                unsafe {
                    (*array).fields.data = data.cast_mut().cast();
                    *(*array).fields.dimensions = value.len.cast_signed() as npyffi::npy_intp;
                }
                return Ok(Lent::new(kept));
            }
        }
        // SAFETY: the caller's promise. A length that is no int64 becomes a negative one, which `lend` refuses.
        unsafe { lend(py, value, &[value.len.cast_signed()], &[], data) }.map(Lent::new)
    }

    /// Ends a lend through `lend` that nothing in Python reaches any more: keeps the array for the next, or drops it.
    #[inline]
    pub(crate) fn end(&self, lent: Lent<'_>, value: &Value, data: *const c_void) {
        let array = lent.as_ptr().cast::<PyArrayObject>();
        let Some(&(_, number, _, size)) = DTYPES.get((value.dtype as usize).wrapping_sub(1)) else {
            return;
        };
        // SAFETY: attached; the object is alive and was made by `lend`, so it is an array, or was turned into an instance
        // of another class with the same layout. Lengths and strides are there if there is one dimension.
        unsafe {
            let fields = &mut (*array).fields;
            let same = (*array).ob_base.ob_type == ARRAY_CLASS.load(Ordering::Relaxed)
                && fields.weakreflist.is_null()
                && fields.data.cast_const().cast() == data
                && fields.descr == DESCRIPTORS[number as usize].load(Ordering::Relaxed)
                && fields.flags == LENT_FLAGS
                && fields.base == READ_ONLY.load(Ordering::Relaxed)
                && fields.nd == 1
                && *fields.dimensions as u64 == value.len
                && *fields.strides as usize == size;
            // A call further in on this thread may have kept one.
            if same && self.array.get().is_null() {
                fields.data = (&raw const NOTHING).cast_mut().cast();
                *fields.dimensions = 0;
                self.array.set(lent.into_ptr());
            }
        }
    }

    /// Drops the array that is kept. The calling thread, whose this is, is attached.
    pub(crate) fn clear(&self) {
        let array = self.array.replace(null_mut());
        if !array.is_null() {
            // SAFETY: attached; the reference is ours.
            unsafe { ffi::Py_DecRef(array.cast()) };
        }
    }
}

/// Makes a new array over given memory keep its lease.
pub(crate) fn keep(array: &Bound<'_, PyAny>, id: u64) -> Result<(), Failure> {
    let capsule = match lease::capsule(array.py(), id) {
        Ok(capsule) => capsule,
        Err(exception) => {
            lease::come_back(id);
            return Err(exception.into());
        }
    };
    // SAFETY: the object is an array that `lend` has just made; it takes over the reference to the capsule.
    unsafe {
        let array = array.as_ptr().cast::<PyArrayObject>();
        let before = std::mem::replace(&mut (*array).fields.base, capsule.into_ptr());
        ffi::Py_XDECREF(before);
    }
    Ok(())
}

/// How many dimensions NumPy allows in all its versions.
pub const MAX_DIMENSIONS: usize = 32;

/// How many elements an array has, if their bytes fit the address space.
#[inline]
fn count_elements(shape: &[i64], size: usize) -> Option<usize> {
    let mut elements = 1_usize;
    for &length in shape {
        elements = elements.checked_mul(usize::try_from(length).ok()?)?;
    }
    (elements <= isize::MAX as usize / size).then_some(elements)
}

/// Wraps lent memory as an array. The strides are in bytes; none means C-contiguous.
///
/// # Safety
///
/// `data` must point to elements as `value`, `shape` and `strides` say, aligned, valid until [`Lent::end`] said that
/// nothing reaches them or the lease that it returned has come back.
pub(crate) unsafe fn lend<'py>(
    py: Python<'py>,
    value: &Value,
    shape: &[i64],
    strides: &[i64],
    data: *const c_void,
) -> Result<Bound<'py, PyAny>, Failure> {
    let Some(&(_, number, _, size)) = DTYPES.get((value.dtype as usize).wrapping_sub(1)) else {
        return Err(Failure::argument(format!("{} is no dtype", value.dtype)));
    };
    let Some(elements) = count_elements(shape, size) else {
        return Err(Failure::argument(format!(
            "an array of shape {:?} exceeds the address space",
            shape
        )));
    };
    let data = if elements == 0 {
        // NumPy takes memory of its own when it is given none; no element of it exists.
        null_mut()
    } else if data.is_null() {
        return Err(Failure::argument(format!(
            "an array of {elements} elements is lent at address NULL"
        )));
    } else {
        data.cast_mut()
    };
    let writable = value.bits & 1 != 0;
    let mut flags = npyffi::NPY_ARRAY_ALIGNED;
    if writable || data.is_null() {
        flags |= npyffi::NPY_ARRAY_WRITEABLE;
    }
    let strides = if strides.is_empty() || data.is_null() {
        flags |= npyffi::NPY_ARRAY_C_CONTIGUOUS;
        null()
    } else {
        strides.as_ptr()
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "at most MAX_DIMENSIONS"
    )]
    let dimensions = shape.len() as c_int;
    // SAFETY: attached; the type number, shape and flags describe the memory as the caller promises; NumPy copies
    // shape and strides and finds out itself whether they are contiguous. The result is a new reference, or NULL with
    // an exception.
    let array = unsafe {
        let new = std::mem::transmute::<*mut c_void, ArrayNew>(ARRAY_NEW.load(Ordering::Relaxed));
        let array = new(
            ARRAY_CLASS.load(Ordering::Relaxed),
            dimensions,
            shape.as_ptr(),
            number as c_int,
            strides,
            data,
            0,
            flags,
            null_mut(),
        );
        Bound::from_owned_ptr_or_err(py, array)?
    };
    if !data.is_null() && !writable {
        let marker = READ_ONLY.load(Ordering::Relaxed);
        // SAFETY: the array is new and has no base; the field takes over the new reference to the marker, which lives
        // for ever.
        unsafe {
            ffi::Py_INCREF(marker);
            (*array.as_ptr().cast::<PyArrayObject>()).fields.base = marker;
        }
    }
    Ok(array)
}

/// An object that is an array.
pub(crate) struct ArrayRef<'a, 'py> {
    object: &'a Bound<'py, PyAny>,
    pointer: *mut PyArrayObject,
}

/// The array that `object` is, if it is one.
#[inline]
pub(crate) fn from_object<'a, 'py>(object: &'a Bound<'py, PyAny>) -> Option<ArrayRef<'a, 'py>> {
    let class = ARRAY_CLASS.load(Ordering::Relaxed);
    // SAFETY: attached, and the object is alive; the class lives for ever.
    let is_array = unsafe { ffi::PyObject_TypeCheck(object.as_ptr(), class) } != 0;
    is_array.then(|| ArrayRef {
        object,
        pointer: object.as_ptr().cast(),
    })
}

impl ArrayRef<'_, '_> {
    fn fields(&self) -> &npyffi::PyArrayObject_fields {
        // SAFETY: the object is alive and an array, whose layout is part of NumPy's stable ABI.
        unsafe { &(*self.pointer).fields }
    }

    /// How many dimensions it has.
    pub(crate) fn dimensions(&self) -> usize {
        self.fields().nd.unsigned_abs() as usize
    }

    /// Its length along an axis.
    pub(crate) fn length(&self, axis: usize) -> u64 {
        // SAFETY: `axis` is below the number of dimensions, by the callers' loops.
        unsafe { *self.fields().dimensions.add(axis) }.unsigned_abs() as u64
    }

    /// Its dtype, if it is one of those above, and if the elements are all that the array is, which those of a masked
    /// array or a matrix are not.
    #[inline]
    pub(crate) fn plain(&self) -> Option<Dtype> {
        // SAFETY: the object is alive.
        let class = unsafe { ffi::Py_TYPE(self.object.as_ptr()) };
        let exact = std::ptr::eq(class, ARRAY_CLASS.load(Ordering::Relaxed));
        let descriptor = self.fields().descr;
        // SAFETY: the descriptor of an array lives as long as it, and its layout is part of NumPy's stable ABI.
        let number = unsafe { (*descriptor).fields.type_num };
        if exact
            && let Ok(number) = usize::try_from(number)
            && let Some(Some(index)) = BY_NUMBER.get(number)
            && std::ptr::eq(DESCRIPTORS[number].load(Ordering::Relaxed), descriptor)
        {
            return Some(DTYPES[*index].0);
        }
        if !exact && type_name(&self.object.get_type()) != "numpy.memmap" {
            return None;
        }
        let (kind, size) = self.element();
        DTYPES
            .iter()
            .find(|known| known.2 == kind && known.3 == size)
            .map(|known| known.0)
    }

    /// Whether its elements lie one after the other, aligned and in native order.
    pub(crate) fn is_in_place(&self) -> bool {
        self.is_contiguous() && self.is_native() && self.fields().flags & npyffi::NPY_ARRAY_ALIGNED != 0
    }

    /// The first element.
    pub(crate) fn data(&self) -> *const c_void {
        self.fields().data.cast_const().cast()
    }

    /// Why the host cannot write to the array where it lies.
    pub(crate) fn obstacle_to_writing(&self) -> Option<&'static str> {
        if self.fields().flags & npyffi::NPY_ARRAY_WRITEABLE == 0 {
            Some("an array that is read-only")
        } else if !self.is_in_place() {
            Some(
                "an array whose elements do not lie one after the other in native order: pass numpy.ascontiguousarray of it",
            )
        } else {
            None
        }
    }

    /// Kind and size of the elements.
    fn element(&self) -> (u8, usize) {
        let descriptor = self.fields().descr;
        // SAFETY: the descriptor of an array lives as long as it, and its layout is part of NumPy's stable ABI.
        unsafe {
            (
                (*descriptor).fields.kind.cast_unsigned(),
                PyDataType_ELSIZE(self.object.py(), descriptor).unsigned_abs(),
            )
        }
    }

    /// Whether its elements lie one after the other, aligned, in native byte order.
    fn is_contiguous(&self) -> bool {
        self.is_native() && self.fields().flags & npyffi::NPY_ARRAY_C_CONTIGUOUS != 0
    }

    /// Whether its elements are aligned and in native byte order.
    fn is_native(&self) -> bool {
        // SAFETY: as in `element`.
        let order = unsafe { (*self.fields().descr).fields.byteorder.cast_unsigned() };
        let foreign = if cfg!(target_endian = "little") { b'>' } else { b'<' };
        self.fields().flags & npyffi::NPY_ARRAY_ALIGNED != 0 && order != foreign
    }

    /// A contiguous copy that nobody else reaches.
    fn copy(&self) -> PyResult<Bound<'_, PyAny>> {
        let py = self.object.py();
        let flags = npyffi::NPY_ARRAY_C_CONTIGUOUS
            | npyffi::NPY_ARRAY_ALIGNED
            | npyffi::NPY_ARRAY_ENSURECOPY
            | npyffi::NPY_ARRAY_ENSUREARRAY;
        // SAFETY: attached; `PyArray_FromArray` takes over the reference to the descriptor, which is the native one of
        // the array's own type, and returns a new array or NULL with an exception.
        unsafe {
            let native = PY_ARRAY_API.PyArray_DescrFromType(py, (*self.fields().descr).fields.type_num);
            let copy = PY_ARRAY_API.PyArray_FromArray(py, self.pointer, native, flags);
            Bound::from_owned_ptr_or_err(py, copy)
        }
    }
}

/// Describes an array of one dimension without a tree. The caller's reference is the only one that it knows of.
pub(crate) fn describe(result: &mut ValueResult, dtype: Dtype, object: Bound<'_, PyAny>) -> Result<(), Failure> {
    let Some(array) = from_object(&object) else {
        return Err(Failure::argument("want an array"));
    };
    let len = array.length(0);
    // An array of NumPy fits the address space.
    let bytes = len as usize * DTYPES[dtype as usize - 1].3;
    let kind = (Kind::Array, Some(dtype));
    if array.is_contiguous() && (result.fits_scratch(bytes) || is_unshared(object.py(), array.pointer)) {
        let data = array.fields().data;
        // SAFETY: a contiguous array has this many bytes. Those that do not go to scratch at once belong to an array
        // that nobody else reaches.
        unsafe { result.set_data(kind, len, data.cast(), bytes, object) };
        return Ok(());
    }
    let copy = array.copy()?.into_any().unbind().into_bound(object.py());
    // SAFETY: a new array, contiguous and in native order as demanded, that nobody else reaches.
    unsafe {
        let data = (*copy.as_ptr().cast::<PyArrayObject>()).fields.data;
        result.set_data(kind, len, data.cast(), bytes, copy);
    }
    Ok(())
}

/// The elements of an array, one after the other, and the array that owns them and that nobody else reaches.
pub(crate) fn contiguous<'py>(object: &Bound<'py, PyAny>) -> Result<(*const c_void, Bound<'py, PyAny>), Failure> {
    let Some(array) = from_object(object) else {
        return Err(Failure::argument("want an array"));
    };
    let copy = array.copy()?.unbind().into_bound(object.py());
    // SAFETY: a new array.
    let data = unsafe { (*copy.as_ptr().cast::<PyArrayObject>()).fields.data };
    Ok((data.cast_const().cast(), copy))
}

/// The dtype of an array of times, whose elements are counts in int64.
pub(crate) fn time_dtype(kind: &str) -> Dtype {
    if kind == "M" {
        Dtype::Datetime64
    } else {
        Dtype::Timedelta64
    }
}

/// Whether nothing else in Python reaches the memory of this array, to which the caller has one reference.
fn is_unshared(py: Python<'_>, array: *mut PyArrayObject) -> bool {
    let mut array = array;
    // NumPy keeps chains of views short; the bound only keeps the loop honest.
    for _ in 0..8 {
        // SAFETY: attached; `array` is an array that its caller or its only view keeps alive.
        unsafe {
            #[expect(clippy::cast_possible_truncation, reason = "the high half may hold flags")]
            let references = ffi::Py_REFCNT(array.cast()) as u32;
            if references != 1 || !(*array).fields.weakreflist.is_null() {
                return false;
            }
            if (*array).fields.flags & npyffi::NPY_ARRAY_OWNDATA != 0 {
                return true;
            }
            let base = (*array).fields.base;
            if base.is_null() || npyffi::PyArray_CheckExact(py, base) == 0 {
                return false;
            }
            array = base.cast();
        }
    }
    false
}

/// An array that lies in Python's memory, for a host that looks at it without copying.
#[repr(C)]
#[derive(Debug)]
pub struct Array {
    /// The element at index 0 of every dimension.
    pub data: *mut c_void,
    /// A `SNAKE_DTYPE_*` value.
    pub dtype: u32,
    /// How many dimensions it has, at most `SNAKE_MAX_DIMENSIONS`.
    pub ndim: u32,
    /// 1 if Python lets the array be written to, else 0.
    pub writable: u32,
    /// The length of each dimension.
    pub shape: [i64; MAX_DIMENSIONS],
    /// How many bytes lie between neighbours along each dimension; may be negative.
    pub strides: [i64; MAX_DIMENSIONS],
    /// Keeps the memory alive until `snake_array_release`.
    pub owner: *mut Object,
}

/// Borrows the memory of an array. Its elements must be aligned and in native byte order.
///
/// The memory stays valid until `snake_array_release`; Python may write to it meanwhile. Any thread; attaches.
/// The token is that of a `snake_call`.
///
/// # Safety
///
/// `object` must be a reference that its owner did not end yet; `array` must point to room for the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn snake_array_borrow(object: *const Object, token: u64, array: *mut Array) -> *mut Error {
    attached_in_call(token, |py| {
        // SAFETY: the caller's promise; likewise for the object.
        let out = unsafe { out("array", array) }.map_err(Failure::Report)?;
        // SAFETY: see above.
        let object = unsafe { Object::borrow_address(py, object.addr() as u64) }?;
        let array = from_object(&object).and_then(|array| array.plain().map(|dtype| (array, dtype)));
        let Some((array, dtype)) = array else {
            return Err(PyTypeError::new_err(format!(
                "want an array of numbers, got {}",
                type_name(&object.get_type())
            ))
            .into());
        };
        if !array.is_native() || array.dimensions() > MAX_DIMENSIONS {
            return Err(
                PyTypeError::new_err("an unaligned or byte-swapped array can be copied, but not borrowed").into(),
            );
        }
        let fields = array.fields();
        *out = Array {
            data: fields.data.cast(),
            dtype: dtype as u32,
            ndim: fields.nd.unsigned_abs(),
            writable: u32::from(fields.flags & npyffi::NPY_ARRAY_WRITEABLE != 0),
            shape: [0; MAX_DIMENSIONS],
            strides: [0; MAX_DIMENSIONS],
            owner: null_mut(),
        };
        for axis in 0..array.dimensions() {
            // SAFETY: the array has as many lengths and strides as dimensions.
            unsafe {
                out.shape[axis] = *fields.dimensions.add(axis) as i64;
                out.strides[axis] = *fields.strides.add(axis) as i64;
            }
        }
        out.owner = Object::give(object.clone());
        Ok(())
    })
}

/// Ends a borrow. NULL is allowed. Any thread; never attaches and never waits.
///
/// # Safety
///
/// `owner` must be NULL or that of a borrow that was not ended yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn snake_array_release(owner: *mut Object) {
    object::free(owner.cast());
}
