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
