//! Lending memory of the host to NumPy: the arrays over it, and how they end.
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
use std::sync::atomic::Ordering;

use numpy::npyffi::{self, PyArrayObject};
use pyo3::ffi;
use pyo3::prelude::*;

use crate::array::{ARRAY_CLASS, ARRAY_NEW, DESCRIPTORS, DTYPES, READ_ONLY};
use crate::boundary::Failure;
use crate::callback::Gift;
use crate::lease;
use crate::value::Value;

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
