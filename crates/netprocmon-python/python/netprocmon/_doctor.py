"""What can be counted here, what cannot, and what would mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netprocmon import _netprocmon

if TYPE_CHECKING:
    from netprocmon._diagnosis import Diagnosis

__all__ = ["doctor"]


def doctor() -> Diagnosis:
    """Find out what can be counted here: start each source, and stop it again.

    What `netprocmon doctor` says, for this program. Raises nothing for what does not work; that is
    the answer. Takes a fraction of a second.
    """
    return _netprocmon.doctor()
