# SPDX-License-Identifier: ISC
"""Sessions in which one system call fails (strace --inject), and what may become of them.

A session is whole: a greeting, a request, UP from the client and its end, DOWN from upstream and its
end. It is run once under strace, which counts the calls of each process from main() on, and then once
for each call, ordinal and error. Whatever failed, judge() says what is wrong with the outcome.

The calls before main() are the C library's and are left alone.
"""

import collections
import contextlib
import glob
import itertools
import os
import re
import select
import signal
import socket
import sys
import threading
import time
import traceback

from dns import Server
from logs import JOURNAL, Reader, fields
from socks import GREETING, check, pattern, request
from world import STDSOCKS, WORLD, Handler, connection, libc, listener, mount, request_name, sys_call

ERRORS = ("EINTR", "EAGAIN", "ENOMEM", "EMFILE", "ECONNRESET", "ENOBUFS")
# The half-closed timeout ends each run in which shutdown(2) fails, so it is short.
LIMITS = ("-o", "timeout handshake 3s", "-o", "timeout connect 2s", "-o", "timeout idle 3s",
          "-o", "timeout half-closed 1500ms")
HANGS_S = 12  # more than all of those together
UP, DOWN = pattern(5000), pattern(9000)[::-1]
ENDS = {"closed", "reset", "vanished", "idle-timeout", "half-closed-timeout", "lifetime", "terminated", "refused",
        "not-socks5", "no-method", "login-failed", "client-gone", "handshake-timeout", "failed"}
CLONE_NEWNS = 0x20000

# Where nothing is injected, and why.
LEFT_OUT = {
    "execve": "of strace and of the program that is asked for a password",
    "exit_group": "does not return",
    "brk": "has no errors: what strace answers in their place is taken for an address",
    "futex": "the GNU C library's own: it aborts where waking nobody fails, which it cannot",
}

OF_A_SANITIZER = {"mmap", "munmap", "madvise", "mprotect", "prctl", "sigaltstack", "getrandom"}


def left_out():
    """A sanitizer makes these calls too, between ours, and ends the process where one of its own fails."""
    with open(STDSOCKS, "rb") as file:
        return {*LEFT_OUT, *(OF_A_SANITIZER if b"__asan_init" in file.read() else ())}


# Calls that the kernel can interrupt (not open(2) of a file on a disk), or that may say "try again" of a
# descriptor that does not block: then nothing at all may be different.
INTERRUPTED = {"connect", "poll", "ppoll", "read", "recvfrom", "recvmsg", "sendmmsg", "sendto",
               "wait4", "write"}
TRY_AGAIN = {"recvfrom", "sendto"}


class End:
    """One end of a stream, by two descriptors, and what came from it."""

    def __init__(self, reads, writes):
        self.reads, self.writes = reads, writes
        self.got = bytearray()
        self.end = None  # or "fin", or "reset"

    def read(self):
        """Read a piece; return whether there was one."""
        try:
            piece = os.read(self.reads.fileno(), 65536)
        except ConnectionResetError:
            self.end = "reset"
            return False
        self.got += piece
        if not piece:
            self.end = "fin"
        return bool(piece)

    def write(self, data):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while data:
                data = data[os.write(self.writes.fileno(), data) :]

    def finish(self):
        """End our direction."""
        if isinstance(self.writes, socket.socket):
            with contextlib.suppress(OSError):
                self.writes.shutdown(socket.SHUT_WR)
        else:
            self.writes.close()

    def close(self):
        self.reads.close()
        self.writes.close()


# The sessions


class Session:
    """An inet client that says everything at once; the record is on standard error."""

    options = ()
    trace = True
    methods = GREETING
    login = b""
    host = "127.0.0.1"
    resets = True  # whether the client's end can be reset
    never_interrupted = frozenset()  # calls of the C library for files on a disk
    journal = None
    record_call = "write"  # its last one in a whole session, the record_ordinal'th
    record_ordinal = 0  # ordinals() finds it, and
    journal_calls = frozenset()  # the calls and their ordinals of the journal's socket, and of the way there

    def __init__(self):
        self.listening = listener()
        self.listening.setblocking(False)
        self.port = self.listening.getsockname()[1]

    def request(self):
        return request(self.host, self.port)

    def start(self, before):
        """The handler and the client's end."""
        ends = self.ends()
        return Handler(*LIMITS, *self.options, trace=self.trace, before=before, ends=ends), End(ends[0], ends[0])

    def ends(self):
        return connection()


class Named(Session):
    """The first of two addresses refuses."""

    host = b"two.test"
    never_interrupted = frozenset({"read"})
    has_server = False

    def __init__(self):
        super().__init__()
        if not self.has_server:
            apart(lambda: Server({"two.test": ["127.0.0.3", "127.0.0.1"]}))
        Named.has_server = True

    def request(self):
        return request_name(self.host, self.port)


class Login(Session):
    """A password from a file of users, and settings from a file."""

    methods, login = b"\x05\x01\x02", b"\x01\x05alice\x06secret"

    def __init__(self):
        super().__init__()
        put("users", "alice:secret\n", 0o640)
        put("conf", f"auth password\nusers {WORLD}/users\n")
        self.options = ("-f", f"{WORLD}/conf")


class Program(Session):
    """A password that a program knows."""

    methods, login = b"\x05\x01\x02", b"\x01\x05alice\x06secret"

    def __init__(self):
        super().__init__()
        # Not in WORLD, which is root's: it runs as the user that the handler becomes.
        put("/run/program", '#!/bin/sh\nexec "$@"\n', 0o755)
        self.options = ("-o", "auth password", "-o", "checkpassword /run/program")


class Pipes(Session):
    """Standard input and output are pipes."""

    resets = False

    def start(self, before):
        its_stdin, to_it = os.pipe()
        from_it, its_stdout = os.pipe()
        h = Handler(*LIMITS, *self.options, before=before, ends=socket.socketpair(), stdin=its_stdin, stdout=its_stdout)
        os.close(its_stdin)
        os.close(its_stdout)
        return h, End(os.fdopen(from_it, "rb", 0), os.fdopen(to_it, "wb", 0))


class Journaled(Session):
    """A client of this host on AF_UNIX; the record goes to the journal, or else to standard error."""

    trace = False
    resets = False
    never_interrupted = frozenset({"read"})

    def __init__(self):
        super().__init__()
        self.journal = Reader(JOURNAL)

    def ends(self):
        return socket.socketpair()


class Inetd(Session):
    """Standard error is the client's socket, as inetd has it; the record goes to the journal."""

    trace = False
    record_call = "sendto"

    def __init__(self):
        super().__init__()
        self.journal = Reader(JOURNAL)

    def start(self, before):
        client, accepted = connection()
        h = Handler(*LIMITS, *self.options, trace=False, before=before, ends=(client, accepted), stderr=accepted)
        return h, End(client, client)


SESSIONS = {"literal": Session, "name": Named, "login": Login, "program": Program, "pipes": Pipes,
            "journal": Journaled, "inetd": Inetd}


def put(name, text, mode=0o644):
    """Write a file, which other workers' handlers may be reading, as a whole."""
    path = os.path.join(WORLD, name)
    new = f"{path}.{os.getpid()}"
    with open(new, "w", encoding="ascii") as file:
        file.write(text)
    os.chmod(new, mode)
    os.replace(new, path)


def apart(function):
    """Run FUNCTION in a process of its own, which then stays; return once it has."""
    read_end, write_end = os.pipe()
    if os.fork() == 0:
        os.close(read_end)
        function()
        os.close(write_end)
        signal.pause()
    os.close(write_end)
    os.read(read_end, 1)
    os.close(read_end)


# One run


Outcome = collections.namedtuple("Outcome", "status client upstreams records said")


class Run:
    """A session with one system call failing, until everything has ended."""

    def __init__(self, session, before):
        self.session = session
        self.deadline = time.monotonic() + HANGS_S
        self.upstreams = []
        self.threads = []
        self.handler, self.client = session.start(before)
        # With a timeout their descriptors would not block.
        for end in {self.client.reads, self.client.writes}:
            os.set_blocking(end.fileno(), True)

    def outcome(self):
        self.begin(self.send_all, self.client)
        self.begin(self.read_all, self.client)
        pidfd = os.pidfd_open(self.handler.pid)
        ready = []
        while pidfd not in ready:
            ready = select.select([pidfd, self.session.listening], [], [], self.left_s())[0]
            assert ready, f"it hangs: {self.where()}"
            self.accept()
        os.close(pidfd)
        self.accept()
        for thread in self.threads:
            thread.join(self.left_s())
            assert not thread.is_alive(), f"it hangs: {self.where()}"
        status = self.handler.process.wait()
        for each in (self.client, *self.upstreams):
            each.close()
        return Outcome(status, self.client, self.upstreams, self.records(), self.handler.log_text())

    def left_s(self):
        return max(0, self.deadline - time.monotonic())

    def begin(self, function, end):
        self.threads.append(threading.Thread(target=function, args=(end,), daemon=True))
        self.threads[-1].start()

    def where(self):
        ends = [f"{each.end} after {len(each.got)} bytes" for each in (self.client, *self.upstreams)]
        return f"process {self.handler.state()}, {', '.join(ends)}; said:\n{self.handler.log_text()}"

    def accept(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                sock = self.session.listening.accept()[0]
                sock.setblocking(True)
                self.upstreams.append(End(sock, sock))
                self.begin(self.serve, self.upstreams[-1])

    def send_all(self, client):
        client.write(self.session.methods + self.session.login + self.session.request() + UP)
        client.finish()

    @staticmethod
    def read_all(end):
        while end.read():
            pass

    @staticmethod
    def serve(upstream):
        """The first half at the first byte, the rest at the end."""
        if has_begun := upstream.read():
            upstream.write(DOWN[:4000])
            Run.read_all(upstream)
        if upstream.end == "fin":
            upstream.write(DOWN[4000:] if has_begun else b"")
            upstream.finish()

    def records(self):
        """Every record that was left, as its fields; without fields, as what its line tells."""
        found = []
        if self.session.journal:
            found += [record for each in self.session.journal.all() if "STDSOCKS_END" in (record := fields(each))]
        said = self.handler.log_text()
        lines = re.findall(r"^stdsocks: .*?: (.*), \d+\.\d{3} s$", said, re.MULTILINE)
        if self.session.trace:
            assert said.count("STDSOCKS_END=") == len(lines), said
            return found + [self.handler.record()] * len(lines)
        return found + [{"STDSOCKS_END": END_OF_PHRASE[re.split(r" by |, | \(", line)[0]]} for line in lines]


END_OF_PHRASE = {"closed": "closed", "reset": "reset", "refused": "refused", "gone before it was served": "client-gone",
                 "the system failed us": "failed", "the handshake took too long": "handshake-timeout"}


# What is right


def stream_of(session, got):
    """A client's bytes as (reply code or None, what follows it). Raises where they are no server's."""
    got = bytes(got)
    method = 2 if session.login else 0
    if len(got) < 2 or got[:2] == b"\x05\xff":
        assert b"\x05\xff".startswith(got) or got == b"\x05\xff", "no method"
        return None, b""
    assert got[:2] == bytes([5, method]), "another method"
    got = got[2:]
    if session.login:
        assert b"\x01\x00".startswith(got[:2]) or got == b"\x01\x01", "no login status"
        if got[:2] != b"\x01\x00":
            return None, b""
        got = got[2:]
    if len(got) < 10:
        return None, b""
    assert got[:1] + got[2:4] == b"\x05\x00\x01", "no reply"
    return got[1], got[10:]


def judge(session, outcome, call=None, ordinal=0, error=None):
    """What is wrong with it: a list of words."""
    wrong = []
    must_be_whole = must_be_invisible(call, error) and call not in session.never_interrupted
    try:
        code, rest = stream_of(session, outcome.client.got)
    except AssertionError as reason:
        return [f"the client got {reason}: {bytes(outcome.client.got[:80])!r}"]
    if len(outcome.records) != 1 and (must_be_whole or not may_lose_record(session, call, ordinal)):
        return [f"{len(outcome.records)} records"]
    record = outcome.records[0] if outcome.records else {}
    end = record.get("STDSOCKS_END")
    if end and end not in ENDS:
        wrong.append("an unknown end")
    wrong += judge_status(outcome, end, call)
    wrong += judge_reply(session, outcome, code, rest, record)
    if code == 1 and record and end != "failed" and error != "ECONNRESET":  # which no call but of a connection says
        wrong.append("general failure, and nothing has failed")
    wrong += judge_bytes(session, outcome, code, rest, end)
    if must_be_whole and end != "closed":
        wrong.append("it was not as if nothing had happened")
    return wrong


def judge_status(outcome, end, call):
    wanted = {71} if end == "failed" else {0} if end else {0, 71}
    if end == "failed" and call in CONFIGURING:
        wanted |= {78}
    return [] if outcome.status in wanted else [f"status {outcome.status}"]


def judge_reply(session, outcome, code, rest, record):
    wrong = []
    if len(outcome.upstreams) > 1:
        wrong.append("it connected twice")
    if code == 0 and not outcome.upstreams:
        wrong.append("succeeded, and nothing is connected")
    if code and (rest or any(each.got for each in outcome.upstreams)):
        wrong.append("bytes went on after a refusal")
    said = record.get("STDSOCKS_REPLY")
    if said is not None and code is not None and said != str(code):
        wrong.append(f"the record has reply {said}, the client {code}")
    return wrong


def judge_bytes(session, outcome, code, rest, end):
    wrong = []
    upstream = outcome.upstreams[0] if outcome.upstreams else None
    if not DOWN.startswith(rest) or (upstream and not UP.startswith(bytes(upstream.got))):
        wrong.append("other bytes than were sent")
    if end == "closed" and (rest != DOWN or bytes(upstream.got) != UP):
        wrong.append(f"closed, after {len(upstream.got)} bytes up and {len(rest)} down")
    if code == 0 and rest != DOWN and session.resets and outcome.client.end != "reset":
        wrong.append(f"FIN after {len(rest)} bytes down")
    if code == 0 and upstream and bytes(upstream.got) != UP and upstream.end != "reset":
        wrong.append(f"FIN after {len(upstream.got)} bytes up")
    return wrong


def must_be_invisible(call, error):
    return (error == "EINTR" and call in INTERRUPTED) or (error == "EAGAIN" and call in TRY_AGAIN)


# Reading settings: what cannot be read is a configuration that is wrong.
CONFIGURING = {"open", "openat", "read", "fstat", "newfstatat", "lstat", "stat", "access", "faccessat"}


def may_lose_record(session, call, ordinal):
    """Whether the call that failed was one that the record needs, and had nothing to fall back on."""
    if call in {"fstat", "newfstatat"}:  # whether standard error is the client's
        return True
    if isinstance(session, Inetd) and (call, ordinal) in session.journal_calls:
        return True
    # One less where the relay had a turn less.
    return call == session.record_call and ordinal >= session.record_ordinal - 1


# All of them


def strace(call=None, ordinal=0, error=None, log="/dev/null"):
    inject = ["-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={ordinal}"] if call else []
    return ["strace", "-f", "-b", "execve", "-qq", "-o", log, *inject]


def ordinals(kind):
    """The calls of a kind of session from main() on, as sorted pairs of call and ordinal."""
    session = kind()
    kind.journal_calls = set()
    log = f"{WORLD}/calls.{os.getpid()}"
    outcome = Run(session, strace(log=log)).outcome()
    wrong = judge(session, outcome)
    assert not wrong and outcome.status == 0, f"without a failure: {wrong}: {outcome}"
    counts, before = collections.defaultdict(collections.Counter), {}
    with open(log, encoding="utf-8", errors="replace") as calls:
        for line in calls:
            if match := re.match(r"(\d+) +(\w+)\(", line):
                pid, call = match.groups()
                counts[pid][call] += 1
                if re.search(r"socket\(AF_UNIX, SOCK_DGRAM|journal/socket", line):
                    kind.journal_calls.add((call, counts[pid][call]))
                if "RLIMIT_CORE" in line:  # the first call of main(); a sanitizer makes it before that, too
                    before = {pid: counts[pid] - collections.Counter({call: 1})}
    kind.record_ordinal = counts[next(iter(before))][session.record_call]
    return sorted({(call, ordinal) for pid, count in counts.items() for call, last in count.items()
                   for ordinal in range(before.get(pid, {}).get(call, 0) + 1, last + 1) if call not in left_out()})


def selected(found, others):
    """Pairs of a call and its ordinal, with errors: each pair with one at least, and each call with every
    error, unless it is one of OTHERS. With INJECT=all, each pair with every error."""
    if os.environ.get("INJECT") == "all":
        return [(call, ordinal, error) for call, ordinal in found for error in ERRORS]
    return sorted({pair for call in {call for call, _ in found} for pair in selected_of(call, found, call in others)})


def selected_of(call, found, is_other):
    those = [ordinal for each, ordinal in found if each == call]
    for i in range(len(those) if is_other else max(len(those), len(ERRORS))):
        yield call, those[i % len(those)], ERRORS[i % len(ERRORS)]


def attempt(session, call, ordinal, error):
    run = Run(session, strace(call, ordinal, error))
    try:
        outcome = run.outcome()
        wrong = judge(session, outcome, call, ordinal, error)
    except AssertionError as reason:
        return f"{call} {ordinal} {error}: {reason}"
    finally:
        run.handler.process.kill()
    if not wrong:
        os.unlink(run.handler.log)
        return None
    ends = [f"{each.end} after {len(each.got)}" for each in (outcome.client, *outcome.upstreams)]
    return f"{call} {ordinal} {error}: {'; '.join(wrong)}: status {outcome.status}, {ends}, {outcome.records}"


def work(kind, number, cases):
    """One worker's share."""
    Handler.count = number * 1000000
    session, bad = SESSIONS[kind](), 0
    for case in cases:
        if said := attempt(session, *case):
            bad += 1
            print(f"{kind}: {said}", file=sys.stderr, flush=True)
    print(f"{kind}: {len(cases)} runs, {bad} wrong", flush=True)
    assert not bad


def side_by_side(tasks):
    """Each task in a process and a mount namespace with a journal of its own; all must succeed."""
    os.makedirs("/run/systemd", exist_ok=True)
    workers = []
    for task, *arguments in tasks:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                sys_call(libc.unshare, CLONE_NEWNS)
                mount("tmpfs", "/run/systemd", "tmpfs")
                task(*arguments)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        workers.append(pid)
    statuses = [os.waitpid(pid, 0)[1] for pid in workers]
    assert not any(statuses), statuses


def matrix(kind, errors):
    """Run the cases of a session with some of the errors, or with all. The calls of a plain session meet every error
    there, and one in others."""
    others = {call for call, _ in ordinals(SESSIONS["literal"])} if kind != "literal" else set()
    cases = [case for case in selected(ordinals(SESSIONS[kind]), others) if case[2] in (errors or ERRORS)]
    count = 2 * os.cpu_count()  # some runs wait for a timeout
    side_by_side([(work, kind, number, cases[number - 1 :: count]) for number in range(1, count + 1)])


# Under valgrind

# It makes calls of its own that the lock forbids. So the process has no lock: valgrind 3.19 refuses it
# what it takes, and strace does for those that would not.
VALGRIND = ("strace", "-f", "-b", "execve", "-qq", "-o", "/dev/null", "-e", "trace=seccomp,landlock_restrict_self",
            "-e", "inject=seccomp,landlock_restrict_self:error=EPERM",
            "valgrind", "-q", "--vgdb=no", "--error-exitcode=99")
SLOWLY = ("-o", "sandbox best-effort", "-o", "timeout handshake 20s", "-o", "timeout connect 10s",
          "-o", "timeout idle 20s", "-o", "timeout half-closed 20s")


def complaints(kind):
    """What valgrind says, but of calls that it does not know."""
    lines = itertools.chain(*(open(path, encoding="utf-8") for path in glob.glob(f"{WORLD}/{kind}.*")))
    return "".join(line for line in lines if line.startswith("=="))


def memcheck(number, kind):
    Handler.count = number * 1000000
    session = SESSIONS[kind]()
    session.options = (*session.options, *SLOWLY)
    run = Run(session, (*VALGRIND, f"--log-file={WORLD}/{kind}.%p"))
    run.deadline += 40
    outcome = run.outcome()
    wrong = judge(session, outcome)
    assert outcome.status == 0 and not wrong, f"{kind}: {wrong}, status {outcome.status}: {outcome.said}{complaints(kind)}"
    check(outcome.records[0]["STDSOCKS_END"], "closed")
