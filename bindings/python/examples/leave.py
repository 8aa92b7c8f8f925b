"""Has the agent say goodbye and stop: leave.py [SOCKET]"""

import sys

import muster

try:
    muster.Client(sys.argv[1] if len(sys.argv) > 1 else None).leave()  # until the others know
except muster.MusterError as error:
    sys.exit(f"leave: {error}")
