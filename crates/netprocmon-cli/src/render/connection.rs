//! One connection on one line, the same under every table.

use netprocmon::units::{Ends, Units};
use netprocmon::{Connection, ConnectionUsage, Counters, Process, Scope};
use netprocmon_tui::ends;

/// `    tcp 192.0.2.2:41312 → example.org:https  established  …`, with `moved` at its end; of a
/// connection of `owner`. Not yet escaped: the table does that.
pub(crate) fn line(
    owner: &Process,
    usage: &ConnectionUsage,
    units: Units,
    moved: &impl Fn(&Counters) -> String,
) -> String {
    let connection = &usage.connection;
    let arrow = ends::arrow(connection.direction);
    let (local, remote) = ends::both(connection, units.ends);
    let remote = remote.as_deref().unwrap_or("*");
    let mut parts = vec![format!(
        "    {} {local} {arrow} {remote}",
        connection.protocol
    )];
    parts.extend(ends::pair(owner, connection));
    parts.extend(scope(connection, units.ends));
    parts.extend(connection.origin.as_deref().and_then(ends::origin));
    parts.push(connection.state.name().to_owned());
    parts.push(moved(&usage.counters));
    parts.join("  ")
}

/// How far away a remote is whose name hides its address; nearly all are public.
fn scope(connection: &Connection, ends: Ends) -> Option<String> {
    let is_hidden = connection.remote_name.is_some() && ends == Ends::Named;
    let scope = connection.scope.filter(|_| is_hidden)?;
    match scope {
        Scope::Public | Scope::Loopback => None,
        Scope::Link | Scope::Private | Scope::Multicast => Some(format!("({})", scope.name())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use netprocmon::{Direction, Origin, Peer, Pid, ProcessId};

    use super::super::tests::snapshot;
    use super::*;

    /// The connection of the snapshot's first process, changed.
    fn shown(change: impl Fn(&mut Connection), ends: Ends) -> String {
        let snapshot = snapshot();
        let usage = &snapshot.processes[0];
        let mut one = usage.connections.as_ref().unwrap()[0].clone();
        let connection = &mut Arc::make_mut(&mut one).connection;
        connection.remote_name = Some("example.org".into());
        change(connection);
        let mut owner = Process::clone(&usage.process);
        owner.name = "curl".into();
        let units = Units {
            ends,
            ..Units::default()
        };
        line(&owner, &one, units, &|_| "much".to_owned())
    }

    #[test]
    fn names_and_numbers() {
        let none = |_: &mut Connection| ();
        assert_eq!(
            shown(none, Ends::Named),
            "    tcp 192.0.2.2:41312 → example.org:https  established  much"
        );
        assert_eq!(
            shown(none, Ends::Numeric),
            "    tcp 192.0.2.2:41312 → 198.51.100.7:443  established  much"
        );
        let accepted = |one: &mut Connection| {
            one.direction = Some(Direction::In);
            one.local = "[2001:db8::1]:443".parse().unwrap();
            one.remote = Some("[2001:db8::2]:50000".parse().unwrap());
            one.remote_name = None;
        };
        assert_eq!(
            shown(accepted, Ends::Named),
            "    tcp [2001:db8::1]:https ← [2001:db8::2]:50000  established  much"
        );
        let listener = |one: &mut Connection| {
            one.direction = None;
            one.remote = None;
        };
        assert_eq!(
            shown(listener, Ends::Named),
            "    tcp 192.0.2.2:https – *  established  much"
        );
    }

    #[test]
    fn the_client_stands_before_the_server() {
        let peer = |direction| {
            move |one: &mut Connection| {
                one.direction = direction;
                one.remote_name = None;
                one.service = None;
                one.peer = Some(Peer {
                    process: ProcessId {
                        pid: Pid(587),
                        start_boottime: 1,
                    },
                    name: "nginx".into(),
                });
            }
        };
        for (direction, pair) in [
            (Some(Direction::Out), "  curl ⇄ nginx (587)  "),
            (Some(Direction::In), "  nginx (587) ⇄ curl  "),
            (None, "  curl ⇄ nginx (587)  "),
        ] {
            for ends in [Ends::Named, Ends::Numeric] {
                let text = shown(peer(direction), ends);
                assert!(text.contains(pair), "{text}");
            }
        }
    }

    #[test]
    fn the_scope_only_where_the_name_hides_it_and_the_origin_as_far_as_it_is_known() {
        let private = |one: &mut Connection| {
            one.scope = Some(Scope::Private);
            one.origin = Some(Arc::new(Origin {
                country: Some("US".into()),
                asn: Some(64_496),
                organization: Some("Example Networks".into()),
            }));
        };
        let text = shown(private, Ends::Named);
        let both = "example.org:https  (private)  [US AS64496 Example Networks]  established";
        assert!(text.contains(both), "{text}");
        let text = shown(private, Ends::Numeric);
        assert!(
            !text.contains("private") && text.contains("[US AS64496"),
            "{text}"
        );
        let asn = |one: &mut Connection| {
            one.origin = Some(Arc::new(Origin {
                asn: Some(64_496),
                ..Origin::default()
            }));
        };
        assert!(shown(asn, Ends::Named).contains("  [AS64496]  "));
    }
}
