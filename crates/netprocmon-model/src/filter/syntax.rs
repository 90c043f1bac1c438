//! A filter as a tree. Printing one gives a text that parses to the same tree.

use std::fmt;

use super::field::Field;
use super::matcher::Test;
use super::parse::is_keyword;

/// What a filter is made of. Chains are flat, so that only parentheses and `not` make it deep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    Term(Term),
    Not(Box<Self>),
    /// At least two.
    And(Vec<Self>),
    /// At least two.
    Or(Vec<Self>),
}

/// One comparison, or a bare word.
#[derive(Clone, Debug)]
pub(super) struct Term {
    /// `None` is a bare word.
    pub(super) field: Option<Field>,
    pub(super) operator: Operator,
    /// The value as it was typed, without quotes.
    pub(super) text: Box<str>,
    /// What is made of the value.
    pub(super) test: Test,
    /// Its number among the terms of the filter.
    pub(super) index: usize,
}

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Contains,
    Equal,
    NotEqual,
    Matches,
    Less,
    Greater,
    AtMost,
    AtLeast,
}

impl Operator {
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Contains => ":",
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Matches => "~",
            Self::Less => "<",
            Self::Greater => ">",
            Self::AtMost => "<=",
            Self::AtLeast => ">=",
        }
    }
}

impl Eq for Term {}

impl PartialEq for Term {
    /// What was written decides; the rest follows from it.
    fn eq(&self, other: &Self) -> bool {
        (self.field, self.operator, &self.text) == (other.field, other.operator, &other.text)
    }
}

impl Expression {
    /// Calls `visit` for each term.
    pub(super) fn terms<'a>(&'a self, visit: &mut impl FnMut(&'a Term)) {
        match self {
            Self::Term(term) => visit(term),
            Self::Not(inner) => inner.terms(visit),
            Self::And(parts) | Self::Or(parts) => {
                for part in parts {
                    part.terms(visit);
                }
            }
        }
    }

    fn print_within(&self, f: &mut fmt::Formatter<'_>, bare: bool) -> fmt::Result {
        if bare {
            write!(f, "{self}")
        } else {
            write!(f, "({self})")
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Term(term) => term.fmt(f),
            Self::Not(inner) => {
                f.write_str("not ")?;
                inner.print_within(f, matches!(**inner, Self::Term(_) | Self::Not(_)))
            }
            Self::And(parts) => {
                for (number, part) in parts.iter().enumerate() {
                    f.write_str(if number > 0 { " and " } else { "" })?;
                    part.print_within(f, matches!(part, Self::Term(_) | Self::Not(_)))?;
                }
                Ok(())
            }
            Self::Or(parts) => {
                for (number, part) in parts.iter().enumerate() {
                    f.write_str(if number > 0 { " or " } else { "" })?;
                    part.print_within(f, !matches!(part, Self::Or(_)))?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = self.field {
            write!(f, "{}{}", field.name(), self.operator.sign())?;
        }
        if is_plain(&self.text, self.field.map(|_| self.operator)) {
            return f.write_str(&self.text);
        }
        f.write_str("\"")?;
        for c in self.text.chars() {
            f.write_str(if matches!(c, '"' | '\\') { "\\" } else { "" })?;
            write!(f, "{c}")?;
        }
        f.write_str("\"")
    }
}

/// Whether a text needs no quotes, behind an operator or as a bare word.
fn is_plain(text: &str, behind: Option<Operator>) -> bool {
    let of_words = |c: char| c.is_alphanumeric() || "-_./*@+%".contains(c);
    let of_values = |c: char| c.is_alphanumeric() || "-_./*@+%:,[]^$|?\\".contains(c);
    !text.is_empty()
        && if let Some(operator) = behind {
            // Two colons would begin an address that stands for itself.
            let is_address = operator == Operator::Contains && text.starts_with(':');
            text.chars().all(of_values) && !is_address
        } else {
            text.chars().all(of_words) && !is_keyword(text)
        }
}
