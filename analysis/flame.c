#include "analysis/flame.h"

#include <stdlib.h>
#include <string.h>
#include "traces/cli.h"

#define WIDTH     1200.0
#define MARGIN    10.0
#define ROW       19.0
#define TOP       52.0
#define LETTER    6.4  /* of a name, at 11 px */
#define NARROWEST 0.25 /* px: narrower frames are left out, they cannot be seen */
#define DEPTH_MAX 512

struct flame_node {
    char *name;
    uint64_t own, total;  /* bytes; total is made when it is written */
    uint32_t child, next; /* 0: none */
};

/* ---- the tree ----------------------------------------------------------------------------------
 */

/* 0: no memory. */
static uint32_t add(struct flame *flame, const char *name)
{
    if (flame->count == flame->room) {
        uint32_t room = flame->room ? flame->room * 2 : 256;
        void *grown = realloc(flame->nodes, room * sizeof *flame->nodes);
        if (!grown)
            return 0;
        flame->nodes = grown;
        flame->room = room;
    }
    char *copy = strdup(name);
    if (!copy)
        return 0;
    flame->nodes[flame->count] = (struct flame_node){.name = copy};
    return flame->count++;
}

bool flame_begin(struct flame *flame)
{
    *flame = (struct flame){0};
    add(flame, "all");
    flame->failed = !flame->count;
    return !flame->failed;
}

void flame_end(struct flame *flame)
{
    for (uint32_t i = 0; i < flame->count; i++)
        free(flame->nodes[i].name);
    free(flame->nodes);
    *flame = (struct flame){0};
}

uint32_t flame_descend(struct flame *flame, uint32_t node, const char *name)
{
    for (uint32_t at = flame->nodes[node].child; at; at = flame->nodes[at].next)
        if (!strcmp(flame->nodes[at].name, name))
            return at;
    uint32_t fresh = add(flame, name);
    if (!fresh) {
        flame->failed = true;
        return node;
    }
    flame->nodes[fresh].next = flame->nodes[node].child;
    flame->nodes[node].child = fresh;
    return fresh;
}

void flame_weigh(struct flame *flame, uint32_t node, uint64_t bytes)
{
    flame->nodes[node].own += bytes;
}

/* Heaviest first, so that the same stacks give the same picture. */
static uint32_t sort_children(struct flame_node *nodes, uint32_t first)
{
    uint32_t sorted = 0;
    for (uint32_t at = first, next; at; at = next) {
        uint32_t *place = &sorted;
        next = nodes[at].next;
        while (*place && (nodes[*place].total > nodes[at].total ||
                          (nodes[*place].total == nodes[at].total &&
                           strcmp(nodes[*place].name, nodes[at].name) < 0)))
            place = &nodes[*place].next;
        nodes[at].next = *place;
        *place = at;
    }
    return sorted;
}

/* Totals and order from `node` down. Stacks are at most some hundred frames deep. */
static uint64_t sum_up(struct flame_node *nodes, uint32_t node)
{
    uint64_t total = nodes[node].own;
    for (uint32_t at = nodes[node].child; at; at = nodes[at].next)
        total += sum_up(nodes, at);
    nodes[node].total = total;
    nodes[node].child = sort_children(nodes, nodes[node].child);
    return total;
}

/* ---- folded stacks -----------------------------------------------------------------------------
 */

static void fold(const struct flame *flame, FILE *out, const uint32_t *path, unsigned depth)
{
    const struct flame_node *node = &flame->nodes[path[depth]];
    uint32_t longer[DEPTH_MAX];
    for (unsigned i = 1; node->own && i <= depth; i++) {
        for (const char *c = flame->nodes[path[i]].name; *c; c++)
            putc(*c == ';' ? ':' : *c == '\n' ? ' ' : *c, out);
        putc(i < depth ? ';' : ' ', out);
    }
    if (node->own && depth)
        fprintf(out, "%llu\n", (unsigned long long)node->own);
    if (depth + 1 == DEPTH_MAX)
        return;
    memcpy(longer, path, (depth + 1) * sizeof *path);
    for (uint32_t at = node->child; at; at = flame->nodes[at].next) {
        longer[depth + 1] = at;
        fold(flame, out, longer, depth + 1);
    }
}

void flame_write_folded(const struct flame *flame, FILE *out)
{
    uint32_t root[1] = {0};
    sum_up(flame->nodes, 0);
    fold(flame, out, root, 0);
}

/* ---- SVG ---------------------------------------------------------------------------------------
 */

static const char head[] =
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"100%%\" "
    "role=\"group\" aria-label=\"Flame graph\" font-family=\"system-ui, sans-serif\">\n"
    "<style>\n"
    "  svg { background: #fff; color: #1d1d1f }\n"
    "  text { fill: currentColor }\n"
    "  .f rect { stroke: #fff; stroke-width: .6 }\n"
    "  .f text { font-size: 11px; fill: #1d1d1f; pointer-events: none }\n"
    "  .f:hover rect, .f:focus rect { stroke: #0072b2; stroke-width: 2 }\n"
    "  .f { cursor: pointer; outline: none } .f.above rect { opacity: .55 } .f.off { display: none "
    "}\n"
    "  @media (prefers-color-scheme: dark) { svg { background: #1b1b1d; color: #e8e8ea } .f rect { "
    "stroke: #1b1b1d } }\n"
    "</style>\n";

/* Zooming: frames carry their place as shares of the whole. */
static const char script[] =
    "<script><![CDATA[\n"
    "(function () {\n"
    "  var svg = document.currentScript.parentNode, width = %.0f, margin = %.0f, letter = %.1f;\n"
    "  var frames = Array.from(svg.querySelectorAll('.f')), told = svg.querySelector('.told');\n"
    "  function zoom(to) {\n"
    "    var x = +to.dataset.x, w = +to.dataset.w, row = +to.dataset.row;\n"
    "    frames.forEach(function (f) {\n"
    "      var fx = +f.dataset.x, fw = +f.dataset.w;\n"
    "      var above = +f.dataset.row < row && fx <= x + 1e-9 && fx + fw >= x + w - 1e-9;\n"
    "      var inside = fx >= x - 1e-9 && fx + fw <= x + w + 1e-9 && +f.dataset.row >= row;\n"
    "      f.classList.toggle('above', above);\n"
    "      f.classList.toggle('off', !above && !inside);\n"
    "      if (!above && !inside) return;\n"
    "      var left = above ? margin : margin + (fx - x) / w * (width - 2 * margin);\n"
    "      var wide = above ? width - 2 * margin : fw / w * (width - 2 * margin);\n"
    "      f.firstElementChild.nextElementSibling.setAttribute('x', left);\n"
    "      f.firstElementChild.nextElementSibling.setAttribute('width', wide);\n"
    "      var text = f.lastElementChild, room = Math.floor((wide - 6) / letter), name = "
    "f.dataset.name;\n"
    "      text.setAttribute('x', left + 3);\n"
    "      text.textContent = room < 3 ? '' : name.length > room ? name.slice(0, room - 1) + "
    "'\\u2026' : name;\n"
    "    });\n"
    "  }\n"
    "  function tell(f) { told.textContent = f ? f.querySelector('title').textContent : ''; }\n"
    "  frames.forEach(function (f) {\n"
    "    f.addEventListener('click', function () { zoom(f); });\n"
    "    f.addEventListener('mouseenter', function () { tell(f); });\n"
    "    f.addEventListener('focus', function () { tell(f); });\n"
    "    f.addEventListener('keydown', function (e) {\n"
    "      if (e.key === 'Enter' || e.key === ' ') { e.preventDefault(); zoom(f); }\n"
    "      if (e.key === 'Escape') { zoom(frames[0]); frames[0].focus(); }\n"
    "    });\n"
    "  });\n"
    "})();\n"
    "]]></script>\n";

/* One byte or more of UTF-8 at `text`; 0: it is none, or no character for XML. */
static unsigned character_bytes(const unsigned char *text)
{
    if (*text < 0x80)
        return *text >= 0x20 && *text != 0x7f;
    unsigned bytes = *text >= 0xf0 ? 4 : *text >= 0xe0 ? 3 : 2;
    if (*text < 0xc2 || *text > 0xf4)
        return 0;
    for (unsigned i = 1; i < bytes; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    bool surrogate = *text == 0xed && text[1] >= 0xa0, overlong = *text == 0xe0 && text[1] < 0xa0;
    bool far = (*text == 0xf0 && text[1] < 0x90) || (*text == 0xf4 && text[1] >= 0x90);
    bool none = *text == 0xef && text[1] == 0xbf && text[2] >= 0xbe;
    return surrogate || overlong || far || none ? 0 : bytes;
}

/* At most `most` characters of the text, escaped; an ellipsis where it is longer. */
static void put_text(FILE *out, const char *text, size_t most)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t characters = 0, put = 0;
    for (const unsigned char *c = at; *c; c++)
        characters += (*c & 0xc0) != 0x80;
    while (*at && put < (characters > most ? most - 1 : most)) {
        unsigned bytes = character_bytes(at);
        if (*at == '<' || *at == '>' || *at == '&' || *at == '"')
            fputs(*at == '<' ? "&lt;" : *at == '>' ? "&gt;" : *at == '&' ? "&amp;" : "&quot;", out);
        else if (bytes)
            fwrite(at, 1, bytes, out);
        else
            putc('?', out);
        at += bytes ? bytes : 1;
        put++;
    }
    if (characters > most)
        fputs("…", out);
}

/* A warm colour of the name's own. */
static void put_colour(FILE *out, const char *name, unsigned row)
{
    uint32_t hash = 2166136261u;
    for (const char *c = name; *c && *c != ' '; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    fprintf(out, "hsl(%u %u%% %u%%)", row ? 20 + hash % 32 : 210, row ? 78 + (hash >> 8) % 16 : 20,
            row ? 62 + (hash >> 16) % 16 : 80);
}

struct drawing {
    const struct flame *flame;
    FILE *out;
    double whole; /* bytes of the root */
};

static void draw_node(const struct drawing *drawing, uint32_t index, double left, unsigned row)
{
    const struct flame_node *node = &drawing->flame->nodes[index];
    double share = (double)node->total / drawing->whole, room = WIDTH - 2 * MARGIN;
    double wide = share * room, letters = (wide - 6) / LETTER;
    FILE *out = drawing->out;
    char bytes[16];
    if (wide < NARROWEST || row >= DEPTH_MAX)
        return;
    fprintf(out,
            "<g class=\"f\" tabindex=\"0\" data-x=\"%.7g\" data-w=\"%.7g\" data-row=\"%u\" "
            "data-name=\"",
            left, share, row);
    put_text(out, node->name, SIZE_MAX);
    fputs("\"><title>", out);
    put_text(out, node->name, SIZE_MAX);
    fprintf(out,
            ": %s (%llu bytes, %.1f %%)</title><rect x=\"%.2f\" y=\"%.0f\" width=\"%.2f\" "
            "height=\"%.0f\" rx=\"1.5\" fill=\"",
            cli_format_bytes(node->total, bytes), (unsigned long long)node->total, 100 * share,
            MARGIN + left * room, TOP + row * ROW, wide, ROW - 1);
    put_colour(out, node->name, row);
    fprintf(out, "\"/><text x=\"%.2f\" y=\"%.0f\">", MARGIN + left * room + 3,
            TOP + row * ROW + 13);
    if (letters >= 3)
        put_text(out, node->name, (size_t)letters);
    fputs("</text></g>\n", out);
    for (uint32_t at = node->child; at; at = drawing->flame->nodes[at].next) {
        draw_node(drawing, at, left, row + 1);
        left += (double)drawing->flame->nodes[at].total / drawing->whole;
    }
}

/* Rows that are wide enough to be seen. */
static unsigned rows_of(const struct flame *flame, uint32_t node, double whole)
{
    unsigned deepest = 0;
    if ((double)flame->nodes[node].total / whole * (WIDTH - 2 * MARGIN) < NARROWEST)
        return 0;
    for (uint32_t at = flame->nodes[node].child; at; at = flame->nodes[at].next) {
        unsigned rows = rows_of(flame, at, whole);
        deepest = rows > deepest ? rows : deepest;
    }
    return deepest < DEPTH_MAX - 1 ? deepest + 1 : deepest;
}

void flame_write_svg(const struct flame *flame, FILE *out, const char *title, const char *subtitle)
{
    struct drawing drawing = {flame, out, (double)sum_up(flame->nodes, 0)};
    if (drawing.whole <= 0)
        drawing.whole = 1;
    unsigned rows = rows_of(flame, 0, drawing.whole);
    fprintf(out, head, WIDTH, TOP + ROW * (rows ? rows : 1) + 30);
    fprintf(out, "<text x=\"%.0f\" y=\"22\" font-size=\"16\" font-weight=\"600\">", MARGIN);
    put_text(out, title, 140);
    fprintf(out, "</text>\n<text x=\"%.0f\" y=\"40\" font-size=\"12\">", MARGIN);
    put_text(out, rows ? subtitle : "No page is nearly empty: nothing to blame.", 190);
    fputs("</text>\n", out);
    draw_node(&drawing, 0, 0, 0);
    fprintf(out, "<text class=\"told\" x=\"%.0f\" y=\"%.0f\" font-size=\"12\"></text>\n", MARGIN,
            TOP + ROW * (rows ? rows : 1) + 18);
    fprintf(out, script, WIDTH, MARGIN, LETTER);
    fputs("</svg>\n", out);
}
