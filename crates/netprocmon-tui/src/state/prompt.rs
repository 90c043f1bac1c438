//! A line that is typed: the filter.
//!
//! Only what can stand on a line is taken, so that what is pasted cannot do anything else.

use netprocmon::text::{escape, width};

/// Characters; longer ones are not typed by hand, and the parser has its own limit.
const MOST: usize = 4096;

/// The text and the place in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prompt {
    text: String,
    /// A byte position on a boundary.
    at: usize,
    /// What is wrong with it.
    pub(crate) error: Option<String>,
}

impl Prompt {
    pub(crate) fn new(text: String) -> Self {
        Self {
            at: text.len(),
            text,
            error: None,
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What stands before the cursor, fit for a terminal, and what behind it.
    pub(crate) fn shown(&self) -> (String, String) {
        let (before, after) = self.text.split_at(self.at);
        (escape(before).into_owned(), escape(after).into_owned())
    }

    /// Columns before the cursor.
    pub(crate) fn column(&self) -> usize {
        width(&self.shown().0)
    }

    pub(crate) fn insert(&mut self, text: &str) {
        let room = MOST.saturating_sub(self.text.len());
        for c in text.chars().filter(|c| !c.is_control()).take(room / 4) {
            self.text.insert(self.at, c);
            self.at += c.len_utf8();
        }
    }

    pub(crate) fn left(&mut self) {
        let before = self.text[..self.at].chars().next_back();
        self.at -= before.map_or(0, char::len_utf8);
    }

    pub(crate) fn right(&mut self) {
        let after = self.text[self.at..].chars().next();
        self.at += after.map_or(0, char::len_utf8);
    }

    pub(crate) const fn home(&mut self) {
        self.at = 0;
    }

    pub(crate) const fn end(&mut self) {
        self.at = self.text.len();
    }

    pub(crate) fn backspace(&mut self) {
        let end = self.at;
        self.left();
        self.text.drain(self.at..end);
    }

    pub(crate) fn delete(&mut self) {
        let start = self.at;
        self.right();
        self.text.drain(start..self.at);
        self.at = start;
    }

    /// Takes everything before the cursor out.
    pub(crate) fn kill(&mut self) {
        self.text.drain(..self.at);
        self.at = 0;
    }

    /// Takes the word before the cursor out.
    pub(crate) fn kill_word(&mut self) {
        let before = self.text[..self.at].trim_end();
        let start = before.rfind(char::is_whitespace);
        let start = start.map_or(0, |at| {
            at + before[at..].chars().next().map_or(0, char::len_utf8)
        });
        self.text.drain(start..self.at);
        self.at = start;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_edited_by_characters_and_takes_nothing_that_is_none() {
        let mut prompt = Prompt::new("näme".to_owned());
        prompt.left();
        prompt.left();
        prompt.backspace();
        prompt.insert("a\u{1b}[2J\n");
        assert_eq!(prompt.text(), "na[2Jme");
        prompt.home();
        prompt.delete();
        prompt.end();
        prompt.insert(" user=日本");
        prompt.kill_word();
        assert_eq!(prompt.text(), "a[2Jme ");
        prompt.kill();
        assert_eq!((prompt.text(), prompt.column()), ("", 0));
        prompt.backspace();
        prompt.delete();
        assert_eq!(prompt.text(), "");
    }

    #[test]
    fn the_cursor_counts_columns() {
        let mut prompt = Prompt::new("日\u{202e}".to_owned());
        assert_eq!(prompt.column(), 2 + 8);
        prompt.home();
        assert_eq!(prompt.column(), 0);
    }
}
