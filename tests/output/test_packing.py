"""Results as bytes, and back, bit for bit."""

from __future__ import annotations

from dataclasses import fields, make_dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_results import OneParameter

from hpcscan.fitting.records import PointResults
from hpcscan.model import Derived, Dimension, Parameter
from hpcscan.model.problem import Observable
from hpcscan.output import journal as packing
from hpcscan.output.journal import columns_of, layout_of, record_bytes, results_of
from hpcscan.output.journal import pack as pack_columns
from hpcscan.output.journal import unpack as unpack_columns
from output.journals import make_results, same_bits

sizes = st.integers(0, 5)


def pack(results, layout):
    return pack_columns(columns_of(results), layout)


def unpack(data, layout):
    return results_of(unpack_columns(data, layout))


def model(n_parameters: int, n_observables: int, n_scales: int, n_derived: int) -> OneParameter:
    """A model with so many of everything."""
    made = OneParameter()
    made.parameters = tuple(Parameter(f"p{i}", 0.0, 1.0) for i in range(n_parameters))
    made.observables = tuple(
        Observable(f"o{i}", 1.0, 1.0, f"S{i}" if i < n_scales else None) for i in range(n_observables)
    )
    labels = Dimension("label", ("a", "b", "c"))
    made.derived = tuple(Derived(f"d{i}", dimension=labels if i % 2 else None) for i in range(n_derived))
    return made


@settings(deadline=None)
@given(shape=st.tuples(sizes, sizes, sizes, sizes), n_points=sizes, n_starts=sizes, seed=st.integers(0, 2**32))
def test_round_trip(shape, n_points, n_starts, seed):
    """Whatever the shapes, also empty ones, and whatever the bits: NaN with a payload, denormals."""
    results = PointResults.not_run(model(*shape), np.arange(n_points), n_starts)
    rng = np.random.default_rng(seed)
    for array in results.arrays():
        array[...] = np.frombuffer(rng.bytes(array.nbytes), array.dtype).reshape(array.shape)
    layout = layout_of(results)
    packed = pack(results, layout)
    assert len(packed) == n_points * record_bytes(layout)
    assert same_bits(unpack(packed, layout), results)


def test_bytes_are_little_endian_on_any_machine():
    results = make_results(3)
    layout = layout_of(results)
    assert {column.dtype[0] for column in layout} <= {"<", "|"}
    assert pack(results, layout).startswith(np.arange(3).astype("<i8").tobytes())


def test_what_is_read_can_be_changed():
    results = make_results(2)
    layout = layout_of(results)
    back = unpack(pack(results, layout), layout)
    back.put(results)
    assert all(array.flags.writeable and array.dtype.isnative for array in back.arrays())


def test_a_new_field_needs_no_line(monkeypatch):
    """The columns follow from the fields of the record."""
    names = [field.name for field in fields(PointResults)]
    wider = make_dataclass("Wider", [*names, "novelty", "novelties"], frozen=True)
    monkeypatch.setattr(packing, "PointResults", wider)
    old = make_results(3)
    new = {"novelty": np.arange(6.0).reshape(3, 2), "novelties": {"one": np.arange(3)}}
    results = wider(**{name: getattr(old, name) for name in names}, **new)
    layout = layout_of(results)
    back = unpack(pack(results, layout), layout)
    np.testing.assert_array_equal(back.novelty, new["novelty"])
    np.testing.assert_array_equal(back.novelties["one"], [0, 1, 2])


def test_other_columns_are_refused():
    """A record with another number of starts would shift everything after it."""
    results = make_results(2)
    wider = PointResults.not_run(OneParameter(), np.arange(2), n_starts=2)
    with pytest.raises(ValueError, match="other columns"):
        pack(wider, layout_of(results))


def test_half_a_point_is_refused():
    results = make_results(2)
    layout = layout_of(results)
    with pytest.raises(ValueError, match="not a whole number of records"):
        unpack(pack(results, layout)[:-1], layout)
