#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""dns_oracle.py BATCH CORPUS [MESSAGES [SEED]]: compares wire/dns with python3-dnspython.

BATCH is the program of dns_batch.c, CORPUS the corpus of dns.c. The inputs of the corpus and
MESSAGES random answers, of which most are damaged, are read by stdsocks and by dnspython, which
also follows the CNAME records. dnspython also reads the queries that stdsocks writes. EXPLAINED has
the reason of each permitted difference. Any other difference is a failure, and an explanation that
was never needed is one, too.
"""

import collections
import random
import struct
import subprocess
import sys

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.wire

EXPLAINED = {
    "no question": "a server that cannot read the question may not repeat it, so stdsocks accepts "
                   "FORMERR and NOTIMP without one; dnspython has no rule for answers",
    "RDATA": "dnspython checks RDATA of all records; stdsocks checks those of the records it uses",
    "trailing bytes": "dnspython refuses bytes behind the last record; stdsocks ignores them",
    "truncated": "if TC is set, stdsocks returns the records before the first incomplete one",
    "OPT": "dnspython refuses an OPT record in another section, with an owner, or a second one; "
           "stdsocks uses the first one in the additional section and ignores the others",
    "TSIG": "dnspython verifies the signature of a TSIG record; stdsocks ignores the record",
    "header": "dnspython follows pointers into the header; stdsocks refuses them, because no name "
              "is there (RFC 1035 s4.1.4)",
    "overlap": "a pointer may lead to labels that reach into the name with the pointer; dnspython "
               "continues behind them, stdsocks refuses the name, because it is no prior one",
    "16 links": "dnspython follows 15 CNAME records, stdsocks 16",
    "several": "of several CNAME records of a name, dnspython follows the last, stdsocks the first "
               "(RFC 1034 s3.6.2 permits one)",
    "beside": "dnspython prefers a record to the CNAME record of the same name, stdsocks the CNAME "
              "record (RFC 1034 s3.6.2 permits no such records)",
    "duplicates": "dnspython returns a set of records, stdsocks all of them",
    "SOA": "dnspython uses the SOA record of a zone that has the name, and without one the answer "
           "may be cached forever; stdsocks uses the first one, or does not cache (RFC 2308 s5)",
    "rcode": "stdsocks returns no records of an answer with an error; dnspython leaves that to the "
             "caller, or raises an exception",
    "long text": "stdsocks omits names whose text has more than 255 bytes",
}
# Debian's dnspython follows 16 pointers of a name, stdsocks 127. Other versions have no limit.
POINTERS_MAX = dns.name.MAX_COMPRESSION_POINTER_CHAIN = 127

ID, IN, OTHER_TYPE = 0x1234, dns.rdataclass.IN, 65280
A, CNAME, SOA, PTR, AAAA, OPT, TSIG = 1, 5, 6, 12, 28, 41, 250
TYPES = [A, AAAA, PTR]
NAMES = [dns.name.from_text(text) for text in (
    "a.", "b.a.", "www.example.com.", "WWW.example.COM.", "c.b.a.", ".", "x.www.example.com.",
    "\\000\\.\\\\.a.", "\\001" * 63 + ".example.", ".".join(["l" * 63] * 3 + ["m" * 61, ""]))]
# wire/dns reads no escapes, so a name with a dot in a label is not the name of a query.
QUERIED = [name for name in NAMES if not any(b"." in label for label in name.labels)]

needed = collections.Counter()

Query = collections.namedtuple("Query", "id type name")
Record = collections.namedtuple("Record", "section name type rdclass ttl rdata type_at")


def differs(reason):
    if reason not in EXPLAINED:
        raise AssertionError(f"no explanation of {reason}")
    needed[reason] += 1


def label_text(label):
    return "".join(f"\\{byte:03}" if not 0x20 < byte < 0x7f else
                   f"\\{byte:c}" if byte in b".\\" else chr(byte) for byte in label)


def text(name):
    """The text that stdsocks writes."""
    return ".".join(map(label_text, name.labels[:-1])) or "."


def rdata_of(parser, record_type, rdclass, size):
    """The data of a record, or None if dnspython does not accept it. The parser moves behind it."""
    start = parser.current
    try:
        with parser.restrict_to(size):
            return dns.rdata.from_wire_parser(rdclass, record_type, parser)
    except Exception:  # dnspython raises many classes, among them ValueError
        return None
    finally:
        parser.seek(start)
        parser.get_bytes(size)


def name_end(wire, at):
    """The place behind a name, without its pointers. Raises IndexError if it is incomplete."""
    while 0 < wire[at] < 0xc0:
        at += wire[at] + 1
    return at + (2 if wire[at] else 1)


def owners(wire):
    """Yields the section, the place of the owner and of the type of each record, as far as names
    and lengths lead."""
    counts = struct.unpack_from("!4H", wire, 4)
    try:
        at = name_end(wire, 12) + 4 if counts[0] else 12
        for section in range(3):
            for _ in range(counts[section + 1]):
                type_at = name_end(wire, at)
                yield section, at, type_at
                at = type_at + 10 + struct.unpack_from("!H", wire, type_at + 8)[0]
    except (IndexError, struct.error):
        pass


def walk(wire):
    """Yields the records up to the first incomplete one, then True if there are no more."""
    parser = dns.wire.Parser(wire)
    count = 0
    try:
        for section, owner_at, type_at in owners(wire):
            parser = dns.wire.Parser(wire, owner_at)
            name = parser.get_name()
            parser = dns.wire.Parser(wire, type_at)
            record_type, rdclass, ttl, size = parser.get_struct("!HHIH")
            rdata = rdata_of(parser, record_type, rdclass, size)
            yield Record(section, name, record_type, rdclass, ttl, rdata, type_at)
            count += 1
    except dns.exception.DNSException:
        return
    if count == sum(struct.unpack_from("!3H", wire, 6)):
        yield True


def parts(wire, at):
    """Yields the place of each part of a name to which a pointer leads, and the number of bytes
    by which it reaches into the part with the pointer."""
    start = at
    while at + 1 < len(wire) and wire[at] > 0:
        if wire[at] < 0xc0:
            at += wire[at] + 1
            continue
        to = (wire[at] & 0x3f) << 8 | wire[at + 1]
        if to >= start:
            return
        try:
            yield to, name_end(wire, to) - start
        except IndexError:
            return
        start = at = to


def fault(wire, at):
    """The reason why stdsocks refuses a name that dnspython may read, or None."""
    found = list(parts(wire, at))
    if any(to < 12 for to, _ in found):
        return "header"
    if any(reach > 0 for _, reach in found):
        return "overlap"
    return "pointers" if len(found) > POINTERS_MAX else None


def fault_of_records(wire, query):
    """The first such reason in the owners of the records, or in data that may be used."""
    for section, owner_at, type_at in owners(wire):
        places = [owner_at]
        if section == 0 and wire[type_at:type_at + 2] in (b"\0\5", struct.pack("!H", query.type)):
            places.append(type_at + 10)
        for at in places[:2 if query.type == PTR or wire[type_at + 1:type_at + 2] == b"\5" else 1]:
            reason = fault(wire, at)
            if reason:
                return reason
    return None


def is_ours(query, wire):
    """Whether dnspython reads a header and a question that answer the query."""
    try:
        message = dns.message.from_wire(wire, question_only=True, ignore_trailing=True)
    except Exception:
        return False
    if message.id != query.id or not message.flags & dns.flags.QR:
        return False
    if message.opcode() != dns.opcode.QUERY:
        return False
    if not message.question and message.rcode() in (dns.rcode.FORMERR, dns.rcode.NOTIMP):
        differs("no question")
        return True
    if [(q.name, q.rdtype, q.rdclass) for q in message.question] != [(query.name, query.type, IN)]:
        return False
    reason = fault(wire, 12)
    if reason:
        differs(reason)
    return not reason


def neutral(wire, records):
    """The message with another type for the OPT and TSIG records that dnspython refuses. Returns
    None if that is not possible."""
    changed, has_opt = bytearray(wire), False
    for record in records:
        is_first_opt = record.type == OPT and record.section == 2 and not has_opt
        if is_first_opt:
            has_opt = True
            if record.name != dns.name.root:
                differs("OPT")
                return None
        elif record.type in (OPT, TSIG):
            differs("OPT" if record.type == OPT else "TSIG")
            struct.pack_into("!H", changed, record.type_at, OTHER_TYPE)
    return bytes(changed)


def read(wire, has_tc):
    """The message as dnspython reads it, without the records that it refuses."""
    try:
        return dns.message.from_wire(wire)
    except dns.message.TrailingJunk:
        differs("trailing bytes")
    except Exception:
        differs("truncated" if has_tc else "RDATA")
    return dns.message.from_wire(wire, ignore_trailing=True, continue_on_error=True)


def links(query, records):
    """The CNAME records of the chain, at most 17, and whether a name has several."""
    chain, name, several = [], query.name, False
    while len(chain) <= 16:
        found = [record for record in records if record.section == 0 and record.type == CNAME and
                 record.rdclass == IN and record.name == name]
        several |= len(found) > 1
        if not found:
            break
        chain.append(found[0])
        if found[0].rdata is None:
            break
        name = found[0].rdata.target
    return chain, several


def check_malformed(query, wire, records, is_complete):
    """stdsocks refuses an answer to the query: there must be a reason."""
    tc = wire[2] & 2
    chain, _ = links(query, records)
    bad = [record for record in records if record.rdata is None and record.section == 0 and
           record.type in (CNAME, query.type) and record.rdclass == IN]
    if len(chain) > 16 or bad or not is_complete and not tc:
        return
    reason = fault_of_records(wire, query)
    assert reason
    if reason != "pointers":
        differs(reason)


def results_of(query, message):
    """The results, the TTL and the last name of dnspython's chain; None if it has another rule."""
    try:
        chained = message.resolve_chaining()
    except dns.message.AnswerForNXDOMAIN:
        return differs("rcode")
    except dns.message.ChainTooLong:
        return differs("16 links")
    if not chained.answer:
        return [], chained.minimum_ttl, chained.canonical_name
    if message.get_rrset(message.answer, chained.canonical_name, IN, CNAME):
        return differs("beside")
    if query.type == PTR:
        results = [text(rdata.target).encode() for rdata in chained.answer]
    else:
        results = [rdata.to_wire() for rdata in chained.answer]
    return results, chained.minimum_ttl, chained.canonical_name


def limited(ttl):
    return 0 if ttl >> 31 else ttl


def negative_ttl(wire, records, ttl):
    """The TTL of an answer without results, if its chain has this one."""
    soas = [record for record in records if record.section == 1 and record.type == SOA and
            record.rdclass == IN]
    if not soas or soas[0].rdata is None:
        return 0
    mname_at = soas[0].type_at + 10
    reason = fault(wire, mname_at) or fault(wire, name_end(wire, mname_at))
    if reason:
        differs(reason)
        return 0
    return min(ttl, limited(min(soas[0].ttl, soas[0].rdata.minimum)))


def check_results(query, wire, records, message, values):
    tc, ttl, owner, results = values
    chain, several = links(query, records)
    if several:
        return differs("several")
    expected = results_of(query, message)
    if expected is None:
        return None
    want, want_ttl, name = expected
    least_ttl = min([limited(record.ttl) for record in chain], default=0x7fffffff)
    if any(len(result) > 255 for result in want):
        differs("long text")
        want, least_ttl = [result for result in want if len(result) <= 255], want_ttl
    if len(set(results)) < len(results):
        differs("duplicates")
    assert list(dict.fromkeys(results)) == want
    assert owner.lower() == text(name).encode().lower()
    if not want:
        least_ttl = negative_ttl(wire, records, least_ttl)
        if least_ttl != want_ttl:
            differs("SOA")
        want_ttl = least_ttl
    assert ttl == (0 if tc else want_ttl)
    return None


def check_answer(query, wire, records, is_complete, values):
    """stdsocks accepts an answer to the query: dnspython must have the same values."""
    rcode, tc, edns, referral, ttl, owner, *results = values
    rcode, tc, edns, referral, ttl = map(int, (rcode, tc, edns, referral, ttl))
    results = list(map(bytes.fromhex, results))
    flags = struct.unpack_from("!H", wire, 2)[0]
    assert is_complete or tc
    assert tc == bool(flags & dns.flags.TC)
    assert referral == (rcode == 0 and not results and
                        not flags & (dns.flags.AA | dns.flags.RA | dns.flags.TC))
    opts = [record for record in records if record.type == OPT and record.section == 2]
    assert edns == bool(opts)
    assert rcode == flags & 15 | (opts[0].ttl >> 24 << 4 if opts else 0)
    changed = neutral(wire, records)
    if not changed:
        return
    message = read(changed, tc)
    if message.opt is not None:
        assert rcode == message.rcode()
    if not message.question:
        assert not results and ttl == 0
    elif rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        assert not results and ttl == 0 and bytes.fromhex(owner) == text(query.name).encode()
        if message.answer:
            differs("rcode")
    else:
        check_results(query, wire, records, message, (tc, ttl, bytes.fromhex(owner), results))


def before_fault(wire):
    """A truncated message without the first record whose owner stdsocks refuses."""
    for _, owner_at, _ in owners(wire):
        reason = fault(wire, owner_at)
        if reason:
            if reason != "pointers":
                differs(reason)
            return wire[:owner_at]
    return wire


def check(query, wire, answer):
    verdict, *values = answer.split(" ")
    if not is_ours(query, wire):
        assert verdict == "NOT_OURS"
        return
    if verdict == "ANSWER" and wire[2] & 2:
        wire = before_fault(wire)
    records = list(walk(wire))
    is_complete = bool(records) and records[-1] is True
    records = records[:-1] if is_complete else records
    if verdict == "ANSWER":
        check_answer(query, wire, records, is_complete, values)
    else:
        assert verdict == "MALFORMED"
        check_malformed(query, wire, records, is_complete)


def rr(name, record_type, ttl, data):
    rrset = dns.rrset.from_text(name, 0, IN, record_type, data)
    rrset.ttl = ttl
    return rrset


def random_ttl():
    return random.choice([0, 1, 60, 3600, 2**31 - 1, 2**31, 2**32 - 1, random.getrandbits(32)])


def random_data(record_type):
    if record_type == A:
        return f"192.0.2.{random.randrange(8)}"
    return f"2001:db8::{random.randrange(8)}" if record_type == AAAA else str(random.choice(NAMES))


def random_records(query):
    """Records of a name, perhaps behind CNAME records, and others."""
    count = random.choice([0, 0, 0, 0, 1, 1, 2, 3, 15, 16, 17])
    names = [query.name, *(dns.name.from_text(f"n{i}.example.") for i in range(count))]
    records = [rr(name, CNAME, random_ttl(), str(target)) for name, target in zip(names, names[1:])]
    for _ in range(random.choice([0, 1, 1, 2, 4])):
        records.append(rr(names[-1], query.type, random_ttl(), random_data(query.type)))
    for _ in range(random.choice([0, 0, 0, 1, 3])):
        name, record_type = random.choice([*NAMES, *names]), random.choice(TYPES)
        records.append(rr(name, record_type, random_ttl(), random_data(record_type)))
    if random.random() < 0.1:
        records.append(rr(random.choice(names), CNAME, random_ttl(), str(random.choice(NAMES))))
    if random.random() < 0.3:
        random.shuffle(records)
    return records


def build():
    """A query, and an answer to it that dnspython wrote."""
    query = Query(ID, random.choice(TYPES), random.choice(QUERIED))
    request = dns.message.make_query(query.name, query.type, id=ID)
    message = dns.message.make_response(request)
    message.flags = dns.flags.QR
    for flag in random.choice([[], ["RD", "RA"], ["RD", "RA"], ["AA"], ["RD", "RA", "TC"]]):
        message.flags |= dns.flags.from_text(flag)
    message.answer = random_records(query)
    if random.random() < 0.4:
        data = f"ns.a. root.a. 1 2 3 4 {random_ttl()}"
        message.authority.append(rr(random.choice(NAMES), SOA, random_ttl(), data))
    if random.random() < 0.5:
        message.use_edns(0, payload=1232)
        message.set_rcode(random.choice([0, 0, 0, 3, 16, 23]))
    else:
        message.set_rcode(random.choice([0, 0, 0, 0, 1, 2, 3, 3, 4, 5]))
    return query, message.to_wire(max_size=65535)


def add_record(wire, record_type):
    """The message with one more record in the additional section."""
    record = struct.pack("!BHHIH", 0, record_type, 255, 0, 0)
    return wire[:10] + struct.pack("!H", struct.unpack_from("!H", wire, 10)[0] + 1) + \
        wire[12:] + record


def damage(query, wire):
    question = 12 + len(query.name.to_wire()) + 4
    at = random.randrange(question, len(wire)) if len(wire) > question + 1 else 11
    at = random.choice([at, at, at, at, random.randrange(len(wire)), random.randrange(12)])
    place = random.choice([0, 10, 11, 12, max(0, at - random.randrange(9)), random.randrange(200)])
    pointer = struct.pack("!H", 0xc000 | place & 0x3fff)
    return random.choice([
        lambda: wire[:max(1, at)],
        lambda: wire[:at] + random.randbytes(1) + wire[at + 1:],
        lambda: wire[:at] + random.randbytes(1) + wire[at:],
        lambda: wire[:at] + wire[at + 1:],
        lambda: wire[:at] + pointer + wire[at + 2:],
        lambda: wire[:at] + pointer + wire[at + 2:],
        lambda: wire[:at] + bytes([wire[at] ^ 1 << random.randrange(8)]) + wire[at + 1:],
        lambda: wire[:2] + bytes([wire[2] | 2]) + wire[3:at],
        lambda: wire + random.randbytes(random.randrange(1, 9)),
        lambda: add_record(wire, random.choice([OPT, OPT, TSIG])),
        lambda: wire[:3] + random.choice([b"\1", b"\4"]) + b"\0\0" + wire[6:12] + wire[question:],
    ])()


def from_corpus(path):
    """Yields the queries and messages of the inputs of dns.c."""
    for line in open(path, encoding="utf-8"):
        data = b"" if line.startswith("#") else bytes.fromhex(line)
        if len(data) < 4 or len(data) < 4 + data[3]:
            continue
        choice, rest = data[0], data[4 + data[3]:]
        try:
            labels = data[4:4 + data[3]].rstrip(b".").split(b".")
            name = dns.name.Name([*labels, b""])
        except dns.exception.DNSException:
            continue
        query = Query(ID, (A, AAAA, PTR, A)[choice // 2 % 4], name)
        if choice & 1 and len(rest) > 1:
            yield query._replace(id=rest[0] << 8 | rest[1]), rest
        elif not choice & 1 and len(rest) >= 5:
            flags = struct.unpack_from("!H", rest)[0] & 0x07ff | 0x8000
            yield query, struct.pack("!6H", ID, flags, 1, *rest[2:5]) + name.to_wire() + \
                struct.pack("!HH", query.type, IN) + rest[5:]


def ask(batch, lines):
    answers = subprocess.run([batch], input="".join(f"{line}\n" for line in lines), text=True,
                             stdout=subprocess.PIPE, check=True).stdout.splitlines()
    assert len(answers) == len(lines)
    return answers


def name_hex(name):
    """Hex text of the labels and dots, without escapes, as wire/dns reads a name."""
    return (b".".join(name.labels[:-1]) or b".").hex()


def check_queries(batch):
    queries = [(random.getrandbits(16), record_type, name, edns)
               for name in QUERIED for record_type in TYPES for edns in (0, 1)]
    lines = [f"query {number} {record_type} {name_hex(name)} {edns}"
             for number, record_type, name, edns in queries]
    for (number, record_type, name, edns), answer in zip(queries, ask(batch, lines)):
        want = dns.message.make_query(name, record_type, id=number)
        want.use_edns(0 if edns else None, payload=1232)
        found = dns.message.from_wire(bytes.fromhex(answer.split()[1]))
        assert found.to_wire() == want.to_wire() == bytes.fromhex(answer.split()[1])
    return len(queries)


def main():
    batch, corpus = sys.argv[1:3]
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 5000
    random.seed(int(sys.argv[4]) if len(sys.argv) > 4 else 1035)
    queries = check_queries(batch)
    messages = list(from_corpus(corpus))
    seeds = len(messages)
    for number in range(count):
        query, wire = build()
        messages.append((query, damage(query, wire) if number % 4 else wire))
    lines = [f"answer {query.id} {query.type} {name_hex(query.name)} {wire.hex()}"
             for query, wire in messages]
    verdicts = collections.Counter()
    for (query, wire), line, answer in zip(messages, lines, ask(batch, lines)):
        try:
            check(query, wire, answer)
        except Exception:
            print(f"{line}\nstdsocks returns {answer}", file=sys.stderr)
            raise
        verdicts[answer.split(" ")[0]] += 1
    print(f"{queries} queries; {len(messages)} messages, {seeds} inputs of the corpus among them:",
          ", ".join(f"{number} {verdict}" for verdict, number in sorted(verdicts.items())))
    for reason, explanation in EXPLAINED.items():
        print(f"{needed[reason]:6} x {reason}: {explanation}")
    unused = EXPLAINED.keys() - needed.keys()
    if unused:
        sys.exit(f"no message needed the explanation of {', '.join(sorted(unused))}")


if __name__ == "__main__":
    main()
