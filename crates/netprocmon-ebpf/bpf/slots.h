/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Slots: where bytes are counted. A key (owner, interface, protocol, IP version) has one slot; a
 * socket remembers the slot it used last, so that a packet pays one array access and no hash.
 *
 * User space takes slots of ended processes back. It raises the generation in the counters first,
 * so a socket that still remembers the slot sees that it is not its own any more.
 */
#ifndef NETPROCMON_SLOTS_H
#define NETPROCMON_SLOTS_H

/* Who a socket is charged to. */
struct owner {
	__u64 start;
	__u32 tgid; /* 0: nobody */
};

/*
 * Its owner; of a connection that nobody has claimed yet that of its listener. That one stands apart, for it
 * is noted by whoever meets the connection, on two processors at once perhaps, while somebody claims it.
 */
static __always_inline struct owner owner_of(struct socket_state *socket)
{
	if (socket->owner_tgid)
		return (struct owner){ socket->owner_start, socket->owner_tgid };
	return (struct owner){ socket->listener_start, socket->listener_tgid };
}

static __always_inline struct counters *slot_counters_of(__u32 slot)
{
	__u32 stripe = bpf_get_smp_processor_id() & ((1U << stripe_shift) - 1);
	__u32 at = (slot << stripe_shift) | stripe;

	return bpf_map_lookup_elem(&slot_counters, &at);
}

/* The counters behind a reference; nothing when user space has taken the slot back. */
static __always_inline struct counters *counters_at(__u64 reference)
{
	struct counters *counters = reference ? slot_counters_of((__u32)reference) : 0;

	return counters && counters->generation == (__u32)(reference >> 32) ? counters : 0;
}

static __always_inline __u64 slot_reference(__u32 slot)
{
	struct counters *counters = slot_counters_of(slot);

	return counters ? ((__u64)counters->generation << 32) | slot : 0;
}

static __always_inline __u32 slot_allocate(__u32 limit)
{
	struct state *st = the_state();
	__u32 slot;

	if (!bpf_map_pop_elem(&free_slots, &slot))
		return slot;
	if (!st || st->next_slot >= limit)
		return 0;
	slot = __sync_fetch_and_add(&st->next_slot, 1);
	if (!slot) /* before user space has said that slot 0 is not handed out */
		slot = __sync_fetch_and_add(&st->next_slot, 1);
	return slot < limit ? slot : 0;
}

/* Tells each stripe of a slot that nobody has yet what it is for. */
static __always_inline void dedicate(__u32 slot, struct slot_key *key)
{
	for (__u32 stripe = 0; stripe < 1U << stripe_shift; stripe++) {
		__u32 at = (slot << stripe_shift) | stripe;
		struct counters *counters = bpf_map_lookup_elem(&slot_counters, &at);

		if (!counters)
			return;
		counters->ifindex = key->ifindex;
		counters->ip_version = key->ip_version;
	}
}

/* The slot of a key, new or old; 0 when the table is full. */
static __always_inline __u64 slot_of_key(struct slot_key *key, __u32 limit)
{
	__u32 *known = bpf_map_lookup_elem(&slot_index, key);
	struct slot_record *record;
	__u32 slot;

	if (known)
		return slot_reference(*known);
	slot = slot_allocate(limit);
	if (!slot)
		return 0;
	record = bpf_map_lookup_elem(&slot_records, &slot);
	if (!record)
		return 0;
	record->key = *key;
	dedicate(slot, key);
	if (bpf_map_update_elem(&slot_index, key, &slot, BPF_NOEXIST)) {
		/* Another CPU was faster, or the table is full after all. */
		bpf_map_push_elem(&free_slots, &slot, BPF_ANY);
		known = bpf_map_lookup_elem(&slot_index, key);
		return known ? slot_reference(*known) : 0;
	}
	__sync_lock_test_and_set(&record->in_use, 1);
	return slot_reference(slot);
}

/* Asks user space to look at an interface that is new, while it and its namespace are there. */
static __always_inline void tell_interface(struct socket_state *socket, __u32 ifindex, __u32 member)
{
	struct interface interface = {
		.netns = { .inode = socket->netns, .turn = socket->netns_turn },
		.index = ifindex,
	};
	struct event event = {
		.kind = EVENT_NETNS,
		.tgid = member,
		.subject = ifindex,
		.netns = socket->netns,
		.netns_turn = socket->netns_turn,
	};
	__u8 told = 1;

	if (!socket->netns || bpf_map_lookup_elem(&interfaces, &interface))
		return;
	bpf_map_update_elem(&interfaces, &interface, &told, BPF_ANY);
	tell(event, BPF_RB_FORCE_WAKEUP);
}

/*
 * The slot of a socket for one of its owners, on an interface. A full table takes the name from the
 * bytes, never the bytes: they go to the interface's `capacity` row, at worst to slot 0.
 */
ONCE __u64 slot_of_owner(struct socket_state *socket, __u64 start, __u32 tgid, __u32 ifindex,
			 __u32 version)
{
	if (!socket)
		return 0;
	struct slot_key key = {
		.start = start,
		.tgid = tgid,
		.ifindex = ifindex,
		.netns = socket->netns,
		.protocol = socket->protocol,
		.ip_version = version,
		.reason = tgid ? REASON_NONE : socket->reason,
		.netns_turn = socket->netns_turn,
	};
	__u64 slot = slot_of_key(&key, tgid ? max_slots - RESERVED_SLOTS : max_slots);

	tell_interface(socket, ifindex, tgid);
	if (!slot) {
		note_limit(slots_full);
		key.start = 0;
		key.tgid = 0;
		key.reason = REASON_CAPACITY;
		slot = slot_of_key(&key, max_slots);
	}
	return slot;
}

/* Makes `slot` the one that the socket's next packets are counted in. */
static __always_inline void use_slot(struct socket_state *socket, __u64 slot, __u32 ifindex,
				     __u32 version)
{
	socket->ifindex = ifindex;
	socket->ip_version = version;
	/* A barrier, too: see change_slot(). */
	__sync_lock_test_and_set(&socket->slot, slot);
}

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

/*
 * The socket goes over to another interface or IP version, where nothing is pending yet. Payload that a
 * call had moved before there was any packet (a corked datagram) stands under no interface, and goes
 * along. A socket's first packets may do this on two processors at the same moment: neither may take for
 * done what the other has just counted.
 */
ONCE __u64 change_slot(struct socket_state *socket, __u32 ifindex, __u32 version)
{
	__u64 old, epoch, slot = 0;
	struct counters *from, *to;
	struct owner owner;
	bool early;

	if (!socket)
		return 0;
	old = socket->slot;
	from = counters_at(old);
	if (from && from->ifindex == ifindex && from->ip_version == version)
		return old;
	early = from && !from->ifindex;
	if (old && !early) {
		socket->read = socket->came;
		socket->pending = 0;
	}
	/*
	 * Handed over meanwhile, on another processor: then this may be the old owner's slot, or nobody's, made
	 * of halves of two. Either this sees the epoch, or hand_over() sees this slot, for each writes first and
	 * looks afterwards. Twice is rare enough.
	 */
	for (int i = 0; i < 3; i++) {
		epoch = socket->came >> EPOCH_SHIFT;
		barrier();
		owner = epoch & 1 ? (struct owner){ socket->heir_start, socket->heir_tgid } :
				    owner_of(socket);
		slot = slot_of_owner(socket, owner.start, owner.tgid, ifindex, version);
		use_slot(socket, slot, ifindex, version);
		if (*(volatile __u64 *)&socket->came >> EPOCH_SHIFT == epoch)
			break;
	}
	if (!early)
		return slot;
	to = slot_counters_of((__u32)slot);
	if (to && from != to) {
		__u64 sent = take(&socket->early_tx_payload);
		__u64 received = take(&socket->early_rx_payload);

		carry(from, to, tx_payload, sent);
		carry(from, to, rx_payload, received);
	}
	return slot;
}

/*
 * The counters for a packet of this socket. What they are for is written in themselves: the socket's own
 * note of it may be about to change, on another processor, where packets of another interface come in.
 */
static __always_inline struct counters *counters_for(struct socket_state *socket, __u32 ifindex,
						     __u32 version)
{
	struct counters *counters = counters_at(socket->slot);

	if (counters && counters->ifindex == ifindex && counters->ip_version == version)
		return counters;
	return slot_counters_of((__u32)change_slot(socket, ifindex, version));
}

#endif
