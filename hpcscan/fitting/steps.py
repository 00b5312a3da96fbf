"""The steps of a trust region inside a box: as good as the quadratic model allows within a radius."""

from __future__ import annotations

import numpy as np

from hpcscan.arrays import Array
from hpcscan.fitting.linear import NormalEquations
from hpcscan.likelihood.linear import sum_of_squares, system_of
from hpcscan.likelihood.rows import clipped, never_alone, take_rows

#: What a step along bounds leaves of the radius for the other parameters, at least.
LEAST_SHARE = 1e-2
#: A damped step may be longer than the radius by this before it is damped more, and is damped so many times.
ABOUT, MOST_TRIALS = 1.1, 4


def step_inside(equations: NormalEquations, radius: Array, lower: Array, upper: Array) -> Array:
    """Choose the step of every row.

    Parameters that would leave the box stop at their bounds, and the others choose their step again from there, once
    (after C. Voglis and I. E. Lagaris, WSEAS Int. Conf. on Applied Mathematics, 2004).

    Parameters
    ----------
    equations : NormalEquations
        With p parameters, for n rows.
    radius : array, shape (n,)
        Largest length of the step, about.
    lower, upper : array, shape (p, n)
        The steps that lead to the bounds.

    Returns
    -------
    array, shape (p, n)
    """
    step = step_within(equations, radius)
    inside = clipped(step, lower, upper)
    is_out = inside != step
    turned = never_alone(np.flatnonzero(np.logical_or.reduce(is_out, axis=0)))
    if len(turned):
        fixed, made = is_out.take(turned, axis=-1), inside.take(turned, axis=-1)
        moved, whole = made * fixed, radius[turned] * radius[turned]
        others, spent = equations.take(turned).without(fixed, made), sum_of_squares(moved)
        left = np.sqrt(np.maximum(whole - spent, LEAST_SHARE * LEAST_SHARE * whole))
        inside[:, turned] = moved + step_within(others, left)
    return clipped(inside, lower, upper)


def step_within(equations: NormalEquations, radius: Array) -> Array:
    """Give the step of length up to the radius, shape (n,): shape (p, n)."""
    return dogleg(equations, radius) if equations.hessian is None else damped(equations, equations.hessian, radius)


def dogleg(equations: NormalEquations, radius: Array) -> Array:
    """Follow steepest descent to the lowest point on its line, and from there go towards the minimum of the model.

    With few observables that path leaves out little (M. J. D. Powell, in Numerical Methods for Nonlinear Algebraic
    Equations, 1970; Nocedal and Wright, Numerical Optimization, §4.1), and it costs no further system.
    """
    gradient, newton = equations.gradient, equations.newton_step()
    slope2 = sum_of_squares(gradient)
    lowest = slope2 / equations.curvature(gradient)
    first = np.fmin(lowest, radius / np.sqrt(slope2)) * -gradient
    # Where |first + t rest| = radius.
    rest = newton - first
    a, b = sum_of_squares(rest), np.add.reduce(first * rest, axis=0)
    c = np.minimum(sum_of_squares(first) - radius * radius, 0.0)
    t = -c / (b + np.sqrt(np.maximum(b * b - a * c, 0.0)))
    is_near = sum_of_squares(newton) <= radius * radius
    return np.where(is_near, newton, first + np.fmin(t, 1.0) * rest)


def damped(equations: NormalEquations, hessian: Array, radius: Array) -> Array:
    """Solve (JᵀJ + λ) s = −Jᵀr for the λ at which s is about as long as the radius, by Hebden's iteration.

    J. J. Moré, The Levenberg–Marquardt algorithm: implementation and theory, Lecture Notes in Mathematics 630 (1978).
    """
    assert equations.least_damping is not None
    step, damping = equations.newton_step().copy(), np.zeros_like(radius)
    for _ in range(MOST_TRIALS):
        length = np.sqrt(sum_of_squares(step))
        rows = never_alone(np.flatnonzero(length > ABOUT * radius))
        if not len(rows):
            break
        matrix, least, made = take_rows(hessian, rows), equations.least_damping[rows], step[:, rows]
        system, size = system_of(matrix, least, damping[rows]), length[rows]
        rate = np.add.reduce(made * system.solve(made), axis=0)
        damping[rows] += size * size / rate * (size / radius[rows] - 1)
        step[:, rows] = -system_of(matrix, least, damping[rows]).solve(equations.gradient[:, rows])
    return step * np.fmin(radius / np.sqrt(sum_of_squares(step)), 1.0)
