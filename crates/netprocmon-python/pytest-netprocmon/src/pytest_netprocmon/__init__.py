"""What each test sends and receives: a fixture, two marks and a report.

Counted are this process, all its threads and its children, while the test itself runs (not its
fixtures). One monitor serves the whole session; it starts with the first test that needs it.
"""

from __future__ import annotations

import ipaddress
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import netprocmon
import pytest

from pytest_netprocmon._limits import Limit, forbidden

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from pytest_netprocmon._limits import Network

__all__ = ["NetworkUsage"]

_PROPERTY = "netprocmon"


class NetworkUsage:
    """What the running test has moved so far: the fixture `network_usage`.

    Each number is `None` where this host cannot tell.
    """

    def __init__(self, monitor: netprocmon.Monitor) -> None:
        """Begin now."""
        self._monitor = monitor
        self._before = monitor.snapshot()

    def reset(self) -> None:
        """Begin again."""
        self._before = self._monitor.snapshot()

    @property
    def snapshot(self) -> netprocmon.Snapshot:
        """All there is to know of it: processes, connections, interfaces."""
        return self._monitor.snapshot() - self._before

    @property
    def bytes_sent(self) -> int | None:
        """Wire bytes sent."""
        return self.snapshot.totals.bytes_sent

    @property
    def bytes_recv(self) -> int | None:
        """Wire bytes received."""
        return self.snapshot.totals.bytes_recv

    @property
    def payload_sent(self) -> int | None:
        """Application bytes sent."""
        return self.snapshot.totals.payload_sent

    @property
    def payload_recv(self) -> int | None:
        """Application bytes received."""
        return self.snapshot.totals.payload_recv


class _Plugin:
    """One session's monitor and results."""

    def __init__(self, config: pytest.Config) -> None:
        self._monitor: netprocmon.Monitor | None = None
        self._trouble: str | None = None
        self._required: bool = config.getini("netprocmon_required")
        self._json: str | None = config.getoption("netprocmon_json")
        self._top: int | None = config.getoption("netprocmon_top")
        self._measures_all = bool(
            config.getoption("netprocmon") or self._json or self._top is not None
        )
        self._results: list[dict[str, Any]] = []

    def monitor(self) -> netprocmon.Monitor | None:
        """Give the monitor, started at its first use; `None` where nothing can be counted."""
        if self._monitor is None and self._trouble is None:
            try:
                # The other sources do not know of every packet of a test, or of its children.
                self._monitor = netprocmon.Monitor(
                    os.getpid(),
                    follow_children=True,
                    connections=True,
                    keep_ended=True,
                    source="ebpf",
                ).start()
            except netprocmon.Error as error:
                remedy = f"; {error.remedy}" if error.remedy else ""
                self._trouble = f"{error}{remedy}"
        return self._monitor

    def needed(self) -> netprocmon.Monitor:
        """Give the monitor to a test that asks for it; skip it where there is none."""
        monitor = self.monitor()
        if monitor is None:
            message = f"the network usage cannot be counted: {self._trouble}"
            if self._required:
                pytest.fail(message, pytrace=False)
            pytest.skip(message)
        return monitor

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Count around the test, and hold it to its marks."""
        limits = [Limit.of(mark) for mark in item.iter_markers("limit_network")]
        allowed = [_networks(mark) for mark in item.iter_markers("no_network")]
        if limits or allowed:
            monitor: netprocmon.Monitor | None = self.needed()
        else:
            monitor = self.monitor() if self._measures_all else None
        if monitor is None:
            return (yield)
        before = monitor.snapshot()
        try:
            result = yield
        finally:
            moved = monitor.snapshot() - before
            if self._measures_all:
                item.user_properties.append((_PROPERTY, _row(item.nodeid, moved)))
        for limit in limits:
            limit.check(moved.totals)
        for networks in allowed:
            if complaint := forbidden(moved, networks):
                pytest.fail(complaint, pytrace=False)
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect what was measured, here or in another process (pytest-xdist)."""
        if report.when == "call":
            rows = [value for name, value in report.user_properties if name == _PROPERTY]
            self._results += [row for row in rows if isinstance(row, dict)]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say which tests moved the most."""
        if not self._measures_all:
            return
        if self._trouble is not None:
            line = f"netprocmon: nothing was measured: {self._trouble}"
            terminalreporter.write_line(line, yellow=True)
        if self._json is not None:
            report = {"schema": 1, "type": "pytest", "tests": self._results}
            Path(self._json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        if not self._results:
            return
        count = 10 if self._top is None else self._top
        hungriest = sorted(self._results, key=_bytes, reverse=True)[:count]
        terminalreporter.write_sep("=", f"the {len(hungriest)} hungriest tests")
        terminalreporter.write_line(f"{'SENT':>12} {'RECV':>12}  TEST")
        for row in hungriest:
            sent, recv = _number(row["bytes_sent"]), _number(row["bytes_recv"])
            terminalreporter.write_line(f"{sent:>12} {recv:>12}  {row['nodeid']}")

    def pytest_unconfigure(self) -> None:
        """Stop counting."""
        if self._monitor is not None:
            self._monitor.close()


def _row(nodeid: str, moved: netprocmon.Snapshot) -> dict[str, Any]:
    totals: dict[str, Any] = moved.to_dict()["totals"]
    return {"nodeid": nodeid, "seconds": moved.elapsed_seconds, **totals}


def _bytes(row: dict[str, Any]) -> int:
    return (row["bytes_sent"] or 0) + (row["bytes_recv"] or 0)


def _number(count: int | None) -> str:
    return "-" if count is None else f"{count:,}"


def _networks(mark: pytest.Mark) -> list[Network]:
    allow: Iterable[str] = mark.kwargs.get("allow", mark.args[0] if mark.args else ())
    try:
        return [ipaddress.ip_network(network, strict=False) for network in allow]
    except ValueError as error:
        message = f"no_network(allow=…) takes addresses and networks: {error}"
        raise pytest.UsageError(message) from None


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("netprocmon", "what tests send and receive")
    group.addoption(
        "--netprocmon", action="store_true", help="count every test, and report the hungriest"
    )
    group.addoption(
        "--netprocmon-top", type=int, metavar="N", help="report so many tests (default: 10)"
    )
    group.addoption("--netprocmon-json", metavar="FILE", help="write what every test moved to FILE")
    parser.addini(
        "netprocmon_required",
        "fail instead of skip what cannot be counted here",
        type="bool",
        default=False,
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marks known."""
    config.addinivalue_line(
        "markers",
        'limit_network(size, direction="both"): fail a test that moves more wire bytes: '
        '"1 MB", "10 KiB" or a number; direction "sent", "recv" or "both"',
    )
    config.addinivalue_line(
        "markers",
        "no_network(allow=[]): fail a test that talks to anybody but these addresses and networks",
    )
    config.pluginmanager.register(_Plugin(config), "netprocmon-session")


@pytest.fixture
def network_usage(request: pytest.FixtureRequest) -> NetworkUsage:
    """Count what this test sends and receives from here on."""
    plugin = request.config.pluginmanager.get_plugin("netprocmon-session")
    assert isinstance(plugin, _Plugin)  # noqa: S101  # registered above
    return NetworkUsage(plugin.needed())
