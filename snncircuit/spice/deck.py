"""What ngspice is asked: a circuit, what to save, one transient analysis, the options that decide its accuracy."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from snncircuit.units import format_number

LADDER = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Tran:
    """A transient analysis from 0 to ``stop``.

    Attributes:
        step: suggested time step, s.
        stop: end of the analysis, s.
        max_step: longest step that ngspice may take, s.
    """

    step: float
    stop: float
    max_step: float

    @property
    def text(self) -> str:
        """The ``.tran`` card."""
        return f".tran {format_number(self.step)} {format_number(self.stop)} 0 {format_number(self.max_step)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Numerical options; the defaults of ngspice itself misplace the spikes of a femtofarad neuron by several percent.

    Attributes:
        method: integration method, ``gear`` or ``trap``.
        reltol: relative tolerance.
        abstol: current tolerance, A.
        vntol: voltage tolerance, V.
        chgtol: charge tolerance, C; ngspice's own default exceeds the whole charge of a femtofarad node.
        trtol: how far the truncation error may be over-estimated; smaller is more exact.
        gmin: conductance across every junction, S.
        itl1: iterations of the operating point.
        itl4: iterations of one time point.
    """

    method: str = "trap"
    reltol: float = 3e-4
    abstol: float = 1e-13
    vntol: float = 1e-6
    chgtol: float = 3e-16
    trtol: float = 3.0
    gmin: float = 1e-13
    itl1: int = 200
    itl4: int = 20

    @property
    def text(self) -> str:
        """The ``.options`` card."""
        numbers = ("reltol", "abstol", "vntol", "chgtol", "trtol", "gmin")
        listed = " ".join(f"{name}={format_number(getattr(self, name))}" for name in numbers)
        return f".options method={self.method} {listed} itl1={self.itl1} itl4={self.itl4}"

    def tightened(self) -> Options:
        """Ten times tighter tolerances: the run that tells how far the first one can be trusted."""
        return replace(
            self,
            reltol=self.reltol / 10,
            abstol=self.abstol / 10,
            vntol=self.vntol / 10,
            chgtol=self.chgtol / 10,
            trtol=min(self.trtol, 1.0),
        )

    def relaxed(self, rung: int) -> Options:
        """The options of a rung of the retry ladder.

        Args:
            rung: 0 is these options; 1 allows more iterations at the same accuracy; 2 also takes the other integration
                rule and a larger gmin; 3 and above also relaxes the tolerances tenfold.
        """
        if rung <= 0:
            return self
        patient = replace(self, itl1=1000, itl4=200)
        if rung == 1:
            return patient
        other = replace(
            patient, method="trap" if self.method == "gear" else "gear", gmin=max(self.gmin, 1e-12)
        )
        if rung == 2:
            return other
        return replace(
            patient,
            gmin=max(self.gmin, 1e-12),
            reltol=min(10 * self.reltol, 1e-2),
            abstol=10 * self.abstol,
            vntol=10 * self.vntol,
            chgtol=10 * self.chgtol,
        )


DEFAULT_OPTIONS = Options()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deck:
    """One simulation.

    Attributes:
        circuit: every element, model and ``.ic`` line.
        save: what to keep, such as ``v(vm)``, ``i(vvdd)`` (into the positive terminal of the source) or ``@m.x1.m1[vgs]``.
        tran: the analysis.
        temperature: degrees Celsius.
        options: numerical options.
    """

    circuit: str
    save: tuple[str, ...]
    tran: Tran
    temperature: float = 27.0
    options: Options = DEFAULT_OPTIONS

    @property
    def text(self) -> str:
        """The whole deck as ngspice reads it, title line first."""
        return "\n".join(
            (
                "* snncircuit",
                self.circuit.strip("\n"),
                f".temp {format_number(self.temperature)}",
                self.options.text,
                ".save " + " ".join(self.save),
                self.tran.text,
                ".end",
                "",
            )
        )

    @property
    def key(self) -> str:
        """SHA-256, in hexadecimal, of everything in the deck that determines the answer."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def relaxed(self, rung: int) -> Deck:
        """The same deck on a rung of the retry ladder."""
        return replace(self, options=self.options.relaxed(rung))
