//! What the flags mean: plain structs, each made from what was typed, with nothing left to decide.
//!
//! A command takes one of these and never looks at clap's types; a test makes one by hand.

use std::fs::File;
use std::path::PathBuf;

use netprocmon::units::{Ends, Prefix, Quantity, Units};
use netprocmon::{Capacity, Filter, MonitorBuilder, Pid};

use super::typed;
use crate::exit::{Failure, Status};

mod run;
mod top;
mod watch;

pub(crate) use run::{Budget, Descendants, Destination, OnExcess, Report, RunPlan};
pub(crate) use top::TopPlan;
pub(crate) use watch::WatchPlan;

/// What goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
}

/// Whether connections are shown one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connections {
    Hidden,
    Shown,
}

/// What is to be found out about remotes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Remotes {
    /// Databases of where addresses are.
    pub(crate) origins: Vec<PathBuf>,
    /// Whether names are looked up.
    pub(crate) resolve: bool,
}

impl Remotes {
    /// Whether the databases may be read: with the rights that the caller has now.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        for path in &self.origins {
            File::open(path).map_err(|error| {
                let message = format!("cannot read {}: {error}", path.display());
                Failure::new(Status::Usage, message)
            })?;
        }
        Ok(())
    }

    pub(crate) fn ask(&self, builder: MonitorBuilder) -> MonitorBuilder {
        let builder = builder.reverse_lookup(self.resolve);
        self.origins.iter().fold(builder, MonitorBuilder::origins)
    }
}

/// What `ps` is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PsPlan {
    pub(crate) format: Format,
    pub(crate) connections: Connections,
    pub(crate) filter: Filter,
    pub(crate) units: Units,
}

/// What `ports` is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PortsPlan {
    pub(crate) format: Format,
    pub(crate) wanted: Wanted,
}

/// Which ports are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Those that something listens on or, for datagrams, is bound to.
    Listening,
    /// Every port in use.
    All,
    /// What matches either; `None` matches nothing. Connections too.
    Either(Option<u16>, Option<Pid>),
    /// Only what matches both.
    Both(u16, Pid),
}

impl From<typed::Display> for Units {
    fn from(typed: typed::Display) -> Self {
        Self {
            prefix: if typed.si { Prefix::Si } else { Prefix::Iec },
            quantity: if typed.bits {
                Quantity::Bits
            } else {
                Quantity::Bytes
            },
            ends: if typed.numeric {
                Ends::Numeric
            } else {
                Ends::Named
            },
        }
    }
}

impl From<typed::Remotes> for Remotes {
    fn from(typed: typed::Remotes) -> Self {
        Self {
            origins: typed.geoip,
            resolve: typed.resolve,
        }
    }
}

impl From<typed::Tables> for Capacity {
    fn from(typed: typed::Tables) -> Self {
        Self {
            counters: typed.counters,
            connections: typed.connections,
            processes: typed.processes,
        }
    }
}

impl From<typed::Ps> for PsPlan {
    fn from(typed: typed::Ps) -> Self {
        Self {
            format: format(typed.json),
            connections: connections(typed.connections),
            filter: typed.filter.unwrap_or_default(),
            units: typed.display.into(),
        }
    }
}

impl From<typed::Ports> for PortsPlan {
    fn from(typed: typed::Ports) -> Self {
        let wanted = match (typed.number, typed.port, typed.pid) {
            (Some(number), ..) => Wanted::Either(u16::try_from(number).ok(), Some(Pid(number))),
            (None, Some(port), Some(pid)) => Wanted::Both(port, Pid(pid)),
            (None, None, None) if typed.all => Wanted::All,
            (None, None, None) => Wanted::Listening,
            (None, port, pid) => Wanted::Either(port, pid.map(Pid)),
        };
        Self {
            format: format(typed.json),
            wanted,
        }
    }
}

/// Numbers are pids, the rest are names.
fn targets(typed: Vec<String>) -> (Vec<Pid>, Vec<String>) {
    let mut pids = Vec::new();
    let mut names = Vec::new();
    for target in typed {
        match target.parse() {
            Ok(pid) => pids.push(Pid(pid)),
            Err(_) => names.push(target),
        }
    }
    (pids, names)
}

const fn format(json: bool) -> Format {
    if json { Format::Json } else { Format::Text }
}

const fn connections(shown: bool) -> Connections {
    if shown {
        Connections::Shown
    } else {
        Connections::Hidden
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn ports(arguments: &[&str]) -> Wanted {
        let all = ["netprocmon", "ports"].iter().chain(arguments);
        match typed::Cli::try_parse_from(all).unwrap().command {
            typed::Command::Ports(typed) => PortsPlan::from(typed).wanted,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_number_is_a_port_and_a_pid() {
        assert_eq!(ports(&[]), Wanted::Listening);
        assert_eq!(ports(&["--all"]), Wanted::All);
        assert_eq!(ports(&["443"]), Wanted::Either(Some(443), Some(Pid(443))));
        assert_eq!(ports(&["70000"]), Wanted::Either(None, Some(Pid(70000))));
        assert_eq!(ports(&["--port", "53"]), Wanted::Either(Some(53), None));
        assert_eq!(ports(&["--pid", "7"]), Wanted::Either(None, Some(Pid(7))));
        assert_eq!(ports(&["-p53", "--pid=7"]), Wanted::Both(53, Pid(7)));
    }
}
