"""Draw how efficient many ranks are: ``python tests/benchmarks/draw.py .github/scaling.png``.

A million points of 1 ms, 50 ms and 10 s by the model of the coordinator with the costs that `plan` uses (measured by
`simulation.py`), and what was measured with tasks that sleep for 50 ms (``mpirun -n RANKS python
tests/benchmarks/tasks.py``).
"""

from __future__ import annotations

import sys

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from simulation import RANKS, SECONDS_PER_POINT, Costs, Work, efficiency, efficiency_of_two_levels

from hpcscan.scanning.cost import SECONDS_PER_CHUNK
from hpcscan.scanning.cost import SECONDS_PER_POINT as SERVICE

#: Ranks, and the efficiency of equal tasks of 50 ms among them.
MEASURED = ((16, 0.926), (64, 0.971))
NAMES = {1e-3: "1 ms", 50e-3: "50 ms", 10.0: "10 s"}


def main() -> None:
    costs = Costs(SECONDS_PER_CHUNK, SERVICE)
    figure = Figure(figsize=(6, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for seconds in SECONDS_PER_POINT:
        values = [efficiency(ranks, Work(seconds), costs) for ranks in RANKS]
        axes.plot(RANKS, values, marker=".", label=f"{NAMES[seconds]} a point, simulated")
    many = [ranks for ranks in RANKS if ranks >= 2048]
    two = [efficiency_of_two_levels(ranks, Work(50e-3), costs, ranks // 512) for ranks in many]
    axes.plot(many, two, "--", color="C1", label="50 ms, a coordinator for each 512 ranks")
    axes.plot(*zip(*MEASURED, strict=True), "k*", label="tasks of 50 ms, measured")
    axes.set(xscale="log", xlabel="ranks", ylabel="efficiency", ylim=(0, 1.05))
    axes.legend(fontsize="small", frameon=False)
    axes.grid(alpha=0.3)
    figure.savefig(sys.argv[1], dpi=110)


if __name__ == "__main__":
    main()
