//! What is behind a row: a process or connection in detail; of a group, a remote or an interface
//! what it is made of, by a filter that says so.

use std::sync::Arc;

use netprocmon::{Filter, GroupKey};

use super::Effect;
use crate::settings::View;
use crate::state::rows::{Row, RowId, Subject};
use crate::state::{Detail, Overlay, State, Tone};

impl State {
    /// Opens the row under the cursor, or takes the menu's entry.
    pub(super) fn open(&mut self) -> Option<Effect> {
        if let Overlay::Menu(menu) = &self.overlay {
            return match menu.choice() {
                Some(choice) => self.choose(choice),
                None => None,
            };
        }
        let row = self.row()?.clone();
        match &row.subject {
            Subject::Process(_) | Subject::Connection(..) => self.open_row(&row),
            Subject::Group(group) => self.narrow(term(&group.key)),
            Subject::Member(group) => {
                if let GroupKey::Process(id) = group.key {
                    self.open_process(id);
                }
            }
            Subject::Interface(one) => {
                let name = one.name.as_deref();
                self.narrow(name.map(|name| (equals("interface", name), View::Processes)));
            }
            Subject::Unattributed(_) => {}
        }
        None
    }

    /// The row under the cursor in detail, else what was last.
    pub(super) fn open_detail(&mut self) {
        let row = self.row().cloned();
        let row =
            row.filter(|row| matches!(row.subject, Subject::Process(_) | Subject::Connection(..)));
        match row {
            Some(row) if self.view != View::Detail => self.open_row(&row),
            _ if self.detail.is_some() => {
                self.view = View::Detail;
                self.remake();
            }
            _ => self.say(
                "there is no process or connection under the cursor",
                Tone::Wrong,
            ),
        }
    }

    fn open_row(&mut self, row: &Row) {
        let from = self.view;
        self.enter_detail(Detail {
            id: row.id.clone(),
            subject: row.subject.clone(),
            from,
            scroll: 0,
        });
    }

    fn open_process(&mut self, id: netprocmon::ProcessId) {
        let all = self.look().map(|look| Arc::clone(&look.now));
        let mut all = all.iter().flat_map(|now| &now.processes);
        let Some(usage) = all.find(|usage| usage.process.id == id).cloned() else {
            self.say("that process has ended and left the list", Tone::Wrong);
            return;
        };
        let from = self.view;
        self.enter_detail(Detail {
            id: RowId::Process(id),
            subject: Subject::Process(usage),
            from,
            scroll: 0,
        });
    }

    /// Shows, in a view, what this term takes of what is shown now.
    fn narrow(&mut self, to: Option<(String, View)>) {
        let Some((term, view)) = to else {
            self.say("there is nothing behind this row", Tone::Wrong);
            return;
        };
        let now = self.series.filter().to_string();
        let text = if now.is_empty() {
            term
        } else {
            format!("({now}) and {term}")
        };
        match text.parse::<Filter>() {
            Ok(filter) => {
                self.series.group_by(None);
                self.view = view;
                self.table_mut().cursor.home();
                self.forget_orders();
                self.set_filter(filter);
                self.say(format!("{text}: Esc shows everything again"), Tone::Done);
            }
            Err(error) => self.say(error.to_string(), Tone::Wrong),
        }
    }
}

/// What takes the rows of a group, and the view that shows them best.
fn term(key: &GroupKey) -> Option<(String, View)> {
    let process = |term| Some((term, View::Processes));
    let connection = |term| Some((term, View::Connections));
    match key {
        GroupKey::Tree(root) => process(format!("tree={root}")),
        GroupKey::Name(name) => process(equals("name", name)),
        GroupKey::User(user) => process(equals("user", user)),
        GroupKey::Unit(unit) => process(equals("unit", unit)),
        GroupKey::Container(id) => process(equals("container", id)),
        GroupKey::Pod(uid) => process(equals("pod", uid)),
        GroupKey::RemoteName(name) => connection(equals("remote", name)),
        GroupKey::RemoteAddress(address) => connection(equals("remote", &address.to_string())),
        GroupKey::Protocol(protocol) => connection(equals("protocol", &protocol.to_string())),
        GroupKey::Port(port) => connection(format!("port={port}")),
        GroupKey::Process(id) => process(format!("pid={}", id.pid)),
        _ => None,
    }
}

/// `field="value"`, whatever is in the value.
fn equals(field: &str, value: &str) -> String {
    let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
    format!("{field}=\"{quoted}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_takes_what_it_was_made_of_whatever_that_is() {
        for name in ["curl", "a b", "x\"y", "x\\y", "x\\\"", "(", "日本\u{1b}[2J"] {
            let text = equals("name", name);
            let filter: Filter = text.parse().unwrap();
            assert_eq!(
                filter.to_string().parse::<Filter>().unwrap(),
                filter,
                "{text}"
            );
        }
        assert!(term(&GroupKey::Ended).is_none());
    }
}
