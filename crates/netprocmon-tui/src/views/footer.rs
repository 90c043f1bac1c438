//! The last two lines: the filter as it is typed, a message, how the rows are chosen, what cannot be
//! seen; and the keys that work here.

use netprocmon::text::{cut, width};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

use super::cells::outside;
use crate::keys;
use crate::settings::{Flow, Idle, Naming, Shape};
use crate::state::order::Motion;
use crate::state::prompt::Prompt;
use crate::state::{Overlay, State, Tone};

/// One of: what is typed, a message, how things stand. Where the cursor of the prompt is.
pub(super) fn status(state: &State, buffer: &mut Buffer, area: Rect) -> Option<Position> {
    if area.height == 0 {
        return None;
    }
    if let Overlay::Prompt(prompt) = &state.overlay {
        return Some(typed(state, prompt, buffer, area));
    }
    let theme = &state.theme;
    if let Some(notice) = &state.notice {
        let style = match notice.tone {
            Tone::Done => theme.accent,
            Tone::Wrong => theme.warning,
        };
        let text = outside(
            &notice.text,
            usize::from(area.width).saturating_sub(2),
            state.glyphs,
        );
        buffer.set_stringn(area.x + 1, area.y, text, area.width.into(), style);
        return None;
    }
    let mut x = area.x + 1;
    for (number, (text, style)) in standing(state).into_iter().enumerate() {
        let gap = if number > 0 {
            state.glyphs.separator()
        } else {
            ""
        };
        let room = usize::from(area.right().saturating_sub(x + 1)).saturating_sub(width(gap));
        if room < 8 {
            break;
        }
        x = buffer
            .set_stringn(x, area.y, gap, width(gap), theme.border)
            .0;
        let text = outside(&text, room, state.glyphs);
        x = buffer.set_stringn(x, area.y, &text, room, style).0;
    }
    None
}

/// What is out of the ordinary, most important first.
fn standing(state: &State) -> Vec<(String, Style)> {
    let theme = &state.theme;
    let mut all = Vec::new();
    if state.paused.is_some() {
        all.push((format!("{} paused", state.glyphs.pause()), theme.warning));
    }
    let filter = state.series.filter();
    if !filter.takes_everything() {
        all.push((format!("filter {filter}"), theme.accent));
    }
    if let Some(by) = state.series.by() {
        all.push((format!("by {by}"), theme.accent));
    }
    if state.motion == Motion::Frozen {
        all.push(("order frozen".to_owned(), theme.accent));
    }
    if let Some(look) = state.look()
        && let Some(first) = look.now.degradations.first()
    {
        let more = match look.now.degradations.len() {
            1 => String::new(),
            count => format!(" (and {} more)", count - 1),
        };
        let text = format!(
            "{} {}{more}: d says more",
            state.glyphs.warning(),
            first.message
        );
        all.push((text, theme.quiet));
    }
    if state.flow == Flow::Payload {
        all.push(("payload".to_owned(), theme.quiet));
    }
    if state.shape == Shape::Tree {
        all.push(("tree".to_owned(), theme.quiet));
    }
    if state.naming == Naming::CommandLine {
        all.push(("command lines".to_owned(), theme.quiet));
    }
    let rows = state.rows.iter().filter(|row| row.depth == 0).count();
    let count = match (state.idle, state.hidden) {
        (Idle::All, _) | (_, 0) => format!("{rows} rows"),
        (Idle::Moved, hidden) => format!("{rows} rows, {hidden} that moved nothing are hidden"),
        (Idle::Active, hidden) => format!("{rows} active, {hidden} idle are hidden"),
    };
    all.push((count, theme.quiet));
    all
}

/// The prompt, with what is wrong at its right.
fn typed(state: &State, prompt: &Prompt, buffer: &mut Buffer, area: Rect) -> Position {
    let theme = &state.theme;
    let head = " filter: ";
    let (x, _) = buffer.set_stringn(area.x, area.y, head, area.width.into(), theme.key);
    let room = usize::from(area.right().saturating_sub(x + 1));
    let (before, after) = prompt.shown();
    let error = prompt.error.as_deref().unwrap_or_default();
    // The end of what is typed stays in sight.
    let skipped = prompt.column().saturating_sub(room.saturating_sub(1));
    let mut left = skipped;
    let shown: String = before
        .chars()
        .chain(after.chars())
        .skip_while(|c| {
            let wide = width(c.encode_utf8(&mut [0; 4]));
            let skip = left > 0;
            left = left.saturating_sub(wide);
            skip
        })
        .collect();
    let shown = match state.glyphs {
        crate::glyphs::Glyphs::Unicode => shown,
        plain @ crate::glyphs::Glyphs::Plain => plain.fit(&shown),
    };
    let style = if error.is_empty() {
        theme.text
    } else {
        theme.warning
    };
    let (end, _) = buffer.set_stringn(x, area.y, cut(&shown, room), room, style);
    let room = usize::from(area.right().saturating_sub(end + 3));
    if !error.is_empty() && room > 8 {
        buffer.set_stringn(
            end + 2,
            area.y,
            outside(error, room, state.glyphs),
            room,
            theme.quiet,
        );
    }
    let column = prompt.column().saturating_sub(skipped);
    let column = u16::try_from(column).unwrap_or(0);
    Position::new((x + column).min(area.right().saturating_sub(1)), area.y)
}

/// The keys that are used most, as many as there is room for.
pub(super) fn keys(state: &State, buffer: &mut Buffer, area: Rect) {
    if area.height == 0 {
        return;
    }
    let theme = &state.theme;
    let mut x = area.x + 1;
    let typing = [
        ("Enter", "keep"),
        ("Esc", "clear"),
        ("Ctrl-U", "empty the line"),
    ];
    let hints: Vec<(&str, &str)> = match &state.overlay {
        Overlay::Prompt(_) => typing.into(),
        _ => keys::bindings(state.place())
            .filter(|binding| !binding.hint.is_empty())
            .map(|binding| {
                let key = binding.shown.split(' ').next();
                (key.unwrap_or_default(), binding.hint)
            })
            .collect(),
    };
    for (key, hint) in hints {
        let wide = width(key) + 1 + width(hint) + 2;
        if usize::from(x) + wide > usize::from(area.right()) + 2 {
            break;
        }
        let room = usize::from(area.right().saturating_sub(x));
        x = buffer.set_stringn(x, area.y, key, room, theme.key).0 + 1;
        let room = usize::from(area.right().saturating_sub(x));
        x = buffer.set_stringn(x, area.y, hint, room, theme.quiet).0 + 2;
    }
}
