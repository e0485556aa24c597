"""`python -m streamspc` is `streamspc`."""

import sys

from streamspc.cli import main

if __name__ == "__main__":
    sys.exit(main())
