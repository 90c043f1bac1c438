//! What a configuration file may say, and what is said of a mistake in it.

use std::time::Duration;

use netprocmon_tui::settings::{ColumnId, View};

use super::*;
use crate::flags::typed::ThemeName;

fn wrong(text: &str) -> String {
    let Mistake { line, message } = parse(text).unwrap_err();
    format!("{line}: {message}")
}

#[test]
fn every_setting_is_read() {
    let top = parse(
        "delay = 0.5\ninterface = [\"eth0\", \"wlan0\"]\nview = \"remotes\"\nsort = 'sent'\n\
         filter = \"name=curl\"\ngroup-by = \"user\"\ntheme = \"light\"\ncharacters = \"plain\"\n\
         keep-ended = \"2m\"\nmouse = false\nsi = true\nbits = true\nnumeric = true\npayload = true\n",
    )
    .unwrap();
    assert_eq!(top.delay, Some(Duration::from_millis(500)));
    assert_eq!(top.interface, ["eth0", "wlan0"]);
    assert_eq!(
        (top.view, top.sort),
        (Some(View::Remotes), Some(ColumnId::Sent))
    );
    assert_eq!(top.filter.unwrap().to_string(), "name=curl");
    assert_eq!(top.group_by.unwrap().name(), "user");
    assert_eq!(
        (top.theme, top.mouse),
        (Some(ThemeName::Light), Some(false))
    );
    assert_eq!(top.keep_ended, Some(Duration::from_mins(2)));
    assert_eq!(
        [top.si, top.bits, top.numeric, top.payload],
        [Some(true); 4]
    );
}

#[test]
fn nothing_is_a_file_too() {
    assert!(parse("# nothing\n").unwrap().delay.is_none());
}

#[test]
fn a_mistake_has_its_line_and_says_what_was_expected() {
    assert_eq!(
        wrong("# x\ndelay = \"fast\"\n"),
        "2: delay: expected a duration such as 1, 0.5 or \"500ms\": unknown unit \"fast\": give ms, s, m \
         or h, or no unit for seconds"
    );
    assert_eq!(
        wrong("\n\nbits = 1"),
        "3: bits: expected true or false, found a value of the type integer"
    );
    assert_eq!(
        wrong("theem = \"dark\""),
        "1: there is no setting \"theem\"; did you mean theme?"
    );
    assert_eq!(
        wrong("frobnicate = 1"),
        "1: there is no setting \"frobnicate\""
    );
    assert!(
        wrong("theme = \"pink\"").starts_with("1: theme: expected one of auto, dark, light, none")
    );
    assert!(wrong("filter = \"nmae=x\"").starts_with("1: filter: expected a text in quotes: "));
    assert!(wrong("delay = 1\nsort").starts_with("2: "));
    assert!(wrong("delay = 1\ndelay = 2").starts_with("2: "));
}

#[test]
fn the_manual_and_the_schema_are_what_is_read() {
    let manual = include_str!("../../../../docs/config.md");
    let table = keys::manual();
    assert!(
        manual.contains(&table),
        "docs/config.md lacks this table:\n{table}"
    );
    let schema = include_str!("../../../../docs/config.schema.json");
    let expected = serde_json::to_string_pretty(&keys::schema()).unwrap() + "\n";
    assert_eq!(schema, expected, "docs/config.schema.json");
}

#[test]
fn the_words_of_the_schema_are_those_that_are_understood() {
    for key in KEYS {
        if let Kind::Word(words) = key.kind {
            for word in words {
                let set = (key.set)(&mut Top::default(), &Value::Text((*word).to_owned()));
                assert_eq!(set, Ok(()), "{} {word}", key.name);
            }
        }
    }
}
