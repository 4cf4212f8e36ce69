#include "analysis/print_waste.h"

#include <stdlib.h>

#include "analysis/class_use.h"
#include "analysis/print_text.h"

static void print_class(const struct class_use *use, FILE *out)
{
    double held = (double)(use->requested_at_peak + use->lost_at_peak);
    fprintf(out, "  %12s %14s %14s %14s %10s %10s %8s\n", print_count(use->usable),
            print_count(use->least), print_count(use->allocations),
            print_count(use->blocks_at_peak), print_bytes(use->requested_at_peak),
            print_bytes(use->lost_at_peak), print_share((double)use->lost_at_peak, held));
}

static void print_classes(const struct class_rule *rule, struct class_use *uses, size_t count,
                          unsigned top, FILE *out)
{
    class_use_rank(uses, count);
    fprintf(out, "\nClasses of %s that lose most at the peak\n", rule->allocator);
    fprintf(out, "  %12s %14s %14s %14s %10s %10s %8s\n", "block of", "for sizes from", "calls",
            "live at peak", "asked for", "lost", "of block");
    for (size_t i = 0; i < count && i < top; i++)
        print_class(&uses[i], out);
    if (count > top)
        fprintf(out, "  and %s more; --top=N shows N\n", print_count(count - top));
}

/* The line of an allocator, with its worst class. */
static void print_line(const struct class_rule *rule, const struct class_sizes *sizes,
                       struct class_use *uses, const struct statistics *s, FILE *out)
{
    struct class_waste waste = class_waste(sizes, rule);
    size_t count = class_use(sizes, rule, uses);
    class_use_rank(uses, count);
    fprintf(out, "  %-10s %8s %10s %8s %10s %10s %8s", rule->allocator, print_count(waste.classes),
            print_bytes(waste.lost_at_peak),
            print_share((double)waste.lost_at_peak, (double)s->peak_live_bytes),
            print_bytes(waste.large_lost_at_peak), print_bytes(waste.headers_at_peak),
            print_share(waste.lost_in_calls, waste.requested_in_calls));
    if (count && uses[0].lost_at_peak)
        fprintf(out, "  blocks of %s for %s and more: %s", print_count(uses[0].usable),
                print_count(uses[0].least), print_bytes(uses[0].lost_at_peak));
    fputc('\n', out);
}

bool print_waste(const struct analyze_output *output, const struct statistics *s, FILE *out)
{
    struct class_sizes sizes;
    struct class_use *uses = NULL;
    bool done = class_sizes_begin(&sizes, &s->sizes);
    if (done)
        uses = malloc((sizes.count + 1) * sizeof *uses);
    if (uses && (output->parts & ANALYZE_WASTE)) {
        fprintf(out,
                "\nLost inside blocks, by each allocator's size classes\n  %-10s %8s %10s %8s "
                "%10s %10s %8s  %s\n",
                "", "classes", "at peak", "of live", "in large", "headers", "of calls",
                "most at the peak");
        for (unsigned i = 0; i < CLASS_RULES; i++)
            print_line(&class_rules[i], &sizes, uses, s, out);
        fputs("  Usable less requested bytes; headers come on top. In large: blocks above 64 KiB, "
              "whose lost bytes\n  mostly are never touched. tbbmalloc says nothing of what it "
              "rounds up above 8128 bytes.\n",
              out);
    }
    for (unsigned i = 0; uses && (output->parts & ANALYZE_CLASSES) && i < CLASS_RULES; i++) {
        size_t count = class_use(&sizes, &class_rules[i], uses);
        print_classes(&class_rules[i], uses, count, output->top, out);
    }
    done = uses;
    free(uses);
    class_sizes_end(&sizes);
    return done;
}
