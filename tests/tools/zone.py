# SPDX-License-Identifier: ISC
"""A zone with names of all shapes, and the addresses that a resolver finds for each name.

It is the root zone, so that one server has all names, also those for PTR records.
"""

import contextlib
import ipaddress
import re
import subprocess

FOUR, SIX = "127.0.0.1", "::1"  # of the names that tests connect to
NAME_MAX = 253  # characters of a name (RFC 1035 s3.1)
LABEL_MAX = 63
LINKS_MAX = 16  # CNAME records that stdsocks follows

# Why a name has no addresses.
NO_NAME = "no such name"
NO_ANSWER = "no name server has answered"
ERRORS = "the name servers have returned errors"
UNANSWERED = "the name servers have not answered every query"

# An authoritative server of the zone in the file /run/zone.
NSD_CONF = """\
server:
    ip-address: {address}
    username: ""
    chroot: ""
    zonesdir: ""
    database: ""
    pidfile: ""
    xfrdfile: ""
    xfrdir: "/run"
    zonelistfile: "/run/nsd.list"
    cookie-secret-file: ""
    server-count: 1
    rrl-ratelimit: 0
remote-control:
    control-enable: no
zone:
    name: "."
    zonefile: "/run/zone"
"""


class Zone:
    """RECORDS are (owner, type, data). WANTED has the set of addresses for each name that can be
    resolved, NONE the names that do not exist or have no address, and FAILING the names for which a
    server may also return an error. NAMES is all of them. NAME_OF has the names of addresses."""

    def __init__(self):
        self.records, self.wanted, self.none, self.failing = [], {}, [], []
        self.name_of = {}
        self.add_root()
        for add in (self.add_addresses, self.add_aliases, self.add_names_without_address,
                    self.add_wildcards, self.add_special_names, self.add_search_domains,
                    self.add_failing, self.add_reverse):
            add()
        self.names = [*self.wanted, *self.none, *self.failing]

    def reasons(self, may_fail=()):
        """Returns the set of accepted reasons for each name. MAY_FAIL are names with addresses for
        which the server may also return an error."""
        return {**{name: {ERRORS} if name in may_fail else set() for name in self.wanted},
                **{name: {NO_NAME} for name in self.none},
                **{name: {NO_NAME, ERRORS} for name in self.failing}}

    def explained_wrong(self, program, may_fail=()):
        """Returns a line for each name with other addresses."""
        reasons = self.reasons(may_fail)
        return [f"--explain {name}: {found}"
                for name, found in explained(program, self.names).items()
                if not (found in reasons[name] if isinstance(found, str)
                        else found and found == addresses(self.wanted.get(name, ())))]

    def text(self):
        """Returns the file of the zone (RFC 1035 s5)."""
        return "$TTL 60\n" + "".join(f"{owner}. IN {kind} {data}\n"
                                     for owner, kind, data in self.records)

    def add(self, owner, *addresses, asked=None):
        """Adds addresses, and OWNER or ASKED to the names that can be resolved."""
        for address in addresses:
            self.records.append((owner, "AAAA" if ":" in address else "A", address))
        self.wanted[asked or owner] = set(addresses)

    def alias(self, owner, target):
        self.records.append((owner, "CNAME", f"{target}."))

    def alias_of(self, owner, target):
        """Adds an alias of a name that can be resolved."""
        self.alias(owner, target)
        self.wanted[owner] = self.wanted[target]

    def text_only(self, owner):
        self.records.append((owner, "TXT", '"no address"'))

    def add_root(self):
        self.records += [("", "SOA", "ns.test. root.test. 1 3600 600 86400 60"),
                         ("", "NS", "ns.test."), ("ns.test", "A", "127.0.0.2")]

    def add_addresses(self):
        for i in range(1, 21):
            self.add(f"four{i}.test", f"10.4.0.{i}")
            self.add(f"six{i}.test", f"2001:db8:6::{i:x}")
            self.add(f"both{i}.test", f"10.46.0.{i}", f"10.46.1.{i}", f"2001:db8:46::{i:x}")
        self.add("here4.test", FOUR)
        self.add("here6.test", SIX)
        self.add("here.test", FOUR, SIX)
        self.add("mapped.test", "::ffff:10.9.9.9")
        # These answers do not fit into a datagram.
        four = [f"10.100.0.{i}" for i in range(1, 101)]
        six = [f"2001:db8:100::{i:x}" for i in range(1, 101)]
        self.add("many4.test", *four)
        self.add("many6.test", *six)
        self.add("many.test", *four, *six)

    def add_aliases(self):
        """A chain of LINK is "linkLINK" to "link1" to "end.test"."""
        self.add("end.test", "10.5.0.1", "2001:db8:5::1")
        target = "end.test"
        for i in range(1, LINKS_MAX + 1):
            self.alias_of(f"link{i}.test", target)
            target = f"link{i}.test"
        self.alias_of("to-four.test", "four1.test")
        self.alias_of("to-six.test", "six1.test")
        self.alias_of("to-many.test", "many.test")
        self.alias_of("to-here.test", "here.test")
        self.alias_of("to_here._tcp.test", "here4.test")
        for name in "absent", "text1", "empty1":
            self.alias(f"to-{name}.test", f"{name}.test")
            self.none.append(f"to-{name}.test")
        self.records.append(("moved.test", "DNAME", "new.test."))
        for i in range(1, 4):
            self.add(f"host{i}.new.test", f"10.7.0.{i}")
            self.wanted[f"host{i}.moved.test"] = self.wanted[f"host{i}.new.test"]
        self.none.append("absent.moved.test")

    def add_names_without_address(self):
        self.none += [f"absent{i}.test" for i in range(1, 11)]
        self.none += ["absent", "absent.four1.test", "a.b.c.d.e.absent.test", "four1.tes", "test"]
        for i in range(1, 6):
            self.text_only(f"text{i}.test")
            self.add(f"below.empty{i}.test", f"10.8.0.{i}")
            self.none += [f"text{i}.test", f"empty{i}.test"]

    def add_wildcards(self):
        """A wildcard is not used for names that exist, or below them (RFC 4592 s2.2.1)."""
        self.records.append(("*.wild.test", "A", "10.9.0.1"))
        self.records.append(("*.wild.test", "AAAA", "2001:db8:9::1"))
        self.text_only("real.wild.test")
        self.add("below.hidden.wild.test", "10.9.0.2")
        for name in "a", "B", "x.y.z", "_under._score", "xn--mnchen-3ya", "9":
            self.wanted[f"{name}.wild.test"] = {"10.9.0.1", "2001:db8:9::1"}
        self.none += ["wild.test", "real.wild.test", "below.real.wild.test", "hidden.wild.test",
                      "other.hidden.wild.test"]
        self.alias("*.alias.test", "both1.test")
        for name in "a", "b.c":
            self.wanted[f"{name}.alias.test"] = self.wanted["both1.test"]
        # The targets of these aliases are not host names.
        for i, target in enumerate(("-a", "a+b", "a\\032b", "*"), 1):
            self.alias(f"odd{i}.test", f"{target}.alias.test")
            self.wanted[f"odd{i}.test"] = self.wanted["both1.test"]

    def add_special_names(self):
        """Long names, and unusual characters."""
        for i, size in enumerate((1, 62, LABEL_MAX), 1):
            self.add(f"{'l' * size}.test", f"10.10.0.{i}")
        for size in 127, 128, 250, NAME_MAX - 1, NAME_MAX:
            self.add(name_of_length(size), f"10.11.0.{size}", f"2001:db8:11::{size:x}")
        labels = "a." * ((NAME_MAX - len("test")) // 2) + "test"
        self.add(labels, "10.11.1.1")
        for i, name in enumerate(("_", "_x", "x_y", "_sip._tcp", "a--b", "xn--bcher-kva", "123",
                                  "1.2.3.4", "0x1f", "localhost", "10.in-addr.arpa"), 1):
            self.add(f"{name}.test", f"10.12.0.{i}")
        for i, (name, asked) in enumerate((("lower", "LOWER"), ("UPPER", "upper"),
                                           ("MiXeD", "mIxEd"), ("CamelCase", "CamelCase")), 1):
            self.add(f"{name}.test", f"10.13.0.{i}", asked=f"{asked}.test")
            self.wanted[f"{asked}.TEST."] = self.wanted[f"{asked}.test"]
        self.add("single", "10.14.0.1")

    def add_search_domains(self):
        """Names below the domains a.test and b.test, which are searched for their first labels."""
        for i, domain in enumerate(("a", "b"), 1):
            self.add(f"www.{domain}.test", f"10.2{i}.0.1")
            self.add(f"db.prod.{domain}.test", f"10.2{i}.0.2")
            self.add(f"only-{domain}.{domain}.test", f"10.2{i}.0.3")
            self.add(f"single.{domain}.test", f"10.2{i}.0.4")
            self.add(f"four1.test.{domain}.test", f"10.2{i}.0.5")
        self.text_only("first.a.test")
        self.none.append("first.a.test")
        self.add("first.b.test", "10.22.0.6")
        self.add("four.split.a.test", "10.21.0.7")
        self.add("four.split.b.test", "2001:db8:22::7")
        self.alias("dangling.a.test", "absent.test")
        self.none.append("dangling.a.test")
        self.add("dangling.b.test", "10.22.0.8")

    def add_failing(self):
        """Aliases that are a loop, and a domain whose server refers to itself."""
        self.alias("loop1.test", "loop2.test")
        self.alias("loop2.test", "loop1.test")
        self.alias("self.test", "self.test")
        self.records.append(("lame.test", "NS", "ns.test."))
        self.failing += ["loop1.test", "loop2.test", "self.test", "x.lame.test", "y.z.lame.test"]

    def add_reverse(self):
        for i in range(1, 6):
            self.pointer(f"10.4.0.{i}", f"four{i}.test", f"{i}.0.4.10.in-addr.arpa")
            self.pointer(f"2001:db8:6::{i:x}", f"six{i}.test", f"{i}.{'0.' * 19}6.0.0.0.8.b.d.0."
                         "1.0.0.2.ip6.arpa")
        self.pointer("10.11.0.253", name_of_length(NAME_MAX), "253.0.11.10.in-addr.arpa")
        self.pointer("10.12.0.3", "x_y.test", "3.0.12.10.in-addr.arpa")
        # RFC 2317
        self.alias("1.0.7.10.in-addr.arpa", "1.0-127.0.7.10.in-addr.arpa")
        self.pointer("10.7.0.1", "host1.new.test", "1.0-127.0.7.10.in-addr.arpa")
        self.name_of |= {"10.4.0.200": None, "2001:db8:6::ffff": None}

    def pointer(self, address, name, owner):
        self.records.append((owner, "PTR", f"{name}."))
        self.name_of[address] = name


def name_of_length(size):
    """Returns a name below test with labels that are as long as possible."""
    rest, labels = size - len(".test"), []
    while rest > 0:
        length = min(rest, LABEL_MAX)
        length -= rest - length == 1  # no label is empty
        labels.append("n" * length)
        rest -= length + 1
    return ".".join([*labels, "test"])


def plain(text):
    """Returns an address in the form that Python prints, or other text unchanged."""
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(text))
    return text


def addresses(texts):
    return {plain(text) for text in texts}


def explained(program, names):
    """Returns the set of all addresses of each name, or the reason if there is none, as --explain
    prints them; None if it is not a name. Its answers are the results of the same resolver."""
    # A rule that depends on the address makes it look up the name.
    rules = "deny to any at 192.0.2.255", "allow to any at any"
    done = subprocess.run(
        [program, "-f", "/dev/null", *(word for rule in rules for word in ("-o", rule)),
         "--explain", "-"],
        input="".join(f"to {name} port 80\n" for name in names), capture_output=True, text=True,
        check=False)
    found = dict.fromkeys(names)
    for name, block in re.findall(r"^to (\S+) port 80\n(.*?)^(?:allow|unknown)$", done.stdout,
                                  re.DOTALL | re.MULTILINE):
        why = re.search("^  not found: (.*)$", block, re.MULTILINE)
        found[name] = why[1] if why else addresses(re.findall(r"^ at ([0-9a-f.:]+)", block,
                                                              re.MULTILINE))
    return found
