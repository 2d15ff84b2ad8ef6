/*
 * The only user of libpopt. popt tokenizes and prints help; the numbers are ours.
 *
 * What popt 1.19 does that we do not want, and how it is avoided:
 * - The sequence "!#:+" inside an option's value is replaced by the next positional argument. A
 * copy of argv has it masked, and the mask is taken off the strings that come back.
 * - Its numeric types take " 5", "+5" and octal: every value is taken as a string.
 * - Its own --help ignores write errors: ours checks.
 * - "-o=5" means "-o5". That does no harm and stays.
 * - An unknown letter in a cluster is reported as the whole cluster: we name the letter.
 * - POSIXLY_CORRECT in the environment changes what a command line means: unset.
 * - Help shows argv[0] as it is, control characters and all: replaced.
 * - Aliases from ~/.popt and /etc/popt are read only on request: never requested.
 */

#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <popt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Values of popt's table: of an option that takes a value, its letter or one of these; of a switch,
 * where in struct zs_options its field is, behind SWITCHES.
 */
enum {
    OPTION_RECORD = 256,
    OPTION_FIELD,
    OPTION_SHARD,
    OPTION_ALIGN,
    OPTION_SEEK,
    OPTION_IN_PLACE,
    OPTION_SPARSE,
    OPTION_REFLINK,
    OPTION_ENGINE,
    OPTION_DIGEST,
    OPTION_STATS,
    OPTION_REPORT,
    OPTION_HELP,
    OPTION_USAGE,
    OPTION_VERSION,
    SWITCHES = 4096,
};

/* As in zs_engine_names; a test compares help and man page with those. */
#define ENGINES "reflink, copy-range, splice, sendfile, map-write, buffer"

#define VALUE(long_name, letter, val, help, value)                                                 \
    {                                                                                              \
        long_name, letter, POPT_ARG_STRING, NULL, val, help, value                                 \
    }
#define ACTION(long_name, val, help)                                                               \
    {                                                                                              \
        long_name, '\0', POPT_ARG_NONE, NULL, val, help, NULL                                      \
    }
#define SWITCH(long_name, letter, field, help)                                                     \
    {                                                                                              \
        long_name, letter, POPT_ARG_NONE, NULL,                                                    \
            SWITCHES + (int)offsetof(struct zs_options, field), help, NULL                         \
    }
#define GROUP(table, title)                                                                        \
    {                                                                                              \
        NULL, '\0', POPT_ARG_INCLUDE_TABLE, (void *)(table), 0, title, NULL                        \
    }

static const struct poptOption which_bytes[] = {
    VALUE("offset", 'o', 'o', "first byte to copy (default 0); -N counts from the end", "POS"),
    VALUE("length", 'l', 'l', "copy at most this many bytes (default: to the end)", "SIZE"),
    VALUE("end", 'e', 'e', "stop before this position; -N counts from the end", "POS"),
    VALUE("range", 'r', 'r', "START:STOP[:STEP] or START+LENGTH; repeatable", "RANGE"),
    VALUE("record", '\0', OPTION_RECORD, "numbers without a suffix count records of this size",
          "SIZE"),
    VALUE("field", '\0', OPTION_FIELD, "of each record, only its bytes A to B", "A:B"),
    VALUE("shard", '\0', OPTION_SHARD, "part K of N of the slice", "K/N"),
    VALUE("align", '\0', OPTION_ALIGN, "shards begin at multiples of this (default: a record)",
          "SIZE"),
    SWITCH("exact", 'x', exact, "any byte asked for and not there is an error"),
    POPT_TABLEEND,
};

static const struct poptOption where_they_go[] = {
    VALUE("seek", '\0', OPTION_SEEK, "write at this position of TARGET, keep its other bytes",
          "POS"),
    SWITCH("keep-offset", 'k', keep_offset, "write each byte at the position it has in SOURCE"),
    SWITCH("append", 'a', append, "add at the end of TARGET"),
    SWITCH("truncate", '\0', truncate, "with --seek or -k: cut TARGET after the slice"),
    SWITCH("no-clobber", 'n', no_clobber, "fail if TARGET exists"),
    SWITCH("resume", '\0', resume, "go on where a copy into TARGET was interrupted"),
    SWITCH("atomic", '\0', atomic, "TARGET shows its old bytes or all the new ones"),
    VALUE("in-place", '\0', OPTION_IN_PLACE, "SOURCE itself becomes the slice: collapse or auto",
          "HOW"),
    VALUE("sparse", '\0', OPTION_SPARSE, "holes stay (auto); zeros become holes (always); never",
          "WHEN"),
    VALUE("reflink", '\0', OPTION_REFLINK, "share blocks, not copy them: auto, always or never",
          "WHEN"),
    SWITCH("sync", '\0', sync, "succeed only when the bytes are on the device"),
    SWITCH("no-cache", '\0', no_cache, "give the page cache of both ends back"),
    POPT_TABLEEND,
};

static const struct poptOption how[] = {
    VALUE("engine", '\0', OPTION_ENGINE, "copy by exactly this: " ENGINES, "NAME"),
    VALUE("jobs", 'j', 'j', "use at most this many threads (default: auto)", "N"),
    SWITCH("stable", '\0', stable, "a pipe or socket gets copies, not references"),
    SWITCH("explain", '\0', explain, "print the plan and do nothing"),
    POPT_TABLEEND,
};

static const struct poptOption report[] = {
    VALUE("digest", '\0', OPTION_DIGEST, "print the slice's digest: sha256 or xxh128", "NAME"),
    SWITCH("verify", '\0', verify, "then read TARGET from its device and compare"),
    SWITCH("progress", 'p', progress, "show how far it is: a bar in a terminal, else lines"),
    SWITCH("verbose", 'v', verbose, "print a summary line on standard error"),
    VALUE("stats", '\0', OPTION_STATS, "print statistics on standard error, in this format",
          "json"),
    VALUE("report", '\0', OPTION_REPORT, "write digest and statistics to this file instead",
          "FILE"),
    POPT_TABLEEND,
};

static const struct poptOption information[] = {
    ACTION("help", OPTION_HELP, "show this help"),
    ACTION("usage", OPTION_USAGE, "show the options in brief"),
    ACTION("version", OPTION_VERSION, "show the version"),
    POPT_TABLEEND,
};

static const struct poptOption table[] = {
    GROUP(which_bytes, "Which bytes:"), GROUP(where_they_go, "Where they go:"), GROUP(how, "How:"),
    GROUP(report, "Proof and report:"), GROUP(information, "Information:"),     POPT_TABLEEND,
};

static const struct poptOption *const groups[] = {which_bytes, where_they_go, how, report,
                                                  information};

static const char trap[] = "!#:+";

/*
 * A copy of text with every `from` replaced by `to`, which has the same length; NULL without
 * memory.
 */
static char *replaced(const char *text, const char *from, const char *to)
{
    char *copy = strdup(text);
    for (char *at = copy; at && (at = strstr(at, from)) != NULL; at += strlen(from))
        memcpy(at, to, strlen(from));
    return copy;
}

/* Everything that must live as long as the options do. */
struct parser {
    poptContext context;
    char mask[sizeof trap]; /* stands for the trap in argv */
    int argc;
    char **argv;   /* masked */
    char **values; /* as the user wrote them; NULL-terminated */
    size_t value_count;
    struct zs_slice *ranges; /* room for one in each word of argv */
    const char *field;       /* as given: what it means depends on --record */
    bool has_slice;          /* --offset, --length or --end was given */
    bool has_record;
    bool has_align;
};

/* A mask that no argument contains, so that unmasking gives back exactly what was masked. */
static void choose_mask(struct parser *parser, int argc, char **argv)
{
    memcpy(parser->mask, trap, sizeof trap);
    for (int c = 1; c <= UCHAR_MAX; c++) {
        bool used = c == trap[2];
        parser->mask[2] = (char)c;
        for (int i = 0; i < argc; i++)
            used |= strstr(argv[i], parser->mask) != NULL;
        if (!used)
            break;
    }
}

static struct parser *create_parser(int argc, char **argv)
{
    struct parser *parser = calloc(1, sizeof *parser);
    if (!parser)
        return NULL;
    parser->argc = argc;
    parser->argv = calloc((size_t)argc + 1, sizeof *parser->argv);
    parser->values = calloc((size_t)argc + 1, sizeof *parser->values);
    parser->ranges = calloc((size_t)argc + 1, sizeof *parser->ranges);
    choose_mask(parser, argc, argv);
    for (int i = 0; parser->argv && i < argc; i++) {
        parser->argv[i] = replaced(i == 0 ? "zslice" : argv[i], trap, parser->mask);
        if (!parser->argv[i])
            return parser;
    }
    (void)unsetenv("POSIXLY_CORRECT");
    if (parser->argv && parser->values && parser->ranges)
        parser->context =
            poptGetContext(NULL, argc, (const char **)parser->argv, table, POPT_CONTEXT_NO_EXEC);
    return parser;
}

/*
 * Unmasks a string and keeps it until zs_options_free. At most one for each word of argv: its
 * value, a bad option (the first only), or a positional argument.
 */
static const char *keep(struct parser *parser, const char *text)
{
    char *kept = replaced(text, parser->mask, trap);
    if (kept)
        parser->values[parser->value_count++] = kept;
    return kept;
}

static int usage_error(struct zs_error *error, const char *option, const char *reason)
{
    return zs_error_set(error, ZS_ERROR_USAGE, option, NULL, 0, "%s", reason);
}

static int number_error(struct zs_error *error, const char *option, const char *text, int code)
{
    if (code == -ERANGE)
        return zs_error_set(error, ZS_ERROR_USAGE, option, NULL, 0,
                            "beyond 64 bits (2^64-1 bytes): '%s'", text);
    return zs_error_set(error, ZS_ERROR_USAGE, option, NULL, 0,
                        "not a number of bytes such as 4096, 64K, 10MB, 8s or 0x1f: '%s'", text);
}

static int parse_position(const char *option, const char *text, struct zs_position *position,
                          struct zs_error *error)
{
    int result = zs_units_parse_position(text, position);
    return result < 0 ? number_error(error, option, text, result) : 0;
}

static int parse_size(const char *option, const char *text, uint64_t *size_bytes,
                      struct zs_error *error)
{
    int result = zs_units_parse_size(text, size_bytes);
    return result < 0 ? number_error(error, option, text, result) : 0;
}

/* A number that counts records, if it has no suffix. */
static int parse_count(const char *option, const char *text, uint64_t *size_bytes, bool *bare,
                       struct zs_error *error)
{
    *bare = zs_units_is_bare(text);
    return parse_size(option, text, size_bytes, error);
}

/* A size that may not be 0. */
static int parse_unit(const char *option, const char *text, uint64_t *size_bytes,
                      struct zs_error *error)
{
    if (parse_size(option, text, size_bytes, error) < 0)
        return -1;
    return *size_bytes > 0 ? 0 : usage_error(error, option, "it must be at least 1");
}

static int parse_range(const char *text, struct parser *parser, struct zs_options *options,
                       struct zs_error *error)
{
    struct zs_slice *range = &parser->ranges[options->range_count];

    switch (zs_slice_parse(text, range)) {
    case 0:
        break;
    case -ERANGE:
        return number_error(error, "--range", text, -ERANGE);
    default:
        return zs_error_set(error, ZS_ERROR_USAGE, "--range", NULL, 0,
                            "not START:STOP, START:STOP:STEP or START+LENGTH, with numbers such as "
                            "4096, -64K or 8s: '%s'",
                            text);
    }
    if (range->has_step && range->step_bytes == 0)
        return zs_error_set(error, ZS_ERROR_USAGE, "--range", NULL, 0,
                            "STEP must be at least 1: '%s'", text);
    options->ranges = parser->ranges;
    options->range_count++;
    return 0;
}

static int parse_shard(const char *text, struct zs_options *options, struct zs_error *error)
{
    switch (zs_slice_parse_shard(text, &options->selection.shard)) {
    case 0:
        return 0;
    case -ERANGE:
        return zs_error_set(error, ZS_ERROR_USAGE, "--shard", NULL, 0,
                            "K counts from 1 to N, and N is at most 4294967295: '%s'", text);
    default:
        return zs_error_set(error, ZS_ERROR_USAGE, "--shard", NULL, 0, "not K/N, such as 1/8: '%s'",
                            text);
    }
}

/* What depends on how large a record is. */
static int settle_field(const struct parser *parser, struct zs_options *options,
                        struct zs_error *error)
{
    struct zs_selection *selection = &options->selection;
    uint64_t record_bytes = selection->record_bytes;

    selection->field = (struct zs_field){.length_bytes = record_bytes};
    if (!parser->has_align)
        selection->align_bytes = record_bytes;
    if (!parser->field)
        return 0;
    if (!parser->has_record)
        return usage_error(error, "--field", "it needs --record");
    if (selection->align_bytes % record_bytes != 0)
        return usage_error(error, "--field", "it needs --align to be a multiple of --record");
    switch (zs_slice_parse_field(parser->field, record_bytes, &selection->field)) {
    case 0:
        return 0;
    case -EDOM:
        return zs_error_set(error, ZS_ERROR_USAGE, "--field", NULL, 0,
                            "it reaches out of the record of %llu bytes: '%s'",
                            (unsigned long long)record_bytes, parser->field);
    case -ERANGE:
        return number_error(error, "--field", parser->field, -ERANGE);
    default:
        return zs_error_set(error, ZS_ERROR_USAGE, "--field", NULL, 0, "not A:B, such as 4:8: '%s'",
                            parser->field);
    }
}

static int settle_slice(struct zs_slice *slice, const struct zs_options *options,
                        struct zs_error *error)
{
    uint64_t record_bytes = options->selection.record_bytes;

    if (zs_slice_scale(slice, record_bytes) < 0)
        return zs_error_set(error, ZS_ERROR_USAGE, "--record", NULL, 0,
                            "with records of %llu bytes, a position is beyond 64 bits",
                            (unsigned long long)record_bytes);
    if (slice->has_step && slice->step_bytes < record_bytes)
        return zs_error_set(error, ZS_ERROR_USAGE, "--range", NULL, 0,
                            "a STEP of %llu bytes is shorter than a record of %llu",
                            (unsigned long long)slice->step_bytes,
                            (unsigned long long)record_bytes);
    if (slice->has_step && options->selection.shard.number > 0)
        return usage_error(error, "--shard", "it cannot be combined with a STEP");
    return 0;
}

/* Everything that one option says about the numbers of another. */
static int settle(const struct parser *parser, struct zs_options *options, struct zs_error *error)
{
    if (parser->has_align && options->selection.shard.number == 0)
        return usage_error(error, "--align", "it needs --shard");
    if (options->selection.shard.number > 0 && options->range_count > 1)
        return usage_error(error, "--shard", "it cannot be combined with several ranges");
    if (settle_field(parser, options, error) < 0 ||
        settle_slice(&options->slice, options, error) < 0)
        return -1;
    for (size_t i = 0; i < options->range_count; i++) {
        if (settle_slice(&parser->ranges[i], options, error) < 0)
            return -1;
    }
    return 0;
}

static int parse_engine(const char *text, struct zs_options *options, struct zs_error *error)
{
    options->engine_forced = strcmp(text, "auto") != 0;
    if (!options->engine_forced)
        return 0;
    for (int i = 0; i < ZS_ENGINE_COUNT; i++) {
        if (strcmp(text, zs_engine_names[i]) == 0) {
            options->engine = (enum zs_engine_id)i;
            return 0;
        }
    }
    return zs_error_set(error, ZS_ERROR_USAGE, "--engine", NULL, 0,
                        "not one of auto, " ENGINES ": '%s'", text);
}

static int parse_jobs(const char *text, struct zs_options *options, struct zs_error *error)
{
    uint64_t jobs = 0;

    if (strcmp(text, "auto") != 0 &&
        (!zs_units_is_bare(text) || zs_units_parse_size(text, &jobs) < 0 || jobs == 0))
        return zs_error_set(error, ZS_ERROR_USAGE, "--jobs", NULL, 0,
                            "not auto or a number from 1 on: '%s'", text);
    options->jobs = jobs < UINT_MAX ? (unsigned)jobs : UINT_MAX;
    return 0;
}

/* Which of the words it is: NULL where a number has none. -1 with *error. */
static int parse_word(const char *option, const char *text, const char *const *words, size_t count,
                      struct zs_error *error)
{
    char all[64] = "";

    for (size_t i = 0; i < count; i++) {
        if (!words[i])
            continue;
        if (strcmp(text, words[i]) == 0)
            return (int)i;
        size_t used = strlen(all);
        (void)snprintf(all + used, sizeof all - used, "%s%s", used > 0 ? ", " : "", words[i]);
    }
    return zs_error_set(error, ZS_ERROR_USAGE, option, NULL, 0, "not one of %s: '%s'", all, text);
}

static int parse_reflink(const char *text, struct zs_options *options, struct zs_error *error)
{
    static const char *const words[] = {
        [ZS_REFLINK_AUTO] = "auto", [ZS_REFLINK_ALWAYS] = "always", [ZS_REFLINK_NEVER] = "never"};
    int word = parse_word("--reflink", text, words, sizeof words / sizeof *words, error);

    if (word < 0)
        return -1;
    options->reflink = (enum zs_reflink)word;
    return 0;
}

static int parse_sparse(const char *text, struct zs_options *options, struct zs_error *error)
{
    static const char *const words[] = {
        [ZS_SPARSE_AUTO] = "auto", [ZS_SPARSE_ALWAYS] = "always", [ZS_SPARSE_NEVER] = "never"};
    int word = parse_word("--sparse", text, words, sizeof words / sizeof *words, error);

    if (word < 0)
        return -1;
    options->sparse = (enum zs_sparse)word;
    return 0;
}

static int parse_in_place(const char *text, struct zs_options *options, struct zs_error *error)
{
    static const char *const words[] = {
        [ZS_IN_PLACE_COLLAPSE] = "collapse", [ZS_IN_PLACE_AUTO] = "auto"};
    int word = parse_word("--in-place", text, words, sizeof words / sizeof *words, error);

    if (word < 0)
        return -1;
    options->in_place = (enum zs_in_place)word;
    return 0;
}

static int parse_digest(const char *text, struct zs_options *options, struct zs_error *error)
{
    int word = parse_word("--digest", text, zs_digest_names, ZS_DIGEST_COUNT, error);

    if (word < 0)
        return -1;
    options->digest = (enum zs_digest_kind)word;
    return 0;
}

static int parse_stats(const char *text, struct zs_options *options, struct zs_error *error)
{
    if (strcmp(text, "json") != 0)
        return zs_error_set(error, ZS_ERROR_USAGE, "--stats", NULL, 0,
                            "the only format is json, not '%s'", text);
    options->stats_json = true;
    return 0;
}

static int take_value(int option, const char *text, struct parser *parser,
                      struct zs_options *options, struct zs_error *error)
{
    struct zs_slice *slice = &options->slice;

    switch (option) {
    case 'o':
        parser->has_slice = true;
        slice->offset_bare = zs_units_is_bare(text);
        return parse_position("--offset", text, &slice->offset, error);
    case 'l':
        parser->has_slice = slice->has_length = true;
        return parse_count("--length", text, &slice->length_bytes, &slice->length_bare, error);
    case 'e':
        parser->has_slice = slice->has_end = true;
        slice->end_bare = zs_units_is_bare(text);
        return parse_position("--end", text, &slice->end, error);
    case 'r':
        return parse_range(text, parser, options, error);
    case OPTION_RECORD:
        parser->has_record = true;
        return parse_unit("--record", text, &options->selection.record_bytes, error);
    case OPTION_FIELD:
        parser->field = text;
        return 0;
    case OPTION_SHARD:
        return parse_shard(text, options, error);
    case OPTION_ALIGN:
        parser->has_align = true;
        return parse_unit("--align", text, &options->selection.align_bytes, error);
    case OPTION_SEEK:
        options->has_seek = true;
        return parse_position("--seek", text, &options->seek, error);
    case OPTION_IN_PLACE:
        return parse_in_place(text, options, error);
    case OPTION_SPARSE:
        return parse_sparse(text, options, error);
    case OPTION_REFLINK:
        return parse_reflink(text, options, error);
    case OPTION_DIGEST:
        return parse_digest(text, options, error);
    case 'j':
        return parse_jobs(text, options, error);
    case OPTION_ENGINE:
        return parse_engine(text, options, error);
    case OPTION_STATS:
        return parse_stats(text, options, error);
    case OPTION_REPORT:
        options->report_path = text;
        return 0;
    default:
        return usage_error(error, text, "a value of an option that is not handled");
    }
}

static void print_information(poptContext context, int option, enum zs_action *action,
                              struct zs_error *error)
{
    *action = ZS_ACTION_DONE;
    if (option == OPTION_HELP) {
        poptPrintHelp(context, stdout, 0);
        (void)puts("SIZE, POS: 4096, 64K, 10MB, 8s (sectors), 0x1f. TARGET: or tcp://HOST:PORT,\n"
                   "unix:///PATH. Exit status: 0 all is there, 1 I/O, 2 refused, 3 too short.");
    } else if (option == OPTION_USAGE) {
        poptPrintUsage(context, stdout, 0);
    } else {
        (void)puts("zslice " ZSLICE_VERSION);
    }

    errno = 0;
    bool failed = ferror(stdout) != 0;
    if (fclose(stdout) != 0 || failed)
        (void)zs_error_set(error, errno == EPIPE ? ZS_ERROR_PIPE : ZS_ERROR_TRANSFER,
                           "standard output", "writing", errno ? errno : EIO, NULL);
}

/* Takes one option. 1 if it ends the command line (--help). */
static int take_option(int option, struct parser *parser, struct zs_options *options,
                       enum zs_action *action, struct zs_error *error)
{
    if (option >= SWITCHES) {
        *(bool *)((char *)options + (option - SWITCHES)) = true;
        return 0;
    }
    switch (option) {
    case OPTION_HELP:
    case OPTION_USAGE:
    case OPTION_VERSION:
        if (error->kind != ZS_ERROR_NONE)
            return -1;
        print_information(parser->context, option, action, error);
        return 1;
    default:
        break;
    }

    char *masked = poptGetOptArg(parser->context);
    const char *text = masked ? keep(parser, masked) : NULL;
    free(masked);
    if (!text)
        return zs_error_set(error, ZS_ERROR_TRANSFER, "zslice", "parsing options", ENOMEM, NULL);
    return take_value(option, text, parser, options, error);
}

static bool is_option_letter(char letter)
{
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        for (const struct poptOption *o = groups[i]; o->longName; o++) {
            if (o->shortName == letter)
                return true;
        }
    }
    return false;
}

static int bad_option(struct parser *parser, int code, struct zs_error *error)
{
    if (error->kind != ZS_ERROR_NONE)
        return -1; /* popt reports one word more than once: "-x=5" for its value, then for its "="
                    */

    const char *masked = poptBadOption(parser->context, 0);
    const char *word = keep(parser, masked ? masked : "");

    if (!word)
        word = "zslice";
    if (code != POPT_ERROR_BADOPT)
        return usage_error(error, word,
                           code == POPT_ERROR_NOARG         ? "it needs a value"
                           : code == POPT_ERROR_UNWANTEDARG ? "it takes no value"
                                                            : poptStrerror(code));
    if (word[0] == '-' && word[1] != '-') {
        const char *letter = word + 1;
        while (*letter && is_option_letter(*letter))
            letter++;
        if (*letter && letter > word + 1)
            return zs_error_set(error, ZS_ERROR_USAGE, word, NULL, 0, "unknown option -%c",
                                *letter);
    }
    return usage_error(error, word, "unknown option");
}

/* There is one place where the slice goes. */
static int check_places(const struct zs_options *options, struct zs_error *error)
{
    const struct {
        bool given;
        const char *name;
    } places[] = {
        {options->has_seek, "--seek"},
        {options->keep_offset, "--keep-offset"},
        {options->append, "--append"},
        {options->atomic, "--atomic"},
        {options->in_place != ZS_IN_PLACE_NO, "--in-place"},
        {options->no_clobber, "--no-clobber"},
        {options->resume, "--resume"},
    };
    const char *first = NULL;

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (places[i].given && first)
            return zs_error_set(error, ZS_ERROR_USAGE, places[i].name, NULL, 0,
                                "it cannot be combined with %s", first);
        if (places[i].given)
            first = places[i].name;
    }
    return 0;
}

/* What needs TARGET to be a file that can be opened again, or replaced. */
static int check_named_target(const struct zs_options *options, struct zs_error *error)
{
    const struct {
        bool given;
        const char *name;
    } wanting[] = {
        {options->no_clobber, "--no-clobber"},
        {options->atomic, "--atomic"},
        {options->resume, "--resume"},
        {options->verify, "--verify"},
    };

    for (size_t i = 0; i < sizeof wanting / sizeof *wanting; i++) {
        if (wanting[i].given && strcmp(options->target_path, "-") == 0)
            return usage_error(error, wanting[i].name,
                               "it needs TARGET to be a file given by its path");
    }
    return 0;
}

/* There is no target, and what is there is not copied. */
static int check_in_place(const struct zs_options *options, struct zs_error *error)
{
    const struct {
        bool given;
        const char *name;
    } copying[] = {
        {options->engine_forced, "--engine"},
        {options->reflink != ZS_REFLINK_AUTO, "--reflink"},
        {options->sparse != ZS_SPARSE_AUTO, "--sparse"},
        {options->no_cache, "--no-cache"},
        {options->stable, "--stable"},
        {options->verify, "--verify"},
        {options->digest != ZS_DIGEST_NONE, "--digest"},
        {options->range_count > 1, "several ranges"},
    };

    if (strcmp(options->source_path, "-") == 0)
        return usage_error(error, "--in-place", "it needs SOURCE to be a file given by its path");
    if (strcmp(options->target_path, "-") != 0)
        return usage_error(error, "--in-place", "there is no TARGET: SOURCE becomes the slice");
    for (size_t i = 0; i < sizeof copying / sizeof *copying; i++) {
        if (copying[i].given)
            return zs_error_set(error, ZS_ERROR_USAGE, "--in-place", NULL, 0,
                                "it cannot be combined with %s", copying[i].name);
    }
    return 0;
}

/* Combinations that are wrong whatever the files are. */
static int check_combinations(const struct parser *parser, const struct zs_options *options,
                              struct zs_error *error)
{
    bool wants_shared = options->reflink == ZS_REFLINK_ALWAYS ||
                        (options->engine_forced && options->engine == ZS_ENGINE_REFLINK);

    if (options->slice.has_length && options->slice.has_end)
        return usage_error(error, "--end", "it cannot be combined with --length");
    if (parser->has_slice && options->range_count > 0)
        return usage_error(error, "--range",
                           "it cannot be combined with --offset, --length or --end");
    if (check_places(options, error) < 0)
        return -1;
    if (options->truncate && !options->has_seek && !options->keep_offset)
        return usage_error(error, "--truncate",
                           "it needs --seek or --keep-offset (without them, TARGET is emptied "
                           "first anyway)");
    if (options->truncate && options->selection.shard.number > 0)
        return usage_error(error, "--truncate",
                           "it cannot be combined with --shard: it would cut off other parts");
    if (options->engine_forced && options->reflink == ZS_REFLINK_ALWAYS &&
        options->engine != ZS_ENGINE_REFLINK)
        return usage_error(error, "--reflink=always",
                           "it cannot be combined with another --engine");
    if (options->engine_forced && options->reflink == ZS_REFLINK_NEVER &&
        options->engine == ZS_ENGINE_REFLINK)
        return usage_error(error, "--reflink=never", "it cannot be combined with --engine=reflink");
    if (options->report_path && !options->stats_json && options->digest == ZS_DIGEST_NONE)
        return usage_error(error, "--report",
                           "there is nothing to report without --digest or "
                           "--stats");
    if (options->report_path && options->explain)
        return usage_error(error, "--report", "it cannot be combined with --explain");
    if (options->append && options->verify)
        return usage_error(error, "--verify",
                           "it cannot be combined with --append, as others may append meanwhile");
    if (options->sparse == ZS_SPARSE_NEVER && wants_shared)
        return usage_error(error, "--sparse=never",
                           "it cannot be combined with sharing blocks, which keeps holes");
    if (options->sparse == ZS_SPARSE_ALWAYS && wants_shared)
        return usage_error(error, "--sparse=always",
                           "it cannot be combined with sharing blocks, zeros and all");
    if (options->in_place != ZS_IN_PLACE_NO)
        return check_in_place(options, error);
    return check_named_target(options, error);
}

static int take_positionals(struct parser *parser, struct zs_options *options,
                            struct zs_error *error)
{
    const char *words[3] = {NULL};

    for (size_t i = 0; i < 3 && poptPeekArg(parser->context); i++) {
        words[i] = keep(parser, poptGetArg(parser->context));
        if (!words[i])
            return zs_error_set(error, ZS_ERROR_TRANSFER, "zslice", "parsing options", ENOMEM,
                                NULL);
    }
    if (words[2])
        return usage_error(error, words[2], "unexpected; there is one SOURCE and one TARGET");
    if (words[0])
        options->source_path = words[0];
    if (words[1])
        options->target_path = words[1];
    if (strcmp(options->source_path, "-") != 0)
        options->source_name = options->source_path;
    if (strcmp(options->target_path, "-") != 0)
        options->target_name = options->target_path;
    return 0;
}

void zs_options_init(struct zs_options *options)
{
    *options = (struct zs_options){
        .source_path = "-",
        .target_path = "-",
        .source_name = "standard input",
        .target_name = "standard output",
        .target_flags = O_EXCL,
        .selection = {.record_bytes = 1, .field = {.length_bytes = 1}, .align_bytes = 1},
    };
}

int zs_options_parse(int argc, char **argv, struct zs_options *options, enum zs_action *action,
                     struct zs_error *error)
{
    *action = ZS_ACTION_COPY;
    zs_options_init(options);

    struct parser *parser = create_parser(argc, argv);
    options->parser = parser;
    if (!parser || !parser->context)
        return zs_error_set(error, ZS_ERROR_TRANSFER, "zslice", "parsing options", ENOMEM, NULL);
    poptSetOtherOptionHelp(parser->context, "[OPTION]... [SOURCE [TARGET]]");

    /* To the end of the line even after an error: --stats=json behind it still counts. */
    for (int option; (option = poptGetNextOpt(parser->context)) != -1;) {
        int taken = option < -1 ? bad_option(parser, option, error)
                                : take_option(option, parser, options, action, error);
        if (taken > 0)
            return error->kind == ZS_ERROR_NONE ? 0 : -1;
    }
    if (take_positionals(parser, options, error) < 0 || error->kind != ZS_ERROR_NONE)
        return -1;
    if (check_combinations(parser, options, error) < 0)
        return -1;
    return settle(parser, options, error);
}

const struct zs_slice *zs_options_slices(const struct zs_options *options, size_t *count)
{
    *count = options->range_count > 0 ? options->range_count : 1;
    return options->range_count > 0 ? options->ranges : &options->slice;
}

void zs_options_free(struct zs_options *options)
{
    struct parser *parser = options->parser;

    if (!parser)
        return;
    if (parser->context)
        (void)poptFreeContext(parser->context);
    for (int i = 0; parser->argv && i < parser->argc; i++)
        free(parser->argv[i]);
    for (size_t i = 0; parser->values && i < parser->value_count; i++)
        free(parser->values[i]);
    free(parser->argv);
    free(parser->values);
    free(parser->ranges);
    free(parser);
    options->parser = NULL;
}
