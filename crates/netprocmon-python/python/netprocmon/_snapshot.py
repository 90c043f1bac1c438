"""An immutable look at everything that was counted up to one moment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, overload

from netprocmon._errors import NotCounted
from netprocmon._netprocmon import RawSnapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from netprocmon._records import (
        Connection,
        Counters,
        Degradation,
        Group,
        InterfaceSummary,
        ProcessUsage,
        UnattributedUsage,
    )

__all__ = ["Amount", "GroupName", "Snapshot"]

Amount = Literal[
    "bytes",
    "bytes_sent",
    "bytes_recv",
    "packets_sent",
    "packets_recv",
    "payload",
    "payload_sent",
    "payload_recv",
    "retransmitted_bytes",
    "retransmitted_packets",
    "rate",
    "rate_sent",
    "rate_recv",
]
"""What `Snapshot.top` can order by."""

GroupName = Literal[
    "process",
    "tree",
    "name",
    "user",
    "unit",
    "container",
    "pod",
    "remote",
    "interface",
    "protocol",
    "port",
]
"""What `Snapshot.group_by` can sum by."""

_NOT_COUNTED = "connections were not counted"
_COUNT_THEM = "make the monitor with Monitor(connections=True)"


class Snapshot:
    """A sequence of `ProcessUsage`, ordered by pid and start, and what goes with it.

    Rows are converted when they are looked at, so a snapshot of thousands costs nothing until then.
    Compare two of one monitor with `later - earlier`.

    It has all methods of a sequence, but is no `collections.abc.Sequence` by name: polars reads
    those row by row, before it asks for Arrow.
    """

    __slots__ = ("_raw",)

    def __init__(self, raw: RawSnapshot, /) -> None:
        """Snapshots come from `Monitor.snapshot`, `Monitor.stream` and from each other."""
        if not isinstance(raw, RawSnapshot):
            message = "snapshots come from Monitor.snapshot() and Monitor.stream()"
            raise TypeError(message)
        self._raw = raw

    def __len__(self) -> int:
        """Count the processes."""
        return len(self._raw)

    @overload
    def __getitem__(self, index: int) -> ProcessUsage: ...
    @overload
    def __getitem__(self, index: slice) -> list[ProcessUsage]: ...
    def __getitem__(self, index: int | slice) -> ProcessUsage | list[ProcessUsage]:
        """Give a process by its place, or a list of several."""
        if isinstance(index, slice):
            places = range(len(self._raw))[index]
            return [self[place] for place in places]
        try:
            place = range(len(self._raw))[index]
        except IndexError:
            message = "snapshot index out of range"
            raise IndexError(message) from None
        usage = self._raw.item(place)
        assert usage is not None  # noqa: S101  # the range said so
        return usage

    def __iter__(self) -> Iterator[ProcessUsage]:
        """Give one process after the other."""
        for place in range(len(self._raw)):
            usage = self._raw.item(place)
            if usage is not None:
                yield usage

    def __reversed__(self) -> Iterator[ProcessUsage]:
        """Give one process after the other, the last first."""
        return (self[place] for place in reversed(range(len(self._raw))))

    def __contains__(self, usage: object) -> bool:
        """Say whether this row is in it."""
        return any(one == usage for one in self)

    def index(self, usage: ProcessUsage) -> int:
        """Give the place of a row. Raises `ValueError` where it is not in it."""
        for place, one in enumerate(self):
            if one == usage:
                return place
        message = "this row is not in the snapshot"
        raise ValueError(message)

    def count(self, usage: ProcessUsage) -> int:
        """Count a row: 0 or 1."""
        return int(usage in self)

    def __eq__(self, other: object) -> bool:
        """Say whether everything in it is equal."""
        if not isinstance(other, Snapshot):
            return NotImplemented
        return self._raw == other._raw

    def __hash__(self) -> int:
        """Hash it."""
        return hash((self.time, self.elapsed_seconds, len(self)))

    def __reduce__(self) -> str:
        """Refuse to be pickled."""
        message = "a Snapshot cannot be pickled; its rows can, and its to_dict()"
        raise TypeError(message)

    def __repr__(self) -> str:
        """Show what it is of, without its rows."""
        totals = self.totals
        return (
            f"<Snapshot {self.time:%Y-%m-%dT%H:%M:%SZ} of {len(self)} processes: "
            f"bytes_sent={totals.bytes_sent}, bytes_recv={totals.bytes_recv}, "
            f"source={self.source!r}>"
        )

    def __sub__(self, earlier: Snapshot) -> Snapshot:
        """Give what happened since an earlier snapshot of the same monitor.

        Every counter is less what it was then, `elapsed_seconds` the time between, rates over that
        time. What has left the list meanwhile is in `totals` alone.
        """
        if not isinstance(earlier, Snapshot):
            return NotImplemented
        raw = self._raw.since(earlier._raw)
        if raw is None:
            message = "subtract an earlier snapshot of the same monitor"
            raise ValueError(message)
        return Snapshot(raw)

    @property
    def time(self) -> datetime:
        """When it was taken (UTC)."""
        return self._raw.time

    @property
    def elapsed_seconds(self) -> float:
        """Seconds since the monitor started; of a difference, between the two."""
        return self._raw.elapsed_seconds

    @property
    def source(self) -> str:
        """Where the numbers come from: `"ebpf"`, `"packet"` or `"sockdiag"`."""
        return self._raw.source

    @property
    def totals(self) -> Counters:
        """All selected processes together, with those that have left the list."""
        return self._raw.totals

    @property
    def processes(self) -> tuple[ProcessUsage, ...]:
        """All rows at once; also the snapshot itself, row by row."""
        return tuple(self)

    @property
    def unattributed(self) -> tuple[UnattributedUsage, ...]:
        """What no process can be charged with."""
        return self._raw.unattributed

    @property
    def interfaces(self) -> tuple[InterfaceSummary, ...]:
        """The interfaces that something was counted on."""
        return self._raw.interfaces

    @property
    def lost_events(self) -> int:
        """Records lost between the kernel and the monitor; counters are never among them."""
        return self._raw.lost_events

    @property
    def degradations(self) -> tuple[Degradation, ...]:
        """What the monitor cannot see."""
        return self._raw.degradations

    def process(self, pid: int) -> ProcessUsage | None:
        """Give the process with this pid: the living one, else the one that started last."""
        return self._raw.process(pid)

    def top(self, n: int, by: Amount = "bytes") -> list[ProcessUsage]:
        """Give the `n` processes with the most of something, most first; unknown amounts last."""
        return self._raw.top(max(n, 0), by)

    def connections(self) -> list[Connection]:
        """Give the connections of all processes.

        Raises `NotCounted` where the monitor was made with `connections=False`.
        """
        connections = self._raw.connections()
        if connections is None:
            raise NotCounted(_NOT_COUNTED, _COUNT_THEM)
        return connections

    def where(self, filter: str) -> Snapshot:  # noqa: A002  # what it is
        """Give only the rows that a filter takes: `where("name=curl and remote=10.0.0.0/8")`.

        The language is that of the command line (docs/filter.md). A filter that asks about
        connections recounts the rows from those that match; `totals` are of what is left.

        Raises `FilterError` (a `ValueError`) with the position of what cannot be read.
        """
        return Snapshot(self._raw.filter(filter))

    def group_by(self, *by: GroupName) -> tuple[Group, ...]:
        """Sum by what rows have in common, one grouping inside the other.

        Groups always sum to `totals` and `unattributed` together. `"remote"` and `"port"` need
        connections: without, `NotCounted` is raised.
        """
        if not by:
            message = 'give at least one of "process", "name", "user", "unit", …'
            raise ValueError(message)
        groups = self._raw.group_by(list(by))
        if RawSnapshot.needs_connections(list(by)) and self._raw.connections() is None:
            raise NotCounted(_NOT_COUNTED, _COUNT_THEM)
        return groups

    def to_json(self) -> str:
        """Give one line of JSON: the `snapshot` object that `netprocmon watch --json` prints."""
        return self._raw.to_json()

    def to_dict(self) -> dict[str, Any]:
        """Give the same as dictionaries and lists."""
        read: dict[str, Any] = json.loads(self._raw.to_json())
        return read

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Hand the processes over as Arrow columns: `polars.DataFrame(snapshot)`.

        The schema is the one it has; a requested one is a wish that the consumer fulfils by casting
        (Arrow PyCapsule interface).
        """
        return self._raw.arrow_stream()
