"""`python -m esnsim.paper`."""

import sys

from ._command import main

sys.exit(main())
