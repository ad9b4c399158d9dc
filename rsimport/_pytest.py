"""The fixture `rsimport_crossing`, a crossing among the benchmarks of pytest-benchmark, and the option
`--rsimport-tests`, which collects the Rust tests of kernels.

pytest loads this at every start, so nothing is imported here that it has not loaded already.
"""

from __future__ import annotations

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from rsimport.bench import Crossing

    Measure = Callable[..., Crossing]

MISSING = """\
the fixture rsimport_crossing needs pytest-benchmark, which is not installed or switched off
hint: pip install "rsimport[bench]\""""


def pytest_addoption(parser: pytest.Parser) -> None:
    """What asks for the Rust tests of kernels."""
    words = "Also run the #[test] functions of marked kernels, with the Python that runs pytest."
    parser.getgroup("rsimport").addoption("--rsimport-tests", action="store_true", help=words)
    parser.addini("rsimport_tests", words, type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Offers the fixture that suits what is installed, and the tests of kernels if they are asked for.

    That `benchmark` is a parameter of the one is what `--benchmark-only` and `--benchmark-skip` go by.
    """
    offered = _Measured() if config.pluginmanager.hasplugin("benchmark") else _Missing()
    config.pluginmanager.register(offered, "rsimport-crossing")
    if config.getoption("rsimport_tests") or config.getini("rsimport_tests"):
        from rsimport.toolbox import _pytest_items

        config.pluginmanager.register(_pytest_items, "rsimport-tests")


class _Measured:
    @pytest.fixture
    def rsimport_crossing(self, benchmark: Any) -> Measure:
        """A function that takes what rsimport.bench.crossing() takes and returns its result.

        It measures quickly unless told otherwise, lets pytest-benchmark time one call of the largest batch,
        and leaves the figures in `benchmark.extra_info["rsimport"]`, where `--benchmark-json` and
        `--benchmark-save` find them. It raises what crossing() raises, and as pytest-benchmark times one
        function a test, it can be called once.
        """

        def measure(
            function: Callable[..., Any],
            arguments: str | Mapping[str, Any],
            batch: str | None = None,
            *,
            quick: bool = True,
            **others: Any,
        ) -> Crossing:
            import json

            from rsimport.bench import crossing
            from rsimport.bench._target import target

            result = crossing(function, arguments, batch, quick=quick, **others)
            timed = target(function, arguments, batch)
            given = timed.at(timed.whole)
            benchmark(function, *given.args, **given.kwargs)
            benchmark.extra_info["rsimport"] = json.loads(result.to_json())
            return result

        return measure


class _Missing:
    @pytest.fixture
    def rsimport_crossing(self) -> None:
        """Says what to install."""
        pytest.fail(MISSING, pytrace=False)
