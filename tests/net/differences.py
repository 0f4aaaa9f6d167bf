# SPDX-License-Identifier: ISC
"""Compares what the resolver finds with what glibc's getaddrinfo(3) finds in the same world. The
section "Differences to glibc" of stdsocks(8) has the words with which each difference is explained.
"""

import concurrent.futures
import json
import os
import re
import socket
import typing

from dns import SERVFAIL, Server
from names import REASONS, SITUATIONS, Situation
from servers import ZONE, nsd
from world import MS_BIND, MS_REC, STDSOCKS, libc, mount, sys_call, write
from zone import addresses, explained

CLONE_NEWNS, MS_PRIVATE = 0x20000, 0x40000

# Explanations

HYPHEN = "may begin with a hyphen"
NUMBERS = "is neither a name nor an address"
LOCALHOST = "are loopback addresses"
FINAL_DOT = "without their final dot"
MAPPED = "is taken as the IPv4 address"
SHORT_SERVER = "is not a name server"
DOMAINS = "Further search domains are ignored"
BAD_DOMAIN = "that cannot be part of a name is skipped"
RETURN = "A carriage return at the end of a line is ignored"
BAD_NUMBER = "must be a decimal number"
OTHER_OPTIONS = "Other options are ignored"
ONE_FAMILY = "even if the query for the other family is not answered"
NEXT_SERVER = "the next server is asked"
OTHER_FAMILY = "the next server is asked for this family"
NEXT_DOMAIN = "the search continues"
NOT_ANSWERS = "that are no answer to the query are ignored"
CHAINS = "may be in any order"
LINKS = "are an error"
ADDRESSES = "further addresses are ignored"


# Names and files

SEARCHED = [
    "www", "WWW", "db.prod", "only-a", "only-b", "single", "single.", "four1.test", "first",
    "four.split", "dangling", "absent", "www.", "db.prod.", "www.a", "a", "test", "link3", "many",
    "four1", "empty1", "below.empty1", "text1", "x.wild", "host1.moved", "loop1", "x.lame",
    "l" * 63, "l" * 62, "file", "alias.file",
    *(".".join(["n" * 63] * 3 + ["n" * last]) for last in (48, 50, 61)),
]

HOSTS = """\
127.0.0.1 localhost
::1 localhost ip6-localhost
10.30.0.1 file.test alias.file.test Other.File.Test # comment.file.test
2001:db8:30::1\tfile.test
2001:db8:30::2 six.file.test
10.30.0.3 four2.test
10.30.0.4 short
10.30.0.5 single
::1 loopback6.file.test
127.0.0.1 loopback4.file.test
::ffff:10.30.0.6 mapped.file.test
10.30.0.7 dotted.file.test.
10.30.1 cut.file.test
010.030.000.008 zeros.file.test
fe80::1%lo scoped.file.test
10.30.0.9
no-address.file.test 10.30.0.9
10.30.0.10 under_score.file.test 10.30.0.11
10.30.0.12 twice.file.test twice.file.test
10.30.0.12 twice.file.test
 10.30.0.13 indented.file.test
0.0.0.0 blocked.file.test
:: blocked6.file.test
10.30.0.14 www.a.test
10.30.0.15 host.15
#10.30.0.16 off.file.test
"""

IN_HOSTS = [
    "file.test", "FILE.test", "alias.file.test", "other.file.test", "comment.file.test",
    "six.file.test", "file.test.", "short", "short.", "single", "single.", "loopback6.file.test",
    "loopback4.file.test", "mapped.file.test", "dotted.file.test", "dotted.file.test.",
    "cut.file.test", "zeros.file.test", "scoped.file.test", "no-address.file.test",
    "under_score.file.test", "10.30.0.11", "twice.file.test", "indented.file.test",
    "blocked.file.test", "blocked6.file.test", "off.file.test", "www.a.test", "four2.test.",
    "host.15", "localhost", "LocalHost", "localhost.", "ip6-localhost", "x.localhost",
    "x.y.localhost.", "localhost.localdomain", "localhost.test", "notlocalhost",
]

ODD = [
    "127.1", "127.0.0.1", "1", "0x7f000001", "0177.0.0.1", "10.4.1", "256.1.1.1", "1.2.3.4.",
    "1.2.3.4.5", "::1", "::ffff:10.1.1.1", "fe80::1%lo", "[::1]", "2001:db8::g", ".", "..",
    "a..test", ".four1.test", "four1.test.", "four1.test..", "-lead.test", "trail-.test", "--",
    "a*b.test", "*.wild.test", "a\\.b.wild.test", "a/b.wild.test", "a+b.wild.test", "a@b.wild.test",
    "ä.wild.test", "m" * 64 + ".wild.test", "n" * 63 + ".x.wild.test", "x.123", "1.2.3.x",
    "four1.test:80", "a,b.wild.test", "_.wild.test", "-.wild.test", "-a.wild.test",
]

ALL = list(dict.fromkeys([*ZONE.names, *SEARCHED, *IN_HOSTS, *ODD]))
OURS = "nameserver 127.0.0.1\n"  # nsd
FAILS = "nameserver 127.0.0.5\n"  # it answers each query with SERVFAIL
LONG = f"{'x' * 63}.{'x' * 60}"
DEAD = "nameserver 127.0.0.99\n"
AB = f"{OURS}search a.test b.test\n"


class Setting(typing.NamedTuple):
    """Files, and names. WHY explains differences of names that differ in no other setting."""

    conf: str
    why: str = ""
    names: list = SEARCHED
    hosts: str = "127.0.0.1 localhost\n::1 localhost\n"


SETTINGS = [
    Setting(OURS, names=ALL),
    Setting(OURS, names=ALL, hosts=HOSTS),
    Setting(OURS, LOCALHOST, names=IN_HOSTS, hosts=""),
    Setting("", names=ALL),
    Setting(AB, names=ALL),
    Setting(AB, names=ALL, hosts=HOSTS),
    *(Setting(f"{AB}options ndots:{ndots}\n", names=ALL) for ndots in (0, 2, 15)),
    Setting(f"{OURS}search .\n", names=ALL),
    Setting(f"{OURS}search a.test . b.test\n", names=ALL),
    # The search list.
    *(Setting(f"{OURS}{lines}\n") for lines in (
        "search a.test. b.test.", "search A.TEST", "search .a.test b.test", "domain a.test",
        "search\ta.test\tb.test", "search a.test # b.test", "search a.test;b.test",
        " search a.test", "search a.test\nsearch b.test", "search a.test\ndomain b.test",
        "domain b.test\nsearch a.test", "search a.test\nsearch", "search a.test\0\nsearch b.test",
        "searching a.test", "search a.test\n#search b.test\n;search b.test")),
    *(Setting(f"{OURS}search {domains} b.test\n", BAD_DOMAIN)
      for domains in ("a..test", "..a.test", "..", "x" * 64, ".".join(["x" * 63] * 4))),
    *(Setting(f"{OURS}search {' '.join(domains)} b.test\n", DOMAINS)
      for domains in ([f"x{i}.test" for i in range(32)], [f"{i}.{LONG}.test" for i in range(8)])),
    Setting("search b.test\r\nnameserver 127.0.0.1\r\noptions ndots:2\r\n", RETURN),
    # Servers.
    Setting(f"{DEAD}{OURS}", names=ALL),
    Setting(f"{FAILS}{AB}", names=ALL),
    Setting(f"{DEAD}{FAILS}{OURS}"),
    Setting(f"{FAILS}search a.test b.test\n"),
    Setting(f"{DEAD}{DEAD}{DEAD}{OURS}"),
    Setting("nameserver ::ffff:127.0.0.1\n"),
    Setting("nameserver\t127.0.0.1 # local\n nameserver 127.0.0.99\nnameserver\n"),
    Setting("search a.test\nnameserver 127.0.0.1"),
    Setting("nameserver 127.2\n", SHORT_SERVER),
    # Options.
    *(Setting(f"{AB}options {options}\n") for options in (
        "edns0", "rotate", "single-request", "single-request-reopen", "trust-ad",
        "debug unknown foo:1", "ndots:2 ndots:1", "ndots:99", "timeout:1 attempts:1")),
    Setting(f"{AB}options use-vc\n", names=ALL),
    *(Setting(f"{AB}options {options}\n", BAD_NUMBER)
      for options in ("ndots:x", "ndots:2x", "ndots: 2", "ndots:-1")),
    Setting(f"{AB}options no-aaaa\n", OTHER_OPTIONS),
    Setting(f"{OURS}options no-tld-query\n", OTHER_OPTIONS),
]

# Names that differ in all settings, or in those with HOSTS.
NAMES = [
    (HYPHEN, r"-"),
    (NUMBERS, r"(0x[0-9a-f]+|[0-9.]+)$|.*%"),
    (LOCALHOST, r"(.*\.)?localhost\.?$"),
]
NAMES_IN_HOSTS = [(NUMBERS, r".*\.15$"), (FINAL_DOT, r".*\.$"), (MAPPED, r"mapped\.file")]

# The differences of tests/net/names.py.
SITUATIONS_THAT_DIFFER = {
    "A has no answer": ONE_FAMILY,
    "the first server has FORMERR": NEXT_SERVER,
    "the first server sends an answer that is cut": NEXT_SERVER,
    "a truncated answer over TCP fails": NEXT_SERVER,
    "the first server has SERVFAIL for A and NXDOMAIN for AAAA": OTHER_FAMILY,
    "the first domain has REFUSED": NEXT_DOMAIN,
    "an answer has 4,000 addresses": ADDRESSES,
    "an answer is a query": NOT_ANSWERS,
    "an answer has another opcode": NOT_ANSWERS,
    "a datagram is empty": NOT_ANSWERS,
    "a datagram has no complete header": NOT_ANSWERS,
    "CNAME records are in the opposite order": CHAINS,
    "17 CNAME records": LINKS,
    "CNAME records that are a loop": LINKS,
    "a domain that is too long for the name": BAD_DOMAIN,
    "a name in /etc/hosts with a final dot": FINAL_DOT,
    "a name below localhost": LOCALHOST,
}


# Comparison


class Every(dict):
    """A table of a server with the same answer for all names."""

    def get(self, *_):
        return SERVFAIL


def glibc(name):
    """Returns the addresses of a name, or the text of an error."""
    try:
        found = socket.getaddrinfo(name.encode(), None, type=socket.SOCK_STREAM)
    except OSError as error:
        return error.strerror
    return addresses(where[0].partition("%")[0] for *_, where in found)


def is_same(ours, theirs):
    """Compares the addresses, but not the errors."""
    return ours == theirs or not (isinstance(ours, set) or isinstance(theirs, set))


def why_name_differs(name, setting):
    """Returns the explanation of a difference, or an empty text."""
    rules = NAMES + NAMES_IN_HOSTS * (setting.hosts == HOSTS)
    return next((why for why, form in rules if re.match(form, name)), setting.why)


def compare_settings():
    """Yields the explanation and a description of each difference of the settings."""
    nsd()
    Server(Every(), "127.0.0.5")
    with concurrent.futures.ThreadPoolExecutor(10) as threads:
        for setting in SETTINGS:
            write("/etc/resolv.conf", setting.conf)
            write("/etc/hosts", setting.hosts)
            ours = explained(STDSOCKS, setting.names)
            for name, theirs in zip(setting.names, threads.map(glibc, setting.names)):
                if not is_same(ours[name], theirs):
                    yield (why_name_differs(name, setting),
                           f"{setting.conf!r}: {name}: {ours[name]}, glibc: {theirs}")


class Glibc:
    """A process that looks up a name with glibc, with the files as they are now."""

    def __init__(self, name):
        folder = f"/run/glibc{id(self)}"
        os.mkdir(folder)
        for file in "hosts", "resolv.conf", "nsswitch.conf":
            with open(f"/etc/{file}", encoding="utf-8") as text:
                write(f"{folder}/{file}", text.read())
        self.result, result = os.pipe()
        if os.fork() == 0:
            try:
                sys_call(libc.unshare, CLONE_NEWNS)
                mount("none", "/", None, MS_REC | MS_PRIVATE)
                mount(folder, "/etc", None, MS_BIND)
                found = glibc(name)
                os.write(result, json.dumps(sorted(found) if isinstance(found, set) else found)
                         .encode())
            finally:
                os._exit(0)
        os.close(result)

    def found(self):
        with open(self.result, encoding="utf-8") as result:
            found = json.load(result)
        return set(found) if isinstance(found, list) else found


def compare_situations():
    """Yields the explanation and a description of each difference in the situations of names.py,
    in which tests/dns.bats checks what handlers find. Servers get a second to answer."""
    servers = [Server({}, f"127.0.0.{number}") for number in (1, 2, 3)]
    begun = {}
    for number, (title, fields) in enumerate(SITUATIONS.items()):
        options = f"timeout:1 attempts:1 {fields.get('options', '')}"
        begun[title] = Situation(number, servers, Glibc, **fields | {"options": options})
    for title, situation in begun.items():
        ours, theirs = situation.finds, situation.handler.found()
        if not is_same(ours if ours in REASONS else {ours}, theirs):
            yield SITUATIONS_THAT_DIFFER.get(title, ""), f"{title}: {ours}, glibc: {theirs}"


def manual():
    """Returns the section "Differences to glibc" as one line, without macros."""
    folder = os.path.dirname(os.path.abspath(__file__))
    with open(f"{folder}/../../man/stdsocks.8", encoding="utf-8") as page:
        section = re.search(r"^\.Ss Differences to glibc\n(.*?)^\.S[hs] ", page.read(),
                            re.DOTALL | re.MULTILINE)[1]
    return " ".join(re.sub(r"^\.\w+ ?", "", section, flags=re.MULTILINE).split())


def check_differences(differences, wanted):
    """Checks that all differences are explained, that each wanted explanation is used, and that
    the manual has it."""
    differences = list(differences)
    wrong = [text for why, text in differences if not why]
    used = {why for why, _ in differences}
    text = manual()
    wrong += [f"no difference: {why}" for why in wanted if why not in used]
    wrong += [f"not in the manual: {why}" for why in wanted if why not in text]
    assert not wrong, "\n".join(wrong)


def check_settings():
    settings = [setting.why for setting in SETTINGS if setting.why]
    check_differences(compare_settings(), {*(why for why, _ in NAMES + NAMES_IN_HOSTS), *settings})


def check_situations():
    check_differences(compare_situations(), set(SITUATIONS_THAT_DIFFER.values()))
