# The textbook allocators: libtextbook.so takes its policy from TEXTBOOK_POLICY; lib<policy>.so is the same with that
# policy built in; libtextbook-single.so has no mutex. The list of names is in allocator/textbook/options.h.
TEXTBOOK_POLICIES := $(shell awk -F'"' '/^ *X."/{print $$2}' allocator/textbook/options.h)
TEXTBOOK_APIS := allocator/textbook/mem.c allocator/textbook/os_alloc.c
TEXTBOOK_SOURCES := $(filter-out $(TEXTBOOK_APIS),$(wildcard allocator/textbook/*.c))
TEXTBOOK_COMMON := $(filter-out %/options.pic.o,$(TEXTBOOK_SOURCES:%.c=$(OBJ)/%.pic.o))
TEXTBOOK_LIBRARIES := $(LIB)/libtextbook.so $(LIB)/libtextbook-single.so $(TEXTBOOK_POLICIES:%=$(LIB)/lib%.so)
LIBRARIES += $(TEXTBOOK_LIBRARIES)

$(TEXTBOOK_LIBRARIES): $(TEXTBOOK_COMMON)

$(LIB)/libtextbook.so: $(OBJ)/allocator/textbook/options.pic.o
$(LIB)/libtextbook-single.so: $(OBJ)/allocator/textbook/options.pic.o $(OBJ)/allocator/textbook/lock.single.pic.o
$(TEXTBOOK_POLICIES:%=$(LIB)/lib%.so): $(LIB)/lib%.so: $(OBJ)/allocator/textbook/options.%.pic.o

$(TEXTBOOK_LIBRARIES):
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) -shared -Wl,-z,now -Wl,-z,defs -Wl,-soname,$(@F) \
		$(if $(findstring single,$@),$(filter-out %/lock.pic.o,$^),$^) $(LDFLAGS) -o $@

TEXTBOOK_PIC = -fPIC -fvisibility=hidden -fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free
$(OBJ)/allocator/textbook/options.%.pic.o: allocator/textbook/options.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) $(TEXTBOOK_PIC) -DTEXTBOOK_NAME='"$*"' $(CPPFLAGS) $(CFLAGS) -c $< -o $@
$(OBJ)/allocator/textbook/lock.single.pic.o: allocator/textbook/lock.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) $(TEXTBOOK_PIC) -DTEXTBOOK_SINGLE $(CPPFLAGS) $(CFLAGS) -c $< -o $@

# For programs that link a heap of their own (mem.h, os_alloc.h); without the names of malloc.
LIBRARIES += $(LIB)/libtextbook-mem.a
TEXTBOOK_HEADERS := $(addprefix allocator/textbook/,mem.h os_alloc.h malloc_name.h)
$(LIB)/libtextbook-mem.a: $(TEXTBOOK_APIS:%.c=$(OBJ)/%.pic.o) $(OBJ)/allocator/textbook/options.pic.o \
	$(filter-out %/interpose.pic.o,$(TEXTBOOK_COMMON))
	@mkdir -p $(@D)
	$(if $(V),,@echo "  AR      $@")
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# make valgrind: the builds that tell memcheck of their blocks (memcheck.h); they need Valgrind's headers.
.PHONY: valgrind
valgrind: $(LIB)/libtextbook-valgrind.so htmalloc-valgrind
ifneq ($(wildcard /usr/include/valgrind/memcheck.h),)
TEST_PROGRAMS += $(LIB)/libtextbook-valgrind.so
endif
$(LIB)/libtextbook-valgrind.so: $(patsubst %.c,$(OBJ)/%.memcheck.o,$(TEXTBOOK_SOURCES))
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) -shared -Wl,-z,now -Wl,-z,defs -Wl,-soname,$(@F) $^ $(LDFLAGS) -o $@
$(OBJ)/%.memcheck.o: %.c
	@mkdir -p $(@D)
	@[ -f /usr/include/valgrind/memcheck.h ] || { echo 'make valgrind: no valgrind/memcheck.h; apt-get install valgrind' >&2; exit 4; }
	$(if $(V),,@echo "  CC      $< (for Valgrind)")
	$(Q)$(CC) $(BASE_CFLAGS) $(TEXTBOOK_PIC) -ftls-model=initial-exec -fno-optimize-sibling-calls -DTEXTBOOK_VALGRIND $(CPPFLAGS) $(CFLAGS) -c $< -o $@

# Unit tests, linked with the allocators under names of their own.
TEXTBOOK_TESTS := $(patsubst tests/unit/%.c,$(TESTS)/%,$(wildcard tests/unit/textbook*_test.c))
TEST_PROGRAMS += $(TEXTBOOK_TESTS)
SANITIZE_PROGRAMS += $(TEXTBOOK_TESTS)
TSAN_PROGRAMS += $(TESTS)/textbook_stress_test
$(TEXTBOOK_TESTS): $(TESTS)/%: $(OBJ)/tests/unit/%.o \
	$(patsubst %.c,$(OBJ)/%.o,$(filter-out %/interpose.c %/setup.c,$(TEXTBOOK_SOURCES)))
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) -o $@

TEST_PROGRAMS += $(TESTS)/heap_script
$(TESTS)/heap_script: $(OBJ)/tests/heaps/heap_script.o \
	$(patsubst %.c,$(OBJ)/%.o,$(filter-out %/interpose.c %/setup.c,$(TEXTBOOK_SOURCES)))
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) -o $@
