"""Kernels that come with rsimport: `from rsimport.kernels import count_min_sketch` needs no import hook.

`rsimport new NAME --from count_min_sketch` copies one out, to be changed.
"""

from rsimport._meta_finder import go_first

# Python's own finder, if it came before rsimport's, would take the folder of a kernel's parts for a package.
go_first()
