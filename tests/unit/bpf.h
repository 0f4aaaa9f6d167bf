/* SPDX-License-Identifier: ISC */
/* Collects the seccomp filters of sandbox/syscalls, and evaluates them without the kernel:
 * qemu-user has no seccomp(2). The linker puts __wrap_syscall in place of syscall (--wrap in
 * tests/Makefile). */
#pragma once

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "check.h"
#include "sandbox/syscalls.h"

/* The architecture of this program. */
#if defined __x86_64__
#define BPF_ARCH AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define BPF_ARCH AUDIT_ARCH_AARCH64
#else
#define BPF_ARCH AUDIT_ARCH_RISCV64
#endif

#define BPF_DENIED (SECCOMP_RET_ERRNO | EPERM)

static inline bool bpf_is_valid_at(const struct sock_fprog *program, size_t i)
{
	const struct sock_filter *at = &program->filter[i];
	const size_t behind = program->len - i - 1;

	switch (at->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		return at->k % 4 == 0 && at->k < sizeof(struct seccomp_data) && behind > 0;
	case BPF_ALU | BPF_AND | BPF_K:
		return behind > 0;
	case BPF_JMP | BPF_JA:
		return at->k < behind;
	case BPF_JMP | BPF_JEQ | BPF_K:
	case BPF_JMP | BPF_JGE | BPF_K:
		return at->jt < behind && at->jf < behind;
	case BPF_RET | BPF_K:
		return true;
	}
	return false;
}

/* Returns whether each path through the program ends in a return. Instructions that bpf_run() does
 * not know are invalid. */
static inline bool bpf_is_valid(const struct sock_fprog *program)
{
	for (size_t i = 0; i < program->len; i++)
		if (!bpf_is_valid_at(program, i))
			return false;
	return program->len > 0 && program->len <= BPF_MAXINSNS;
}

/* Returns the verdict of a valid program, SECCOMP_RET_... with its data. */
static inline uint32_t bpf_run(const struct sock_fprog *program, const struct seccomp_data *data)
{
	uint32_t word = 0;

	for (const struct sock_filter *at = program->filter;; at++)
		switch (at->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&word, (const char *)data + at->k, sizeof word);
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			word &= at->k;
			break;
		case BPF_JMP | BPF_JA:
			at += at->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			at += word == at->k ? at->jt : at->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			at += word >= at->k ? at->jt : at->jf;
			break;
		default:
			return at->k;
		}
}

/* -- The filters that a process would have. */

#define BPF_FILTERS_MAX 4

static struct sock_filter bpf_instructions[BPF_FILTERS_MAX][BPF_MAXINSNS];
static struct sock_fprog bpf_filters[BPF_FILTERS_MAX];
static size_t bpf_count;
static bool bpf_is_collecting;

static inline long bpf_collect(const struct sock_fprog *program)
{
	if (!CHECK(bpf_count < BPF_FILTERS_MAX) || !CHECK(bpf_is_valid(program)))
		exit(1);
	memcpy(bpf_instructions[bpf_count], program->filter,
		program->len * sizeof *program->filter);
	bpf_filters[bpf_count] = (struct sock_fprog){program->len, bpf_instructions[bpf_count]};
	bpf_count++;
	return 0;
}

/* It reads six arguments, whatever their number, as syscall(2) does; AddressSanitizer objects. */
__attribute__((no_sanitize("address"))) long __wrap_syscall(long number, ...);
long __real_syscall(long number, ...);

long __wrap_syscall(long number, ...)
{
	long a[6];
	va_list list;

	va_start(list, number);
	for (size_t i = 0; i < COUNT(a); i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (bpf_is_collecting && number == SYS_seccomp)
		return bpf_collect((const struct sock_fprog *)a[2]);
	return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* Adds the filter of syscalls_limit(). */
static inline void bpf_add(unsigned stages, int checker_pid)
{
	bpf_is_collecting = true;
	CHECK_NUMBER(syscalls_limit(stages, checker_pid), 0);
	bpf_is_collecting = false;
}

/* Adds the filter of syscalls_deny_zygote(). */
static inline void bpf_add_denial(void)
{
	bpf_is_collecting = true;
	CHECK_NUMBER(syscalls_deny_zygote(), 0);
	bpf_is_collecting = false;
}

/* Returns the most restrictive verdict of all filters, as the kernel does. */
static inline uint32_t bpf_verdict(const struct seccomp_data *data)
{
	uint32_t verdict = SECCOMP_RET_ALLOW;

	for (size_t i = 0; i < bpf_count; i++) {
		const uint32_t next = bpf_run(&bpf_filters[i], data);
		/* As a signed number, SECCOMP_RET_KILL_PROCESS is the least. */
		if ((int32_t)(next & SECCOMP_RET_ACTION_FULL) <
			(int32_t)(verdict & SECCOMP_RET_ACTION_FULL))
			verdict = next;
	}
	return verdict;
}
