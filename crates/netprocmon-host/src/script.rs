//! What an interpreter runs: the script, module, archive or main class among its arguments. Pure.
//!
//! `python3` says little, `train.py` says what people want to know. To find the script, options
//! that take a value must be known, or the value would be taken for it; they are in tables, one an
//! interpreter (`tables.rs`). Code that stands in the arguments themselves (`-c`, `-e`) has no name.
//!
//! No file is looked at, so what is shown is what was asked for, not what was opened.

mod tables;

use std::sync::Arc;

use tables::{INTERPRETERS, Interpreter, Takes};

/// The script's file name (or the module, or the main class), where the program is an interpreter
/// that runs one. The interpreter is known by its file name, with or without a version, or by the
/// name that it was called by.
///
/// # Examples
///
/// ```
/// let command = ["python3", "-u", "/srv/train.py", "--epochs", "3"].map(Into::into);
/// let script = netprocmon_host::script::name(Some("/usr/bin/python3.12"), &command);
/// assert_eq!(script.as_deref(), Some("train.py"));
/// ```
#[must_use]
pub fn name(exe: Option<&str>, command: &[Arc<str>]) -> Option<Arc<str>> {
    let (called, arguments) = command.split_first()?;
    let interpreter = exe
        .and_then(interpreter)
        .or_else(|| interpreter(called.strip_prefix('-').unwrap_or(called)))?;
    let found = interpreter.run_by(arguments)?;
    let found = file_name(found);
    let wanted = interpreter.endings.is_empty()
        || interpreter.endings.iter().any(|ending| {
            let start = found.len().checked_sub(ending.len());
            start
                .and_then(|start| found.get(start..))
                .is_some_and(|end| end.eq_ignore_ascii_case(ending))
        });
    (wanted && !found.is_empty()).then(|| found.into())
}

/// The interpreter that a program file is: `/usr/bin/python3.12`, `python3.13t`, `lua5.4`, `java`.
fn interpreter(path: &str) -> Option<&'static Interpreter> {
    let name = file_name(path);
    let version = |c: char| c.is_ascii_digit() || c == '.' || c == '-';
    let build = name
        .strip_suffix(['t', 'd'])
        .filter(|rest| rest.ends_with(version));
    let bare = build.unwrap_or(name).trim_end_matches(version);
    INTERPRETERS
        .iter()
        .find(|known| known.names.contains(&bare))
}

fn file_name(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

impl Interpreter {
    /// Goes through the arguments as the interpreter does, up to the script.
    fn run_by<'a>(&self, arguments: &'a [Arc<str>]) -> Option<&'a str> {
        let mut words = arguments.iter().map(AsRef::as_ref);
        while let Some(word) = words.next() {
            match self.look_at(word) {
                Word::Code => return None,
                Word::Script(name) => return Some(name),
                Word::ScriptNext => return words.next(),
                Word::ValueNext => drop(words.next()),
                Word::Skip => {}
            }
        }
        None
    }

    fn look_at<'a>(&self, word: &'a str) -> Word<'a> {
        if word == "--" {
            return Word::ScriptNext;
        }
        if word == "-" {
            return Word::Code; // from standard input
        }
        let is_option = word.starts_with('-') || (self.plus && word.starts_with('+'));
        if !is_option {
            return match self.commands.iter().find(|(name, _)| *name == word) {
                Some((_, Takes::Nothing)) => Word::Skip,
                Some(_) => Word::Code,
                None => Word::Script(word),
            };
        }
        if let Some(takes) = self.option(word) {
            return match takes {
                Takes::Code => Word::Code,
                Takes::Script => Word::ScriptNext,
                Takes::Value | Takes::Next => Word::ValueNext,
                Takes::Rest | Takes::Nothing => Word::Skip,
            };
        }
        match word.split_once('=') {
            Some((option, value)) if option.len() > 2 => match self.option(option) {
                Some(Takes::Code) => Word::Code,
                Some(Takes::Script) => Word::Script(value),
                _ => Word::Skip,
            },
            _ if word.starts_with("--") => Word::Skip,
            _ => self.cluster(word),
        }
    }

    /// Several options of one letter in a word, the last perhaps with its value: `-ne`, `-mhttp`.
    fn cluster<'a>(&self, word: &'a str) -> Word<'a> {
        let mut found = Word::Skip;
        for (at, letter) in word.char_indices().skip(1) {
            let rest = word.get(at + letter.len_utf8()..).unwrap_or_default();
            let mut option = [b'-', 0, 0, 0, 0];
            let length = letter.encode_utf8(&mut option[1..]).len();
            let option = std::str::from_utf8(&option[..=length]).unwrap_or_default();
            match (self.option(option), rest) {
                (Some(Takes::Code), _) => return Word::Code,
                (Some(Takes::Script), "") => return Word::ScriptNext,
                (Some(Takes::Script), rest) => return Word::Script(rest),
                (Some(Takes::Value), "") => return Word::ValueNext,
                (Some(Takes::Value | Takes::Rest), _) => return found,
                (Some(Takes::Next), _) => found = Word::ValueNext,
                (Some(Takes::Nothing) | None, _) => {}
            }
        }
        found
    }

    fn option(&self, word: &str) -> Option<Takes> {
        let known = self.options.iter().find(|(option, _)| *option == word);
        known.map(|(_, takes)| *takes)
    }
}

/// What a word means for the search.
enum Word<'a> {
    /// There is no script: the code is here, or comes from standard input.
    Code,
    /// This is it.
    Script(&'a str),
    /// The next word is it.
    ScriptNext,
    /// The next word is an option's value.
    ValueNext,
    /// Go on.
    Skip,
}

#[cfg(test)]
mod tests;
