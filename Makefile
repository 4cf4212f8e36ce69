# heaptape: everything is built under build/, in the layout that `make install` copies:
#   build/libexec/heaptape/*   the subcommands' executables
#   build/lib/heaptape/*       shared objects that are preloaded (recorder, htmalloc, null)
#   build/share/heaptape/*     Python, gnuplot scripts and the bundled corpus (links into the tree)
#   build/obj, build/tests     objects and test programs
# Each room adds its targets in ROOM/module.mk. CFLAGS, LDFLAGS, PREFIX and DESTDIR are honoured and
# only ever appended to; V=1 shows the commands; B=DIR builds elsewhere (make asan uses it).
CC ?= gcc
CXX ?= g++
B ?= build
PREFIX ?= /usr/local
VERSION := $(shell cat VERSION)
Q := $(if $(V),,@)

LIBEXEC := $(B)/libexec/heaptape
LIB := $(B)/lib/heaptape
SHARE := $(B)/share/heaptape
OBJ := $(B)/obj
TESTS := $(B)/tests

OPT ?= -O2 -g
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
BASE_CFLAGS := -std=gnu11 $(OPT) $(WARN) -D_GNU_SOURCE -DHEAPTAPE_VERSION='"$(VERSION)"' -I. -pthread -MMD -MP

# Rooms append to these.
PROGRAMS :=
LIBRARIES :=
TEST_PROGRAMS :=
SHARE_LINKS :=

.PHONY: all help
all:

include $(wildcard traces/module.mk recorder/module.mk allocator/module.mk replayer/module.mk analysis/module.mk tests/module.mk)
include $(wildcard make/*.mk)

all: $(PROGRAMS) $(LIBRARIES) $(SHARE_LINKS)

# An object of a program or a static library.
$(OBJ)/%.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC      $<")
	$(Q)$(CC) $(BASE_CFLAGS) $(CPPFLAGS) $(CFLAGS) -c $< -o $@

# The same source as position independent code for a preloaded shared object: hidden by default, so that
# only the names meant to be interposed are, and without the compiler turning our malloc into a builtin.
$(OBJ)/%.pic.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC      $< (pic)")
	$(Q)$(CC) $(BASE_CFLAGS) -fPIC -fvisibility=hidden -ftls-model=initial-exec -fno-builtin-malloc -fno-builtin-calloc \
		-fno-builtin-realloc -fno-builtin-free $(CPPFLAGS) $(CFLAGS) -c $< -o $@

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
