//! Groups over one snapshot after another: what has ended stays in its group, and every group has
//! rates.

use std::sync::Arc;

use super::portion::portions;
use super::tree::{Level, Pace};
use super::{Group, GroupBy};
use crate::Snapshot;

/// Groups the snapshots of one monitor in their order.
///
/// At most 16384 groups are kept beside one another; what comes after them is in a group of
/// [`Others`](super::GroupKey::Others).
#[derive(Debug)]
pub struct GroupView {
    by: Vec<GroupBy>,
    before: Option<Arc<Snapshot>>,
    level: Level,
}

impl GroupView {
    /// A view that has seen nothing yet.
    #[must_use]
    pub fn new(by: &[GroupBy]) -> Self {
        Self {
            by: by.to_vec(),
            before: None,
            level: Level::default(),
        }
    }

    /// The groups of everything up to this snapshot, with rates since the one before.
    pub fn next(&mut self, snapshot: Arc<Snapshot>) -> Vec<Group> {
        self.level.rest();
        let before = self.before.as_deref();
        let (level, by) = (&mut self.level, &self.by);
        portions(&snapshot, before, by, |portion| level.add(by, portion));
        let earlier = before.map(|before| before.elapsed).unwrap_or_default();
        let seconds = snapshot.elapsed.saturating_sub(earlier).as_secs_f64();
        self.before = Some(snapshot);
        self.level.groups(Pace::Over(seconds))
    }
}
