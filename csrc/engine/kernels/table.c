/* table.c - the kernels of one instruction set. A new loss or optimiser adds its name to its list. */
#include "../net/loss.h"
#include "../net/optim.h"
#include "kernels.h"

#define LOSSES(X) X(mse) X(mae) X(bce) X(cross_entropy) X(huber)
#define OPTIMS(X) X(adam) X(sgd) X(rmsprop) X(adagrad) X(adamw) X(adamax) X(nadam) X(adadelta)

#define DECLARE_LOSS(name) extern const mooni_loss_class MOONI_K(name);
#define DECLARE_OPTIM(name) extern const mooni_optim_class MOONI_K(name);
#define ADDRESS(name) &MOONI_K(name),
LOSSES(DECLARE_LOSS)
OPTIMS(DECLARE_OPTIM)

static const mooni_loss_class *const losses[] = {LOSSES(ADDRESS) NULL};
static const mooni_optim_class *const optims[] = {OPTIMS(ADDRESS) NULL};

const mooni_kernels MOONI_K(kernels) = {
    .isa = MOONI_STRING(MOONI_ISA),
    .activations = MOONI_K(activations),
    .unary = MOONI_K(unary),
    .binary = MOONI_K(binary),
    .losses = losses,
    .optims = optims,
#if defined(MOONI_HAS_PRODUCT)
    .product = MOONI_K(product),
#endif
#if defined(MOONI_HAS_SMALL)
    .small = MOONI_K(small),
#endif
    .sparse_product = MOONI_K(sparse_product),
    .from_bytes = MOONI_K(from_bytes),
    .add = MOONI_K(add),
    .axpy = MOONI_K(axpy),
    .mul = MOONI_K(mul),
    .add_product = MOONI_K(add_product),
    .clip = MOONI_K(clip),
    .sum_abs = MOONI_K(sum_abs),
    .sum_squares = MOONI_K(sum_squares),
    .sum_squared_difference = MOONI_K(sum_squared_difference),
    .column_sums = MOONI_K(column_sums),
    .add_sign = MOONI_K(add_sign),
    .column_deviations = MOONI_K(column_deviations),
    .column_products = MOONI_K(column_products),
    .normalise = MOONI_K(normalise),
    .normalise_back = MOONI_K(normalise_back),
    .normalise_rows = MOONI_K(normalise_rows),
    .normalise_rows_back = MOONI_K(normalise_rows_back),
    .row_products = MOONI_K(row_products),
    .keep_largest = MOONI_K(keep_largest),
    .code_sample = MOONI_K(code_sample),
    .code_divergence = MOONI_K(code_divergence),
    .code_backward = MOONI_K(code_backward),
    .squared_distance = MOONI_K(squared_distance),
    .next_near = MOONI_K(next_near),
    .detect_scale = MOONI_K(detect_scale),
    .detect_errors = MOONI_K(detect_errors),
    .detect_outside = MOONI_K(detect_outside),
    .eigen_reduce = MOONI_K(eigen_reduce),
    .eigen_rotate = MOONI_K(eigen_rotate),
    .eigen_reflect = MOONI_K(eigen_reflect),
    .uniform = MOONI_K(uniform),
    .normal = MOONI_K(normal),
    .noise_gaussian = MOONI_K(noise_gaussian),
    .noise_masking = MOONI_K(noise_masking),
    .noise_salt_pepper = MOONI_K(noise_salt_pepper),
};
