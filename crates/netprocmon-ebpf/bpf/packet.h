/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * One packet, as the cgroup_skb hooks see it: starting at the IP header, before segmentation on
 * the way out and after merging on the way in. Its size on the wire is that of the packets it
 * becomes, or was: each segment with its own headers.
 */
#ifndef NETPROCMON_PACKET_H
#define NETPROCMON_PACKET_H

struct packet {
	__u32 ifindex;
	__u32 len;     /* of the buffer: IP header and everything in it */
	__u32 wire;    /* of all its segments */
	__u32 packets; /* segments */
	__u32 header;  /* IP and transport header of each; 0 where nobody needed to know */
	__u8 version;
};

/* Bytes of IP header, with IPv6 extension headers up to the transport header; 0 if unreadable. */
static __always_inline __u32 ip_header(void *data, void *end, __u32 version, __u32 protocol)
{
	__u8 *ip = data, next;
	__u32 at = 40;

	if ((void *)(ip + 40) > end) {
		if (version == 4 && (void *)(ip + 20) <= end)
			return (ip[0] & 15) * 4;
		return 0;
	}
	if (version == 4)
		return (ip[0] & 15) * 4;
	next = ip[6];
	/* Hop-by-hop, routing and destination options carry their length in units of 8 bytes. */
	for (int i = 0; i < 4 && next != protocol; i++) {
		__u8 *extension = data + at;

		if (at > 256 || (void *)(extension + 2) > end)
			return 40;
		next = extension[0];
		at += (extension[1] + 1) * 8;
	}
	return at;
}

/* The header that each segment repeats. */
static __always_inline __u32 segment_header(void *data, void *end, __u32 version, __u32 protocol)
{
	__u32 at = ip_header(data, end, version, protocol);
	__u8 *offset = data + at + 12;

	if (protocol == IPPROTO_UDP)
		return at + 8;
	if (protocol != IPPROTO_TCP)
		return at;
	if (!at || at > 300 || (void *)(offset + 1) > end)
		return at + 20;
	return at + (*offset >> 4) * 4;
}

/*
 * An IPv6 buffer beyond 64 KiB carries a hop-by-hop header with its length (RFC 2675), which none
 * of its segments will have (ip6_xmit, ipv6_hopopt_jumbo_remove).
 */
#define JUMBO_HEADER 8

static __always_inline bool is_jumbogram(void *data, void *end)
{
	__u8 *ip = data;

	return (void *)(ip + 40) <= end && !ip[4] && !ip[5] && !ip[6];
}

/*
 * Context fields are read once and pinned: clang may otherwise merge two uses into an access
 * through a modified context pointer, which the verifier refuses.
 */
static __always_inline struct packet measure(struct __sk_buff *skb, __u32 protocol)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u32 gso_size = skb->gso_size, segments = skb->gso_segs;
	struct packet packet = { .ifindex = skb->ifindex, .len = skb->len, .packets = 1 };

	packet.version = skb->protocol == bpf_htons(ETH_P_IP) ? 4 : 6;
	barrier_var(packet.ifindex);
	barrier_var(packet.len);
	barrier_var(gso_size);
	barrier_var(segments);
	packet.wire = packet.len;
	/* A plain datagram is done; TCP needs to know whether there is a payload. */
	if (protocol != IPPROTO_TCP && !gso_size)
		return packet;
	packet.header = segment_header(data, end, packet.version, protocol);
	if (!gso_size || packet.len <= packet.header)
		return packet;
	if (packet.version == 6 && is_jumbogram(data, end)) {
		packet.header -= JUMBO_HEADER;
		packet.len -= JUMBO_HEADER;
	}
	/* gso_segs is 0 where the buffer came with a virtio header (tun, a guest's card). */
	packet.packets = segments ? segments : (packet.len - packet.header + gso_size - 1) / gso_size;
	packet.wire = packet.len + (packet.packets - 1) * packet.header;
	return packet;
}

/*
 * A buffer that is too long for its device is segmented before it gets there, whatever the device
 * could do (gso_features_check, net/core/dev.c): loopback's large MTU makes such buffers daily.
 */
#define GSO_MAX_SIZE 65536
#define ETH_HLEN 14

static __always_inline void count_tx(struct counters *counters, struct packet *packet)
{
	add(counters->tx_bytes, packet->wire);
	add(counters->tx_packets, packet->packets);
	if (packet->packets > 1 && packet->len + ETH_HLEN < GSO_MAX_SIZE) {
		add(counters->tx_merged_bytes, packet->wire - packet->len);
		add(counters->tx_merged_packets, packet->packets - 1);
	}
}

/*
 * What comes in is counted in softirq, which nothing that counts on the same processor can interrupt; what
 * it interrupts itself (carry()) has done the whole of its addition, or nothing. So the addition
 * need not be atomic where no other processor has the stripe: an atomic one waits for everything that was
 * asked of memory before it. With PREEMPT_RT one softirq can interrupt another.
 */
static __always_inline void add_rx(__u64 *counter, __u64 amount, bool in_softirq)
{
	if (in_softirq && own_stripes && bpf_core_field_exists(struct spinlock, rlock))
		*counter += amount;
	else
		add(*counter, amount);
}

static __always_inline void count_rx(struct counters *counters, struct packet *packet, bool in_softirq)
{
	add_rx(&counters->rx_bytes, packet->wire, in_softirq);
	add_rx(&counters->rx_packets, packet->packets, in_softirq);
	if (packet->packets > 1) {
		add_rx(&counters->rx_merged_bytes, packet->wire - packet->len, in_softirq);
		add_rx(&counters->rx_merged_packets, packet->packets - 1, in_softirq);
	}
}

#endif
