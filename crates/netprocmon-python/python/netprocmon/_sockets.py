"""Who has which sockets: one look, which needs no monitor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netprocmon import _netprocmon
from netprocmon._arguments import HasPid, checked_pid

if TYPE_CHECKING:
    from netprocmon._records import Connection

__all__ = ["connections"]


def connections(pid: int | HasPid | None = None) -> list[Connection]:
    """List the sockets of the host, or of one process, as `psutil.net_connections` does.

    Listeners and bound datagram sockets too (`remote` is `None`), in every network namespace that
    can be entered; `peer_pid` is who is at the other end of a connection within the host. A socket
    that several processes hold stands under each. `payload_*` are TCP's own count since the
    connection began; all else that one look cannot know is `None`.

    Without privilege `pid` is `None` for sockets of other users. Raises `NoSuchProcess`, and
    `PermissionDenied` for another user's process.
    """
    return _netprocmon.connections(None if pid is None else checked_pid(pid))
