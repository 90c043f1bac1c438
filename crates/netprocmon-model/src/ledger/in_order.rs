//! Things by number, in the order in which they appeared.
//!
//! A tick goes through most connections in that order, so the one that is looked for is mostly the next:
//! then nothing is searched. A tree alone is searched anew for each (a third of the ledger's part of a
//! tick with 10,000 active ones), a hash waits for memory at each.

use std::collections::BTreeMap;

use crate::ConnectionId;

#[derive(Debug)]
pub(super) struct InOrder<T> {
    places: BTreeMap<ConnectionId, usize>,
    /// Which is where, close together: what is looked for is compared with the next one.
    ids: Vec<ConnectionId>,
    /// In the same places; `None` where one was removed, and the next that appears goes there.
    all: Vec<Option<T>>,
    free: Vec<usize>,
    /// Behind the one that was looked for last.
    next: usize,
}

impl<T> Default for InOrder<T> {
    fn default() -> Self {
        Self {
            places: BTreeMap::new(),
            ids: Vec::new(),
            all: Vec::new(),
            free: Vec::new(),
            next: 0,
        }
    }
}

impl<T> InOrder<T> {
    pub(super) fn get(&self, id: ConnectionId) -> Option<&T> {
        self.all[self.place(id)?].as_ref()
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut T> {
        let at = self.place(id)?;
        self.next = at + 1;
        self.all[at].as_mut()
    }

    /// The one with this number, made where there is none; and whether it was.
    pub(super) fn get_or_make(
        &mut self,
        id: ConnectionId,
        make: impl FnOnce() -> T,
    ) -> (&mut T, bool) {
        let known = self.place(id);
        let at = known.or_else(|| self.free.pop()).unwrap_or_else(|| {
            self.ids.push(id);
            self.all.push(None);
            self.all.len() - 1
        });
        if known.is_none() {
            self.places.insert(id, at);
            self.ids[at] = id;
        }
        self.next = at + 1;
        (self.all[at].get_or_insert_with(make), known.is_none())
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<T> {
        let at = self.places.remove(&id)?;
        self.free.push(at);
        self.all[at].take()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ConnectionId, &T)> {
        let all = self.ids.iter().zip(&self.all);
        all.filter_map(|(id, one)| Some((*id, one.as_ref()?)))
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.all.iter_mut().flatten()
    }

    fn place(&self, id: ConnectionId) -> Option<usize> {
        match self.ids.get(self.next) {
            Some(next) if *next == id && self.all[self.next].is_some() => Some(self.next),
            _ => self.places.get(&id).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn they_are_found_in_any_order_and_removed_for_good() {
        let mut all = InOrder::default();
        for id in [5, 1, 9, 3, 7] {
            assert!(all.get_or_make(ConnectionId(id), || id).1);
        }
        for id in [1, 3, 9, 5, 1, 9, 7] {
            let made = || unreachable!("it is there");
            assert_eq!(
                all.get_or_make(ConnectionId(id), made),
                (&mut { id }, false)
            );
            assert_eq!(all.get(ConnectionId(id)), Some(&id));
            assert_eq!(all.get_mut(ConnectionId(id)), Some(&mut { id }));
        }
        assert_eq!(all.get_mut(ConnectionId(4)), None);
        for (id, left) in [(3, &[1, 5, 7, 9][..]), (9, &[1, 5, 7]), (1, &[5, 7])] {
            assert_eq!(all.remove(ConnectionId(id)), Some(id));
            assert_eq!(all.remove(ConnectionId(id)), None);
            assert_eq!(all.get(ConnectionId(id)), None);
            let ids: BTreeSet<_> = all.iter().map(|(id, _)| id.0).collect();
            assert!(ids.iter().eq(left));
            assert_eq!(all.values_mut().count(), left.len());
        }
        let places = all.all.len();
        for id in [9, 10, 11] {
            assert!(all.get_or_make(ConnectionId(id), || id).1);
        }
        assert_eq!(all.all.len(), places);
        assert_eq!(all.get(ConnectionId(9)), Some(&9));
    }
}
