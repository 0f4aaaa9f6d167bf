/* SPDX-License-Identifier: ISC */
/* SipHash-2-4: a hash with a secret, without which colliding inputs cannot be found. J.-P. Aumasson
 * and D. J. Bernstein, "SipHash: a fast short-input PRF", 2012. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SIPHASH_SECRET_LEN 16 /* bytes */

/* Returns the hash of len bytes. */
uint64_t siphash(const uint8_t secret[SIPHASH_SECRET_LEN], const void *bytes, size_t len);
