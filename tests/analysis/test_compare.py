"""What changed between two scans; where a minimum is missing there is no shift."""

import numpy as np
import pytest
from report.landscapes import LANDSCAPES
from report.synthetic import BETA, GATE, Surface, W, bowl, good

from hpcscan.analysis.comparison import Closure
from hpcscan.commands.compare import compare
from hpcscan.fitting.records import Status
from hpcscan.report.figures.several_scans import COLOURS, overlay_drawings


def text_of(tmp_path, first: Surface, second: Surface) -> str:
    paths = [str(first.write(tmp_path / "first.nc")), str(second.write(tmp_path / "second.nc"))]
    text, code = compare(paths, exact=False)
    assert code == 0
    return text


def test_the_closure_of_the_status_report():
    """β from 3.15 to 3.10 with β_Golden = 3.058: χ from 0.912 to 0.959, 53 % of the gap."""
    closure = Closure.of(3.15, 3.10, 3.058)
    assert (round(closure.first, 3), round(closure.second, 3)) == (0.912, 0.959)
    assert round(100 * closure.share) == 53


def test_a_measured_shift_is_given_with_closure_and_direction(tmp_path):
    text = text_of(tmp_path, good(chi2=bowl(centre=(3.15, 0.02))), good(chi2=bowl(centre=(3.10, 0.02))))
    assert "-0.05000" in text
    assert "towards the reference 3.058" in text
    assert "0.912 to 0.959" in text
    assert "53 %" in text
    assert "settings: no difference" in text
    assert "lowest chi2 of the grid: 2" in text


def test_a_shift_the_other_way_says_so(tmp_path):
    text = text_of(tmp_path, good(chi2=bowl(centre=(3.10, 0.02))), good(chi2=bowl(centre=(3.15, 0.02))))
    assert "away from the reference" in text


def test_results_lie_in_one_plane_whatever_the_order_of_their_axes(tmp_path):
    """A turned scan has the contours of the other one; a third one, without a minimum, has lines and no mark."""
    turned = Surface({"w": W, "beta": BETA}, lambda w, beta: bowl()(beta, w))
    edge = good(chi2=lambda b, w: 2 + 900 * (3.25 - b) + 0 * w)
    scans = [one.findings(tmp_path / f"{name}.nc") for name, one in (("a", good()), ("b", turned), ("c", edge))]
    made = {drawing.name: drawing for drawing in overlay_drawings(scans)}
    assert [*made] == ["overlay-beta-w", "overlay-profiles"]
    lines = {colour: [] for colour in COLOURS[:3]}
    for line in made["overlay-beta-w"].draw().axes[0].get_lines():
        lines[line.get_color()].append(np.array(line.get_xydata()))
    one, two, three = lines.values()
    assert (len(one), len(two), len(three)) == (4, 4, 3)
    places = [{(round(x, 9), round(y, 9)) for line in lines for x, y in line} for lines in (one, two)]
    assert places[0] == places[1]
    assert "Of c the levels are not confidence levels" in made["overlay-profiles"].caption
    assert "a, beta: 3.1030 ± 0.0200" in made["overlay-profiles"].caption


@pytest.mark.parametrize(
    "surface",
    [good(chi2=lambda b, w: 2 + 900 * (3.25 - b) + 0 * w), good(chi2=lambda b, w: 2 + 0 * w)],
    ids=["edge", "flat"],
)
def test_without_a_minimum_there_is_no_shift(tmp_path, surface):
    text = text_of(tmp_path, surface, good())
    assert "shift   unknown: the first scan has no minimum in beta" in text
    assert "exp(" not in text.split("minimum in w")[0]


def test_two_edges_are_no_shift_either(tmp_path):
    edge = good(chi2=lambda b, w: 2 + 900 * (3.25 - b) + 0 * w)
    assert "neither scan has a minimum in beta" in text_of(tmp_path, edge, edge)


def test_settings_and_statuses_that_differ_are_listed(tmp_path):
    def fail(results):
        results.status[[2, 5]], results.chi2[[2, 5]] = Status.FAILED, np.nan

    changed = good(config=f"{GATE}fit: {{starts: 32}}\noutput: elsewhere.nc\n", spoil=fail)
    text = text_of(tmp_path, good(config=f"{GATE}fit: {{starts: 16}}\n"), changed)
    assert "fit.starts 16 32" in " ".join(text.split())
    assert "output" not in text
    assert "status: 2 points changed\n  2 from converged to failed" in text
    assert "beta = 2.95, w = 0.015: converged, then failed" in text


def test_grids_are_compared_where_they_agree(tmp_path):
    other = Surface({"w": W[::3], "beta": np.linspace(2.95, 3.25, 31)}, lambda w, beta: bowl()(beta, w) + 5)
    text = text_of(tmp_path, good(), other)
    assert "points in common: 64" in text
    assert "chi2, second minus first: 5 to 5" in text


def test_grids_with_nothing_in_common(tmp_path):
    other = Surface({"beta": np.array([3.333, 3.444, 3.555]), "w": W}, bowl())
    assert "none in common" in text_of(tmp_path, good(), other)
    third = Surface({"x": np.arange(4.0)}, lambda x: 2 + (x - 1) ** 2)
    assert "other axes" in text_of(tmp_path, good(), third)


@pytest.mark.parametrize("axes", ["beta", "beta, w", "three"])
def test_maps_of_the_differences_are_drawn_where_asked_for(tmp_path, axes):
    beta = {"beta": BETA}
    surfaces = {
        "beta": (Surface(beta, lambda b: 2 + 100 * (b - 3.1) ** 2), Surface(beta, lambda b: 2 + 300 * (b - 3.1) ** 2)),
        "beta, w": (good(), good(chi2=bowl(floor=7, centre=(3.12, 0.02)))),
        "three": (LANDSCAPES["three-axes"], LANDSCAPES["three-axes"]),
    }
    paths = [str(surface.write(tmp_path / f"{k}.nc")) for k, surface in enumerate(surfaces[axes])]
    text, _ = compare(paths, exact=False, folder=str(tmp_path / "out"))
    assert f"written: {tmp_path / 'out' / 'figures' / 'difference-1.png'}" in text
    assert f"written: {tmp_path / 'out' / 'figures' / 'overlay-profiles.pdf'}" in text
    header, *rows = (tmp_path / "out" / "tables" / "difference-1.csv").read_text().splitlines()
    assert header.endswith("chi2_first,chi2_second,chi2_change,delta_chi2_change")
    assert len(rows) == np.prod([len(values) for values in surfaces[axes][0].axes.values()])
    for row in rows:
        first, second, change, _ = map(float, row.split(",")[-4:])
        assert change == second - first
    caption = (tmp_path / "out" / "figures" / "difference-1.txt").read_text()
    assert caption.startswith("Difference of Δχ². Δχ² of ")
    assert ("not shown" in caption) == (axes == "three")


def test_no_map_without_a_common_point(tmp_path):
    other = Surface({"beta": np.array([3.333, 3.444]), "w": W}, bowl())
    paths = [str(good().write(tmp_path / "a.nc")), str(other.write(tmp_path / "b.nc"))]
    assert "no map: the scans have no point in common" in compare(paths, exact=False, folder=str(tmp_path / "out"))[0]


def run_only(results):
    results.rank[:], results.fit_seconds[:] = 3, 1.5


def last_bit(results):
    results.chi2[7] = np.nextafter(results.chi2[7], np.inf)


def sign_of_zero(results):
    results.bound_multiplier[7, 0] = -0.0


@pytest.mark.parametrize(("spoil", "code"), [(run_only, 0), (last_bit, 1), (sign_of_zero, 1)])
def test_exact_means_bit_for_bit_apart_from_how_it_was_run(tmp_path, spoil, code):
    paths = [str(good().write(tmp_path / "a.nc")), str(good(spoil=spoil).write(tmp_path / "b.nc"))]
    text, found = compare(paths, exact=True)
    assert found == code
    assert text.startswith("identical" if code == 0 else "different")


def test_exact_names_what_differs_and_how_often(tmp_path):
    paths = [str(good().write(tmp_path / "a.nc")), str(good(spoil=last_bit).write(tmp_path / "b.nc"))]
    text, _ = compare(paths, exact=True)
    assert "chi2: 1 of 160 values differ" in text
    assert compare([paths[0], str(good(leptons=True).write(tmp_path / "c.nc"))], exact=True)[1] == 1
