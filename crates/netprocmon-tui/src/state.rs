//! What is shown: plain values, made from snapshots and from what was typed. No terminal, no clock,
//! no I/O; `update` changes it, `views` draw it.

use std::sync::Arc;

use netprocmon::units::Units;
use netprocmon::{ProcessId, Snapshot};
use ratatui::layout::Rect;

use crate::glyphs::Glyphs;
use crate::keys::Place;
use crate::layout::Layout;
use crate::settings::{Amounts, ColumnId, Flow, Idle, Naming, Settings, Shape, View};
use crate::theme::Theme;

pub(crate) mod baseline;
pub(crate) mod columns;
pub(crate) mod cursor;
pub(crate) mod linger;
pub(crate) mod menu;
pub(crate) mod order;
pub(crate) mod prompt;
pub(crate) mod rows;
pub(crate) mod series;
pub(crate) mod tracks;

use columns::{Placed, Wanted};
use cursor::Cursor;
use menu::Menu;
use order::{Motion, Order};
use prompt::Prompt;
use rows::{Asked, Ordered, Row, RowId, Subject};
use series::{Look, Series};
use tracks::Tracks;

/// What lies over the view.
#[derive(Debug, Default)]
pub(crate) enum Overlay {
    #[default]
    None,
    Prompt(Prompt),
    Menu(Menu),
    Help {
        scroll: usize,
    },
    Doctor {
        scroll: usize,
    },
}

/// How a message is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Done,
    Wrong,
}

/// A message, until the next key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

/// What is shown in detail.
#[derive(Debug)]
pub(crate) struct Detail {
    pub(crate) id: RowId,
    /// As it was last seen.
    pub(crate) subject: Subject,
    /// Where one came from.
    pub(crate) from: View,
    pub(crate) scroll: usize,
}

/// The order of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sort {
    pub(crate) by: ColumnId,
    pub(crate) way: Ordered,
}

/// One view's own: where one is in it and how it is ordered.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) sort: Sort,
    pub(crate) cursor: Cursor,
    order: Order,
}

/// Everything.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) width: u16,
    pub(crate) height: u16,
    pub(crate) view: View,
    pub(crate) units: Units,
    pub(crate) amounts: Amounts,
    pub(crate) flow: Flow,
    pub(crate) idle: Idle,
    pub(crate) shape: Shape,
    pub(crate) naming: Naming,
    /// What can be seen here and what not, as a text.
    pub(crate) diagnosis: String,
    pub(crate) theme: Theme,
    pub(crate) glyphs: Glyphs,
    pub(crate) motion: Motion,
    pub(crate) series: Series,
    /// What the screen stands at, where it is paused.
    pub(crate) paused: Option<Look>,
    /// In the order in which they stand.
    pub(crate) rows: Vec<Row>,
    /// Rows that were left out as idle.
    pub(crate) hidden: usize,
    /// Whether anything is known about where remotes are.
    origins: bool,
    tables: [Table; 4],
    pub(crate) overlay: Overlay,
    pub(crate) detail: Option<Detail>,
    pub(crate) notice: Option<Notice>,
    /// Whether the next `x` resets.
    pub(crate) armed: bool,
}

impl State {
    pub(crate) fn new(settings: Settings, width: u16, height: u16) -> Self {
        let table = |view| {
            let wanted = Wanted {
                view,
                grouped: false,
                amounts: Amounts::Both,
                units: settings.units,
                origins: true,
            };
            let asked = settings
                .sort
                .filter(|by| columns::sortable(wanted).contains(by));
            Table {
                sort: Sort {
                    by: asked.unwrap_or(ColumnId::Rate),
                    way: Ordered::Usual,
                },
                cursor: Cursor::default(),
                order: Order::default(),
            }
        };
        let series = Series::new(settings.filter, settings.group_by, settings.keep_ended);
        Self {
            width,
            height,
            view: settings.view,
            units: settings.units,
            amounts: settings.amounts,
            flow: settings.flow,
            idle: settings.idle,
            shape: settings.shape,
            naming: settings.naming,
            diagnosis: String::new(),
            theme: settings.theme,
            glyphs: settings.glyphs,
            motion: Motion::Free,
            series,
            paused: None,
            rows: Vec::new(),
            hidden: 0,
            origins: false,
            tables: [
                table(View::Processes),
                table(View::Connections),
                table(View::Remotes),
                table(View::Interfaces),
            ],
            overlay: Overlay::None,
            detail: None,
            notice: None,
            armed: false,
        }
    }

    /// What the screen stands at.
    pub(crate) fn look(&self) -> Option<&Look> {
        self.paused.as_ref().or_else(|| self.series.look())
    }

    /// The tracks that belong to the rows.
    pub(crate) fn tracks(&self) -> &Tracks {
        self.series.shown_tracks()
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::of(self.width, self.height)
    }

    pub(crate) fn screen(&self) -> Rect {
        Rect::new(0, 0, self.width, self.height)
    }

    /// Where one stands, for the keys.
    pub(crate) const fn place(&self) -> Place {
        match (&self.overlay, self.view) {
            (Overlay::Menu(_), _) => Place::Menu,
            (Overlay::Help { .. } | Overlay::Doctor { .. }, _) => Place::Page,
            (_, View::Detail) => Place::Detail,
            (_, view) => Place::Table(view),
        }
    }

    pub(crate) fn table(&self) -> &Table {
        &self.tables[table_of(self.view)]
    }

    pub(crate) fn table_mut(&mut self) -> &mut Table {
        &mut self.tables[table_of(self.view)]
    }

    pub(crate) fn wanted(&self) -> Wanted {
        Wanted {
            view: self.view,
            grouped: self.series.by().is_some(),
            amounts: self.amounts,
            units: self.units,
            origins: self.origins,
        }
    }

    /// The columns, in their places.
    pub(crate) fn columns(&self) -> Vec<Placed> {
        columns::place(self.wanted(), self.width)
    }

    /// The row under the cursor.
    pub(crate) fn row(&self) -> Option<&Row> {
        self.rows.get(self.table().cursor.index())
    }

    /// Takes the next snapshot; the screen changes with it unless it is paused.
    pub(crate) fn take(&mut self, snapshot: Arc<Snapshot>) {
        self.series.take(snapshot);
        if self.paused.is_none() {
            self.remake();
        }
    }

    /// Makes the rows anew.
    pub(crate) fn remake(&mut self) {
        let Some(look) = self.look().cloned() else {
            return;
        };
        self.refresh_detail(&look);
        if self.view == View::Detail {
            return;
        }
        let asked = Asked {
            look: &look,
            tracks: self.series.shown_tracks(),
            view: self.view,
            flow: self.flow,
            idle: self.idle,
        };
        let (rows, hidden) = rows::rows(asked);
        let table = &mut self.tables[table_of(self.view)];
        let Sort { by, way } = table.sort;
        let rows = table.order.arrange(rows, by, way, self.flow, self.motion);
        let is_tree = self.shape == Shape::Tree && self.view == View::Processes;
        let rows = if is_tree && look.groups.is_none() {
            order::as_tree(rows)
        } else {
            rows::unfold(asked, rows, is_tree)
        };
        self.origins = self.origins
            || (self.view != View::Processes && rows.iter().any(|row| rows::origin(row).is_some()));
        self.rows = rows;
        self.hidden = hidden;
        let page = self.layout().page();
        self.tables[table_of(self.view)]
            .cursor
            .settle(&self.rows, page);
    }

    /// Orders are made for one column and one way of seeing.
    pub(crate) fn forget_orders(&mut self) {
        for table in &mut self.tables {
            table.order.clear();
        }
    }

    fn refresh_detail(&mut self, look: &Look) {
        let Some(detail) = &mut self.detail else {
            return;
        };
        let now = &look.now;
        let owner = detail.process();
        let usage = now
            .processes
            .binary_search_by_key(&owner, |usage| usage.process.id);
        let usage = usage.ok().map(|index| &now.processes[index]);
        match &detail.id {
            RowId::Connection(id) => {
                let mut all = now.processes.iter();
                // It may have changed hands; its owner is the likeliest.
                let mut found = usage.and_then(|usage| connection(usage, *id));
                if found.is_none() {
                    found = all.find_map(|usage| connection(usage, *id));
                }
                if let Some(found) = found {
                    detail.subject = found;
                }
            }
            _ => {
                if let Some(usage) = usage {
                    detail.subject = Subject::Process(Arc::clone(usage));
                }
            }
        }
    }
}

impl Detail {
    /// The process that it is, or whose connection it is.
    pub(crate) fn process(&self) -> ProcessId {
        match &self.subject {
            Subject::Process(usage) => usage.process.id,
            Subject::Connection(owner, _) => owner.id,
            // Nothing else is opened in detail.
            _ => ProcessId {
                pid: netprocmon::Pid(0),
                start_boottime: 0,
            },
        }
    }
}

fn connection(
    usage: &Arc<netprocmon::ProcessUsage>,
    id: netprocmon::ConnectionId,
) -> Option<Subject> {
    let mut all = usage.connections.iter().flatten();
    let found = all.find(|one| one.id == id)?;
    Some(Subject::Connection(
        Arc::clone(&usage.process),
        Arc::clone(found),
    ))
}

const fn table_of(view: View) -> usize {
    match view {
        View::Processes | View::Detail => 0,
        View::Connections => 1,
        View::Remotes => 2,
        View::Interfaces => 3,
    }
}
