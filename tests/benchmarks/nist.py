"""NIST's problems for nonlinear regression, with wide bounds: what is proven, at what cost, beside certified values.

    python tests/benchmarks/nist.py [--problem NAME]... [--factor 10 100]

One and two nonlinear parameters are scanned over 0.9, 1 and 1.1 times their certified values; all others may be
`factor` times smaller or larger than certified. The data have the certified residual deviation as σ, so that the
certified χ² counts the degrees of freedom; it is compared in the middle of the grid.

Data and certified values are in the public domain (Statistical Reference Datasets, NIST); that they are free of slips
is checked by the certified sums of squares.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from proof.problems import NIST

import hpcscan
from hpcscan import Gaussian, Model, Parameter


@dataclass(frozen=True)
class Regression:
    """A curve, the indices of the parameters that are scanned, x and y, certified parameters and sum of squares."""

    curve: Callable
    scanned: tuple[int, int] | tuple[int]
    x: list[float]
    y: list[float]
    certified: tuple[float, ...]
    rss: float

    @property
    def n_dof(self) -> int:
        return len(self.y) - len(self.certified)


# fmt: off
_MISRA = (
    [77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760.0],
    [10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.40, 75.47, 81.78],
)
_CHWIRUT = (
    [0.5, 1.0, 1.75, 3.75, 5.75, 0.875, 2.25, 3.25, 5.25, 0.75, 1.75, 2.75, 4.75, 0.625, 1.25, 2.25, 4.25, 0.5, 3.0,
     0.75, 3.0, 1.5, 6.0, 3.0, 6.0, 1.5, 3.0, 0.5, 2.0, 4.0, 0.75, 2.0, 5.0, 0.75, 2.25, 3.75, 5.75, 3.0, 0.75, 2.5,
     4.0, 0.75, 2.5, 4.0, 0.75, 2.5, 4.0, 0.5, 6.0, 3.0, 0.5, 2.75, 0.5, 1.75],
    [92.9, 57.1, 31.05, 11.5875, 8.025, 63.6, 21.4, 14.25, 8.475, 63.8, 26.8, 16.4625, 7.125, 67.3, 41.0, 21.15, 8.175,
     81.5, 13.12, 59.9, 14.62, 32.9, 5.44, 12.56, 5.44, 32.0, 13.95, 75.8, 20.0, 10.42, 59.5, 21.67, 8.55, 62.0, 20.2,
     7.76, 3.75, 11.81, 54.7, 23.7, 11.55, 61.3, 17.7, 8.74, 59.2, 16.3, 8.62, 81.0, 4.87, 14.62, 81.7, 17.17, 81.3,
     28.9],
)
_ECKERLE = (
    [*range(400, 436, 5), *np.arange(436.5, 465.1, 1.5), *range(470, 501, 5)],
    [0.0001575, 0.0001699, 0.0002350, 0.0003102, 0.0004917, 0.0008710, 0.0017418, 0.0046400, 0.0065895, 0.0097302,
     0.0149002, 0.0237310, 0.0401683, 0.0712559, 0.1264458, 0.2073413, 0.2902366, 0.3445623, 0.3698049, 0.3668534,
     0.3106727, 0.2078154, 0.1164354, 0.0616764, 0.0337200, 0.0194023, 0.0117831, 0.0074357, 0.0022732, 0.0008800,
     0.0004579, 0.0002345, 0.0001586, 0.0001143, 0.0000710],
)
_ROSZMAN = (
    [-4868.68, -4868.09, -4867.41, -3375.19, -3373.14, -3372.03, -2473.74, -2472.35, -2469.45, -1894.65, -1893.40,
     -1497.24, -1495.85, -1493.41, -1208.68, -1206.18, -1206.04, -997.92, -996.61, -996.31, -834.94, -834.66, -710.03,
     -530.16, -464.17],
    [0.252429, 0.252141, 0.251809, 0.297989, 0.296257, 0.295319, 0.339603, 0.337731, 0.333820, 0.389510, 0.386998,
     0.438864, 0.434887, 0.427893, 0.471568, 0.461699, 0.461144, 0.513532, 0.506641, 0.505062, 0.535648, 0.533726,
     0.568064, 0.612886, 0.624169],
)
PROBLEMS = {
    "Misra1a": Regression(lambda x, a, b: a * (1 - np.exp(-b * x)), (1,), *_MISRA,
                          (2.3894212918e+02, 5.5015643181e-04), 1.2455138894e-01),
    "Misra1b": Regression(lambda x, a, b: a * (1 - (1 + b * x / 2) ** -2), (1,), *_MISRA,
                          (3.3799746163e+02, 3.9039091287e-04), 7.5464681533e-02),
    "Misra1c": Regression(lambda x, a, b: a * (1 - (1 + 2 * b * x) ** -0.5), (1,), *_MISRA,
                          (6.3642725809e+02, 2.0813627256e-04), 4.0966836971e-02),
    "Misra1d": Regression(lambda x, a, b: a * b * x / (1 + b * x), (0,), *_MISRA,
                          (4.3736970754e+02, 3.0227324449e-04), 5.6419295283e-02),
    "DanWood": Regression(lambda x, a, b: a * x**b, (0,), [1.309, 1.471, 1.490, 1.565, 1.611, 1.680],
                          [2.138, 3.421, 3.597, 4.340, 4.882, 5.660],
                          (7.6886226176e-01, 3.8604055871e+00), 4.3173084083e-03),
    "BoxBOD": Regression(lambda x, a, b: a * (1 - np.exp(-b * x)), (0,), [1, 2, 3, 5, 7, 10],
                         [109, 149, 149, 191, 213, 224],
                         (2.1380940889e+02, 5.4723748542e-01), 1.1680088766e+03),
    "Chwirut2": Regression(lambda x, a, b, c: np.exp(-a * x) / (b + c * x), (0, 1), *_CHWIRUT,
                           (1.6657666537e-01, 5.1653291286e-03, 1.2150007096e-02), 5.1304802941e+02),
    "Rat42": Regression(lambda x, a, b, c: a / (1 + np.exp(b - c * x)), (1, 2),
                        [9, 14, 21, 28, 42, 57, 63, 70, 79],
                        [8.93, 10.80, 18.59, 22.33, 39.35, 56.11, 61.73, 64.62, 67.08],
                        (7.2462237576e+01, 2.6180768402e+00, 6.7359200066e-02), 8.0565229338e+00),
    "Rat43": Regression(lambda x, a, b, c, d: a / (1 + np.exp(b - c * x)) ** (1 / d), (1, 2), list(range(1, 16)),
                        [16.08, 33.83, 65.80, 97.20, 191.55, 326.20, 386.87, 520.53, 590.03, 651.92, 724.93, 699.56,
                         689.96, 637.56, 717.41],
                        (6.9964151270e+02, 5.2771253025e+00, 7.5962938329e-01, 1.2792483859e+00), 8.7864049080e+03),
    "Eckerle4": Regression(lambda x, a, b, c: a / b * np.exp(-0.5 * ((x - c) / b) ** 2), (2, 1), *_ECKERLE,
                           (1.5543827178e+00, 4.0888321754e+00, 4.5154121844e+02), 1.4635887487e-03),
    "MGH10": Regression(lambda x, a, b, c: a * np.exp(b / (x + c)), (1, 2), list(range(50, 126, 5)),
                        [34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820,
                         3307, 2872],
                        (5.6096364710e-03, 6.1813463463e+03, 3.4522363462e+02), 8.7945855171e+01),
    "Roszman1": Regression(lambda x, a, b, c, d: a - b * x - np.arctan(c / (x - d)) / np.pi, (3, 2), *_ROSZMAN,
                           (2.0196866396e-01, -6.1953516256e-06, 1.2044556708e+03, -1.8134269537e+02),
                           4.9484847331e-04),
    "Lanczos3": Regression(lambda x, a, b, c, d, e, f: a * np.exp(-b * x) + c * np.exp(-d * x) + e * np.exp(-f * x),
                           (1, 3), [0.05 * k for k in range(24)],
                           [2.5134, 2.0443, 1.6684, 1.3664, 1.1232, 0.9269, 0.7679, 0.6389, 0.5338, 0.4479, 0.3776,
                            0.3197, 0.2720, 0.2325, 0.1997, 0.1723, 0.1493, 0.1301, 0.1138, 0.1000, 0.0883, 0.0783,
                            0.0698, 0.0624],
                           (8.6816414977e-02, 9.5498101505e-01, 8.4400777463e-01, 2.9515951832e+00,
                            1.5825685901e+00, 4.9863565084e+00), 1.6117193594e-08),
    **{name: Regression(NIST[name][0], scanned, *NIST[name][2], NIST[name][3], NIST[name][4])
       for name, scanned in {"MGH09": (2, 3), "MGH17": (3, 4), "Thurber": (4, 5)}.items()},
}
# fmt: on


def model_of(one: Regression, factor: float) -> Model:
    """Pose a regression with parameters b0, b1, … between certified values over and times a factor."""
    ends = [sorted((b / factor, b * factor)) for b in one.certified]
    x = np.array(one.x, float)

    class NistModel(Model):
        parameters = tuple(Parameter(f"b{k}", *pair) for k, pair in enumerate(ends))
        data = (Gaussian("y", np.array(one.y, float), np.sqrt(one.rss / one.n_dof)),)

        def predict(self, **b):
            return {"y": one.curve(x, *(b[f"b{k}"] for k in range(len(ends))))}

    return NistModel()


def sum_of_squares(one: Regression) -> float:
    rest = np.array(one.y, float) - one.curve(np.array(one.x, float), *one.certified)
    return float((rest**2).sum())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problem", action="append", choices=list(PROBLEMS))
    parser.add_argument("--factor", type=float, nargs="+", default=[10.0, 100.0])
    options = parser.parse_args()
    sys.stdout.write(f"{'problem':9s} {'scanned':8s} {'factor':>6s} {'proven':>7s} {'right':>6s} {'χ²':>13s} ")
    sys.stdout.write(f"{'certified':>9s} {'boxes a point':>14s} {'ms a point':>11s}\n")
    n_wrong = 0
    for name in options.problem or PROBLEMS:
        one = PROBLEMS[name]
        assert abs(sum_of_squares(one) / one.rss - 1) < 1e-6, name
        for scanned in dict.fromkeys((one.scanned[:1], one.scanned)):
            for factor in options.factor:
                grid = {f"b{k}": sorted(one.certified[k] * np.array([0.9, 1.0, 1.1])) for k in sorted(scanned)}
                begin = time.process_time()
                data = hpcscan.scan(model_of(one, factor), grid, answer=False).to_xarray()
                seconds = time.process_time() - begin
                evidence, chi2 = data["evidence"].values.ravel(), data["chi2"].values.ravel()
                middle, boxes = len(chi2) // 2, data["n_boxes"].values
                is_lowest = abs(chi2[middle] - one.n_dof) < 2e-3
                n_wrong += int(not is_lowest and data["status"].values.ravel()[middle] == 1)
                names = ",".join(f"b{k}" for k in sorted(scanned))
                sys.stdout.write(
                    f"{name:9s} {names:8s} {factor:6g} {(evidence == 2).sum():3d}/{len(chi2):<3d} "
                    f"{'yes' if is_lowest else 'NO':>6s} {chi2[middle]:13.7f} {one.n_dof:9d} "
                    f"{boxes.mean():7.0f}/{boxes.max():<6d} {1e3 * seconds / len(chi2):11.1f}\n"
                )
                sys.stdout.flush()
    return int(n_wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
