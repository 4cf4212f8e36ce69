-include allocator/null.mk

# htmalloc: libhtmalloc.so has the malloc names (LD_PRELOAD) and the ht_ ones, libhtmalloc.a the ht_ ones.
HTMALLOC_SOURCES := $(filter-out allocator/htmalloc/interpose.c,$(wildcard allocator/htmalloc/*.c))
HTMALLOC_OBJECTS := $(HTMALLOC_SOURCES:%.c=$(OBJ)/%.pic.o)
LIBRARIES += $(LIB)/libhtmalloc.so $(LIB)/libhtmalloc.a

$(LIB)/libhtmalloc.so: $(HTMALLOC_OBJECTS) $(OBJ)/allocator/htmalloc/interpose.pic.o
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) -shared -Wl,-z,now -Wl,-z,defs -Wl,-O1 -Wl,--hash-style=gnu -Wl,-soname,$(@F) $^ $(LDFLAGS) -o $@

$(LIB)/libhtmalloc.a: $(HTMALLOC_OBJECTS)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  AR      $@")
	$(Q)rm -f $@ && $(AR) rcs $@ $^
