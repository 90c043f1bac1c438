//! What a click or the wheel means: tabs, heads of columns, rows, entries of a menu.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::Effect;
use crate::settings::View;
use crate::state::{Overlay, State};
use crate::views;

/// Lines that the wheel moves.
const WHEEL: isize = 3;

impl State {
    pub(super) fn mouse(&mut self, mouse: MouseEvent) -> Option<Effect> {
        match mouse.kind {
            MouseEventKind::ScrollUp => self.step(-WHEEL),
            MouseEventKind::ScrollDown => self.step(WHEEL),
            MouseEventKind::Down(MouseButton::Left) => {
                self.notice = None;
                return self.click(Position::new(mouse.column, mouse.row));
            }
            _ => {}
        }
        None
    }

    fn click(&mut self, at: Position) -> Option<Effect> {
        let layout = self.layout();
        match &mut self.overlay {
            Overlay::Menu(_) => return self.click_menu(at),
            Overlay::Help { .. } | Overlay::Doctor { .. } => {
                self.overlay = Overlay::None;
                return None;
            }
            Overlay::Prompt(_) | Overlay::None => {}
        }
        if layout.tabs.contains(at) {
            let view = views::tab_at(self, at.x)?;
            if view == View::Detail {
                self.open_detail();
            } else {
                self.show(view);
            }
        } else if self.view == View::Detail {
            return None;
        } else if layout.head.contains(at) {
            let columns = self.columns();
            let within = |x: u16, width: u16| (x..=x + width).contains(&at.x);
            let column = columns.iter().find(|one| within(one.x, one.width))?;
            let sortable = crate::state::columns::sortable(self.wanted());
            if sortable.contains(&column.id) {
                self.sort_by(column.id);
            }
        } else if layout.body.contains(at) {
            return self.click_row((at.y - layout.body.y).into());
        }
        None
    }

    /// The first click goes to a row, the second opens it.
    fn click_row(&mut self, line: usize) -> Option<Effect> {
        let cursor = &self.table().cursor;
        let index = cursor.offset() + line;
        if index >= self.rows.len() {
            return None;
        }
        if index == cursor.index() && cursor.is_chosen() {
            return self.open();
        }
        let page = self.layout().page();
        let rows = std::mem::take(&mut self.rows);
        self.table_mut().cursor.go(index, &rows, page);
        self.rows = rows;
        None
    }

    fn click_menu(&mut self, at: Position) -> Option<Effect> {
        let entry = views::entry_at(self, at);
        let Overlay::Menu(menu) = &mut self.overlay else {
            return None;
        };
        if let Some(entry) = entry {
            menu.at = entry;
            return self.open();
        }
        self.overlay = Overlay::None;
        None
    }
}
