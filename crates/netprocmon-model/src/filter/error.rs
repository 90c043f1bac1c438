//! What is wrong with a filter, where, and what was expected there.

use std::fmt::Write as _;

use thiserror::Error;

use crate::text::{escape, width};

/// Columns of text shown on either side of the place.
const AROUND: usize = 36;

/// A text that is no filter.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message} (character {column})")]
pub struct FilterError {
    position: usize,
    column: usize,
    message: String,
}

impl FilterError {
    /// An error at byte `position` of `text`.
    pub(super) fn at(text: &str, position: usize, message: impl Into<String>) -> Self {
        let before = text.get(..position).unwrap_or(text);
        Self {
            position: before.len(),
            column: before.chars().count() + 1,
            message: message.into(),
        }
    }

    /// Where, in bytes from the beginning of the text.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.position
    }

    /// Where, in characters, the first being 1.
    #[must_use]
    pub const fn column(&self) -> usize {
        self.column
    }

    /// What is wrong and what was expected, without the place. It may quote the filter: escape it
    /// before it reaches a terminal.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The message, then the line of `text` (what was parsed) with a mark below the place. Safe for
    /// a terminal.
    ///
    /// ```
    /// # use netprocmon_model::Filter;
    /// let error = "name>5".parse::<Filter>().unwrap_err();
    /// assert!(error.pointed("name>5").ends_with("\n  name>5\n      ^"));
    /// ```
    #[must_use]
    pub fn pointed(&self, text: &str) -> String {
        let (before, after) = text.split_at_checked(self.position).unwrap_or((text, ""));
        let before = escape(before);
        let after = escape(after);
        let (mut skipped, mut from) = (width(&before).saturating_sub(AROUND), 0);
        for (at, c) in before.char_indices() {
            if skipped == 0 {
                break;
            }
            from = at + c.len_utf8();
            skipped = skipped.saturating_sub(width(c.encode_utf8(&mut [0; 4])));
        }
        let shown = &before[from..];
        let cut = if from > 0 { "…" } else { "" };
        let mut lines = escape(&self.message).into_owned();
        let after = crate::text::cut(&after, AROUND);
        // Writing to a String cannot fail.
        let _ = write!(lines, "\n  {cut}{shown}{after}\n  ");
        lines.push_str(&" ".repeat(width(cut) + width(shown)));
        lines.push('^');
        lines
    }
}
