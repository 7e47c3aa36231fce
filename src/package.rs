//! The Python part of gophersnake, which the library carries: the package `gophersnake`.
#![expect(unsafe_code, reason = "asks CPython for the number of its bytecode")]

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyBytes, PyDict};

// SOURCES: the source of each module, by name. BYTECODE: the .pyc files of each module, by name, for each CPython that was there
// when the library was built.
include!(concat!(env!("OUT_DIR"), "/package.rs"));

/// Makes the package importable.
pub(crate) fn load(py: Python<'_>) -> PyResult<()> {
    let package = PyModule::from_code(
        py,
        &std::ffi::CString::new(include_str!("../python/gophersnake/__init__.py"))?,
        c"<gophersnake>/__init__.py",
        c"gophersnake",
    )?;
    package.call_method1("install", (SOURCES.to_vec().into_py_dict(py)?, bytecode(py)?))?;
    Ok(())
}

/// The marshalled code of each module, by name, as far as it is there for this version of Python.
fn bytecode(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    // SAFETY: attached.
    let magic = unsafe { ffi::PyImport_GetMagicNumber() };
    if let Some(failure) = PyErr::take(py) {
        return Err(failure);
    }
    let found = PyDict::new(py);
    for (name, file) in BYTECODE {
        // PEP 552: the magic number, in little-endian order, and twelve bytes about the source, which is the one that is here.
        if let Some((head, code)) = file.split_first_chunk::<16>()
            && let [a, b, c, d, ..] = *head
            && i64::from(u32::from_le_bytes([a, b, c, d])) == magic
        {
            found.set_item(name, PyBytes::new(py, code))?;
        }
    }
    Ok(found)
}

/// A module of the package, which is imported if it was not yet.
pub(crate) fn module<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    PyModule::import(py, format!("gophersnake.{name}")).map(Bound::into_any)
}
