# analysis: heaptape analyze (C), report (Python), plot (gnuplot). The launchers of the last two are small
# scripts; what they run lies in share/heaptape.
ANALYZE_SOURCES := $(filter-out analysis/%_test.c,$(wildcard analysis/*.c))
ANALYZE_OBJECTS := $(patsubst %.c,$(OBJ)/%.o,$(ANALYZE_SOURCES))

PROGRAMS += $(LIBEXEC)/heaptape-report
SHARE_LINKS += $(SHARE)/report

$(LIBEXEC)/heaptape-report: analysis/report.sh
	@mkdir -p $(@D)
	$(if $(V),,@echo "  SCRIPT  $@")
	$(Q)install -m 755 $< $@

$(SHARE)/report:
	@mkdir -p $(@D)
	$(Q)ln -sfn "$(CURDIR)/analysis/report" $@
