//! Things by number, ascending and in one piece.
//!
//! Connections appear in that order, and a tick goes through most of them in that order, so the one that
//! is looked for is mostly the next. A tree is searched anew for each (a third of the ledger's part of
//! a tick with 10,000 active ones), a hash waits for memory at each.

use crate::ConnectionId;

#[derive(Debug)]
pub(super) struct InOrder<T> {
    ids: Vec<ConnectionId>,
    /// In the same places; `None` for one that was forgotten.
    all: Vec<Option<T>>,
    forgotten: usize,
    /// Behind the one that was looked for last.
    next: usize,
}

impl<T> Default for InOrder<T> {
    fn default() -> Self {
        Self {
            ids: Vec::new(),
            all: Vec::new(),
            forgotten: 0,
            next: 0,
        }
    }
}

impl<T> InOrder<T> {
    pub(super) fn get(&self, id: ConnectionId) -> Option<&T> {
        self.all[self.place(id).ok()?].as_ref()
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut T> {
        let at = self.place(id).ok()?;
        self.next = at + 1;
        self.all[at].as_mut()
    }

    /// The one with this number, made where there is none; and whether it was.
    pub(super) fn get_or_make(
        &mut self,
        id: ConnectionId,
        make: impl FnOnce() -> T,
    ) -> (&mut T, bool) {
        let at = self.place(id).unwrap_or_else(|at| {
            self.ids.insert(at, id);
            self.all.insert(at, None);
            self.forgotten += 1;
            at
        });
        self.next = at + 1;
        let place = &mut self.all[at];
        let is_new = place.is_none();
        self.forgotten -= usize::from(is_new);
        (place.get_or_insert_with(make), is_new)
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<T> {
        let at = self.place(id).ok()?;
        let removed = self.all[at].take()?;
        self.forgotten += 1;
        // Half of them at once, so that each costs as much as any other, however many stay.
        if self.forgotten > self.all.len() / 2 {
            let mut is_there = self.all.iter().map(Option::is_some);
            self.ids.retain(|_| is_there.next() == Some(true));
            self.all.retain(Option::is_some);
            self.forgotten = 0;
            self.next = 0;
        }
        Some(removed)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ConnectionId, &T)> {
        let all = self.ids.iter().zip(&self.all);
        all.filter_map(|(id, one)| Some((*id, one.as_ref()?)))
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.all.iter_mut().flatten()
    }

    /// Where it is, or would be.
    fn place(&self, id: ConnectionId) -> Result<usize, usize> {
        match self.ids.get(self.next) {
            Some(next) if *next == id => Ok(self.next),
            _ => self.ids.binary_search(&id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(all: &InOrder<u64>) -> Vec<u64> {
        all.iter().map(|(id, _)| id.0).collect()
    }

    #[test]
    fn they_are_found_in_any_order_and_forgotten_for_good() {
        let mut all = InOrder::default();
        for id in [5, 1, 9, 3, 7] {
            let (_, is_new) = all.get_or_make(ConnectionId(id), || id);
            assert!(is_new);
        }
        assert_eq!(ids(&all), [1, 3, 5, 7, 9]);
        for id in [1, 3, 9, 5, 7, 1] {
            let made = || unreachable!("it is there");
            assert!(!all.get_or_make(ConnectionId(id), made).1);
            assert!(all.get(ConnectionId(id)).is_some());
        }
        assert!(all.get_mut(ConnectionId(4)).is_none());
        for (id, left) in [
            (3, &[1, 5, 7, 9][..]),
            (9, &[1, 5, 7]),
            (5, &[1, 7]),
            (7, &[1]),
        ] {
            assert!(all.remove(ConnectionId(id)).is_some());
            assert!(all.remove(ConnectionId(id)).is_none());
            assert!(all.get(ConnectionId(id)).is_none());
            assert_eq!(ids(&all), left);
            assert_eq!(all.values_mut().count(), left.len());
        }
        let (_, is_new) = all.get_or_make(ConnectionId(7), || 7);
        assert!(is_new);
        assert_eq!(ids(&all), [1, 7]);
    }
}
