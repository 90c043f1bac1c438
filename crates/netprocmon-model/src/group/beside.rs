//! Two lists of records beside one another: what became of each.

use std::sync::Arc;

use crate::ConnectionUsage;

type One = Arc<ConnectionUsage>;

/// One connection in an earlier list and a later one.
pub(super) enum Beside<'then, 'now> {
    /// Nothing has happened to it: both share the record.
    Same(&'now One),
    Changed(&'then One, &'now One),
    New(&'now One),
    Gone(&'then One),
}

/// Visits all that are in either. Lists are in the order of their numbers; what stands elsewhere is
/// gone and new.
pub(super) fn beside<'then, 'now>(
    then: &'then [One],
    now: &'now [One],
    mut visit: impl FnMut(Beside<'then, 'now>),
) {
    let mut then = then.iter().peekable();
    for one in now {
        // The number is behind the pointer, which mostly is enough.
        if then.next_if(|then| Arc::ptr_eq(then, one)).is_some() {
            visit(Beside::Same(one));
            continue;
        }
        while let Some(gone) = then.next_if(|then| then.id < one.id) {
            visit(Beside::Gone(gone));
        }
        visit(match then.next_if(|then| then.id == one.id) {
            Some(then) if Arc::ptr_eq(then, one) => Beside::Same(one),
            Some(then) => Beside::Changed(then, one),
            None => Beside::New(one),
        });
    }
    then.for_each(|gone| visit(Beside::Gone(gone)));
}
