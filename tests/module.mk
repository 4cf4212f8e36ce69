# Programs that the demo and the tests run; the C unit tests are listed by the rooms that they test.
DEMO_PROGRAMS := $(TESTS)/indexer
TEST_PROGRAMS += $(DEMO_PROGRAMS)

$(TESTS)/indexer: $(OBJ)/tests/programs/indexer.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) -o $@

# Two tapes of 100 million events, made when asked for and kept with the build (240 MiB, under a minute): a synthetic
# one, and a real program run long. make bench-tools: every tool that reads tapes on them, in speed and in memory (some
# three minutes).
SCALE := $(B)/scale
SCALE_TAPES := $(SCALE)/synthetic.tape $(SCALE)/python3.tape
.PHONY: scale-tapes bench-tools
scale-tapes: $(SCALE_TAPES)

$(SCALE)/synthetic.tape: | all
	@mkdir -p $(@D)
	$(Q)$(LIBEXEC)/heaptape-trace synth -o $@.part --events=100M --live=100k --sizes=log --size=16..4096
	@mv $@.part $@

# A python3 that is a wrapper would be what is recorded.
$(SCALE)/python3.tape: tests/scale/long.py | all
	@mkdir -p $(@D)
	$(Q)PYTHONMALLOC=malloc $(LIBEXEC)/heaptape-record -q --sites -o $@.part \
		-- "$$($(or $(call find_python,json),python3) -c 'import sys; print(sys.executable)')" $< 21
	@mv $@.part $@

bench-tools: $(SCALE_TAPES)
	@"$(or $(call find_python,json),python3)" tests/scale/bench_tools.py "$(abspath $(B))" $(abspath $(SCALE_TAPES))

# make truth: replay held against the programs themselves (some ten minutes); only=NAME for one program, n=RUNS.
# Leaves build/truth/truth.json and truth.md, which ACCURACY.md shows.
.PHONY: truth
truth: all $(DEMO_PROGRAMS)
	@"$(or $(call find_python,json),python3)" tests/truth/truth.py "$(abspath $(B))" $(if $(only),--only "$(only)") $(if $(n),-n $(n))

# make study: every textbook policy over a dozen real programs' tapes (some twenty minutes), into build/study: tables, CSV
# and charts. STUDY_TAPES="cc1 jq" and STUDY_ONLY="buddy best-fit" choose; what is there already is kept. STUDY_TIMEOUT=60s
# is for one run.
STUDY_TOOLS := $(TESTS)/tape_blocks $(TESTS)/free_blocks
TEST_PROGRAMS += $(STUDY_TOOLS)
$(STUDY_TOOLS): $(TESTS)/%: $(OBJ)/tests/study/%.o \
	$(patsubst %.c,$(OBJ)/%.o,$(filter-out %/interpose.c %/setup.c,$(TEXTBOOK_SOURCES))) $(TAPE_LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) $(TAPE_LDLIBS) -o $@

.PHONY: study
study: all $(STUDY_TOOLS)
	@"$(or $(call find_python,matplotlib),python3)" tests/study/study.py "$(abspath $(B))" --tapes="$(STUDY_TAPES)" \
		--only="$(STUDY_ONLY)" --timeout="$(or $(STUDY_TIMEOUT),60s)"

# The Dockerfile's steps in a clean Debian 12 (chroot; root, debootstrap and the network are needed; some four minutes).
.PHONY: test-dockerfile
test-dockerfile:
	@HEAPTAPE_DOCKERFILE=1 "$(call find_python,pytest)" -m pytest -q -p no:cacheprovider -rs tests/install/test_dockerfile.py

# make bench-search: what the search for the best fit costs, by how the free blocks are kept; with valgrind in instructions, too.
.PHONY: bench-search
BENCHES += bench-search
TEST_PROGRAMS += $(TESTS)/find_best
$(TESTS)/find_best: $(OBJ)/tests/study/find_best.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $^ $(LDFLAGS) -o $@
bench-search: $(TESTS)/find_best
	@$<
	@tests/study/instructions.sh $<
