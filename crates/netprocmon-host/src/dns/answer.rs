//! One message, taken apart: which name was asked for, and the addresses that it was found to have.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use domain::base::iana::Rcode;
use domain::base::{Message, ParsedName, ToName as _};
use domain::rdata::{A, Aaaa, Cname};

/// More records than any honest answer has.
const MOST_RECORDS: usize = 256;
/// Longer than any chain that resolvers follow.
const LONGEST_CHAIN: usize = 16;

/// An answer that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// As it was asked for, in lower case, without the last dot.
    pub(super) name: Arc<str>,
    pub(super) addresses: BTreeSet<IpAddr>,
}

/// The number of a message and what it asks, in lower case; `None` when it is not a message with
/// one question.
pub(super) fn question(bytes: &[u8]) -> Option<(u16, bool, String)> {
    let message = Message::from_octets(bytes).ok()?;
    let question = message.sole_question().ok()?;
    let header = message.header();
    let name = question.qname().to_string().to_lowercase();
    Some((header.id(), header.qr(), name))
}

/// The addresses in an answer; `None` when there are none, or it is none. What stands after the
/// place where a message was cut is not read.
pub(super) fn read(bytes: &[u8]) -> Option<Answer> {
    let message = Message::from_octets(bytes).ok()?;
    if !message.header().qr() || message.header().rcode() != Rcode::NOERROR {
        return None;
    }
    let asked = message.sole_question().ok()?;
    let mut aliases = Vec::new();
    let mut found = Vec::new();
    for record in message.answer().ok()?.take(MOST_RECORDS) {
        let Ok(record) = record else { break };
        if let Ok(Some(alias)) = record.to_record::<Cname<ParsedName<_>>>() {
            aliases.push((record.owner(), alias.into_data().into_cname()));
        } else if let Ok(Some(address)) = record.to_record::<A>() {
            found.push((record.owner(), IpAddr::V4(address.data().addr())));
        } else if let Ok(Some(address)) = record.to_record::<Aaaa>() {
            found.push((record.owner(), IpAddr::V6(address.data().addr())));
        }
    }
    // Only what the name that was asked for leads to: an answer may hold anything besides.
    let mut chain = vec![*asked.qname()];
    while let Some(last) = chain.last()
        && chain.len() < LONGEST_CHAIN
        && let Some((_, next)) = aliases.iter().find(|(owner, _)| owner.name_eq(last))
    {
        chain.push(*next);
    }
    let is_led_to = |owner: &ParsedName<_>| chain.iter().any(|name| name.name_eq(owner));
    let addresses: BTreeSet<_> = found
        .iter()
        .filter(|(owner, address)| is_led_to(owner) && !address.is_unspecified())
        .map(|(_, address)| address.to_canonical())
        .collect();
    let name = asked.qname().to_string().to_lowercase();
    (!addresses.is_empty()).then(|| Answer {
        name: name.trim_end_matches('.').into(),
        addresses,
    })
}
