"""`rsimport test`."""

from __future__ import annotations

import sys
from typing import Any

import click

from rsimport._cli_options import given, setting_options
from rsimport._cli_output import complain
from rsimport._errors import RsimportError
from rsimport.toolbox._check import warnings
from rsimport.toolbox._harness import Harness, ended, waited
from rsimport.toolbox._verb import Verb, kernels, near, pasted


@click.command(
    cls=Verb,
    epilog="""\b
    Examples:
      rsimport test logistic.rs
      rsimport test logistic.rs fixed_points        the tests with this in their name
      rsimport test logistic.rs --list
      rsimport test logistic.rs -- --test-threads=1 further arguments for the test program
      rsimport test logistic.rs --doc               the Python examples in its documentation
      pytest --rsimport-tests                       beside the tests in Python

    \b
    Exit codes: 0 all have passed, 1 some have not or the kernel does not compile, 2 wrong usage.
    """,
)
@click.argument("path", type=click.Path(exists=True))
@click.argument("filters", nargs=-1, metavar="[FILTER]...")
@click.option("--list", "listed", is_flag=True, help="List the tests, and run none.")
@click.option("--nocapture", is_flag=True, help="Show what tests print that pass.")
@click.option("--exact", is_flag=True, help="A filter is a whole name.")
@click.option("--ignored", is_flag=True, help="Run the tests that are ignored otherwise, and no others.")
@click.option("--release", is_flag=True, help="Optimised, without checks for overflows: as an import has it.")
@click.option("--doc", is_flag=True, help="Run the Python examples (`>>>`) in the kernel's documentation.")
@setting_options()
def command(
    path: str,
    filters: tuple[str, ...],
    listed: bool,
    nocapture: bool,
    exact: bool,
    ignored: bool,
    release: bool,
    doc: bool,
    behind: list[str],
    **options: Any,
) -> int:
    """Run the `#[test]` functions of a kernel, in a child of this Python: `Python::attach` works in them.

    They see the Python, the environment and the packages that run this command. Unless --release is given,
    they are compiled as cargo compiles tests: without optimisation, and with all checks.
    """
    settings = given(options)
    if (second := next((text for text in filters if text.endswith(".rs")), None)) is not None:
        raise click.BadParameter(f"{second} is no part of a test's name; name one kernel, or a folder.")
    found = kernels([path])
    if doc:
        from rsimport.toolbox._doctests import run as run_examples

        return max(run_examples(kernel, filters, settings) for kernel in found)
    flags = {"--list": listed, "--nocapture": nocapture, "--exact": exact, "--ignored": ignored}
    arguments = [*filters, *(flag for flag, wanted in flags.items() if wanted), *behind]
    codes = []
    for kernel in found:
        if len(found) > 1:
            click.echo(f"{near(kernel)}:")
        codes.append(_test(kernel, arguments, settings, release))
    return max(codes)


def _test(path: str, arguments: list[str], settings: dict[str, Any], release: bool) -> int:
    try:
        harness = Harness(path, settings, release=release)
    except RsimportError as error:
        complain(error)
        return 1
    warnings(harness.run)
    sys.stdout.flush()
    code = waited(harness.start(arguments))
    how = ended(code)
    if how is not None:
        hint = f"`rsimport test {pasted(path)} -- --test-threads=1` shows in which test"
        complain(f"the tests of {near(path)} ended with {how}\nhint: {hint}")
    return 0 if code == 0 else 1
