# libheaptape-stats.so: counts the calls of a program and its heap from inside (heaptape stats). libc alone.
COUNTER_OBJECTS := $(patsubst %,$(OBJ)/replayer/counter/%.pic.o,counter process heap)
LIBRARIES += $(LIB)/libheaptape-stats.so

$(LIB)/libheaptape-stats.so: $(COUNTER_OBJECTS)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) -shared -Wl,-soname,$(@F) -Wl,-z,now -Wl,-z,nodelete -Wl,--no-undefined $^ $(LDFLAGS) -o $@
