/* SPDX-License-Identifier: ISC */
/* guard/lock: what each stage forbids, tried one by one, each in a process of its own. */
#include "guard/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "guard/files.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* What the process has open when the stage begins. */
static int local = -1, tcp = -1, udp = -1, listening = -1, pair[2] = {-1, -1};
static char file[] = "/tmp/stdsocks-lock-XXXXXX";
static void *page;

/* Where somebody listens, who was there before. */
static struct sockaddr_un abstract = {.sun_family = AF_UNIX};
static int landlock_version;

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void prepare(void)
{
	struct sockaddr_in any = loopback(0);
	tcp = socket(AF_INET, SOCK_STREAM, 0);
	udp = socket(AF_INET, SOCK_DGRAM, 0);
	landlock_version = files_landlock_version();
	local = socket(AF_UNIX, SOCK_DGRAM, 0);
	snprintf(abstract.sun_path + 1, sizeof abstract.sun_path - 1, "stdsocks-lock-%d",
		(int)getpid());
	CHECK(bind(socket(AF_UNIX, SOCK_DGRAM, 0), (struct sockaddr *)&abstract, sizeof abstract) ==
		0);
	listening = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(bind(listening, (struct sockaddr *)&any, sizeof any) == 0);
	CHECK(listen(listening, 1) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(page != MAP_FAILED);
}

/* -- The attempts: 0 or more when it was done, else -1 with errno. */

static long try_open(void)
{
	return open(file, O_RDONLY);
}
static long try_open_proc(void)
{
	return open("/proc/self/mem", O_RDONLY);
}
static long try_write_file(void)
{
	return open(file, O_WRONLY);
}
static long try_create(void)
{
	return open("/tmp/stdsocks-lock-new", O_RDONLY | O_CREAT, 0600);
}
static long try_openat2(void)
{
	const uint64_t how[3] = {O_RDONLY};
	return syscall(437, AT_FDCWD, file, how, sizeof how);
}
static long try_memfd(void)
{
	return syscall(SYS_memfd_create, "x", 0);
}
static long try_exec(void)
{
	return execl("/bin/true", "true", (char *)NULL);
}
static long try_execveat(void)
{
	return syscall(SYS_execveat, AT_FDCWD, "/bin/true", NULL, NULL, 0);
}
static long try_fork(void)
{
	return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}
static long try_clone3(void)
{
	const uint64_t args[8] = {[4] = SIGCHLD};
	return syscall(435, args, sizeof args);
}
static long try_tcp(void)
{
	return socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
}
static long try_tcp_ipv6(void)
{
	return socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
}
static long try_udp(void)
{
	return socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
}
static long try_mptcp(void)
{
	return socket(AF_INET, SOCK_STREAM, 262);
}
static long try_raw(void)
{
	return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}
static long try_ping(void)
{
	return socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
}
static long try_unix(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}
static long try_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0);
}
static long try_packet(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0);
}
static long try_vsock(void)
{
	return socket(AF_VSOCK, SOCK_STREAM, 0);
}
static long try_socketpair(void)
{
	return socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){0});
}
static long try_high_bits_domain(void)
{
	return syscall(SYS_socket, (1L << 32) | AF_INET, SOCK_STREAM, IPPROTO_TCP);
}
static long try_high_bits_protocol(void)
{
	return syscall(SYS_socket, AF_INET, SOCK_STREAM, (1L << 40) | IPPROTO_TCP);
}
static long try_connect(void)
{
	struct sockaddr_in to = loopback(1);
	long result = connect(tcp, (struct sockaddr *)&to, sizeof to);
	return result < 0 && errno == ECONNREFUSED ? 0 : result;
}
static long try_disconnect(void)
{
	const sa_family_t unspec = AF_UNSPEC;
	return connect(tcp, (const struct sockaddr *)&unspec, sizeof unspec);
}
static long try_bind(void)
{
	struct sockaddr_in any = loopback(0);
	return bind(tcp, (struct sockaddr *)&any, sizeof any);
}
static long try_listen(void)
{
	return listen(tcp, 1);
}
static long try_accept(void)
{
	return accept4(listening, NULL, NULL, SOCK_NONBLOCK);
}
static long try_send_to(void)
{
	struct sockaddr_in to = loopback(9);
	return sendto(udp, "x", 1, 0, (struct sockaddr *)&to, sizeof to);
}
static long try_abstract(void)
{
	errno = EPERM; /* before version 6 of Landlock there is nothing against it */
	return landlock_version < 6
		? -1
		: sendto(local, "x", 1, 0, (struct sockaddr *)&abstract, sizeof abstract);
}
static long try_fast_open(void)
{
	struct sockaddr_in to = loopback(9);
	return sendto(tcp, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof to);
}
static long try_sendmsg(void)
{
	struct iovec one = {.iov_base = "x", .iov_len = 1};
	struct msghdr message = {.msg_iov = &one, .msg_iovlen = 1};
	return sendmsg(pair[0], &message, 0);
}
static long try_recvmsg(void)
{
	struct msghdr message = {.msg_iovlen = 0};
	long result = recvmsg(pair[0], &message, MSG_DONTWAIT);
	return result < 0 && errno == EAGAIN ? 0 : result;
}
static long try_sendmmsg(void)
{
	struct sockaddr_in to = loopback(9);
	struct iovec one = {.iov_base = "x", .iov_len = 1};
	struct mmsghdr message = {.msg_hdr = {.msg_name = &to,
					  .msg_namelen = sizeof to,
					  .msg_iov = &one,
					  .msg_iovlen = 1}};
	return sendmmsg(tcp, &message, 1, MSG_FASTOPEN);
}
static long try_peer_pidfd(void)
{
	int fd;
	socklen_t len = sizeof fd;
	return getsockopt(pair[0], SOL_SOCKET, 77 /* SO_PEERPIDFD */, &fd, &len);
}
static long try_firewall(void)
{
	return setsockopt(tcp, IPPROTO_IP, 64 /* IPT_SO_SET_REPLACE */, "x", 1);
}
static long try_unix_datagram(void)
{
	return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}
static long try_directory(void)
{
	return open("/etc", O_RDONLY | O_DIRECTORY);
}
static long try_path(void)
{
	return open("/etc/shadow", O_PATH);
}
static long try_send(void)
{
	return send(pair[0], "x", 1, MSG_NOSIGNAL);
}
static long try_receive(void)
{
	char byte;
	long result = recv(pair[0], &byte, 1, MSG_DONTWAIT);
	return result < 0 && errno == EAGAIN ? 0 : result;
}
static long try_set_option(void)
{
	const int on = 1;
	return setsockopt(tcp, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}
static long try_shutdown(void)
{
	return shutdown(pair[0], SHUT_WR);
}
static long try_wait(void)
{
	struct pollfd fd = {.fd = pair[0], .events = POLLIN};
	return ppoll(&fd, 1, &(struct timespec){0}, NULL);
}
static long try_dup(void)
{
	return dup(pair[0]);
}
static long try_dupfd(void)
{
	return fcntl(pair[0], F_DUPFD, 0);
}
static long try_pipe(void)
{
	return pipe2((int[2]){0}, 0);
}
static long try_eventfd(void)
{
	return syscall(SYS_eventfd2, 0, 0);
}
static long try_memory(void)
{
	return syscall(SYS_mmap, NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static long try_executable_memory(void)
{
	return syscall(
		SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static long try_make_executable(void)
{
	return mprotect(page, 4096, PROT_READ | PROT_EXEC);
}
static long try_remap(void)
{
	return syscall(SYS_mremap, page, 4096, 8192, 1, 0);
}
static long try_kill_parent(void)
{
	return kill(getppid(), 0);
}
static long try_kill_itself(void)
{
	return kill(getpid(), SIGTERM);
}
static long try_kill_everyone(void)
{
	return kill(-1, 0);
}
static long try_tgkill(void)
{
	return syscall(SYS_tgkill, getpid(), getpid(), SIGTERM);
}
static long try_ptrace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}
static long try_process_vm_readv(void)
{
	return syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0);
}
static long try_pidfd_open(void)
{
	return syscall(434, getpid(), 0);
}
static long try_pidfd_getfd(void)
{
	return syscall(438, 0, 0, 0);
}
static long try_io_uring(void)
{
	return syscall(425, 1, NULL);
}
static long try_bpf(void)
{
	return syscall(SYS_bpf, 0, NULL, 0);
}
static long try_perf(void)
{
	return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0);
}
static long try_userfaultfd(void)
{
	return syscall(SYS_userfaultfd, 0);
}
static long try_unshare(void)
{
	return unshare(CLONE_NEWUSER);
}
static long try_setns(void)
{
	return syscall(SYS_setns, 0, 0);
}
static long try_keyctl(void)
{
	return syscall(SYS_keyctl, 0, 0, 0, 0, 0);
}
static long try_add_key(void)
{
	return syscall(SYS_add_key, "user", "x", "x", 1, 0);
}
static long try_chroot(void)
{
	return chroot("/");
}
static long try_mount(void)
{
	return syscall(SYS_mount, "", "/", "", 0, NULL);
}
static long try_unlink(void)
{
	return unlinkat(AT_FDCWD, file, 0);
}
static long try_setuid(void)
{
	return setuid(0);
}
static long try_personality(void)
{
	return syscall(SYS_personality, 0xffffffff);
}
static long try_prctl(void)
{
	return syscall(SYS_prctl, 4 /* PR_SET_DUMPABLE */, 1, 0, 0, 0);
}
static long try_time(void)
{
	struct timespec now;
	return syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
}
#ifdef __x86_64__
static long try_x32(void)
{
	return syscall(0x40000000 | SYS_getpid);
}
static long try_int80(void)
{
	long result;
	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(20L)
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
}
#endif

#define KILLED (-1)

/* What only musl's resolver may do, while dialing. */
#ifdef __GLIBC__
#define OF_MUSL EPERM
#else
#define OF_MUSL 0
#endif

/* What comes of it: 0, it was done; an errno; -SIGSYS, the process was killed. */
static const struct attempt {
	const char *what;
	long (*make)(void);
	int dialing, relaying;
} attempts[] = {
	{"open a file", try_open, EACCES, EPERM},
	{"open /proc/self/mem", try_open_proc, EACCES, EPERM},
	{"open a file to write", try_write_file, EPERM, EPERM},
	{"create a file", try_create, EPERM, EPERM}, {"openat2", try_openat2, EPERM, EPERM},
	{"memfd_create", try_memfd, EPERM, EPERM}, {"execute", try_exec, EPERM, EPERM},
	{"execveat", try_execveat, EPERM, EPERM}, {"fork", try_fork, EPERM, EPERM},
	{"clone3", try_clone3, EPERM, EPERM}, {"a TCP socket", try_tcp, 0, EPERM},
	{"a TCP socket of IPv6", try_tcp_ipv6, 0, EPERM}, {"a UDP socket", try_udp, 0, EPERM},
	{"an MPTCP socket", try_mptcp, EPERM, EPERM}, {"a raw socket", try_raw, EPERM, EPERM},
	{"a ping socket", try_ping, EPERM, EPERM}, {"a Unix socket", try_unix, EPERM, EPERM},
	{"a netlink socket", try_netlink, EPERM, EPERM},
	{"a packet socket", try_packet, EPERM, EPERM}, {"a vsock socket", try_vsock, EPERM, EPERM},
	{"socketpair", try_socketpair, EPERM, EPERM},
	{"a socket, high bits in its domain", try_high_bits_domain, EPERM, EPERM},
	{"a socket, high bits in its protocol", try_high_bits_protocol, EPERM, EPERM},
	{"connect", try_connect, 0, EPERM}, {"disconnect", try_disconnect, 0, 0},
	{"bind", try_bind, 0, EPERM}, {"listen", try_listen, EPERM, EPERM},
	{"accept", try_accept, EPERM, EPERM}, {"send to an address", try_send_to, 0, EPERM},
	{"send to an abstract socket", try_abstract, EPERM, EPERM},
	{"TCP fast open", try_fast_open, EPERM, EPERM}, {"sendmsg", try_sendmsg, OF_MUSL, EPERM},
	{"recvmsg", try_recvmsg, OF_MUSL, EPERM},
	{"TCP fast open, of many", try_sendmmsg, EPERM, EPERM},
	{"a peer's pidfd", try_peer_pidfd, EPERM, EPERM},
	{"the firewall's rules", try_firewall, EPERM, EPERM},
	{"a Unix datagram socket", try_unix_datagram, 0, EPERM},
	{"open a directory", try_directory, EACCES, EPERM},
	{"a path's descriptor", try_path, EPERM, EPERM}, {"send", try_send, 0, 0},
	{"receive", try_receive, 0, 0}, {"setsockopt", try_set_option, 0, EPERM},
	{"shutdown", try_shutdown, 0, 0}, {"ppoll", try_wait, 0, 0}, {"dup", try_dup, EPERM, EPERM},
	{"F_DUPFD", try_dupfd, EPERM, EPERM}, {"pipe", try_pipe, EPERM, EPERM},
	{"eventfd", try_eventfd, EPERM, EPERM}, {"memory", try_memory, 0, EPERM},
	{"executable memory", try_executable_memory, EPERM, EPERM},
	{"make memory executable", try_make_executable, EPERM, EPERM},
	{"mremap", try_remap, EPERM, EPERM}, {"signal the parent", try_kill_parent, EPERM, EPERM},
	{"signal itself", try_kill_itself, EPERM, EPERM},
	{"signal everyone", try_kill_everyone, EPERM, EPERM}, {"tgkill", try_tgkill, EPERM, EPERM},
	{"ptrace", try_ptrace, EPERM, EPERM},
	{"process_vm_readv", try_process_vm_readv, EPERM, EPERM},
	{"pidfd_open", try_pidfd_open, EPERM, EPERM},
	{"pidfd_getfd", try_pidfd_getfd, EPERM, EPERM}, {"io_uring", try_io_uring, EPERM, EPERM},
	{"bpf", try_bpf, EPERM, EPERM}, {"perf_event_open", try_perf, EPERM, EPERM},
	{"userfaultfd", try_userfaultfd, EPERM, EPERM}, {"unshare", try_unshare, EPERM, EPERM},
	{"setns", try_setns, EPERM, EPERM}, {"keyctl", try_keyctl, EPERM, EPERM},
	{"add_key", try_add_key, EPERM, EPERM}, {"chroot", try_chroot, EPERM, EPERM},
	{"mount", try_mount, EPERM, EPERM}, {"unlink", try_unlink, EPERM, EPERM},
	{"setuid", try_setuid, EPERM, EPERM}, {"personality", try_personality, EPERM, EPERM},
	{"prctl", try_prctl, EPERM, EPERM}, {"the clock", try_time, 0, 0},
#ifdef __x86_64__
	{"a call of x32", try_x32, -SIGSYS, -SIGSYS},
	{"int 0x80", try_int80, KILLED, KILLED}, /* SIGSEGV where the kernel does not have it */
#endif
};

#define NOT_LOCKED 255

static int outcome(const struct attempt *attempt, enum syscalls_stage stage)
{
	int status;
	const char *part;
	pid_t pid = fork();
	if (pid == 0) {
		if (lock_enter(SYSCALLS_CONNECT, 0, &part) < 0)
			_exit(NOT_LOCKED);
		if (stage != SYSCALLS_CONNECT && lock_tighten(stage, &part) < 0)
			_exit(NOT_LOCKED);
		_exit(attempt->make() < 0 ? errno : 0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void comes_to(int got, int want)
{
	if (want == KILLED)
		CHECK(got == -SIGSYS || got == -SIGSEGV);
	else
		CHECK_NUMBER(got, want);
}

static void forbids_what_it_says(void)
{
	for (size_t i = 0; i < COUNT(attempts); i++) {
		check_about = attempts[i].what;
		comes_to(outcome(&attempts[i], SYSCALLS_CONNECT), attempts[i].dialing);
		comes_to(outcome(&attempts[i], SYSCALLS_RELAYING), attempts[i].relaying);
	}
	check_about = NULL;
}

int main(void)
{
#ifdef __SANITIZE_ADDRESS__
	return 0; /* it takes calls of its own, in each of these processes */
#endif
	int fd = mkstemp(file);
	CHECK(fd >= 0);
	prepare();
	forbids_what_it_says();
	unlink(file);
	return check_end();
}
