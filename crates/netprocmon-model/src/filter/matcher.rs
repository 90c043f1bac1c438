//! A term's comparison, made ready once: lower-cased text, compiled expression, parsed number.

use std::cmp::Ordering;

use regex::Regex;

use super::field::{Field, Kind};
use super::pattern;
use super::syntax::Operator;
use super::value::{self, AddressPattern};
use crate::{Pid, Protocol};

/// What a value is compared with.
#[derive(Clone, Debug)]
pub(super) enum Test {
    /// Contains it; lower case.
    Contains(Box<str>),
    /// A bare word: contains it, or is this address.
    Bare(Box<str>, Option<AddressPattern>),
    Equals(Box<str>),
    Matches(Regex),
    Compare(Operator, u64),
    Address(AddressPattern),
    /// A port by the name of its service.
    Service(Box<str>),
}

impl Test {
    /// A bare word's.
    pub(super) fn bare(text: &str) -> Self {
        let address = AddressPattern::read(text).filter(AddressPattern::is_numeric);
        Self::Bare(text.to_lowercase().into(), address)
    }

    /// `field operator text`; the error says what was expected in place of `text`.
    pub(super) fn new(field: Field, operator: Operator, text: &str) -> Result<Self, String> {
        let kind = field.kind();
        if operator == Operator::Matches {
            return pattern::compile(text).map(Self::Matches);
        }
        let compare = match operator {
            Operator::Contains | Operator::NotEqual => Operator::Equal,
            other => other,
        };
        let number = |number: Option<u64>| {
            let number = number.ok_or_else(|| expected(field, kind.example()))?;
            Ok(Self::Compare(compare, number))
        };
        match kind {
            Kind::Size => number(value::size(text)),
            Kind::Rate => number(value::rate(text)),
            Kind::Duration => number(value::duration(text)),
            Kind::Number | Kind::Tree => number(text.parse::<u32>().ok().map(u64::from)),
            Kind::Port => match (text.parse::<u16>(), value::service(text)) {
                (Ok(port), _) | (_, Some(port)) => Ok(Self::Compare(compare, port.into())),
                _ if compare != Operator::Equal
                    || !text.starts_with(|c: char| c.is_alphabetic()) =>
                {
                    Err(expected(field, "a port number from 0 to 65535"))
                }
                _ => Ok(Self::Service(text.into())),
            },
            _ if operator == Operator::Contains => Ok(Self::Contains(text.to_lowercase().into())),
            Kind::Address => AddressPattern::read(text)
                .map(Self::Address)
                .ok_or_else(|| expected(field, kind.example())),
            Kind::Protocol => text
                .parse::<Protocol>()
                .map(|protocol| Self::Equals(protocol.to_string().into()))
                .map_err(|_| expected(field, kind.example())),
            Kind::Word(words) if !words.contains(&text) => {
                Err(expected(field, &format!("one of {}", words.join(", "))))
            }
            Kind::Word(_) | Kind::Text => Ok(Self::Equals(text.into())),
        }
    }

    /// Whether a text passes.
    pub(super) fn takes_text(&self, text: &str) -> bool {
        match self {
            Self::Contains(part) | Self::Bare(part, _) => contains(text, part),
            Self::Equals(wanted) => **wanted == *text,
            Self::Matches(regex) => regex.is_match(text),
            Self::Compare(..) | Self::Address(_) | Self::Service(_) => false,
        }
    }

    /// Whether a number passes.
    /// The one pid that it asks about.
    pub(super) fn pid(&self) -> Option<Pid> {
        match self {
            Self::Compare(_, pid) => u32::try_from(*pid).ok().map(Pid),
            _ => None,
        }
    }

    pub(super) fn takes_number(&self, number: u64) -> bool {
        let Self::Compare(operator, wanted) = self else {
            return false;
        };
        let order = number.cmp(wanted);
        match operator {
            Operator::Less => order == Ordering::Less,
            Operator::Greater => order == Ordering::Greater,
            Operator::AtMost => order != Ordering::Greater,
            Operator::AtLeast => order != Ordering::Less,
            _ => order == Ordering::Equal,
        }
    }
}

fn expected(field: Field, what: &str) -> String {
    format!("{} needs {what}", field.name())
}

/// Whether `text` contains `part`, which is lower case.
fn contains(text: &str, part: &str) -> bool {
    /// Up to this length, comparing at each place is cheaper than a copy.
    const SHORT: usize = 128;
    if text.len() > SHORT || !text.is_ascii() {
        return text.to_lowercase().contains(part);
    }
    let (text, part) = (text.as_bytes(), part.as_bytes());
    part.is_empty()
        || text
            .windows(part.len())
            .any(|window| window.eq_ignore_ascii_case(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_is_ignored_in_every_alphabet() {
        assert!(contains("Naïve ÉTÉ", "été"));
        assert!(contains("CURL", "url"));
        assert!(contains("", ""));
        assert!(!contains("a", "ab"));
        assert!(contains(&format!("{}X", "a".repeat(500)), "ax"));
    }
}
