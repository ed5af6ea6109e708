"""`python -m debatch.cli`."""

import sys

from debatch.cli import main

sys.exit(main())
