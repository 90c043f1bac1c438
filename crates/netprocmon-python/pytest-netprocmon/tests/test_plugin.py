"""The plugin, in a pytest of its own, against traffic over loopback."""

import json
import os
import textwrap

import pytest

root = pytest.mark.skipif(os.geteuid() != 0, reason="SKIPPED: needs root to count")

EXCHANGE = """
import socket, threading, pytest

def exchange(size, host="127.0.0.1"):
    with socket.create_server((host, 0)) as listener:
        client = socket.create_connection(listener.getsockname()[:2])
        server, _ = listener.accept()
        sender = threading.Thread(target=lambda: (client.sendall(b"x" * size), client.close()))
        sender.start()
        with server:
            while server.recv(65536):
                pass
        sender.join()
"""


@pytest.fixture
def run(pytester):
    def run(tests, *arguments):
        pytester.makepyfile(EXCHANGE + textwrap.dedent(tests))
        return pytester.runpytest_subprocess("-rs", "--strict-markers", *arguments)

    return run


@root
def test_limits(run):
    result = run(
        """
        @pytest.mark.limit_network("1 MB", direction="sent")
        def test_within():
            exchange(800_000)

        @pytest.mark.limit_network("1 MB", direction="sent")
        def test_above():
            exchange(1_000_000)  # and the headers

        @pytest.mark.limit_network("2 MB")
        def test_both_directions():
            exchange(1_000_000)

        @pytest.mark.limit_network(direction="recv", size=3000)
        def test_received_in_a_child():
            import subprocess, sys
            subprocess.run([sys.executable, "-c", CHILD], check=True)

        CHILD = '''
        import socket
        with socket.create_server(("127.0.0.1", 0)) as l:
            c = socket.create_connection(l.getsockname()); s, _ = l.accept()
            c.sendall(b"x" * 4000); s.recv(4000, socket.MSG_WAITALL)
        '''.replace("\\n        ", "\\n")

        @pytest.mark.limit_network("1 MB")
        def test_fails_by_itself():
            exchange(3_000_000)
            assert False, "its own failure"
        """
    )
    result.assert_outcomes(passed=1, failed=4)
    result.stdout.fnmatch_lines(
        [
            # A busy machine sends over loopback twice, now and then: that counts, too.
            "the test sent 1,???,??? bytes, * more than the 1,000,000 that are allowed",
            "the test sent and received 2,???,??? bytes, * than the 2,000,000 that are allowed",
            "the test received 4,??? bytes, 1,??? more than the 3,000 that are allowed",
            "E*AssertionError: its own failure",
        ]
    )


@root
def test_no_network(run):
    result = run(
        """
        @pytest.mark.no_network
        def test_quiet():
            socket.socket().close()

        @pytest.mark.no_network
        def test_loud():
            exchange(10)

        @pytest.mark.no_network(allow=["127.0.0.0/8"])
        def test_loopback():
            exchange(10)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                udp.bind(("127.0.0.1", 0))
                udp.sendto(b"x", udp.getsockname())

        @pytest.mark.no_network(allow=["127.0.0.1"])
        def test_elsewhere():
            exchange(10, "127.0.0.2")
        """
    )
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(
        ["the test used the network:", "  tcp with 127.0.0.1 port *", "  tcp with 127.0.0.2 port *"]
    )


@root
def test_the_fixture(run):
    result = run(
        """
        def test_counts(network_usage):
            assert network_usage.bytes_sent == 0
            exchange(5000)
            assert network_usage.payload_sent == network_usage.payload_recv == 5000
            assert 5000 < network_usage.bytes_sent == network_usage.bytes_recv < 6000
            assert network_usage.snapshot.totals.packets_sent > 3
            network_usage.reset()
            assert network_usage.bytes_recv == 0
        """
    )
    result.assert_outcomes(passed=1)


@root
def test_the_report(run, pytester):
    result = run(
        """
        def test_small():
            exchange(1000)

        def test_large():
            exchange(1_000_000)

        def test_none():
            pass
        """,
        "--netprocmon-top=2",
        "--netprocmon-json=usage.json",
    )
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        [
            "=* the 2 hungriest tests =*",
            "*SENT*RECV  TEST",
            "* 1,???,??? * 1,???,???  test_the_report.py::test_large",
            "* 1,??? * 1,???  test_the_report.py::test_small",
        ]
    )
    report = json.loads((pytester.path / "usage.json").read_text())
    rows = {row["nodeid"].partition("::")[2]: row for row in report["tests"]}
    assert report["schema"] == 1
    assert rows["test_large"]["payload_sent"] == 1_000_000
    assert rows["test_none"]["bytes_sent"] == 0


def test_without_options_nothing_is_started(run):
    result = run("def test_nothing(): assert threading.active_count() == 1\n")
    result.assert_outcomes(passed=1)
    assert "hungriest" not in result.stdout.str()


@pytest.mark.parametrize(
    ("mark", "complaint"),
    [
        ('limit_network("1 parsec")', "*takes a size such as*not '1 parsec'*"),
        ('limit_network("1 MB", direction="up")', '*direction=…) is "sent", "recv" or "both"*'),
        ('no_network(allow=["10.0.0.0/99"])', "*takes addresses and networks*"),
    ],
)
def test_marks_that_cannot_be_meant(run, mark, complaint):
    result = run(f"@pytest.mark.{mark}\ndef test_it(): pass\n")
    assert result.ret != 0
    assert result.parseoutcomes().get("passed") is None
    result.stdout.fnmatch_lines([complaint])


UNPRIVILEGED = """
import netprocmon

class Refused(netprocmon.Monitor):
    def start(self):
        raise netprocmon.PermissionDenied("may not count", "become root")

netprocmon.Monitor = Refused
"""


def test_another_user_skips_them_too(run, pytester):
    if os.geteuid() == 0:
        pytest.skip("SKIPPED: root may count")
    result = run("@pytest.mark.no_network\ndef test_it(): pass\n")
    result.assert_outcomes(skipped=1)


def test_where_nothing_can_be_counted_tests_are_skipped_not_passed(run, pytester):
    pytester.makeconftest(UNPRIVILEGED)
    tests = """
        @pytest.mark.limit_network("1 MB")
        def test_limited(): pass

        def test_fixture(network_usage): pass

        def test_other(): pass
        """
    result = run(tests, "--netprocmon")
    result.assert_outcomes(passed=1, skipped=2)
    result.stdout.fnmatch_lines(
        [
            "netprocmon: nothing was measured: may not count; become root",
            "SKIPPED*the network usage cannot be counted: may not count; become root",
        ]
    )
    result = run(tests, "-o", "netprocmon_required=true")
    result.assert_outcomes(passed=1, failed=1, errors=1)
