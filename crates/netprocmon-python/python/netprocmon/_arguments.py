"""What callers give: read, and refused with words that say what was expected."""

from __future__ import annotations

import math
import operator
import os
from typing import TYPE_CHECKING, Protocol, SupportsIndex

from netprocmon import _netprocmon
from netprocmon._errors import NoSuchProcess

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "HasPid",
    "Target",
    "checked_address",
    "checked_interval",
    "checked_pid",
    "checked_port",
    "checked_protocol",
    "checked_texts",
    "exists",
    "has_address",
    "no_such_process",
]

_LARGEST_PID = 2**32 - 1
_LARGEST_PORT = 2**16 - 1


class HasPid(Protocol):
    """A process object: `subprocess.Popen`, `multiprocessing.Process`, `psutil.Process`, …."""

    @property
    def pid(self) -> int | None:
        """Its pid."""


Target = int | str | HasPid
"""Whom to watch: a pid, a process object, or a name."""


def checked_pid(target: object) -> int:
    """Read a pid, or of a process object its pid."""
    if not isinstance(target, SupportsIndex):
        target = getattr(target, "pid", None)
    if isinstance(target, bool) or not isinstance(target, SupportsIndex):
        message = f"a pid or a process object is needed, not {target!r}"
        raise TypeError(message)
    pid = operator.index(target)
    if pid <= 0:
        message = f"a pid is above 0: {pid}"
        raise ValueError(message)
    if pid > _LARGEST_PID:
        raise no_such_process(pid)
    return pid


def exists(pid: int) -> bool:
    """Tell whether there is a process with this pid."""
    return os.path.exists(f"/proc/{pid}")  # noqa: PTH110  # importing pathlib costs milliseconds


def no_such_process(pid: int) -> NoSuchProcess:
    """Give the error for a pid that nobody has."""
    remedy = "list the processes that use the network: netprocmon ps"
    return NoSuchProcess(f"no process has the pid {pid}", remedy)


def checked_interval(interval: float) -> float:
    """Read an interval, in seconds."""
    seconds = float(interval)
    if not (math.isfinite(seconds) and seconds > 0):
        message = f"an interval is a number of seconds above 0: {interval!r}"
        raise ValueError(message)
    return seconds


def checked_texts(name: str, texts: Iterable[str]) -> Iterable[str]:
    """Read several texts; a single one is a mistake that would be read letter by letter."""
    if isinstance(texts, str):
        message = f"{name} are several: give a list, [{texts!r}]"
        raise TypeError(message)
    for text in texts:
        if not isinstance(text, str):
            message = f"{name} are strings, not {text!r}"
            raise TypeError(message)
        if not text:
            message = f"one of {name} is empty"
            raise ValueError(message)
        yield text


def checked_address(text: str) -> str:
    """Give an address as everybody writes it."""
    import ipaddress

    if isinstance(text, int):  # which ip_address would read as an address, too
        message = f"an address is a string, not {text!r}"
        raise TypeError(message)
    return str(ipaddress.ip_address(text))


def has_address(address: str) -> bool:
    """Tell whether an interface of any namespace that can be entered has this address."""
    found = _netprocmon.interfaces(everywhere=True)
    return any(address in addresses for _, addresses in found)


def checked_protocol(proto: int) -> int:
    """Read the number of a protocol."""
    number = operator.index(proto)
    if not 0 <= number <= 255:  # noqa: PLR2004  # eight bits
        message = f"a protocol is P_TCP, P_UDP or another number from 0 to 255: {proto!r}"
        raise ValueError(message)
    return number


def checked_port(port: int) -> int:
    """Read a port."""
    number = operator.index(port)
    if not 0 <= number <= _LARGEST_PORT:
        message = f"a port is a number from 0 to 65535: {port!r}"
        raise ValueError(message)
    return number
