/* A plan in words. */

#include "explain.h"

#include "diag.h"

typedef unsigned long long ull; /* for printf */

static void print_end(FILE *stream, const char *key, const char *name, const struct zs_facts *facts)
{
    (void)fprintf(stream, "%s: ", key);
    zs_diag_print_escaped(stream, name);
    (void)fprintf(stream, ", %s", zs_facts_kind_name(facts->kind));
    if (facts->sized && facts->kind != ZS_KIND_NONE)
        (void)fprintf(stream, " of %llu bytes", (ull)facts->size_bytes);
    if (facts->positioned && facts->position > 0)
        (void)fprintf(stream, ", that stands at %llu", (ull)facts->position);
    (void)fputc('\n', stream);
}

static void print_placement(FILE *stream, const struct zs_plan *plan, const struct zs_facts *target)
{
    const char *done = "";

    switch (plan->placement) {
    case ZS_PLACE_WHOLE:
        done = target->kind == ZS_KIND_NONE ? "the target is created"
                                            : "the target is emptied, then written";
        break;
    case ZS_PLACE_HERE:
        done = "the target is written where it stands";
        break;
    case ZS_PLACE_AT:
        done = plan->resumed_bytes > 0 ? "the target has the beginning, and is gone on with"
                                       : "the target keeps its other bytes";
        break;
    case ZS_PLACE_APPEND:
        done = "the target is added to";
        break;
    }
    if (plan->atomic)
        done = "a new file takes the target's place when it is complete";
    (void)fprintf(stream, "placement: %s%s%s\n", done,
                  plan->must_create ? ", and must not exist" : "",
                  plan->cut_after ? ", and is cut behind the slice" : "");
}

static void print_range(FILE *stream, const struct zs_part *part)
{
    const struct zs_range *range = &part->range;

    if (!range->bounded) {
        (void)fprintf(stream, "bytes from %llu on", (ull)range->start);
    } else if (zs_range_is_contiguous(range)) {
        (void)fprintf(stream, "bytes %llu to %llu (%llu)", (ull)range->start,
                      (ull)zs_range_end(range), (ull)range->length_bytes);
    } else {
        (void)fprintf(stream, "%llu bytes", (ull)range->length_bytes);
    }
    if (!zs_range_is_contiguous(range))
        (void)fprintf(stream, ", %llu of every %llu from %llu on", (ull)range->piece_bytes,
                      (ull)range->stride_bytes, (ull)range->start);
}

static void print_part(FILE *stream, const struct zs_part *part, bool to_file)
{
    (void)fputs("copy: ", stream);
    print_range(stream, part);
    if (to_file)
        (void)fprintf(stream, ", to position %llu", (ull)part->target_position);
    if (part->present_bytes > 0)
        (void)fprintf(stream, ", of which the target has %llu", (ull)part->present_bytes);
    (void)fputs("\n    by ", stream);
    for (size_t i = 0; i < part->engine_count; i++)
        (void)fprintf(stream, "%s%s", i > 0 ? ", else " : "", zs_engine_names[part->engines[i]]);
    if (part->jobs > 1 && part->engine_count > 0 && part->engines[0] == ZS_ENGINE_MAP_WRITE)
        (void)fprintf(stream, ", with %u threads", part->jobs);
    (void)fputs("\n    because ", stream);
    if (part->passed_over != ZS_ENGINE_COUNT)
        (void)fprintf(stream, "of %s: ", zs_engine_names[part->passed_over]);
    (void)fprintf(stream, "%s\n", part->why);
}

static void print_hold(FILE *stream, const struct zs_plan *plan)
{
    if (plan->hold != ZS_HOLD_NOTHING)
        (void)fprintf(stream, "held: the last %llu bytes of the stream, until its end is known\n",
                      (ull)plan->hold_bytes);
    if (plan->hold == ZS_HOLD_TAIL)
        (void)fputs("copy: what that end decides\n", stream);
}

static void print_shared(FILE *stream, const struct zs_plan *plan)
{
    uint64_t shared_bytes = 0;

    for (size_t i = 0; i < plan->part_count; i++)
        shared_bytes += plan->parts[i].shareable ? plan->parts[i].range.length_bytes : 0;
    if (shared_bytes > 0)
        (void)fprintf(stream, "share: %llu bytes, if the file system can\n", (ull)shared_bytes);
}

static void print_holes(FILE *stream, const struct zs_plan *plan)
{
    enum zs_holes_kept holes = ZS_HOLES_FILLED;

    for (size_t i = 0; i < plan->part_count; i++)
        holes = plan->parts[i].holes > holes ? plan->parts[i].holes : holes;
    if (holes == ZS_HOLES_KEPT)
        (void)fputs("holes: those of the source are holes in the target\n", stream);
    if (holes == ZS_HOLES_MADE)
        (void)fputs("holes: zeros become holes, where the file system can make them\n", stream);
}

/* What is done to the source itself. */
static void explain_in_place(FILE *stream, const struct zs_plan *plan,
                             const struct zs_facts *source)
{
    const struct zs_part *part = plan->parts;
    uint64_t end = part->source_position + part->range.length_bytes;

    if (part->source_position > 0 && part->range.length_bytes > 0)
        (void)fprintf(
            stream, "in place: the first %llu bytes are taken out%s\n", (ull)part->source_position,
            plan->options->in_place == ZS_IN_PLACE_AUTO ? ", or overwritten with what follows"
                                                        : "");
    if (end < source->size_bytes)
        (void)fprintf(stream, "in place: the last %llu bytes are cut off\n",
                      (ull)(source->size_bytes - end));
    (void)fprintf(stream, "in place: %llu bytes remain\n", (ull)part->range.length_bytes);
}

void zs_explain(FILE *stream, const struct zs_plan *plan, const struct zs_facts *source,
                const struct zs_facts *target)
{
    const struct zs_options *options = plan->options;

    print_end(stream, "source", options->source_name, source);
    if (options->in_place != ZS_IN_PLACE_NO) {
        explain_in_place(stream, plan, source);
        return;
    }
    print_end(stream, "target", options->target_name, target);
    print_placement(stream, plan, target);
    print_hold(stream, plan);
    for (size_t i = 0; i < plan->part_count; i++)
        print_part(stream, &plan->parts[i], !zs_facts_is_stream(target));
    print_shared(stream, plan);
    print_holes(stream, plan);
    if (options->stable)
        (void)fputs("stable: a pipe or socket gets copies\n", stream);
    if (plan->sync)
        (void)fputs("sync: at the end, to the device\n", stream);
    if (plan->no_cache)
        (void)fputs("cache: given back as the copy goes\n", stream);
    if (options->digest != ZS_DIGEST_NONE)
        (void)fprintf(stream, "digest: %s, %s\n", zs_digest_names[options->digest],
                      plan->digest_fed ? "as the bytes pass through memory"
                                       : "from the mapped source, beside the copy");
    if (plan->verify)
        (void)fputs("verify: the target is read again and compared\n", stream);
}
