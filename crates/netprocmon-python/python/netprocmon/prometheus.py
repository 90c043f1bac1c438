"""A collector for `prometheus_client`: `pip install prometheus-client`.

>>> from prometheus_client import REGISTRY, start_http_server  # doctest: +SKIP
>>> REGISTRY.register(NetprocmonCollector())  # doctest: +SKIP
>>> start_http_server(9100)  # doctest: +SKIP
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from netprocmon._monitor import Monitor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.metrics_core import Metric

    from netprocmon._snapshot import Snapshot

__all__ = ["NetprocmonCollector"]

_FAMILIES = {
    "bytes_sent": ("netprocmon_sent_bytes", "Wire bytes sent"),
    "bytes_recv": ("netprocmon_received_bytes", "Wire bytes received"),
    "packets_sent": ("netprocmon_sent_packets", "Packets sent"),
    "packets_recv": ("netprocmon_received_packets", "Packets received"),
    "payload_sent": ("netprocmon_sent_payload_bytes", "Application bytes sent"),
    "payload_recv": ("netprocmon_received_payload_bytes", "Application bytes received"),
    "retransmitted_bytes": ("netprocmon_retransmitted_bytes", "TCP bytes sent again"),
    "retransmitted_packets": ("netprocmon_retransmitted_packets", "TCP packets sent again"),
}

_Labels = tuple[str, str]


class NetprocmonCollector(Collector):
    """What processes moved, summed by name and interface, so that pids do not become time series.

    Counters never go back: what a process moved stays in the sums of its name when it has ended.
    What no process is charged with has the name `""` and its reason; what a source cannot know is
    absent. At most `max_names` names are kept apart; the rest is summed as `"(others)"`.
    """

    def __init__(self, monitor: Monitor | None = None, *, max_names: int = 1000) -> None:
        """Count with this monitor, or the whole host with one of its own.

        Nothing else should take snapshots of the monitor: what has ended is in one of them.
        """
        self._monitor = Monitor(connections=False) if monitor is None else monitor
        self._max_names = max_names
        self._lock = threading.Lock()
        self._sums: dict[_Labels, dict[str, int]] = {}
        self._seen: dict[tuple[object, ...], dict[str, int]] = {}
        self._monitor.start()

    def close(self) -> None:
        """Close the monitor."""
        self._monitor.close()

    def describe(self) -> Iterable[Metric]:
        """Say what there may be, without counting."""
        return self._families({}, None)

    def collect(self) -> Iterable[Metric]:
        """Take a snapshot, and give its sums."""
        with self._lock:
            snapshot = self._monitor.snapshot()
            self._add(snapshot)
            sums = {labels: dict(counts) for labels, counts in self._sums.items()}
        return self._families(sums, snapshot)

    def _add(self, snapshot: Snapshot) -> None:
        seen: dict[tuple[object, ...], dict[str, int]] = {}
        for usage in snapshot:
            name = self._name(usage.name)
            for one in usage.interfaces:
                key = (usage.pid, usage.started, one.netns, one.index)
                counts = {field: getattr(one, field) for field in _FAMILIES}
                known = {field: count for field, count in counts.items() if count is not None}
                before = self._seen.get(key, {})
                labels = (name, one.name or "")
                sums = self._sums.setdefault(labels, {})
                for field, count in known.items():
                    sums[field] = sums.get(field, 0) + max(count - before.get(field, 0), 0)
                seen[key] = known
        self._seen = seen

    def _name(self, name: str) -> str:
        known = {of for of, _ in self._sums}
        return name if name in known or len(known) < self._max_names else "(others)"

    def _families(
        self, sums: dict[_Labels, dict[str, int]], snapshot: Snapshot | None
    ) -> list[Metric]:
        families: list[Metric] = []
        for field, (name, documentation) in _FAMILIES.items():
            family = CounterMetricFamily(
                name, documentation, labels=["process", "interface", "reason"]
            )
            for (process, interface), counts in sums.items():
                if field in counts:
                    family.add_metric([process, interface, ""], counts[field])
            for row in snapshot.unattributed if snapshot else ():
                count = getattr(row, field)
                if count is not None:
                    family.add_metric(["", row.interface or "", row.reason], count)
            families.append(family)
        lost = CounterMetricFamily("netprocmon_lost_events", "Records lost, never counters")
        blind = GaugeMetricFamily("netprocmon_degradations", "Things that cannot be seen")
        if snapshot:
            lost.add_metric([], snapshot.lost_events)
            blind.add_metric([], len(snapshot.degradations))
        return [*families, lost, blind]
