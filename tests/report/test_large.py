"""A large grid: files stay small, nothing bad disappears in a cell or a table, and what is left out is said."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hpcscan.commands.check import check
from hpcscan.commands.compare import compare
from hpcscan.commands.report import report
from hpcscan.dataset import reader
from hpcscan.dataset.reader import read_scan
from hpcscan.errors import UsageError
from hpcscan.fitting.records import Status
from hpcscan.report import projection, table_rows
from hpcscan.report.figures.gallery import gallery
from hpcscan.report.projection import any_in, gathered, lowest_in
from hpcscan.report.table_rows import choose, spaced
from report.synthetic import Surface, bowl, good

N = 200
LARGE = {"beta": np.linspace(2.95, 3.25, N), "w": np.geomspace(0.005, 0.05, N)}
MEGABYTE = 2**20


def one_of_each(results):
    """A point that did not converge, one that failed, and one with a gap, far from each other."""
    results.status[4_321] = Status.NOT_CONVERGED
    results.status[22_222], results.chi2[22_222], results.chi2_lower_bound[22_222] = Status.FAILED, np.nan, np.nan
    results.chi2_lower_bound[33_333] -= 0.5


@pytest.fixture(scope="module")
def limits():
    """Limits that a grid of 200 × 200 exceeds as one of 1000 × 1000 does the real ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(projection, "MOST_CELLS", 80)
        patch.setattr(table_rows, "MOST_ROWS", 10_000)
        patch.setattr(table_rows, "MOST_SPREAD", 1_000)
        yield


@pytest.fixture(scope="module")
def folder(limits, tmp_path_factory):
    where = tmp_path_factory.mktemp("large")
    path = Surface(LARGE, bowl(), leptons=True, spoil=one_of_each).write(where / "large.nc")
    (where / "said.txt").write_text(report(str(path), str(where / "out")))
    return where


def test_its_files_are_small(folder):
    sizes = {path.name: path.stat().st_size for path in (folder / "out").rglob("*.*")}
    assert max(sizes.values()) < MEGABYTE
    assert sizes["status.pdf"] < MEGABYTE / 4


def test_the_table_of_points_says_what_it_leaves_out_and_keeps_the_worst(folder):
    header, *rows = [line.split(",") for line in (folder / "out/tables/points-some.csv").read_text().splitlines()]
    assert not (folder / "out/tables/points.csv").exists()
    reason = {tuple(map(float, row[:2])): (row[header.index("status")], row[header.index("chosen_as")]) for row in rows}
    points = read_scan(str(folder / "large.nc")).grid.points([4_321, 22_222, 33_333])
    found = [reason[tuple(point)] for point in points]
    assert found == [
        ("not_converged", "not converged"), ("failed", "not converged"), ("converged", "largest gap")
    ]  # fmt: skip
    note = f"tables/points-some.csv has {len(rows):,} of 40,000 points"
    assert note in (folder / "said.txt").read_text()
    assert note in (folder / "out/report.html").read_text()


def test_no_bad_point_disappears_in_a_cell(folder):
    caption = (folder / "out/figures/status.txt").read_text()
    assert "39,998 converged, 1 not converged, 1 failed" in caption
    assert "Each cell stands for 3 × 3 points and shows the worst value." in caption
    caption = (folder / "out/figures/delta_chi2-beta-w.txt").read_text()
    assert "Each cell stands for 3 × 3 points and shows the lowest." in caption


def test_many_crosses_become_few_larger_ones(limits, tmp_path):
    def half(results):
        results.status[::2] = Status.NOT_CONVERGED

    findings = Surface(LARGE, bowl(), spoil=half).findings(tmp_path / "scan.nc")
    caption = next(drawing.caption for drawing in gallery(findings) if drawing.name.startswith("delta_chi2"))
    assert "A cross stands for 5 × 5 points, any of which did not converge." in caption


def test_a_table_of_differences_keeps_the_largest(limits, tmp_path):
    def one(results):
        results.chi2[12_345] += 3

    paths = [str(Surface(LARGE, bowl(), spoil=spoil).write(tmp_path / f"{k}.nc"))
             for k, spoil in enumerate((one_of_each, one))]  # fmt: skip
    text, _ = compare(paths, exact=False, folder=str(tmp_path / "out"))
    rows = (tmp_path / "out/tables/difference-1-some.csv").read_text().splitlines()[1:]
    assert f"tables/difference-1-some.csv has {len(rows):,} of 40,000 points (" in text
    (row,) = [row for row in rows if row.endswith(",largest difference")]
    point = read_scan(paths[0]).grid.points([12_345])[0]
    assert [float(cell) for cell in row.split(",")[:2]] == point.tolist()
    assert row.endswith(",3,3,largest difference")


def test_a_grid_that_is_not_large_is_shown_whole(tmp_path):
    findings = good().findings(tmp_path / "scan.nc")
    chosen = choose(findings.landscape)
    assert chosen.is_whole
    assert not chosen.note
    assert not any("stands for" in drawing.caption for drawing in gallery(findings))


SIDES = st.integers(1, 7)
CELLS = st.tuples(SIDES, SIDES).flatmap(
    lambda shape: st.tuples(
        arrays(float, shape, elements=st.one_of(st.floats(-9, 9), st.just(np.nan))), st.tuples(SIDES, SIDES)
    )
)


@given(CELLS)
def test_cells_gather_the_points_that_lie_in_them(case):
    values, step = case
    lowest, any_known = lowest_in(values, step), any_in(np.isfinite(values), step)
    together = gathered(values[..., None], step, np.nan)
    for i, j in product(*map(range, lowest.shape)):
        block = values[i * step[0] : (i + 1) * step[0], j * step[1] : (j + 1) * step[1]].ravel()
        known = block[np.isfinite(block)]
        assert sorted(together[i, j][np.isfinite(together[i, j])]) == sorted(known)
        assert any_known[i, j] == bool(len(known))
        np.testing.assert_array_equal(lowest[i, j], known.min() if len(known) else np.nan)


@given(st.integers(1, 5000), st.integers(2, 400))
def test_spaced_places_have_both_ends(n, most):
    places = spaced(n, most)
    assert len(places) == min(n, most)
    assert (places[0], places[-1]) == (0, n - 1)


def test_what_is_read_late_is_the_same(tmp_path, monkeypatch):
    path = str(good(leptons=True).write(tmp_path / "scan.nc"))
    at_once, text = read_scan(path), check(path)
    whole = {name: variable.values for name, variable in at_once.variables.items()}
    monkeypatch.setattr(reader, "SMALL_BYTES", 0)
    late = read_scan(path)
    for name, values in whole.items():
        np.testing.assert_array_equal(late.variables[name].values, values)
    assert check(path) == text
    assert compare([path, path], exact=True)[1] == 0


@pytest.mark.parametrize("change", ["replaced", "removed"])
def test_a_result_that_changes_while_it_is_read_is_told(tmp_path, monkeypatch, change):
    path = good().write(tmp_path / "scan.nc")
    monkeypatch.setattr(reader, "SMALL_BYTES", 0)
    scan = read_scan(str(path))
    path.unlink()
    if change == "replaced":
        good(leptons=True).write(path)
    words = {"replaced": "was replaced while it was read; ask again", "removed": "cannot be read"}
    with pytest.raises(UsageError, match=words[change]):
        scan.at_points("edm")
