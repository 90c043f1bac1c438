"""The documented API, method by method, against real traffic over two interfaces."""

import os
import socket
import subprocess
import sys
import time

import netprocmon
import pytest
from netprocmon import D_RECV, D_SEND, P_TCP, P_UDP, Monitor, NetworkTraffic
from traffic import exchange

ME = os.getpid()


def counts(monitor, pid=ME):
    return {one.interface: one for one in monitor.get_count_by_pid(pid)}


def test_constants():
    assert P_TCP == socket.IPPROTO_TCP == 6
    assert P_UDP == socket.IPPROTO_UDP == 17
    assert D_SEND != D_RECV


def test_what_a_count_looks_like():
    count = NetworkTraffic(interface="eth1", recv=2302, pid=586, send=6806)
    assert str(count) == "NetworkTraffic(interface=eth1, recv=2302, pid=586, send=6806)"
    assert [count.interface, count.recv, count.pid, count.send] == ["eth1", 2302, 586, 6806]


@pytest.mark.root
def test_a_record_for_each_interface_and_a_restriction_to_one(links):
    first, second = links
    with first.serve() as one, second.serve() as other, Monitor() as monitor:
        monitor.add_pid(ME)
        monitor.start()
        one.send(100_000)
        other.send(7_000)
        found = counts(monitor)
        assert found.keys() == {first.interface, second.interface}
        big, small = found[first.interface], found[second.interface]
        assert big.pid == small.pid == ME
        # Payload, and at most some 6 % of headers: an IPv4 and a TCP header in front of 1448 bytes.
        assert 100_000 < big.send < 106_000
        assert 7_000 < small.send < 7_700
        assert 0 < small.recv < 1_000

        monitor.add_address(second.here)
        assert counts(monitor).keys() == {second.interface}
        one.send(50_000)
        other.send(1_000)
        assert counts(monitor).keys() == {second.interface}
        assert monitor.get_addresses() == [second.here]
        assert monitor.get_listen_addrs().count(second.here) == 1
        assert first.here not in monitor.get_listen_addrs()
        assert monitor.get_listen_interfaces() == [second.interface]
        assert monitor.get_listen_interface_by_addr(second.here) == second.interface
        assert monitor.get_listen_interface_by_addr(first.here) is None

        monitor.remove_address(second.here)
        assert counts(monitor).keys() == {first.interface, second.interface}
        monitor.add_address(first.here)
        monitor.add_address(first.here6)
        assert monitor.get_listen_interfaces() == [first.interface]
        monitor.clear_addresses()
        assert monitor.get_addresses() == []
        assert monitor.get_listen_interface_by_addr(first.here6) == first.interface
        assert {first.interface, second.interface, "lo"} <= set(monitor.get_listen_interfaces())


@pytest.mark.root
def test_counts_are_the_interfaces_own(links):
    link, _ = links
    with link.serve() as server, Monitor(ME) as monitor:
        before = device(link)
        server.send(1_000_000)
        after = device(link)
        count = counts(monitor)[link.interface]
        # The device counts 14 bytes of Ethernet in front of each packet (or buffer).
        snapshot = monitor.snapshot()
        (interface,) = [one for one in snapshot.interfaces if one.name == link.interface]
        assert interface.explained_sent == pytest.approx(1, abs=0.001)
        sent = after["tx_bytes"] - before["tx_bytes"]
        recv = after["rx_bytes"] - before["rx_bytes"]
        buffers_sent = after["tx_packets"] - before["tx_packets"]
        buffers_recv = after["rx_packets"] - before["rx_packets"]
        # To within 2 kB: ARP, and packets in time-wait, are no process's.
        assert interface.counted.bytes_sent == pytest.approx(sent - 14 * buffers_sent, abs=2000)
        assert interface.counted.bytes_recv == pytest.approx(recv - 14 * buffers_recv, abs=2000)
        assert count.send > 1_000_000


def device(link):
    root = f"/sys/class/net/{link.interface}/statistics"
    found = {}
    for name in ("tx_bytes", "rx_bytes", "tx_packets", "rx_packets"):
        with open(f"{root}/{name}") as file:
            found[name] = int(file.read())
    return found


@pytest.mark.root
def test_ipv6_and_udp(links):
    link, _ = links
    with (
        link.serve(host=link.there6) as stream,
        link.serve(udp=True, host=link.there6) as datagrams,
        Monitor(ME) as monitor,
    ):
        stream.send(20_000)
        before = counts(monitor)[link.interface]
        assert before.send > 20_000
        datagrams.echo(1000)
        after = counts(monitor)[link.interface]
        # IPv6 header, UDP header, 1000 bytes; exactly, both ways.
        assert after.send - before.send == 40 + 8 + 1000
        assert after.recv - before.recv == 40 + 8 + 1000


@pytest.mark.root
def test_restriction_by_an_ipv6_address(links):
    first, second = links
    with (
        first.serve(host=first.there6) as one,
        second.serve(host=second.there6) as other,
        Monitor(addresses=[first.here6]) as monitor,
    ):
        monitor.add_pid(ME)
        one.send(3_000)
        other.send(3_000)
        assert counts(monitor).keys() == {first.interface}
        # As everybody writes it, however it was given.
        assert monitor.get_addresses() == [first.here6]
        assert monitor.get_listen_interface_by_addr(first.here6.upper()) == first.interface


@pytest.mark.root
def test_cumulative_since_add_pid_or_start():
    with Monitor() as monitor:
        exchange(50_000)
        monitor.add_pid(ME)
        assert monitor.get_count_by_pid(ME) == []
        exchange(10_000)
        exchange(10_000)
        (count,) = monitor.get_count_by_pid(ME)
        assert 20_000 < count.send < 22_000
        assert count.send == count.recv
        monitor.start()
        assert monitor.get_count_by_pid(ME) == []
        exchange(1_000)
        assert 1_000 < counts(monitor)["lo"].send < 2_000


@pytest.mark.root
def test_pids_are_added_listed_removed_and_cleared():
    child = subprocess.Popen(["sleep", "1000"])
    try:
        with Monitor() as monitor:
            assert monitor.get_pids() == []
            monitor.add_pid(child.pid)
            monitor.add_pid(ME)
            monitor.add_pid(ME)
            assert monitor.get_pids() == sorted([ME, child.pid])
            monitor.get_pids().clear()
            assert len(monitor.get_pids()) == 2
            monitor.remove_pid(child.pid)
            assert monitor.get_pids() == [ME]
            with pytest.raises(netprocmon.NoSuchProcess, match="is not watched"):
                monitor.remove_pid(child.pid)
            monitor.clear_pids()
            assert monitor.get_pids() == []
    finally:
        child.kill()
        child.wait()


@pytest.mark.root
def test_a_removed_process_has_lost_its_counts():
    with Monitor() as monitor:
        monitor.add_pid(ME)
        exchange(9_000)
        monitor.remove_pid(ME)
        monitor.add_pid(ME)
        assert monitor.get_count_by_pid(ME) == []


@pytest.mark.root
def test_a_watched_process_that_exits_keeps_its_counts(links):
    link, _ = links
    script = (
        "import socket, sys; sys.stdin.readline();"
        f"c = socket.create_connection(({link.there!r}, int(sys.argv[1])));"
        "c.sendall(b'x' * 5000); c.shutdown(1); c.recv(8)"
    )
    with link.serve() as server, Monitor() as monitor:
        child = subprocess.Popen(
            [sys.executable, "-c", script, str(server.port)], stdin=subprocess.PIPE
        )
        monitor.add_pid(child.pid)
        child.communicate(b"\n")
        for _ in range(3):
            (count,) = monitor.get_count_by_pid(child.pid)
            assert 5_000 < count.send < 6_000
            assert count.interface == link.interface
            monitor.snapshot()
        assert monitor.get_pids() == [child.pid]
        monitor.remove_pid(child.pid)
        with pytest.raises(ProcessLookupError):
            monitor.add_pid(child.pid)


def test_a_pid_that_does_not_exist_raises():
    monitor = Monitor()
    for ask in (monitor.add_pid, monitor.get_ports_by_pid, monitor.remove_pid):
        with pytest.raises(ProcessLookupError) as caught:
            ask(4_000_000_000)
        assert isinstance(caught.value, netprocmon.NoSuchProcess)
        with pytest.raises(ProcessLookupError):
            ask(2**70)
    with pytest.raises(ProcessLookupError):
        Monitor(4_000_000_000)


@pytest.mark.root
def test_a_pid_that_does_not_exist_has_no_counts(monitor):
    with pytest.raises(ProcessLookupError, match="no process has the pid 4000000000"):
        monitor.get_count_by_pid(4_000_000_000)


def test_ports_without_counting():
    monitor = Monitor()
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp,
    ):
        udp.bind(("::1", 0))
        tcp_port, udp_port = tcp.getsockname()[1], udp.getsockname()[1]
        assert monitor.get_pid_by_port(P_TCP, tcp_port) == ME
        assert monitor.get_pid_by_port(P_UDP, udp_port) == ME
        assert {tcp_port, udp_port} <= set(monitor.get_ports_by_pid(ME))
        assert tcp_port in monitor.get_ports_by_proto(P_TCP)
        assert udp_port in monitor.get_ports_by_proto(P_UDP)
        assert {tcp_port, udp_port} <= set(monitor.get_ports())
        if tcp_port != udp_port:
            assert monitor.get_pid_by_port(P_UDP, tcp_port) != ME
    assert monitor.get_pid_by_port(P_TCP, tcp_port) is None
    assert tcp_port not in monitor.get_ports_by_pid(ME)
    assert "lo" in monitor.get_listen_interfaces()
    assert "127.0.0.1" in monitor.get_listen_addrs()
    assert monitor.get_listen_interface_by_addr("127.0.0.1") == "lo"


def test_restrictions_before_the_start():
    monitor = Monitor()
    monitor.add_address("127.0.0.1")
    assert monitor.get_addresses() == ["127.0.0.1"]
    assert monitor.get_listen_interfaces() == ["lo"]
    monitor.get_addresses().append("10.0.0.1")
    assert monitor.get_addresses() == ["127.0.0.1"]
    with pytest.raises(netprocmon.NoSuchAddress, match="no interface has the address 203"):
        monitor.add_address("203.0.113.9")
    with pytest.raises(netprocmon.NoSuchAddress, match="was not added"):
        monitor.remove_address("203.0.113.9")
    monitor.remove_address("127.0.0.1")
    monitor.add_pid(ME)
    assert monitor.get_pids() == [ME]
    monitor.clear_pids()
    assert monitor.get_pids() == []


@pytest.mark.root
def test_two_monitors_share_nothing():
    with Monitor() as one, Monitor() as other:
        one.add_pid(ME)
        one.add_address("127.0.0.1")
        exchange(4_000)
        other.add_pid(ME)
        assert other.get_addresses() == []
        exchange(1_000)
        first, second = counts(one)["lo"], counts(other)["lo"]
        assert 5_000 < first.send < 7_000
        assert 1_000 < second.send < 2_000
        one.close()
        exchange(1_000)
        assert 2_000 < counts(other)["lo"].send < 4_000


@pytest.mark.root
def test_after_close():
    monitor = Monitor(ME)
    with monitor:
        exchange(100)
    monitor.close()
    asks = [
        lambda: monitor.get_count_by_pid(ME),
        lambda: monitor.get_pids(),
        lambda: monitor.add_pid(ME),
        lambda: monitor.get_ports(),
        lambda: monitor.snapshot(),
        lambda: monitor.start(),
        lambda: monitor.fileno(),
        lambda: monitor.stream(),
        lambda: monitor.__enter__(),
        lambda: monitor.health,
    ]
    for ask in asks:
        with pytest.raises(ValueError, match="the monitor is closed"):
            ask()


@pytest.mark.root
def test_the_example_session_runs_as_a_script(links, tmp_path):
    """The session of the documentation, with this host's pid and address, and Ctrl-C at its end."""
    link, other = links
    session = f"""
import time
from netprocmon import Monitor
pid = {ME}
with Monitor() as a:
    a.add_pid(pid)
    a.add_address("{link.here}")     # optional
    a.start()
    while True:
        time.sleep(0.2)
        print([str(n) for n in a.get_count_by_pid(pid)])
"""
    script = tmp_path / "session.py"
    script.write_text(session)
    with link.serve() as server, other.serve() as elsewhere:
        process = subprocess.Popen(
            [sys.executable, "-u", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout.readline() == "[]\n"
        server.send(6_000)
        elsewhere.send(6_000)
        deadline = time.monotonic() + 20
        line = "[]\n"
        while line == "[]\n" and time.monotonic() < deadline:
            line = process.stdout.readline()
        (shown,) = eval(line)
        assert shown.startswith(f"NetworkTraffic(interface={link.interface}, recv=")
        assert f", pid={ME}, send=6" in shown
        process.send_signal(2)
        _, errors = process.communicate(timeout=20)
        assert "KeyboardInterrupt" in errors
        assert process.returncode == -2
