"""The problem of a fit as it is posed to a proof: the same terms, by name and without what is held."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hpcscan.arrays import Array
from hpcscan.model.problem import CONSTRAINT, Observable, Problem
from hpcscan.proof.box_problem import BoxProblem, Constraint, DataBlock, faithful
from hpcscan.proof.branch import Proof, Prospect, Tolerance, examine, prove
from hpcscan.proof.condition import NotEnclosable
from hpcscan.proof.uniqueness import Unique, unique_within


@dataclass(frozen=True, eq=False)
class Posed:
    """A problem of the fit, ready to be proven.

    Attributes
    ----------
    problem : Problem
        Of the fit.
    proof : BoxProblem
        What is to be proven of it.
    """

    problem: Problem
    proof: BoxProblem

    def prove(self, points: Array, known: tuple[Array, Array], most_boxes: int) -> Proof:
        """Prove the minima of points of shape (n, n_axes); see `branch.prove`.

        What cannot be enclosed at one point, such as where the model raises, is not proven there; the others are.
        """
        try:
            return self._prove(points, known, most_boxes)
        except NotEnclosable as error:
            if len(points) == 1:
                return Proof.none(known, str(error))
        rows = (slice(k, k + 1) for k in range(len(points)))
        return Proof.joined([self.prove(points[row], (known[0][row], known[1][row]), most_boxes) for row in rows])

    def _prove(self, points: Array, known: tuple[Array, Array], most_boxes: int) -> Proof:
        # What constraints of held parameters add to χ² is the same in the whole box: it is taken from the known χ²,
        # and added to what is proven.
        chi2, parameters = known
        offset = self._offset(points)
        found = prove(self.proof, self._held(points), (chi2 - offset, parameters), most_boxes, Tolerance())
        # Rounding of the sum: a bound is lowered by more than that.
        lowered = (found.lower_bound + offset) - 4 * np.finfo(float).eps * offset
        bound = np.where(np.isfinite(found.lower_bound), lowered, found.lower_bound)
        return replace(found, lower_bound=bound, chi2=found.chi2 + offset)

    def unique_within(self, points: Array, parameters: Array) -> Unique:
        """Find neighbourhoods of minima in which there is no other; see `uniqueness.unique_within`."""
        return unique_within(self.proof, self._held(points), parameters)

    def is_enclosable(self, points: Array, parameters: Array) -> bool:
        """Whether the model can be enclosed near some parameters, by its own code and as it computes numbers."""
        try:
            return self.proof.own is None and bool(faithful(self.proof, self._held(points), parameters)[0].all())
        except NotEnclosable:
            return False

    def examine(self, points: Array) -> Prospect:
        """Look at the structure of the problem without proving it.

        Raises
        ------
        NotEnclosable
        """
        return examine(self.proof, self._held(points), len(points))

    def _held(self, points: Array) -> dict[str, Array]:
        columns = {axis.name: np.ascontiguousarray(points[:, j]) for j, axis in enumerate(self.problem.axes)}
        return columns | {p.name: np.full(len(points), value) for p, value in self.problem.fixed_parameters}

    def _offset(self, points: Array) -> Array:
        """χ² of the constraints of held parameters, shape (n,)."""
        held, total = self._held(points), np.zeros(len(points))
        for observable in self.problem.observables:
            name = _constrained(observable)
            if name in held:
                total += ((held[name] - observable.observed) / observable.sigma) ** 2
        return total


def pose_proof(problem: Problem, bounds: tuple[Array, Array] | None = None) -> Posed:
    """Pose a problem to a proof.

    Parameters
    ----------
    bounds : pair of arrays, shape (n_parameters,), optional
        Of the profiled parameters, where these are not those that they have.

    Raises
    ------
    NotEnclosable
        Where it has terms of which χ² cannot be bounded from the enclosure of a prediction.
    """
    predict = problem.predict_by_name
    if predict is None:
        raise NotEnclosable("the model gives −2 ln L and no predictions")
    of_counts = {o.scale for o in problem.observables if o.kind == "poisson"}
    correlated = {problem.observables[first].scale for first in problem.covariances}
    if shared := sorted(scale for scale in of_counts & correlated if scale is not None):
        raise NotEnclosable(f"the scale {shared[0]} of counts and of correlated values is not proven")
    free = tuple(p.name for p in problem.parameters)
    own = (np.array([getattr(p, side) for p in problem.parameters], float) for side in ("lower", "upper"))
    lower, upper = own if bounds is None else bounds
    constraints = tuple(
        Constraint(name, o.observed, o.sigma) for o in problem.observables if (name := _constrained(o)) in free
    )
    proof = BoxProblem(
        predict, free, lower, upper, _blocks(problem), constraints, problem.rows_per_call, problem.user_model,
        problem.enclose_by_name,
    )  # fmt: skip
    return Posed(problem, proof)


def _constrained(observable: Observable) -> str:
    """Return the parameter whose constraint an observable is; "" for a measured value."""
    return observable.term.removeprefix(CONSTRAINT) if observable.term.startswith(CONSTRAINT) else ""


def _blocks(problem: Problem) -> tuple[DataBlock, ...]:
    """Collect the values of each term."""
    blocks, first = [], 0
    names = dict.fromkeys(o.term for o in problem.observables if not _constrained(o))
    for term in names:
        own = [o for o in problem.observables if o.term == term]
        observed, sigma = np.array([o.observed for o in own], float), np.array([o.sigma for o in own], float)
        is_count = own[0].kind == "poisson"
        sigma = np.ones(len(own)) if is_count else sigma
        blocks.append(DataBlock(term, observed, sigma, own[0].scale, problem.covariances.get(first), is_count))
        first += len(own)
    return tuple(blocks)
