"""A member of a cluster of kinship, encrypted, with its settings for a local network: NAME BIND SEED.

It prints a line for each member that comes or goes; tests/peers runs it.
"""

import asyncio
import base64
import sys

import kinship

# Only members of one namespace ever see it.
KEY = base64.b64encode(bytes(range(32))).decode()

KINDS = {
    kinship.MemberJoined: "member-joined",
    kinship.MemberSuspect: "member-suspect",
    kinship.MemberRecovered: "member-recovered",
    kinship.MemberDead: "member-down",
}


def say(kind: str, name: str) -> None:
    print(kind, f"member={name}", flush=True)


async def main(name: str, bind: str, seed: str) -> None:
    config = kinship.Config.lan(name=name, bind=bind, cluster="peers", keys=[KEY], seeds=[seed])
    async with kinship.Cluster(config) as cluster:
        events = cluster.events()
        for member in cluster.members():
            say("member-joined", member.name)
        async for event in events:
            if kind := KINDS.get(type(event)):
                say(kind, event.member.name)


asyncio.run(main(*sys.argv[1:]))
