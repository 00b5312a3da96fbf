"""Times as people write them."""

from __future__ import annotations

import pytest

from hpcscan.config.kinds import seconds
from hpcscan.config.read import parse_config
from hpcscan.errors import UsageError

TEXT = "scan: {beta: {values: [3.0]}, w: {values: [0.01]}}\nmodel: {name: leptons}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", 90),
        ("0.5", 0.5),
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1d", 86400),
        ("00:10:00", 600),
        ("1-00:00:00", 86400),
        (" 36:00:00 ", 129600),
    ],
)
def test_a_time(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize(
    "text", ["", "0", "-5", "1:30", "h", "30 m", "m30", "1e5", "inf", "nan", "٣", "9" * 400, "1-2"]
)
def test_what_is_no_time(text):
    with pytest.raises(ValueError, match="expected a time such as 90"):
        seconds(text)


@pytest.mark.parametrize(
    ("written", "expected"), [("90", 90), ("1.5", 1.5), ("2h", 7200), ("1-00:00:00", 86400), ("null", None)]
)
def test_the_key_takes_the_same(written, expected):
    config = parse_config(TEXT, "c.yaml", [f"run.max_time={written}"])
    assert config.run.max_time == expected
    assert parse_config(config.resolved, "c.yaml").run.max_time == expected


@pytest.mark.parametrize("written", ["0", "-1", "soon", "true", "[1]", "1e400"])
def test_a_wrong_time_is_told_with_its_place(written):
    with pytest.raises(UsageError, match=r"--set run.max_time=…: run.max_time: expected a"):
        parse_config(TEXT, "c.yaml", [f"run.max_time={written}"])
