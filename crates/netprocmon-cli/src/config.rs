//! The configuration file of the live view: `~/.config/netprocmon/config.toml`.
//!
//! Plain data, and little of it: how the view looks and begins, never what a privileged program
//! should open or run. [`keys`] is the schema, written once: what is read, the manual and the JSON
//! schema are made from it. [`file`](mod@file) finds and reads the file.
//!
//! Only the live view reads it. A script that calls `watch --json` must not depend on whose home it
//! runs in.

use std::path::Path;

use netprocmon::text::nearest;
use toml::de::{DeTable, DeValue};

use crate::exit::{Failure, Status};
use crate::flags::typed::Top;

mod file;
mod keys;

use keys::{KEYS, Kind, Value};

/// What is asked for in the file that was given, or in the one that there is; nothing without one.
/// Whoever calls it has the rights of the user whose environment `variable` asks.
pub(crate) fn load(
    given: Option<&Path>,
    variable: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<Top> {
    let found = match given {
        Some(path) => Some((path.to_owned(), file::read(path)?)),
        None => file::find(variable)?,
    };
    match found {
        None => Ok(Top::default()),
        Some((path, text)) => parse(&text).map_err(|mistake| mistake.in_file(&path).into()),
    }
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mistake {
    line: usize,
    message: String,
}

impl Mistake {
    /// One at byte `at` of `text`.
    fn at(text: &str, at: usize, message: impl Into<String>) -> Self {
        let before = text.get(..at).unwrap_or(text);
        Self {
            line: before.matches('\n').count() + 1,
            message: message.into(),
        }
    }

    fn in_file(self, path: &Path) -> Failure {
        let Self { line, message } = self;
        let path = path.display();
        Failure::new(Status::Usage, format!("{path}:{line}: {message}"))
            .with_remedy("docs/config.md lists what can stand there")
    }
}

fn parse(text: &str) -> Result<Top, Mistake> {
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(text.len(), |span| span.start);
        Mistake::at(text, at, error.message())
    })?;
    let mut asked = Top::default();
    for (name, value) in table.get_ref() {
        let at = name.span().start;
        let name = name.get_ref();
        let key = KEYS.iter().find(|key| key.name == name.as_ref());
        let Some(key) = key else {
            let near = nearest(name, KEYS.iter().map(|key| key.name));
            let hint = match near.first() {
                Some(near) => format!("; did you mean {near}?"),
                None => String::new(),
            };
            return Err(Mistake::at(
                text,
                at,
                format!("there is no setting {name:?}{hint}"),
            ));
        };
        let at = value.span().start;
        let wrong = |message: String| Mistake::at(text, at, format!("{}: {message}", key.name));
        let read = read(key.kind, value.get_ref());
        let value = read.ok_or_else(|| {
            let found = value.get_ref().type_str();
            wrong(format!(
                "expected {}, found a value of the type {found}",
                key.kind.expected()
            ))
        })?;
        (key.set)(&mut asked, &value)
            .map_err(|why| wrong(format!("expected {}: {why}", key.kind.expected())))?;
    }
    Ok(asked)
}

/// The value, where it is of the kind that is expected.
fn read(kind: Kind, value: &DeValue<'_>) -> Option<Value> {
    let text = |value: &DeValue<'_>| value.as_str().map(ToOwned::to_owned);
    match kind {
        Kind::Text | Kind::Word(_) => text(value).map(Value::Text),
        Kind::Bool => value.as_bool().map(Value::Bool),
        Kind::Texts => match value.as_array() {
            Some(all) => all
                .iter()
                .map(|one| text(one.get_ref()))
                .collect::<Option<_>>(),
            None => Some(vec![text(value)?]),
        }
        .map(Value::Texts),
        Kind::Duration => {
            let number = || value.as_integer().map(|number| number.as_str().to_owned());
            let fraction = || value.as_float().map(|number| number.as_str().to_owned());
            text(value)
                .or_else(number)
                .or_else(fraction)
                .map(Value::Text)
        }
    }
}

#[cfg(test)]
mod tests;
