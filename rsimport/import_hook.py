"""`import rsimport.import_hook` installs the import hook until the process ends or `hook.uninstall()`."""

# Whoever installs the hook is about to import a kernel, which then need not wait for the engine.
import rsimport._loader  # noqa: F401
from rsimport._finder import install

hook = install()
