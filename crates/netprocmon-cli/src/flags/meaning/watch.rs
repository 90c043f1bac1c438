//! What a `watch` is to do.

use std::net::IpAddr;
use std::time::Duration;

use netprocmon::units::Units;
use netprocmon::{Capacity, Children, Filter, GroupBy, Pid, SourceChoice};

use super::{Connections, Format, Remotes, connections, format};
use crate::flags::typed::{self, Sort};

/// A live view of some processes, or of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WatchPlan {
    pub(crate) pids: Vec<Pid>,
    pub(crate) names: Vec<String>,
    pub(crate) cgroups: Vec<String>,
    /// Whether the pids' children are watched too.
    pub(crate) children: Children,
    pub(crate) interfaces: Vec<String>,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) interval: Duration,
    /// Samples to take; `None` is without end.
    pub(crate) count: Option<u64>,
    pub(crate) format: Format,
    pub(crate) connections: Connections,
    pub(crate) remotes: Remotes,
    pub(crate) filter: Filter,
    /// Empty shows processes.
    pub(crate) group_by: Vec<GroupBy>,
    /// `None` leaves the order to the format.
    pub(crate) sort: Option<Sort>,
    pub(crate) units: Units,
    pub(crate) source: SourceChoice,
    pub(crate) capacity: Capacity,
}

impl WatchPlan {
    /// Whether particular processes were asked for, rather than the whole host.
    pub(crate) fn is_selective(&self) -> bool {
        !(self.pids.is_empty() && self.names.is_empty() && self.cgroups.is_empty())
    }

    /// Whether the watch is over when these pids have ended: nothing that was asked for can still
    /// come.
    pub(crate) fn ends_with_pids(&self) -> bool {
        !self.pids.is_empty() && self.names.is_empty() && self.cgroups.is_empty()
    }
}

impl From<typed::Watch> for WatchPlan {
    fn from(typed: typed::Watch) -> Self {
        let (pids, names) = super::targets(typed.targets);
        Self {
            pids,
            names,
            cgroups: typed.cgroup,
            children: if typed.children {
                Children::Follow
            } else {
                Children::Ignore
            },
            interfaces: typed.interface,
            addresses: typed.address,
            interval: typed.delay,
            count: typed.count,
            format: format(typed.json),
            connections: connections(typed.connections),
            remotes: typed.remotes.into(),
            filter: typed.filter.unwrap_or_default(),
            group_by: typed.group_by,
            sort: typed.sort,
            units: typed.display.into(),
            source: typed.source,
            capacity: typed.tables.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn plan(arguments: &[&str]) -> Result<WatchPlan, clap::Error> {
        let all = ["netprocmon", "watch"].iter().chain(arguments);
        typed::Cli::try_parse_from(all).map(|cli| match cli.command {
            typed::Command::Watch(typed) => typed.into(),
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn numbers_are_pids_and_the_rest_are_names() {
        let plan = plan(&["7", "curl", "8", "--children"]).unwrap();
        assert_eq!(plan.pids, [Pid(7), Pid(8)]);
        assert_eq!(plan.names, ["curl"]);
        assert_eq!(plan.children, Children::Follow);
        assert!(plan.is_selective());
        assert!(!plan.ends_with_pids());
    }

    #[test]
    fn the_whole_host_a_second_at_a_time() {
        let plan = plan(&[]).unwrap();
        assert!(!plan.is_selective());
        assert_eq!(plan.interval, Duration::from_secs(1));
        assert_eq!(plan.count, None);
    }

    #[test]
    fn only_pids_end() {
        assert!(plan(&["7"]).unwrap().ends_with_pids());
        assert!(!plan(&["7", "--cgroup", "x"]).unwrap().ends_with_pids());
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert!(plan(&["-d", "0"]).is_err());
        assert!(plan(&["-c", "0"]).is_err());
        assert!(plan(&["--sort", "colour"]).is_err());
        assert!(plan(&["--address", "eth0"]).is_err());
    }
}
