//! Messages as servers send them, and as nobody should.

use std::str::FromStr as _;

use domain::base::iana::Class;
use domain::base::{MessageBuilder, Name, Rtype, Ttl};
use domain::rdata::{A, Aaaa, Cname};
use proptest::prelude::*;

use super::*;

const NETNS: NetnsId = NetnsId::new(1);

fn ends() -> (SocketAddr, SocketAddr) {
    (
        "192.0.2.2:40000".parse().unwrap(),
        "192.0.2.53:53".parse().unwrap(),
    )
}

fn name(text: &str) -> Name<Vec<u8>> {
    Name::from_str(text).unwrap()
}

fn ask(id: u16, what: &str) -> Vec<u8> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(id);
    let mut question = builder.question();
    question.push((name(what), Rtype::A)).unwrap();
    question.finish()
}

/// `www.example` is an alias of an alias of two addresses; somebody else's address stands beside.
fn answer(id: u16, what: &str) -> Vec<u8> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(id);
    builder.header_mut().set_qr(true);
    let mut question = builder.question();
    question.push((name(what), Rtype::A)).unwrap();
    let mut answer = question.answer();
    let ttl = Ttl::from_secs(60);
    let mut alias = |from, to| {
        let data = Cname::new(name(to));
        answer.push((name(from), Class::IN, ttl, data)).unwrap();
    };
    alias(what, "cdn.example");
    alias("cdn.example", "edge.example");
    for address in ["198.51.100.7", "198.51.100.8"] {
        let data = A::new(address.parse().unwrap());
        answer
            .push((name("edge.example"), Class::IN, ttl, data))
            .unwrap();
    }
    let data = Aaaa::new("2001:db8::7".parse().unwrap());
    answer
        .push((name("EDGE.example"), Class::IN, ttl, data))
        .unwrap();
    let data = A::new("203.0.113.66".parse().unwrap());
    answer
        .push((name("bank.example"), Class::IN, ttl, data))
        .unwrap();
    answer.finish()
}

fn heard(protocol: Protocol, sent: bool, sequence: u32, bytes: &[u8]) -> Heard<'_> {
    let (local, remote) = ends();
    Heard {
        netns: NETNS,
        protocol,
        sent,
        local,
        remote,
        sequence,
        bytes,
    }
}

fn learn(listener: &mut Listener, heard: &Heard<'_>) -> Vec<String> {
    let mut learned = Vec::new();
    listener.hear(heard, |address, name| {
        learned.push(format!("{address} {name}"));
    });
    learned
}

const LEARNED: [&str; 3] = [
    "198.51.100.7 www.example",
    "198.51.100.8 www.example",
    "2001:db8::7 www.example",
];

#[test]
fn a_chain_leads_to_the_name_that_was_asked_for_and_nothing_else_is_taken() {
    let mut listener = Listener::default();
    let (question, answer) = (ask(7, "www.example"), answer(7, "WWW.example"));
    assert!(learn(&mut listener, &heard(Protocol::UDP, true, 0, &question)).is_empty());
    assert_eq!(
        learn(&mut listener, &heard(Protocol::UDP, false, 0, &answer)),
        LEARNED
    );
}

#[test]
fn an_answer_that_nobody_asked_for_teaches_nothing() {
    let mut listener = Listener::default();
    let question = ask(7, "www.example");
    learn(&mut listener, &heard(Protocol::UDP, true, 0, &question));
    for (id, what) in [(8, "www.example"), (7, "bank.example")] {
        let answer = answer(id, what);
        assert!(learn(&mut listener, &heard(Protocol::UDP, false, 0, &answer)).is_empty());
    }
    let answer = answer(7, "www.example");
    let elsewhere = Heard {
        remote: "198.51.100.99:53".parse().unwrap(),
        ..heard(Protocol::UDP, false, 0, &answer)
    };
    assert!(learn(&mut listener, &elsewhere).is_empty());
}

#[test]
fn a_cut_answer_teaches_what_is_left_of_it() {
    let mut listener = Listener::default();
    let (question, answer) = (ask(7, "www.example"), answer(7, "www.example"));
    learn(&mut listener, &heard(Protocol::UDP, true, 0, &question));
    let cut = &answer[..answer.len() - 60];
    let learned = learn(&mut listener, &heard(Protocol::UDP, false, 0, cut));
    assert_eq!(learned, LEARNED[..learned.len()]);
    assert!(!learned.is_empty());
}

#[test]
fn a_stream_is_put_together_whatever_its_pieces() {
    let message = answer(7, "www.example");
    let mut stream = Vec::new();
    for _ in 0..2 {
        stream.extend(u16::try_from(message.len()).unwrap().to_be_bytes());
        stream.extend(&message);
    }
    for size in [1, 2, 3, 100, 1000] {
        let mut listener = Listener::default();
        let mut sequence = u32::MAX - 30; // wraps on the way
        let mut learned = Vec::new();
        for piece in stream.chunks(size) {
            let now = heard(Protocol::TCP, false, sequence, piece);
            learned.extend(learn(&mut listener, &now));
            // Sent again, as after a loss: nothing new.
            assert!(learn(&mut listener, &now).is_empty());
            sequence = sequence.wrapping_add(u32::try_from(piece.len()).unwrap());
        }
        assert_eq!(learned, [LEARNED, LEARNED].concat(), "pieces of {size}");
    }
}

#[test]
fn a_gap_ends_the_stream_until_the_next_connection() {
    let message = answer(7, "www.example");
    let mut whole = u16::try_from(message.len()).unwrap().to_be_bytes().to_vec();
    whole.extend(&message);
    let mut listener = Listener::default();
    assert!(
        learn(
            &mut listener,
            &heard(Protocol::TCP, false, 100, &whole[..9])
        )
        .is_empty()
    );
    assert!(learn(&mut listener, &heard(Protocol::TCP, false, 200, &whole)).is_empty());
    let again = heard(Protocol::TCP, false, 900_000_000, &whole);
    assert_eq!(learn(&mut listener, &again), LEARNED);
}

proptest! {
    #[test]
    fn noise_never_breaks_it(
        sent: bool, tcp: bool, sequence: u32,
        noise in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..20),
    ) {
        let mut listener = Listener::default();
        let protocol = if tcp { Protocol::TCP } else { Protocol::UDP };
        for bytes in &noise {
            learn(&mut listener, &heard(protocol, sent, sequence, bytes));
        }
    }

    #[test]
    fn a_damaged_answer_never_breaks_it(at in 0usize..400, byte: u8) {
        let mut answer = answer(7, "www.example");
        let at = at % answer.len();
        answer[at] = byte;
        let mut listener = Listener::default();
        learn(&mut listener, &heard(Protocol::UDP, true, 0, &ask(7, "www.example")));
        learn(&mut listener, &heard(Protocol::UDP, false, 0, &answer));
    }
}
