//! Which rows a filter takes and how rows are summed, on snapshots made by hand and by chance.

#![allow(clippy::unwrap_used, clippy::panic, clippy::similar_names)] // tests

mod filter;
mod group;
mod made;
