"""The IPython magics: `%load_ext netprocmon`, then `%%network` above a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netprocmon._measure import measure

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from netprocmon._records import Usage

    class Shell(Protocol):
        """What of IPython's shell is needed."""

        def run_cell(self, raw_cell: str) -> Any: ...  # noqa: ANN401
        def register_magic_function(
            self, func: Callable[..., object], magic_kind: str, magic_name: str | None
        ) -> None: ...


__all__ = ["register"]


def register(ipython: Shell) -> None:
    """Make the magics known."""

    def network(line: str, cell: str | None = None) -> None:
        """Say what a statement or a cell sent and received.

        `%network STATEMENT`, or `%%network [--children]` above a cell; `--children` counts the
        processes that it starts, too.
        """
        children = False
        if cell is not None:
            options = line.split()
            children = options == ["--children"]
            if options and not children:
                print("usage: %%network [--children]")  # noqa: T201
                return
        with measure(follow_children=children) as cost:
            # An error in it is shown by IPython itself.
            ipython.run_cell(line if cell is None else cell)
        print(_line(cost.usage))  # noqa: T201

    ipython.register_magic_function(network, magic_kind="line_cell", magic_name="network")


def _line(usage: Usage) -> str:
    sent, recv = _size(usage.bytes_sent), _size(usage.bytes_recv)
    payload = f"{_size(usage.payload_sent)} / {_size(usage.payload_recv)}"
    return f"sent {sent}, received {recv} (payload {payload}) in {usage.seconds:.3f} s"


def _size(count: int | None) -> str:
    if count is None:
        return "-"
    if count < 1024:  # noqa: PLR2004
        return f"{count} B"
    size = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if size < 1024:  # noqa: PLR2004
            return f"{size:.2f} {unit}"
    return f"{size / 1024:.2f} TiB"
