"""The monitor: whom to watch, counting, samples. One class, classic and modern."""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, Literal, Self

from netprocmon import _netprocmon
from netprocmon._arguments import (
    Target,
    checked_address,
    checked_interval,
    checked_pid,
    checked_port,
    checked_protocol,
    checked_texts,
    exists,
    has_address,
    no_such_process,
)
from netprocmon._errors import (
    Error,
    MonitorClosed,
    MonitorForked,
    NoSuchAddress,
    NoSuchProcess,
    PermissionDenied,
    Unsupported,
)
from netprocmon._records import Health, NetworkTraffic
from netprocmon._snapshot import Snapshot
from netprocmon._stream import Stream, Subscription

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from netprocmon._netprocmon import _Asked

__all__ = ["D_RECV", "D_SEND", "P_TCP", "P_UDP", "Monitor", "Source"]

P_TCP = 6
"""The number of TCP, for `Monitor.get_pid_by_port` and `Monitor.get_ports_by_proto`."""
P_UDP = 17
"""The number of UDP."""
D_SEND = 0
"""The direction out of this host."""
D_RECV = 1
"""The direction into this host."""

Source = Literal["auto", "ebpf", "packet", "sockdiag"]
"""Where the numbers may come from."""


_SOURCES: tuple[Source, ...] = ("auto", "ebpf", "packet", "sockdiag")
_KNOW_WIRE_BYTES = ("ebpf", "packet")

_monitors: weakref.WeakSet[Monitor] = weakref.WeakSet()


class Monitor:
    """Counts what processes send and receive, from `start` (or `with`) to `close`.

    Watch processes by pid, process object or name; nothing asked is the whole host:

    >>> with Monitor() as monitor:  # doctest: +SKIP
    ...     for snapshot in monitor.stream(interval=5):
    ...         for usage in snapshot.top(3):
    ...             print(usage.title, usage.bytes_sent, usage.bytes_recv)

    All methods may be called from several threads. A monitor belongs to the process that started
    it: in a forked child its methods raise `MonitorForked`.
    """

    def __init__(
        self,
        *targets: Target,
        names: Iterable[str] = (),
        cgroups: Iterable[str] = (),
        follow_children: bool = False,
        interfaces: Iterable[str] = (),
        addresses: Iterable[str] = (),
        connections: bool = True,
        keep_ended: bool = False,
        source: Source = "auto",
        interval: float = 1.0,
    ) -> None:
        """Say what to watch and how; nothing is counted yet.

        targets:
            Pids, process objects (anything with a `pid`) and names of processes.
        names, cgroups:
            Processes of these names (`comm` or the program's file name), or in these cgroups or
            below them (paths in cgroup v2). Targets, names and cgroups are alternatives.
        follow_children:
            Watch what the processes given by pid start, too, now and later.
        interfaces, addresses:
            Only count what crosses interfaces of these names, or with these local addresses.
        connections:
            Count each connection too, and learn the names of remotes from DNS answers that this
            host receives anyway. Costs some nanoseconds a packet.
        keep_ended:
            Keep processes and connections that have ended in every snapshot. Otherwise they are in
            the next one, and from then on in its `totals` alone.
        source:
            `"auto"`, the best that works here, or the one to insist on. Without privilege the best
            is `"sockdiag"`, which knows no wire bytes: they are `None`.
        interval:
            Seconds between samples.
        """
        if source not in _SOURCES:
            message = f"unknown source {source!r}: give one of {', '.join(map(repr, _SOURCES))}"
            raise ValueError(message)
        self._source: Source = source
        self._follow = bool(follow_children)
        self._names = list(checked_texts("names", names))
        self._cgroups = list(checked_texts("cgroups", cgroups))
        self._interfaces = list(checked_texts("interfaces", interfaces))
        self._connections = bool(connections)
        self._keep_ended = bool(keep_ended)
        self._interval = checked_interval(interval)
        self._pids: dict[int, bool] = {}
        self._addresses: dict[str, None] = {}
        self._engine: _netprocmon.Engine | None = None
        self._closed = False
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._readers: weakref.WeakSet[Stream] = weakref.WeakSet()
        self._subscriptions: list[Subscription] = []
        self._added = False  # a pid, by `add_pid`
        for target in targets:
            if isinstance(target, str):
                self._names.extend(checked_texts("targets", [target]))
            else:
                self._add(checked_pid(target), self._follow)
        for address in checked_texts("addresses", addresses):
            self.add_address(address)
        _monitors.add(self)

    # Whom to watch.

    def add_pid(self, pid: int, *, follow_children: bool | None = None) -> None:
        """Watch this process (too), counting from now on; adding it again starts it anew.

        `follow_children` is the monitor's unless it is given. Raises `NoSuchProcess` (a
        `ProcessLookupError`).
        """
        self._add(
            checked_pid(pid), self._follow if follow_children is None else bool(follow_children)
        )
        self._added = True

    def _add(self, pid: int, follow: bool) -> None:
        with self._open():
            if self._engine is not None:
                self._engine.add_pid(pid, follow)
            elif not exists(pid):
                raise no_such_process(pid)
            self._pids[pid] = follow

    def remove_pid(self, pid: int) -> None:
        """Stop watching this process and forget its counts.

        Raises `NoSuchProcess` where it is not watched.
        """
        pid = checked_pid(pid)
        with self._open():
            if pid not in self._pids:
                message = f"the process {pid} is not watched"
                raise NoSuchProcess(message)
            if self._engine is not None:
                self._engine.remove_pid(pid)
            del self._pids[pid]

    def get_pids(self) -> list[int]:
        """Give the pids that are watched, in order, those of processes that have ended included."""
        with self._open():
            return sorted(self._pids)

    def clear_pids(self) -> None:
        """Watch no process in particular: the whole host, unless names or cgroups were given."""
        with self._open():
            for pid in list(self._pids):
                self.remove_pid(pid)

    # Which interfaces count.

    def add_address(self, addr: str) -> None:
        """Count only what crosses the interface with this local address (or another added one).

        IPv4 or IPv6. Raises `ValueError` for what is no address, and `NoSuchAddress` (an `OSError`)
        where no interface has it.
        """
        address = checked_address(addr)
        with self._open():
            if self._engine is not None:
                self._engine.add_address(address)
            elif not has_address(address):
                message = f"no interface has the address {address}"
                raise NoSuchAddress(message, "list the addresses: ip address")
            self._addresses[address] = None

    def remove_address(self, addr: str) -> None:
        """Lift the restriction to this address.

        Raises `NoSuchAddress` where it was not added.
        """
        address = checked_address(addr)
        with self._open():
            if address not in self._addresses:
                message = f"the address {address} was not added"
                raise NoSuchAddress(message)
            if self._engine is not None:
                self._engine.remove_address(address)
            del self._addresses[address]

    def get_addresses(self) -> list[str]:
        """Give the addresses that counting is restricted to, as added; none is no restriction."""
        with self._open():
            return list(self._addresses)

    def clear_addresses(self) -> None:
        """Lift all restrictions to addresses."""
        with self._open():
            for address in list(self._addresses):
                self.remove_address(address)

    def get_listen_addrs(self) -> list[str]:
        """Give the local addresses listened to, in this network namespace."""
        return [address for _, addresses in self._listened() for address in addresses]

    def get_listen_interfaces(self) -> list[str]:
        """Give the names of the interfaces listened to, in this network namespace."""
        return [name for name, _ in self._listened()]

    def get_listen_interface_by_addr(self, addr: str) -> str | None:
        """Give the name of the interface with this address; `None` when not listened to."""
        address = checked_address(addr)
        return next((name for name, all_ in self._listened() if address in all_), None)

    def _listened(self) -> list[tuple[str, list[str]]]:
        with self._open():
            found = _netprocmon.interfaces(everywhere=False)
            if not self._addresses and not self._interfaces:
                return found
            return [
                (name, addresses)
                for name, addresses in found
                if name in self._interfaces or not self._addresses.keys().isdisjoint(addresses)
            ]

    # Whose the ports are. None of it needs the monitor to count.

    def get_pid_by_port(self, proto: int, port: int) -> int | None:
        """Give the process that owns a local port, `None` where that is nobody (or not to be seen).

        `proto` is `P_TCP`, `P_UDP` or another IANA number. A listener comes before a connection,
        and of several processes that share a port the one with the lowest pid.
        """
        with self._open():
            return _netprocmon.pid_of_port(checked_protocol(proto), checked_port(port))

    def get_ports_by_pid(self, pid: int) -> list[int]:
        """Give the local ports of a process, in order. Raises `NoSuchProcess`."""
        with self._open():
            return _netprocmon.ports_of_pid(checked_pid(pid))

    def get_ports_by_proto(self, proto: int) -> list[int]:
        """Give the local ports in use by a protocol, in order."""
        with self._open():
            return _netprocmon.ports(checked_protocol(proto))

    def get_ports(self) -> list[int]:
        """Give all local ports in use, in order."""
        with self._open():
            return _netprocmon.ports(None)

    # Counting.

    def start(self) -> Self:
        """Start counting. On a monitor that counts, watched processes begin at 0 again.

        `with` does it too, and so does whatever needs a count.

        Raises `PermissionDenied` (a `PermissionError`) or `Unsupported` with what mends it;
        `NoSuchProcess`, `NoSuchInterface` and `NoSuchAddress` for what is gone since it was added.

        After `add_pid` wire bytes are what is asked for (`get_count_by_pid`): `source="auto"` then
        raises where only `"sockdiag"` works, which does not know them.
        """
        with self._open():
            counted = self._engine is not None
            engine = self._running()
            if self._added:
                try:
                    self._insist_on_wire_bytes(engine)
                except Error:
                    if not counted:
                        self._engine = None
                        engine.close()
                    raise
            for pid, follow in self._pids.items() if counted else ():
                if exists(pid):
                    engine.add_pid(pid, follow)
        return self

    def _insist_on_wire_bytes(self, engine: _netprocmon.Engine) -> None:
        """Say what is missing for them, unless a source without them was asked for."""
        if self._source != "auto" or engine.source() in _KNOW_WIRE_BYTES:
            return
        lacks = engine.degradations()
        denied = next((one for one in lacks if one.code == "missing_capability"), None)
        error = PermissionDenied if denied else Unsupported
        first = denied or lacks[0]
        message = f'wire bytes cannot be counted (source="sockdiag": payload): {first.message}'
        raise error(message, first.remedy)

    def _asked(self) -> _Asked:
        return {
            "pids": list(self._pids.items()),
            "names": self._names,
            "cgroups": self._cgroups,
            "interfaces": self._interfaces,
            "addresses": list(self._addresses),
            "source": self._source,
            "interval": self._interval,
            "connections": self._connections,
            "keep_ended": self._keep_ended,
        }

    def close(self) -> None:
        """Stop counting and free every descriptor. Streams end; other calls raise `MonitorClosed`.

        Closing twice is no error. A monitor that is only dropped is closed with the last reference.
        """
        if self._process != os.getpid():
            return
        with self._lock:
            self._closed = True
            engine, self._engine = self._engine, None
            subscriptions, self._subscriptions = self._subscriptions, []
            readers = list(self._readers)
        if engine is not None:
            engine.close()
        # Whoever waits finds it closed, so not earlier.
        for reader in readers:
            reader._wake()  # noqa: SLF001  # its own monitor's
        for subscription in subscriptions:
            subscription.stop()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def get_count_by_pid(self, pid: int) -> list[NetworkTraffic]:
        """Give what a process moved, one record per interface that it moved it over, in wire bytes.

        Cumulative since `add_pid` or `start`, whichever was later; of a process that was not added,
        since `start`. A watched process that has ended keeps its counts. Raises `NoSuchProcess` for
        a pid that is neither watched nor a process; and `PermissionDenied` where `source="auto"`
        has found only `"sockdiag"`, of which wire bytes would be `None`: ask for it to get them.
        """
        engine = self._running()
        self._insist_on_wire_bytes(engine)
        traffic = engine.traffic(checked_pid(pid))
        return [one for one in traffic if one.recv != 0 or one.send != 0]

    def snapshot(self) -> Snapshot:
        """Take everything that was counted up to now."""
        return Snapshot(self._running().snapshot())

    def try_sample(self) -> Snapshot | None:
        """Take the sample that is due, when `fileno` has turned readable; `None` when none is."""
        sample = self._running().try_sample()
        return None if sample is None else Snapshot(sample)

    def fileno(self) -> int:
        """Give the descriptor that turns readable when a sample is due: then call `try_sample`.

        For an event loop or `select` of one's own. It is the monitor's: do not close it.
        """
        return self._running().fileno()

    def stream(self, interval: float | None = None) -> Stream:
        """Give a snapshot every `interval` seconds (the monitor's, unless given), until closed.

        To be iterated with `for` or `async for`. Each stream has a pace of its own; a snapshot's
        rates are over the time since the one before it, whoever took that.
        """
        interval = self._interval if interval is None else checked_interval(interval)
        with self._lock:
            engine = self._running()
            stream = Stream(engine, engine.ticker(interval), interval)
            self._readers.add(stream)
        return stream

    def __iter__(self) -> Stream:
        """Stream at the monitor's interval."""
        return self.stream()

    def __aiter__(self) -> Stream:
        """Stream at the monitor's interval."""
        return self.stream()

    def on_sample(
        self, callback: Callable[[Snapshot], object], *, interval: float | None = None
    ) -> Subscription:
        """Call `callback(snapshot)` every `interval` seconds, in a thread of its own.

        It ends with `Subscription.stop`, with the monitor, or when the callback raises (which goes
        to `threading.excepthook`).
        """
        if not callable(callback):
            message = f"a callback is called: {callback!r} cannot be"
            raise TypeError(message)
        subscription = Subscription(self.stream(interval), callback)
        with self._lock:
            self._subscriptions = [one for one in self._subscriptions if one.active]
            self._subscriptions.append(subscription)
        return subscription

    @property
    def health(self) -> Health:
        """What the numbers come from, and what cannot be seen here."""
        engine = self._running()
        return Health(engine.source(), tuple(engine.degradations()))

    def spawn(self, args: Any, **popen: Any) -> subprocess.Popen[Any]:  # noqa: ANN401  # Popen's
        """Start a command as `subprocess.Popen(args, **popen)` does, counted from its first packet.

        The monitor then watches it and all its descendants.
        """
        import subprocess

        with self._lock:
            engine = self._running()
        return engine.spawn(lambda: subprocess.Popen(args, **popen))  # noqa: S603  # whose caller says what

    # Opening and closing.

    def __enter__(self) -> Self:
        """Start counting, unless it counts already."""
        self._running()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    async def __aenter__(self) -> Self:
        """Start counting, without holding up the event loop."""
        import asyncio

        await asyncio.to_thread(self._running)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close, without holding up the event loop."""
        import asyncio

        await asyncio.to_thread(self.close)

    def __repr__(self) -> str:
        """Show what it watches."""
        watched = [repr(pid) for pid in sorted(self._pids)]
        watched += [repr(name) for name in self._names]
        state = "closed" if self._closed else "counting" if self._engine else "not started"
        return f"<Monitor of {', '.join(watched) or 'the whole host'}: {state}>"

    def __reduce__(self) -> str:
        """Refuse to be pickled."""
        message = "a Monitor cannot be pickled; send its snapshots' to_dict() or their rows"
        raise TypeError(message)

    def _open(self) -> threading.RLock:
        """Give the lock, of a monitor that may still be used here."""
        if self._process != os.getpid():
            raise MonitorForked
        if self._closed:
            raise MonitorClosed
        return self._lock

    def _running(self) -> _netprocmon.Engine:
        with self._open():
            if self._closed:
                raise MonitorClosed
            if self._engine is None:
                self._engine = _netprocmon.Engine(self._asked())
            return self._engine


def _forget_in_child() -> None:
    # What the child inherited would keep the parent's programs in the kernel after the parent has
    # closed its monitor. Closing the child's copies of descriptors takes nothing from the parent.
    for monitor in list(_monitors):
        engine = monitor._engine  # noqa: SLF001  # this module's
        if engine is not None:
            engine.forget()


os.register_at_fork(after_in_child=_forget_in_child)
