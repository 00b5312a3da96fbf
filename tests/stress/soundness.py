"""Try to refute a proof at random: bounds of boxes of all widths, and Hessians around minima, over all problems.

    python tests/stress/soundness.py [--boxes 800] [--points 50] [--seed 1] [--problem NAME]...

A third of the boxes and more is narrower than 1e-5 of the range. Prints a line a problem and a summary; exit code 1
where a point is below a bound, or was cut off though it is below the incumbent, or where a Hessian is not what is said
of the neighbourhood of a minimum.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from proof.problems import cases
from proof.soundness import Trial, tried
from proof.uniqueness import exceeded, minima_of


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boxes", type=int, default=800)
    parser.add_argument("--points", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--problem", action="append", choices=list(cases()))
    options = parser.parse_args()
    total, n_all = Trial(), 0
    for name in options.problem or cases():
        one = cases()[name]
        found, x = tried(one, options.boxes, options.points, options.seed), minima_of(one)
        n_exceeded = sum(exceeded(one, x, size, options.points, options.seed) for size in (0.1, 0.5, 2.0))
        total, n_all = total + found, n_all + n_exceeded
        sys.stdout.write(f"{name:34s} {told(found)}; {n_exceeded} Hessians elsewhere\n")
    sys.stdout.write(f"{'all':34s} {told(total)}; {n_all} Hessians elsewhere\n")
    return int(total.n_below + total.n_lost + n_all > 0)


def told(found: Trial) -> str:
    return (
        f"{found.n_boxes} boxes, {found.n_points} points, {found.n_below} below a bound, {found.n_lost} cut off; "
        f"{found.n_bounding} boxes bounded by half of what is in them or more"
    )


if __name__ == "__main__":
    sys.exit(main())
