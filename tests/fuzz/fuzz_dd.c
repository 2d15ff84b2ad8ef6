/*
 * dd's operands against arbitrary ends: the input's first bytes are the facts of source and target,
 * the rest, split at nulls, the operands. Whatever they are, parsing and fitting end; what is
 * accepted gives options that a plan can be made of, or is refused with an object and a reason, and
 * blocks are of sizes that do not run over their memory.
 */

#include "dd.h"

#include "input.h"
#include "plan.h"

#include <string.h>
#include <sys/sysmacros.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_WORDS = 12, MOST_BYTES = 120 };

static uint64_t take_number(struct input *input)
{
    uint8_t first = take(input);
    uint64_t number = 0;

    if (first < 240)
        return first % 64;
    for (int i = 0; i < 8; i++)
        number = number << 8 | take(input);
    return number & INT64_MAX;
}

static struct zs_facts take_facts(struct input *input)
{
    uint8_t flags = take(input);
    struct zs_facts facts = {.kind = (enum zs_kind)(take(input) % (ZS_KIND_OTHER + 1)),
                             .readable = true,
                             .writable = true,
                             .append = flags & 1,
                             .inode = (ino_t)(1 + (flags >> 6)),
                             .special_device = makedev(1, take(input) % 12)};
    bool file = facts.kind == ZS_KIND_REGULAR || facts.kind == ZS_KIND_BLOCK;

    facts.positioned = file;
    facts.sized = facts.kind == ZS_KIND_BLOCK || (file && flags & 2);
    facts.messages = facts.kind == ZS_KIND_SOCKET && flags & 4;
    facts.size_bytes = facts.sized ? take_number(input) : 0;
    facts.position = file && flags & 8 ? take_number(input) : 0;
    return facts;
}

static void check_refusal(const struct zs_error *error)
{
    require(error->kind != ZS_ERROR_NONE && error->object, "a refusal without an object");
    require(error->code != 0 || error->detail[0] != '\0', "a refusal without a reason");
}

static void check_blocks(const struct zs_blocks *blocks)
{
    require(blocks->read_bytes > 0 && blocks->write_bytes > 0, "blocks of nothing");
    require(blocks->last_bytes < blocks->read_bytes && blocks->skip_bytes < blocks->read_bytes,
            "a rest that is a block");
    require(!blocks->unchanged || blocks->read_bytes == blocks->write_bytes,
            "unchanged blocks of another size");
    require(blocks->seek_bytes <= INT64_MAX, "a position that there is not");
}

static void fit(struct zs_dd *dd, struct zs_options *options, struct input *input)
{
    struct zs_facts source = take_facts(input);
    struct zs_facts target = take_facts(input);
    struct zs_error error = {0};
    struct zs_plan plan;

    if (!dd->input)
        source.kind = source.kind == ZS_KIND_NONE ? ZS_KIND_PIPE : source.kind;
    if (!dd->output)
        target.kind = target.kind == ZS_KIND_NONE ? ZS_KIND_PIPE : target.kind;
    if (zs_dd_fit(dd, &source, &target, options, &error) < 0) {
        check_refusal(&error);
        return;
    }
    if (options->blocks)
        check_blocks(options->blocks);
    require(!options->append || !options->has_seek, "two places to go to");
    require(!options->cut_before || options->has_seek, "a cut of nothing");
    if (zs_plan_make(options, &source, &target, &plan, &error) < 0) {
        check_refusal(&error);
        require(error.kind != ZS_ERROR_SHORT, "dd does not mind what is not there");
    } else {
        require(plan.part_count == 1 || !options->blocks, "blocks of several parts");
    }
    zs_plan_free(&plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { FACTS = 40 };
    struct input input = {.bytes = data, .left = size < FACTS ? size : FACTS};
    char text[MOST_BYTES + 1] = "";
    char name[] = "zdd";
    char *words[MOST_WORDS + 2] = {name};
    int count = 1;
    struct zs_dd dd;
    struct zs_options options;
    struct zs_error error = {0};
    enum zs_action action;

    size -= input.left;
    size = size < MOST_BYTES ? size : MOST_BYTES;
    memcpy(text, data + input.left, size);
    for (size_t i = 0; i < size && count <= MOST_WORDS; i += strlen(text + i) + 1) {
        if (text[i] != '\0' && strncmp(text + i, "--", 2) != 0) /* those print */
            words[count++] = text + i;
    }
    if (zs_dd_parse(count, words, &dd, &options, &action, &error) < 0)
        check_refusal(&error);
    else
        fit(&dd, &options, &input);
    zs_dd_free(&dd);
    return 0;
}
