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
# Test programs that make sense under a sanitizer; the rest interpose malloc themselves.
SANITIZE_PROGRAMS :=
TSAN_PROGRAMS :=
BENCHES :=
SHARE_LINKS :=

.PHONY: all help
.SECONDARY: # objects stay, also those made on the way to a program
all:

include $(wildcard traces/module.mk recorder/module.mk allocator/module.mk replayer/module.mk analysis/module.mk tests/module.mk)

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

# ---- set-up, demo, test ------------------------------------------------------------------------------------
.PHONY: setup demo test tests-built unit check-arrows

setup:
	@./heaptape setup

tests-built: all $(TEST_PROGRAMS)

# The first python3 that can import what a job needs; Debian's packages are seen by /usr/bin/python3 only
# where another python3 stands before it on PATH.
find_python = $(firstword $(foreach p,$(HEAPTAPE_PYTHON) /usr/bin/python3 python3 /usr/local/bin/python3,\
	$(shell $(p) -c 'import $(1)' 2>/dev/null && echo $(p))))

# make test            every test
# make test run=trace  those whose name contains a word (pytest's -k expression)
# make test run='4 8'  numbered cases of the textbook allocators; run=list lists them
# make bless           renews their golden pictures
cases_asked = $(if $(run),$(if $(shell printf '%s' '$(subst ','',$(run))' | tr -d '0-9 '),,$(run)))
ifeq ($(run),list)
test:
	@"$(call find_python,pytest)" tests/heaps/test_cases.py --list
else
test: tests-built
	@python="$(call find_python,pytest)"; \
	[ -n "$$python" ] || { echo "make test: no python3 with pytest; run ./heaptape test, which installs it" >&2; exit 4; }; \
	export B="$(abspath $(B))"; \
	$(if $(cases_asked),"$$python" tests/heaps/test_cases.py $(cases_asked),\
	"$$python" -m pytest -q -p no:cacheprovider $(if $(run),-k "$(run)") tests)
endif

.PHONY: bless
bless: $(TESTS)/heap_script
	@B="$(abspath $(B))" "$(call find_python,pytest)" tests/heaps/test_heaps.py --bless

demo: all $(DEMO_PROGRAMS)
	@tests/programs/demo.sh "$(abspath $(B))" $(if $(out),"$(out)")

# ---- quality -----------------------------------------------------------------------------------------------
.PHONY: lint format format-check clang-build tidy asan ubsan tsan bench
C_FILES = $(shell git ls-files '*.c' '*.h' 2>/dev/null)

lint: format-check clang-build tidy

format:
	@clang-format -i $(C_FILES)

format-check:
	@clang-format --dry-run -Werror $(C_FILES)

# The whole tree once more with the other compiler.
clang-build:
	@$(MAKE) --no-print-directory CC=clang CXX=clang++ B=build-clang tests-built

# tests/stress, tests/wrong and tests/misuse are left out: those programs leak, crash and misuse memory on purpose.
# The textbook examples include installed headers, and one leaks on purpose.
tidy:
	@printf '%s\n' $(filter-out allocator/textbook/examples/% tests/stress/% tests/wrong/% tests/misuse/%,$(filter %.c,$(C_FILES))) | xargs -P $(shell nproc) -n 4 sh -c \
		'clang-tidy --quiet "$$@" -- $(filter-out -M% -DHEAPTAPE_VERSION=%,$(BASE_CFLAGS)) -DHEAPTAPE_VERSION=\"0\" -DHT_DEBUG -Iallocator/htmalloc 2>/dev/null' tidy

# Sanitizer builds run the C tests that do not interpose malloc themselves.
asan:
	@$(MAKE) --no-print-directory B=build-asan OPT="-O1 -g" CFLAGS="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer $(CFLAGS)" LDFLAGS="-fsanitize=address,undefined $(LDFLAGS)" sanitized
ubsan:
	@$(MAKE) --no-print-directory B=build-ubsan OPT="-O1 -g" CFLAGS="-fsanitize=undefined -fno-sanitize-recover=all $(CFLAGS)" LDFLAGS="-fsanitize=undefined $(LDFLAGS)" sanitized
tsan:
	@$(MAKE) --no-print-directory B=build-tsan OPT="-O1 -g" CFLAGS="-fsanitize=thread $(CFLAGS)" LDFLAGS="-fsanitize=thread $(LDFLAGS)" sanitized-threads
.PHONY: sanitized sanitized-threads
sanitized: $(SANITIZE_PROGRAMS)
	@for t in $^; do echo "== $$t"; "$$t" || exit 1; done
sanitized-threads: $(TSAN_PROGRAMS)
	@for t in $^; do echo "== $$t"; "$$t" || exit 1; done

bench: all tests-built
	@for b in $(BENCHES); do $(MAKE) --no-print-directory $$b || exit 1; done

# ---- install -----------------------------------------------------------------------------------------------
.PHONY: install uninstall clean
INSTALLED = $(DESTDIR)$(PREFIX)

install: all
	install -d $(INSTALLED)/bin $(INSTALLED)/libexec/heaptape $(INSTALLED)/lib/heaptape $(INSTALLED)/share/heaptape $(INSTALLED)/include
	install -m 755 heaptape $(INSTALLED)/bin/heaptape
	install -m 755 $(filter $(LIBEXEC)/%,$(PROGRAMS)) $(INSTALLED)/libexec/heaptape
	install -m 644 $(filter $(LIB)/%,$(LIBRARIES)) $(INSTALLED)/lib/heaptape
	install -d $(INSTALLED)/include/textbook
	install -m 644 $(TEXTBOOK_HEADERS) $(INSTALLED)/include/textbook
	install -m 644 allocator/htmalloc/htmalloc.h $(INSTALLED)/include/htmalloc.h
	ln -sf heaptape/libhtmalloc.so heaptape/libhtmalloc.a $(INSTALLED)/lib
	install -d $(INSTALLED)/lib/pkgconfig
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' allocator/htmalloc/htmalloc.pc.in > $(INSTALLED)/lib/pkgconfig/htmalloc.pc
	chmod 644 $(INSTALLED)/lib/pkgconfig/htmalloc.pc
	install -m 644 recorder/heaptape.h $(INSTALLED)/include/heaptape.h
	cp -RL $(SHARE)/. $(INSTALLED)/share/heaptape
	find $(INSTALLED)/share/heaptape -name __pycache__ -prune -exec rm -rf {} +
	install -m 644 VERSION $(INSTALLED)/share/heaptape/VERSION

uninstall:
	rm -rf $(INSTALLED)/include/textbook $(INSTALLED)/libexec/heaptape $(INSTALLED)/lib/heaptape $(INSTALLED)/share/heaptape
	rm -f $(INSTALLED)/bin/heaptape $(INSTALLED)/include/htmalloc.h $(INSTALLED)/include/heaptape.h
	rm -f $(INSTALLED)/lib/libhtmalloc.so $(INSTALLED)/lib/libhtmalloc.a $(INSTALLED)/lib/pkgconfig/htmalloc.pc

clean:
	rm -rf $(B) build-clang build-asan build-ubsan build-tsan

help:
	@echo 'make               build everything under build/'
	@echo 'make setup         install what is missing (apt-get as root or with sudo)'
	@echo 'make demo          record three real programs, replay them everywhere, write the report'
	@echo 'make test          every test; run=WORD for those whose name contains it; run="4 8 12" for cases by'
	@echo '                   number, run=list for the list of them; make bless renews golden pictures'
	@echo 'make bench         the measured figures: $(BENCHES)'
	@echo 'make bench-allocator  htmalloc and the others on real programs; BENCH_ONLY, BENCH_ROUNDS, BENCH_ALLOCATORS'
	@echo 'make test-dockerfile  the steps of the Dockerfile in a clean Debian 12 (root, debootstrap)'
	@echo 'make study         the textbook policies over real programs, into $(B)/study'
	@echo 'make lint          clang-format, a clang build and clang-tidy'
	@echo 'make format        clang-format in place'
	@echo 'make asan          C tests with the address and undefined behaviour sanitizers (also: ubsan, tsan)'
	@echo 'make valgrind      the textbook allocators and htmalloc as memcheck can see into them'
	@echo 'make install       to PREFIX ($(PREFIX)), honouring DESTDIR; make uninstall'
	@echo 'make clean         remove the builds'
	@echo 'Variables: CC CFLAGS LDFLAGS OPT PREFIX DESTDIR B=builddir V=1'

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
