"""``python -m merkhet`` is ``merkhet``."""

import sys

from merkhet.cli import main

sys.exit(main())
