"""Threads, forks, many monitors, and a user who may not."""

import contextlib
import ctypes
import gc
import json
import multiprocessing
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
import traceback
import weakref

import netprocmon
import pytest
from netprocmon import Monitor, MonitorClosed, MonitorForked
from traffic import exchange, until

pytestmark = pytest.mark.root

ME = os.getpid()


def in_child(work):
    """Run this in a forked child; what it raises is raised here."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(read)
            work()
            status = 0
        except BaseException:
            os.write(write, traceback.format_exc().encode())
        finally:
            os._exit(status)
    os.close(write)
    with os.fdopen(read) as said:
        complaint = said.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, complaint


def programs():
    """Count the programs that this process holds in the kernel."""
    count = 0
    for fd in os.listdir("/proc/self/fd"):
        try:
            count += "bpf-prog" in os.readlink(f"/proc/self/fd/{fd}")
        except FileNotFoundError:
            continue
    return count


def test_a_forked_child_is_told_and_harms_nothing(monitor):
    stream = monitor.stream(0.01)

    def child():
        for ask in (
            monitor.snapshot,
            monitor.get_pids,
            lambda: monitor.get_count_by_pid(ME),
            lambda: next(stream),
            monitor.stream,
            monitor.__enter__,
        ):
            try:
                ask()
            except MonitorForked as error:
                assert "forked from" in str(error)
                assert error.remedy
            else:
                raise AssertionError(ask)
        with stream:
            pass
        monitor.close()
        assert programs() == 0, "the child keeps the parent's programs alive"
        with Monitor(os.getpid()) as own:
            exchange(321)
            assert own.snapshot().totals.payload_sent == 321

    in_child(child)
    exchange(1_000)
    assert monitor.snapshot().totals.payload_sent == 1_000
    for _ in range(3):  # the child's end of the stream has not stopped the timer
        assert next(stream).process(ME).payload_sent == 1_000


def test_multiprocessing_both_ways():
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        with Monitor(ME, follow_children=True, keep_ended=True) as monitor:
            before = monitor.snapshot()
            worker = context.Process(target=exchange, args=(2_000,))
            worker.start()
            worker.join()
            assert worker.exitcode == 0
            if method != "forkserver":  # whose workers are the server's children, if it lives
                (row,) = [one for one in monitor.snapshot() - before if one.pid == worker.pid]
                assert row.payload_sent == 2_000


def test_records_go_through_a_pool(monitor):
    exchange(10)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(pickle.dumps, [monitor.snapshot()[0]])
    for whole in (monitor, monitor.snapshot()):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(whole)


def test_many_threads_use_one_monitor(monitor):
    stop = threading.Event()
    failures = []

    def use():
        try:
            while not stop.is_set():
                monitor.snapshot().top(3)
                monitor.get_count_by_pid(ME)
                monitor.add_pid(ME)
                monitor.add_address("127.0.0.1")
                monitor.get_ports_by_pid(ME)
                monitor.clear_addresses()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    process = monitor.spawn(["true"])
    process.wait()
    for snapshot in monitor.stream(0.05):
        if snapshot.elapsed_seconds > 1:
            break
    stop.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert failures == []


def test_closing_under_use_is_an_error_and_no_crash():
    for _ in range(3):
        monitor = Monitor(ME).start()
        ended = []

        def use(monitor=monitor, ended=ended):
            try:
                while True:
                    monitor.snapshot()
            except MonitorClosed:
                ended.append(True)

        threads = [threading.Thread(target=use) for _ in range(3)]
        for thread in threads:
            thread.start()
        monitor.snapshot()
        monitor.close()
        for thread in threads:
            thread.join(20)
        assert ended == [True] * 3


def test_other_threads_run_while_one_counts(monitor):
    counted = 0
    done = threading.Event()

    def count():
        nonlocal counted
        while not done.is_set():
            counted += 1

    thread = threading.Thread(target=count)
    thread.start()
    before = counted
    next(monitor.stream(0.2))
    assert counted > before
    done.set()
    thread.join()


def test_dropping_a_monitor_frees_it():
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    monitor = Monitor(ME).start()
    assert len(os.listdir("/proc/self/fd")) > before + 10
    assert not hasattr(Monitor, "__del__")
    gone = weakref.ref(monitor)
    del monitor
    gc.collect()
    assert gone() is None
    assert len(os.listdir("/proc/self/fd")) == before


def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_200_monitors_leave_nothing_behind():
    def one():
        with Monitor(ME, interval=0.5) as monitor:
            exchange(10)
            assert monitor.snapshot()[0].payload_sent == 10
            monitor.stream(1).close()

    one()
    descriptors = len(os.listdir("/proc/self/fd"))
    for _ in range(100):  # until the allocator has what it wants
        one()
    gc.collect()
    memory = resident()
    for _ in range(100):
        one()
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert resident() - memory < 4 << 20


NOBODY = 65534
PR_SET_DUMPABLE = 4  # <linux/prctl.h>


def as_nobody(work):
    def drop_and_work():
        "localhost".encode("idna")  # sockets need it, and nobody may not read where Python is
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        # As a program that this user had started: otherwise its own /proc is root's.
        assert ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1) == 0
        work()

    in_child(drop_and_work)


def test_another_user_is_told_what_is_missing():
    import ipaddress  # noqa: F401  # nobody may not read where it is

    def work():
        try:
            Monitor(source="ebpf").start()
        except PermissionError as error:
            assert isinstance(error, netprocmon.PermissionDenied)
            assert error.errno == 1
            assert "cap" in error.remedy.lower(), error.remedy
            assert "CAP" in str(error) or "cap" in str(error) or "permission" in str(error), error
        else:
            raise AssertionError("it was permitted")

    as_nobody(work)


def test_the_doctor_knows():
    diagnosis = netprocmon.doctor()
    assert diagnosis.source == "ebpf"
    assert diagnosis.best_works
    assert [one.source for one in diagnosis.sources] == ["ebpf", "packet", "sockdiag"]
    assert all(one.works and one.why is None for one in diagnosis.sources)
    assert diagnosis.kernel == os.uname().release
    assert "cap_bpf" in diagnosis.capabilities
    assert not set(diagnosis.capabilities) & set(diagnosis.missing_capabilities)
    assert diagnosis.namespaces.net in ("initial", "inner", "unknown")
    assert hash(diagnosis) == hash(pickle.loads(pickle.dumps(diagnosis)))

    # It is what the command says.
    def command(*arguments):
        asked = ["netprocmon", "doctor", *arguments]
        return subprocess.run(asked, capture_output=True, text=True, timeout=60)

    assert command().stdout == str(diagnosis)
    assert json.loads(command("--json").stdout) == diagnosis.to_dict()


def test_the_doctor_knows_what_another_user_lacks():
    def work():
        diagnosis = netprocmon.doctor()
        ebpf, packet, sockdiag = diagnosis.sources
        assert not ebpf.works
        assert not packet.works
        assert sockdiag.works
        assert diagnosis.source == "sockdiag"
        assert not diagnosis.best_works
        assert "cap_bpf" in ebpf.why
        assert {"cap_bpf", "cap_net_raw"} <= set(diagnosis.missing_capabilities)
        # A script is given no capabilities; the interpreter that runs it is.
        assert "cap_bpf" in ebpf.remedy
        assert "venv/bin/python" in ebpf.remedy
        assert ebpf.remedy in str(diagnosis)
        assert diagnosis.to_dict()["sources"][0]["remedy"] == ebpf.remedy

    as_nobody(work)


def test_another_user_counts_payload_and_is_told_what_it_is_not():
    def work():
        with Monitor(os.getpid(), interval=0.1) as monitor:
            assert monitor.health.source == "sockdiag"
            missing = [
                one for one in monitor.health.degradations if one.code == "missing_capability"
            ]
            assert len(missing) == 2
            assert all("venv/bin/python" in one.remedy for one in missing)
            with conversation(3_000):
                until(lambda: monitor.snapshot().totals.payload_sent == 3_000)
            totals = monitor.snapshot().totals
            assert totals.payload_recv == 3_000
            assert totals.bytes_sent is totals.bytes_recv is totals.bytes_total is None
            # Wire bytes are all that it could tell.
            raises_permission_denied(lambda: monitor.get_count_by_pid(os.getpid()))
        with netprocmon.measure() as cost, conversation(1_000):
            until(lambda: cost.usage.payload_sent == 1_000)
        assert cost.usage.payload_sent == 1_000
        assert cost.usage.bytes_sent is None

    as_nobody(work)


@contextlib.contextmanager
def conversation(size):
    """Move this over a connection that stays: whose a shorter one was, sockdiag cannot know."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as one,
        listener.accept()[0] as other,
    ):
        one.sendall(bytes(size))
        assert len(other.recv(size, socket.MSG_WAITALL)) == size
        yield


def raises_permission_denied(ask):
    try:
        ask()
    except netprocmon.PermissionDenied as error:
        assert "wire bytes" in str(error), error
        assert "cap_bpf" in error.remedy, error.remedy
    else:
        raise AssertionError("it was permitted")


def test_the_classic_monitor_of_another_user_does_not_start():
    def work():
        descriptors = len(os.listdir("/proc/self/fd"))
        monitor = Monitor()
        monitor.add_pid(os.getpid())
        raises_permission_denied(monitor.start)
        assert len(os.listdir("/proc/self/fd")) == descriptors
        with Monitor() as session:
            session.add_pid(os.getpid())
            raises_permission_denied(session.start)
        # Who asks for that source knows what it cannot tell.
        with Monitor(source="sockdiag") as asked:
            asked.add_pid(os.getpid())
            asked.start()
            with conversation(500):
                until(lambda: asked.get_count_by_pid(os.getpid()))
            (traffic,) = asked.get_count_by_pid(os.getpid())
            assert (traffic.interface, traffic.recv, traffic.send) == ("lo", None, None)

    as_nobody(work)


def test_what_needs_no_privilege_works_for_another_user():
    def work():
        monitor = Monitor(source="ebpf")
        monitor.add_pid(os.getpid())
        assert "lo" in monitor.get_listen_interfaces()
        assert isinstance(monitor.get_ports(), list)
        assert monitor.get_ports_by_pid(os.getpid()) == []
        assert netprocmon.connections(os.getpid()) == []
        try:
            netprocmon.connections(1)
        except netprocmon.PermissionDenied as error:
            assert error.remedy
        else:
            raise AssertionError("init's sockets were shown to nobody")

    as_nobody(work)


def test_the_example_of_a_worker_that_outlives_its_start():
    code = "import time; time.sleep(0.2)"
    with Monitor() as monitor:
        child = monitor.spawn([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
        assert child.wait() == 0
        until(lambda: monitor.snapshot().elapsed_seconds > 0)
        assert time.monotonic() > 0
