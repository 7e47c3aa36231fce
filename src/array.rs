//! Arrays: their dtypes, what the host is told of those that come back, and those that it borrows.
#![expect(
    unsafe_code,
    reason = "reads the structs of arrays, whose layout is part of NumPy's stable ABI"
)]

use std::ffi::{c_int, c_void};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicPtr, Ordering};

use numpy::npyffi::{self, NPY_TYPES, PY_ARRAY_API, PyArray_Descr, PyArrayObject, PyDataType_ELSIZE};
use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::boundary::{Failure, attached_in_call, out};
use crate::error::{Error, type_name};
use crate::object::{self, Object};
use crate::value::{Kind, ValueResult};

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
pub(crate) const DTYPES: [(Dtype, NPY_TYPES, u8, usize); 14] = [
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
pub(crate) static READ_ONLY: AtomicPtr<ffi::PyObject> = AtomicPtr::new(null_mut());

/// NumPy's class of arrays and its `PyArray_New`. Through rust-numpy, each use looks the table up again, which costs
/// 5 ns of a call of 170 (`make bench`, noop).
pub(crate) static ARRAY_CLASS: AtomicPtr<ffi::PyTypeObject> = AtomicPtr::new(null_mut());
pub(crate) static ARRAY_NEW: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

/// NumPy's own descriptor of each dtype above, by type number: in native byte order, and alive for ever. Nearly every
/// array has one of these.
pub(crate) static DESCRIPTORS: [AtomicPtr<PyArray_Descr>; NUMBERS] = [const { AtomicPtr::new(null_mut()) }; NUMBERS];

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

/// How many dimensions NumPy allows in all its versions.
pub const MAX_DIMENSIONS: usize = 32;

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
        // A type of another library has a number of its own, whatever kind it says that it is.
        if usize::try_from(number).is_ok_and(|number| number >= NUMBERS) {
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
