//! What a call is doing, for those who look from other threads: counters, and since when it does it.
//!
//! Reading a clock takes 20 to 50 ns, which a call of 180 cannot spend. So a thread looks at the clock every few
//! milliseconds while calls are made, and calls take the time from there: a load. What is shorter than a tick is measured as
//! a profiler does it, by the ticks that happen to fall into it; sums are right, and single times to a tick.
#![expect(unsafe_code, reason = "shares memory with the host and other threads")]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::thread::Thread;
use std::time::Duration;

use crate::{pending, signal};

/// What a call is doing.
#[repr(u64)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// There is no call.
    None = 0,
    /// It waits for the GIL.
    Attaching = 1,
    /// Python runs it, or C code that Python called. The host may end the references that it gave the call: from before
    /// another thread can attach, the call has its own.
    Running = 2,
    /// It waits for a function of the host's.
    Callback = 3,
}

/// What the calls that use it do, one at a time, and what they did. It is the host's, which sets all to 0 once; the library
/// does the rest. It stays valid for ever. Any thread may read it at any time, each field atomically.
///
/// Times are in nanoseconds, measured by a clock that ticks every 10 ms: see `snake_stats.now`.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Activity {
    /// How many calls there were, the one under way included; those of a batch count each.
    pub calls: u64,
    /// How many functions of the host's were called.
    pub callbacks: u64,
    /// How long calls have waited for the GIL.
    pub attaching_time: u64,
    /// How long they were attached, C code that lets go of the GIL included.
    pub running_time: u64,
    /// How long they waited for functions of the host's.
    pub callback_time: u64,
    /// What the call under way is doing: a `SNAKE_PHASE_*` value.
    pub phase: u64,
    /// Since when.
    pub since: u64,
    /// When the call began.
    pub began: u64,
    /// The thread of the call, as Python's `threading.get_ident` names it.
    pub thread: u64,
}

/// An activity that the thread of its call writes to; all others read. So a count needs no atomic addition.
#[derive(Clone, Copy)]
pub(crate) struct Writer(*const Activity);

/// A field of a writer's activity, which is there.
macro_rules! field {
    ($writer:expr, $name:ident) => {{
        // SAFETY: the pointer is not NULL, as all who use this check; a field of the host's struct, which stays valid for
        // ever by its contract and is used atomically by all.
        unsafe { AtomicU64::from_ptr((&raw const (*$writer.0).$name).cast_mut()) }
    }};
}

impl Writer {
    pub(crate) const NONE: Writer = Writer(std::ptr::null());

    /// Ends the phase, whose time goes to `time`, and begins another.
    #[inline(always)]
    fn turn(self, phase: Phase, time: &AtomicU64) {
        let now = now();
        let since = field!(self, since);
        let before = since.load(Ordering::Relaxed);
        if now != before {
            add(time, now.wrapping_sub(before));
            since.store(now, Ordering::Relaxed);
        }
        field!(self, phase).store(phase as u64, Ordering::Relaxed);
    }

    /// A call begins, which is one more than there were.
    #[inline]
    pub(crate) fn count_call(self) {
        if !self.0.is_null() {
            add(field!(self, calls), 1);
        }
    }

    /// The call waits for a function of the host's from now on.
    pub(crate) fn enter_callback(self) {
        if self.0.is_null() {
            FOREIGN_CALLBACKS.fetch_add(1, Ordering::Relaxed);
            return;
        }
        add(field!(self, callbacks), 1);
        self.turn(Phase::Callback, field!(self, running_time));
    }

    /// The function has returned: the call waits for the GIL.
    pub(crate) fn leave_callback(self) {
        if !self.0.is_null() {
            self.turn(Phase::Attaching, field!(self, callback_time));
        }
    }

    /// The call has the GIL.
    #[inline]
    pub(crate) fn go_on(self) {
        if !self.0.is_null() {
            self.turn(Phase::Running, field!(self, attaching_time));
        }
    }
}

/// Adds to what only this thread writes to.
#[inline]
fn add(sum: &AtomicU64, amount: u64) {
    sum.store(sum.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
}

/// How often Python has called functions of the host's on threads that are in no call.
pub(crate) static FOREIGN_CALLBACKS: AtomicU64 = AtomicU64::new(0);

/// A call is under way while this lives.
pub(crate) struct UnderWay(Writer);

/// A call begins: it waits for the GIL.
///
/// # Safety
///
/// `activity` must be NULL or the host's, as its contract says, and used by no other call meanwhile.
#[inline]
pub(crate) unsafe fn begin(activity: *const Activity) -> UnderWay {
    let writer = Writer(activity);
    if !activity.is_null() {
        let now = now();
        field!(writer, since).store(now, Ordering::Relaxed);
        field!(writer, began).store(now, Ordering::Relaxed);
        field!(writer, phase).store(Phase::Attaching as u64, Ordering::Relaxed);
    }
    UnderWay(writer)
}

impl UnderWay {
    /// The calling thread was attached just now.
    #[inline]
    pub(crate) fn attached(&self, thread: u64) -> Writer {
        if !self.0.0.is_null() {
            field!(self.0, thread).store(thread, Ordering::Relaxed);
            self.0.go_on();
        }
        self.0
    }
}

impl Drop for UnderWay {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.0.0.is_null() {
            self.0.turn(Phase::None, field!(self.0, running_time));
        }
    }
}

/// How often the clock ticks while calls are made.
const TICK: Duration = Duration::from_millis(10);
/// After so many ticks without a call, it sleeps.
const IDLE_TICKS: u32 = 100;

/// When the clock ticked last.
static CLOCK: AtomicU64 = AtomicU64::new(0);
static STATE: AtomicU8 = AtomicU8::new(ASLEEP);
/// The clock does not tick: who wants to know the time looks himself, and wakes it.
const ASLEEP: u8 = 0;
/// It ticks, and nobody has wanted to know the time since it did so last.
const UNUSED: u8 = 1;
/// It ticks.
const USED: u8 = 2;

/// The time, to a tick.
#[inline]
pub(crate) fn now() -> u64 {
    if STATE.load(Ordering::Relaxed) == USED {
        CLOCK.load(Ordering::Relaxed)
    } else {
        touch()
    }
}

/// Lets the clock look after what waits for Python's main thread, be it that no call is ever made.
pub(crate) fn start() {
    touch();
}

#[cold]
fn touch() -> u64 {
    if STATE.swap(USED, Ordering::Relaxed) == ASLEEP {
        static TICKER: OnceLock<Option<Thread>> = OnceLock::new();
        CLOCK.fetch_max(exact(), Ordering::Relaxed);
        let ticker = TICKER.get_or_init(|| {
            let thread = std::thread::Builder::new()
                .name("gophersnake-clock".to_owned())
                .stack_size(64 << 10);
            thread.spawn(tick).ok().map(|handle| handle.thread().clone())
        });
        match ticker {
            Some(ticker) => ticker.unpark(),
            None => STATE.store(ASLEEP, Ordering::Relaxed), // out of threads: everybody looks himself
        }
    }
    CLOCK.load(Ordering::Relaxed)
}

fn tick() {
    signal::set_sigpipe_blocked(true); // as on all threads that are not the host's
    let mut idle = 0;
    let mut ticks = 0_u32;
    loop {
        std::thread::sleep(TICK);
        ticks = ticks.wrapping_add(1);
        pending::look(ticks);
        CLOCK.fetch_max(exact(), Ordering::Relaxed);
        signal::look();
        if STATE
            .compare_exchange(USED, UNUSED, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
        {
            idle = 0;
            continue;
        }
        idle += 1;
        if idle >= IDLE_TICKS
            && STATE
                .compare_exchange(UNUSED, ASLEEP, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            while STATE.load(Ordering::Relaxed) == ASLEEP {
                std::thread::park_timeout(pending::IDLE_LOOK);
                pending::look(0);
                signal::look(); // threads of libraries go on
            }
            idle = 0;
        }
    }
}

/// The time itself.
pub(crate) fn exact() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: room for a time; with this clock it cannot fail.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}
