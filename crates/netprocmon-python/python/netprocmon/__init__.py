"""How many bytes each process sends and receives, per network interface, exactly.

>>> import time
>>> from netprocmon import Monitor
>>> with Monitor("nginx", interval=5) as monitor:  # doctest: +SKIP
...     for snapshot in monitor:
...         print(snapshot.totals.bytes_sent, [usage.pid for usage in snapshot.top(3)])

`Monitor` counts; a `Snapshot` is an immutable look at what was counted; `measure` and `run` say
what a block of a program or a command cost; `connections` lists sockets.

Linux 5.11 or later, and root or the capabilities that a `PermissionDenied` names; without them the
payload of TCP of one's own processes. `doctor` says what can be counted here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netprocmon._doctor import doctor
from netprocmon._errors import (
    Error,
    FilterError,
    MonitorClosed,
    MonitorForked,
    NoSuchAddress,
    NoSuchInterface,
    NoSuchProcess,
    NotCounted,
    PermissionDenied,
    SystemFailure,
    Unsupported,
)
from netprocmon._measure import Measurement, measure, run
from netprocmon._monitor import D_RECV, D_SEND, P_TCP, P_UDP, Monitor
from netprocmon._netprocmon import VERSION as __version__  # noqa: N811  # as everybody has it
from netprocmon._records import (
    Address,
    Ancestor,
    Connection,
    Counters,
    Degradation,
    DeviceCounters,
    Group,
    Health,
    InterfaceSummary,
    InterfaceUsage,
    NetworkTraffic,
    ProcessUsage,
    ProtocolUsage,
    Rates,
    UnattributedUsage,
    Usage,
)
from netprocmon._snapshot import Snapshot
from netprocmon._sockets import connections
from netprocmon._stream import Stream, Subscription

if TYPE_CHECKING:
    from netprocmon._diagnosis import Diagnosis, Namespaces, SourceDiagnosis
    from netprocmon._ipython import Shell

__all__ = [
    "D_RECV",
    "D_SEND",
    "P_TCP",
    "P_UDP",
    "Address",
    "Ancestor",
    "Connection",
    "Counters",
    "Degradation",
    "DeviceCounters",
    "Diagnosis",
    "Error",
    "FilterError",
    "Group",
    "Health",
    "InterfaceSummary",
    "InterfaceUsage",
    "Measurement",
    "Monitor",
    "MonitorClosed",
    "MonitorForked",
    "Namespaces",
    "NetworkTraffic",
    "NoSuchAddress",
    "NoSuchInterface",
    "NoSuchProcess",
    "NotCounted",
    "PermissionDenied",
    "ProcessUsage",
    "ProtocolUsage",
    "Rates",
    "Snapshot",
    "SourceDiagnosis",
    "Stream",
    "Subscription",
    "SystemFailure",
    "UnattributedUsage",
    "Unsupported",
    "Usage",
    "__version__",
    "connections",
    "doctor",
    "measure",
    "run",
]


def __getattr__(name: str) -> object:
    """Load what is seldom asked for (PEP 562)."""
    if name in {"Diagnosis", "Namespaces", "SourceDiagnosis"}:
        from netprocmon import _diagnosis

        return getattr(_diagnosis, name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)


def load_ipython_extension(ipython: Shell) -> None:
    """Register the magics `%network` and `%%network`: what IPython's `%load_ext` calls."""
    from netprocmon._ipython import register

    register(ipython)
