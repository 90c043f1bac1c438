"""What a test may move, and to whom it may talk."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import netprocmon

__all__ = ["Limit", "Network", "forbidden"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?))?b?(?:ytes?)?\s*", re.IGNORECASE)
_POWERS = {None: 0, "k": 1, "m": 2, "g": 3, "t": 4}
_DIRECTIONS = ("sent", "recv", "both")


@dataclass(frozen=True)
class Limit:
    """So many wire bytes, and no more."""

    size: int
    direction: str

    @classmethod
    def of(cls, mark: pytest.Mark) -> Limit:
        """Read a mark."""
        return cls._read(*mark.args, **mark.kwargs)

    @classmethod
    def _read(cls, size: str | int, direction: str = "both") -> Limit:
        if direction not in _DIRECTIONS:
            message = f'limit_network(direction=…) is "sent", "recv" or "both", not {direction!r}'
            raise pytest.UsageError(message)
        return cls(_bytes(size), direction)

    def check(self, totals: netprocmon.Counters) -> None:
        """Fail the test that moved more."""
        counts = {
            "sent": totals.bytes_sent,
            "recv": totals.bytes_recv,
            "both": totals.bytes_total,
        }
        moved = counts[self.direction]
        if moved is None:
            pytest.fail("the limit cannot be checked: wire bytes are not known here", pytrace=False)
        if moved > self.size:
            did = {"sent": "sent", "recv": "received", "both": "sent and received"}[self.direction]
            over = f"{moved - self.size:,} more than the {self.size:,} that are allowed"
            pytest.fail(f"the test {did} {moved:,} bytes, {over}", pytrace=False)


def _bytes(size: str | int) -> int:
    if isinstance(size, int) and not isinstance(size, bool) and size >= 0:
        return size
    read = _SIZE.fullmatch(size) if isinstance(size, str) else None
    if read is None:
        message = f'limit_network takes a size such as "1 MB", "10 KiB" or 4096, not {size!r}'
        raise pytest.UsageError(message)
    number, unit, binary = read.groups()
    power = _POWERS[unit.lower() if unit else None]
    return int(float(number) * (1024 if binary else 1000) ** power)


def forbidden(moved: netprocmon.Snapshot, allow: list[Network]) -> str | None:
    """Say to whom the test talked and should not have."""
    if not allow:
        total = moved.totals.bytes_total
        if total is None:
            return "no_network cannot be checked: wire bytes are not known here"
        if total == 0:
            return None
        return _complaint(moved, [one for one in moved.connections() if one.bytes_total])
    strangers = [
        one for one in moved.connections() if one.bytes_total and not _is_allowed(one, allow)
    ]
    return _complaint(moved, strangers) if strangers else None


def _is_allowed(one: netprocmon.Connection, allow: list[Network]) -> bool:
    if one.remote is not None:
        address = ipaddress.ip_address(one.remote.ip.partition("%")[0])
        return any(address in network for network in allow)
    if one.protocol == "tcp":
        return True  # a listener: whoever came has a connection of its own
    # A datagram socket that talked to several: what stayed on this host is loopback's.
    return one.interface == "lo" and any(network.is_loopback for network in allow)


def _complaint(moved: netprocmon.Snapshot, strangers: list[netprocmon.Connection]) -> str:
    lines = ["the test used the network:"]
    for one in strangers[:20]:
        to = f"{one.remote.ip} port {one.remote.port}" if one.remote else "several remotes"
        name = f" ({one.remote_name})" if one.remote_name else ""
        lines.append(
            f"  {one.protocol} with {to}{name}: {one.bytes_sent:,} bytes sent, "
            f"{one.bytes_recv:,} received by {one.process!r} ({one.pid})"
        )
    if not strangers:
        totals = moved.totals
        lines.append(f"  {totals.bytes_sent:,} bytes sent, {totals.bytes_recv:,} received")
    return "\n".join(lines)
