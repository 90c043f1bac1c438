//! Text for people: tables, units, widths, colours.
//!
//! Everything here makes a `String` from values, so that it is tested without a terminal. Text from
//! outside goes through [`netprocmon::text::escape`] in the one place that makes cells of it,
//! [`table::Cell::outside`].

mod connection;
pub(crate) mod group;
pub(crate) mod ports;
pub(crate) mod ps;
pub(crate) mod run;
mod sums;
pub(crate) mod table;
mod terminal;
pub(crate) mod watch;

pub(crate) use terminal::{Style, Terminal};

#[cfg(test)]
pub(crate) mod tests;
