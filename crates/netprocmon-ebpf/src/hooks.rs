//! The programs, where each is attached, and what is lost without it.
//!
//! This table is the only place that knows. Each program is loaded and attached on its own: the
//! kernel's answer decides, never its version number (but for what is run [again](Purpose::Again), which
//! no kernel refuses). A `Must` that is refused ends the start, any other is a degradation.

use netprocmon_model::{Counters, Degradation, Delta};

/// Where a program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    SkbEgress,
    SkbIngress,
    /// `cgroup/sock_create`, `cgroup/sock_release`, connect, getpeername: by the section's name.
    CgroupSock,
    CgroupSockAddr,
    /// A BTF tracepoint with the program's own name.
    Tracepoint,
    /// The same tracepoint once more, behind a program that has its name: for what that one is not
    /// told of (`bpf/again.h`).
    Again(&'static str),
    /// Behind the kernel's function with the program's own name, when it returns.
    Return,
    /// The iterator over this kind of object; run once, not attached.
    Iterator(&'static str),
    /// Called in the tail of another `cgroup_skb` program, through this table.
    TailCall(&'static str),
}

/// What a program is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Bytes and their owners: always.
    Count,
    /// Connections, when they were asked for.
    Connections,
    /// Names of remotes, when they were asked for.
    Names,
    /// Bytes, when names were not asked for.
    CountAlone,
    /// Whatever the kernel skips of the rest: where it does.
    Again,
}

/// What follows when it is refused.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Without {
    /// Nothing can be counted.
    Fail,
    /// Counting goes on without this.
    Lose(&'static str),
    /// Others tell the same, on kernels that are older; only without all of them it is lost.
    Use(&'static [Hook], &'static str),
    /// A kernel that has not got what it is attached to has no need of it; else the same.
    LoseIfThere(&'static str),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Hook {
    /// Name of the program in the object.
    pub(crate) program: &'static str,
    pub(crate) place: Place,
    pub(crate) without: Without,
    pub(crate) purpose: Purpose,
    /// What is then not known, and must not be shown as 0.
    pub(crate) unknown: Option<Unknown>,
}

/// Numbers that hang on one hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    PayloadSent,
    PayloadRecv,
    Retransmitted,
}

const fn hook(program: &'static str, place: Place, without: Without) -> Hook {
    Hook {
        program,
        place,
        without,
        purpose: Purpose::Count,
        unknown: None,
    }
}

const fn of_purpose(purpose: Purpose, hook: Hook) -> Hook {
    Hook { purpose, ..hook }
}

/// A hook that a number hangs on.
const fn tells(unknown: Unknown, hook: Hook) -> Hook {
    Hook {
        unknown: Some(unknown),
        ..hook
    }
}

/// One that stands in where the kernel skips the first.
const fn again(program: &'static str, tracepoint: &'static str) -> Hook {
    let without = Without::Lose("calls that the kernel skips now and then");
    of_purpose(
        Purpose::Again,
        hook(program, Place::Again(tracepoint), without),
    )
}

/// Before 6.3, from 5.11 on: what the tracepoints tell, from the functions behind the calls.
const SENDING: &[Hook] = &[
    tells(
        Unknown::PayloadSent,
        hook(
            "inet_sendmsg",
            Place::Return,
            Without::Lose("payload that is sent over IPv4"),
        ),
    ),
    tells(
        Unknown::PayloadSent,
        hook(
            "inet6_sendmsg",
            Place::Return,
            Without::Lose("payload that is sent over IPv6"),
        ),
    ),
];
const RECEIVING: &[Hook] = &[
    tells(
        Unknown::PayloadRecv,
        hook(
            "inet_recvmsg",
            Place::Return,
            Without::Lose("payload that is received over IPv4, but for TCP"),
        ),
    ),
    tells(
        Unknown::PayloadRecv,
        hook(
            "inet6_recvmsg",
            Place::Return,
            Without::Lose("payload that is received over IPv6, but for TCP"),
        ),
    ),
    tells(
        Unknown::PayloadRecv,
        hook(
            "sock_common_recvmsg",
            Place::Return,
            Without::Lose("payload that is received by raw sockets of IPv6"),
        ),
    ),
];

/// In the order of attachment: who owns sockets first, counting last but for the iterator, so that
/// no packet is seen whose owner could have been known.
pub(crate) const HOOKS: &[Hook] = &[
    hook(
        "sched_process_fork",
        Place::Tracepoint,
        Without::Lose("processes that are forked in a followed tree"),
    ),
    hook(
        "sched_process_exec",
        Place::Tracepoint,
        Without::Lose("names that change with exec"),
    ),
    hook(
        "sched_process_exit",
        Place::Tracepoint,
        Without::Lose("the moment that a process ends"),
    ),
    hook("sock_create", Place::CgroupSock, Without::Fail),
    hook(
        "connect4",
        Place::CgroupSockAddr,
        Without::Lose("who opens an inherited IPv4 socket"),
    ),
    hook(
        "connect6",
        Place::CgroupSockAddr,
        Without::Lose("who opens an inherited IPv6 socket"),
    ),
    hook(
        "getpeername4",
        Place::CgroupSockAddr,
        Without::Lose("who accepts, until it moves bytes (IPv4)"),
    ),
    hook(
        "getpeername6",
        Place::CgroupSockAddr,
        Without::Lose("who accepts, until it moves bytes (IPv6)"),
    ),
    tells(
        Unknown::PayloadSent,
        hook(
            "sock_send_length",
            Place::Tracepoint,
            Without::Use(SENDING, "payload that is sent"),
        ),
    ),
    tells(
        Unknown::PayloadRecv,
        hook(
            "sock_recv_length",
            Place::Tracepoint,
            Without::Use(RECEIVING, "payload that is received, but for TCP"),
        ),
    ),
    // Until 6.4, where it goes past the tracepoint too.
    tells(
        Unknown::PayloadSent,
        hook(
            "inet_sendpage",
            Place::Return,
            Without::LoseIfThere("payload that is sent by sendfile and splice"),
        ),
    ),
    tells(
        Unknown::PayloadRecv,
        hook(
            "tcp_rcv_space_adjust",
            Place::Tracepoint,
            Without::Lose("payload that is received over TCP"),
        ),
    ),
    tells(
        Unknown::Retransmitted,
        hook(
            "tcp_retransmit_skb",
            Place::Tracepoint,
            Without::Lose("retransmissions"),
        ),
    ),
    tells(
        Unknown::Retransmitted,
        hook(
            "tcp_retransmit_synack",
            Place::Tracepoint,
            Without::Lose("retransmitted SYN-ACKs"),
        ),
    ),
    of_purpose(
        Purpose::Connections,
        hook(
            "inet_sock_set_state",
            Place::Tracepoint,
            Without::Lose("states of connections"),
        ),
    ),
    of_purpose(
        Purpose::Connections,
        hook(
            "sock_release",
            Place::CgroupSock,
            Without::Lose("the end of datagram sockets"),
        ),
    ),
    again("sched_process_fork_again", "sched_process_fork"),
    again("sched_process_exec_again", "sched_process_exec"),
    again("sched_process_exit_again", "sched_process_exit"),
    again("sock_send_length_again", "sock_send_length"),
    again("sock_recv_length_again", "sock_recv_length"),
    again("tcp_rcv_space_adjust_again", "tcp_rcv_space_adjust"),
    again("sched_process_fork_once_more", "sched_process_fork"),
    again("sched_process_exec_once_more", "sched_process_exec"),
    again("sched_process_exit_once_more", "sched_process_exit"),
    again("sock_send_length_once_more", "sock_send_length"),
    again("sock_recv_length_once_more", "sock_recv_length"),
    again("tcp_rcv_space_adjust_once_more", "tcp_rcv_space_adjust"),
    of_purpose(
        Purpose::Names,
        hook(
            "copy_question",
            Place::TailCall("copy_questions"),
            Without::Lose("names of remotes"),
        ),
    ),
    of_purpose(
        Purpose::Names,
        hook(
            "copy_answer",
            Place::TailCall("copy_answers"),
            Without::Lose("names of remotes"),
        ),
    ),
    of_purpose(
        Purpose::CountAlone,
        hook("ingress", Place::SkbIngress, Without::Fail),
    ),
    of_purpose(
        Purpose::CountAlone,
        hook("egress", Place::SkbEgress, Without::Fail),
    ),
    of_purpose(
        Purpose::Names,
        hook("ingress_named", Place::SkbIngress, Without::Fail),
    ),
    of_purpose(
        Purpose::Names,
        hook("egress_named", Place::SkbEgress, Without::Fail),
    ),
    hook(
        "prime",
        Place::Iterator("task_file"),
        Without::Lose("owners of sockets older than the monitor, until they move bytes"),
    ),
];

impl Unknown {
    /// Takes the number out of a change.
    pub(crate) fn hide_in_delta(self, delta: &mut Delta) {
        match self {
            Self::PayloadSent => delta.payload_sent = None,
            Self::PayloadRecv => delta.payload_recv = None,
            Self::Retransmitted => {
                delta.retransmitted_bytes = None;
                delta.retransmitted_packets = None;
            }
        }
    }

    /// Takes the number out of counters.
    pub(crate) fn hide_in(self, counters: &mut Counters) {
        match self {
            Self::PayloadSent => counters.payload_sent = None,
            Self::PayloadRecv => counters.payload_recv = None,
            Self::Retransmitted => {
                counters.retransmitted_bytes = None;
                counters.retransmitted_packets = None;
            }
        }
    }
}

impl Hook {
    /// What the user is told when the kernel refuses this hook.
    pub(crate) fn degradation(&self, lost: &str, why: &str) -> Degradation {
        let program = self.program;
        Degradation::new(
            "hook_unavailable",
            format!("the kernel refuses {program} ({why}): not seen are {lost}"),
        )
        .with_remedy("run Linux 6.3 or later")
    }

    /// Those that tell the same where the kernel does not have this one.
    pub(crate) fn stand_ins(&self) -> &'static [Hook] {
        match self.without {
            Without::Use(others, _) => others,
            Without::Fail | Without::Lose(_) | Without::LoseIfThere(_) => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_starts_when_owners_can_be_known_and_priming_comes_last() {
        let at = |name| HOOKS.iter().position(|hook| hook.program == name).unwrap();
        assert!(at("sock_create") < at("egress"));
        assert!(at("sock_send_length") < at("ingress"));
        assert_eq!(at("prime"), HOOKS.len() - 1);
    }

    #[test]
    fn every_hook_is_in_the_object() {
        let object = crate::loader::OBJECT;
        for hook in HOOKS.iter().chain(HOOKS.iter().flat_map(Hook::stand_ins)) {
            let name = hook.program.as_bytes();
            assert!(
                object.windows(name.len()).any(|w| w == name),
                "{}",
                hook.program
            );
        }
    }
}
