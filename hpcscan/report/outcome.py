"""The data of a scan and what the best fit makes of them: what figures and tables of data are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hpcscan.analysis.findings import Findings
from hpcscan.analysis.landscape import Indices
from hpcscan.arrays import Array, BoolArray
from hpcscan.words.numbers import in_unit, place

#: In front of the name of a parameter whose constraint is an observable.
CONSTRAINT = "constraint."


@dataclass(frozen=True)
class DataOutcome:
    """The data of a scan and what the best fit makes of them.

    Attributes
    ----------
    where, named : str
        Which point it is, and what it is called in a legend.
    chi2 : float
        There, of all data and constraints.
    names, terms, units : tuple of str, one for each value
    labels, x_labels : tuple of str, one for each value
        How the term and its abscissa are written.
    x, observed, sigma, predicted, pull, is_count, is_correlated : array
        NaN where there is none; of counts σ is √n.
    parts : mapping of str to mapping of str to array
        Of each term those that the model names, by their names.
    legends : mapping of str to str
        How they are written.
    """

    where: str
    named: str
    chi2: float
    names: tuple[str, ...]
    terms: tuple[str, ...]
    units: tuple[str, ...]
    x: Array
    observed: Array
    sigma: Array
    predicted: Array
    pull: Array
    is_count: BoolArray
    is_correlated: BoolArray
    labels: tuple[str, ...]
    x_labels: tuple[str, ...]
    parts: Mapping[str, Mapping[str, Array]]
    legends: Mapping[str, str]

    @classmethod
    def of(cls, findings: Findings) -> DataOutcome | None:
        """Collect it at the best fit or, where none was fitted, at the lowest point; None without data or χ²."""
        scan, landscape = findings.scan, findings.landscape
        names = scan.labels("observable")
        if landscape.lowest is None or not names:
            return None
        observed, sigma = (np.asarray(scan.variables[name].values, float) for name in ("observed", "sigma"))
        if findings.fitted is not None:
            where = named = "the best fit"
            predicted = np.asarray(scan.variables["best_fit_predicted"].values, float)
            pull, chi2 = findings.fitted.pulls, findings.fitted.chi2
        else:
            named = "the lowest point"
            where = f"{named}, {place(landscape.grid, landscape.lowest)}"
            predicted, pull = (scan.at_points(name)[landscape.lowest] for name in ("predicted", "pull"))
            chi2 = landscape.lowest_chi2
        is_count = np.isnan(sigma)
        sigma = np.where(is_count, np.sqrt(np.maximum(observed, 0)), sigma)
        texts = ("term_name", "term_label", "observable_x_label", "observable_x_unit")
        terms, labels, x_labels, x_units = (tuple(map(str, scan.variables[name].values)) for name in texts)
        x_labels = tuple(in_unit(label or "x", unit) for label, unit in zip(x_labels, x_units, strict=True))
        x, tied = (np.asarray(scan.variables[name].values) for name in ("observable_x", "is_correlated"))
        parts = {term: _parts(findings, term) for term in dict.fromkeys(terms)}
        legends = {name: scan.variables[name].long_name for of_term in parts.values() for name in of_term}
        data = x, observed, sigma, predicted, pull, is_count, tied.astype(bool)
        return cls(where, named, chi2, names, terms, scan.units("observable"), *data, labels, x_labels, parts, legends)

    @property
    def series(self) -> dict[str, Indices]:
        """The terms of several values, each with its places."""
        found = {term: np.flatnonzero(np.array(self.terms) == term) for term in dict.fromkeys(self.terms)}
        return {term: places for term, places in found.items() if len(places) > 1}

    def with_covariance(self, term: str) -> float:
        """Return χ² of a term of correlated values; NaN where another term has correlations, too."""
        is_of_term = np.array(self.terms) == term
        # Of all others the squares of pulls are what they add.
        others = self.pull[~is_of_term]
        is_known = np.isfinite(others).all() and not self.is_correlated[~is_of_term].any()
        return float(self.chi2 - np.sum(others**2)) if is_known else np.nan

    def written(self, k: int) -> str:
        """Write the label of a value that stands alone."""
        return self.labels[k].removeprefix(CONSTRAINT)

    @property
    def single(self) -> Indices:
        """Single values and constraints."""
        several = self.series
        return np.array([k for k, term in enumerate(self.terms) if term not in several], np.intp)


def _parts(findings: Findings, term: str) -> dict[str, Array]:
    """Return the parts of the prediction of a term at the place of the outcome."""
    scan, point = findings.scan, findings.landscape.lowest
    size, found = int(np.count_nonzero(scan.variables["term_name"].values == term)), {}
    for name in scan.parts(term):
        at_best = scan.variables.get(f"best_fit_{name}")
        values = scan.at_points(name)[point] if at_best is None else np.asarray(at_best.values, float)
        # A file may say anything of what is part of what.
        if np.shape(values) == (size,):
            found[name] = np.asarray(values, float)
    return found
