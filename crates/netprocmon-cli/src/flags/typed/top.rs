//! `netprocmon top`, as typed.
//!
//! Everything here may also stand in the environment (as `NETPROCMON_…`) and, but for what to watch,
//! in the file; so nothing has a default that clap would fill in.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use netprocmon::{Filter, GroupBy, SourceChoice};
use netprocmon_tui::settings::{ColumnId, View};

use super::{Remotes, Tables, rows};
use crate::flags::quantity;

/// Look at what processes move, live
///
/// What `netprocmon` alone does on a terminal. Processes, connections, remotes, interfaces, and one
/// process or connection in detail; `?` lists the keys. docs/top.md is the manual.
///
/// Each option may also be given as a variable of the environment or in the file
/// ~/.config/netprocmon/config.toml (docs/config.md): the command line goes before the environment,
/// the environment before the file.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Top {
    /// Time between two samples, in seconds or with a unit [default: 1]
    #[arg(short, long, value_name = "SECONDS", env = "NETPROCMON_DELAY", hide_env_values = true, value_parser = quantity::interval)]
    pub(crate) delay: Option<Duration>,

    /// Count only what crosses this interface; may be given several times
    #[arg(
        short,
        long,
        value_name = "NAME",
        env = "NETPROCMON_INTERFACE",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub(crate) interface: Vec<String>,

    /// Watch only these processes, by pid or by name; may be given several times
    #[arg(short, long, value_name = "PID|NAME", value_delimiter = ',')]
    pub(crate) process: Vec<String>,

    /// Begin with the processes in this order: rate, sent-rate, recv-rate, total, sent, recv,
    /// payload-sent, payload-recv, retransmitted, connections, pid, name, user, unit, protocol,
    /// local, remote, state, age or interface [default: rate]
    #[arg(short, long, value_name = "COLUMN", env = "NETPROCMON_SORT", hide_env_values = true, value_parser = column)]
    pub(crate) sort: Option<ColumnId>,

    /// Begin with what matches, as typed behind `/`: `name=curl and port=https`. docs/filter.md has
    /// it all
    #[arg(short, long, value_name = "EXPR", env = "NETPROCMON_FILTER", hide_env_values = true, value_parser = rows::filter)]
    pub(crate) filter: Option<Filter>,

    /// Begin with sums by tree, name, user, unit, container, pod, remote, interface, protocol or
    /// port
    #[arg(
        short,
        long,
        value_name = "WHAT",
        env = "NETPROCMON_GROUP_BY",
        hide_env_values = true
    )]
    pub(crate) group_by: Option<GroupBy>,

    /// Begin with this view [default: processes]
    #[arg(long, value_name = "VIEW", env = "NETPROCMON_VIEW", hide_env_values = true, value_parser = view)]
    pub(crate) view: Option<View>,

    /// Colours. `auto` is dark unless the terminal says that its background is light
    /// (`COLORFGBG`); with the variable `NO_COLOR` it is none [default: auto]
    #[arg(
        long,
        value_name = "THEME",
        env = "NETPROCMON_THEME",
        hide_env_values = true
    )]
    pub(crate) theme: Option<ThemeName>,

    /// Characters. `auto` goes by the locale [default: auto]
    #[arg(
        long,
        value_name = "SET",
        env = "NETPROCMON_CHARACTERS",
        hide_env_values = true
    )]
    pub(crate) characters: Option<Characters>,

    /// How long processes that have ended stay in sight [default: 30s]
    #[arg(long, value_name = "SECONDS", env = "NETPROCMON_KEEP_ENDED", hide_env_values = true, value_parser = quantity::duration)]
    pub(crate) keep_ended: Option<Duration>,

    /// Take clicks and the wheel; the terminal then marks text with Shift held [default: true]
    #[arg(long, value_name = "BOOL", env = "NETPROCMON_MOUSE", hide_env_values = true, value_parser = BoolishValueParser::new())]
    pub(crate) mouse: Option<bool>,

    /// Show sizes in powers of 1000 (kB, MB) instead of 1024 (KiB, MiB)
    #[arg(long, value_name = "BOOL", env = "NETPROCMON_SI", hide_env_values = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new(), help_heading = "Display")]
    pub(crate) si: Option<bool>,

    /// Show bits instead of bytes
    #[arg(long, value_name = "BOOL", env = "NETPROCMON_BITS", hide_env_values = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new(), help_heading = "Display")]
    pub(crate) bits: Option<bool>,

    /// Show addresses and port numbers of connections instead of names
    #[arg(short, long, value_name = "BOOL", env = "NETPROCMON_NUMERIC", hide_env_values = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new(), help_heading = "Display")]
    pub(crate) numeric: Option<bool>,

    /// Show payload, what the programs' own calls moved, instead of wire bytes
    #[arg(long, value_name = "BOOL", env = "NETPROCMON_PAYLOAD", hide_env_values = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new(), help_heading = "Display")]
    pub(crate) payload: Option<bool>,

    /// Where the numbers come from [default: auto, the best that works]
    #[arg(long, value_name = "SOURCE", env = "NETPROCMON_SOURCE", hide_env_values = true, value_parser = rows::source())]
    pub(crate) source: Option<SourceChoice>,

    /// Read this file instead of ~/.config/netprocmon/config.toml
    #[arg(
        long,
        value_name = "FILE",
        env = "NETPROCMON_CONFIG",
        hide_env_values = true
    )]
    pub(crate) config: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) remotes: Remotes,

    #[command(flatten)]
    pub(crate) tables: Tables,
}

/// Which colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ThemeName {
    #[default]
    Auto,
    Dark,
    Light,
    None,
}

/// Which characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Characters {
    #[default]
    Auto,
    Unicode,
    Plain,
}

/// A column's word, or which there are.
pub(crate) fn column(text: &str) -> Result<ColumnId, String> {
    ColumnId::of_word(text).ok_or_else(|| {
        let words = ColumnId::SORTABLE.map(|(_, word)| word);
        format!("give one of {}", words.join(", "))
    })
}

/// A view's word, or which there are.
pub(crate) fn view(text: &str) -> Result<View, String> {
    let tables = &View::ALL[..4];
    let found = tables.iter().find(|view| view.name() == text).copied();
    found.ok_or_else(|| {
        let words: Vec<_> = tables.iter().map(|view| view.name()).collect();
        format!("give one of {}", words.join(", "))
    })
}
