/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What the kernel side and the Rust side share: keys and values of the maps, and the two words
 * (reason, event) that travel in them. src/abi.rs holds the same layouts; both sides assert the
 * sizes, so that neither can drift alone. Nothing here refers to the kernel's own structures.
 */
#ifndef NETPROCMON_ABI_H
#define NETPROCMON_ABI_H

/* Why bytes are charged to no process: model::Reason, in the contract's words. */
enum reason {
	REASON_NONE = 0, /* a process owns them */
	REASON_KERNEL = 1,
	REASON_BEFORE_START = 2,
	REASON_NO_SOCKET = 3,
	REASON_CAPACITY = 5,
};

/* One row of the books: who, over which interface, with which protocol. */
struct slot_key {
	__u64 start; /* start_boottime of the thread-group leader; 0 with a reason */
	__u32 tgid;  /* 0 with a reason */
	__u32 ifindex;
	__u32 netns;	  /* inode number */
	__u32 netns_turn; /* how often that was given again before */
	__u8 protocol;
	__u8 ip_version;
	__u8 reason;
	__u8 unused[5];
};
_Static_assert(sizeof(struct slot_key) == 32, "shared with abi.rs");

/* The key of a slot in use, by slot; user space learns of new slots here, without a syscall. */
struct slot_record {
	struct slot_key key;
	__u32 in_use; /* written last */
	__u32 unused;
};
_Static_assert(sizeof(struct slot_record) == 40, "shared with abi.rs");

/*
 * The counters of one slot, once for each stripe of CPUs. The first cache line is all that a
 * packet touches unless it was segmented; the second is for segmentation and retransmission.
 */
struct counters {
	__u64 tx_bytes;
	__u64 tx_packets;
	__u64 rx_bytes;
	__u64 rx_packets;
	__u64 tx_payload;
	__u64 rx_payload;
	__u32 generation; /* raised by user space when it takes the slot back */
	__u32 ifindex;	  /* with the next, of its key: looked at by each packet */
	__u8 ip_version;
	__u8 unused[7];
	/* second line */
	__u64 retransmitted_bytes;
	__u64 retransmitted_packets;
	__u64 tx_merged_bytes; /* on the wire beyond the buffer that was handed to the device */
	__u64 tx_merged_packets;
	__u64 rx_merged_bytes;
	__u64 rx_merged_packets;
	__u64 unused1[2];
};
_Static_assert(sizeof(struct counters) == 128, "shared with abi.rs");

/* One conversation. Row 0 is nobody's. */
struct connection {
	__u64 tx_bytes;
	__u64 tx_packets;
	__u64 rx_bytes;
	__u64 rx_packets;
	__u64 tx_payload;
	__u64 rx_payload;
	__u64 closed_ns; /* since boot; 0 while it lives */
	__u32 generation;
	__u32 in_use; /* written last */
	/* second line */
	__u64 retransmitted_bytes;
	__u64 retransmitted_packets;
	__u64 owner_start;
	__u32 owner_tgid;
	__u32 netns;
	__u64 opened_ns;
	__u32 ifindex;
	__u16 local_port; /* host order */
	__u16 remote_port;
	__u8 protocol;
	__u8 ip_version;
	__u8 tcp_state;
	__u8 direction; /* 0 not known, 1 in, 2 out */
	__u8 has_remote;
	__u8 unused[3];
	__u32 socket; /* of one remote among many: the row of the socket itself */
	__u32 netns_turn;
	/* third line */
	__u8 local[16]; /* IPv4: the first four */
	__u8 remote[16];
	__u64 unused2[4];
};
_Static_assert(sizeof(struct connection) == 192, "shared with abi.rs");

/*
 * A network namespace: its inode number, and how often that was given again before, for the kernel
 * gives the number of one that is gone to the next.
 */
struct netns {
	__u32 inode;
	__u32 turn;
};

struct process_key {
	__u64 start;
	__u32 tgid;
	__u32 unused;
};
_Static_assert(sizeof(struct process_key) == 16, "shared with abi.rs");

#define COMM_LEN 16
#define EXE_LEN 256
#define ARGS_LEN 512

/* A process that uses the network, written down while it lives. */
struct process {
	__u64 exit_ns; /* since boot; 0 while it lives */
	__u64 cgroup; /* with the next three, written by exec and exit; 0 before */
	__u32 ppid;
	__u32 uid;
	__u32 netns;
	__u32 tree;	/* the followed tree that it belongs to; 0 none */
	__u32 exe_len;	/* 0: not readable at that moment */
	__u32 args_len; /* 0: not readable at that moment */
	char comm[COMM_LEN];
	char exe[EXE_LEN];   /* as it was given to execve(2) */
	char args[ARGS_LEN]; /* NUL after each, as in /proc/PID/cmdline */
};
_Static_assert(sizeof(struct process) == 40 + COMM_LEN + EXE_LEN + ARGS_LEN, "shared with abi.rs");

/* How a process came to be; the tgid is the key. */
struct birth {
	__u64 start;
	__u64 parent_start;
	__u32 parent_tgid;
	__u32 unused;
	char comm[COMM_LEN]; /* since it last executed a program */
};
_Static_assert(sizeof(struct birth) == 24 + COMM_LEN, "shared with abi.rs");

enum event_kind {
	EVENT_PROCESS = 1, /* new, or changed by exec */
	EVENT_EXIT = 2,
	EVENT_NETNS = 3, /* a namespace, or an interface in one, that was not known */
	EVENT_CGROUP = 4, /* a cgroup that was not known; its number is in the cookie's place */
	EVENT_MESSAGES = 5, /* the ring of messages fills */
};

struct event {
	__u32 kind;
	__u32 tgid;
	__u64 start;
	__u64 subject; /* number of the cgroup; index of the interface, 0: the namespace itself */
	__u32 netns;
	__u32 netns_turn;
};
_Static_assert(sizeof(struct event) == 32, "shared with abi.rs");

#define MESSAGE_BYTES 1232 /* what a resolver offers to take over UDP (RFC 9715) */

/* A piece of a question or an answer of the domain name system that this host sent or received. */
struct message {
	__u64 time_ns; /* since boot */
	__u64 owner_start;
	__u32 owner_tgid;
	__u32 netns;
	__u32 netns_turn;
	__u32 sequence; /* TCP: of the first byte */
	__u16 local_port;
	__u16 remote_port;
	__u16 length;
	__u8 protocol;
	__u8 ip_version;
	__u8 sent;
	__u8 unused[7];
	__u8 local[16]; /* IPv4: the first four */
	__u8 remote[16];
	__u8 bytes[MESSAGE_BYTES];
};
_Static_assert(sizeof(struct message) == 80 + MESSAGE_BYTES, "shared with abi.rs");

/* The kernel side's own state, one element, mapped by user space. */
struct state {
	__u32 next_slot;       /* slots from here on were never used */
	__u32 next_connection; /* the same for connections */
	__u32 primed;	       /* set by user space when the sockets that were open are claimed */
	__u32 unused;
	/* Limits that were hit: counted, and said. */
	__u64 storage_failures; /* a socket without state: its bytes are under `capacity` */
	__u64 slots_full;
	__u64 connections_full;
	__u64 processes_full;
	__u64 tree_full;
	__u64 events_lost;
	__u64 messages_lost;
};
_Static_assert(sizeof(struct state) == 72, "shared with abi.rs");

#endif
