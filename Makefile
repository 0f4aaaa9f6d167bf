# SPDX-License-Identifier: ISC
# Builds and installs stdsocks; V=1 prints whole commands. The targets for tests, fuzzers and
# benchmarks are in tests/Makefile.

VERSION = 0.1.0

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/stdsocks
CFLAGS ?= -O2 -g
BUILD = build
SANITIZE =
say = $(if $(V),,@echo '$(1) $@';)

# A build would overwrite sources in this folder, and "make clean" would delete them.
build_path := $(patsubst %/,%,$(abspath $(BUILD)))
source_paths := $(addprefix $(CURDIR)/,.ci/% .git/% man/% src/% tests/% units/%)
ifneq ($(filter $(build_path)/%,$(CURDIR)/)$(filter $(source_paths),$(build_path)/),)
$(error BUILD="$(BUILD)" contains sources; use another folder)
endif

# LIBC=musl builds a static executable, LIBC=system uses the C library of this system. The default
# is musl if CC is not set and musl-gcc is installed; sanitizers need the C library of the system.
ifneq ($(filter default undefined,$(origin CC)),)
LIBC := $(if $(SANITIZE),system,$(if $(shell command -v musl-gcc),musl,system))
CC = $(if $(filter musl,$(LIBC)),musl-gcc,gcc)
endif
LIBC := $(if $(findstring musl,$(CC)),musl,system)
SYSTEM_CC = $(if $(filter musl,$(LIBC)),gcc,$(CC))

our_CPPFLAGS = -Isrc -DVERSION='"$(VERSION)"' -DSYSCONFDIR='"$(SYSCONFDIR)"' -D_GNU_SOURCE -MMD -MP
our_CFLAGS = -std=c11 -fPIE -fstack-protector-strong -ffile-prefix-map=$(CURDIR)=. \
	-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wvla -Wundef $(if $(CI),-Werror) \
	$(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer)
compile = $(our_CPPFLAGS) $(CPPFLAGS) $(our_CFLAGS) $(CFLAGS)
system_compile = $(filter-out -isystem $(BUILD)/include,$(compile))
system_LDFLAGS = -pie -Wl,-z,relro,-z,now
our_LDFLAGS = $(system_LDFLAGS)
ifeq ($(LIBC),musl)
# A static executable at a random address needs rcrt1.o, which is in the folder of musl-gcc's specs
# and which musl-gcc does not link by itself. If it is missing, the address is fixed.
musl_lib := $(dir $(shell sed -nE 's/.*-specs[= ]*"?([^" ]*).*/\1/p' `command -v musl-gcc` <&-))
our_LDFLAGS = -static -no-pie
ifneq ($(wildcard $(musl_lib)rcrt1.o),)
our_LDFLAGS = -static -nostartfiles -Wl,-pie,--no-dynamic-linker,-z,text,-z,norelro \
	$(addprefix $(musl_lib),rcrt1.o crti.o crtn.o)
endif
# musl brings no kernel headers. This folder has links to the system's, and no other header.
our_CPPFLAGS += -isystem $(BUILD)/include
kernel_headers = $(addprefix $(BUILD)/include/,linux asm-generic asm)
endif
our_LDFLAGS += -Wl,--sort-section=name # see src/wire/large.h

# The handler's modules in the order of their layers; src/README.md describes them.
modules = wire text policy net sandbox record stdsocks
pure_modules = wire text policy
objects_in = $(patsubst src/%.c,$(BUILD)/$(1)/%.o,$(wildcard $(patsubst %,src/%/*.c,$(2))))
objects = $(call objects_in,obj,$(modules))
ctl_objects = $(call objects_in,ctl,stdsocksctl $(pure_modules))

# stdsocksctl is built if its libraries are installed.
ctl_libraries := $(shell pkg-config --libs libsystemd jansson 2>/dev/null)
ctl := $(if $(ctl_libraries),$(BUILD)/stdsocksctl)

all: $(BUILD)/stdsocks $(BUILD)/stdsocks-checkpassword $(ctl)

$(BUILD)/stdsocks: $(objects)
	$(call say,LD) $(CC) $(our_CFLAGS) $(CFLAGS) $(our_LDFLAGS) $(LDFLAGS) -o $@ $(objects)

$(BUILD)/stdsocks-checkpassword: src/checkpassword/main.c $(BUILD)/flags
	$(call say,LD) $(SYSTEM_CC) $(filter-out -MMD -MP,$(system_compile)) \
		$(system_LDFLAGS) $(LDFLAGS) -o $@ $< -lcrypt

$(BUILD)/stdsocksctl: $(ctl_objects)
	$(call say,LD) $(SYSTEM_CC) $(our_CFLAGS) $(CFLAGS) $(system_LDFLAGS) $(LDFLAGS) \
		-o $@ $(ctl_objects) $(ctl_libraries) -lm

$(BUILD)/obj/%.o: src/%.c $(BUILD)/flags | $(kernel_headers)
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(compile) -c -o $@ $<

$(BUILD)/ctl/%.o: src/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC) $(SYSTEM_CC) $(system_compile) -c -o $@ $<

$(kernel_headers): $(BUILD)/include/%:
	@mkdir -p $(@D)
	@ln -sfn $(firstword $(wildcard $(addsuffix /$*, \
		/usr/include /usr/include/$(shell gcc -print-multiarch)))) $@

# If the compiler or its flags change, everything is built again.
flags = $(CC) $(compile) $(our_LDFLAGS) $(LDFLAGS)
$(BUILD)/flags: always
	@mkdir -p $(@D)
	@echo "$(subst ",,$(flags))" | cmp -s - $@ || echo "$(subst ",,$(flags))" > $@

deps:
	apt-get -q update
	apt-get -q install -y --no-install-recommends \
		gcc libc6-dev libjansson-dev libsystemd-dev musl-tools pkg-config systemd

# Another make builds, because "make deps run" reads this file before the compiler is installed.
# For root, handlers become nobody, because the user stdsocks may not exist.
LISTEN = 127.0.0.1:1080
run:
	@$(MAKE) --no-print-directory all
	systemd-socket-activate --accept --inetd -l $(LISTEN) $(BUILD)/stdsocks \
		$(if $(filter 0,$(shell id -u)),-o 'user nobody')

# FROM:TO:MODE of each file.
to = $(foreach file,$(3),$(file):$(2)/$(notdir $(file)):$(1))
installed = $(call to,755,$(BINDIR),$(BUILD)/stdsocks $(BUILD)/stdsocks-checkpassword $(ctl)) \
	$(call to,644,$(MANDIR)/man5,man/stdsocks.conf.5) \
	$(call to,644,$(MANDIR)/man8,man/stdsocks.8 man/stdsocks-checkpassword.8) \
	$(call to,644,$(UNITDIR),$(wildcard units/*.socket units/*.service units/*.slice)) \
	$(call to,644,$(DOCDIR),units/stdsocks-hardened.conf) \
	$(call to,644,$(DOCDIR),$(addprefix units/stdsocks.,fail2ban inetd nft xinetd)) \
	$(call to,755,$(DOCDIR),units/tcpserver.run units/s6.run) \
	$(call to,644,$(DOCDIR)/drop-ins,$(wildcard units/drop-ins/*.conf)) \
	$(foreach d,sysusers tmpfiles,units/stdsocks.$(d):$(PREFIX)/lib/$(d).d/stdsocks.conf:644) \
	units/stdsocks.catalog:$(PREFIX)/lib/systemd/catalog/stdsocks.catalog:644 \
	$(if $(ctl),$(call to,644,$(MANDIR)/man8,man/stdsocksctl.8) \
	src/stdsocksctl/completion.bash:$(PREFIX)/share/bash-completion/completions/stdsocksctl:644)
each_installed = echo '$(installed)' | tr -s ' ' '\n' | while IFS=: read -r from to mode

# Connections that start during an installation never find an incomplete file.
install: all
	@$(each_installed); do \
		new="$(DESTDIR)$$to.new"; \
		install -D -m "$$mode" "$$from" "$$new" && \
		case $$from in units/*) sed -i 's|@BINDIR@|$(BINDIR)|g' "$$new" ;; esac && \
		mv -f "$$new" "$(DESTDIR)$$to" && echo "$$to" || exit; \
	done

uninstall:
	@$(each_installed); do rm -fv "$(DESTDIR)$$to"; done
	@rmdir $(DESTDIR)$(DOCDIR)/drop-ins $(DESTDIR)$(DOCDIR) 2>/dev/null || :

# The programs that "make check-deps" unpacked are kept.
clean:
	@[ ! -e $(BUILD) ] || [ -e $(BUILD)/flags ] || [ $(build_path) = $(CURDIR)/build ] || \
		{ echo 'make clean: nothing was built in BUILD=$(BUILD)' >&2; exit 1; }
	[ ! -d $(BUILD) ] || find $(BUILD) -mindepth 1 -maxdepth 1 ! -name peers -exec rm -rf {} +

-include $(objects:.o=.d) $(ctl_objects:.o=.d)
.PHONY: all always clean deps install run uninstall
include tests/Makefile
