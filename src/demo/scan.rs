//! Looking at bytes, in functions that are there once and small: `core`'s are
//! generic, or unrolled for longer inputs than these.

/// Splits at the first `mark`. Without one, everything stands before it.
#[inline(never)]
pub fn split(bytes: &[u8], mark: u8) -> (&[u8], Option<&[u8]>) {
    match bytes.iter().position(|byte| *byte == mark) {
        Some(at) => (bytes.get(..at).unwrap_or_default(), bytes.get(at + 1..)),
        None => (bytes, None),
    }
}

/// Whether it is that word, whose letters are small, in whatever case.
#[inline(never)]
pub fn is_word(bytes: &[u8], word: &[u8]) -> bool {
    bytes.len() == word.len()
        && bytes
            .iter()
            .zip(word)
            .all(|(byte, letter)| byte.to_ascii_lowercase() == *letter)
}

/// Without blanks around it.
#[inline(never)]
pub fn trim(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii()
}

/// A number of digits alone, if it is small enough to count with.
#[inline(never)]
pub fn number(digits: &[u8], base: u8) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, byte| {
        let digit = digit(*byte)?;
        if digit >= base {
            return None;
        }
        number.checked_mul(base.into())?.checked_add(digit.into())
    })
}

/// The value of a hexadecimal digit.
pub fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
