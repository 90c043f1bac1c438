//! What the tools' outputs say of each process: bytes in both directions since they were started.
//!
//! One function a format. A line that is not understood is left out: names are anybody's to choose.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Bytes that a tool has put on processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// By pid.
    Pids(BTreeMap<u32, u64>),
    /// By name, of a tool that tells no pids.
    Names(BTreeMap<String, u64>),
}

impl Told {
    /// What it has put on any of these: by pid, or by name where it tells no pids.
    #[must_use]
    pub fn on(&self, pids: &BTreeSet<u32>, name: &str) -> u64 {
        match self {
            Self::Pids(told) => {
                let ours = told.iter().filter(|(pid, _)| pids.contains(pid));
                ours.map(|(_, bytes)| bytes).sum()
            }
            Self::Names(told) => told.get(name).copied().unwrap_or(0),
        }
    }

    /// What it has put on any process at all.
    #[must_use]
    pub fn whole(&self) -> u64 {
        match self {
            Self::Pids(told) => told.values().sum(),
            Self::Names(told) => told.values().sum(),
        }
    }
}

fn json(line: &str) -> Option<Value> {
    serde_json::from_str(line).ok()
}

/// Bytes by process (`None`: none), the most that was said of each; all are running totals.
fn sum<K: Ord>(most: BTreeMap<K, (Option<u32>, u64)>) -> Told {
    let mut pids = BTreeMap::new();
    for (pid, bytes) in most.into_values() {
        if let Some(pid) = pid {
            *pids.entry(pid).or_default() += bytes;
        }
    }
    Told::Pids(pids)
}

pub(super) fn netprocmon(said: &str) -> Told {
    let mut most = BTreeMap::new();
    for line in said.lines().filter_map(json) {
        for process in line["processes"].as_array().into_iter().flatten() {
            let of = |key: &str| process[key].as_u64().unwrap_or(0);
            // The source that knows no wire bytes knows payload.
            let bytes = if process["bytes_sent"].is_null() {
                of("payload_sent") + of("payload_recv")
            } else {
                of("bytes_sent") + of("bytes_recv")
            };
            let pid = u32::try_from(of("pid")).ok();
            let key = (pid, process["started"].as_str().map(str::to_owned));
            most.insert(key, (pid, bytes));
        }
    }
    sum(most)
}

/// `PROGRAM/PID/UID <tab> SENT <tab> RECEIVED`, in bytes since it started. No process is pid 0.
pub(super) fn nethogs(said: &str) -> Told {
    let mut most = BTreeMap::new();
    for line in said.lines() {
        let mut fields = line.split('\t');
        let (Some(program), Some(sent), Some(recv)) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let (Ok(sent), Ok(recv)) = (sent.parse::<f64>(), recv.parse::<f64>()) else {
            continue;
        };
        let pid = program.rsplit('/').nth(1).and_then(|pid| pid.parse().ok());
        let pid = pid.filter(|pid| *pid != 0);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let bytes = (sent + recv) as u64;
        let entry = most.entry(program.to_owned()).or_insert((pid, 0));
        entry.1 = entry.1.max(bytes);
    }
    sum(most)
}

/// `process: <TIME> "NAME" up/down Bps: UP/DOWN connections: N`, once a second: an average over
/// the last five rounds, or over those that there were. So the sum over all lines is the sum of the
/// bytes, where the first four rounds are taken for the part of five that they are (`UIState::update`
/// in version 0.23.1; its total utilization is that sum without the correction).
pub(super) fn bandwhich(said: &str) -> Told {
    const RECALL: u64 = 5;
    let mut names: BTreeMap<String, u64> = BTreeMap::new();
    let mut round = 0;
    for line in said.lines() {
        if line == "Refreshing:" {
            round += 1;
        }
        let Some((head, rates)) = line.rsplit_once("\" up/down Bps: ") else {
            continue;
        };
        let name = head.strip_prefix("process: <").and_then(|head| {
            let (_time, name) = head.split_once("> \"")?;
            Some(name)
        });
        let rates = rates.split(' ').next().and_then(|it| it.split_once('/'));
        let (Some(name), Some((up, down))) = (name, rates) else {
            continue;
        };
        let (Ok(up), Ok(down)) = (up.parse::<u64>(), down.parse::<u64>()) else {
            continue;
        };
        if name != "<UNKNOWN>" {
            *names.entry(name.to_owned()).or_default() += (up + down) * RECALL.min(round);
        }
    }
    for bytes in names.values_mut() {
        *bytes /= RECALL;
    }
    Told::Names(names)
}

pub(super) fn rustnet(said: &str) -> Told {
    let mut most = BTreeMap::new();
    for line in said.lines().filter_map(json) {
        for connection in line["connections"].as_array().into_iter().flatten() {
            let id = connection["id"].as_str().unwrap_or("").to_owned();
            let pid = connection["process"]["pid"].as_u64();
            let pid = pid.and_then(|pid| u32::try_from(pid).ok());
            let of = |key: &str| connection["traffic"][key].as_u64().unwrap_or(0);
            let bytes = of("bytes_sent") + of("bytes_received");
            let entry = most.entry(id).or_insert((pid, 0));
            *entry = (pid.or(entry.0), entry.1.max(bytes));
        }
    }
    sum(most)
}

/// What rustnet says when it cannot find processes in the way that it would like to.
pub(super) fn degraded(said: &str) -> Option<String> {
    let last = said.lines().rev().find_map(json)?;
    let detection = &last["runtime"]["process_detection"];
    if detection["degraded"] != true {
        return None;
    }
    let text = |key: &str| detection[key].as_str().unwrap_or("").replace('|', "/");
    Some(format!(
        "it says: {} only, {}",
        text("method"),
        text("degradation_reason")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pids<const N: usize>(pids: [(u32, u64); N]) -> Told {
        Told::Pids(pids.into())
    }

    #[test]
    fn nethogs_totals_are_taken_once_and_by_pid() {
        let said = "\nRefreshing:\ncurl/10/0\t5\t100\nunknown TCP/0/0\t0\t50\n\nRefreshing:\n\
                    curl/10/0\t6\t200\ncurl/12/0\t1\t1\n/usr/bin/curl/11/0\t0\t7\n";
        assert_eq!(nethogs(said), pids([(10, 206), (11, 7), (12, 2)]));
    }

    #[test]
    fn bandwhich_averages_are_added_up_by_name() {
        // 1,000 bytes in the second round and 500 in the third.
        let rounds = [0, 500, 500, 375, 300, 300, 100, 0];
        let said: String = rounds
            .map(|rate| {
                format!(
                    "Refreshing:\nprocess: <1> \"curl\" up/down Bps: 0/{rate} connections: 1\n\
                     process: <1> \"<UNKNOWN>\" up/down Bps: 0/9 connections: 1\n\
                     connection: <1> <x>:1 => y:2 (tcp) up/down Bps: 0/9 process: \"curl\"\n"
                )
            })
            .concat();
        let curl = ("curl".to_owned(), 1500);
        assert_eq!(bandwhich(&said), Told::Names([curl].into()));
    }

    #[test]
    fn rustnet_connections_and_our_processes_are_taken_once() {
        let said = r#"{"connections":[{"id":"a","process":null,"traffic":{"bytes_sent":1,"bytes_received":2}}]}
            {"connections":[{"id":"a","process":{"pid":10},"traffic":{"bytes_sent":3,"bytes_received":4}}]}"#;
        assert_eq!(rustnet(said), pids([(10, 7)]));
        let said = r#"{"processes":[{"pid":11,"started":"x","bytes_sent":1,"bytes_recv":2}]}
            {"processes":[{"pid":11,"started":"x","bytes_sent":3,"bytes_recv":2},{"pid":9,"bytes_sent":1}]}"#;
        assert_eq!(netprocmon(said), pids([(9, 1), (11, 5)]));
    }
}
