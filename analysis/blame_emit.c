#include "analysis/blame_emit.h"

#include <inttypes.h>
#include <string.h>
#include "traces/cli.h"

#define NAME_BYTES   8192
#define FRAMES_SHOWN 8 /* of a stack, in the table for people */

static double share(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

/* ---- for programs ------------------------------------------------------------------------------
 */

static void emit_pages(struct emit *emit, const struct blame_output *output)
{
    const struct blame_pages *pages = &output->pages;
    emit_u64(emit, "page_bytes", output->page_bytes);
    emit_u64(emit, "resident_pages_bytes", pages->bytes);
    emit_u64(emit, "huge_pages_bytes", pages->huge_bytes);
    emit_u64(emit, "live_on_resident_bytes", pages->live_bytes);
    emit_u64(emit, "empty_bytes", pages->empty_bytes);
    emit_fixed(emit, "sparse_below_percent", output->percent, 2);
    emit_u64(emit, "sparse_bytes", pages->sparse_bytes);
    emit_u64(emit, "sparse_huge_bytes", pages->sparse_huge_bytes);
    emit_u64(emit, "sparse_live_bytes", pages->sparse_live_bytes);
    emit_u64(emit, "sparse_blocks", pages->sparse_blocks);
    emit_fixed(emit, "under_10_percent_share", share(pages->under_tenth_bytes, pages->bytes), 6);
    emit_fixed(emit, "under_25_percent_share", share(pages->under_quarter_bytes, pages->bytes), 6);
    emit_u64(emit, "free_bytes", output->free.bytes);
    emit_u64(emit, "free_runs", output->free.runs);
    emit_u64(emit, "largest_free_run_bytes", output->free.largest);
    emit_fixed(emit, "external_index", heap_free_external(&output->free), 6);
    emit_u64(emit, "request_bytes", output->request);
    emit_fixed(emit, "unusable_index", heap_free_unusable(&output->free), 6);
}

static void emit_group(struct emit *emit, const struct blame_output *output, enum blame_by by,
                       uint32_t rank)
{
    const struct blame_group *group = &output->lists[by].groups[rank];
    char name[NAME_BYTES];
    blame_group_name(&output->keys, by, group, name, sizeof name);
    emit_object(emit, NULL);
    emit_string(emit, "by", blame_by_word(by));
    emit_u64(emit, "rank", rank + UINT64_C(1));
    emit_u64(emit, "gone_bytes", blame_gone_bytes(group));
    emit_u64(emit, "moved_bytes", blame_moved_bytes(group));
    emit_u64(emit, "together_bytes", group->together_bytes);
    emit_fixed(emit, "share_bytes", group->share_bytes, 0);
    emit_u64(emit, "touched_bytes", group->touched_bytes);
    emit_u64(emit, "sparse_live_bytes", group->sparse_live_bytes);
    emit_u64(emit, "sparse_blocks", group->sparse_blocks);
    emit_u64(emit, "live_bytes", group->live_bytes);
    emit_u64(emit, "blocks", group->blocks);
    emit_u64(emit, "gone_any_page_bytes", group->alone_any_bytes);
    emit_u64(emit, "size_min_bytes", group->size_min);
    emit_u64(emit, "size_max_bytes", group->size_max);
    emit_string(emit, "name", name);
    emit_end(emit);
}

/* Groups that have something on sparse pages, as many as are to be shown. */
static uint32_t shown_of(const struct blame_output *output, enum blame_by by)
{
    uint32_t shown = 0;
    while (shown < output->lists[by].count && shown < output->count &&
           output->lists[by].groups[shown].touched_bytes)
        shown++;
    return shown;
}

int blame_emit(const struct blame_output *output, FILE *out, enum emit_format format)
{
    const struct heap_head *head = &output->snapshot->head;
    struct emit emit;
    emit_begin(&emit, out, format);
    emit_object(&emit, NULL);
    emit_u64(&emit, "schema_version", 1);
    emit_string(&emit, "tape", output->tape);
    emit_string(&emit, "allocator", output->allocator);
    emit_string(&emit, "at", output->at);
    emit_u64(&emit, "event", output->event);
    emit_u64(&emit, "events", output->events);
    emit_u64(&emit, "operation", head->operation);
    emit_u64(&emit, "requested_bytes", head->requested_bytes);
    emit_u64(&emit, "usable_bytes", head->usable_bytes);
    emit_u64(&emit, "held_bytes", head->held_bytes);
    emit_u64(&emit, "resident_bytes", head->resident_bytes);
    emit_u64(&emit, "blocks", head->blocks);
    emit_pages(&emit, output);
    emit_array(&emit, "groups");
    for (unsigned by = 0; by < BLAME_BY_LIMIT; by++)
        for (uint32_t i = 0; output->wanted[by] && i < shown_of(output, by); i++)
            emit_group(&emit, output, by, i);
    emit_end(&emit);
    emit_end(&emit);
    return emit_finish(&emit);
}

/* ---- for people --------------------------------------------------------------------------------
 */

static void print_head(const struct blame_output *output, FILE *out)
{
    static const struct {
        const char *at, *words;
    } moments[] = {{"peak", "where resident memory is highest"},
                   {"live", "where live bytes peak"},
                   {"end", "at the end"}};
    const char *when = "at the moment asked for";
    for (unsigned i = 0; i < sizeof moments / sizeof *moments; i++)
        if (!strcmp(moments[i].at, output->at))
            when = moments[i].words;
    fprintf(out, "%s%s%s, %s: after event %" PRIu64, output->tape, output->allocator ? " on " : "",
            output->allocator ? output->allocator : "", when, output->event);
    if (output->events)
        fprintf(out, " of %" PRIu64 " (%.1f %%)", output->events,
                100 * share(output->event + 1, output->events));
    fputs("\n\n", out);
}

static void print_part(FILE *out, const char *words, uint64_t bytes, uint64_t whole,
                       const char *about)
{
    char text[16];
    fprintf(out, "  %-30s %10s  %5.1f %%  %s\n", words, cli_format_bytes(bytes, text),
            100 * share(bytes, whole), about);
}

/* "pages", or "2 MiB pages" where they are not the kernel's. */
static const char *page_words(const struct blame_output *output, char *text, size_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB"};
    uint64_t size = output->page_bytes >> 10;
    unsigned unit = 0;
    for (; size >= 1024 && unit < 2; size >>= 10)
        unit++;
    if (output->page_bytes == HEAP_PAGE)
        snprintf(text, bytes, "pages");
    else
        snprintf(text, bytes, "%" PRIu64 " %s pages", size, units[unit]);
    return text;
}

static void print_pages(const struct blame_output *output, FILE *out)
{
    const struct blame_pages *pages = &output->pages;
    uint64_t whole = pages->bytes;
    char words[64], about[160], live[16], kind[32];
    page_words(output, kind, sizeof kind);
    print_part(out, "resident", whole, whole, "pages of the allocator's writable memory");
    if (pages->huge_bytes)
        print_part(out, "in huge pages", pages->huge_bytes, whole,
                   "each is given back as a whole, or split");
    print_part(out, "live on them", pages->live_bytes, whole, "bytes asked for and not yet freed");
    snprintf(words, sizeof words, "%s without a block", kind);
    print_part(out, words, pages->empty_bytes, whole,
               "could be given back at once, but for the allocator's own tables");
    snprintf(words, sizeof words, "%s under %g %%", kind, output->percent);
    snprintf(about, sizeof about, "pinned by %s in %" PRIu64 " blocks",
             cli_format_bytes(pages->sparse_live_bytes, live), pages->sparse_blocks);
    print_part(out, words, pages->sparse_bytes, whole, about);
    snprintf(words, sizeof words, "fuller %s", kind);
    print_part(out, words, pages->bytes - pages->empty_bytes - pages->sparse_bytes, whole, "");
}

static void print_group(const struct blame_output *output, FILE *out, enum blame_by by,
                        const struct blame_group *group)
{
    char gone[16], moved[16], together[16], part[16], live[16], name[NAME_BYTES];
    uint32_t site = (uint32_t)group->key;
    size_t frames = by == BLAME_SITE ? site_names_frames(output->keys.names, site) : 0;
    if (frames)
        site_names_frame(output->keys.names, site, 0, name, sizeof name);
    else
        blame_group_name(&output->keys, by, group, name, sizeof name);
    fprintf(out, "%10s %10s %10s %10s %10s %9" PRIu64 "  %s\n",
            cli_format_bytes(blame_gone_bytes(group), gone),
            cli_format_bytes(blame_moved_bytes(group), moved),
            cli_format_bytes(group->together_bytes, together),
            cli_format_bytes((uint64_t)(group->share_bytes + 0.5), part),
            cli_format_bytes(group->sparse_live_bytes, live), group->sparse_blocks, name);
    for (size_t i = 1; i < frames && i < FRAMES_SHOWN; i++) {
        site_names_frame(output->keys.names, site, i, name, sizeof name);
        fprintf(out, "%66s< %s\n", "", name);
    }
    if (frames > FRAMES_SHOWN)
        fprintf(out, "%66s< ... %zu more\n", "", frames - FRAMES_SHOWN);
}

static void print_list(const struct blame_output *output, FILE *out, enum blame_by by)
{
    static const char *const titles[] = {"By call site", "By size", "By lane (thread)",
                                         "By age in events"};
    uint32_t shown = shown_of(output, by);
    const struct blame_list *list = &output->lists[by];
    uint64_t more = 0;
    fprintf(out, "\n%s\n%10s %10s %10s %10s %10s %9s\n", titles[by], "if gone", "if moved",
            "with above", "share", "live", "blocks");
    for (uint32_t i = 0; i < shown; i++)
        print_group(output, out, by, &list->groups[i]);
    for (uint32_t i = shown; i < list->count; i++)
        more += list->groups[i].touched_bytes > 0;
    if (more)
        fprintf(out, "%66s%" PRIu64 " more\n", "", more);
}

void blame_print(const struct blame_output *output, FILE *out)
{
    char kind[32];
    print_head(output, out);
    print_pages(output, out);
    if (!output->pages.sparse_bytes) {
        fprintf(out,
                "\nNone of the %s with a block on it is less than %g %% full: nobody to blame.\n",
                page_words(output, kind, sizeof kind), output->percent);
        return;
    }
    for (unsigned by = 0; by < BLAME_BY_LIMIT; by++)
        if (output->wanted[by])
            print_list(output, out, by);
    fprintf(out,
            "\nif gone: resident memory that would fall if these blocks had died sooner (%s "
            "under %g %% that\nonly they pin); if moved: likewise if they lay elsewhere, packed; "
            "with above: if those above had gone,\ntoo; share, live, blocks: their part of those "
            "pages.\n",
            page_words(output, kind, sizeof kind), output->percent);
}

/* ---- stacks ------------------------------------------------------------------------------------
 */

static uint32_t descend_site(const struct blame_output *output, struct flame *flame, uint32_t site)
{
    char name[SITE_NAMES_FRAME];
    uint32_t node = 0;
    for (size_t i = site_names_frames(output->keys.names, site); i-- > 0;) {
        site_names_frame(output->keys.names, site, i, name, sizeof name);
        node = flame_descend(flame, node, name);
    }
    return node;
}

bool blame_flame(const struct blame_output *output, enum blame_by by, struct flame *flame)
{
    const struct blame_list *list = &output->lists[by];
    char name[NAME_BYTES];
    if (!flame_begin(flame))
        return false;
    for (uint32_t i = 0; i < list->count && !flame->failed; i++) {
        const struct blame_group *group = &list->groups[i];
        uint32_t node = 0;
        if (!group->touched_bytes)
            continue;
        if (by == BLAME_SITE)
            node = descend_site(output, flame, (uint32_t)group->key);
        if (!node) {
            blame_group_name(&output->keys, by, group, name, sizeof name);
            node = flame_descend(flame, 0, name);
        }
        flame_weigh(flame, node, (uint64_t)(group->share_bytes + 0.5));
    }
    return !flame->failed;
}

void blame_flame_title(const struct blame_output *output, enum blame_by by, char *title,
                       char *subtitle, size_t bytes)
{
    char sparse[16], whole[16], live[16], kind[32];
    snprintf(title, bytes, "Who pins nearly empty pages: %s%s%s, by %s", output->tape,
             output->allocator ? " on " : "", output->allocator ? output->allocator : "",
             blame_by_word(by));
    snprintf(subtitle, bytes,
             "%s of %s resident are on %s less than %g %% full, pinned by %s of live blocks. "
             "Each page is split among its blocks by their live bytes.",
             cli_format_bytes(output->pages.sparse_bytes, sparse),
             cli_format_bytes(output->pages.bytes, whole), page_words(output, kind, sizeof kind),
             output->percent, cli_format_bytes(output->pages.sparse_live_bytes, live));
}
