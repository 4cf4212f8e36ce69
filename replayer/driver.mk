# The driver: bench, replay, allocators, doctor, run, live, stats. One archive, one main each.
DRIVER_LIB := $(OBJ)/libdriver.a
DRIVER_OBJECTS := $(patsubst %,$(OBJ)/replayer/driver/%.o,\
	allocator_file allocator_spec allocators bench_table beside blame_files bounds build_id changes changes_print counted debugger \
	engine_run fragmentation interrupt json_file load packages \
	latency latency_files live live_print machine metric noise options output own_stats prediction preload probe \
	process progress results run_memory saved schedule score series significance snapshots statistics stats_print summary tape_tables tapes \
	verify violations)
DRIVER_COMMANDS := allocators bench diff doctor live replay run score stats

DRIVER_PROGRAMS := $(DRIVER_COMMANDS:%=$(LIBEXEC)/heaptape-%)
PROGRAMS += $(DRIVER_PROGRAMS)

$(DRIVER_LIB): $(DRIVER_OBJECTS)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(DRIVER_PROGRAMS): $(LIBEXEC)/heaptape-%: $(OBJ)/replayer/driver/%_main.o $(DRIVER_LIB) $(TAPE_LIB)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) $(TAPE_LDLIBS) -Wl,--as-needed -lcjson -o $@

# make bench-replay       what replaying costs by itself, on each bundled tape: the null allocator's time
#                         (floor), and how much longer a whole run takes than its timed part
BENCHES += bench-replay
.PHONY: bench-replay
bench-replay: all
	@replayer/driver/bench_replay.sh "$(abspath $(B))" $(wildcard traces/corpus/*.tape) $(tapes)

# make bench-lanes        what real threads bring, and what waiting for another lane costs
BENCHES += bench-lanes
.PHONY: bench-lanes
bench-lanes: all
	@replayer/driver/bench_lanes.sh "$(abspath $(B))"

# make bench-scale        100 million events: cost beside that of the first million, memory, decoding (some minutes)
.PHONY: bench-scale
bench-scale: scale-tapes
	@replayer/driver/bench_scale.sh "$(abspath $(B))" $(abspath $(SCALE_TAPES))

# Allocators that go wrong on purpose, for the tests of the bench.
BROKEN_LIBRARIES := $(patsubst %,$(TESTS)/libbroken_%.so,\
	abort crash ending exit forks greedy hang leak loud null slow start thread)
TEST_PROGRAMS += $(BROKEN_LIBRARIES)

$(BROKEN_LIBRARIES): $(TESTS)/libbroken_%.so: $(OBJ)/tests/stress/broken_%.pic.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -shared $^ $(LDFLAGS) -o $@

DRIVER_TESTS := $(patsubst %,$(TESTS)/driver_%_test,process significance statistics summary target)
TEST_PROGRAMS += $(DRIVER_TESTS)
SANITIZE_PROGRAMS += $(DRIVER_TESTS)

$(DRIVER_TESTS): $(TESTS)/%: $(OBJ)/tests/unit/%.o $(DRIVER_LIB) $(TAPE_LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) $(TAPE_LDLIBS) -Wl,--as-needed -lcjson -o $@
