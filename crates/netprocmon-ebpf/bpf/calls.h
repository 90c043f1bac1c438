/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The calls that move bytes: whose they are, and how much payload they moved. A program stands
 * behind each, in the caller's context, when what it did is done.
 *
 * Since 6.3 a tracepoint tells of every one, whatever the way in (read, sendmmsg, io_uring, splice).
 * Before it, the same is told by the functions that the socket layer calls for every socket of the
 * internet families, when they return: that needs 5.11, for the sockets' storage, and a kernel
 * that lets programs be attached to functions. Only one of the two kinds is loaded (src/hooks.rs).
 */
#ifndef NETPROCMON_CALLS_H
#define NETPROCMON_CALLS_H

static __always_inline struct socket_state *state_of(const struct sock *sk)
{
	__u16 family = sk->__sk_common.skc_family;

	if (family != AF_INET && family != AF_INET6)
		return 0;
	return bpf_sk_storage_get(&sockets, (void *)sk, 0, 0);
}

/*
 * Where the payload of a call is counted: beside the last packet, or under no interface while there was
 * none.
 */
static __always_inline struct counters *counters_for_payload(struct socket_state *socket,
							     struct caller caller)
{
	struct counters *last = counters_at(socket->slot);
	__u32 ifindex = socket->ifindex, version = socket->slot ? socket->ip_version : 4;

	if (last) {
		if (!(socket->flags & SOCKET_SHARED) || caller.is_kernel)
			return last;
		ifindex = last->ifindex;
		version = last->ip_version;
	}
	return counters_of_mover(socket, caller, ifindex, version);
}

/* Payload that a call has moved; gives where it was counted. */
static __always_inline struct counters *count_payload(struct socket_state *socket,
						      struct caller caller, __u64 sent,
						      __u64 received)
{
	struct counters *counters = counters_for_payload(socket, caller);

	if (!counters)
		return 0;
	if (sent)
		add(counters->tx_payload, sent);
	if (received)
		add(counters->rx_payload, received);
	if (!counters->ifindex) {
		add(socket->early_tx_payload, sent);
		add(socket->early_rx_payload, received);
	}
	count_connection_payload(socket, sent, received);
	return counters;
}

/* An empty datagram is moved all the same; an empty read of a stream is its end. */
static __always_inline bool moved_nothing(struct sock *sk, int ret)
{
	return ret < 0 || (!ret && sk->sk_type == SOCK_STREAM);
}

/*
 * Headers that a call moved together with its payload: raw(7) hands up the IPv4 header with each
 * packet, and a sender may write the IP header itself (IP_HDRINCL, IPV6_HDRINCL, IPPROTO_RAW):
 * then the packet that went out in this call is as long as what was handed in.
 */
static __always_inline int without_header(struct socket_state *socket, struct sock *sk, int moved,
					  bool received)
{
	int header = sk->__sk_common.skc_family == AF_INET ? 20 : 40;
	__u64 bytes, packets;

	if (sk->sk_type != SOCK_RAW)
		return moved;
	split_amount(socket->last, &bytes, &packets);
	if (received ? header == 40 : (int)bytes != moved)
		return moved;
	return moved > header ? moved - header : 0;
}

/* The first call of a second process on a datagram socket: its packet was counted to the owner. */
static __always_inline void sent_by_another(struct socket_state *socket, struct caller caller,
					    struct counters *sender, __s64 sent)
{
	struct counters *owner = owners_beside(socket, sender);
	__u64 bytes, packets;

	take_sent(socket, sent, &bytes, &packets);
	if (!packets || !owner || owner == sender)
		return;
	carry(owner, sender, tx_bytes, bytes);
	carry(owner, sender, tx_packets, packets);
	own_connection(socket, caller);
}

/* A call has sent; the packets that it sent are counted already. */
static __always_inline int note_sent(struct sock *sk, int ret)
{
	struct socket_state *socket;
	struct counters *sender;
	struct caller caller;
	bool shared;

	if (moved_nothing(sk, ret))
		return 0;
	socket = state_of(sk);
	if (!socket)
		return 0;
	caller = the_caller();
	shared = socket->flags & SOCKET_SHARED;
	ret = without_header(socket, sk, ret, false);
	end_of_steady(socket, caller, sk, 0);
	claim(socket, caller, CLAIM_SEND, ret);
	sender = count_payload(socket, caller, ret, 0);
	if (sender && !shared && socket->flags & SOCKET_SHARED && sk->sk_type != SOCK_STREAM)
		sent_by_another(socket, caller, sender, ret);
	socket->pending = 0;
	if (socket->flags & SOCKET_SHARED && !caller.is_kernel)
		note_mover(socket, caller);
	inherit(socket, sk, caller);
	return 0;
}

/* A call has received; but of a TCP stream: see tcp_rcv_space_adjust, splice included. */
static __always_inline int note_received(struct sock *sk, int ret, int flags)
{
	struct socket_state *socket;
	struct counters *reader;
	struct caller caller;

	if (moved_nothing(sk, ret) || flags & (MSG_PEEK | MSG_ERRQUEUE) || stream_of(sk))
		return 0;
	socket = state_of(sk);
	if (!socket)
		return 0;
	caller = the_caller();
	end_of_steady(socket, caller, sk, 0); /* TLS in the kernel may have begun on it late */
	claim(socket, caller, CLAIM_RECV, NOTHING);
	ret = without_header(socket, sk, ret, true);
	reader = count_payload(socket, caller, 0, ret);
	if (sk->sk_type == SOCK_STREAM)
		socket->read = socket->came;
	else if (reader)
		read_datagram(socket, sk, caller, reader, ret);
	return 0;
}

/* 6.3. */
ONE_OF_THREE(sock_send_length, note_sent(sk, ret), struct sock *sk, int ret, int flags)
ONE_OF_THREE(sock_recv_length, note_received(sk, ret, flags), struct sock *sk, int ret, int flags)

/*
 * Before 6.3. Sockets of IPv6 have functions of their own, though not for every protocol. A call that
 * waited already when the monitor started returns unseen: for TCP, reads are told elsewhere. What
 * they share is a function here too: nothing but the size of the object is at stake.
 */
static __noinline int sent_by_call(struct socket *socket, int ret)
{
	return note_sent(socket->sk, ret);
}

static __noinline int received_by_call(struct socket *socket, int ret, int flags)
{
	return note_received(socket->sk, ret, flags);
}

SEC("fexit/inet_sendmsg")
int BPF_PROG(inet_sendmsg, struct socket *socket, struct msghdr *message, unsigned long size,
	     int ret)
{
	return sent_by_call(socket, ret);
}

SEC("fexit/inet6_sendmsg")
int BPF_PROG(inet6_sendmsg, struct socket *socket, struct msghdr *message, unsigned long size,
	     int ret)
{
	return sent_by_call(socket, ret);
}

SEC("fexit/inet_recvmsg")
int BPF_PROG(inet_recvmsg, struct socket *socket, struct msghdr *message, unsigned long size,
	     int flags, int ret)
{
	return received_by_call(socket, ret, flags);
}

SEC("fexit/inet6_recvmsg")
int BPF_PROG(inet6_recvmsg, struct socket *socket, struct msghdr *message, unsigned long size,
	     int flags, int ret)
{
	return received_by_call(socket, ret, flags);
}

/* Raw sockets and SCTP over IPv6. */
SEC("fexit/sock_common_recvmsg")
int BPF_PROG(sock_common_recvmsg, struct socket *socket, struct msghdr *message,
	     unsigned long size, int flags, int ret)
{
	return received_by_call(socket, ret, flags);
}

/*
 * Until 6.4. sendfile(2) and splice(2) into a socket, past all of the above; but protocols that
 * have no way of their own for it come back through inet_sendmsg (sock_no_sendpage).
 */
SEC("fexit/inet_sendpage")
int BPF_PROG(inet_sendpage, struct socket *socket, struct page *page, int offset,
	     unsigned long size, int flags, long ret)
{
	struct sock *sk = socket->sk;

	if (sk->sk_protocol != IPPROTO_TCP && sk->sk_protocol != IPPROTO_UDP)
		return 0;
	return sent_by_call(socket, ret);
}

/* Whenever a reader has taken bytes off a TCP stream: recvmsg, splice or zero-copy receive. */
static __always_inline int note_read_of_stream(struct sock *sk)
{
	struct tcp_sock *tcp = stream_of(sk);
	struct socket_state *socket = tcp ? state_of(sk) : 0;
	struct caller caller;
	__u32 waiting;
	__u64 read;

	if (!socket)
		return 0;
	read = read_of_stream(tcp);
	if (read <= socket->tcp_read)
		return 0; /* a peek, or told already */
	/*
	 * Without the lock it is a kernel user of the stream, in softirq. With it, the reader has
	 * just become the owner.
	 */
	if (sk->sk_lock.owned) {
		caller = the_caller();
		end_of_steady(socket, caller, sk, read - socket->tcp_read);
		claim(socket, caller, CLAIM_RECV, NOTHING);
	}
	/* Under the socket's lock: the owner's. */
	count_payload(socket, (struct caller){ .is_kernel = true }, 0, read - socket->tcp_read);
	waiting = tcp->rcv_nxt - tcp->copied_seq;
	if (!is_steady(socket)) {
		if (waiting)
			read_some(socket, read - socket->tcp_read, waiting);
		else
			socket->read = socket->came;
	}
	socket->tcp_read = read;
	return 0;
}

EACH_OF_THREE(tcp_rcv_space_adjust, note_read_of_stream(sk), struct sock *sk)

#endif
