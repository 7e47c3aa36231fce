//! How the processor computes with floating point numbers, kept apart between the host and Python.
//!
//! Rounding, traps, and whether numbers near zero become zero are registers of each thread. A library built with
//! -ffast-math sets the last when it is loaded (`crtfastmath.o` of GCC), for the thread that imports it: the host's, whose
//! arithmetic would be wrong from then on. So each attach notes the host's modes, and they are set again before the
//! host goes on: when the thread detaches, and while a function of the host's runs. Python's do not outlast a call, but
//! on threads of its own.
#![expect(unsafe_code, reason = "reads and writes control registers of the processor")]

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use std::arch::asm;

/// The modes of a thread: of what computes with `double` and `float`. The x87 unit of x86-64, for `long double` of C, has its
/// own, which nobody sets for speed; to look at them too would cost as much again.
#[derive(Clone, Copy)]
pub(crate) struct FloatMode(Register);

#[cfg(target_arch = "aarch64")]
type Register = u64;
#[cfg(not(target_arch = "aarch64"))]
type Register = u32;

#[cfg(target_arch = "x86_64")]
impl FloatMode {
    /// What the ABI gives a new process.
    pub(crate) const DEFAULT: FloatMode = FloatMode(0x1f80);
    /// The bits that computing sets.
    const FLAGS: u32 = 0x3f;

    /// Those of the calling thread.
    #[inline]
    pub(crate) fn now() -> Self {
        let mut register = 0_u32;
        // SAFETY: stores a register into the variable that it is given, and does nothing else.
        unsafe {
            asm!("stmxcsr [{}]", in(reg) &raw mut register, options(nostack, preserves_flags));
        }
        FloatMode(register)
    }

    #[cold]
    fn set(self) {
        // SAFETY: only what was read, or is that of a new process, is written: reserved bits are as they were. Rust and C
        // compute with these modes, which the host had when it called.
        unsafe {
            asm!("ldmxcsr [{}]", in(reg) &raw const self.0, options(nostack, preserves_flags));
        }
    }
}

#[cfg(target_arch = "aarch64")]
impl FloatMode {
    /// What the ABI gives a new process.
    pub(crate) const DEFAULT: FloatMode = FloatMode(0);
    const FLAGS: u64 = 0;

    /// Those of the calling thread.
    #[inline]
    pub(crate) fn now() -> Self {
        let control: u64;
        // SAFETY: reads a register, which any program may.
        unsafe { asm!("mrs {}, fpcr", out(reg) control, options(nomem, nostack, preserves_flags)) };
        FloatMode(control)
    }

    #[cold]
    fn set(self) {
        // SAFETY: only modes that were read, or are those of a new process, are written.
        unsafe { asm!("msr fpcr, {}", in(reg) self.0, options(nomem, nostack, preserves_flags)) };
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
impl FloatMode {
    pub(crate) const DEFAULT: FloatMode = FloatMode(0);
    const FLAGS: u32 = 0;

    pub(crate) fn now() -> Self {
        FloatMode(0)
    }

    fn set(self) {}
}

impl FloatMode {
    /// Sets these modes if the thread has others: writing costs more than reading.
    #[inline]
    pub(crate) fn restore(self) {
        if (Self::now().0 ^ self.0) & !Self::FLAGS != 0 {
            self.set();
        }
    }
}
