# SPDX-License-Identifier: ISC
"""Signals to a handler, one or thousands. For scripts in a world."""

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

# What a process ignores by default, and what the handler makes an error of write(2).
HARMLESS = signal.SIGCHLD, signal.SIGWINCH, signal.SIGURG, signal.SIGCONT, signal.SIGPIPE, signal.SIGXFSZ
# What ends a process by default, and can be ignored.
ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGALRM, signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1,
          signal.SIGUSR2, signal.SIGXFSZ)


def waiting(*options):
    """A handler that waits for its client's first byte."""
    h = Handler(*options)
    eventually(lambda: h.state() == "S" and len(h.descriptors()) == 4, "the handler waits for its client")
    return h


def refused():
    """A handler that has refused its client, and waits until it leaves."""
    h = Handler()
    check(h.connect("127.0.0.1", CLOSED_PORT), 5)
    check(h.client.end(), (b"", "fin"))
    return h


@contextlib.contextmanager
def raining(h, *numbers):
    """Signals in a random order, as fast as they go, until the block ends; SIGCONT is the last. The
    block gets a function that tells how many there were."""
    sent, over = [0], threading.Event()
    chance = random.Random(1)

    def rain():
        while not over.is_set():
            h.process.send_signal(chance.choice(numbers))
            sent[0] += 1
            if sent[0] % 64 == 0:
                time.sleep(0.001)  # the others shall run, too
        h.go_on()

    with meanwhile(rain):
        try:
            yield lambda: sent[0]
        finally:
            over.set()


def timed(h, how, span_s):
    """It ends by a timer of SPAN_S."""
    took_s = int(h.ended(END=how)["STDSOCKS_TOTAL_USEC"]) / 1e6
    assert span_s <= took_s < span_s + 8, took_s


def hang_up(h):
    h.process.send_signal(signal.SIGHUP)


def child(h):
    """The only child of the process that started the handler."""
    path = f"/proc/{h.pid}/task/{h.pid}/children"
    return int(eventually(lambda: open(path, encoding="ascii").read().split(), "there is a child")[0])


def finish(h, upstream=None):
    """Both ends end in order."""
    upstream = upstream or accept(LISTENING)
    close_in_order(upstream, h.client)
    h.ended(END="closed")
