"""Models: parameters, the data that they predict, and how they are posed to the fit. Pure functions; numpy only."""

from hpcscan.arrays import Array
from hpcscan.model.interface import Derived, Dimension, Likelihood, Model, Parameter, Ranges, Together, where
from hpcscan.model.options import Option
from hpcscan.model.terms import Gaussian, Poisson

__all__ = [
    "Array",
    "Derived",
    "Dimension",
    "Gaussian",
    "Likelihood",
    "Model",
    "Option",
    "Parameter",
    "Poisson",
    "Ranges",
    "Together",
    "where",
]
