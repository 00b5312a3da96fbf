"""Predictions on a lattice over the range of parameters, by which χ² of every toy is seen everywhere at once.

Data enter −2 ln L by Σ t a and Σ n ln μ: matrix products of the data of many toys and of predictions that all of them
share. So no toy asks anything of the model, and where its χ² is lower than at all neighbouring nodes, a fit may end
that others miss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.likelihood.box import Box
from hpcscan.likelihood.objective import Given, Objective
from hpcscan.likelihood.terms import Terms, count_scale

#: Nodes along the start ranges of so many parameters; there is no lattice for more.
NODES = {1: 65, 2: 25, 3: 9, 4: 4}
#: Bounds that are farther away than the start range are reached by up to so many times the nodes, and up to so many
#: widths of it.
MORE, FARTHEST = 2.0, 3.0
#: Nodes in all, where bounds are farther away.
MOST_NODES = 1200
#: Numbers in the predictions of a lattice, at most.
MOST_PREDICTIONS = 300_000
#: So many places of a toy are looked at, the lowest.
MOST_PLACES = 4
#: The logarithm of an expectation of nothing: a count there costs more than any other place.
LOG_ZERO = -1e6
#: Between nodes predictions move by no more than this, relative to half the way to the neighbours.
REACH = 1.5


@dataclass(frozen=True)
class Overview:
    """Nodes and the predictions there.

    Attributes
    ----------
    terms : Terms
    groups : sequence of array or slice
        Observables that share a scale.
    shape : tuple of int
    x : array, shape (p, n)
        Nodes.
    spacing : array, shape (p, 1)
    value : array, shape (m, n)
        Predictions in σ, before the scale; zero where they are illegal.
    is_legal : bool array, shape (n,)
    """

    terms: Terms
    groups: Sequence[slice | list[int]]
    shape: tuple[int, ...]
    x: Array
    spacing: Array
    value: Array
    is_legal: BoolArray

    @classmethod
    def of(cls, objective: Objective, held: Array) -> Overview | None:
        """Ask for the predictions where these are held, shape (n_held,); None where there is too much to ask for."""
        is_count, axes = objective.terms.is_count, _axes(objective.box)
        shape = tuple(len(axis) for axis in axes)
        if max(shape, default=1) == 1 or int(np.prod(shape)) * len(is_count) > MOST_PREDICTIONS:
            return None
        x = np.stack([one.ravel() for one in np.meshgrid(*axes, indexing="ij")])
        spacing = np.array([[axis[1] - axis[0] if len(axis) > 1 else np.inf] for axis in axes])
        given = Given(np.repeat(held[:, None], x.shape[1], axis=1))
        with np.errstate(all="ignore"):
            value = objective.terms.in_sigmas(objective.predict(given, x))
        is_legal: BoolArray = np.isfinite(value).all(axis=0) & np.all(value[is_count] >= 0, axis=0)
        return cls(objective.terms, objective.groups, shape, x, spacing, np.where(is_legal, value, 0.0), is_legal)

    @cached_property
    def _parts(self) -> list[_Part]:
        """Observables without a scale, then those of each scale."""
        every, terms = np.arange(len(self.value)), self.terms
        groups = [every[members] for members in self.groups]
        alone = np.setdiff1d(every, np.concatenate([every[:0], *groups]))
        # Without a scale, from near the data, so that large numbers do not cancel.
        near = np.where(terms.is_count[alone, None], 0.0, terms.target[alone])
        first = _Part.of(alone, self.value[alone] - near, terms.is_count[alone], near, is_scaled=False)
        others = [_Part.of(g, self.value[g], terms.is_count[g], 0 * terms.target[g], is_scaled=True) for g in groups]
        return [first, *others]

    @cached_property
    def _reach(self) -> Array:
        """How far predictions get before the next node, in σ at the scales of the data, shape (n,).

        Counts by 2√μ, whose σ is 1.
        """
        is_count, target, value = self.terms.is_count[:, None], self.terms.target, self.value.copy()
        with np.errstate(all="ignore"):
            weight = np.where(is_count, 1 / np.maximum(target, 1.0), 1.0)
            for members in self.groups:
                a = value[members]
                value[members] *= (weight[members] * a * target[members]).sum(axis=0) / (weight[members] * a * a).sum(
                    axis=0
                )
            value = np.where(is_count, 2 * np.sqrt(value), value)
        value, reach = np.nan_to_num(value).reshape(-1, *self.shape), np.zeros(self.shape)
        for axis, n in enumerate(self.shape):
            if n > 1:
                way = np.sqrt((np.diff(value, axis=axis + 1) ** 2).sum(axis=0))
                way = np.pad(way, [(1, 1) if k == axis else (0, 0) for k in range(reach.ndim)])
                reach += np.maximum(way.take(range(n), axis), way.take(range(1, n + 1), axis)) * REACH / 2
        return reach.ravel()

    def chi2(self, target: Array) -> Array:
        """Compute −2 ln L of n toys, whose data in σ have shape (m, n_toys), at all nodes: (n, n_toys).

        To single precision: it only has to tell where χ² is low.
        """
        with np.errstate(all="ignore"):
            total, *others = (part.chi2(target) for part in self._parts)
            for more in others:
                total += more
        if not self.is_legal.all():
            total[~self.is_legal] = np.inf
        return total

    def places(self, data: Array, x: Array, chi2: Array) -> tuple[IntArray, IntArray, Array]:
        """Return where χ² of toys is lower than around, and may be lower still than at a place they know.

        Parameters
        ----------
        data : array, shape (n_toys, m)
            In the units of the observables.
        x, chi2 : array, shape (n_toys, p) and (n_toys,)
            Known places.

        Returns
        -------
        toy, node : int array, shape (k,)
            The lowest nodes of each toy.
        above : array, shape (k,)
            How much higher χ² is there than at the known place.
        """
        seen = self.chi2(self.terms.in_sigmas(np.ascontiguousarray(data.T)))
        low = seen.reshape(*self.shape, -1)
        for axis in range(len(self.shape)):
            low = _lowest(low, axis)
        node, toy = np.divmod(np.flatnonzero(seen <= low.reshape(seen.shape)), len(data))
        value = seen[node, toy].astype(float)
        # Neither beside the known place and higher, nor so high that it cannot become lower between the nodes.
        is_near = (np.abs(self.x[:, node] - x.T[:, toy]) <= self.spacing).all(axis=0) & (value >= chi2[toy])
        can_win = np.sqrt(np.maximum(value, 0.0)) - self._reach[node] < np.sqrt(np.maximum(chi2[toy], 0.0))
        some = np.flatnonzero(~is_near & can_win & np.isfinite(value))
        some = some[np.lexsort((value[some], toy[some]))]
        rank = np.arange(len(some)) - np.searchsorted(toy[some], toy[some])
        some = some[rank < MOST_PLACES]
        return toy[some], node[some], value[some] - chi2[toy[some]]


def others(overview: Overview, objective: Objective, held: Array, x: Array, data: Array) -> tuple[IntArray, IntArray]:
    """Return which ends of other toys of a place are good starts of a toy: the lowest of every cell of the lattice.

    Parameters
    ----------
    held : array, shape (n_held,)
    x, data : array, shape (n_toys, p) and (n_toys, m)
        Ends, and data in the units of the observables.

    Returns
    -------
    toy, other : int array, shape (k,)
    """
    n, given = len(x), Given(np.repeat(held[:, None], len(x), axis=1))
    with np.errstate(all="ignore"):
        value = objective.terms.in_sigmas(objective.predict(given, np.ascontiguousarray(x.T)))
    is_legal: BoolArray = np.asarray(np.isfinite(value).all(axis=0), bool)
    seen = replace(overview, value=np.nan_to_num(value), is_legal=is_legal)
    chi2 = seen.chi2(objective.terms.in_sigmas(np.ascontiguousarray(data.T)))
    cell = np.unique(np.floor(x.T / overview.spacing), axis=1, return_inverse=True)[1].ravel()
    # By cell and χ²: the first of each cell of each toy.
    lowest = np.full((cell.max() + 1, n), np.inf)
    np.minimum.at(lowest, cell, chi2)
    other, toy = np.nonzero((chi2 <= lowest[cell]) & np.isfinite(chi2) & (cell[:, None] != cell))
    order = np.lexsort((chi2[other, toy], toy))
    toy, other = toy[order], other[order]
    rank = np.arange(len(toy)) - np.searchsorted(toy, toy)
    return toy[rank < MOST_PLACES], other[rank < MOST_PLACES]


@dataclass(frozen=True)
class _Part:
    """Some observables, all with one scale or none: which are normal values and counts, and matrices of predictions.

    Attributes
    ----------
    products : array, shape (n, k)
        What multiplies normal values, without a scale what multiplies all data; single precision.
    logs : array, shape (n, k)
        Logarithms of expected counts.
    squares, expected : array, shape (n, 1)
        Sums over observables.
    """

    normal: IntArray
    counted: IntArray
    near: Array
    is_scaled: bool
    products: Array
    logs: Array
    squares: Array
    expected: Array

    @classmethod
    def of(cls, members: IntArray, value: Array, is_count: BoolArray, near: Array, *, is_scaled: bool) -> _Part:
        """Prepare predictions minus what is near, shape (k, n)."""
        a, mu = value[~is_count], value[is_count]
        with np.errstate(all="ignore"):
            logs = np.where(mu > 0, np.log(mu), LOG_ZERO)
            squares, expected = (a * a).sum(axis=0)[:, None], mu.sum(axis=0)[:, None]
            if not is_scaled:
                ones = np.ones_like(expected)
                products = np.concatenate([-2 * a.T, -2 * logs.T, squares + 2 * expected, ones], axis=1)
            else:
                # Without counts, unit vectors; a prediction of nothing explains nothing.
                products = a.T if len(mu) else np.where(squares > 0, a.T / np.sqrt(squares), 0.0)
        return cls(
            members[~is_count], members[is_count], near[~is_count], is_scaled,
            products.astype(np.float32), logs.T.astype(np.float32), squares, expected,
        )  # fmt: skip

    def chi2(self, target: Array) -> Array:
        """Compute what they add to −2 ln L of toys: shape (n, n_toys)."""
        t, n = target[self.normal] - self.near, target[self.counted]
        of_toy = (t * t).sum(axis=0) + 2 * np.where(n > 0, n * np.log(n) - n, 0.0).sum(axis=0)
        if not self.is_scaled:
            columns = np.concatenate([t, n, [np.ones_like(of_toy), of_toy]]).astype(np.float32)
            return np.asarray(np.matmul(self.products, columns))
        products = np.matmul(self.products, t.astype(np.float32))
        if not len(n):
            products *= products
            return np.asarray(of_toy.astype(np.float32) - products)
        return np.asarray(np.nan_to_num(self._scaled(products, n, of_toy), nan=np.inf), np.float32)

    def _scaled(self, products: Array, n: Array, of_toy: Array) -> Array:
        """Do the same at the best scale of counts, and possibly of normal values."""
        expected, total = np.broadcast_to(self.expected, products.shape), n.sum(axis=0)
        scale = count_scale(expected[None], total[None], self.squares, products)
        logs = np.where(total > 0, total * np.log(scale), 0.0) + np.matmul(self.logs, n.astype(np.float32))
        return np.asarray(scale * (scale * self.squares - 2 * products + 2 * self.expected) - 2 * logs + of_toy)


def _axes(box: Box) -> list[Array]:
    """Choose nodes along the parameters; one each where there are too many of these."""
    start, stop, lower, upper = (values[:, 0] for values in (box.start, box.stop, box.lower, box.upper))
    width = stop - start
    n_nodes, moves = NODES.get(int((width > 0).sum()), 1), width > 0
    # Fits may go beyond the start ranges, to the bounds.
    first = np.where(np.isfinite(lower), np.maximum(lower, start - FARTHEST * width), start)
    last = np.where(np.isfinite(upper), np.minimum(upper, stop + FARTHEST * width), stop)
    longer = np.where(moves, (last - first) / np.where(moves, width, 1.0), 1.0)
    n_longer = int((longer > 1).sum())
    most = min(MORE, (MOST_NODES / n_nodes ** int(moves.sum())) ** (1 / max(n_longer, 1)))
    n = np.where(moves & (n_nodes > 1), np.floor(n_nodes * np.clip(longer, 1.0, max(most, 1.0))), 1).astype(int)
    return [np.linspace(*ends) for ends in zip(first, last, n.tolist(), strict=True)]


def _lowest(values: Array, axis: int) -> Array:
    """Return the least of every value and its two neighbours along an axis."""
    values = np.moveaxis(values, axis, 0)
    low = values.copy()
    np.minimum(low[1:], values[:-1], out=low[1:])
    np.minimum(low[:-1], values[1:], out=low[:-1])
    return np.moveaxis(low, 0, axis)
