/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Connections: a row of counters for each socket, and one for each remote of a socket that talks
 * to many. Compiled away unless they were asked for. A full table costs the row, never the bytes:
 * those are in the owner's slot in any case.
 */
#ifndef NETPROCMON_CONNECTION_H
#define NETPROCMON_CONNECTION_H

struct endpoints {
	__u8 local[16], remote[16];
	__u16 local_port, remote_port; /* host order */
};

/* The two ends, from the packet itself: right for mapped and for unbound sockets too. */
static __always_inline bool read_endpoints(struct __sk_buff *skb, struct packet *packet,
					   __u32 protocol, bool tx, struct endpoints *ends)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u32 at = ip_header(data, end, packet->version, protocol);
	__u8 *ip = data, *source = tx ? ends->local : ends->remote;
	__u8 *target = tx ? ends->remote : ends->local;
	__u16 *ports = data + at, from, to;

	if (packet->version == 4) {
		if ((void *)(ip + 20) > end)
			return false;
		__builtin_memcpy(source, ip + 12, 4);
		__builtin_memcpy(target, ip + 16, 4);
	} else {
		if ((void *)(ip + 40) > end)
			return false;
		__builtin_memcpy(source, ip + 8, 16);
		__builtin_memcpy(target, ip + 24, 16);
	}
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		return true;
	if (at > 300 || (void *)(ports + 2) > end)
		return false;
	from = bpf_ntohs(ports[0]);
	to = bpf_ntohs(ports[1]);
	ends->local_port = tx ? from : to;
	ends->remote_port = tx ? to : from;
	return true;
}

static __always_inline __u32 connection_allocate(void)
{
	struct state *st = the_state();
	__u32 at;

	if (!bpf_map_pop_elem(&free_connections, &at))
		return at;
	if (!st || st->next_connection >= max_connections)
		return 0;
	at = __sync_fetch_and_add(&st->next_connection, 1);
	if (!at) /* before user space has said that row 0 is nobody's */
		at = __sync_fetch_and_add(&st->next_connection, 1);
	return at < max_connections ? at : 0;
}

/* Fills a row that nobody is shown yet. */
static __always_inline __u64 connection_open(struct socket_state *socket, struct packet *packet,
					     struct endpoints *ends, bool has_remote, __u32 state,
					     __u32 parent)
{
	__u32 at = connection_allocate();
	struct connection *row = at ? bpf_map_lookup_elem(&connections, &at) : 0;
	struct owner owner = owner_of(socket);

	if (!row) {
		note_limit(connections_full);
		return 0;
	}
	row->owner_start = owner.start;
	row->owner_tgid = owner.tgid;
	row->netns = socket->netns;
	row->netns_turn = socket->netns_turn;
	row->opened_ns = bpf_ktime_get_boot_ns();
	row->ifindex = packet->ifindex;
	row->protocol = socket->protocol;
	row->ip_version = packet->version;
	row->tcp_state = state;
	row->socket = parent;
	row->direction = socket->flags & SOCKET_OUTGOING   ? 2
			 : socket->flags & SOCKET_INCOMING ? 1
							   : 0;
	__builtin_memcpy(row->local, ends->local, 16);
	row->local_port = ends->local_port;
	row->has_remote = has_remote;
	if (has_remote) {
		__builtin_memcpy(row->remote, ends->remote, 16);
		row->remote_port = ends->remote_port;
	}
	return ((__u64)row->generation << 32) | at;
}

/* Of two processors that met the same at once, one shows its row, and the other has that one, too. */
static __always_inline void connection_show(__u64 reference)
{
	__u32 at = (__u32)reference;
	struct connection *row = bpf_map_lookup_elem(&connections, &at);

	if (row)
		__sync_lock_test_and_set(&row->in_use, 1);
}

static __always_inline void connection_give_back(__u64 reference)
{
	__u32 at = (__u32)reference;

	bpf_map_push_elem(&free_connections, &at, BPF_ANY);
}

/* The row behind a reference; nothing when user space has taken it back. */
static __always_inline struct connection *connection_at(__u64 reference)
{
	__u32 at = (__u32)reference;
	struct connection *row = at ? bpf_map_lookup_elem(&connections, &at) : 0;

	return row && row->generation == (__u32)(reference >> 32) ? row : 0;
}

/* The row of the remote that this packet of a many-to-many socket goes to or comes from. */
ONCE __u64 peer_of(struct __sk_buff *skb, struct socket_state *socket, struct packet *packet, bool tx)
{
	struct endpoints ends = {};
	struct peer_key key = {};
	__u64 *known, row;

	if (!socket || !packet)
		return 0;
	key.connection = socket->connection;
	key.ip_version = packet->version;
	if (!read_endpoints(skb, packet, socket->protocol, tx, &ends))
		return 0;
	__builtin_memcpy(key.remote, ends.remote, 16);
	key.port = ends.remote_port;
	known = bpf_map_lookup_elem(&peers, &key);
	if (known)
		return *known;
	row = connection_open(socket, packet, &ends, true, 0, (__u32)socket->connection);
	if (!row)
		return 0;
	if (bpf_map_update_elem(&peers, &key, &row, BPF_NOEXIST)) {
		known = bpf_map_lookup_elem(&peers, &key);
		if (known) {
			connection_give_back(row);
			return *known;
		}
		note_limit(connections_full);
	}
	connection_show(row);
	return row;
}

ONCE int connect_row(struct __sk_buff *skb, struct socket_state *socket, struct packet *packet, bool tx)
{
	struct bpf_sock *sk = skb->sk;
	struct endpoints ends = {};
	bool has_remote;
	__u64 row;

	if (!sk || !socket || !packet)
		return 0;
	sk = bpf_sk_fullsock(sk);
	if (!sk || !read_endpoints(skb, packet, socket->protocol, tx, &ends))
		return 0;
	has_remote = sk->protocol == IPPROTO_TCP ? sk->state != TCP_LISTEN : sk->dst_port != 0;
	row = connection_open(socket, packet, &ends, has_remote, sk->state, 0);
	if (!row)
		return 0;
	if (__sync_val_compare_and_swap(&socket->connection, 0, row))
		connection_give_back(row);
	else
		connection_show(row);
	return 0;
}

static __always_inline __u64 datagram_payload(struct __sk_buff *skb, struct packet *packet,
					      __u32 protocol)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u32 header = packet->header;

	if (!header)
		header = segment_header(data, end, packet->version, protocol);
	return packet->len > header ? packet->len - header : 0;
}

/* Counts a packet in its connection's row. */
static __always_inline void count_connection(struct __sk_buff *skb, struct socket_state *socket,
					     struct packet *packet, bool tx)
{
	struct connection *row;

	if (!track_connections || socket->flags & SOCKET_KERNEL)
		return;
	if (!socket->connection)
		connect_row(skb, socket, packet, tx);
	row = connection_at(socket->connection);
	if (!row)
		return;
	if (!row->has_remote && socket->protocol != IPPROTO_TCP) {
		__u64 peer = peer_of(skb, socket, packet, tx);
		struct connection *peer_row = connection_at(peer);

		/* Without a row of its own the remote shares the socket's. */
		if (peer_row)
			row = peer_row;
		if (!peer_row)
			peer = socket->connection;
		/* Who will read it is not known yet; what it carries is. */
		if (!tx)
			add(row->rx_payload, datagram_payload(skb, packet, socket->protocol));
		else if (socket->peer != peer)
			socket->peer = peer;
	}
	if (socket->flags & SOCKET_SHARED && socket->protocol != IPPROTO_TCP) {
		struct caller caller = {};

		/* The last that sent. */
		if (tx)
			find_caller(&caller);
		if (tx && !caller.is_kernel) {
			row->owner_tgid = caller.tgid;
			row->owner_start = caller.start;
		}
	} else {
		struct owner owner = owner_of(socket);

		if (row->owner_tgid != owner.tgid || row->owner_start != owner.start) {
			row->owner_tgid = owner.tgid;
			row->owner_start = owner.start;
		}
	}
	if (row->ifindex != packet->ifindex)
		row->ifindex = packet->ifindex;
	if (tx) {
		add(row->tx_bytes, packet->wire);
		add(row->tx_packets, packet->packets);
	} else {
		add(row->rx_bytes, packet->wire);
		add(row->rx_packets, packet->packets);
	}
}

/* The row of the remote that was sent to last is the caller's. */
static __always_inline void own_connection(struct socket_state *socket, struct caller caller)
{
	struct connection *row;

	if (!track_connections)
		return;
	row = connection_at(socket->peer ? socket->peer : socket->connection);
	if (!row)
		return;
	row->owner_tgid = caller.tgid;
	row->owner_start = caller.start;
}

/* Payload that a call has moved on this socket. */
static __always_inline void count_connection_payload(struct socket_state *socket, __u64 sent,
						     __u64 received)
{
	struct connection *row;

	if (!track_connections)
		return;
	row = connection_at(sent && socket->peer ? socket->peer : socket->connection);
	if (!row)
		return;
	if (sent)
		add(row->tx_payload, sent);
	/* Many remotes: counted as the packets came in. */
	if (received && (row->has_remote || socket->protocol == IPPROTO_TCP))
		add(row->rx_payload, received);
}

#endif
