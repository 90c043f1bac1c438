//! One connection on one line, the same under every table.

use netprocmon::{ConnectionUsage, Counters, Direction};

/// `    tcp 192.0.2.2:41312 → 198.51.100.7:443 (example.org) established  …`, with `moved` at its
/// end. Not yet escaped: the table does that.
pub(crate) fn line(usage: &ConnectionUsage, moved: &impl Fn(&Counters) -> String) -> String {
    let connection = &usage.connection;
    let arrow = match connection.direction {
        Some(Direction::In) => "←",
        Some(Direction::Out) => "→",
        None => "–",
    };
    let remote = match (connection.remote, connection.remote_name.as_deref()) {
        (Some(remote), Some(name)) => format!("{remote} ({name})"),
        (Some(remote), None) => remote.to_string(),
        (None, _) => "*".to_owned(),
    };
    format!(
        "    {} {} {arrow} {remote}  {}  {}",
        connection.protocol,
        connection.local,
        connection.state.name(),
        moved(&usage.counters)
    )
}
