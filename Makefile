# syncrun: make help

VERSION := $(shell sed -n 's/.*SYNCRUN_VERSION "\(.*\)"/\1/p' src/host/version.h)
BUILD ?= build
PREFIX ?= /usr/local
CC ?= gcc
PACKAGES := lua5.4 lua5.4-cjson libcurl libpq sqlite3 libmicrohttpd libcrypto libedit
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wvla -Wformat=2 -Wcast-qual -Wundef -Werror
Q := $(if $(V),,@)
SANITIZE ?=
OPTIMIZE ?= -O2 -g
SAN_FLAGS := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer)
CFLAGS_ALL := -std=c11 -D_POSIX_C_SOURCE=200809L $(WARNINGS) $(OPTIMIZE) $(SAN_FLAGS) -fstack-protector-strong \
	-Isrc $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null) $(CFLAGS)
LDLIBS_ALL := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lunistring -lpthread -lm $(LDLIBS)

SOURCES := $(wildcard src/*/*.c)
OBJECTS := $(SOURCES:%.c=$(BUILD)/obj/%.o) $(BUILD)/obj/embed.o
LUA_FILES := $(shell find lua -name '*.lua' | LC_ALL=C sort)
UNIT_TESTS := $(patsubst tests/c/%.c,$(BUILD)/tests/%,$(wildcard tests/c/test_*.c))

.PHONY: all
all: $(BUILD)/syncrun ## build build/syncrun

$(BUILD)/syncrun: $(BUILD)/obj/src/main.o $(OBJECTS)
	$(Q)$(CC) $(SAN_FLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS_ALL)

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(BUILD)/gen/embed.c: src/host/embed.sh $(LUA_FILES) lua
	@mkdir -p $(@D)
	src/host/embed.sh lua >$@.tmp && mv $@.tmp $@

$(BUILD)/obj/embed.o: $(BUILD)/gen/embed.c src/host/embed.h Makefile
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -Wno-overlength-strings -c -o $@ $<

$(BUILD)/tests/%: tests/c/%.c $(OBJECTS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -Itests/c -MMD -MP -MF $@.d $(SAN_FLAGS) $(LDFLAGS) -o $@ $< $(OBJECTS) -lcmocka $(LDLIBS_ALL)

-include $(shell find $(BUILD)/obj $(BUILD)/tests -name '*.d' 2>/dev/null)
