"""What can be counted here, what cannot, and what would mend it."""

from __future__ import annotations

from dataclasses import dataclass

from netprocmon._errors import Error
from netprocmon._monitor import Monitor, Source
from netprocmon._records import Degradation  # noqa: TC001  # whoever asks for the types needs it

__all__ = ["Diagnosis", "SourceDiagnosis", "doctor"]

_BEST_FIRST: tuple[Source, ...] = ("ebpf", "packet", "sockdiag")


@dataclass(frozen=True, slots=True)
class SourceDiagnosis:
    """Whether one source works here."""

    source: str
    """`"ebpf"`, `"packet"` or `"sockdiag"`."""
    works: bool
    """Whether it starts."""
    problem: str | None = None
    """Why it does not."""
    remedy: str | None = None
    """What would mend that, often a command."""
    degradations: tuple[Degradation, ...] = ()
    """What it cannot see, where it works."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Every source, the best first. `print` shows it."""

    sources: tuple[SourceDiagnosis, ...]
    """One for each."""

    @property
    def best(self) -> str | None:
        """The source that `source="auto"` takes; `None` where none works."""
        return next((one.source for one in self.sources if one.works), None)

    @property
    def best_works(self) -> bool:
        """Whether that is the best there is."""
        return self.best == _BEST_FIRST[0]

    def __str__(self) -> str:
        """Show a line for each source, and below it what is missing and what mends it."""
        lines = []
        for one in self.sources:
            taken = " (taken)" if one.source == self.best else ""
            lines.append(f"{one.source}: {'works' if one.works else 'does not work'}{taken}")
            if one.problem:
                lines.append(f"  {one.problem}")
            if one.remedy:
                lines.append(f"  {one.remedy}")
            for degradation in one.degradations:
                lines.append(f"  {degradation.message}")
                if degradation.remedy:
                    lines.append(f"    {degradation.remedy}")
        return "\n".join(lines)


def doctor() -> Diagnosis:
    """Find out what can be counted here: start each source, and stop it again.

    Raises nothing for what does not work; that is the answer.
    """
    return Diagnosis(tuple(_try(source) for source in _BEST_FIRST))


def _try(source: Source) -> SourceDiagnosis:
    try:
        with Monitor(source=source, connections=False) as monitor:
            return SourceDiagnosis(source, works=True, degradations=monitor.health.degradations)
    except Error as error:
        return SourceDiagnosis(source, works=False, problem=str(error), remedy=error.remedy)
