# htmalloc's unit tests, linked with its objects of the debug build (module.mk). None interposes malloc, so that
# they and the stress test run under the sanitizers too.
HTMALLOC_TESTS := $(patsubst tests/unit/%.c,$(TESTS)/%,$(wildcard tests/unit/htmalloc_*_test.c))
TEST_PROGRAMS += $(HTMALLOC_TESTS)
SANITIZE_PROGRAMS += $(HTMALLOC_TESTS) $(TESTS)/htmalloc_stress
TSAN_PROGRAMS += $(TESTS)/htmalloc_stress

$(HTMALLOC_TESTS): $(TESTS)/%: $(OBJ)/tests/unit/%.htdebug.o $(HTMALLOC_DEBUG)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) -o $@

# Through the usual names: run as it is (glibc) and with libhtmalloc.so preloaded.
TEST_PROGRAMS += $(TESTS)/htmalloc_names
$(TESTS)/htmalloc_names: $(OBJ)/tests/stress/htmalloc_names.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) -ldl -o $@
# Or the compiler does without calls whose results it thinks it knows.
$(OBJ)/tests/stress/htmalloc_names.o: BASE_CFLAGS += -fno-builtin

# One forbidden act a run (tests/cli/test_misuse.py). Its free_sized() comes from the library that is preloaded.
TEST_PROGRAMS += $(TESTS)/misuse
$(TESTS)/misuse: $(OBJ)/tests/misuse/misuse.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) -o $@
$(OBJ)/tests/misuse/misuse.o: BASE_CFLAGS += -fno-builtin -Wno-free-nonheap-object -Wno-use-after-free -Wno-unknown-warning-option

# Every entry point of the malloc family (tests/cli/test_family.py): on libc, and with each library preloaded.
TEST_PROGRAMS += $(TESTS)/family_calls $(TESTS)/family_cxx $(TESTS)/impossible_address
$(OBJ)/tests/stress/family_calls.o $(OBJ)/tests/stress/family_scenarios.o: BASE_CFLAGS += -fno-builtin -Wno-deprecated-declarations
$(TESTS)/family_calls: $(OBJ)/tests/stress/family_calls.o $(OBJ)/tests/stress/family_scenarios.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $^ $(LDFLAGS) -ldl -o $@
$(TESTS)/family_cxx: tests/stress/family_cxx.cc
	@mkdir -p $(@D)
	$(Q)$(CXX) -std=c++17 -O1 -g -Wall -Wextra -Werror -fsized-deallocation $(CXXFLAGS) $< $(LDFLAGS) -o $@
$(OBJ)/tests/stress/impossible_address.o: BASE_CFLAGS += -fno-builtin
$(TESTS)/impossible_address: $(OBJ)/tests/stress/impossible_address.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $^ $(LDFLAGS) -o $@

# Random operations held against a shadow, the heap validated after each; and every call for memory refused once
# (tests/cli/test_htmalloc_heap.py).
HTMALLOC_CHECKS := htmalloc_property htmalloc_failures
TEST_PROGRAMS += $(HTMALLOC_CHECKS:%=$(TESTS)/%) $(HTMALLOC_CHECKS:%=$(TESTS)/%_hard)
$(HTMALLOC_CHECKS:%=$(TESTS)/%): $(TESTS)/%: $(OBJ)/tests/stress/%.htdebug.o $(HTMALLOC_DEBUG)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) -o $@
$(HTMALLOC_CHECKS:%=$(TESTS)/%_hard): $(TESTS)/%_hard: $(OBJ)/tests/stress/%.htharddebug.o $(HTMALLOC_HARD_DEBUG)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) -o $@

# How much more than what is live it holds (tests/cli/test_htmalloc_bounded.py).
TEST_PROGRAMS += $(TESTS)/htmalloc_bounded
$(TESTS)/htmalloc_bounded: $(OBJ)/tests/stress/htmalloc_bounded.o $(LIB)/libhtmalloc.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) -ldl -o $@

# The family in awkward circumstances (tests/cli/test_conditions.py), with the plug-in that one of them opens.
TEST_PROGRAMS += $(TESTS)/conditions $(TESTS)/conditions_plugin.so
$(OBJ)/tests/stress/conditions.o $(OBJ)/tests/stress/conditions_objects.o $(OBJ)/tests/stress/conditions_plugin.pic.o: BASE_CFLAGS += -fno-builtin
$(TESTS)/conditions: $(OBJ)/tests/stress/conditions.o $(OBJ)/tests/stress/conditions_objects.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) -ldl -o $@
$(TESTS)/conditions_plugin.so: $(OBJ)/tests/stress/conditions_plugin.pic.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -shared $^ $(LDFLAGS) -o $@
