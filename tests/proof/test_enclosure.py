"""What a user may write in predict: enclosed values, slopes and mixed slopes contain what numpy computes at points."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import pytest
from scipy import special

from hpcscan.proof import tracing
from hpcscan.proof.condition import NotEnclosable
from hpcscan.proof.enclosure import Enclosed


def call(predict, arguments, model=None):
    return tracing.call(predict, arguments, tracing.places_of_numpy(predict, model))


X = np.linspace(0.2, 1.7, 5)
PAIRS = np.arange(10.0).reshape(5, 2) / 7


def filled(x, z):
    table = np.empty((len(x), 3))
    table[:, 0] = x[:, 0] ** 2
    table[:, 1:] = z * X[:2]
    table[:, 2] += x[:, 0]
    return table


def counted(x, z):
    total = np.zeros((len(x), 5))
    for k in range(3):
        total += x * X**k
    weights = np.ones(5)
    weights[0] = weights[-1] = 0.5
    if weights[0] < 1:
        total = total * (weights / weights.sum())
    return total + z


def arrayed(x, z):
    return np.array([[x[:, 0], z[:, 0]], [x[:, 0] * z[:, 0], z[:, 0]]]).reshape(4, -1).T


#: predict of x in [0.4, 0.9] and z in [−1, 2], linear in z.
MODELS = {
    "arithmetic": lambda x, z: (2 * x - z / 3 + X) / (x + 1) - z * X + (+x) - (-z),
    "powers": lambda x, z: x**2 + x**-1 + x**0.3 + X**x + 2.0**x + x**x + z * x**3 + (X - x) ** 4 + x ** np.arange(5),
    "waves": lambda x, z: np.sin(9 * x * X) + np.cos(x) * z + np.tan(x) + np.sinc(0.3) * x,
    "exponentials": lambda x, z: np.exp(-x * X) * z + np.expm1(x) + np.exp2(x) + np.logaddexp(x, X),
    "logarithms": lambda x, z: np.log(x) + np.log10(x) * z + np.log2(x) + np.log1p(x),
    "roots": lambda x, z: np.sqrt(x) * z + np.cbrt(x) + np.hypot(x, X) + np.reciprocal(x) + np.square(x),
    "hyperbolic": lambda x, z: np.tanh(x) + np.sinh(x) + np.cosh(x) * z + np.arctan(x) + np.arcsin(x) + np.arccos(x),
    "inverse": lambda x, z: np.arcsinh(x) + np.arccosh(1.5 + x) + np.arctanh(x) + np.deg2rad(x) * z,
    "kinks": lambda x, z: np.abs(x - 0.6) + np.maximum(x, X) * z + np.minimum(x, 0.7) + np.clip(x, 0.5, 0.8) + abs(x),
    "choices": lambda x, z: np.where(x > 2, 7.0, z * x) + np.where((X < 1) & (x < 5), x, z) + np.where(~(x > 9), z, 0),
    "continuous choice": lambda x, z: np.where(X > 0.5, x * z, x),
    "special": lambda x, z: special.erf(x) * z + special.erfc(x) + special.expit(3 * x) + special.ndtr(x),
    "sums": lambda x, z: (
        (x * X).sum(axis=1, keepdims=True) + np.mean(x * X * z, axis=-1)[:, None] + np.sum(x * z, axis=1)[:, None]
    ),
    "products": lambda x, z: (x * X) @ PAIRS + np.dot(z * X, PAIRS) + np.matmul(x * X, PAIRS),
    "einsum": lambda x, z: np.einsum("ni,ij->nj", x * X, PAIRS) + np.einsum("ni,ni->n", z * X, x * X)[:, None],
    "joined": lambda x, z: np.concatenate([np.stack([x[:, 0], z[:, 0]], axis=1), np.hstack([x, z * x])], axis=1),
    "columns": lambda x, z: (
        np.column_stack([x[:, 0], z[:, 0], np.vstack([x, z])[: len(x), 0]]) * np.append(1.0, [2, 3])
    ),
    "moved": lambda x, z: np.moveaxis((x * X)[None], 0, 2)[:, :, 0] + (z * X).T.T + np.squeeze((x * X)[:, None]),
    "repeated": lambda x, z: (
        np.repeat(x, 5, axis=1) + np.tile(z, 5) + np.broadcast_to(x, (len(x), 5)) + np.flip(x * X, 1)
    ),
    "running": lambda x, z: np.cumsum(x * X, axis=1) + (z * X).cumsum(axis=-1) + np.diff(x * np.append(X, 2.0), axis=1),
    "integrals": lambda x, z: np.trapezoid(x * X**2 * z, X, axis=-1)[:, None] + np.polyval([1.0, 2.0, 3.0], x),
    "extremes": lambda x, z: (
        np.max(x * X, axis=1)[:, None] + (x * X).min(axis=1)[:, None] * z + np.prod(x * X, axis=1)[:, None]
    ),
    "angles": lambda x, z: np.arctan2(x - 0.6, X - 1.0) + np.arctan2(X, x) * z + np.arctan2(x, -x),
    "tables": lambda x, z: np.interp(x * X, X, X**2) * z + np.interp(x, [0.45, 0.5, 0.7], [1.0, -3.0, 2.0]),
    "contracted": lambda x, z: np.tensordot(x * X, PAIRS, 1) * z + np.tensordot(PAIRS, x * X, ([0], [1])).T,
    "averages": lambda x, z: (
        np.average(x * X * z, axis=1, weights=X)[:, None]
        + np.std(x * X, axis=1, keepdims=True)
        + np.var(x**2 * X, axis=-1, ddof=1)[:, None] * z
        + np.average(x * X, axis=-1)[:, None]
    ),
    "multiplied comparisons": lambda x, z: (
        (X > 0.5) * (x < 5) * z + (x > 9) * x + 2.0 * (x < 7) + (x * X) * (x - 9 < X)
    ),
    "filled": filled,
    "counted": counted,
    "arrayed": arrayed,
    "like": lambda x, z: np.zeros_like(x * X) + z + np.ones_like(x) + np.full_like(z, 3.0) * x,
    "iterated": lambda x, z: sum(np.stack([row * X for row in (x, z, x * z)])),
    "unpacked": lambda x, z: np.add.reduce(np.stack([x, z]), axis=0) + np.multiply.outer(x[:, 0], X) * z,
}


def enclosed(low, high, seed):
    one = np.ones((len(low), 1))
    return Enclosed((low[:, None], high[:, None]), {seed: (one, one)})


def boxes(n=12):
    rng = np.random.default_rng(2)
    ends = np.sort(rng.uniform(0.4, 0.9, (2, n)), axis=0), np.sort(rng.uniform(-1, 2, (2, n)), axis=0)
    shrink = 10 ** rng.uniform(-9, 0, n)
    return [(a, a + (b - a) * shrink) for a, b in ends]


@pytest.mark.parametrize("name", MODELS)
def test_values_and_slopes_are_enclosed(name):
    """Values at points in the range; secants in the ranges of slopes, and secants of slopes by z in the mixed range."""
    (xl, xh), (zl, zh) = boxes()
    predict = MODELS[name]
    out = call(predict, {"x": enclosed(xl, xh, 0), "z": enclosed(zl, zh, -1)})
    zero = np.zeros(out.shape), np.zeros(out.shape)
    rng = np.random.default_rng(3)
    for _ in range(30):
        x, y = (xl + rng.random(len(xl)) * (xh - xl) for _ in range(2))
        z, w = (zl + rng.random(len(zl)) * (zh - zl) for _ in range(2))
        at = lambda x, z: np.broadcast_to(predict(x=x[:, None], z=z[:, None]), out.shape)  # noqa: E731
        corner, by_x, by_z, both = at(x, z), at(y, z), at(x, w), at(y, w)
        size = 1e-13 * (1 + np.abs(corner))
        check(out.value, corner, size)
        check_secant(out.first.get(0, zero), by_x - corner, (y - x)[:, None], size)
        check_secant(out.first.get(-1, zero), by_z - corner, (w - z)[:, None], size)
        area = ((y - x) * (w - z))[:, None]
        check_secant(out.mixed.get((0, -1), zero), both - by_x - by_z + corner, area, 4 * size)


@pytest.mark.parametrize("name", MODELS)
def test_second_derivatives_are_enclosed(name):
    """Second differences of values at points, of both parameters and mixed, are in the ranges."""
    predict, ends = MODELS[name], boxes()
    seeds = [enclosed(low, high, k) for k, (low, high) in enumerate(ends)]
    for k, seed in enumerate(seeds):
        seed.mixed[k, k] = tuple(np.zeros(seed.shape) for _ in range(2))
    out = call(predict, dict(zip("xz", seeds, strict=True)))
    zero = np.zeros(out.shape), np.zeros(out.shape)
    rng = np.random.default_rng(3)
    for _ in range(30):
        (x, y, w), (z, t, u) = (np.sort(low + rng.random((3, len(low))) * (high - low), axis=0) for low, high in ends)
        at = lambda x, z: np.broadcast_to(predict(x=x[:, None], z=z[:, None]), out.shape)  # noqa: E731
        size = 1e-13 * (1 + np.abs(at(x, z)))
        area = ((y - x) * (t - z))[:, None]
        check_secant(out.mixed.get((0, 1), zero), at(y, t) - at(y, z) - at(x, t) + at(x, z), area, 4 * size)
        lines = (at(x, z), at(y, z), at(w, z)), (at(x, z), at(x, t), at(x, u))
        for k, (a, b, c) in enumerate(((x, y, w), (z, t, u))):
            first, second, whole = ((q - p)[:, None] for p, q in ((a, b), (b, c), (a, c)))
            bent = (lines[k][2] - lines[k][1]) * first - (lines[k][1] - lines[k][0]) * second
            check_secant(out.mixed.get((k, k), zero), bent, 0.5 * first * second * whole, 4 * size * whole)


def check(pair, value, size):
    assert (pair[0] <= value + size).all()
    assert (value <= pair[1] + size).all()


def check_secant(pair, rise, run, size):
    ends = [np.where(np.isnan(end * run), 0, end * run) for end in pair]
    check((np.minimum(*ends), np.maximum(*ends)), rise, size)


@pytest.mark.parametrize("name", MODELS)
def test_enclosures_of_points_are_sharp(name):
    """A box that is a point gives its prediction, to a few roundings: nothing is lost on the way."""
    x, z = np.array([0.45, 0.8]), np.array([0.3, -0.7])
    out = call(MODELS[name], {"x": enclosed(x, x, 0), "z": enclosed(z, z, -1)})
    assert (out.value[1] - out.value[0] <= 1e-11).all()


def test_degrees_follow_the_structure():
    """Affine in what is marked, and in nothing that numpy computes from it."""

    def degree(predict):
        x = Enclosed((np.array([[0.0]]), np.array([[1.0]])), degree=np.ones((1, 1), np.int8))
        out = call(predict, {"x": x}).degree
        return 0 if out is None else int(out.max())

    assert degree(lambda x: 3 * x / 7 - X + x @ np.ones((1, 5))) == 1
    assert degree(lambda x: np.cumsum(x * X, axis=1) + np.where(X > 1, x, 2.0)) == 1
    assert degree(lambda x: x * x) == 2
    assert degree(lambda x: 1 / (1 + x)) == 2
    assert degree(lambda x: np.where(x > 0.5, 1.0, 2.0)) == 2
    assert degree(lambda x: np.maximum(x, 0.5)) == 2
    assert degree(lambda x: x**1.0 + x**0) == 1
    assert degree(lambda x: 0 * x[:, :0].sum(axis=1)) == 0


def undefined(predict, low, high):
    out = call(predict, {"x": enclosed(np.array([low]), np.array([high]), 0)})
    return 0 if out.undefined is None else int(out.undefined.max())


@pytest.mark.parametrize(
    ("predict", "expected"),
    [
        (lambda x: 2 + np.sqrt(x), (2, 1, 0)),
        (lambda x: np.log(x) + 1, (2, 1, 0)),
        (lambda x: x**0.5 * 2, (2, 1, 0)),
        (lambda x: np.concatenate([np.sqrt(x), x], axis=1).sum(axis=1), (2, 1, 0)),
        (lambda x: np.where(x > 0, np.sqrt(x), 0.0), (0, 1, 0)),
        (lambda x: np.where(X > 0, 1.0, np.sqrt(x)), (0, 0, 0)),
        (lambda x: np.sqrt(x) ** 0, (0, 0, 0)),
        (lambda x: np.maximum(np.sqrt(x), 5.0), (2, 1, 0)),
    ],
)
def test_boxes_outside_a_domain_are_undefined(predict, expected):
    """Everywhere, somewhere, nowhere."""
    assert tuple(undefined(predict, *box) for box in ((-2.0, -1.0), (-1.0, 1.0), (1.0, 2.0))) == expected


def test_what_may_be_undefined_decides_nothing():
    """NaN > 5 is false: a comparison of what may be NaN is open."""
    predict = lambda x: np.where(np.sqrt(x) + 6 > 5, 1.0, 2.0)  # noqa: E731
    out = call(predict, {"x": enclosed(np.array([-1.0]), np.array([1.0]), 0)})
    assert (out.value[0][0, 0], out.value[1][0, 0]) == (1.0, 2.0)


def test_jumps_have_no_slope():
    out = call(lambda x: np.where(x > 0.5, 1.0, 2.0), {"x": enclosed(np.zeros(2), np.array([1.0, 0.2]), 0)})
    lower, upper = out.first[0]
    assert (lower[0, 0], upper[0, 0]) == (-np.inf, np.inf)
    assert (lower[1, 0], upper[1, 0]) == (0.0, 0.0)


def branch(x):
    if x[0, 0] > 0.5:
        return x
    return 2 * x


def converted(x):
    plain = np.arange(3.0)
    plain[0] = x[0, 0]
    return plain


def summed_in_place(x):
    plain = np.arange(3.0)[None]
    plain += x
    return plain


def aliased(x):
    table = np.zeros((2, 3))
    first = table[0]
    table[0] = x[0, 0]
    return first


@pytest.mark.parametrize(
    ("predict", "said"),
    [
        (branch, "np.where"),
        (converted, "np.empty"),
        (summed_in_place, r"a = a \+ b"),
        (aliased, "copy the part"),
        (lambda x: math.exp(x[0, 0]), "numpy's functions"),
        (lambda x: np.sort(x) + 1, "np.sort"),
        (lambda x: special.jv(1, x), "jv"),
        (lambda x: x.astype(np.float32), "double precision"),
        (lambda x: X[x > 0.3], "give it to np.where"),
        (lambda x: np.fmax(x, 0.1), "fmax"),
        (lambda x: x % 0.1, "remainder"),
        (lambda x: x.real, "real"),
        (lambda x: undefined_name + x, "NameError"),  # noqa: F821
        (lambda x: (-1.0) ** x, "not positive"),
    ],
)
def test_what_cannot_be_enclosed_is_told_with_its_line(predict, said):
    with pytest.raises(NotEnclosable, match=said) as caught:
        call(predict, {"x": enclosed(np.zeros(2), np.ones(2), 0)})
    assert caught.value.file == __file__
    code = predict.__code__
    assert code.co_firstlineno <= caught.value.line <= max(line or 0 for *_, line in code.co_lines())
    assert str(caught.value).startswith(f"{__file__}:{caught.value.line}: ")


def test_numpy_is_itself_again_after_a_call():
    for predict in (filled, lambda x, z: np.sort(x)):
        with contextlib.suppress(NotEnclosable):
            call(predict, {"x": enclosed(np.zeros(2), np.ones(2), 0), "z": enclosed(np.zeros(2), np.ones(2), -1)})
        assert type(np.empty(3)) is np.ndarray


def test_writing_through_views_reaches_the_array():
    """As in numpy: b[k] += a, a view that is changed in place, slices and lists of indices."""

    def predict(x):
        table = np.zeros((len(x), 4))
        table[:, 0] += x[:, 0]
        part = table[:, 1]
        part += 2 * x[:, 0]
        del part
        table[:, [2, 3]] = np.stack([x[:, 0], 3 * x[:, 0]], axis=1)
        return table

    out = call(predict, {"x": enclosed(np.ones(2), np.ones(2), 0)})
    assert out.value[0] == pytest.approx(np.tile([1.0, 2.0, 1.0, 3.0], (2, 1)))
    assert out.first[0][0] == pytest.approx(np.tile([1.0, 2.0, 1.0, 3.0], (2, 1)))


class Assembling:
    """A model whose arrays are made in a method that another function calls."""

    def table(self, x):
        made = np.zeros((len(x), 2))
        made[:, 1:] = x
        return made


def test_the_modules_of_a_model_are_reached():
    """Also where predict is a wrapper that lives elsewhere."""
    model = Assembling()
    wrapper = eval("lambda x: model.table(x)", {"model": model})  # noqa: S307 - a module without numpy
    x = enclosed(np.zeros(2), np.ones(2), 0)
    with pytest.raises(NotEnclosable, match="or np.zeros inside predict".replace(".", r"\.")):
        call(wrapper, {"x": x})
    assert call(wrapper, {"x": x}, model).value[1].tolist() == [[0.0, 1.0], [0.0, 1.0]]
