"""CPU time a point of the pendulum's grid, without proof, beside rivals at their best.

    python tests/benchmarks/rivals.py [--rounds 3]

χ² of the rivals is compiled by numba, and JAX and a C compiler are used, where they are there. A chain goes from point
to point with warm starts, without evidence; the others run 16 starts at each point. What compiling takes is not
counted. The program's own number holds its reading, waves and evidence.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from math import cos, exp, sqrt
from pathlib import Path
from time import process_time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import numpy as np
from scipy.optimize import least_squares

import hpcscan
from hpcscan.arrays import Array

sys.path.insert(0, str(Path(__file__).parents[2] / "configs/plugins"))
from pendulum import TIMES, VOLTS, Pendulum

AXES = {
    "gravity": np.linspace(9.65, 10.05, 9),
    "length": np.linspace(0.98, 1.025, 10),
    "damping": np.linspace(0.108, 0.138, 6),
}
POINTS = np.stack(np.meshgrid(*AXES.values(), indexing="ij"), axis=-1).reshape(-1, 3)
LOWER, UPPER = np.array([-np.pi, -5.0]), np.array([np.pi, 5.0])
STARTS = np.random.default_rng(1).uniform([-1.5, -0.5], [1.5, 0.5], (16, 2))
V = np.array(VOLTS)


def residuals(point, x):
    """The gain is profiled in closed form."""
    frequency, top, bottom = sqrt(point[0] / point[1] - point[2] ** 2), 0.0, 0.0
    r = np.empty(len(TIMES) + 1)
    for k in range(len(TIMES)):
        f = exp(-point[2] * TIMES[k]) * cos(frequency * TIMES[k] + x[0]) + x[1]
        r[k], top, bottom = f, top + f * V[k], bottom + f * f
    for k in range(len(TIMES)):
        r[k] = (top / bottom * r[k] - V[k]) / 0.02
    r[len(TIMES)] = (point[1] - 1.003) / 0.005
    return r


def slopes(point, x):
    """Forward differences."""
    r, j = residuals(point, x), np.empty((len(TIMES) + 1, 2))
    for k in range(2):
        moved = x.copy()
        moved[k] += 1e-7
        j[:, k] = (residuals(point, moved) - r) / 1e-7
    return j


def chi2(point, x):
    r = residuals(point, x)
    return (r * r).sum()


try:
    from numba import njit
except ImportError:
    pass
else:
    residuals = njit(residuals)
    slopes, chi2 = njit(slopes), njit(chi2)


def by_the_program() -> Array:
    done = hpcscan.scan(Pendulum(), AXES, proof=False, answer=False)
    assert done is not None
    return done.data.variables["chi2"].values.ravel()


def _chain(fit: Callable[[Array, Array], tuple[float, Array]]) -> Array:
    """Go from point to point, the first from 16 starts."""
    lowest, x = [], min((fit(POINTS[0], start) for start in STARTS), key=lambda found: found[0])[1]
    for point in POINTS:
        value, x = fit(point, np.clip(x, LOWER, UPPER))
        lowest.append(value)
    return np.array(lowest)


def _all_starts(fit: Callable[[Array, Array], tuple[float, Array]]) -> Array:
    return np.array([min(fit(point, start)[0] for start in STARTS) for point in POINTS])


def _least_squares(point: Array, x: Array) -> tuple[float, Array]:
    found = least_squares(lambda x: residuals(point, x), x, lambda x: slopes(point, x), (LOWER, UPPER), ftol=1e-12)
    return 2 * found.cost, found.x


def _migrad(point: Array, x: Array) -> tuple[float, Array]:
    from iminuit import Minuit  # noqa: PLC0415  (only this line needs it)

    fit = Minuit(lambda x: chi2(point, np.asarray(x)), x)
    fit.limits, fit.errordef = list(zip(LOWER, UPPER, strict=True)), Minuit.LEAST_SQUARES
    fit.migrad()
    return fit.fval, np.array(fit.values)


C = r"""
#include <math.h>
enum { N = %d };
static const double t[N] = {%s}, v[N] = {%s};
static double residuals(const double *p, const double *x, double *r) {
  double w = sqrt(p[0] / p[1] - p[2] * p[2]), top = 0, bottom = 0, sum = 0;
  for (int k = 0; k < N; k++) {
    r[k] = exp(-p[2] * t[k]) * cos(w * t[k] + x[0]) + x[1]; top += r[k] * v[k]; bottom += r[k] * r[k];
  }
  for (int k = 0; k < N; k++) { r[k] = (top / bottom * r[k] - v[k]) / 0.02; sum += r[k] * r[k]; }
  double ruler = (p[1] - 1.003) / 0.005;
  return sum + ruler * ruler;
}
static double descend(const double *p, double *x) {
  double r[N], s[N], j[2][N], damping = 1e-3, chi2 = residuals(p, x, r);
  for (int step = 0; step < 100; step++) {
    double a = 0, b = 0, c = 0, g = 0, h = 0;
    for (int k = 0; k < 2; k++) {
      double y[2] = {x[0], x[1]}; y[k] += 1e-7; residuals(p, y, s);
      for (int i = 0; i < N; i++) j[k][i] = (s[i] - r[i]) / 1e-7;
    }
    for (int i = 0; i < N; i++) {
      a += j[0][i] * j[0][i]; b += j[0][i] * j[1][i]; c += j[1][i] * j[1][i];
      g += j[0][i] * r[i]; h += j[1][i] * r[i];
    }
    int gained = 0; double before = chi2;
    for (int trial = 0; trial < 30 && !gained; trial++) {
      double A = a * (1 + damping), B = c * (1 + damping), d = A * B - b * b, y[2];
      y[0] = fmin(fmax(x[0] - (B * g - b * h) / d, -3.141592653589793), 3.141592653589793);
      y[1] = fmin(fmax(x[1] - (A * h - b * g) / d, -5), 5);
      double value = residuals(p, y, s);
      if (value < chi2) {
        x[0] = y[0]; x[1] = y[1]; chi2 = value; damping /= 10; gained = 1; for (int i = 0; i < N; i++) r[i] = s[i];
      } else damping *= 4;
    }
    if (!gained || before - chi2 < 1e-12 * (1 + chi2)) break;
  }
  return chi2;
}
void all(int n, const double *p, int m, const double *starts, double *chi2) {
  for (int i = 0; i < n; i++) {
    chi2[i] = INFINITY;
    for (int k = 0; k < m; k++) {
      double x[2] = {starts[2 * k], starts[2 * k + 1]}; chi2[i] = fmin(chi2[i], descend(p + 3 * i, x));
    }
  }
}
"""


def _in_c() -> Callable[[], Array] | None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    folder = Path(tempfile.mkdtemp())
    numbers = (len(TIMES), *(", ".join(map(repr, map(float, values))) for values in (TIMES, V)))
    (folder / "lm.c").write_text(C % numbers)
    command = [compiler, "-O3", "-march=native", "-shared", "-fPIC", "lm.c", "-o", "lm.so", "-lm"]
    subprocess.run(command, check=True, cwd=folder)
    run = ctypes.CDLL(str(folder / "lm.so")).all
    shutil.rmtree(folder)
    pointer = ctypes.POINTER(ctypes.c_double)

    def fit() -> Array:
        found = np.empty(len(POINTS))
        arrays = (POINTS.ctypes.data_as(pointer), STARTS.ctypes.data_as(pointer), found.ctypes.data_as(pointer))
        run(len(POINTS), arrays[0], len(STARTS), *arrays[1:])
        return found

    return fit


def _in_jax() -> Callable[[], Array] | None:
    try:
        import jax  # noqa: PLC0415  (optional)
    except ImportError:
        return None
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy

    def of(point, x):
        frequency = jnp.sqrt(point[0] / point[1] - point[2] ** 2)
        f = jnp.exp(-point[2] * TIMES) * jnp.cos(frequency * TIMES + x[0]) + x[1]
        return jnp.append(((f @ V) / (f @ f) * f - V) / 0.02, (point[1] - 1.003) / 0.005)

    def descend(point, x):
        def step(state):
            x, value, damping, n, _ = state
            r, j = of(point, x), jax.jacfwd(lambda y: of(point, y))(x)
            h = j.T @ j
            y = jnp.clip(x - jnp.linalg.solve(h + damping * jnp.diag(jnp.diag(h)), j.T @ r), LOWER, UPPER)
            new = (of(point, y) ** 2).sum()
            gains = new < value
            is_over = (jnp.abs(value - new) < 1e-12 * (1 + value)) | (damping > 1e10)
            damping = jnp.where(gains, damping / 10, damping * 4)
            return jnp.where(gains, y, x), jnp.minimum(new, value), damping, n + 1, is_over

        begin = (x, (of(point, x) ** 2).sum(), 1e-3, 0, False)
        return jax.lax.while_loop(lambda state: (state[3] < 100) & ~state[4], step, begin)[1]

    run = jax.jit(jax.vmap(lambda point: jax.vmap(lambda x: descend(point, x))(STARTS).min()))
    return lambda: np.asarray(run(POINTS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    lines: dict[str, Callable[[], Array] | None] = {
        "hpcscan, with evidence": by_the_program,
        "least_squares, a chain": lambda: _chain(_least_squares),
        "least_squares, 16 starts": lambda: _all_starts(_least_squares),
        "iminuit migrad, a chain": lambda: _chain(_migrad),
        "JAX, Levenberg-Marquardt, 16 starts": _in_jax(),
        "plain C, Levenberg-Marquardt, 16 starts": _in_c(),
    }
    runs = {name: run for name, run in lines.items() if run is not None}
    found = {name: run() for name, run in runs.items()}
    lowest = np.min(list(found.values()), axis=0)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(options.rounds):
        for name, run in runs.items():
            begin = process_time()
            run()
            seconds[name].append(process_time() - begin)
    for name, times in seconds.items():
        wrong = int((found[name] > lowest + 1e-6 * (1 + lowest)).sum())
        cost = 1e3 * float(np.median(times)) / len(POINTS)
        sys.stdout.write(f"{name:42}{cost:8.3f} ms a point, {wrong} of {len(POINTS)} not at the lowest minimum\n")


if __name__ == "__main__":
    main()
