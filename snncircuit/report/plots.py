"""The figures: each a pure function from data to a matplotlib figure, and one function that writes it."""

from snncircuit.report.audit_figure import plot_audit
from snncircuit.report.ladder_figure import plot_ladder
from snncircuit.report.style import save
from snncircuit.report.sweep_figure import plot_sweep
from snncircuit.report.table_figure import plot_table
from snncircuit.report.yield_figure import plot_yield

__all__ = ["plot_audit", "plot_ladder", "plot_sweep", "plot_table", "plot_yield", "save"]
