"""Figures for a notebook and for the book: numbers in, a picture and its text out.

Every function returns a ``Figure``. In a notebook it shows as HTML that follows light and dark
mode and fits on a phone; as text (``repr``) it is the numbers that the picture shows.
"""

from drqsim.figures.cells import grid, grids
from drqsim.figures.charts import bars, lifetimes
from drqsim.figures.curves import lines
from drqsim.figures.figure import Figure
from drqsim.figures.flow import layer
from drqsim.figures.handover import handover
from drqsim.figures.histograms import histogram, two_histograms
from drqsim.figures.memory_map import memory_bars, memory_map
from drqsim.figures.ruler import number_line

__all__ = [
    "Figure",
    "bars",
    "grid",
    "grids",
    "handover",
    "histogram",
    "layer",
    "lifetimes",
    "lines",
    "memory_bars",
    "memory_map",
    "number_line",
    "two_histograms",
]
