"""What cannot be meant is refused at once, with words; nothing here needs privilege."""

import os
import subprocess
import sys

import netprocmon
import pytest
from netprocmon import Monitor, measure


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Monitor(interval=0), ValueError, "above 0"),
        (lambda: Monitor(interval=-1), ValueError, "above 0"),
        (lambda: Monitor(interval=float("nan")), ValueError, "above 0"),
        (lambda: Monitor(interval=float("inf")), ValueError, "above 0"),
        (lambda: Monitor(interval="soon"), ValueError, "soon"),
        (lambda: Monitor(source="magic"), ValueError, "unknown source 'magic'"),
        (lambda: Monitor(names="nginx"), TypeError, r"give a list, \['nginx'\]"),
        (lambda: Monitor(interfaces="eth0"), TypeError, "give a list"),
        (lambda: Monitor(names=[3]), TypeError, "names are strings, not 3"),
        (lambda: Monitor(""), ValueError, "empty"),
        (lambda: Monitor(0), ValueError, "a pid is above 0"),
        (lambda: Monitor(-5), ValueError, "a pid is above 0: -5"),
        (lambda: Monitor(True), TypeError, "a pid or a process object"),
        (lambda: Monitor(3.5), TypeError, "a pid or a process object"),
        (lambda: Monitor(None), TypeError, "a pid or a process object"),
        (lambda: Monitor().add_pid("nginx"), TypeError, "a pid or a process object"),
        (lambda: Monitor().add_address("localhost"), ValueError, "localhost"),
        (lambda: Monitor().add_address(""), ValueError, "IPv4 or IPv6"),
        (lambda: Monitor().add_address(1), TypeError, "an address is a string"),
        (lambda: Monitor().get_pid_by_port(6, 70_000), ValueError, "0 to 65535"),
        (lambda: Monitor().get_pid_by_port(300, 80), ValueError, "P_TCP, P_UDP"),
        (lambda: Monitor().get_ports_by_proto("tcp"), TypeError, "str"),
        (lambda: Monitor().get_ports_by_proto(-1), ValueError, "P_TCP, P_UDP"),
        (lambda: netprocmon.Snapshot(None), TypeError, "come from Monitor.snapshot"),
        (lambda: netprocmon.connections("nginx"), TypeError, "a pid or a process object"),
    ],
)
def test_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_whatever_has_a_pid_is_a_target():
    child = subprocess.Popen(["sleep", "1000"])
    try:
        assert Monitor(child, os.getpid()).get_pids() == sorted([child.pid, os.getpid()])
    finally:
        child.kill()
        child.wait()


def test_what_it_looks_like():
    assert repr(Monitor()) == "<Monitor of the whole host: not started>"
    assert repr(Monitor(os.getpid(), "curl")) == f"<Monitor of {os.getpid()}, 'curl': not started>"
    with Monitor("x") if os.geteuid() == 0 else Monitor() as monitor:
        assert "counting" in repr(monitor)
    assert "closed" in repr(monitor)


def test_a_generator_is_not_measured_by_mistake():
    with pytest.raises(TypeError, match="is a generator"):

        @measure
        def numbers():
            yield 1


def test_nothing_was_measured_yet():
    with pytest.raises(RuntimeError, match="nothing was measured yet"):
        _ = measure().usage


def test_no_run_time_dependencies_and_nothing_needless_imported():
    code = (
        "import sys; before = set(sys.modules); import netprocmon; "
        "print(*sorted({m.partition('.')[0] for m in set(sys.modules) - before}))"
    )
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"asyncio", "subprocess", "prometheus_client", "IPython"} & set(loaded)
    assert all(name in sys.stdlib_module_names or name == "netprocmon" for name in loaded)


@pytest.mark.root
def test_what_is_not_there_is_refused_before_anything_is_attached():
    with pytest.raises(netprocmon.NoSuchInterface, match="no interface is called") as caught:
        Monitor(interfaces=["no such one"]).start()
    assert caught.value.remedy == "list the interfaces: ip link"
    assert "ip link" in caught.value.__notes__[0]
