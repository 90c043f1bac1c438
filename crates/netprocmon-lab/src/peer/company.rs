//! The tools that watch one row, all at the same time, and ours with them.
//!
//! They are started before the row's traffic and have said something before it begins; they have
//! some rounds with the sockets still open, so that they can look the owners up, and one more when
//! all is closed.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::share::{Mover, Share, share};
use super::{Sight, Started, Tool};
use crate::net::Namespace;

/// For every tool to find the owners and to say its last: they speak once a second, and one averages
/// over five.
const OPEN: usize = 6;
const CLOSED: usize = 1;
/// With very many sockets a round takes longer; then there are fewer.
const LIMIT: Duration = Duration::from_secs(10);

/// What a tool had to say of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// This much is right, and what it says of itself.
    Share(Share, String),
    /// It did not live to the end of the row.
    Died,
    /// It could not be started, for this reason.
    Absent(String),
    /// There is nothing that it could have seen: no process of the row moved anything at the
    /// interface that it watched.
    Nothing,
}

impl fmt::Display for Seen {
    #[allow(clippy::cast_possible_truncation)] // a share, in percent
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = match self {
            Self::Share(share, _) => share,
            Self::Died => return f.write_str("died"),
            Self::Absent(_) | Self::Nothing => return f.write_str("-"),
        };
        // 99.6 % is not 100 %.
        let percent = |part: f64| (part * 100.0 + 1e-9).floor() as i64;
        write!(f, "{} %", percent(share.right))?;
        if share.beyond > 0.1 {
            write!(f, " (+{} %)", percent(share.beyond))?;
        }
        Ok(())
    }
}

/// Tools that run.
#[derive(Debug)]
pub struct Company(Vec<(Tool, Result<Started, Seen>)>);

impl Company {
    /// Starts all, and waits until each has said something.
    #[must_use]
    pub fn start(tools: &[Tool], namespace: &Namespace, sight: Sight<'_>) -> Self {
        let start = |tool: &Tool| {
            let started = tool.spawn(namespace, sight);
            let started = started.map_err(|error| Seen::Absent(format!("{error:#}")));
            (tool.clone(), started)
        };
        let mut company = Self(tools.iter().map(start).collect());
        company.wait(1);
        company
    }

    /// The traffic has been, and its sockets are open.
    pub fn linger(&mut self) {
        self.wait(OPEN);
    }

    /// The sockets are closed.
    pub fn part(&mut self) {
        self.wait(CLOSED);
    }

    fn wait(&mut self, rounds: usize) {
        let now = Instant::now();
        let targets: Vec<_> = self.running().map(Started::rounds).collect();
        for (one, target) in self.running().zip(targets) {
            let limit = LIMIT.saturating_sub(now.elapsed());
            // One that has ended is found out at the end.
            let _ = target.and_then(|target| one.wait_for(target + rounds, limit));
        }
    }

    fn running(&mut self) -> impl Iterator<Item = &mut Started> {
        self.0.iter_mut().filter_map(|(_, one)| one.as_mut().ok())
    }

    /// Ends all, and judges what they said by what went over the `interface`.
    #[must_use]
    pub fn end(self, interface: u64, movers: &[&Mover]) -> Vec<Seen> {
        let each = self.0.into_iter();
        each.map(|(tool, started)| match started.map(Started::end) {
            Err(seen) => seen,
            Ok(Err(_)) => Seen::Died,
            Ok(Ok(_)) if interface == 0 || movers.is_empty() => Seen::Nothing,
            Ok(Ok(said)) => {
                let right = share(interface, movers, &tool.told(&said));
                Seen::Share(right, tool.note(&said))
            }
        })
        .collect()
    }
}
