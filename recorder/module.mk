# The preload and its collector.
PRELOAD_OBJECTS := $(patsubst %,$(OBJ)/recorder/preload/%.pic.o,\
	interpose interpose_cxx exec lane process next bootstrap vfork attach loaded environment judge sites unwind unwind_rule mark)
COLLECTOR_OBJECTS := $(patsubst %,$(OBJ)/recorder/%.o,\
	record_main record_options record_report $(addprefix collector/,session drain recorded samples call_sites finish launch) \
	$(addprefix attach/,attach helper eligible survey safepoint remote tracer image procfs))

LIBRARIES += $(LIB)/libheaptape-record.so
PROGRAMS += $(LIBEXEC)/heaptape-record

# Nothing but libc: what is loaded into the target must not bring anything else with it.
$(LIB)/libheaptape-record.so: $(PRELOAD_OBJECTS)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) -shared -Wl,-soname,libheaptape-record.so -Wl,-z,now -Wl,-z,nodelete -Wl,--no-undefined \
		$^ $(LDFLAGS) -Wl,--as-needed -ldl -o $@

$(LIBEXEC)/heaptape-record: $(COLLECTOR_OBJECTS) $(SYMBOLIZE_OBJECTS) $(TAPE_LIB)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) $(TAPE_LDLIBS) $(SYMBOLIZE_LDLIBS) -o $@

# ---- tests ---------------------------------------------------------------------------------------
# One case a file; tests/cli/test_record*.py runs them.
# Those that are preloaded or loaded; all others are programs.
RECORD_LIBRARIES := count bump ifunc lazy nested libc plugin plugin_cxx
RECORD_BEHIND := $(patsubst %,$(TESTS)/record_%.so,$(RECORD_LIBRARIES))
RECORD_PROGRAMS = $(filter-out $(patsubst %,$(TESTS)/record_%,$(RECORD_LIBRARIES)),\
	$(patsubst tests/stress/%.$(1),$(TESTS)/%,$(wildcard tests/stress/record_*.$(1))))
RECORD_CASES := $(call RECORD_PROGRAMS,c)
RECORD_CXX_CASES := $(call RECORD_PROGRAMS,cc)
TEST_PROGRAMS += $(RECORD_CASES) $(RECORD_CXX_CASES) $(RECORD_BEHIND) $(TESTS)/record_static

# Compilers take malloc and free apart where they know them.
RECORD_CFLAGS := -fno-builtin -O1
RECORD_CXXFLAGS := -std=c++17 -fsized-deallocation -Wall -Wextra -Werror -pthread -MMD -MP

$(RECORD_CASES): $(TESTS)/%: tests/stress/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) $(RECORD_CFLAGS) $(CFLAGS) $< $(LDFLAGS) -o $@

$(RECORD_CXX_CASES): $(TESTS)/%: tests/stress/%.cc
	@mkdir -p $(@D)
	$(Q)$(CXX) $(RECORD_CXXFLAGS) $(RECORD_CFLAGS) $(CXXFLAGS) $< $(LDFLAGS) -o $@

$(TESTS)/record_%.so: tests/stress/record_%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) -Wno-missing-prototypes $(RECORD_CFLAGS) $(CFLAGS) -shared -fPIC $< $(LDFLAGS) -o $@

$(TESTS)/record_%.so: tests/stress/record_%.cc
	@mkdir -p $(@D)
	$(Q)$(CXX) $(RECORD_CXXFLAGS) $(RECORD_CFLAGS) $(CXXFLAGS) -shared -fPIC $< $(LDFLAGS) -o $@

$(TESTS)/record_static: tests/stress/record_ends.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) $(RECORD_CFLAGS) $(CFLAGS) -static $< $(LDFLAGS) -o $@

-include $(wildcard $(TESTS)/record_*.d)
# What is attached to while it runs; tests/cli/test_attach.py.
ATTACH_CASES := $(patsubst tests/stress/%.c,$(TESTS)/%,$(filter-out %/attach_plugin.c,$(wildcard tests/stress/attach_*.c)))
TEST_PROGRAMS += $(ATTACH_CASES) $(TESTS)/attach_cxx $(TESTS)/attach_plugin.so $(addprefix $(TESTS)/attach_,lazy fixed static)

$(ATTACH_CASES): $(TESTS)/%: tests/stress/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) $(RECORD_CFLAGS) $(CFLAGS) $< $(LDFLAGS) -Wl,-z,relro,-z,now -Wl,--enable-new-dtags,-rpath,'$$ORIGIN' -o $@

$(TESTS)/attach_plugin.so: tests/stress/attach_plugin.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) $(RECORD_CFLAGS) $(CFLAGS) -shared -fPIC $< $(LDFLAGS) -o $@

$(TESTS)/attach_cxx: tests/stress/attach_cxx.cc
	@mkdir -p $(@D)
	$(Q)$(CXX) -std=c++17 -fsized-deallocation -faligned-new -Wall -Wextra -Werror $(RECORD_CFLAGS) $(CXXFLAGS) $< $(LDFLAGS) -o $@

# The same with functions bound at their first call, and at a fixed address.
$(TESTS)/attach_lazy: tests/stress/attach_churn.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) $(RECORD_CFLAGS) $(CFLAGS) $< $(LDFLAGS) -Wl,-z,lazy -o $@

$(TESTS)/attach_fixed: tests/stress/attach_churn.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) $(RECORD_CFLAGS) $(CFLAGS) -fno-pie $< $(LDFLAGS) -no-pie -o $@

$(TESTS)/attach_static: tests/stress/attach_waits.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) $(RECORD_CFLAGS) $(CFLAGS) -static $< $(LDFLAGS) -o $@

# Call sites: with frame pointers and without, and C++'s operators.
SITES_CASES := $(TESTS)/sites_case $(TESTS)/sites_case_fp $(TESTS)/sites_cxx
TEST_PROGRAMS += $(SITES_CASES)
$(TESTS)/sites_case: SITES_CFLAGS := -fomit-frame-pointer
$(TESTS)/sites_case_fp: SITES_CFLAGS := -fno-omit-frame-pointer
$(TESTS)/sites_case $(TESTS)/sites_case_fp: tests/stress/sites_case.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) -O2 -g $(SITES_CFLAGS) $< $(LDFLAGS) -pthread -o $@
$(TESTS)/sites_cxx: tests/stress/sites_cxx.cc
	@mkdir -p $(@D)
	$(Q)$(CXX) -std=c++17 -O2 -g -fno-optimize-sibling-calls -Wall -Wextra -Werror $< $(LDFLAGS) -o $@

TEST_PROGRAMS += $(TESTS)/marks_case
$(TESTS)/marks_case: tests/stress/marks_case.c recorder/heaptape.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) $(RECORD_CFLAGS) $(CFLAGS) $< $(LDFLAGS) -pthread -o $@

# Sanitizers may not interpose in the preload, but its parts and the collector can be tested with them.
TEST_PROGRAMS += $(TESTS)/recorder_test $(TESTS)/drain_test
SANITIZE_PROGRAMS += $(TESTS)/recorder_test $(TESTS)/drain_test

$(TESTS)/drain_test: $(OBJ)/tests/unit/drain_test.o \
		$(patsubst %,$(OBJ)/recorder/collector/%.o,drain recorded session finish call_sites samples) $(SYMBOLIZE_OBJECTS) $(TAPE_LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) $(TAPE_LDLIBS) $(SYMBOLIZE_LDLIBS) -o $@

$(TESTS)/recorder_test: $(OBJ)/tests/unit/recorder_test.o $(OBJ)/recorder/preload/bootstrap.o \
		$(patsubst %,$(OBJ)/recorder/collector/%.o,recorded session finish call_sites samples) $(SYMBOLIZE_OBJECTS) $(TAPE_LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) $(TAPE_LDLIBS) $(SYMBOLIZE_LDLIBS) -o $@

# The preload's lanes under ThreadSanitizer. What cannot run there: the hooks, because the sanitizer's runtime brings a
# malloc of its own and must be the first library of a program, and so the preload as a whole; and the rings between two
# processes, because it sees neither the other process nor that two mappings are one memory. tests/cli/test_record_tools.py
# runs the whole preload under valgrind's memcheck instead (its helgrind and drd know no C11 atomics).
TEST_PROGRAMS += $(TESTS)/recorder_ring_test
SANITIZE_PROGRAMS += $(TESTS)/recorder_ring_test
TSAN_PROGRAMS += $(TESTS)/recorder_ring_test

# gcc says that it leaves fences out of account; the order that is tested does not hang on them.
ifneq (,$(findstring -fsanitize=thread,$(CFLAGS)))
ifeq (,$(findstring clang,$(CC)))
$(TESTS)/recorder_ring_test: override CFLAGS += -Wno-tsan
endif
endif
$(TESTS)/recorder_ring_test: $(OBJ)/tests/unit/recorder_ring_test.o $(OBJ)/recorder/collector/session.o $(TAPE_LIB) \
		$(patsubst $(OBJ)/recorder/preload/%.pic.o,$(OBJ)/recorder/preload/%.o,$(filter-out %/interpose.pic.o \
		%/interpose_cxx.pic.o %/exec.pic.o %/vfork.pic.o,$(PRELOAD_OBJECTS)))
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) $(TAPE_LDLIBS) -o $@

# The long form of tests/cli/test_record*.py: 200 SIGKILLs in 2 million events, 5 in 40 million, a race in 1000
# runs, 1000 forks; prints the survival table.
.PHONY: stress-recorder
stress-recorder: tests-built
	@"$(or $(call find_python,pytest),python3)" tests/stress/record_stress.py "$(abspath $(B))" $(if $(run),-k "$(run)")

# ---- measured figures ----------------------------------------------------------------------------
BENCHES += bench-recorder
.PHONY: bench-recorder
bench-recorder: $(LIB)/libheaptape-record.so $(LIBEXEC)/heaptape-record $(TESTS)/record_churn
	@"$(or $(call find_python,statistics),python3)" recorder/bench/bench_recorder.py "$(abspath $(B))" $(rounds)
