/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Whose socket it is. The process that opened, accepted or held a socket owns it provisionally;
 * the first process that moves bytes on it owns it in earnest, and so does the next one that does.
 *
 * Bytes are counted at once, to whoever owns the socket at that moment. What came in and was not
 * read yet, and what went out under a provisional owner, is `pending` in the socket's slot: when
 * somebody else turns out to be the one that moves bytes, it goes over to him. So nothing waits
 * to be counted, and nothing is counted twice.
 */
#ifndef NETPROCMON_OWNER_H
#define NETPROCMON_OWNER_H

enum claim {
	CLAIM_HOLD, /* opened, connected, accepted, or found open */
	CLAIM_SEND,
	CLAIM_RECV,
};

/* Carries `amount` of one counter from one slot to the other; wraps, and the sum is right. */
#define carry(from, to, field, amount)         \
	do {                                   \
		add((from)->field, -(amount)); \
		add((to)->field, (amount));    \
	} while (0)

static __always_inline __u64 take(__u64 *pending)
{
	return *pending ? __sync_lock_test_and_set(pending, 0) : 0;
}

/* Gives the socket to a new owner, with what is pending on it. */
static __noinline int hand_over(struct socket_state *socket, __u64 start, __u32 tgid, bool all)
{
	__u64 old = socket->slot, rx_bytes = 0, rx_packets = 0, tx_bytes = 0, tx_packets = 0;
	struct counters *from, *to;
	__u64 slot;

	if (all || socket->flags & SOCKET_PROVISIONAL) {
		tx_bytes = take(&socket->pending_tx_bytes);
		tx_packets = take(&socket->pending_tx_packets);
		all = true;
	}
	if (all) {
		rx_bytes = take(&socket->pending_rx_bytes);
		rx_packets = take(&socket->pending_rx_packets);
	}
	socket->owner_start = start;
	socket->owner_tgid = tgid;
	if (!old)
		return 0;
	slot = slot_of_socket(socket, socket->ifindex, socket->ip_version);
	use_slot(socket, slot, socket->ifindex, socket->ip_version);
	from = slot_counters_of((__u32)old);
	to = slot_counters_of((__u32)slot);
	/* A slot that was taken back has been read out: what is pending in it stays there. */
	if (!from || !to || from == to || from->generation != (__u32)(old >> 32))
		return 0;
	carry(from, to, rx_bytes, rx_bytes);
	carry(from, to, rx_packets, rx_packets);
	carry(from, to, tx_bytes, tx_bytes);
	carry(from, to, tx_packets, tx_packets);
	return 0;
}

/*
 * `task` is current, in process context. The caller makes sure of that: in cgroup_skb and in
 * softirq current is whoever happened to run.
 */
static __always_inline void claim(struct socket_state *socket, struct task_struct *task,
				  enum claim kind)
{
	__u32 tgid = task->tgid;
	__u64 start;

	if (task->flags & PF_KTHREAD)
		return;
	start = task->group_leader->start_boottime;
	if (socket->owner_tgid != tgid || socket->owner_start != start) {
		if (kind == CLAIM_HOLD && socket->owner_tgid &&
		    !(socket->flags & SOCKET_PROVISIONAL))
			return; /* somebody moves bytes on it already */
		remember(task, start, tgid, true);
		hand_over(socket, start, tgid, kind == CLAIM_RECV || !socket->owner_tgid);
	}
	if (kind == CLAIM_HOLD)
		return;
	socket->flags &= ~SOCKET_PROVISIONAL;
	if (kind == CLAIM_RECV) {
		socket->pending_rx_bytes = 0;
		socket->pending_rx_packets = 0;
	}
}

/* The row of a namespace in `namespaces`; asks user space to look at one that is new. */
static __always_inline void note_namespace(__u64 cookie, __u32 netns, struct task_struct *task)
{
	if (!cookie || bpf_map_lookup_elem(&namespaces, &cookie))
		return;
	bpf_map_update_elem(&namespaces, &cookie, &netns, BPF_ANY);
	tell(EVENT_NETNS, task->tgid, task->group_leader->start_boottime, cookie, netns,
	     BPF_RB_FORCE_WAKEUP);
}

#endif
