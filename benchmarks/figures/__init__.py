"""The figures, one file each. Every file has `RUNS`, its usual number of runs, and `lines`, which measures"""

from figures import (
    batched,
    edit,
    first_kernel,
    hook_import,
    many_kernels,
    new_kernel,
    other_imports,
    warm_import,
)

FIGURES = {
    module.__name__.rpartition(".")[2]: module
    for module in (
        warm_import,
        hook_import,
        other_imports,
        first_kernel,
        new_kernel,
        edit,
        many_kernels,
        batched,
    )
}
"""In the order of the table."""
