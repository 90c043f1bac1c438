//! A table: its head, and those of its rows that can be seen.

use netprocmon::text::{cut, width};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::cells;
use crate::chart::{self, Way};
use crate::settings::ColumnId;
use crate::state::columns::{Align, align, head as title, place};
use crate::state::rows::{Ordered, Row, RowId};
use crate::state::tracks::Pace;
use crate::state::{Overlay, State};

/// The heads of the columns; the one that is sorted by stands out.
pub(super) fn head(state: &State, buffer: &mut Buffer, area: Rect) {
    if area.height == 0 {
        return;
    }
    let sort = state.table().sort;
    for column in place(state.wanted(), area.width) {
        let mut text = match (column.id, state.series.by()) {
            (ColumnId::Name, Some(by))
                if state.wanted().grouped && state.view == crate::settings::View::Processes =>
            {
                by.name().to_uppercase()
            }
            _ => title(column.id, state.view, state.flow).to_owned(),
        };
        let both = match sort.by {
            ColumnId::Rate => matches!(column.id, ColumnId::SentRate | ColumnId::RecvRate),
            ColumnId::Total => matches!(column.id, ColumnId::Sent | ColumnId::Recv),
            _ => false,
        };
        let style = if column.id == sort.by || both {
            let sign = state.glyphs.order(sort.way == Ordered::Usual);
            let room = usize::from(column.width).saturating_sub(1);
            text = format!("{}{sign}", cut(&text, room));
            state.theme.sorted
        } else {
            state.theme.head
        };
        put(
            buffer,
            area.x + column.x,
            area.y,
            column.width,
            align(column.id),
            &text,
            style,
        );
    }
}

/// The rows.
pub(super) fn body(state: &State, buffer: &mut Buffer, area: Rect) {
    let columns = place(state.wanted(), area.width);
    let cursor = &state.table().cursor;
    let visible = state.rows.iter().enumerate().skip(cursor.offset());
    for ((index, row), y) in visible.zip(area.y..area.bottom()) {
        for column in &columns {
            let x = area.x + column.x;
            if column.id == ColumnId::Graph {
                graph(state, row, buffer, Rect::new(x, y, column.width, 1));
                continue;
            }
            let (text, style) = cells::cell(state, row, column.id, column.width.into());
            put(buffer, x, y, column.width, align(column.id), &text, style);
        }
        if index == cursor.index() {
            buffer.set_style(Rect::new(area.x, y, area.width, 1), state.theme.cursor);
        }
    }
    if state.rows.is_empty() && area.height > 1 {
        let text = nothing(state);
        let text = cut(&text, area.width.into()).into_owned();
        buffer.set_stringn(
            area.x,
            area.y + 1,
            text,
            area.width.into(),
            state.theme.quiet,
        );
    }
}

/// Why there is nothing to be seen.
fn nothing(state: &State) -> String {
    let is_filtering = matches!(state.overlay, Overlay::Prompt(_));
    if state.look().is_none() {
        "waiting for the first sample…".to_owned()
    } else if !state.series.filter().takes_everything() {
        let how = if is_filtering { "" } else { "; Esc clears it" };
        format!("nothing matches the filter{how}")
    } else if state.hidden > 0 {
        format!(
            "nothing has moved yet; {} are idle, i shows them",
            state.hidden
        )
    } else {
        "nothing yet".to_owned()
    }
}

/// What a row moved, interval by interval, in the colour of the direction that moved more.
fn graph(state: &State, row: &Row, buffer: &mut Buffer, area: Rect) {
    let Some(look) = state.look() else {
        return;
    };
    let tracks = state.tracks();
    let track = match &row.id {
        RowId::Process(id) => tracks.process(*id),
        RowId::Connection(id) => tracks.connection(*id),
        RowId::Interface(id) => tracks.interface(*id),
        _ => None,
    };
    let Some(track) = track else {
        return;
    };
    let paces = track.until(look.tick, area.width.into());
    let both = |pace: &Pace| pace.both(state.flow);
    let top = paces.iter().map(both).fold(0.0, f64::max);
    let line = chart::line(paces.iter().map(both), top, state.glyphs);
    for ((mark, pace), x) in line.chars().zip(&paces).zip(area.x..area.right()) {
        let sent = pace.of(state.flow, Way::Sent);
        let way = if sent > pace.of(state.flow, Way::Recv) {
            Way::Sent
        } else {
            Way::Recv
        };
        let style = if row.has_ended() {
            state.theme.ended
        } else {
            state.theme.of(way)
        };
        buffer[(x, area.y)].set_char(mark).set_style(style);
    }
}

/// Writes a text into its column, cut to it.
pub(super) fn put(
    buffer: &mut Buffer,
    x: u16,
    y: u16,
    columns: u16,
    align: Align,
    text: &str,
    style: ratatui::style::Style,
) {
    let text = cut(text, columns.into());
    let left = match align {
        Align::Left => 0,
        Align::Right => usize::from(columns).saturating_sub(width(&text)),
    };
    let left = u16::try_from(left).unwrap_or(0);
    buffer.set_stringn(
        x + left,
        y,
        &*text,
        usize::from(columns - left.min(columns)),
        style,
    );
}
