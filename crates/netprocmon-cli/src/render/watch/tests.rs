//! Samples on a terminal, on a pipe, and the totals.

use clap::Parser as _;
use netprocmon::Filter;
use netprocmon::text::width;

use super::super::{Style, tests::snapshot};
use super::*;
use crate::commands::shown::Series;
use crate::flags::meaning::Connections;
use crate::flags::typed::{Cli, Command};

fn plan(arguments: &[&str]) -> WatchPlan {
    let all = ["netprocmon", "watch"].iter().chain(arguments);
    match Cli::try_parse_from(all).unwrap().command {
        Command::Watch(typed) => typed.into(),
        other => panic!("{other:?}"),
    }
}

/// The snapshot as it is without a filter or groups.
fn shown(snapshot: Snapshot) -> Shown {
    Series::new(&Filter::default(), &[], Connections::Shown).next(&Arc::new(snapshot))
}

fn at(columns: usize, rows: usize) -> Terminal {
    Terminal {
        size: Some((columns, rows)),
        style: Style::Plain,
    }
}

#[test]
fn on_a_terminal() {
    let text = sample(&shown(snapshot()), &plan(&["586"]), at(80, 40));
    for line in text.lines() {
        assert!(width(line) <= 80, "{line}");
    }
    assert!(
        !text.contains(|c: char| c.is_control() && c != '\n'),
        "{text:?}"
    );
    insta::assert_snapshot!(text);
}

#[test]
fn on_a_pipe() {
    let mut text = head(Terminal::NONE).unwrap();
    text.push_str(&sample(
        &shown(snapshot()),
        &plan(&["586", "--si"]),
        Terminal::NONE,
    ));
    text.push_str(&totals(&snapshot(), Units::default(), Terminal::NONE));
    insta::assert_snapshot!(text);
}

#[test]
fn the_whole_host_shows_what_is_active() {
    let text = sample(&shown(snapshot()), &plan(&[]), Terminal::NONE);
    assert!(!text.contains("sshd"), "{text}");
    let text = sample(&shown(snapshot()), &plan(&["sshd"]), Terminal::NONE);
    assert!(text.contains("sshd"), "{text}");
}

#[test]
fn orders() {
    let order = |key| {
        let mut processes = snapshot().processes;
        sort(&mut processes, key);
        let pids = processes.iter().map(|usage| usage.process.pid.0);
        pids.collect::<Vec<_>>()
    };
    assert_eq!(order(Sort::Pid), [586, 587, 588]);
    assert_eq!(order(Sort::Sent), [587, 586, 588]);
    assert_eq!(order(Sort::Recv), [587, 586, 588]);
    assert_eq!(order(Sort::Rate), [587, 586, 588]);
    assert_eq!(order(Sort::Name), [586, 588, 587]);
}
