# fittings: GNU make, no configure. The targets are described in README.md and tests/Makefile.
VERSION := 0.1.0
PREFIX ?= /usr/local
CFLAGS ?= -O2 -g
B ?= build

# A program that runs once for each connection pays for its page faults each time, so programs are
# linked statically, with musl if CC can link with the musl of MUSL_CC. Programs that resolve names
# use the host's libc dynamically, because its resolver requires that.
#   LIBC=musl | static (the host's libc) | shared
LIBCS := musl static shared
MUSL_CC ?= musl-gcc
LIBC ?= $(if $(MUSL_START),musl,static)
RESOLVER_LIBC ?= shared
RESOLVERS := portscan-connect

LIB := $(wildcard lib/base/*.c lib/sys/*.c lib/http/*.c lib/ws/*.c lib/csv/*.c lib/serve/*.c)
# A program is cmd/NAME.c, or all files of cmd/NAME/.
PROGRAMS := $(sort $(basename $(notdir $(filter-out %.h,$(wildcard cmd/*)))))
sources_of = $(basename $(or $(wildcard $1/$2/*.c),$1/$2.c))

WARN := -std=c11 -Wall -Wextra -Wpedantic -Wformat=2 -Wconversion -Wsign-conversion -Wshadow -Wvla -Wundef \
	-Wnull-dereference -Wstrict-prototypes -Wmissing-prototypes -Wimplicit-fallthrough \
	-Werror=format-security -Werror=implicit-function-declaration
HARDEN_WANTED := -fstack-protector-strong -fstack-clash-protection -fcf-protection=full \
	-fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing
# File sizes and times are 64-bit on every architecture.
ALL_CFLAGS = $(WARN) -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -DFITTINGS_VERSION='"$(VERSION)"' -Ilib \
	-ffunction-sections -fdata-sections $(HARDEN) $(CPPFLAGS) $(CFLAGS)
ALL_LDFLAGS = -Wl,--gc-sections -Wl,-z,now -Wl,-z,noexecstack
RELRO = -Wl,-z,relro -Wl,-z,separate-code

# musl works with any compiler. Its start file applies no protection after relocation: RELRO would have no effect
# and cost two page faults at each start. Code and constants in one segment save two more. Aligning code to 64 KiB
# would cost one, and four bits of address randomization. Nothing unwinds the stack: debuggers use the tables of -g.
CFLAGS_musl = -fPIE -fno-asynchronous-unwind-tables -nostdinc $(MUSL_HEADERS)
LDFLAGS_musl = $(MUSL_START) -Wl,-z,norelro -Wl,-z,noseparate-code
END_musl = $(MUSL_END)
CFLAGS_static = -fPIE $(FORTIFY)
LDFLAGS_static = $(STATIC) $(RELRO)
CFLAGS_shared = -fPIE $(FORTIFY)
LDFLAGS_shared = -pie -Wl,--as-needed $(RELRO)
# glibc can check only if the compiler optimizes.
FORTIFY ?= $(if $(findstring _FORTIFY_SOURCE,$(CPPFLAGS) $(CFLAGS)),,-U_FORTIFY_SOURCE \
	$(if $(filter-out -O0,$(lastword $(filter -O%,$(CFLAGS)))),-D_FORTIFY_SOURCE=3))

# The features of CC are determined once for each compiler and its flags. All objects depend on the
# result, so they are rebuilt after a change of CC, CFLAGS and so on, or after musl is installed.
MUSL_SPECS := $(shell sed -n 's/.*-specs "\(.*\)".*/\1/p' "$$(command -v $(MUSL_CC))" 2>/dev/null)
quoted = '$(subst ','\'',$1)'
SETTINGS := $(foreach value,CC AR CPPFLAGS CFLAGS LDFLAGS FORTIFY MUSL_SPECS HARDEN_WANTED,$(value)=$($(value)))
ifneq ($(file <$(B)/settings)$(shell find lib/toolchain -newer $(B)/settings 2>&1),$(SETTINGS))
$(shell mkdir -p $(B); lib/toolchain $(B) $(call quoted,$(CC)) $(call quoted,$(CFLAGS)) $(call quoted,$(LDFLAGS)) \
	$(call quoted,$(MUSL_SPECS)) $(HARDEN_WANTED) >$(B)/toolchain.mk)
$(file >$(B)/settings,$(SETTINGS))
endif
include $(B)/toolchain.mk
$(if $(filter-out $(LIBCS),$(LIBC) $(RESOLVER_LIBC)),$(error LIBC and RESOLVER_LIBC are one of $(LIBCS), not \
	$(filter-out $(LIBCS),$(LIBC) $(RESOLVER_LIBC))))
$(if $(if $(MUSL_START),,$(filter musl,$(LIBC) $(RESOLVER_LIBC))),$(error $(CC) cannot link with musl: \
	$(if $(MUSL_SPECS),not with $(MUSL_SPECS),$(MUSL_CC) (musl-tools) is not installed)))
# All programs depend on the choice of the libc.
ifneq ($(file <$(B)/libc),$(LIBC) $(RESOLVER_LIBC))
$(file >$(B)/libc,$(LIBC) $(RESOLVER_LIBC))
endif

.PHONY: all programs run install uninstall dist clean
all: programs
programs: $(PROGRAMS:%=$(B)/bin/%)
	@echo "$(B)/bin: $(LIBC)$(if $(filter $(RESOLVERS),$(PROGRAMS)),; $(filter $(PROGRAMS),$(RESOLVERS)): $(RESOLVER_LIBC))"
# Commands are printed in short form; V=1 prints them in full.
run = $(if $(V),,@printf '  %-3s %s\n' $1 $@; )$2
# One set of objects for each libc in use.
define objects
$(B)/$1/%.o: %.c Makefile $(B)/settings
	@mkdir -p $$(@D)
	$$(call run,CC,$$(CC)) $$(ALL_CFLAGS) $$(CFLAGS_$1) -MMD -MP -c -o $$@ $$<
$(B)/$1/fittings.a: $$(LIB:%.c=$(B)/$1/%.o)
	@rm -f $$@
	$$(call run,AR,$$(AR)) rcs $$@ $$^
endef
# $1 program, $2 its sources without .c, $3 its libc
define program
$1: $(2:%=$(B)/$3/%.o) $(B)/$3/fittings.a $(B)/libc
	@mkdir -p $$(@D)
	$$(call run,LD,$$(CC)) $$(CFLAGS) $$(ALL_LDFLAGS) $$(LDFLAGS_$3) $$(LDFLAGS) -o $$@ $$(filter %.o %.a,$$^) $$(LIBS_$(notdir $1)) $$(END_$3)
endef
libc_of = $(if $(filter $(RESOLVERS),$1),$(RESOLVER_LIBC),$(LIBC))
$(foreach libc,$(LIBCS),$(eval $(call objects,$(libc))))
$(foreach p,$(PROGRAMS),$(eval $(call program,$(B)/bin/$p,$(call sources_of,cmd,$p),$(call libc_of,$p))))
-include $(shell find $(B) -name '*.d' 2>/dev/null)
# The dependencies that the compiler writes do not contain the file of the assembler's .incbin.
$(foreach libc,$(LIBCS),$(B)/$(libc)/lib/ws/console.o): lib/ws/console.html
.SECONDARY:

# A first demonstration: a filter as a WebSocket service, with a page to try it in a browser.
run: programs
	@PATH="$(CURDIR)/$(B)/bin:$$PATH" man/examples/run man/examples/doctor

BINDIR = $(PREFIX)/bin
MANDIR = $(PREFIX)/share/man
UNITDIR = $(PREFIX)/lib/systemd/system
BASHDIR = $(PREFIX)/share/bash-completion/completions
ZSHDIR = $(PREFIX)/share/zsh/site-functions
# Debian's fish reads completions only from /usr/share/fish, not in /usr/local.
FISHDIR = $(if $(filter /usr/local,$(PREFIX)),/etc/fish/completions,$(PREFIX)/share/fish/vendor_completions.d)
DOCDIR = $(PREFIX)/share/doc/fittings
EXAMPLEDIR = $(DOCDIR)/examples
# Installed files: mode:source:destination.
files = $(foreach file,$2,$1:$(file):$3/$(notdir $(file)))
FILES = $(foreach p,$(PROGRAMS),755:$(B)/bin/$p:$(BINDIR)/$p 644:completions/fittings.bash:$(BASHDIR)/$p \
	644:completions/fittings.fish:$(FISHDIR)/$p.fish) 644:completions/fittings.zsh:$(ZSHDIR)/_fittings \
	$(call files,644,$(wildcard man/*.1),$(MANDIR)/man1) $(call files,644,$(wildcard man/*.7),$(MANDIR)/man7) \
	$(call files,755,$(filter-out %.html,$(wildcard man/examples/*)),$(EXAMPLEDIR)) \
	$(call files,644,$(wildcard man/examples/*.html),$(EXAMPLEDIR)) $(call files,644,$(wildcard lib/systemd/*),$(UNITDIR))
install: programs
	@lib/install "$(DESTDIR)" $(DOCDIR)/directories $(BINDIR) $(FILES)
uninstall:
	@lib/install -u "$(DESTDIR)" $(DOCDIR)/directories $(BINDIR) $(FILES)

# A tarball of the committed files. It builds and passes the tests without git.
dist:
	@[ -e .git ] || { echo "make dist: not a git checkout, and a tarball is made of what is committed" >&2; exit 1; }
	@mkdir -p build && echo build/fittings-$(VERSION).tar.gz
	@git archive --prefix=fittings-$(VERSION)/ -o build/fittings-$(VERSION).tar.gz HEAD

clean: ; rm -rf build

# Everything else: check, unit, lint, analyze, asan, cov, fuzz, stress, bench and so on.
-include tests/Makefile
