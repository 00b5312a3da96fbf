"""Models: what is scanned, profiled and compared with data. Pure functions of their arguments; numpy only."""

from hpcscan.arrays import Array
from hpcscan.model.interface import Axis, Derived, Dimension, Model, Observable, Option, Parameter, Ranges, scale_names

__all__ = [
    "Array",
    "Axis",
    "Derived",
    "Dimension",
    "Model",
    "Observable",
    "Option",
    "Parameter",
    "Ranges",
    "scale_names",
]
