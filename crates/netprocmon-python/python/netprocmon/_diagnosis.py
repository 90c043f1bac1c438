"""What `netprocmon.doctor` answers. Loaded when it is asked for: most programs never do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from netprocmon._records import Degradation, Record

__all__ = ["Diagnosis", "Namespaces", "SourceDiagnosis"]


@dataclass(eq=False, frozen=True, slots=True)
class SourceDiagnosis(Record):
    """Whether one source works here."""

    source: str
    """`"ebpf"`, `"packet"` or `"sockdiag"`."""
    works: bool
    """Whether it starts."""
    why: str | None = None
    """Why it does not."""
    remedy: str | None = None
    """What would mend that, often a command."""
    degradations: tuple[Degradation, ...] = ()
    """What it cannot see, where it works."""


@dataclass(eq=False, frozen=True, slots=True)
class Namespaces(Record):
    """Whether the namespaces of this process are the host's own.

    Each is `"initial"` (the host's), `"inner"` (one that was made later: what is outside is not
    seen) or `"unknown"`.
    """

    user: str
    """user_namespaces(7)."""
    pid: str
    """pid_namespaces(7)."""
    cgroup: str
    """cgroup_namespaces(7)."""
    net: str
    """network_namespaces(7)."""


@dataclass(eq=False, frozen=True, slots=True, kw_only=True, match_args=False)
class Diagnosis(Record):
    """What can be counted on this host, from `netprocmon.doctor`. `print` shows it."""

    __match_args__ = ("source",)

    source: str | None
    """The source that `source="auto"` takes; `None` where none works."""
    sources: tuple[SourceDiagnosis, ...]
    """Each source, the best first."""
    best_works: bool
    """Whether the best there is works."""
    kernel: str
    """The kernel's release."""
    btf: bool
    """Whether the kernel carries its type information."""
    cgroup2: str | None
    """Where cgroup v2 is mounted."""
    cgroup2_is_root: bool
    """Whether that is the hierarchy's real root."""
    lockdown: str | None
    """`"none"`, `"integrity"` or `"confidentiality"`; `None` where the kernel does not tell."""
    capabilities: tuple[str, ...]
    """Those that some source needs and that are in force."""
    missing_capabilities: tuple[str, ...]
    """Those that some source needs and that are not."""
    namespaces: Namespaces
    """Which namespaces are the host's own."""
    container: str | None
    """What made the container that this process is in."""
    confinement: tuple[str, ...]
    """What a namespace or a container hides, a sentence each."""
    _text: str = field(repr=False)
    _json: str = field(repr=False)

    def __str__(self) -> str:
        """Show a line for each source with what it lacks and what mends that, then the host."""
        return self._text

    def to_json(self) -> str:
        """Give the object that `netprocmon doctor --json` prints."""
        return self._json

    def to_dict(self) -> dict[str, Any]:
        """Give the same as plain dictionaries and lists."""
        import json

        parsed: dict[str, Any] = json.loads(self._json)
        return parsed
