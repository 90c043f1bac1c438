//! Doors for fuzzing: what takes text from the command line in this crate. Only with the feature
//! `fuzzing`, for netprocmon-fuzz, and no part of the interface. Nothing is executed.

use clap::Parser as _;

use crate::flags::{quantity, typed};

/// Arguments, a line each, and each of them as a quantity.
pub fn options(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for line in text.lines() {
        if let (Ok(duration), Ok(interval)) = (quantity::duration(line), quantity::interval(line)) {
            assert_eq!(duration, interval);
        }
        if let Ok(size) = quantity::size(line) {
            assert_eq!(quantity::size(&size.to_string()), Ok(size));
        }
    }
    let arguments = ["netprocmon"].into_iter().chain(text.lines());
    if let Err(error) = typed::Cli::try_parse_from(arguments) {
        // What is shown of it is made from what was typed.
        drop(error.to_string());
    }
}
