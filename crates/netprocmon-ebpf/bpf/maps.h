/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The maps and the constants that the loader sets. Sizes given here are place-holders: the loader
 * sizes every table from the host, see src/capacity.rs.
 */
#ifndef NETPROCMON_MAPS_H
#define NETPROCMON_MAPS_H

/* Set before loading; the verifier removes what they switch off. */
const volatile __u32 stripe_shift = 0; /* log2 of the copies of each slot's counters */
const volatile bool own_stripes = false; /* whether each processor has one alone */
const volatile __u32 max_slots = 0;
const volatile __u32 max_connections = 0;
const volatile bool track_connections = false;
const volatile bool learn_names = false;	   /* copy what the domain name system answers */
const volatile bool has_netns_cookie = false;	   /* bpf_get_netns_cookie in cgroup_skb: 6.15 */
const volatile bool has_multipath = false;	   /* bpf_skc_to_mptcp_sock: 5.19, with CONFIG_MPTCP */
const volatile bool calls_are_seen = false;	   /* tracepoint sock_send_length: 6.3 */
const volatile bool can_read_memory = false;	   /* by its address: not under lockdown=confidentiality */
const volatile bool retransmit_tells_error = false; /* third argument of the tracepoint */

/* Kept back for unattributed rows when processes have taken all the rest. */
#define RESERVED_SLOTS 256

/*
 * What is known of one socket; dies with it. Three cache lines (the kernel puts 8 bytes before it),
 * by who writes them: a packet that comes in on one processor and a process that reads on another
 * would else take the line away from each other for every datagram. Some processors fetch lines in
 * pairs, and the latter two are one: see is_steady().
 */
struct socket_state {
	/* Read by all, written when something changes. */
	__u64 owner_start;
	__u64 slot; /* index below, generation above; 0: none */
	__u32 owner_tgid; /* 0: nobody yet */
	__u32 netns;
	__u32 ifindex; /* of that slot */
	__u8 ip_version; /* of that slot */
	__u8 flags;
	__u8 reason; /* for the time that nobody owns it */
	__u8 protocol;
	__u64 connection; /* index below, generation above; 0: none */
	__u64 peer; /* the row of the remote that an unconnected socket sent to last */
	__u32 netns_turn;
	__u8 steady; /* one process reads it: what comes in is not kept below */
	__u8 sights; /* packets of a stream that have come in, up to SIGHTS: see arrival.h; of a listener none */
	__u8 is_settled; /* it has from its listener what it was made of */
	__u8 unused;
	/* Written as packets come in, in softirq. */
	__u64 came; /* everything that somebody is to read: an amount, above it the EPOCH */
	__u64 heir_start; /* whom it was handed over to last, or is being: see hand_over() */
	__u64 listener_start; /* who owns what it was accepted by: see owner_of() */
	__u32 heir_tgid;
	__u32 listener_tgid;
	__u64 unused1[4];
	/* Written as packets go out, and by the calls that read and send. */
	__u64 read; /* of what came: the rest is in `slot`, and perhaps not the owner's */
	__u64 pending; /* went out, is in `slot`, and perhaps not the owner's: see is_pending() */
	__u64 last; /* the buffer that went out last: an amount; not kept for UDP */
	__u64 tcp_read; /* of the stream, by whoever read */
	__u64 early_tx_payload; /* in `slot`, before a packet has told the interface */
	__u64 early_rx_payload;
	__u32 mover; /* of a shared datagram socket: who alone moves bytes on it, or SEVERAL_MOVERS */
	__u32 reads_in_a_row; /* of the mover; where the socket is not shared, of its owner */
	__u64 unused2;
};
_Static_assert(sizeof(struct socket_state) == 184, "three lines less the 8 bytes before it");

#define SEVERAL_MOVERS (~0U) /* no process has this number: proc_pid(5), pid_max */

enum {
	SOCKET_KNOWN = 1,	/* initialised */
	SOCKET_PROVISIONAL = 2, /* the owner opened, accepted or holds it, but moved nothing yet */
	SOCKET_KERNEL = 4,	/* the kernel's own: no process context to trust */
	SOCKET_OUTGOING = 8,
	SOCKET_INCOMING = 16,
	SOCKET_SHARED = 64,	/* somebody else than its owner has moved bytes on it */
	SOCKET_SUBFLOW = 32,	/* of multipath TCP: counted in the whole connection's state */
	SOCKET_ASKS = 128,	/* has sent to port 53 */
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	/* No BPF_F_CLONE: a clone that fails would make the kernel refuse a connection. */
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct socket_state);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct slot_key);
	__type(value, __u32);
} slot_index SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct slot_record);
} slot_records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct counters);
} slot_counters SEC(".maps");

/* Slots that user space has taken back. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1024);
	__uint(value_size, sizeof(__u32));
} free_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct connection);
} connections SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1);
	__uint(value_size, sizeof(__u32));
} free_connections SEC(".maps");

/* The remotes of a socket that talks to many. */
struct peer_key {
	__u64 connection;
	__u8 remote[16];
	__u16 port;
	__u8 ip_version;
	__u8 unused[5];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct peer_key);
	__type(value, __u64);
} peers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct process_key);
	__type(value, struct process);
} processes SEC(".maps");

/* tgid of a member of a followed tree -> number of the tree. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u32);
} trees SEC(".maps");

/*
 * Who forked whom, of all processes that were born lately: those that use the network come from
 * others, which mostly do not, and may be gone before anybody asks.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct birth);
} births SEC(".maps");

/* Network namespaces by cookie, which is never given again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct netns);
} namespaces SEC(".maps");

/* Inode number of a namespace -> how often it was given again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u32);
} netns_turns SEC(".maps");

/* Interfaces that user space was told of; what is forgotten is told again. */
struct interface {
	struct netns netns;
	__u32 index;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct interface);
	__type(value, __u8);
} interfaces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

/* Cgroups that user space was told of; what is forgotten is told again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u8);
} cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} messages SEC(".maps");

/* The programs that copy them. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} copy_questions SEC(".maps"), copy_answers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct state);
} global SEC(".maps");

static __always_inline struct state *the_state(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&global, &zero);
}

/*
 * A function that the verifier looks at once, not again on each path to it, which makes the start
 * fast. For that it takes scalars, the context, and pointers that may be anything of their type,
 * NULL too; and gives a scalar.
 */
#define ONCE __attribute__((noinline))

#define add(counter, amount) __sync_fetch_and_add(&(counter), (amount))
#define note_limit(field)                    \
	do {                                 \
		struct state *st = the_state();  \
		if (st)                      \
			add(st->field, 1);   \
	} while (0)

#endif
