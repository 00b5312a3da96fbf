"""The shipped example."""

from __future__ import annotations

import importlib.util
from pathlib import Path

_PATH = Path(__file__).parents[2] / "configs" / "plugins" / "pendulum.py"
_SPEC = importlib.util.spec_from_file_location("pendulum_of_the_readme", _PATH)
assert _SPEC is not None and _SPEC.loader is not None
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)
Pendulum = _MODULE.Pendulum
