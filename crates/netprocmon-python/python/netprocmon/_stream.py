"""Samples one after the other: for `for`, for `async for`, and for a callback."""

from __future__ import annotations

import os
import select
import threading
from typing import TYPE_CHECKING, Self

from netprocmon._errors import MonitorClosed
from netprocmon._snapshot import Snapshot

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from types import TracebackType

    from netprocmon import _netprocmon

__all__ = ["Stream", "Subscription"]


class Stream:
    """Snapshots at a pace, until the monitor or the stream is closed.

    Waiting is Python's own, with `poll` or the event loop, on a descriptor that turns readable: so
    Ctrl-C works, other threads run, and asyncio needs no thread. The first snapshot comes after one
    interval.
    """

    def __init__(
        self, engine: _netprocmon.Engine, ticker: _netprocmon.Ticker, interval: float
    ) -> None:
        """Streams come from `Monitor.stream`."""
        self._engine = engine
        self._ticker = ticker
        self._interval = interval
        self._process = os.getpid()

    @property
    def interval(self) -> float:
        """Seconds between samples."""
        return self._interval

    def fileno(self) -> int:
        """Give the descriptor that turns readable when there may be a sample."""
        return self._ticker.fileno()

    def close(self) -> None:
        """End it; whoever waits for it wakes up."""
        self._wake()
        self._ticker.close()

    def _wake(self) -> None:
        if self._process != os.getpid():
            return  # the timer is the parent's, and goes on
        try:
            self._ticker.expire()
        except MonitorClosed:
            return  # it is closed already

    def _take(self) -> Snapshot | None:
        """Take the sample, if one is due. Never waits."""
        self._engine.attend()
        return Snapshot(self._engine.snapshot()) if self._ticker.take_tick() else None

    def __iter__(self) -> Self:
        """Give itself."""
        return self

    def __next__(self) -> Snapshot:
        """Wait for the next snapshot."""
        try:
            poll = select.poll()
            poll.register(self._ticker.fileno(), select.POLLIN)
            while True:
                poll.poll()
                sample = self._take()
                if sample is not None:
                    return sample
        except MonitorClosed:
            raise StopIteration from None

    def __aiter__(self) -> Self:
        """Give itself."""
        return self

    async def __anext__(self) -> Snapshot:
        """Wait for the next snapshot, in the running event loop."""
        import asyncio

        loop = asyncio.get_running_loop()
        try:
            while True:
                await _readable(loop, self._ticker.fileno())
                sample = self._take()
                if sample is not None:
                    return sample
        except MonitorClosed:
            raise StopAsyncIteration from None

    def __enter__(self) -> Self:
        """Give itself, to be closed at the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it."""
        self.close()

    async def aclose(self) -> None:
        """End it: for `contextlib.aclosing`."""
        self.close()


async def _readable(loop: asyncio.AbstractEventLoop, descriptor: int) -> None:
    ready: asyncio.Future[None] = loop.create_future()

    def is_ready() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(descriptor, is_ready)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)


class Subscription:
    """A callback that gets samples in a thread of its own, from `Monitor.on_sample`."""

    def __init__(self, stream: Stream, callback: Callable[[Snapshot], object]) -> None:
        """Start calling."""
        self._stream = stream
        self._callback = callback
        self._thread = threading.Thread(target=self._run, name="netprocmon", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with self._stream:
            for snapshot in self._stream:
                self._callback(snapshot)

    @property
    def active(self) -> bool:
        """Whether the callback is still called."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Stop calling, and wait for a call that is under way, unless this is it."""
        self._stream._wake()  # noqa: SLF001  # this module's
        self._stream.close()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def __enter__(self) -> Self:
        """Give itself, to be stopped at the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop calling."""
        self.stop()
