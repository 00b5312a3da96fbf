"""Numbers as text: never an exception, and what a reader takes from the text is close to the number."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcscan.words.numbers import chi2_text, count, duration, probability, rate, rounded_up, size

SECONDS = {"s": 1, "min": 60, "h": 3600}
BYTES = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}

any_float = st.floats(allow_nan=True, allow_infinity=True)
times = st.floats(0, 1e9) | st.floats(0, 1e300)
byte_counts = st.integers(0, 10**18)


def read(text: str, units: dict[str, float]) -> float:
    """Add up ``2 h 05 min`` or ``3.4 MB``."""
    parts = re.findall(r"(\S+) (\S+)", text)
    assert " ".join(f"{number} {unit}" for number, unit in parts) == text
    return sum(float(number.replace(",", "")) * units[unit] for number, unit in parts)


@given(times)
def test_a_duration_reads_back_within_five_percent(seconds):
    assert read(duration(seconds), SECONDS) == pytest.approx(seconds, rel=0.051)


@given(times, times)
def test_the_longer_of_two_durations_does_not_look_shorter(a, b):
    shorter, longer = sorted((a, b))
    assert read(duration(shorter), SECONDS) <= read(duration(longer), SECONDS)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.1234, "0.12 s"),
        (48.3, "48 s"),
        (100, "1 min 40 s"),
        (200, "3 min 20 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 00 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.0, "0"), (1.4e-187, "1.4e-187"), (0.0301, "0.03"), (0.94, "0.94"), (0.9949, "0.99"), (0.9985, "0.9985"),
     (0.999963, "0.999963"), (1 - 1e-12, "1"), (1.0, "1")],
)  # fmt: skip
def test_a_probability_is_called_one_only_where_it_is(p, text):
    assert probability(p) == text


@given(byte_counts)
def test_a_size_reads_back_within_a_percent(n_bytes):
    text = size(n_bytes)
    assert read(text, BYTES) == pytest.approx(n_bytes, rel=0.0051)
    assert len(text) <= 12
    assert "e" not in text


@given(byte_counts, byte_counts)
def test_the_larger_of_two_sizes_does_not_look_smaller(a, b):
    smaller, larger = sorted((a, b))
    assert read(size(smaller), BYTES) <= read(size(larger), BYTES)


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (74_600, "74.6 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (3_400_000_000, "3.4 GB"),
        (5 * 10**15, "5,000 TB"),
    ],
)
def test_sizes(n_bytes, text):
    assert size(n_bytes) == text


@pytest.mark.parametrize(
    ("n", "seconds", "text"), [(0, 1.0, "0"), (1, 3.0, "0.333"), (62, 1.0, "62"), (12_345, 1.0, "12,345")]
)
def test_rates(n, seconds, text):
    assert rate(n, seconds) == text


@given(st.integers(0, 10**9), st.floats(0, 1e9))
def test_a_rate_is_never_an_error(n, seconds):
    assert float(rate(n, seconds).replace(",", "")) == pytest.approx(n / max(seconds, 1e-9), rel=0.0051, abs=1e-12)


@given(any_float)
def test_a_chi2_is_never_an_error(chi2):
    assert chi2_text(chi2)


@given(st.floats(1e-6, 1e300))
def test_a_chi2_reads_back_to_eight_digits(chi2):
    assert float(chi2_text(chi2)) == pytest.approx(chi2, rel=5.1e-8)


@pytest.mark.parametrize("chi2", [0.0, 1e-30, 9.9e-7])
def test_what_is_below_the_tie_tolerance_is_not_told_apart_from_zero(chi2):
    assert chi2_text(chi2) == "< 1e-06"


def test_counts():
    assert [count(n, "point") for n in (0, 1, 2, 12_000)] == ["0 points", "1 point", "2 points", "12,000 points"]


@given(st.floats(1e-300, 1e300))
def test_an_error_is_rounded_up_to_one_digit(error):
    text = rounded_up(error)
    assert error <= float(text) <= 2 * error * (1 + 1e-12)
    assert float(f"{float(text):.1g}") == float(text)


def test_errors():
    assert [rounded_up(e) for e in (0.0, 1e-4, 1.4e-4, 0.94, float("nan"))] == ["0", "0.0001", "0.0002", "1", "nan"]
