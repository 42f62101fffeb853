"""A live neuron whose finished steps are kept: repeated on the same charges, it answers without ngspice."""

from __future__ import annotations

import hashlib
import json

from snncircuit.characterise.drive import Sample
from snncircuit.characterise.live import LiveCell
from snncircuit.spice.cache import SampleCache

_READING = 1  # raise when drive.read changes what it makes of waveforms, so that kept steps are not mistaken for new ones


class RememberedCell:
    """A live neuron that answers from the cache as long as charges and start are those of an earlier run.

    What a step gives depends on all charges before it, so the key of a step is chained to that of the step before. At the first
    step that is not kept the circuit is begun and fed the charges so far; a run that was killed is therefore simulated again
    from the start of the image that it was in, and no image before it is.

    Args:
        live: the neuron.
        cache: keeps every finished step at once.
    """

    def __init__(self, live: LiveCell, cache: SampleCache) -> None:
        self._live = live
        self._cache = cache
        self._start = (0, 0.0)
        self._key = ""
        self._charges: list[tuple[float, float]] = []
        self._answers: list[Sample] = []
        self._begun = False
        self._known: Sample | None = None

    def begin(self, n_steps: int, v_mem: float) -> None:
        """See :meth:`LiveCell.begin`; starts no ngspice."""
        cell, whole = self._live.cell, self._live.silence(n_steps, v_mem)
        reading = f"{self._live.session.version} {_READING} {cell.step} {cell.spike} {cell.supplies}"
        self._start = n_steps, v_mem
        self._key = _digest(f"live {whole.key} {reading}")
        self._charges, self._answers, self._begun = [], [], False

    def send(self, q_exc: float, q_inh: float) -> None:
        """See :meth:`LiveCell.send`."""
        self._charges.append((q_exc, q_inh))
        self._key = _digest(f"{self._key} {q_exc!r} {q_inh!r}")
        self._known = None
        if not self._begun:
            kept = self._cache.get_many([self._key]).get(self._key)
            self._known = self._caught_up() if kept is None else _revive(kept)
        if self._known is None:
            self._live.send(q_exc, q_inh)

    def receive(self) -> Sample:
        """See :meth:`LiveCell.receive`."""
        sample = self._known
        if sample is None:
            sample = self._live.receive()
            if sample.failure is None:
                self._cache.put(self._key, json.dumps(sample.record()).encode())
        self._answers.append(sample)
        return sample

    def _caught_up(self) -> Sample | None:
        """Bring the circuit to the present step; a failure when it does not do again what is kept of it."""
        self._begun = True
        self._live.begin(*self._start)
        for number, (charges, known) in enumerate(
            zip(self._charges[:-1], self._answers, strict=True), start=1
        ):
            self._live.send(*charges)
            again = self._live.receive()
            if again.failure is not None:
                return again
            if again.spikes != known.spikes:
                return Sample(
                    failure=f"repeated, step {number} gave {again.spikes[0]} spikes instead of {known.spikes[0]}"
                )
        return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _revive(record: bytes) -> Sample:
    data = json.loads(record)
    latency = data["latency"]
    return Sample(
        v_mem=tuple(data["v_mem"]),
        spikes=tuple(data["spikes"]),
        energy=tuple(tuple(part) for part in data["energy"]),
        latency=None if latency is None else tuple(latency),
    )
