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
//! *Limits:* an address that Python saved as a number is not covered. `PyArray_SetBaseObject` refuses a second base, so
//! the base is exchanged in the array's struct, whose layout is part of NumPy's stable ABI.
#![expect(
    unsafe_code,
    reason = "wraps foreign memory through the C API of NumPy; see the soundness argument above"
)]

use std::ffi::{c_int, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use numpy::npyffi::{self, NPY_TYPES, NpyTypes, PY_ARRAY_API, PyArrayObject, PyDataType_ELSIZE};
use pyo3::ffi;
use pyo3::prelude::*;

use crate::boundary::Failure;
use crate::error::type_name;
use crate::lease;
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

// The type numbers above take `long` to have 64 bits.
const _: () = assert!(size_of::<std::ffi::c_long>() == 8);

/// The base object of read-only arrays over lent memory: an object without a writable buffer. It lives for ever.
static READ_ONLY: AtomicPtr<ffi::PyObject> = AtomicPtr::new(null_mut());

/// Loads NumPy's C API, which panics if NumPy is there but does not fit, and makes what every lend needs.
pub(crate) fn prepare(py: Python<'_>) -> PyResult<()> {
    // SAFETY: attached, and NumPy was imported; the call reads a number.
    unsafe { PY_ARRAY_API.PyArray_GetNDArrayCFeatureVersion(py) };
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
}

impl Lends<'_> {
    pub(crate) fn next(&mut self) -> Result<*const c_void, Failure> {
        let index = self.taken;
        self.taken += 1;
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

    /// Ends the lend after the call. If something in Python still reaches the array, returns the lease of its memory.
    pub(crate) fn end(self) -> Result<Option<u64>, Failure> {
        let py = self.array.py();
        // Only the low half counts: from CPython 3.12 on the high half may hold flags.
        // SAFETY: attached; the array is alive.
        #[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
        let references = unsafe { ffi::Py_REFCNT(self.array.as_ptr()) } as u32;
        if references == 1 {
            return Ok(None);
        }
        let (id, capsule) = lease::create(py)?;
        // SAFETY: the object is an array that `lend` made, so its struct has this layout, its base is the marker or
        // NULL, and nothing else exchanges it; the array takes over the reference to the capsule and we drop the base's.
        unsafe {
            let array = self.array.as_ptr().cast::<PyArrayObject>();
            let before = std::mem::replace(&mut (*array).fields.base, capsule.into_ptr());
            ffi::Py_XDECREF(before);
        }
        Ok(Some(id))
    }
}

/// Wraps lent memory as an array of one dimension.
///
/// # Safety
///
/// `data` must point to as many elements as `value` says, aligned, valid until [`Lent::end`] said that nothing reaches
/// them or the lease that it returned has come back.
pub(crate) unsafe fn lend<'py>(
    py: Python<'py>,
    value: &Value,
    data: *const c_void,
) -> Result<Bound<'py, PyAny>, Failure> {
    let Some(&(_, number, _, size)) = DTYPES.get((value.dtype as usize).wrapping_sub(1)) else {
        return Err(Failure::argument(format!("{} is no dtype", value.dtype)));
    };
    let Some(mut len) = usize::try_from(value.len)
        .ok()
        .filter(|&len| len <= isize::MAX as usize / size)
        .map(usize::cast_signed)
    else {
        return Err(Failure::argument(format!(
            "an array of {} elements exceeds the address space",
            value.len
        )));
    };
    let data = if len == 0 {
        // NumPy takes memory of its own when it is given none; no element of it exists.
        null_mut()
    } else if data.is_null() {
        return Err(Failure::argument(format!(
            "an array of {len} elements is lent at address NULL"
        )));
    } else {
        data.cast_mut()
    };
    let writable = value.bits & 1 != 0;
    let mut flags = npyffi::NPY_ARRAY_C_CONTIGUOUS | npyffi::NPY_ARRAY_F_CONTIGUOUS | npyffi::NPY_ARRAY_ALIGNED;
    if writable || data.is_null() {
        flags |= npyffi::NPY_ARRAY_WRITEABLE;
    }
    // SAFETY: attached; the type number and the flags describe the memory as the caller promises; NumPy copies the
    // dimension. The result is a new reference, or NULL with an exception.
    let array = unsafe {
        let array = PY_ARRAY_API.PyArray_New(
            py,
            npyffi::get_type_object(py, NpyTypes::PyArray_Type),
            1,
            &raw mut len,
            number as c_int,
            null_mut(),
            data,
            0,
            flags,
            null_mut(),
        );
        Bound::from_owned_ptr_or_err(py, array)?
    };
    if !data.is_null() && !writable {
        let marker = READ_ONLY.load(Ordering::Relaxed);
        // SAFETY: the array is new and has no base; `PyArray_SetBaseObject` takes over the new reference to the marker,
        // which lives for ever and is no array, and then cannot fail.
        unsafe {
            ffi::Py_INCREF(marker);
            (*array.as_ptr().cast::<PyArrayObject>()).fields.base = marker;
        }
    }
    Ok(array)
}

/// An object that is an array.
#[derive(Clone, Copy)]
pub(crate) struct ArrayRef(*mut PyArrayObject);

/// The array that `object` is, if it is one.
pub(crate) fn from_object(object: &Bound<'_, PyAny>) -> Option<ArrayRef> {
    // SAFETY: attached, and the object is alive.
    let is_array = unsafe { npyffi::PyArray_Check(object.py(), object.as_ptr()) } != 0;
    is_array.then(|| ArrayRef(object.as_ptr().cast()))
}

/// Whether `object` is a NumPy scalar.
pub(crate) fn is_scalar(object: &Bound<'_, PyAny>) -> bool {
    let py = object.py();
    // SAFETY: attached, and the object is alive.
    unsafe {
        let generic = npyffi::get_type_object(py, NpyTypes::PyGenericArrType_Type);
        ffi::PyObject_TypeCheck(object.as_ptr(), generic) != 0
    }
}

/// Describes an array of one dimension, or the number that an array of none is.
pub(crate) fn describe(result: &mut ValueResult, array: ArrayRef, object: Bound<'_, PyAny>) -> Result<(), Failure> {
    let py = object.py();
    let pointer = array.0;
    // SAFETY: the array is alive, attached, and its layout is part of NumPy's stable ABI; likewise its descriptor's.
    let (fields, descriptor) = unsafe { (&(*pointer).fields, (*pointer).fields.descr) };
    // SAFETY: see above.
    let (kind, order, number, size) = unsafe {
        (
            (*descriptor).fields.kind.cast_unsigned(),
            (*descriptor).fields.byteorder.cast_unsigned(),
            (*descriptor).fields.type_num,
            PyDataType_ELSIZE(py, descriptor).unsigned_abs(),
        )
    };
    let dtype = DTYPES.iter().find(|known| known.2 == kind && known.3 == size);
    let plain_class = is_plain_class(&object)?;
    let (Some(dtype), true, 0 | 1) = (dtype, plain_class, fields.nd) else {
        result.describe_as(py, &what_it_is(&object, plain_class)?);
        return Ok(());
    };
    if fields.nd == 0 {
        return result.describe(object.call_method0("item")?);
    }
    // SAFETY: the array has one dimension.
    let len = unsafe { *fields.dimensions }.unsigned_abs();
    let plain_layout = npyffi::NPY_ARRAY_C_CONTIGUOUS | npyffi::NPY_ARRAY_ALIGNED;
    let foreign_order = if cfg!(target_endian = "little") { b'>' } else { b'<' };
    let plain = fields.flags & plain_layout == plain_layout && order != foreign_order;
    let value = Value {
        kind: Kind::Array as u32,
        dtype: dtype.0 as u32,
        bits: 1,
        len: len as u64,
    };
    if plain && (result.fits_scratch(len.saturating_mul(size)) || is_unshared(py, pointer)) {
        // SAFETY: a contiguous array has this many bytes. Those that do not go to scratch at once belong to an array
        // that nobody else reaches.
        unsafe { result.set_data(value, fields.data.cast(), len * size, object) };
        return Ok(());
    }
    let copy_flags = plain_layout | npyffi::NPY_ARRAY_ENSURECOPY | npyffi::NPY_ARRAY_ENSUREARRAY;
    // SAFETY: attached; `PyArray_FromArray` takes over the reference to the descriptor, which is the native one of the
    // array's own type, and returns a new array or NULL with an exception.
    let copy = unsafe {
        let native = PY_ARRAY_API.PyArray_DescrFromType(py, number);
        let copy = PY_ARRAY_API.PyArray_FromArray(py, pointer, native, copy_flags);
        Bound::from_owned_ptr_or_err(py, copy)?
    };
    // SAFETY: a new array, contiguous and in native order as demanded, that nobody else reaches.
    unsafe {
        let data = (*copy.as_ptr().cast::<PyArrayObject>()).fields.data;
        result.set_data(value, data.cast(), len * size, copy);
    }
    Ok(())
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

/// Whether an array is what its elements say, which a masked array or a matrix is not.
fn is_plain_class(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    // SAFETY: attached, and the object is alive.
    if unsafe { npyffi::PyArray_CheckExact(object.py(), object.as_ptr()) } != 0 {
        return Ok(true);
    }
    Ok(type_name(&object.get_type()) == "numpy.memmap")
}

fn what_it_is(object: &Bound<'_, PyAny>, plain_class: bool) -> PyResult<String> {
    let class = if plain_class {
        "array".to_owned()
    } else {
        type_name(&object.get_type())
    };
    let shape = object.getattr("shape")?.str()?;
    let dtype = object.getattr("dtype")?.str()?;
    Ok(format!(
        "{class} of dtype {} and shape {}",
        dtype.to_string_lossy(),
        shape.to_string_lossy()
    ))
}
