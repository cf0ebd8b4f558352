/* branches.c - the two layers that make a net of branches out of a list of layers: net/branches.c runs them.
**
** The branches of a net begin with the same input, and a join puts their outputs side by side. In the list they stand
** one behind the other: the layers of the first, `branch`, those of the second, `branch`, those of the third, `join`. A
** branch goes back to the common input: it counts the layers between itself and that. */
#include <stddef.h>

#include "layer.h"

typedef struct structure {
  moon_layer base;
  size_t count; /* back, or heads */
} structure;

static const mooni_option_spec branch_options[] = {
    {.name = "back",
     .kind = MOON_COUNT,
     .flags = MOONI_POSITIONAL | MOONI_REQUIRED,
     .offset = offsetof(structure, count),
     .low = 0,
     .high = 1e9,
     .help = "how many layers stand between this one and the input that the branches have in common"},
    {0}};

static const mooni_option_spec join_options[] = {{.name = "heads",
                                                  .kind = MOON_COUNT,
                                                  .flags = MOONI_POSITIONAL | MOONI_REQUIRED,
                                                  .offset = offsetof(structure, count),
                                                  .low = 2,
                                                  .high = 1e9,
                                                  .help = "how many branches it joins"},
                                                 {0}};

size_t mooni_structure_count(const moon_layer *layer) { return ((const structure *)layer)->count; }

/* torch.nn.Sequential has neither. */
const mooni_layer_class mooni_branch = {
    .name = "branch", .size = sizeof(structure), .options = branch_options, .role = MOONI_BRANCH};
const mooni_layer_class mooni_join = {
    .name = "join", .size = sizeof(structure), .options = join_options, .role = MOONI_JOIN};
