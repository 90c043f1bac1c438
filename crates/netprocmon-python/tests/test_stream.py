"""Samples one after the other: for, async for, callbacks, event loops, Ctrl-C, and the end."""

import asyncio
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import netprocmon
import pytest
from netprocmon import Monitor, Snapshot
from traffic import exchange, until

pytestmark = pytest.mark.root

ME = os.getpid()


def test_iteration():
    with Monitor(ME, interval=0.02) as monitor:
        seen = []
        for snapshot in monitor:
            exchange(1_000)
            seen.append(snapshot.totals.payload_sent)
            if len(seen) == 4:
                break
        assert seen == [0, 1_000, 2_000, 3_000]
        stream = monitor.stream(0.03)
        assert stream.interval == 0.03
        assert isinstance(next(stream), Snapshot)
        stream.close()
        assert list(stream) == []


def test_each_stream_has_its_own_pace(monitor):
    fast, slow = monitor.stream(0.01), monitor.stream(3600)
    for _ in range(3):
        next(fast)
    assert not select.select([slow], [], [], 0)[0] or slow._take() is None


def test_a_stream_ends_with_its_monitor():
    monitor = Monitor(ME).start()
    for snapshot in (stream := monitor.stream(0.01)):
        assert snapshot
        monitor.close()
    assert list(stream) == []
    # One that waits for a long time is woken.
    monitor = Monitor(ME).start()
    ended = threading.Event()

    def read():
        for _ in monitor.stream(3600):
            pass
        ended.set()

    reader = threading.Thread(target=read)
    reader.start()
    until(lambda: monitor._readers)
    monitor.close()
    assert ended.wait(20)
    reader.join()


def test_the_descriptor_and_try_sample():
    with Monitor(ME, interval=0.05) as monitor:
        assert monitor.fileno() == monitor.fileno()

        def sample():
            assert select.select([monitor], [], [], 20)[0]
            return monitor.try_sample()

        exchange(77)
        taken = until(sample)
        assert taken.totals.payload_sent == 77


def test_async_with_and_async_for():
    async def main():
        ticks = 0

        async def heartbeat():
            nonlocal ticks
            while True:
                await asyncio.sleep(0.001)
                ticks += 1

        beat = asyncio.create_task(heartbeat())
        async with Monitor(ME, interval=0.05) as monitor:
            seen = []
            async for snapshot in monitor:
                seen.append(snapshot)
                if len(seen) == 3:
                    break
            assert ticks > 3  # the event loop went on
            # Two at once, and one that is given up.
            first, second = monitor.stream(0.02), monitor.stream(0.03)
            one, other = await asyncio.gather(anext(first), anext(second))
            assert isinstance(one, Snapshot)
            assert isinstance(other, Snapshot)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(monitor.stream(3600)), 0.02)
            # A stream that waits ends with the monitor.
            waiting = asyncio.create_task(anext(monitor.stream(3600), "the end"))
            await asyncio.sleep(0)
        assert await waiting == "the end"
        beat.cancel()

    asyncio.run(main())


def test_on_sample():
    with Monitor(ME, interval=0.01) as monitor:
        got = []
        subscription = monitor.on_sample(got.append)
        exchange(500)
        until(lambda: got and got[-1].totals.payload_sent == 500)
        assert subscription.active
        subscription.stop()
        assert not subscription.active
        after = len(got)
        time.sleep(0.05)
        assert len(got) == after
        with pytest.raises(TypeError, match="a callback is called"):
            monitor.on_sample(3)
        # From within itself, and by the end of the monitor.
        own = monitor.on_sample(lambda _: own.stop(), interval=0.001)
        until(lambda: not own.active)
        last = monitor.on_sample(got.append)
    assert not last.active


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_callback_that_raises_ends_and_is_heard(monkeypatch):
    heard = []
    monkeypatch.setattr(threading, "excepthook", lambda args: heard.append(args.exc_value))
    with Monitor(ME, interval=0.01) as monitor:
        subscription = monitor.on_sample(lambda _: 1 / 0)
        until(lambda: not subscription.active)
    assert isinstance(heard[0], ZeroDivisionError)


FOREVER = {
    "for": """
for snapshot in Monitor(interval=3600).stream():
    pass
""",
    "async for": """
import asyncio
async def main():
    async with Monitor(interval=3600) as monitor:
        async for _ in monitor:
            pass
asyncio.run(main())
""",
    "callback": """
import time
monitor = Monitor(interval=0.01)
monitor.on_sample(lambda snapshot: None)
time.sleep(3600)
""",
}


@pytest.mark.parametrize("body", FOREVER.values(), ids=FOREVER.keys())
def test_ctrl_c(body):
    code = f"from netprocmon import Monitor\nprint('ready', flush=True)\n{body}"
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "ready\n"
    # Wherever it is, importing or waiting.
    until(lambda: is_waiting(child.pid))
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=20)
    assert child.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in errors


def is_waiting(pid):
    return "State:\tS" in Path(f"/proc/{pid}/status").read_text()


def test_a_program_that_ends_with_a_subscription_open_ends_well():
    code = (
        "import netprocmon\nm = netprocmon.Monitor(interval=0.001)\n"
        "seen = []\nm.on_sample(seen.append)\n"
        "while len(seen) < 5: pass\n"
    )
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, b"")


def test_health(monitor):
    health = monitor.health
    assert health.source == "ebpf"
    assert health.ok is (not health.degradations)
    assert all(isinstance(one, netprocmon.Degradation) for one in health.degradations)
