/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * An amount: bytes and the packets that carry them, in one word, so that one atomic operation counts
 * or takes both. It is for what waits between two calls; totals would not fit. Amounts are added and
 * subtracted as they are.
 */
#ifndef NETPROCMON_AMOUNT_H
#define NETPROCMON_AMOUNT_H

#define BYTES_BITS 34
#define PACKETS_BITS 22

/*
 * Above an amount: twice how often the socket was handed over, and odd while it is. So the atomic addition of
 * a packet tells whether the hand-over has seen it, or was there first.
 */
#define EPOCH_SHIFT (BYTES_BITS + PACKETS_BITS)
#define EPOCH (1ULL << EPOCH_SHIFT)

static __always_inline __u64 amount_of(__u64 bytes, __u64 packets)
{
	return (packets << BYTES_BITS) + bytes;
}

/* Both parts of a difference, in which either may be less than nothing: then there is nothing of it. */
static __always_inline void split_amount(__u64 amount, __u64 *bytes, __u64 *packets)
{
	__s64 low = (__s64)(amount << (64 - BYTES_BITS)) >> (64 - BYTES_BITS);
	__s64 high = (__s64)((amount - low) << (64 - EPOCH_SHIFT)) >> (64 - PACKETS_BITS);

	*bytes = low < 0 ? 0 : low;
	*packets = high < 0 ? 0 : high;
}

#endif
