"""The roles that ports play and the numbers that go with them: the parts of a neuron's description, SI units."""

from __future__ import annotations

from dataclasses import dataclass

from snncircuit.characterise.fields import Volts


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One network step, all in s.

    Attributes:
        duration: of the step.
        pulse_start: of the charge pulses after the start of the step.
        pulse_width: flat top and one edge, so that charge = current * pulse_width.
        pulse_edge: of each edge.
        max_time_step: longest step of the simulator.
    """

    duration: float
    pulse_start: float
    pulse_width: float
    pulse_edge: float
    max_time_step: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Membrane:
    """The membrane node: port, rest in V, capacitance in F and threshold in V above rest (both first guesses)."""

    port: str
    rest: float
    capacitance: float
    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spike:
    """The output: port, load in F, level in V whose rising crossing is a spike, most spikes in one step."""

    port: str
    load: float
    level: float
    max_per_step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A line of synapses: port, direction of the current as the neuron sees it (``in``, ``out``), line capacitance in F."""

    port: str
    direction: str
    line_capacitance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rail:
    """A supply: port, voltage in V or the name of a swept supply, number of neurons that share what hangs on it."""

    port: str
    voltage: Volts
    share: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Bias:
    """A bias port: either a voltage (V, or the name of a swept supply) or a current (A, into the port)."""

    port: str
    voltage: Volts | None = None
    current: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A pulse in every step: low and high in V or as names of swept supplies; delay, width (flat top and one edge), edge in s."""

    port: str
    low: Volts
    high: Volts
    delay: float
    width: float
    edge: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What may be asked: legal supplies in V, the charges to measure in thresholds, legal starts of the membrane in V.

    Attributes:
        q_common: grid of the smaller of both charges.
        q_net: lowest and highest of the excitatory minus the inhibitory charge.
    """

    v_neg: tuple[float, float]
    v_dd: tuple[float, float]
    q_common: tuple[float, ...]
    q_net: tuple[float, float]
    v_mem: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the devices stand: V between any two terminals."""

    terminal: float
