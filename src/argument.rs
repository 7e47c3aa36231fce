//! Making Python objects of the arguments that the host describes.
#![expect(unsafe_code, reason = "builds Python objects through the C API")]

use pyo3::exceptions::{PyMemoryError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyInt, PyList, PySet, PyString, PyTuple};
use smallvec::SmallVec;

use crate::array::MAX_DIMENSIONS;
use crate::boundary::Failure;
use crate::error::ErrorCode;
use crate::lend::{self, Lends, Lent};
use crate::object::Object;
use crate::tree::Plan;
use crate::value::{Kind, MAX_DEPTH, Value};
use crate::{callback, lease, package};

impl Drop for Arguments<'_, '_> {
    /// Gives the handles back that no object was made for.
    #[inline]
    fn drop(&mut self) {
        if !self.values.as_slice().is_empty() {
            callback::give_back(self.values.as_slice());
        }
    }
}

/// The arguments of a call as the host described them, on their way to Python objects.
pub(crate) struct Arguments<'a, 'py> {
    pub(crate) values: std::slice::Iter<'a, Value>,
    pub(crate) bytes: &'a [u8],
    pub(crate) lends: Lends<'a>,
    /// The arrays made so far over lent memory.
    pub(crate) lent: SmallVec<[Lent<'py>; 4]>,
}

impl<'a, 'py> Arguments<'a, 'py> {
    pub(crate) fn new(values: &'a [Value], bytes: &'a [u8], lends: Lends<'a>) -> Self {
        Arguments {
            values: values.iter(),
            bytes,
            lends,
            lent: SmallVec::new(),
        }
    }

    /// Builds the next value if it is an array, to which `lent` keeps the only reference.
    #[inline]
    pub(crate) fn next_lent(&mut self, py: Python<'py>) -> Option<Result<*mut ffi::PyObject, Failure>> {
        let value = self.values.as_slice().first()?;
        if value.kind != Kind::Array as u32 {
            return None;
        }
        self.values.next();
        let made = self.make_array(py, Kind::Array, value);
        Some(made.map(|array| {
            let lent = Lent::new(array);
            let pointer = lent.as_ptr();
            self.lent.push(lent);
            pointer
        }))
    }

    fn lend(&mut self, py: Python<'py>, kind: Kind, value: &Value) -> Result<Bound<'py, PyAny>, Failure> {
        let array = self.make_array(py, kind, value)?;
        match self.lends.lease() {
            Some(lease) => lend::keep(&array, lease)?,
            None => self.lent.push(Lent::new(array.clone())),
        }
        Ok(array)
    }

    #[inline]
    fn make_array(&mut self, py: Python<'py>, kind: Kind, value: &Value) -> Result<Bound<'py, PyAny>, Failure> {
        let data = self.lends.next()?;
        if kind == Kind::Array {
            // A length that is no int64 becomes a negative one, which `lend` refuses.
            // SAFETY: the host promises, in the contract of `snake_function_call`, that lent memory has this size and
            // stays valid until the call or the lease has ended; `lent` finds out when.
            let made = unsafe { lend::lend(py, value, &[value.len.cast_signed()], &[], data) };
            return made.inspect_err(|_| self.lends.refuse());
        }
        let layout = self.layout(value);
        // SAFETY: as above.
        let made = layout.and_then(|(shape, strides)| unsafe { lend::lend(py, value, &shape, &strides, data) });
        made.inspect_err(|_| self.lends.refuse())
    }

    /// Builds the next value, with its children.
    pub(crate) fn build(&mut self, py: Python<'py>, depth: u32) -> Result<Bound<'py, PyAny>, Failure> {
        let Some(&value) = self.values.next() else {
            return Err(Failure::argument("the call describes fewer values than it counts"));
        };
        let Some(kind) = Kind::from_abi(value.kind) else {
            return Err(Failure::argument(format!("{} is no kind of argument", value.kind)));
        };
        if depth == MAX_DEPTH && kind.is_container() {
            return Err(Failure::new(
                ErrorCode::Limit,
                format!("the arguments nest deeper than {MAX_DEPTH} levels"),
            ));
        }
        // SAFETY: every function returns a new reference, or NULL with an exception set.
        let owned = |ptr| unsafe { Bound::from_owned_ptr_or_err(py, ptr) }.map_err(Failure::from);
        match kind {
            Kind::Array | Kind::NdArray => self.lend(py, kind, &value),
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
                let text = self.text(&value)?;
                Ok(PyString::new(py, text).into_any())
            }
            Kind::Bytes => Ok(PyBytes::new(py, self.data(&value)?).into_any()),
            Kind::BigInt => {
                let bytes = PyBytes::new(py, self.data(&value)?);
                let signed = PyDict::new(py);
                signed.set_item("signed", true)?;
                Ok(py
                    .get_type::<PyInt>()
                    .call_method("from_bytes", (bytes, "little"), Some(&signed))?)
            }
            Kind::List | Kind::Tuple => {
                let items = self.children(py, self.count(&value, 1)?, depth)?;
                if kind == Kind::List {
                    Ok(PyList::new(py, items)?.into_any())
                } else {
                    Ok(PyTuple::new(py, items)?.into_any())
                }
            }
            Kind::Dict => {
                let dict = PyDict::new(py);
                for _ in 0..self.count(&value, 2)? {
                    let key = self.build(py, depth + 1)?;
                    dict.set_item(key, self.build(py, depth + 1)?)?;
                }
                if dict.len() as u64 != value.len {
                    return Err(
                        PyValueError::new_err("two keys of a map are equal in Python, such as 1 and true").into(),
                    );
                }
                Ok(dict.into_any())
            }
            Kind::Object => {
                // SAFETY: the host promises that the address is that of an object that it owns.
                unsafe { Object::borrow_address(py, value.bits) }
            }
            Kind::Set => {
                let set = PySet::new(py, self.children(py, self.count(&value, 1)?, depth)?)?;
                if set.len() as u64 != value.len {
                    return Err(
                        PyValueError::new_err("two items of a set are equal in Python, such as 1 and true").into(),
                    );
                }
                Ok(set.into_any())
            }
            Kind::Datetime => {
                let zone = match value.dtype {
                    1 => Some(*self.part(Kind::Datetime, Kind::Text)?),
                    _ => None,
                };
                let zone = zone.filter(|zone| zone.kind != Kind::None as u32);
                let name = zone.as_ref().map(|zone| self.text(zone)).transpose()?;
                let arguments = (value.bits.cast_signed(), value.len.cast_signed(), name);
                Ok(package::module(py, "times")?.call_method1("make_datetime", arguments)?)
            }
            Kind::Date => Ok(package::module(py, "times")?.call_method1("make_date", (value.bits,))?),
            Kind::Duration => {
                let arguments = (value.bits.cast_signed(), value.len.cast_signed());
                Ok(package::module(py, "times")?.call_method1("make_duration", arguments)?)
            }
            Kind::Decimal => {
                let text = PyString::new(py, self.text(&value)?);
                Ok(package::module(py, "values")?.call_method1("make_decimal", (text,))?)
            }
            Kind::Uuid => {
                let bytes = PyBytes::new(py, self.data(&value)?);
                Ok(package::module(py, "values")?.call_method1("make_uuid", (bytes,))?)
            }
            Kind::Instance => {
                let class = self.build(py, depth + 1)?;
                let fields = self.build(py, depth + 1)?.cast_into::<PyDict>().map_err(PyErr::from)?;
                Ok(class.call((), Some(&fields))?)
            }
            Kind::Function => self.function(py, &value),
            Kind::Host => {
                let class = self.class(py).inspect_err(|_| lease::come_back(value.bits))?;
                Ok(callback::make_value(py, value.bits, class.as_ref())?)
            }
            Kind::Made => {
                let name = self
                    .build(py, depth + 1)?
                    .cast_into::<PyString>()
                    .map_err(PyErr::from)?;
                let parts = self.build(py, depth + 1)?.cast_into::<PyTuple>().map_err(PyErr::from)?;
                let name = name.to_str()?;
                let (module, maker) = name.split_once(':').unwrap_or(("callbacks", name));
                Ok(package::module(py, module)?.getattr(maker)?.call1(parts)?)
            }
            Kind::Other | Kind::Record | Kind::Time | Kind::Columns | Kind::Masked | Kind::Rational | Kind::Image => {
                Err(Failure::argument(format!("{kind:?} is no kind of argument")))
            }
        }
    }

    /// The class of a value of the host's, if it is of a registered type.
    fn class(&mut self, py: Python<'py>) -> Result<Option<Bound<'py, PyAny>>, Failure> {
        let class = *self.part(Kind::Host, Kind::Int)?;
        if class.kind == Kind::None as u32 {
            return Ok(None);
        }
        // SAFETY: the host promises that the address is that of an object that it never gives back.
        unsafe { Object::borrow_address(py, class.bits) }.map(Some)
    }

    fn function(&mut self, py: Python<'py>, value: &Value) -> Result<Bound<'py, PyAny>, Failure> {
        let mut parts = || -> Result<_, Failure> {
            let mut text = || {
                let text = *self.part(Kind::Function, Kind::Text)?;
                if text.kind == Kind::None as u32 {
                    return Ok(py.None().into_bound(py));
                }
                Ok::<_, Failure>(PyString::new(py, self.text(&text)?).into_any())
            };
            let texts = [text()?, text()?, text()?, text()?, text()?];
            Ok((texts, self.plan()?))
        };
        let (texts, plan) = parts().inspect_err(|_| lease::come_back(value.bits))?;
        Ok(callback::make_function(py, value.bits, plan, texts)?)
    }

    /// The next value, a part of one of kind `of`, which is of kind `wanted` or None. It is not built like any other:
    /// what is forged could nest without end.
    fn part(&mut self, of: Kind, wanted: Kind) -> Result<&'a Value, Failure> {
        match self.values.as_slice().first() {
            Some(part) if part.kind == wanted as u32 || part.kind == Kind::None as u32 => {
                self.values.next();
                Ok(part)
            }
            Some(part) => Err(Failure::argument(format!(
                "a value of kind {of:?} is followed by one of kind {}: want {wanted:?} or None",
                part.kind
            ))),
            None => Err(Failure::argument(format!("a value of kind {of:?} lacks its parts"))),
        }
    }

    /// The address of the plan of a function.
    fn plan(&mut self) -> Result<*const Plan, Failure> {
        let address = match self.values.as_slice().first() {
            Some(plan) if plan.kind == Kind::Int as u32 => plan.bits,
            _ => return Err(Failure::argument("a function lacks the address of its plan, an Int")),
        };
        self.values.next();
        let plan = std::ptr::with_exposed_provenance::<Plan>(usize::try_from(address).unwrap_or(0));
        if !plan.is_aligned() {
            return Err(Failure::argument(
                "the address of the plan of a function is not aligned",
            ));
        }
        Ok(plan)
    }

    /// The shape of an array and its strides in bytes.
    fn layout(&mut self, value: &Value) -> Result<(Vec<i64>, Vec<i64>), Failure> {
        let dimensions = self.count(value, 2)?;
        if dimensions > MAX_DIMENSIONS {
            return Err(Failure::new(
                ErrorCode::Limit,
                format!(
                    "an array has {dimensions} dimensions, but NumPy allows {}",
                    MAX_DIMENSIONS
                ),
            ));
        }
        let mut next = || self.values.next().map_or(0, |number| number.bits.cast_signed());
        let shape = (0..dimensions).map(|_| next()).collect();
        Ok((shape, (0..dimensions).map(|_| next()).collect()))
    }

    fn text(&self, value: &Value) -> Result<&str, Failure> {
        std::str::from_utf8(self.data(value)?).map_err(|at| {
            Failure::argument(format!(
                "a string is not valid UTF-8: wrong byte at offset {}; pass bytes instead",
                at.valid_up_to()
            ))
        })
    }

    fn children(&mut self, py: Python<'py>, count: usize, depth: u32) -> Result<Vec<Bound<'py, PyAny>>, Failure> {
        let mut items = Vec::new();
        if items.try_reserve(count).is_err() {
            return Err(PyMemoryError::new_err(format!("no room for {count} items")).into());
        }
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
