# Waybill: `make run` tries it out, `make check` tests it; README.md has more.

BUILD   ?= build
PREFIX  ?= /usr/local
SYSCONFDIR ?= /etc
CC      ?= cc
PKG_CONFIG ?= pkg-config
PYTHON  ?= /usr/bin/python3

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
LIBS_token   = -lconfuse -lssl -lcrypto

FOLDERS  = common conf daemon proxy auth secrets token
# The main file of a program has the program's name; *_test.c are tests.
MAINS    = daemon/waybilld.c daemon/waybillctl.c proxy/waybill-proxy.c \
	   auth/waybill-auth.c secrets/waybill-keeper.c token/waybill.c
PROGRAMS = $(BUILD)/sbin/waybilld $(BUILD)/bin/waybillctl \
	   $(BUILD)/libexec/waybill-proxy $(BUILD)/libexec/waybill-auth \
	   $(BUILD)/libexec/waybill-keeper $(BUILD)/bin/waybill

SOURCES  = $(foreach f,$(FOLDERS),$(wildcard $(f)/*.c))
LIB_SRCS = $(filter-out $(MAINS) %_test.c,$(SOURCES))
TESTS    = $(patsubst %.c,$(BUILD)/tests/%,$(filter %_test.c,$(SOURCES)))
OBJECTS  = $(patsubst %.c,$(BUILD)/obj/%.o,$(SOURCES))
ARCHIVES = $(foreach f,$(FOLDERS),$(BUILD)/obj/$(f).a)

all: $(PROGRAMS)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

define archive_rule
$(BUILD)/obj/$(1).a: $(patsubst %.c,$(BUILD)/obj/%.o,$(filter $(1)/%,$(LIB_SRCS)))
	@mkdir -p $$(@D) && rm -f $$@
	$(AR) rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call archive_rule,$(f))))

SHARED = $(BUILD)/obj/conf.a $(BUILD)/obj/common.a
define program_rule
$(1): $(BUILD)/obj/$(2)/$(notdir $(1)).o $(BUILD)/obj/$(2).a $(SHARED)
	@mkdir -p $$(@D)
	$(CC) $(ALL_LDFLAGS) -o $$@ $$^ $(LIBS_$(2))
endef
$(eval $(call program_rule,$(BUILD)/sbin/waybilld,daemon))
$(eval $(call program_rule,$(BUILD)/bin/waybillctl,daemon))
$(eval $(call program_rule,$(BUILD)/libexec/waybill-proxy,proxy))
$(eval $(call program_rule,$(BUILD)/libexec/waybill-auth,auth))
$(eval $(call program_rule,$(BUILD)/libexec/waybill-keeper,secrets))
$(eval $(call program_rule,$(BUILD)/bin/waybill,token))

define test_rule
$(BUILD)/tests/$(1)/%: $(BUILD)/obj/$(1)/%.o $(BUILD)/obj/$(1).a $(SHARED)
	@mkdir -p $$(@D)
	$(CC) $(ALL_LDFLAGS) -o $$@ $$^ -lcmocka $(LIBS_$(1)) $(LIBS_common)
endef
$(foreach f,$(FOLDERS),$(eval $(call test_rule,$(f))))

tests: all $(TESTS)

clean:
	rm -rf $(BUILD)

-include $(OBJECTS:.o=.d)
.SECONDARY:
.PHONY: all tests clean
