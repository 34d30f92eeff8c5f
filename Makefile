# Waybill: `make run` tries it out, `make check` tests it; README.md has more.

BUILD   ?= build
PREFIX  ?= /usr/local
SYSCONFDIR ?= /etc
CC      ?= cc
PKG_CONFIG ?= pkg-config
PYTHON  ?= /usr/bin/python3

# make V=1 shows the commands.
Q       = $(if $(V),,@)

WARN    = -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes \
	  -Wmissing-prototypes -Wvla
HARDEN  = -fstack-protector-strong -fPIE
CFLAGS  ?= -O2 -g
CPPFLAGS += -I. -D_GNU_SOURCE -DWAYBILL_VERSION='"$(VERSION)"'
ALL_CFLAGS = -std=gnu17 $(CFLAGS) $(WARN) $(HARDEN) $(WERROR) $(SAN) \
	  -MMD -MP
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SAN) $(LDFLAGS)
VERSION = 0.1

# One folder, one process, and only its libraries.
LIBS_common  = -levent_core -lssl -lcrypto
LIBS_conf    = -lconfuse
LIBS_daemon  = -lconfuse -levent_core -lcrypto
LIBS_proxy   = -levent_core -levent_extra -lssl -lcrypto
LIBS_auth    = -levent_core -lsasl2 -lcrypto
LIBS_secrets = -levent_core -lrocksdb -lcrypto
LIBS_token   = -lconfuse -lcares -lssl -lcrypto
LIBS_track   = -levent_core -lssl -lcrypto -ljansson
# Two programs of one folder, each with only what it needs.
LIBS_waybill-track = -levent_core -lssl -lcrypto
LIBS_waybill-feed  = -levent_core -lcrypto -ljansson

FOLDERS  = common conf daemon proxy auth secrets token track
# The main file of a program has the program's name; *_test.c are tests.
MAINS    = daemon/waybilld.c daemon/waybillctl.c proxy/waybill-proxy.c \
	   auth/waybill-auth.c secrets/waybill-keeper.c token/waybill.c \
	   track/waybill-track.c track/waybill-feed.c
PROGRAMS = $(BUILD)/sbin/waybilld $(BUILD)/bin/waybillctl \
	   $(BUILD)/libexec/waybill-proxy $(BUILD)/libexec/waybill-auth \
	   $(BUILD)/libexec/waybill-keeper $(BUILD)/libexec/waybill-track \
	   $(BUILD)/bin/waybill $(BUILD)/bin/waybill-feed

SOURCES  = $(foreach f,$(FOLDERS),$(wildcard $(f)/*.c))
LIB_SRCS = $(filter-out $(MAINS) %_test.c,$(SOURCES))
TESTS    = $(patsubst %.c,$(BUILD)/tests/%,$(filter %_test.c,$(SOURCES)))
OBJECTS  = $(patsubst %.c,$(BUILD)/obj/%.o,$(SOURCES))
ARCHIVES = $(foreach f,$(FOLDERS),$(BUILD)/obj/$(f).a)

all: $(PROGRAMS)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo 'cc $<'
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

define archive_rule
$(BUILD)/obj/$(1).a: $(patsubst %.c,$(BUILD)/obj/%.o,$(filter $(1)/%,$(LIB_SRCS)))
	@mkdir -p $$(@D) && rm -f $$@
	@$(AR) rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call archive_rule,$(f))))

SHARED = $(BUILD)/obj/conf.a $(BUILD)/obj/common.a
define program_rule
$(1): $(BUILD)/obj/$(2)/$(notdir $(1)).o $(BUILD)/obj/$(2).a $(SHARED)
	@mkdir -p $$(@D)
	@echo 'link $$@'
	$(Q)$(CC) $(ALL_LDFLAGS) -o $$@ $$^ $(or $(LIBS_$(notdir $(1))),$(LIBS_$(2)))
endef
$(eval $(call program_rule,$(BUILD)/sbin/waybilld,daemon))
$(eval $(call program_rule,$(BUILD)/bin/waybillctl,daemon))
$(eval $(call program_rule,$(BUILD)/libexec/waybill-proxy,proxy))
$(eval $(call program_rule,$(BUILD)/libexec/waybill-auth,auth))
$(eval $(call program_rule,$(BUILD)/libexec/waybill-keeper,secrets))
$(eval $(call program_rule,$(BUILD)/libexec/waybill-track,track))
$(eval $(call program_rule,$(BUILD)/bin/waybill,token))
$(eval $(call program_rule,$(BUILD)/bin/waybill-feed,track))

define test_rule
$(BUILD)/tests/$(1)/%: $(BUILD)/obj/$(1)/%.o $(BUILD)/obj/$(1).a $(SHARED)
	@mkdir -p $$(@D)
	@echo 'link $$@'
	$(Q)$(CC) $(ALL_LDFLAGS) -o $$@ $$^ -lcmocka $(LIBS_$(1)) $(LIBS_common)
endef
$(foreach f,$(FOLDERS),$(eval $(call test_rule,$(f))))

tests: all $(TESTS)

# Try it: a private Postfix behind it, a message through it. MSA=host:port
# takes another MSA and needs no root.
DEMO_ARGS = $(foreach v,MSA TO FROM,$(if $($(v)),$(v)=$($(v))))
run: install-run
	$(MAKE) all
	WAYBILL_BUILD=$(BUILD) $(PYTHON) tests/demo.py run $(DEMO_ARGS)

demo: install-run
	$(MAKE) all
	WAYBILL_BUILD=$(BUILD) $(PYTHON) tests/demo.py demo $(DEMO_ARGS)

# Everything there is to test; the last line counts.
check: install-check
	$(MAKE) -j2 tests
	tests/run-all $(BUILD) $(TESTS_ONLY)

SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	   -fno-omit-frame-pointer
asan: install-check
	$(MAKE) -j2 tests BUILD=build/asan CFLAGS="-O1 -g" SAN="$(SANITIZE)"
	ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 \
	    tests/run-all build/asan $(TESTS_ONLY)

install-%:
	@tests/install-packages $*

# Fuzzers drive the real parsers; clang only.
FUZZ_SECONDS ?= 30
FUZZERS  = $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_LIBS = proxy secrets token track conf common
FUZZ_ARCHIVES = $(foreach f,$(FUZZ_LIBS),$(BUILD)/obj/$(f).a)

fuzz: install-lint
	$(MAKE) -j2 fuzzers BUILD=build/fuzz CC=clang CFLAGS="-O1 -g" \
	    SAN="$(SANITIZE) -fsanitize=fuzzer-no-link"
	tests/fuzz/run build/fuzz $(FUZZ_SECONDS)

fuzzers: $(foreach f,$(FUZZERS),$(BUILD)/fuzz/$(f))
$(BUILD)/fuzz/%: tests/fuzz/%.c $(FUZZ_ARCHIVES)
	@mkdir -p $(@D)
	@echo 'link $@'
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -fsanitize=fuzzer -pie -o $@ $< \
	    -Wl,--start-group $(FUZZ_ARCHIVES) -Wl,--end-group \
	    -Wl,--as-needed $(LIBS_token) $(LIBS_secrets) $(LIBS_proxy) \
	    $(LIBS_track)

# How fast it is: make bench, or make bench CASE="short keeper". With
# SUBJECTS="waybill nginx" the others stay out of it.
BENCHES  = $(patsubst tests/bench/%.c,$(BUILD)/bench/%,\
	   $(wildcard tests/bench/*_bench.c))
BENCH_LIBS = secrets track conf common
BENCH_LOAD = $(BUILD)/bench/load $(BUILD)/bench/sink
bench: install-bench
	$(MAKE) -j2 all benches
	$(PYTHON) tests/bench/run $(BUILD) $(CASE)

# Instructions and system calls of a message, held to tests/bench/budgets.
bench-quick: install-quick
	$(MAKE) -j2 all $(BENCH_LOAD)
	$(PYTHON) tests/bench/quick $(BUILD)

benches: $(BENCHES) $(BENCH_LOAD)
$(BENCH_LOAD): $(wildcard tests/bench/load*.[ch] tests/bench/sink*.[ch])
	@mkdir -p $(@D)
	@echo 'link $@'
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -pie -o $@ \
	    $(filter tests/bench/$(@F)%.c,$^) -lssl -lcrypto
$(BUILD)/bench/%: tests/bench/%.c $(foreach f,$(BENCH_LIBS),$(BUILD)/obj/$(f).a)
	@mkdir -p $(@D)
	@echo 'link $@'
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -pie -o $@ $^ -lcmocka \
	    $(LIBS_secrets) $(LIBS_track) -lm

# Warnings of both compilers, form, and two checkers.
HEADERS  = $(foreach f,$(FOLDERS),$(wildcard $(f)/*.h))
lint: install-lint install-check
	@tests/lint $(BUILD) $(SOURCES) $(HEADERS) $(wildcard tests/fuzz/*.[ch])

MANDIR   ?= $(PREFIX)/share/man
install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin \
	    $(DESTDIR)$(PREFIX)/libexec $(DESTDIR)$(SYSCONFDIR)/waybill \
	    $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man5 \
	    $(DESTDIR)$(MANDIR)/man8
	install $(BUILD)/sbin/* $(DESTDIR)$(PREFIX)/sbin
	install $(BUILD)/bin/* $(DESTDIR)$(PREFIX)/bin
	install $(BUILD)/libexec/* $(DESTDIR)$(PREFIX)/libexec
	install -m 644 conf/waybill.conf.sample \
	    $(DESTDIR)$(SYSCONFDIR)/waybill/waybill.conf.sample
	install -m 644 man/*.1 $(DESTDIR)$(MANDIR)/man1
	install -m 644 man/*.5 $(DESTDIR)$(MANDIR)/man5
	install -m 644 man/*.8 $(DESTDIR)$(MANDIR)/man8

clean:
	rm -rf $(BUILD)

-include $(OBJECTS:.o=.d)
.SECONDARY:
.PHONY: all tests clean run demo check asan fuzz fuzzers bench bench-quick \
	benches lint install
