"""Networks of neurons: files, conversion, encoders, engines, and the one verb ``simulate``."""

from snncircuit.network.convert import calibrate, convert, load_spiking, spiking
from snncircuit.network.description import NetworkDescription, Normalisation
from snncircuit.network.encode import ConstantCurrent, Encoder, PoissonSpikes, RegularSpikes, make_encoder
from snncircuit.network.figures import LayerFigures
from snncircuit.network.files import half_precision, load_network, save_network
from snncircuit.network.layers import SpikingNetwork, Synapses
from snncircuit.network.outcome import Trace
from snncircuit.network.run import Run
from snncircuit.network.run_file import load_run, save_run
from snncircuit.network.simulate import simulate

__all__ = [
    "ConstantCurrent",
    "Encoder",
    "LayerFigures",
    "NetworkDescription",
    "Normalisation",
    "PoissonSpikes",
    "RegularSpikes",
    "Run",
    "SpikingNetwork",
    "Synapses",
    "Trace",
    "calibrate",
    "convert",
    "half_precision",
    "load_network",
    "load_run",
    "load_spiking",
    "make_encoder",
    "save_network",
    "save_run",
    "simulate",
    "spiking",
]
