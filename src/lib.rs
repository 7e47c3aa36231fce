//! The core of gophersnake: a C library that starts CPython once in the process of a host program, calls
//! Python functions, lends host memory to NumPy and hands results back.
//!
//! Every module is a section of `include/gophersnake.h`, in the same order:
//!
//! | module | owns |
//! |---|---|
//! | `boundary` | what every exported function goes through: panics caught, errors written out |
//! | `error` | errors as data: what failed, described while attached, then independent of Python |
//! | `interpreter` | starting CPython once, isolated, and shutting it down |
//! | `configuration` | how CPython is told to start, which depends on its version |
//! | `package` | the part that is written in Python, which the library carries |
//! | `builtin` | built-in functions of CPython that do something else in the host |
//! | `handler` | the handlers of signals: the host's, and what libraries do to them |
//! | `signal` | signals, which are the host's |
//! | `process` | forks of the host's process, which never return to it |
//! | `stack` | recursion bounded by what the stacks of threads carry |
//! | `float_mode` | floating point modes of the host and of Python, kept apart |
//! | `context` | the program's context variables, of which each call has a copy |
//! | `thread_state` | one Python thread state per OS thread; attach and detach |
//! | `value` | flat descriptions of values, in both directions |
//! | `argument` | Python objects from the host's descriptions |
//! | `tree` | descriptions of results that are more than one value |
//! | `array` | dtypes, arrays that come back, and those that the host borrows |
//! | `lend` | lending host memory as arrays |
//! | `lease` | lent memory that Python kept, and the news that it let go |
//! | `object` | references that the host owns, and their release from any thread |
//! | `interrupt` | interrupting calls that run |
//! | `activity` | what calls are doing, for those who look from other threads |
//! | `function` | resolving a callable, and calling it |
//! | `callback` | functions and values of the host's that Python holds, and calls |
//! | `output` | what Python prints: `sys.stdout` and `sys.stderr`, and the queues that hand it to the host |
//! | `threads` | where the threads of Python are |
//!
//! Rules for the whole crate: exported functions do nothing but check arguments and enter `boundary`; they never call
//! one another. The core holds no lock of its own while it attaches. Only `Bound` references and raw pointers are
//! dropped on the path of a call; a `Py` is dropped only inside `Python::attach`, because PyO3 defers its release
//! otherwise.

mod boundary;
mod error;
mod interpreter;
mod configuration;
mod package;
mod builtin;
mod handler;
mod signal;
mod process;
mod stack;
mod float_mode;
mod context;
mod thread_state;
mod value;
mod argument;
mod tree;
mod array;
mod lend;
mod lease;
mod object;
mod interrupt;
mod activity;
mod pending;
mod function;
mod callback;
mod output;
mod threads;

pub use activity::*;
pub use array::*;
pub use boundary::*;
pub use callback::*;
pub use error::*;
pub use function::*;
pub use handler::*;
pub use interpreter::*;
pub use interrupt::*;
pub use lease::*;
pub use object::*;
pub use output::*;
pub use threads::*;
pub use tree::*;
pub use value::*;
