"""Whether two results are the same in every bit, apart from how they were run."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcscan.dataset.scan import ScanData, ScanVariable
from hpcscan.words.numbers import count


def exact_differences(first: ScanData, second: ScanData) -> list[str]:
    """Name what differs: variables without ``role = "run"``, their dimensions, types, values and attributes."""
    one, two = _science(first), _science(second)
    found = [f"{name}: only in {first.name}" for name in one if name not in two]
    found += [f"{name}: only in {second.name}" for name in two if name not in one]
    for name in one:
        if name in two and (text := _difference(one[name], two[name])):
            found.append(f"{name}: {text}")
    return found


def exact_text(first: ScanData, second: ScanData, differences: list[str]) -> str:
    """Write the outcome."""
    names = f"{first.name} and {second.name}"
    if not differences:
        return f"identical: {names} have the same bits in {count(len(_science(first)), 'variable')}"
    return "\n".join([f"different: {names}", *(f"  {text}" for text in differences)])


def _science(scan: ScanData) -> dict[str, ScanVariable]:
    return {name: variable for name, variable in scan.variables.items() if variable.role != "run"}


def _difference(one: ScanVariable, two: ScanVariable) -> str:
    # Not kept: all values of two large results would fill the memory.
    first, second = one.read(), two.read()
    if (one.dims, first.shape, first.dtype) != (two.dims, second.shape, second.dtype):
        return f"{one.dims} {first.shape} {first.dtype} and {two.dims} {second.shape} {second.dtype}"
    n = int(np.count_nonzero(_bits(first) != _bits(second)))
    if n:
        return f"{n:,} of {first.size:,} values differ"
    return "" if _comparable(one) == _comparable(two) else "attributes differ"


def _bits(values: NDArray[Any]) -> NDArray[Any]:
    """Give values as integers of the same size, so that NaN equals itself and zero differs from minus zero."""
    values = np.ascontiguousarray(values)
    return values if values.dtype == object else values.view(f"u{values.dtype.itemsize}")


def _comparable(variable: ScanVariable) -> dict[str, str]:
    return {name: repr(value) for name, value in variable.attributes.items()}
