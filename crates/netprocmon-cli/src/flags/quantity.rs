//! Sizes and durations as people write them: `50M`, `1Gi`, `100ms`, `5m`.
//!
//! `k`, `M`, `G`, `T` are SI (powers of 1000), `Ki`, `Mi`, `Gi`, `Ti` are IEC (powers of 1024); a
//! trailing `B` changes nothing.

use std::time::Duration;

/// A number that cannot be meant, and what can.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QuantityError {
    #[error("a size starts with a number, such as 50M (50 000 000 bytes) or 1Gi (1 073 741 824)")]
    NotASize,
    #[error("unknown unit {0:?}: give k, M, G, T (powers of 1000) or Ki, Mi, Gi, Ti (of 1024)")]
    SizeUnit(String),
    #[error("a size of that many bytes does not fit into 64 bits")]
    TooLarge,
    #[error("that is not a whole number of bytes")]
    NotWhole,
    #[error("a duration starts with a number that is not negative, such as 1, 0.5, 100ms or 5m")]
    NotADuration,
    #[error("unknown unit {0:?}: give ms, s, m or h, or no unit for seconds")]
    DurationUnit(String),
    #[error("a duration above zero is needed here, at least 10ms")]
    TooShort,
}

/// A size in bytes.
pub(crate) fn size(text: &str) -> Result<u64, QuantityError> {
    let (number, unit) = split(text);
    let factor = match unit.strip_suffix(['B', 'b']).unwrap_or(unit) {
        "" => 1,
        "k" | "K" => 1000,
        "M" | "m" => 1000_u64.pow(2),
        "G" | "g" => 1000_u64.pow(3),
        "T" | "t" => 1000_u64.pow(4),
        "Ki" | "ki" => 1 << 10,
        "Mi" | "mi" => 1 << 20,
        "Gi" | "gi" => 1 << 30,
        "Ti" | "ti" => 1 << 40,
        _ => return Err(QuantityError::SizeUnit(unit.to_owned())),
    };
    // Whole part and fraction apart: a float would not be exact to the byte.
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = match (whole, fraction) {
        ("", "") => return Err(QuantityError::NotASize),
        ("", _) => 0,
        (digits, _) => digits.parse().map_err(|_| QuantityError::TooLarge)?,
    };
    let bytes = whole.checked_mul(factor).ok_or(QuantityError::TooLarge)?;
    bytes
        .checked_add(part_of(fraction, factor)?)
        .ok_or(QuantityError::TooLarge)
}

/// The bytes that the decimal digits behind the point make of `factor`.
fn part_of(fraction: &str, factor: u64) -> Result<u64, QuantityError> {
    let digits = fraction.trim_end_matches('0');
    if digits.is_empty() {
        return Ok(0);
    }
    // 12 digits of a tebibyte are below 2^128.
    let length = u32::try_from(digits.len())
        .ok()
        .filter(|&length| length <= 12);
    let scale = 10_u128.pow(length.ok_or(QuantityError::NotWhole)?);
    let value: u128 = digits.parse().map_err(|_| QuantityError::NotASize)?;
    let bytes = value * u128::from(factor);
    if factor == 1 {
        return Err(QuantityError::NotWhole);
    }
    // 1.3Mi is 1363148.8 bytes: nobody means the fraction of a byte.
    u64::try_from(bytes / scale).map_err(|_| QuantityError::TooLarge)
}

/// A duration; a number alone is seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, QuantityError> {
    let (number, unit) = split(text);
    let seconds = match unit {
        "" | "s" => 1.0,
        "ms" => 0.001,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(QuantityError::DurationUnit(unit.to_owned())),
    };
    let value: f64 = number.parse().map_err(|_| QuantityError::NotADuration)?;
    Duration::try_from_secs_f64(value * seconds).map_err(|_| QuantityError::NotADuration)
}

/// A duration between two samples: long enough that taking one is not all that is done.
pub(crate) fn interval(text: &str) -> Result<Duration, QuantityError> {
    match duration(text)? {
        short if short < Duration::from_millis(10) => Err(QuantityError::TooShort),
        interval => Ok(interval),
    }
}

/// Digits and points, then the unit.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_exact() {
        for (text, bytes) in [
            ("0", 0),
            ("1500", 1500),
            ("50M", 50_000_000),
            ("50MB", 50_000_000),
            ("1k", 1000),
            ("1K", 1000),
            ("1Ki", 1024),
            ("1KiB", 1024),
            ("1.5Gi", 1_610_612_736),
            (".5M", 500_000),
            ("2 G", 2_000_000_000),
            ("9007199254740993", 9_007_199_254_740_993),
            ("1.3Mi", 1_363_148),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_its_reason() {
        assert_eq!(size(""), Err(QuantityError::NotASize));
        assert_eq!(size("M"), Err(QuantityError::NotASize));
        assert_eq!(size("."), Err(QuantityError::NotASize));
        assert_eq!(size("1.2.3k"), Err(QuantityError::NotASize));
        assert_eq!(size("-5"), Err(QuantityError::SizeUnit("-5".into())));
        assert_eq!(size("5X"), Err(QuantityError::SizeUnit("X".into())));
        assert_eq!(size("1.5"), Err(QuantityError::NotWhole));
        assert_eq!(size("99999999999999999999"), Err(QuantityError::TooLarge));
        assert_eq!(size("99999999999Ti"), Err(QuantityError::TooLarge));
    }

    #[test]
    fn durations() {
        assert_eq!(duration("1"), Ok(Duration::from_secs(1)));
        assert_eq!(duration("0.25"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("100ms"), Ok(Duration::from_millis(100)));
        assert_eq!(duration("5m"), Ok(Duration::from_mins(5)));
        assert_eq!(duration("1h"), Ok(Duration::from_hours(1)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        assert!(duration("-1").is_err());
        assert!(duration("nan").is_err());
        assert!(duration("inf").is_err());
        assert!(duration("5 parsecs").is_err());
        assert_eq!(interval("0"), Err(QuantityError::TooShort));
        assert_eq!(interval("0.01"), Ok(Duration::from_millis(10)));
    }
}
