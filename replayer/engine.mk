# heaptape-engine: one binary for every allocator. See time_loop.c for its flags. The executable's own calloc and
# free must be visible to the loader: see thread_tls.h.
PROGRAMS += $(LIBEXEC)/heaptape-engine

ENGINE_SOURCES := engine_main plan plan_file window order lanes live threads thread_tls wait pace timetable pages proc sampler warm system_calls snapshot page_map crash print call \
	memory_loop time_loop latency latency_loop verify verify_loop verify_probe shadow pattern guard own metadata violation
ENGINE_OBJECTS := $(patsubst %,$(OBJ)/replayer/engine/%.o,$(ENGINE_SOURCES))
ENGINE_CFLAGS := -fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free -fno-plt

$(ENGINE_OBJECTS): BASE_CFLAGS += $(ENGINE_CFLAGS)

$(LIBEXEC)/heaptape-engine: $(ENGINE_OBJECTS) $(TAPE_LIB)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) -pthread -Wl,-z,now -Wl,--export-dynamic-symbol=calloc -Wl,--export-dynamic-symbol=free $^ $(LDFLAGS) $(TAPE_LDLIBS) -o $@

# What the engine's tests need: random tapes with known counts, a preload that counts the heap's calls, and one
# that makes a known number of system calls.
TEST_PROGRAMS += $(TESTS)/engine_tape $(TESTS)/engine_count.so $(TESTS)/engine_calls.so

$(TESTS)/engine_tape: $(OBJ)/tests/stress/engine_tape.o $(TAPE_LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $^ $(LDFLAGS) $(TAPE_LDLIBS) -o $@

$(TESTS)/engine_count.so $(TESTS)/engine_calls.so: $(TESTS)/%.so: $(OBJ)/tests/stress/%.pic.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -shared $^ $(LDFLAGS) -o $@

# A program with pauses.
TEST_PROGRAMS += $(TESTS)/pace_case

$(TESTS)/pace_case: tests/stress/pace_case.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) $(CFLAGS) $< $(LDFLAGS) -o $@

TEST_PROGRAMS += $(TESTS)/engine_timetable_test
SANITIZE_PROGRAMS += $(TESTS)/engine_timetable_test

$(TESTS)/engine_timetable_test: $(patsubst %,$(OBJ)/%.o,tests/unit/engine_timetable_test \
		$(addprefix replayer/engine/,window timetable pages)) $(TAPE_LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $^ $(LDFLAGS) $(TAPE_LDLIBS) -o $@

TEST_PROGRAMS += $(TESTS)/engine_slow.so
$(TESTS)/engine_slow.so: $(OBJ)/tests/stress/engine_slow.pic.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -shared $^ $(LDFLAGS) -o $@

TEST_PROGRAMS += $(TESTS)/latency_histogram_test
SANITIZE_PROGRAMS += $(TESTS)/latency_histogram_test
$(TESTS)/latency_histogram_test: $(OBJ)/tests/unit/latency_histogram_test.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $^ $(LDFLAGS) -o $@

TEST_PROGRAMS += $(TESTS)/engine_plan_test
SANITIZE_PROGRAMS += $(TESTS)/engine_plan_test

$(TESTS)/engine_plan_test: $(patsubst %,$(OBJ)/%.o,tests/unit/engine_plan_test \
		$(addprefix replayer/engine/,plan window timetable order lanes live pages)) $(TAPE_LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $^ $(LDFLAGS) $(TAPE_LDLIBS) -o $@

# Allocators with one bug each, for --verify: tests/wrong/wrong.h.
WRONG_LIBRARIES := $(patsubst tests/wrong/%.c,$(TESTS)/libwrong_%.so,$(wildcard tests/wrong/*.c))
TEST_PROGRAMS += $(WRONG_LIBRARIES)

$(WRONG_LIBRARIES): $(TESTS)/libwrong_%.so: $(OBJ)/tests/wrong/%.pic.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -shared $^ $(LDFLAGS) -o $@

TEST_PROGRAMS += $(TESTS)/engine_verify_test
SANITIZE_PROGRAMS += $(TESTS)/engine_verify_test

$(TESTS)/engine_verify_test: $(patsubst %,$(OBJ)/%.o,tests/unit/engine_verify_test \
		$(addprefix replayer/engine/,shadow pattern pages))
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) -o $@

TEST_PROGRAMS += $(TESTS)/engine_page_map_test
SANITIZE_PROGRAMS += $(TESTS)/engine_page_map_test

$(TESTS)/engine_page_map_test: $(patsubst %,$(OBJ)/%.o,tests/unit/engine_page_map_test replayer/engine/page_map)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $^ $(LDFLAGS) -o $@

# make bench-calls        what counting a system call costs memory mode
BENCHES += bench-calls
.PHONY: bench-calls
bench-calls: all tests-built
	@replayer/engine/bench_calls.sh "$(abspath $(B))"
