"""Has the agent join a cluster: join.py HOST:PORT [SOCKET]"""

import sys

import muster

if len(sys.argv) < 2:
    sys.exit("usage: join.py HOST:PORT [SOCKET]")
try:
    muster.Client(sys.argv[2] if len(sys.argv) > 2 else None).join(sys.argv[1])
except muster.MusterError as error:
    sys.exit(f"join: {error}")
