/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Who a process is. Its program and arguments are written down the first time that it touches a
 * socket, in its own context, the rest when it ends: so a process which lives a millisecond leaves
 * all of it behind.
 */
#ifndef NETPROCMON_PROCESS_H
#define NETPROCMON_PROCESS_H

static const struct process no_process = {};

/*
 * What lies behind a pointer, by its address where that is allowed: each pointer that is followed from a
 * trusted one has the verifier search all type names of the kernel, on each path that leads there
 * (docs/performance.md). A call each when it runs, so for what is seldom asked.
 */
#define peek(place)                                                                            \
	({                                                                                     \
		typeof(place) there = {};                                                      \
		if (can_read_memory)                                                           \
			bpf_core_read(&there, sizeof(there), &(place));                        \
		else                                                                           \
			there = (place);                                                       \
		there;                                                                         \
	})

/* The process that makes the present call; in softirq that is whoever happened to run. */
struct caller {
	__u64 start;
	__u32 tgid;
	bool is_kernel;
};

/* Asked for once, at the beginning, for the pointer that it follows: see peek(). */
static __always_inline struct caller the_caller(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct caller caller = { .start = task->group_leader->start_boottime,
				 .tgid = task->tgid,
				 .is_kernel = task->flags & PF_KTHREAD };

	barrier_var(caller.start);
	return caller;
}

/* The same for programs that seldom ask, and on many paths. */
ONCE int find_caller(struct caller *caller)
{
	if (caller)
		*caller = the_caller();
	return 0;
}

static __always_inline void tell(struct event event, __u64 wakeup)
{
	if (bpf_ringbuf_output(&events, &event, sizeof(event), wakeup))
		note_limit(events_lost);
}

/* The name is the leader's: threads may carry others. Byte by byte, as the verifier wants it. */
static __always_inline void read_comm(struct process *process, struct task_struct *leader)
{
#pragma unroll
	for (int i = 0; i < COMM_LEN; i++)
		process->comm[i] = leader->comm[i];
}

/*
 * Program and arguments from the process's own memory: argv lies between arg_start and arg_end,
 * and the name that execve(2) was given lies right behind the environment (fs/binfmt_elf.c).
 * Only for current. What is not resident is left to user space, which reads /proc. Under
 * lockdown=confidentiality all of it is: the loader takes bpf_probe_read_user for one of the calls
 * that the kernel refuses then, and puts one in its place that it refuses too.
 */
static __always_inline void read_command(struct process *process, struct task_struct *task)
{
	struct mm_struct *mm;
	unsigned long start, end;
	long len;

	process->exe_len = 0;
	process->args_len = 0;
	if (!can_read_memory)
		return;
	mm = peek(task->mm);
	if (!mm)
		return;
	start = peek(mm->arg_start);
	end = peek(mm->arg_end);
	len = bpf_probe_read_user_str(process->exe, sizeof(process->exe),
				      (void *)peek(mm->env_end));
	if (len > 1 && len <= EXE_LEN)
		process->exe_len = len - 1;
	if (end <= start)
		return;
	__u32 size = end - start > ARGS_LEN ? ARGS_LEN : end - start;
	barrier_var(size);
	if (size > ARGS_LEN)
		return;
	if (!bpf_probe_read_user(process->args, size, (void *)start))
		process->args_len = size;
}

static __always_inline __u32 tree_of(__u32 tgid)
{
	__u32 *tree = bpf_map_lookup_elem(&trees, &tgid);

	return tree ? *tree : 0;
}

/* 0 for a process that has given up its namespaces: it ends. */
static __always_inline __u32 netns_of(struct task_struct *task)
{
	struct nsproxy *namespaces = peek(task->nsproxy);
	struct net *net = namespaces ? peek(namespaces->net_ns) : 0;

	return net ? peek(net->ns.inum) : 0;
}

/* What /proc tells while the process lives, and this when it ends. `task` is current. */
static __always_inline void read_identity(struct process *process, struct task_struct *task,
					  struct task_struct *leader)
{
	struct task_struct *parent = peek(leader->real_parent);

	read_comm(process, leader);
	process->ppid = peek(parent->tgid);
	process->uid = bpf_get_current_uid_gid();
	process->cgroup = bpf_get_current_cgroup_id();
	process->netns = netns_of(task);
}

/* A thread of another process's is no birth. */
static __always_inline void note_birth(struct task_struct *child)
{
	struct task_struct *thread = peek(child->real_parent), *parent = peek(thread->group_leader);
	struct birth birth = { .start = child->start_boottime,
			       .parent_start = peek(parent->start_boottime),
			       .parent_tgid = peek(parent->tgid) };
	__u32 tgid = child->tgid;

#pragma unroll
	for (int i = 0; i < COMM_LEN; i++)
		birth.comm[i] = child->comm[i];
	/* What is forgotten is not known. */
	bpf_map_update_elem(&births, &tgid, &birth, BPF_ANY);
}

/* A program was executed: it has another name now. */
static __always_inline void note_name(__u32 tgid, struct task_struct *leader)
{
	struct birth *birth = bpf_map_lookup_elem(&births, &tgid);

	if (!birth)
		return;
#pragma unroll
	for (int i = 0; i < COMM_LEN; i++)
		birth->comm[i] = leader->comm[i];
}

/* Makes sure that the process is in the table. `current` says whether it is the calling one. */
ONCE int remember(__u64 start, __u32 tgid, bool current)
{
	struct process_key key = { .start = start, .tgid = tgid };
	struct process *process = bpf_map_lookup_elem(&processes, &key);

	if (process)
		return 0;
	if (bpf_map_update_elem(&processes, &key, &no_process, BPF_NOEXIST)) {
		note_limit(processes_full);
		return 0;
	}
	process = bpf_map_lookup_elem(&processes, &key);
	if (!process)
		return 0;
	process->tree = tree_of(tgid);
	if (current)
		read_command(process, bpf_get_current_task_btf());
	tell((struct event){ .kind = EVENT_PROCESS, .tgid = tgid, .start = start },
	     BPF_RB_NO_WAKEUP);
	return 0;
}

#endif
