/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Names: the questions that this host puts to the domain name system and the answers that it gets,
 * copied to user space, which learns from them what remotes are called (RFC 1035; UDP and TCP, port
 * 53). Only with names: then the programs that end in `named` see the packets.
 *
 * Only sockets that have sent to port 53 are listened to, and user space takes only answers to
 * questions that it has seen: what anybody sends here from port 53 names nothing.
 */
#ifndef NETPROCMON_NAMES_H
#define NETPROCMON_NAMES_H

#define DNS_PORT 53
#define STREAM_PIECES 4 /* of one buffer of TCP; the rest is not heard */

/* Wakes the reader long before the ring is full. */
#define MESSAGES_WAITING (64 * sizeof(struct message))

static __always_inline bool goes_to_port_53(struct __sk_buff *skb, struct packet *packet)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u32 at = ip_header(data, end, packet->version, IPPROTO_UDP);
	__u16 *ports = data + at;

	return at <= 300 && (void *)(ports + 2) <= end && ports[1] == bpf_htons(DNS_PORT);
}

static __always_inline __u32 sequence_of(struct __sk_buff *skb, struct packet *packet)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u32 at = ip_header(data, end, packet->version, IPPROTO_TCP);
	__u8 *tcp = data + at;

	if (at > 300 || (void *)(tcp + 8) > end)
		return 0;
	return (__u32)tcp[4] << 24 | (__u32)tcp[5] << 16 | (__u32)tcp[6] << 8 | tcp[7];
}

/* One piece of what the packet carries, from `skip` on. */
ONCE int copy_piece(struct __sk_buff *skb, struct socket_state *socket, struct packet *packet,
		    bool tx, __u32 skip)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct endpoints ends = {};
	struct message *message;
	__u32 from, length;
	struct owner owner;

	if (!socket || !packet)
		return 0;
	from = segment_header(data, end, packet->version, socket->protocol) + skip;
	if (from >= packet->len || !read_endpoints(skb, packet, socket->protocol, tx, &ends) ||
	    ends.remote_port != DNS_PORT)
		return 0;
	length = packet->len - from;
	message = bpf_ringbuf_reserve(&messages, sizeof(*message), 0);
	if (!message) {
		note_limit(messages_lost);
		return 0;
	}
	message->time_ns = bpf_ktime_get_boot_ns();
	owner = owner_of(socket);
	message->owner_start = owner.start;
	message->owner_tgid = owner.tgid;
	message->netns = socket->netns;
	message->sequence =
		socket->protocol == IPPROTO_TCP ? sequence_of(skb, packet) + skip : 0;
	message->local_port = ends.local_port;
	message->remote_port = ends.remote_port;
	message->protocol = socket->protocol;
	message->ip_version = packet->version;
	message->sent = tx;
	message->netns_turn = socket->netns_turn;
	__builtin_memset(message->unused, 0, sizeof(message->unused));
	__builtin_memcpy(message->local, ends.local, 16);
	__builtin_memcpy(message->remote, ends.remote, 16);
	if (length > MESSAGE_BYTES)
		length = MESSAGE_BYTES;
	message->length = length;
	barrier_var(length);
	if (!length || length > MESSAGE_BYTES ||
	    bpf_skb_load_bytes(skb, from, message->bytes, length)) {
		bpf_ringbuf_discard(message, BPF_RB_NO_WAKEUP);
		return 0;
	}
	bpf_ringbuf_submit(message, BPF_RB_NO_WAKEUP);
	if (bpf_ringbuf_query(&messages, BPF_RB_AVAIL_DATA) > MESSAGES_WAITING)
		tell((struct event){ .kind = EVENT_MESSAGES }, BPF_RB_FORCE_WAKEUP);
	return 0;
}

/*
 * Whether the packet is one to listen to. Copying it is the work of a program of its own, which is
 * called in the tail of this one: within it, the verifier would go through it on each of its paths.
 */
static __always_inline bool is_message(struct __sk_buff *skb, struct socket_state *socket,
				       struct packet *packet, bool tx)
{
	if (!(socket->flags & SOCKET_ASKS)) {
		if (!tx || socket->protocol != IPPROTO_UDP || !goes_to_port_53(skb, packet))
			return false;
		socket->flags |= SOCKET_ASKS;
	}
	/* A connection is proof enough that the answer was asked for. */
	return socket->protocol == IPPROTO_UDP ||
	       (socket->protocol == IPPROTO_TCP && !tx && packet->len > packet->header);
}

/* The whole program that copies a message. */
static __always_inline int copy_message(struct __sk_buff *skb, bool tx)
{
	struct bpf_sock *sk = skb->sk;
	struct socket_state *socket = sk ? bpf_sk_storage_get(&sockets, sk, 0, 0) : 0;
	struct packet packet;

	if (!socket)
		return 1;
	packet = measure(skb, socket->protocol);
	copy_piece(skb, socket, &packet, tx, 0);
	if (socket->protocol != IPPROTO_TCP)
		return 1;
	for (__u32 piece = 1; piece < STREAM_PIECES; piece++)
		copy_piece(skb, socket, &packet, tx, piece * MESSAGE_BYTES);
	return 1;
}

#endif
