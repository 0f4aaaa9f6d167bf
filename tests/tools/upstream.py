#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""upstream.py: a TCP server with a behaviour to choose. It writes its port to standard output."""

import argparse
import contextlib
import hashlib
import socket
import struct
import threading

BLOCK = hashlib.shake_128(b"stdsocks upstream").digest(1 << 18)


def received(sock, send_back=False):
    """Reads until EOF. Sends all bytes back if SEND_BACK. Returns a line with count and digest."""
    count, digest = 0, hashlib.sha256()
    while piece := sock.recv(1 << 18):
        count += len(piece)
        digest.update(piece)
        if send_back:
            sock.sendall(piece)
    return f"bytes={count} sha256={digest.hexdigest()}\n".encode()


def echo(sock, _size):
    """send all bytes back"""
    received(sock, send_back=True)


def echo_then_answer(sock, _size):
    """send all bytes back, and count and digest after EOF"""
    sock.sendall(received(sock, send_back=True))


def sink(sock, _size):
    """read until EOF, then close"""
    received(sock)


def source(sock, size):
    """send SIZE bytes and FIN, then read until EOF"""
    for start in range(0, size, len(BLOCK)):  # no two blocks alike
        sock.sendall((struct.pack(">Q", start) + BLOCK[8:])[: size - start])
    sock.shutdown(socket.SHUT_WR)
    received(sock)


def answer_after_eof(sock, _size):
    """read until EOF, then answer with count and digest"""
    sock.sendall(received(sock))


BEHAVIOURS = {
    function.__name__.replace("_", "-"): function
    for function in (echo, echo_then_answer, sink, source, answer_after_eof)
}


def serve(sock, behaviour, size):
    with sock, contextlib.suppress(OSError):  # ECONNRESET, or EPIPE after it
        behaviour(sock, size)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"{name:22}{function.__doc__}" for name, function in BEHAVIOURS.items()),
    )
    parser.add_argument("--listen", default="127.0.0.1", metavar="ADDRESS")
    parser.add_argument("behaviour", choices=BEHAVIOURS, metavar="BEHAVIOUR")
    parser.add_argument("size", type=int, nargs="?", default=1 << 20, metavar="SIZE")
    arguments = parser.parse_args()

    family = socket.AF_INET6 if ":" in arguments.listen else socket.AF_INET
    listening = socket.create_server((arguments.listen, 0), family=family, backlog=128)
    print(listening.getsockname()[1], flush=True)
    while True:
        work = (listening.accept()[0], BEHAVIOURS[arguments.behaviour], arguments.size)
        threading.Thread(target=serve, args=work, daemon=True).start()


main()
