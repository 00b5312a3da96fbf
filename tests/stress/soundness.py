"""Try to refute bounds of the proof at random: boxes of all widths, points in each, over all problems of the tests.

    python tests/stress/soundness.py [--boxes 800] [--points 50] [--seed 1] [--problem NAME]...

A third of the boxes and more is narrower than 1e-5 of the range. Prints a line a problem and a summary; exit code 1
where a point is below a bound, or was cut off though it is below the incumbent.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from proof.problems import cases
from proof.soundness import Trial, tried


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boxes", type=int, default=800)
    parser.add_argument("--points", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--problem", action="append", choices=list(cases()))
    options = parser.parse_args()
    total = Trial()
    for name in options.problem or cases():
        found = tried(cases()[name], options.boxes, options.points, options.seed)
        total += found
        sys.stdout.write(f"{name:34s} {told(found)}\n")
    sys.stdout.write(f"{'all':34s} {told(total)}\n")
    return int(total.n_below + total.n_lost > 0)


def told(found: Trial) -> str:
    return (
        f"{found.n_boxes} boxes, {found.n_points} points, {found.n_below} below a bound, {found.n_lost} cut off; "
        f"{found.n_bounding} boxes bounded by half of what is in them or more"
    )


if __name__ == "__main__":
    sys.exit(main())
