# The tape: library libtape.a, tool heaptape-trace. Other rooms link $(TAPE_LIB) $(TAPE_LDLIBS).
TAPE_LIB := $(OBJ)/libtape.a
# Static, so that the replay engine's decoder runs without libzstd's shared object in the measured process.
TAPE_LDLIBS := -l:libzstd.a -lm

TAPE_OBJECTS := $(patsubst %,$(OBJ)/traces/%.o,\
	error event text cli emit target clock crc32c meta block_input block_output planes decode encode referrer shapes \
	writer reader raw_words raw_sites raw_writer track window sites marks summary address_map merge raw_clock resolve_events resolve check)

$(TAPE_LIB): $(TAPE_OBJECTS)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# Names for addresses; for the tools that give them.
SYMBOLIZE_OBJECTS := $(OBJ)/traces/symbolize.o
SYMBOLIZE_LDLIBS := -ldw

TRACE_OBJECTS := $(SYMBOLIZE_OBJECTS) $(patsubst %,$(OBJ)/traces/%.o,\
	trace_main trace_info trace_dump trace_check trace_slice trace_resolve trace_top \
	trace_synth synth/synth trace_convert convert/convert convert/rep convert/android convert/mtrace)
PROGRAMS += $(LIBEXEC)/heaptape-trace

$(LIBEXEC)/heaptape-trace: $(TRACE_OBJECTS) $(TAPE_LIB)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) -pthread $(TRACE_OBJECTS) $(TAPE_LIB) $(LDFLAGS) $(TAPE_LDLIBS) $(SYMBOLIZE_LDLIBS) -o $@

TAPE_TESTS := $(patsubst %,$(TESTS)/%_test,tape_roundtrip tape_parts tape_mutated raw_words resolve)
# Counts heap calls itself, so no sanitizer's heap can stand in.
TAPE_HEAP_TEST := $(TESTS)/tape_heap_test
TEST_PROGRAMS += $(TAPE_TESTS) $(TAPE_HEAP_TEST)
SANITIZE_PROGRAMS += $(TAPE_TESTS)

$(TESTS)/tape_mutated_test $(TAPE_HEAP_TEST): $(OBJ)/traces/synth/synth.o
$(TAPE_TESTS) $(TAPE_HEAP_TEST): $(TESTS)/%: $(OBJ)/tests/unit/%.o $(TAPE_LIB)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) -pthread $(filter %.o,$^) $(TAPE_LIB) $(LDFLAGS) $(TAPE_LDLIBS) -o $@

TEST_PROGRAMS += $(TESTS)/tape_bench
$(TESTS)/tape_bench: $(OBJ)/traces/tape_bench.o $(OBJ)/traces/synth/synth.o $(TAPE_LIB)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) $(TAPE_LDLIBS) -o $@

# make bench-tape [TAPES="a.tape b.raw"]
BENCHES += bench-tape
.PHONY: bench-tape
bench-tape: $(TESTS)/tape_bench
	@traces/bench.sh $(TESTS)/tape_bench $(or $(TAPES),$(wildcard traces/corpus/*.tape))

# Made the golden files; built with the tests so that it stays buildable.
TEST_PROGRAMS += $(TESTS)/golden_make_good
$(TESTS)/golden_make_good: $(OBJ)/tests/golden/make_good.o $(OBJ)/traces/synth/synth.o $(TAPE_LIB)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) $(TAPE_LDLIBS) -o $@

# make fuzz-tape [seconds=60]: clang's libFuzzer with the address and undefined behaviour sanitizers, from
# the inputs in tests/fuzz/corpus. What it finds new stays in the build folder; a crash is left there too.
FUZZ_SOURCES := $(patsubst $(OBJ)/%.o,%.c,$(TAPE_OBJECTS)) $(addprefix traces/convert/,convert.c rep.c android.c mtrace.c)
$(B)/fuzz/tape_fuzz: tests/fuzz/tape_fuzz.c $(FUZZ_SOURCES) $(wildcard traces/*.h traces/*/*.h)
	@mkdir -p $(@D)
	$(Q)clang $(filter-out -MMD -MP -O2,$(BASE_CFLAGS)) -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
		$(filter %.c,$^) $(TAPE_LDLIBS) -o $@

# The same without libFuzzer, for the inputs kept in the tree.
TEST_PROGRAMS += $(TESTS)/tape_fuzz_corpus
$(TESTS)/tape_fuzz_corpus: $(OBJ)/tests/fuzz/tape_fuzz.o $(patsubst %,$(OBJ)/traces/convert/%.o,convert rep android mtrace) $(TAPE_LIB)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) $(TAPE_LDLIBS) -o $@
$(OBJ)/tests/fuzz/tape_fuzz.o: CPPFLAGS += -DFUZZ_STANDALONE

.PHONY: fuzz-tape
fuzz-tape: $(B)/fuzz/tape_fuzz
	@mkdir -p $(B)/fuzz/found
	@cd $(B)/fuzz && ./tape_fuzz -max_total_time=$(or $(seconds),60) -max_len=8192 -rss_limit_mb=2048 -print_final_stats=1 \
		found $(abspath tests/fuzz/corpus)

# The bundled tapes, installed with the rest.
SHARE_LINKS += $(SHARE)/corpus
$(SHARE)/corpus:
	@mkdir -p $(@D)
	$(Q)ln -sfnr traces/corpus $@
