//! Two lists of records beside one another: what became of each.
//!
//! Snapshots share the records of what has not changed, so a look at a pointer tells.

use std::sync::Arc;

/// One record in an earlier list and a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside<'then, 'now, T> {
    /// Nothing has happened to it: both lists share the record.
    Same(&'now Arc<T>),
    /// It was the first and is the second.
    Changed(&'then Arc<T>, &'now Arc<T>),
    /// It was not there before.
    New(&'now Arc<T>),
    /// It is not there any more.
    Gone(&'then Arc<T>),
}

impl<'then, 'now, T> Beside<'then, 'now, T> {
    /// What is another record than before, and what it was where it was there.
    #[must_use]
    pub fn news(&self) -> Option<(Option<&'then T>, &'now T)> {
        match self {
            Self::Changed(then, now) => Some((Some(then), now)),
            Self::New(now) => Some((None, now)),
            Self::Same(_) | Self::Gone(_) => None,
        }
    }
}

/// Visits all records that are in either list, each once.
///
/// Both are in ascending order of `id`, as a [`Snapshot`](crate::Snapshot) has its processes, and a
/// process its connections. What stands elsewhere is gone and new.
pub fn beside<'then, 'now, T, Id: Ord>(
    then: &'then [Arc<T>],
    now: &'now [Arc<T>],
    id: impl Fn(&T) -> Id,
    mut visit: impl FnMut(Beside<'then, 'now, T>),
) {
    let mut then = then.iter().peekable();
    for one in now {
        // The number is behind the pointer, which mostly is enough.
        if then.next_if(|then| Arc::ptr_eq(then, one)).is_some() {
            visit(Beside::Same(one));
            continue;
        }
        while let Some(gone) = then.next_if(|then| id(then) < id(one)) {
            visit(Beside::Gone(gone));
        }
        visit(match then.next_if(|then| id(then) == id(one)) {
            Some(then) if Arc::ptr_eq(then, one) => Beside::Same(one),
            Some(then) => Beside::Changed(then, one),
            None => Beside::New(one),
        });
    }
    then.for_each(|gone| visit(Beside::Gone(gone)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_visited_once_and_pointers_tell() {
        let then: Vec<Arc<u32>> = [1, 3, 5, 6].map(Arc::new).into();
        let now = [Arc::new(2), Arc::new(3), Arc::clone(&then[2]), Arc::new(7)];
        let mut seen = Vec::new();
        beside(&then, &now, |one| *one, |one| seen.push(one));
        assert_eq!(
            seen,
            [
                Beside::Gone(&then[0]),
                Beside::New(&now[0]),
                Beside::Changed(&then[1], &now[1]),
                Beside::Same(&now[2]),
                Beside::Gone(&then[3]),
                Beside::New(&now[3]),
            ]
        );
    }
}
