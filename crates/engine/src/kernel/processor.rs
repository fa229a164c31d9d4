//! The vector instructions that a processor may have, and what multiplies in them.

#[cfg(target_arch = "aarch64")]
use super::arm;
use super::lowering::Bytes;
use super::sweep::Machine;
#[cfg(target_arch = "x86_64")]
use super::x86;

/// Vector instructions of a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vectors {
    /// 512 bits of x86-64; for integers with VNNI.
    Avx512,
    /// 256 bits of x86-64; for bytes with VNNI.
    Avx2,
    /// 128 bits of 64-bit ARM; for bytes with dot products.
    Neon,
}

impl Vectors {
    /// All, the longest first.
    pub(super) const ALL: [Self; 3] = [Self::Avx512, Self::Avx2, Self::Neon];

    /// What multiplies four 8-bit inputs with four weights a lane, if the processor has it.
    pub(super) fn bytes(self) -> Option<Machine<u32, i32>> {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => x86::bytes512(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => x86::bytes256(),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => arm::bytes(),
            #[allow(unreachable_patterns, clippy::wildcard_enum_match_arm, reason = "those of other processors")]
            _ => None,
        }
    }

    /// What multiplies two 16-bit inputs with two weights a lane, if the processor has it.
    pub(super) fn pairs(self) -> Option<Machine<u32, i32>> {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => x86::pairs512(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => x86::pairs256(),
            #[allow(
                clippy::wildcard_enum_match_arm,
                reason = "those of other processors, and what has no such instruction"
            )]
            _ => None,
        }
    }

    /// What multiplies one 32-bit float with one weight a lane, if the processor has it.
    pub(super) fn reals(self) -> Option<Machine<f32, f32>> {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => x86::real512(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => x86::real256(),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => arm::real(),
            #[allow(unreachable_patterns, clippy::wildcard_enum_match_arm, reason = "those of other processors")]
            _ => None,
        }
    }

    /// What is subtracted from a byte so that the instructions take it: those of ARM take bytes with a sign alone.
    pub(super) fn byte_offset(self) -> i32 {
        if self == Self::Neon { 128 } else { 0 }
    }

    /// How bytes become words.
    pub(super) fn join(self) -> Bytes {
        if self == Self::Neon { Bytes::SIGNED } else { Bytes::PLAIN }
    }
}
