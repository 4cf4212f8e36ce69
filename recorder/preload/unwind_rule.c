#include "recorder/preload/unwind_rule.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Pointer encodings (DW_EH_PE_*) that linkers and compilers for x86-64 write. */
enum { PE_ABSOLUTE = 0x00, PE_UDATA4 = 0x03, PE_SDATA4 = 0x0b, PE_SDATA8 = 0x0c, PE_FORM = 0x0f };
enum { PE_RELATIVE = 0x70, PE_PC_RELATIVE = 0x10, PE_DATA_RELATIVE = 0x30, PE_OMIT = 0xff };

enum { REGISTER_BP = 6, REGISTER_SP = 7, REGISTER_PC = 16 };

struct bytes {
    const unsigned char *at, *end;
    bool bad;
};

/* How a register of the caller's is found. */
enum saved { SAVED_SAME, SAVED_AT, SAVED_OTHERWISE };

struct row {
    enum unwind_frame frame;
    unsigned base; /* register of the CFA; UNWIND_STOP: one that we do not follow */
    int64_t offset;
    enum saved bp, pc;
    int64_t bp_at, pc_at; /* from the CFA, where SAVED_AT */
};

enum { REMEMBERED_MAX = 8 };

struct program {
    uint64_t code_unit;
    int64_t data_unit;
    unsigned pointer_encoding;
    uint64_t location, target; /* rows are made up to the target */
    struct row row, initial, remembered[REMEMBERED_MAX];
    unsigned depth;
};

/* ---- reading -----------------------------------------------------------------------------------
 */

static uint64_t read_bytes(struct bytes *bytes, size_t count)
{
    uint64_t value = 0;
    if ((size_t)(bytes->end - bytes->at) < count) {
        bytes->bad = true;
        bytes->at = bytes->end;
        return 0;
    }
    memcpy(&value, bytes->at, count);
    bytes->at += count;
    return value;
}

static uint64_t read_leb(struct bytes *bytes, bool is_signed)
{
    uint64_t value = 0, byte;
    unsigned shift = 0;
    do {
        byte = read_bytes(bytes, 1);
        value |= shift < 64 ? (byte & 127) << shift : 0;
        shift += 7;
    } while (byte & 128);
    if (is_signed && shift < 64 && byte & 64)
        value |= ~UINT64_C(0) << shift;
    return value;
}

static uint64_t read_uleb(struct bytes *bytes)
{
    return read_leb(bytes, false);
}

static int64_t read_sleb(struct bytes *bytes)
{
    return (int64_t)read_leb(bytes, true);
}

/* `data`: what data relative ones count from. */
static uint64_t read_pointer(struct bytes *bytes, unsigned encoding, uint64_t data)
{
    uint64_t base = 0, value;
    if ((encoding & PE_RELATIVE) == PE_PC_RELATIVE)
        base = (uint64_t)(uintptr_t)bytes->at;
    else if ((encoding & PE_RELATIVE) == PE_DATA_RELATIVE)
        base = data;
    else if (encoding & PE_RELATIVE)
        bytes->bad = true;
    switch (encoding & PE_FORM) {
    case PE_ABSOLUTE:
    case PE_SDATA8:
        value = read_bytes(bytes, 8);
        break;
    case PE_UDATA4:
        value = read_bytes(bytes, 4);
        break;
    case PE_SDATA4:
        value = (uint64_t)(int64_t)(int32_t)read_bytes(bytes, 4);
        break;
    default:
        bytes->bad = true;
        return 0;
    }
    return base + value;
}

/* A record of .eh_frame, from its length to its end. */
static struct bytes open_record(const unsigned char *at)
{
    uint32_t length;
    memcpy(&length, at, sizeof length);
    bool extended = length == UINT32_MAX; /* of objects over 4 GiB */
    return (struct bytes){at + 4, extended ? at + 4 : at + 4 + length, extended || !length};
}

/* ---- rows --------------------------------------------------------------------------------------
 */

static void set_register(struct row *row, uint64_t number, enum saved how, int64_t at)
{
    if (number == REGISTER_BP) {
        row->bp = how;
        row->bp_at = at;
    } else if (number == REGISTER_PC) {
        row->pc = how;
        row->pc_at = at;
    }
}

static void restore_register(struct program *program, uint64_t number)
{
    const struct row *initial = &program->initial;
    if (number == REGISTER_BP)
        set_register(&program->row, number, initial->bp, initial->bp_at);
    else if (number == REGISTER_PC)
        set_register(&program->row, number, initial->pc, initial->pc_at);
}

static void set_frame(struct row *row, uint64_t base, int64_t offset)
{
    row->base = (unsigned)base;
    row->offset = offset;
    row->frame = base == REGISTER_SP   ? UNWIND_BY_SP
                 : base == REGISTER_BP ? UNWIND_BY_BP
                                       : UNWIND_STOP;
}

/* DW_OP_breg6 offset, DW_OP_deref is the one kind of expression that compilers write. */
static void set_frame_expression(struct row *row, struct bytes *bytes)
{
    uint64_t length = read_uleb(bytes);
    if (length > (uint64_t)(bytes->end - bytes->at)) {
        bytes->bad = true;
        return;
    }
    struct bytes expression = {bytes->at, bytes->at + length, false};
    bytes->at += length;
    row->frame = UNWIND_STOP;
    if (read_bytes(&expression, 1) != 0x76)
        return;
    row->offset = read_sleb(&expression);
    if (read_bytes(&expression, 1) == 0x06 && !expression.bad && expression.at == expression.end)
        row->frame = UNWIND_SAVED;
}

static void skip_block(struct bytes *bytes)
{
    uint64_t length = read_uleb(bytes);
    if (length > (uint64_t)(bytes->end - bytes->at))
        bytes->bad = true;
    else
        bytes->at += length;
}

/* ---- instructions ------------------------------------------------------------------------------
 */

static void remember(struct program *program, struct bytes *bytes)
{
    if (program->depth == REMEMBERED_MAX)
        bytes->bad = true;
    else
        program->remembered[program->depth++] = program->row;
}

static void recall(struct program *program, struct bytes *bytes)
{
    if (!program->depth)
        bytes->bad = true;
    else
        program->row = program->remembered[--program->depth];
}

static void run_register(struct program *program, unsigned code, struct bytes *bytes)
{
    uint64_t number = read_uleb(bytes);
    switch (code) {
    case 0x05: /* DW_CFA_offset_extended */
        set_register(&program->row, number, SAVED_AT,
                     (int64_t)read_uleb(bytes) * program->data_unit);
        break;
    case 0x06: /* DW_CFA_restore_extended */
        restore_register(program, number);
        break;
    case 0x07: /* DW_CFA_undefined */
        set_register(&program->row, number, SAVED_OTHERWISE, 0);
        break;
    case 0x08: /* DW_CFA_same_value */
        set_register(&program->row, number, SAVED_SAME, 0);
        break;
    case 0x11: /* DW_CFA_offset_extended_sf */
        set_register(&program->row, number, SAVED_AT, read_sleb(bytes) * program->data_unit);
        break;
    case 0x10: /* DW_CFA_expression */
    case 0x16: /* DW_CFA_val_expression */
        skip_block(bytes);
        set_register(&program->row, number, SAVED_OTHERWISE, 0);
        break;
    default: /* DW_CFA_register, DW_CFA_val_offset, DW_CFA_val_offset_sf: one more number */
        read_uleb(bytes);
        set_register(&program->row, number, SAVED_OTHERWISE, 0);
        break;
    }
}

static void run_frame(struct program *program, unsigned code, struct bytes *bytes)
{
    struct row *row = &program->row;
    uint64_t base = row->base;
    if (code == 0x0c || code == 0x0d || code == 0x12)
        base = read_uleb(bytes);
    switch (code) {
    case 0x0c: /* DW_CFA_def_cfa */
    case 0x0e: /* DW_CFA_def_cfa_offset */
        set_frame(row, base, (int64_t)read_uleb(bytes));
        break;
    case 0x0d: /* DW_CFA_def_cfa_register */
        set_frame(row, base, row->offset);
        break;
    case 0x12: /* DW_CFA_def_cfa_sf */
    case 0x13: /* DW_CFA_def_cfa_offset_sf */
        set_frame(row, base, read_sleb(bytes) * program->data_unit);
        break;
    default: /* DW_CFA_def_cfa_expression */
        set_frame_expression(row, bytes);
        break;
    }
}

static void run_rare(struct program *program, unsigned code, struct bytes *bytes)
{
    switch (code) {
    case 0x00: /* DW_CFA_nop */
    case 0x2d: /* DW_CFA_GNU_window_save */
        break;
    case 0x01: /* DW_CFA_set_loc */
        program->location = read_pointer(bytes, program->pointer_encoding, 0);
        break;
    case 0x02: /* DW_CFA_advance_loc1 */
    case 0x03:
        program->location += read_bytes(bytes, code - 1u) * program->code_unit;
        break;
    case 0x04: /* DW_CFA_advance_loc4 */
        program->location += read_bytes(bytes, 4) * program->code_unit;
        break;
    case 0x0a: /* DW_CFA_remember_state */
        remember(program, bytes);
        break;
    case 0x0b: /* DW_CFA_restore_state */
        recall(program, bytes);
        break;
    case 0x2e: /* DW_CFA_GNU_args_size */
        read_uleb(bytes);
        break;
    default:
        bytes->bad = true;
    }
}

static void run(struct program *program, struct bytes bytes, bool *ret_bad)
{
    while (bytes.at < bytes.end && !bytes.bad) {
        unsigned code = (unsigned)read_bytes(&bytes, 1), low = code & 0x3f;
        if (code >> 6 == 1) /* DW_CFA_advance_loc */
            program->location += low * program->code_unit;
        else if (code >> 6 == 2) /* DW_CFA_offset */
            set_register(&program->row, low, SAVED_AT,
                         (int64_t)read_uleb(&bytes) * program->data_unit);
        else if (code >> 6 == 3) /* DW_CFA_restore */
            restore_register(program, low);
        else if ((code >= 0x0c && code <= 0x0f) || code == 0x12 || code == 0x13)
            run_frame(program, code, &bytes);
        else if ((code >= 0x05 && code <= 0x09) || code == 0x10 || code == 0x11 ||
                 (code >= 0x14 && code <= 0x16))
            run_register(program, code, &bytes);
        else
            run_rare(program, code, &bytes);
        if (program->location > program->target)
            break; /* rows from here on are for later addresses */
    }
    *ret_bad |= bytes.bad;
}

/* ---- from an address to its rule ---------------------------------------------------------------
 */

/* What a CIE says before its instructions, which `ret_rest` then holds. */
static bool read_cie(const unsigned char *cie, struct program *program, struct bytes *ret_rest)
{
    struct bytes bytes = open_record(cie);
    if (read_bytes(&bytes, 4) != 0)
        return false;
    unsigned version = (unsigned)read_bytes(&bytes, 1);
    const char *augmentation = (const char *)bytes.at;
    while (!bytes.bad && read_bytes(&bytes, 1))
        ;
    if (version == 4)
        read_bytes(&bytes, 2);
    program->code_unit = read_uleb(&bytes);
    program->data_unit = read_sleb(&bytes);
    uint64_t pc_register = version == 1 ? read_bytes(&bytes, 1) : read_uleb(&bytes);
    if (bytes.bad || *augmentation != 'z' || pc_register != REGISTER_PC)
        return false;
    uint64_t length = read_uleb(&bytes);
    struct bytes extra = bytes;
    for (const char *letter = augmentation + 1; *letter; letter++) {
        if (*letter == 'R')
            program->pointer_encoding = (unsigned)read_bytes(&extra, 1);
        else if (*letter == 'L')
            read_bytes(&extra, 1);
        else if (*letter == 'P')
            (void)read_pointer(&extra, (unsigned)read_bytes(&extra, 1) & 0x7f, 0);
        else if (*letter != 'B') /* 'S', a signal frame, is not left by a return address */
            return false;
    }
    if (extra.bad || length > (uint64_t)(bytes.end - bytes.at))
        return false;
    bytes.at += length;
    *ret_rest = bytes;
    return true;
}

/* The function description entry that the header's sorted table names for an address. */
static const unsigned char *find_fde(const unsigned char *header, uint64_t pc)
{
    struct bytes bytes = {header + 4, header + 16, false};
    /* Version, then encodings: of the section's address, the count and the table, the usual ones.
     */
    if (header[0] != 1 || header[2] != PE_UDATA4 || header[3] != (PE_DATA_RELATIVE | PE_SDATA4))
        return NULL;
    (void)read_pointer(&bytes, header[1], (uint64_t)(uintptr_t)header);
    uint64_t count = read_bytes(&bytes, 4), low = 0, high = count;
    if (bytes.bad || !count)
        return NULL;
    const unsigned char *table = bytes.at;
    int64_t wanted = (int64_t)(pc - (uint64_t)(uintptr_t)header);
    while (high - low > 1) {
        uint64_t middle = (low + high) / 2;
        int32_t begin;
        memcpy(&begin, table + 8 * middle, sizeof begin);
        if (begin <= wanted)
            low = middle;
        else
            high = middle;
    }
    int32_t fde;
    memcpy(&fde, table + 8 * low + 4, sizeof fde);
    return header + fde;
}

static bool find_row(const unsigned char *header, struct program *program)
{
    const unsigned char *fde = find_fde(header, program->target);
    struct bytes initial, bytes;
    bool bad = false;
    if (!fde)
        return false;
    bytes = open_record(fde);
    const unsigned char *here = bytes.at;
    uint64_t back = read_bytes(&bytes, 4);
    if (bytes.bad || !back || !read_cie(here - back, program, &initial))
        return false;
    uint64_t begin = read_pointer(&bytes, program->pointer_encoding, 0);
    uint64_t length = read_pointer(&bytes, program->pointer_encoding & PE_FORM, 0);
    uint64_t extra = read_uleb(&bytes);
    if (bytes.bad || program->target - begin >= length || extra > (uint64_t)(bytes.end - bytes.at))
        return false;
    bytes.at += extra;
    program->location = begin;
    run(program, initial, &bad);
    program->initial = program->row;
    run(program, bytes, &bad);
    return !bad;
}

static bool fits(int64_t value, unsigned bits)
{
    int64_t limit = INT64_C(1) << (bits - 1);
    return value >= -limit && value < limit;
}

static uint64_t rule_of(const struct row *row)
{
    int64_t saved = row->bp == SAVED_AT ? row->bp_at : 0;
    if (row->frame == UNWIND_STOP || row->bp == SAVED_OTHERWISE || row->pc != SAVED_AT ||
        row->pc_at != -8 || !fits(row->offset, UNWIND_OFFSET_BITS) ||
        !fits(saved, UNWIND_SAVED_BITS))
        return UNWIND_STOP;
    return (uint64_t)row->frame |
           ((uint64_t)row->offset & ((UINT64_C(1) << UNWIND_OFFSET_BITS) - 1)) << 3 |
           (uint64_t)saved << (3 + UNWIND_OFFSET_BITS);
}

uint64_t unwind_rule_find(uint64_t pc)
{
    struct dl_find_object found;
    /* The call, not what follows it: it may be the last instruction of its function. */
    struct program program = {.target = pc - 1, .row.frame = UNWIND_STOP};
    if (_dl_find_object((void *)(uintptr_t)(pc - 1), &found) || !found.dlfo_eh_frame)
        return UNWIND_STOP;
    return find_row(found.dlfo_eh_frame, &program) ? rule_of(&program.row) : UNWIND_STOP;
}
