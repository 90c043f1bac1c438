//! Characters that not every terminal has: arrows, bars, dots of a chart, lines.
//!
//! A terminal whose locale is not UTF-8 gets plain ones of the same width. Text from outside that
//! it cannot show is the terminal's own affair, but for what `text::escape` takes out.

/// Which characters may be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glyphs {
    /// Block elements, braille patterns, box drawing.
    Unicode,
    /// ASCII only.
    Plain,
}

impl Glyphs {
    /// By the locale's variables, in the order in which the C library asks them (`locale(7)`).
    #[must_use]
    pub fn of_locale(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(set);
        let locale = locale.unwrap_or_default().to_ascii_lowercase();
        if locale.contains("utf-8") || locale.contains("utf8") {
            Self::Unicode
        } else {
            Self::Plain
        }
    }

    const fn pick(self, unicode: &'static str, plain: &'static str) -> &'static str {
        match self {
            Self::Unicode => unicode,
            Self::Plain => plain,
        }
    }

    pub(crate) const fn sent(self) -> &'static str {
        self.pick("▲", "^")
    }

    pub(crate) const fn recv(self) -> &'static str {
        self.pick("▼", "v")
    }

    /// Behind the head of the column that is sorted by.
    pub(crate) const fn order(self, descending: bool) -> &'static str {
        match (descending, self) {
            (true, Self::Unicode) => "▾",
            (true, Self::Plain) => "-",
            (false, Self::Unicode) => "▴",
            (false, Self::Plain) => "+",
        }
    }

    pub(crate) const fn pair(self) -> &'static str {
        self.pick("⇄", "<>")
    }

    pub(crate) const fn separator(self) -> &'static str {
        self.pick(" · ", " - ")
    }

    pub(crate) const fn pause(self) -> &'static str {
        self.pick("❚❚", "||")
    }

    pub(crate) const fn warning(self) -> &'static str {
        self.pick("⚠", "!")
    }

    pub(crate) const fn branch(self, last: bool) -> &'static str {
        match (last, self) {
            (false, Self::Unicode) => "├─ ",
            (true, Self::Unicode) => "└─ ",
            (false, Self::Plain) => "|- ",
            (true, Self::Plain) => "`- ",
        }
    }

    /// Our own text, with what a plain terminal lacks replaced.
    pub(crate) fn fit(self, text: &str) -> String {
        match self {
            Self::Unicode => text.to_owned(),
            Self::Plain => text
                .chars()
                .map(|c| match c {
                    '…' => '~',
                    '→' => '>',
                    '←' => '<',
                    '–' | '·' | '─' => '-',
                    '⇄' => '=',
                    '│' => '|',
                    c if c.is_ascii() => c,
                    _ => '?',
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_decides_in_the_c_librarys_order() {
        let of = |all: &[(&str, &str)]| {
            Glyphs::of_locale(|name| {
                let mut all = all.iter();
                all.find(|(known, _)| *known == name)
                    .map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(of(&[("LANG", "de_DE.UTF-8")]), Glyphs::Unicode);
        assert_eq!(of(&[("LANG", "C.utf8")]), Glyphs::Unicode);
        assert_eq!(
            of(&[("LANG", "en_US.UTF-8"), ("LC_ALL", "C")]),
            Glyphs::Plain
        );
        assert_eq!(
            of(&[("LC_ALL", ""), ("LC_CTYPE", "C.UTF-8")]),
            Glyphs::Unicode
        );
        assert_eq!(of(&[]), Glyphs::Plain);
    }

    #[test]
    fn plain_is_ascii() {
        assert!(Glyphs::Plain.fit("a → b · 日本…").is_ascii());
    }
}
