//! What differs between kernels inside the programs: found out by loading them, never from a
//! version number. The first attempt asks for everything; a refusal says what to do without.

use std::path::Path;

use netprocmon_model::Degradation;

/// Constants that the programs are loaded with, each independent of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // each is one thing that a kernel has or has not
pub(super) struct Variant {
    /// `bpf_get_netns_cookie` in `cgroup_skb` (6.15).
    pub(super) netns_cookie: bool,
    /// `bpf_skc_to_mptcp_sock` (5.19), on a kernel that has multipath TCP.
    pub(super) multipath: bool,
    /// A hook behind each call tells who sent (the tracepoint of 6.3, or what stands in for it):
    /// packets need not ask.
    pub(super) calls_seen: bool,
    /// Memory by its address: everywhere but under `lockdown=confidentiality`.
    pub(super) memory: bool,
    /// The third argument of `tcp_retransmit_skb` (6.18).
    pub(super) retransmit_error: bool,
}

impl Variant {
    /// Everything that a kernel can have.
    pub(super) fn full() -> Self {
        Self {
            netns_cookie: true,
            // A kernel built without it refuses the helper; do not even ask.
            multipath: Path::new("/proc/sys/net/mptcp").exists(),
            calls_seen: true,
            memory: true,
            retransmit_error: true,
        }
    }

    /// What to try when the kernel has refused `program`; `None` when it is not to be had at all.
    pub(super) fn after_refusal(self, program: &str) -> Option<Self> {
        match program {
            "ingress" | "egress" | "ingress_named" | "egress_named" => self.with_less_in_packets(),
            "sock_send_length" => self.calls_seen.then_some(Self {
                calls_seen: false,
                ..self
            }),
            "sock_create" => self.memory.then_some(Self {
                memory: false,
                ..self
            }),
            "tcp_retransmit_skb" => self.retransmit_error.then_some(Self {
                retransmit_error: false,
                ..self
            }),
            _ => None,
        }
    }

    /// What is not seen for that.
    pub(super) fn degradations(self) -> Vec<Degradation> {
        let lost = [
            (
                self.memory,
                "arguments_unavailable",
                "the kernel lets no program read memory: a process that ends before it is looked at \
                 has a name and no arguments",
            ),
            (
                self.memory || self.netns_cookie,
                "kernel_traffic_unplaced",
                "the kernel lets no program read memory: what it sends by itself, such as answers to \
                 pings, is under no interface (before Linux 6.15)",
            ),
        ];
        let lost = lost.into_iter().filter(|(is_seen, ..)| !is_seen);
        lost.map(|(_, code, message)| {
            Degradation::new(code, message).with_remedy("boot without lockdown=confidentiality")
        })
        .collect()
    }

    /// Without the cookie, then without multipath TCP, then without both.
    fn with_less_in_packets(self) -> Option<Self> {
        let (netns_cookie, multipath) = match (self.netns_cookie, self.multipath) {
            (true, true) => (false, true),
            (false, true) => (true, false),
            (true, false) => (false, false),
            (false, false) => return None,
        };
        Some(Self {
            netns_cookie,
            multipath,
            ..self
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Variant = Variant {
        netns_cookie: true,
        multipath: true,
        calls_seen: true,
        memory: true,
        retransmit_error: true,
    };

    #[test]
    fn every_way_of_counting_packets_is_tried_once() {
        let next = |variant: &Variant| variant.after_refusal("egress");
        let tried: Vec<_> = std::iter::successors(Some(FULL), next)
            .map(|variant| (variant.netns_cookie, variant.multipath))
            .collect();
        assert_eq!(
            tried,
            [(true, true), (false, true), (true, false), (false, false)]
        );
    }

    #[test]
    fn what_is_lost_without_memory_is_said_once_each() {
        let told = |variant: Variant| {
            let codes = variant.degradations().into_iter().map(|one| one.code);
            codes.collect::<Vec<_>>()
        };
        let locked = FULL.after_refusal("sock_create").unwrap();
        let older = locked.after_refusal("egress").unwrap();
        assert!(told(FULL).is_empty());
        assert!(told(FULL.after_refusal("egress").unwrap()).is_empty());
        assert_eq!(told(locked), ["arguments_unavailable"]);
        assert_eq!(
            told(older),
            ["arguments_unavailable", "kernel_traffic_unplaced"]
        );
    }

    #[test]
    fn what_was_given_up_is_not_asked_for_again() {
        let less = FULL.after_refusal("sock_send_length").unwrap();
        assert!(!less.calls_seen && less.netns_cookie);
        assert_eq!(less.after_refusal("sock_send_length"), None);
        assert_eq!(FULL.after_refusal("connect4"), None);
    }
}
