"""A scan in waves that ends anywhere: no finished fit is done again, and the file is that of a run in one go."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from commands.results import Result, different_variables, read

from hpcscan.commands.ranks import _prepare
from hpcscan.commands.request import RunRequest
from hpcscan.commands.run import lead
from hpcscan.commands.status import n_finished, status
from hpcscan.fitting.records import Status
from hpcscan.output.journal import Kind
from hpcscan.output.journal_reading import read_journal
from hpcscan.parallel import Coordinator, SerialWorld, StopRequest
from hpcscan.scanning.guided_wave import Guided, WaveTasks
from output.conftest import PLUGINS

SCAN = f"""\
scan: {{slope: {{values: [0.1, 0.3, 0.5]}}}}
model: {{plugin: {PLUGINS}/ripples.py}}
fit: {{proof: false}}
answer: false
run: {{chunk: 1}}
output: out.nc
"""


class KilledError(BaseException):
    """The process is gone."""


class Fits:
    """Counts the fits that are done; kills the process that would do more than it may."""

    def __init__(self) -> None:
        self.n, self.most = 0, 10**9
        self.compute = Guided.compute

    def count(self, task: Guided, *about: object) -> object:
        if self.n >= self.most:
            raise KilledError
        self.n += 1
        return self.compute(task, *about)


@pytest.fixture(scope="module")
def counted() -> Iterator[Fits]:
    """Tasks come in any order, and are counted."""
    fits, dice, in_order = Fits(), random.Random(3), WaveTasks.__iter__

    def compute(task: Guided, *about: object) -> object:
        return fits.count(task, *about)

    def shuffled(tasks: WaveTasks) -> Iterator[Guided]:
        yield from sorted(in_order(tasks), key=lambda _: dice.random())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Guided, "compute", compute)
        patch.setattr(WaveTasks, "__iter__", shuffled)
        yield fits


@pytest.fixture
def fits(counted: Fits) -> Fits:
    """None yet, and as many as it likes."""
    counted.n, counted.most = 0, 10**9
    return counted


def run(name: str = "out.nc", *, overrides: tuple[str, ...] = (), keep_journal: bool = False) -> int:
    Path("scan.yaml").write_text(SCAN)
    world, stop = SerialWorld(), StopRequest()
    request = RunRequest("scan.yaml", overrides=overrides, output=name, resume=True, keep_journal=keep_journal)
    return lead(request, world, stop, Coordinator(world, _prepare, stop))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def once(counted: Fits, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, int]:
    """The scan in one go: the result, and the number of fits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("once"))
        return whole(counted)


def whole(fits: Fits) -> tuple[Result, int]:
    fits.n, fits.most = 0, 10**9
    run("whole.nc")
    n, fits.n = fits.n, 0
    return read(Path("whole.nc")), n


def kill_until_it_ends(fits: Fits, between: Callable[[], None] = lambda: None) -> int:
    """Kill a scan after 1, 2, 3, … fits; return how often."""
    n_kills = 0
    while True:
        fits.most = fits.n + n_kills + 1
        try:
            run()
        except KilledError:
            n_kills += 1
            between()
        else:
            return n_kills


@pytest.mark.parametrize(("mood", "n_failed"), [({}, 0), ({"RIPPLES_FROM": "3.2"}, 0), ({"RIPPLES_FROM": "0"}, 1)])
def test_no_finished_fit_is_done_again(fits, monkeypatch, mood, n_failed):
    """Where some starts fail, too, or all of a point; rows of the model are counted as in one go."""
    if mood:
        monkeypatch.setenv("RIPPLES_FAILS_AT", "0.3")
    for name, value in mood.items():
        monkeypatch.setenv(name, value)
    once, n = whole(fits)
    assert once["n_starts"].max() > 4
    assert (once["start_status"] == Status.FAILED).any() == bool(mood)
    assert once.count(Status.FAILED) == n_failed
    told = []
    n_kills = kill_until_it_ends(fits, lambda: told.append(n_finished("out.nc")))
    assert n_kills > 4
    assert told == sorted(set(told))
    assert different_variables(once, read(Path("out.nc"))) == []
    assert fits.n == n


def test_a_failure_that_passes_leaves_no_trace(fits, once, monkeypatch):
    """It is tried again once the scan is complete, with what followed from it; then nothing tells of it."""
    monkeypatch.setenv("RIPPLES_FAILS_AT", "0.3")
    run(keep_journal=True)
    assert read(Path("out.nc")).count(Status.FAILED) == 1
    monkeypatch.delenv("RIPPLES_FAILS_AT")
    fits.n = 0
    run()
    assert different_variables(once[0], read(Path("out.nc"))) == []
    assert fits.n < once[1]


def test_what_is_damaged_is_done_again(fits, once):
    """Of whole points and of single starts, wherever it is in the journal."""
    dice, path = random.Random(5), Path("out.nc.journal")

    def damage() -> None:
        data = bytearray(path.read_bytes())
        data[dice.randrange(len(data) // 2, len(data))] ^= 8
        path.write_bytes(data)

    kill_until_it_ends(fits, damage)
    assert different_variables(once[0], read(Path("out.nc"))) == []
    assert fits.n > once[1]


def test_status_tells_points_from_starts(fits):
    """A point is done when all its starts of a wave are; until then it is begun."""
    fits.most = 6
    with pytest.raises(KilledError):
        run()
    records = read_journal(Path("out.nc.journal")).records
    starts = np.concatenate([one.point_index for one in records if one.kind == Kind.STARTS])
    points = np.concatenate([one.point_index for one in records if one.kind != Kind.STARTS] or [starts[:0]])
    waiting = starts[~np.isin(starts, points)]
    text, _ = status("out.nc")
    assert f"done          {len(points)} of 3 points" in text
    assert f"{len(waiting)} starts of {len(np.unique(waiting))} points with more to come" in text


def test_a_grid_that_grows_goes_on_from_what_was_found_last(fits):
    """Not from the first wave, and not from single starts."""
    run(keep_journal=True)
    before, n, fits.n = read(Path("out.nc")), fits.n, 0
    run(overrides=("scan.slope.values=[0.1, 0.2, 0.3, 0.5]",))
    after, old = read(Path("out.nc")), np.array([0, 2, 3])
    assert (after["chi2"][old] <= before["chi2"] + 1e-6).all()
    assert (after["n_starts"][old] >= before["n_starts"]).all()
    assert fits.n < n
