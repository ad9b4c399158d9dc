"""Does a native kernel pay? Measures what a call of it costs, and from which batch size on it is worth it.

Needs the extra: `pip install "rsimport[bench]"`.
"""

from __future__ import annotations

from rsimport._errors import ConfigError

try:
    import numpy as _numpy  # noqa: F401
    import pyperf as _pyperf  # noqa: F401
except ImportError as _exc:
    raise ConfigError(
        f"rsimport.bench needs {_exc.name}, which is not installed", hint='pip install "rsimport[bench]"'
    ) from _exc

from rsimport.bench._crossing import crossing
from rsimport.bench._result import Crossing, Estimate, Point, Threads

__all__ = ["Crossing", "Estimate", "Point", "Threads", "crossing"]
