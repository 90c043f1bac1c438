//! What happens: keys, clicks, samples and answers change the state; what only the outside can do
//! comes back as effects. Pure, so that a test types.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseEvent};
use netprocmon::units::{Ends, Quantity};
use netprocmon::{Filter, Snapshot};

use crate::export::{self, Export};
use crate::keys::{self, Action};
use crate::settings::{Amounts, ColumnId, Flow, Idle, Naming, Shape, View};
use crate::state::menu::{Choice, Menu};
use crate::state::order::Motion;
use crate::state::prompt::Prompt;
use crate::state::rows::Ordered;
use crate::state::{Detail, Notice, Overlay, Sort, State, Tone, columns};
use crate::views;

mod mouse;
mod open;

/// Something that happened.
#[derive(Debug)]
pub(crate) enum Event {
    Key(KeyEvent),
    Mouse(MouseEvent),
    Paste(String),
    Resized(u16, u16),
    Sample(Arc<Snapshot>),
    /// The file's name, or what went wrong.
    Exported(Result<String, String>),
}

/// Something that only the outside can do.
#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
    Quit,
    Suspend,
    /// Draw every cell again.
    Redraw,
    Export(Export),
}

impl State {
    /// Takes an event in.
    pub(crate) fn update(&mut self, event: Event) -> Option<Effect> {
        match event {
            Event::Key(key) => self.key(key),
            Event::Mouse(mouse) => self.mouse(mouse),
            Event::Paste(text) => {
                if let Overlay::Prompt(prompt) = &mut self.overlay {
                    prompt.insert(&text);
                    self.try_filter();
                }
                None
            }
            Event::Resized(width, height) => {
                (self.width, self.height) = (width, height);
                self.remake();
                None
            }
            Event::Sample(snapshot) => {
                self.take(snapshot);
                None
            }
            Event::Exported(done) => {
                match done {
                    Ok(name) => self.say(format!("written to {name}"), Tone::Done),
                    Err(why) => self.say(why, Tone::Wrong),
                }
                None
            }
        }
    }

    pub(crate) fn say(&mut self, text: impl Into<String>, tone: Tone) {
        let text = text.into();
        self.notice = Some(Notice { text, tone });
    }

    fn key(&mut self, key: KeyEvent) -> Option<Effect> {
        if matches!(self.overlay, Overlay::Prompt(_)) {
            return self.type_filter(key);
        }
        self.notice = None;
        let action = keys::action(key, self.place());
        let was_armed = std::mem::take(&mut self.armed);
        if let (None, Overlay::Menu(menu), KeyCode::Char(letter)) =
            (action, &mut self.overlay, key.code)
        {
            menu.seek(letter);
            return None;
        }
        match action? {
            Action::Reset if was_armed => {
                self.series.reset();
                self.paused = None;
                self.forget_orders();
                self.remake();
                self.say("counting from now on", Tone::Done);
                None
            }
            action => self.act(action),
        }
    }

    fn act(&mut self, action: Action) -> Option<Effect> {
        match action {
            Action::Quit => return Some(Effect::Quit),
            Action::Suspend => return Some(Effect::Suspend),
            Action::Redraw => return Some(Effect::Redraw),
            Action::Help => self.toggle_help(),
            Action::Doctor => self.overlay = Overlay::Doctor { scroll: 0 },
            Action::Back => self.back(),
            Action::Open => return self.open(),
            Action::Show(View::Detail) => self.open_detail(),
            Action::Show(view) => self.show(view),
            Action::NextView => self.turn(1),
            Action::PreviousView => self.turn(3),
            Action::Up => self.step(-1),
            Action::Down => self.step(1),
            Action::PageUp => self.step(-self.page()),
            Action::PageDown => self.step(self.page()),
            Action::Top => self.step(isize::MIN),
            Action::Bottom => self.step(isize::MAX),
            Action::Filter => {
                let text = self.series.filter().to_string();
                self.overlay = Overlay::Prompt(Prompt::new(text));
            }
            Action::Export => {
                let entries = export::Format::ALL
                    .map(|format| (format.title().to_owned(), Choice::Export(format)));
                self.overlay = Overlay::Menu(Menu::new("write to a file", entries.into(), None));
            }
            Action::Reset => {
                self.armed = true;
                self.say("press x again to count from now on", Tone::Done);
            }
            Action::Pause => {
                self.paused = match self.paused {
                    Some(_) => None,
                    None => self.series.look().cloned(),
                };
                self.remake();
            }
            action => self.adjust(action),
        }
        None
    }

    /// Changes how the rows look.
    fn adjust(&mut self, action: Action) {
        match action {
            Action::SortMenu => {
                let by = self.table().sort.by;
                let all = columns::sortable(self.wanted()).into_iter();
                let entries = all.map(|id| (columns::title(id).to_owned(), Choice::Sort(id)));
                let menu = Menu::new("sort by", entries.collect(), Some(Choice::Sort(by)));
                self.overlay = Overlay::Menu(menu);
                return;
            }
            Action::GroupMenu => {
                self.overlay = Overlay::Menu(Menu::groups(self.series.by()));
                return;
            }
            Action::SortLeft => self.sort_beside(-1),
            Action::SortRight => self.sort_beside(1),
            Action::Reverse => {
                let sort = &mut self.table_mut().sort;
                sort.way = match sort.way {
                    Ordered::Usual => Ordered::Reversed,
                    Ordered::Reversed => Ordered::Usual,
                };
            }
            Action::Tree => {
                self.shape = match self.shape {
                    Shape::List => Shape::Tree,
                    Shape::Tree => Shape::List,
                };
            }
            Action::Amounts => {
                self.amounts = match self.amounts {
                    Amounts::Both => Amounts::Rate,
                    Amounts::Rate => Amounts::Total,
                    Amounts::Total => Amounts::Both,
                };
            }
            Action::Flow => {
                self.flow = match self.flow {
                    Flow::Wire => Flow::Payload,
                    Flow::Payload => Flow::Wire,
                };
                self.forget_orders();
            }
            Action::Quantity => {
                self.units.quantity = match self.units.quantity {
                    Quantity::Bytes => Quantity::Bits,
                    Quantity::Bits => Quantity::Bytes,
                };
            }
            Action::Ends => {
                self.units.ends = match self.units.ends {
                    Ends::Named => Ends::Numeric,
                    Ends::Numeric => Ends::Named,
                };
            }
            Action::Naming => {
                self.naming = match self.naming {
                    Naming::Title => Naming::CommandLine,
                    Naming::CommandLine => Naming::Title,
                };
            }
            Action::Idle => {
                self.idle = match self.idle {
                    Idle::Moved => Idle::Active,
                    Idle::Active => Idle::All,
                    Idle::All => Idle::Moved,
                };
            }
            Action::Freeze => {
                self.motion = match self.motion {
                    Motion::Free => Motion::Frozen,
                    Motion::Frozen => Motion::Free,
                };
            }
            _ => return,
        }
        self.remake();
    }

    /// Sorts by a column; by the same again the other way round.
    pub(crate) fn sort_by(&mut self, by: ColumnId) {
        let sort = &mut self.table_mut().sort;
        let way = match (sort.by == by, sort.way) {
            (true, Ordered::Usual) => Ordered::Reversed,
            _ => Ordered::Usual,
        };
        *sort = Sort { by, way };
        self.reorder();
    }

    fn sort_beside(&mut self, by: isize) {
        let all = columns::sortable(self.wanted());
        let now = self.table().sort.by;
        let at = all.iter().position(|id| *id == now).unwrap_or(0);
        let next = (at.cast_signed() + by).rem_euclid(all.len().cast_signed());
        let sort = &mut self.table_mut().sort;
        sort.by = all[next.unsigned_abs()];
        sort.way = Ordered::Usual;
        let title = columns::title(sort.by);
        self.reorder();
        self.say(format!("sorted by {title}"), Tone::Done);
    }

    /// A new order, which a frozen one gives way to.
    fn reorder(&mut self) {
        self.forget_orders();
        self.remake();
    }

    fn show(&mut self, view: View) {
        self.view = view;
        self.remake();
    }

    fn turn(&mut self, by: usize) {
        let at = View::ALL.iter().position(|view| *view == self.view);
        let next = View::ALL[(at.unwrap_or(0) + by) % 4];
        let next = if self.view == View::Detail {
            View::Processes
        } else {
            next
        };
        self.show(next);
    }

    fn back(&mut self) {
        match (&self.overlay, self.view) {
            (Overlay::None, View::Detail) => {
                let from = self.detail.as_ref().map(|detail| detail.from);
                self.show(from.unwrap_or_default());
            }
            (Overlay::None, _) => {
                if self.series.filter().takes_everything() {
                    return;
                }
                self.set_filter(Filter::default());
            }
            _ => self.overlay = Overlay::None,
        }
    }

    fn toggle_help(&mut self) {
        self.overlay = match self.overlay {
            Overlay::Help { .. } => Overlay::None,
            _ => Overlay::Help { scroll: 0 },
        };
    }

    fn page(&self) -> isize {
        self.layout().page().saturating_sub(1).max(1).cast_signed()
    }

    /// Moves what one stands in.
    pub(crate) fn step(&mut self, by: isize) {
        let page = self.layout().page();
        let most = views::scrolls(self);
        let scrolled = |scroll: usize| scroll.saturating_add_signed(by).min(most);
        match (&mut self.overlay, self.view) {
            (Overlay::Menu(menu), _) => menu.step(by),
            (Overlay::Help { scroll } | Overlay::Doctor { scroll }, _) => {
                *scroll = scrolled(*scroll);
            }
            (_, View::Detail) => {
                if let Some(detail) = &mut self.detail {
                    detail.scroll = scrolled(detail.scroll);
                }
            }
            _ => {
                let rows = std::mem::take(&mut self.rows);
                let cursor = &mut self.table_mut().cursor;
                match by {
                    isize::MIN => cursor.home(),
                    by => cursor.step(by, &rows, page),
                }
                self.rows = rows;
            }
        }
    }

    fn choose(&mut self, choice: Choice) -> Option<Effect> {
        self.overlay = Overlay::None;
        match choice {
            Choice::Sort(by) => {
                self.table_mut().sort = Sort {
                    by,
                    way: Ordered::Usual,
                };
                self.reorder();
            }
            Choice::Group(by) => {
                self.series.group_by(by);
                self.look_again();
                self.table_mut().cursor.home();
                self.reorder();
            }
            Choice::Export(format) => match export::make(self, format) {
                Ok(export) => return Some(Effect::Export(export)),
                Err(error) => self.say(format!("cannot export: {error}"), Tone::Wrong),
            },
        }
        None
    }

    /// What is typed into the filter.
    fn type_filter(&mut self, key: KeyEvent) -> Option<Effect> {
        let Overlay::Prompt(prompt) = &mut self.overlay else {
            return None;
        };
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => {
                self.overlay = Overlay::None;
                self.set_filter(Filter::default());
                return None;
            }
            KeyCode::Enter if prompt.error.is_none() => {
                self.overlay = Overlay::None;
                return None;
            }
            KeyCode::Char('c') if control => return Some(Effect::Quit),
            KeyCode::Char('z') if control => return Some(Effect::Suspend),
            KeyCode::Char('u') if control => prompt.kill(),
            KeyCode::Char('w') if control => prompt.kill_word(),
            KeyCode::Char('a') if control => prompt.home(),
            KeyCode::Char('e') if control => prompt.end(),
            KeyCode::Char(c) if !control => prompt.insert(c.encode_utf8(&mut [0; 4])),
            KeyCode::Backspace => prompt.backspace(),
            KeyCode::Delete => prompt.delete(),
            KeyCode::Left => prompt.left(),
            KeyCode::Right => prompt.right(),
            KeyCode::Home => prompt.home(),
            KeyCode::End => prompt.end(),
            _ => return None,
        }
        self.try_filter();
        None
    }

    /// Shows what the text takes as far as it is a filter; what is wrong with it else.
    fn try_filter(&mut self) {
        let Overlay::Prompt(prompt) = &mut self.overlay else {
            return;
        };
        match prompt.text().parse::<Filter>() {
            Ok(filter) => {
                prompt.error = None;
                if filter != *self.series.filter() {
                    self.set_filter(filter);
                }
            }
            Err(error) => {
                let column = error.column();
                prompt.error = Some(format!("{} (character {column})", error.message()));
            }
        }
    }

    pub(crate) fn set_filter(&mut self, filter: Filter) {
        self.series.set_filter(filter);
        self.look_again();
        self.remake();
    }

    /// A paused screen shows the same moment through the new filter and groups.
    fn look_again(&mut self) {
        if let Some(look) = &self.paused {
            self.paused = Some(self.series.seen_again(look));
        }
    }

    fn enter_detail(&mut self, detail: Detail) {
        self.detail = Some(detail);
        self.view = View::Detail;
    }
}

#[cfg(test)]
mod tests;
