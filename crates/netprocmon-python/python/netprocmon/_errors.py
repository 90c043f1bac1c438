"""What can go wrong, as exceptions that subclass the built-in ones people already catch.

Every one is an `Error` and carries a `remedy`: what the user can do about it, often a command. An
uncaught one shows it below the traceback.
"""

from __future__ import annotations

import errno as _errno
from typing import Any

__all__ = [
    "Error",
    "FilterError",
    "MonitorClosed",
    "MonitorForked",
    "NoSuchAddress",
    "NoSuchInterface",
    "NoSuchProcess",
    "NotCounted",
    "PermissionDenied",
    "SystemFailure",
    "Unsupported",
]


class Error(Exception):
    """The base of all errors of this package."""

    remedy: str | None
    """What the user can do about it; `None` where there is nothing to advise."""

    def __init__(self, message: str, remedy: str | None = None) -> None:
        """Say what failed, on what, and what mends it."""
        super().__init__(message)
        self._be(message, remedy)

    def _be(self, message: str, remedy: str | None) -> None:
        self._message = message
        self.remedy = remedy
        if remedy:
            self.add_note(remedy)

    def __str__(self) -> str:
        """Say what failed, on what."""
        return self._message

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what it was made of."""
        return type(self), (self._message, self.remedy)


class _SystemError(Error, OSError):
    """One that the operating system has a number for."""

    _number: int | None = None

    def __init__(self, message: str, remedy: str | None = None) -> None:
        if self._number is None:
            OSError.__init__(self, message)
        else:
            OSError.__init__(self, self._number, message)
        self._be(message, remedy)


class PermissionDenied(_SystemError, PermissionError):
    """A capability is missing; `remedy` says how to grant it."""

    _number = _errno.EPERM


class NoSuchProcess(_SystemError, ProcessLookupError):
    """The pid is neither watched nor a process."""

    _number = _errno.ESRCH


class NoSuchAddress(_SystemError):
    """No interface has that address (`EADDRNOTAVAIL`), or it is not among those added."""

    _number = _errno.EADDRNOTAVAIL


class NoSuchInterface(_SystemError):
    """No network namespace has an interface of that name (`ENODEV`)."""

    _number = _errno.ENODEV


class Unsupported(_SystemError):
    """It cannot be done on this kernel or host (`ENOTSUP`)."""

    _number = _errno.ENOTSUP


class SystemFailure(_SystemError):
    """The operating system failed at something else; the message says at what and why."""


class NotCounted(Error, LookupError):
    """The monitor was told not to count this, so there is no answer."""


class MonitorClosed(Error, ValueError):
    """The monitor is closed, as with a closed file."""

    def __init__(self, message: str = "the monitor is closed", remedy: str | None = None) -> None:
        """Say so."""
        super().__init__(message, remedy)


class MonitorForked(Error, RuntimeError):
    """The monitor is the parent's: this process was forked from the one that started it."""

    def __init__(
        self,
        message: str = "the monitor belongs to the process that this one was forked from",
        remedy: str | None = "make a Monitor of its own in the child",
    ) -> None:
        """Say so."""
        super().__init__(message, remedy)


class FilterError(Error, ValueError):
    """A filter cannot be read. The message shows the place."""

    position: int
    """Where in the text, in characters, the first being 0."""
    text: str
    """The filter."""

    def __init__(self, message: str, position: int, text: str) -> None:
        """Say what was expected there."""
        super().__init__(message)
        self.position = position
        self.text = text

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what it was made of."""
        return type(self), (self._message, self.position, self.text)
