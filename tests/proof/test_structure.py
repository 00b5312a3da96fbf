"""What is linear, and what is independent: found from the code of predict alone."""

from __future__ import annotations

import numpy as np

from hpcscan.proof.box_problem import Constraint
from hpcscan.proof.structure import structures
from proof.problems import INF, X, block, case


def parts(one):
    """Give the parts of a case as names: (nonlinear, linear, number of rows, scales)."""
    names = one.problem.parameters
    return [
        [
            (
                tuple(names[j] for j in part.nonlinear),
                tuple(names[j] for j in part.linear),
                len(part.rows),
                part.scales,
            )
            for part in structure.parts
        ]
        for structure in structures(one.problem, one.held, one.n)
    ]


BOX = {"a": (0.0, 1.0, 0.5), "b": (0.0, 1.0, 0.5), "c": (-INF, INF, 0.0)}


def test_linear_parameters_are_found_together():
    """a and b are linear each, but not together: the first one counts; c is linear beside it."""
    one = case(lambda a, b, c: {"y": a * b * X + c}, [block("y", X, 0.1)], BOX)
    assert parts(one) == [[(("b",), ("a", "c"), 12, ())]]


def test_a_parameter_under_two_scales_is_not_linear():
    """S z and T z cannot both be free: z is divided like a nonlinear one."""
    blocks = [block("y", X, 0.1, "S"), block("w", X, 0.1, "T")]
    one = case(lambda a, b, c: {"y": np.exp(a * X) * b + c, "w": b + X * a}, blocks, BOX)
    assert parts(one) == [[(("a", "b"), ("c",), 24, (0, 1))]]


def test_a_constrained_parameter_under_a_scale_is_not_linear():
    one = case(
        lambda a, b, c: {"y": np.exp(a * X) + b + c * X}, [block("y", X, 0.1, "S")], BOX, [Constraint("b", 0.5, 0.1)]
    )
    assert parts(one) == [[(("a", "b"), ("c",), 13, (0,))]]


def test_what_shares_no_prediction_is_apart():
    """Scales join what they multiply; a row without anything free belongs to no part."""
    blocks = [block("y", X, 0.1), block("w", X, 0.1, "S"), block("v", X[:2], 0.1, "S"), block("constant", 1.0, 0.1)]
    one = case(
        lambda a, b, c: {"y": np.exp(a * X), "w": b**2 * X, "v": np.hstack([c, c]) + 1, "constant": 0 * X[:1] + 1},
        blocks,
        BOX,
    )
    assert parts(one) == [[(("a",), (), 12, ()), (("b",), ("c",), 14, (0,))]]
    (structure,) = structures(one.problem, one.held, one.n)
    assert structure.constant.tolist() == [26]


def test_structure_may_differ_between_points():
    """A choice by a held parameter: points with the same structure are proven together."""
    one = case(
        lambda p, a, b, c: {"y": np.where(p > 0, a, a**2) * X + b + c * X**2}, [block("y", X, 0.1)], BOX, p=[1, -1, 2]
    )
    found = structures(one.problem, one.held, one.n)
    assert [s.points.tolist() for s in found] == [[0, 2], [1]]
    assert [s.parts[0].nonlinear for s in found] == [(), (0,)]


def test_fixed_parameters_are_no_unknowns():
    """Equal bounds: neither linear nor a reason to divide."""
    one = case(lambda a, b, c: {"y": a * X + c}, [block("y", X, 0.1)], {**BOX, "a": (0.3, 0.3, 0.3)})
    assert parts(one) == [[(("a",), ("c",), 12, ())]]
    proof = one.prove()
    assert proof.is_closed.all()
    assert proof.n_boxes.max() == 1
