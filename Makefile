# fittings: GNU make, no configure. README.md says what the targets do.
VERSION := 0.1.0

PREFIX ?= /usr/local
DESTDIR ?=
CFLAGS ?= -O2 -g
B ?= build

# A program that is started once for each connection pays for its page faults each time, so programs
# are linked statically, with musl if CC can link with the musl that MUSL_CC names. Programs that
# resolve names use the host's libc dynamically (its resolver needs that).
#   LIBC=musl | static (the host's libc) | shared
LIBCS := musl static shared
MUSL_CC ?= musl-gcc
LIBC ?= $(if $(MUSL_START),musl,static)
RESOLVER_LIBC ?= shared
RESOLVERS := portscan-connect wsprobe

LIB := $(wildcard lib/base/*.c lib/sys/*.c lib/http/*.c lib/ws/*.c lib/csv/*.c lib/serve/*.c)
# A program is cmd/NAME.c, or all of cmd/NAME/.
PROGRAMS := $(sort $(basename $(notdir $(filter-out %.h,$(wildcard cmd/*)))))
sources_of = $(basename $(or $(wildcard cmd/$1/*.c),cmd/$1.c))
UNITS := $(basename $(notdir $(wildcard tests/unit/*.c)))
TOOLS := $(basename $(notdir $(wildcard tests/tools/*.c)))
# tests/bench/peer-X.c is what ours is measured beside; it needs X's header.
header_of = $(wildcard $(addsuffix /$1,/usr/include /usr/local/include))
BENCHES := $(filter-out load peer-%,$(basename $(notdir $(wildcard tests/bench/*.c)))) \
	$(if $(call header_of,ev.h),peer-libev) $(if $(call header_of,uv.h),peer-libuv)
LIBS_peer-libev := -lev
LIBS_peer-libuv := -luv

WARN := -std=c11 -Wall -Wextra -Wpedantic -Wformat=2 -Wconversion -Wsign-conversion -Wshadow -Wvla -Wundef \
	-Wnull-dereference -Wstrict-prototypes -Wmissing-prototypes -Wimplicit-fallthrough \
	-Werror=format-security -Werror=implicit-function-declaration
HARDEN_WANTED := -fstack-protector-strong -fstack-clash-protection -fcf-protection=full \
	-fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing
# File sizes and times have 64 bits on every architecture.
ALL_CFLAGS = $(WARN) -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -DFITTINGS_VERSION='"$(VERSION)"' -Ilib \
	-ffunction-sections -fdata-sections $(HARDEN) $(CPPFLAGS) $(CFLAGS)
ALL_LDFLAGS = -Wl,--gc-sections -Wl,-z,now -Wl,-z,noexecstack
RELRO = -Wl,-z,relro -Wl,-z,separate-code

# musl is used with any compiler. Its start file protects nothing after relocation, so a RELRO header
# would have no effect and cost two page faults at each start; two more go with code and constants in
# one segment. One more would go with code on a boundary of 64 KiB, and four bits of where it may be
# loaded. Nothing unwinds: a debugger has the tables of -g.
CFLAGS_musl = -fPIE -fno-asynchronous-unwind-tables -nostdinc $(MUSL_HEADERS)
LDFLAGS_musl = $(MUSL_START) -Wl,-z,norelro -Wl,-z,noseparate-code
END_musl = $(MUSL_END)
CFLAGS_static = -fPIE $(FORTIFY)
LDFLAGS_static = $(STATIC) $(RELRO)
CFLAGS_shared = -fPIE $(FORTIFY)
LDFLAGS_shared = -pie -Wl,--as-needed $(RELRO)
# glibc can check only where the compiler optimizes.
FORTIFY ?= $(if $(findstring _FORTIFY_SOURCE,$(CPPFLAGS) $(CFLAGS)),,-U_FORTIFY_SOURCE \
	$(if $(filter-out -O0,$(lastword $(filter -O%,$(CFLAGS)))),-D_FORTIFY_SOURCE=3))

# What CC can do is asked once for each compiler and its flags. All objects depend on the answers,
# so they are built again after a change of CC, CFLAGS and so on, or when musl is installed later.
MUSL_SPECS := $(shell sed -n 's/.*-specs "\(.*\)".*/\1/p' "$$(command -v $(MUSL_CC))" 2>/dev/null)
quoted = '$(subst ','\'',$1)'
SETTINGS := $(foreach value,CC AR CPPFLAGS CFLAGS LDFLAGS FORTIFY MUSL_SPECS HARDEN_WANTED,$(value)=$($(value)))
ifneq ($(file <$(B)/settings)$(shell find lib/toolchain -newer $(B)/settings 2>&1),$(SETTINGS))
$(shell mkdir -p $(B); lib/toolchain $(B) $(call quoted,$(CC)) $(call quoted,$(CFLAGS)) $(call quoted,$(LDFLAGS)) \
	$(call quoted,$(MUSL_SPECS)) $(HARDEN_WANTED) >$(B)/toolchain.mk)
$(file >$(B)/settings,$(SETTINGS))
endif
include $(B)/toolchain.mk
ifneq ($(filter-out $(LIBCS),$(LIBC) $(RESOLVER_LIBC)),)
$(error LIBC and RESOLVER_LIBC are one of $(LIBCS), not $(filter-out $(LIBCS),$(LIBC) $(RESOLVER_LIBC)))
endif
ifneq ($(if $(MUSL_START),,$(filter musl,$(LIBC) $(RESOLVER_LIBC))),)
$(error $(CC) cannot link with musl: $(if $(MUSL_SPECS),not with $(MUSL_SPECS),$(MUSL_CC) (musl-tools) is not installed))
endif
# All programs depend on the choice of a libc.
ifneq ($(file <$(B)/libc),$(LIBC) $(RESOLVER_LIBC))
$(file >$(B)/libc,$(LIBC) $(RESOLVER_LIBC))
endif

.PHONY: all
all: programs

.PHONY: programs
programs: $(PROGRAMS:%=$(B)/bin/%)
	@echo "$(B)/bin: $(LIBC)$(if $(filter $(RESOLVERS),$(PROGRAMS)),; $(filter $(PROGRAMS),$(RESOLVERS)): $(RESOLVER_LIBC))"

# Commands are shown short; V=1 shows them whole.
run = $(if $(V),,@printf '  %-3s %s\n' $1 $@; )$2

# One set of objects for each libc that is in use.
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
$(foreach p,$(PROGRAMS),$(eval $(call program,$(B)/bin/$p,$(call sources_of,$p),$(call libc_of,$p))))
$(foreach p,$(UNITS),$(eval $(call program,$(B)/unit/$p,tests/unit/$p,$(LIBC))))
$(foreach p,$(TOOLS),$(eval $(call program,$(B)/tools/$p,tests/tools/$p,$(call libc_of,$p))))
$(foreach p,$(BENCHES),$(eval $(call program,$(B)/bench/$p,tests/bench/$p,shared)))
$(B)/bench/tcp $(B)/bench/ws: $(B)/shared/tests/bench/load.o
-include $(shell find $(B) -name '*.d' 2>/dev/null)
# The assembler's .incbin tells the compiler nothing.
$(foreach libc,$(LIBCS),$(B)/$(libc)/lib/ws/console.o): lib/ws/console.html
.SECONDARY:

# The variants: the same rules into another B.
variant_asan := B=build/asan LIBC=shared FORTIFY=-U_FORTIFY_SOURCE \
	CFLAGS='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -DSANDBOX=0'
variant_musl := B=build/musl LIBC=musl RESOLVER_LIBC=musl
variant_static := B=build/static LIBC=static
variant_shared := B=build/shared LIBC=shared
# What the codecs' tests reach; MISSED=1 tells what they do not.
variant_cov := B=build/cov CC=gcc LIBC=shared FORTIFY=-U_FORTIFY_SOURCE CFLAGS='-O0 -g --coverage -DSANDBOX=0'
.PHONY: cov
cov:
	$(MAKE) $(variant_cov) covered
	tests/cov build/cov
covered: $(UNITS:%=$(B)/unit/%) fuzzers
.PHONY: covered
.PHONY: asan musl static shared check-asan check-musl check-static check-shared
asan musl static shared:
	$(MAKE) $(variant_$@) all
check-asan check-musl check-static check-shared:
	$(MAKE) $(variant_$(@:check-%=%)) check

.PHONY: check check-peers unit lint
tested: programs $(UNITS:%=$(B)/unit/%) $(TOOLS:%=$(B)/tools/%) fuzzers faulty
.PHONY: tested
# Those that take longest begin first. TESTS=tests/wsframe.bats for some.
LONGEST := $(addprefix tests/,prober.bats wsframe.bats tcpecho.bats faults.bats diagnostics.bats peers/ws.bats)
longest_first = $(filter $1,$(LONGEST)) $(filter-out $(LONGEST),$1)
TESTS ?= $(call longest_first,$(wildcard tests/*.bats)) $(UNITS:%=$(B)/unit/%)
check: $(if $(filter %.bats,$(TESTS)),bats) tested
	tests/run $(B) $(TESTS)
check-peers: bats tested
	tests/run $(B) $(call longest_first,$(wildcard tests/peers/*.bats))
# Before the build: somebody who lacks it is told at once.
.PHONY: bats
bats:
	@tests/run bats
# The C unit tests alone.
unit: $(UNITS:%=$(B)/unit/%)
	tests/run $(B) $^
lint:
	tests/lint
# gcc's and clang's analyzers: slower than the rest of lint, so apart.
.PHONY: analyze
analyze:
	tests/lint analyzers
# What the compiler and the linker are asked for, seen on what they made.
.PHONY: check-hardening
check-hardening: programs faulty
	tests/hardening $(B) $(foreach p,$(PROGRAMS),$(if $(filter shared,$(call libc_of,$p)),,$(B)/bin/$p))

# How fast ours is beside what is installed, each claim with its figures, two minutes;
# FULL=1 for the long form, fifteen; CLAIMS='echo csv' for some. The figures as TSV are
# left in $(B)/bench.tsv, pictures of them in $(B)/bench-plots. bench-readme puts
# those of the last run into README.md and tests/bench/plots.
.PHONY: bench bench-readme bench-peers
bench: programs $(BENCHES:%=$(B)/bench/%) $(addprefix $(B)/tools/,csv_data relay hubecho)
	@BENCH_BUILD=$(abspath $(B)) BENCH_TSV=$(abspath $(B))/bench.tsv BENCH_LIBC=$(LIBC) CC=$(CC) tests/bench/run $(CLAIMS); \
	status=$$?; tests/bench/plot $(B)/bench.tsv $(B)/bench-plots; exit $$status
bench-readme:
	@mkdir -p tests/bench/plots
	tests/bench/readme $(B)/bench.tsv README.md
	cp $(B)/bench-plots/*.svg tests/bench/plots
bench-peers:
	apt-get install -y --no-install-recommends $$(cut -f2 tests/bench/peers | grep -vx -e -)

# The main job: any filter as a WebSocket service, with a page to try it in a browser.
.PHONY: run
run: programs
	@PATH="$(CURDIR)/$(B)/bin:$$PATH" man/examples/run man/examples/doctor

# systemd's units find the programs where they are installed.
BINDIR = $(PREFIX)/bin
MANDIR = $(PREFIX)/share/man
UNITDIR = $(PREFIX)/lib/systemd/system
BASHDIR = $(PREFIX)/share/bash-completion/completions
ZSHDIR = $(PREFIX)/share/zsh/site-functions
# Debian's fish looks for completions in no share/fish but that of /usr.
FISHDIR = $(if $(filter /usr/local,$(PREFIX)),/etc/fish/completions,$(PREFIX)/share/fish/vendor_completions.d)
DOCDIR = $(PREFIX)/share/doc/fittings
EXAMPLEDIR = $(DOCDIR)/examples
INSTALLED = $(PROGRAMS:%=$(BINDIR)/%) \
	$(patsubst man/%.1,$(MANDIR)/man1/%.1,$(wildcard man/*.1)) $(patsubst man/%.7,$(MANDIR)/man7/%.7,$(wildcard man/*.7)) \
	$(patsubst lib/systemd/%,$(UNITDIR)/%,$(wildcard lib/systemd/*)) \
	$(PROGRAMS:%=$(BASHDIR)/%) $(ZSHDIR)/_fittings $(PROGRAMS:%=$(FISHDIR)/%.fish) \
	$(patsubst man/examples/%,$(EXAMPLEDIR)/%,$(wildcard man/examples/*))

DIRS = $(patsubst %/,%,$(sort $(dir $(INSTALLED))))

# The directories that install makes are listed in MADE: uninstall removes them and no others.
.PHONY: install uninstall
install uninstall: MADE = "$(DESTDIR)$(DOCDIR)/directories"
install: programs
	@umask 022; made=$$(for dir in $(DIRS); do while [ "$$dir" != / ] && [ ! -d "$(DESTDIR)$$dir" ]; do \
		echo "$$dir"; dir=$$(dirname "$$dir"); done; done | sort -u); \
	mkdir -p $(DIRS:%="$(DESTDIR)%") && { [ -z "$$made" ] || echo "$$made" >>$(MADE); }
	install -m 755 $(PROGRAMS:%=$(B)/bin/%) "$(DESTDIR)$(BINDIR)"
	install -m 644 $(wildcard man/*.1) "$(DESTDIR)$(MANDIR)/man1"
	install -m 644 $(wildcard man/*.7) "$(DESTDIR)$(MANDIR)/man7"
	for unit in $(wildcard lib/systemd/*); do sed 's|/usr/local/bin/|$(BINDIR)/|g' "$$unit" | \
		install -m 644 /dev/stdin "$(DESTDIR)$(UNITDIR)/$${unit##*/}" || exit; done
	for name in $(PROGRAMS); do install -m 644 completions/fittings.bash "$(DESTDIR)$(BASHDIR)/$$name" \
		&& install -m 644 completions/fittings.fish "$(DESTDIR)$(FISHDIR)/$$name.fish" || exit; done
	install -m 644 completions/fittings.zsh "$(DESTDIR)$(ZSHDIR)/_fittings"
	install -m 755 $(filter-out %.html,$(wildcard man/examples/*)) "$(DESTDIR)$(EXAMPLEDIR)"
	install -m 644 $(wildcard man/examples/*.html) "$(DESTDIR)$(EXAMPLEDIR)"
uninstall:
	rm -f $(INSTALLED:%="$(DESTDIR)%")
	@made=$$(sort -ru $(MADE) 2>/dev/null); rm -f $(MADE); \
	for dir in $$made; do rmdir "$(DESTDIR)$$dir" 2>/dev/null || :; done

# A tarball of what is committed; it builds and passes by itself.
.PHONY: dist
dist:
	@[ -e .git ] || { echo "make dist: not a git checkout, and a tarball is made of what is committed" >&2; exit 1; }
	@mkdir -p build
	git archive --prefix=fittings-$(VERSION)/ -o build/fittings-$(VERSION).tar.gz HEAD
	@echo build/fittings-$(VERSION).tar.gz

# Fuzzing. Each target is built three ways: with a main that replays files (for
# check), with libFuzzer, with AFL++.
#   make fuzz FUZZ_S=60        so many seconds each; FUZZ=csv that one alone
FUZZERS := $(filter-out replay,$(basename $(notdir $(wildcard tests/fuzz/*.c))))
FUZZ ?= $(FUZZERS)
FUZZ_S ?= 60
FUZZ_MAIN = $(B)/shared/tests/fuzz/replay.o
variant_fuzz := B=build/libfuzzer CC=clang LIBC=shared FORTIFY=-U_FORTIFY_SOURCE FUZZ_MAIN= \
	CFLAGS='-O1 -g -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all -DSANDBOX=0' \
	LDFLAGS=-fsanitize=fuzzer
variant_afl := B=build/afl CC=afl-clang-fast LIBC=shared FORTIFY=-U_FORTIFY_SOURCE FUZZ_MAIN= \
	CFLAGS='-O2 -g -DSANDBOX=0' LDFLAGS=-fsanitize=fuzzer
$(FUZZERS:%=$(B)/fuzz/%): $(B)/fuzz/%: $(B)/shared/tests/fuzz/%.o $(B)/shared/fittings.a $(FUZZ_MAIN)
	@mkdir -p $(@D)
	$(call run,LD,$(CC)) $(CFLAGS) $(ALL_LDFLAGS) $(LDFLAGS_shared) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^)
.PHONY: fuzzers fuzz afl
fuzzers: $(FUZZERS:%=$(B)/fuzz/%)
fuzz:
	$(MAKE) $(variant_fuzz) fuzzers
	tests/fuzz/run build/libfuzzer/fuzz $(FUZZ_S) $(FUZZ)
afl:
	AFL_QUIET=1 $(MAKE) $(variant_afl) fuzzers
	tests/fuzz/run-afl build/afl/fuzz $(FUZZ_S) $(FUZZ)

# Faults: the programs linked dynamically, whatever LIBC is, for the preloads that
# make calls short, interrupted or unready and take memory away; every system call
# failing in turn; disks that are full; limits reached while serving. The long
# forms; `check` has short ones.
$(foreach p,$(PROGRAMS),$(eval $(call program,$(B)/dynamic/$p,$(call sources_of,$p),shared)))
$(B)/faults/%.so: tests/faults/%.c Makefile $(B)/settings
	@mkdir -p $(@D)
	$(call run,LD,$(CC)) $(filter-out -Wpedantic,$(WARN)) -D_GNU_SOURCE -O2 -shared -fPIC -o $@ $<
faulty: $(PROGRAMS:%=$(B)/dynamic/%) $(B)/faults/shortio.so $(B)/faults/nomem.so
.PHONY: faulty faults
faults: tested
	tests/faults/weather $(B) 200
	tests/faults/syscalls $(B)
	tests/faults/disk $(B)
	tests/faults/limits $(B)

# Good and bad clients for so long, and nothing left of them: make soak SOAK_S=1800 SEED=2
SOAK_S ?= 60
SEED ?= 6455
.PHONY: soak
soak: programs $(B)/tools/soaker $(B)/tools/hubecho
	tests/soak $(B) $(SOAK_S) $(SEED)

.PHONY: clean
clean:
	rm -rf build
