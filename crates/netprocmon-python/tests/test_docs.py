"""The guide's examples and README's, run as they stand (but for how long they wait)."""

import http.server
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import netprocmon
import pytest

ROOT = Path(__file__).parents[3]
BLOCK = re.compile(r"^```python( \w+)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples():
    for path in (ROOT / "docs/python.md", ROOT / "README.md"):
        text = path.read_text()
        for found in BLOCK.finditer(text):
            line = text[: found.start()].count("\n") + 1
            kind = (found[1] or "").strip()
            yield pytest.param(found[2], kind, id=f"{path.name}:{line}")


@pytest.fixture
def server():
    """Serve 5,000 bytes to whoever comes."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"x" * 5_000)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}/"
        serving.shutdown()
        thread.join()


def sooner(code, links):
    """Ask for what is here, and do not wait for so long."""
    here = code.replace("586", str(os.getpid())).replace("10.0.0.21", links[0].here)
    return here.replace("interval=5", "interval=0.1").replace("time.sleep(5)", "time.sleep(0.1)")


@pytest.mark.root
@pytest.mark.parametrize(("code", "kind"), list(examples()))
def test_example(code, kind, server, links, request, capsys):
    if kind == "pytest":
        # Only here: it forgets what was imported meanwhile, which not every module survives.
        pytester = request.getfixturevalue("pytester")
        pytester.makepyfile(code)
        pytester.runpytest_subprocess().assert_outcomes(passed=3)
    elif kind == "forever":
        child = subprocess.Popen(
            [sys.executable, "-u", "-c", sooner(code, links)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with links[0].serve() as swallowing:
            swallowing.send(1_000)
            assert child.stdout.readline()
            child.send_signal(signal.SIGINT)
            _, errors = child.communicate(timeout=20)
        assert "KeyboardInterrupt" in errors
    else:

        def download():
            with urllib.request.urlopen(server) as answer:
                return answer.read()

        exec(compile(code, "docs/python.md", "exec"), {"download": download, "url": server})
        assert capsys.readouterr().out or "match usage" in code


def test_every_public_name_is_in_the_guide():
    guide = (ROOT / "docs/python.md").read_text()
    for name in netprocmon.__all__:
        if name != "__version__":
            assert f"`{name}" in guide or f" {name}" in guide, name
    for public in (netprocmon.Monitor, netprocmon.Snapshot):
        for name in vars(public):
            if not name.startswith("_"):
                assert name in guide, f"{public.__name__}.{name}"
