//! Flags, in two levels.
//!
//! [`typed`] is what was written on the command line, as clap reads it: it is also what the help,
//! the man pages and the completions are made of. [`meaning`] is what it asks for, in plain structs
//! that a command can be tested with. [`quantity`] reads the sizes and durations.

pub(crate) mod meaning;
pub(crate) mod quantity;
pub(crate) mod typed;
