-include allocator/null.mk
include allocator/textbook.mk


# htmalloc: libhtmalloc.so has the malloc names (LD_PRELOAD) and the ht_ ones, libhtmalloc.a the ht_ ones.
HTMALLOC_NAMES := $(addprefix allocator/htmalloc/,interpose.c cxx.c deepbind.c exit.c)
HTMALLOC_SOURCES := $(filter-out $(HTMALLOC_NAMES),$(wildcard allocator/htmalloc/*.c))
HTMALLOC_OBJECTS := $(HTMALLOC_SOURCES:%.c=$(OBJ)/%.pic.o)
LIBRARIES += $(LIB)/libhtmalloc.so $(LIB)/libhtmalloc.a

# A small process pays for every page of the library: no tables for unwinding but where an exception of
# operator new passes through, no padding between code and constants.
$(HTMALLOC_OBJECTS) $(OBJ)/allocator/htmalloc/interpose.pic.o $(OBJ)/allocator/htmalloc/deepbind.pic.o: \
	BASE_CFLAGS += -fno-asynchronous-unwind-tables -fno-unwind-tables

$(LIB)/libhtmalloc.so: $(HTMALLOC_OBJECTS) $(HTMALLOC_NAMES:%.c=$(OBJ)/%.pic.o)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) -shared -Wl,-z,now -Wl,-z,defs -Wl,-z,nodelete -Wl,-z,noseparate-code -Wl,-O1 -Wl,--hash-style=gnu -Wl,-soname,$(@F) $^ $(LDFLAGS) -o $@

# One object whose hidden names are local: only the ht_ functions are left for others to clash with.
OBJCOPY ?= objcopy
$(LIB)/libhtmalloc.a: $(HTMALLOC_OBJECTS)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  AR      $@")
	$(Q)$(LD) -r $^ -o $(OBJ)/htmalloc.o && $(OBJCOPY) --localize-hidden $(OBJ)/htmalloc.o
	$(Q)rm -f $@ && $(AR) rcs $@ $(OBJ)/htmalloc.o

# The hardened build: the same sources behind a layer that checks (allocator/htmalloc/hard.h).
HTMALLOC_HARD := $(patsubst %.c,$(OBJ)/%.hard.o,$(HTMALLOC_SOURCES) $(HTMALLOC_NAMES))
LIBRARIES += $(LIB)/libhtmalloc-hard.so
.PHONY: htmalloc-hard
htmalloc-hard: $(LIB)/libhtmalloc-hard.so
$(OBJ)/%.hard.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC      $< (hardened)")
	$(Q)$(CC) $(BASE_CFLAGS) -DHT_HARD -fPIC -fvisibility=hidden -ftls-model=initial-exec -fno-builtin-malloc \
		-fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free $(CPPFLAGS) $(CFLAGS) -c $< -o $@
$(LIB)/libhtmalloc-hard.so: $(HTMALLOC_HARD)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) -shared -Wl,-z,now -Wl,-z,defs -Wl,-z,nodelete -Wl,-O1 -Wl,--hash-style=gnu -Wl,-soname,$(@F) $^ $(LDFLAGS) -o $@

# The build for Valgrind (allocator/htmalloc/memcheck.h), wanted by name or by HT_VALGRIND=1: it needs Valgrind's headers.
HTMALLOC_VALGRIND_NAMES := $(patsubst %/cxx.c,%/memcheck_cxx.c,$(HTMALLOC_NAMES))
HTMALLOC_VALGRIND := $(patsubst %.c,$(OBJ)/%.valgrind.o,$(sort $(HTMALLOC_SOURCES) $(HTMALLOC_VALGRIND_NAMES)))
LIBRARIES += $(if $(HT_VALGRIND),$(LIB)/libhtmalloc-valgrind.so)
# Tests have it where the headers are.
TEST_PROGRAMS += $(if $(wildcard /usr/include/valgrind/memcheck.h),$(LIB)/libhtmalloc-valgrind.so)
.PHONY: htmalloc-valgrind
htmalloc-valgrind: $(LIB)/libhtmalloc-valgrind.so
$(OBJ)/%.valgrind.o: %.c
	@mkdir -p $(@D)
	@[ -f /usr/include/valgrind/memcheck.h ] || { echo 'make htmalloc-valgrind: no valgrind/memcheck.h; apt-get install valgrind' >&2; exit 4; }
	$(if $(V),,@echo "  CC      $< (for Valgrind)")
	$(Q)$(CC) $(BASE_CFLAGS) -O1 -fno-optimize-sibling-calls -DHT_VALGRIND -fPIC -fvisibility=hidden -ftls-model=initial-exec -fno-builtin-malloc \
		-fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free $(CPPFLAGS) $(CFLAGS) -c $< -o $@
$(LIB)/libhtmalloc-valgrind.so: $(HTMALLOC_VALGRIND)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) -shared -Wl,-z,now -Wl,-z,defs -Wl,-O1 -Wl,--hash-style=gnu -Wl,-soname,$(@F) $^ $(LDFLAGS) -o $@

# The same sources for tests: with the checks compiled in, and under ThreadSanitizer.
HTMALLOC_DEBUG := $(HTMALLOC_SOURCES:%.c=$(OBJ)/%.htdebug.o)
HTMALLOC_TSAN := $(HTMALLOC_SOURCES:%.c=$(OBJ)/%.httsan.o)
HTMALLOC_UBSAN := $(HTMALLOC_SOURCES:%.c=$(OBJ)/%.htubsan.o)

$(OBJ)/%.htdebug.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) -DHT_DEBUG $(CPPFLAGS) $(CFLAGS) -c $< -o $@
$(OBJ)/%.httsan.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) -DHT_DEBUG -fsanitize=thread $(CPPFLAGS) $(CFLAGS) -c $< -o $@
$(OBJ)/%.htubsan.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) -DHT_DEBUG -fsanitize=undefined -fno-sanitize-recover=all $(CPPFLAGS) $(CFLAGS) -c $< -o $@

HTMALLOC_HARD_DEBUG := $(HTMALLOC_SOURCES:%.c=$(OBJ)/%.htharddebug.o)
$(OBJ)/%.htharddebug.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) -DHT_DEBUG -DHT_HARD $(CPPFLAGS) $(CFLAGS) -c $< -o $@
TEST_PROGRAMS += $(TESTS)/htmalloc_stress_hard
$(TESTS)/htmalloc_stress_hard: $(OBJ)/tests/stress/htmalloc_stress.htharddebug.o $(HTMALLOC_HARD_DEBUG)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) -o $@

TEST_PROGRAMS += $(TESTS)/htmalloc_hard_private_heap_test
$(TESTS)/htmalloc_hard_private_heap_test: $(OBJ)/tests/unit/htmalloc_private_heap_test.htharddebug.o $(HTMALLOC_HARD_DEBUG)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) -o $@

HTMALLOC_STRESS := $(TESTS)/htmalloc_stress $(TESTS)/htmalloc_stress_tsan $(TESTS)/htmalloc_stress_ubsan
TEST_PROGRAMS += $(HTMALLOC_STRESS)
$(TESTS)/htmalloc_stress: $(OBJ)/tests/stress/htmalloc_stress.htdebug.o $(HTMALLOC_DEBUG)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) -o $@
$(TESTS)/htmalloc_stress_tsan: $(OBJ)/tests/stress/htmalloc_stress.httsan.o $(HTMALLOC_TSAN)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pthread -fsanitize=thread $^ $(LDFLAGS) -o $@
$(TESTS)/htmalloc_stress_ubsan: $(OBJ)/tests/stress/htmalloc_stress.htubsan.o $(HTMALLOC_UBSAN)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pthread -fsanitize=undefined $^ $(LDFLAGS) -o $@

# make bench-allocator: CPU and peak resident memory relative to glibc, other allocators beside.
# BENCH_ONLY=WORD,... programs by name, part of a name or kind; BENCH_ALLOCATORS=NAME,...; BENCH_ROUNDS=N;
# BENCH_SEED=N; BENCH_FORMAT=csv|json; BENCH_HTMALLOC=PATH adds another htmalloc library as htmalloc-other.
BENCH_ALLOCATOR := $(B)/libexec/heaptape-bench
BENCH_KERNELS := $(addprefix $(OBJ)/allocator/bench/,workloads.o workers.o churn.o lifetimes.o grow.o large.o structures.o \
	passing.o server.o threads.o)
BENCH_ALLOCATOR_PROGRAMS := $(addprefix $(BENCH_ALLOCATOR)/,measure workloads pair shrink bounded tiny)
BENCH_ROUNDS ?= 3
BENCH_SEED ?= 1
BENCH_FORMAT ?= table
.PHONY: bench-allocator
bench-allocator: all $(BENCH_ALLOCATOR_PROGRAMS)
	$(Q)/usr/bin/python3 -B allocator/bench/bench.py --build $(B) --rounds $(BENCH_ROUNDS) --seed $(BENCH_SEED) \
		--format $(BENCH_FORMAT) --only "$(BENCH_ONLY)" --allocators "$(BENCH_ALLOCATORS)" --other "$(BENCH_HTMALLOC)"
# Or the compiler leaves out calls whose results it thinks it knows.
$(OBJ)/allocator/bench/%.o: BASE_CFLAGS += -fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free
$(BENCH_ALLOCATOR)/measure: $(OBJ)/allocator/bench/measure.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -static $^ $(LDFLAGS) -o $@
$(OBJ)/allocator/bench/pair.o: BASE_CFLAGS += -fno-plt
$(BENCH_ALLOCATOR)/workloads: $(BENCH_KERNELS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) -lm -o $@
$(BENCH_ALLOCATOR)/bounded: $(OBJ)/allocator/bench/bounded.o $(OBJ)/allocator/bench/workers.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) -ldl -o $@
$(BENCH_ALLOCATOR)/%: $(OBJ)/allocator/bench/%.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) -o $@

include allocator/tests.mk
