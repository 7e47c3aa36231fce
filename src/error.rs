//! Errors as data.
//!
//! An exception is described while its thread is attached and dropped at once: a traceback keeps frames, and frames
//! keep lent arrays. What the host gets is text that has no ties to Python.
#![expect(unsafe_code, reason = "hands out boxes as raw pointers and takes them back")]

use std::ptr::{null, null_mut};

use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple, PyType};

use crate::boundary::Text;
use crate::callback;
use crate::object::{self, Kept, Object};
use crate::{package, thread_state};

/// What kind of failure a `snake_error` reports.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// A Python exception: `type_name`, `message`, `traceback` and the rest describe it.
    Python = 1,
    /// A panic inside the library: a bug of gophersnake. The message says where.
    Panic = 2,
    /// The host broke the contract of this header.
    Argument = 3,
    /// No interpreter runs: `snake_interpreter_start` was not called or failed.
    NotStarted = 4,
    /// CPython refused to start.
    Start = 5,
    /// The libpython of this process is not the one of the environment.
    Environment = 6,
    /// NumPy cannot be imported.
    Numpy = 7,
    /// The interpreter was shut down.
    Closed = 8,
    /// A bound of depth or size was passed.
    Limit = 9,
    /// Something did not end in the time that it was given; it goes on.
    Timeout = 10,
}

/// One frame of a traceback.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// The file, as Python knows it.
    pub file: Text,
    /// The function.
    pub function: Text,
    /// The line, from 1; 0 if unknown.
    pub line: u32,
}

/// A failure. Its owner reads it from any thread, changes nothing and ends it with `snake_error_free`.
///
/// Every text is valid UTF-8 of bounded length; what has no UTF-8 form is escaped with backslashes.
#[repr(C)]
#[derive(Debug)]
pub struct Error {
    /// A `SNAKE_ERROR_CODE_*` value.
    pub code: u32,
    /// How many classes `bases` has.
    pub bases_len: u32,
    /// How many frames `frames` has.
    pub frames_len: u32,
    /// How many texts `notes` has.
    pub notes_len: u32,
    /// The argument of the call that could not be made, from 1, keyword arguments after the others; 0 if it is about
    /// something else.
    pub argument: u32,
    /// The class of the exception: `ValueError`, `module.Class`; empty when it is not an exception.
    pub type_name: Text,
    /// What went wrong.
    pub message: Text,
    /// The traceback as Python prints it, with causes; empty when it is not an exception.
    pub traceback: Text,
    /// The class of the exception and its base classes in method resolution order, each as `module.Class`.
    pub bases: *const Text,
    /// The frames of the traceback, outermost first.
    pub frames: *const Frame,
    /// The notes that `add_note` added.
    pub notes: *const Text,
    /// The `__cause__`; NULL if there is none. It belongs to this error.
    pub cause: *const Error,
    /// If a function of the host's caused it: its `SNAKE_OUTCOME_*`; else 0.
    pub outcome: u32,
    /// The handle of the value that the function failed with, which stays valid until the error is freed; 0 if there
    /// is none.
    pub host: u64,
    /// The exception itself, if a function of the host's waits for this call, so that it can raise it again. The
    /// caller may take it over by setting this to NULL.
    pub exception: *mut Object,
}

/// Ends an error. NULL is allowed. Any thread; never attaches.
///
/// # Safety
///
/// `error` must be NULL or an error that its owner did not end yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn snake_error_free(error: *mut Error) {
    if !error.is_null() {
        // SAFETY: every error is the first field of an `Owned` from `into_raw`, and the caller owns it.
        drop(unsafe { Box::from_raw(error.cast::<Owned>()) });
    }
}

/// A failure while it still is Rust data.
#[derive(Default)]
pub(crate) struct Report {
    code: u32,
    type_name: String,
    message: String,
    traceback: String,
    bases: Vec<String>,
    frames: Vec<(String, String, u32)>,
    notes: Vec<String>,
    cause: Option<Box<Report>>,
    argument: u32,
    outcome: u32,
    host: u64,
    /// What keeps `host` valid.
    #[expect(dead_code, reason = "it is kept for its `Drop`")]
    origin: Kept,
    exception: Kept,
}

/// What stands behind an `Error`: the view that the host sees and what it points to.
#[repr(C)]
struct Owned {
    view: Error,
    report: Box<Report>,
    bases: Vec<Text>,
    frames: Vec<Frame>,
    notes: Vec<Text>,
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: a cause comes from `into_raw` and belongs to this error alone.
        unsafe { snake_error_free(self.view.cause.cast_mut()) };
        object::free(self.view.exception.cast());
    }
}

fn text(string: &str) -> Text {
    Text {
        ptr: string.as_ptr(),
        len: string.len(),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the helper bounds every list")]
fn count<T>(list: &[T]) -> u32 {
    list.len() as u32
}

impl Report {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Report {
            code: code as u32,
            message: message.into(),
            ..Report::default()
        }
    }

    /// Describes an exception with the helper `gophersnake.errors.describe` and drops it.
    pub(crate) fn from_exception(py: Python<'_>, exception: PyErr) -> Self {
        let keep = thread_state::is_in_callback();
        // Before CPython 3.12, PyO3 keeps the traceback beside the value; `into_value` puts it back.
        let value = exception.clone_ref(py).into_value(py).into_bound(py);
        let described = package::module(py, "errors")
            .and_then(|helper| helper.call_method1("describe", (&value, keep)))
            .and_then(|described| Report::from_description(&described))
            .map(|report| Report {
                exception: if keep {
                    Kept::new(value.into_any())
                } else {
                    Kept::default()
                },
                ..report
            });
        described.unwrap_or_else(|failure| {
            // The helper is not there yet, or memory or stack ran out: say what can be said with little.
            let class = exception.get_type(py);
            let message = exception
                .value(py)
                .str()
                .map(|message| message.to_string_lossy().chars().take(MAX_FALLBACK).collect::<String>());
            let message = match message {
                Ok(message) => message,
                Err(_) => format!("<no message: {} while describing it>", type_name(&failure.get_type(py))),
            };
            Report {
                code: ErrorCode::Python as u32,
                type_name: type_name(&class),
                message,
                bases: bases(&class),
                ..Report::default()
            }
        })
    }

    /// Reads the tuple that `gophersnake.errors.describe` returns; see there for its items.
    fn from_description(described: &Bound<'_, PyAny>) -> PyResult<Self> {
        let cause = described.get_item(6)?;
        let origin = described.get_item(8)?;
        let host = callback::handle_of(&origin).map_or(0, |(_, handle)| handle);
        Ok(Report {
            argument: 0,
            outcome: described.get_item(7)?.extract()?,
            host,
            origin: if host == 0 { Kept::default() } else { Kept::new(origin) },
            exception: Kept::default(),
            code: ErrorCode::Python as u32,
            type_name: described.get_item(0)?.extract()?,
            message: described.get_item(1)?.extract()?,
            traceback: described.get_item(2)?.extract()?,
            bases: described.get_item(3)?.extract()?,
            frames: described.get_item(4)?.extract()?,
            notes: described.get_item(5)?.extract()?,
            cause: if cause.is_none() {
                None
            } else {
                Some(Box::new(Report::from_description(&cause)?))
            },
        })
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The same failure under another code and with a message of its own.
    pub(crate) fn explained(self: Box<Self>, code: ErrorCode, message: String) -> Box<Self> {
        Box::new(Report {
            cause: Some(self),
            ..Report::new(code, message)
        })
    }

    /// Says in which part of a result it was, from the outside in.
    pub(crate) fn of_part(&mut self, name: &str) {
        let joint = if self.message.starts_with('[') { "" } else { ": " };
        self.message = format!("[{name:?}]{joint}{}", self.message);
    }

    /// Says which argument of a call the failure is about.
    pub(crate) fn of_argument(&mut self, number: usize) {
        self.argument = u32::try_from(number).unwrap_or(0);
    }

    /// Makes the error that the host owns.
    pub(crate) fn into_raw(self: Box<Self>) -> *mut Error {
        let mut report = self;
        let cause = report.cause.take().map_or(null_mut(), Report::into_raw);
        let bases: Vec<Text> = report.bases.iter().map(|base| text(base)).collect();
        let notes: Vec<Text> = report.notes.iter().map(|note| text(note)).collect();
        let frames: Vec<Frame> = report
            .frames
            .iter()
            .map(|(file, function, line)| Frame {
                file: text(file),
                function: text(function),
                line: *line,
            })
            .collect();
        let list = |len: usize, first: *const Text| if len == 0 { null() } else { first };
        let view = Error {
            code: report.code,
            bases_len: count(&bases),
            frames_len: count(&frames),
            notes_len: count(&notes),
            argument: report.argument,
            type_name: text(&report.type_name),
            message: text(&report.message),
            traceback: text(&report.traceback),
            bases: list(bases.len(), bases.as_ptr()),
            frames: if frames.is_empty() { null() } else { frames.as_ptr() },
            notes: list(notes.len(), notes.as_ptr()),
            cause,
            outcome: report.outcome,
            host: report.host,
            exception: report.exception.give(),
        };
        Box::into_raw(Box::new(Owned {
            view,
            report,
            bases,
            frames,
            notes,
        }))
        .cast()
    }
}

/// How many characters of a message are kept when the helper is not there to bound it.
const MAX_FALLBACK: usize = 4096;

/// The name of a class as tracebacks print it.
pub(crate) fn type_name(class: &Bound<'_, PyType>) -> String {
    let name = full_name(class);
    name.strip_prefix("builtins.").map(str::to_owned).unwrap_or(name)
}

/// The names of a class and its base classes, or of the class alone if it does not tell them.
fn bases(class: &Bound<'_, PyType>) -> Vec<String> {
    let order = class
        .getattr("__mro__")
        .and_then(|order| Ok(order.cast_into::<PyTuple>()?));
    match order {
        Ok(order) => order
            .iter()
            .filter_map(|base| Some(full_name(base.cast::<PyType>().ok()?)))
            .collect(),
        Err(_) => vec![full_name(class)],
    }
}

/// The name of a class with its module.
fn full_name(class: &Bound<'_, PyType>) -> String {
    let readable = |name: PyResult<Bound<'_, PyString>>| name.map(|name| name.to_string_lossy().into_owned());
    let name = readable(class.qualname()).unwrap_or_else(|_| "<class without a name>".to_owned());
    match readable(class.module()) {
        Ok(module) => format!("{module}.{name}"),
        Err(_) => name,
    }
}
