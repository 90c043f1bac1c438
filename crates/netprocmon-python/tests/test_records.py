"""Records and errors: frozen, hashable, picklable, matchable, and what people already catch."""

import copy
import dataclasses
import pickle
import subprocess
import sys
import typing
from datetime import UTC, datetime

import netprocmon
import pytest
from netprocmon import (
    Address,
    Connection,
    Counters,
    InterfaceUsage,
    NetworkTraffic,
    ProcessUsage,
    Rates,
    Usage,
)

CURL = ProcessUsage(
    pid=586,
    name="curl",
    bytes_sent=10,
    bytes_recv=20,
    started=datetime(2026, 11, 22, tzinfo=UTC),
    command=("curl", "-s"),
    rates=Rates(1.5, None),
    interfaces=(InterfaceUsage(name="eth0", index=2, netns=1, bytes_sent=10),),
    connections=(
        Connection(
            protocol="tcp",
            ip_version=4,
            local=Address("192.0.2.2", 41312),
            remote=Address("198.51.100.7", 443),
            state="established",
            bytes_sent=10,
        ),
    ),
)


@pytest.mark.parametrize("record", [CURL, NetworkTraffic("eth1", 1, 2, 3), Counters(bytes_sent=1)])
def test_frozen_hashable_picklable(record):
    field = dataclasses.fields(record)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, field, 1)
    with pytest.raises((AttributeError, TypeError)):
        record.other = 1
    for twin in (pickle.loads(pickle.dumps(record)), copy.deepcopy(record)):
        assert twin == record
        assert hash(twin) == hash(record)
        assert len({twin, record}) == 1
    assert dataclasses.replace(record, **{field: 99}) != record


def test_equal_is_of_one_type_and_with_the_same_values():
    assert Counters(bytes_sent=1) == Counters(bytes_sent=1)
    assert Counters(bytes_sent=1) != Usage(bytes_sent=1, seconds=0.0)
    assert Rates(1.0, 2.0) != (1.0, 2.0)
    assert hash(Rates(1.0, 2.0)) != hash(Rates(1.0, 3.0))


def test_what_is_seldom_asked_for_is_there_when_it_is():
    code = "import sys, netprocmon as n; assert 'netprocmon._diagnosis' not in sys.modules; "
    subprocess.run([sys.executable, "-c", code + "print(n.Diagnosis, n.doctor())"], check=True)
    with pytest.raises(AttributeError, match="no attribute 'Diagnosys'"):
        _ = netprocmon.Diagnosys


def test_matchable():
    match CURL:
        case ProcessUsage(586, "curl", bytes_sent=sent, connections=[Connection(_, (ip, 443))]):
            assert (sent, ip) == (10, "198.51.100.7")
        case _:
            pytest.fail("it does not match")
    match NetworkTraffic("eth1", 1, 2, 3):
        case NetworkTraffic(interface, recv, pid, send):
            assert (interface, recv, pid, send) == ("eth1", 1, 2, 3)


def test_what_is_shown_can_be_typed_and_leaves_out_what_is_not_known():
    usage = ProcessUsage(pid=1, name="x", bytes_sent=0)
    assert repr(usage) == "ProcessUsage(pid=1, name='x', bytes_sent=0)"
    assert eval(repr(usage)) == usage


def test_unknown_is_none_never_0():
    assert Counters().bytes_sent is None
    assert Counters(bytes_sent=1).bytes_total is None
    assert Counters(bytes_sent=1, bytes_recv=0).bytes_total == 1
    assert Usage(seconds=1.0).payload_total is None


@pytest.mark.parametrize(
    ("error", "built_in"),
    [
        (netprocmon.PermissionDenied, PermissionError),
        (netprocmon.NoSuchProcess, ProcessLookupError),
        (netprocmon.NoSuchAddress, OSError),
        (netprocmon.NoSuchInterface, OSError),
        (netprocmon.Unsupported, OSError),
        (netprocmon.SystemFailure, OSError),
        (netprocmon.MonitorClosed, ValueError),
        (netprocmon.MonitorForked, RuntimeError),
        (netprocmon.NotCounted, LookupError),
    ],
)
def test_errors_are_the_built_in_ones_people_catch(error, built_in):
    raised = error("cannot do it", "become root")
    assert isinstance(raised, netprocmon.Error)
    assert isinstance(raised, built_in)
    assert str(raised) == "cannot do it"
    assert raised.remedy == "become root"
    assert raised.__notes__ == ["become root"]
    if issubclass(error, OSError) and error is not netprocmon.SystemFailure:
        assert raised.errno > 0
        assert raised.strerror == "cannot do it"
    twin = pickle.loads(pickle.dumps(raised))
    assert (type(twin), str(twin), twin.remedy) == (error, "cannot do it", "become root")


def test_a_filter_error_says_where():
    error = netprocmon.FilterError("no", 5, "name>5")
    twin = pickle.loads(pickle.dumps(error))
    assert isinstance(error, ValueError)
    assert (twin.position, twin.text, str(twin)) == (5, "name>5", "no")


def test_types_of_fields_can_be_asked_for():
    hints = typing.get_type_hints(ProcessUsage)
    assert hints["started"] == datetime | None
    assert typing.get_type_hints(netprocmon.Group)["groups"]


def test_everything_public_is_there_and_documented():
    for name in netprocmon.__all__:
        value = getattr(netprocmon, name)
        if callable(value):
            assert value.__doc__, name
            assert value.__module__.startswith("netprocmon")
