//! One snapshot after another, made into what is shown: ended processes linger, a reset is taken
//! off, the filter and the groups are the model's.
//!
//! Fed with every snapshot whatever is on the screen, so that nothing is missing when the view
//! changes; a paused screen keeps the [`Look`] that it had.

use std::sync::Arc;
use std::time::Duration;

use netprocmon::{Filter, FilterView, Group, GroupBy, GroupView, Snapshot};

use super::baseline::Baseline;
use super::linger::Linger;
use super::tracks::Tracks;

/// What can be seen at one moment. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    before: Option<Arc<Snapshot>>,
    /// Everything.
    pub(crate) now: Arc<Snapshot>,
    /// What the filter takes of it.
    pub(crate) shown: Arc<Snapshot>,
    /// That, one interval earlier.
    pub(crate) shown_before: Option<Arc<Snapshot>>,
    /// Remotes, and who talks to each.
    pub(crate) remotes: Arc<[Arc<Group>]>,
    /// What is shown by the grouping that was asked for, and the processes in each.
    pub(crate) groups: Option<Arc<[Arc<Group>]>>,
    /// Both, one interval earlier.
    pub(crate) earlier: [Arc<[Arc<Group>]>; 2],
    /// Which interval it is.
    pub(crate) tick: u32,
}

impl Look {
    /// Length of the interval.
    pub(crate) fn seconds(&self) -> f64 {
        let earlier = self.shown_before.as_ref().map(|before| before.elapsed);
        let length = self
            .shown
            .elapsed
            .saturating_sub(earlier.unwrap_or_default());
        length.as_secs_f64()
    }
}

/// The filter's and the groups' part of it.
#[derive(Debug)]
struct Lens {
    filter: FilterView,
    remotes: GroupView,
    groups: Option<GroupView>,
}

impl Lens {
    fn new(filter: &Filter, by: Option<GroupBy>) -> Self {
        Self {
            filter: FilterView::new(filter.clone()),
            remotes: GroupView::new(&[GroupBy::Remote, GroupBy::Process]),
            groups: by.map(|by| GroupView::new(&[by, GroupBy::Process])),
        }
    }

    fn look(&mut self, before: Option<&Look>, now: Arc<Snapshot>, tick: u32) -> Look {
        let shown = if self.filter.filter().takes_everything() {
            Arc::clone(&now)
        } else {
            Arc::new(self.filter.next(&now))
        };
        let of = |view: &mut GroupView| -> Arc<[Arc<Group>]> {
            let groups = view.next(Arc::clone(&shown)).into_iter();
            groups.map(Arc::new).collect()
        };
        let none = || Arc::from([]);
        let earlier = before.map_or_else(
            || [none(), none()],
            |before| {
                let groups = before.groups.clone();
                [Arc::clone(&before.remotes), groups.unwrap_or_else(none)]
            },
        );
        Look {
            earlier,
            before: before.map(|before| Arc::clone(&before.now)),
            shown_before: before.map(|before| Arc::clone(&before.shown)),
            remotes: of(&mut self.remotes),
            groups: self.groups.as_mut().map(of),
            now,
            shown,
            tick,
        }
    }
}

/// The whole.
#[derive(Debug)]
pub(crate) struct Series {
    linger: Linger,
    baseline: Option<Baseline>,
    /// As the monitor gave it.
    raw: Option<Arc<Snapshot>>,
    filter: Filter,
    by: Option<GroupBy>,
    lens: Lens,
    look: Option<Look>,
    /// Of everything.
    pub(crate) tracks: Tracks,
    /// Of what is shown, where a filter takes parts of rows.
    shown_tracks: Option<Tracks>,
}

impl Series {
    pub(crate) fn new(filter: Filter, by: Option<GroupBy>, keep_ended: Duration) -> Self {
        Self {
            linger: Linger::new(keep_ended),
            baseline: None,
            raw: None,
            lens: Lens::new(&filter, by),
            shown_tracks: filter.recounts().then(Tracks::default),
            filter,
            by,
            look: None,
            tracks: Tracks::default(),
        }
    }

    pub(crate) const fn filter(&self) -> &Filter {
        &self.filter
    }

    pub(crate) const fn by(&self) -> Option<GroupBy> {
        self.by
    }

    pub(crate) const fn look(&self) -> Option<&Look> {
        self.look.as_ref()
    }

    /// The tracks of the rows that are shown.
    pub(crate) fn shown_tracks(&self) -> &Tracks {
        self.shown_tracks.as_ref().unwrap_or(&self.tracks)
    }

    /// Takes the next snapshot.
    pub(crate) fn take(&mut self, raw: Arc<Snapshot>) {
        self.raw = Some(Arc::clone(&raw));
        let with_ended = self.linger.apply(raw);
        let now = match &self.baseline {
            Some(baseline) => baseline.apply(&with_ended),
            None => with_ended,
        };
        let before = self.look.take();
        self.tracks
            .take(before.as_ref().map(|look| &*look.now), &now);
        let tick = self.tracks.tick();
        let look = self.lens.look(before.as_ref(), now, tick);
        if let Some(tracks) = &mut self.shown_tracks {
            tracks.take(look.shown_before.as_deref(), &look.shown);
        }
        self.look = Some(look);
    }

    /// Shows what this filter takes, from the last interval on.
    pub(crate) fn set_filter(&mut self, filter: Filter) {
        self.filter = filter;
        self.refocus();
    }

    /// Shows groups, or none.
    pub(crate) fn group_by(&mut self, by: Option<GroupBy>) {
        self.by = by;
        self.refocus();
    }

    /// Counts from now on.
    pub(crate) fn reset(&mut self) {
        let Some(raw) = &self.raw else {
            return;
        };
        self.linger.clear();
        let baseline = Baseline::new(Arc::clone(raw));
        let now = baseline.apply(raw);
        self.baseline = Some(baseline);
        self.lens = Lens::new(&self.filter, self.by);
        let tick = self.tracks.tick();
        self.look = Some(self.lens.look(None, now, tick));
    }

    /// The same moment as `look`, with the filter and the groups of now.
    pub(crate) fn seen_again(&self, look: &Look) -> Look {
        let mut lens = Lens::new(&self.filter, self.by);
        look_again(&mut lens, look)
    }

    fn refocus(&mut self) {
        self.lens = Lens::new(&self.filter, self.by);
        let tick = self.tracks.tick();
        let recounts = self.filter.recounts();
        self.shown_tracks = recounts.then(|| Tracks::from(tick.saturating_sub(1)));
        if let Some(look) = self.look.take() {
            let look = look_again(&mut self.lens, &look);
            if let Some(tracks) = &mut self.shown_tracks {
                tracks.take(look.shown_before.as_deref(), &look.shown);
            }
            self.look = Some(look);
        }
    }
}

/// Feeds a new lens with the interval that a look is of, so that it has rates at once.
fn look_again(lens: &mut Lens, look: &Look) -> Look {
    let before = look.before.clone();
    let before = before.map(|before| lens.look(None, before, look.tick.saturating_sub(1)));
    lens.look(before.as_ref(), Arc::clone(&look.now), look.tick)
}
