//! The keys: one table of what each does, where it works and how the help says it.
//!
//! The help and the last line of the screen are made from it, so they never say anything else than
//! what happens. What is typed into the filter is not here: there every character stands for itself.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::settings::View;

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Show(View),
    NextView,
    PreviousView,
    Up,
    Down,
    PageUp,
    PageDown,
    Top,
    Bottom,
    Open,
    Back,
    Filter,
    SortMenu,
    SortLeft,
    SortRight,
    Reverse,
    Tree,
    GroupMenu,
    Amounts,
    Flow,
    Quantity,
    Ends,
    Naming,
    Idle,
    Pause,
    Freeze,
    Reset,
    Export,
    Doctor,
    Help,
    Redraw,
    Suspend,
    Quit,
}

/// Where one can stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Table(View),
    Detail,
    Menu,
    /// A page of text: the help, the doctor's.
    Page,
}

/// Where a key works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Works {
    Everywhere,
    Tables,
    /// In tables and in the detail.
    Views,
    /// In the table of processes.
    Processes,
    /// In a list to choose from.
    Menus,
    /// In what lies over a view.
    Overlays,
}

impl Works {
    const fn at(self, place: Place) -> bool {
        matches!(
            (self, place),
            (Self::Everywhere, _)
                | (Self::Tables, Place::Table(_))
                | (Self::Views, Place::Table(_) | Place::Detail)
                | (Self::Processes, Place::Table(View::Processes))
                | (Self::Menus, Place::Menu)
                | (Self::Overlays, Place::Menu | Place::Page | Place::Detail)
        )
    }
}

/// One line of the table.
pub(crate) struct Binding {
    keys: &'static [Key],
    /// The keys as people write them.
    pub(crate) shown: &'static str,
    pub(crate) action: Action,
    /// A word for the last line; empty where it has no place there.
    pub(crate) hint: &'static str,
    pub(crate) help: &'static str,
    works: Works,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Char(char),
    Control(char),
    Code(KeyCode),
}

impl Key {
    fn is(self, event: KeyEvent) -> bool {
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        let alt = event.modifiers.contains(KeyModifiers::ALT);
        match (self, event.code) {
            (Self::Char(wanted), KeyCode::Char(typed)) => !control && !alt && wanted == typed,
            (Self::Control(wanted), KeyCode::Char(typed)) => control && wanted == typed,
            (Self::Code(wanted), code) => wanted == code,
            _ => false,
        }
    }
}

use Key::{Char, Code, Control};

macro_rules! bindings {
    ($([$($key:expr),+] $shown:literal $action:expr, $hint:literal, $works:ident, $help:literal;)+) => {
        &[$(Binding {
            keys: &[$($key),+],
            shown: $shown,
            action: $action,
            hint: $hint,
            help: $help,
            works: Works::$works,
        }),+]
    };
}

/// All of them, in the order in which the help lists them.
pub(crate) const BINDINGS: &[Binding] = bindings![
    [Char('?'), Char('h'), Code(KeyCode::F(1))] "? h F1" Action::Help, "help", Everywhere, "this help";
    [Char('q'), Code(KeyCode::F(10)), Control('c')] "q F10" Action::Quit, "quit", Everywhere, "quit";
    [Code(KeyCode::Esc)] "Esc" Action::Back, "", Tables, "clear the filter";
    [Code(KeyCode::Esc), Code(KeyCode::Backspace)] "Esc" Action::Back, "back", Overlays, "back";
    [Code(KeyCode::Enter), Code(KeyCode::Right)] "Enter" Action::Open, "open", Tables, "open: a process or connection in detail, what is behind a group, remote or interface";
    [Code(KeyCode::Enter), Code(KeyCode::Right)] "Enter" Action::Open, "choose", Menus, "choose";
    [Char('/'), Code(KeyCode::F(3)), Code(KeyCode::F(4))] "/" Action::Filter, "filter", Tables, "filter as you type: words, field:value, and or not; Enter keeps it, Esc clears it";
    [Char('s'), Code(KeyCode::F(6))] "s" Action::SortMenu, "sort", Tables, "choose the column to sort by";
    [Char('<')] "<" Action::SortLeft, "", Tables, "sort by the column to the left";
    [Char('>')] ">" Action::SortRight, "", Tables, "sort by the column to the right";
    [Char('S')] "S" Action::Reverse, "", Tables, "turn the order round";
    [Char('t'), Code(KeyCode::F(5))] "t" Action::Tree, "tree", Processes, "tree: children below their parents, processes below their group";
    [Char('a')] "a" Action::GroupMenu, "group", Processes, "sum by name, user, unit, container, remote, …";
    [Char('m')] "m" Action::Amounts, "rate/total", Tables, "show rates and totals, rates, totals";
    [Char('w')] "w" Action::Flow, "wire/payload", Views, "show wire bytes or payload";
    [Char('u')] "u" Action::Quantity, "", Views, "show bytes or bits";
    [Char('n')] "n" Action::Ends, "", Views, "show names of hosts and services, or addresses and ports";
    [Char('l')] "l" Action::Naming, "", Views, "show command lines or names";
    [Char('i')] "i" Action::Idle, "idle", Tables, "show what has moved anything, what is active now, everything";
    [Char(' '), Char('P')] "Space" Action::Pause, "pause", Views, "pause the screen; counting goes on";
    [Char('o')] "o" Action::Freeze, "", Tables, "freeze the order of the rows";
    [Char('x')] "x x" Action::Reset, "", Views, "reset: count from now on (press it twice)";
    [Char('e')] "e" Action::Export, "export", Views, "write what is shown into a file, JSON or CSV";
    [Char('d')] "d" Action::Doctor, "", Views, "what cannot be seen here, why, and what would mend it";
    [Code(KeyCode::Tab)] "Tab" Action::NextView, "", Views, "the next view";
    [Code(KeyCode::BackTab)] "Shift-Tab" Action::PreviousView, "", Views, "the view before";
    [Char('1')] "1" Action::Show(View::Processes), "", Views, "processes";
    [Char('2')] "2" Action::Show(View::Connections), "", Views, "connections";
    [Char('3')] "3" Action::Show(View::Remotes), "", Views, "remotes, and who talks to them";
    [Char('4')] "4" Action::Show(View::Interfaces), "", Views, "interfaces, and what of them is explained";
    [Char('5')] "5" Action::Show(View::Detail), "", Views, "the row under the cursor in detail";
    [Code(KeyCode::Up), Char('k')] "Up k" Action::Up, "", Everywhere, "up";
    [Code(KeyCode::Down), Char('j')] "Down j" Action::Down, "", Everywhere, "down";
    [Code(KeyCode::PageUp), Control('b')] "PgUp" Action::PageUp, "", Everywhere, "a page up";
    [Code(KeyCode::PageDown), Control('f')] "PgDn" Action::PageDown, "", Everywhere, "a page down";
    [Code(KeyCode::Home), Char('g')] "Home g" Action::Top, "", Everywhere, "to the first, and stay there";
    [Code(KeyCode::End), Char('G')] "End G" Action::Bottom, "", Everywhere, "to the last";
    [Control('l')] "Ctrl-L" Action::Redraw, "", Everywhere, "draw the screen again";
    [Control('z')] "Ctrl-Z" Action::Suspend, "", Everywhere, "to the shell; fg comes back";
];

/// What a key does where one stands.
pub(crate) fn action(event: KeyEvent, place: Place) -> Option<Action> {
    let mut all = bindings(place);
    all.find(|binding| binding.keys.iter().any(|key| key.is(event)))
        .map(|binding| binding.action)
}

/// The keys that work where one stands.
pub(crate) fn bindings(place: Place) -> impl Iterator<Item = &'static Binding> {
    BINDINGS
        .iter()
        .filter(move |binding| binding.works.at(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_place() {
        let tables = View::ALL.map(Place::Table);
        for place in tables
            .into_iter()
            .chain([Place::Detail, Place::Menu, Place::Page])
        {
            let keys: Vec<_> = bindings(place).flat_map(|binding| binding.keys).collect();
            for (number, key) in keys.iter().enumerate() {
                assert!(!keys[..number].contains(key), "{key:?} in {place:?}");
            }
        }
    }

    #[test]
    fn the_manual_names_every_key() {
        let manual = include_str!("../../../docs/top.md");
        for binding in BINDINGS {
            for key in binding.shown.split(' ') {
                assert!(manual.contains(&format!("`{key}`")), "{key}");
            }
        }
    }
}
