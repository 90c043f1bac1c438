//! Colours, and what stands out without them.
//!
//! Sent and received are orange and blue (Okabe and Ito's palette, which people who do not see all
//! colours tell apart), and never told apart by colour alone: they have columns, arrows and words.
//! No background is painted but that of the row under the cursor, so the terminal's own stays.

use ratatui::style::{Color, Modifier, Style};

/// Which colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // a style each
pub struct Theme {
    pub text: Style,
    pub quiet: Style,
    pub strong: Style,
    /// The heads of columns.
    pub head: Style,
    /// The head of the column that is sorted by.
    pub sorted: Style,
    /// The row under the cursor; patched onto its cells.
    pub cursor: Style,
    pub sent: Style,
    pub recv: Style,
    pub accent: Style,
    pub warning: Style,
    /// Processes and connections that have ended.
    pub ended: Style,
    pub border: Style,
    /// Keys in the last line.
    pub key: Style,
}

/// How many colours a terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Palette {
    /// 24 bits.
    Full,
    /// 256.
    Indexed,
    /// 8, whose look the terminal decides.
    Basic,
}

impl Palette {
    /// By `COLORTERM` and `TERM`, as terminals set them.
    #[must_use]
    pub fn of_terminal(variable: impl Fn(&str) -> Option<String>) -> Self {
        let is = |name: &str, words: &[&str]| {
            variable(name).is_some_and(|value| words.iter().any(|word| value.contains(word)))
        };
        if is("COLORTERM", &["truecolor", "24bit"]) || is("TERM", &["direct"]) {
            Self::Full
        } else if is("TERM", &["256color"]) {
            Self::Indexed
        } else {
            Self::Basic
        }
    }

    const fn colour(self, full: (u8, u8, u8), indexed: u8, basic: Color) -> Color {
        match self {
            Self::Full => Color::Rgb(full.0, full.1, full.2),
            Self::Indexed => Color::Indexed(indexed),
            Self::Basic => basic,
        }
    }
}

impl Theme {
    /// For a dark background.
    #[must_use]
    pub const fn dark(palette: Palette) -> Self {
        let quiet = palette.colour((138, 138, 148), 245, Color::Gray);
        let accent = palette.colour((94, 201, 171), 79, Color::Green);
        let selected = palette.colour((52, 58, 72), 237, Color::Blue);
        Self {
            text: Style::new(),
            quiet: Style::new().fg(quiet),
            strong: Style::new().add_modifier(Modifier::BOLD),
            head: Style::new().fg(quiet).add_modifier(Modifier::BOLD),
            sorted: Style::new().fg(accent).add_modifier(Modifier::BOLD),
            cursor: Style::new().bg(selected).add_modifier(Modifier::BOLD),
            sent: Style::new().fg(palette.colour((240, 165, 40), 214, Color::Yellow)),
            recv: Style::new().fg(palette.colour((92, 184, 240), 75, Color::Cyan)),
            accent: Style::new().fg(accent),
            warning: Style::new().fg(palette.colour((240, 200, 80), 221, Color::Yellow)),
            ended: Style::new().fg(palette.colour((110, 110, 120), 242, Color::DarkGray)),
            border: Style::new().fg(palette.colour((82, 84, 96), 239, Color::DarkGray)),
            key: Style::new().fg(accent).add_modifier(Modifier::BOLD),
        }
    }

    /// For a light background.
    #[must_use]
    pub const fn light(palette: Palette) -> Self {
        let quiet = palette.colour((98, 98, 108), 241, Color::DarkGray);
        let accent = palette.colour((0, 112, 84), 29, Color::Green);
        let selected = palette.colour((214, 226, 242), 189, Color::Gray);
        Self {
            text: Style::new(),
            quiet: Style::new().fg(quiet),
            strong: Style::new().add_modifier(Modifier::BOLD),
            head: Style::new().fg(quiet).add_modifier(Modifier::BOLD),
            sorted: Style::new().fg(accent).add_modifier(Modifier::BOLD),
            cursor: Style::new().bg(selected).add_modifier(Modifier::BOLD),
            sent: Style::new().fg(palette.colour((190, 82, 0), 166, Color::Red)),
            recv: Style::new().fg(palette.colour((0, 98, 168), 25, Color::Blue)),
            accent: Style::new().fg(accent),
            warning: Style::new().fg(palette.colour((150, 90, 0), 94, Color::Magenta)),
            ended: Style::new().fg(palette.colour((150, 150, 158), 246, Color::DarkGray)),
            border: Style::new().fg(palette.colour((176, 178, 188), 249, Color::Gray)),
            key: Style::new().fg(accent).add_modifier(Modifier::BOLD),
        }
    }

    /// No colour at all: bold, dim, underlined and reversed.
    #[must_use]
    pub const fn none() -> Self {
        let plain = Style::new();
        let quiet = plain.add_modifier(Modifier::DIM);
        let strong = plain.add_modifier(Modifier::BOLD);
        Self {
            text: plain,
            quiet,
            strong,
            head: strong,
            sorted: strong.add_modifier(Modifier::UNDERLINED),
            cursor: plain.add_modifier(Modifier::REVERSED),
            sent: plain,
            recv: plain,
            accent: strong,
            warning: strong,
            ended: quiet,
            border: quiet,
            key: strong,
        }
    }

    /// The style of a cell in this direction.
    pub(crate) const fn of(&self, way: crate::chart::Way) -> Style {
        match way {
            crate::chart::Way::Sent => self.sent,
            crate::chart::Way::Recv => self.recv,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colour_nothing_has_one() {
        let Theme {
            text,
            quiet,
            strong,
            head,
            sorted,
            cursor,
            sent,
            recv,
            accent,
            warning,
            ended,
            border,
            key,
        } = Theme::none();
        for style in [
            text, quiet, strong, head, sorted, cursor, sent, recv, accent, warning, ended, border,
            key,
        ] {
            assert_eq!((style.fg, style.bg), (None, None));
        }
    }

    #[test]
    fn as_many_colours_as_the_terminal_says() {
        let of = |term: &str, colorterm: &str| {
            Palette::of_terminal(|name| match name {
                "TERM" => Some(term.to_owned()),
                "COLORTERM" => Some(colorterm.to_owned()),
                _ => None,
            })
        };
        assert_eq!(of("xterm-256color", "truecolor"), Palette::Full);
        assert_eq!(of("tmux-256color", ""), Palette::Indexed);
        assert_eq!(of("linux", ""), Palette::Basic);
    }
}
