/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Programs of tracepoints a second and a third time, for kernels where a task may be preempted in a
 * tracepoint (Linux 7). There the program is skipped for all others on that processor until the task is
 * back, for the kernel takes it for a recursion. Where hundreds wait for a processor that takes long, and
 * a second one is preempted in what stands in for the first.
 *
 * Those that take down a state do it each time. Those that count ask whether another has.
 */
#ifndef NETPROCMON_AGAIN_H
#define NETPROCMON_AGAIN_H

/* Whether the others are attached. */
const volatile __u8 run_again = 0;

/* Who has seen to the call that a task is in. */
enum seen_to {
	BY_NOBODY,
	BY_FIRST,
	BY_SECOND, /* or the second has seen that the first has */
};

/* Of each task. What a program that was skipped has left there is never taken for the present call's. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u32);
} seen_to_call SEC(".maps");

static __always_inline __u32 *mark_of_task(void)
{
	return bpf_task_storage_get(&seen_to_call, bpf_get_current_task_btf(), 0,
				    BPF_LOCAL_STORAGE_GET_F_CREATE);
}

/* In the first: whether to go on. Without room for the mark none does: better none than two. */
static __always_inline bool is_first(void)
{
	__u32 *mark;

	if (!run_again)
		return true;
	mark = mark_of_task();
	if (mark)
		*mark = BY_FIRST;
	return mark;
}

/* In the second. What the third, skipped, has not taken away is no mark of the first's. */
static __always_inline bool first_was_skipped(void)
{
	__u32 *mark = mark_of_task();
	bool skipped = mark && *mark != BY_FIRST;

	if (mark)
		*mark = BY_SECOND;
	return skipped;
}

/* In the third. */
static __always_inline bool both_were_skipped(void)
{
	__u32 *mark = mark_of_task();
	bool skipped = mark && *mark == BY_NOBODY;

	if (mark)
		*mark = BY_NOBODY;
	return skipped;
}

/* What the second and the third do is one function: nobody minds what a call more costs there. */
#define THREE(name, first, second, third, call, args...)                        \
	SEC("tp_btf/" #name)                                                    \
	int BPF_PROG(name, ##args)                                              \
	{                                                                       \
		return first ? call : 0;                                        \
	}                                                                       \
	static __noinline int BPF_PROG(name##_for_another, ##args)              \
	{                                                                       \
		return call;                                                    \
	}                                                                       \
	SEC("tp_btf/" #name)                                                    \
	int name##_again(unsigned long long *ctx)                               \
	{                                                                       \
		return second ? name##_for_another(ctx) : 0;                    \
	}                                                                       \
	SEC("tp_btf/" #name)                                                    \
	int name##_once_more(unsigned long long *ctx)                           \
	{                                                                       \
		return third ? name##_for_another(ctx) : 0;                     \
	}

/* The programs behind a tracepoint: those that take down a state, and those that count. */
#define EACH_OF_THREE(name, call, args...) THREE(name, true, true, true, call, args)
#define ONE_OF_THREE(name, call, args...) \
	THREE(name, is_first(), first_was_skipped(), both_were_skipped(), call, args)

#endif
