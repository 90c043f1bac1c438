/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What comes in: counted at once, and remembered for whoever will read it. The packets that make a
 * connection are shown to its listener, which is often another process's: a master's, whose workers
 * accept. Its handshake stays there; what belongs to the connection goes over to it, as soon as it is
 * met.
 */
#ifndef NETPROCMON_ARRIVAL_H
#define NETPROCMON_ARRIVAL_H

/*
 * Counts a packet that came in, and remembers it for whoever will read it. Nobody will read a bare
 * acknowledgement: it is the present owner's; nor does anybody ask while a stream is steady. The flag
 * is looked at before the slot, for a claim takes it away after it has changed the slot.
 */
static __always_inline bool count_came(struct socket_state *socket, struct packet *packet,
				       bool in_softirq)
{
	bool to_be_read = !socket->steady && (packet->len > packet->header ||
					      socket->flags & SOCKET_PROVISIONAL);
	/* What is not written is not read: its line is another's, or cold. */
	__u64 epoch = to_be_read ? socket->came >> EPOCH_SHIFT : 0, came;
	struct counters *counters, *heirs;

	barrier();
	counters = counters_for(socket, packet->ifindex, packet->version);
	if (!counters)
		return false;
	count_rx(counters, packet, in_softirq);
	if (!to_be_read)
		return true;
	came = __sync_fetch_and_add(&socket->came, amount_of(packet->wire, packet->packets));
	if (came >> EPOCH_SHIFT == epoch && !(epoch & 1))
		return true;
	/* It was or is handed over meanwhile, without this packet. */
	heirs = slot_counters_of((__u32)slot_of_owner(socket, socket->heir_start, socket->heir_tgid,
						      packet->ifindex, packet->version));
	if (!heirs || heirs == counters)
		return true;
	carry(counters, heirs, rx_bytes, (__u64)packet->wire);
	carry(counters, heirs, rx_packets, (__u64)packet->packets);
	return true;
}

/* A packet that a listener was shown, and where it is counted. */
struct sight {
	__u64 numbers; /* sequence and acknowledgement */
	__u64 time_ns;
	__u64 slot; /* 0: of nobody */
	__u64 connection;
	struct packet packet;
};

/* The last one of each processor. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sight);
} last_sight SEC(".maps");

/* Those with data, until the connection is met that was made of them. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct sight);
} first_data SEC(".maps");

/*
 * First data of a stream, by the sequence number it starts at, which is random, and the ports. Only a
 * connection that was made of it finds it.
 */
static __always_inline __u64 first_data_key(__u32 sequence, __u16 remote_port, __u16 local_port)
{
	return (__u64)sequence << 32 | (__u32)remote_port << 16 | local_port;
}

#define SYN 2 /* in byte 13 of the header: RFC 9293 */

/* The same, of a packet. */
static __always_inline __u64 first_data_in(__u8 *header)
{
	__be32 sequence;
	__be16 ports[2];

	__builtin_memcpy(&ports, header, sizeof(ports));
	__builtin_memcpy(&sequence, header + 4, sizeof(sequence));
	return first_data_key(bpf_ntohl(sequence) + !!(header[13] & SYN), bpf_ntohs(ports[0]),
			      bpf_ntohs(ports[1]));
}

/* Notes what a listener is shown; of one that nobody owns yet the iterator may carry it away. */
static __always_inline void note_sight(struct __sk_buff *skb, struct socket_state *listening,
				       struct packet *packet, __u64 key, __u64 numbers,
				       struct sight *last)
{
	struct owner owner = owner_of(listening);

	last->numbers = numbers;
	last->time_ns = bpf_ktime_get_ns();
	last->slot = owner.tgid ? slot_of_owner(listening, owner.start, owner.tgid, packet->ifindex,
						packet->version) :
				  0;
	if (track_connections && !listening->connection)
		connect_row(skb, listening, packet, false);
	last->connection = listening->connection;
	last->packet = *packet;
	if (packet->len > packet->header)
		bpf_map_update_elem(&first_data, &key, last, BPF_ANY);
}

/* Takes a packet from its listener; where that cannot be done any more it stays there. */
static __always_inline bool take_back(struct sight *sight)
{
	struct counters *counters = counters_at(sight->slot);
	struct packet *packet = &sight->packet;
	struct connection *row;

	if (!counters)
		return false;
	add(counters->rx_bytes, -(__u64)packet->wire);
	add(counters->rx_packets, -(__u64)packet->packets);
	if (packet->packets > 1) {
		add(counters->rx_merged_bytes, -(__u64)(packet->wire - packet->len));
		add(counters->rx_merged_packets, -(__u64)(packet->packets - 1));
	}
	row = track_connections ? connection_at(sight->connection) : 0;
	if (row) {
		add(row->rx_bytes, -(__u64)packet->wire);
		add(row->rx_packets, -(__u64)packet->packets);
	}
	return true;
}

/*
 * A connection that was made of a packet with data has that from its listener: where the server wants no
 * connection before its data (TCP_DEFER_ACCEPT), with TCP Fast Open, when an acknowledgement was lost or
 * overtaken. While another processor is still at it there is none in it; gives whether there is nothing
 * more to ask.
 */
ONCE int take_first_data(struct __sk_buff *skb, struct socket_state *socket, bool ingress)
{
	struct bpf_sock *sk = skb->sk;
	struct sight *found, first;
	struct sock_common *ends;
	struct tcp_sock *tcp;
	__u64 key;

	if (!sk || !socket || socket->flags & SOCKET_OUTGOING)
		return true;
	sk = bpf_sk_fullsock(sk);
	tcp = sk && sk->type == SOCK_STREAM ? bpf_skc_to_tcp_sock(sk) : 0;
	if (!tcp)
		return true;
	ends = &tcp->inet_conn.icsk_inet.sk.__sk_common;
	key = first_data_key(tcp->rcv_nxt - (__u32)tcp->bytes_received, bpf_ntohs(ends->skc_dport),
			     ends->skc_num);
	found = bpf_map_lookup_elem(&first_data, &key);
	if (!found)
		return tcp->data_segs_in != 1; /* the numbers may be about to change */
	if (!tcp->data_segs_in)
		return false;
	first = *found;
	/* Who deletes it has it. */
	if (bpf_map_delete_elem(&first_data, &key) || !take_back(&first))
		return true;
	if (track_connections && !socket->connection)
		connect_row(skb, socket, &first.packet, !ingress);
	/* What goes out may do so outside softirq. */
	if (count_came(socket, &first.packet, false))
		count_connection(skb, socket, &first.packet, false);
	return true;
}

/* A guest may lose a processor for so long; TCP sends again after a second. */
#define LATE_NS 100000000

/*
 * Two processors may end one handshake at the same moment: with packet steering one has the client's
 * acknowledgement and the other its request. The kernel shows each packet to the listener's hook, one of
 * them makes the connection, and the other is looked up again and shown to the connection's
 * (req_stolen, tcp_v4_rcv). So each processor remembers what it has shown a listener last.
 *
 * A packet that was sent twice has the same numbers, but then the connection was made of the first one:
 * which had data as this one has; or none as this one has none, and then it was made here. That the other
 * processor has made it is told by the socket until another packet is through (sk_clone_lock,
 * sk_incoming_cpu_update).
 */
static __always_inline bool is_second_sight(struct bpf_sock *sk, struct packet *packet,
					    __u64 numbers, struct sight *last)
{
	struct tcp_sock *tcp;
	int made_by;

	if (last->numbers != numbers || last->packet.len != packet->len ||
	    bpf_ktime_get_ns() - last->time_ns > LATE_NS)
		return false;
	last->numbers = 0;
	sk = bpf_sk_fullsock(sk);
	tcp = sk && sk->type == SOCK_STREAM ? bpf_skc_to_tcp_sock(sk) : 0;
	if (!tcp)
		return false;
	if (packet->len > packet->header)
		return !tcp->data_segs_in;
	made_by = tcp->inet_conn.icsk_inet.sk.__sk_common.skc_incoming_cpu;
	return made_by != (int)bpf_get_smp_processor_id();
}

/* Whether the packet is counted already, and has to stay where it is. */
static __noinline int look_back(struct __sk_buff *skb, struct socket_state *own,
				struct socket_state *socket, struct packet *packet)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u32 at = ip_header(data, end, packet->version, IPPROTO_TCP), zero = 0;
	struct sight *last = bpf_map_lookup_elem(&last_sight, &zero);
	struct bpf_sock *sk = skb->sk;
	__u8 *header = data + at;
	__u64 numbers, key;

	if (!last || !sk || at > 300 || (void *)(header + 14) > end)
		return false;
	__builtin_memcpy(&numbers, header + 4, sizeof(numbers));
	key = first_data_in(header);
	if (sk->state == TCP_LISTEN) {
		note_sight(skb, socket, packet, key, numbers, last);
		return false;
	}
	own->sights++;
	if (!is_second_sight(sk, packet, numbers, last)) {
		if (!own->is_settled)
			own->is_settled = take_first_data(skb, socket, true);
		return false;
	}
	if (packet->len > packet->header)
		bpf_map_delete_elem(&first_data, &key);
	return !take_back(last);
}

/* The processor that is late may be so by more than it takes to accept a connection, and to read it. */
#define SIGHTS 16

static __always_inline bool is_counted(struct __sk_buff *skb, struct socket_state *own,
				       struct socket_state *socket, struct packet *packet)
{
	return own->sights < SIGHTS && own->protocol == IPPROTO_TCP &&
	       look_back(skb, own, socket, packet);
}

#endif
