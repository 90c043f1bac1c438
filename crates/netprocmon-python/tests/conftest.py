"""What needs root, and the fixtures: a monitor of this process, two interfaces."""

import os
import shutil
from collections.abc import Iterator

import netprocmon
import pytest
from traffic import Link, ip

NEEDS_ROOT = "SKIPPED: needs root to count; `cargo xtask test` as root runs it"


def pytest_configure(config):
    config.addinivalue_line("markers", "root: needs the privilege to count")
    config.addinivalue_line("markers", "bench: measures; run with -m bench")


def pytest_collection_modifyitems(config, items):
    measured = "bench" in config.getoption("-m")
    for item in items:
        if item.get_closest_marker("root") and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason=NEEDS_ROOT))
        if item.get_closest_marker("bench") and not measured:
            item.add_marker(pytest.mark.skip(reason="SKIPPED: a measurement; run with -m bench"))


@pytest.fixture
def monitor() -> Iterator[netprocmon.Monitor]:
    """Watch this process."""
    with netprocmon.Monitor(os.getpid()) as watching:
        yield watching


@pytest.fixture(scope="session")
def links() -> Iterator[tuple[Link, Link]]:
    """Make two interfaces with a namespace behind each; names are this test run's own."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("SKIPPED: needs root and iproute2 to make interfaces")
    made = []
    try:
        for number in (1, 2):
            name = f"npm{os.getpid() % 100_000}{'ab'[number - 1]}"
            link = Link(
                interface=name,
                namespace=name,
                here=f"10.251.{number}.1",
                there=f"10.251.{number}.2",
                here6=f"fd51:{number}::1",
                there6=f"fd51:{number}::2",
            )
            ip("netns", "add", name)
            made.append(name)
            ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("address", "add", f"{link.here}/24", "dev", name)
            ip("address", "add", f"{link.here6}/64", "dev", name, "nodad")
            ip("link", "set", name, "up")
            ip("-n", name, "address", "add", f"{link.there}/24", "dev", "eth0")
            ip("-n", name, "address", "add", f"{link.there6}/64", "dev", "eth0", "nodad")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "link", "set", "lo", "up")
            made[-1] = link
        yield tuple(made)
    finally:
        for one in made:
            ip("netns", "delete", one if isinstance(one, str) else one.namespace)
