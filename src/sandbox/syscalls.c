/* SPDX-License-Identifier: ISC */
/* The system calls that are allowed in each stage of a connection (seccomp(2)). */
#include "sandbox/syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
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

/* The bits of an argument that are in mask must equal value; all 64 bits are compared. */
struct check {
	unsigned arg;
	uint64_t mask, value;
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
#define ANY(name, stages)           {SYS_##name, stages, {{0, 0, 0}}}
#define IF(name, stages, ...)       {SYS_##name, stages, {__VA_ARGS__}}
#define IS(arg, value)              {arg, UINT64_MAX, (uint64_t)(value)}
#define IS_WITH(arg, value, extra)  {arg, ~(uint64_t)(extra), (uint64_t)(value)}
#define HAS_NONE_OF(arg, bits)      {arg, (uint64_t)(bits), 0}

#define SOCKET(stages, family, type, protocol)                                                     \
	IF(socket, stages, IS(0, family), IS_WITH(1, type, SOCK_CLOEXEC | SOCK_NONBLOCK),          \
		IS(2, protocol))
#define IP_SOCKETS(stages, type, protocol)                                                         \
	SOCKET(stages, AF_INET, type, protocol), SOCKET(stages, AF_INET6, type, protocol)

/* In alphabetical order. ANY allows a call with any arguments, IF only with these. A call with
 * several rows is allowed by each of them, and a call without a row is denied. The filters of
 * earlier stages stay in force: a later stage can only use calls that all of them allow. */
static const struct row table[] = {
	/* the inbound connection of BIND; the client's connection */
	ANY(accept4, BIND | ACCEPT),
	/* the source address */
	ANY(bind, BEFORE_MOVING),
	/* capabilities are dropped before the next stage */
	ANY(capset, BEFORE_MOVING),
	/* for a vDSO without a clock */
	ANY(clock_gettime, ALL),
	/* the children, as fork(2); no threads, no namespaces */
	IF(clone, ZYGOTE, IS(0, SIGCHLD)),
	/* sockets that lost the race of RFC 8305; the end of a pipe */
	ANY(close, ALL),
	/* upstream; sockets of the resolver */
	ANY(connect, NAMES),
	/* reset of a connection: an address this short can only be AF_UNSPEC */
	IF(connect, RELAYING, IS(2, sizeof(sa_family_t))),
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
	IF(getsockopt, TCP | RELAYING, IS(1, SOL_SOCKET), IS(2, SO_ERROR)),
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
	/* the end of the child if the zygote ends */
	IF(prctl, ACCEPT, IS(0, PR_SET_PDEATHSIG)),
	/* hosts(5), resolv.conf(5) */
	ANY(pread64, NAMES),
	/* pipes */
	ANY(read, ALL),
	/* sockets */
	ANY(recvfrom, ALL),
	/* datagrams */
	ANY(recvmmsg, ASSOCIATE | DATAGRAMS),
	/* signals while a child waits for its connection */
	ANY(rt_sigprocmask, ACCEPT),
	ANY(rt_sigreturn, ACCEPT),
	/* the next stage, without a descriptor for the filter */
	IF(seccomp, BEFORE_MOVING | ACCEPT, IS(0, SECCOMP_SET_MODE_FILTER), IS(1, 0)),
	/* a connection for the supervisor */
	IF(sendmsg, ACCEPT, HAS_NONE_OF(2, MSG_FASTOPEN)),
	/* datagrams */
	IF(sendmmsg, ASSOCIATE | DATAGRAMS, HAS_NONE_OF(3, MSG_FASTOPEN)),
	/* sockets, but to no address other than the connected one */
	IF(sendto, ALL, HAS_NONE_OF(3, MSG_FASTOPEN), IS(4, 0)),
	/* keepalive, rate, mark, device; the reset of an unexpected inbound connection; the
	 * client's socket */
	IF(setsockopt, BEFORE_MOVING | ACCEPT, IS(1, SOL_SOCKET)),
	/* no delay, keepalive */
	IF(setsockopt, BEFORE_MOVING, IS(1, IPPROTO_TCP)),
	/* whether the device has a route to an address of a name */
	IF(setsockopt, DATAGRAMS, IS(1, SOL_SOCKET), IS(2, SO_BINDTODEVICE)),
	/* several datagrams in one message */
	IF(setsockopt, ASSOCIATE, IS(1, IPPROTO_UDP), IS(2, UDP_GRO)),
	/* the source address */
	IF(setsockopt, BEFORE_MOVING, IS(1, IPPROTO_IP), IS(2, IP_BIND_ADDRESS_NO_PORT)),
	/* no IPv4-mapped addresses */
	IF(setsockopt, NAMES, IS(1, IPPROTO_IPV6), IS(2, IPV6_V6ONLY)),
	/* the length of an answer over TCP */
	IF(setsockopt, RESOLVE | DATAGRAMS, IS(1, SOL_SOCKET), IS(2, SO_RCVLOWAT)),
	/* the timeout for writing to the journal */
	IF(setsockopt, ALL, IS(1, SOL_SOCKET), IS(2, SO_SNDTIMEO)),
	/* the end of one direction */
	ANY(shutdown, ALL),
	/* upstream, and DNS over TCP; not MPTCP, which is another protocol */
	IP_SOCKETS(NAMES, SOCK_STREAM, IPPROTO_TCP),
	/* DNS; whether an address is local, and the local address for another */
	IP_SOCKETS(NAMES, SOCK_DGRAM, 0),
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
#define FEW_ROWS    4
#define X32_BIT     0x40000000U

struct program {
	unsigned short len;
	struct sock_filter at[PROGRAM_MAX];
};

/* A statement has no jumps: jt and jf are 0. */
static void put(struct program *p, unsigned code, uint32_t k, uint8_t jt, uint8_t jf)
{
	if (p->len < PROGRAM_MAX)
		p->at[p->len++] = (struct sock_filter){(uint16_t)code, jt, jf, k};
}

static void put_load(struct program *p, size_t offset)
{
	put(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void put_return(struct program *p, uint32_t verdict)
{
	put(p, BPF_RET | BPF_K, verdict, 0, 0);
}

/* Compares one half of an argument. If it differs, the program jumps to the next row, whose address
 * put_row() fills in. */
static void put_half(struct program *p, size_t offset, uint32_t mask, uint32_t value)
{
	if (mask == 0)
		return;
	put_load(p, offset);
	if (mask != UINT32_MAX)
		put(p, BPF_ALU | BPF_AND | BPF_K, mask, 0, 0);
	put(p, BPF_JMP | BPF_JEQ | BPF_K, value, 0, UINT8_MAX);
}

static void put_check(struct program *p, const struct check *c)
{
	/* All three architectures are little-endian. */
	size_t low = offsetof(struct seccomp_data, args) + c->arg * sizeof(uint64_t);
	put_half(p, low, (uint32_t)c->mask, (uint32_t)c->value);
	put_half(p, low + 4, (uint32_t)(c->mask >> 32), (uint32_t)(c->value >> 32));
}

static void put_row(struct program *p, const struct row *row)
{
	unsigned short start = p->len;
	put_load(p, offsetof(struct seccomp_data, nr));
	put(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)row->number, 0, UINT8_MAX);
	for (size_t i = 0; i < CHECKS_MAX; i++)
		put_check(p, &row->checks[i]);
	put_return(p, SECCOMP_RET_ALLOW);
	for (unsigned short i = start; i < p->len; i++)
		if (p->at[i].jf == UINT8_MAX)
			p->at[i].jf = (uint8_t)(p->len - i - 1);
}

/* Puts a binary search for the loaded number; rows are sorted by number. The kernel runs the
 * program for every possible number when it is installed, to learn which it always allows. Testing
 * the rows one after another made that half of the sandbox's cost. The recursion is as deep as
 * count has bits. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static void put_rows(struct program *p, const struct row *const *rows, size_t count)
{
	size_t middle = count / 2;
	while (middle > 0 && rows[middle - 1]->number == rows[middle]->number)
		middle--; /* keeps the rows of a number together */

	if (count <= FEW_ROWS || middle == 0) {
		for (size_t i = 0; i < count; i++)
			put_row(p, rows[i]);
		put_return(p, SECCOMP_RET_ERRNO | EPERM);
		return;
	}
	put(p, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)rows[middle]->number, 0, 1);
	unsigned short jump = p->len;
	put(p, BPF_JMP | BPF_JA, 0, 0, 0);
	put_rows(p, rows, middle);
	p->at[jump].k = (uint32_t)(p->len - jump - 1);
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

static int by_number(const void *a, const void *b)
{
	return (*(const struct row *const *)a)->number - (*(const struct row *const *)b)->number;
}

static int install(const struct program *p)
{
	const struct sock_fprog filter = {.len = p->len, .filter = (struct sock_filter *)p->at};

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0 ? -errno : 0;
}

int syscalls_limit(unsigned stages, int checker_pid)
{
	struct program p = {.len = 0};
	/* musl sign-extends an int to 64 bits, the GNU C library does not. */
	const struct row kill_checker[] = {
		IF(kill, HANDSHAKES, IS(0, -(int64_t)checker_pid), IS(1, SIGKILL)),
		IF(kill, HANDSHAKES, IS(0, (uint32_t)-checker_pid), IS(1, SIGKILL)),
	};

	const struct row *rows[sizeof table / sizeof table[0] + 2];
	size_t count = 0;

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (table[i].stages & stages)
			rows[count++] = &table[i];
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
	struct program p = {.len = 0};

	/* The zygote's filter has checked the architecture. */
	put_load(&p, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		if (table[i].stages != ZYGOTE)
			continue;
		put(&p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)table[i].number, 0, 1);
		put_return(&p, SECCOMP_RET_ERRNO | EPERM);
	}
	put_return(&p, SECCOMP_RET_ALLOW);
	return install(&p);
}
