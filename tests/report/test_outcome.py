"""Data, their parts and their labels: the same in file, tables and figures; and the look that is asked for."""

import csv
import io

import numpy as np
import pytest
from matplotlib import pyplot as plt

import hpcscan
from hpcscan.commands.cli import main
from hpcscan.config.keys import TOP_LEVEL
from hpcscan.errors import UsageError
from hpcscan.report.figures.gallery import gallery
from hpcscan.report.look import FORMATS, SIZES, Look
from hpcscan.report.outcome import DataOutcome
from hpcscan.report.result_tables import base_text, best_fit_table, diagnosis
from hpcscan.report.table_rows import all_data
from hpcscan.settings import ReportSettings
from hpcscan.words.tables import Table, latex_text

BINS = np.linspace(1.0, 4.0, 8)
SHAPE = np.exp(-(((BINS - 2.4) / 0.7) ** 2))
COUNTS = np.round(30 * SHAPE + 6)
TIMES = np.arange(5.0)
VOLTS = np.array([2.1, 1.2, 0.9, 0.55, 0.2])
NEAR = 0.01 * np.exp(-np.abs(TIMES - TIMES[:, None]))


class Two(hpcscan.Model):
    """Counts with two parts, and correlated voltages with a gain, of which one part is all."""

    parameters = (
        hpcscan.Parameter("signal", 0, 90, label=r"$S_\mathrm{tot}$", unit="1e3 s-1"),
        hpcscan.Parameter("level", 0.5, 40),
        hpcscan.Parameter("decay", 0.1, 2.0, label=r"$\gamma$", constraint=(0.6, 0.3)),
    )
    data = (
        hpcscan.Poisson("counts", COUNTS, x=BINS, label="Events per bin", x_label="$E$", x_unit="GeV"),
        hpcscan.Gaussian("volts", VOLTS, covariance=NEAR, scale="gain", x=TIMES, x_label="time", x_unit="s", unit="V"),
    )
    derived = (
        hpcscan.Derived("flat", part_of="counts", description="background"),
        hpcscan.Derived("peak", part_of="counts"),
        hpcscan.Derived("all_of_it", part_of="volts", unit="V"),
    )

    def predict(self, signal, level, decay):
        return {"counts": signal * SHAPE + level, "volts": np.exp(-decay * TIMES)}

    def derive(self, scales, signal, level, decay):
        volts = scales["gain"][:, None] * np.exp(-decay * TIMES)
        return {"flat": level + 0 * BINS, "peak": signal * SHAPE, "all_of_it": volts}


@pytest.fixture(scope="module")
def scan():
    return hpcscan.scan(Two(), {"signal": np.linspace(20, 44, 7)})


def test_the_parts_at_the_best_fit_are_its_prediction(scan):
    """Whether they are added, or multiplied by a scale that the answer fits like a parameter."""
    found = scan.to_xarray()
    counts, volts = found.best_fit_predicted.values[:8], found.best_fit_predicted.values[8:13]
    assert found.best_fit_flat.values + found.best_fit_peak.values == pytest.approx(counts, rel=1e-12)
    assert found.best_fit_all_of_it.values == pytest.approx(volts, rel=1e-12)
    assert found.flat.attrs["part_of"] == "counts"
    assert found.flat.dims == ("signal", "counts_value")


def test_the_zero_of_delta_chi2_is_told_apart_from_the_lowest_point(scan):
    found = scan.to_xarray()
    above = f"the lowest point has {float(found.delta_chi2.min()):.2g} more"
    zero = f"the minimum between the points, chi2 = {float(found.best_fit_chi2):.8g}"
    assert base_text(scan.findings) == f"delta chi2 against {zero}; {above}"


def test_the_figure_shows_them_with_the_names_of_term_and_abscissa(scan):
    above, below = scan.plot.data("counts")
    names = [text.get_text() for text in above.get_legend().get_texts()]
    assert names[:2] == ["background", "peak"]
    assert (above.get_ylabel(), below.get_xlabel()) == ("Events per bin", "$E$ (GeV)")
    # Areas one on the other end at the prediction.
    tops = above.patches[1].get_data().values
    assert tops == pytest.approx(scan.to_xarray().best_fit_predicted.values[:8])
    plt.close("all")
    captions = {drawing.name: drawing.caption for drawing in gallery(scan.findings, ["data"])}
    assert "Its parts, stacked: flat, peak." in captions["data-counts"]
    assert "deviance, positive where the prediction is too high;" in captions["data-counts"]
    assert "diagonal of their covariance" in captions["data-volts"]
    assert "the sum of their squares" not in captions["data-volts"]


def test_parts_have_no_tables_and_figures_of_other_quantities(scan):
    assert scan.findings.scan.derived_dimensions == ()
    assert not [table for table in diagnosis(scan.findings) if table.name.startswith("derived")]


def test_tables_of_the_data_have_the_same_names_and_numbers(scan):
    outcome = DataOutcome.of(scan.findings)
    data = next(one for one in all_data(scan.findings) if one.name == "data")
    rows = [dict(zip(data.header, row, strict=True)) for row in data.rows]
    assert [float(row["predicted"]) for row in rows] == outcome.predicted.tolist()
    first, volt, constraint = rows[0], rows[8], rows[-1]
    assert (first["term_label"], first["x_label"], first["x"]) == ("Events per bin", "$E$ (GeV)", "1")
    assert (volt["unit"], volt["x_label"], volt["part.flat"]) == ("V", "time (s)", "")
    assert (constraint["x"], constraint["x_label"]) == ("", "")
    assert float(first["part.flat"]) + float(first["part.peak"]) == pytest.approx(float(first["predicted"]))
    # Terms with abscissas of different names share a column.
    assert next(t for t in diagnosis(scan.findings) if t.name == "observables").header[:2] == ("observable", "x")


def test_latex_has_labels_and_typeset_units(scan):
    text = latex_text(best_fit_table(scan.findings))
    assert r"$S_\mathrm{tot}$ & $" in text
    assert "^{+" in text and "}_{-" in text
    assert r"10$^{3}$ s$^{-1}$" in text
    assert r"$\gamma$" in text


@pytest.mark.parametrize(
    ("label", "written"),
    [
        (r"$\Delta m^2_{21}$", r"$\Delta m^2_{21}$"),
        (r"mass $m$ & more", r"mass $m$ \& more"),
        (r"$\input{/etc/passwd}$", r"a\_b"),
        (r"$x^^5cinput$", r"a\_b"),
        (r"$x$ \input{x}", r"$x$ \textbackslash{}input\{x\}"),
        ("$open", r"a\_b"),
        ("$a$ $%$", r"a\_b"),
        ("", r"a\_b"),
    ],
)
def test_what_latex_would_obey_is_no_label(label, written):
    """A result may come from anybody."""
    table = Table("t", "", ("name",), (("a_b",),), {"a_b": label})
    assert latex_text(table).split(r"\midrule")[1].split(r" \\")[0].strip() == written


class Wrong(Two):
    derived = (hpcscan.Derived("flat", part_of="count"), hpcscan.Derived("peak", part_of="counts"))


def test_a_part_of_nothing_is_told():
    with pytest.raises(UsageError, match=r"flat is part of 'count', which is no term; did you mean counts\?"):
        hpcscan.scan(Wrong(), {"signal": [20, 30]})


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """A scan whose configuration says how its report looks."""
    folder = tmp_path_factory.mktemp("look")
    (folder / "sub").mkdir()
    (folder / "sub" / "line.py").write_text(
        "from hpcscan.model import Gaussian, Model, Parameter\n\n\nclass Line(Model):\n"
        '    parameters = (Parameter("a", -3, 3), Parameter("b", -3, 3))\n'
        '    data = (Gaussian("y", 0.5, 0.2), Gaussian("z", 0.1, 0.2))\n\n'
        '    def predict(self, a, b):\n        return {"y": a + b, "z": b}\n'
    )
    (folder / "sub" / "paper.mplstyle").write_text("lines.linewidth: 3\n")
    (folder / "sub" / "line.yaml").write_text(
        "scan: {a: {min: -1, max: 2, points: 7}}\nmodel: line.py\n"
        "report: {style: paper.mplstyle, size: single, format: [pdf]}\n"
    )
    return folder


def test_a_configuration_says_how_its_report_looks_and_an_option_says_it_otherwise(line, monkeypatch, capsys):
    """The style file is found from where the run was started."""
    monkeypatch.chdir(line)
    assert main(["run", "sub/line.yaml", "-o", "line.nc", "--quiet"]) == 0
    look = Look.of(hpcscan.open("line.nc").findings.settings)
    assert (look.size, look.formats, str(look.style)) == ("single", ("pdf",), "sub/paper.mplstyle")
    assert look.read(None, "double", None, None).size == "double"
    assert main(["report", "line.nc", "-o", "out", "--only", "profiles"]) == 0
    assert sorted(path.name for path in (line / "out" / "figures").iterdir()) == ["profiles.pdf", "profiles.txt"]
    # 3.4 inches are 244.8 points.
    assert b"/MediaBox [ 0 0 244.8" in (line / "out" / "figures" / "profiles.pdf").read_bytes()
    (line / "sub" / "paper.mplstyle").rename(line / "sub" / "gone.mplstyle")
    capsys.readouterr()
    assert main(["report", "line.nc", "-o", "out", "--only", "profiles"]) == 2
    assert "report.style sub/paper.mplstyle: is not a file; name it by --style" in capsys.readouterr().err
    assert main(["report", "line.nc", "-o", "out", "--only", "profiles", "--style", "sub/gone.mplstyle"]) == 0
    (line / "sub" / "gone.mplstyle").rename(line / "sub" / "paper.mplstyle")


def test_every_mistake_of_a_look_is_told_with_its_place(line, capsys, monkeypatch):
    monkeypatch.chdir(line)
    text = (line / "sub" / "line.yaml").read_text()
    wrong = text.replace("single, format: [pdf]", "singel, format: [pfd], stlye: x").replace("paper.", "papr.")
    (line / "sub" / "wrong.yaml").write_text(wrong)
    assert main(["plan", "sub/wrong.yaml"]) == 2
    said = capsys.readouterr().err
    for words in (
        "wrong.yaml:3:17: report.style: sub/papr.mplstyle is not a file",
        "report.size: 'singel' is not a choice; did you mean single?",
        "report.format.0: 'pfd' is not a choice; did you mean pdf?",
        "report.stlye is not a known key; did you mean report.style?",
    ):
        assert words in said


def test_what_a_look_may_be_stands_in_the_settings():
    assert "report" in TOP_LEVEL
    assert (ReportSettings().size, ReportSettings().format) == (SIZES[0], FORMATS[:2])


def test_rows_of_the_data_can_be_read_as_csv(scan):
    from hpcscan.words.tables import rows_text  # noqa: PLC0415

    data = next(one for one in all_data(scan.findings) if one.name == "data")
    read = [*csv.DictReader(io.StringIO(rows_text(data.header, data.rows)))]
    assert len(read) == len(COUNTS) + len(VOLTS) + 1
    assert {row["term"] for row in read} == {"counts", "volts", "constraint.decay"}
