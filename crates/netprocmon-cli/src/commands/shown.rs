//! What of a snapshot is shown: filtered, grouped, and without the connections that were tracked
//! only to tell.

use std::sync::Arc;
use std::time::Duration;

use netprocmon::{Filter, FilterView, Group, GroupBy, GroupView, Rates, Shown, Snapshot};

use crate::flags::meaning::Connections;

/// Makes what is shown of one snapshot after another.
#[derive(Debug)]
pub(crate) struct Series {
    filter: FilterView,
    groups: Option<GroupView>,
    connections: Connections,
}

impl Series {
    pub(crate) fn new(filter: &Filter, by: &[GroupBy], connections: Connections) -> Self {
        Self {
            filter: FilterView::new(filter.clone()),
            groups: (!by.is_empty()).then(|| GroupView::new(by)),
            connections,
        }
    }

    pub(crate) fn next(&mut self, snapshot: &Arc<Snapshot>) -> Shown {
        let filter = self.filter.filter().clone();
        let filtered = if filter.takes_everything() {
            Arc::clone(snapshot)
        } else {
            Arc::new(self.filter.next(snapshot))
        };
        let groups = self.groups.as_mut();
        let groups = groups.map(|groups| groups.next(Arc::clone(&filtered)));
        Shown {
            snapshot: with(self.connections, filtered),
            filter,
            groups,
        }
    }
}

/// Whether connections must be tracked: to be shown, or to tell what is.
pub(crate) fn tracks_connections(
    connections: Connections,
    filter: &Filter,
    by: &[GroupBy],
) -> bool {
    connections == Connections::Shown || filter.needs_connections() || GroupBy::need_connections(by)
}

/// The groups of a run's tree, with rates over the run. What no process is charged with is the
/// whole host's, so it is in none of them.
pub(crate) fn groups_of_run(tree: &Snapshot, by: &[GroupBy], wall: Duration) -> Option<Vec<Group>> {
    (!by.is_empty()).then_some(())?;
    let mut tree = tree.clone();
    tree.unattributed.clear();
    let mut groups = tree.group_by(by);
    set_rates(&mut groups, wall);
    Some(groups)
}

fn set_rates(groups: &mut [Group], wall: Duration) {
    for group in groups {
        group.rates = Rates::over(&group.counters, wall.as_secs_f64());
        set_rates(&mut group.groups, wall);
    }
}

/// The snapshot with its connections only where they are shown.
pub(crate) fn with(connections: Connections, mut snapshot: Arc<Snapshot>) -> Arc<Snapshot> {
    let has_any = |snapshot: &Snapshot| {
        let mut rows = snapshot.processes.iter();
        rows.any(|usage| usage.connections.is_some())
    };
    if connections == Connections::Hidden && has_any(&snapshot) {
        for usage in &mut Arc::make_mut(&mut snapshot).processes {
            Arc::make_mut(usage).connections = None;
        }
    }
    snapshot
}
