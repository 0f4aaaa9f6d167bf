# SPDX-License-Identifier: ISC
"""Sends signals to a handler, and waits for its states."""

import contextlib
import signal
import threading
import time
import random

from socks import accept, check, close_in_order, meanwhile, request
from world import CLOSED_PORT, Handler, eventually, listeners, port_of

(LISTENING,) = listeners("127.0.0.1")
PORT = port_of(LISTENING)
REQUEST = request("127.0.0.1", PORT)

# Signals that are ignored by default, and SIGPIPE and SIGXFSZ, which the handler ignores.
HARMLESS = (signal.SIGCHLD, signal.SIGWINCH, signal.SIGURG, signal.SIGCONT, signal.SIGPIPE,
            signal.SIGXFSZ)
# Signals that end a process by default and can be ignored.
ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGALRM, signal.SIGTERM,
          signal.SIGCHLD, signal.SIGUSR1,
          signal.SIGUSR2, signal.SIGXFSZ)


def waiting(*options):
    """Start a handler and wait until it reads from its client."""
    h = Handler(*options)
    eventually(lambda: h.state() == "S" and len(h.descriptors()) == 7,
               "the handler waits for its client")
    return h


def refused():
    """A handler that has refused a request, and waits for the client's FIN."""
    h = Handler()
    check(h.connect("127.0.0.1", CLOSED_PORT), 5)
    check(h.client.end(), (b"", "fin"))
    return h


@contextlib.contextmanager
def raining(h, *numbers):
    """Send signals in a random order as fast as possible until the block ends, and then SIGCONT.
    The block gets a function that returns the number of signals."""
    sent, finished = [0], threading.Event()
    chance = random.Random(1)

    def rain():
        while not finished.is_set():
            h.process.send_signal(chance.choice(numbers))
            sent[0] += 1
            if sent[0] % 64 == 0:
                time.sleep(0.001)  # lets other processes run
        h.go_on()

    with meanwhile(rain):
        try:
            yield lambda: sent[0]
        finally:
            finished.set()


def timed(h, end, span_s):
    """The handler ends with this END after a timeout of SPAN_S seconds."""
    took_s = int(h.ended(END=end)["STDSOCKS_TOTAL_USEC"]) / 1e6
    assert span_s <= took_s < span_s + 8, took_s


def hang_up(h):
    h.process.send_signal(signal.SIGHUP)


def child(h):
    """The only child of the process that started the handler."""
    path = f"/proc/{h.pid}/task/{h.pid}/children"
    return int(eventually(lambda: open(path, encoding="ascii").read().split(),
                          "there is a child")[0])


def finish(h, upstream=None):
    """Both sides close, and the handler exits with END=closed."""
    upstream = upstream or accept(LISTENING)
    close_in_order(upstream, h.client)
    h.ended(END="closed")
