# The preload and its collector.
PRELOAD_OBJECTS := $(patsubst %,$(OBJ)/recorder/preload/%.pic.o,\
	interpose interpose_cxx lane process next bootstrap vfork)
COLLECTOR_OBJECTS := $(patsubst %,$(OBJ)/recorder/%.o,\
	record_main $(addprefix collector/,session drain recorded samples finish launch))

LIBRARIES += $(LIB)/libheaptape-record.so
PROGRAMS += $(LIBEXEC)/heaptape-record

# Nothing but libc: what is loaded into the target must not bring anything else with it.
$(LIB)/libheaptape-record.so: $(PRELOAD_OBJECTS)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) -shared -Wl,-soname,libheaptape-record.so -Wl,-z,now -Wl,-z,nodelete -Wl,--no-undefined \
		$^ $(LDFLAGS) -Wl,--as-needed -ldl -o $@

$(LIBEXEC)/heaptape-record: $(COLLECTOR_OBJECTS) $(TAPE_LIB)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) $(TAPE_LDLIBS) -o $@
