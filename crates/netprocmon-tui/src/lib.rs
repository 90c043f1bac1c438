//! The live view: draws what a [`Monitor`](netprocmon::Monitor) counts, and does what is typed.
//!
//! ```text
//!  samples ─┐                        ┌─► views ─► cells of the screen
//!  keys ────┼─► Event ─► update ─► State
//!  clicks ──┘               └─► Effect ─► run (terminal, files)
//! ```
//!
//! Everything between the events and the cells is pure: [`run`](fn@run) alone touches the terminal,
//! the signals and the monitor, in one poll and without a thread. Snapshots are all that is drawn
//! from, so nothing waits for a source, a name server or a disk. Work follows what can be seen and
//! what has changed: texts are made for the rows on the screen only.
//!
//! Two rooms are for tables elsewhere too: [`ends`] (what the ends of a connection are called) and
//! [`signals`] (signals as events on a descriptor).
#![forbid(unsafe_code)]

mod chart;
pub mod ends;
mod error;
mod export;
mod glyphs;
mod keys;
mod layout;
#[cfg(test)]
mod made;
mod run;
mod screen;
pub mod settings;
pub mod signals;
mod state;
mod theme;
mod update;
mod views;

pub use error::Error;
pub use glyphs::Glyphs;
pub use run::run;
pub use settings::Settings;
pub use theme::{Palette, Theme};
