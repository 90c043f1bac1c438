"""`python -m netprocmon` is the command `netprocmon`."""

import sys

from netprocmon._command import main

if __name__ == "__main__":
    sys.exit(main())
