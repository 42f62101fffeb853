"""What a user needs to know of the ngspice on this machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from snncircuit.errors import EngineMissingError
from snncircuit.spice.discovery import HOW_TO_INSTALL, find_ngspice


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The state of ngspice.

    Attributes:
        ngspice: name and version such as ``ngspice-39``; None when there is none.
        library: path of the library or program; None when there is none.
        kind: ``library``, ``program`` or ``none``.
        ok: whether the self-test passed.
        self_test: its figures, or why there are none.
        how_to_install: one command for each package manager.
    """

    ngspice: str | None
    library: str | None
    kind: str
    ok: bool
    self_test: str
    how_to_install: str = HOW_TO_INSTALL

    def to_json(self) -> dict[str, object]:
        """Plain data."""
        return asdict(self)

    def text(self) -> str:
        """For people: what was found, or why nothing was and what to do."""
        if not self.ok:
            return f"ngspice    none\nself-test  {self.self_test}"
        return (
            f"ngspice    {self.ngspice}\n{self.kind:<10} {self.library}\nself-test  passed: {self.self_test}"
        )


def doctor() -> Diagnosis:
    """Look for ngspice and test it; never raises for its absence."""
    try:
        found = find_ngspice()
    except EngineMissingError as error:
        return Diagnosis(ngspice=None, library=None, kind="none", ok=False, self_test=str(error))
    return Diagnosis(
        ngspice=found.version, library=found.path, kind=found.kind, ok=True, self_test=found.self_test
    )
