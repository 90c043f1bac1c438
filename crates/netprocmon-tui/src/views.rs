//! From the state to the cells of the screen; nothing is decided here.
//!
//! Only what can be seen is made into text. All text from outside goes through [`cells::outside`].

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::settings::View;
use crate::state::{Overlay, State};

pub(crate) mod cells;
mod detail;
mod footer;
mod overlay;
mod summary;
mod table;
mod tabs;

pub(crate) use overlay::entry_at;
pub(crate) use tabs::tab_at;

/// Draws everything.
pub(crate) fn draw(state: &State, frame: &mut Frame<'_>) {
    let area = frame.area();
    let cursor = paint(state, frame.buffer_mut(), area);
    if let Some(cursor) = cursor {
        frame.set_cursor_position(cursor);
    }
}

/// The same, into a buffer; where the terminal's cursor is to be.
pub(crate) fn paint(state: &State, buffer: &mut Buffer, area: Rect) -> Option<Position> {
    // The terminal may have been resized since the state heard of it.
    let layout = crate::layout::Layout::of(area.width, area.height);
    tabs::draw(state, buffer, layout.tabs);
    if state.view == View::Detail {
        detail::draw(state, buffer, layout.whole());
    } else {
        summary::draw(state, buffer, layout.summary);
        table::head(state, buffer, layout.head);
        table::body(state, buffer, layout.body);
    }
    let cursor = footer::status(state, buffer, layout.status);
    footer::keys(state, buffer, layout.keys);
    overlay::draw(state, buffer, area);
    cursor
}

/// How far what one stands in can be scrolled.
pub(crate) fn scrolls(state: &State) -> usize {
    let area = state.screen();
    match (&state.overlay, state.view) {
        (Overlay::Help { .. } | Overlay::Doctor { .. }, _) => overlay::scrolls(state, area),
        (_, View::Detail) => detail::scrolls(state, state.layout().whole()),
        _ => 0,
    }
}
