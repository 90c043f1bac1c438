//! The first line: the views with their numbers, and what the numbers on the screen are of.

use netprocmon::text::width;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::settings::View;
use crate::state::State;

/// Between two tabs.
const GAP: usize = 2;

/// How long the names are.
#[derive(Clone, Copy)]
enum Length {
    Whole,
    Short,
    Letter,
}

const fn title(view: View, length: Length) -> &'static str {
    match (view, length) {
        (View::Processes, Length::Whole) => "Processes",
        (View::Connections, Length::Whole) => "Connections",
        (View::Interfaces, Length::Whole) => "Interfaces",
        (View::Detail, Length::Whole | Length::Short) => "Detail",
        (View::Processes, Length::Short) => "Procs",
        (View::Connections, Length::Short) => "Conns",
        (View::Remotes, Length::Whole | Length::Short) => "Remotes",
        (View::Interfaces, Length::Short) => "Ifaces",
        (View::Processes, Length::Letter) => "Proc",
        (View::Connections, Length::Letter) => "Conn",
        (View::Remotes, Length::Letter) => "Rem",
        (View::Interfaces, Length::Letter) => "Ifac",
        (View::Detail, Length::Letter) => "Det",
    }
}

/// Each tab's first column and text.
fn tabs(columns: u16) -> Vec<(View, u16, String)> {
    let all = |length| {
        let mut x = 1;
        let mut tabs = Vec::new();
        for (number, view) in (1..).zip(View::ALL) {
            let text = format!("{number} {}", title(view, length));
            let next = x + width(&text) + GAP;
            tabs.push((view, u16::try_from(x).unwrap_or(u16::MAX), text));
            x = next;
        }
        (tabs, x)
    };
    let room = usize::from(columns);
    for length in [Length::Whole, Length::Short] {
        // The moment beside them matters more than long names.
        let (tabs, end) = all(length);
        if end + 8 <= room {
            return tabs;
        }
    }
    all(Length::Letter).0
}

/// The view whose tab is at this column.
pub(crate) fn tab_at(state: &State, x: u16) -> Option<View> {
    let all = tabs(state.width);
    let at = |start: u16, text: &str| usize::from(start) + width(text);
    let found = all
        .iter()
        .find(|(_, start, text)| x >= *start && usize::from(x) < at(*start, text));
    found.map(|(view, ..)| *view)
}

pub(super) fn draw(state: &State, buffer: &mut Buffer, area: Rect) {
    if area.height == 0 {
        return;
    }
    let theme = &state.theme;
    let mut end = 0;
    for (view, x, text) in tabs(area.width) {
        let room = usize::from(area.width.saturating_sub(x));
        let style = if view == state.view {
            theme.accent.patch(theme.cursor)
        } else {
            theme.quiet
        };
        if view == state.view && x > 0 {
            let marked = Rect::new(
                area.x + x - 1,
                area.y,
                super::cells::narrow(width(&text)) + 2,
                1,
            );
            buffer.set_style(marked.intersection(area), style);
        }
        end = buffer.set_stringn(area.x + x, area.y, &text, room, style).0;
    }
    let Some(look) = state.look() else {
        return;
    };
    let snapshot = &look.shown;
    let time = snapshot.time.strftime("%H:%M:%SZ").to_string();
    let source = snapshot.source.name();
    let elapsed = super::cells::short(snapshot.elapsed.as_secs());
    let long = format!(
        "{source}{}{elapsed}{}{time}",
        state.glyphs.separator(),
        state.glyphs.separator()
    );
    let medium = format!("{elapsed}{}{time}", state.glyphs.separator());
    let room = usize::from(area.right().saturating_sub(end + 2));
    let fitting = [long, medium, time]
        .into_iter()
        .find(|text| width(text) < room);
    if let Some(text) = fitting {
        let x = area.right() - super::cells::narrow(width(&text)) - 1;
        buffer.set_stringn(x, area.y, &text, room, theme.quiet);
    }
}
