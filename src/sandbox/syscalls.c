/* SPDX-License-Identifier: ISC */
/* The system calls that are allowed in each stage of a connection (seccomp(2)). */
#include "sandbox/syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined __x86_64__
#define ARCH AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define ARCH AUDIT_ARCH_AARCH64
#elif defined __riscv && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#else
#error "no table of system calls for this architecture"
#endif

/* The bits of an argument that are in mask must equal value, or be at least value. All 64 bits of
 * an argument are compared, except those of a descriptor, of which the kernel reads 32. */
struct check {
	unsigned arg;
	uint64_t mask, value;
	bool is_minimum;
};

#define CHECKS_MAX 3

struct row {
	int number;
	unsigned stages;
	struct check checks[CHECKS_MAX]; /* a mask of 0 always matches */
};

/* The stages, and sets of them: with TCP sockets of their own; handshakes that a stage of MOVING
 * follows; all handshakes; stages that resolve names; that move data. */
#define CONNECT       SYSCALLS_CONNECT
#define RESOLVE       SYSCALLS_RESOLVE
#define BIND          SYSCALLS_BIND
#define ASSOCIATE     SYSCALLS_ASSOCIATE
#define RELAYING      SYSCALLS_RELAYING
#define DATAGRAMS     SYSCALLS_DATAGRAMS
#define ACCEPT        SYSCALLS_ACCEPT
#define ZYGOTE        SYSCALLS_ZYGOTE
#define TCP           (CONNECT | BIND)
#define BEFORE_MOVING (TCP | ASSOCIATE)
#define HANDSHAKES    (BEFORE_MOVING | RESOLVE)
#define NAMES         (HANDSHAKES | DATAGRAMS)
#define MOVING        (RELAYING | DATAGRAMS)
#define ALL           (HANDSHAKES | MOVING)

/* clang-format off */
#define ANY(name, stages)           {SYS_##name, stages, {{0, 0, 0, false}}}
#define IF(name, stages, ...)       {SYS_##name, stages, {__VA_ARGS__}}
#define IS(arg, value)              {arg, UINT64_MAX, (uint64_t)(value), false}
#define IS_WITH(arg, value, extra)  {arg, ~(uint64_t)(extra), (uint64_t)(value), false}
#define HAS_NONE_OF(arg, bits)      {arg, (uint64_t)(bits), 0, false}
#define FD_IS(number)               {0, UINT32_MAX, number, false}
#define FD_IS_FROM(number)          {0, UINT32_MAX, number, true}

#define SOCKET(stages, family, type, protocol)                                                     \
	IF(socket, stages, IS(0, family), IS_WITH(1, type, SOCK_CLOEXEC | SOCK_NONBLOCK),          \
		IS(2, protocol))
#define OPTION(stages, level, name) IF(setsockopt, stages, IS(1, level), IS(2, name))

/* In alphabetical order. ANY allows a call with any arguments, IF only with these. A call with
 * several rows is allowed by each of them, and a call without a row is denied. The filters of
 * earlier stages stay in force: a later stage can only use calls that all of them allow.
 *
 * The program that a row becomes is shorter if rows with the same checks stand together, and values
 * increase. */
static const struct row table[] = {
	/* the inbound connection of BIND; the client's connection */
	ANY(accept4, BIND | ACCEPT),
	/* the source address; no name of the log socket, at which others could reach it */
	IF(bind, BEFORE_MOVING, FD_IS_FROM(SYSCALLS_IP_FD)),
	/* capabilities are dropped before the next stage */
	ANY(capset, BEFORE_MOVING),
	/* for a vDSO without a clock */
	ANY(clock_gettime, ALL),
	/* the children, as fork(2); no threads, no namespaces */
	IF(clone, ZYGOTE, IS(0, SIGCHLD)),
	/* sockets that lost the race of RFC 8305; the end of a pipe */
	ANY(close, ALL),
	/* upstream; sockets of the resolver; not the log socket to another process */
	IF(connect, NAMES, FD_IS_FROM(SYSCALLS_IP_FD)),
	/* the log socket of each child */
	IF(connect, ZYGOTE, FD_IS(SYSCALLS_LOG_FD)),
	/* reset of a connection: an address this short can only be AF_UNSPEC */
	IF(connect, TCP | RELAYING, IS(2, sizeof(sa_family_t))),
	/* the end of the process */
	ANY(exit_group, ALL),
	/* slots of limits; the kernel releases them at the end */
	IF(fcntl, HANDSHAKES, IS(1, F_SETLK)),
	/* the address that a connection leads to, or comes from */
	ANY(getpeername, CONNECT | ACCEPT),
	/* the PID in a line for syslog */
	ANY(getpid, ALL),
	/* whether the zygote still lives */
	ANY(getppid, ACCEPT),
	/* unpredictable query IDs */
	ANY(getrandom, NAMES),
	/* the local address, for the reply and for RFC 6724 */
	ANY(getsockname, NAMES),
	/* the error of a socket */
	IF(getsockopt, HANDSHAKES | RELAYING, IS(1, SOL_SOCKET), IS(2, SO_ERROR)),
	/* the kind of the client's socket */
	IF(getsockopt, ACCEPT, IS(1, SOL_SOCKET), IS(2, SO_TYPE)),
	IF(getsockopt, ACCEPT, IS(1, SOL_SOCKET), IS(2, SO_ACCEPTCONN)),
	/* whether a connection is closed, before a reset */
	IF(getsockopt, TCP | RELAYING, IS(1, IPPROTO_TCP), IS(2, TCP_INFO)),
	/* the number of datagrams that the kernel dropped */
	IF(getsockopt, ASSOCIATE | DATAGRAMS, IS(1, SOL_SOCKET), IS(2, SO_MEMINFO)),
	/* a name server with a scope, such as fe80::1%eth0 */
	IF(ioctl, NAMES, IS(1, SIOCGIFINDEX)),
	/* whether all bytes were acknowledged, before a reset */
	IF(ioctl, TCP | RELAYING, IS(1, TIOCOUTQ)),
	/* children that are not needed */
	IF(kill, ZYGOTE, IS(1, SIGUSR1)),
	/* the inbound connection of BIND */
	ANY(listen, BIND),
	/* whether the configuration has changed */
	ANY(newfstatat, ACCEPT),
	/* all waiting */
	ANY(ppoll, ALL),
	/* the end of a child that waits if the zygote ends; it lives on after it has accepted */
	IF(prctl, ZYGOTE, IS(0, PR_SET_PDEATHSIG), IS(1, SIGTERM)),
	IF(prctl, ACCEPT, IS(0, PR_SET_PDEATHSIG), IS(1, 0)),
	/* hosts(5), resolv.conf(5) */
	ANY(pread64, NAMES),
	/* pipes */
	ANY(read, ALL),
	/* sockets */
	ANY(recvfrom, ALL),
	/* datagrams; no descriptors, which only AF_UNIX can pass */
	IF(recvmmsg, ASSOCIATE | DATAGRAMS, FD_IS_FROM(SYSCALLS_IP_FD)),
	/* signals while a child waits for its connection */
	ANY(rt_sigprocmask, ACCEPT),
	ANY(rt_sigreturn, ACCEPT),
	/* a process group of its own */
	IF(setpgid, ACCEPT, IS(0, 0), IS(1, 0)),
	/* the next stage, without a descriptor for the filter */
	IF(seccomp, BEFORE_MOVING | ACCEPT, IS(0, SECCOMP_SET_MODE_FILTER), IS(1, 0)),
	/* a connection for the supervisor */
	IF(sendmsg, ACCEPT, FD_IS(SYSCALLS_HANDOFF_FD), HAS_NONE_OF(2, MSG_FASTOPEN)),
	/* datagrams; no descriptors */
	IF(sendmmsg, ASSOCIATE | DATAGRAMS, FD_IS_FROM(SYSCALLS_IP_FD),
		HAS_NONE_OF(3, MSG_FASTOPEN)),
	/* sockets, but to no address other than the connected one */
	IF(sendto, ALL, HAS_NONE_OF(3, MSG_FASTOPEN), IS(4, 0)),
	/* the source address */
	OPTION(BEFORE_MOVING, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT),
	/* the rate; large buffers for datagrams */
	OPTION(BEFORE_MOVING, SOL_SOCKET, SO_SNDBUF),
	OPTION(ASSOCIATE, SOL_SOCKET, SO_RCVBUF),
	OPTION(BEFORE_MOVING, SOL_SOCKET, SO_KEEPALIVE),
	/* urgent data */
	OPTION(BEFORE_MOVING | ACCEPT, SOL_SOCKET, SO_OOBINLINE),
	/* the reset of an unexpected inbound connection */
	OPTION(BIND, SOL_SOCKET, SO_LINGER),
	/* the length of an answer over TCP */
	OPTION(NAMES, SOL_SOCKET, SO_RCVLOWAT),
	/* the timeout for writing to the journal */
	OPTION(ALL, SOL_SOCKET, SO_SNDTIMEO),
	/* the source; whether the device has a route to an address of a name */
	OPTION(BEFORE_MOVING | DATAGRAMS, SOL_SOCKET, SO_BINDTODEVICE),
	OPTION(BEFORE_MOVING, SOL_SOCKET, SO_MARK),
	/* the rate */
	OPTION(TCP, SOL_SOCKET, SO_MAX_PACING_RATE),
	/* no delay; keepalive */
	OPTION(BEFORE_MOVING, IPPROTO_TCP, TCP_NODELAY),
	OPTION(BEFORE_MOVING, IPPROTO_TCP, TCP_KEEPIDLE),
	OPTION(BEFORE_MOVING, IPPROTO_TCP, TCP_KEEPINTVL),
	OPTION(BEFORE_MOVING, IPPROTO_TCP, TCP_KEEPCNT),
	/* the rate */
	OPTION(TCP, IPPROTO_TCP, TCP_NOTSENT_LOWAT),
	/* several datagrams in one message */
	OPTION(ASSOCIATE, IPPROTO_UDP, UDP_GRO),
	/* no IPv4-mapped addresses */
	OPTION(NAMES, IPPROTO_IPV6, IPV6_V6ONLY),
	/* the end of one direction */
	ANY(shutdown, ALL),
	/* the log socket of each child */
	SOCKET(ZYGOTE, AF_UNIX, SOCK_DGRAM, 0),
	/* upstream, and DNS over TCP; not MPTCP, which is another protocol */
	SOCKET(NAMES, AF_INET, SOCK_STREAM, IPPROTO_TCP),
	/* DNS; the local address for another address */
	SOCKET(NAMES, AF_INET, SOCK_DGRAM, 0),
	SOCKET(NAMES, AF_INET6, SOCK_STREAM, IPPROTO_TCP),
	SOCKET(NAMES, AF_INET6, SOCK_DGRAM, 0),
	/* whether an address is one of this host */
	SOCKET(NAMES, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE),
	/* the domain of this host's name, if resolv.conf(5) has none */
	ANY(uname, HANDSHAKES),
	/* the checkpassword program; --hex and its translators */
	ANY(wait4, ALL),
	/* pipes; standard error */
	ANY(write, ALL),
#ifdef __SANITIZE_ADDRESS__
	/* AddressSanitizer, at the end */
	IF(mmap, MOVING, HAS_NONE_OF(2, PROT_EXEC)),
	ANY(munmap, ALL),
	ANY(sigaltstack, ALL),
#endif
};
/* clang-format on */

/* -- The BPF program. */

#define PROGRAM_MAX 1024
#define FEW_ROWS    8
#define X32_BIT     0x40000000U

/* The offset of a jump whose target is not known yet. */
#define PENDING UINT8_MAX

struct program {
	uint32_t matching, other; /* verdicts: of calls that a row allows, and of all others */
	unsigned short len;
	bool is_too_long; /* for an instruction, or for the offset of a jump */
	struct sock_filter at[PROGRAM_MAX];
};

/* A statement has no jumps: jt and jf are 0. */
static void put(struct program *p, unsigned code, uint32_t k, uint8_t jt, uint8_t jf)
{
	if (p->len < PROGRAM_MAX)
		p->at[p->len++] = (struct sock_filter){(uint16_t)code, jt, jf, k};
	else
		p->is_too_long = true;
}

static void put_load(struct program *p, size_t offset)
{
	put(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void put_return(struct program *p, uint32_t verdict)
{
	put(p, BPF_RET | BPF_K, verdict, 0, 0);
}

/* Returns the offset of a jump from an earlier instruction to the next one. */
static uint8_t offset_here(struct program *p, unsigned from)
{
	const unsigned offset = p->len - from - 1;

	p->is_too_long |= offset >= PENDING;
	return (uint8_t)offset;
}

/* Lets the comparisons from start on that fail without a target go on at the next instruction. */
static void fail_here(struct program *p, unsigned start)
{
	for (unsigned i = start; i < p->len; i++)
		if (p->at[i].jf == PENDING)
			p->at[i].jf = offset_here(p, i);
}

/* A comparison of 32 bits of the data. A mask of 0 compares nothing. */
struct word {
	uint32_t offset, mask, value;
	bool is_minimum;
};

/* Returns one of the comparisons of a row: that of the number of the call has the index 0, and
 * those of the halves of arguments follow. The mask is 0 if there are fewer. The high halves, which
 * are 0 in most rows, come first: then rows with the same number share their comparison. */
static struct word word_of(const struct row *row, unsigned index)
{
	if (index == 0)
		return (struct word){offsetof(struct seccomp_data, nr), UINT32_MAX,
			(uint32_t)row->number, false};
	for (const struct check *c = row->checks; c < row->checks + CHECKS_MAX; c++)
		for (unsigned bits = 64; bits > 0 && c->mask != 0;) {
			bits -= 32;
			const uint32_t mask = (uint32_t)(c->mask >> bits);
			/* All three architectures are little-endian. */
			if (mask != 0 && --index == 0)
				return (struct word){
					(uint32_t)(offsetof(struct seccomp_data, args) +
						c->arg * sizeof(uint64_t) + bits / 8),
					mask, (uint32_t)(c->value >> bits), c->is_minimum};
		}
	return (struct word){0, 0, 0, false};
}

/* Returns how many of the rows begin with the given word at the index. */
static size_t count_equal(
	const struct row *const *rows, size_t count, unsigned index, const struct word *word)
{
	size_t n = 0;

	for (; n < count; n++) {
		const struct word other = word_of(rows[n], index);
		if (other.offset != word->offset || other.mask != word->mask ||
			other.value != word->value || other.is_minimum != word->is_minimum)
			break;
	}
	return n;
}

static void put_words(
	struct program *p, const struct row *const *rows, size_t count, unsigned index);

/* Puts the comparisons of consecutive rows with one value of a loaded word. Returns the number of
 * these rows. If the first of them has no further comparison, it allows what the others do. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static size_t put_value(struct program *p, const struct row *const *rows, size_t count,
	unsigned index, const struct word *word)
{
	const size_t equal = count_equal(rows, count, index, word);
	const bool is_last = word_of(rows[0], index + 1).mask == 0;

	put(p, BPF_JMP | (word->is_minimum ? BPF_JGE : BPF_JEQ) | BPF_K, word->value,
		is_last ? PENDING : 0, PENDING);
	if (!is_last)
		put_words(p, rows, equal, index + 1);
	return equal;
}

/* Puts the comparisons of rows that are equal before the index. Consecutive values of a word share
 * its load if they increase: then they exclude each other, and a row that does not match behind one
 * of them is followed by the rows with another word. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static void put_words(
	struct program *p, const struct row *const *rows, size_t count, unsigned index)
{
	for (size_t done = 0; done < count;) {
		const unsigned start = p->len;
		struct word word = word_of(rows[done], index), next = word;

		if (index > 0) /* the number is loaded */
			put_load(p, word.offset);
		if (word.mask != UINT32_MAX)
			put(p, BPF_ALU | BPF_AND | BPF_K, word.mask, 0, 0);
		for (;;) {
			const unsigned jump = p->len;
			word = next;
			done += put_value(p, rows + done, count - done, index, &word);
			next = done < count ? word_of(rows[done], index)
					    : (struct word){0, 0, 0, false};
			if (next.offset != word.offset || next.mask != word.mask ||
				next.value <= word.value || word.is_minimum || next.is_minimum)
				break;
			p->at[jump].jf = offset_here(p, jump);
		}
		if (done < count)
			fail_here(p, start);
	}
}

/* Puts a binary search for the loaded number; rows are sorted by number. The kernel runs the
 * program for every possible number when it is installed, to learn which it always allows. Testing
 * the rows one after another made that half of the sandbox's cost. The recursion is as deep as
 * count has bits. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static void put_rows(struct program *p, const struct row *const *rows, size_t count)
{
	const unsigned start = p->len;
	size_t middle = count / 2;
	while (middle > 0 && rows[middle - 1]->number == rows[middle]->number)
		middle--; /* keeps the rows of a number together */

	if (count <= FEW_ROWS || middle == 0) {
		put_words(p, rows, count, 0);
		fail_here(p, start);
		put_return(p, p->other);
		for (unsigned i = start; i < p->len; i++)
			if (p->at[i].jt == PENDING)
				p->at[i].jt = offset_here(p, i);
		put_return(p, p->matching);
		return;
	}
	put(p, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)rows[middle]->number, 0, 0);
	put_rows(p, rows, middle);
	p->at[start].jt = offset_here(p, start);
	put_rows(p, rows + middle, count - middle);
}

static void put_architecture(struct program *p)
{
	put_load(p, offsetof(struct seccomp_data, arch));
	put(p, BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	put_return(p, SECCOMP_RET_KILL_PROCESS);
	put_load(p, offsetof(struct seccomp_data, nr));
	/* -1 is no call: a tracer sets it to skip one (strace --inject). */
	put(p, BPF_JMP | BPF_JEQ | BPF_K, UINT32_MAX, 0, 1);
	put_return(p, SECCOMP_RET_ALLOW);
#ifdef __x86_64__
	put(p, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
	put_return(p, SECCOMP_RET_KILL_PROCESS);
#endif
}

/* Rows with one number keep their order. */
static int by_number(const void *a, const void *b)
{
	const struct row *const *one = a, *const *other = b;
	const int order = (*one)->number - (*other)->number;

	return order != 0 ? order : *one < *other ? -1 : 1;
}

static int install(const struct program *p)
{
	if (p->is_too_long)
		return -E2BIG;
	const struct sock_fprog filter = {.len = p->len, .filter = (struct sock_filter *)p->at};

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0 ? -errno : 0;
}

/* Puts the rows that have one of the given stages, or that have exactly these. Returns their
 * number.
 */
static size_t choose_rows(const struct row **rows, unsigned stages, bool is_exact)
{
	size_t count = 0;

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (is_exact ? table[i].stages == stages : (table[i].stages & stages) != 0)
			rows[count++] = &table[i];
	return count;
}

int syscalls_limit(unsigned stages, int checker_pid)
{
	struct program p = {.matching = SECCOMP_RET_ALLOW, .other = SECCOMP_RET_ERRNO | EPERM};
	/* musl sign-extends an int to 64 bits, the GNU C library does not. */
	const struct row kill_checker[] = {
		IF(kill, HANDSHAKES, IS(0, -(int64_t)checker_pid), IS(1, SIGKILL)),
		IF(kill, HANDSHAKES, IS(0, (uint32_t)-checker_pid), IS(1, SIGKILL)),
	};
	const struct row *rows[sizeof table / sizeof table[0] + 2];
	size_t count = choose_rows(rows, stages, false);

	if (count == 0)
		return -EINVAL; /* the process could not even end */
	for (size_t i = 0; checker_pid > 0 && i < 2; i++)
		rows[count++] = &kill_checker[i];
	qsort(rows, count, sizeof(const struct row *), by_number);
	put_architecture(&p);
	put_rows(&p, rows, count);

	return install(&p);
}

int syscalls_deny_zygote(void)
{
	struct program p = {.matching = SECCOMP_RET_ERRNO | EPERM, .other = SECCOMP_RET_ALLOW};
	const struct row *rows[sizeof table / sizeof table[0]] = {NULL};
	const size_t count = choose_rows(rows, ZYGOTE, true);

	qsort(rows, count, sizeof(const struct row *), by_number);
	put_load(&p, offsetof(struct seccomp_data, nr)); /* the zygote's filter has checked arch */
	put_rows(&p, rows, count);
	return install(&p);
}
