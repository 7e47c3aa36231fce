//! Flat descriptions of values, in both directions.
//!
//! A value is four numbers and holds no pointer: so a host with a garbage collector may keep its descriptions in its own
//! memory and hand them over without pinning or checking anything. (From Go, a struct with one pointer member cost a pointer check of
//! each element; see ARCHITECTURE.md.) A container is followed by its children, each of which may be a container.
#![expect(
    unsafe_code,
    reason = "reads what the host described, and builds Python objects through the C API"
)]

use std::ffi::c_void;
use std::ptr::{null, null_mut};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyByteArray, PyBytes, PyComplex, PyFloat, PyInt, PyMemoryView, PyString};
use smallvec::SmallVec;

use crate::array::{self, Lent};
use crate::boundary::Failure;
use crate::error::{ErrorCode, type_name};
use crate::object::Object;

/// How deep lists, tuples and dicts may nest in the arguments of a call.
pub const MAX_DEPTH: u32 = 100;

/// The alignment of the largest dtype.
const SCRATCH_ALIGNMENT: usize = 16;

/// What a `snake_value` describes.
///
/// | kind | `bits` | `len` | as an argument | as a result |
/// |---|---|---|---|---|
/// | `NONE` | | | None | None |
/// | `BOOL` | 0 or 1 | | bool | bool |
/// | `INT` | the int64 | | int | int that fits int64 |
/// | `UINT` | the uint64 | | int | int that fits uint64 only |
/// | `FLOAT` | the float64 | | float | float |
/// | `COMPLEX` | real part, a float64 | imaginary part, a float64 | complex | complex |
/// | `TEXT` | offset into `bytes` | bytes | str, from UTF-8 | str, in UTF-8 |
/// | `BYTES` | offset into `bytes` | bytes | bytes | bytes, bytearray, memoryview of bytes |
/// | `BIG_INT` | offset into `bytes` | bytes | int, little-endian two's complement | the same |
/// | `LIST`, `TUPLE` | | children, which follow | list, tuple | |
/// | `DICT` | | pairs of key and value, which follow | dict | |
/// | `ARRAY` | 1: writable, 0: read-only | elements | array over the next lent memory | array |
/// | `OBJECT` | address of the `snake_object` | | the object | a reference in `owner` |
/// | `OTHER` | | | not allowed | has no description; the data is a text that says what it is |
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// None.
    None = 0,
    /// A bool.
    Bool = 1,
    /// A signed integer of 64 bits.
    Int = 2,
    /// An unsigned integer of 64 bits.
    Uint = 3,
    /// A float64.
    Float = 4,
    /// Two float64.
    Complex = 5,
    /// Text in UTF-8.
    Text = 6,
    /// Bytes.
    Bytes = 7,
    /// An integer of any size.
    BigInt = 8,
    /// A list.
    List = 9,
    /// A tuple.
    Tuple = 10,
    /// A dict.
    Dict = 11,
    /// A NumPy array of one dimension.
    Array = 12,
    /// Any Python object, by reference.
    Object = 13,
    /// What has no description.
    Other = 14,
}

impl Kind {
    /// From a number that came over the ABI.
    fn from_abi(kind: u32) -> Option<Self> {
        const KINDS: [Kind; 14] = [
            Kind::None,
            Kind::Bool,
            Kind::Int,
            Kind::Uint,
            Kind::Float,
            Kind::Complex,
            Kind::Text,
            Kind::Bytes,
            Kind::BigInt,
            Kind::List,
            Kind::Tuple,
            Kind::Dict,
            Kind::Array,
            Kind::Object,
        ];
        KINDS.get(kind as usize).copied()
    }
}

/// One value; see `snake_kind` for what its fields mean.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Value {
    /// A `SNAKE_KIND_*` value.
    pub kind: u32,
    /// For an array: a `SNAKE_DTYPE_*` value. Else 0.
    pub dtype: u32,
    /// A number, a position or an address.
    pub bits: u64,
    /// A length or a second number.
    pub len: u64,
}

/// What a call or a look at an object gives back.
#[repr(C)]
#[derive(Debug)]
pub struct ValueResult {
    /// In: memory of the caller's for small data, or NULL. It is used if it is aligned to 16 bytes.
    pub scratch: *mut c_void,
    /// In: the size of `scratch` in bytes.
    pub scratch_len: usize,
    /// What it is.
    pub value: Value,
    /// The data of `TEXT`, `BYTES`, `BIG_INT`, `ARRAY` (C-contiguous, aligned, native byte order) and `OTHER` (a text).
    /// It lies in `scratch` if it fits, else in memory of `owner`; nobody else writes to it.
    pub data: *const c_void,
    /// The size of `data` in bytes.
    pub data_len: usize,
    /// A reference that the caller now owns and ends with `snake_object_free`; NULL if there is nothing to keep.
    pub owner: *mut Object,
}

impl ValueResult {
    fn set(&mut self, kind: Kind, bits: u64, len: u64) {
        self.value = Value {
            kind: kind as u32,
            dtype: 0,
            bits,
            len,
        };
        self.data = null();
        self.data_len = 0;
        self.owner = null_mut();
    }

    /// Whether `len` bytes find a place in the caller's memory, aligned for any dtype.
    pub(crate) fn fits_scratch(&self, len: usize) -> bool {
        !self.scratch.is_null() && len <= self.scratch_len && self.scratch.addr().is_multiple_of(SCRATCH_ALIGNMENT)
    }

    /// Sets what is described by data that `owner` keeps alive.
    ///
    /// # Safety
    ///
    /// `data` must point to `len` bytes that stay valid and unchanged while `owner` is referenced, and `scratch` must be
    /// as its contract says.
    pub(crate) unsafe fn set_data(&mut self, value: Value, data: *const c_void, len: usize, owner: Bound<'_, PyAny>) {
        self.value = value;
        self.data_len = len;
        if self.fits_scratch(len) {
            if len > 0 {
                // SAFETY: `data` has `len` bytes by the caller's promise and `scratch` at least as many, as checked;
                // they cannot overlap, since nothing that Python owns lies in memory of the caller.
                unsafe { std::ptr::copy_nonoverlapping(data.cast::<u8>(), self.scratch.cast(), len) };
            }
            self.data = self.scratch;
            self.owner = null_mut();
        } else {
            self.data = data;
            self.owner = Object::give(owner);
        }
    }

    /// Hands out a reference instead of a description; None needs none.
    pub(crate) fn set_object(&mut self, object: Bound<'_, PyAny>) {
        if object.is_none() {
            return self.set(Kind::None, 0, 0);
        }
        self.set(Kind::Object, 0, 0);
        self.owner = Object::give(object);
    }

    /// Says what something is that has no description.
    fn set_other(&mut self, py: Python<'_>, what: &str) {
        let what = PyString::new(py, what).into_any();
        if let Err(failure) = self.set_text(Kind::Other, &what) {
            drop(failure);
            self.set(Kind::Other, 0, 0);
        }
    }

    fn set_text(&mut self, kind: Kind, text: &Bound<'_, PyAny>) -> Result<(), Failure> {
        let mut len = 0;
        // SAFETY: attached, and `text` is a str; a failure leaves an exception.
        let data = unsafe { ffi::PyUnicode_AsUTF8AndSize(text.as_ptr(), &raw mut len) };
        if data.is_null() {
            return Err(PyErr::fetch(text.py()).into());
        }
        let value = Value {
            kind: kind as u32,
            dtype: 0,
            bits: 0,
            len: len as u64,
        };
        // SAFETY: the str caches its UTF-8 form for as long as it lives and never changes it.
        unsafe { self.set_data(value, data.cast(), len.unsigned_abs(), text.clone()) };
        Ok(())
    }

    fn set_bytes(&mut self, kind: Kind, bytes: Bound<'_, PyBytes>) {
        let (data, len) = (bytes.as_bytes().as_ptr(), bytes.as_bytes().len());
        let value = Value {
            kind: kind as u32,
            dtype: 0,
            bits: 0,
            len: len as u64,
        };
        // SAFETY: a bytes object never changes.
        unsafe { self.set_data(value, data.cast(), len, bytes.into_any()) };
    }

    /// Describes `object`, which the host does not share with this function.
    pub(crate) fn describe(&mut self, object: Bound<'_, PyAny>) -> Result<(), Failure> {
        let py = object.py();
        if object.is_none() {
            self.set(Kind::None, 0, 0);
        } else if let Some(array) = array::from_object(&object) {
            return array::describe(self, array, object);
        } else if let Ok(truth) = object.cast::<PyBool>() {
            self.set(Kind::Bool, u64::from(truth.is_true()), 0);
        } else if let Ok(float) = object.cast::<PyFloat>() {
            self.set(Kind::Float, float.value().to_bits(), 0);
        } else if object.is_instance_of::<PyInt>() {
            return self.describe_int(&object);
        } else if object.is_instance_of::<PyString>() {
            return self.set_text(Kind::Text, &object);
        } else if let Ok(bytes) = object.cast::<PyBytes>() {
            self.set_bytes(Kind::Bytes, bytes.clone());
        } else if object.is_instance_of::<PyComplex>() {
            // SAFETY: attached, and the object is a complex.
            let (real, imaginary) = unsafe {
                (
                    ffi::PyComplex_RealAsDouble(object.as_ptr()),
                    ffi::PyComplex_ImagAsDouble(object.as_ptr()),
                )
            };
            self.set(Kind::Complex, real.to_bits(), imaginary.to_bits());
        } else if let Ok(bytes) = object.cast::<PyByteArray>() {
            self.set_bytes(Kind::Bytes, PyBytes::new(py, &bytes.to_vec()));
        } else if array::is_scalar(&object) {
            // `item` of a NumPy scalar is the Python number that it is, or itself where Python has none.
            let number = object.call_method0("item")?;
            if array::is_scalar(&number) {
                self.set_other(py, &type_name(&object.get_type()));
            } else {
                return self.describe(number);
            }
        } else if let Some(bytes) = memoryview_bytes(&object)? {
            self.set_bytes(Kind::Bytes, bytes);
        } else {
            self.set_other(py, &type_name(&object.get_type()));
        }
        Ok(())
    }

    fn describe_int(&mut self, int: &Bound<'_, PyAny>) -> Result<(), Failure> {
        let mut overflow = 0;
        // SAFETY: attached, and `int` is an int, so that only overflow can fail, which is reported and not raised.
        let signed = unsafe { ffi::PyLong_AsLongLongAndOverflow(int.as_ptr(), &raw mut overflow) };
        if overflow == 0 {
            self.set(Kind::Int, signed.cast_unsigned(), 0);
            return Ok(());
        }
        if overflow > 0
            && let Ok(unsigned) = int.extract::<u64>()
        {
            self.set(Kind::Uint, unsigned, 0);
            return Ok(());
        }
        let bits: usize = int.call_method0("bit_length")?.extract()?;
        let arguments = (bits / 8 + 1, "little");
        let signed = pyo3::types::PyDict::new(int.py());
        signed.set_item("signed", true)?;
        let bytes = int.call_method("to_bytes", arguments, Some(&signed))?;
        self.set_bytes(Kind::BigInt, bytes.cast_into::<PyBytes>().map_err(PyErr::from)?);
        Ok(())
    }

    /// Says what `object` is instead of describing it.
    pub(crate) fn describe_as(&mut self, py: Python<'_>, what: &str) {
        self.set_other(py, what);
    }
}

/// The bytes of a memoryview whose elements are bytes.
fn memoryview_bytes<'py>(object: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyBytes>>> {
    if !object.is_instance_of::<PyMemoryView>() {
        return Ok(None);
    }
    let format: String = object.getattr("format")?.extract()?;
    let dimensions: usize = object.getattr("ndim")?.extract()?;
    if format != "B" || dimensions != 1 {
        return Ok(None);
    }
    Ok(Some(object.call_method0("tobytes")?.cast_into()?))
}

/// The arguments of a call as the host described them, on their way to Python objects.
pub(crate) struct Arguments<'a, 'py> {
    pub(crate) values: std::slice::Iter<'a, Value>,
    pub(crate) bytes: &'a [u8],
    /// Takes the next lent pointer.
    pub(crate) lends: array::Lends<'a>,
    /// The arrays made so far over lent memory.
    pub(crate) lent: SmallVec<[Lent<'py>; 4]>,
}

impl<'py> Arguments<'_, 'py> {
    /// Builds the next value, with its children.
    pub(crate) fn build(&mut self, py: Python<'py>, depth: u32) -> Result<Bound<'py, PyAny>, Failure> {
        let Some(&value) = self.values.next() else {
            return Err(Failure::argument("the call describes fewer values than it counts"));
        };
        let Some(kind) = Kind::from_abi(value.kind) else {
            return Err(Failure::argument(format!("{} is no kind of argument", value.kind)));
        };
        // SAFETY: every function returns a new reference, or NULL with an exception set.
        let owned = |ptr| unsafe { Bound::from_owned_ptr_or_err(py, ptr) }.map_err(Failure::from);
        if depth == MAX_DEPTH && matches!(kind, Kind::List | Kind::Tuple | Kind::Dict) {
            return Err(Failure::new(
                ErrorCode::Limit,
                format!("the arguments nest deeper than {MAX_DEPTH} levels"),
            ));
        }
        match kind {
            Kind::Array => {
                let data = self.lends.next()?;
                // SAFETY: the host promises, in the contract of `snake_function_call`, that lent memory has this size
                // and stays valid until the call or the lease has ended; `lent` finds out when.
                let array = unsafe { array::lend(py, &value, data) }?;
                self.lent.push(Lent::new(array.clone()));
                Ok(array)
            }
            Kind::None => Ok(py.None().into_bound(py)),
            Kind::Bool => Ok(PyBool::new(py, value.bits != 0).to_owned().into_any()),
            // SAFETY: attached; likewise for the next three.
            Kind::Int => owned(unsafe { ffi::PyLong_FromLongLong(value.bits.cast_signed()) }),
            // SAFETY: see above.
            Kind::Uint => owned(unsafe { ffi::PyLong_FromUnsignedLongLong(value.bits) }),
            // SAFETY: see above.
            Kind::Float => owned(unsafe { ffi::PyFloat_FromDouble(f64::from_bits(value.bits)) }),
            Kind::Complex => {
                let (real, imaginary) = (f64::from_bits(value.bits), f64::from_bits(value.len));
                // SAFETY: see above.
                owned(unsafe { ffi::PyComplex_FromDoubles(real, imaginary) })
            }
            Kind::Text => {
                let text = std::str::from_utf8(self.data(&value)?).map_err(|at| {
                    Failure::argument(format!(
                        "a string is not valid UTF-8: wrong byte at offset {}; pass bytes instead",
                        at.valid_up_to()
                    ))
                })?;
                Ok(PyString::new(py, text).into_any())
            }
            Kind::Bytes => Ok(PyBytes::new(py, self.data(&value)?).into_any()),
            Kind::BigInt => {
                let bytes = PyBytes::new(py, self.data(&value)?);
                let signed = pyo3::types::PyDict::new(py);
                signed.set_item("signed", true)?;
                Ok(py
                    .get_type::<PyInt>()
                    .call_method("from_bytes", (bytes, "little"), Some(&signed))?)
            }
            Kind::List | Kind::Tuple => {
                let items = self.children(py, self.count(&value, 1)?, depth)?;
                if kind == Kind::List {
                    Ok(pyo3::types::PyList::new(py, items)?.into_any())
                } else {
                    Ok(pyo3::types::PyTuple::new(py, items)?.into_any())
                }
            }
            Kind::Dict => {
                let dict = pyo3::types::PyDict::new(py);
                for _ in 0..self.count(&value, 2)? {
                    let key = self.build(py, depth + 1)?;
                    dict.set_item(key, self.build(py, depth + 1)?)?;
                }
                Ok(dict.into_any())
            }
            Kind::Object => {
                // SAFETY: the host promises that the address is that of an object that it owns.
                unsafe { Object::borrow_address(py, value.bits) }
            }
            Kind::Other => Err(Failure::argument("OTHER is no kind of argument")),
        }
    }

    fn children(&mut self, py: Python<'py>, count: usize, depth: u32) -> Result<Vec<Bound<'py, PyAny>>, Failure> {
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(self.build(py, depth + 1)?);
        }
        Ok(items)
    }

    /// The children of a container, checked against the values that are there before memory is taken.
    fn count(&self, value: &Value, each: usize) -> Result<usize, Failure> {
        let left = self.values.len() / each;
        usize::try_from(value.len)
            .ok()
            .filter(|&count| count <= left)
            .ok_or_else(|| {
                Failure::argument(format!(
                    "a container counts {} children, but {left} follow at most",
                    value.len
                ))
            })
    }

    /// The bytes of a text or bytes value.
    fn data(&self, value: &Value) -> Result<&[u8], Failure> {
        let range = || {
            let start = usize::try_from(value.bits).ok()?;
            self.bytes
                .get(start..start.checked_add(usize::try_from(value.len).ok()?)?)
        };
        range().ok_or_else(|| {
            Failure::argument(format!(
                "a value takes bytes {} and {} more, but the call has {}",
                value.bits,
                value.len,
                self.bytes.len()
            ))
        })
    }
}
