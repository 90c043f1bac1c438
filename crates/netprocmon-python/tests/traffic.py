"""Traffic whose size is known, within this process and with servers in namespaces."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


def exchange(size: int, host: str = "127.0.0.1") -> None:
    """Move this many bytes from one socket of this process to another, over TCP."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        client = socket.create_connection(listener.getsockname()[:2])
        server, _ = listener.accept()

        def send() -> None:
            client.sendall(b"x" * size)
            client.close()

        sender = threading.Thread(target=send)
        sender.start()
        received = 0
        with server:
            while chunk := server.recv(1 << 16):
                received += len(chunk)
        sender.join()
    assert received == size


def until(condition: Callable[[], object], timeout: float = 20) -> object:
    """Wait for a condition, which is given back."""
    deadline = time.monotonic() + timeout
    while not (holds := condition()):
        assert time.monotonic() < deadline, f"it did not happen: {condition}"
        time.sleep(0.005)
    return holds


@dataclass(frozen=True)
class Link:
    """A veth pair: `interface` here, the other end in `namespace`."""

    interface: str
    namespace: str
    here: str
    there: str
    here6: str
    there6: str

    def serve(self, *, udp: bool = False, host: str = "") -> "Server":
        """Start a server over there that swallows what it gets, and says how much it was."""
        return Server(self, udp=udp, host=host or self.there)


class Server:
    """Swallows each connection and answers with the number of bytes; datagrams are echoed."""

    CODE = """
import socket, sys
host, udp = sys.argv[1], sys.argv[2] == "udp"
family = socket.AF_INET6 if ":" in host else socket.AF_INET
kind = socket.SOCK_DGRAM if udp else socket.SOCK_STREAM
listener = socket.socket(family, kind)
listener.bind((host, 0))
if not udp:
    listener.listen()
print(listener.getsockname()[1], flush=True)
while udp:
    data, sender = listener.recvfrom(65536)
    listener.sendto(data, sender)
while True:
    connection, _ = listener.accept()
    size = 0
    while chunk := connection.recv(65536):
        size += len(chunk)
    connection.sendall(size.to_bytes(8, "big"))
    connection.close()
"""

    def __init__(self, link: Link, *, udp: bool, host: str):
        self.address = host
        kind = "udp" if udp else "tcp"
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", link.namespace, sys.executable, "-c", self.CODE, host, kind],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def send(self, size: int) -> None:
        """Send this many bytes over one connection, and wait until the other end has them all."""
        with socket.create_connection((self.address, self.port)) as connection:
            connection.sendall(b"x" * size)
            connection.shutdown(socket.SHUT_WR)
            assert int.from_bytes(connection.recv(8, socket.MSG_WAITALL), "big") == size

    def echo(self, size: int) -> None:
        """Send a datagram and get it back."""
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as datagrams:
            datagrams.settimeout(20)
            datagrams.sendto(b"x" * size, (self.address, self.port))
            assert len(datagrams.recv(65536)) == size


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, stdin=subprocess.DEVNULL)
