//! Flat descriptions of values, in both directions. `argument` makes objects of them, `tree` makes them of objects.
//!
//! A value is four numbers and holds no pointer: so a host with a garbage collector may keep its descriptions in its
//! own memory and hand them over without pinning or checking anything. (From Go, a struct with one pointer member
//! cost a pointer check of each element; see ARCHITECTURE.md.) A container is followed by its children, each of which
//! may be a container.
#![expect(
    unsafe_code,
    reason = "reads what the host described, and builds Python objects through the C API"
)]

use std::ffi::c_void;
use std::ptr::{null, null_mut};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyInt, PyString};

use crate::array::{self, Dtype};
use crate::boundary::{Failure, counted};
use crate::object::Object;
use crate::tree::{Plan, Tree};

/// How deep containers may nest in the arguments of a call and in its result.
pub const MAX_DEPTH: u32 = 100;

/// How many values, children included, the arguments of a call and its result may have.
pub const MAX_VALUES: usize = 1 << 24;

/// The alignment of the largest dtype.
pub(crate) const SCRATCH_ALIGNMENT: usize = 16;

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
/// | `TEXT` | position | bytes | str, from UTF-8 | str, path; in UTF-8 |
/// | `BYTES` | position | bytes | bytes | bytes, bytearray, memoryview of bytes |
/// | `BIG_INT` | position | bytes | int, little-endian two's complement | the same |
/// | `LIST` | | children | list | list |
/// | `TUPLE` | | children | tuple | tuple |
/// | `DICT` | | pairs of key and value | dict | dict, mapping |
/// | `ARRAY` | in: 1 writable, 0 read-only; out: address | elements | array over the next lent memory | array of one dimension |
/// | `OBJECT` | address of the `snake_object` | | the object | a reference |
/// | `OTHER` | position | bytes | not allowed | what has no description: a text that says what it is |
/// | `SET` | | children | set | set, frozenset |
/// | `ND_ARRAY` | as `ARRAY` | dimensions | array over the next lent memory; its shape and its strides in bytes follow as `INT` | C-contiguous array; its shape follows |
/// | `RECORD` | out: 1 if it is a named tuple | pairs of `TEXT` and value | not allowed | fields of an object by name |
/// | `DATETIME` | microseconds since 0001-01-01T00:00 on the clock | 1 if an offset follows | the `len` is the offset in seconds; if its `dtype` is 1, the name of a zone follows as `TEXT`, which the datetime gets if it has that offset then | its offset from UTC in microseconds follows as `INT`, and its zone's name as `TEXT`; its `dtype` is how many nanoseconds more it is, less than 1000 |
/// | `DATE` | days since 0001-01-01 | | date | date |
/// | `TIME` | microseconds since midnight | 1 if an offset follows, as in `DATETIME` | not allowed | time |
/// | `DURATION` | days | microseconds | timedelta | timedelta |
/// | `DECIMAL` | position | bytes | Decimal | Decimal |
/// | `UUID` | position | 16 bytes | UUID | UUID |
/// | `RATIONAL` | | 2 | not allowed | a fraction: its numerator and its denominator, which are ints |
/// | `IMAGE` | | 2 | not allowed | an image of Pillow: a `TEXT` that says what its pixels are (gray, gray16, rgb, nrgba, rgba, cmyk, ycbcr), and their array, of rank 2 or 3 |
/// | `COLUMNS` | | pairs of `TEXT` and array | not allowed | structured array, data frame |
/// | `MASKED` | | 2 | not allowed | an array and the array of its mask (1: no value) |
/// | `INSTANCE` | | 2 | an `OBJECT` that is a class and a `DICT` of keyword arguments | not used |
/// | `FUNCTION` | handle | in: 6 | a function of the host's; its name, qualified name and module follow as `TEXT`, its documentation and its text signature as `TEXT` or `NONE`, and as `INT` the address of the `snake_plan` for its arguments, or 0; the plan stays for ever | a function of the host's |
/// | `HOST` | handle | in: 1 | a value of the host's; its class follows as `INT`, the address of a `snake_object` that the host never gives back, or `NONE` | a value of the host's |
/// | `MADE` | | 2 | a `TEXT` and a `TUPLE`: what a function of a helper makes of the arguments, `module:name`, or `name` in `gophersnake.callbacks` | not used |
///
/// A position is an offset into the call's `bytes`; in a result, into `data`, or into the `bytes` of its tree.
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
    /// A set.
    Set = 15,
    /// A NumPy array of any rank.
    NdArray = 16,
    /// Named fields.
    Record = 17,
    /// A date and time.
    Datetime = 18,
    /// A date.
    Date = 19,
    /// A time of day.
    Time = 20,
    /// A difference of times.
    Duration = 21,
    /// A decimal number, as text.
    Decimal = 22,
    /// A UUID.
    Uuid = 23,
    /// Named arrays of one length.
    Columns = 24,
    /// An array that lacks some values.
    Masked = 25,
    /// A new instance of a class.
    Instance = 26,
    /// A function of the host's.
    Function = 27,
    /// A value of the host's.
    Host = 28,
    /// What a helper makes.
    Made = 29,
    /// A fraction.
    Rational = 30,
    /// An image.
    Image = 31,
}

impl Kind {
    /// From a number that came over the ABI.
    pub(crate) fn from_abi(kind: u32) -> Option<Self> {
        const KINDS: [Kind; 32] = [
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
            Kind::Other,
            Kind::Set,
            Kind::NdArray,
            Kind::Record,
            Kind::Datetime,
            Kind::Date,
            Kind::Time,
            Kind::Duration,
            Kind::Decimal,
            Kind::Uuid,
            Kind::Columns,
            Kind::Masked,
            Kind::Instance,
            Kind::Function,
            Kind::Host,
            Kind::Made,
            Kind::Rational,
            Kind::Image,
        ];
        KINDS.get(kind as usize).copied()
    }

    pub(crate) fn is_container(self) -> bool {
        matches!(
            self,
            Kind::List | Kind::Tuple | Kind::Dict | Kind::Set | Kind::Instance | Kind::Made
        )
    }
}

/// One value; see `snake_kind` for what its fields mean.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Value {
    /// A `SNAKE_KIND_*` value.
    pub kind: u32,
    /// For an array: a `SNAKE_DTYPE_*` value. For a `DATETIME`: see there. Else 0.
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
    /// In: what the caller expects, or NULL. It matters where a value has more than one description.
    pub plan: *const Plan,
    /// What it is.
    pub value: Value,
    /// The data of `TEXT`, `BYTES` and `ARRAY` (C-contiguous, aligned, native byte order) that need no tree. It lies
    /// in `scratch` if it fits, else in memory of `owner`; nobody else writes to it.
    pub data: *const c_void,
    /// The size of `data` in bytes.
    pub data_len: usize,
    /// A reference that the caller now owns and ends with `snake_object_free`; NULL if there is nothing to keep.
    pub owner: *mut Object,
    /// The result if one value does not describe it; `value` is then the first of its values. The caller owns it and
    /// ends it with `snake_tree_free`. NULL if there is none.
    pub tree: *mut Tree,
}

impl Value {
    pub(crate) fn new(kind: Kind, bits: u64, len: u64) -> Self {
        Value {
            kind: kind as u32,
            dtype: 0,
            bits,
            len,
        }
    }
}

impl ValueResult {
    #[inline]
    fn set(&mut self, kind: Kind, bits: u64, len: u64) {
        self.value = Value::new(kind, bits, len);
        self.data = null();
        self.data_len = 0;
        self.owner = null_mut();
        self.tree = null_mut();
    }

    /// Whether `len` bytes find a place in the caller's memory, aligned for any dtype.
    pub(crate) fn fits_scratch(&self, len: usize) -> bool {
        !self.scratch.is_null() && len <= self.scratch_len && self.scratch.addr().is_multiple_of(SCRATCH_ALIGNMENT)
    }

    /// Sets what is described by data that `owner` keeps alive; `count` elements, which have a dtype in an array only.
    ///
    /// # Safety
    ///
    /// `data` must point to `len` bytes that stay valid and unchanged while `owner` is referenced, and `scratch` must
    /// be as its contract says.
    #[inline]
    pub(crate) unsafe fn set_data(
        &mut self,
        (kind, dtype): (Kind, Option<Dtype>),
        count: u64,
        data: *const c_void,
        len: usize,
        owner: Bound<'_, PyAny>,
    ) {
        // Not as a whole: to copy what it has just written in parts, the processor waits, 12 ns of 235 (`make bench`, noop
        // with 3 ints).
        self.value.kind = kind as u32;
        self.value.dtype = dtype.map_or(0, |dtype| dtype as u32);
        self.value.len = count;
        self.data_len = len;
        self.tree = null_mut();
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
        self.value.bits = if kind == Kind::Array {
            self.data.addr() as u64
        } else {
            0
        };
    }

    /// Hands out a reference instead of a description; None needs none.
    pub(crate) fn set_object(&mut self, object: Bound<'_, PyAny>) {
        if object.is_none() {
            return self.set(Kind::None, 0, 0);
        }
        self.set(Kind::Object, 0, 0);
        self.owner = Object::give(object);
    }

    /// Describes `object`. What one value describes comes without a tree, which is quicker.
    pub(crate) fn describe(&mut self, object: Bound<'_, PyAny>) -> Result<(), Failure> {
        // SAFETY: the plan is the host's, which promises that it is NULL or one that stays as it is during the call.
        let plan = unsafe { self.plan.as_ref() };
        if plan.is_some_and(Plan::expects_object) {
            return self.describe_in_tree(&object, plan);
        }
        if let Some(array) = array::from_object(&object) {
            if let Some(dtype) = array.plain()
                && array.dimensions() == 1
            {
                return array::describe(self, dtype, object);
            }
        } else if object.is_none() {
            self.set(Kind::None, 0, 0);
            return Ok(());
        } else if let Ok(float) = object.cast::<PyFloat>() {
            self.set(Kind::Float, float.value().to_bits(), 0);
            return Ok(());
        } else if let Ok(truth) = object.cast::<PyBool>() {
            self.set(Kind::Bool, u64::from(truth.is_true()), 0);
            return Ok(());
        } else if let Some(int) = small_int(&object) {
            self.set(Kind::Int, int.cast_unsigned(), 0);
            return Ok(());
        } else if object.is_instance_of::<PyString>() {
            return self.set_text(object);
        } else if let Ok(bytes) = object.cast::<PyBytes>() {
            return self.set_bytes(bytes);
        }
        self.describe_in_tree(&object, plan)
    }

    fn describe_in_tree(&mut self, object: &Bound<'_, PyAny>, plan: Option<&Plan>) -> Result<(), Failure> {
        let tree = counted(|_| Tree::build(object, plan))?;
        self.set(Kind::None, 0, 0);
        // SAFETY: a tree has at least one value.
        self.value = unsafe { *(*tree).values };
        self.tree = tree;
        Ok(())
    }

    fn set_text(&mut self, text: Bound<'_, PyAny>) -> Result<(), Failure> {
        let (data, len) = utf8(&text)?;
        // SAFETY: the str caches its UTF-8 form for as long as it lives and never changes it.
        unsafe { self.set_data((Kind::Text, None), len as u64, data.cast(), len, text) };
        Ok(())
    }

    fn set_bytes(&mut self, bytes: &Bound<'_, PyBytes>) -> Result<(), Failure> {
        let (data, len) = (bytes.as_bytes().as_ptr(), bytes.as_bytes().len());
        // SAFETY: a bytes object never changes.
        unsafe {
            self.set_data(
                (Kind::Bytes, None),
                len as u64,
                data.cast(),
                len,
                bytes.clone().into_any(),
            )
        };
        Ok(())
    }
}

/// The UTF-8 form of a str, which lives as long as the str.
pub(crate) fn utf8(text: &Bound<'_, PyAny>) -> Result<(*const u8, usize), Failure> {
    let mut len = 0;
    // SAFETY: attached, and `text` is a str; a failure leaves an exception.
    let data = unsafe { ffi::PyUnicode_AsUTF8AndSize(text.as_ptr(), &raw mut len) };
    if data.is_null() {
        return Err(PyErr::fetch(text.py()).into());
    }
    Ok((data.cast(), len.unsigned_abs()))
}

/// The value of an int, if it is one and fits.
pub(crate) fn small_int(object: &Bound<'_, PyAny>) -> Option<i64> {
    if !object.is_instance_of::<PyInt>() {
        return None;
    }
    let mut overflow = 0;
    // SAFETY: attached, and the object is an int, so that only overflow can fail, which is reported and not raised.
    let int = unsafe { ffi::PyLong_AsLongLongAndOverflow(object.as_ptr(), &raw mut overflow) };
    (overflow == 0).then_some(int)
}
