//! The fields: their names, what kind of value each has, what it is a fact about.

use super::syntax::Operator;
use crate::text::nearest;

/// What a term asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Field {
    Pid,
    Ppid,
    Tree,
    Name,
    Exe,
    Command,
    Script,
    User,
    Unit,
    Slice,
    Container,
    Image,
    Pod,
    Namespace,
    Age,
    Interface,
    Netns,
    Protocol,
    State,
    Direction,
    Local,
    Remote,
    Scope,
    Service,
    Peer,
    Port,
    Lport,
    Rport,
    Sent,
    Recv,
    Total,
    Rate,
    Payload,
    Retransmitted,
    Reason,
}

/// What a field's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    Protocol,
    Number,
    /// A pid that stands for a whole tree.
    Tree,
    Size,
    Rate,
    Duration,
    Port,
    /// An address, a network, a name.
    Address,
}

/// What a field is a fact about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    Process,
    Interface,
    Protocol,
    Connection,
    /// Whatever the filter is about.
    Row,
    Unattributed,
}

const STATES: &[&str] = &[
    "established",
    "syn-sent",
    "syn-received",
    "fin-wait-1",
    "fin-wait-2",
    "time-wait",
    "closed",
    "close-wait",
    "last-ack",
    "listen",
    "closing",
    "stateless",
];
const SCOPES: &[&str] = &["loopback", "link", "private", "multicast", "public"];
const REASONS: &[&str] = &["kernel", "before_start", "no_socket", "exited", "capacity"];

/// In the order of [`Field`].
const FIELDS: [(Field, &str, Kind, About); 35] = [
    (Field::Pid, "pid", Kind::Number, About::Process),
    (Field::Ppid, "ppid", Kind::Number, About::Process),
    (Field::Tree, "tree", Kind::Tree, About::Process),
    (Field::Name, "name", Kind::Text, About::Process),
    (Field::Exe, "exe", Kind::Text, About::Process),
    (Field::Command, "command", Kind::Text, About::Process),
    (Field::Script, "script", Kind::Text, About::Process),
    (Field::User, "user", Kind::Text, About::Process),
    (Field::Unit, "unit", Kind::Text, About::Process),
    (Field::Slice, "slice", Kind::Text, About::Process),
    (Field::Container, "container", Kind::Text, About::Process),
    (Field::Image, "image", Kind::Text, About::Process),
    (Field::Pod, "pod", Kind::Text, About::Process),
    (Field::Namespace, "namespace", Kind::Text, About::Process),
    (Field::Age, "age", Kind::Duration, About::Row),
    (Field::Interface, "interface", Kind::Text, About::Interface),
    (Field::Netns, "netns", Kind::Number, About::Interface),
    (Field::Protocol, "protocol", Kind::Protocol, About::Protocol),
    (Field::State, "state", Kind::Word(STATES), About::Connection),
    (
        Field::Direction,
        "direction",
        Kind::Word(&["in", "out"]),
        About::Connection,
    ),
    (Field::Local, "local", Kind::Address, About::Connection),
    (Field::Remote, "remote", Kind::Address, About::Connection),
    (Field::Scope, "scope", Kind::Word(SCOPES), About::Connection),
    (Field::Service, "service", Kind::Text, About::Connection),
    (Field::Peer, "peer", Kind::Text, About::Connection),
    (Field::Port, "port", Kind::Port, About::Connection),
    (Field::Lport, "lport", Kind::Port, About::Connection),
    (Field::Rport, "rport", Kind::Port, About::Connection),
    (Field::Sent, "sent", Kind::Size, About::Row),
    (Field::Recv, "recv", Kind::Size, About::Row),
    (Field::Total, "total", Kind::Size, About::Row),
    (Field::Rate, "rate", Kind::Rate, About::Process),
    (Field::Payload, "payload", Kind::Size, About::Row),
    (
        Field::Retransmitted,
        "retransmitted",
        Kind::Size,
        About::Row,
    ),
    (
        Field::Reason,
        "reason",
        Kind::Word(REASONS),
        About::Unattributed,
    ),
];

/// What people type besides.
const SYNONYMS: [(&str, Field); 5] = [
    ("cmd", Field::Command),
    ("iface", Field::Interface),
    ("proto", Field::Protocol),
    ("dport", Field::Rport),
    ("sport", Field::Lport),
];

impl Field {
    /// The field with this name, whatever its case.
    pub(super) fn named(name: &str) -> Option<Self> {
        let names = Self::all().map(|field| (field.name(), field));
        let mut names = names.chain(SYNONYMS);
        let found = names.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, field)| field)
    }

    pub(super) fn all() -> impl Iterator<Item = Self> + Clone {
        FIELDS.iter().map(|entry| entry.0)
    }

    pub(super) const fn name(self) -> &'static str {
        FIELDS[self as usize].1
    }

    pub(super) const fn kind(self) -> Kind {
        FIELDS[self as usize].2
    }

    pub(super) const fn about(self) -> About {
        FIELDS[self as usize].3
    }

    /// Names that may have been meant by one that is none.
    pub(super) fn near(name: &str) -> Vec<&'static str> {
        nearest(name, Self::all().map(Self::name))
    }
}

impl Kind {
    /// The comparisons that mean something for such a value.
    pub(super) const fn operators(self) -> &'static [Operator] {
        use Operator::{AtLeast, AtMost, Contains, Equal, Greater, Less, Matches, NotEqual};
        match self {
            Self::Text | Self::Word(_) | Self::Protocol | Self::Address => {
                &[Contains, Equal, NotEqual, Matches]
            }
            Self::Number | Self::Size | Self::Rate | Self::Duration | Self::Port => {
                &[Contains, Equal, NotEqual, Less, Greater, AtMost, AtLeast]
            }
            Self::Tree => &[Contains, Equal, NotEqual],
        }
    }

    /// What a value of this kind looks like.
    pub(super) const fn example(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Word(_) => "one of its words",
            Self::Protocol => "a protocol such as tcp, udp, icmp or 47",
            Self::Number => "a number such as 586",
            Self::Tree => "a pid such as 586",
            Self::Size => "a size such as 1500, 10M or 1Gi",
            Self::Rate => "a rate such as 1M/s",
            Self::Duration => "a duration such as 90s, 5m, 2h or 1d",
            Self::Port => "a port such as 443 or https",
            Self::Address => {
                "an address, a network such as 10.0.0.0/8, or a name such as *.example.com"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_fields() {
        for (number, (field, name, ..)) in FIELDS.iter().enumerate() {
            assert_eq!(*field as usize, number);
            assert_eq!(Field::named(name), Some(*field));
        }
    }

    #[test]
    fn a_typo_is_near() {
        assert_eq!(Field::near("pord"), ["pod", "port"]);
        assert_eq!(Field::near("NAMES"), ["name", "namespace"]);
        assert_eq!(Field::near("inter"), ["interface"]);
        assert!(Field::near("zzzzzz").is_empty());
    }

    #[test]
    fn every_field_is_in_the_manual() {
        let manual = include_str!("../../../../docs/filter.md");
        for name in Field::all()
            .map(Field::name)
            .chain(SYNONYMS.map(|(name, _)| name))
        {
            assert!(manual.contains(&format!("`{name}`")), "{name}");
        }
    }
}
