#ifndef ZS_EXPLAIN_H
#define ZS_EXPLAIN_H

#include "facts.h"
#include "plan.h"

#include <stdio.h>

/*
 * What a plan would do, for people: both ends, then each part with its engines and why they are in
 * this order, then what else is done to the target. Lines of "key: words".
 */
void zs_explain(FILE *stream, const struct zs_plan *plan, const struct zs_facts *source,
                const struct zs_facts *target);

#endif
