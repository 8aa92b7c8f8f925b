"""Prints who is there, and then what happens to whom: watch.py [SOCKET]"""

import sys

import muster

try:
    client = muster.Client(sys.argv[1] if len(sys.argv) > 1 else None)
    members = client.members()
    for member in members:
        print(f"{member.name} is {member.state}", flush=True)
    for event in client.watch(since=members.cursor):  # they go on exactly where the list ends
        print(event.type, event.member.name if event.member else "(all members anew)", flush=True)
except muster.MusterError as error:
    sys.exit(f"watch: {error}")
