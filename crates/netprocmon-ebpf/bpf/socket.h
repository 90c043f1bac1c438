/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The state of a socket that no hook in process context has seen: a connection that nobody has
 * accepted yet, a socket older than the monitor, one of the kernel's own.
 */
#ifndef NETPROCMON_SOCKET_H
#define NETPROCMON_SOCKET_H

/* What a user calls it: the kernel has a number of its own for multipath TCP. */
static __always_inline __u8 protocol_of(__u32 protocol)
{
	return protocol == IPPROTO_MPTCP ? IPPROTO_TCP : protocol;
}

/*
 * The state of a socket, made where there is none. Two processors may do so at the same moment: the kernel
 * refuses the one that is late (bpf_local_storage_update), and has the other's when it is asked again.
 */
static __always_inline struct socket_state *state_for(void *sk)
{
	struct socket_state *socket =
		bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);

	if (!socket)
		socket = bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	return socket;
}

/*
 * Multipath TCP: packets belong to subflows, calls to the connection as a whole. Its state is
 * that of the whole; a subflow remembers only the owner, for the time that it outlives the whole.
 */
static __always_inline struct socket_state *whole_of(struct bpf_sock *sk, bool make)
{
	struct mptcp_sock *whole;

	/*
	 * A raw socket of protocol TCP, like the one that answers for time-wait, is no tcp_sock. The
	 * kernel (6.1) looks into it as if it were one, and panics.
	 */
	if (!has_multipath || sk->type != SOCK_STREAM)
		return 0;
	whole = bpf_skc_to_mptcp_sock(sk);
	if (!whole)
		return 0;
	return make ? state_for(whole) : bpf_sk_storage_get(&sockets, whole, 0, 0);
}

/*
 * The stream of a TCP socket; none where an upper layer (kTLS) reads it in the reader's stead. A raw
 * socket of protocol TCP has none: the kernel's cast looks at the protocol alone.
 */
static __always_inline struct tcp_sock *stream_of(struct sock *sk)
{
	struct tcp_sock *tcp;

	if (sk->sk_protocol != IPPROTO_TCP || sk->sk_type != SOCK_STREAM)
		return 0;
	tcp = bpf_skc_to_tcp_sock(sk);
	return tcp && !tcp->inet_conn.icsk_ulp_ops ? tcp : 0;
}

/*
 * What has been read of a stream: what has come in less what still waits. A FIN takes one place
 * in the sequence, and in bytes_received, and is not a byte.
 */
static __always_inline __u64 read_of_stream(struct tcp_sock *tcp)
{
	__u32 waiting = tcp->rcv_nxt - tcp->copied_seq;
	__u64 read = tcp->bytes_received - waiting;
	unsigned long flags = tcp->inet_conn.icsk_inet.sk.__sk_common.skc_flags;

	return read - (!waiting && flags & (1UL << SOCK_DONE_BIT));
}

/*
 * Before somebody else claims a stream that its owner has read alone: notes what waits in it, as the
 * segments that it came in. `taken` is what the claiming call has read of it. A packet that comes in at
 * this moment is the old owner's.
 */
static __always_inline void end_of_steady(struct socket_state *socket, struct caller caller, void *sk,
					  __u64 taken)
{
	struct tcp_sock *tcp;
	__u64 waiting, packets, header, flags;
	__u32 segment;

	if (!socket->steady || is_owner(socket, caller))
		return;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (!tcp)
		return;
	waiting = (__u32)(tcp->rcv_nxt - tcp->copied_seq);
	flags = tcp->inet_conn.icsk_inet.sk.__sk_common.skc_flags;
	if (waiting && flags & (1UL << SOCK_DONE_BIT))
		waiting--; /* the FIN's place */
	waiting += taken;
	segment = tcp->inet_conn.icsk_ack.rcv_mss;
	packets = segment ? (waiting + segment - 1) / segment : 0;
	header = tcp->tcp_header_len + (socket->ip_version == 4 ? 20 : 40);
	socket->steady = 0;
	socket->read = socket->came - amount_of(waiting + packets * header, packets);
}

/* What was accepted by a listener belongs to whoever owns the listener, until somebody claims it. */
static __always_inline void inherit_from_listener(struct __sk_buff *skb,
						  struct socket_state *socket, bool ingress)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct bpf_sock_tuple tuple = {};
	struct socket_state *listening;
	struct bpf_sock *listener;
	__u32 size;
	__u8 *ip = data;

	/* The remote end is left out of the tuple, so that only a listener can match. */
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if ((void *)(ip + 24) > end || (ip[0] & 15) != 5)
			return;
		__builtin_memcpy(&tuple.ipv4.daddr, ip + (ingress ? 16 : 12), 4);
		__builtin_memcpy(&tuple.ipv4.dport, ip + (ingress ? 22 : 20), 2);
		size = sizeof(tuple.ipv4);
	} else {
		if ((void *)(ip + 44) > end)
			return;
		__builtin_memcpy(tuple.ipv6.daddr, ip + (ingress ? 24 : 8), 16);
		__builtin_memcpy(&tuple.ipv6.dport, ip + (ingress ? 42 : 40), 2);
		size = sizeof(tuple.ipv6);
	}
	listener = bpf_sk_lookup_tcp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!listener)
		return;
	if (listener->state == TCP_LISTEN) {
		listening = whole_of(listener, false);
		if (!listening)
			listening = bpf_sk_storage_get(&sockets, listener, 0, 0);
		if (listening && listening->owner_tgid) {
			socket->listener_start = listening->owner_start;
			socket->listener_tgid = listening->owner_tgid;
			socket->flags |= SOCKET_INCOMING;
		}
	}
	bpf_sk_release(listener);
}

/*
 * The cookie of a packet's namespace, 0 where the kernel tells it by no way. Before 6.15 it is read
 * from the socket, by address: only sockets of some protocols can be followed by pointer, and the
 * kernel's own that answer pings are of none of them. Nothing may be added to the pointer to a
 * socket, so its address is read from the stack, as a number.
 */
static __always_inline __u64 cookie_of_namespace(struct __sk_buff *skb, struct bpf_sock *sk)
{
	struct sock *address = 0;
	struct net *net = 0;
	__u64 cookie = 0;

	if (has_netns_cookie)
		return bpf_get_netns_cookie(skb);
	if (!can_read_memory || bpf_probe_read_kernel(&address, sizeof(address), &sk) ||
	    bpf_probe_read_kernel(&net, sizeof(net), &address->__sk_common.skc_net.net) ||
	    bpf_probe_read_kernel(&cookie, sizeof(cookie), &net->net_cookie))
		return 0;
	return cookie;
}

/*
 * First sight of a socket on the packet path. What comes in and what goes out may see a socket first at
 * the same moment, on two processors: a server that greets, a client that speaks first. Either notes the
 * same, and says last that it is known: a packet that found it known but not noted would be
 * counted under nobody, and all that follow with it.
 */
static __always_inline int introduce(struct __sk_buff *skb, struct bpf_sock *sk,
				     struct socket_state *socket, bool ingress, bool is_whole)
{
	struct state *st = the_state();
	struct tcp_sock *tcp;
	__u8 flags = SOCKET_KNOWN;

	socket->protocol = sk->protocol;
	tcp = sk->protocol == IPPROTO_TCP && sk->type == SOCK_STREAM ? bpf_skc_to_tcp_sock(sk) : 0;
	if (tcp) {
		struct sock *base = &tcp->inet_conn.icsk_inet.sk;
		struct net *net = base->__sk_common.skc_net.net;
		struct socket *file_end = base->sk_socket;
		__u64 read;

		set_netns(socket, net->net_cookie, net->ns.inum);
		/* The whole of several subflows has no file yet, and is not the kernel's for that. */
		if (!is_whole && file_end && !file_end->file) {
			flags |= SOCKET_KERNEL;
			socket->reason = REASON_KERNEL;
		} else {
			flags |= SOCKET_PROVISIONAL;
			socket->reason = REASON_BEFORE_START;
			/* What was read before is not ours; calls may claim it before the iterator. */
			read = read_of_stream(tcp);
			if (socket->tcp_read < read)
				socket->tcp_read = read;
			/* Older than the monitor, or accepted: then there is a listener. */
			inherit_from_listener(skb, socket, ingress);
		}
	} else {
		set_netns(socket, cookie_of_namespace(skb, sk), 0);
		if (sk->protocol == IPPROTO_TCP) {
			/* The control socket that answers for time-wait and for closed ports. */
			flags |= SOCKET_KERNEL;
			socket->reason = REASON_NO_SOCKET;
		} else if (st && st->primed) {
			/* User sockets are met when they are made, or were met by the iterator. */
			flags |= SOCKET_KERNEL;
			socket->reason = REASON_KERNEL;
		} else {
			flags |= SOCKET_PROVISIONAL;
			socket->reason = REASON_BEFORE_START;
		}
	}
	barrier();
	if (!(socket->flags & SOCKET_KNOWN))
		socket->flags |= flags;
	return 0;
}

/* The state that a packet is counted in, for every socket that is not known, or not the whole. */
static __noinline struct socket_state *meet(struct __sk_buff *skb, struct socket_state *own,
					    bool ingress)
{
	struct bpf_sock *sk = skb->sk;
	struct socket_state *whole;
	struct owner owner;

	if (!sk)
		return own;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return own;
	whole = sk->protocol == IPPROTO_TCP ? whole_of(sk, true) : 0;
	if (whole) {
		if (!(whole->flags & SOCKET_KNOWN))
			introduce(skb, sk, whole, ingress, true);
		own->protocol = IPPROTO_TCP;
		own->netns = whole->netns;
		own->netns_turn = whole->netns_turn;
		owner = owner_of(whole);
		own->owner_start = owner.start;
		own->owner_tgid = owner.tgid;
		own->reason = whole->reason;
		own->flags |= SOCKET_KNOWN | SOCKET_SUBFLOW;
		return whole;
	}
	if (!(own->flags & SOCKET_KNOWN))
		introduce(skb, sk, own, ingress, false);
	return own;
}

/* The kernel's ICMP sockets answer echoes, and tell of ports that nobody listens on. */
static __always_inline void tell_icmp_apart(struct __sk_buff *skb, struct socket_state *socket,
					    __u32 version)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u32 at = ip_header(data, end, version, socket->protocol);
	__u8 *type = data + at, reason = REASON_KERNEL;

	if (at > 300 || (void *)(type + 1) > end)
		return;
	/* Destination unreachable: RFC 792, RFC 4443. */
	if (*type == (version == 4 ? 3 : 1))
		reason = REASON_NO_SOCKET;
	if (reason != socket->reason) {
		socket->reason = reason;
		socket->slot = 0;
	}
}

#endif
