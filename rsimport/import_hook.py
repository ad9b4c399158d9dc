"""`import rsimport.import_hook` installs the import hook until the process ends or `hook.uninstall()`."""

from rsimport._finder import install

hook = install()
