/*
 * dd's operands. What they amount to is a slice like any other wherever the bytes alone decide the
 * result; only where it shows in which blocks they were read or written does `blocks` do it. Those
 * cases are all in needs_blocks().
 */

#include "dd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* conv= */
enum {
    CONV_EXCL = 1 << 0,
    CONV_FDATASYNC = 1 << 1,
    CONV_FSYNC = 1 << 2,
    CONV_NOCREAT = 1 << 3,
    CONV_NOERROR = 1 << 4,
    CONV_NOTRUNC = 1 << 5,
    CONV_SPARSE = 1 << 6,
    CONV_SYNC = 1 << 7,
    CONV_OTHER = 1 << 8, /* it changes bytes */
};

/* iflag= and oflag= */
enum {
    FLAG_APPEND = 1 << 0,
    FLAG_COUNT_BYTES = 1 << 1,
    FLAG_DIRECT = 1 << 2,
    FLAG_DIRECTORY = 1 << 3,
    FLAG_DSYNC = 1 << 4,
    FLAG_FULLBLOCK = 1 << 5,
    FLAG_NOATIME = 1 << 6,
    FLAG_NOCACHE = 1 << 7,
    FLAG_NOCTTY = 1 << 8, /* as always */
    FLAG_NOFOLLOW = 1 << 9,
    FLAG_NONBLOCK = 1 << 10,
    FLAG_SEEK_BYTES = 1 << 11,
    FLAG_SKIP_BYTES = 1 << 12,
    FLAG_SYNC = 1 << 13,
};

struct word {
    const char *name;
    unsigned value;
};

static const struct word conversion_words[] = {
    {"ascii", CONV_OTHER},
    {"block", CONV_OTHER},
    {"ebcdic", CONV_OTHER},
    {"excl", CONV_EXCL},
    {"fsync", CONV_FSYNC},
    {"fdatasync", CONV_FDATASYNC},
    {"ibm", CONV_OTHER},
    {"lcase", CONV_OTHER},
    {"nocreat", CONV_NOCREAT},
    {"noerror", CONV_NOERROR},
    {"notrunc", CONV_NOTRUNC},
    {"sparse", CONV_SPARSE},
    {"swab", CONV_OTHER},
    {"sync", CONV_SYNC},
    {"ucase", CONV_OTHER},
    {"unblock", CONV_OTHER},
    {NULL, 0},
};

static const struct word flag_words[] = {
    {"append", FLAG_APPEND},
    {"count_bytes", FLAG_COUNT_BYTES},
    {"direct", FLAG_DIRECT},
    {"directory", FLAG_DIRECTORY},
    {"dsync", FLAG_DSYNC},
    {"fullblock", FLAG_FULLBLOCK},
    {"noatime", FLAG_NOATIME},
    {"nocache", FLAG_NOCACHE},
    {"noctty", FLAG_NOCTTY},
    {"nofollow", FLAG_NOFOLLOW},
    {"nonblock", FLAG_NONBLOCK},
    {"seek_bytes", FLAG_SEEK_BYTES},
    {"skip_bytes", FLAG_SKIP_BYTES},
    {"sync", FLAG_SYNC},
    {NULL, 0},
};

static const struct word status_words[] = {
    {"none", ZS_DD_STATUS_NONE},
    {"noxfer", ZS_DD_STATUS_NO_TRANSFER},
    {"progress", ZS_DD_STATUS_PROGRESS},
    {NULL, 0},
};

static const char help[] =
    "Usage: zdd [OPERAND]...\n"
    "  or:  zdd --help | --version\n"
    "Copy a file or part of it, as dd does and as fast as zslice does.\n"
    "\n"
    "  if=FILE     read FILE instead of standard input\n"
    "  of=FILE     write to FILE instead of standard output\n"
    "  bs=BYTES    read and write up to BYTES bytes at a time (default: 512)\n"
    "  ibs=BYTES   read up to BYTES bytes at a time\n"
    "  obs=BYTES   write BYTES bytes at a time\n"
    "  skip=N      skip N input blocks first (iseek=N is the same)\n"
    "  seek=N      skip N output blocks first (oseek=N is the same)\n"
    "  count=N     copy only N input blocks\n"
    "  conv=WORDS  excl fdatasync fsync nocreat noerror notrunc sparse sync\n"
    "  iflag=WORDS append count_bytes direct directory dsync fullblock noatime\n"
    "              nocache noctty nofollow nonblock seek_bytes skip_bytes sync\n"
    "  oflag=WORDS the same, without fullblock\n"
    "  status=WORD none, noxfer or progress: what is printed on standard error\n"
    "\n"
    "WORDS are separated by commas. N and BYTES may have a suffix: c=1, w=2, b=512,\n"
    "kB=1000, K=1024, MB, M, GB, G and so on for T, P and E, KiB=K and so on; and\n"
    "may be products, as 2x80x18b. If N contains a B, it counts bytes, not blocks.\n"
    "Send SIGUSR1 to a running zdd to have it print its statistics and go on.\n"
    "What changes bytes is refused (cbs=, conv=ascii,block,ebcdic,ibm,lcase,swab,\n"
    "ucase,unblock): use GNU dd. See zdd(1).\n";

bool zs_dd_is_name(const char *argv0)
{
    const char *slash = argv0 ? strrchr(argv0, '/') : NULL;

    return argv0 && strcmp(slash ? slash + 1 : argv0, "zdd") == 0;
}

static bool is_suffix(char c)
{
    return c != '\0' && strchr("bcEGkKMPTwYZRQ", c) != NULL;
}

/*
 * The factor that a suffix stands for; *text is moved behind it. One that does not fit 64 bits, as
 * that of Z, sets *overflow, and is without meaning.
 */
static uint64_t read_suffix(const char **text, bool *overflow)
{
    static const char letters[] = "KMGTPEZYRQ";
    char letter = **text == 'k' ? 'K' : **text;

    (*text)++;
    if (letter == 'c')
        return 1;
    if (letter == 'w')
        return 2;
    if (letter == 'b')
        return 512;

    uint64_t base = 1024;
    if (strncmp(*text, "iB", 2) == 0) {
        *text += 2;
    } else if (**text == 'B' || **text == 'D') {
        base = 1000;
        (*text)++;
    }
    uint64_t factor = 1;
    for (const char *l = letters;; l++) {
        *overflow |= __builtin_mul_overflow(factor, base, &factor);
        if (*l == letter)
            return factor;
    }
}

/* Digits, a suffix, or both. 0, or -EINVAL. What is too large sets *overflow, and is without
 * meaning. */
static int read_factor(const char **text, uint64_t *value, bool *overflow)
{
    const char *start = *text;
    bool blank;
    uint64_t sum = 0;

    while (**text == ' ' || (**text >= '\t' && **text <= '\r'))
        (*text)++;
    blank = *text > start;
    if (**text == '+' && (*text)[1] >= '0' && (*text)[1] <= '9')
        (*text)++;
    for (start = *text; **text >= '0' && **text <= '9'; (*text)++) {
        *overflow |= __builtin_mul_overflow(sum, (uint64_t)10, &sum);
        *overflow |= __builtin_add_overflow(sum, (uint64_t)(**text - '0'), &sum);
    }
    if (*text == start) {
        if (blank || !is_suffix(**text))
            return -EINVAL;
        sum = 1;
    }
    if (is_suffix(**text) && sum > 0)
        *overflow |= __builtin_mul_overflow(sum, read_suffix(text, overflow), &sum);
    else if (is_suffix(**text))
        (void)read_suffix(text, &(bool){false}); /* 0Q is 0 */
    if (**text == 'B' && *text > start && (*text)[-1] != 'B')
        (*text)++;
    *value = sum;
    return 0;
}

/* 0, or -EINVAL, or -ERANGE: beyond 2^63-1. */
static int parse_number(const char *text, uint64_t *number, bool *zero_multiplier)
{
    uint64_t product = 1;
    bool overflow = false;
    bool zero = false;
    bool hexadecimal = false;

    for (;;) {
        const char *start = text;
        uint64_t factor = 0;
        bool too_large = false;
        if (read_factor(&text, &factor, &too_large) < 0)
            return -EINVAL;
        zero |= factor == 0 && !too_large;
        overflow |= too_large || __builtin_mul_overflow(product, factor, &product);
        if (*text == '\0')
            break;
        if (*text != 'x')
            return -EINVAL;
        hexadecimal |= start[0] == '0' && text == start + 1;
        text++;
    }
    if (zero)
        product = 0;
    *zero_multiplier |= zero && hexadecimal;
    *number = product;
    return !zero && (overflow || product > INT64_MAX) ? -ERANGE : 0;
}

static int usage_error(struct zs_error *error, const char *operand, const char *reason)
{
    return zs_error_set(error, ZS_ERROR_USAGE, operand, NULL, 0, "%s", reason);
}

/* Words separated by commas: their bits are added to *value, or the last word alone is it. */
static int parse_words(const char *operand, const char *text, const struct word *words,
                       bool last_counts, unsigned *value, struct zs_error *error)
{
    for (;;) {
        size_t length = strcspn(text, ",");
        const struct word *word = words;
        while (word->name &&
               (strlen(word->name) != length || strncmp(word->name, text, length) != 0))
            word++;
        if (!word->name)
            return zs_error_set(error, ZS_ERROR_USAGE, operand, NULL, 0, "'%.*s' is not known",
                                (int)length, text);
        *value = last_counts ? word->value : *value | word->value;
        if (text[length] == '\0')
            return 0;
        text += length + 1;
    }
}

static int parse_operand_number(const char *operand, const char *text, uint64_t least,
                                struct zs_dd *dd, uint64_t *number, struct zs_error *error)
{
    int result = parse_number(text, number, &dd->zero_multiplier);

    /* Of a block one byte must fit behind it, as in GNU dd. */
    if (result == 0 && least > 0 && *number == INT64_MAX)
        result = -ERANGE;
    if (result == -ERANGE)
        return usage_error(error, operand, "beyond 2^63-1");
    if (result < 0)
        return usage_error(error, operand, "not a number such as 4096, 64K, 10MB or 2x512");
    return *number < least ? usage_error(error, operand, "it must be at least 1") : 0;
}

static int parse_blocks(const char *operand, const char *text, struct zs_dd *dd,
                        struct zs_dd_number *number, struct zs_error *error)
{
    number->bytes = strchr(text, 'B') != NULL;
    return parse_operand_number(operand, text, 0, dd, &number->number, error);
}

/* The value of an operand of this name, else NULL. */
static const char *value_of(const char *operand, const char *name)
{
    size_t length = strlen(name);
    return strncmp(operand, name, length) == 0 && operand[length] == '=' ? operand + length + 1
                                                                         : NULL;
}

static int parse_operand(const char *operand, struct zs_dd *dd, uint64_t *block_bytes,
                         struct zs_error *error)
{
    const char *text;

    if ((text = value_of(operand, "if")) != NULL) {
        dd->input = text;
        return 0;
    }
    if ((text = value_of(operand, "of")) != NULL) {
        dd->output = text;
        return 0;
    }
    if ((text = value_of(operand, "bs")) != NULL)
        return parse_operand_number(operand, text, 1, dd, block_bytes, error);
    if ((text = value_of(operand, "ibs")) != NULL)
        return parse_operand_number(operand, text, 1, dd, &dd->read_bytes, error);
    if ((text = value_of(operand, "obs")) != NULL)
        return parse_operand_number(operand, text, 1, dd, &dd->write_bytes, error);
    if ((text = value_of(operand, "skip")) != NULL || (text = value_of(operand, "iseek")) != NULL)
        return parse_blocks(operand, text, dd, &dd->skip, error);
    if ((text = value_of(operand, "seek")) != NULL || (text = value_of(operand, "oseek")) != NULL)
        return parse_blocks(operand, text, dd, &dd->seek, error);
    if ((text = value_of(operand, "count")) != NULL) {
        dd->has_count = true;
        return parse_blocks(operand, text, dd, &dd->count, error);
    }
    if ((text = value_of(operand, "conv")) != NULL) {
        if (parse_words(operand, text, conversion_words, false, &dd->conversions, error) < 0)
            return -1;
        return dd->conversions & CONV_OTHER
                   ? usage_error(error, operand, "it would change bytes; use GNU dd for that")
                   : 0;
    }
    if ((text = value_of(operand, "iflag")) != NULL)
        return parse_words(operand, text, flag_words, false, &dd->input_flags, error);
    if ((text = value_of(operand, "oflag")) != NULL)
        return parse_words(operand, text, flag_words, false, &dd->output_flags, error);
    if ((text = value_of(operand, "status")) != NULL)
        return parse_words(operand, text, status_words, true, &dd->status, error);
    if (value_of(operand, "cbs"))
        return usage_error(error, operand, "it would change bytes; use GNU dd for that");
    return usage_error(error, operand, "there is no such operand");
}

/* Operands that do not go together, whatever the files are. */
static int check_combinations(const struct zs_dd *dd, struct zs_error *error)
{
    const unsigned uncached = FLAG_DIRECT | FLAG_NOCACHE;

    if ((dd->conversions & CONV_EXCL) && (dd->conversions & CONV_NOCREAT))
        return usage_error(error, "conv=excl", "it cannot be combined with nocreat");
    if ((dd->input_flags & uncached) == uncached)
        return usage_error(error, "iflag=direct", "it cannot be combined with nocache");
    if ((dd->output_flags & uncached) == uncached)
        return usage_error(error, "oflag=direct", "it cannot be combined with nocache");
    if (dd->output_flags & FLAG_FULLBLOCK)
        return usage_error(error, "oflag=fullblock", "only what is read has full blocks");
    return 0;
}

/* What open(2) is to be told. Of O_APPEND the plan knows by itself. */
static int open_flags(unsigned flags)
{
    return (flags & FLAG_DIRECT ? O_DIRECT : 0) | (flags & FLAG_DIRECTORY ? O_DIRECTORY : 0) |
           (flags & FLAG_DSYNC ? O_DSYNC : 0) | (flags & FLAG_NOATIME ? O_NOATIME : 0) |
           (flags & FLAG_NOFOLLOW ? O_NOFOLLOW : 0) | (flags & FLAG_NONBLOCK ? O_NONBLOCK : 0) |
           (flags & FLAG_SYNC ? O_SYNC : 0);
}

/* To dd, every name is that of a file: "-" and "tcp://host:1" are in the current folder. */
static char *path_of(const char *name)
{
    bool special = strcmp(name, "-") == 0 || strstr(name, "://");
    size_t size = strlen(name) + sizeof "./";
    char *path = malloc(size);

    if (path)
        (void)snprintf(path, size, "%s%s", special && *name != '/' ? "./" : "", name);
    return path;
}

static int print_information(const char *text, enum zs_action *action, struct zs_error *error)
{
    *action = ZS_ACTION_DONE;
    errno = 0;
    if (fputs(text, stdout) != EOF && fflush(stdout) == 0)
        return 0;
    return zs_error_set(error, errno == EPIPE ? ZS_ERROR_PIPE : ZS_ERROR_TRANSFER,
                        "standard output", "writing", errno ? errno : EIO, NULL);
}

int zs_dd_parse(int argc, char **argv, struct zs_dd *dd, struct zs_options *options,
                enum zs_action *action, struct zs_error *error)
{
    uint64_t block_bytes = 0;

    *action = ZS_ACTION_COPY;
    *dd = (struct zs_dd){.read_bytes = 512, .write_bytes = 512};
    zs_options_init(options);
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return print_information(help, action, error);
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return print_information("zdd (zslice) " ZSLICE_VERSION "\n", action, error);

    bool ended = false;
    for (int i = 1; i < argc; i++) {
        if (!ended && strcmp(argv[i], "--") == 0)
            ended = true;
        else if (parse_operand(argv[i], dd, &block_bytes, error) < 0)
            return -1;
    }
    if (block_bytes > 0) {
        dd->unchanged = true;
        dd->read_bytes = dd->write_bytes = block_bytes;
    }
    if (check_combinations(dd, error) < 0)
        return -1;
    dd->skip.bytes |= (dd->input_flags & FLAG_SKIP_BYTES) != 0;
    dd->count.bytes |= (dd->input_flags & FLAG_COUNT_BYTES) != 0;
    dd->seek.bytes |= (dd->output_flags & FLAG_SEEK_BYTES) != 0;

    options->target_flags = 0;
    if (dd->input) {
        options->source_path = dd->input_path = path_of(dd->input);
        options->source_name = dd->input;
        options->source_flags = open_flags(dd->input_flags);
    }
    if (dd->output) {
        options->target_path = dd->output_path = path_of(dd->output);
        options->target_name = dd->output;
        options->target_flags = open_flags(dd->output_flags);
    }
    if (!options->source_path || !options->target_path)
        return zs_error_set(error, ZS_ERROR_TRANSFER, "zdd", "parsing operands", ENOMEM, NULL);
    return 0;
}

/* What an operand and both ends have in common. */
struct fitting {
    struct zs_dd *dd;
    const struct zs_facts *source;
    const struct zs_facts *target;
    struct zs_options *options;
    struct zs_error *error;

    uint64_t skip_bytes; /* saturated */
    uint64_t seek_bytes;
    uint64_t length_bytes; /* of count=; UINT64_MAX: there is none */
    uint64_t left_bytes;   /* of what is behind skip=, if the source is sized */
};

static uint64_t to_bytes(struct zs_dd_number number, uint64_t block_bytes)
{
    uint64_t bytes;

    if (number.bytes)
        return number.number;
    return __builtin_mul_overflow(number.number, block_bytes, &bytes) ? UINT64_MAX : bytes;
}

static int refuse(const struct fitting *f, const char *name, const char *operation, int code,
                  const char *reason)
{
    return zs_error_set(f->error, ZS_ERROR_REFUSED, name, operation, code, reason ? "%s" : NULL,
                        reason);
}

/*
 * Behind the end there is nothing, which dd does not take for a failure: except where the position
 * itself cannot be had.
 */
static int fit_source(struct fitting *f)
{
    const struct zs_facts *source = f->source;
    struct zs_slice *slice = &f->options->slice;

    if ((f->dd->input_flags & FLAG_DIRECTORY) && source->kind != ZS_KIND_DIRECTORY)
        return refuse(f, f->options->source_name, "opening", ENOTDIR, NULL);
    if (source->sized) {
        uint64_t rest =
            source->size_bytes > source->position ? source->size_bytes - source->position : 0;
        bool beyond = f->skip_bytes > INT64_MAX - source->position;
        if (beyond || (f->skip_bytes > rest && source->kind == ZS_KIND_BLOCK))
            return refuse(f, f->options->source_name, "skipping", beyond ? EOVERFLOW : EINVAL,
                          "there is no such position in it");
        if (f->skip_bytes > rest) {
            f->dd->past_end = source->size_bytes > 0;
            f->skip_bytes = rest;
        }
        f->left_bytes = rest - f->skip_bytes;
    }
    slice->offset.distance_bytes = f->skip_bytes;
    slice->has_length = f->length_bytes < UINT64_MAX;
    slice->length_bytes = f->length_bytes;
    f->options->allows_past_end = true;
    return 0;
}

static bool truncates(const struct fitting *f)
{
    bool regular = f->target->kind == ZS_KIND_REGULAR || f->target->kind == ZS_KIND_NONE;
    return f->dd->output && regular && !(f->dd->conversions & CONV_NOTRUNC);
}

/* Where in a file: from where standard output stands, or from its beginning; cut there first. */
static void place_in_file(struct fitting *f)
{
    struct zs_options *options = f->options;

    if (!f->dd->output) {
        bool same = zs_facts_same_file(f->source, f->target);
        options->has_seek = (f->seek_bytes > 0 || same) && !f->target->append;
        options->seek.distance_bytes = f->target->position + f->seek_bytes;
        return;
    }
    if ((f->dd->output_flags & FLAG_APPEND) && !truncates(f) && f->target->kind != ZS_KIND_BLOCK) {
        options->append = true;
        return;
    }
    f->dd->cuts_appended = (f->dd->output_flags & FLAG_APPEND) && truncates(f) &&
                           f->target->size_bytes > f->seek_bytes;
    options->has_seek = f->seek_bytes > 0 || !truncates(f);
    options->seek.distance_bytes = f->seek_bytes;
    options->cut_before = options->has_seek && truncates(f);
}

static int fit_target(struct fitting *f)
{
    const struct zs_facts *target = f->target;
    struct zs_options *options = f->options;
    const char *name = options->target_name;
    unsigned conversions = f->dd->conversions;

    if (f->dd->output_flags & FLAG_DIRECTORY)
        return refuse(f, name, "opening", target->kind == ZS_KIND_DIRECTORY ? EISDIR : ENOTDIR,
                      NULL);
    if ((conversions & CONV_NOCREAT) && f->dd->output && target->kind == ZS_KIND_NONE)
        return refuse(f, name, "opening", ENOENT, NULL);
    options->no_clobber = (conversions & CONV_EXCL) && f->dd->output;
    options->sync = (conversions & (CONV_FSYNC | CONV_FDATASYNC)) && zs_facts_is_file(target);
    f->dd->cannot_sync = (conversions & (CONV_FSYNC | CONV_FDATASYNC)) && !zs_facts_is_file(target);
    /* fcntl(2) does not set these. */
    options->sync |= !f->dd->output && (f->dd->output_flags & (FLAG_SYNC | FLAG_DSYNC)) &&
                     zs_facts_is_file(target);
    options->no_cache = (f->dd->input_flags | f->dd->output_flags) & FLAG_NOCACHE;

    if (zs_facts_is_file(target)) {
        if (f->seek_bytes > INT64_MAX - target->position)
            return refuse(f, name, "seeking", EOVERFLOW, "there is no such position");
        place_in_file(f);
    } else if (f->seek_bytes > 0 && target->kind != ZS_KIND_CHARACTER) {
        return refuse(f, name, "seeking", ESPIPE, NULL);
    } else if (f->seek_bytes > INT64_MAX) {
        return refuse(f, name, "seeking", EOVERFLOW, NULL);
    }
    return 0;
}

/* Where the bytes go, and where they come from, in a file that is both. */
static int check_same_file(const struct fitting *f, bool *overlaps)
{
    uint64_t length = f->length_bytes < f->left_bytes ? f->length_bytes : f->left_bytes;
    uint64_t from = f->source->position + f->skip_bytes;
    uint64_t to = f->dd->output ? f->seek_bytes : f->target->position + f->seek_bytes;

    *overlaps = false;
    if (!zs_facts_same_file(f->source, f->target) || !f->source->sized || f->options->append)
        return 0;
    if (truncates(f) && (f->seek_bytes == 0 || from + length > to))
        return refuse(f, f->options->target_name, "writing", 0,
                      "it is the source, too, and would be cut before it is read: use "
                      "conv=notrunc or another file");
    *overlaps = from < to + length && to < from + length;
    return 0;
}

/*
 * Memory devices, which never give less than they are asked for (64 MiB of /dev/urandom in one
 * read, Linux 6.18; before 5.18, 32 MiB), and take anything.
 */
static bool is_memory(const struct zs_facts *facts)
{
    static const unsigned minors[] = {3, 5, 7, 8, 9}; /* null, zero, full, random, urandom */

    if (facts->kind != ZS_KIND_CHARACTER || major(facts->special_device) != 1)
        return false;
    for (size_t i = 0; i < sizeof minors / sizeof *minors; i++) {
        if (minor(facts->special_device) == minors[i])
            return true;
    }
    return false;
}

/* Whether it shows in which blocks the bytes were read and written. */
static bool needs_blocks(const struct fitting *f, bool overlaps)
{
    const struct zs_dd *dd = f->dd;
    const struct zs_facts *source = f->source;
    const struct zs_facts *target = f->target;
    const unsigned special = FLAG_DIRECT | FLAG_DSYNC | FLAG_SYNC | FLAG_NONBLOCK;
    bool stream = !source->sized && !is_memory(source);

    /* One write is one message, one block on a tape, one record of a log. */
    if ((source->messages && source->kind == ZS_KIND_SOCKET) || target->messages ||
        (target->kind == ZS_KIND_CHARACTER && !is_memory(target)))
        return true;
    if (dd->conversions & (CONV_NOERROR | CONV_SYNC))
        return true;
    if ((dd->input_flags & (FLAG_DIRECT | FLAG_NONBLOCK)) || (dd->output_flags & special))
        return true;
    /* Flags of descriptors that are open already. */
    if ((!dd->input && (dd->input_flags & FLAG_NOATIME)) ||
        (!dd->output && (dd->output_flags & (FLAG_APPEND | FLAG_NOATIME))))
        return true;
    /* A block of zeros leaves what is there; in an emptied file that is a hole. */
    if ((dd->conversions & CONV_SPARSE) && !truncates(f))
        return true;
    /* What one read gives is a block. */
    if (stream && !(dd->input_flags & FLAG_FULLBLOCK) && (dd->has_count || f->skip_bytes > 0))
        return true;
    /* Devices and other files without a size that may have positions all the same. */
    if (!source->sized && f->skip_bytes > 0 &&
        (source->positioned || source->kind == ZS_KIND_CHARACTER))
        return true;
    if (f->seek_bytes > 0 && target->kind == ZS_KIND_CHARACTER)
        return true;
    /* Of one end, or of all that is there. */
    if (((dd->input_flags ^ dd->output_flags) & FLAG_NOCACHE) ||
        (f->options->no_cache && f->length_bytes == 0))
        return true;
    return overlaps;
}

static void set_blocks(struct fitting *f)
{
    struct zs_dd *dd = f->dd;
    bool counts_blocks = dd->has_count && !dd->count.bytes;
    bool whole = dd->input_flags & FLAG_FULLBLOCK;
    uint64_t most_blocks = !dd->has_count  ? UINT64_MAX
                           : counts_blocks ? dd->count.number
                                           : dd->count.number / dd->read_bytes;

    dd->blocks = (struct zs_blocks){
        .read_bytes = dd->read_bytes,
        .write_bytes = dd->write_bytes,
        .unchanged = dd->unchanged,
        .whole = whole,
        .padded = dd->conversions & CONV_SYNC,
        .skips_errors = dd->conversions & CONV_NOERROR,
        /* Where every write goes to the end, what is left out would be lost. */
        .leaves_zeros = (dd->conversions & CONV_SPARSE) && !f->target->append &&
                        !(dd->output_flags & FLAG_APPEND),
        .most_blocks = most_blocks,
        .last_bytes = dd->has_count && dd->count.bytes ? dd->count.number % dd->read_bytes : 0,
        .source_flags = open_flags(dd->input_flags) & ~(O_DIRECTORY | O_NOFOLLOW),
        .target_flags = (open_flags(dd->output_flags) & ~(O_DIRECTORY | O_NOFOLLOW)) |
                        (!dd->output && (dd->output_flags & FLAG_APPEND) ? O_APPEND : 0),
        .drops_source = dd->input_flags & FLAG_NOCACHE,
        .drops_target = dd->output_flags & FLAG_NOCACHE,
        .seek_bytes = f->target->kind == ZS_KIND_CHARACTER ? f->seek_bytes : 0,
        .complain = dd->blocks.complain,
        .context = dd->blocks.context,
    };
    if (!f->source->sized) {
        dd->blocks.skip_blocks =
            dd->skip.bytes ? dd->skip.number / dd->read_bytes : dd->skip.number;
        dd->blocks.skip_bytes = dd->skip.bytes ? dd->skip.number % dd->read_bytes : 0;
        f->options->slice.offset.distance_bytes = 0;
        f->options->slice.has_length = false;
    }
    dd->blocks.warns = dd->unchanged && !whole &&
                       (dd->blocks.skip_blocks > 0 || (most_blocks > 0 && dd->has_count) ||
                        ((dd->input_flags | dd->output_flags) & FLAG_DIRECT));
    f->options->blocks = &dd->blocks;
    f->options->no_cache = false;
}

void zs_dd_free(struct zs_dd *dd)
{
    free(dd->input_path);
    free(dd->output_path);
}

int zs_dd_fit(struct zs_dd *dd, const struct zs_facts *source, const struct zs_facts *target,
              struct zs_options *options, struct zs_error *error)
{
    struct fitting f = {.dd = dd,
                        .source = source,
                        .target = target,
                        .options = options,
                        .error = error,
                        .skip_bytes = to_bytes(dd->skip, dd->read_bytes),
                        .seek_bytes = to_bytes(dd->seek, dd->write_bytes),
                        .length_bytes =
                            dd->has_count ? to_bytes(dd->count, dd->read_bytes) : UINT64_MAX};
    bool overlaps;

    if (fit_source(&f) < 0 || fit_target(&f) < 0 || check_same_file(&f, &overlaps) < 0)
        return -1;
    if (dd->conversions & CONV_SPARSE)
        options->sparse = ZS_SPARSE_ALWAYS;
    if (needs_blocks(&f, overlaps))
        set_blocks(&f);
    return 0;
}
