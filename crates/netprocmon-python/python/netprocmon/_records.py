"""The rows of a snapshot, and other answers: frozen, hashable, picklable, matchable.

Bytes are wire bytes at the IP layer (`bytes_*`: IP header and everything in it, retransmissions
included) or application bytes (`payload_*`: what the program's own calls moved, each byte once).
**A number that the source cannot know is `None`, never 0.** Times are aware datetimes in UTC.
"""

from __future__ import annotations

from dataclasses import Field, dataclass, fields
from datetime import datetime  # noqa: TC003  # whoever asks for the types of fields needs it
from typing import Any, ClassVar, NamedTuple

__all__ = [
    "Address",
    "Ancestor",
    "Connection",
    "Counters",
    "Degradation",
    "DeviceCounters",
    "Group",
    "Health",
    "InterfaceSummary",
    "InterfaceUsage",
    "NetworkTraffic",
    "ProcessUsage",
    "ProtocolUsage",
    "Rates",
    "Record",
    "UnattributedUsage",
    "Usage",
]


class Record:
    """Equality and hash of all records: of one type, with the same values.

    Here once, because what `dataclass` compiles for each class is most of what an import takes.
    """

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __eq__(self, other: object) -> bool:
        """Compare field by field; one of another type is another thing."""
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        """Give the same for equals."""
        return hash(self._values())

    def _values(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__dataclass_fields__)


@dataclass(eq=False, frozen=True, slots=True)
class NetworkTraffic(Record):
    """What one process moved over one interface, in wire bytes."""

    interface: str | None
    """The interface's name; `None` where its namespace was gone before it could be asked."""
    recv: int | None
    """Bytes received."""
    pid: int
    """The process."""
    send: int | None
    """Bytes sent."""

    def __str__(self) -> str:
        """Show it as `NetworkTraffic(interface=eth1, recv=2302, pid=586, send=6806)`."""
        return (
            f"NetworkTraffic(interface={self.interface}, recv={self.recv}, "
            f"pid={self.pid}, send={self.send})"
        )


@dataclass(eq=False, frozen=True, slots=True, kw_only=True, repr=False, match_args=False)
class Counters(Record):
    """The eight numbers that everything is counted in."""

    bytes_sent: int | None = None
    """Wire bytes sent."""
    bytes_recv: int | None = None
    """Wire bytes received."""
    packets_sent: int | None = None
    """Packets sent, after segmentation."""
    packets_recv: int | None = None
    """Packets received, before coalescing."""
    payload_sent: int | None = None
    """Application bytes sent."""
    payload_recv: int | None = None
    """Application bytes received."""
    retransmitted_bytes: int | None = None
    """TCP only; also in `bytes_sent`."""
    retransmitted_packets: int | None = None
    """TCP only; also in `packets_sent`."""

    @property
    def bytes_total(self) -> int | None:
        """Wire bytes in both directions."""
        return _sum(self.bytes_sent, self.bytes_recv)

    @property
    def payload_total(self) -> int | None:
        """Application bytes in both directions."""
        return _sum(self.payload_sent, self.payload_recv)

    def __repr__(self) -> str:
        """Show who it is first, then the numbers; what is not known is left out."""
        numbers = {one.name for one in fields(Counters)}
        every = sorted(fields(self), key=lambda one: one.name in numbers)
        shown = ((one, getattr(self, one.name)) for one in every)
        known = (f"{one.name}={value!r}" for one, value in shown if value != one.default)
        return f"{type(self).__name__}({', '.join(known)})"


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


@dataclass(eq=False, frozen=True, slots=True)
class Rates(Record):
    """Wire bytes per second, over the time since the snapshot before."""

    sent: float | None = None
    """Sent."""
    recv: float | None = None
    """Received."""


class Address(NamedTuple):
    """One end of a connection."""

    ip: str
    """The address; an IPv4-mapped one as the IPv4 that it is."""
    port: int
    """The port; 0 where the protocol has none, or none is bound."""


@dataclass(eq=False, frozen=True, slots=True)
class Ancestor(Record):
    """One of those above a process, as it was when the process was first seen."""

    pid: int
    """Its pid."""
    name: str | None
    """Its name; `None` where it was gone before it could be asked."""


@dataclass(eq=False, frozen=True, slots=True, kw_only=True, repr=False, match_args=False)
class InterfaceUsage(Counters):
    """What one process moved over one interface."""

    __match_args__ = ("name",)

    name: str | None = None
    """The interface's name; `None` where its namespace was gone before it could be asked."""
    index: int
    """Its number in its namespace."""
    netns: int
    """Inode number of its network namespace."""


@dataclass(eq=False, frozen=True, slots=True, kw_only=True, repr=False, match_args=False)
class ProtocolUsage(Counters):
    """What one process moved over one protocol and IP version."""

    __match_args__ = ("protocol", "ip_version")

    protocol: str
    """`"tcp"`, `"udp"`, …; `"ip-N"` for one without a name."""
    ip_version: int
    """4 or 6."""


@dataclass(eq=False, frozen=True, slots=True, kw_only=True, repr=False, match_args=False)
class Connection(Counters):
    """One socket's conversation, or from `netprocmon.connections` any socket."""

    __match_args__ = ("local", "remote", "state")

    pid: int | None = None
    """The process that owns it; `None` where that cannot be seen."""
    process: str | None = None
    """That process's name."""
    protocol: str
    """`"tcp"`, `"udp"`, …."""
    ip_version: int
    """Of the packets: 4 or 6."""
    local: Address
    """This end."""
    remote: Address | None = None
    """The other end; `None` for a listener or an unconnected datagram socket."""
    state: str
    """`"established"`, `"listen"`, …; `"stateless"` for a datagram or raw socket."""
    direction: str | None = None
    """`"in"` or `"out"`: who opened it."""
    interface: str | None = None
    """The interface of its last packet."""
    remote_name: str | None = None
    """What the other end is called, from DNS answers that this host received."""
    remote_scope: str | None = None
    """`"loopback"`, `"link"`, `"private"`, `"multicast"` or `"public"`."""
    service: str | None = None
    """The name of its port: `"https"`."""
    peer_pid: int | None = None
    """The process at the other end, where that is on this host."""
    peer_name: str | None = None
    """That process's name."""
    remote_country: str | None = None
    """Two letters, where a database of origins was given."""
    remote_asn: int | None = None
    """Number of the other end's network, where a database was given."""
    remote_organization: str | None = None
    """Name of the other end's network, where a database was given."""
    opened: datetime | None = None
    """When it was opened or first seen."""
    closed: datetime | None = None
    """When it ended; `None` while it lives."""


@dataclass(eq=False, frozen=True, slots=True, kw_only=True, repr=False, match_args=False)
class ProcessUsage(Counters):
    """One process and what it moved since the monitor started.

    Names and command lines are chosen by the processes themselves: escape them (`ascii()`,
    `repr()`) before they reach a terminal.
    """

    __match_args__ = ("pid", "name")

    pid: int
    """The pid, as seen from the monitor's pid namespace."""
    name: str
    """`comm`: at most 15 bytes, as the kernel keeps it."""
    title: str = ""
    """What people call it: `"train.py (python3.12)"` of an interpreter, else the name in full."""
    started: datetime | None = None
    """When it started. A pid and a start name a process; a pid alone is used again."""
    exited: datetime | None = None
    """When it ended; `None` while it lives."""
    ppid: int | None = None
    """The parent's pid when the process was first seen."""
    parents: tuple[Ancestor, ...] = ()
    """Who started it, who started that, and so on: the parent first, as far as it is known."""
    exe: str | None = None
    """The program file's path; `None` where it could not be read in time."""
    command: tuple[str, ...] | None = None
    """The arguments; `None` where they could not be read in time."""
    script: str | None = None
    """The script or archive that an interpreter runs."""
    exe_file: str | None = None
    """`"deleted"` or `"replaced"`; `None` while the program file stands where it stood."""
    uid: int | None = None
    """Real user id."""
    user: str | None = None
    """The user's name."""
    cgroup: str | None = None
    """Path in cgroup v2, from the root of the hierarchy."""
    unit: str | None = None
    """The systemd unit."""
    user_unit: str | None = None
    """The unit of the user's own systemd."""
    slice: str | None = None
    """The systemd slice."""
    container: str | None = None
    """The container's name, else its id."""
    container_id: str | None = None
    """The container's id."""
    container_runtime: str | None = None
    """What runs it: `"docker"`, `"podman"`, …."""
    container_image: str | None = None
    """The image that it was made of."""
    pod: str | None = None
    """The Kubernetes pod's name, else its uid."""
    pod_namespace: str | None = None
    """The Kubernetes namespace."""
    netns: int | None = None
    """Inode number of its network namespace."""
    rates: Rates = Rates()
    """Over the time since the snapshot before."""
    interfaces: tuple[InterfaceUsage, ...] = ()
    """The same counters by interface."""
    protocols: tuple[ProtocolUsage, ...] = ()
    """The same counters by protocol and IP version."""
    connections: tuple[Connection, ...] | None = None
    """Its connections; `None` where they were not counted."""


@dataclass(eq=False, frozen=True, slots=True, kw_only=True, repr=False, match_args=False)
class UnattributedUsage(Counters):
    """What no process can be charged with, by reason and interface."""

    __match_args__ = ("reason", "interface")

    reason: str
    """`"kernel"`, `"before_start"`, `"no_socket"`, `"exited"` or `"capacity"`."""
    interface: str | None = None
    """The interface's name."""
    index: int
    """Its number in its namespace."""
    netns: int
    """Inode number of its network namespace."""


@dataclass(eq=False, frozen=True, slots=True, kw_only=True)
class DeviceCounters(Record):
    """What an interface itself says (`ip -s link`), link-layer headers included."""

    bytes_sent: int
    """Bytes sent."""
    bytes_recv: int
    """Bytes received."""
    packets_sent: int
    """Packets sent, as the device counts them."""
    packets_recv: int
    """Packets received, as the device counts them."""


@dataclass(eq=False, frozen=True, slots=True, kw_only=True, match_args=False)
class InterfaceSummary(Record):
    """An interface: what the sockets moved over it beside what it says itself."""

    __match_args__ = ("name",)

    name: str | None
    """The interface's name."""
    index: int
    """Its number in its namespace."""
    netns: int
    """Inode number of its network namespace."""
    counted: Counters
    """Attributed and unattributed traffic together, on the device's own basis."""
    device: DeviceCounters | None
    """The device's own counters over the same time; `None` where they cannot be read."""
    explained_sent: float | None
    """`counted` over `device` less its link-layer headers, sent: 1.0 is all of it."""
    explained_recv: float | None
    """The same, received."""


@dataclass(eq=False, frozen=True, slots=True)
class Degradation(Record):
    """Something that this run cannot see, and what would mend it."""

    code: str
    """A word for programs."""
    message: str
    """A sentence for people."""
    remedy: str | None
    """What would mend it."""


@dataclass(eq=False, frozen=True, slots=True, kw_only=True, repr=False, match_args=False)
class Group(Counters):
    """Rows summed by what they have in common. The groups of a level sum to what is above them."""

    __match_args__ = ("by", "key", "label")

    by: str
    """What it is a group by: `"user"`, …; `"ended"` or `"unattributed"` for what has no place."""
    key: str | int | None = None
    """What they have in common: a name, a pid, a port; `None` for a group of what lacks it."""
    label: str
    """What that is called, for people."""
    rates: Rates = Rates()
    """Wire bytes per second."""
    groups: tuple[Group, ...] = ()
    """The groups inside it."""


@dataclass(eq=False, frozen=True, slots=True)
class Health(Record):
    """How well a monitor sees."""

    source: str
    """Where the numbers come from: `"ebpf"`, `"packet"` or `"sockdiag"`."""
    degradations: tuple[Degradation, ...]
    """What it cannot see."""

    @property
    def ok(self) -> bool:
        """Whether there is nothing that it cannot see."""
        return not self.degradations


@dataclass(eq=False, frozen=True, slots=True, kw_only=True, repr=False)
class Usage(Counters):
    """What a block of code or a command cost."""

    seconds: float
    """How long it took."""
    interfaces: tuple[InterfaceUsage, ...] = ()
    """The same counters by interface."""
    processes: tuple[ProcessUsage, ...] = ()
    """The processes that are counted, those that have ended included."""
