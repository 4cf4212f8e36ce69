# The tape: library libtape.a, tool heaptape-trace. Other rooms link $(TAPE_LIB) $(TAPE_LDLIBS).
TAPE_LIB := $(OBJ)/libtape.a
# Static, so that the replay engine's decoder runs without libzstd's shared object in the measured process.
TAPE_LDLIBS := -l:libzstd.a -lm

TAPE_OBJECTS := $(patsubst %,$(OBJ)/traces/%.o,error event text cli emit target)

$(TAPE_LIB): $(TAPE_OBJECTS)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
