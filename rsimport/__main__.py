"""`python -m rsimport` is the command `rsimport`."""

import sys

from rsimport._cli import main

if __name__ == "__main__":
    sys.exit(main())
