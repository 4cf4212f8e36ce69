# The null allocator: what replay costs when allocation costs nothing (the floor).
LIBRARIES += $(LIB)/libheaptape-null.so

$(LIB)/libheaptape-null.so: $(OBJ)/allocator/null/null.pic.o
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD      $@")
	$(Q)$(CC) $(CFLAGS) -shared -Wl,-z,now -Wl,-soname,$(@F) $^ $(LDFLAGS) -o $@
