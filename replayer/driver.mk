# The driver: bench, replay, allocators, doctor, run, live, stats. One archive, one main each.
DRIVER_LIB := $(OBJ)/libdriver.a
DRIVER_OBJECTS := $(patsubst %,$(OBJ)/replayer/driver/%.o,allocators engine_run interrupt machine noise options preload probe process statistics)
DRIVER_COMMANDS := allocators run

DRIVER_PROGRAMS := $(DRIVER_COMMANDS:%=$(LIBEXEC)/heaptape-%)
PROGRAMS += $(DRIVER_PROGRAMS)

$(DRIVER_LIB): $(DRIVER_OBJECTS)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(DRIVER_PROGRAMS): $(LIBEXEC)/heaptape-%: $(OBJ)/replayer/driver/%_main.o $(DRIVER_LIB) $(TAPE_LIB)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) -pthread $^ $(LDFLAGS) $(TAPE_LDLIBS) -lcjson -o $@
