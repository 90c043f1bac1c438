//! The settings of the file: name, kind, default, what it means, and where it goes.

use clap::ValueEnum as _;
use netprocmon::GroupBy;
use netprocmon_tui::settings::ColumnId;

use crate::flags::quantity;
use crate::flags::typed::{Characters, ThemeName, Top, column, rows, view};

/// One setting.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// As it would be written.
    #[cfg_attr(not(test), allow(dead_code))] // of the manual
    pub(super) default: &'static str,
    #[cfg_attr(not(test), allow(dead_code))] // of the manual
    pub(super) help: &'static str,
    pub(super) set: fn(&mut Top, &Value) -> Result<(), String>,
}

/// What a setting's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// One of these.
    Word(&'static [&'static str]),
    Bool,
    /// A number of seconds, or a text with a unit.
    Duration,
    /// A text, or several.
    Texts,
}

impl Kind {
    pub(super) fn expected(self) -> String {
        match self {
            Self::Text => "a text in quotes".to_owned(),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Bool => "true or false".to_owned(),
            Self::Duration => "a duration such as 1, 0.5 or \"500ms\"".to_owned(),
            Self::Texts => "a text in quotes, or several in brackets".to_owned(),
        }
    }
}

/// A value of the right kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Bool(bool),
    Texts(Vec<String>),
}

impl Value {
    fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Bool(_) | Self::Texts(_) => "",
        }
    }

    const fn is_true(&self) -> bool {
        matches!(self, Self::Bool(true))
    }
}

/// The words that `--sort` takes.
const COLUMNS: &[&str] = &{
    let mut words = [""; ColumnId::SORTABLE.len()];
    let mut at = 0;
    while at < words.len() {
        words[at] = ColumnId::SORTABLE[at].1;
        at += 1;
    }
    words
};
/// The words that `--group-by` takes.
const GROUPS: &[&str] = &{
    let mut words = [""; GroupBy::ALL.len()];
    let mut at = 0;
    while at < words.len() {
        words[at] = GroupBy::ALL[at].name();
        at += 1;
    }
    words
};

/// What `Display` says of an error, as a text.
fn said<T>(result: Result<T, impl ToString>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

/// All of them, in the order of the manual.
pub(super) const KEYS: &[Key] = &[
    Key {
        name: "delay",
        kind: Kind::Duration,
        default: "1",
        help: "time between two samples",
        set: |top, value| {
            top.delay = Some(said(quantity::interval(value.text()))?);
            Ok(())
        },
    },
    Key {
        name: "interface",
        kind: Kind::Texts,
        default: "[]",
        help: "count only what crosses these interfaces",
        set: |top, value| {
            if let Value::Texts(names) = value {
                top.interface.clone_from(names);
            }
            Ok(())
        },
    },
    Key {
        name: "view",
        kind: Kind::Word(&["processes", "connections", "remotes", "interfaces"]),
        default: "\"processes\"",
        help: "the view to begin with",
        set: |top, value| {
            top.view = Some(view(value.text())?);
            Ok(())
        },
    },
    Key {
        name: "sort",
        kind: Kind::Word(COLUMNS),
        default: "\"rate\"",
        help: "the column to sort by; a view without it sorts by rate",
        set: |top, value| {
            top.sort = Some(column(value.text())?);
            Ok(())
        },
    },
    Key {
        name: "filter",
        kind: Kind::Text,
        default: "\"\"",
        help: "what to show, in the language of docs/filter.md",
        set: |top, value| {
            top.filter = Some(rows::filter(value.text())?);
            Ok(())
        },
    },
    Key {
        name: "group-by",
        kind: Kind::Word(GROUPS),
        default: "\"process\"",
        help: "what to sum by; `process` is a row a process",
        set: |top, value| {
            top.group_by = Some(said(value.text().parse())?);
            Ok(())
        },
    },
    Key {
        name: "theme",
        kind: Kind::Word(&["auto", "dark", "light", "none"]),
        default: "\"auto\"",
        help: "colours; `auto` is dark unless the terminal says that its background is light",
        set: |top, value| {
            top.theme = Some(ThemeName::from_str(value.text(), false)?);
            Ok(())
        },
    },
    Key {
        name: "characters",
        kind: Kind::Word(&["auto", "unicode", "plain"]),
        default: "\"auto\"",
        help: "what charts and bars are drawn with; `auto` goes by the locale",
        set: |top, value| {
            top.characters = Some(Characters::from_str(value.text(), false)?);
            Ok(())
        },
    },
    Key {
        name: "keep-ended",
        kind: Kind::Duration,
        default: "30",
        help: "how long processes that have ended stay in sight",
        set: |top, value| {
            top.keep_ended = Some(said(quantity::duration(value.text()))?);
            Ok(())
        },
    },
    Key {
        name: "mouse",
        kind: Kind::Bool,
        default: "true",
        help: "take clicks and the wheel",
        set: |top, value| {
            top.mouse = Some(value.is_true());
            Ok(())
        },
    },
    Key {
        name: "si",
        kind: Kind::Bool,
        default: "false",
        help: "powers of 1000 (kB) instead of 1024 (KiB)",
        set: |top, value| {
            top.si = Some(value.is_true());
            Ok(())
        },
    },
    Key {
        name: "bits",
        kind: Kind::Bool,
        default: "false",
        help: "bits instead of bytes",
        set: |top, value| {
            top.bits = Some(value.is_true());
            Ok(())
        },
    },
    Key {
        name: "numeric",
        kind: Kind::Bool,
        default: "false",
        help: "addresses and ports instead of names",
        set: |top, value| {
            top.numeric = Some(value.is_true());
            Ok(())
        },
    },
    Key {
        name: "payload",
        kind: Kind::Bool,
        default: "false",
        help: "payload instead of wire bytes",
        set: |top, value| {
            top.payload = Some(value.is_true());
            Ok(())
        },
    },
];

/// The rows of the manual's table.
#[cfg(test)]
pub(super) fn manual() -> String {
    let row = |key: &Key| {
        let kind = match key.kind {
            Kind::Word(words) => words.map_code(),
            kind => kind.expected(),
        };
        format!(
            "| `{}` | {kind} | `{}` | {} |\n",
            key.name, key.default, key.help
        )
    };
    KEYS.iter().map(row).collect()
}

#[cfg(test)]
trait Code {
    fn map_code(&self) -> String;
}

#[cfg(test)]
impl Code for [&str] {
    fn map_code(&self) -> String {
        let words: Vec<_> = self.iter().map(|word| format!("`\"{word}\"`")).collect();
        words.join(", ")
    }
}

/// The same as a JSON schema (draft 2020-12), for editors.
#[cfg(test)]
pub(super) fn schema() -> serde_json::Value {
    use serde_json::json;
    let text = json!({ "type": "string" });
    let properties = KEYS.iter().map(|key| {
        let mut of = match key.kind {
            Kind::Text => text.clone(),
            Kind::Word(words) => json!({ "type": "string", "enum": words }),
            Kind::Bool => json!({ "type": "boolean" }),
            Kind::Duration => json!({ "type": ["number", "string"] }),
            Kind::Texts => json!({ "type": ["string", "array"], "items": text }),
        };
        of["description"] = key.help.into();
        (key.name.to_owned(), of)
    });
    let properties: serde_json::Map<_, _> = properties.collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "netprocmon's live view: ~/.config/netprocmon/config.toml",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    })
}
