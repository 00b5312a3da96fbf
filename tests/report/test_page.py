"""The page needs nothing but itself, says the verdict first, and runs without a complaint in a browser."""

import dataclasses
import re
import shutil
import subprocess
from html.parser import HTMLParser

import netCDF4
import numpy as np
import pytest
from toy_models import Pendulum

import hpcscan
from hpcscan.commands.report import report
from hpcscan.door import open as open_scan
from hpcscan.errors import UsageError
from hpcscan.gate.verdict import verdict
from hpcscan.report.figures import gallery
from hpcscan.report.folder import report_files
from hpcscan.report.look import KINDS
from hpcscan.report.page import Picture, page, typeset
from hpcscan.report.result_tables import check_text
from report.landscapes import LANDSCAPES
from report.synthetic import good

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Reader(HTMLParser):
    """Collects what a browser would fetch, and checks that tags are closed."""

    EMPTY = frozenset({"meta", "link", "img", "source"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sources, self.tags, self.open, self.text = [], set(), [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.sources += [
            value for name, value in attrs if name in ("src", "href", "srcset", "action", "data", "poster")
        ]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One whole report, of a flat landscape with everything that a page can have."""
    where = tmp_path_factory.mktemp("report")
    path = LANDSCAPES["flat"].write(where / "flat.nc")
    report(str(path), str(where / "out"))
    return where


@pytest.fixture(scope="module")
def html(folder):
    return (folder / "out" / "report.html").read_text(encoding="utf-8")


def test_it_asks_for_nothing(html):
    reader = Reader(html)
    assert reader.open == []
    assert reader.sources, "there are figures"
    assert all(source.startswith("data:") for source in reader.sources)
    assert not {"script", "iframe", "object", "embed", "form", "base"} & reader.tags
    assert not re.search(r"@import|url\(|https?://", html)


def test_it_begins_with_the_verdict_in_three_sentences(html, folder):
    findings = open_scan(str(folder / "flat.nc")).findings
    sentences = verdict(findings).sentences
    first = html[html.index('class="verdict"') :]
    places = [first.index(typeset(sentence)) for sentence in sentences]
    assert places == sorted(places)
    assert html.index("verdict") < html.index("<h2>")
    assert html.index('class="verdict"') < html.index("<table")


def test_the_best_fit_is_above_the_figures_and_tables_below_fold(tmp_path):
    scan = hpcscan.scan(Pendulum(), {"gravity": np.linspace(9.7, 10.0, 4), "length": np.linspace(0.99, 1.015, 4)})
    html = page(scan.findings, scan.verdict(), [Picture("a map", "its caption", "what it says", b"")])
    places = [
        html.index(part)
        for part in ("The best fit, proven: χ² = 2.0029266, 3 dof, p = 0.57", "<h2>Figures", "<details")
    ]
    assert places == sorted(places)
    assert html.count("<table") == html.count("</table") > html.count("<details") == 5
    rows = dict(re.findall(r"<td>(\w+)</td><td>([^<]*)</td>", html[: html.index("<h2>Figures")]))
    assert (rows["gravity"], rows["damping"]) == ("9.856 +0.055 −0.054", "0.12223 +0.00339 −0.00337")
    assert 'alt="what it says"' in html


def test_every_figure_and_table_is_a_file_too(folder, html):
    out = folder / "out"
    names = {path.stem for path in (out / "figures").glob("*.png")}
    assert names == {path.stem for path in (out / "figures").glob("*.pdf")}
    # On a narrow page every one has a picture of its own.
    assert (
        len(names) == html.count("<figure>") == html.count('<source media="(max-width: 40rem)" srcset="data:image/png')
    )
    assert {path.stem for path in (out / "tables").glob("*.csv")} >= {
        "gate", "intervals", "observables", "parameters", "points", "profiles", "contours",
    }  # fmt: skip
    assert (out / "tables" / "points.csv").read_text().count("\n") == 161
    tex = (out / "tables" / "gate.tex").read_text()
    assert tex.count(r"\\") == tex.count("&") // 5


def test_the_same_result_gives_the_same_bytes(tmp_path):
    result = str(LANDSCAPES["one-point"].write(tmp_path / "scan.nc"))
    for name in ("once", "again"):
        report(result, str(tmp_path / name))
    files = [path for path in (tmp_path / "once").rglob("*.*") if path.is_file()]
    assert {path.suffix for path in files} == {".html", ".png", ".pdf", ".txt", ".csv", ".tex"}
    for path in files:
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(tmp_path / "once")).read_bytes(), path.name


def test_some_figures_for_one_column_of_a_paper_in_a_style_of_ones_own(folder, tmp_path):
    (tmp_path / "own.mplstyle").write_text("axes.facecolor: 123456\n")
    said = report(
        str(folder / "flat.nc"), str(tmp_path / "out"), (), "profiles,pulls", "single", "svg",
        str(tmp_path / "own.mplstyle"),
    )  # fmt: skip
    made = sorted(path.name for path in (tmp_path / "out").rglob("*.*"))
    assert made == ["profiles.svg", "profiles.txt", "pulls.svg", "pulls.txt"]
    assert said.count("written: ") == 4
    svg = (tmp_path / "out/figures/profiles.svg").read_text()
    assert 'width="244.8pt"' in svg, "3.4 inches"
    assert re.search("<text[^>]*>[^<]*Δχ²", svg) and "#123456" in svg


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ("contour,tables",),
            ["--only contour: is not known; expected some of contours, profiles,", "--only tables: "],
        ),
        ((None, "wide"), ["--size wide: is not known; expected some of double, single"]),
        ((None, None, "gif"), ["--format gif: is not known"]),
        ((None, None, None, "none.mplstyle"), ["--style none.mplstyle: is not a file"]),
        ((None, None, None, "{bad}"), ["Bad key nonsense in file"]),
        ((None, None, None, "{noise}"), ["cannot be read as text"]),
    ],
)
def test_an_unknown_look_is_refused_before_anything_is_written(folder, tmp_path, options, words):
    bad, noise = tmp_path / "bad", tmp_path / "noise"
    bad.write_text("nonsense: 4\n")
    noise.write_bytes(b"\xff\xfe\xfd")
    options = [option and option.format(bad=bad, noise=noise) for option in options]
    with pytest.raises(UsageError) as error:
        report(str(folder / "flat.nc"), str(tmp_path / "out"), (), *options)
    assert all(word in str(error.value) for word in words)
    assert not (tmp_path / "out").exists()


def test_every_kind_of_figure_has_its_name():
    assert tuple(gallery.DRAWINGS) == KINDS


@pytest.mark.parametrize("name", LANDSCAPES)
def test_every_landscape_has_a_page_and_a_text(tmp_path, name):
    findings = LANDSCAPES[name].findings(tmp_path / "scan.nc")
    reader = Reader(page(findings, verdict(findings), ()))
    assert reader.open == []
    for sentence in verdict(findings).sentences:
        assert re.fullmatch(r"(?:(?!\. [A-Z]).)+\.", sentence), "one sentence"
    assert check_text(findings, verdict(findings)).splitlines()[-1].startswith("gate: ")


def test_what_a_file_says_cannot_become_markup(tmp_path):
    path = LANDSCAPES["one-axis"].write(tmp_path / "<script>alert(1)<&.nc")
    findings = open_scan(str(path)).findings
    text = page(findings, verdict(findings), ())
    assert "script" not in Reader(text).tags
    assert "&lt;script&gt;alert(1)&lt;&amp;.nc" in text


#: Flags that leave a browser nothing to do of its own.
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
)  # fmt: skip


@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_opens_it_without_a_complaint_or_a_request(folder, tmp_path, width):
    assert visit(folder / "out" / "report.html", tmp_path, width) == ([], [])


def test_a_complaint_and_a_request_would_be_seen(tmp_path):
    (tmp_path / "bad.html").write_text('<img src="http://localhost:9/a.png"><script>console.error("no")</script>')
    complaints, requests = visit(tmp_path / "bad.html", tmp_path, 390)
    assert any("no" in line for line in complaints)
    assert requests == ["http://localhost:9/a.png"]


def visit(page_, tmp_path, width: int) -> tuple[list[str], list[str]]:
    """Open a page in a browser: what it writes to the console, and what it asks of the network."""
    if CHROMIUM is None:
        pytest.skip("needs chromium: apt-get install chromium")
    log = tmp_path / "net.json"
    job = subprocess.run(
        [CHROMIUM, *QUIET, f"--user-data-dir={tmp_path / 'profile'}", f"--log-net-log={log}", "--enable-logging=stderr",
         "--v=0", f"--window-size={width},900", f"--screenshot={tmp_path / 'page.png'}", page_.as_uri()],
        check=True, timeout=120, capture_output=True, text=True,
    )  # fmt: skip
    assert (tmp_path / "page.png").stat().st_size > 1000
    complaints = [line for line in job.stderr.splitlines() if "CONSOLE" in line]
    # Requests that a page causes are kept apart by its origin; those of the browser for itself have another.
    own = [line for line in log.read_text().splitlines() if '"network_isolation_key":"file:' in line]
    requests = {url for line in own for url in re.findall(r'"url":"([^"]*)"', line)}
    return complaints, sorted(url for url in requests if not url.startswith(("file:", "data:")))


def test_a_figure_that_fails_is_replaced_by_its_reason(tmp_path, monkeypatch):
    """The page stands, with all others, and the terminal learns it too."""

    def broken():
        raise ValueError("first line\nno <room> for it")

    def spoilt(findings, only):
        first, *others = whole(findings, only)
        return (dataclasses.replace(first, draw=broken), *others[:1])

    whole = gallery.gallery
    monkeypatch.setattr(gallery, "gallery", spoilt)
    findings = good().findings(tmp_path / "a.nc")
    files, message = report_files(findings, verdict(findings))
    html = next(file for file in files if file.path == "report.html").content.decode()
    assert "This figure could not be drawn (ValueError: no &lt;room&gt; for it)." in html
    assert html.count("<img") == 1
    assert message.endswith(": could not be drawn (ValueError: no <room> for it)")
    assert sum(file.path.endswith(".png") for file in files) == 1


@pytest.mark.parametrize(
    "label", [r"$\nonsense{$", r"$\frac{1$", "$x^$", "\x1b[31m$", "日本語 \x07", r"fine $\beta^2$"]
)
def test_any_label_is_drawn(tmp_path, label):
    """On axes, in titles, legends and at ticks; what is no mathematics as it is written."""
    path = good(leptons=True).write(tmp_path / "a.nc")
    with netCDF4.Dataset(path, "a") as dataset:
        dataset["beta"].long_name = dataset["w"].unit_name = label
        dataset["parameter_name"][0] = dataset["lepton_name"][0] = dataset["observable_name"][0] = label
    scan = open_scan(path)
    files, message = report_files(scan.findings, scan.verdict())
    assert "could not be drawn" not in message
    assert sum(file.path.endswith(".png") for file in files) > 5
