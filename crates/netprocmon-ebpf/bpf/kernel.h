/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The kernel's structures, as far as they are read. Each names only the fields that are used;
 * CO-RE moves the offsets to those of the running kernel when the object is loaded. They are read by
 * plain dereference, for lockdown=confidentiality refuses bpf_probe_read_kernel; where that is allowed,
 * what is seldom asked is read by its address: peek() in process.h, and cookie_of_namespace() in
 * socket.h on older kernels.
 */
#ifndef NETPROCMON_KERNEL_H
#define NETPROCMON_KERNEL_H

#define CO_RE __attribute__((preserve_access_index))

#define AF_INET 2
#define AF_INET6 10
#define ETH_P_IP 0x0800
#define SOCK_STREAM 1
#define SOCK_RAW 3
#define IPPROTO_ICMP 1
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_ICMPV6 58
#define IPPROTO_RAW 255
#define IPPROTO_MPTCP 262
#define PF_KTHREAD 0x00200000 /* include/linux/sched.h */
#define MSG_PEEK 0x2
#define MSG_ERRQUEUE 0x2000
#define TCP_CLOSE 7
#define TCP_LISTEN 10
#define SOCK_DONE_BIT 1 /* enum sock_flags, include/net/sock.h: a FIN has come in */

struct ns_common {
	unsigned int inum;
} CO_RE;

struct net {
	struct ns_common ns;
	__u64 net_cookie;
} CO_RE;

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	__be16 skc_dport; /* remote */
	__u16 skc_num; /* local */
	__u16 skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	unsigned long skc_flags;
	int skc_incoming_cpu; /* sk_incoming_cpu */
} CO_RE;

typedef struct {
	int owned;
} CO_RE socket_lock_t;

struct file;

struct socket {
	struct sock *sk;
	struct file *file;
} CO_RE;

typedef struct {
	int counter;
} atomic_t;

struct sock {
	struct sock_common __sk_common;
	__u16 sk_protocol;
	__u16 sk_type;
	socket_lock_t sk_lock;
	struct socket *sk_socket;
	struct {
		atomic_t rmem_alloc; /* sk_rmem_alloc: what waits to be read */
	} sk_backlog;
} CO_RE;

struct inet_sock {
	struct sock sk;
} CO_RE;

struct tcp_ulp_ops;

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	const struct tcp_ulp_ops *icsk_ulp_ops;
	struct {
		__u16 rcv_mss; /* the length of the segments that come in */
	} icsk_ack;
} CO_RE;

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u16 tcp_header_len; /* with the options that every segment has */
	__u32 copied_seq;
	__u32 rcv_nxt;
	__u64 bytes_received;
	__u32 data_segs_in;
} CO_RE;

struct raw_spinlock {
	unsigned int raw_lock;
} CO_RE;

/* With PREEMPT_RT it is made of another lock. */
struct spinlock {
	struct raw_spinlock rlock;
} CO_RE;

struct request_sock;
struct sk_buff;
struct msghdr;
struct page;

struct mm_struct {
	unsigned long arg_start, arg_end, env_end;
} CO_RE;

struct nsproxy {
	struct net *net_ns;
} CO_RE;

struct signal_struct {
	atomic_t live;
} CO_RE;

struct task_struct {
	unsigned int flags;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	__u64 start_boottime;
	char comm[16];
	struct mm_struct *mm;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
} CO_RE;

struct linux_binprm;

struct bpf_iter_meta;

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
} CO_RE;

#endif
