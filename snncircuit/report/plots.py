"""The figures: each a pure function from data to a matplotlib figure, and one function that writes it."""

from snncircuit.report.style import save
from snncircuit.report.sweep_figure import plot_sweep
from snncircuit.report.table_figure import plot_table

__all__ = ["plot_sweep", "plot_table", "save"]
