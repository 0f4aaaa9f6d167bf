# SPDX-License-Identifier: ISC
"""What becomes of a handler that has little of everything. For scripts in a world."""

import contextlib
import re
import resource

from socks import DEADLINE_S, accept, check, close_in_order, passes, request
from world import listeners, port_of

OFFER = b"\x05\x01\x02"  # RFC 1928 s3: one method, "username/password"
LOGIN = b"\x01\x05alice\x06secret"  # RFC 1929 s2

(LISTENING,) = listeners("127.0.0.1")
PORT = port_of(LISTENING)
REQUEST = request("127.0.0.1", PORT)

SERVED = b"\x05\x00\x00\x01\x7f\x00\x00\x01"  # RFC 1928 s6, up to the port
TOLD = b"\x05\x01\x00\x01" + bytes(6)
NOT_LOGGED_IN = b"\x01\x01"  # RFC 1929 s2


def limited(what, size, hard=True):
    """For preexec_fn: no more than SIZE of WHAT; unless HARD it might ask for more."""
    return lambda: resource.setrlimit(what, (size, size if hard else resource.getrlimit(what)[1]))


def some(client, size):
    """SIZE bytes, or those that come before the end."""
    data = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while len(data) < size and (piece := client.sock.recv(size - len(data))):
            data += piece
    return bytes(data)


def outcome(h, sent, record=True):
    """What becomes of a client that sends greeting, login and request at once. "served": its reply is 00, a
    relay runs, and it ends as it should. "told": its reply says that this host has failed, and so does the
    exit status. "killed" by a signal, "not loaded" by the dynamic linker, else its answer. The
    first two leave exactly one RECORD."""
    h.client.send(sent)
    answer = some(h.client, 2)
    if LOGIN in sent and answer:
        answer = some(h.client, 2)
    reply = some(h.client, 10) if answer not in (b"", NOT_LOGGED_IN) else answer
    if reply.startswith(SERVED):
        relays(h)
        h.wait_exit()
        how, end = "served", "closed"
    elif reply in (TOLD, NOT_LOGGED_IN):
        check(h.client.end(), (b"", "fin"))
        h.client.close()
        status = h.process.wait(DEADLINE_S)
        assert status in (71, 78), status
        how, end = "told", "failed"
    else:
        h.client.close()
        status = h.process.wait(DEADLINE_S)
        how = "killed" if status < 0 else "not loaded" if b"" == answer and status == 127 else reply
    if record and how in ("served", "told"):
        lines = re.findall(r"^stdsocks: .*(closed by client|the system failed us).* s$", h.log_text(), re.M)
        check(lines, [{"closed": "closed by client", "failed": "the system failed us"}[end]])
    return how


def one_record(name, h, **fields):
    """It is over, with status 0, and its only record has these fields; NAME is that of the case."""
    h.ended(**fields)
    check((name, h.log_text().count("STDSOCKS_END=")), (name, 1))


def relays(h):
    """Bytes go both ways, and the ends after them."""
    upstream = accept(LISTENING)
    passes(h.client, upstream, b"question")
    passes(upstream, h.client, b"answer")
    close_in_order(h.client, upstream)
    upstream.close()
    h.client.close()
