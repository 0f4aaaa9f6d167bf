# SPDX-License-Identifier: ISC
"""Runs handlers with small resource limits and classifies the outcome."""

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
GENERAL_FAILURE = b"\x05\x01\x00\x01" + bytes(6)
NOT_LOGGED_IN = b"\x01\x01"  # RFC 1929 s2


def limited(number, size, hard=True):
    """A preexec_fn that sets the soft limit of a resource, and also the hard one if HARD."""
    return lambda: resource.setrlimit(
        number, (size, size if hard else resource.getrlimit(number)[1]))


def some(client, size):
    """Read SIZE bytes, or fewer up to FIN or RST."""
    data = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while len(data) < size and (piece := client.sock.recv(size - len(data))):
            data += piece
    return bytes(data)


def outcome(h, sent, record=True):
    """Send greeting, login and request at once. Returns "served" if the reply is 00 and the relay
    works, "refused" if the reply or login status and the exit status report a failure, "killed" if
    a signal ended the handler, "not loaded" if the dynamic linker failed, else the bytes of the
    reply. If RECORD, the first two must leave exactly one record."""
    h.client.send(sent)
    answer = some(h.client, 2)
    if LOGIN in sent and answer:
        answer = some(h.client, 2)
    reply = some(h.client, 10) if answer not in (b"", NOT_LOGGED_IN) else answer
    if reply.startswith(SERVED):
        relays(h)
        h.wait_exit()
        result, end = "served", "closed"
    elif reply in (GENERAL_FAILURE, NOT_LOGGED_IN):
        check(h.client.end(), (b"", "fin"))
        h.client.close()
        status = h.process.wait(DEADLINE_S)
        assert status in (71, 78), status
        result, end = "refused", "failed"
    else:
        h.client.close()
        status = h.process.wait(DEADLINE_S)
        is_loaded = answer != b"" or status != 127
        result = "killed" if status < 0 else reply if is_loaded else "not loaded"
    if record and result in ("served", "refused"):
        lines = re.findall(r"^stdsocks: .*(closed by client|system failure).* s$",
                           h.log_text(), re.M)
        check(lines, [{"closed": "closed by client", "failed": "system failure"}[end]])
    return result


def one_record(name, h, **fields):
    """Wait for exit status 0, and check that the only record has these fields. NAME names the
    case."""
    h.ended(**fields)
    check((name, h.log_text().count("STDSOCKS_END=")), (name, 1))


def relays(h):
    """Check that bytes and FIN pass in both directions."""
    upstream = accept(LISTENING)
    passes(h.client, upstream, b"question")
    passes(upstream, h.client, b"answer")
    close_in_order(h.client, upstream)
    upstream.close()
    h.client.close()
