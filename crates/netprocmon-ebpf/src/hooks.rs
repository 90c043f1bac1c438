//! The programs, where each is attached, and what is lost without it.
//!
//! This table is the only place that knows. Each program is loaded and attached on its own: the
//! kernel's answer decides, never its version number. A `Must` that is refused ends the start, any
//! other is a degradation.

use netprocmon_model::Degradation;

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
    /// The iterator over this kind of object; run once, not attached.
    Iterator(&'static str),
}

/// What follows when it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Without {
    /// Nothing can be counted.
    Fail,
    /// Counting goes on without this.
    Lose(&'static str),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Hook {
    /// Name of the program in the object.
    pub(crate) program: &'static str,
    pub(crate) place: Place,
    pub(crate) without: Without,
    /// Wanted only when connections were asked for.
    pub(crate) for_connections: bool,
}

const fn hook(program: &'static str, place: Place, without: Without) -> Hook {
    Hook {
        program,
        place,
        without,
        for_connections: false,
    }
}

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
    hook(
        "sock_send_length",
        Place::Tracepoint,
        Without::Lose("payload that is sent"),
    ),
    hook(
        "sock_recv_length",
        Place::Tracepoint,
        Without::Lose("payload that is received, but for TCP"),
    ),
    hook(
        "tcp_rcv_space_adjust",
        Place::Tracepoint,
        Without::Lose("payload that is received over TCP"),
    ),
    hook(
        "tcp_retransmit_skb",
        Place::Tracepoint,
        Without::Lose("retransmissions"),
    ),
    hook(
        "tcp_retransmit_synack",
        Place::Tracepoint,
        Without::Lose("retransmitted SYN-ACKs"),
    ),
    Hook {
        for_connections: true,
        ..hook(
            "inet_sock_set_state",
            Place::Tracepoint,
            Without::Lose("states of connections"),
        )
    },
    Hook {
        for_connections: true,
        ..hook(
            "sock_release",
            Place::CgroupSock,
            Without::Lose("the end of datagram sockets"),
        )
    },
    hook("ingress", Place::SkbIngress, Without::Fail),
    hook("egress", Place::SkbEgress, Without::Fail),
    hook(
        "prime",
        Place::Iterator("task_file"),
        Without::Lose("owners of sockets older than the monitor, until they move bytes"),
    ),
];

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
        for hook in HOOKS {
            let name = hook.program.as_bytes();
            assert!(
                object.windows(name.len()).any(|w| w == name),
                "{}",
                hook.program
            );
        }
    }
}
