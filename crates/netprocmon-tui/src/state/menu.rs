//! A list to choose from, over the view.

use netprocmon::GroupBy;

use crate::export::Format;
use crate::settings::ColumnId;

/// What is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    Sort(ColumnId),
    Group(Option<GroupBy>),
    Export(Format),
}

/// The list, and where the cursor is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Menu {
    pub(crate) title: &'static str,
    pub(crate) entries: Vec<(String, Choice)>,
    pub(crate) at: usize,
}

impl Menu {
    pub(crate) fn new(
        title: &'static str,
        entries: Vec<(String, Choice)>,
        current: Option<Choice>,
    ) -> Self {
        let at = entries
            .iter()
            .position(|(_, choice)| Some(*choice) == current);
        Self {
            title,
            entries,
            at: at.unwrap_or(0),
        }
    }

    /// The groupings that the live view offers.
    pub(crate) fn groups(current: Option<GroupBy>) -> Self {
        let all = GroupBy::ALL.into_iter().map(|by| match by {
            GroupBy::Process => ("none: a row a process".to_owned(), Choice::Group(None)),
            by => (by.name().to_owned(), Choice::Group(Some(by))),
        });
        Self::new("sum by", all.collect(), Some(Choice::Group(current)))
    }

    pub(crate) fn step(&mut self, by: isize) {
        let last = self.entries.len().saturating_sub(1);
        self.at = self.at.saturating_add_signed(by).min(last);
    }

    /// Goes to the next entry that begins with this letter.
    pub(crate) fn seek(&mut self, letter: char) {
        let count = self.entries.len();
        let after = (1..=count).map(|step| (self.at + step) % count.max(1));
        let begins = |at: &usize| self.entries[*at].0.starts_with(letter);
        if let Some(at) = after.into_iter().find(begins) {
            self.at = at;
        }
    }

    pub(crate) fn choice(&self) -> Option<Choice> {
        self.entries.get(self.at).map(|(_, choice)| *choice)
    }
}
