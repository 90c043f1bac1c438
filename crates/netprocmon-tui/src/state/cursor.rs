//! The cursor in a table: which row, and which part of the table can be seen.
//!
//! It stays on its row when the order changes, and the row stays on its line of the screen as far
//! as there are rows around it. Until it was moved it is on the first line, whatever stands there.

use super::rows::{Row, RowId};

/// Where one stands in one view.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cursor {
    /// `None` as long as it was not moved.
    chosen: Option<RowId>,
    index: usize,
    /// The first row that can be seen.
    offset: usize,
}

impl Cursor {
    pub(crate) const fn index(&self) -> usize {
        self.index
    }

    pub(crate) const fn offset(&self) -> usize {
        self.offset
    }

    /// Whether it was moved to where it is.
    pub(crate) const fn is_chosen(&self) -> bool {
        self.chosen.is_some()
    }

    /// Finds its row in the new order; `page` rows can be seen.
    pub(crate) fn settle(&mut self, rows: &[Row], page: usize) {
        let line = self.index.saturating_sub(self.offset);
        let found = self
            .chosen
            .as_ref()
            .and_then(|id| rows.iter().position(|row| row.id == *id));
        match (found, &self.chosen) {
            (Some(index), _) => {
                self.index = index;
                self.offset = index.saturating_sub(line);
            }
            // Its row has gone: the one that has come to its place.
            (None, Some(_)) => {
                self.index = self.index.min(rows.len().saturating_sub(1));
                self.chosen = rows.get(self.index).map(|row| row.id.clone());
            }
            (None, None) => (self.index, self.offset) = (0, 0),
        }
        self.keep_in_sight(rows.len(), page);
    }

    /// Goes to a row.
    pub(crate) fn go(&mut self, index: usize, rows: &[Row], page: usize) {
        self.index = index.min(rows.len().saturating_sub(1));
        self.chosen = rows.get(self.index).map(|row| row.id.clone());
        self.keep_in_sight(rows.len(), page);
    }

    /// Goes so many rows down, or up.
    pub(crate) fn step(&mut self, by: isize, rows: &[Row], page: usize) {
        self.go(self.index.saturating_add_signed(by), rows, page);
    }

    /// To the first line, and stays there whatever comes to it.
    pub(crate) fn home(&mut self) {
        *self = Self::default();
    }

    fn keep_in_sight(&mut self, count: usize, page: usize) {
        let page = page.max(1);
        self.offset = self
            .offset
            .min(self.index)
            .max((self.index + 1).saturating_sub(page))
            .min(count.saturating_sub(page));
    }
}
