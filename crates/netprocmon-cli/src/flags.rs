//! Flags, in two levels.
//!
//! [`typed`] is what was written on the command line, as clap reads it: it is also what the help,
//! the man pages and the completions are made of. [`meaning`] is what it asks for, in plain structs
//! that a command can be tested with. [`quantity`] reads the sizes and durations.

use std::ffi::OsString;

pub(crate) mod meaning;
pub(crate) mod quantity;
pub(crate) mod typed;

/// Words that are about the program itself.
const OF_THE_PROGRAM: [&str; 4] = ["-h", "--help", "-V", "--version"];

/// The arguments with the command that is meant where none is named: `netprocmon -i eth0`, as fingers
/// know it from other tools. The first argument is the program's own name.
pub(crate) fn with_command(mut arguments: Vec<OsString>, is_for_people: bool) -> Vec<OsString> {
    let first = arguments.get(1).map(|first| first.to_string_lossy());
    let names_none = first
        .is_none_or(|first| first.starts_with('-') && !OF_THE_PROGRAM.contains(&first.as_ref()));
    if arguments.is_empty() {
        arguments.push("netprocmon".into());
    }
    if names_none {
        let command = if is_for_people { "top" } else { "watch" };
        arguments.insert(1, command.into());
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_without_a_command_are_those_of_what_is_meant() {
        for (typed, meant) in [
            (&[][..], &["netprocmon", "top"][..]),
            (&["netprocmon"], &["netprocmon", "top"]),
            (
                &["netprocmon", "-d", "2"],
                &["netprocmon", "top", "-d", "2"],
            ),
            (&["netprocmon", "--help"], &["netprocmon", "--help"]),
            (&["netprocmon", "-V"], &["netprocmon", "-V"]),
            (&["netprocmon", "ps", "-c"], &["netprocmon", "ps", "-c"]),
            (&["netprocmon", "nonsense"], &["netprocmon", "nonsense"]),
        ] {
            let typed = typed.iter().map(OsString::from).collect();
            assert_eq!(with_command(typed, true), meant);
        }
        let alone = with_command(vec!["netprocmon".into()], false);
        assert_eq!(alone, ["netprocmon", "watch"]);
    }
}
