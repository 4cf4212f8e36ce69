# The tape: library libtape.a, tool heaptape-trace. Other rooms link $(TAPE_LIB) $(TAPE_LDLIBS).
TAPE_LIB := $(OBJ)/libtape.a
# Static, so that the replay engine's decoder runs without libzstd's shared object in the measured process.
TAPE_LDLIBS := -l:libzstd.a -lm

TAPE_OBJECTS := $(patsubst %,$(OBJ)/traces/%.o,\
	error event text cli emit target crc32c meta block_input block_output decode encode shapes \
	writer reader raw_writer track summary address_map merge raw_clock resolve check)

$(TAPE_LIB): $(TAPE_OBJECTS)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

TRACE_OBJECTS := $(patsubst %,$(OBJ)/traces/%.o,\
	trace_main trace_info trace_dump trace_check trace_slice trace_resolve \
	trace_synth synth/synth trace_convert convert/convert convert/rep convert/android convert/mtrace)
PROGRAMS += $(LIBEXEC)/heaptape-trace

$(LIBEXEC)/heaptape-trace: $(TRACE_OBJECTS) $(TAPE_LIB)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) -pthread $(TRACE_OBJECTS) $(TAPE_LIB) $(LDFLAGS) $(TAPE_LDLIBS) -o $@

TAPE_TESTS := $(patsubst %,$(TESTS)/%_test,tape_roundtrip tape_parts tape_mutated resolve)
TEST_PROGRAMS += $(TAPE_TESTS)
SANITIZE_PROGRAMS += $(TAPE_TESTS)

$(TESTS)/tape_mutated_test: $(OBJ)/traces/synth/synth.o
$(TAPE_TESTS): $(TESTS)/%: $(OBJ)/tests/unit/%.o $(TAPE_LIB)
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
