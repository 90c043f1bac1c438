//! What the text is written to: how wide it is, how high, and whether it takes colours.

use std::env;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

/// The face of an output stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terminal {
    /// Columns and rows; `None` where the stream is not a terminal and nothing is to be cut.
    pub(crate) size: Option<(usize, usize)>,
    pub(crate) style: Style,
}

/// Whether escape sequences may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Coloured,
}

impl Terminal {
    /// A file or a pipe.
    pub(crate) const NONE: Self = Self {
        size: None,
        style: Style::Plain,
    };

    pub(crate) fn of_stdout() -> Self {
        Self::of(&io::stdout())
    }

    pub(crate) fn of_stderr() -> Self {
        Self::of(&io::stderr())
    }

    fn of(stream: &(impl IsTerminal + AsFd)) -> Self {
        if !stream.is_terminal() {
            return Self::NONE;
        }
        // no-color.org: present and not empty, whatever it says.
        let forbidden = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || env::var_os("TERM").is_some_and(|term| term == "dumb");
        let size = rustix::termios::tcgetwinsize(stream)
            .ok()
            .filter(|size| size.ws_col > 0);
        Self {
            size: Some(size.map_or((80, 24), |size| (size.ws_col.into(), size.ws_row.into()))),
            style: if forbidden {
                Style::Plain
            } else {
                Style::Coloured
            },
        }
    }

    /// Columns; `None` is as many as it takes.
    pub(crate) fn columns(self) -> Option<usize> {
        self.size.map(|(columns, _)| columns)
    }

    /// Rows; `None` is as many as it takes. A terminal that does not say is taken for one of 24.
    pub(crate) fn rows(self) -> Option<usize> {
        self.size.map(|(_, rows)| if rows == 0 { 24 } else { rows })
    }
}

impl Style {
    pub(crate) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(crate) fn quiet(self, text: &str) -> String {
        self.with("2", text)
    }

    /// `ECMA-48` select graphic rendition.
    fn with(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Coloured => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_plain_and_endless() {
        let file = tempfile::tempfile().unwrap();
        let terminal = Terminal::of(&file);
        assert_eq!(terminal, Terminal::NONE);
        assert_eq!(terminal.style.bold("x"), "x");
    }
}
