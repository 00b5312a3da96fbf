"""Systems of eight unknowns and more, which go to BLAS and LAPACK: the same as plain arithmetic, row by row."""

from __future__ import annotations

import numpy as np
import pytest

from hpcscan.fitting.block import fit_block
from hpcscan.fitting.curvature import ranks
from hpcscan.likelihood.linear import LargeSystem, SmallSystem, gram, least_damped, products, system_of, weighted_sum
from hpcscan.model import Gaussian, Model, Parameter
from hpcscan.model.interface import usual_rows
from hpcscan.model.posing import pose
from hpcscan.settings import FitSettings

M, P, N = 23, 9, 12
DRAW = np.random.default_rng(5)
VECTORS = DRAW.standard_normal((M, P, N))
STEP, RESIDUAL = DRAW.standard_normal((P, N)), DRAW.standard_normal((M, N))
#: The second has a direction that changes nothing, the third bends down.
HESSIANS = np.einsum("mpn,mqn->pqn", VECTORS, VECTORS)
HESSIANS[0, :, 1] = HESSIANS[:, 0, 1] = 0.0
HESSIANS[0, 0, 2] = -3.0


def calculations(vectors, step, residual, hessians):
    """Everything that is asked of BLAS and LAPACK, the rows last."""
    system = system_of(hessians, 1e-14, 0.0)
    return [
        gram(vectors.transpose(1, 0, 2)),
        weighted_sum(residual, vectors),
        products(vectors, step),
        system.solve(step),
        system.solve(np.stack([step, 2 * step], axis=1)),
    ]


def test_it_is_what_plain_arithmetic_says():
    """Against sums that are written out."""
    product, gradient, image, *_ = calculations(VECTORS, STEP, RESIDUAL, HESSIANS)
    np.testing.assert_allclose(product, np.einsum("mpn,mqn->pqn", VECTORS, VECTORS), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(gradient, np.einsum("mn,mpn->pn", RESIDUAL, VECTORS), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(image, np.einsum("mpn,pn->mn", VECTORS, STEP), rtol=1e-13, atol=1e-13)


def test_large_systems_are_solved_like_small_ones():
    """Also where a matrix is singular, and where it bends down."""
    damping = least_damped(HESSIANS, 1e-3)
    large, small = LargeSystem.of(HESSIANS, damping), SmallSystem.of(HESSIANS, damping)
    np.testing.assert_array_equal(large.others, [2])
    np.testing.assert_allclose(large.solve(STEP), small.solve(STEP), rtol=1e-10)


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_row_has_the_same_bits_in_any_batch(order):
    """Two rows, seven, in any order, and however they lie in memory."""
    whole = calculations(VECTORS, STEP, RESIDUAL, HESSIANS)
    for rows in ([2, 2], [5, 1], [3, 2, 9, 0, 11, 1, 4], [*range(N)][::-1], [7, *range(N)]):
        part = (np.array(values[..., rows], order=order) for values in (VECTORS, STEP, RESIDUAL, HESSIANS))
        for values, expected in zip(calculations(*part), whole, strict=True):
            np.testing.assert_array_equal(values, expected[..., rows])


def test_ranks_are_those_of_singular_values():
    """Of full rank, and with one direction missing: exactly, nearly, and not quite."""
    columns, null = VECTORS.copy(), np.full(N, 1e-8)
    for row, size in ((1, 0.0), (2, 1e-10), (3, 1e-7)):
        columns[:, 0, row] = columns[:, 1, row] + size * columns[:, 0, row]
    expected = np.full(N, P)
    expected[[1, 2]] = P - 1
    np.testing.assert_array_equal(ranks(columns, null), expected)
    np.testing.assert_array_equal(ranks(columns.transpose(1, 0, 2), null), expected)


X = np.linspace(0.0, 1.0, 40)
NAMES = tuple(f"bend{j}" for j in range(8))
SHAPES = 1 / (1 + ((X - np.linspace(0.0, 1.0, 8)[:, None]) / 0.1) ** 2)


class Bent(Model):
    """A spectrum under eight bends, two of which rest on bounds; with derivatives."""

    parameters = (Parameter("slope", -2.0, 0.0), *(Parameter(name, -0.2, 1.0) for name in NAMES))
    data = (Gaussian("y", np.exp(-X + 0.3 * np.sin(9 * X)), 0.02),)

    def predict(self, slope, **bends):
        return {"y": np.exp(slope * X + sum(bends[name] * shape for name, shape in zip(NAMES, SHAPES, strict=True)))}

    def jacobian(self, slope, **bends):
        y = self.predict(slope, **bends)["y"]
        return {"y": {"slope": X * y} | {name: shape * y for name, shape in zip(NAMES, SHAPES, strict=True)}}


class WithoutDerivatives(Bent):
    """The same, whose derivatives are differences."""

    jacobian = Model.jacobian


@pytest.mark.parametrize("model", [Bent, WithoutDerivatives])
def test_a_point_has_the_same_bits_in_any_block(model):
    """Alone, with others, and in another order: all that is known of it, the rows that it took included."""
    problem, settings = pose(model(), ("slope",)), FitSettings(starts=4, proof=None)
    points, index = np.array([[-1.4], [-1.1], [-0.9], [-0.3], [-0.2]]), np.arange(5)
    whole = fit_block(problem, points, index, settings)
    assert whole.at_bound.any()
    for some in ([3], [4, 1], [2, 4, 0, 3, 1]):
        part = fit_block(problem, points[some], index[some], settings)
        for name, values in vars(part).items():
            if isinstance(values, np.ndarray) and name != "fit_seconds":
                np.testing.assert_array_equal(values, getattr(whole, name)[some], err_msg=name)


def test_rows_of_a_call_follow_from_the_model():
    """Few where derivatives are many, whatever is scanned; the model's own word counts first."""

    class Long(Bent):
        data = (Gaussian("y", np.ones(4000), 0.02),)

    class Own(Long):
        rows_per_call = 32

    assert usual_rows(Bent()) == 128
    assert usual_rows(Long()) == 2
    assert [pose(Long(), names).rows_per_call for names in (("slope",), NAMES)] == [2, 2]
    assert pose(Own(), ("slope",)).rows_per_call == 32
    assert pose(Own(), ("slope",), rows=5).rows_per_call == 5
