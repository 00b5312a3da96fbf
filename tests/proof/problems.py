"""Problems for the proof, as a user would write them: hard ones, and one for every kind of path through the engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np
from fitting.nist import MGH09, Thurber

from hpcscan.proof.box_problem import BoxProblem, Constraint, DataBlock
from hpcscan.proof.branch import Proof, Tolerance, prove

INF = np.inf


@dataclass(frozen=True, eq=False)
class Case:
    """A problem, the points at which it is posed, where to begin, and boxes in which soundness is tried."""

    problem: BoxProblem
    start: tuple[float, ...]
    held: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def n(self) -> int:
        return len(next(iter(self.held.values()))) if self.held else 1

    def prove(self, most_boxes: int = 5000, chi2: float = INF) -> Proof:
        known = np.full(self.n, chi2), np.tile(np.array(self.start, float), (self.n, 1))
        return prove(self.problem, self.held, known, most_boxes, Tolerance())


def case(predict, blocks, box, constraints=(), **held) -> Case:
    """Make a case; box: {parameter: (lower, upper, start)}."""
    lower, upper, start = (np.array([b[k] for b in box.values()], float) for k in range(3))
    problem = BoxProblem(predict, tuple(box), lower, upper, tuple(blocks), tuple(constraints))
    return Case(problem, tuple(start), {name: np.array(value, float).ravel() for name, value in held.items()})


def block(term, observed, sigma, scale=None, covariance=None) -> DataBlock:
    observed = np.atleast_1d(np.asarray(observed, float))
    return DataBlock(term, observed, np.broadcast_to(np.asarray(sigma, float), observed.shape), scale, covariance)


def grid(**axes):
    """Give the coordinates of all points of a grid."""
    return dict(zip(axes, (a.ravel() for a in np.meshgrid(*axes.values(), indexing="ij")), strict=True))


TIMES = np.arange(0.0, 6.0, 0.75)
VOLTS = block("volts", (2.50, -1.90, 0.97, 0.95, -1.44, 1.63, -0.29, -0.35), 0.02, "gain")
RULER = block("ruler", 1.003, 0.005)


def swing(gravity, length, damping, phase, offset):
    frequency = np.sqrt(gravity / length - damping**2)
    volts = np.exp(-damping * TIMES) * np.cos(frequency * TIMES + phase) + offset
    return {"volts": volts, "ruler": length}


def pendulum(offset=5.0) -> Case:
    points = grid(
        gravity=np.linspace(9.6, 10.2, 7), length=np.linspace(0.99, 1.02, 4), damping=np.linspace(0.06, 0.18, 5)
    )
    return case(swing, (VOLTS, RULER), {"phase": (-np.pi, np.pi, 0.1), "offset": (-offset, offset, 0.05)}, **points)


def pendulum_free() -> Case:
    box = {"gravity": (9.6, 10.2, 9.9), "length": (0.99, 1.02, 1.0), "damping": (0.06, 0.18, 0.1)}
    return case(swing, (VOLTS, RULER), {**box, "phase": (-np.pi, np.pi, 0.1), "offset": (-5, 5, 0.05)})


DECAY_T = np.linspace(1, 20, 20)
DECAY_Y = 3 * np.exp(-0.25 * DECAY_T) + 0.05 * np.random.default_rng(8).normal(size=20)


def plateau(c=10.0) -> Case:
    def predict(A, k, c):
        return {"y": A * np.exp(-k * DECAY_T) + c}

    box = {"k": (0.0, 1e5, 5e4), "c": (-c, c, 0.0)}
    return case(predict, [block("y", DECAY_Y, 0.05)], box, A=np.linspace(1, 5, 9))


ENERGY = np.linspace(0.6, 10, 40)


def rate(s, n, d, es, b):
    e = ENERGY * (1 + es)
    return n * 120 * np.exp(-(((e - 3) / 2.2) ** 2)) * (1 - s * np.sin(1.267 * d * 0.295 / e) ** 2) + b


RATE = rate(0.95, 1.0, 2.5, 0.0, 3.0)
OSCILLATION_Y = RATE + np.random.default_rng(1).normal(size=40) * np.sqrt(RATE)


def oscillation(n=(1.0,)) -> Case:
    def predict(s, n, d, es, b):
        return {"y": rate(s, n, d, es, b), "norm": n}

    box = {"d": (0.0, 60.0, 30.0), "es": (-0.4, 0.4, 0.0), "b": (-20, 30, 3.0)}
    blocks = [block("y", OSCILLATION_Y, np.sqrt(RATE)), block("norm", 1.0, 0.05)]
    constraints = [Constraint("es", 0.0, 0.02), Constraint("b", 3.0, 1.0)]
    return case(predict, blocks, box, constraints, **grid(s=np.linspace(0.3, 1, 8), n=np.array(n)))


def of_curve(curve, data, sigma, box, **held) -> Case:
    """Pose a regression: curve(x, **parameters)."""
    x, y = (np.array(column) for column in data)
    return case(lambda **p: {"y": curve(x, **p)}, [block("y", y, sigma)], box, **held)


def nist(name: str, factor: float, held: tuple[int, ...] = (), bounded: bool = True) -> Case:
    """Pose a NIST problem with boxes of certified values over and times `factor`, linear ones possibly unbounded."""
    curve, linear, data, certified, rss = NIST[name]
    box = {}
    for k, b in enumerate(certified):
        ends = sorted((b / factor, b * factor)) if bounded or k not in linear else (-INF, INF)
        if k not in held:
            box[f"b{k}"] = (*ends, 0.5 * b if k in linear and not bounded else 0.5 * (ends[0] + ends[1]))
    values = {f"b{k}": [certified[k]] for k in held}
    sigma = np.sqrt(rss / (len(data[0]) - len(certified)))
    return of_curve(curve, data, sigma, box, **values)


# fmt: off
MGH17 = (
    [10.0 * i for i in range(33)],
    [0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751, 0.718, 0.685, 0.658, 0.628, 0.603,
     0.580, 0.558, 0.538, 0.522, 0.506, 0.490, 0.478, 0.467, 0.457, 0.448, 0.438, 0.431, 0.424, 0.420, 0.414, 0.411,
     0.406],
)
NIST = {
    "MGH09": (lambda x, b0, b1, b2, b3: b0 * (x**2 + x * b1) / (x**2 + x * b2 + b3), (0,), MGH09.data,
              (1.9280693458e-01, 1.9128232873e-01, 1.2305650693e-01, 1.3606233068e-01), 3.0750560385e-04),
    "MGH17": (lambda x, b0, b1, b2, b3, b4: b0 + b1 * np.exp(-x * b3) + b2 * np.exp(-x * b4), (0, 1, 2), MGH17,
              (3.7541005211e-01, 1.9358469127e+00, -1.4646871366e+00, 1.2867534640e-02, 2.2122699662e-02),
              5.4648946975e-05),
    "Thurber": (lambda x, b0, b1, b2, b3, b4, b5, b6: (b0 + b1 * x + b2 * x**2 + b3 * x**3)
                / (1 + b4 * x + b5 * x**2 + b6 * x**3), (0, 1, 2, 3), Thurber.data,
                (1.2881396800e+03, 1.4910792535e+03, 5.8323836877e+02, 7.5416644291e+01, 9.6629502864e-01,
                 3.9797285797e-01, 4.9727297349e-02), 5.6427082397e+03),
}
# fmt: on
X = np.linspace(0.1, 2.0, 12)
RNG = np.random.default_rng(3)
NOISE = RNG.normal(size=12)


def needle(p, a, b):
    return {"y": np.stack([(1 - np.exp(-(((a - 0.3137) ** 2 + (b - 0.71) ** 2) / 1e-5)))[:, 0] * 30 + 0 * p[:, 0]], 1)}


def jump(p, a, c):
    return {"y": np.where(np.cos(40 * a) > 0.2, X, X**2) * p + c, "a": np.where(a < 0.2, 1.0, 2.0)}


def bilinear(p, a, b):
    return {"y": p * b * (a * X + np.cos(X)) + 1}


def domain(p, a):
    return {"y": np.sqrt(a - 0.4 + 0 * X) * p + np.log(a + 0.2) * X}


def kinks(p, a, b):
    return {"y": np.abs(X - a) * p + np.maximum(b, X) + np.minimum(a * X, 0.5), "s": np.clip(b, 0.1, 0.7) + np.sign(a)}


def shapes(p, a, b, f):
    from scipy import special  # noqa: PLC0415 - as a user would have it; the engine knows its functions by name

    y = special.expit(a * X) + special.erf(b * X) * p + f * special.ndtr(X - a)
    return {"y": y, "z": np.tanh(a) + np.arctan(b) + np.hypot(a, b) + special.erfc(a) + np.log1p(b * b) + np.cosh(a)}


def assembled(p, a, b, f):
    table = np.empty((len(a), 3))
    table[:, 0] = a[:, 0]
    table[:, 1] = b[:, 0] * f[:, 0]
    table[:, 2] = p[:, 0]
    table[:, 1] += a[:, 0] ** 2
    basis = np.vander(X, 3)
    flat = table @ basis.T
    return {"y": flat, "sum": np.cumsum(table, axis=1), "e": np.einsum("ni,mi->nm", table, basis[:4])}


def scaled(p, a, b, f, g):
    return {"y": np.exp(-a * X) * p + f, "w": np.cos(b * X) + g, "free": a * b}


def powers(p, a, b):
    return {"y": X**a * p, "w": (b + X) ** 2.5, "v": (b - X) ** 3, "u": a**-2 + b / a}


def waves(p, a, b, c):
    return {"y": np.hstack([np.sin(20 * a) + a * a, np.cos(9 * b) - b, c * c])}


def rational(p, a, f, g):
    return {"y": (f + g * X) / (X - a) * p}


def valley(p, a, b):
    return {"y": np.hstack([1e6 * (b - a**2), 1 - a])}


def reduced(p, a, f):
    fine = np.linspace(0, 1, 15)
    curve = np.exp(-a * fine) * f
    total = np.trapezoid(curve, fine, axis=-1)[:, None]
    parts = [curve.mean(axis=1, keepdims=True), curve.sum(axis=-1)[:, None], np.diff(curve, axis=-1)]
    return {"y": np.concatenate([total, *parts], axis=1) + p}


FINE = np.linspace(0.0, 4.0, 40)
COVARIANCE = 0.02 * np.exp(-0.5 * (FINE - FINE[:, None]) ** 2) + 0.01 * np.eye(40)
DRAWN = np.exp(-0.6 * FINE) * np.cos(2 * FINE) + np.linalg.cholesky(COVARIANCE) @ RNG.normal(size=40)


def ringing(p, a, b, c):
    return {"y": p * np.exp(-a * FINE) * np.cos(b * FINE) + c}


LINE = np.linspace(0.0, 10.0, 60)
SHOWER = np.random.default_rng(5)
RESONANCE = 9 / ((LINE - 4.3) ** 2 + 0.09) + 10 + 2 * SHOWER.normal(size=60)
PEAK = 50 * np.exp(-0.5 * ((LINE - 6) / 0.7) ** 2) + 20 - LINE + 2 * SHOWER.normal(size=60)


def resonance() -> Case:
    """Find a narrow line anywhere in a spectrum; its amplitude cannot be negative."""

    def predict(m, g, A, b):
        return {"y": A * g**2 / ((LINE - m) ** 2 + g**2) + b}

    box = {"m": (0.0, 10.0, 5.0), "g": (0.02, 3.0, 1.0), "A": (0.0, 1e4, 10.0), "b": (-INF, INF, 0.0)}
    return case(predict, [block("y", RESONANCE, 2.0)], box)


def peak() -> Case:
    """Find a peak anywhere on a line, everything linear without bounds."""

    def predict(m, g, A, b, c):
        return {"y": A * np.exp(-0.5 * ((LINE - m) / g) ** 2) + b + c * LINE}

    box = {"m": (0.0, 10.0, 5.0), "g": (0.1, 3.0, 1.0), **dict.fromkeys("Abc", (-INF, INF, 1.0))}
    return case(predict, [block("y", PEAK, 2.0)], box)


BINS = np.linspace(0.6, 6.0, 20)


def counted(p, es, b, d=2.5):
    e = BINS * (1 + es)
    return {"n": 40 * np.exp(-(((e - 3) / 1.2) ** 2)) * (1 - p * np.sin(1.267 * d * 0.295 * 4 / e) ** 2) + b}


def counts(n_empty=0, points=(0.6, 0.9), constraint=True, scale=None) -> Case:
    """Count an oscillation in 20 bins, the last of them empty."""
    n = np.random.default_rng(4).poisson(counted(0.8, 0.0, 1.5)["n"]).astype(float)
    n[20 - n_empty :] = 0
    box = {"es": (-0.2, 0.2, 0.0), "b": (0.0, 5.0, 2.0)}
    constraints = [Constraint("es", 0.0, 0.05)] if constraint else ()
    return case(counted, [counts_block("n", n, scale)], box, constraints, p=points)


def counts_and_values(n=(25, 22, 20, 15, 9, 8, 5, 1, 0, 0, 1, 0), points=(1.0, 0.6)) -> Case:
    """Count and measure with one and the same efficiency."""

    def predict(p, a, b):
        return {"n": 30 * np.exp(-a * X) * p + b, "y": np.exp(-a * X[:5]) + 0.1 * b - 0.2}

    y = block("y", np.exp(-0.7 * X[:5]) + 0.1 * NOISE[:5], 0.05, "S")
    return case(predict, [counts_block("n", n, "S"), y], {"a": (0.0, 20.0, 1.0), "b": (0.0, 3.0, 0.1)}, p=points)


def counts_block(term, observed, scale=None) -> DataBlock:
    observed = np.asarray(observed, float)
    return DataBlock(term, observed, np.ones_like(observed), scale, is_count=True)


def factors(n=20, delta=0.1, n_empty=0, points=(0.6, 1.4), is_first=False) -> Case:
    """Count in bins with an uncertain efficiency each, over a background with four systematic shapes."""
    x, rng = np.linspace(0, 1, n), np.random.default_rng(12)
    signal, background = 12 * np.exp(-0.5 * ((x - 0.5) / 0.1) ** 2), 60 * np.exp(-2 * x) + 2
    shapes = {f"t{k}": 0.08 * background * np.cos(np.pi * k * x + k) for k in range(4)}
    names = [f"gamma{i}" for i in range(n)]

    def predict(p, **others):
        expected = p * signal + background + sum(others[t] * shape for t, shape in shapes.items())
        return {"n": np.concatenate([others[name] for name in names], axis=1) * expected}

    observed = rng.poisson(signal + background) * (np.arange(n) < n - n_empty)
    systematics, own = dict.fromkeys(shapes, (-5.0, 5.0, 0.0)), dict.fromkeys(names, (0.0, 3.0, 1.0))
    constraints = [Constraint(t, 0.0, 1.0) for t in shapes]
    constraints += [Constraint(name, 1.0, delta * (1 + u)) for name, u in zip(names, rng.random(n), strict=True)]
    box = {**own, **systematics} if is_first else {**systematics, **own}
    return case(predict, [counts_block("n", observed)], box, constraints, p=points)


def factors_of_values(points=(1.0, 0.6)) -> Case:
    """Calibrate five values, each with an error of its own; some bounds of the factors are close."""
    names = [f"c{i}" for i in range(5)]

    def predict(p, a, f, **own):
        return {"y": np.hstack([own[name] for name in names]) * (f * np.exp(-a * X[:5]) + p * X[:5] - 0.3)}

    box = {"a": (0.0, 4.0, 1.0), "f": (-2.0, 3.0, 1.0), **dict.fromkeys(names, (0.9, 2.5, 2.0))}
    constraints = [Constraint(name, 2.0, 0.1 * (k + 1)) for k, name in enumerate(names)]
    return case(predict, [block("y", [1.9, 0.6, -0.3, 0.4, 1.6], 0.2)], box, constraints, p=points)


U, W = (0.0, 1.0, 0.5), (-2.0, 2.0, 0.1)
FREE = (-INF, INF, 0.3)


@cache
def cases() -> dict[str, Case]:
    """Give all problems on which soundness is tried."""
    y = block("y", np.exp(-0.7 * X) + 0.1 * NOISE, 0.1)
    p = {"p": [1.0, 0.6]}
    wave = block("w", np.cos(X) + 0.1 * NOISE, 0.1)
    return {
        "pendulum": pendulum(),
        "pendulum, offset without bounds": pendulum(INF),
        "pendulum, all free": pendulum_free(),
        "plateau": plateau(),
        "plateau, c without bounds": plateau(INF),
        "oscillation": oscillation(),
        "MGH09": nist("MGH09", 3.0),
        "MGH17": nist("MGH17", 2.0, bounded=False),
        "Thurber": nist("Thurber", 1.3, (4, 6), bounded=False),
        "Thurber, bounded": nist("Thurber", 1.1),
        "covariance": case(
            ringing,
            [block("y", DRAWN, np.sqrt(np.diagonal(COVARIANCE)), covariance=COVARIANCE)],
            {"a": (0.0, 3.0, 1.0), "b": (0.5, 6.0, 1.0), "c": FREE},
            **p,
        ),
        "covariance, scaled": case(
            ringing,
            [block("y", DRAWN, np.sqrt(np.diagonal(COVARIANCE)), "S", COVARIANCE)],
            {"a": (0.0, 3.0, 1.0), "b": (0.5, 6.0, 1.0), "c": (-2.0, 2.0, 0.1)},
            [Constraint("b", 2.0, 0.5)],
            **p,
        ),
        "counts": counts(),
        "counts, six empty": counts(6),
        "counts, most empty": counts(17, constraint=False),
        "counts, scaled": counts(6, scale="S"),
        "counts, most empty, scaled": counts(17, constraint=False, scale="S"),
        "factors": factors(8, 0.15),
        "factors, some empty": factors(8, 0.4, 3),
        "factors of values": factors_of_values(),
        "counts and values": case(
            lambda p, a, b, f: {
                "n": 30 * np.exp(-a * X) * p + b,
                "y": f * np.exp(-a * X) + np.cos(a),
                "none": a * X[:2],
            },
            [counts_block("n", [25, 22, 20, 15, 9, 8, 5, 1, 0, 0, 1, 0]), y, counts_block("none", [0, 0], "nothing")],
            {"a": (0.0, 20.0, 1.0), "b": (-3.0, 3.0, 1.0), "f": FREE},
            **p,
        ),
        "counts and values, one scale": counts_and_values(),
        "angles and tables": case(
            lambda p, a, b, f: {
                "y": np.arctan2(a, X - b) * p + f * np.interp(a * X, [0.0, 0.5, 1.0], [1.0, -1.0, 2.0]),
                "t": np.hstack([np.std(a * X - b, axis=1, keepdims=True), (a > 0.3) * b]),
            },
            [y, block("t", [0.4, 0.5], 0.1)],
            {"a": (-1.0, 1.0, 0.5), "b": W, "f": FREE},
            **p,
        ),
        "resonance": resonance(),
        "peak": peak(),
        "needle": case(needle, [block("y", 0.0, 1.0)], {"a": U, "b": U}, **p),
        "jump": case(jump, [y, block("a", 1.4, 0.5)], {"a": U, "c": FREE}, **p),
        "bilinear": case(bilinear, [y], {"a": FREE, "b": W}, **p),
        "domain": case(domain, [y], {"a": (-1.0, 2.0, 0.7)}, **p),
        "kinks": case(kinks, [y, block("s", 1.2, 0.3)], {"a": W, "b": W}, **p),
        "shapes": case(shapes, [y, block("z", 3.0, 0.1)], {"a": W, "b": W, "f": FREE}, **p),
        "assembled": case(
            assembled,
            [y, block("sum", [0.1, 0.2, 1.4], 0.1), block("e", [1, 2, 3, 4], 1.0)],
            {"a": W, "b": W, "f": W},
            **p,
        ),
        "scales": case(
            scaled,
            [block("y", y.observed, 0.1, "S"), block("w", wave.observed, 0.1, "C"), block("free", 0.3, 0.2)],
            {"a": (0.0, 3.0, 1.0), "b": (-3.0, 3.0, 1.0), "f": (-1.0, 1.0, 0.0), "g": FREE},
            **p,
        ),
        "one scale": case(
            scaled,
            [block("y", y.observed, 0.1, "S"), block("w", wave.observed, 0.1, "S"), block("free", 0.3, 0.2)],
            {"a": (0.0, 3.0, 1.0), "b": (-3.0, 3.0, 1.0), "f": (0.1, 1.0, 0.5), "g": (0.0, INF, 1.0)},
            **p,
        ),
        "few data, two scales": case(
            lambda p, a, b, c: {
                "m": np.hstack([p * a**2 - 0.5 * b * b + 0.1, c * b + a]),
                "k": np.hstack([a * b + 0.3, np.exp(-a) * c]),
            },
            [block("m", [1.0, 9.0], [0.02, 0.1], "S"), block("k", [2.0, -3.0], 0.1, "C")],
            {"a": (0.2, 1.0, 0.5), "b": (0.1, 1.5, 0.5), "c": (-1.0, 1.0, 0.5)},
            **p,
        ),
        "powers": case(
            powers,
            [y, block("w", (X + 0.5) ** 2.5, 0.2), block("v", (0.4 - X) ** 3, 0.2), block("u", 2.0, 0.1)],
            {"a": (-1.0, 3.0, 1.0), "b": (-1.0, 2.0, 1.0)},
            **p,
        ),
        "waves": case(waves, [block("y", [0.4, 0.3, 0.7], 0.05)], {"a": W, "b": W, "c": W}, **p),
        "poles": case(rational, [y], {"a": W, "f": FREE, "g": FREE}, **p),
        "valley": case(valley, [block("y", [0.0, 0.0], [1.0, 0.1])], {"a": W, "b": (-10.0, 10.0, 1.0)}, **p),
        "reduced": case(reduced, [block("y", np.linspace(0, 1, 17), 0.1)], {"a": W, "f": (0.0, INF, 1.0)}, **p),
        "positive amplitude": case(
            lambda p, a, f, g: {"y": f * np.exp(-a * X) + g * np.cos(a * X) + p},
            [y],
            {"a": (0.1, 5.0, 1.0), "f": (0.0, INF, 1.0), "g": (0.0, 0.2, 0.1)},
            **p,
        ),
        "constrained": case(
            lambda p, a, f: {"y": f * np.exp(-a * X) * p},
            [block("y", y.observed, 0.1, "S")],
            {"a": (-1.0, 5.0, 1.0), "f": W},
            [Constraint("f", 1.0, 0.1)],
            **p,
        ),
    }
