"""What a block of this program, or a command, cost."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import os
import threading
from time import perf_counter
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, overload

from netprocmon._errors import MonitorForked
from netprocmon._monitor import Monitor, Source
from netprocmon._records import Counters, InterfaceUsage, Usage

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from netprocmon._snapshot import Snapshot

__all__ = ["Measurement", "measure", "run"]

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


class Measurement:
    """What this process moves in a block or in calls of a function; from `netprocmon.measure`."""

    def __init__(self, *, follow_children: bool, source: Source) -> None:
        """Say how; nothing is counted yet."""
        self._follow_children = follow_children
        self._source: Source = source
        self._monitor: Monitor | None = None
        self._before: Snapshot | None = None
        self._began = 0.0
        self._usage: Usage | None = None
        self._lock = threading.Lock()

    @property
    def usage(self) -> Usage:
        """What the block cost; in the block, what it has cost so far."""
        if self._monitor is not None and self._before is not None:
            return _between(self._monitor.snapshot(), self._before, perf_counter() - self._began)
        if self._usage is None:
            message = "nothing was measured yet"
            raise RuntimeError(message)
        return self._usage

    def _open(self) -> Monitor:
        return Monitor(
            os.getpid(),
            follow_children=self._follow_children,
            connections=False,
            keep_ended=True,
            source=self._source,
        ).start()

    def _begin(self, monitor: Monitor) -> None:
        if self._before is not None:
            monitor.close()
            message = "this measurement is under way: make another one for a block inside it"
            raise RuntimeError(message)
        self._monitor = monitor
        self._before = monitor.snapshot()
        self._began = perf_counter()

    def _end(self) -> None:
        monitor, self._monitor = self._monitor, None
        before, self._before = self._before, None
        if monitor is None or before is None:
            return
        with monitor:
            seconds = perf_counter() - self._began
            self._usage = _between(monitor.snapshot(), before, seconds)

    def __enter__(self) -> Self:
        """Begin."""
        self._begin(self._open())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End, whatever became of the block."""
        self._end()

    async def __aenter__(self) -> Self:
        """Begin, without holding up the event loop."""
        import asyncio

        self._begin(await asyncio.to_thread(self._open))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End, without holding up the event loop."""
        import asyncio

        await asyncio.to_thread(self._end)

    def __call__(
        self, function: Callable[_Parameters, _Result], /
    ) -> _Measured[_Parameters, _Result]:
        """Measure each call of a function; what the last one cost is its `usage`."""
        return _decorated(function, self)


class _Calls:
    """The monitor of a measured function, which stays open from its first call on."""

    def __init__(self, measurement: Measurement) -> None:
        self._measurement = measurement
        self._monitor: Monitor | None = None
        self._lock = threading.Lock()
        self._process = os.getpid()

    def before(self) -> tuple[Monitor, Snapshot, float]:
        """Take a snapshot before a call."""
        if self._process != os.getpid():  # a forked child has none yet
            self._monitor, self._lock, self._process = None, threading.Lock(), os.getpid()
        with self._lock:
            if self._monitor is None:
                self._monitor = self._measurement._open()  # noqa: SLF001  # this module's
            monitor = self._monitor
        return monitor, monitor.snapshot(), perf_counter()

    def after(self, before: tuple[Monitor, Snapshot, float]) -> Usage | None:
        """Give what happened since."""
        monitor, snapshot, began = before
        seconds = perf_counter() - began
        try:
            return _between(monitor.snapshot(), snapshot, seconds)
        except MonitorForked:  # the function has forked, and this is the child
            return None


if TYPE_CHECKING:
    from typing import Protocol

    _P = ParamSpec("_P")
    _R_co = TypeVar("_R_co", covariant=True)

    class _Measured(Protocol[_P, _R_co]):
        """A function whose calls are measured."""

        usage: Usage | None
        """What the last call that has ended cost."""

        __wrapped__: Callable[..., Any]
        __name__: str

        def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R_co: ...


def _decorated(
    function: Callable[_Parameters, _Result], measurement: Measurement
) -> _Measured[_Parameters, _Result]:
    calls = _Calls(measurement)
    measured: Any

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def measured_coroutine(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            import asyncio

            before = await asyncio.to_thread(calls.before)
            try:
                return await function(*args, **kwargs)
            finally:
                measured.usage = calls.after(before)

        measured = measured_coroutine
    elif inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        message = f"{function.__qualname__} is a generator: measure the loop over it instead"
        raise TypeError(message)
    else:

        @functools.wraps(function)
        def measured_function(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            before = calls.before()
            try:
                return function(*args, **kwargs)
            finally:
                measured.usage = calls.after(before)

        measured = measured_function
    measured.usage = None
    wrapped: _Measured[_Parameters, _Result] = measured
    return wrapped


@overload
def measure(function: Callable[_Parameters, _Result], /) -> _Measured[_Parameters, _Result]: ...
@overload
def measure(*, follow_children: bool = False, source: Source = "auto") -> Measurement: ...
def measure(
    function: Callable[..., Any] | None = None,
    /,
    *,
    follow_children: bool = False,
    source: Source = "auto",
) -> Any:
    """Measure what this process moves, all its threads, in a block or in each call of a function.

    >>> with netprocmon.measure() as cost:  # doctest: +SKIP
    ...     requests.get("https://example.org")
    >>> print(cost.usage.bytes_recv)  # doctest: +SKIP

    `async with` and `@netprocmon.measure` (of functions and coroutines) do the same; a function
    then has the `usage` of its last call. `follow_children` counts what it starts, too.
    A block costs one start of a monitor; a function's stays open from its first call on.
    """
    measurement = Measurement(follow_children=follow_children, source=source)
    return measurement if function is None else measurement(function)


def run(
    args: Any,  # noqa: ANN401  # as subprocess.run has it
    *,
    input: Any = None,  # noqa: A002, ANN401
    capture_output: bool = False,
    timeout: float | None = None,
    check: bool = False,
    source: Source = "auto",
    **popen: Any,  # noqa: ANN401
) -> tuple[subprocess.CompletedProcess[Any], Usage]:
    """Run a command as `subprocess.run` does, and say what it and its descendants moved.

    Counted from its first packet to its end; a descendant that outlives it counts up to then. What
    `subprocess.run` raises is raised (`CalledProcessError`, `TimeoutExpired`, `FileNotFoundError`),
    with the `usage` so far as an attribute where the command was started.

    >>> done, usage = netprocmon.run(["curl", "-sO", url], check=True)  # doctest: +SKIP
    """
    import subprocess

    if input is not None:
        if popen.get("stdin") is not None:
            message = "stdin and input arguments may not both be used"
            raise ValueError(message)
        popen["stdin"] = subprocess.PIPE
    if capture_output:
        if popen.get("stdout") is not None or popen.get("stderr") is not None:
            message = "stdout and stderr arguments may not be used with capture_output"
            raise ValueError(message)
        popen["stdout"] = popen["stderr"] = subprocess.PIPE
    with Monitor(connections=False, keep_ended=True, source=source) as monitor:
        began = perf_counter()

        def usage() -> Usage:
            return _of(monitor.snapshot(), perf_counter() - began)

        with monitor.spawn(args, **popen) as process:
            try:
                output, errors = process.communicate(input, timeout=timeout)
            except subprocess.TimeoutExpired as expired:
                process.kill()
                # What it wrote until then.
                expired.output, expired.stderr = process.communicate()
                expired.usage = usage()  # type: ignore[attr-defined]
                raise
            except BaseException:
                process.kill()
                raise
        spent = usage()
    done = subprocess.CompletedProcess(process.args, process.returncode, output, errors)
    if check and done.returncode:
        failed = subprocess.CalledProcessError(done.returncode, done.args, output, errors)
        failed.usage = spent  # type: ignore[attr-defined]
        raise failed
    return done, spent


def _between(after: Snapshot, before: Snapshot, seconds: float) -> Usage:
    return _of(after - before, seconds)


def _of(snapshot: Snapshot, seconds: float) -> Usage:
    by_interface: dict[tuple[int, int], list[InterfaceUsage]] = {}
    processes = snapshot.processes
    for usage in processes:
        for one in usage.interfaces:
            by_interface.setdefault((one.netns, one.index), []).append(one)
    return Usage(
        seconds=seconds,
        interfaces=tuple(
            InterfaceUsage(name=same[0].name, index=index, netns=netns, **_sums(same))
            for (netns, index), same in by_interface.items()
        ),
        processes=processes,
        **_sums([snapshot.totals]),
    )


def _sums(rows: Iterable[Counters]) -> dict[str, int | None]:
    """Add up counters; a sum with something unknown in it is unknown."""
    rows = list(rows)
    sums: dict[str, int | None] = {}
    for field in dataclasses.fields(Counters):
        counts = [getattr(row, field.name) for row in rows]
        sums[field.name] = None if None in counts else sum(counts)
    return sums
