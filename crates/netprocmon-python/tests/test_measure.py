"""What a block of this program, or a command, cost; exactly, against what the test itself moved."""

import asyncio
import http.server
import os
import socket
import subprocess
import sys
import threading
import urllib.request

import netprocmon
import pytest
from netprocmon import Usage, measure
from traffic import exchange

pytestmark = pytest.mark.root


def test_a_block():
    with measure() as cost:
        exchange(5_000)
        assert cost.usage.payload_sent == 5_000
    exchange(100)
    usage = cost.usage
    assert usage.payload_sent == usage.payload_recv == 5_000
    assert 5_000 < usage.bytes_sent == usage.bytes_recv < 6_000
    assert 0 < usage.seconds < 20
    assert [one.name for one in usage.interfaces] == ["lo"]
    assert usage.interfaces[0].bytes_sent == usage.bytes_sent
    assert [one.pid for one in usage.processes] == [os.getpid()]


def test_a_block_that_raises_and_blocks_inside_blocks():
    with measure() as outer, pytest.raises(ZeroDivisionError), measure() as inner:
        exchange(1_000)
        _ = 1 / 0
    assert inner.usage.payload_sent == outer.usage.payload_sent == 1_000
    with measure() as again, pytest.raises(RuntimeError, match="under way"), again:
        pass
    with again:
        exchange(10)
    assert again.usage.payload_sent == 10


def test_functions():
    @measure
    def work(size, *, host="127.0.0.1"):
        "Do some work."
        exchange(size, host)
        return size

    assert work.usage is None
    assert (work.__name__, work.__doc__) == ("work", "Do some work.")
    assert work(3_000) == 3_000
    assert work.usage.payload_sent == 3_000
    assert work(10, host="::1") == 10
    assert work.usage.payload_sent == 10

    @measure(follow_children=True)
    def start():
        code = "import socket; a, b = socket.socket(), socket.create_server(('127.0.0.1', 0));"
        code += "a.connect(b.getsockname()); a.sendall(b'x' * 4000); b.accept()[0].recv(4000, 256)"
        subprocess.run([sys.executable, "-c", code], check=True)

    start()
    assert start.usage.payload_sent == start.usage.payload_recv == 4_000


def test_async_blocks_and_coroutines():
    async def echo(size):
        async def serve(reader, writer):
            writer.write(await reader.readexactly(size))
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"x" * size)
            await reader.readexactly(size)
            writer.close()
            await writer.wait_closed()

    @measure
    async def work(size):
        await echo(size)
        return "done"

    async def main():
        async with measure() as cost:
            await echo(20_000)
        assert cost.usage.payload_sent == cost.usage.payload_recv == 40_000
        assert await work(700) == "done"
        assert work.usage.payload_sent == 1_400

    asyncio.run(main())


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers with so many bytes, and notes what the head of the answer was made of."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"y" * int(self.path.rpartition("/")[2])
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    """Serve in this process; both ends count."""
    counting = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    with counting:
        thread = threading.Thread(target=counting.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{counting.server_port}"
        counting.shutdown()
        thread.join()


def fetch_urllib(url):
    with urllib.request.urlopen(url) as answer:
        return len(answer.read())


def fetch_requests(url):
    import requests

    return len(requests.get(url, timeout=20).content)


def fetch_httpx(url):
    import httpx

    return len(httpx.get(url).content)


def fetch_aiohttp(url):
    import aiohttp

    async def main():
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return len(await answer.read())

    return asyncio.run(main())


class Tap:
    """Adds up what this process's sockets are given and give, below every library: in a proxy."""

    def __init__(self, host, port):
        self.bytes = [0, 0]
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.to = (host, port)
        self.port = self.listener.getsockname()[1]

    def run_once(self):
        client, _ = self.listener.accept()
        server = socket.create_connection(self.to)
        up = threading.Thread(target=self.pump, args=(client, server, 0))
        up.start()
        self.pump(server, client, 1)
        up.join()
        client.close()
        server.close()

    def pump(self, source, sink, direction):
        while chunk := source.recv(65536):
            self.bytes[direction] += len(chunk)
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize(
    "fetch", [fetch_urllib, fetch_requests, fetch_httpx, fetch_aiohttp], ids=lambda it: it.__name__
)
def test_exact_with_the_libraries_people_use(server, fetch):
    size = 300_000
    host, port = server.removeprefix("http://").split(":")
    fetch(f"{server}/1")  # what it imports and caches, it has
    tap = Tap(host, int(port))
    proxied = threading.Thread(target=tap.run_once)
    proxied.start()
    with measure() as cost:
        assert fetch(f"http://127.0.0.1:{tap.port}/{size}") == size
        proxied.join(20)
    tap.listener.close()
    request, answer = tap.bytes
    assert answer > size
    # Client, proxy and server are this process: each byte is sent twice and received twice.
    assert cost.usage.payload_sent == 2 * (request + answer)
    assert cost.usage.payload_recv == 2 * (request + answer)
    assert cost.usage.bytes_sent == cost.usage.bytes_recv > cost.usage.payload_sent


def test_run_is_subprocess_run_and_a_usage():
    code = (
        "import socket, sys; l = socket.create_server(('127.0.0.1', 0));"
        "c = socket.create_connection(l.getsockname()); s, _ = l.accept();"
        "c.sendall(b'x' * 6000); s.recv(6000, socket.MSG_WAITALL); print(sys.stdin.read())"
    )
    done, usage = netprocmon.run(
        [sys.executable, "-c", code], input="hello", capture_output=True, text=True, check=True
    )
    assert isinstance(done, subprocess.CompletedProcess)
    assert isinstance(usage, Usage)
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello\n", "")
    assert usage.payload_sent == usage.payload_recv == 6_000
    assert usage.processes[0].exited is not None
    # A shell's children, counted from their first packet.
    done, usage = netprocmon.run(
        f'{sys.executable} -c "{code}" </dev/null; true', shell=True, stdout=subprocess.DEVNULL
    )
    assert usage.payload_sent == 6_000


def test_run_raises_what_subprocess_does():
    with pytest.raises(FileNotFoundError):
        netprocmon.run(["no-such-program-at-all"])
    with pytest.raises(subprocess.CalledProcessError) as failed:
        netprocmon.run(["sh", "-c", "echo why >&2; exit 7"], check=True, capture_output=True)
    assert failed.value.returncode == 7
    assert failed.value.stderr == b"why\n"
    assert failed.value.usage.bytes_sent == 0
    with pytest.raises(subprocess.TimeoutExpired) as expired:
        netprocmon.run(
            ["sh", "-c", "echo so far; exec sleep 1000"], timeout=0.3, capture_output=True
        )
    assert expired.value.output == b"so far\n"
    assert expired.value.usage.seconds >= 0.3
    with pytest.raises(ValueError, match="stdin and input"):
        netprocmon.run(["true"], input=b"", stdin=subprocess.DEVNULL)
    with pytest.raises(ValueError, match="capture_output"):
        netprocmon.run(["true"], capture_output=True, stdout=subprocess.DEVNULL)


def test_connections_are_like_psutils():
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
        listener.accept()[0] as accepted,
    ):
        client.sendall(b"x" * 123)
        assert len(accepted.recv(123, socket.MSG_WAITALL)) == 123
        mine = netprocmon.connections(os.getpid())
        port = listener.getsockname()[1]
        (listening,) = [one for one in mine if one.state == "listen" and one.local.port == port]
        assert listening.remote is None
        (out,) = [one for one in mine if one.remote == ("127.0.0.1", port)]
        assert (out.payload_sent, out.state) == (123, "established")
        assert out.bytes_sent is None
        assert out.local == client.getsockname()
        assert (out.peer_pid, out.remote_scope) == (os.getpid(), "loopback")
        assert listening.peer_pid is None
        assert {one.pid for one in mine} == {os.getpid()}
        everybody = netprocmon.connections()
        assert set(mine) <= set(everybody)
    with pytest.raises(ProcessLookupError):
        netprocmon.connections(4_000_000_000)
