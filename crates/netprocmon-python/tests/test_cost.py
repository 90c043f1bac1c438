"""What it costs, with figures: `cargo xtask python --release -- -m bench -s`."""

import os
import resource
import socket
import statistics
import subprocess
import sys
import time

import pytest
from netprocmon import Monitor

pytestmark = [pytest.mark.bench, pytest.mark.root]


def milliseconds(work, times=21):
    took = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took), min(took), max(took)


def tell(what, figures, target):
    median, least, most = figures
    print(f"\n{what}: {median:.2f} ms ({least:.2f}-{most:.2f}), target {target} ms")
    assert median <= target


class Crowd:
    """So many processes that each send a datagram when they are told."""

    def __init__(self, size):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
        self.sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sink.bind(("127.0.0.1", 0))
        self.done, done = os.pipe()
        self.tell = []
        self.pids = []
        for _ in range(size):
            read, write = os.pipe()
            pid = os.fork()
            if pid == 0:
                os.close(write)  # or it would never read the end
                self.work(read, done)
            os.close(read)
            self.pids.append(pid)
            self.tell.append(write)

    def work(self, read, done):
        for write in self.tell:
            os.close(write)
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        while os.read(read, 1):
            client.sendto(b"x", self.sink.getsockname())
            os.write(done, b".")
        os._exit(0)

    def send(self):
        for write in self.tell:
            os.write(write, b".")
        left = len(self.tell)
        while left:
            left -= len(os.read(self.done, left))

    def end(self):
        for write in self.tell:
            os.close(write)
        for pid in self.pids:
            os.waitpid(pid, 0)
        self.sink.close()


def test_a_snapshot_of_1000_processes():
    crowd = Crowd(1000)
    try:
        with Monitor(connections=False) as monitor:
            crowd.send()
            assert len(monitor.snapshot()) >= 1000
            tell("snapshot(), 1,000 processes at rest", milliseconds(monitor.snapshot), 2)
            took = []
            for _ in range(11):
                crowd.send()
                took.append(milliseconds(monitor.snapshot, 1)[0])
            active = statistics.median(took), min(took), max(took)
            tell("snapshot(), 1,000 processes that each sent", active, 2)
            snapshot = monitor.snapshot()
            tell("snapshot.top(5), 1,000 processes", milliseconds(lambda: snapshot.top(5)), 5)
            print(f"\nall rows converted: {milliseconds(lambda: list(snapshot))[0]:.2f} ms")
    finally:
        crowd.end()


def test_top_of_10_000():
    with Monitor(os.getpid(), follow_children=True, keep_ended=True, connections=False) as monitor:
        sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sink.bind(("127.0.0.1", 0))
        for _ in range(10_000):
            pid = os.fork()
            if pid == 0:
                sink.sendto(b"x", sink.getsockname())
                os._exit(0)
            os.waitpid(pid, 0)
        snapshot = monitor.snapshot()
        assert len(snapshot) >= 10_000
        sink.close()
        tell("top(5) of 10,000", milliseconds(lambda: snapshot.top(5)), 5)
        tell('top(5, by="rate") of 10,000', milliseconds(lambda: snapshot.top(5, by="rate")), 5)


def test_import():
    code = "import time; t = time.perf_counter(); import netprocmon; print(time.perf_counter() - t)"

    def once():
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        return float(run.stdout) * 1000

    once()
    took = [once() for _ in range(11)]
    tell("import netprocmon", (statistics.median(took), min(took), max(took)), 50)
