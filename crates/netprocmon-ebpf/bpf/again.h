/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Programs of tracepoints a second time, for kernels where a task may be preempted in a tracepoint
 * (Linux 7). There the program is skipped for all others on that processor until the task is back,
 * for the kernel takes it for a recursion. Of two that do the same only one can be in that state, but
 * for a chance in a million: what the first did not hear of the second does.
 *
 * Those that take down a state do it twice. Those that count ask whether the first has.
 */
#ifndef NETPROCMON_AGAIN_H
#define NETPROCMON_AGAIN_H

/* Whether the second ones are attached. */
const volatile __u8 run_twice = 0;

/* Of each task: whether the first program has run, and the second has not asked yet. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u32);
} first_has_run SEC(".maps");

static __always_inline __u32 *mark_of_task(void)
{
	return bpf_task_storage_get(&first_has_run, bpf_get_current_task_btf(), 0,
				    BPF_LOCAL_STORAGE_GET_F_CREATE);
}

/* In the first: whether to go on. Without room for the mark neither does: better none than two. */
static __always_inline bool is_first(void)
{
	__u32 *mark;

	if (!run_twice)
		return true;
	mark = mark_of_task();
	if (mark)
		*mark = 1;
	return mark;
}

/* In the second: whether the first was skipped. */
static __always_inline bool first_was_skipped(void)
{
	__u32 *mark = mark_of_task();

	if (!mark)
		return false;
	if (!*mark)
		return true;
	*mark = 0;
	return false;
}

#define BOTH(name, first, second, args...)          \
	SEC("tp_btf/" #name)                        \
	int BPF_PROG(name, ##args)                  \
	{                                           \
		return first;                       \
	}                                           \
	SEC("tp_btf/" #name)                        \
	int BPF_PROG(name##_again, ##args)          \
	{                                           \
		return second;                      \
	}

/* The two programs behind a tracepoint: of one that takes down a state, and of one that counts. */
#define TWICE(name, call, args...) BOTH(name, call, call, args)
#define ONE_OF_TWO(name, call, args...) \
	BOTH(name, is_first() ? call : 0, first_was_skipped() ? call : 0, args)

#endif
