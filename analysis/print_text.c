#include "analysis/print_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "traces/cli.h"

#define TEXT_BYTES 64

static char *next_text(void)
{
    static char texts[PRINT_TEXTS][TEXT_BYTES];
    static unsigned next;
    return texts[next++ % PRINT_TEXTS];
}

const char *print_count(uint64_t count)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, count), at = 0;
    char *text = next_text();
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

const char *print_bytes(uint64_t bytes)
{
    return cli_format_bytes(bytes, next_text());
}

const char *print_power(uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    char *text = next_text();
    unsigned unit = 0;
    for (; bytes >= 1024; bytes >>= 10)
        unit++;
    snprintf(text, TEXT_BYTES, "%" PRIu64 " %s", bytes, units[unit]);
    return text;
}

const char *print_share(double part, double whole)
{
    char *text = next_text();
    double percent = whole > 0 ? 100 * part / whole : 0;
    if (!(part > 0))
        strcpy(text, "-");
    else if (percent < 0.05)
        strcpy(text, "<0.1 %");
    else
        snprintf(text, TEXT_BYTES, "%.1f %%", percent);
    return text;
}

const char *print_bar(double part, double whole, unsigned width)
{
    char *text = next_text();
    unsigned length = whole > 0 ? (unsigned)(part / whole * width + 0.5) : 0;
    length = length > width ? width : length;
    memset(text, '#', length);
    strcpy(text + length, part > 0 && !length ? "." : "");
    return text;
}

const char *print_blocks(uint64_t count)
{
    char *text = next_text();
    snprintf(text, TEXT_BYTES, "%s block%s", print_count(count), count == 1 ? "" : "s");
    return text;
}
