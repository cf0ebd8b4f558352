/* mask.h - missing cells: NaN in the rows of a dataset with a mask. In the input they are 0. In the target they do not
** count: neither in the loss, nor in the number of elements that its mean is over. */
#ifndef MOONI_MASK_H
#define MOONI_MASK_H

#include "run.h"

/* Make each NaN 0; count what is not NaN. */
void mooni_mask_fill(mooni_columns m, size_t rows);
size_t mooni_mask_count(mooni_columns m, size_t rows);

/* The loss of the cells whose target is present. The gradient of the others is 0. */
mooni_loss_fn mooni_mask_loss;

/* MOON_ESTATE if the loss cannot leave out cells. */
moon_status mooni_mask_check(const moon_loss *loss);

/* Over ranks: from the cells that this rank has to those of all, as b's part 0. The calling thread's. */
void mooni_mask_sum(mooni_batch *b, double present);

#endif
