# syncrun: `make help` lists the targets. Objects and everything else that is made go to $(BUILD).
# On a Debian as root nothing needs to be there but make, git and apt: vendor/install.sh installs what a target needs.

BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
ifeq ($(origin CC),default)
CC := gcc
endif
OPTIMIZE ?= -O2 -g
SANITIZE ?=
FUZZ_SECONDS ?= 60
JOBS ?= $(shell nproc)
Q := $(if $(V),,@)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += --jobs=$(JOBS)
endif
GOALS := $(or $(MAKECMDGOALS),all)

# ---- flags

PACKAGES := lua5.4 lua5.4-cjson libcurl libpq sqlite3 libmicrohttpd libcrypto libedit
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wvla -Wformat=2 -Wcast-qual -Wundef -Werror
SANITIZE_FLAGS := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer)
C_FLAGS = -std=c11 -D_XOPEN_SOURCE=700 $(WARNINGS) $(OPTIMIZE) $(SANITIZE_FLAGS) -fstack-protector-strong \
	-Isrc $(PACKAGE_CFLAGS) $(CFLAGS)
LD_FLAGS = $(SANITIZE_FLAGS) $(LDFLAGS)
LD_LIBS = $(PACKAGE_LIBS) -lunistring -lpthread -lm $(LDLIBS)

# pkg-config can only be asked once it is installed: make builds this file first and then reads it.
ifneq ($(filter-out clean help uninstall format check-format check-layers check-lua,$(GOALS)),)
include $(BUILD)/packages.mk
endif

$(BUILD)/packages.mk: vendor/dependencies.tsv Makefile
	@vendor/install.sh $(if $(filter-out all install,$(GOALS)),,build)
	@mkdir -p $(@D)
	@cflags=$$(pkg-config --cflags $(PACKAGES)) && libs=$$(pkg-config --libs $(PACKAGES)) && \
		printf 'PACKAGE_CFLAGS := %s\nPACKAGE_LIBS := %s\n' "$$cflags" "$$libs" >$@

# What `make run` and `make test` need beside the build's packages; done at once when it is there.
.PHONY: packages
packages:
	@vendor/install.sh

# ---- the program

SOURCES := $(wildcard src/*/*.c)
OBJECTS := $(SOURCES:%.c=$(BUILD)/obj/%.o) $(BUILD)/obj/embed.o
LUA_FILES := $(shell find lua -name '*.lua' | LC_ALL=C sort)

.PHONY: all
all: $(BUILD)/syncrun ## build build/syncrun (CC=clang, SANITIZE=address,undefined, BUILD=DIR, V=1)

$(BUILD)/syncrun: $(BUILD)/obj/src/main.o $(OBJECTS)
	$(Q)$(CC) $(LD_FLAGS) -o $@ $^ $(LD_LIBS)

$(BUILD)/obj/%.o: %.c $(BUILD)/obj/command
	@mkdir -p $(@D)
	$(Q)$(CC) $(C_FLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/obj/embed.o: $(BUILD)/gen/embed.c src/host/embed.h $(BUILD)/obj/command
	$(Q)$(CC) $(C_FLAGS) -Wno-overlength-strings -c -o $@ $<

$(BUILD)/gen/embed.c: src/host/embed.sh $(LUA_FILES) $(BUILD)/gen/list
	$(Q)src/host/embed.sh lua >$@

# These two change when their text does: other flags, and a Lua file that came or went, lead to a new build.
$(BUILD)/obj/command: TEXT = $(CC) $(C_FLAGS)
$(BUILD)/gen/list: TEXT = $(LUA_FILES)
$(BUILD)/obj/command $(BUILD)/gen/list: FORCE
	@mkdir -p $(@D)
	@echo '$(TEXT)' | cmp -s - $@ || echo '$(TEXT)' >$@

.PHONY: FORCE
FORCE:

.PHONY: run
run: all packages ## try it: sandbox BigQuery and Twenty, a private PostgreSQL, 150 contacts synced and validated
	@SYNCRUN=$(BUILD)/syncrun scripts/run_demo.sh

# ---- tests

UNIT_TESTS := $(patsubst tests/c/%.c,$(BUILD)/tests/%,$(wildcard tests/c/test_*.c))

.PHONY: test
test: tests ## build, then run every test: C units, Lua, end to end
	@BUILD=$(BUILD) tests/run.sh

.PHONY: tests
tests: $(BUILD)/syncrun $(UNIT_TESTS)

$(BUILD)/tests/%: tests/c/%.c $(OBJECTS) | packages
	@mkdir -p $(@D)
	$(Q)$(CC) $(C_FLAGS) -Itests/c -MMD -MP -MF $@.d $(LD_FLAGS) -o $@ $< $(OBJECTS) -lcmocka $(LD_LIBS)

$(BUILD)/tests/test_rows_oom: LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc

# ---- checks

C_FILES := $(shell find src tests/c tests/fuzz -name '*.[ch]' | LC_ALL=C sort)
CHECKS := check-format check-layers check-lua check-cppcheck check-tidy check-clang check-sanitize
CHECKED_LUA := lua scripts tests

.PHONY: check $(CHECKS)
check: ## format, layers, luacheck, cppcheck, clang-tidy, a clang build, the tests under sanitizers
	@$(MAKE) --no-print-directory --keep-going $(CHECKS)

.PHONY: check-packages
check-packages:
	@vendor/install.sh build run test check

check-format: | check-packages ## the C code is as clang-format would have it (`make format` does it)
	$(Q)clang-format --dry-run -Werror $(C_FILES)

check-layers: ## no file knows a layer or library that it must not
	$(Q)tests/layers.sh

check-lua: | check-packages ## luacheck
	$(Q)luacheck --quiet --codes $(CHECKED_LUA)

check-cppcheck: | check-packages ## cppcheck
	@mkdir -p $(BUILD)/cppcheck
	$(Q)cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability --inline-suppr \
		--library=tests/cppcheck.cfg --suppressions-list=tests/cppcheck.suppress --cppcheck-build-dir=$(BUILD)/cppcheck -j $(JOBS) \
		-D_XOPEN_SOURCE=700 -Isrc src

check-tidy: $(patsubst %.c,$(BUILD)/tidy/%.ok,src/main.c $(SOURCES)) ## clang-tidy (.clang-tidy)

$(BUILD)/tidy/%.ok: %.c .clang-tidy tests/analyzer.h $(filter src/%.h,$(C_FILES)) | check-packages
	@mkdir -p $(@D)
	$(Q)clang-tidy --quiet $< -- $(C_FLAGS) $(if $(filter src/base/err.c src/base/sink.c,$<),,-include tests/analyzer.h) 2>/dev/null
	@touch $@

check-clang: | check-packages ## a build by clang without a warning
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/clang CC=clang tests

check-sanitize: | check-packages ## the C units and Lua tests under AddressSanitizer and UndefinedBehaviorSanitizer
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/san SANITIZE=address,undefined OPTIMIZE='-O1 -g' tests
	@BUILD=$(BUILD)/san tests/run.sh c lua

.PHONY: format
format: ## format the C code
	clang-format -i $(C_FILES)

# ---- fuzzing and measuring

FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))

.PHONY: fuzz fuzzers
fuzz: | check-packages ## run each fuzzer for FUZZ_SECONDS (60); what it finds is left in build/fuzz
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC=clang SANITIZE=fuzzer-no-link,address,undefined fuzzers
	@set -e; for name in $(FUZZERS); do \
		echo "# $$name, $(FUZZ_SECONDS) seconds"; mkdir -p $(BUILD)/fuzz/corpus/$$name; \
		$(BUILD)/fuzz/tests/$$name -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -verbosity=0 -print_final_stats=1 \
			-artifact_prefix=$(BUILD)/fuzz/$$name- $$([ ! -f tests/fuzz/$$name.dict ] || echo -dict=tests/fuzz/$$name.dict) \
			$(BUILD)/fuzz/corpus/$$name $$([ ! -d tests/fuzz/$$name ] || echo tests/fuzz/$$name); \
	done

fuzzers: $(FUZZERS:%=$(BUILD)/tests/%)

$(BUILD)/tests/fuzz_%: tests/fuzz/fuzz_%.c $(OBJECTS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(C_FLAGS) -fsanitize=fuzzer -MMD -MP -MF $@.d $(LD_FLAGS) -o $@ $< $(OBJECTS) $(LD_LIBS)

.PHONY: torture
torture: all | packages ## runs killed, stopped or cut from power at seeded instants, small ones and first loads of 20,000
	@for how in 'kill --runs 300' 'int --runs 100' 'power --runs 100' \
		'stop --runs 300 --contacts 20000 --batch 200 --within 2 --complete-every 20' \
		'loss --runs 10 --losses 5 --contacts 20000 --batch 200'; do \
		SYNCRUN=$(BUILD)/syncrun python3 tests/torture/torture.py --how $$how --seed $${SEED:-$$(date +%s)} || exit 1; done

.PHONY: bench
bench: all | packages ## rates and peak memory of a full sync (CONTACTS="10000 100000")
	@set -e; for script in tests/bench/*.sh; do SYNCRUN=$(BUILD)/syncrun $$script; done

# ---- installing

SCRIPTS := $(shell find scripts -name '*.lua' | LC_ALL=C sort)

.PHONY: install
install: all ## install under PREFIX (/usr/local), below DESTDIR
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/doc/syncrun
	install -m 755 $(BUILD)/syncrun $(DESTDIR)$(PREFIX)/bin/syncrun
	install -m 644 README.md $(DESTDIR)$(PREFIX)/share/doc/syncrun/README.md
	for file in $(SCRIPTS); do install -D -m 644 $$file $(DESTDIR)$(PREFIX)/share/syncrun/$$file; done

.PHONY: uninstall
uninstall: ## remove what `make install` installed
	rm -f $(DESTDIR)$(PREFIX)/bin/syncrun
	rm -rf $(DESTDIR)$(PREFIX)/share/syncrun $(DESTDIR)$(PREFIX)/share/doc/syncrun

.PHONY: clean
clean: ## remove everything that was built
	rm -rf $(BUILD)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-16s %s\n' "$$name" "$$text"; done

-include $(shell find $(BUILD)/obj $(BUILD)/tests -name '*.d' 2>/dev/null)
