#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""oracle.py BATCH [MESSAGES [SEED]]: compares the parsers and writers with python3-socksio.

BATCH is the program of batch.c. socksio builds the messages of clients, of which half are then
damaged, and the parsers read them. From the parsed values socksio builds the message again, which
must be the bytes that the parser used. socksio also parses the messages that stdsocks writes as a
server. EXPLAINED has the reason of each permitted difference. Any other difference is a failure,
and an explanation that was never needed is one, too.
"""

import collections
import ipaddress
import random
import subprocess
import sys

from socksio import ProtocolError
from socksio.socks4 import SOCKS4ARequest, SOCKS4Command, SOCKS4Reply, SOCKS4ReplyCode
from socksio.socks4 import SOCKS4Request
from socksio.socks5 import (
    SOCKS5AType, SOCKS5AuthMethod, SOCKS5AuthMethodsRequest, SOCKS5AuthReply, SOCKS5Command,
    SOCKS5CommandRequest, SOCKS5Reply, SOCKS5ReplyCode, SOCKS5UsernamePasswordReply,
    SOCKS5UsernamePasswordRequest)

EXPLAINED = {
    "method": "socksio knows only 00, 01, 02 and ff; RFC 1928 s3 leaves the others to IANA and to "
              "private use, and stdsocks ignores methods that it does not implement",
    "command": "socksio knows only CONNECT, BIND and UDP ASSOCIATE; stdsocks parses any command, "
               "to answer it with reply 07 (RFC 1928 s6)",
    "version": "socksio never writes another version; stdsocks refuses it",
    "RSV": "socksio always writes 00, as RFC 1928 s4 requires; stdsocks refuses other values",
    "ATYP": "socksio writes only 01, 03 and 04; others have no known length, so they are refused",
    "4A": "socksio writes 0.0.0.255 before a name; stdsocks reads any 0.0.0.x with x not 0",
    "user id": "socksio writes no empty user id; stdsocks reads it",
    "long text": "socksio writes texts of any length; stdsocks reads at most 255 bytes of each",
    "no method": "socksio reads only methods that it knows; stdsocks sends no others",
}
ATYPES = {1: SOCKS5AType.IPV4_ADDRESS, 2: SOCKS5AType.IPV6_ADDRESS, 3: SOCKS5AType.DOMAIN_NAME}
KINDS = {1: 4, 2: 16}  # enum addr_kind: the length of the address
FIRST = {"methods": b"\x05", "login": b"\x01", "request": b"\x05", "request4": b"\x04"}
PADDING = b"\x05\x01\x00\x01" + bytes(800)  # completes any incomplete message

needed = collections.Counter()


def differs(reason):
    if reason not in EXPLAINED:
        raise AssertionError(f"no explanation of {reason}")
    needed[reason] += 1


def random_bytes(least, most):
    return random.randbytes(random.choice([least, 1, 2, random.randint(least, most), most]))


def text4():
    return bytes(random.choices(range(1, 256), k=random.choice([1, 9, 254, 255])))


def build(kind):
    """A message of this kind as socksio writes it."""
    if kind == "methods":
        return SOCKS5AuthMethodsRequest(
            random.choices(list(SOCKS5AuthMethod), k=random.choice([1, 2, 3, 255]))).dumps()
    if kind == "login":
        return SOCKS5UsernamePasswordRequest(random_bytes(0, 255), random_bytes(0, 255)).dumps()
    if kind == "request4":
        command, port, userid = random.choice(list(SOCKS4Command)), random.getrandbits(16), text4()
        if random.random() < 0.5:
            written = SOCKS4ARequest(command, port, text4(), userid).dumps()
            return written[:7] + bytes([random.randint(1, 255)]) + written[8:]
        return SOCKS4Request(command, port, b"\x01" + random.randbytes(3), userid).dumps()
    command, port = random.choice(list(SOCKS5Command)), random.getrandbits(16)
    host = random.choice([
        str(ipaddress.IPv4Address(random.getrandbits(32))),
        str(ipaddress.IPv6Address(random.getrandbits(128))),
        "".join(random.choices("abcxyz0189-.", k=random.choice([1, 9, 40, 255])))])
    return SOCKS5CommandRequest.from_address(command, (host, port)).dumps()


def damage(message):
    at = random.randrange(len(message)) if random.random() < 0.5 else random.randrange(4)
    return random.choice([
        lambda: message[:at],
        lambda: message[:at] + random.randbytes(1) + message[at + 1:],
        lambda: message[:at] + random.randbytes(1) + message[at:],
        lambda: message[:at] + message[at + 1:],
        lambda: message + random_bytes(1, 300),
    ])()


def ask(batch, lines):
    answers = subprocess.run([batch], input="".join(f"{line}\n" for line in lines), text=True,
                             stdout=subprocess.PIPE, check=True).stdout.splitlines()
    assert len(answers) == len(lines)
    return answers


def from_hex(text):
    return b"" if text == "-" else bytes.fromhex(text)


def rebuild4(values, data):
    command, port = int(values[0]), int(values[3])
    host, userid = from_hex(values[2]), from_hex(values[4])
    if command not in (1, 2):
        return differs("command")
    if not userid:
        return differs("user id")
    kind = SOCKS4ARequest if values[1] == "3" else SOCKS4Request
    again = kind(SOCKS4Command(bytes([command])), port, host, userid).dumps()
    if again[4:8] == b"\0\0\0\xff" != data[4:8]:
        differs("4A")
    return again[:4] + data[4:8] + again[8:] if kind is SOCKS4ARequest else again


def rebuild(kind, values, data):
    """The message with the parsed values as socksio writes it; None if socksio cannot write it."""
    if kind == "request4":
        return rebuild4(values, data)
    if kind == "methods":
        methods = from_hex(values[0])
        known = {method.value for method in SOCKS5AuthMethod}
        if not all(bytes([method]) in known for method in methods):
            return differs("method")
        return SOCKS5AuthMethodsRequest([SOCKS5AuthMethod(bytes([m])) for m in methods]).dumps()
    if kind == "login":
        return SOCKS5UsernamePasswordRequest(*map(from_hex, values)).dumps()
    command, addr_kind, port = int(values[0]), int(values[1]), int(values[3])
    if command not in (1, 2, 3):
        return differs("command")
    return SOCKS5CommandRequest(
        SOCKS5Command(bytes([command])), ATYPES[addr_kind], from_hex(values[2]), port).dumps()


def check_bad(kind, data, reply):
    atypes = {atype.value for atype in SOCKS5AType}
    if data[:1] != FIRST[kind]:
        differs("version")
        assert not reply or reply == ["1"]
    elif kind == "request4":
        assert max(map(len, data[8:].split(b"\0")[:2])) > 255
        differs("long text")
    elif kind == "request" and data[2] != 0:
        differs("RSV")
        assert reply == ["1"]
    else:
        assert kind == "request" and data[3:4] not in atypes and reply == ["8"]
        differs("ATYP")


def check_client(batch, count):
    messages = []
    for number in range(count):
        kind = random.choice(["methods", "login", "request", "request4"])
        whole = build(kind)
        messages.append((kind, damage(whole) if number % 2 else whole, number % 2 == 0))
    incomplete = []
    for (kind, data, is_whole), answer in zip(
            messages, ask(batch, [f"{kind} {data.hex()}" for kind, data, _ in messages])):
        verdict, *values = answer.split()
        try:
            assert not is_whole or verdict == "DONE" and int(values[0]) == len(data)
            if verdict == "DONE":
                again = rebuild(kind, values[1:], data)
                assert again is None or again == data[:int(values[0])]
            elif verdict == "BAD":
                check_bad(kind, data, values)
            else:
                incomplete.append((kind, data))
        except AssertionError:
            sys.exit(f"{kind} {data.hex()}: the parser returns {answer}")
    # With enough bytes behind it, each incomplete message is complete.
    padded = [(kind, data + (PADDING[len(data):] if len(data) < 4 else PADDING[4:]))
              for kind, data in incomplete]
    padded = [(kind, FIRST[kind] + data[1:]) for kind, data in padded]
    for (kind, data), answer in zip(
            padded, ask(batch, [f"{kind} {data.hex()}" for kind, data in padded])):
        verdict, *values = answer.split()
        again = rebuild(kind, values[1:], data) if verdict == "DONE" else b""
        if verdict != "DONE" or again is not None and again != data[:int(values[0])]:
            sys.exit(f"{kind} {data.hex()}: no beginning of a message: the parser returns {answer}")
    return len(messages), len(incomplete)


def check_server(batch):
    codes = range(256)
    for code, answer in zip(codes, ask(batch, [f"method {code}" for code in codes])):
        try:
            assert SOCKS5AuthReply.loads(bytes.fromhex(answer)).method.value == bytes([code])
        except ProtocolError:
            assert code not in (0, 2, 255)
            differs("no method")
    for code, answer in zip(codes, ask(batch, [f"status {code}" for code in codes])):
        assert SOCKS5UsernamePasswordReply.loads(bytes.fromhex(answer)).success == (code == 0)
    replies = [(code, kind, random.randbytes(size), random.getrandbits(16))
               for code in range(9) for kind, size in KINDS.items() for _ in range(50)]
    lines = [f"reply {code} {kind} {ip.hex()} {port}" for code, kind, ip, port in replies]
    for (code, kind, ip, port), answer in zip(replies, ask(batch, lines)):
        read = SOCKS5Reply.loads(bytes.fromhex(answer))
        assert read.reply_code == SOCKS5ReplyCode(bytes([code])) and read.port == port
        assert read.atype == ATYPES[kind] and ipaddress.ip_address(read.addr).packed == ip
    for code in SOCKS4ReplyCode:
        ip, port = random.randbytes(4), random.getrandbits(16)
        (answer,) = ask(batch, [f"reply4 {code.value[0]} 1 {ip.hex()} {port}"])
        read = SOCKS4Reply.loads(bytes.fromhex(answer))
        found = read.reply_code, read.port, ipaddress.ip_address(read.addr).packed
        assert found == (code, port, ip)
    return len(replies) + 2 * len(codes) + len(SOCKS4ReplyCode)


def main():
    batch, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5000
    random.seed(int(sys.argv[3]) if len(sys.argv) > 3 else 1928)
    client_count, incomplete_count = check_client(batch, count)
    server_count = check_server(batch)
    print(f"{client_count} messages of clients, {incomplete_count} of them incomplete; "
          f"{server_count} of servers")
    for reason, text in EXPLAINED.items():
        print(f"{needed[reason]:6} x {reason}: {text}")
    unused = EXPLAINED.keys() - needed.keys()
    if unused:
        sys.exit(f"no message needed the explanation of {', '.join(sorted(unused))}")


if __name__ == "__main__":
    main()
