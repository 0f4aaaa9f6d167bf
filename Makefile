# SPDX-License-Identifier: ISC
# stdsocks. The targets: all run check clients coverage fuzz lint bench bench-plot install uninstall clean, and, as
# root, bench-systemd, and deps and check-deps, which install what building and testing take on Debian.

VERSION = 0.1.0

PREFIX = /usr/local
SYSCONFDIR = /etc
UNITDIR = $(PREFIX)/lib/systemd/system
DESTDIR =

# musl: a static binary that loads no library. system: the C library that there is.
LIBC := $(if $(SANITIZE),system,$(if $(shell command -v musl-gcc),musl,system))
SANITIZE =
BUILD = build

CFLAGS = -O2 -g
SYSTEM_CC = gcc
our_CPPFLAGS = -Isrc -DVERSION='"$(VERSION)"' -DSYSCONFDIR='"$(SYSCONFDIR)"' \
	-D_GNU_SOURCE -MMD -MP
our_CFLAGS = -std=c11 -fPIE -fstack-protector-strong -ffile-prefix-map=$(CURDIR)=. \
	-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wvla -Wundef $(if $(CI),-Werror)

ifeq ($(LIBC),musl)
CC = musl-gcc
# A static executable at a random address. musl-gcc does not know that musl has the start files
# for one (rcrt1.o, beside its specs), so they are named here; where they are missing it is not PIE.
musl_lib := $(dir $(shell sed -n 's/.* -specs[= ]*"\{0,1\}\([^" ]*\).*/\1/p' $(shell command -v musl-gcc)))
ifneq ($(wildcard $(musl_lib)rcrt1.o),)
our_LDFLAGS = -static -nostartfiles -Wl,-pie,--no-dynamic-linker,-z,text,-z,norelro \
	$(addprefix $(musl_lib),rcrt1.o crti.o crtn.o)
else
our_LDFLAGS = -static -no-pie
endif
else
CC = gcc
our_LDFLAGS = -pie -Wl,-z,relro,-z,now
endif

our_LDFLAGS += -Wl,--sort-section=name # src/wire/large.h

ifneq ($(SANITIZE),)
our_CFLAGS += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
endif

# The kernel's own headers, which musl does not bring: links to the system's, and to nothing else there.
ifeq ($(LIBC),musl)
kernel_headers = $(BUILD)/include/linux $(BUILD)/include/asm-generic $(BUILD)/include/asm
our_CPPFLAGS += -isystem $(BUILD)/include
$(BUILD)/include/%:
	@mkdir -p $(@D)
	@ln -sfn $(firstword $(wildcard /usr/include/$* /usr/include/$(shell gcc -print-multiarch)/$*)) $@
endif

# The modules, in the order of their layers; src/README.md tells who may include whom.
modules = wire text policy net sandbox record stdsocks
objects_of = $(patsubst src/%.c,$(BUILD)/obj/%.o,$(wildcard src/$(1)/*.c))
objects = $(foreach module,$(modules),$(call objects_of,$(module)))

# One short line a command; the whole one with V=1.
say = $(if $(V),,@echo '$(1) $@';)

# The operator's tool: where its libraries are.
ctl := $(if $(shell pkg-config --exists libsystemd jansson 2>/dev/null && echo yes),$(BUILD)/stdsocksctl)

all: $(BUILD)/stdsocks $(BUILD)/stdsocks-checkpassword $(ctl)

$(BUILD)/stdsocks: $(objects)
	$(call say,LD) $(CC) $(our_CFLAGS) $(CFLAGS) $(our_LDFLAGS) $(LDFLAGS) -o $@ $(objects)

# The system's C library, for libcrypt; it never meets a client.
$(BUILD)/stdsocks-checkpassword: src/checkpassword/main.c $(BUILD)/flags
	$(call say,LD) $(SYSTEM_CC) $(filter-out -MMD -MP,$(our_CPPFLAGS)) $(CPPFLAGS) $(our_CFLAGS) $(CFLAGS) \
		-pie -Wl,-z,relro,-z,now $(LDFLAGS) -o $@ $< -lcrypt

# The system's C library, too, and the pure modules once more.
ctl_objects = $(patsubst src/%.c,$(BUILD)/ctl/%.o,$(wildcard src/stdsocksctl/*.c src/wire/*.c src/text/*.c src/policy/*.c))
$(BUILD)/stdsocksctl: $(ctl_objects)
	$(call say,LD) $(SYSTEM_CC) $(our_CFLAGS) $(CFLAGS) -pie -Wl,-z,relro,-z,now $(LDFLAGS) -o $@ $(ctl_objects) \
		$(shell pkg-config --libs libsystemd jansson) -lm

$(BUILD)/ctl/%.o: src/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC) $(SYSTEM_CC) $(filter-out -isystem $(BUILD)/include,$(our_CPPFLAGS)) $(CPPFLAGS) $(our_CFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/obj/%.o: src/%.c $(BUILD)/flags | $(kernel_headers)
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(our_CPPFLAGS) $(CPPFLAGS) $(our_CFLAGS) $(CFLAGS) -c -o $@ $<

# Rebuilds everything when the compiler or its flags are not those of the last build.
flags = $(CC) $(our_CPPFLAGS) $(CPPFLAGS) $(our_CFLAGS) $(CFLAGS) $(our_LDFLAGS) $(LDFLAGS)
$(BUILD)/flags: always
	@mkdir -p $(@D)
	@echo "$(subst ",,$(flags))" | cmp -s - $@ || echo "$(subst ",,$(flags))" > $@

# -- Running and testing. Programs of the tests' own are built for the machine that runs them.

LISTEN = 127.0.0.1:1080
HOST_CC = gcc
HOST_CFLAGS = -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra $(if $(CI),-Werror)
tested = $(filter-out $(BUILD)/obj/stdsocks/main.o,$(objects))
units := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/*.c))
replays := $(patsubst %,$(BUILD)/replay/%,messages config rules hex session batch)
bench = build/tests/bench/bench build/tests/bench/count build/tests/bench/floor

deps:
	apt-get -q update
	apt-get -q install -y --no-install-recommends gcc libc6-dev libjansson-dev libsystemd-dev musl-tools pkg-config systemd

# Builds in a make of its own: "make deps run" is read before deps has brought the compiler. Root's
# handlers become nobody: the user stdsocks comes with the installation.
run:
	@$(MAKE) --no-print-directory all
	systemd-socket-activate --accept --inetd -l $(LISTEN) $(BUILD)/stdsocks \
		$(if $(filter 0,$(shell id -u)),-o 'user nobody')

check-deps:
	tests/deps

tested_with = STDSOCKS=$(BUILD)/stdsocks CHECKPASSWORD=$(BUILD)/stdsocks-checkpassword STDSOCKSCTL=$(BUILD)/stdsocksctl \
	UNITS=$(BUILD)/unit REPLAYS=$(BUILD)/replay

# SUITES="relay udp" for some of them, JOBS=1 for one at a time.
SUITES = $(patsubst tests/%.bats,%,$(wildcard tests/*.bats))
JOBS =

check:
	@$(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc)) programs
	$(tested_with) tests/run $(if $(JOBS),--jobs $(JOBS)) $(SUITES:%=tests/%.bats)

programs: all $(units) $(replays) build/tests/launch build/tests/bench/count

# Which lines and branches of src/ the tests reach.
coverage:
	tests/coverage $(SUITES:%=tests/%.bats)

# Writes the README's table of clients.
clients: all build/tests/launch
	$(tested_with) bats --formatter tap tests/clients.bats $(wildcard tests/clients-*.bats) | tests/clients-table README.md

lint: all
	tests/lint $(BUILD)

# BENCHFLAGS=--quick for a look; see tests/bench/run --help.
bench: all $(bench)
	tests/bench/run --handler "stdsocks=$(BUILD)/stdsocks -o 'allow to any'" $(BENCHFLAGS)

bench-plot: bench
	tests/bench/plot

# As root. BENCHFLAGS=--readme puts its table into README.md; see tests/bench/systemd --help.
bench-systemd: all
	tests/bench/systemd --build $(BUILD) $(BENCHFLAGS)

$(BUILD)/unit/%: tests/unit/%.c tests/unit/check.h $(wildcard tests/fuzz/*.h) $(tested)
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(our_CPPFLAGS) -Itests/unit $(CPPFLAGS) $(our_CFLAGS) $(CFLAGS) $(our_LDFLAGS) \
		$(LDFLAGS) -o $@ $< $(tested)

# Of the tool what is pure, too.
ctl_units = $(addprefix $(BUILD)/unit/,filter heavy histogram instance)
$(ctl_units): $(BUILD)/unit/%: $(BUILD)/obj/stdsocksctl/%.o
$(ctl_units): tested += $(@:$(BUILD)/unit/%=$(BUILD)/obj/stdsocksctl/%.o)

# -- Fuzzing. For FUZZ_S seconds each: FUZZ="messages session"; FUZZER=afl; FUZZ_FAST=1 without
# AddressSanitizer and without the comparisons' operands, ten times as fast. FUZZFLAGS: tests/fuzz/run.

FUZZ = messages config rules hex session
FUZZ_S = 60
FUZZ_JOBS = 1
FUZZER = libfuzzer
FUZZ_FAST =

# What the harnesses are linked with. That of the session includes the rest, for calls of its own.
fuzzed = $(wildcard src/wire/*.c src/text/*.c src/policy/*.c)
%/session: fuzzed += $(addprefix src/record/,log_socket.c record.c) src/net/checker.c $(addprefix src/stdsocks/,file.c login.c settings.c)
trap = -fsanitize=undefined -fsanitize-trap=undefined
ifeq ($(FUZZER),afl)
fuzz_cc = AFL_QUIET=1 afl-clang-fast -fsanitize=fuzzer $(trap)
else ifneq ($(FUZZ_FAST),)
fuzz_cc = clang -fsanitize-coverage=inline-8bit-counters,pc-table $(trap)
fuzz_runtime = $(shell clang -print-runtime-dir)/libclang_rt.fuzzer-$(shell uname -m).a -lstdc++ -lm -lpthread
else
fuzz_cc = clang -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
endif
fuzzers = build/fuzz/programs/$(FUZZER)$(if $(FUZZ_FAST),-fast)

# Builds as many at a time as it fuzzes.
fuzz:
	@$(MAKE) --no-print-directory -j$(FUZZ_JOBS) $(addprefix $(fuzzers)/,$(FUZZ))
	tests/fuzz/run --programs $(fuzzers) --fuzzer $(FUZZER) --seconds $(FUZZ_S) --jobs $(FUZZ_JOBS) \
		$(FUZZFLAGS) $(FUZZ)

$(fuzzers)/%: tests/fuzz/%.c $(wildcard src/*/*.[ch] tests/fuzz/*.h)
	@mkdir -p $(@D)
	$(call say,CC) $(fuzz_cc) $(filter-out -MMD -MP -isystem $(BUILD)/include,$(our_CPPFLAGS)) -Itests/fuzz \
		-std=c11 -O2 -g -o $@ $< $(fuzzed) $(fuzz_runtime)

replay = tests/fuzz/replay.c
%/batch: replay = # it has questions of its own

$(BUILD)/replay/%: tests/fuzz/%.c tests/fuzz/replay.c $(wildcard tests/fuzz/*.h) $(tested)
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(our_CPPFLAGS) -Itests/fuzz $(CPPFLAGS) $(our_CFLAGS) $(CFLAGS) $(our_LDFLAGS) \
		$(LDFLAGS) -o $@ $< $(replay) $(patsubst src/%.c,$(BUILD)/obj/%.o,$(fuzzed))

bench_sources = $(addprefix tests/bench/,bench.c client.c stream.c udp.c upstream.c)
build/tests/bench/bench: $(bench_sources) tests/bench/bench.h
	@mkdir -p $(@D)
	$(call say,CC) $(HOST_CC) $(HOST_CFLAGS) -pthread -o $@ $(bench_sources)

build/tests/bench/count: tests/bench/count.c tests/bench/client.c tests/bench/bench.h
	@mkdir -p $(@D)
	$(call say,CC) $(HOST_CC) $(HOST_CFLAGS) -o $@ $(filter %.c,$^)

# The floor is built as the handler is: what is compared is what they do.
build/tests/bench/floor: tests/bench/floor.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(our_CFLAGS) $(CFLAGS) $(our_LDFLAGS) $(LDFLAGS) -o $@ $<

build/tests/launch: tests/tools/launch.c
	@mkdir -p $(@D)
	$(call say,CC) $(HOST_CC) $(HOST_CFLAGS) -o $@ $<

# -- Installing. Paths of the files that systemd, xinetd and the others read are filled in here.

BINDIR = $(PREFIX)/bin
MANDIR = $(PREFIX)/share/man
DOCDIR = $(PREFIX)/share/doc/stdsocks
LIBDIR = $(PREFIX)/lib
DATADIR = $(PREFIX)/share

# FROM TO MODE, TO below DESTDIR. Each is there in one piece, for connections that come meanwhile.
define installed
$(BUILD)/stdsocks $(BINDIR)/stdsocks 755
$(BUILD)/stdsocks-checkpassword $(BINDIR)/stdsocks-checkpassword 755
$(if $(ctl),$(ctl) $(BINDIR)/stdsocksctl 755)
$(if $(ctl),man/stdsocksctl.8 $(MANDIR)/man8/stdsocksctl.8 644)
$(if $(ctl),src/stdsocksctl/completion.bash $(DATADIR)/bash-completion/completions/stdsocksctl 644)
man/stdsocks.8 $(MANDIR)/man8/stdsocks.8 644
man/stdsocks-checkpassword.8 $(MANDIR)/man8/stdsocks-checkpassword.8 644
man/stdsocks.conf.5 $(MANDIR)/man5/stdsocks.conf.5 644
units/stdsocks.socket $(UNITDIR)/stdsocks.socket 644
units/stdsocks@.service $(UNITDIR)/stdsocks@.service 644
units/stdsocks.slice $(UNITDIR)/stdsocks.slice 644
units/stdsocks.sysusers $(LIBDIR)/sysusers.d/stdsocks.conf 644
units/stdsocks.catalog $(LIBDIR)/systemd/catalog/stdsocks.catalog 644
units/stdsocks-hardened.conf $(DOCDIR)/stdsocks-hardened.conf 644
units/stdsocks.xinetd $(DOCDIR)/stdsocks.xinetd 644
units/stdsocks.inetd $(DOCDIR)/stdsocks.inetd 644
units/tcpserver.run $(DOCDIR)/tcpserver.run 755
units/s6.run $(DOCDIR)/s6.run 755
units/drop-ins/addresses.conf $(DOCDIR)/drop-ins/addresses.conf 644
units/drop-ins/connections.conf $(DOCDIR)/drop-ins/connections.conf 644
units/drop-ins/credentials.conf $(DOCDIR)/drop-ins/credentials.conf 644
units/drop-ins/unix.conf $(DOCDIR)/drop-ins/unix.conf 644
units/drop-ins/vsock.conf $(DOCDIR)/drop-ins/vsock.conf 644
endef

install: all
	@echo '$(subst $(newline),;,$(installed))' | tr ';' '\n' | grep . | while read -r from to mode; do \
		echo "$$to"; \
		install -D -m "$$mode" "$$from" "$(DESTDIR)$$to.new" || exit 1; \
		case $$from in \
		units/*) sed -i 's|@BINDIR@|$(BINDIR)|g' "$(DESTDIR)$$to.new" || exit 1;; \
		esac; \
		mv -f "$(DESTDIR)$$to.new" "$(DESTDIR)$$to" || exit 1; \
	done

uninstall:
	@echo '$(subst $(newline),;,$(installed))' | tr ';' '\n' | grep . | while read -r from to mode; do \
		rm -fv "$(DESTDIR)$$to"; \
	done
	-@rmdir $(DESTDIR)$(DOCDIR)/drop-ins $(DESTDIR)$(DOCDIR) 2>/dev/null || :

# What check-deps has unpacked stays.
clean:
	[ ! -d $(BUILD) ] || find $(BUILD) -mindepth 1 -maxdepth 1 ! -name peers -exec rm -rf {} +

define newline


endef

-include $(objects:.o=.d) $(ctl_objects:.o=.d) $(wildcard $(BUILD)/obj/stdsocksctl/*.d)
.SECONDARY: $(kernel_headers)
.PHONY: all always bench bench-plot bench-systemd check check-deps clean clients coverage deps fuzz install lint programs run uninstall
