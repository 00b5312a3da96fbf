"""Early words on labels that figures cannot show as they are meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def label_warnings(texts: Iterable[str]) -> Iterator[str]:
    """Name each text that is no valid mathematics, with the reason; nothing where matplotlib is missing."""
    # The library is loaded only for a text that may be mathematics: few have any.
    candidates = [text for text in texts if text.count("$") > 1]
    if not candidates:
        return
    try:
        from hpcscan.report.figures.mathtext import math_problem  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        return
    for text in candidates:
        if problem := math_problem(text):
            yield (
                f"the label {text!r} is no mathematics that figures can show ({problem}), and will be drawn as it is "
                r"written; correct it in the model, or write \$ for a dollar sign"
            )
