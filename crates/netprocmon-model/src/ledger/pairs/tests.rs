//! Who is paired with whom, in tables and under whatever comes in.

use proptest::prelude::*;

use super::*;

const HERE: NetnsId = NetnsId::new(1);
const THERE: NetnsId = NetnsId::new(2);
const FAR: NetnsId = NetnsId::new(3);
const FARTHER: NetnsId = NetnsId::new(4);
const LOOPBACK: (&str, &str) = ("127.0.0.1:40000", "127.0.0.1:80");
const VETH: (&str, &str) = ("10.0.0.2:40000", "10.0.0.1:80");

/// The end that connected, or the one that accepted.
#[derive(Clone, Copy)]
enum Side {
    Client,
    Server,
}
use Side::{Client, Server};

fn ends((client, server): (&str, &str), side: Side) -> Ends {
    let (client, server) = (client.parse().unwrap(), server.parse().unwrap());
    match side {
        Client => Ends::new(Protocol::TCP, client, server),
        Server => Ends::new(Protocol::TCP, server, client),
    }
}

/// Pairs after these have joined, numbered from 1.
fn joined(addresses: (&str, &str), all: &[(NetnsId, Side)]) -> Pairs {
    let mut pairs = Pairs::default();
    for (id, (netns, side)) in (1..).map(ConnectionId).zip(all) {
        pairs.join(id, *netns, ends(addresses, *side));
    }
    pairs
}

/// The numbers of the partners of 1, 2, …; 0 for none.
fn partners(pairs: &Pairs, count: u64) -> Vec<u64> {
    let partner = |id| pairs.partner(ConnectionId(id)).map_or(0, |id| id.0);
    (1..=count).map(partner).collect()
}

#[test]
fn the_same_namespace_first_another_only_where_nothing_else_can_be_meant() {
    let tunnel = ("[fd00::2]:40000", "[fd00::1]:80");
    for (case, addresses, all, expected) in [
        (
            "both ends here",
            LOOPBACK,
            &[(HERE, Client), (HERE, Server)][..],
            &[2, 1][..],
        ),
        (
            "the other way round",
            LOOPBACK,
            &[(HERE, Server), (HERE, Client)],
            &[2, 1],
        ),
        (
            "both on one side",
            LOOPBACK,
            &[(HERE, Client), (HERE, Client)],
            &[0, 0],
        ),
        (
            "loopback of two namespaces",
            LOOPBACK,
            &[(HERE, Client), (THERE, Server)],
            &[0, 0],
        ),
        (
            "over a veth",
            VETH,
            &[(HERE, Client), (THERE, Server)],
            &[2, 1],
        ),
        (
            "over IPv6",
            tunnel,
            &[(HERE, Client), (THERE, Server)],
            &[2, 1],
        ),
        (
            "two that could have connected",
            VETH,
            &[(HERE, Client), (FAR, Client), (THERE, Server)],
            &[0, 0, 0],
        ),
        (
            "a second that could have connected, later",
            VETH,
            &[(HERE, Client), (THERE, Server), (FAR, Client)],
            &[0, 0, 0],
        ),
        (
            "and a third",
            VETH,
            &[
                (HERE, Client),
                (THERE, Server),
                (FAR, Client),
                (FARTHER, Client),
            ],
            &[0, 0, 0, 0],
        ),
        (
            "two that could have accepted",
            VETH,
            &[(THERE, Server), (FAR, Server), (HERE, Client)],
            &[0, 0, 0],
        ),
        (
            "each in its own",
            VETH,
            &[
                (HERE, Client),
                (THERE, Client),
                (THERE, Server),
                (HERE, Server),
            ],
            &[4, 3, 2, 1],
        ),
        (
            "one here is preferred to one there, which came first",
            VETH,
            &[(HERE, Client), (THERE, Server), (HERE, Server)],
            &[3, 0, 1],
        ),
    ] {
        let pairs = joined(addresses, all);
        assert_eq!(partners(&pairs, all.len() as u64), expected, "{case}");
    }
}

#[test]
fn a_mapped_address_is_the_address() {
    let mut pairs = joined(("10.0.0.2:40000", "10.0.0.1:80"), &[(HERE, Client)]);
    let mapped = ("[::ffff:10.0.0.2]:40000", "[::ffff:10.0.0.1]:80");
    pairs.join(ConnectionId(2), HERE, ends(mapped, Server));
    assert_eq!(partners(&pairs, 2), [2, 1]);
    pairs.join(
        ConnectionId(3),
        THERE,
        ends(("[::ffff:127.0.0.1]:1", "127.0.0.1:2"), Client),
    );
    pairs.join(
        ConnectionId(4),
        FAR,
        ends(("127.0.0.1:1", "127.0.0.1:2"), Server),
    );
    assert_eq!(partners(&pairs, 4), [2, 1, 0, 0]);
}

#[test]
fn another_port_or_protocol_is_another_connection() {
    let mut pairs = joined(LOOPBACK, &[(HERE, Client)]);
    let udp = Ends {
        protocol: Protocol::UDP,
        ..ends(LOOPBACK, Server)
    };
    pairs.join(ConnectionId(2), HERE, udp);
    let other = ("127.0.0.1:40001", "127.0.0.1:80");
    pairs.join(ConnectionId(3), HERE, ends(other, Server));
    assert_eq!(partners(&pairs, 3), [0, 0, 0]);
}

#[test]
fn one_that_talks_to_itself_is_not_its_own_partner() {
    let itself = ("127.0.0.1:40000", "127.0.0.1:40000");
    assert_eq!(partners(&joined(itself, &[(HERE, Client)]), 1), [0]);
}

#[test]
fn a_server_that_stays_meets_the_next_client_with_the_same_port() {
    let mut pairs = joined(LOOPBACK, &[(HERE, Server), (HERE, Client)]);
    pairs.end(ConnectionId(2));
    // That it was with the one that ended is not unsaid.
    let news = pairs.join(ConnectionId(3), HERE, ends(LOOPBACK, Client));
    assert_eq!(partners(&pairs, 3), [3, 0, 1]);
    assert!(!news.iter().any(|change| change.of == ConnectionId(2)));
    pairs.leave(ConnectionId(3));
    pairs.join(ConnectionId(4), HERE, ends(LOOPBACK, Client));
    assert_eq!(partners(&pairs, 4), [4, 0, 0, 1]);
}

#[test]
fn ended_before_the_other_end_is_heard_of() {
    let mut pairs = joined(LOOPBACK, &[(HERE, Client)]);
    pairs.end(ConnectionId(1));
    pairs.join(ConnectionId(2), HERE, ends(LOOPBACK, Server));
    assert_eq!(partners(&pairs, 2), [2, 1]);
    // The next with the same ports is not taken for the one that has ended with its partner.
    pairs.end(ConnectionId(2));
    pairs.join(ConnectionId(3), HERE, ends(LOOPBACK, Client));
    pairs.join(ConnectionId(4), HERE, ends(LOOPBACK, Server));
    assert_eq!(partners(&pairs, 4), [2, 1, 4, 3]);
}

/// What can happen to a few connections between a few addresses.
#[derive(Clone, Debug)]
enum Event {
    Join(u64, u32, usize),
    End(u64),
    Leave(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1_u64..30, 1_u32..4, 0_usize..6).prop_map(|(id, netns, of)| Event::Join(id, netns, of)),
        1 => (1_u64..30).prop_map(Event::End),
        1 => (1_u64..30).prop_map(Event::Leave),
    ]
}

proptest! {
    #[test]
    fn pairs_are_mutual_mirrored_and_leave_nothing_behind(
        events in prop::collection::vec(event(), 0..80),
    ) {
        let other = ("10.0.0.2:40000", "10.0.0.1:81");
        let all: Vec<_> = [LOOPBACK, VETH, other]
            .into_iter()
            .flat_map(|one| [ends(one, Client), ends(one, Server)])
            .collect();
        let mut pairs = Pairs::default();
        // What somebody who only hears of changes believes.
        let mut told = BTreeMap::new();
        for event in events {
            match event {
                Event::Join(id, netns, of) => {
                    told.remove(&ConnectionId(id));
                    for change in pairs.join(ConnectionId(id), NetnsId::new(netns), all[of]) {
                        told.insert(change.of, change.partner);
                    }
                }
                Event::End(id) => pairs.end(ConnectionId(id)),
                Event::Leave(id) => pairs.leave(ConnectionId(id)),
            }
            prop_assert_eq!(pairs.by_ends.len(), pairs.members.len());
            for (id, member) in &pairs.members {
                prop_assert!(pairs.by_ends.contains(&(member.ends, member.netns, *id)));
                let Partner::Is(partner) = member.partner else {
                    continue;
                };
                prop_assert_eq!(pairs.partner(partner), Some(*id));
                prop_assert_eq!(told.get(id), Some(&Some(partner)));
                let other = &pairs.members[&partner];
                prop_assert_eq!(other.ends, member.ends.mirrored());
                prop_assert!(
                    other.netns == member.netns || !member.ends.stays_in_its_namespace()
                );
            }
        }
        for id in 1..30 {
            pairs.leave(ConnectionId(id));
        }
        prop_assert!(pairs.members.is_empty() && pairs.by_ends.is_empty());
    }
}
