"""Whether an answer of ngspice is one; its exit codes and return values do not say."""

from __future__ import annotations

import re

import numpy as np

from snncircuit.spice.deck import Deck
from snncircuit.spice.process import Answer
from snncircuit.spice.waveforms import Failure, Outcome, Waveforms

_BAD = re.compile(
    r"\bError\b|\bERROR\b|[Ff]atal error|simulation\(s\) aborted|run aborted|singular matrix|Timestep too small"
)
# "Note: starting true gmin stepping" and the like.
_HARMLESS = re.compile(r"\s*Note\b")
_STREAM = re.compile(r"^std(?:err|out) ")


def complaints(log: tuple[str, ...]) -> str:
    """The lines of a log that tell of a failed run, each once, cut to a paragraph; empty when there are none."""
    lines = (" ".join(_STREAM.sub("", line).split()) for line in log)
    bad = (line for line in lines if _BAD.search(line) and not _HARMLESS.match(line))
    return "; ".join(dict.fromkeys(bad))[:500]


def judge(deck: Deck, answer: Answer) -> Outcome:
    """The waveforms, or the reason why the answer is none.

    It is one when every requested vector exists, all are finite and as long as the time, the time ascends to the stop time,
    and ngspice complained of nothing.
    """
    fault = _fault(deck, answer)
    said = complaints(answer.log)
    if fault or said:
        return Failure(reason=f"{fault} ({said})" if fault and said else fault or said)
    return Waveforms(time=answer.vectors["time"], signals={name: answer.vectors[name] for name in deck.save})


def _fault(deck: Deck, answer: Answer) -> str:
    time = answer.vectors.get("time")
    if time is None or time.size < 2:
        return "no transient result"
    missing = [name for name in deck.save if name not in answer.vectors]
    if missing:
        return f"ngspice gave no {', '.join(missing)}"
    short = [name for name in deck.save if answer.vectors[name].size != time.size]
    if short:
        return f"incomplete {', '.join(short)}"
    wild = [name for name in ("time", *deck.save) if not np.isfinite(answer.vectors[name]).all()]
    if wild:
        return f"values of {', '.join(wild)} that are not finite"
    if np.any(np.diff(time) < 0) or time[-1] < deck.tran.stop * (1 - 1e-9):
        return f"time ends at {time[-1]:.6g} s instead of {deck.tran.stop:.6g} s"
    return ""
