//! Reports of runs that were made by hand.

use std::ffi::OsString;
use std::time::Duration;

use netprocmon::{GroupBy, Pid};

use super::super::{Style, tests::snapshot};
use super::*;
use crate::commands::run::outcome::{line, of_run, of_tree};
use crate::commands::shown::groups_of_run;

fn command() -> Vec<OsString> {
    ["curl", "-s", "https://example.org/\u{1b}[2J"]
        .map(OsString::from)
        .into()
}

fn outcome(command: &[OsString]) -> Outcome<'_> {
    Outcome {
        command,
        ending: Ending::Exited(0),
        wall: Duration::from_millis(1240),
        spent: None,
        still_running: Vec::new(),
        moved: snapshot().totals,
        filter: None,
        groups: None,
    }
}

fn exceeded() -> Spent {
    Spent {
        max_bytes: Some(52_428_800),
        max_sent: Some(1_000_000),
        max_recv: None,
        exceeded: vec![Limit::Bytes],
        killed: true,
    }
}

fn at(columns: usize) -> Terminal {
    Terminal {
        size: Some((columns, 24)),
        style: Style::Plain,
    }
}

#[test]
fn on_a_pipe_with_everything() {
    let command = command();
    let outcome = Outcome {
        ending: Ending::Signalled(15),
        spent: Some(exceeded()),
        still_running: vec![Pid(587)],
        ..outcome(&command)
    };
    let tree = of_tree(&snapshot(), Pid(586));
    insta::assert_snapshot!(report(&tree, &outcome, Units::default(), Terminal::NONE));
}

#[test]
fn on_a_terminal_of_80_columns_without_connections() {
    let command = command();
    let mut tree = of_tree(&snapshot(), Pid(586));
    for usage in &mut tree.processes {
        Arc::make_mut(usage).connections = None;
    }
    let text = report(&tree, &outcome(&command), Units::default(), at(80));
    let table = text.lines().take(7);
    for line in table {
        assert!(width(line) <= 80, "{line}");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn nothing_moved_is_a_report_too() {
    let command = command();
    let tree = of_tree(&snapshot(), Pid(1));
    let text = report(&tree, &outcome(&command), Units::default(), Terminal::NONE);
    assert!(text.contains("total     0 B   0 B"), "{text}");
}

#[test]
fn many_processes_are_cut_and_still_add_up() {
    let command = command();
    let mut tree = of_tree(&snapshot(), Pid(586));
    let one = Arc::clone(&tree.processes[0]);
    tree.processes = vec![one; 1000];
    let text = report(&tree, &outcome(&command), Units::default(), Terminal::NONE);
    let rest = text.lines().find(|line| line.contains("and 980 others"));
    assert!(rest.is_some_and(|line| line.contains("1.40 MiB")), "{text}");
}

#[test]
fn no_control_character_reaches_the_terminal() {
    let command = command();
    let tree = of_tree(&snapshot(), Pid(586));
    let text = report(&tree, &outcome(&command), Units::default(), at(80));
    assert!(
        !text.contains(|c: char| c.is_control() && c != '\n'),
        "{text:?}"
    );
    assert!(!text.contains('\u{202e}'), "{text:?}");
}

#[test]
fn json() {
    let command = command();
    let outcome = Outcome {
        spent: Some(exceeded()),
        ..outcome(&command)
    };
    let tree = of_tree(&snapshot(), Pid(586));
    let value = serde_json::to_value(line(&tree, &outcome)).unwrap();
    assert_eq!(value["type"], "run");
    assert_eq!(value["processes"].as_array().unwrap().len(), 2);
    assert_eq!(value["totals"]["bytes_sent"], 65_500);
    insta::assert_json_snapshot!(value);
}

#[test]
fn filtered_and_grouped() {
    let command = command();
    let filter: netprocmon::Filter = "port=https".parse().unwrap();
    let whole = of_tree(&snapshot(), Pid(586));
    let tree = of_run(&whole, &filter, Duration::from_millis(1240));
    let by = [GroupBy::Remote, GroupBy::Process];
    let outcome = Outcome {
        filter: Some(&filter),
        groups: groups_of_run(&tree, &by, Duration::from_millis(1240)),
        spent: Some(exceeded()),
        ..outcome(&command)
    };
    let text = report(&tree, &outcome, Units::default(), Terminal::NONE);
    assert!(
        !text.contains(|c: char| c.is_control() && c != '\n'),
        "{text:?}"
    );
    insta::assert_snapshot!(text);
    let value = serde_json::to_value(line(&tree, &outcome)).unwrap();
    assert_eq!(value["filter"], "port=https");
    assert_eq!(value["groups"][0]["by"], "remote");
    assert_eq!(
        value["groups"][0]["bytes_sent"],
        value["totals"]["bytes_sent"]
    );
}
