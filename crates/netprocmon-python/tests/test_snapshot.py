"""Snapshots: a sequence, its look-ups, filters, groups, differences, JSON and Arrow."""

import json
import os
import pickle
import subprocess
from collections.abc import Collection, Reversible
from datetime import UTC, datetime, timedelta

import netprocmon
import pytest
from netprocmon import Counters, FilterError, Monitor, NotCounted, Snapshot
from traffic import exchange

pytestmark = pytest.mark.root

ME = os.getpid()


@pytest.fixture
def snapshot(monitor):
    exchange(40_000)
    exchange(3_000, "::1")
    return monitor.snapshot()


def test_a_sequence(snapshot):
    (usage,) = snapshot
    assert isinstance(snapshot, Reversible)
    assert isinstance(snapshot, Collection)
    assert snapshot.count(usage) == 1
    assert len(snapshot) == 1
    assert snapshot[0] == snapshot[-1] == usage
    assert snapshot[:] == [usage] == list(snapshot.processes)
    assert snapshot[1:] == []
    assert list(reversed(snapshot)) == [usage]
    assert usage in snapshot
    assert snapshot.index(usage) == 0
    with pytest.raises(ValueError, match="not in the snapshot"):
        snapshot.index(usage.interfaces)
    for place in (1, -2):
        with pytest.raises(IndexError, match="out of range"):
            snapshot[place]
    with pytest.raises(TypeError):
        snapshot["x"]
    with pytest.raises(AttributeError):
        snapshot.time = None
    assert usage.pid == ME
    assert snapshot.process(ME) == usage
    assert snapshot.process(1 if ME != 1 else 2) is None
    assert pickle.loads(pickle.dumps(usage)) == usage
    assert "<Snapshot 20" in repr(snapshot)


def test_when_and_how_much(snapshot):
    assert snapshot.source == "ebpf"
    assert timedelta() <= datetime.now(UTC) - snapshot.time < timedelta(minutes=1)
    assert 0 < snapshot.elapsed_seconds < 60
    assert snapshot.totals.payload_sent == snapshot.totals.payload_recv == 43_000
    assert snapshot.lost_events == 0
    usage = snapshot[0]
    assert usage.payload_sent == 43_000
    assert {(one.protocol, one.ip_version): one.payload_sent for one in usage.protocols} == {
        ("tcp", 4): 40_000,
        ("tcp", 6): 3_000,
    }
    assert [one.name for one in usage.interfaces] == ["lo"]
    assert usage.started < snapshot.time


def test_connections(snapshot):
    connections = snapshot.connections()
    sent = [one for one in connections if one.direction == "out"]
    assert sorted(one.payload_sent for one in sent) == [3_000, 40_000]
    assert {one.pid for one in connections} == {ME}
    assert all(one.peer_pid == ME for one in sent)
    assert {one.remote.ip for one in sent} == {"127.0.0.1", "::1"}
    assert all(one.local.port for one in sent)
    assert all(one.opened <= one.closed for one in sent)


def test_where(snapshot):
    only = snapshot.where(f"pid={ME} and remote=::1")
    assert only.totals.payload_sent == 3_000
    assert snapshot.totals.payload_sent == 43_000
    assert len(snapshot.where("name=no-such-name")) == 0
    assert snapshot.where("") == snapshot
    with pytest.raises(FilterError) as caught:
        snapshot.where("name=x and wurst>5")
    assert caught.value.position == 11
    assert caught.value.text == "name=x and wurst>5"
    assert "wurst" in str(caught.value)


def test_group_by(snapshot):
    groups = snapshot.group_by("name", "protocol")
    totals = Counters(payload_sent=sum(group.payload_sent for group in groups))
    assert totals.payload_sent >= 43_000
    (mine,) = [group for group in groups if group.by == "name" and group.payload_sent]
    assert mine.key == mine.label == snapshot[0].name
    assert [(inner.by, inner.key, inner.payload_sent) for inner in mine.groups] == [
        ("protocol", "tcp", 43_000)
    ]
    remotes = {group.key: group.payload_sent for group in snapshot.group_by("remote")}
    assert sum(remotes.values()) == 43_000
    with pytest.raises(ValueError, match="cannot group by"):
        snapshot.group_by("colour")
    with pytest.raises(ValueError, match="give at least one"):
        snapshot.group_by()


def test_top(snapshot):
    assert snapshot.top(5) == [snapshot[0]]
    assert snapshot.top(0) == snapshot.top(-1) == []
    assert snapshot.top(1, by="rate_sent") == snapshot.top(1, by="retransmitted_packets")
    with pytest.raises(ValueError, match="cannot order by"):
        snapshot.top(1, by="size")


def test_difference(monitor, snapshot):
    exchange(1_234)
    later = monitor.snapshot()
    between = later - snapshot
    assert isinstance(between, Snapshot)
    assert between.totals.payload_sent == 1_234
    assert between[0].payload_recv == 1_234
    assert between.elapsed_seconds == pytest.approx(
        later.elapsed_seconds - snapshot.elapsed_seconds
    )
    assert between[0].rates.sent > 0
    assert sum(one.payload_sent for one in between.connections()) == 1_234
    with pytest.raises(ValueError, match="earlier snapshot of the same monitor"):
        snapshot - later
    with pytest.raises(TypeError):
        later - 5
    with Monitor(ME) as other, pytest.raises(ValueError, match="same monitor"):
        other.snapshot() - snapshot


def test_json_is_what_the_command_prints(snapshot):
    as_dict = snapshot.to_dict()
    assert as_dict == json.loads(snapshot.to_json())
    assert "\n" not in snapshot.to_json()
    assert as_dict["schema"] == 1
    assert as_dict["type"] == "snapshot"
    assert as_dict["processes"][0]["pid"] == ME
    # The records have what the JSON has, under the same names.
    shown = as_dict["processes"][0]
    for name, value in shown.items():
        record = getattr(snapshot[0], name)
        if name in ("started", "exited"):
            assert (record is None) == (value is None)
        elif name == "parents":
            assert [(one.pid, one.name) for one in record] == [tuple(one.values()) for one in value]
            assert record[0].pid == os.getppid()
        elif name not in ("rates", "interfaces", "protocols", "connections"):
            assert record == (tuple(value) if isinstance(value, list) else value), name
    connection = shown["connections"][0]
    assert set(connection) - {"local", "remote"} <= set(dir(snapshot[0].connections[0]))


def test_a_watch_of_the_command_has_the_same_keys(snapshot):
    child = subprocess.Popen(
        ["netprocmon", "watch", "--json", "--connections", "-d", "0.2", str(ME)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = json.loads(child.stdout.readline())
    finally:
        child.terminate()
        child.communicate()
    assert line.keys() == snapshot.to_dict().keys()


def test_without_connections(monkeypatch):
    with Monitor(ME, connections=False) as monitor:
        exchange(100)
        snapshot = monitor.snapshot()
    assert snapshot[0].connections is None
    with pytest.raises(NotCounted, match="were not counted") as caught:
        snapshot.connections()
    assert caught.value.remedy == "make the monitor with Monitor(connections=True)"
    with pytest.raises(NotCounted):
        snapshot.group_by("remote")
    assert "connections" not in snapshot.to_dict()["processes"][0]


def test_ended_processes_stay_when_they_are_kept():
    with Monitor(names=["true-to-its-name"], keep_ended=True) as monitor:
        process = monitor.spawn(["sh", "-c", "exit 3"])
        assert process.wait() == 3
        monitor.snapshot()
        assert isinstance(monitor.snapshot().totals.bytes_sent, int)


def test_polars_pandas_and_pyarrow_read_it(snapshot):
    import pandas
    import polars
    import pyarrow

    table = pyarrow.table(snapshot)
    assert table.num_rows == 1
    row = table.to_pylist()[0]
    usage = snapshot[0]
    for name in ("pid", "name", "uid", "bytes_sent", "payload_recv", "started", "exe"):
        assert row[name] == getattr(usage, name), name
    assert tuple(row["command"]) == usage.command
    assert row["time"] == snapshot.time
    assert row["rate_sent"] == usage.rates.sent
    assert row["container"] is None
    frame = polars.DataFrame(snapshot)
    assert frame["payload_sent"].sum() == 43_000
    assert frame["pid"].dtype == polars.UInt32
    assert pandas.DataFrame.from_arrow(snapshot)["payload_sent"].sum() == 43_000
    assert polars.DataFrame(snapshot.where("name=nobody")).shape == (0, 25)
    # A capsule that nobody reads is released all the same.
    for _ in range(10):
        snapshot.__arrow_c_stream__()
    assert netprocmon.Snapshot is type(snapshot)
