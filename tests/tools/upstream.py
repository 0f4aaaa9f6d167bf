#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""upstream.py: a server that behaves as its argument says, and tells what it saw.

The first line on standard output is the port. Each connection ends with one line,
"eof bytes=N sha256=HEX" or "reset bytes=N": what came in, and how it ended.
"""

import argparse
import hashlib
import socket
import struct
import threading

BLOCK = hashlib.shake_128(b"stdsocks upstream").digest(1 << 18)


class Connection:
    def __init__(self, sock, size):
        self.sock = sock
        self.size = size
        self.count = 0
        self.seen = hashlib.sha256()

    def pieces(self):
        """What comes in, until the end of it, counted."""
        while piece := self.sock.recv(1 << 18):
            self.count += len(piece)
            self.seen.update(piece)
            yield piece

    def read_all(self):
        for _ in self.pieces():
            pass

    def report(self):
        return f"bytes={self.count} sha256={self.seen.hexdigest()}"

    def send_source(self):
        """SIZE bytes, no two blocks alike; answer their digest."""
        sent = hashlib.sha256()
        for start in range(0, self.size, len(BLOCK)):
            block = (struct.pack(">Q", start) + BLOCK[8:])[: self.size - start]
            sent.update(block)
            self.sock.sendall(block)
        return sent.hexdigest()

    def reset(self):
        """RST instead of the FIN of a close."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        raise ConnectionResetError


def echo(connection):
    """send back whatever comes"""
    for piece in connection.pieces():
        connection.sock.sendall(piece)


def echo_then_answer(connection):
    """send back whatever comes, and after EOF count and digest"""
    echo(connection)
    connection.sock.sendall(connection.report().encode() + b"\n")


def sink(connection):
    """read until EOF, then close"""
    connection.read_all()


def source(connection):
    """send SIZE bytes and FIN, then read until EOF"""
    digest = connection.send_source()
    print(f"sent bytes={connection.size} sha256={digest}", flush=True)
    connection.sock.shutdown(socket.SHUT_WR)
    connection.read_all()


def answer_after_eof(connection):
    """read until EOF, then answer with count and digest"""
    connection.read_all()
    connection.sock.sendall(connection.report().encode() + b"\n")


def close_at_once(connection):
    """FIN right after accept, and no wait for the other side's"""
    connection.sock.close()


def reset_at_once(connection):
    """RST right after accept"""
    connection.reset()


def data_then_reset(connection):
    """send SIZE bytes, read one, then RST"""
    connection.send_source()
    connection.sock.recv(1)
    connection.reset()


def half_close_then_read(connection):
    """FIN at once, then read until EOF"""
    connection.sock.shutdown(socket.SHUT_WR)
    connection.read_all()


def flood(connection):
    """send for ever, without reading"""
    while True:
        connection.sock.sendall(BLOCK)


def never_read(connection):
    """read nothing, send nothing, stay"""
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    threading.Event().wait()


def never_answer(connection):
    """read all, answer nothing, stay open after EOF"""
    connection.read_all()
    print(f"eof {connection.report()}", flush=True)
    threading.Event().wait()


def urgent(connection):
    """send "ab", urgent "X", "cd" and FIN, then read until EOF"""
    connection.sock.sendall(b"ab")
    connection.sock.send(b"X", socket.MSG_OOB)
    connection.sock.sendall(b"cd")
    connection.sock.shutdown(socket.SHUT_WR)
    connection.read_all()


BEHAVIOURS = {
    function.__name__.replace("_", "-"): function
    for function in (
        echo, echo_then_answer, sink, source, answer_after_eof, close_at_once, reset_at_once, data_then_reset,
        half_close_then_read, flood, never_read, never_answer, urgent,
    )
}


def serve(sock, behaviour, size):
    connection = Connection(sock, size)
    try:
        with sock:
            behaviour(connection)
        print(f"eof {connection.report()}", flush=True)
    except OSError:  # ECONNRESET, EPIPE after one, or this side's own reset
        print(f"reset bytes={connection.count}", flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"{name:22}{function.__doc__}" for name, function in BEHAVIOURS.items()),
    )
    parser.add_argument("--listen", default="127.0.0.1", metavar="ADDRESS")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("behaviour", choices=BEHAVIOURS, metavar="BEHAVIOUR")
    parser.add_argument("size", type=int, nargs="?", default=1 << 20, metavar="SIZE")
    arguments = parser.parse_args()

    listening = socket.socket(socket.AF_INET6 if ":" in arguments.listen else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((arguments.listen, arguments.port))
    listening.listen(128)
    print(listening.getsockname()[1], flush=True)
    while True:
        sock = listening.accept()[0]
        work = (sock, BEHAVIOURS[arguments.behaviour], arguments.size)
        threading.Thread(target=serve, args=work, daemon=True).start()


main()
