"""A long run can be ended from the keyboard."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from snncircuit.network import engines, event

THREADED = [name for name in engines.NAMES if name == "dense" or (name == "event" and event.available())]
LONG = """
    import signal, sys, torch
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    from snncircuit.network.convert import convert
    from snncircuit.network.encode import make_encoder
    from snncircuit.network.engines import engine
    from snncircuit.neuron.ideal import IdealNeuron
    torch.manual_seed(0)
    pixels = torch.rand(64, 3, 16, 16)
    layers = [torch.nn.Conv2d(3, 64, 3), torch.nn.ReLU(), torch.nn.Conv2d(64, 128, 3), torch.nn.ReLU(), torch.nn.Conv2d(128, 4, 3)]
    network = convert(torch.nn.Sequential(*layers), pixels[:8])
    torch.set_num_threads(2)
    torch.inference_mode().__enter__()
    run = engine(sys.argv[1])
    print("running", flush=True)
    options = dict(first_image=0, steps=2000, record={}, exit_margin=None)
    try:
        while True:
            run(network, IdealNeuron(), make_encoder("constant"), pixels, **options)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        pixels, network = pixels[:1], convert(torch.nn.Sequential(*layers), pixels[:8])
        run(network, IdealNeuron(), make_encoder("constant"), pixels, **options | {"steps": 9})
        print("runs again", flush=True)
"""


@pytest.mark.parametrize("engine", THREADED)
def test_an_interrupt_ends_a_long_run_and_leaves_the_engine_usable(engine: str) -> None:
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(LONG), engine],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "running\n"
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=1.0)  # within the run
            os.kill(process.pid, signal.SIGINT)
            told, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    assert told == "interrupted\nruns again\n", errors
    assert process.returncode == 0
