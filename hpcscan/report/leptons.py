"""What the lepton model alone reports: energies and their parts, m/E, E_circ/U², w/R_c."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hpcscan.analysis.landscape import Indices
from hpcscan.arrays import Array
from hpcscan.dataset.stored import StoredScan
from hpcscan.words.tables import Table
from hpcscan.words.wording import spread

#: Energies of a lepton: the whole, and the parts of it with their signs.
PARTS = (("energy_circulation", 1), ("energy_stabilization", -1), ("energy_gradient", 1))


def has_leptons(scan: StoredScan) -> bool:
    """Tell whether the file comes from the lepton model."""
    return all(scan.has(name) for name in ("lepton_name", "energy_total", *(part for part, _ in PARTS)))


def lepton_tables(scan: StoredScan, points: Indices) -> Iterator[Table]:
    """Tabulate energies and ratios, at these points."""
    if not has_leptons(scan):
        return
    yield _energies(scan, points)
    yield _ratios(scan, points)
    yield from _layers(scan, points)


def _energies(scan: StoredScan, points: Indices) -> Table:
    names = ("energy_total", "energy_circulation", "energy_stabilization", "energy_gradient")
    values = [scan.at_points(name)[points] for name in names]
    rows = tuple((label, *(spread(column[:, k]) for column in values)) for k, label in enumerate(scan.labels("lepton")))
    header = ("lepton", "E", "circulation", "− stabilization", "+ gradient")
    return Table("energies", f"Energies and their parts, in {scan.unit('energy_total')}s", header, rows)


def _ratios(scan: StoredScan, points: Indices) -> Table:
    """Tabulate m/E, which one scale makes equal for all leptons, and the ratios that show whether it can."""
    energy, scale = scan.at_points("energy_total")[points], scan.at_points("scale_per_lepton")[points]
    prefactor = scan.at_points("circulation_prefactor")[points]
    observed, labels = scan.variables["observed"].values, scan.labels("lepton")
    rows = tuple(
        (
            label,
            spread(scale[:, k], 6),
            spread(scale[:, k] / scale[:, -1], 6),
            spread(energy[:, k] / energy[:, -1], 6),
            f"{observed[k] / observed[-1]:.6g}",
            spread(prefactor[:, k], 6),
        )
        for k, label in enumerate(labels)
    )
    last = labels[-1]
    header = ("lepton", "m/E", f"over that of {last}", f"E / E of {last}", f"m / m of {last}", "E_circ/U²")
    return Table("ratios", f"Mass over energy, {scan.unit('scale_per_lepton')}, and ratios", header, rows)


def _layers(scan: StoredScan, points: Indices) -> Iterator[Table]:
    """Compare the boundary layer with each core: it should be thin."""
    ratio = layer_over_core(scan, points)
    if ratio is not None:
        rows = tuple((label, spread(ratio[:, k], 3)) for k, label in enumerate(scan.labels("lepton")))
        caption = "Boundary layer over core radius; w ≪ R_c is assumed"
        yield Table("layers", caption, ("lepton", "w/R_c"), rows)


def layer_over_core(scan: StoredScan, points: Indices) -> Array | None:
    """Give w/R_c, shape (n, n_leptons); None where the file does not say."""
    axes = [axis.name for axis in scan.grid.axes]
    names = [f"{label}.R_c" for label in scan.labels("lepton")]
    parameters = scan.labels("parameter")
    if "w" not in axes or not set(names) <= set(parameters):
        return None
    w = scan.grid.points(points)[:, axes.index("w")]
    cores = scan.at_points("profiled_parameter")[points][:, [parameters.index(name) for name in names]]
    return np.asarray(w[:, None] / cores, float)
