//! Durations as people write them.

use super::scan;
use core::time::Duration;

/// Reads seconds (`30`, `30s`, `1.5s`) or milliseconds (`200ms`). What is less than a
/// millisecond is dropped.
pub fn parse(text: &str) -> Option<Duration> {
    if let Some(milliseconds) = text.strip_suffix("ms") {
        return Some(Duration::from_millis(scan::number(
            milliseconds.as_bytes(),
            10,
        )?));
    }
    let seconds = text.strip_suffix('s').unwrap_or(text);
    let (whole, fraction) = scan::split(seconds.as_bytes(), b'.');
    let whole = Duration::from_secs(scan::number(whole, 10)?);
    let Some(fraction) = fraction else {
        return Some(whole);
    };
    // Nothing but digits, of which three count.
    scan::number(fraction, 10)?;
    let mut milliseconds = 0;
    for place in 0..3 {
        let digit = fraction.get(place).map_or(0, |digit| digit - b'0');
        milliseconds = milliseconds * 10 + u64::from(digit);
    }
    whole.checked_add(Duration::from_millis(milliseconds))
}
