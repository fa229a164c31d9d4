//! The key of a point.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// What a point is known by: the first 16 bytes of the SHA-256 of everything that its result depends on. It is shown, and
/// read, as 32 hexadecimal digits:
///
/// ```
/// use explore::PointKey;
///
/// let key: PointKey = "00112233445566778899aabbccddeeff".parse()?;
/// assert_eq!((key.0[1], key.to_string().as_str()), (0x11, "00112233445566778899aabbccddeeff"));
/// # Ok::<(), explore::NotAKey>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PointKey(pub [u8; 16]);

impl PointKey {
    /// The key of what was hashed.
    pub(crate) fn of(hash: Sha256) -> Self {
        Self(hash.finalize()[..16].try_into().expect("a SHA-256 has 32 bytes"))
    }
}

/// A text that is no key: it has other characters than hexadecimal digits, or not 32 of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAKey;

impl fmt::Display for NotAKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected 32 hexadecimal digits")
    }
}

impl std::error::Error for NotAKey {}

impl fmt::Display for PointKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 32];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0) {
            let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        f.write_str(str::from_utf8(&digits).expect("digits are ASCII"))
    }
}

impl fmt::Debug for PointKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PointKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let digits = text.as_bytes();
        if digits.len() != 32 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(NotAKey);
        }
        let mut key = [0; 16];
        for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = str::from_utf8(pair).expect("hexadecimal digits are ASCII");
            *byte = u8::from_str_radix(pair, 16).map_err(|_| NotAKey)?;
        }
        Ok(Self(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_32_hexadecimal_digits() {
        let text = "000102030405060708090a0b0c0d0eff";
        let key: PointKey = text.parse().expect("a key");
        assert_eq!((key.0[0], key.0[15], key.to_string().as_str()), (0, 255, text));
        for wrong in ["", "00", "000102030405060708090a0b0c0d0efg", "+00102030405060708090a0b0c0d0eff", &text[1..]] {
            assert_eq!(wrong.parse::<PointKey>(), Err(NotAKey), "{wrong}");
        }
    }
}
