"""A first call of a model at the corners of the grid, so that a broken plugin stops before the scan starts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hpcscan.config.plugin import PLUGIN_KEY, blaming
from hpcscan.config.records import PluginSource
from hpcscan.errors import Mistake, UsageError
from hpcscan.model import Array, Model, scale_names
from hpcscan.scan.grid import Grid


def probe_model(model: Model, grid: Grid, plugin: PluginSource | None = None) -> None:
    """Call everything that a model computes, on a few rows, and hold the results to their shapes and types.

    The arguments cannot be written to: a model that changes them in place is refused here. Values that are not finite
    are no mistake; the fit copes with them.

    Parameters
    ----------
    model : Model
    grid : Grid
    plugin : PluginSource, optional
        Where the model comes from, if it is a user's.

    Raises
    ------
    UsageError
        Located at the configuration key ``model.plugin``.
    """
    points, parameters = _rows(model, grid)
    n_rows, n_observables, n_parameters = len(points), len(model.observables), len(model.parameters)
    with blaming(plugin, "predict"), np.errstate(all="ignore"):
        _check("predict", model.predict(points, parameters), (n_rows, n_observables), plugin)
    if type(model).jacobian is not Model.jacobian:
        with blaming(plugin, "jacobian"), np.errstate(all="ignore"):
            _check("jacobian", model.jacobian(points, parameters), (n_rows, n_observables, n_parameters), plugin)
    scales = {name: _frozen(np.ones(n_rows)) for name in scale_names(model)}
    with blaming(plugin, "derive"), np.errstate(all="ignore"):
        _check_derived(model, model.derive(points, parameters, scales), n_rows, plugin)


def _rows(model: Model, grid: Grid) -> tuple[Array, Array]:
    """First and last grid point, at the middle of the start ranges."""
    # As many rows as observables would hide a transposed result.
    n_rows = 3 if len(model.observables) == 2 else 2
    names = [axis.name for axis in grid.axes]
    columns = [names.index(axis.name) for axis in model.axes]
    points = grid.points([0, grid.n_points - 1, 0][:n_rows])[:, columns]
    middle = [low + 0.5 * (high - low) for low, high in (p.start_range for p in model.parameters)]
    return _frozen(points), _frozen(np.tile(np.array(middle, float), (n_rows, 1)))


def _frozen(values: Array) -> Array:
    values.setflags(write=False)
    return values


def _check(name: str, result: object, shape: tuple[int, ...], plugin: PluginSource | None) -> None:
    values = np.asarray(result)
    if values.shape != shape:
        raise _wrong(plugin, f"{name} returned shape {values.shape}; expected {shape} for {shape[0]} rows")
    if values.dtype.kind not in "fiu":
        raise _wrong(plugin, f"{name} returned values of type {values.dtype}; expected real numbers")


def _check_derived(model: Model, result: object, n_rows: int, plugin: PluginSource | None) -> None:
    declared = {d.name: () if d.dimension is None else (len(d.dimension.labels),) for d in model.derived}
    if not isinstance(result, Mapping):
        raise _wrong(plugin, f"derive returned a {type(result).__name__}; expected a mapping of name to array")
    if set(result) != set(declared):
        got, wanted = ", ".join(sorted(map(str, result))) or "nothing", ", ".join(sorted(declared)) or "nothing"
        raise _wrong(plugin, f"derive returned {got}; declared is {wanted}")
    for name, size in declared.items():
        _check(f"derive[{name!r}]", result[name], (n_rows, *size), plugin)


def _wrong(plugin: PluginSource | None, message: str) -> UsageError:
    return UsageError(Mistake(PLUGIN_KEY, f"{plugin.path}: {message}" if plugin else message))
