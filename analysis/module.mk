# analysis: heaptape analyze and blame (C), report (Python), plot (gnuplot). The last two are started by small
# scripts; what those run lies in share/heaptape.
ANALYZE_OBJECTS := $(patsubst %,$(OBJ)/analysis/%.o,sizes lifetime lanes lane_pairs live statistics packing space space_lists hole_map classes class_use \
	heap_file heap_pages heap_free blame blame_keys births site_names flame)
ANALYSIS_SCRIPTS := $(patsubst %,$(LIBEXEC)/heaptape-%,report plot animate)

PROGRAMS += $(ANALYSIS_SCRIPTS)
SHARE_LINKS += $(SHARE)/report $(SHARE)/gnuplot

$(ANALYSIS_SCRIPTS): $(LIBEXEC)/heaptape-%: analysis/%.sh
	@mkdir -p $(@D)
	$(if $(V),,@echo "  SCRIPT  $@")
	$(Q)install -m 755 $< $@

$(SHARE)/report $(SHARE)/gnuplot: $(SHARE)/%:
	@mkdir -p $(@D)
	$(Q)ln -sfnr analysis/$* $@

ANALYZE_LIB := $(OBJ)/libanalysis.a
PROGRAMS += $(LIBEXEC)/heaptape-analyze
ANALYSIS_TESTS := $(patsubst %,$(TESTS)/analysis_%_test,statistics blame packing)
TEST_PROGRAMS += $(ANALYSIS_TESTS)
SANITIZE_PROGRAMS += $(ANALYSIS_TESTS)

$(ANALYZE_LIB): $(ANALYZE_OBJECTS)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(LIBEXEC)/heaptape-analyze: $(patsubst %,$(OBJ)/analysis/%.o,analyze_main analyze_emit analyze_print print_chart print_lanes print_text print_waste) $(ANALYZE_LIB) $(TAPE_LIB)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK    $@")
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -pthread $^ -o $@ $(TAPE_LDLIBS)

PROGRAMS += $(LIBEXEC)/heaptape-blame

$(LIBEXEC)/heaptape-blame: $(patsubst %,$(OBJ)/analysis/%.o,blame_main blame_moment blame_take blame_emit) $(ANALYZE_LIB) $(TAPE_LIB)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK    $@")
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -pthread $^ -o $@ $(TAPE_LDLIBS)

$(TESTS)/analysis_%_test: $(OBJ)/tests/unit/analysis_%_test.o $(ANALYZE_LIB) $(TAPE_LIB)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK    $@")
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -pthread $^ -o $@ $(TAPE_LDLIBS)

TEST_PROGRAMS += $(TESTS)/make_tape

$(TESTS)/make_tape: $(OBJ)/tests/analysis/make_tape.o $(TAPE_LIB)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK    $@")
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -pthread $^ -o $@ $(TAPE_LDLIBS)

# A program of which it is known who pins how many pages.
TEST_PROGRAMS += $(TESTS)/blame_case

$(TESTS)/blame_case: $(OBJ)/tests/stress/blame_case.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@

# Whether an allocator's size classes are what analyze says.
TEST_PROGRAMS += $(TESTS)/class_probe

$(TESTS)/class_probe: $(OBJ)/tests/stress/class_probe.o $(ANALYZE_LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@
