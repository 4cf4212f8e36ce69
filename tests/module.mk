# Programs that the demo and the tests run; the C unit tests are listed by the rooms that they test.
DEMO_PROGRAMS := $(TESTS)/indexer
TEST_PROGRAMS += $(DEMO_PROGRAMS)

$(TESTS)/indexer: $(OBJ)/tests/programs/indexer.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) -o $@
