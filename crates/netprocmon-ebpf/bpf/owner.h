/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Whose socket it is. The process that opened, accepted or held a socket owns it provisionally;
 * the first process that moves bytes on it owns it in earnest, and so does the next one that does.
 *
 * Bytes are counted at once, to whoever owns the socket at that moment. What came in and was not
 * read yet, and what went out under a provisional owner, is `pending` in the socket's slot: when
 * somebody else turns out to be the one that moves bytes, it goes over to him. So nothing waits
 * to be counted, and nothing is counted twice.
 *
 * A stream has one owner at a time, under its lock. Several processes may send and receive
 * datagrams on one socket at once (workers that were forked behind it): then it stays with its
 * first owner while that lives, or something waits that came for it, and each call is charged to
 * its caller: what it sent directly, and what it read is carried over from the owner. When there was
 * one caller only, for a while, and nothing waits, the socket becomes its own: so does that of a server
 * whose socket another has opened for it.
 */
#ifndef NETPROCMON_OWNER_H
#define NETPROCMON_OWNER_H

enum claim {
	CLAIM_HOLD, /* opened, connected, accepted, or found open */
	CLAIM_SEND,
	CLAIM_RECV,
};

#define NOTHING (-1LL)
#define EVERYTHING ((__s64)(~0ULL >> 1))

/*
 * Takes from what is pending on the way out the part that carries `sent` bytes of payload: all of
 * it, unless the owner's own packets went out since its last call.
 */
static __always_inline void take_sent(struct socket_state *socket, __s64 sent, __u64 *bytes,
				      __u64 *packets)
{
	__u64 header = socket->ip_version == 4 ? 20 : 40, payload;

	split_amount(take(&socket->pending), bytes, packets);
	header += socket->protocol == IPPROTO_TCP ? 32 : socket->protocol == IPPROTO_UDP ? 8 : 0;
	if (sent == NOTHING) {
		*bytes = *packets = 0;
	} else if (sent != EVERYTHING && *bytes > sent + *packets * header) {
		payload = *bytes - *packets * header;
		*bytes = *bytes * sent / payload;
		*packets = (*packets * sent + payload - 1) / payload;
	}
}

/*
 * Gives the socket to a new owner, with what is pending on it; what is not read stays pending. The epoch is
 * raised twice, before anything has changed and when everything has: so a packet that came in before
 * stands in the old slot and is carried over, and one that comes in meanwhile knows that it does (an odd
 * epoch, or another than it began with), is not among what is carried, and sees to it itself that the heir
 * has it (count_came()). `sent` is what the new owner has sent in this call, EVERYTHING where the old one
 * has never sent.
 */
ONCE int hand_over(struct socket_state *socket, __u64 start, __u32 tgid, __s64 sent)
{
	__u64 old, rx_bytes, rx_packets, tx_bytes, tx_packets;
	struct counters *from, *to;
	__u64 slot = 0;

	if (!socket)
		return 0;
	take_sent(socket, sent, &tx_bytes, &tx_packets);
	socket->early_tx_payload = 0;
	socket->early_rx_payload = 0;
	socket->heir_start = start;
	socket->heir_tgid = tgid;
	/* Calls that read at once may be ahead of what came. */
	split_amount(__sync_fetch_and_add(&socket->came, EPOCH) - socket->read, &rx_bytes,
		     &rx_packets);
	socket->owner_tgid = tgid;
	/* A barrier, too: see change_slot(). */
	__sync_lock_test_and_set(&socket->owner_start, start);
	old = socket->slot;
	from = counters_at(old);
	socket->reads_in_a_row = 0;
	if (old) {
		slot = slot_of_owner(socket, start, tgid, from ? from->ifindex : socket->ifindex,
				     from ? from->ip_version : socket->ip_version);
		socket->slot = slot;
	}
	__sync_fetch_and_add(&socket->came, EPOCH);
	/* A slot that was taken back has been read out: what is pending in it stays there. */
	if (old && !from)
		socket->read = socket->came;
	to = slot_counters_of((__u32)slot);
	if (!from || !to || from == to)
		return 0;
	carry(from, to, rx_bytes, rx_bytes);
	carry(from, to, rx_packets, rx_packets);
	carry(from, to, tx_bytes, tx_bytes);
	carry(from, to, tx_packets, tx_packets);
	if (socket->flags & SOCKET_PROVISIONAL)
		add(socket->pending, amount_of(tx_bytes, tx_packets));
	return 0;
}

static __always_inline bool lives(__u64 start, __u32 tgid)
{
	struct process_key key = { .start = start, .tgid = tgid };
	struct process *process = bpf_map_lookup_elem(&processes, &key);

	return process && !process->exit_ns;
}

/* Where what the caller moves on this socket is counted. */
static __always_inline struct counters *counters_of_mover(struct socket_state *socket,
							  struct caller caller, __u32 ifindex,
							  __u32 version)
{
	struct counters *counters;

	if (!(socket->flags & SOCKET_SHARED) || caller.is_kernel)
		return counters_for(socket, ifindex, version);
	struct slot_key key = {
		.start = caller.start,
		.tgid = caller.tgid,
		.ifindex = ifindex,
		.netns = socket->netns,
		.protocol = socket->protocol,
		.ip_version = version,
		.netns_turn = socket->netns_turn,
	};
	__u64 slot = slot_of_key(&key, max_slots - RESERVED_SLOTS);

	counters = slot ? slot_counters_of((__u32)slot) : 0;
	return counters ? counters : counters_for(socket, ifindex, version);
}

/*
 * The owner's counters for what somebody else has in his: of the same interface, which need not be that
 * of the socket's next packet, and stays as it is.
 */
static __always_inline struct counters *owners_beside(struct socket_state *socket,
						      struct counters *others)
{
	struct counters *counters = counters_at(socket->slot);
	struct owner owner = owner_of(socket);

	if (counters && counters->ifindex == others->ifindex &&
	    counters->ip_version == others->ip_version)
		return counters;
	return slot_counters_of((__u32)slot_of_owner(socket, owner.start, owner.tgid,
						     others->ifindex, others->ip_version));
}

#define READS_TO_BE_STEADY 64

/*
 * One process has read this socket for a while. Its packets come in on several processors, by turns, or on
 * another than the one that reads them, and to note on one line what each brought was half of what
 * counting it cost. That stops now; should somebody else come after all, a stream says what waits
 * (end_of_steady()), and datagrams are taken over as they are read (inherit()).
 */
static __always_inline bool is_steady(struct socket_state *socket)
{
	if (!socket->steady && ++socket->reads_in_a_row == READS_TO_BE_STEADY)
		socket->steady = 1;
	return socket->steady;
}

static __always_inline bool is_owner(struct socket_state *socket, struct caller caller)
{
	return socket->owner_tgid == (__u32)caller.tgid &&
	       socket->owner_start == caller.start;
}

/*
 * In process context only: in cgroup_skb and in softirq the caller is whoever happened to run. `sent`
 * is the payload that its call has sent.
 */
static __always_inline void claim(struct socket_state *socket, struct caller caller,
				  enum claim kind, __s64 sent)
{
	if (caller.is_kernel)
		return;
	if (!is_owner(socket, caller)) {
		if (kind == CLAIM_HOLD && socket->owner_tgid &&
		    !(socket->flags & SOCKET_PROVISIONAL))
			return; /* somebody moves bytes on it already */
		remember(caller.start, caller.tgid, true);
		if (kind != CLAIM_HOLD && socket->protocol != IPPROTO_TCP &&
		    socket->owner_tgid &&
		    (socket->steady || lives(socket->owner_start, socket->owner_tgid))) {
			socket->flags = (socket->flags | SOCKET_SHARED) & ~SOCKET_PROVISIONAL;
			return;
		}
		if (socket->flags & SOCKET_PROVISIONAL)
			sent = EVERYTHING;
		else if (socket->owner_tgid)
			socket->flags |= SOCKET_SHARED;
		hand_over(socket, caller.start, caller.tgid, sent);
	}
	if (kind == CLAIM_HOLD || !(socket->flags & SOCKET_PROVISIONAL))
		return;
	socket->flags &= ~SOCKET_PROVISIONAL;
	socket->pending = 0;
}

/*
 * A reader has taken `taken` bytes of a stream, in which `waiting` are left for whoever comes
 * next: what is pending shrinks in proportion.
 */
static __always_inline void read_some(struct socket_state *socket, __u32 taken, __u32 waiting)
{
	__u64 left = ((__u64)waiting << 16) / ((__u64)taken + waiting + 1);
	__u64 bytes, packets;

	split_amount(socket->came - socket->read, &bytes, &packets);
	bytes -= (bytes * left) >> 16;
	packets -= (packets * left) >> 16;
	add(socket->read, amount_of(bytes, packets));
}

static __always_inline bool nothing_waits(struct sock *sk)
{
	return !sk->sk_backlog.rmem_alloc.counter;
}

/*
 * Who moves bytes on a shared datagram socket. Two that have done so may again, at any moment, and while
 * one makes the socket its own another may be in the middle of a call, whose packet would be the wrong
 * one's: from then on the socket is shared for good.
 */
static __always_inline void note_mover(struct socket_state *socket, struct caller caller)
{
	if (socket->mover == (__u32)caller.tgid || socket->mover == SEVERAL_MOVERS)
		return;
	socket->mover = socket->mover ? SEVERAL_MOVERS : (__u32)caller.tgid;
	socket->reads_in_a_row = 0;
}

/* Makes a datagram socket on which nothing waits the caller's; if that is the only mover, its alone. */
static __always_inline void make_own(struct socket_state *socket, struct caller caller)
{
	socket->steady = 0;
	socket->read = socket->came;
	if (socket->mover != SEVERAL_MOVERS)
		socket->flags &= ~SOCKET_SHARED;
	hand_over(socket, caller.start, caller.tgid, NOTHING);
}

/*
 * Of what came in for a steady owner nothing is kept, so his socket is shared with him even when he is
 * gone: each reader takes from him what he reads, until nothing waits.
 */
static __always_inline void inherit(struct socket_state *socket, struct sock *sk,
				    struct caller caller)
{
	if (socket->flags & SOCKET_SHARED && socket->steady && !caller.is_kernel &&
	    nothing_waits(sk) && !lives(socket->owner_start, socket->owner_tgid))
		make_own(socket, caller);
}

/* Of workers that wait for datagrams on one socket each has had its first long before. */
#define READS_TO_OWN 1024
#define READS_TO_LOOK 64

/*
 * A reader has taken one datagram of `length` bytes; others may wait for other readers. What was
 * dropped, cut off or merged makes the count drift: an empty queue sets it right, now and then, for
 * that takes the line of what came in.
 */
static __always_inline void read_datagram(struct socket_state *socket, struct sock *sk,
					  struct caller caller, struct counters *reader,
					  __u64 length)
{
	__u64 read;

	length += socket->ip_version == 4 ? 20 : 40;
	if (socket->protocol == IPPROTO_UDP)
		length += 8;
	if (socket->flags & SOCKET_SHARED && reader->ifindex) {
		struct counters *owner = owners_beside(socket, reader);

		if (owner && owner != reader) {
			carry(owner, reader, rx_bytes, length);
			carry(owner, reader, rx_packets, 1ULL);
		}
	}
	if (socket->protocol == IPPROTO_UDP && !(socket->flags & SOCKET_SHARED) &&
	    is_steady(socket))
		return;
	read = __sync_fetch_and_add(&socket->read, amount_of(length, 1));
	if (!((read >> BYTES_BITS) % READS_TO_LOOK) && nothing_waits(sk))
		socket->read = socket->came;
	if (!(socket->flags & SOCKET_SHARED) || caller.is_kernel)
		return;
	note_mover(socket, caller);
	if (socket->mover == (__u32)caller.tgid && ++socket->reads_in_a_row > READS_TO_OWN &&
	    nothing_waits(sk)) {
		make_own(socket, caller);
		return;
	}
	inherit(socket, sk, caller);
}

/* Asks user space to look at a cgroup that is new, while it is there. */
static __always_inline void note_cgroup(void)
{
	__u64 cgroup = bpf_get_current_cgroup_id();
	__u8 known = 1;

	if (bpf_map_lookup_elem(&cgroups, &cgroup))
		return;
	bpf_map_update_elem(&cgroups, &cgroup, &known, BPF_ANY);
	tell((struct event){ .kind = EVENT_CGROUP, .subject = cgroup }, BPF_RB_FORCE_WAKEUP);
}

/* What a namespace is called; one that nobody has noted has its inode number. */
static __always_inline void set_netns(struct socket_state *socket, __u64 cookie, __u32 inode)
{
	struct netns *known = bpf_map_lookup_elem(&namespaces, &cookie);

	socket->netns = known ? known->inode : inode;
	socket->netns_turn = known ? known->turn : 0;
}

/* Notes a namespace that is new: the next one with its inode number, or the first. */
static __always_inline void note_namespace(__u64 cookie, __u32 inode)
{
	struct netns netns = { .inode = inode };
	__u32 first = 0, *turn;

	if (!cookie || bpf_map_lookup_elem(&namespaces, &cookie))
		return;
	turn = bpf_map_lookup_elem(&netns_turns, &inode);
	if (turn)
		netns.turn = __sync_fetch_and_add(turn, 1) + 1;
	else
		bpf_map_update_elem(&netns_turns, &inode, &first, BPF_NOEXIST);
	bpf_map_update_elem(&namespaces, &cookie, &netns, BPF_NOEXIST);
}

#endif
