/*
 * Command lines: the input's bytes, split at nulls, are the words. Whatever they are, parsing ends,
 * and what it accepts keeps what the other modules rely on; what it refuses names a word and a
 * reason.
 */

#include "options.h"

#include "input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_WORDS = 40 };

/* These print and close standard output, which is needed again. */
static bool prints(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "--usage") == 0 ||
           strcmp(word, "--version") == 0;
}

static void check_slice(const struct zs_options *options, const struct zs_slice *slice)
{
    const struct zs_selection *selection = &options->selection;

    require(!slice->has_length || !slice->has_end, "a length and an end");
    require(!slice->offset_bare && !slice->length_bare && !slice->end_bare && !slice->step_bare,
            "a number that is still to be counted in records");
    require(!slice->has_step || slice->step_bytes >= selection->record_bytes,
            "a step within a record");
    require(!slice->has_step || selection->shard.number == 0, "a shard of steps");
}

static void check_numbers(const struct zs_options *options)
{
    const struct zs_selection *selection = &options->selection;
    size_t count;
    const struct zs_slice *slices = zs_options_slices(options, &count);

    require(count >= 1, "no slice");
    for (size_t i = 0; i < count; i++)
        check_slice(options, &slices[i]);
    require(selection->record_bytes > 0 && selection->align_bytes > 0, "a unit of nothing");
    require(selection->field.start <= selection->record_bytes &&
                selection->field.length_bytes <= selection->record_bytes - selection->field.start,
            "a field that reaches out of its record");
    require(selection->shard.number <= selection->shard.count, "a shard that there is not");
    require(selection->shard.number == 0 || count == 1, "a shard of several ranges");
}

static void check_places(const struct zs_options *options)
{
    bool to_path = strcmp(options->target_path, "-") != 0;
    int places = options->has_seek + options->keep_offset + options->append + options->atomic +
                 (options->in_place != ZS_IN_PLACE_NO) + options->no_clobber + options->resume;

    require(places <= 1, "two places to go to");
    require(!options->truncate || options->has_seek || options->keep_offset, "a cut of nothing");
    require(to_path || !(options->no_clobber || options->atomic || options->resume ||
                         (options->verify && options->in_place == ZS_IN_PLACE_NO)),
            "a path is needed and not given");
    if (options->in_place == ZS_IN_PLACE_NO)
        return;
    require(!to_path && strcmp(options->source_path, "-") != 0, "a target in place");
    require(options->range_count <= 1 && !options->verify && !options->engine_forced &&
                options->digest == ZS_DIGEST_NONE && options->sparse == ZS_SPARSE_AUTO &&
                options->reflink == ZS_REFLINK_AUTO,
            "what a copy has, in place");
}

static void check_how(const struct zs_options *options)
{
    bool shares = options->reflink == ZS_REFLINK_ALWAYS ||
                  (options->engine_forced && options->engine == ZS_ENGINE_REFLINK);

    require(options->engine < ZS_ENGINE_COUNT && options->digest < ZS_DIGEST_COUNT &&
                options->reflink <= ZS_REFLINK_NEVER && options->sparse <= ZS_SPARSE_NEVER &&
                options->in_place <= ZS_IN_PLACE_AUTO,
            "a word that there is not");
    require(!shares || options->sparse == ZS_SPARSE_AUTO, "holes of shared blocks");
    require(!shares || options->reflink != ZS_REFLINK_NEVER, "always and never");
    require(options->source_path && options->target_path && options->source_name &&
                options->target_name,
            "an end without a name");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[512];
    char *words[MOST_WORDS + 2] = {"zslice"}, *kept[MOST_WORDS + 2];
    struct zs_options options;
    enum zs_action action = ZS_ACTION_COPY;
    struct zs_error error = {0};
    int count = 1;

    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    for (size_t at = 0; at < size && count <= MOST_WORDS; at += strlen(text + at) + 1) {
        if (!prints(text + at))
            words[count++] = text + at;
    }
    memcpy(kept, words, sizeof kept);
    char before[sizeof text];
    memcpy(before, text, sizeof text);

    int result = zs_options_parse(count, words, &options, &action, &error);
    require(memcmp(words, kept, sizeof kept) == 0 && memcmp(text, before, size + 1) == 0,
            "the words were changed");
    require(action == ZS_ACTION_COPY, "something was printed");
    require((result == 0) == (error.kind == ZS_ERROR_NONE), "a result and an error that differ");
    if (result == 0) {
        check_numbers(&options);
        check_places(&options);
        check_how(&options);
    } else {
        require(error.kind == ZS_ERROR_USAGE, "a refusal of another kind");
        require(error.object && error.detail[0] != '\0', "a refusal without a word or reason");
    }
    zs_options_free(&options);
    return 0;
}
