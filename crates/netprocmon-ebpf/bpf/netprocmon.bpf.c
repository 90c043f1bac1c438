/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * netprocmon, kernel side: counts every byte of every process where the kernel already knows the
 * socket, and nothing is copied to user space but totals.
 *
 * Three kinds of hook work together:
 *
 * - cgroup_skb at the root of cgroup v2 sees each packet of each socket of the host, in every
 *   network namespace, with its size after segmentation. It counts. It does not know who moved
 *   the bytes: on the way in, and for TCP often on the way out, it runs in softirq, where current
 *   is whoever happened to run.
 * - Hooks in process context say whose socket it is: sock_create, connect, accept with an address,
 *   and above all what stands behind each call that moves bytes (calls.h; io_uring, sendfile and
 *   passed sockets included). They also count the payload.
 * - exec, exit and fork keep the table of processes; the iterator over open files claims the
 *   sockets that are older than the monitor.
 *
 * Counting in cgroup_skb and claiming elsewhere meet in the socket's own storage (owner.h). What a
 * packet costs there is one storage look-up, one array access and two additions, which on the way
 * out are atomic although the counters are per CPU: egress runs in process context with bottom halves
 * enabled and can be interrupted by egress in softirq. On the way in: add_rx() in packet.h.
 *
 * Each program is loaded on its own; one that a kernel refuses is missed, not fatal (src/hooks.rs).
 * Minimum: Linux 5.11 for the full set (5.19 with multipath TCP), BTF, CAP_BPF + CAP_PERFMON +
 * CAP_NET_ADMIN. What was tried is in docs/kernels.md.
 */
#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "abi.h"
#include "amount.h"
#include "kernel.h"
#include "maps.h"
#include "process.h"
#include "slots.h"
#include "owner.h"
#include "packet.h"
#include "socket.h"
#include "connection.h"
#include "arrival.h"
#include "names.h"
#include "again.h"
#include "calls.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Without state for the socket the bytes keep their interface, and lose their name. */
ONCE int count_stateless(struct __sk_buff *skb, bool tx)
{
	struct slot_key key = { .ifindex = skb->ifindex, .reason = REASON_CAPACITY };
	struct packet packet = measure(skb, IPPROTO_TCP);
	struct bpf_sock *sk = skb->sk;
	struct counters *counters;
	struct netns *netns;
	__u64 cookie;

	/* Time-wait and half-open connections have none: they are no sockets yet, or no more. */
	if (!sk || !bpf_sk_fullsock(sk))
		return 0;
	cookie = cookie_of_namespace(skb, sk);
	netns = bpf_map_lookup_elem(&namespaces, &cookie);
	if (netns) {
		key.netns = netns->inode;
		key.netns_turn = netns->turn;
	}
	key.ip_version = packet.version;
	counters = slot_counters_of((__u32)slot_of_key(&key, max_slots));
	note_limit(storage_failures);
	if (!counters)
		return 0;
	if (tx)
		count_tx(counters, &packet);
	else
		count_rx(counters, &packet, true);
	return 0;
}

/*
 * Is current the process that sends this packet, and has its owner to be told by that? Mostly not:
 * sock_send_length tells right after the call whose it was, and asking takes calls of our own. Only
 * of a socket that several processes are known to send on would it tell too late.
 *
 * Then for TCP it is current when the socket's lock is owned by a process: nobody else may transmit
 * on it, softirq and timers put off their work (sock_owned_by_user). Only data counts: a listener
 * answers without its lock, and an ACK is nobody's call to send. Other protocols transmit in the
 * sending call itself.
 */
static __always_inline bool ask_who_sends(struct bpf_sock *sk, struct socket_state *socket,
					  struct packet *packet)
{
	struct tcp_sock *tcp;

	if (socket->flags & SOCKET_KERNEL)
		return false;
	if (calls_are_seen && !(socket->flags & (SOCKET_SHARED | SOCKET_PROVISIONAL)))
		return false;
	if (socket->protocol != IPPROTO_TCP)
		return true;
	if (packet->len <= packet->header)
		return false;
	tcp = bpf_skc_to_tcp_sock(sk);
	return tcp && tcp->inet_conn.icsk_inet.sk.sk_lock.owned;
}

/*
 * Whether what goes out now can yet turn out to be somebody else's: until the call that sends it
 * has ended. Of a shared socket it is the caller's already, and an ACK is nobody's call.
 */
static __always_inline bool is_pending(struct socket_state *socket, struct packet *packet)
{
	if (socket->flags & (SOCKET_KERNEL | SOCKET_SHARED))
		return false;
	return packet->len > packet->header || socket->flags & SOCKET_PROVISIONAL;
}

static __always_inline int leave(struct __sk_buff *skb, bool names)
{
	struct socket_state *socket, *own;
	struct bpf_sock *sk = skb->sk;
	struct counters *counters;
	struct caller caller = { .is_kernel = true }; /* until somebody asks */
	struct packet packet;
	__u64 amount;

	if (!sk)
		return 1;
	/* Makes sure itself that the socket is whole; bpf_sk_fullsock would cost a call more. */
	own = socket = state_for(sk);
	if (!socket) {
		count_stateless(skb, true);
		return 1;
	}
	if ((socket->flags & (SOCKET_KNOWN | SOCKET_SUBFLOW)) != SOCKET_KNOWN) {
		socket = meet(skb, own, false);
		if (!socket)
			return 1;
		if (socket->protocol == IPPROTO_TCP && !own->is_settled)
			own->is_settled = take_first_data(skb, socket, false);
	}
	packet = measure(skb, socket->protocol);
	if (ask_who_sends(sk, socket, &packet)) {
		find_caller(&caller);
		end_of_steady(socket, caller, sk, 0);
		claim(socket, caller, CLAIM_SEND, NOTHING);
	}
	if (socket->flags & SOCKET_KERNEL &&
	    (socket->protocol == IPPROTO_ICMP || socket->protocol == IPPROTO_ICMPV6))
		tell_icmp_apart(skb, socket, packet.version);
	if (socket->flags & SOCKET_SHARED && socket->protocol != IPPROTO_TCP)
		counters = counters_of_mover(socket, caller, packet.ifindex, packet.version);
	else
		counters = counters_for(socket, packet.ifindex, packet.version);
	if (!counters)
		return 1;
	count_tx(counters, &packet);
	/* A line that others read too is written when there is something new. */
	amount = amount_of(packet.wire, packet.packets);
	if (socket->protocol != IPPROTO_UDP && own->last != amount)
		own->last = amount;
	if (is_pending(socket, &packet))
		add(socket->pending, amount);
	count_connection(skb, socket, &packet, true);
	/* For retransmissions, which only tell the subflow. */
	if (own->flags & SOCKET_SUBFLOW) {
		own->slot = socket->slot;
		own->connection = socket->connection;
	}
	if (names && is_message(skb, socket, &packet, true))
		bpf_tail_call(skb, &copy_questions, 0);
	return 1;
}

/* One of the two. A tail call costs its program some instructions even where it is never made. */
SEC("cgroup_skb/egress")
int egress(struct __sk_buff *skb)
{
	return leave(skb, false);
}

SEC("cgroup_skb/egress")
int egress_named(struct __sk_buff *skb)
{
	return leave(skb, true);
}

static __always_inline int arrive(struct __sk_buff *skb, bool names)
{
	struct socket_state *socket, *own;
	struct bpf_sock *sk = skb->sk;
	struct packet packet;

	if (!sk)
		return 1;
	own = socket = state_for(sk);
	if (!socket) {
		count_stateless(skb, false);
		return 1;
	}
	if ((socket->flags & (SOCKET_KNOWN | SOCKET_SUBFLOW)) != SOCKET_KNOWN) {
		socket = meet(skb, own, true);
		if (!socket)
			return 1;
	}
	packet = measure(skb, socket->protocol);
	if (is_counted(skb, own, socket, &packet) || !count_came(socket, &packet, true))
		return 1;
	count_connection(skb, socket, &packet, false);
	if (names && is_message(skb, socket, &packet, false))
		bpf_tail_call(skb, &copy_answers, 0);
	return 1;
}

SEC("cgroup_skb/ingress")
int ingress(struct __sk_buff *skb)
{
	return arrive(skb, false);
}

SEC("cgroup_skb/ingress")
int ingress_named(struct __sk_buff *skb)
{
	return arrive(skb, true);
}

/* Only with names, called by the two above. */
SEC("cgroup_skb/egress")
int copy_question(struct __sk_buff *skb)
{
	return copy_message(skb, true);
}

SEC("cgroup_skb/ingress")
int copy_answer(struct __sk_buff *skb)
{
	return copy_message(skb, false);
}

/* Every socket of user space is born here; the kernel's own do not pass. */
SEC("cgroup/sock_create")
int sock_create(struct bpf_sock *sk)
{
	struct socket_state *socket = state_for(sk);
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 netns = netns_of(task);
	__u64 cookie = bpf_get_netns_cookie(sk);

	note_namespace(cookie, netns);
	note_cgroup();
	if (!socket) {
		note_limit(storage_failures);
		return 1;
	}
	socket->flags = SOCKET_KNOWN | SOCKET_PROVISIONAL;
	socket->protocol = protocol_of(sk->protocol);
	set_netns(socket, cookie, netns);
	tell_interface(socket, 0, task->tgid);
	claim(socket, the_caller(), CLAIM_HOLD, NOTHING);
	return 1;
}

static __always_inline int hold(struct bpf_sock_addr *ctx, __u8 flag)
{
	struct bpf_sock *sk = ctx->sk;
	struct socket_state *socket = sk ? whole_of(sk, false) : 0;

	/* A multipath connection connects by way of its first subflow. */
	if (sk && !socket)
		socket = bpf_sk_storage_get(&sockets, sk, 0, 0);
	if (!socket)
		return 1;
	socket->flags |= flag;
	if (learn_names && flag == SOCKET_OUTGOING && ctx->user_port == bpf_htons(DNS_PORT))
		socket->flags |= SOCKET_ASKS;
	claim(socket, the_caller(), CLAIM_HOLD, NOTHING);
	return 1;
}

SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr *ctx)
{
	return hold(ctx, SOCKET_OUTGOING);
}

SEC("cgroup/connect6")
int connect6(struct bpf_sock_addr *ctx)
{
	return hold(ctx, SOCKET_OUTGOING);
}

/* accept(2) with an address asks for the peer's name, in the accepting process. */
SEC("cgroup/getpeername4")
int getpeername4(struct bpf_sock_addr *ctx)
{
	return hold(ctx, 0);
}

SEC("cgroup/getpeername6")
int getpeername6(struct bpf_sock_addr *ctx)
{
	return hold(ctx, 0);
}

static __always_inline void count_retransmission(struct socket_state *socket)
{
	struct counters *counters;
	struct connection *row;
	__u64 bytes, packets;

	if (!socket)
		return;
	split_amount(socket->last, &bytes, &packets);
	/* It has just gone through egress, under the socket's lock. */
	counters = counters_at(socket->slot);
	if (counters) {
		add(counters->retransmitted_bytes, bytes);
		add(counters->retransmitted_packets, packets);
	}
	row = track_connections ? connection_at(socket->connection) : 0;
	if (row) {
		add(row->retransmitted_bytes, bytes);
		add(row->retransmitted_packets, packets);
	}
}

/* Data and SYN. Since 6.18 it fires for failed attempts too, with the error as third argument. */
SEC("tp_btf/tcp_retransmit_skb")
int tcp_retransmit_skb(__u64 *ctx)
{
	if (retransmit_tells_error && (int)ctx[2])
		return 0;
	count_retransmission(state_of((struct sock *)ctx[0]));
	return 0;
}

/* SYN-ACK, on the listener. */
SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(tcp_retransmit_synack, const struct sock *sk, const struct request_sock *request)
{
	count_retransmission(state_of(sk));
	return 0;
}

/* Only with connections. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(inet_sock_set_state, const struct sock *sk, int before, int after)
{
	struct socket_state *socket = state_of(sk);
	struct connection *row = socket ? connection_at(socket->connection) : 0;

	if (!row)
		return 0;
	row->tcp_state = after;
	if (after == TCP_CLOSE && !row->closed_ns)
		row->closed_ns = bpf_ktime_get_boot_ns();
	return 0;
}

/* Only with connections. TCP goes on after it, with its FIN; others end here. */
SEC("cgroup/sock_release")
int sock_release(struct bpf_sock *sk)
{
	struct socket_state *socket = bpf_sk_storage_get(&sockets, sk, 0, 0);
	struct connection *row = socket ? connection_at(socket->connection) : 0;

	if (row && sk->protocol != IPPROTO_TCP && !row->closed_ns)
		row->closed_ns = bpf_ktime_get_boot_ns();
	return 1;
}

static __always_inline int note_fork(struct task_struct *parent, struct task_struct *child)
{
	__u32 parent_tgid = parent->tgid, child_tgid = child->tgid;
	__u32 *tree;

	if (child_tgid == parent_tgid)
		return 0;
	note_birth(child);
	tree = bpf_map_lookup_elem(&trees, &parent_tgid);
	if (!tree)
		return 0;
	__u32 number = *tree;
	if (bpf_map_update_elem(&trees, &child_tgid, &number, BPF_ANY))
		note_limit(tree_full);
	return 0;
}

EACH_OF_THREE(sched_process_fork, note_fork(parent, child), struct task_struct *parent,
	      struct task_struct *child)

/* A process that uses the network already takes on another name. */
static __always_inline int note_exec(struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;
	struct process_key key = { .start = leader->start_boottime, .tgid = task->tgid };
	struct process *process;

	note_name(key.tgid, leader);
	process = bpf_map_lookup_elem(&processes, &key);
	if (!process)
		return 0;
	read_identity(process, task, leader);
	process->tree = tree_of(key.tgid);
	read_command(process, task);
	tell((struct event){ .kind = EVENT_PROCESS, .tgid = key.tgid, .start = key.start },
	     BPF_RB_NO_WAKEUP);
	return 0;
}

EACH_OF_THREE(sched_process_exec, note_exec(task), struct task_struct *task, int old_pid,
	      struct linux_binprm *bprm)

/* Told for each thread; the process ends with the last one. */
static __always_inline int note_exit(struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;
	struct process_key key = { .start = leader->start_boottime, .tgid = task->tgid };
	struct signal_struct *all = peek(task->signal);
	struct process *process;

	if (peek(all->live.counter))
		return 0;
	bpf_map_delete_elem(&trees, &key.tgid);
	process = bpf_map_lookup_elem(&processes, &key);
	if (!process || process->exit_ns)
		return 0;
	read_identity(process, task, leader);
	process->exit_ns = bpf_ktime_get_boot_ns();
	tell((struct event){ .kind = EVENT_EXIT, .tgid = key.tgid, .start = key.start },
	     BPF_RB_NO_WAKEUP);
	return 0;
}

EACH_OF_THREE(sched_process_exit, note_exit(task), struct task_struct *task)

/* 5.11. Claims the sockets that are open, once, when every other hook is in place. */
SEC("iter/task_file")
int prime(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket_state *socket;
	struct tcp_sock *tcp;
	struct socket *opened;
	struct sock *sk;
	struct net *net;
	__u64 start;
	__u16 family;

	if (!file || !task)
		return 0;
	opened = bpf_sock_from_file(file);
	if (!opened)
		return 0;
	sk = opened->sk;
	if (!sk)
		return 0;
	family = sk->__sk_common.skc_family;
	if (family != AF_INET && family != AF_INET6)
		return 0;
	socket = state_for(sk);
	if (!socket) {
		note_limit(storage_failures);
		return 0;
	}
	if (socket->owner_tgid)
		return 0; /* the first holder, or somebody who has moved bytes since */
	start = task->group_leader->start_boottime;
	net = sk->__sk_common.skc_net.net;
	set_netns(socket, net->net_cookie, net->ns.inum);
	socket->protocol = protocol_of(sk->sk_protocol);
	socket->reason = REASON_BEFORE_START; /* until it is handed over, in a moment */
	barrier();
	socket->flags = SOCKET_KNOWN | SOCKET_PROVISIONAL;
	tcp = stream_of(sk);
	if (tcp)
		socket->tcp_read = read_of_stream(tcp); /* what was read before is not ours */
	remember(start, task->tgid, false);
	hand_over(socket, start, task->tgid, EVERYTHING);
	return 0;
}
