//! What everybody together moves: two lines, or two charts where the screen is high.

use std::time::Duration;

use netprocmon::text::width;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::cells::narrow;
use crate::chart::{self, Way};
use crate::settings::Flow;
use crate::state::State;
use crate::state::rows::flow_of;
use crate::state::tracks::{KEPT, Pace, Track};

/// What is charted, and what is said of it.
pub(super) struct Charted<'a> {
    pub(super) track: Option<&'a Track>,
    pub(super) tick: u32,
    pub(super) totals: (Option<u64>, Option<u64>),
}

impl Charted<'_> {
    fn paces(&self, count: usize) -> Vec<Pace> {
        let count = count.min(KEPT as usize);
        self.track.map_or_else(
            || vec![Pace::default(); count],
            |track| track.until(self.tick, count),
        )
    }

    fn total(&self, way: Way) -> Option<u64> {
        match way {
            Way::Sent => self.totals.0,
            Way::Recv => self.totals.1,
        }
    }
}

pub(super) fn draw(state: &State, buffer: &mut Buffer, area: Rect) {
    let Some(look) = state.look() else {
        return;
    };
    let charted = Charted {
        track: Some(&state.tracks().total),
        tick: look.tick,
        totals: flow_of(&look.shown.totals, state.flow),
    };
    match area.height {
        0 => {}
        1 => one_line(state, &charted, buffer, area),
        2..5 => {
            for (way, y) in [Way::Sent, Way::Recv].into_iter().zip(area.y..) {
                line(
                    state,
                    &charted,
                    way,
                    buffer,
                    Rect::new(area.x, y, area.width, 1),
                );
            }
        }
        _ => charts(state, &charted, buffer, area),
    }
}

const fn word(flow: Flow, way: Way) -> &'static str {
    match (flow, way) {
        (Flow::Wire, Way::Sent) => "sent",
        (Flow::Wire, Way::Recv) => "received",
        (Flow::Payload, Way::Sent) => "payload sent",
        (Flow::Payload, Way::Recv) => "payload received",
    }
}

fn arrow(state: &State, way: Way) -> &'static str {
    match way {
        Way::Sent => state.glyphs.sent(),
        Way::Recv => state.glyphs.recv(),
    }
}

fn rate(state: &State, charted: &Charted<'_>, way: Way) -> String {
    let pace = charted
        .track
        .map(|track| track.at(charted.tick))
        .unwrap_or_default();
    let known = charted.total(way).map(|_| pace.of(state.flow, way));
    state.units.rate(known)
}

fn one_line(state: &State, charted: &Charted<'_>, buffer: &mut Buffer, area: Rect) {
    let half = area.width / 2;
    for (way, x) in [(Way::Sent, area.x), (Way::Recv, area.x + half)] {
        let text = format!(" {} {:>10}", arrow(state, way), rate(state, charted, way));
        let (end, _) = buffer.set_stringn(x, area.y, &text, half.into(), state.theme.of(way));
        let total = format!(" {}", state.units.size(charted.total(way)));
        if usize::from(end - x) + width(&total) < half.into() {
            buffer.set_stringn(end, area.y, &total, half.into(), state.theme.quiet);
        }
    }
}

/// `▲ sent   1.21 MiB/s ⣀⣤⣶⣿   max 2.00 MiB/s   total 1.20 GiB`.
fn line(state: &State, charted: &Charted<'_>, way: Way, buffer: &mut Buffer, area: Rect) {
    let theme = &state.theme;
    let style = theme.of(way);
    let word = match (state.flow, way) {
        (_, Way::Sent) => "sent",
        (_, Way::Recv) => "recv",
    };
    let left = format!(
        " {} {word} {:>12}  ",
        arrow(state, way),
        rate(state, charted, way)
    );
    let (x, _) = buffer.set_stringn(
        area.x,
        area.y,
        &left,
        area.width.into(),
        style.patch(theme.strong),
    );
    let total = state.units.size(charted.total(way));
    let right = format!("  total {total:>10} ");
    let room = usize::from(area.right() - x);
    let with_total = room > width(&right) + 8;
    let columns = room - if with_total { width(&right) } else { 0 };
    let paces = charted.paces(chart::samples(state.glyphs, columns));
    let values: Vec<f64> = paces.iter().map(|pace| pace.of(state.flow, way)).collect();
    let most = values.iter().copied().fold(0.0, f64::max);
    let top = chart::ceiling(most, state.units);
    let scale = format!(" {} ", state.units.rate(Some(top)));
    let columns = columns.saturating_sub(width(&scale));
    let paces = &values[values
        .len()
        .saturating_sub(chart::samples(state.glyphs, columns))..];
    for text in chart::area(paces, columns, 1, top, state.glyphs) {
        buffer.set_stringn(x, area.y, &text, columns, style);
    }
    let x = x + narrow(columns);
    buffer.set_stringn(x, area.y, &scale, width(&scale), theme.quiet);
    if with_total {
        let x = area.right() - narrow(width(&right));
        buffer.set_stringn(x, area.y, &right, width(&right), theme.text);
    }
}

/// Both directions beside one another, each with its scale.
pub(super) fn charts(state: &State, charted: &Charted<'_>, buffer: &mut Buffer, area: Rect) {
    let half = area.width / 2;
    let left = Rect::new(area.x, area.y, half, area.height);
    let right = Rect::new(area.x + half, area.y, area.width - half, area.height);
    for (way, area) in [(Way::Sent, left), (Way::Recv, right)] {
        one_chart(state, charted, way, buffer, area);
    }
}

fn one_chart(state: &State, charted: &Charted<'_>, way: Way, buffer: &mut Buffer, area: Rect) {
    let theme = &state.theme;
    let style = theme.of(way);
    if area.width < 16 || area.height < 4 {
        return;
    }
    super::overlay::frame(state, buffer, area);
    let name = format!(" {} {} ", arrow(state, way), word(state.flow, way));
    let now = format!("{} ", rate(state, charted, way));
    let room = usize::from(area.width - 4);
    let (x, _) = buffer.set_stringn(area.x + 2, area.y, &name, room, style);
    let left = usize::from(area.right().saturating_sub(x + 2));
    let (x, _) = buffer.set_stringn(x, area.y, &now, left, style.patch(theme.strong));
    let total = format!(" total {} ", state.units.size(charted.total(way)));
    if usize::from(x) + width(&total) + 2 < area.right().into() {
        let x = area.right() - narrow(width(&total)) - 2;
        buffer.set_stringn(x, area.y, &total, room, theme.quiet);
    }
    let inner = Rect::new(area.x + 1, area.y + 1, area.width - 2, area.height - 2);
    let scale = 12.min(inner.width / 3);
    let columns = usize::from(inner.width - scale);
    let paces = charted.paces(chart::samples(state.glyphs, columns));
    let values: Vec<f64> = paces.iter().map(|pace| pace.of(state.flow, way)).collect();
    let most = values.iter().copied().fold(0.0, f64::max);
    let top = chart::ceiling(most, state.units);
    let rows = usize::from(inner.height);
    let lines = chart::area(&values, columns, rows, top, state.glyphs);
    for (text, y) in lines.iter().zip(inner.y..) {
        buffer.set_stringn(inner.x + scale, y, text, columns, style);
    }
    // The scale: its top, its middle, nothing.
    let mut marks = vec![(0, top), (rows - 1, 0.0)];
    if rows >= 5 {
        marks.push((rows / 2, top / 2.0));
    }
    for (row, value) in marks {
        let text = state.units.rate(Some(value));
        let left = usize::from(scale).saturating_sub(width(&text) + 1);
        let y = inner.y + narrow(row);
        let room = usize::from(scale).saturating_sub(left);
        buffer.set_stringn(inner.x + narrow(left), y, &text, room, theme.quiet);
    }
    // How far back it goes, on the frame.
    let Some(look) = state.look() else {
        return;
    };
    let count = chart::samples(state.glyphs, columns).min(KEPT as usize);
    let length = Duration::try_from_secs_f64(look.seconds()).unwrap_or_default();
    let back = length.saturating_mul(narrow(count).into());
    let ago = format!(" {} ago ", super::cells::short(back.as_secs()));
    let bottom = area.bottom() - 1;
    buffer.set_stringn(inner.x + scale, bottom, &ago, columns, theme.quiet);
    buffer.set_stringn(area.right() - 7, bottom, " now ", 5, theme.quiet);
}
