"""Every landscape can be drawn, with the same bytes each time, and captions say what is there and no more."""

from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb

import hpcscan
from hpcscan.dataset.scan import ScanData, ScanVariable
from hpcscan.door import open as open_scan
from hpcscan.errors import UsageError
from hpcscan.grid import Grid, GridAxis
from hpcscan.report.figures.axes import PaperAxis, signed
from hpcscan.report.figures.canvas import STYLE, Drawing, break_long, render, render_for_page
from hpcscan.report.figures.gallery import gallery
from hpcscan.report.figures.observed import constraint_error
from hpcscan.report.figures.point_evidence import LOOKS
from hpcscan.report.outcome import DataOutcome
from hpcscan.words.numbers import typeset, with_unit
from report.landscapes import LANDSCAPES, X
from report.synthetic import good

V = 0.04 * np.eye(5) + 0.02
Y = (0.3, 1.1, 2.4, 2.9, 4.4)
BINS = np.linspace(0, 10, 21)
COUNTS = np.round(40 * np.exp(-0.5 * ((BINS - 5) / 1.2) ** 2) + 12 + 3 * np.sin(9 * BINS))


class Peak(hpcscan.Model):
    parameters = (
        hpcscan.Parameter("place", 4, 6),
        hpcscan.Parameter("width", 0.5, 2.5),
        hpcscan.Parameter("signal", 0, 100),
        hpcscan.Parameter("level", 1, 40, constraint=(11, 2.0)),
    )
    data = (hpcscan.Poisson("counts", COUNTS, x=BINS), hpcscan.Gaussian("monitor", 1.02, 0.03))

    def predict(self, place, width, signal, level):
        return {"counts": signal * np.exp(-0.5 * ((BINS - place) / width) ** 2) + level, "monitor": level / 12}


def draw(drawing: Drawing) -> None:
    """Lay a figure out completely, without the seconds that its files take."""
    with mpl.rc_context(STYLE):
        drawing.draw().draw_without_rendering()


def drawings(tmp_path, name):
    return {drawing.name: drawing for drawing in gallery(LANDSCAPES[name].findings(tmp_path / "scan.nc"))}


@pytest.mark.parametrize("name", LANDSCAPES)
def test_every_landscape_has_its_figures(tmp_path, name):
    made = drawings(tmp_path, name)
    # One point, or points that are all alike, have no map of their evidence.
    assert ("status" in made) == (name in ("failures", "partial", "three-axes"))
    n_axes = {"one-axis": 1, "line": 1, "one-point": 0, "three-axes": 3}.get(name, 2)
    assert len([key for key in made if key.startswith("delta_chi2")]) == n_axes * (n_axes - 1) // 2
    assert ("profiles" in made) == (n_axes > 0)
    for key in [key for key in made if key in ("status", "profiles") or key.startswith("delta_chi2")][:3]:
        draw(made[key])


@pytest.mark.parametrize("key", ["derived-lepton-1", "scale-S", "parameters"])
@pytest.mark.parametrize("name", ["flat", "partial"])
def test_the_other_figures_are_drawn_too(tmp_path, name, key):
    draw(drawings(tmp_path, name)[key])


def test_a_fit_shows_data_pulls_correlations_and_a_triangle():
    """What captions say is what the result holds."""
    scan = hpcscan.scan(
        Peak(), {"place": [4.8, 5, 5.2], "width": [1.1, 1.25, 1.4], "signal": [36, 40, 44]}, proof=False
    )
    made = {drawing.name: drawing for drawing in gallery(scan.findings)}
    best, outcome = scan.best_fit, DataOutcome.of(scan.findings)
    for key in ("data", "pulls", "correlations", "corner"):
        draw(made[key])
    pull = outcome.pull[outcome.series["counts"]]
    assert f"The largest pull is {signed(pull[np.argmax(np.abs(pull))])} " in made["data"].caption
    assert (outcome.pull**2).sum() == pytest.approx(best.chi2, rel=1e-9)
    assert f"Of 21 pulls {np.sum(abs(pull) <= 1)} are up to 1 and {np.sum(abs(pull) <= 2)} up to 2" in made["data"].alt
    line = scan.contours("place", "width")[0]
    first, last = line.min(axis=0), line.max(axis=0)
    spans = f"place from {first[0]:.4g} to {last[0]:.4g} and in width from {first[1]:.4g} to {last[1]:.4g}"
    assert f"is closed and reaches in {spans}" in made["delta_chi2-place-width"].alt
    assert scan.plot.data()[1].get_ylabel() == "pull"
    plt.close("all")
    number = scan.findings.fitted.names.index("level")
    assert constraint_error(scan.findings, outcome, outcome.names.index("constraint.level")) == pytest.approx(
        scan.findings.fitted.covariance[number, number] ** 0.5 / 2.0
    )
    assert "parameter. Bands: up to 1 and up to 2. Bars: the error of the fitted parameter" in made["pulls"].caption


def test_from_python_axes_go_in_and_come_out(tmp_path):
    """What is drawn there is what the scan says, whichever parameter comes first."""
    scan = open_scan(LANDSCAPES["three-axes"].write(tmp_path / "scan.nc"))
    _, (one, two) = plt.subplots(1, 2)
    assert scan.plot.contours("x", "y", ax=one) is one and scan.plot.contours("y", "x", ax=two) is two
    drawn = [[line.get_xydata() for line in panel.get_lines() if len(line.get_xydata()) > 200] for panel in (one, two)]
    stored = scan.contours("x", "y")
    assert (drawn[0][0] == stored[0]).all() and (drawn[1][0] == stored[0][:, ::-1]).all()
    maps = [panel.collections[0].get_array() for panel in (one, two)]
    assert pytest.approx(maps[1]) == maps[0].T
    panel = scan.plot.profile("z")
    assert panel.get_lines()[-1].get_xdata() == pytest.approx(X[1:])
    above, below = plt.subplots(2, 1)[1]
    assert scan.plot.pulls().get_xlabel() == "pull"
    assert scan.plot.corner().shape == (3, 3)
    with pytest.raises(UsageError, match="name one of the scanned parameters, x, y, z"):
        scan.plot.profile("w")
    with pytest.raises(UsageError, match="terms of several values are: none"):
        scan.plot.data(ax=(above, below))
    with pytest.raises(UsageError, match=r"name two of the scanned parameters, x, y, z$"):
        scan.plot.contours("x", "mass")
    with pytest.raises(UsageError, match=r"its methods draw: contours, profile, data, pulls, corner$"):
        scan.plot("contours")
    with pytest.raises(AttributeError, match=r"it draws contours, .*; did you mean contours\?"):
        scan.plot.contour  # noqa: B018  (asking is what fails)
    assert not hasattr(scan.plot, "contour")
    line = open_scan(LANDSCAPES["one-axis"].write(tmp_path / "line.nc"))
    with pytest.raises(UsageError, match=r"a map needs two scanned parameters; here: x$"):
        line.plot.contours("x", "y")
    plt.close("all")


def test_a_triangle_has_one_range_for_each_parameter(tmp_path):
    """In all panels of its column and of its row, whatever their contours reach."""
    panels = open_scan(LANDSCAPES["three-axes"].write(tmp_path / "scan.nc")).plot.corner()
    for k in range(3):
        ranges = {panel.get_xlim() for panel in panels[k:, k]} | {panel.get_ylim() for panel in panels[k, :k]}
        assert len(ranges) == 1
    plt.close("all")


def test_what_points_are_can_be_told_apart_in_grey():
    """By lightness or, where that is near, by hatching."""
    greys = [(np.dot(to_rgb(shade), (0.3, 0.59, 0.11)), hatch) for shade, hatch in LOOKS.values()]
    for (one, hatch), (two, other) in combinations(greys, 2):
        assert abs(one - two) > 0.1 or hatch != other


class Tied(hpcscan.Model):
    parameters = (hpcscan.Parameter("slope", 0, 2), hpcscan.Parameter("offset", -1, 1, constraint=(0.1, 0.2)))
    data = (hpcscan.Gaussian("y", Y, covariance=V, x=np.arange(5.0)), hpcscan.Gaussian("slope_seen", 1.2, 0.1))

    def predict(self, slope, offset):
        return {"y": offset + slope * np.arange(5.0), "slope_seen": slope}


def test_the_chi2_of_correlated_values_is_that_with_their_covariance():
    scan = hpcscan.scan(Tied(), {"slope": [0.9, 1.0, 1.1]}, proof=False)
    outcome = DataOutcome.of(scan.findings)
    residual = (outcome.predicted - outcome.observed)[outcome.series["y"]]
    expected = residual @ np.linalg.solve(V, residual)
    assert outcome.with_covariance("y") == pytest.approx(expected, rel=1e-9)
    caption = next(drawing.caption for drawing in gallery(scan.findings, ["data"]))
    squares = (outcome.pull[outcome.series["y"]] ** 2).sum()
    assert f"is {expected:.3g}, and not the sum of the squares of pulls, {squares:.3g}" in caption


@pytest.mark.parametrize(
    ("text", "room", "broken"),
    [
        ("thickness of the layer w (m)", 100, "thickness of\nthe layer w (m)"),
        ("short", 100, "short"),
        ("$a b c d e f g h i j k l m n o p$", 20, "$a b c d e f g h i j k l m n o p$"),
    ],
)
def test_a_title_that_has_no_room_is_broken_outside_of_mathematics(text, room, broken):
    figure = plt.figure(figsize=(room / 100, 2), dpi=100)
    panel = figure.subplots()
    panel.set_title(text)
    assert break_long(figure) == (broken != text)
    assert panel.get_title() == broken
    plt.close("all")


@pytest.mark.parametrize(
    ("name", "about", "symbol", "label", "short"),
    [
        ("dm2", "Δm²₂₁", "", "Δm²₂₁ (m)", "Δm²₂₁ (m)"),
        ("signal", "strength of the signal", "", "strength of the signal (m)", "signal (m)"),
        ("w", "thickness", "", "thickness w (m)", "w (m)"),
        ("beta", "vacuum stiffness", "", "vacuum stiffness β (m)", "β (m)"),
        ("gravity", "gravity", "$g$", "$g$ (m)", "$g$ (m)"),
        ("gravity", "pull of the Earth", "$g$", "pull of the Earth $g$ (m)", "$g$ (m)"),
    ],
)
def test_an_axis_is_labelled_for_a_reader(name, about, symbol, label, short):
    attributes = {"long_name": about, "units": "m"} | ({"symbol": symbol} if symbol else {})
    grid = Grid((GridAxis(name, (1.0, 2.0)),))
    scan = ScanData("a", grid, {name: ScanVariable((name,), lambda: np.arange(2), attributes)}, {})
    axis = PaperAxis.of(scan, 0)
    assert (axis.label, axis.short_label) == (label, short)


def test_the_bytes_are_the_same_each_time(tmp_path):
    drawing = drawings(tmp_path, "good")["delta_chi2-beta-w"]
    first = render(drawing)
    assert render(drawing) == first
    assert b"CreationDate" not in first.pdf


def test_a_page_has_smaller_pictures_of_its_figures(tmp_path):
    """A wide one with fewer colours, and a narrow one."""
    made = render_for_page(drawings(tmp_path, "good")["delta_chi2-beta-w"])
    widths = [int.from_bytes(png[16:20]) for png in (made.png, made.wide, made.narrow)]
    assert widths[0] == widths[1] > 1.8 * widths[2]
    assert len(made.wide) + len(made.narrow) < 0.7 * len(made.png)


@pytest.mark.parametrize(
    ("name", "figure", "words"),
    [
        ("good", "delta_chi2-beta-w", "The star is the minimum"),
        ("good", "delta_chi2-beta-w", "solid: 1σ, 68.27 % (Δχ² = 2.30); dashed: 2σ, 95.45 % (Δχ² = 6.18); dotted: 3σ"),
        (
            "inside",
            "delta_chi2-beta-w",
            "not fulfilled: a minimum in every axis; the data determine the axes",
        ),
        ("flat", "delta_chi2-beta-w", "no best point and no contour"),
        ("flat", "scale-S", "Width of the interval of S"),
        ("flat", "scale-S", "not shown"),
        ("floor", "delta_chi2-beta-w", "the upper end of beta and the upper end of w, not a minimum"),
        ("floor", "delta_chi2-beta-w", "No contour is drawn"),
        ("inside", "delta_chi2-beta-w", "All points lie below the first level"),
        ("failures", "delta_chi2-beta-w", "Crosses: points that did not converge; hatched: points without χ²"),
        ("failures", "delta_chi2-beta-w", "not confidence levels; not fulfilled: every point converged"),
        ("partial", "delta_chi2-beta-w", "The circle is the lowest point, beta = 3.07, w = 0.02"),
        ("partial", "profiles", "Minimum in beta: none: points beside the lowest one are missing"),
        ("failures", "profiles", "No curve is drawn through points that cannot be trusted"),
        ("nothing", "delta_chi2-beta-w", "No point has a χ²"),
        ("three-axes", "delta_chi2-x-y", "after profiling the other axes"),
        ("three-axes", "status", "Over the axes that are not shown, the worst value"),
        ("one-axis", "profiles", "x at Δχ² = 1: 0.30 ± 0.58"),
    ],
)
def test_captions(tmp_path, name, figure, words):
    assert words in drawings(tmp_path, name)[figure].caption


def test_no_caption_of_a_flat_or_an_edge_speaks_of_a_best_value(tmp_path):
    for name in ("flat", "floor"):
        text = " ".join(drawing.caption for drawing in drawings(tmp_path, name).values())
        assert "The star" not in text
        assert "±" not in text


def test_the_worst_agreement_is_that_of_the_smallest_share(tmp_path):
    """One start of one is all of them; one of four is not. Where all ended alike there is no figure."""

    def spoil(results):
        results.n_starts[:], results.n_starts_at_minimum[:] = 1, 1
        results.n_starts[7] = 4
        results.start_chi2[7, 1:] = results.chi2[7] + 3

    def alike(results):
        results.start_chi2[:] = results.chi2[:, None]

    assert gallery(good(spoil=alike).findings(tmp_path / "alike.nc"), ["starts"]) == ()
    drawn = {drawing.name: drawing for drawing in gallery(good(spoil=spoil).findings(tmp_path / "scan.nc"))}
    draw(drawn["starts"])
    assert "100 % of the starts reach the minimum, at the worst 1 of 4" in drawn["starts"].caption


@pytest.mark.parametrize(
    ("unit", "written"),
    [("m s-2", "m s⁻²"), ("model length3", "model length³"), ("fb^-1", "fb⁻¹"), ("s**-1", "s⁻¹"), ("GeV/c2", "GeV/c²"),
     ("MeV", "MeV"), ("1", "1"), ("10 km", "10 km"), ("", ""),
     ("1e-3 eV2", "10⁻³ eV²"), ("1E+05 m", "10⁵ m")],
)  # fmt: skip
def test_powers_of_units_are_set_as_such(unit, written):
    assert typeset(unit) == written


@pytest.mark.parametrize(
    ("text", "unit", "written"),
    [
        ("2.38 +0.07 −0.08", "1e-3 eV2", "(2.38 +0.07 −0.08) × 10⁻³ eV²"),
        ("dm2 = 2.38", "1e-3 eV2", "dm2 = 2.38 × 10⁻³ eV²"),
        ("9.86 ± 0.05", "m s-2", "9.86 ± 0.05 m s⁻²"),
        ("3", "", "3"),
    ],
)
def test_a_value_stands_before_its_unit(text, unit, written):
    assert with_unit(text, unit) == written
