//! How CPython is told to start, which depends on its version.
#![expect(
    unsafe_code,
    reason = "calls functions of libpython that the stable ABI does not have"
)]

use std::ffi::{CStr, c_char, c_int, c_ulong, c_void};
use std::ptr::null_mut;

/// A symbol of what the process has loaded globally.
///
/// # Safety
///
/// `T` must be a pointer type that fits the symbol.
pub(crate) unsafe fn symbol<T: Copy>(name: &CStr) -> Option<T> {
    const { assert!(size_of::<T>() == size_of::<*mut c_void>()) };
    // SAFETY: `dlsym` takes any name.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    // SAFETY: `T` has the size of a pointer and fits the symbol by the caller's promise.
    (!address.is_null()).then(|| unsafe { std::mem::transmute_copy(&address) })
}

/// Starts CPython without environment variables, user site-packages, signal handlers or the working directory.
///
/// `Py_InitializeEx` would obey the first two and end the process when it fails.
pub(crate) fn initialize(executable: &str) -> Result<(), String> {
    for variable in [c"PYTHONEXECUTABLE", c"__PYVENV_LAUNCHER__"] {
        // CPython obeys these two in every configuration, and so would the processes that hosted code starts. SAFETY:
        // the names are C strings. Like every change of the environment, this may disturb a thread that reads it
        // through C at this moment; so it is done where there is something to remove only.
        unsafe {
            if !libc::getenv(variable.as_ptr()).is_null() {
                libc::unsetenv(variable.as_ptr());
            }
        }
    }
    set_character_locale();
    // SAFETY: the signature is that of `initconfig.h` from 3.14 on.
    let create: Option<unsafe extern "C" fn() -> *mut c_void> = unsafe { symbol(c"PyInitConfig_Create") };
    match create {
        Some(create) => initialize_by_name(create, executable),
        None => initialize_by_layout(executable),
    }
}

/// Sets the locale of C for characters, where the host has not: to that of the environment if it speaks UTF-8, else to "C.UTF-8".
/// C code needs it for wide characters, and Python for `encoding="locale"`. Nothing else of the locale changes: what C code
/// reads and prints of numbers stays as it is. Isolated, CPython does not do it itself.
fn set_character_locale() {
    // SAFETY: with NULL, it only tells; the string is valid until the next change.
    let is_unset = unsafe {
        let current = libc::setlocale(libc::LC_CTYPE, std::ptr::null());
        !current.is_null() && matches!(CStr::from_ptr(current).to_bytes(), b"C" | b"POSIX")
    };
    if !is_unset {
        return;
    }
    // By a look, since whatever is set must never be replaced: see below. SAFETY: as their manuals say; like the rest of CPython's
    // start, it reads the environment.
    let is_utf8 = unsafe {
        let locale = libc::newlocale(libc::LC_CTYPE_MASK, c"".as_ptr(), null_mut());
        !locale.is_null() && {
            let is_utf8 = CStr::from_ptr(libc::nl_langinfo_l(libc::CODESET, locale)) == c"UTF-8";
            libc::freelocale(locale);
            is_utf8
        }
    };
    let names: &[&CStr] = if is_utf8 { &[c""] } else { &[c"C.UTF-8", c"C.utf8"] };
    for name in names {
        // SAFETY: a string of C. When the new locale is complete, glibc replaces the old one by a pointer. That was "C", which lies
        // in constant data and is never freed: a thread that converts characters at this moment has the old or the new one.
        if !unsafe { libc::setlocale(libc::LC_CTYPE, name.as_ptr()) }.is_null() {
            return;
        }
    }
}

/// CPython 3.14 and later: options have names.
fn initialize_by_name(create: unsafe extern "C" fn() -> *mut c_void, executable: &str) -> Result<(), String> {
    type SetText = unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char) -> c_int;
    type SetInt = unsafe extern "C" fn(*mut c_void, *const c_char, i64) -> c_int;
    type Run = unsafe extern "C" fn(*mut c_void) -> c_int;
    type GetError = unsafe extern "C" fn(*mut c_void, *mut *const c_char) -> c_int;
    type Free = unsafe extern "C" fn(*mut c_void);
    let program = std::ffi::CString::new(executable).map_err(|error| error.to_string())?;
    // SAFETY: the signatures are those of `initconfig.h`.
    let functions = unsafe {
        (
            symbol::<SetText>(c"PyInitConfig_SetStr"),
            symbol::<SetInt>(c"PyInitConfig_SetInt"),
            symbol::<Run>(c"Py_InitializeFromInitConfig"),
            symbol::<GetError>(c"PyInitConfig_GetError"),
            symbol::<Free>(c"PyInitConfig_Free"),
        )
    };
    let (Some(set_text), Some(set_int), Some(run), Some(get_error), Some(free)) = functions else {
        return Err("libpython lacks functions of initconfig.h".to_owned());
    };
    // SAFETY: called as `initconfig.h` says, on a config that `create` made (NULL without memory) and `free` ends; the
    // config of `create` is the isolated one.
    unsafe {
        let config = create();
        if config.is_null() {
            return Err("out of memory".to_owned());
        }
        let failed = set_text(config, c"program_name".as_ptr(), program.as_ptr()) < 0
            || set_int(config, c"utf8_mode".as_ptr(), 1) < 0
            || run(config) < 0;
        let mut message = std::ptr::null();
        let outcome = if failed && get_error(config, &raw mut message) == 1 && !message.is_null() {
            Err(CStr::from_ptr(message).to_string_lossy().into_owned())
        } else if failed {
            Err("CPython gave no reason".to_owned())
        } else {
            Ok(())
        };
        free(config);
        outcome
    }
}

/// How an initialisation of CPython went.
#[repr(C)]
struct Status {
    kind: c_int,
    function: *const c_char,
    message: *const c_char,
    exit_code: c_int,
}

impl Status {
    fn check(self) -> Result<(), String> {
        if self.kind == 0 {
            return Ok(());
        }
        let read = |text: *const c_char| {
            if text.is_null() {
                return None;
            }
            // SAFETY: the texts of a status are static strings of CPython.
            Some(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
        };
        let message = read(self.message).unwrap_or_else(|| format!("it wants to exit with status {}", self.exit_code));
        Err(match read(self.function) {
            Some(function) => format!("{message} (in {function})"),
            None => message,
        })
    }
}

/// Where `PyConfig.program_name` lies, by minor version of CPython: these layouts are frozen. A test compares them with
/// the headers of the installed versions.
const PROGRAM_NAME_OFFSETS: [(u32, usize); 3] = [(11, 264), (12, 272), (13, 280)];
/// Where `PyPreConfig.utf8_mode` lies, in all of them.
const UTF8_MODE_OFFSET: usize = 28;

/// CPython 3.11 to 3.13: options are members of a struct.
fn initialize_by_layout(executable: &str) -> Result<(), String> {
    type InitPreConfig = unsafe extern "C" fn(*mut c_void);
    type Preinitialize = unsafe extern "C" fn(*const c_void) -> Status;
    type InitConfig = unsafe extern "C" fn(*mut c_void);
    type SetBytes = unsafe extern "C" fn(*mut c_void, *mut c_void, *const c_char) -> Status;
    type Initialize = unsafe extern "C" fn(*const c_void) -> Status;
    type ClearConfig = unsafe extern "C" fn(*mut c_void);
    // SAFETY: `Py_Version` is an `unsigned long`.
    let version = unsafe { symbol::<*const c_ulong>(c"Py_Version").map(|version| *version) };
    let minor = version.map(|version| (version >> 16 & 0xff) as u32);
    let Some(&(_, program_name)) = PROGRAM_NAME_OFFSETS.iter().find(|known| Some(known.0) == minor) else {
        return Err("this version of CPython is not known".to_owned());
    };
    // SAFETY: the signatures are those of `initconfig.h`.
    let functions = unsafe {
        (
            symbol::<InitPreConfig>(c"PyPreConfig_InitIsolatedConfig"),
            symbol::<Preinitialize>(c"Py_PreInitialize"),
            symbol::<InitConfig>(c"PyConfig_InitIsolatedConfig"),
            symbol::<SetBytes>(c"PyConfig_SetBytesString"),
            symbol::<Initialize>(c"Py_InitializeFromConfig"),
            symbol::<ClearConfig>(c"PyConfig_Clear"),
        )
    };
    let (Some(init_preconfig), Some(preinitialize), Some(init_config), Some(set_bytes), Some(run), Some(clear)) =
        functions
    else {
        return Err("libpython lacks functions of initconfig.h".to_owned());
    };
    let program = std::ffi::CString::new(executable).map_err(|error| error.to_string())?;
    // Both structs have at most 448 bytes and members of at most 8.
    let mut preconfig = [0_u64; 64];
    let mut config = [0_u64; 128];
    let preconfig = preconfig.as_mut_ptr().cast::<c_void>();
    let config = config.as_mut_ptr().cast::<c_void>();
    // SAFETY: the memory is large enough and aligned for the structs, the offsets are those of their members,
    // and the functions are called in the order that `initconfig.h` demands.
    unsafe {
        init_preconfig(preconfig);
        // Go programs speak UTF-8, whatever the environment says.
        preconfig.byte_add(UTF8_MODE_OFFSET).cast::<c_int>().write(1);
        preinitialize(preconfig).check()?;
        init_config(config);
        let started = set_bytes(config, config.byte_add(program_name), program.as_ptr())
            .check()
            .and_then(|()| run(config).check());
        clear(config);
        started
    }
}
