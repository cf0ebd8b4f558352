/* meter.h - figures of batches beside the objective: accuracy, other losses, penalties (moon_net_add_measure). */
#ifndef MOONI_METER_H
#define MOONI_METER_H

#include "run.h"

/* Take the memory for the measures of a prepared batch, and check that they can be made of its targets. Nothing if the
** net has none. */
moon_status mooni_meter_plan(mooni_batch *b);

/* Add a batch that has run to the sums of all measures. A step whose objective is not finite does not count. */
void mooni_meter_take(const mooni_batch *b);

#endif
