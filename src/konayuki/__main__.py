"""`python -m konayuki` is the command `konayuki`."""

import sys

from konayuki.cli import main

sys.exit(main())
