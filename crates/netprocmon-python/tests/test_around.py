"""What stands around the monitor: the command, Prometheus, IPython."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import netprocmon
import pytest
from netprocmon import Monitor
from traffic import exchange, until


def command(*arguments, **options):
    return subprocess.run(
        ["netprocmon", *arguments], capture_output=True, text=True, timeout=60, **options
    )


def test_the_command_is_the_rust_one():
    done = command("--version")
    assert (done.returncode, done.stdout) == (0, f"netprocmon {netprocmon.__version__}\n")
    for arguments, status in ((["--help"], 0), (["nonsense"], 2), (["ports", "1"], 1)):
        assert command(*arguments).returncode == status
    module = subprocess.run(
        [sys.executable, "-m", "netprocmon", "ports", "--json"], capture_output=True, check=True
    )
    assert b'"type":"ports"' in module.stdout


def test_a_reader_that_goes_away_is_no_failure():
    shell = "netprocmon man | head -1; echo ${PIPESTATUS[0]}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0"
    assert done.stderr == ""


@pytest.mark.root
def test_the_command_counts_passes_a_status_on_and_ends_with_ctrl_c():
    done = command("run", "--json", "--", "sh", "-c", "exit 5")
    assert done.returncode == 5
    assert '"type":"run"' in done.stderr
    watch = subprocess.Popen(
        ["netprocmon", "watch", "--json", "-d", "0.1"], stdout=subprocess.PIPE, text=True
    )
    assert '"type":"snapshot"' in watch.stdout.readline()
    watch.send_signal(signal.SIGINT)
    watch.communicate(timeout=20)
    assert watch.returncode == 0


@pytest.mark.root
def test_prometheus():
    from netprocmon.prometheus import NetprocmonCollector
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import generate_latest
    from prometheus_client.parser import text_string_to_metric_families

    with Monitor(os.getpid(), follow_children=True, connections=False) as monitor:
        registry = CollectorRegistry()
        registry.register(NetprocmonCollector(monitor))
        name = Path("/proc/self/comm").read_text().strip()

        def sent():
            text = generate_latest(registry).decode()
            found = {}
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    if sample.name == "netprocmon_sent_payload_bytes_total":
                        found[sample.labels["process"], sample.labels["interface"]] = sample.value
            return found

        assert sent().get((name, "lo"), 0) == 0
        exchange(4_000)
        assert sent()[name, "lo"] == 4_000
        # What a process of the same name moved stays when it has ended.
        child = os.fork()
        if child == 0:
            exchange(500)
            os._exit(0)
        os.waitpid(child, 0)
        until(lambda: sent()[name, "lo"] == 4_500)
        assert sent()[name, "lo"] == 4_500
        exchange(1)
        assert sent()[name, "lo"] == 4_501


@pytest.mark.root
def test_the_ipython_magics(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    shell.user_ns["exchange"] = exchange
    shell.run_line_magic("load_ext", "netprocmon")
    capsys.readouterr()
    shell.run_cell_magic("network", "", "exchange(2048)\nx = 5")
    said = capsys.readouterr().out
    assert "payload 2.00 KiB / 2.00 KiB" in said
    assert said.startswith("sent 2.")
    assert shell.user_ns["x"] == 5
    shell.run_line_magic("network", "exchange(10)")
    assert "payload 10 B / 10 B" in capsys.readouterr().out
    shell.run_cell_magic("network", "--children", "import os; os.system('true')")
    assert "payload 0 B / 0 B" in capsys.readouterr().out
    shell.run_cell_magic("network", "--wrong", "x = 6")
    assert "usage: %%network [--children]" in capsys.readouterr().out
    assert shell.user_ns["x"] == 5
