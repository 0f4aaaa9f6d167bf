# SPDX-License-Identifier: ISC
"""Limits of client addresses and of users: the files that count connections, and clients."""

import os
import pwd
import re
import socket

from socks import CHOSEN, DEADLINE_S, GREETING, accept, check, listener, request
from world import Handler, eventually, port_of, write

FOLDER = "/run/stdsocks"
FILES = [f"{FOLDER}/slots-{number}" for number in range(4)]
NOT_ALLOWED = b"\x05\x02"
upstream = listener()
clients = []  # handlers whose connections stay open


def create_files(secret="0123456789abcdef0123456789abcdef"):
    """Creates the files as units/stdsocks.tmpfiles does."""
    user = pwd.getpwnam("stdsocks")
    os.makedirs(FOLDER, 0o755, exist_ok=True)
    for path in FILES:
        write(path, secret if path == FILES[0] else "", 0o600)
        os.chown(path, user.pw_uid, user.pw_gid)


def held():
    """Returns the number of locks on these files."""
    inodes = {os.stat(path).st_ino for path in FILES}
    with open("/proc/locks", encoding="ascii") as locks:
        found = re.findall(r" POSIX .*:(\d+) \d+ \d+$", locks.read(), re.MULTILINE)
    return sum(int(inode) in inodes for inode in found)


def limited(*limits, more=(), **how):
    """Starts a handler with these limits."""
    lines = [word for limit in limits for word in ("-o", f"limit {limit}")]
    return Handler(*lines, *more, **how)


def ends_of(listening, source, to=None):
    """A TCP connection from the address SOURCE, as the ends of a handler."""
    to = to or listening.getsockname()[:2]
    client = socket.create_connection(to, DEADLINE_S, source_address=(source, 0))
    return client, listening.accept()[0]


def granted(h, before=GREETING, answer=CHOSEN):
    """The request of this client is granted. Returns the upstream's socket."""
    clients.append(h)
    h.client.send(before + request("127.0.0.1", port_of(upstream)))
    check(h.client.recv(len(answer) + 10)[:-8], answer + b"\x05\x00")
    return accept(upstream)


def exceeds(h, limit, before=GREETING, answer=CHOSEN):
    """The request of this client is refused because of this limit."""
    h.client.send(before + request("127.0.0.1", port_of(upstream)))
    check(h.client.recv(len(answer) + 10)[:-8], answer + NOT_ALLOWED)
    h.refused(REPLY="2", ERRNO=None)
    assert f", connection not allowed by ruleset ({limit}), " in h.log_text(), h.log_text()


def replied(client, before=GREETING, answer=CHOSEN):
    """Sends a request. Returns the reply code."""
    client.send(before + request("127.0.0.1", port_of(upstream)))
    got = client.recv(len(answer) + 10)
    check(got[:-9], answer + b"\x05")
    return got[-9]


def connected(p):
    """Connects through a supervisor as soon as a slot is free: a process logs its record before it
    ends. Returns the two ends."""

    def attempt():
        one = p.client()
        return one if replied(one) == 0 else one.close()

    return eventually(attempt, "a free slot"), accept(upstream)
