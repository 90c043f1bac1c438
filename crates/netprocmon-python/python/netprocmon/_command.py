"""The command `netprocmon`: the Rust program's own main, called through the extension."""

from __future__ import annotations

import signal
import sys

from netprocmon._netprocmon import main as _main

__all__ = ["main"]


def main() -> int:
    """Run the command with this program's arguments; give the exit status."""
    # As the program would find them had Python not been started before it: the command has handlers
    # of its own, and what it runs inherits what is ignored.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    return _main(["netprocmon", *sys.argv[1:]])
