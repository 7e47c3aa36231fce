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

/// The modes of a thread, without the flags that computing sets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct FloatMode {
    #[cfg(target_arch = "x86_64")]
    sse: u32,
    #[cfg(target_arch = "x86_64")]
    x87: u16,
    #[cfg(target_arch = "aarch64")]
    control: u64,
}

#[cfg(target_arch = "x86_64")]
impl FloatMode {
    /// What the ABI gives a new process.
    pub(crate) const DEFAULT: FloatMode = FloatMode {
        sse: 0x1f80,
        x87: 0x037f,
    };
    /// The bits of MXCSR that computing sets.
    const FLAGS: u32 = 0x3f;

    /// Those of the calling thread.
    #[inline]
    pub(crate) fn now() -> Self {
        let (mut sse, mut x87) = (0_u32, 0_u16);
        // SAFETY: both instructions store a register into the variable that they are given, and do nothing else.
        unsafe {
            asm!(
                "stmxcsr [{sse}]", "fnstcw [{x87}]",
                sse = in(reg) &raw mut sse, x87 = in(reg) &raw mut x87,
                options(nostack, preserves_flags)
            );
        }
        FloatMode {
            sse: sse & !Self::FLAGS,
            x87,
        }
    }

    #[cold]
    fn set(self) {
        // SAFETY: only modes that were read, or are those of a new process, are written: reserved bits are as they were.
        // Rust and C compute with these modes, which the host had when it called. Flags that are 0 raise no trap.
        unsafe {
            asm!(
                "ldmxcsr [{sse}]", "fnclex", "fldcw [{x87}]",
                sse = in(reg) &raw const self.sse, x87 = in(reg) &raw const self.x87,
                options(nostack, preserves_flags)
            );
        }
    }
}

#[cfg(target_arch = "aarch64")]
impl FloatMode {
    /// What the ABI gives a new process.
    pub(crate) const DEFAULT: FloatMode = FloatMode { control: 0 };

    /// Those of the calling thread.
    #[inline]
    pub(crate) fn now() -> Self {
        let control: u64;
        // SAFETY: reads a register, which any program may.
        unsafe { asm!("mrs {}, fpcr", out(reg) control, options(nomem, nostack, preserves_flags)) };
        FloatMode { control }
    }

    #[cold]
    fn set(self) {
        // SAFETY: only modes that were read, or are those of a new process, are written.
        unsafe { asm!("msr fpcr, {}", in(reg) self.control, options(nomem, nostack, preserves_flags)) };
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
impl FloatMode {
    pub(crate) const DEFAULT: FloatMode = FloatMode {};

    pub(crate) fn now() -> Self {
        FloatMode {}
    }

    fn set(self) {}
}

impl FloatMode {
    /// Sets these modes if the thread has others: writing costs more than reading. Both reads of a call are below the noise
    /// of a call of 240 ns (go/python, a function of Bind that calls builtins.id, with and without them, in turn).
    #[inline]
    pub(crate) fn restore(self) {
        if Self::now() != self {
            self.set();
        }
    }
}
