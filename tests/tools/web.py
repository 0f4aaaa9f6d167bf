#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""web.py: an HTTP server. GET /N returns N bytes; PUT reads a body and discards it.

The first line on standard output is the port. A line "GET bytes=N sha256=HEX" or "PUT bytes=N
sha256=HEX" follows for each body that was sent or received.
"""

import hashlib
import http.server
import socket
import struct
import sys

BLOCK_LEN = 1 << 20
BLOCK = hashlib.shake_128(b"stdsocks web").digest(BLOCK_LEN)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def report(self, count, digest):
        print(f"{self.command} bytes={count} sha256={digest.hexdigest()}", flush=True)

    def do_GET(self):
        size = int(self.path[1:])
        digest = hashlib.sha256()
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        for start in range(0, size, BLOCK_LEN):  # no two blocks alike
            block = (struct.pack(">Q", start) + BLOCK[8:])[: size - start]
            digest.update(block)
            self.wfile.write(block)
        self.report(size, digest)

    def do_PUT(self):
        size = left = int(self.headers["Content-Length"])
        digest = hashlib.sha256()
        while left and (piece := self.rfile.read1(min(left, BLOCK_LEN))):
            digest.update(piece)
            left -= len(piece)
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.report(size - left, digest)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in "".join(sys.argv[1:]) else socket.AF_INET


server = Server((sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
