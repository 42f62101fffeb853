"""A long run can be ended from the keyboard."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from snncircuit.network import event

if not event.available():
    pytest.skip(event.unavailable_reason(), allow_module_level=True)

LONG = """
    import signal, sys, torch
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    from snncircuit.network.convert import convert
    from snncircuit.network.encode import make_encoder
    from snncircuit.network.event.engine import run_event
    from snncircuit.neuron.ideal import IdealNeuron
    torch.manual_seed(0)
    pixels = torch.rand(64, 3, 16, 16)
    layers = [torch.nn.Conv2d(3, 64, 3), torch.nn.ReLU(), torch.nn.Conv2d(64, 128, 3), torch.nn.ReLU(), torch.nn.Conv2d(128, 4, 3)]
    network = convert(torch.nn.Sequential(*layers), pixels[:8])
    torch.set_num_threads(2)
    print("running", flush=True)
    options = dict(first_image=0, steps=2000, record={}, exit_margin=None)
    try:
        while True:
            run_event(network, IdealNeuron(), make_encoder("constant"), pixels, **options)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        pixels, network = pixels[:1], convert(torch.nn.Sequential(*layers), pixels[:8])
        run_event(network, IdealNeuron(), make_encoder("constant"), pixels, **options | {"steps": 9})
        print("runs again", flush=True)
"""


def test_an_interrupt_ends_a_long_run_and_leaves_the_engine_usable() -> None:
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(LONG)],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "running\n"
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=1.0)  # within the kernel
            os.kill(process.pid, signal.SIGINT)
            told, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    assert told == "interrupted\nruns again\n", errors
    assert process.returncode == 0
