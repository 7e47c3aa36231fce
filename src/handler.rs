//! The handlers of signals: those of the host, and those that libraries install at run time in their place.
//!
//! A handler without `SA_ONSTACK` runs on the stack on which the signal finds its thread. With a host in Go that is a
//! goroutine's, which has no room: memory of the host is overwritten. So a library's handler gets the flag, and where a
//! library drops a handler of the host's, that is put back.
//!
//! A host that interposes `sigaction` hands each change to `snake_signal_action`, which decides before it is made. What goes
//! past that (C code that asks the kernel itself, libc's own functions, and everything if the host does not interpose) is
//! found by looking, which the clock does at each tick.
//!
//! Whether a fault is the host's is told by where it happened. So a library may have handlers of faults, as a JVM has, and a nil
//! dereference in Go is a panic nevertheless.
#![expect(
    unsafe_code,
    reason = "asks the kernel for the handlers, installs them, and handles signals"
)]

use std::cell::UnsafeCell;
use std::ffi::{CStr, c_int, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};

use crate::process;

/// What the kernel knows of a signal: handler, flags, restorer, mask. Not the struct of libc, whose functions would
/// put a restorer of their own in the place of the host's.
type Action = [usize; 4];

const HANDLER: usize = 0;
const FLAGS: usize = 1;
const MASK: usize = 3;
const SIGNALS: usize = 64;

/// The signals of faults, which a thread brings about itself.
const FAULTS: [c_int; 6] = [
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGSEGV,
    libc::SIGSYS,
];

unsafe extern "C" {
    /// libc's `sigaction` by its other name, which no host interposes.
    fn __sigaction(number: c_int, action: *const libc::sigaction, previous: *mut libc::sigaction) -> c_int;
}

/// Changes how a signal is handled, as `sigaction` of libc does, but so that it stays the host's: a handler of a library gets
/// `SA_ONSTACK`, and if a library would ignore a signal or wants the default for it, the host's handler stays, or is put back.
/// While an extension module is imported, nothing changes. `caller` is the address that the call of `sigaction` returns to: changes
/// by the host's executable are made as they are.
///
/// For a host that defines `sigaction`, `signal` and their like in its executable, so that libraries are bound to its own. Any
/// thread, at any time, also before `snake_interpreter_start`, in a handler of a signal, and after a fork; never attaches. It returns
/// 0, or sets `errno` and returns -1.
///
/// # Safety
///
/// `action` and `previous` must be NULL or point to a `struct sigaction`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn snake_signal_action(
    number: i32,
    action: *const c_void,
    previous: *mut c_void,
    caller: *const c_void,
) -> i32 {
    // Not through the boundary: this may run in a handler, where nothing may be allocated. Nothing here panics.
    // SAFETY: the caller's promise.
    unsafe { change(number, action.cast(), previous.cast(), caller.addr()) }
}

/// How often a handler of a library was given `SA_ONSTACK`, or one of the host's put back.
pub(crate) static MENDED: AtomicU64 = AtomicU64::new(0);

/// What is known of a signal.
#[derive(Clone, Copy)]
struct State {
    /// What the host wants.
    host: Action,
    /// What a library wants in place of that.
    library: Option<Action>,
    /// What the kernel was told.
    installed: Action,
}

/// What happened to a signal that should be told: once for each address.
#[derive(Clone, Copy)]
struct Note {
    number: c_int,
    /// Of the handler, or of the code that has dropped the host's.
    address: usize,
    event: Event,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Event {
    Taken,
    /// Without `SA_ONSTACK`.
    TakenUnfit,
    Dropped,
}

/// More than one program ever has; what comes then is mended, and not told.
const NOTES: usize = 128;

struct Table {
    states: [State; SIGNALS],
    notes: [Option<Note>; NOTES],
    /// How many of these were told.
    told: usize,
}

impl Table {
    fn note(&mut self, note: Note) {
        let is_same = |other: Note| {
            let were_dropped = (other.event == Event::Dropped, note.event == Event::Dropped);
            (other.number, other.address) == (note.number, note.address) && were_dropped.0 == were_dropped.1
        };
        if let Some(place) = self.notes.iter_mut().find(|place| place.is_none_or(is_same))
            && place.is_none()
        {
            *place = Some(note);
            NEWS.store(true, Ordering::Relaxed);
        }
    }
}

/// Whether there are notes that were not told.
static NEWS: AtomicBool = AtomicBool::new(false);

/// The table, for one thread at a time. It may be used in handlers of signals, since none comes while it is.
struct Locked {
    taken: AtomicBool,
    table: UnsafeCell<Table>,
}

// SAFETY: the table is used by the thread that has taken it.
unsafe impl Sync for Locked {}

static TABLE: Locked = Locked {
    taken: AtomicBool::new(false),
    table: UnsafeCell::new(Table {
        states: [State {
            host: [0; 4],
            library: None,
            installed: [0; 4],
        }; SIGNALS],
        notes: [None; NOTES],
        told: 0,
    }),
};

impl Locked {
    fn with<R>(&self, body: impl FnOnce(&mut Table) -> R) -> R {
        let before = change_mask(libc::SIG_SETMASK, usize::MAX);
        while self
            .taken
            .compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            std::thread::yield_now();
        }
        // SAFETY: this thread has taken it just now, and no handler interrupts it.
        let result = body(unsafe { &mut *self.table.get() });
        self.taken.store(false, Ordering::Release);
        change_mask(libc::SIG_SETMASK, before);
        result
    }
}

/// Changes the mask of this thread, and returns what it was. The kernel's: libc's leaves out signals of its own.
fn change_mask(how: c_int, mask: usize) -> usize {
    let mut before = 0_usize;
    // SAFETY: the kernel reads one word and writes another.
    unsafe { libc::syscall(libc::SYS_rt_sigprocmask, how, &raw const mask, &raw mut before, 8_usize) };
    before
}

fn read(number: c_int) -> Action {
    let mut action = Action::default();
    // SAFETY: the kernel writes four words; a number that it does not know leaves zeros, which is `SIG_DFL`.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, number, 0_usize, &raw mut action, 8_usize) };
    action
}

/// May be called after a fork.
fn write(number: c_int, action: Action) {
    // SAFETY: the kernel reads four words: what it gave before, or zeros with a handler that is none.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, number, &raw const action, 0_usize, 8_usize) };
}

fn is_function(handler: usize) -> bool {
    handler != libc::SIG_DFL && handler != libc::SIG_IGN
}

/// The process of the host; 0 before the start.
static PROCESS: AtomicI32 = AtomicI32::new(0);

/// Where the objects of the host lie: its executable and, say, the library of a sanitizer.
static HOST: OnceLock<Vec<(usize, usize)>> = OnceLock::new();

/// Whether the host hands its own changes and those of libraries to `snake_signal_action`.
static INTERPOSED: AtomicBool = AtomicBool::new(false);

fn is_host(address: usize) -> bool {
    let objects = HOST.get().map_or(&[][..], Vec::as_slice);
    objects.iter().any(|&(begin, end)| (begin..end).contains(&address))
}

/// Notes which objects have handlers before CPython starts: these are the host's.
pub(crate) fn note_host() {
    if HOST.get().is_some() {
        return;
    }
    let objects = objects();
    TABLE.with(|table| {
        // SAFETY: reads a number.
        let executable = unsafe { libc::getauxval(libc::AT_PHDR) } as usize;
        let mut addresses = vec![executable];
        for (number, state) in (1..).zip(&mut table.states) {
            state.host = read(number);
            state.installed = state.host;
            if is_function(state.host[HANDLER]) {
                addresses.push(state.host[HANDLER]);
            }
        }
        let is_hosts = |&(begin, end): &(usize, usize)| addresses.iter().any(|address| (begin..end).contains(address));
        let _ = HOST.set(objects.into_iter().filter(is_hosts).collect());
        PROCESS.store(process_id(), Ordering::Relaxed);
    });
    // As a library does it: `change` notes whether the host is asked.
    // SAFETY: without an action, it is only read, into room for it.
    unsafe {
        let mut action = std::mem::zeroed();
        libc::sigaction(libc::SIGCHLD, std::ptr::null(), &raw mut action);
    }
}

/// Where the loaded objects begin and end.
fn objects() -> Vec<(usize, usize)> {
    unsafe extern "C" fn add(info: *mut libc::dl_phdr_info, _: usize, found: *mut c_void) -> c_int {
        // SAFETY: the loader's description of an object, and the list below, which nobody else uses meanwhile.
        let (info, found) = unsafe { (&*info, &mut *found.cast::<Vec<(usize, usize)>>()) };
        // SAFETY: so many headers does the object have.
        let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
        let parts = headers.iter().filter(|header| header.p_type == libc::PT_LOAD);
        let base = info.dlpi_addr as usize;
        let ends = parts.map(|part| {
            let begin = base.wrapping_add(part.p_vaddr as usize);
            (begin, begin.wrapping_add(part.p_memsz as usize))
        });
        found.extend(ends.reduce(|all, part| (all.0.min(part.0), all.1.max(part.1))));
        0
    }
    let mut found = Vec::new();
    // SAFETY: the function is as the loader wants it, and the list lives longer than the call.
    unsafe { libc::dl_iterate_phdr(Some(add), (&raw mut found).cast()) };
    found
}

/// Whether this is the host's process and no fork of it, be it one that shares its memory.
fn is_hosts_process() -> bool {
    let host = PROCESS.load(Ordering::Relaxed);
    !process::is_fork() && (host == 0 || host == process_id())
}

fn process_id() -> c_int {
    // SAFETY: returns a number.
    unsafe { libc::getpid() }
}

/// # Safety
///
/// As for `snake_signal_action`.
unsafe fn change(
    number: c_int,
    action: *const libc::sigaction,
    previous: *mut libc::sigaction,
    caller: usize,
) -> c_int {
    let is_ours = usize::try_from(number).is_ok_and(|number| (1..=SIGNALS).contains(&number))
        && number != libc::SIGKILL
        && number != libc::SIGSTOP;
    if !is_ours || !is_hosts_process() {
        // SAFETY: the caller's promise.
        return unsafe { __sigaction(number, action, previous) };
    }
    // SAFETY: the caller's promise; before the table is taken, since an address that is none ends the process.
    let wanted = (!action.is_null()).then(|| unsafe { *action });
    let outcome = TABLE.with(|table| {
        if HOST.get().is_none() {
            // SAFETY: a struct of this function, and one that is filled.
            return unsafe {
                let mut before = std::mem::zeroed();
                let status = __sigaction(number, pointer(wanted.as_ref()), &raw mut before);
                (status == 0).then_some(before)
            };
        }
        INTERPOSED.store(true, Ordering::Relaxed);
        look_at(table, number, Unseen::Mend);
        // SAFETY: without an action, it is only read, into room for it.
        let mut before: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: likewise.
        if unsafe { __sigaction(number, std::ptr::null(), &raw mut before) } != 0 {
            return None; // a signal that libc needs itself
        }
        if let Some(library) = state(table, number).library {
            // As if its action were in place as it is.
            before.sa_sigaction = library[HANDLER];
            before.sa_flags = flags(library)
                | if is_function(library[HANDLER]) {
                    libc::SA_ONSTACK
                } else {
                    0
                };
            set_mask(&mut before, library[MASK]);
        }
        let status = match wanted {
            None => 0,
            Some(wanted) if is_host(caller) => {
                // SAFETY: a struct of this function's.
                let status = unsafe { __sigaction(number, &raw const wanted, std::ptr::null_mut()) };
                if status == 0 {
                    let state = state(table, number);
                    *state = State {
                        host: read(number),
                        library: None,
                        installed: read(number),
                    };
                }
                status
            }
            Some(_) if IMPORTING.contains() => 0,
            Some(wanted) => replace(table, number, wanted, caller),
        };
        (status == 0).then_some(before)
    });
    let Some(before) = outcome else { return -1 };
    if !previous.is_null() {
        // SAFETY: the caller's promise.
        unsafe { *previous = before };
    }
    0
}

fn pointer<T>(of: Option<&T>) -> *const T {
    of.map_or(std::ptr::null(), std::ptr::from_ref)
}

/// The state of a signal that there is.
fn state(table: &mut Table, number: c_int) -> &mut State {
    &mut table.states[number as usize - 1]
}

/// A library wants another action.
fn replace(table: &mut Table, number: c_int, wanted: libc::sigaction, caller: usize) -> c_int {
    let handler = wanted.sa_sigaction;
    let state = state(table, number);
    if is_host(handler) {
        put_back(state, number); // the library has seen it before it took the signal
        return 0;
    }
    let library = [handler, wanted.sa_flags as u32 as usize, 0, mask(&wanted)];
    if is_function(handler) {
        return install(table, number, library);
    }
    if state.host[HANDLER] == libc::SIG_DFL || state.host[HANDLER] == handler {
        // SAFETY: a struct of the caller's.
        let status = unsafe { __sigaction(number, &raw const wanted, std::ptr::null_mut()) };
        state.library = None;
        state.installed = read(number);
        return status;
    }
    drop_host(table, number, library, caller);
    0
}

/// A library has dropped the host's handler or its own, or would do so.
fn drop_host(table: &mut Table, number: c_int, library: Action, caller: usize) {
    MENDED.fetch_add(1, Ordering::Relaxed);
    if state(table, number).library.is_none() && caller != 0 {
        table.note(Note {
            number,
            address: caller,
            event: Event::Dropped,
        });
    }
    if number == libc::SIGPIPE && library[HANDLER] == libc::SIG_IGN {
        // The host would end the process if it came on one of the library's threads: see `handle`.
        install(table, number, library);
    } else {
        put_back(state(table, number), number);
    }
}

/// Puts the host's action back.
fn put_back(state: &mut State, number: c_int) {
    state.library = None;
    write(number, state.host);
    state.installed = read(number);
}

/// Installs an action of a library's, so that it does no harm.
fn install(table: &mut Table, number: c_int, library: Action) -> c_int {
    let state = state(table, number);
    // SAFETY: zeros are valid for it.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = library[HANDLER];
    action.sa_flags = flags(library) | libc::SA_ONSTACK;
    set_mask(&mut action, library[MASK]);
    if number == libc::SIGCHLD {
        action.sa_flags &= !libc::SA_NOCLDWAIT; // the host could not wait for its children
    }
    let host = state.host[HANDLER];
    if is_function(host) && (FAULTS.contains(&number) || number == libc::SIGPIPE && library[HANDLER] == libc::SIG_IGN) {
        let shared = &SHARED[number as usize - 1];
        shared.host.store(host, Ordering::Relaxed);
        shared.host_mask.store(state.host[MASK], Ordering::Relaxed);
        shared.library.store(library[HANDLER], Ordering::Release);
        shared
            .once
            .store(action.sa_flags & libc::SA_RESETHAND != 0, Ordering::Relaxed);
        action.sa_sigaction = handle as *const () as usize;
        action.sa_flags = (action.sa_flags | libc::SA_SIGINFO) & !libc::SA_RESETHAND;
    }
    // SAFETY: a struct of this function's.
    let status = unsafe { __sigaction(number, &raw const action, std::ptr::null_mut()) };
    if status != 0 {
        return status;
    }
    state.library = Some(library);
    state.installed = read(number);
    if is_function(library[HANDLER]) {
        let fit = flags(library) & libc::SA_ONSTACK != 0;
        if !fit {
            MENDED.fetch_add(1, Ordering::Relaxed);
        }
        table.note(Note {
            number,
            address: library[HANDLER],
            event: if fit { Event::Taken } else { Event::TakenUnfit },
        });
    }
    0
}

fn flags(action: Action) -> c_int {
    // The kernel knows of a restorer by a flag, of which libc's callers know nothing.
    const SA_RESTORER: c_int = 0x0400_0000;
    action[FLAGS] as c_int & !SA_RESTORER
}

/// The first word of the mask, which is all of it that the kernel knows.
fn mask(action: &libc::sigaction) -> usize {
    // SAFETY: the mask is larger than a word, and aligned like one.
    unsafe { (&raw const action.sa_mask).cast::<usize>().read() }
}

fn set_mask(action: &mut libc::sigaction, mask: usize) {
    // SAFETY: as above.
    unsafe { (&raw mut action.sa_mask).cast::<usize>().write(mask) };
}

/// What `handle` has to know of a signal, which it reads while others write.
struct Shared {
    host: AtomicUsize,
    host_mask: AtomicUsize,
    library: AtomicUsize,
    once: AtomicBool,
}

static SHARED: [Shared; SIGNALS] = [const {
    Shared {
        host: AtomicUsize::new(0),
        host_mask: AtomicUsize::new(0),
        library: AtomicUsize::new(0),
        once: AtomicBool::new(false),
    }
}; SIGNALS];

/// Handles a fault that both the host and a library handle: who has brought it about gets it. Of SIGPIPE, which a library ignores,
/// the host gets what comes on its own threads: on others, Go would end the process.
extern "C" fn handle(number: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
    let shared = &SHARED[number as usize - 1];
    // SAFETY: the kernel gives both to a handler with SA_SIGINFO.
    let (code, interrupted) = unsafe { ((*info).si_code, &*context.cast::<libc::ucontext_t>()) };
    let is_hosts = if number == libc::SIGPIPE {
        // Go's threads have one, since its handlers need it.
        interrupted.uc_stack.ss_flags & libc::SS_DISABLE == 0
    } else {
        code > 0 && is_host(program_counter(interrupted))
    };
    let handler = if is_hosts {
        // As the host wants it: what interrupts its handler would find it on its stack for signals. Returning restores the mask.
        change_mask(libc::SIG_BLOCK, shared.host_mask.load(Ordering::Relaxed));
        shared.host.load(Ordering::Relaxed)
    } else {
        let handler = shared.library.load(Ordering::Acquire);
        if shared.once.swap(false, Ordering::Relaxed) {
            TABLE.with(|table| put_back(state(table, number), number));
        }
        handler
    };
    if is_function(handler) {
        // SAFETY: a handler that was installed for this signal. One without SA_SIGINFO does not look at what else it is given.
        let handler = unsafe { std::mem::transmute::<*const (), Handler>(std::ptr::with_exposed_provenance(handler)) };
        handler(number, info, context);
    }
}

fn program_counter(interrupted: &libc::ucontext_t) -> usize {
    #[cfg(target_arch = "x86_64")]
    return interrupted.uc_mcontext.gregs[libc::REG_RIP as usize] as usize;
    #[cfg(target_arch = "aarch64")]
    return interrupted.uc_mcontext.pc as usize;
}

/// What to do with a handler that a library has installed unseen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unseen {
    Mend,
    Undo,
}

/// Looks whether a signal is handled as it should be.
fn look_at(table: &mut Table, number: c_int, unseen: Unseen) {
    let now = read(number);
    let interposed = INTERPOSED.load(Ordering::Relaxed);
    let state = state(table, number);
    if now == state.installed {
        return;
    }
    let is_own = now[HANDLER] == handle as *const () as usize;
    if is_own || is_host(now[HANDLER]) {
        if interposed || is_own || unseen == Unseen::Undo && now[HANDLER] == state.host[HANDLER] {
            MENDED.fetch_add(1, Ordering::Relaxed);
            put_back(state, number);
        } else {
            *state = State {
                host: now,
                library: None,
                installed: now,
            };
        }
    } else if is_function(now[HANDLER]) {
        if unseen == Unseen::Undo {
            write(number, state.installed);
        } else {
            install(table, number, now);
        }
    } else if interposed || state.library.is_some() {
        if state.host[HANDLER] == libc::SIG_DFL {
            state.library = None;
            state.installed = now;
        } else {
            drop_host(table, number, now, 0);
        }
    } else {
        // It may be the host that has changed it.
        *state = State {
            host: now,
            library: None,
            installed: now,
        };
    }
}

fn look_at_all(unseen: Unseen) {
    if HOST.get().is_some() && is_hosts_process() {
        TABLE.with(|table| {
            for number in 1..=SIGNALS as c_int {
                look_at(table, number, unseen);
            }
        });
    }
}

/// Mends what was changed unseen. It tells whether there is something to tell.
pub(crate) fn look() -> bool {
    look_at_all(Unseen::Mend);
    NEWS.load(Ordering::Relaxed)
}

/// The threads on which changes by libraries are not made.
static IMPORTING: Importing = Importing([const { AtomicI32::new(0) }; 64]);

struct Importing([AtomicI32; 64]);

impl Importing {
    fn contains(&self) -> bool {
        let thread = thread_id();
        self.0.iter().any(|place| place.load(Ordering::Relaxed) == thread)
    }
}

fn thread_id() -> c_int {
    // SAFETY: returns a number.
    unsafe { libc::gettid() }
}

/// While this lives, libraries change no handler on this thread; what they change unseen is undone afterwards.
pub(crate) struct Unchanged(Option<&'static AtomicI32>);

impl Unchanged {
    pub(crate) fn new() -> Self {
        // Within another one, what is changed already is to be undone.
        if !IMPORTING.contains() {
            look_at_all(Unseen::Mend);
        }
        let thread = thread_id();
        let free = IMPORTING.0.iter().find(|place| {
            place
                .compare_exchange(0, thread, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        });
        Unchanged(free)
    }
}

impl Drop for Unchanged {
    fn drop(&mut self) {
        if let Some(place) = self.0 {
            place.store(0, Ordering::Relaxed);
        }
        look_at_all(Unseen::Undo);
    }
}

/// The file of the object that has an address.
fn object_of(address: usize) -> String {
    // SAFETY: zeros are valid for its pointers; any address may be asked for; the name is a string of the loader's.
    unsafe {
        let mut info: libc::Dl_info = std::mem::zeroed();
        if libc::dladdr(std::ptr::without_provenance::<c_void>(address), &raw mut info) == 0 {
            return "made at run time".to_owned();
        }
        CStr::from_ptr(info.dli_fname).to_string_lossy().into_owned()
    }
}

/// The signals that a library handles, or ignores, in place of the host; and the file where its handler is, "" if it ignores it.
/// The last value tells whether its handler lacked `SA_ONSTACK`.
pub(crate) fn find_taken() -> Vec<(c_int, String, bool)> {
    look();
    let states = TABLE.with(|table| table.states);
    let libraries = (1..)
        .zip(states)
        .filter_map(|(number, state)| Some((number, state.library?)));
    libraries
        .map(|(number, library)| {
            if is_function(library[HANDLER]) {
                let unfit = flags(library) & libc::SA_ONSTACK == 0;
                (number, object_of(library[HANDLER]), unfit)
            } else {
                (number, String::new(), false)
            }
        })
        .collect()
}

/// What happened to which signal, and the file of the library that did it: "taken", "unfit" (taken without `SA_ONSTACK`) or
/// "dropped". All that ever happened, or only what this was not asked for before.
pub(crate) fn notes(all: bool) -> Vec<(&'static str, c_int, String)> {
    let (notes, told) = TABLE.with(|table| {
        let told = table.told;
        if !all {
            table.told = table.notes.iter().flatten().count();
            NEWS.store(false, Ordering::Relaxed);
        }
        (table.notes, told)
    });
    let chosen = notes.into_iter().flatten().skip(if all { 0 } else { told });
    chosen
        .map(|note| {
            let event = match note.event {
                Event::Taken => "taken",
                Event::TakenUnfit => "unfit",
                Event::Dropped => "dropped",
            };
            (event, note.number, object_of(note.address))
        })
        .collect()
}

/// Takes the host's handlers away from a forked process, as starting a program does: nothing of the host runs there
/// that they could wake. May be called after a fork.
pub(crate) fn leave_host() {
    for number in 1..=SIGNALS as c_int {
        if is_function(read(number)[HANDLER]) {
            write(number, Action::default());
        }
    }
}
