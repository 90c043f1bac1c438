//! Reverse look-ups: asks the resolver what addresses are called, for those who ask for that.
//!
//! A look-up may take seconds and tells a name server what this host talks to. So it is off unless
//! it was asked for, one thread does them one after the other, and nobody waits for it: an answer is
//! there when it is there. What waits and what is kept is bounded; an address that finds no room is
//! asked for again later.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use netprocmon_host::privilege::reduce;

/// Addresses that wait to be asked for.
const WAITING: usize = 256;
/// Addresses whose answer is kept, those without a name included.
const KEPT: usize = 16_384;
/// The longest name of the domain name system (RFC 1035).
const NAME_LIMIT: usize = 255;

/// Names of addresses, found out one after the other by a thread that ends with this value. It is
/// not waited for: a look-up that is under way may take its time.
#[derive(Debug)]
pub(crate) struct Reverse {
    waiting: SyncSender<IpAddr>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    answers: Mutex<Answers>,
    /// Look-ups that are done.
    done: AtomicU64,
}

#[derive(Debug, Default)]
struct Answers {
    known: HashMap<IpAddr, Answer>,
    by_age: VecDeque<IpAddr>,
}

#[derive(Debug)]
enum Answer {
    Awaited,
    Is(Option<Arc<str>>),
}

impl Reverse {
    /// Starts the thread; it asks as getnameinfo(3) does: the hosts file, the domain name system,
    /// whatever the host is set up to ask.
    pub(crate) fn start() -> io::Result<Self> {
        // Names come from the network, and what takes them apart is the host's own resolver: the
        // thread first of all gives up whatever harm could be done with.
        Self::with(|| {
            let harmless = give_up_rights();
            move |address| if harmless { getnameinfo(address) } else { None }
        })
    }

    /// One that finds nothing.
    #[cfg(test)]
    pub(crate) fn counting() -> Self {
        Self::with(|| |_| None).unwrap()
    }

    /// How many addresses it was asked for.
    #[cfg(test)]
    pub(crate) fn known(&self) -> usize {
        self.shared.answers().known.len()
    }

    /// `begin` is called on the thread, and gives what is asked there.
    fn with<A: FnMut(IpAddr) -> Option<String>>(
        begin: impl FnOnce() -> A + Send + 'static,
    ) -> io::Result<Self> {
        let (waiting, queue) = sync_channel(WAITING);
        let shared = Arc::new(Shared::default());
        let answers = Arc::downgrade(&shared);
        std::thread::Builder::new()
            .name("netprocmon-names".to_owned())
            .spawn(move || work(&queue, &answers, begin()))?;
        Ok(Self { waiting, shared })
    }

    /// The name that was found out; `None` too while it is being. Never blocks.
    pub(crate) fn name(&self, address: IpAddr) -> Option<Arc<str>> {
        let address = address.to_canonical();
        let mut answers = self.shared.answers();
        match answers.known.get(&address) {
            Some(Answer::Is(name)) => name.clone(),
            Some(Answer::Awaited) => None,
            None => {
                // No room: those that wait come first.
                if self.waiting.try_send(address).is_ok() {
                    answers.expect(address);
                }
                None
            }
        }
    }

    /// Changes when there are answers that were not there before, and room for questions.
    pub(crate) fn revision(&self) -> u64 {
        self.shared.done.load(Relaxed)
    }
}

impl Shared {
    fn answers(&self) -> MutexGuard<'_, Answers> {
        // Whoever panicked with it left a map that is as good as any.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers {
    fn expect(&mut self, address: IpAddr) {
        self.known.insert(address, Answer::Awaited);
        self.by_age.push_back(address);
        if self.by_age.len() > KEPT
            && let Some(oldest) = self.by_age.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    fn answer(&mut self, address: IpAddr, name: Option<Arc<str>>) {
        if let Some(answer) = self.known.get_mut(&address) {
            *answer = Answer::Is(name);
        }
    }
}

/// Looks up what waits, until nobody wants to know any more.
fn work(
    queue: &Receiver<IpAddr>,
    shared: &Weak<Shared>,
    mut ask: impl FnMut(IpAddr) -> Option<String>,
) {
    while let Ok(address) = queue.recv()
        && shared.strong_count() > 0
    {
        let name = ask(address).filter(|name| is_name(name));
        let Some(shared) = shared.upgrade() else {
            return;
        };
        shared.answers().answer(address, name.map(Into::into));
        shared.done.fetch_add(1, Relaxed);
    }
}

/// A name server may say anything. An address is not a name.
fn is_name(name: &str) -> bool {
    (1..=NAME_LIMIT).contains(&name.len()) && name.parse::<IpAddr>().is_err()
}

/// Leaves the calling thread no capability and, where the kernel has Landlock, nothing to write to.
fn give_up_rights() -> bool {
    let given_up = reduce::keep(&[]).and_then(|()| reduce::gain_nothing());
    let _ = reduce::only_read_files();
    given_up.is_ok()
}

fn getnameinfo(address: IpAddr) -> Option<String> {
    const FLAGS: i32 = libc::NI_NAMEREQD | libc::NI_NUMERICSERV;
    let socket = SocketAddr::new(address, 0);
    let (name, _port) = dns_lookup::getnameinfo(&socket, FLAGS).ok()?;
    Some(name)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};
    use std::time::{Duration, Instant};

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    fn address(number: u32) -> IpAddr {
        IpAddr::from((0xc612_0000 + number).to_be_bytes())
    }

    /// One that answers only when it is told what; says first whom it was asked for.
    fn slow() -> (Reverse, Receiver<IpAddr>, Sender<Option<String>>) {
        let (asked_for, questions) = channel();
        let (answers, answer) = channel();
        let reverse = Reverse::with(|| {
            move |address| {
                asked_for.send(address).ok()?;
                answer.recv().ok()?
            }
        });
        (reverse.unwrap(), questions, answers)
    }

    fn wait_for(reverse: &Reverse, done: u64) {
        let deadline = Instant::now() + LONG;
        while reverse.revision() < done {
            assert!(Instant::now() < deadline, "no answer");
            std::thread::yield_now();
        }
    }

    #[test]
    fn an_answer_is_there_later_and_asked_for_once() {
        let (reverse, questions, answers) = slow();
        assert_eq!(reverse.name(address(1)), None);
        assert_eq!(questions.recv_timeout(LONG), Ok(address(1)));
        assert_eq!(reverse.name(address(1)), None); // at once, though nobody has answered
        let before = reverse.revision();
        answers.send(Some("one.example".to_owned())).unwrap();
        wait_for(&reverse, before + 1);
        assert_eq!(reverse.name(address(1)).as_deref(), Some("one.example"));
        let mapped = "::ffff:198.18.0.1".parse().unwrap();
        assert_eq!(reverse.name(mapped).as_deref(), Some("one.example"));
        assert!(questions.try_recv().is_err());
    }

    #[test]
    fn what_is_no_name_is_none_and_not_asked_for_again() {
        let (reverse, questions, answers) = slow();
        let nonsense = [None, Some(String::new()), Some("192.0.2.1".to_owned())];
        let long = Some("x".repeat(NAME_LIMIT + 1));
        for (number, answer) in (1..).zip(nonsense.into_iter().chain([long])) {
            reverse.name(address(number));
            answers.send(answer).unwrap();
            wait_for(&reverse, u64::from(number));
            assert_eq!(reverse.name(address(number)), None);
        }
        assert_eq!(questions.try_iter().count(), 4);
    }

    #[test]
    fn what_waits_and_what_is_kept_is_bounded() {
        let (reverse, questions, answers) = slow();
        reverse.name(address(0));
        questions.recv_timeout(LONG).unwrap(); // it is busy with this one
        let many = u32::try_from(WAITING).unwrap() + 10;
        (1..=many).for_each(|number| drop(reverse.name(address(number))));
        assert_eq!(reverse.shared.answers().known.len(), WAITING + 1);
        answers.send(None).unwrap();
        wait_for(&reverse, 1);
        questions.recv_timeout(LONG).unwrap();
        // There is room again for one that was left out.
        reverse.name(address(many));
        assert_eq!(reverse.shared.answers().known.len(), WAITING + 2);

        let mut kept = Answers::default();
        let all = u32::try_from(KEPT).unwrap() + 5;
        (0..all).for_each(|number| kept.expect(address(number)));
        kept.answer(address(0), Some("late.example".into()));
        assert_eq!((kept.known.len(), kept.by_age.len()), (KEPT, KEPT));
    }

    #[test]
    fn the_hosts_own_resolver_is_asked() {
        let mut hosts = netprocmon_host::hosts::Hosts::default();
        hosts.refresh();
        let address = IpAddr::from([127, 0, 0, 1]); // in the file: no packet is sent for it
        let Some(name) = hosts.name(address) else {
            eprintln!("SKIPPED: the hosts file does not name {address}");
            return;
        };
        let (reverse, canonical) = (Reverse::start().unwrap(), Some(Arc::clone(name)));
        assert_eq!(reverse.name(address), None);
        wait_for(&reverse, 1);
        assert_eq!(reverse.name(address), canonical);
    }

    #[test]
    fn nobody_waits_for_a_look_up_that_hangs() {
        let (reverse, questions, answers) = slow();
        reverse.name(address(1));
        reverse.name(address(2));
        questions.recv_timeout(LONG).unwrap();
        let thread = Arc::downgrade(&reverse.shared);
        drop(reverse); // would hang here
        assert!(thread.upgrade().is_none());
        answers.send(None).unwrap();
        // The thread ends then: it asks for nothing more, and its end of the channel goes.
        assert!(questions.recv_timeout(LONG).is_err());
        assert!(questions.try_recv() == Err(std::sync::mpsc::TryRecvError::Disconnected));
    }
}
