//! What lies over a view: a menu, the help, the doctor's text.

use netprocmon::text::{cut, width};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Widget as _};

use super::cells::outside;
use crate::glyphs::Glyphs;
use crate::keys::{self, Place};
use crate::settings::View;
use crate::state::menu::Menu;
use crate::state::{Overlay, State};

/// A frame of lines.
pub(super) fn frame(state: &State, buffer: &mut Buffer, area: Rect) {
    let block = Block::bordered().border_style(state.theme.border);
    match state.glyphs {
        Glyphs::Unicode => block.border_type(BorderType::Rounded).render(area, buffer),
        Glyphs::Plain => {
            let symbols = ratatui::symbols::border::Set {
                top_left: "+",
                top_right: "+",
                bottom_left: "+",
                bottom_right: "+",
                vertical_left: "|",
                vertical_right: "|",
                horizontal_top: "-",
                horizontal_bottom: "-",
            };
            block.border_set(symbols).render(area, buffer);
        }
    }
}

pub(super) fn draw(state: &State, buffer: &mut Buffer, area: Rect) {
    match &state.overlay {
        Overlay::None | Overlay::Prompt(_) => {}
        Overlay::Menu(menu) => draw_menu(state, menu, buffer, area),
        Overlay::Help { scroll } => {
            let lines = help(state, usize::from(area.width));
            page(
                state,
                " keys that work here ",
                &lines,
                *scroll,
                buffer,
                area,
            );
        }
        Overlay::Doctor { scroll, .. } => {
            let inner = usize::from(area.width).saturating_sub(6);
            let lines = doctor(state, inner);
            page(
                state,
                " what can be seen here ",
                &lines,
                *scroll,
                buffer,
                area,
            );
        }
    }
}

/// How far the page can be scrolled.
pub(super) fn scrolls(state: &State, area: Rect) -> usize {
    let lines = match &state.overlay {
        Overlay::Help { .. } => help(state, usize::from(area.width)).len(),
        Overlay::Doctor { .. } => doctor(state, usize::from(area.width).saturating_sub(6)).len(),
        _ => 0,
    };
    lines.saturating_sub(usize::from(page_area(lines, area).height).saturating_sub(2))
}

fn menu_area(menu: &Menu, area: Rect) -> Rect {
    let widest = menu.entries.iter().map(|(text, _)| width(text)).max();
    let widest = widest.unwrap_or(0).max(width(menu.title) + 2) + 6;
    let wide = u16::try_from(widest).unwrap_or(u16::MAX).min(area.width);
    let high = u16::try_from(menu.entries.len() + 2)
        .unwrap_or(u16::MAX)
        .min(area.height);
    centred(wide, high, area)
}

const fn centred(width: u16, height: u16, area: Rect) -> Rect {
    let x = area.x + (area.width - width) / 2;
    let y = area.y + (area.height - height) / 2;
    Rect::new(x, y, width, height)
}

/// The first entry that can be seen.
fn first_entry(menu: &Menu, inside: usize) -> usize {
    (menu.at + 1).saturating_sub(inside)
}

/// The entry at a place on the screen.
pub(crate) fn entry_at(state: &State, at: Position) -> Option<usize> {
    let Overlay::Menu(menu) = &state.overlay else {
        return None;
    };
    let area = menu_area(menu, state.screen());
    let inner = Rect::new(
        area.x + 1,
        area.y + 1,
        area.width.saturating_sub(2),
        area.height.saturating_sub(2),
    );
    if !inner.contains(at) {
        return None;
    }
    let entry = first_entry(menu, inner.height.into()) + usize::from(at.y - inner.y);
    (entry < menu.entries.len()).then_some(entry)
}

fn draw_menu(state: &State, menu: &Menu, buffer: &mut Buffer, area: Rect) {
    let theme = &state.theme;
    let area = menu_area(menu, area);
    Clear.render(area, buffer);
    frame(state, buffer, area);
    let room = usize::from(area.width.saturating_sub(4));
    let title = format!(" {} ", menu.title);
    buffer.set_stringn(area.x + 2, area.y, title, room, theme.accent);
    let inside = usize::from(area.height.saturating_sub(2));
    let first = first_entry(menu, inside);
    let shown = menu.entries.iter().enumerate().skip(first).take(inside);
    for ((number, (text, _)), y) in shown.zip(area.y + 1..) {
        buffer.set_stringn(area.x + 2, y, text, room, theme.text);
        if number == menu.at {
            let line = Rect::new(area.x + 1, y, area.width.saturating_sub(2), 1);
            buffer.set_style(line, theme.cursor);
        }
    }
}

fn page_area(lines: usize, area: Rect) -> Rect {
    let wide = area.width.min(100);
    let high = u16::try_from(lines + 2)
        .unwrap_or(u16::MAX)
        .min(area.height);
    centred(wide, high, area)
}

fn page(
    state: &State,
    title: &str,
    lines: &[Line<'_>],
    scroll: usize,
    buffer: &mut Buffer,
    area: Rect,
) {
    let area = page_area(lines.len(), area);
    Clear.render(area, buffer);
    frame(state, buffer, area);
    let room = area.width.saturating_sub(4);
    buffer.set_stringn(area.x + 2, area.y, title, room.into(), state.theme.accent);
    let inside = usize::from(area.height.saturating_sub(2));
    for (line, y) in lines.iter().skip(scroll).take(inside).zip(area.y + 1..) {
        buffer.set_line(area.x + 2, y, line, room);
    }
    if scroll + inside < lines.len() && area.width > 20 {
        let more = cut(" more below ", room.into());
        let x = area.right().saturating_sub(14);
        buffer.set_stringn(x, area.bottom() - 1, more, 12, state.theme.quiet);
    }
}

/// The keys of the place that the help was asked for in.
fn help(state: &State, columns: usize) -> Vec<Line<'static>> {
    let theme = &state.theme;
    let place = match state.view {
        View::Detail => Place::Detail,
        view => Place::Table(view),
    };
    let room = columns.min(100).saturating_sub(4 + 12);
    let mut lines = Vec::new();
    for binding in keys::bindings(place) {
        let mut texts = wrap(&state.glyphs.fit(binding.help), room).into_iter();
        let first = texts.next().unwrap_or_default();
        lines.push(Line::from(vec![
            Span::styled(format!("{:<12}", binding.shown), theme.key),
            Span::styled(first, theme.text),
        ]));
        lines.extend(texts.map(|text| Line::from(format!("{:12}{text}", ""))));
    }
    lines.push(Line::default());
    let more = "Mouse: click a tab, a head of a column, a row (again opens it); the wheel scrolls. \
                Shift marks text.";
    for text in wrap(more, room + 12) {
        lines.push(Line::styled(text, theme.quiet));
    }
    lines
}

/// What the snapshot itself says, and then the doctor.
fn doctor(state: &State, columns: usize) -> Vec<Line<'static>> {
    let theme = &state.theme;
    let columns = columns.min(94);
    let mut lines = Vec::new();
    let mut add = |text: &str, style: Style| {
        for line in wrap(text, columns) {
            lines.push(Line::styled(outside(&line, columns, state.glyphs), style));
        }
    };
    let degradations = state.look().map(|look| look.now.degradations.clone());
    for one in degradations.iter().flat_map(|all| all.iter()) {
        add(
            &format!("{} {}", state.glyphs.warning(), one.message),
            theme.warning,
        );
        if let Some(remedy) = &one.remedy {
            add(&format!("  {remedy}"), theme.text);
        }
        add("", theme.text);
    }
    if degradations.is_none_or(|all| all.is_empty()) {
        add(
            "This source sees everything that it can see on this kernel.",
            theme.text,
        );
        add("", theme.text);
    }
    let text = state.diagnosis.lines();
    text.for_each(|line| add(line, theme.text));
    lines
}

/// Breaks text between words; a word that is too long is cut apart.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let indent: String = text
        .chars()
        .take_while(|c| *c == ' ')
        .take(columns / 2)
        .collect();
    let mut lines = Vec::new();
    let mut line = indent.clone();
    for word in text.split_whitespace() {
        let mut word = word;
        loop {
            let gap = usize::from(line.len() > indent.len());
            if width(&line) + gap + width(word) <= columns {
                line.extend(std::iter::repeat_n(' ', gap));
                line.push_str(word);
                break;
            }
            if line.len() > indent.len() {
                lines.push(std::mem::replace(&mut line, indent.clone()));
                continue;
            }
            let room = columns.saturating_sub(width(&line)).max(1);
            let end = word
                .char_indices()
                .nth(room)
                .map_or(word.len(), |(at, _)| at);
            line.push_str(&word[..end]);
            word = &word[end..];
            if word.is_empty() {
                break;
            }
            lines.push(std::mem::replace(&mut line, indent.clone()));
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_and_keep_their_indent() {
        assert_eq!(wrap("  one two three", 9), ["  one two", "  three"]);
        assert_eq!(wrap("abcdefgh ij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("", 4), [""]);
    }
}
