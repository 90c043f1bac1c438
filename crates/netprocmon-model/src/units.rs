//! Sizes, rates, counts and durations as people read them; `-` for what is not known.
//!
//! One room for the tables of the command line and for the live view, so that a number looks the
//! same wherever it stands. Not here: machine-readable output, which has plain integers.

use std::time::Duration;

/// How sizes are shown, and the ends of connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // each type says it
pub struct Units {
    pub prefix: Prefix,
    pub quantity: Quantity,
    pub ends: Ends,
}

/// Powers of 1024 or of 1000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefix {
    /// 1024: `KiB`, `MiB` (IEC 80000-13).
    #[default]
    Iec,
    /// 1000: `kB`, `MB`.
    Si,
}

/// What a size is counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quantity {
    /// Bytes of eight bits.
    #[default]
    Bytes,
    /// Bits.
    Bits,
}

/// What stands for an end of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ends {
    /// The name of the host and of the service, where they are known.
    #[default]
    Named,
    /// Address and port.
    Numeric,
}

/// What stands for a number that the source cannot know: never 0.
pub const UNKNOWN: &str = "-";

const IEC: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const SI: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];

impl Units {
    /// Bytes with three significant digits: `512 B`, `1.21 MiB`, `96.0 Mibit`.
    #[must_use]
    pub fn size(self, bytes: Option<u64>) -> String {
        bytes.map_or_else(|| UNKNOWN.to_owned(), |bytes| self.known(bytes))
    }

    /// Bytes a second.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a rate is not negative
    #[must_use]
    pub fn rate(self, bytes_per_second: Option<f64>) -> String {
        bytes_per_second.map_or_else(
            || UNKNOWN.to_owned(),
            |rate| format!("{}/s", self.known(rate.max(0.0).round() as u64)),
        )
    }

    #[allow(clippy::cast_precision_loss)] // shown with three digits
    fn known(self, bytes: u64) -> String {
        let (names, base) = match self.prefix {
            Prefix::Iec => (IEC, 1024.0),
            Prefix::Si => (SI, 1000.0),
        };
        let (count, unit) = match self.quantity {
            Quantity::Bytes => (u128::from(bytes), "B"),
            Quantity::Bits => (u128::from(bytes) * 8, "bit"),
        };
        if (count as f64) < base {
            return format!("{count} {unit}");
        }
        let mut value = count as f64;
        let mut names = names.iter().copied();
        let mut name = names.next().unwrap_or_default();
        // 999.6 would be shown as 1000 of the smaller unit.
        while value >= base || value.round() >= base {
            let Some(next) = names.next() else { break };
            value /= base;
            name = next;
        }
        let digits = match value {
            value if value < 9.995 => 2,
            value if value < 99.95 => 1,
            _ => 0,
        };
        format!("{value:.digits$} {name}{unit}")
    }
}

/// A count in full.
#[must_use]
pub fn count(count: Option<u64>) -> String {
    count.map_or_else(|| UNKNOWN.to_owned(), |count| count.to_string())
}

/// A number with its digits in groups of three, for one that stands in a sentence.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `0.043 s`, `12.4 s`, `3m 05s`, `2h 00m 07s`.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.3} s", duration.as_secs_f64()),
        10..60 => format!("{:.1} s", duration.as_secs_f64()),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!(
            "{}h {:02}m {:02}s",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        ),
    }
}

/// `1 process`, `2 processes`.
#[must_use]
pub fn processes(count: usize) -> String {
    match count {
        1 => "1 process".to_owned(),
        count => format!("{count} processes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SI_BITS: Units = Units {
        prefix: Prefix::Si,
        quantity: Quantity::Bits,
        ends: Ends::Named,
    };

    #[test]
    fn sizes_have_three_digits_and_carry_into_the_next_unit() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (10_235, "10.0 KiB"),
            (1_048_575, "1.00 MiB"),
            (1_289_748, "1.23 MiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(Units::default().size(Some(bytes)), text);
        }
        assert_eq!(SI_BITS.size(Some(125_000)), "1.00 Mbit");
        assert_eq!(SI_BITS.size(Some(124)), "992 bit");
        assert_eq!(SI_BITS.size(Some(u64::MAX)), "148 Ebit");
        assert_eq!(Units::default().size(None), "-");
    }

    #[test]
    fn rates_of_nothing_and_of_the_unknown_differ() {
        assert_eq!(Units::default().rate(Some(0.0)), "0 B/s");
        assert_eq!(Units::default().rate(Some(f64::NAN)), "0 B/s");
        assert_eq!(Units::default().rate(None), "-");
    }

    #[test]
    fn numbers_and_times() {
        assert_eq!(grouped(1_289_748), "1,289,748");
        assert_eq!(grouped(999), "999");
        assert_eq!(duration(Duration::from_millis(43)), "0.043 s");
        assert_eq!(duration(Duration::from_secs(185)), "3m 05s");
        assert_eq!(duration(Duration::from_secs(7207)), "2h 00m 07s");
    }
}
