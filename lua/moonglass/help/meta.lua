---@meta moonglass

-- Made by `make reference` from the comments beside the code: do not edit. CONTRIBUTING.md says how to document a
-- function. Editors, `help` and the reference read this file; nothing runs it.

---An engine for autoencoders: `local moon = require "moonglass"`.
---@class moonglass
---@field interactive boolean? true: `fit` reports as on a terminal (verbose = 1) unless told otherwise; sessions set it
local moon = {}

-- ---- names ----

---@alias moonglass.LayerName
---| "dense"
---| "activation"
---| "dropout"
---| "gaussian_noise"
---| "masking_noise"
---| "salt_pepper_noise"
---| "k_sparse"
---| "gaussian_code"
---| "batch_norm"
---| "layer_norm"
---@alias moonglass.LossName
---| "mse"
---| "mae"
---| "bce"
---| "cross_entropy"
---| "huber"
---| "mean_squared_error"
---| "mean_absolute_error"
---| "binary_crossentropy"
---| "categorical_crossentropy"
---| "sparse_categorical_crossentropy"
---@alias moonglass.OptimizerName
---| "adam"
---| "sgd"
---| "rmsprop"
---| "adagrad"
---| "adamw"
---| "adamax"
---| "nadam"
---| "adadelta"
---@alias moonglass.ActivationName
---| "linear"
---| "relu"
---| "sigmoid"
---| "tanh"
---| "softplus"
---| "elu"
---| "leaky_relu"
---| "selu"
---| "gelu"
---| "silu"
---| "softmax"
---@alias moonglass.InitName
---| "glorot_uniform"
---| "glorot_normal"
---| "he_uniform"
---| "he_normal"
---| "lecun_normal"
---| "uniform"
---| "normal"
---| "zeros"
---| "ones"
---@alias moonglass.Code "I/O"|"format"|"range"|"type"
---@alias moonglass.LayerState table<string, moonglass.Tensor|number|string|boolean>
---@alias moonglass.AnyLayer moonglass.Layer|moonglass.LuaLayer|moonglass.Net
---A loss as one function. It returns the value and its gradient on the prediction, of the prediction's shape.
---@alias moonglass.LossFunction fun(prediction: moonglass.Tensor, target: moonglass.Tensor): number, moonglass.Tensor
---@alias moonglass.AnyLoss moonglass.Loss|moonglass.LuaLoss|moonglass.LossFunction
---@alias moonglass.Reduction "mean"|"batchmean"|"sum"
---@alias moonglass.AnyOptimizer moonglass.Optimizer|moonglass.LuaOptimizer
---@alias moonglass.Family "layers"|"losses"|"optimizers"|"activations"|"inits"
---@alias moonglass.Dtype "float32"|"uint8"
---@alias moonglass.Split "train"|"test"
---@alias moonglass.Rows moonglass.Tensor|moonglass.Source
---@alias moonglass.Figure "val_loss"|"loss"|string
---@alias moonglass.MonitorMode "auto"|"min"|"max"
---@alias moonglass.MetricFunction fun(net: moonglass.Net, x: moonglass.Rows, y: moonglass.Rows): number
---@alias moonglass.Metrics table<integer|string, string|moonglass.Loss|moonglass.LuaLoss|moonglass.MetricFunction>
---@alias moonglass.Numbers number[]|moonglass.Tensor

-- ---- Tensor ----

---A view of numbers in up to 4 dimensions, row-major: float32, or uint8 for stored images and labels. Bytes count by
---value in arithmetic, and as value/255 in nets. Operators are element-wise. The other operand is a number, a tensor of
---the same shape, a tensor of one element, or a row [c] or [1 x c] or a column [r x 1] against a matrix [r x c]; a
---column and a row [1 x c] make a matrix. `#t` is the first size. `t[i]` is a view of row
---i; in one dimension it is a number. `t[i] = v` fills the row with a number or copies a tensor into it. `t == u` is
---`t:equal(u)`. `tostring(t)` is at most a page of text, whatever the size.
---@class moonglass.Tensor
---@field shape integer[] the sizes, as a new list
---@field dtype moonglass.Dtype the type of the elements
---@field [integer] moonglass.Tensor|number
---@operator add(moonglass.Tensor|number): moonglass.Tensor
---@operator sub(moonglass.Tensor|number): moonglass.Tensor
---@operator mul(moonglass.Tensor|number): moonglass.Tensor
---@operator div(moonglass.Tensor|number): moonglass.Tensor
---@operator pow(number): moonglass.Tensor
---@operator unm: moonglass.Tensor
---@operator len: integer
local Tensor = {}

---Options of the functions that make tensors.
---@class moonglass.TensorOptions
---@field dtype moonglass.Dtype? default "float32": the type of the elements

---A tensor of the given numbers, or a copy of a tensor.
---@param list number|table|moonglass.Tensor a number (rank 0), nested lists of numbers, or a tensor
---@param options moonglass.TensorOptions? a copy keeps the element type unless dtype is given
---@return moonglass.Tensor tensor of the lists' shape
function moon.tensor(list, options) end

---Zeros: `moon.zeros(2, 3)`, `moon.zeros(t.shape)`, `moon.zeros(2, 3, {dtype = "uint8"})`.
---@param ... integer|integer[]|moonglass.TensorOptions 1 to 4 sizes of at least 0, or a list of them; then options
---@return moonglass.Tensor tensor
function moon.zeros(...) end

---Ones. Sizes and options are those of `moon.zeros`.
---@param ... integer|integer[]|moonglass.TensorOptions sizes, then options
---@return moonglass.Tensor tensor
function moon.ones(...) end

---The same number everywhere. Sizes and options are those of `moon.zeros`.
---@param value number rounded and clamped to 0 to 255 for bytes
---@param ... integer|integer[]|moonglass.TensorOptions sizes, then options
---@return moonglass.Tensor tensor
function moon.full(value, ...) end

---Evenly spaced numbers from a up to, but not including, b. `moon.arange(b)` starts at 0. Element i, counted from 0, is
---a + i * step, computed in double and rounded to float32. An element that rounds to b is left out, so 1 to 1.3 by 0.1
---has 3 elements (4 in numpy). `moon.linspace` takes the number of elements instead. float32 holds every whole number
---up to 2^24.
---@param a number the first element
---@param b number the end, which is not included
---@param step number? default 1: not 0
---@param options moonglass.TensorOptions?
---@return moonglass.Tensor tensor [n], empty if the step leads away from b
---@overload fun(b: number): moonglass.Tensor
function moon.arange(a, b, step, options) end

---n evenly spaced numbers from a to b, both included.
---@param a number the first element
---@param b number the last element
---@param n integer at least 0
---@param options moonglass.TensorOptions?
---@return moonglass.Tensor tensor [n]
function moon.linspace(a, b, n, options) end

---The identity matrix.
---@param n integer the number of rows and of columns
---@param options moonglass.TensorOptions?
---@return moonglass.Tensor tensor [n x n]
function moon.eye(n, options) end

---Uniform draws from [0, 1), from the stream that `moon.seed` restarts.
---@param ... integer|integer[] sizes, as for `moon.zeros`
---@return moonglass.Tensor tensor
function moon.rand(...) end

---Normal draws of mean 0 and deviation 1, from the stream that `moon.seed` restarts.
---@param ... integer|integer[] sizes, as for `moon.zeros`
---@return moonglass.Tensor tensor
function moon.randn(...) end

---The numbers 1 to n in random order, from the stream that `moon.seed` restarts.
---@param n integer 0 to 2^24
---@return moonglass.Tensor tensor [n]
function moon.randperm(n) end

---Tensors joined along a dimension. Their other sizes and their element types must be equal.
---@param list moonglass.Tensor[] at least one, none of rank 0
---@param dim integer? default 1
---@return moonglass.Tensor tensor
function moon.cat(list, dim) end

---Eigenvalues and eigenvectors of a symmetric matrix, computed in double. Only the triangle on and below the diagonal
---is read.
---@param t moonglass.Tensor [n x n], finite, n at most 32766
---@return moonglass.Tensor values [n], ascending
---@return moonglass.Tensor vectors [n x n], one eigenvector per row, each of length 1
function moon.eigh(t) end

---Columns of a matrix, as a copy: those from i to j, both included, or those of a list, `t:columns{3, 1}`. Bytes stay
---bytes. (Rows lie together in memory, so `rows` gives a view; columns do not.)
---@param i integer|integer[]|moonglass.Tensor the first column; or column numbers from 1, in any order
---@param j integer? default i: the last column; columns(i, i - 1) has none
---@return moonglass.Tensor tensor [rows x count]
function Tensor:columns(i, j) end

---The tensor cut into pieces along a dimension, as copies: the reverse of `moon.cat`. Bytes stay bytes.
---@param dim integer 1 to the rank
---@param sizes integer[]|integer the size of each piece, all of dim together; or one size for all but the last
---@return moonglass.Tensor[] pieces
function Tensor:split(dim, sizes) end

---One element, by one index for each dimension.
---@param ... integer each from 1 to that dimension's size
---@return number value
function Tensor:get(...) end

---Set one element.
---@param value number rounded and clamped to 0 to 255 for bytes
---@param ... integer one index for each dimension
---@return moonglass.Tensor self
function Tensor:set(value, ...) end

---The number of elements.
---@return integer n
function Tensor:numel() end

---The number of dimensions, 0 to 4.
---@return integer rank
function Tensor:rank() end

---The size of one dimension.
---@param dim integer 1 to the rank
---@return integer size
function Tensor:size(dim) end

---The same elements in another shape, as a view.
---@param ... integer|integer[] sizes, or a list of them, for the same number of elements; one may be -1, to be computed
---@return moonglass.Tensor view
function Tensor:reshape(...) end

---Rows i to j, both included, as a view: it shares the elements.
---@param i integer the first row; rows(i, i - 1) is an empty view
---@param j integer? default i: the last row
---@return moonglass.Tensor view
function Tensor:rows(i, j) end

---A copy of the rows with these numbers.
---@param rows integer[]|moonglass.Tensor row numbers from 1, a list or a tensor [k]; in any order, repeats allowed
---@return moonglass.Tensor tensor k rows
function Tensor:index(rows) end

---A copy, which shares no elements.
---@return moonglass.Tensor tensor
function Tensor:clone() end

---A float32 copy by value: bytes become 0 to 255, not fractions.
---@return moonglass.Tensor tensor
function Tensor:float() end

---A uint8 copy by value: rounded and clamped to 0 to 255.
---@return moonglass.Tensor tensor
function Tensor:byte() end

---Set all elements to one number, in place.
---@param value number
---@return moonglass.Tensor self
function Tensor:fill_(value) end

---Set all elements to 0, in place.
---@return moonglass.Tensor self
function Tensor:zero_() end

---Copy another tensor's elements into this one, by value: the element types may differ.
---@param source moonglass.Tensor of the same shape
---@return moonglass.Tensor self
function Tensor:copy_(source) end

---The elements as nested lists, one level per dimension; a number for rank 0.
---@return number|table list
function Tensor:totable() end

---A float32 tensor of a function's results, one for each element in order.
---@param f fun(value: number): number
---@return moonglass.Tensor tensor of the same shape
function Tensor:map(f) end

---The windows of n rows over a series, as a source: row k of it has the n * d elements from row (k - 1) * step + 1 on.
---They are gathered when they are needed, never copied as a whole. fit, evaluate, predict and others take them as rows.
---@param n integer rows of the series in a window
---@param step integer? default 1: rows from one window to the next
---@return moonglass.Source source of float32 rows [n * d]; bytes become value/255
function Tensor:windows(n, step) end

---a where an element of this tensor is not 0, else b, element by element: `t:gt(0):where(t, 0)`. Shapes as for `add`.
---@param a moonglass.Tensor|number
---@param b moonglass.Tensor|number
---@return moonglass.Tensor tensor float32
function Tensor:where(a, b) end

---Have both tensors the same shape and the same values? The operator == is the same. Bytes count by value.
---@param other any
---@return boolean same false if other is not a tensor
function Tensor:equal(other) end

---Is every |t - u| <= atol + rtol |u|? This is numpy's allclose. NaN is close to nothing.
---@param other moonglass.Tensor of the same shape
---@param rtol number? default 1e-5
---@param atol number? default 1e-8
---@return boolean close
function Tensor:allclose(other, rtol, atol) end

---The k largest elements along a dimension, the largest first, and their indices.
---@param k integer 1 to the dimension's size
---@param dim integer? default the last dimension
---@param largest boolean? default true; false: the k smallest, the smallest first
---@return moonglass.Tensor values of t's shape, but k along dim
---@return moonglass.Tensor index of the same shape, from 1
function Tensor:topk(k, dim, largest) end

---The matrix product [m x k] by [k x n]. A vector counts as a row on the left and as a column on the right.
---@param other moonglass.Tensor [k x n] or [k]
---@return moonglass.Tensor|number product [m x n], without the dimension of a vector; a number for two vectors
function Tensor:matmul(other) end

---The transpose of a matrix, as a copy.
---@return moonglass.Tensor tensor [columns x rows]
function Tensor:t() end

---The element-wise sum: t + alpha u.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row or a column of a matrix
---@param alpha number? default 1: the factor of other
---@return moonglass.Tensor tensor float32
function Tensor:add(other, alpha) end

---`add` in place. A uint8 tensor raises.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row or a column of a matrix
---@param alpha number? default 1: the factor of other
---@return moonglass.Tensor self
function Tensor:add_(other, alpha) end

---The element-wise difference: t - alpha u.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row or a column of a matrix
---@param alpha number? default 1: the factor of other
---@return moonglass.Tensor tensor float32
function Tensor:sub(other, alpha) end

---`sub` in place. A uint8 tensor raises.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row or a column of a matrix
---@param alpha number? default 1: the factor of other
---@return moonglass.Tensor self
function Tensor:sub_(other, alpha) end

---The element-wise product: t * u.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row or a column of a matrix
---@return moonglass.Tensor tensor float32
function Tensor:mul(other) end

---`mul` in place. A uint8 tensor raises.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row or a column of a matrix
---@return moonglass.Tensor self
function Tensor:mul_(other) end

---The element-wise quotient: t / u.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row or a column of a matrix
---@return moonglass.Tensor tensor float32
function Tensor:div(other) end

---`div` in place. A uint8 tensor raises.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row or a column of a matrix
---@return moonglass.Tensor self
function Tensor:div_(other) end

---The larger of both elements, element-wise.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row or a column of a matrix
---@return moonglass.Tensor tensor float32
function Tensor:maximum(other) end

---`maximum` in place. A uint8 tensor raises.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row or a column of a matrix
---@return moonglass.Tensor self
function Tensor:maximum_(other) end

---The smaller of both elements, element-wise.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row or a column of a matrix
---@return moonglass.Tensor tensor float32
function Tensor:minimum(other) end

---`minimum` in place. A uint8 tensor raises.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row or a column of a matrix
---@return moonglass.Tensor self
function Tensor:minimum_(other) end

---The tensor, but other where an element is NaN: `t:fill_nan(0)`, or `t:fill_nan(t:nanmean(1))`, the means of columns.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row or a column of a matrix
---@return moonglass.Tensor tensor float32
function Tensor:fill_nan(other) end

---`fill_nan` in place. A uint8 tensor raises.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row or a column of a matrix
---@return moonglass.Tensor self
function Tensor:fill_nan_(other) end

---1 where an element is equal to the other's, else 0.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row or a column of a matrix
---@return moonglass.Tensor tensor float32
function Tensor:eq(other) end

---1 where an element is not equal to the other's, else 0.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row or a column of a matrix
---@return moonglass.Tensor tensor float32
function Tensor:ne(other) end

---1 where an element is less than the other's, else 0.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row or a column of a matrix
---@return moonglass.Tensor tensor float32
function Tensor:lt(other) end

---1 where an element is at most the other's, else 0.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row or a column of a matrix
---@return moonglass.Tensor tensor float32
function Tensor:le(other) end

---1 where an element is greater than the other's, else 0.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row or a column of a matrix
---@return moonglass.Tensor tensor float32
function Tensor:gt(other) end

---1 where an element is at least the other's, else 0.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row or a column of a matrix
---@return moonglass.Tensor tensor float32
function Tensor:ge(other) end

---The negative: -t.
---@return moonglass.Tensor tensor float32
function Tensor:neg() end

---`neg` in place. A uint8 tensor raises.
---@return moonglass.Tensor self
function Tensor:neg_() end

---e to the power of each element.
---@return moonglass.Tensor tensor float32
function Tensor:exp() end

---`exp` in place. A uint8 tensor raises.
---@return moonglass.Tensor self
function Tensor:exp_() end

---The natural logarithm; -infinity at 0, NaN below.
---@return moonglass.Tensor tensor float32
function Tensor:log() end

---`log` in place. A uint8 tensor raises.
---@return moonglass.Tensor self
function Tensor:log_() end

---The square root; NaN below 0.
---@return moonglass.Tensor tensor float32
function Tensor:sqrt() end

---`sqrt` in place. A uint8 tensor raises.
---@return moonglass.Tensor self
function Tensor:sqrt_() end

---The absolute value.
---@return moonglass.Tensor tensor float32
function Tensor:abs() end

---`abs` in place. A uint8 tensor raises.
---@return moonglass.Tensor self
function Tensor:abs_() end

---The sign: -1, 0 or 1.
---@return moonglass.Tensor tensor float32
function Tensor:sign() end

---`sign` in place. A uint8 tensor raises.
---@return moonglass.Tensor self
function Tensor:sign_() end

---The square.
---@return moonglass.Tensor tensor float32
function Tensor:square() end

---`square` in place. A uint8 tensor raises.
---@return moonglass.Tensor self
function Tensor:square_() end

---Rounded down to a whole number.
---@return moonglass.Tensor tensor float32
function Tensor:floor() end

---`floor` in place. A uint8 tensor raises.
---@return moonglass.Tensor self
function Tensor:floor_() end

---1 where an element is NaN, else 0.
---@return moonglass.Tensor tensor float32
function Tensor:isnan() end

---Each element clamped to two bounds.
---@param low number? nil: no lower bound
---@param high number? nil: no upper bound; at least low
---@return moonglass.Tensor tensor float32
function Tensor:clamp(low, high) end

---`clamp` in place. A uint8 tensor raises.
---@param low number? nil: no lower bound
---@param high number? nil: no upper bound; at least low
---@return moonglass.Tensor self
function Tensor:clamp_(low, high) end

---Each element to the power of a number: t ^ p.
---@param exponent number
---@return moonglass.Tensor tensor float32
function Tensor:pow(exponent) end

---`pow` in place. A uint8 tensor raises.
---@param exponent number
---@return moonglass.Tensor self
function Tensor:pow_(exponent) end

---The sum, added in double precision and correct to the last place of float32. So are mean, var, std and norm.
---@param dim integer? the dimension to reduce; nil: all elements
---@return number|moonglass.Tensor result a number; with dim, a tensor without that dimension if it has others
function Tensor:sum(dim) end

---The mean.
---@param dim integer? the dimension to reduce; nil: all elements
---@return number|moonglass.Tensor result a number; with dim, a tensor without that dimension if it has others
function Tensor:mean(dim) end

---The smallest element.
---@param dim integer? the dimension to reduce; nil: all elements
---@return number|moonglass.Tensor result a number; with dim, a tensor without that dimension if it has others
function Tensor:min(dim) end

---The largest element.
---@param dim integer? the dimension to reduce; nil: all elements
---@return number|moonglass.Tensor result a number; with dim, a tensor without that dimension if it has others
function Tensor:max(dim) end

---The variance, over n, not n - 1. The mean is subtracted before squaring, in double, so that values far from zero lose
---no digits and squares do not overflow.
---@param dim integer? the dimension to reduce; nil: all elements
---@return number|moonglass.Tensor result a number; with dim, a tensor without that dimension if it has others
function Tensor:var(dim) end

---The standard deviation, over n, as exact as `var`.
---@param dim integer? the dimension to reduce; nil: all elements
---@return number|moonglass.Tensor result a number; with dim, a tensor without that dimension if it has others
function Tensor:std(dim) end

---The Euclidean norm. The squares are summed in double, so that none overflows.
---@param dim integer? the dimension to reduce; nil: all elements
---@return number|moonglass.Tensor result a number; with dim, a tensor without that dimension if it has others
function Tensor:norm(dim) end

---The mean of the elements that are not NaN; NaN if there are none. So are nanstd, nanmin and nanmax.
---@param dim integer? the dimension to reduce; nil: all elements
---@return number|moonglass.Tensor result a number; with dim, a tensor without that dimension if it has others
function Tensor:nanmean(dim) end

---The standard deviation of the elements that are not NaN, over their number.
---@param dim integer? the dimension to reduce; nil: all elements
---@return number|moonglass.Tensor result a number; with dim, a tensor without that dimension if it has others
function Tensor:nanstd(dim) end

---The smallest element that is not NaN.
---@param dim integer? the dimension to reduce; nil: all elements
---@return number|moonglass.Tensor result a number; with dim, a tensor without that dimension if it has others
function Tensor:nanmin(dim) end

---The largest element that is not NaN.
---@param dim integer? the dimension to reduce; nil: all elements
---@return number|moonglass.Tensor result a number; with dim, a tensor without that dimension if it has others
function Tensor:nanmax(dim) end

---The index of the largest element, from 1. Of equal elements the first counts.
---@param dim integer? the dimension to reduce, of at most 2^24 elements; nil: all elements, in row-major order
---@return integer|moonglass.Tensor result a number; with dim, a tensor without that dimension if it has others
function Tensor:argmax(dim) end

---The activation linear: a copy.
---@return moonglass.Tensor tensor float32
function Tensor:linear() end

---`linear` in place. A uint8 tensor raises.
---@return moonglass.Tensor self
function Tensor:linear_() end

---The activation relu: max(t, 0).
---@return moonglass.Tensor tensor float32
function Tensor:relu() end

---`relu` in place. A uint8 tensor raises.
---@return moonglass.Tensor self
function Tensor:relu_() end

---The activation sigmoid: 1 / (1 + exp(-t)).
---@return moonglass.Tensor tensor float32
function Tensor:sigmoid() end

---`sigmoid` in place. A uint8 tensor raises.
---@return moonglass.Tensor self
function Tensor:sigmoid_() end

---The activation tanh: the hyperbolic tangent.
---@return moonglass.Tensor tensor float32
function Tensor:tanh() end

---`tanh` in place. A uint8 tensor raises.
---@return moonglass.Tensor self
function Tensor:tanh_() end

---The activation softplus: log(1 + exp(t)).
---@return moonglass.Tensor tensor float32
function Tensor:softplus() end

---`softplus` in place. A uint8 tensor raises.
---@return moonglass.Tensor self
function Tensor:softplus_() end

---The activation elu: t above 0, exp(t) - 1 below. Layers take another `alpha` as the factor.
---@return moonglass.Tensor tensor float32
function Tensor:elu() end

---`elu` in place. A uint8 tensor raises.
---@return moonglass.Tensor self
function Tensor:elu_() end

---The activation leaky_relu: t above 0, 0.2 t below, Keras's slope. Layers take another `negative_slope`.
---@return moonglass.Tensor tensor float32
function Tensor:leaky_relu() end

---`leaky_relu` in place. A uint8 tensor raises.
---@return moonglass.Tensor self
function Tensor:leaky_relu_() end

---The activation selu (Klambauer et al. 2017): 1.0507 times t above 0, 1.0507 times 1.6733 (exp(t) - 1) below.
---@return moonglass.Tensor tensor float32
function Tensor:selu() end

---`selu` in place. A uint8 tensor raises.
---@return moonglass.Tensor self
function Tensor:selu_() end

---The activation gelu: t times the normal distribution function of t, the exact form.
---@return moonglass.Tensor tensor float32
function Tensor:gelu() end

---`gelu` in place. A uint8 tensor raises.
---@return moonglass.Tensor self
function Tensor:gelu_() end

---The activation silu, or swish: t sigmoid(t).
---@return moonglass.Tensor tensor float32
function Tensor:silu() end

---`silu` in place. A uint8 tensor raises.
---@return moonglass.Tensor self
function Tensor:silu_() end

---The activation softmax: exp(t) over its sum, along the last dimension.
---@return moonglass.Tensor tensor float32
function Tensor:softmax() end

---`softmax` in place. A uint8 tensor raises.
---@return moonglass.Tensor self
function Tensor:softmax_() end

-- ---- Layer ----

---A layer of a net, with its parameters and what its last `forward` left for `backward`. Its options can be read as
---fields, and some can be set: the next step has them. Assigning a tensor to `weight`, `bias` or a buffer copies the
---elements. Two handles on one layer are equal. A layer whose `trainable` is false is frozen: steps leave its
---parameters as they are. The layer that owns a tied weight decides about it. A layer without parameters has nothing to
---train: there `trainable` is false and stays so.
---@class moonglass.Layer
---@field trainable boolean may be set
local Layer = {}

---A layer by the name of its kind: `moon.layer("dense", 784, 32, {activation = "relu"})`.
---@param kind moonglass.LayerName
---@param ... any the arguments of that constructor
---@return moonglass.Layer layer
function moon.layer(kind, ...) end

---An activation as a separate layer, for rows of any width.
---@class moonglass.Activation: moonglass.Layer, moonglass.ActivationOptions

---Options of `moon.activation`.
---@class moonglass.ActivationOptions
---@field activation moonglass.ActivationName? required: such as relu; applied to each element, softmax to each row
---@field negative_slope number? default 0.2, at least 0: of the activation leaky_relu: the slope below 0
---@field alpha number? default 1, at least 0: of the activation elu: below 0 it approaches minus this number

---An activation as a separate layer, for rows of any width.
---@param activation moonglass.ActivationName such as relu; applied to each element, softmax to each row
---@param options moonglass.ActivationOptions?
---@return moonglass.Activation layer
---@overload fun(options: moonglass.ActivationOptions): moonglass.Activation
function moon.activation(activation, options) end

---Batch normalisation, for rows of width n: each column gets mean 0 and variance 1 over the rows of the batch.
---@class moonglass.BatchNorm: moonglass.Layer, moonglass.BatchNormOptions
---@field weight moonglass.Tensor [n], live: gamma, which starts at 1
---@field bias moonglass.Tensor [n], live: beta, which starts at 0
---@field weight_grad moonglass.Tensor [n], live: the gradient of the last backward
---@field bias_grad moonglass.Tensor [n], live
---@field running_mean moonglass.Tensor [n], live
---@field running_var moonglass.Tensor [n], live
---@field num_batches_tracked moonglass.Tensor [], live: how many batches have changed the running statistics

---Options of `moon.batch_norm`.
---@class moonglass.BatchNormOptions
---@field n integer? required, at least 1: width of the rows
---@field momentum number? default 0.99, 0 to 1: what the running statistics keep of themselves in each step; they take 1 - momentum of the batch's
---@field eps number? default 0.001, above 0: added to the variance
---@field trainable boolean? default true: false: the layer is frozen: steps compute no gradient of its parameters and leave them as they are

---Batch normalisation, for rows of width n: each column gets mean 0 and variance 1 over the rows of the batch. Then it
---is scaled by `weight` and shifted by `bias`. Inference, and a frozen layer, take `running_mean` and `running_var`
---instead, which training updates as Keras does. PyTorch's momentum is 1 minus this one.
---@param n integer at least 1: width of the rows
---@param options moonglass.BatchNormOptions?
---@return moonglass.BatchNorm layer
---@overload fun(options: moonglass.BatchNormOptions): moonglass.BatchNorm
function moon.batch_norm(n, options) end

---A dense layer: y = activation(x W + b).
---@class moonglass.Dense: moonglass.Layer, moonglass.DenseOptions
---@field weight moonglass.Tensor [in x out], live
---@field bias moonglass.Tensor|boolean [out], live; false without a bias
---@field weight_grad moonglass.Tensor [in x out], live: the gradient of the last backward
---@field bias_grad moonglass.Tensor [out], live

---Options of `moon.dense`.
---@class moonglass.DenseOptions
---@field in integer? required, at least 1: width of the input
---@field out integer? required, at least 1: width of the output, the number of units
---@field activation moonglass.ActivationName? default "linear": the function applied to each output; softmax: to each row
---@field bias boolean? default true: add a bias
---@field init moonglass.InitName? default "glorot_uniform": initialiser of the weight
---@field name string? name of the layer in summaries
---@field activity_l1 number? default 0, at least 0: factor of a penalty: the sum of the absolute outputs
---@field activity_reduction "batchmean"|"sum"? default "batchmean": of the activity_l1 penalty: batchmean divides it by the rows of the batch, sum does not
---@field kl_weight number? default 0, at least 0: factor of a penalty that draws the mean of each output over the batch to kl_target; for outputs in [0, 1]
---@field kl_target number? default 0.05, above 0 and below 1: the mean output that the kl_weight penalty draws to
---@field contractive number? default 0, at least 0: factor of a penalty: the squared derivatives of the outputs by the inputs, mean over the rows
---@field weight_l1 number? default 0, at least 0: factor of a penalty: the sum of the absolute weights, as Keras's L1, with slope 0 at 0. It may change a weight's sign; the TensorFlow playground sets such a weight to 0 for good
---@field weight_l2 number? default 0, at least 0: factor of a penalty: the sum of the squared weights
---@field tied moonglass.Layer? a dense layer out -> in, whose weight is used transposed
---@field trainable boolean? default true: false: the layer is frozen: steps compute no gradient of its parameters and leave them as they are
---@field bias_init moonglass.InitName? default "zeros": initialiser of the bias
---@field negative_slope number? default 0.2, at least 0: of the activation leaky_relu: the slope below 0
---@field alpha number? default 1, at least 0: of the activation elu: below 0 it approaches minus this number

---A dense layer: y = activation(x W + b). W [in x out] is drawn from the stream that `moon.seed` restarts.
---@param n_in integer at least 1: width of the input
---@param n_out integer at least 1: width of the output, the number of units
---@param options moonglass.DenseOptions?
---@return moonglass.Dense layer
---@overload fun(options: moonglass.DenseOptions): moonglass.Dense
function moon.dense(n_in, n_out, options) end

---The code of a variational autoencoder (Kingma and Welling 2014).
---@class moonglass.GaussianCode: moonglass.Layer, moonglass.GaussianCodeOptions

---Options of `moon.gaussian_code`.
---@class moonglass.GaussianCodeOptions
---@field k integer? required, at least 1: elements of the code; the layer takes rows of 2k
---@field beta number? default 1, at least 0: weight of the penalty on the divergence from the standard normal distribution

---The code of a variational autoencoder (Kingma and Welling 2014). Each row has k means and behind them k logarithms of
---variances: [rows x 2k] becomes [rows x k]. In training the code is drawn from these normal distributions; in
---inference it is the means. The penalty is beta times the divergence from the standard normal distribution, summed
---over the code and averaged over the rows: it belongs to a loss that is summed over a row, reduction "batchmean".
---@param k integer at least 1: elements of the code; the layer takes rows of 2k
---@param options moonglass.GaussianCodeOptions?
---@return moonglass.GaussianCode layer
---@overload fun(options: moonglass.GaussianCodeOptions): moonglass.GaussianCode
function moon.gaussian_code(k, options) end

---The k largest elements of a row pass, and the others become 0 (Makhzani and Frey 2013).
---@class moonglass.KSparse: moonglass.Layer, moonglass.KSparseOptions

---Options of `moon.k_sparse`.
---@class moonglass.KSparseOptions
---@field k integer? required, at least 1: how many elements of a row pass, the largest; the others become 0
---@field alpha number? default 1, at least 1: in inference alpha times k elements pass, rounded, at most all

---The k largest elements of a row pass, and the others become 0 (Makhzani and Frey 2013). Of equal elements the first
---pass. Rows have at least k elements.
---@param k integer at least 1: how many elements of a row pass, the largest; the others become 0
---@param options moonglass.KSparseOptions?
---@return moonglass.KSparse layer
---@overload fun(options: moonglass.KSparseOptions): moonglass.KSparse
function moon.k_sparse(k, options) end

---Layer normalisation, for rows of width n: each row gets mean 0 and variance 1.
---@class moonglass.LayerNorm: moonglass.Layer, moonglass.LayerNormOptions
---@field weight moonglass.Tensor [n], live: gamma, which starts at 1
---@field bias moonglass.Tensor [n], live: beta, which starts at 0
---@field weight_grad moonglass.Tensor [n], live: the gradient of the last backward
---@field bias_grad moonglass.Tensor [n], live

---Options of `moon.layer_norm`.
---@class moonglass.LayerNormOptions
---@field n integer? required, at least 1: width of the rows
---@field eps number? default 0.001, above 0: added to the variance
---@field trainable boolean? default true: false: the layer is frozen: steps compute no gradient of its parameters and leave them as they are

---Layer normalisation, for rows of width n: each row gets mean 0 and variance 1. Then each column is scaled by `weight`
---and shifted by `bias`. Training and inference are the same. PyTorch's eps is 1e-5.
---@param n integer at least 1: width of the rows
---@param options moonglass.LayerNormOptions?
---@return moonglass.LayerNorm layer
---@overload fun(options: moonglass.LayerNormOptions): moonglass.LayerNorm
function moon.layer_norm(n, options) end

---Dropout: in training each element becomes 0 with probability p, and the others are divided by 1 - p.
---@class moonglass.Dropout: moonglass.Layer, moonglass.DropoutOptions

---Options of `moon.dropout`.
---@class moonglass.DropoutOptions
---@field p number? required, at least 0 and below 1: probability that an element becomes 0; the others are divided by 1 - p

---Dropout: in training each element becomes 0 with probability p, and the others are divided by 1 - p. In inference
---nothing changes.
---@param p number at least 0 and below 1: probability that an element becomes 0; the others are divided by 1 - p
---@return moonglass.Dropout layer
---@overload fun(options: moonglass.DropoutOptions): moonglass.Dropout
function moon.dropout(p) end

---Gaussian noise: in training, normal noise of mean 0 is added to each element.
---@class moonglass.GaussianNoise: moonglass.Layer, moonglass.GaussianNoiseOptions

---Options of `moon.gaussian_noise`.
---@class moonglass.GaussianNoiseOptions
---@field sigma number? required, at least 0: standard deviation of the noise
---@field clip number[]? {low, high}: the result is clipped to this interval

---Gaussian noise: in training, normal noise of mean 0 is added to each element. In inference nothing changes.
---@param sigma number at least 0: standard deviation of the noise
---@param options moonglass.GaussianNoiseOptions?
---@return moonglass.GaussianNoise layer
---@overload fun(options: moonglass.GaussianNoiseOptions): moonglass.GaussianNoise
function moon.gaussian_noise(sigma, options) end

---Masking noise: in training each element becomes 0 with probability p, and the others stay as they are.
---@class moonglass.MaskingNoise: moonglass.Layer, moonglass.MaskingNoiseOptions

---Options of `moon.masking_noise`.
---@class moonglass.MaskingNoiseOptions
---@field p number? required, 0 to 1: probability that an element becomes 0

---Masking noise: in training each element becomes 0 with probability p, and the others stay as they are. In inference
---nothing changes.
---@param p number 0 to 1: probability that an element becomes 0
---@return moonglass.MaskingNoise layer
---@overload fun(options: moonglass.MaskingNoiseOptions): moonglass.MaskingNoise
function moon.masking_noise(p) end

---Salt-and-pepper noise: in training each element becomes 0 or 1 with probability p, each equally likely.
---@class moonglass.SaltPepperNoise: moonglass.Layer, moonglass.SaltPepperNoiseOptions

---Options of `moon.salt_pepper_noise`.
---@class moonglass.SaltPepperNoiseOptions
---@field p number? required, 0 to 1: probability that an element becomes 0 or 1, each with p / 2

---Salt-and-pepper noise: in training each element becomes 0 or 1 with probability p, each equally likely. In inference
---nothing changes.
---@param p number 0 to 1: probability that an element becomes 0 or 1, each with p / 2
---@return moonglass.SaltPepperNoise layer
---@overload fun(options: moonglass.SaltPepperNoiseOptions): moonglass.SaltPepperNoise
function moon.salt_pepper_noise(p) end

---The parameters with their gradients. The tensors are live.
---@return moonglass.Parameter[] parameters
function Layer:parameters() end

---What the layer keeps beside its parameters, saved with them but not trained: the running statistics of batch_norm.
---The tensors are live.
---@return moonglass.Buffer[] buffers
function Layer:buffers() end

---Run rows through this layer alone.
---@param x moonglass.Tensor [rows x in]; bytes count as value/255
---@param training boolean? default false: with true, noise and dropout are active
---@return moonglass.Tensor y [rows x out]
function Layer:forward(x, training) end

---The gradient on the input of this layer's last `forward`. The parameters' gradients are set.
---@param dy moonglass.Tensor [rows x out]: the gradient on the output
---@return moonglass.Tensor dx [rows x in]
function Layer:backward(dy) end

---The penalties of this layer's last `forward`.
---@return number penalty
function Layer:penalty() end

---Restart the stream of the noise.
---@param seed integer
function Layer:seed(seed) end

---The name of the kind: "dense", for example.
---@return moonglass.LayerName kind
function Layer:kind() end

---One parameter of a layer or a net.
---@class moonglass.Parameter
---@field name string "weight" or "bias"; in a net "1.weight", with the layer's number
---@field value moonglass.Tensor live
---@field grad moonglass.Tensor live, of the same shape
---@field shared boolean? true: another layer owns it (tied weights)
---@field trainable boolean? false: it is frozen, an optimiser's step leaves it out

---What a layer keeps beside its parameters.
---@class moonglass.Buffer
---@field name string such as "running_mean"; in a net "2.running_mean", with the layer's number
---@field value moonglass.Tensor live

---A layer written in Lua: a table with these methods; all but `forward` and `backward` are optional.
---@class moonglass.LuaLayer
---@field name string? for messages and summaries
---@field trainable boolean? false: the layer is frozen, steps leave its parameters as they are
---@field forward fun(self, x: moonglass.Tensor, training: boolean): moonglass.Tensor from rows to rows
---@field backward fun(self, dy: moonglass.Tensor): moonglass.Tensor from dy to dx; sets the parameters' gradients
---@field parameters (fun(self): moonglass.Parameter[])? the name, value and grad of each
---@field penalty (fun(self): number)? the penalty of the last forward
---@field seed (fun(self, seed: integer))? restarts the noise
---@field state (fun(self): moonglass.LayerState)? what a file must hold besides the parameters
---@field load_state (fun(self, state: moonglass.LayerState))? takes such a table
---@field clone (fun(self): moonglass.LuaLayer)? a copy, for `net:clone`

-- ---- Loss ----

---A loss: a value and its gradient on the prediction. Its options can be read as fields.
---@class moonglass.Loss
---@field reduction moonglass.Reduction of mse, mae, bce and huber: mean: over all elements; batchmean: summed over the features, mean over the rows; sum: over all elements
---@field from_logits boolean of bce: the prediction is logits: sigmoid has not been applied to it; of cross_entropy: the prediction is logits: softmax has not been applied to it
---@field label_smoothing number of bce: share of 1/2 in the targets: t (1 - label_smoothing) + label_smoothing 1/2; of cross_entropy: share of 1/classes in the targets: t (1 - label_smoothing) + label_smoothing 1/classes
---@field delta number of huber: absolute error from which the loss grows linearly instead of with the square
local Loss = {}

---A loss by name; Keras's longer names work too: `moon.loss("binary_crossentropy")`.
---@param kind moonglass.LossName
---@param options table? the options of that loss
---@return moonglass.Loss loss
function moon.loss(kind, options) end

---Options of `moon.bce`.
---@class moonglass.BceOptions
---@field reduction moonglass.Reduction? default "mean": mean: over all elements; batchmean: summed over the features, mean over the rows; sum: over all elements
---@field from_logits boolean? default false: the prediction is logits: sigmoid has not been applied to it
---@field label_smoothing number? default 0, 0 to 1: share of 1/2 in the targets: t (1 - label_smoothing) + label_smoothing 1/2

---Binary cross-entropy, -(t ln p + (1 - t) ln(1 - p)), for targets in [0, 1]. It is fused with a final sigmoid. p is
---clamped to [1e-7, 1 - 1e-7], as in Keras. Targets outside [0, 1] can make the value negative.
---@param options moonglass.BceOptions?
---@return moonglass.Loss loss
function moon.bce(options) end

---Options of `moon.cross_entropy`.
---@class moonglass.CrossEntropyOptions
---@field from_logits boolean? default false: the prediction is logits: softmax has not been applied to it
---@field label_smoothing number? default 0, 0 to 1: share of 1/classes in the targets: t (1 - label_smoothing) + label_smoothing 1/classes

---Categorical cross-entropy, -sum t ln p over the classes, averaged over the rows. It is fused with a final softmax.
---Targets are one-hot rows or probabilities [rows x classes], or class numbers [rows] from 0.
---@param options moonglass.CrossEntropyOptions?
---@return moonglass.Loss loss
function moon.cross_entropy(options) end

---Options of `moon.huber`.
---@class moonglass.HuberOptions
---@field reduction moonglass.Reduction? default "mean": mean: over all elements; batchmean: summed over the features, mean over the rows; sum: over all elements
---@field delta number? default 1, above 0: absolute error from which the loss grows linearly instead of with the square

---Huber's loss: e^2 / 2 within delta, delta |e| - delta^2 / 2 beyond.
---@param options moonglass.HuberOptions?
---@return moonglass.Loss loss
function moon.huber(options) end

---Options of `moon.mae`.
---@class moonglass.MaeOptions
---@field reduction moonglass.Reduction? default "mean": mean: over all elements; batchmean: summed over the features, mean over the rows; sum: over all elements

---Mean absolute error.
---@param options moonglass.MaeOptions?
---@return moonglass.Loss loss
function moon.mae(options) end

---Options of `moon.mse`.
---@class moonglass.MseOptions
---@field reduction moonglass.Reduction? default "mean": mean: over all elements; batchmean: summed over the features, mean over the rows; sum: over all elements

---Mean squared error. With reduction "batchmean" it is the squared norm of a row's error, averaged over the rows.
---@param options moonglass.MseOptions?
---@return moonglass.Loss loss
function moon.mse(options) end

---One part of the loss that `moon.heads` makes. Its first element is the loss: a name, or an object.
---@class moonglass.HeadOptions
---@field columns integer required: how many of the outputs it has; the heads have them one after the other
---@field weight number? default 1: of its loss in the sum, at least 0
---@field name string? the loss's kind if not given: the name of its figures in the history

---A loss of several parts, for outputs side by side such as those of `moon.branches`: the sum of weight times loss over
---the heads, of which each has its columns. The losses keep their reductions, and are fused with the activation at the
---end of their branch. `fit` and `evaluate` take a list of targets, one for each head, and tell each head's figures in
---`history.metrics` under its name; for cross_entropy its accuracy, too: `class` and `class_accuracy`.
---@param list moonglass.HeadOptions[] 1 to 32: {{"bce", columns = 784}, {"cross_entropy", columns = 10, weight = 0.1}}
---@return moonglass.Loss loss of the kind "heads"
function moon.heads(list) end

---The value of the loss.
---@param prediction moonglass.Tensor [rows x width]
---@param target moonglass.Tensor of the same shape; bytes count as value/255. cross_entropy takes bytes as they are
---@param weights moonglass.Tensor? [rows]: each row's loss is multiplied by its weight, and divided as without
---@return number value
function Loss:forward(prediction, target, weights) end

---The gradient on the prediction of the last `forward`.
---@return moonglass.Tensor gradient of the prediction's shape
function Loss:backward() end

---The name of the kind: "mse", for example.
---@return string kind
function Loss:kind() end

---The heads of a loss that `moon.heads` has made. An empty list for any other loss.
---@return moonglass.Head[] heads
function Loss:heads() end

---A part of the loss of `moon.heads`.
---@class moonglass.Head
---@field name string of its figures in the history
---@field loss moonglass.Loss
---@field columns integer how many of the outputs it has
---@field weight number in the sum of all heads

---A loss written in Lua: a table with these methods.
---@class moonglass.LuaLoss
---@field forward fun(self, prediction: moonglass.Tensor, target: moonglass.Tensor): number
---@field backward fun(self): moonglass.Tensor the gradient on the last prediction
---@field metrics table<string, fun(prediction: moonglass.Tensor, target: moonglass.Tensor): number>? by themselves

-- ---- Optimizer ----

---An optimiser with its moments. Its options can be read as fields; most can be set between steps.
---
---Gradients can be clipped as in Keras, by at most one of `clip_value`, `clip_norm` and `global_clip_norm`. A layer
---shows its gradients as they were. A step whose norm is not finite changes nothing; with `clip_value` an infinity is
---cut and NaN counts as 0.
---@class moonglass.Optimizer
---@field lr number learning rate; may be set
---@field beta1 number of adam, adamw, adamax and nadam: decay rate of the running mean of the gradient; may be set
---@field beta2 number of adam, adamw and nadam: decay rate of the running mean of the squared gradient; of adamax: decay rate of the largest gradient so far; may be set
---@field eps number of adam, rmsprop, adagrad, adamw, adamax, nadam and adadelta: added in the denominator, which keeps the division finite; may be set
---@field weight_decay number each step subtracts lr times weight_decay times the weight; may be set
---@field clip_value number 0: off; elements of a gradient beyond it are cut to it; may be set
---@field clip_norm number 0: off; the gradient of each parameter is scaled down to this norm; may be set
---@field global_clip_norm number 0: off; all gradients together are scaled down to this norm; may be set
---@field momentum number of sgd and rmsprop: fraction of the previous step that is added to this one
---@field nesterov boolean of sgd: take the step from where the momentum leads (Nesterov)
---@field rho number of rmsprop: decay rate of the running mean of the squared gradient; of adadelta: decay rate of the running means of the squared gradient and step; may be set
---@field centered boolean of rmsprop: divide by the root of the variance of the gradient, not of its mean square
---@field initial_accumulator number of adagrad: initial value of the sum of squared gradients
local Optimizer = {}

---An optimiser by name: `moon.optimizer("adam", {lr = 0.01})`.
---@param kind moonglass.OptimizerName
---@param options table? the options of that optimiser
---@return moonglass.Optimizer optimizer
function moon.optimizer(kind, options) end

---Options of `moon.adadelta`.
---@class moonglass.AdadeltaOptions
---@field lr number? default 0.001, at least 0: learning rate
---@field rho number? default 0.95, at least 0 and below 1: decay rate of the running means of the squared gradient and step
---@field eps number? default 1e-7, above 0: added in the denominator, which keeps the division finite
---@field weight_decay number? default 0, at least 0: each step subtracts lr times weight_decay times the weight
---@field clip_value number? default 0, at least 0: 0: off; elements of a gradient beyond it are cut to it
---@field clip_norm number? default 0, at least 0: 0: off; the gradient of each parameter is scaled down to this norm
---@field global_clip_norm number? default 0, at least 0: 0: off; all gradients together are scaled down to this norm

---Adadelta (Zeiler 2012) as Keras has it. The paper's steps have lr = 1.
---@param options moonglass.AdadeltaOptions?
---@return moonglass.Optimizer optimizer
function moon.adadelta(options) end

---Options of `moon.adagrad`.
---@class moonglass.AdagradOptions
---@field lr number? default 0.001, at least 0: learning rate
---@field initial_accumulator number? default 0.1, at least 0: initial value of the sum of squared gradients
---@field eps number? default 1e-7, above 0: added in the denominator, which keeps the division finite
---@field weight_decay number? default 0, at least 0: each step subtracts lr times weight_decay times the weight
---@field clip_value number? default 0, at least 0: 0: off; elements of a gradient beyond it are cut to it
---@field clip_norm number? default 0, at least 0: 0: off; the gradient of each parameter is scaled down to this norm
---@field global_clip_norm number? default 0, at least 0: 0: off; all gradients together are scaled down to this norm

---Adagrad (Duchi, Hazan and Singer 2011) as Keras has it.
---@param options moonglass.AdagradOptions?
---@return moonglass.Optimizer optimizer
function moon.adagrad(options) end

---Options of `moon.adam`.
---@class moonglass.AdamOptions
---@field lr number? default 0.001, at least 0: learning rate
---@field beta1 number? default 0.9, at least 0 and below 1: decay rate of the running mean of the gradient
---@field beta2 number? default 0.999, at least 0 and below 1: decay rate of the running mean of the squared gradient
---@field eps number? default 1e-7, above 0: added in the denominator, which keeps the division finite
---@field weight_decay number? default 0, at least 0: each step subtracts lr times weight_decay times the weight
---@field clip_value number? default 0, at least 0: 0: off; elements of a gradient beyond it are cut to it
---@field clip_norm number? default 0, at least 0: 0: off; the gradient of each parameter is scaled down to this norm
---@field global_clip_norm number? default 0, at least 0: 0: off; all gradients together are scaled down to this norm

---Adam (Kingma and Ba 2015) as Keras has it: the paper's efficient form. With weight_decay it is AdamW.
---@param options moonglass.AdamOptions?
---@return moonglass.Optimizer optimizer
function moon.adam(options) end

---Options of `moon.adamw`.
---@class moonglass.AdamwOptions
---@field lr number? default 0.001, at least 0: learning rate
---@field beta1 number? default 0.9, at least 0 and below 1: decay rate of the running mean of the gradient
---@field beta2 number? default 0.999, at least 0 and below 1: decay rate of the running mean of the squared gradient
---@field eps number? default 1e-7, above 0: added in the denominator, which keeps the division finite
---@field weight_decay number? default 0.004, at least 0: each step subtracts lr times weight_decay times the weight
---@field clip_value number? default 0, at least 0: 0: off; elements of a gradient beyond it are cut to it
---@field clip_norm number? default 0, at least 0: 0: off; the gradient of each parameter is scaled down to this norm
---@field global_clip_norm number? default 0, at least 0: 0: off; all gradients together are scaled down to this norm

---AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) as Keras has it: Adam whose weight_decay is not 0 by default.
---@param options moonglass.AdamwOptions?
---@return moonglass.Optimizer optimizer
function moon.adamw(options) end

---Options of `moon.adamax`.
---@class moonglass.AdamaxOptions
---@field lr number? default 0.001, at least 0: learning rate
---@field beta1 number? default 0.9, at least 0 and below 1: decay rate of the running mean of the gradient
---@field beta2 number? default 0.999, at least 0 and below 1: decay rate of the largest gradient so far
---@field eps number? default 1e-7, above 0: added in the denominator, which keeps the division finite
---@field weight_decay number? default 0, at least 0: each step subtracts lr times weight_decay times the weight
---@field clip_value number? default 0, at least 0: 0: off; elements of a gradient beyond it are cut to it
---@field clip_norm number? default 0, at least 0: 0: off; the gradient of each parameter is scaled down to this norm
---@field global_clip_norm number? default 0, at least 0: 0: off; all gradients together are scaled down to this norm

---AdaMax (Kingma and Ba 2015) as Keras has it: Adam that divides by the largest gradient, which fades.
---@param options moonglass.AdamaxOptions?
---@return moonglass.Optimizer optimizer
function moon.adamax(options) end

---Options of `moon.nadam`.
---@class moonglass.NadamOptions
---@field lr number? default 0.001, at least 0: learning rate
---@field beta1 number? default 0.9, at least 0 and below 1: decay rate of the running mean of the gradient
---@field beta2 number? default 0.999, at least 0 and below 1: decay rate of the running mean of the squared gradient
---@field eps number? default 1e-7, above 0: added in the denominator, which keeps the division finite
---@field weight_decay number? default 0, at least 0: each step subtracts lr times weight_decay times the weight
---@field clip_value number? default 0, at least 0: 0: off; elements of a gradient beyond it are cut to it
---@field clip_norm number? default 0, at least 0: 0: off; the gradient of each parameter is scaled down to this norm
---@field global_clip_norm number? default 0, at least 0: 0: off; all gradients together are scaled down to this norm

---Nadam (Dozat 2016) as Keras has it: Adam with Nesterov's momentum.
---@param options moonglass.NadamOptions?
---@return moonglass.Optimizer optimizer
function moon.nadam(options) end

---Options of `moon.rmsprop`.
---@class moonglass.RmspropOptions
---@field lr number? default 0.001, at least 0: learning rate
---@field rho number? default 0.9, at least 0 and below 1: decay rate of the running mean of the squared gradient
---@field momentum number? default 0, at least 0 and below 1: fraction of the previous step that is added to this one
---@field eps number? default 1e-7, above 0: added in the denominator, which keeps the division finite
---@field centered boolean? default false: divide by the root of the variance of the gradient, not of its mean square
---@field weight_decay number? default 0, at least 0: each step subtracts lr times weight_decay times the weight
---@field clip_value number? default 0, at least 0: 0: off; elements of a gradient beyond it are cut to it
---@field clip_norm number? default 0, at least 0: 0: off; the gradient of each parameter is scaled down to this norm
---@field global_clip_norm number? default 0, at least 0: 0: off; all gradients together are scaled down to this norm

---RMSprop (Hinton 2012) as Keras has it.
---@param options moonglass.RmspropOptions?
---@return moonglass.Optimizer optimizer
function moon.rmsprop(options) end

---Options of `moon.sgd`.
---@class moonglass.SgdOptions
---@field lr number? default 0.01, at least 0: learning rate
---@field momentum number? default 0, at least 0 and below 1: fraction of the previous step that is added to this one
---@field nesterov boolean? default false: take the step from where the momentum leads (Nesterov)
---@field weight_decay number? default 0, at least 0: each step subtracts lr times weight_decay times the weight
---@field clip_value number? default 0, at least 0: 0: off; elements of a gradient beyond it are cut to it
---@field clip_norm number? default 0, at least 0: 0: off; the gradient of each parameter is scaled down to this norm
---@field global_clip_norm number? default 0, at least 0: 0: off; all gradients together are scaled down to this norm

---Stochastic gradient descent, with optional momentum.
---@param options moonglass.SgdOptions?
---@return moonglass.Optimizer optimizer
function moon.sgd(options) end

---Update each parameter once, by its gradient; frozen ones are left as they are.
---@param parameters moonglass.Parameter[] from `net:parameters()`; shared ones are updated with their owners
function Optimizer:step(parameters) end

---The live moments of each parameter by name, for example {m =, v =}. Missing moments are created, but not those of
---frozen parameters: their tables are empty.
---@param parameters moonglass.Parameter[]
---@return table<string, moonglass.Tensor>[] moments
function Optimizer:moments(parameters) end

---The number of steps so far.
---@return integer steps
function Optimizer:steps() end

---Set the number of steps so far.
---@param steps integer at least 0
function Optimizer:set_steps(steps) end

---The optimiser as a table: kind, steps and every option. With parameters, also their moments.
---@param parameters moonglass.Parameter[]?
---@return table state
function Optimizer:state(parameters) end

---The name of the kind: "adam", for example.
---@return moonglass.OptimizerName kind
function Optimizer:kind() end

---An optimiser written in Lua: a table with the method `step`.
---@class moonglass.LuaOptimizer
---@field step fun(self, parameters: moonglass.Parameter[]) updates each value by its grad
---@field lr number? for callbacks that set the learning rate

-- ---- Net ----

---A list of layers that is trained and used as one function. `#net` is the number of layers. A net of native layers
---runs in C. A net with a layer written in Lua runs from Lua and gives the same numbers. It lacks `plan`, `fold`,
---`encoder_layers` and `set_encoder_layers`. A script may set other fields on a net.
---@class moonglass.Net
---@field loss moonglass.AnyLoss? the loss of the last `fit`; the default of the next one and of `evaluate`
---@field optimizer moonglass.AnyOptimizer? the optimiser of the last `fit`
---@field trainable boolean is any parameter trained? Setting it sets that of each layer
---@field shares string? of a slice: "layers 1 to 2 of another net"
---@operator len: integer
local Net = {}

---Load a saved net, or a detector. A saved autoencoder comes back as one. Loading runs no code from the file.
---@param path string
---@return moonglass.Net|moonglass.Autoencoder|moonglass.Detector? net nil if it cannot be read
---@return string? message
---@return moonglass.Code? code
function moon.load(path) end

---Load a net, or a detector, from bytes in memory: those of `net:bytes`, or of a file that `net:save` has written.
---@param bytes string
---@return moonglass.Net|moonglass.Autoencoder|moonglass.Detector? net nil if the bytes are not a net
---@return string? message
---@return moonglass.Code? code
function moon.load_bytes(bytes) end

---A net of layers in sequence: `moon.sequential{moon.dense(784, 32), moon.dense(32, 784)}`. A net in the list stands
---for its layers. Two nets may share a layer, and one net may use it twice. Each place of a noise layer draws different
---noise. A penalty on weights counts once per net, a penalty on outputs once per place.
---@param layers (moonglass.AnyLayer|moonglass.Branches)[] at least one
---@return moonglass.Net net
function moon.sequential(layers) end

---From now on each batch of `step`, `step_rows` and `evaluate_rows` adds figures of its outputs to sums, beside the
---objective, before the update, and changes nothing else. `fit` does that with its option `metrics`; this is for a loop
---of your own. A measure is a loss, or the name of a kind: "accuracy", "binary_accuracy", "data" (the objective without
---its penalties) or "penalty".
---@param measures (string|moonglass.Loss)[]? nil: none
function Net:set_measures(measures) end

---What the measures have added up since `set_measures`. The mean of measure i is sums[i] / weights[i].
---@return number[] sums of a batch's figure times its weight
---@return number[] weights the rows of the batches; with a mask their cells, where the figure is a mean over cells
function Net:measured() end

---One layer.
---@param i integer 1 to #net
---@return moonglass.Layer|moonglass.LuaLayer layer
function Net:layer(i) end

---All parameters with their gradients, each once. The tensors are live.
---@return moonglass.Parameter[] parameters
function Net:parameters() end

---What the layers keep beside their parameters, saved with them but not trained: the running statistics of batch_norm,
---each once. The tensors are live.
---@return moonglass.Buffer[] buffers
function Net:buffers() end

---The penalties of the last `forward`.
---@return number penalty
function Net:penalty() end

---Restart the streams of the noise.
---@param seed integer
function Net:seed(seed) end

---The width of the input; 0 if any width fits.
---@return integer width
function Net:inputs() end

---The width of the output; 0 if it is not known.
---@return integer width
function Net:outputs() end

---The number of layers that are the encoder of an autoencoder; 0 if the net is not one.
---@return integer layers
function Net:encoder_layers() end

---Set how many of the layers are the encoder. `save` writes the number to the file.
---@param layers integer 0 to #net
function Net:set_encoder_layers(layers) end

---The content of the file that `save` writes, as tables.
---@return table<string, moonglass.Tensor> tensors
---@return table<string, string> metadata
function Net:archive() end

---The bytes of the file that `save` writes. They need no file: a program may send them. `moon.load_bytes` reads them.
---@return string bytes
function Net:bytes() end

---Sums over several processes: `require("moonglass.mpi").reducer`.
---@class moonglass.Reducer

---Train this net in several processes, which all make the same steps: each computes some rows of every batch, and the
---reducer sums the gradients over all. `fit` does that with its option `distributed`; this is for a loop of your own.
---@param reducer moonglass.Reducer? nil: this process trains the net alone
function Net:set_reducer(reducer) end

---The outputs for one batch. The net keeps what `backward` needs.
---@param x moonglass.Tensor [rows x in]
---@param training boolean? default false: with true, noise and dropout are active
---@return moonglass.Tensor y [rows x out]
function Net:forward(x, training) end

---The gradient on the input of the last `forward`. The parameters' gradients are set.
---@param dy moonglass.Tensor [rows x out]: the gradient on the output
---@return moonglass.Tensor dx [rows x in]
function Net:backward(dy) end

---The outputs for the rows of x, in inference.
---@param x moonglass.Tensor|moonglass.Source [rows x in]; for a single row x:reshape(1, -1)
---@param options moonglass.BatchOptions?
---@return moonglass.Tensor y [rows x out]
function Net:predict(x, options) end

---The reconstruction error of each row: the mean squared difference of output and input.
---@param x moonglass.Tensor|moonglass.Source [rows x in], as wide as the output
---@param options moonglass.BatchOptions?
---@return moonglass.Tensor errors [rows]
function Net:errors(x, options) end

---Allocate the memory for batches of this size now, so that a step allocates none.
---@param rows integer rows of a batch
---@param loss moonglass.Loss?
---@param optimizer moonglass.Optimizer?
function Net:plan(rows, loss, optimizer) end

---Options of `net:evaluate`.
---@class moonglass.EvaluateOptions
---@field loss moonglass.LossName|moonglass.AnyLoss? the loss of the last `fit` if not given; required before the first
---@field batch_size integer? default 32
---@field mask boolean? default false; true: NaN is a cell that is missing, as in `fit`
---@field metrics moonglass.Metrics? more figures, as in `fit`; they come as the second result
---@field sample_weight moonglass.Tensor? [rows]: the loss of each row is multiplied by its weight, then averaged
---@field class_weight table<integer, number>? by class number, from 0, as in `fit`
---@field distributed moonglass.mpi? each process of the run computes some of the rows
---@field sharded boolean? default false: every rank has all rows; true: x and y are this rank's own rows

---The objective in inference, averaged over the rows, penalties included; with `mask` a mean is over all cells that are
---present, in batches of any size. In `net:evaluate(x, options)` the target is
---x.
---@param x moonglass.Rows [rows x in]
---@param y moonglass.Rows? targets, as for `fit`
---@param options moonglass.EvaluateOptions?
---@return number objective averaged over the rows
---@return table<string, number>? metrics by name; none without metrics
---@overload fun(self: moonglass.Net, x: moonglass.Rows, options: moonglass.EvaluateOptions): number, table?
function Net:evaluate(x, y, options) end

---The objective over all rows of a dataset, in inference.
---@param data moonglass.Dataset
---@param loss moonglass.LossName|moonglass.AnyLoss
---@param batch integer? default 32
---@return number objective
function Net:evaluate_rows(data, loss, batch) end

---Options of `net:fit`.
---@class moonglass.FitOptions
---@field loss moonglass.LossName|moonglass.AnyLoss? a name, an object or a function; else that of the last `fit`
---@field optimizer moonglass.OptimizerName|moonglass.AnyOptimizer? default "adam": a name makes a new one
---@field epochs integer? default 1: the last epoch to train
---@field initial_epoch integer? default 0: the number of epochs already done
---@field batch_size integer? 32, or all rows if they are fewer; at most the rows of x. The last batch may be smaller
---@field shuffle boolean? default true: a new order of the rows each epoch, which depends on seed and epoch only
---@field seed integer? for the order of the rows and for noise; drawn from the stream of `moon.seed` if not given
---@field validation moonglass.Rows[]|moonglass.Rows? {xv, yv}, or {xv, yv, weights}; or xv alone where the target is x
---@field validation_split number? above 0 and below 1: hold out this fraction of the rows, the last ones
---@field validation_freq integer? default 1: validate after every this many epochs
---@field metrics moonglass.Metrics? more figures: {"accuracy", "mse", auc = function(net, x, y) ... end}
---@field callbacks (moonglass.Callback|fun(state: moonglass.State))[]? called in this order
---@field verbose 0|1|2? 0, or 1 if `moon.interactive`. 0: silent; 1: a bar on a terminal; 2: one line per epoch
---@field threads integer? 1 to 256 worker threads during this call; `moon.set_threads` sets the default
---@field history moonglass.History? a history to continue
---@field resume moonglass.Checkpoint? a checkpoint of this net: optimizer, initial_epoch, seed and history
---@field on_nan "error"|"stop"|"ignore"? default "error": what to do when the loss is NaN or infinite
---@field mask boolean? default false; true: NaN is a missing cell: 0 as input, and not counted as target
---@field sample_weight moonglass.Tensor? [rows]: the loss of each row is multiplied by its weight, then averaged
---@field class_weight table<integer, number>? by class number, from 0: {[0] = 1, [1] = 5}; classes without one have 1
---@field distributed moonglass.mpi? all ranks train this net, each with a slice of every batch
---@field sharded boolean? default false: every rank has all rows; true: x, y and validation are this rank's own rows

---Train the net: pass over the rows in batches, `epochs` times. In `net:fit(x, options)` the target is x itself. An
---epoch's loss is the objective before each update, averaged over the rows, penalties included. uint8 rows count as
---value/255. After an error or Ctrl-C the net is as the last complete step left it. A step whose loss is NaN or
---infinite changes nothing.
---@param x moonglass.Rows [rows x in], float32 or bytes
---@param y moonglass.Rows|moonglass.Tensor[]? [rows x out], or class numbers [rows]; with `moon.heads` a list of them
---@param options moonglass.FitOptions?
---@return moonglass.History history
---@overload fun(self: moonglass.Net, x: moonglass.Rows, options: moonglass.FitOptions): moonglass.History
function Net:fit(x, y, options) end

---Options of `net:load`.
---@class moonglass.LoadOptions
---@field prefix string? default "": the beginning of the tensors' names, for example "encoder."

---Load parameters by name from a safetensors file, ours or PyTorch's, into this net. On failure nothing changes. A net
---with layers written in Lua is filled with all that its `save` wrote: their states and the options that can be set,
---too. It must have been made by the same code.
---@param path string
---@param options moonglass.LoadOptions?
---@return true? ok nil if a tensor is missing, has another shape or belongs to no layer
---@return string? message
---@return moonglass.Code? code
function Net:load(path, options) end

---Save architecture and parameters as a safetensors file. Writing is atomic: the file is complete, or as it was.
---Tensors have the names that torch.nn.Sequential gives to the same layers. Of a layer
---written in Lua the file holds the parameters and what its `state` gives; `net:load` fills a net that the same code
---has made.
---@param path string
---@return true? ok nil if it cannot be written
---@return string? message
---@return moonglass.Code? code
function Net:save(path) end

---Layers i to j as a net that shares the parameters.
---@param i integer the first layer
---@param j integer the last layer
---@return moonglass.Net net
function Net:slice(i, j) end

---An independent copy: training one net does not change the other. The copy of an autoencoder is an autoencoder. Tied
---weights and layers used twice are so in the copy, too. Its noise continues as the original's would. The loss is
---copied; the optimiser is not, because its moments belong to the parameters that it has updated. A layer written in
---Lua needs a method `clone`, or copying raises.
---@return moonglass.Net net
function Net:clone() end

---A copy for inference without batch normalisation: its scale and shift go into the weight and the bias of the dense
---layer beside it. That is the linear one before it, which takes over the activation layer behind it, too, or else the
---dense layer behind it. Dropout and noise may stand in between. A `batch_norm` stays where there is no such layer,
---where a branch or the end of the encoder lies in between, and where the layer is tied or used twice. The outputs are
---the same to rounding; the penalties are those of the new weights. Not for a net with a layer written in Lua.
---@return moonglass.Net net
function Net:fold() end

---One training step on one batch. A step whose objective is NaN or infinite changes nothing.
---@param x moonglass.Tensor [rows x in]
---@param y moonglass.Tensor|moonglass.Tensor[]? the targets; nil: x itself; with `moon.heads` a list of them
---@param loss moonglass.LossName|moonglass.AnyLoss
---@param optimizer moonglass.AnyOptimizer an object, which keeps its moments between steps
---@return number objective before the update, penalties included
function Net:step(x, y, loss, optimizer) end

---One training step on rows of a dataset, in its current order.
---@param data moonglass.Dataset
---@param first integer the first row
---@param count integer the number of rows
---@param loss moonglass.LossName|moonglass.AnyLoss
---@param optimizer moonglass.AnyOptimizer
---@return number objective before the update, penalties included
function Net:step_rows(data, first, count, loss, optimizer) end

---The net as a table of text: layers, output shapes and numbers of parameters, with their total.
---@return string text
function Net:summary() end

-- ---- Dataset ----

---Rows with their targets, in an order. `#data` is the number of rows.
---@class moonglass.Dataset
---@operator len: integer
local Dataset = {}

---Rows to train on. The tensors are not copied. Rows of a source are gathered or read when a batch needs them.
---@param x moonglass.Tensor|moonglass.Source [rows x in], float32 or bytes
---@param y (moonglass.Tensor|moonglass.Source)? [rows x out], or class numbers [rows]; nil: x itself
---@return moonglass.Dataset data
function moon.dataset(x, y) end

---Copies of rows in the current order, as float32. Bytes become value/255. Class numbers are kept, and so are targets
---of bytes that are all 0 or 1, such as one-hot rows.
---@param first integer the first row
---@param count integer the number of rows
---@param bytes boolean? default false; true: the bytes of y stay bytes, for a loss to read
---@return moonglass.Tensor x [count x in]
---@return moonglass.Tensor? y nil if the target is x
function Dataset:batch(first, count, bytes) end

---Put the rows in a new random order, which depends on these two numbers only.
---@param seed integer
---@param epoch integer? default 0
function Dataset:shuffle(seed, epoch) end

---Put the rows back in the order of the tensors.
function Dataset:unshuffle() end

---The number of rows.
---@return integer rows
function Dataset:rows() end

---May cells be missing? If so, NaN is 0 in the input, and in the target it counts neither in the loss nor in its mean.
---@param mask boolean
function Dataset:set_mask(mask) end

---Give each row a weight. A step and an evaluation multiply a row's loss by it, and still divide by the number of rows;
---penalties are not weighted. The weights are copied.
---@param weights moonglass.Tensor? [rows] float32, finite and at least 0; nil: all are 1
function Dataset:set_weights(weights) end

---The weights of rows in the current order, a copy.
---@param first integer the first row
---@param count integer the number of rows
---@return moonglass.Tensor? weights [count]; nil if none were set
function Dataset:weights(first, count) end

---Of several processes that train one net, each has rows of its own. The tensors here hold those of this one. Then
---`#data` is the number of all rows, and a step takes from each process a part that is proportional to its rows.
---@param rows integer[]? how many rows each process has, in the order of the ranks; nil: the tensors hold all rows
function Dataset:set_shards(rows) end

---The number of rows that the tensors hold: fewer than `#data` after `set_shards`.
---@return integer rows
function Dataset:own_rows() end

-- ---- moon.callbacks ----

---The built-in callbacks.
---@class moonglass.callbacks
moon.callbacks = {}

---Options of `moon.callbacks.checkpoint`.
---@class moonglass.CheckpointOptions
---@field every integer? default 1: save after every this many epochs
---@field best boolean? default false; true: save only when the monitored value is the best so far; NaN never is
---@field monitor moonglass.Figure? "val_loss" with validation, else "loss"; or the name of a metric
---@field mode moonglass.MonitorMode? default "auto": "max" for accuracies, and names with auc, f1 and the like
---@field keep integer? default 1, 1 to 10: with 3 the two files before the last stay as path.1 and path.2

---Save all that a resume needs, after all callbacks have seen the epoch.
---@param path string %d or %03d in it becomes the epoch, %% becomes %; any other % is an error
---@param options moonglass.CheckpointOptions?
---@return moonglass.Callback callback
function moon.callbacks.checkpoint(path, options) end

---Options of `moon.callbacks.csv_logger`.
---@class moonglass.CsvLoggerOptions
---@field append boolean? default false; true: write after the file's lines; an incomplete last line is removed

---Write one line per epoch to a file: epoch,loss,val_loss,seconds; the option `metrics` of `fit` adds a column for each
---before seconds. A resumed training appends to its file. A file with other columns is an error and stays unchanged.
---@param path string
---@param options moonglass.CsvLoggerOptions?
---@return moonglass.Callback callback
function moon.callbacks.csv_logger(path, options) end

---The callback that `moon.callbacks.early_stopping` makes.
---@class moonglass.EarlyStopping: moonglass.Callback
---@field best number the best value; infinity before the first, with mode "max" -infinity
---@field best_epoch integer? the epoch of the best value; nil if the value was NaN in every epoch (`history.warning`)
---@field stopped_epoch integer? the epoch after which it ended the training; nil if it did not

---Options of `moon.callbacks.early_stopping`.
---@class moonglass.EarlyStoppingOptions
---@field monitor moonglass.Figure? default "val_loss": or the name of a metric, `val_NAME` of the validation rows
---@field mode moonglass.MonitorMode? default "auto": "max" for accuracies, and names with auc, f1 and the like
---@field patience integer? default 0: end the training after this many epochs in a row without a better value
---@field min_delta number? default 0: a value is better if it is by more than |min_delta|
---@field restore_best boolean? default false; true: the net gets the weights of its best epoch at the end

---End the training when the monitored value no longer improves: Keras's EarlyStopping. An epoch whose value is NaN is
---never the best, not even the first. An epoch without validation does not count for a figure of validation.
---@param options moonglass.EarlyStoppingOptions?
---@return moonglass.EarlyStopping callback
function moon.callbacks.early_stopping(options) end

---The state of a training that `fit` passes to callbacks. Set `stop` to end the training.
---@class moonglass.State
---@field net moonglass.Net
---@field opt moonglass.AnyOptimizer
---@field epoch integer the current epoch, from 1
---@field epochs integer the last epoch
---@field initial_epoch integer the number of epochs done before
---@field batch integer the current batch, from 1
---@field batches integer batches per epoch
---@field batch_size integer
---@field rows integer rows per epoch
---@field loss number? the epoch's loss; in `on_batch_end` the mean so far
---@field batch_loss number? the loss of this batch, in `on_batch_end`
---@field val_loss number? after the epoch, with validation
---@field metrics table<string, number> of the option `metrics`: in `on_batch_end` the means so far, then of the epoch
---@field figures string[] the names of all that a callback can monitor
---@field directions table<string, "min"|"max"> of loss and metrics, where what they measure tells what is better
---@field validation_freq integer there is a val_loss after every this many epochs
---@field seconds number? the epoch's training time, without validation
---@field rows_per_second number?
---@field seed integer? nil in `check` if it was not given: it is drawn later
---@field validation boolean true if there is validation data
---@field trained integer? epochs of all fits of this net, including the current one
---@field history moonglass.History
---@field callbacks (moonglass.Callback|fun(state: moonglass.State))[] the callbacks of this `fit`
---@field resumed boolean true if the option `resume` was given
---@field stop boolean true ends the training
---@field stopped string? why the training ended on a loss that is NaN or infinite

---A callback of `fit`: a table with any of these fields. A plain function is called after each epoch.
---@class moonglass.Callback
---@field name string? its name in a checkpoint
---@field writes boolean? true: it writes or prints, so with the option `distributed` only rank 0 has it
---@field check (fun(self, state: moonglass.State))? called before anything is trained or written: raises what is wrong
---@field on_train_begin (fun(self, state: moonglass.State))?
---@field on_epoch_begin (fun(self, state: moonglass.State))?
---@field on_batch_end (fun(self, state: moonglass.State))?
---@field on_epoch_end (fun(self, state: moonglass.State))?
---@field on_checkpoint (fun(self, state: moonglass.State))? called after every on_epoch_end: the time to save
---@field on_train_end (fun(self, state: moonglass.State))?
---@field on_abort (fun(self, state: moonglass.State))? called when an error or a closed coroutine ends the training
---@field snapshot (fun(self): table, table?)? what a checkpoint keeps: numbers, texts and booleans; then tensors
---@field restore (fun(self, values: table, tensors: table, state: moonglass.State))? takes back what snapshot gave

---Write a picture after each epoch: epoch_001.png, epoch_002.png and so on. It shows rows above their reconstructions.
---@param dir string a folder that exists
---@param x moonglass.Tensor [rows x in], where rows are images
---@return moonglass.Callback callback
function moon.callbacks.reconstructions(dir, x) end

---Show rows above their reconstructions on a terminal, redrawn in place after epochs. Elsewhere it does nothing.
---@param x moonglass.Tensor [rows x h*w], or [rows x h x w]
---@param options moonglass.LiveOptions?
---@return moonglass.Callback callback
function moon.callbacks.show(x, options) end

---Options of `moon.callbacks.progress`.
---@class moonglass.ProgressOptions
---@field bar boolean? default true: a bar that is redrawn; false: one line per epoch
---@field terminal boolean? is the output a terminal? Detected if not given
---@field write (fun(text: string))? writes the text; default: the function of `moon.set_log`, or standard output
---@field clock (fun(): number)? default `moon.clock`: seconds

---A progress bar on a terminal, one line per epoch elsewhere. The option `verbose` of `fit` adds it.
---@param options moonglass.ProgressOptions?
---@return moonglass.Callback callback
function moon.callbacks.progress(options) end

---Options of `moon.callbacks.step_decay`.
---@class moonglass.StepDecayOptions
---@field every integer required: the number of epochs between changes
---@field factor number required, above 0

---Multiply the learning rate by `factor` after every `every` epochs: base factor^floor((epoch - 1) / every). The base
---rate returns at the end of the training.
---@param options moonglass.StepDecayOptions
---@return moonglass.Callback callback
function moon.callbacks.step_decay(options) end

---Options of `moon.callbacks.cosine`.
---@class moonglass.CosineOptions
---@field epochs integer required: the rate reaches lr_min in the epoch after these and stays there
---@field lr_min number? default 0, at least 0
---@field warmup integer? default 0: epochs in which the rate first rises to the base rate; fewer than `epochs`

---Lower the learning rate along half a cosine (Loshchilov and Hutter 2017, arXiv 1608.03983, equation 5), after a
---linear warmup (Goyal et al. 2017, arXiv 1706.02677). The base rate returns at the end of the training.
---@param options moonglass.CosineOptions
---@return moonglass.Callback callback
function moon.callbacks.cosine(options) end

---Options of `moon.callbacks.reduce_on_plateau`.
---@class moonglass.ReduceOnPlateauOptions
---@field monitor moonglass.Figure? default "val_loss": or the name of a metric, `val_NAME` of the validation rows
---@field mode moonglass.MonitorMode? default "auto": "max" for accuracies, and names with auc, f1 and the like
---@field factor number? default 0.1, above 0 and below 1
---@field patience integer? default 10: epochs in a row without a better value before the rate falls
---@field min_delta number? default 1e-4: a value is better if it is by more than |min_delta|
---@field cooldown integer? default 0: epochs after a change in which patience does not count
---@field lr_min number? default 0: the lowest rate

---Multiply the learning rate by `factor` when the monitored value no longer improves: Keras's ReduceLROnPlateau. The
---last rate stays at the end of the training.
---@param options moonglass.ReduceOnPlateauOptions?
---@return moonglass.Callback callback
function moon.callbacks.reduce_on_plateau(options) end

---Set the learning rate before each epoch by a function of the epoch and of the current rate: Keras's
---LearningRateScheduler, but the epoch counts from 1. The last rate stays at the end of the training.
---@param f fun(epoch: integer, lr: number): number
---@return moonglass.Callback callback
function moon.callbacks.learning_rate(f) end

---Options of `moon.callbacks.warm_up`.
---@class moonglass.WarmUpOptions
---@field from number? default 0: the value in the first epoch
---@field to number? default 1: the value after these epochs
---@field epochs integer? default 10: so many steps lead to `to`, which the epoch after them has first

---Lead an option of a layer or of an optimiser from one value to another, in equal steps before each epoch: the factor
---of a variational autoencoder's divergence (`beta`), the strength of noise, a learning rate. The last value stays at
---the end of the training. The object is a layer or its number in the net, an optimiser, or "optimizer" for that of
---`fit`; a number suits a resumed training, which has a new net.
---@param object moonglass.Layer|moonglass.LuaLayer|moonglass.AnyOptimizer|integer|"optimizer" whose option it is
---@param option string an option that may be set: "beta", "sigma", "lr"
---@param options moonglass.WarmUpOptions?
---@return moonglass.Callback callback
function moon.callbacks.warm_up(object, option, options) end

-- ---- moon.checkpoint ----

---Checkpoints as files.
---@class moonglass.checkpoint
moon.checkpoint = {}

---All that a training needs to continue bit for bit. The option `resume` of `fit` takes it.
---@class moonglass.Checkpoint
---@field net moonglass.Net|moonglass.Autoencoder
---@field opt moonglass.Optimizer?
---@field epoch integer the number of epochs done
---@field seed integer?
---@field history moonglass.History?
---@field callbacks table? what callbacks remember; to `save`, a list of callbacks

---Load the newest of path, path.1, path.2 and so on that is intact.
---@param path string the path given to `moon.callbacks.checkpoint` with `keep`
---@param net moonglass.Net? as for `load`
---@return moonglass.Checkpoint? checkpoint nil if there is none
---@return string[]|string? skipped messages on newer files that could not be loaded; with nil, the reason
---@return moonglass.Code? code
function moon.checkpoint.latest(path, net) end

---Load a checkpoint. A net that is given is filled, and becomes the checkpoint's; on failure it is as it was. It must
---have been made by the same code. A net with layers written in Lua must be given, because files hold no code.
---@param path string
---@param net moonglass.Net?
---@return moonglass.Checkpoint? checkpoint nil if the file cannot be read or is not a checkpoint
---@return string? message
---@return moonglass.Code? code
function moon.checkpoint.load(path, net) end

---Load a checkpoint from the bytes of its file, which another process may have read.
---@param bytes string
---@param net moonglass.Net? as for `load`
---@return moonglass.Checkpoint? checkpoint nil if the bytes are not a checkpoint
---@return string? message
---@return moonglass.Code? code
function moon.checkpoint.load_bytes(bytes, net) end

---Save a checkpoint. Writing is atomic: the file is complete, or as it was.
---@param path string
---@param state moonglass.Checkpoint|moonglass.State net, and optionally opt, epoch, seed, history, callbacks
---@return true? ok nil if it cannot be written
---@return string? message
---@return moonglass.Code? code
function moon.checkpoint.save(path, state) end

-- ---- moon.autoencoder ----

---Autoencoders. `moon.autoencoder{encoder = {...}, decoder = {...}, noise = layer}` makes one of given layers.
---@class moonglass.autoencoder
---@overload fun(options: moonglass.AutoencoderOptions): moonglass.Autoencoder
moon.autoencoder = {}

---Options of `moon.autoencoder`.
---@class moonglass.AutoencoderOptions
---@field encoder moonglass.AnyLayer[]|moonglass.Net required: a list of layers, or a net
---@field decoder moonglass.AnyLayer[]|moonglass.Net required: a list of layers, or a net
---@field noise moonglass.AnyLayer? before the encoder, active in training only; the target stays the clean x

---An autoencoder of given layers: what `moon.autoencoder{...}` calls.
---@param options moonglass.AutoencoderOptions
---@return moonglass.Autoencoder autoencoder
function moon.autoencoder.build(options) end

---Options of every autoencoder that is made from sizes.
---@class moonglass.SizesOptions
---@field input integer required: the width of a row
---@field activation moonglass.ActivationName? default "relu": the activation of the hidden layers
---@field output moonglass.ActivationName? default "sigmoid": the activation of the last layer
---@field init moonglass.InitName? default "glorot_uniform": the initialiser of the weights
---@field tied boolean? default false: the decoder uses the encoder's weights, transposed

---Options of `moon.autoencoder.plain`.
---@class moonglass.PlainOptions: moonglass.SizesOptions
---@field hidden integer required: the width of the code
---@field code_activation moonglass.ActivationName? the activation of the code; `activation` if not given
---@field contractive number? default 0: weight of the penalty on the squared derivatives of the code by its inputs

---Options of `moon.autoencoder.deep`.
---@class moonglass.DeepOptions: moonglass.SizesOptions
---@field hidden integer|integer[] required: the widths of the layers before the code; the decoder mirrors them
---@field code integer required: the width of the code
---@field code_activation moonglass.ActivationName? the activation of the code; `activation` if not given
---@field contractive number? default 0: weight of the penalty on the squared derivatives of the code by its inputs

---Options of `moon.autoencoder.denoising`.
---@class moonglass.DenoisingOptions: moonglass.SizesOptions
---@field noise moonglass.AnyLayer required: for example `moon.gaussian_noise(0.4, {clip = {0, 1}})`
---@field hidden integer|integer[] required: the widths of the hidden layers; without `code` the last is the code's
---@field code integer? the width of the code
---@field code_activation moonglass.ActivationName? the activation of the code; `activation` if not given

---One hidden layer, which is the code: `moon.autoencoder.plain{input = 784, hidden = 32}`.
---@param options moonglass.PlainOptions
---@return moonglass.Autoencoder autoencoder
function moon.autoencoder.plain(options) end

---Hidden layers on both sides of the code: `moon.autoencoder.deep{input = 784, hidden = {128}, code = 32}`.
---@param options moonglass.DeepOptions
---@return moonglass.Autoencoder autoencoder
function moon.autoencoder.deep(options) end

---Plain or deep, after a noise layer that is active in training only. The target stays the clean x.
---@param options moonglass.DenoisingOptions
---@return moonglass.Autoencoder autoencoder
function moon.autoencoder.denoising(options) end

---Options of `moon.autoencoder.variational`.
---@class moonglass.VariationalOptions
---@field input integer required: the width of a row
---@field hidden integer|integer[] required: the widths of the layers before the code; the decoder mirrors them
---@field code integer required: the width of the code
---@field beta number? default 1, at least 0: weight of the divergence from the standard normal distribution
---@field activation moonglass.ActivationName? default "relu": the activation of the hidden layers
---@field output moonglass.ActivationName? default "sigmoid": the activation of the last layer
---@field init moonglass.InitName? default "glorot_uniform": the initialiser of the weights

---A variational autoencoder (Kingma and Welling 2014): the encoder gives means and log variances, and the layer
---`moon.gaussian_code` draws the code from them, as in
---`moon.autoencoder.variational{input = 784, hidden = {400}, code = 20}`.
---@param options moonglass.VariationalOptions
---@return moonglass.Variational autoencoder
function moon.autoencoder.variational(options) end

---Options of `moon.autoencoder.sparse`. There are three kinds of sparsity: l1, kl_weight and k. Options of two kinds
---raise.
---@class moonglass.SparseOptions: moonglass.SizesOptions
---@field hidden integer|integer[] required: the widths of the hidden layers; without `code` the last is the code's
---@field code integer? the width of the code
---@field l1 number? default 1e-5, used if no kind is given: weight of the penalty on the sum of absolute outputs
---@field reduction "batchmean"|"sum"? default "batchmean": that penalty is averaged over the rows, or summed
---@field layers "code"|"encoder"|"all"|integer[]? default "code": the penalised layers, or a list of their numbers
---@field kl_weight number? weight of the penalty that draws the mean of each code element over the batch to kl_target
---@field kl_target number? default 0.05, above 0 and below 1
---@field k integer? only the k largest elements of each code are kept
---@field code_activation moonglass.ActivationName? "sigmoid" with kl_weight, "linear" with k, else `activation`

---Plain or deep, with a code made sparse in one of three ways. The penalty l1 is for the code; with `layers =
---"encoder"` also for the hidden layers before it, with "all" for every hidden layer, with a list like {1, 3} for these
---dense layers.
---@param options moonglass.SparseOptions
---@return moonglass.Autoencoder autoencoder
function moon.autoencoder.sparse(options) end

---Make a net an autoencoder whose first layers are the encoder.
---@param net moonglass.Net
---@param layers integer the number of layers of the encoder
---@return moonglass.Autoencoder net the same net
function moon.autoencoder.adopt(net, layers) end

---Make a net an autoencoder if its `encoder_layers` is not 0.
---@param net moonglass.Net
---@return moonglass.Net|moonglass.Autoencoder net the same net
function moon.autoencoder.restore(net) end

-- ---- Autoencoder ----

---A net with names for its two halves. The target of `ae:fit(x, options)` is x.
---@class moonglass.Autoencoder: moonglass.Net
---@field encoder moonglass.Net the layers up to the code, noise included; it shares the parameters
---@field decoder moonglass.Net the layers after the code; it shares the parameters
local Autoencoder = {}

---The code of each row.
---@param x moonglass.Tensor|moonglass.Source [rows x in]
---@param options moonglass.BatchOptions?
---@return moonglass.Tensor code [rows x code]
function Autoencoder:encode(x, options) end

---The rows that the codes stand for.
---@param code moonglass.Tensor|moonglass.Source [rows x code]
---@param options moonglass.BatchOptions?
---@return moonglass.Tensor x [rows x out]
function Autoencoder:decode(code, options) end

---The reconstruction of each row: decode(encode(x)).
---@param x moonglass.Tensor|moonglass.Source [rows x in]
---@param options moonglass.BatchOptions?
---@return moonglass.Tensor reconstruction [rows x out]
function Autoencoder:reconstruct(x, options) end

-- ---- Variational ----

---An autoencoder whose code is drawn from normal distributions in training, and is their means otherwise. If it ends
---with sigmoid, its loss is `moon.bce{reduction = "batchmean"}` unless `fit` or `evaluate` get another one.
---@class moonglass.Variational: moonglass.Autoencoder
local Variational = {}

---The distribution of each row's code: means, and logarithms of variances.
---@param x moonglass.Tensor|moonglass.Source [rows x in]
---@param options moonglass.BatchOptions?
---@return moonglass.Tensor mean [rows x code], the code in inference
---@return moonglass.Tensor log_variance [rows x code]
function Variational:encode(x, options) end

---The rows that the codes stand for. Log variances behind the code change nothing: `ae:decode(ae:encode(x))`.
---@param code moonglass.Tensor|moonglass.Source [rows x code]
---@param options moonglass.BatchOptions|moonglass.Tensor?
---@return moonglass.Tensor x [rows x out]
function Variational:decode(code, options) end

---Rows that no row stands behind: codes drawn from the standard normal distribution, decoded.
---@param n integer how many, at least 1
---@return moonglass.Tensor x [n x out]
function Variational:sample(n) end

-- ---- Detector ----

---Nets that tell rows unlike those they were trained on, with all that belongs to their data. `moon.detector` makes it.
---@class moonglass.Detector
---@field threshold number? rows with a higher score are alarms; it can be set
---@field columns string[] the names of the columns
---@field categories table<string, string[]> the columns that were texts, and their values
---@field width integer the number of columns
---@field net moonglass.Net the first net
---@field nets moonglass.Net[]
---@field scaler table? {offset = number[], scale = number[]}
---@field score "mean"|"max"|"scaled"
---@field missing "skip"|"fill"|"refuse"
---@field spread number[]? the usual error of each column
---@field low number[]? the smallest number of the training data
---@field high number[]? the largest one
---@field margin number in ranges
---@field quantile number? of the scores of `rows` rows, from which the threshold came
---@field rows integer?
local Detector = {}

---How unlike the training data each row is: by the detector's `score`, the mean of the squared errors of its columns,
---the largest, or the mean of errors that are divided by each column's `spread`; with several nets the mean of theirs.
---NaN for a row that has nothing but NaN.
---@param x moonglass.Tensor|moonglass.Source [rows x width], not scaled; float32 or bytes, which count as value/255
---@return moonglass.Tensor scores [rows]
function Detector:scores(x) end

---Each column's error, of which the score is made: squared, in scaled units; 0 for a missing cell.
---@param x moonglass.Tensor|moonglass.Source [rows x width], not scaled
---@return moonglass.Tensor features [rows x width]
function Detector:features(x) end

---How many cells of each row lie far outside the training data: by more than `margin` times its range. A net can
---rebuild such a row well, and give it a low score. Infinities are outside.
---@param x moonglass.Tensor|moonglass.Source [rows x width], not scaled
---@return moonglass.Tensor counts [rows]
function Detector:outside(x) end

---1 for each row whose score is above the threshold, or NaN, or that has a cell outside; else 0.
---@param x moonglass.Tensor|moonglass.Source [rows x width], not scaled
---@return moonglass.Tensor alarms [rows]
function Detector:alarms(x) end

---What a column has to do with a row's score.
---@class moonglass.Reason
---@field name string of the column
---@field index integer of the column, from 1
---@field value number as it came; NaN if it is missing
---@field expected number what the nets make of the row, in the same unit
---@field share number of the sum of all errors, 0 to 1
---@field outside boolean does it lie far outside the training data?

---Where a row's score comes from: its columns, first those far outside the training data, then the others, each by
---falling share.
---@param row moonglass.Tensor|number[] [width] or [1 x width], not scaled
---@param count integer? how many columns; all if not given
---@return moonglass.Reason[] reasons
function Detector:explain(row, count) end

---The bytes of the file that `save` writes. `moon.load_bytes` reads them.
---@return string bytes
function Detector:bytes() end

---Options of `detector:calibrate`.
---@class moonglass.CalibrateOptions
---@field quantile number? default 0.99, above 0 and below 1: the share of normal rows below the threshold

---Set the threshold to a quantile of the scores of normal rows, which the nets must not have learnt: the
---median-unbiased quantile (Hyndman and Fan 1996, definition 8). With the score "scaled" also the spread. Fewer than
---10 / (1 - quantile) rows make a rough threshold, and a warning. Rows of nothing but NaN do not count.
---@param held_out moonglass.Tensor|moonglass.Source [rows x width], not scaled
---@param options moonglass.CalibrateOptions?
---@return moonglass.Calibration calibration
function Detector:calibrate(held_out, options) end

---How a detector got its threshold.
---@class moonglass.Calibration
---@field quantile number
---@field rows integer that were held out
---@field rate number the share of them that are alarms, also by the range of the training data
---@field interval number[] {low, high}: 95 % for the rate of other normal rows (Wilson 1927)

---How the detector got its threshold; nil if it was not calibrated, or its threshold was set since. Its file keeps it.
---@return moonglass.Calibration? calibration
function Detector:calibration() end

---Save the detector as one safetensors file: the net as `net:save` writes it, so that others who read nets still read
---it, and the rest as a text. `moon.load` reads it. Writing is atomic.
---@param path string
---@return true? ok nil if it cannot be written
---@return string? message
---@return moonglass.Code? code
function Detector:save(path) end

---Options of `detector:update`.
---@class moonglass.UpdateOptions
---@field lr number? default 0.0005, above 0: the learning rate of Adam
---@field rate number? default 0.02, above 0: how fast the threshold follows, in its logarithm for a row above it
---@field gross number? default 4, above 0: a row with a score of more than so many thresholds is a fault, not drift
---@field quantile number? above 0 and below 1: that of the calibration if not given, else 0.99

---Judge rows, and then follow slow drift: rows that are no alarms teach the nets by a step of Adam for 256 of them, and
---the threshold stays the quantile of the scores of rows that are no faults. Give the rows once, in their order.
---Scaling and the range of the training data stay as they are, and so does what `calibration` tells.
---@param x moonglass.Tensor|moonglass.Source [rows x width], not scaled
---@param options moonglass.UpdateOptions?
---@return moonglass.Tensor alarms [rows], before the rows were learnt
function Detector:update(x, options) end

-- ---- moon.png ----

---PNG files.
---@class moonglass.png
moon.png = {}

---Decode a PNG in memory.
---@param bytes string
---@return moonglass.Tensor? picture as `moon.png.read` returns it; nil if the bytes are not a PNG
---@return string? message
---@return moonglass.Code? code
function moon.png.decode(bytes) end

---Encode a picture as a PNG in memory.
---@param picture moonglass.Tensor uint8 [height x width] or [height x width x channels]
---@return string bytes
function moon.png.encode(picture) end

---Read a PNG file.
---@param path string
---@return moonglass.Tensor? picture uint8 [height x width] or [height x width x channels]; nil if it cannot be read
---@return string? message
---@return moonglass.Code? code
function moon.png.read(path) end

---Write a PNG file. Writing is atomic: the file is complete, or as it was.
---@param path string
---@param picture moonglass.Tensor uint8 [height x width] or [height x width x channels], as `moon.image` makes it
---@return true? ok nil if it cannot be written
---@return string? message
---@return moonglass.Code? code
function moon.png.write(path, picture) end

-- ---- moon.safetensors ----

---Safetensors files, ours and those of other programs.
---@class moonglass.safetensors
moon.safetensors = {}

---Read all tensors of a safetensors file in memory.
---@param bytes string
---@return table<string, moonglass.Tensor>? tensors nil if the bytes are not such a file
---@return table<string, string>|string metadata the file's texts; or the message
---@return string[]|moonglass.Code names the tensors' names in the file's order; or the code
function moon.safetensors.decode(bytes) end

---The bytes of the file that `moon.safetensors.save` writes.
---@param tensors table<string, moonglass.Tensor>
---@param metadata table<string, string>?
---@return string bytes
function moon.safetensors.encode(tensors, metadata) end

---Read all tensors of a file. Floats of 16 and 64 bits become float32. Tensors of 1 MB or more of float32 or bytes are
---mapped, not copied: they may be larger than memory.
---@param path string
---@return table<string, moonglass.Tensor>? tensors nil if it cannot be read
---@return table<string, string>|string metadata the file's texts; or the message
---@return string[]|moonglass.Code names the tensors' names in the file's order; or the code
function moon.safetensors.load(path) end

---Write tensors, in the order of their names. Writing is atomic: the file is complete, or as it was.
---@param path string
---@param tensors table<string, moonglass.Tensor>
---@param metadata table<string, string>?
---@return true? ok nil if it cannot be written
---@return string? message
---@return moonglass.Code? code
function moon.safetensors.save(path, tensors, metadata) end

-- ---- Scaler ----

---An offset and a scale for each column: z = (x - offset) / scale. `moon.scaler` makes it.
---@class moonglass.Scaler
---@field method "standard"|"minmax"|"robust"
---@field width integer the number of columns
---@field offset number[] for each column; each access makes a new list
---@field scale number[] above 0; 1 for a constant column and for one of nothing but NaN
---@field low number[] the smallest number seen; NaN if there was none
---@field high number[] the largest number seen
---@field count integer[] how many numbers were there, without NaN
local Scaler = {}

---Options of `moon.scaler`.
---@class moonglass.ScalerOptions
---@field method "standard"|"minmax"|"robust"? default "standard"

---An offset and a scale for each column, from rows: `s:apply(x)` is (x - offset) / scale. NaN are missing numbers: they
---are not counted, and stay NaN. A constant column has the scale 1; a column of nothing but NaN has the offset 0 and
---the scale 1. An infinity is an error. The methods: "standard" takes the mean and the standard deviation, "minmax" the
---minimum and the range, "robust" the median and the interquartile range / 1.349, which is the deviation of normal
---numbers (where the quartiles are equal: the deviation). The rows are read once, by "robust" twice; those of a source
---are never in memory as a whole.
---@param x moonglass.Tensor|moonglass.Source [rows x width], float32 or bytes, which count as value/255
---@param options moonglass.ScalerOptions?
---@return moonglass.Scaler scaler
function moon.scaler(x, options) end

---The scaled rows: (x - offset) / scale, in double, then rounded to float32. NaN stay NaN. Of a source: a source, which
---scales what it reads.
---@param x moonglass.Tensor|moonglass.Source [rows x width], float32 or bytes, which count as value/255
---@return moonglass.Tensor|moonglass.Source z [rows x width]
function Scaler:apply(x) end

---The rows in their own units again: z * scale + offset.
---@param z moonglass.Tensor|moonglass.Source [rows x width]
---@return moonglass.Tensor|moonglass.Source x [rows x width]
function Scaler:invert(z) end

-- ---- Source ----

---Rows that are gathered or read when they are needed: windows over a series (`t:windows(n, step)`), or what a function
---reads (`moon.source{...}`). `#s` is the number of rows. fit, evaluate, predict, encode, reconstruct and errors take
---it in place of a tensor, for x and for targets.
---@class moonglass.Source
---@field shape integer[] {rows, width}
---@field dtype "float32"
---@operator len: integer
local Source = {}

---Options of `moon.source`.
---@class moonglass.SourceOptions
---@field rows integer required: how many rows there are
---@field width integer required: elements of a row
---@field read fun(first: integer, n: integer): moonglass.Tensor required: gives rows first to first + n - 1, float32
---@field block integer? rows that are read at a time: n is at most that; default: as many as 2 MB hold

---Rows that need not be in memory at once: `read` is called for a block of them when a batch needs it, and must give
---the same rows each time. Blocks are cut at multiples of `block`, and no call crosses their borders.
---@param options moonglass.SourceOptions
---@return moonglass.Source source
function moon.source(options) end

---Copies of rows first to first + n - 1. They are read now, and not kept.
---@param first integer
---@param n integer
---@return moonglass.Tensor rows [n x width] float32
function Source:batch(first, n) end

---The source of rows i to j, both included.
---@param i integer the first row
---@param j integer? default i: the last row
---@return moonglass.Source part
function Source:rows(i, j) end

---The number of rows (1), or their width (2).
---@param i integer
---@return integer size
function Source:size(i) end

-- ---- moon.data ----

---Data sets.
---@class moonglass.data
moon.data = {}

---Options of `moon.data.csv`.
---@class moonglass.CsvOptions
---@field header boolean|"auto"? has the first line names? If not given: yes, if one of its cells is no number
---@field delimiter string? default "auto": a tab, else ";", else ",", else "|", whichever the first line has
---@field decimal "."|","|"auto"? default "auto": "." with delimiter ",", else as in the first number that has either
---@field columns (string|integer)[]? which, in this order, by name or number; if not given: all but the label
---@field ignore (string|integer)[]? in place of `columns`: which not, such as times and notes
---@field like moonglass.Detector|moonglass.CsvInfo? a detector, or `info` of another file: its columns and texts
---@field label string|integer? a column of labels: numbers, or texts, which become class numbers from 0
---@field classes string[]? `info.classes` of another file: the texts of the labels from class 0
---@field categorical table? columns of texts, to be columns of 0 and 1: names, or `info.categories` of another file
---@field missing string[]? texts of cells without a number; if not given: "", "NA", "nan" and "?"
---@field rows integer[]? {from, to}: only these rows, from 1
---@field stream boolean? default false; true: x is a source, so that the file may be larger than memory

---What `moon.data.csv` tells of a file.
---@class moonglass.CsvInfo
---@field columns string[] the names of the columns of x; "color=red" for a text of a categorical one
---@field labels moonglass.Tensor|moonglass.Source? float32 [n]: the labels, NaN where missing; a source if x is one
---@field classes string[]? the names of the classes from 0, if the labels are texts
---@field categories table<string, string[]> the texts of each categorical column
---@field missing integer how many cells were missing
---@field header boolean did the first line have names?

---Read a CSV file, plain or gzipped: `x, info = assert(moon.data.csv("sensors.csv", {label = "fault"}))`. Cells that
---are missing are NaN. A cell that is no number, or one that could be two, is an error with its place: `ignore` leaves
---a column out, `categorical` makes columns of 0 and 1 of its texts. With `stream = true` the file is read once to
---check it, and then block by block whenever rows are needed; it must not be gzipped.
---@param path string
---@param options moonglass.CsvOptions?
---@return moonglass.Tensor|moonglass.Source? x float32 [n x d]; nil if the file cannot be read
---@return moonglass.CsvInfo|string info or the message
---@return moonglass.Code? code
function moon.data.csv(path, options) end

---Options of `moon.data.images`.
---@class moonglass.ImagesOptions
---@field size any? {height, width} of the rows, or one number for both: pictures are stretched; nil: all have one size
---@field gray boolean? default true: grey, one byte a pixel. Otherwise RGB, three
---@field invert boolean? default false: bytes as they are. Otherwise 255 minus each, for dark ink on white

---What `moon.data.images` tells about its rows.
---@class moonglass.ImagesInfo
---@field names string[] the pictures' paths in the folder, one for each row
---@field labels moonglass.Tensor? class numbers [n] from 0; nil if there are no folders of classes
---@field classes string[]? the folders' names, sorted by bytes: class c is classes[c + 1]
---@field skipped string[] files that are no pictures
---@field height integer
---@field width integer
---@field channels integer 1 or 3

---Read a folder of PNGs, or one PNG, as rows of bytes. Rows are sorted by the files' names. If the pictures lie in
---folders in that folder, these are classes. Hidden files are left out, and so are files that are no pictures; a
---picture of another format than PNG is an error that says how to convert it. Each pixel of a row is the average of the
---area that it covers in the picture. Transparent pixels lie on white; grey is 0.299 R + 0.587 G + 0.114 B.
---@param folder string
---@param options moonglass.ImagesOptions?
---@return moonglass.Tensor? x uint8 [n x height*width], with RGB [n x height*width*3]; nil if it cannot be read
---@return moonglass.ImagesInfo|string info or the message
---@return moonglass.Code? code
function moon.data.images(folder, options) end

---Read an IDX file, plain or gzipped, as a tensor of the file's shape. Bytes stay bytes.
---@param path string
---@return moonglass.Tensor? tensor nil if it cannot be read
---@return string? message
---@return moonglass.Code? code
function moon.data.idx(path) end

---Read an NPY file, numpy's format, as a tensor of the file's shape: every type of numbers, either order of bytes and
---of indices. Bytes (`uint8`) stay bytes; all others become float32, which rounds whole numbers beyond 2^24. 1 MB or
---more of float32 or bytes in C's order is mapped, not copied: it may be larger than memory.
---@param path string
---@return moonglass.Tensor? tensor nil if it cannot be read
---@return string? message
---@return moonglass.Code? code
function moon.data.npy(path) end

---The folder that `moon.data.mnist` would read, and a description of its content.
---@param folder string?
---@param name "MNIST"|"Fashion-MNIST"? accept only this set: the first place that has it, or the given folder
---@return string? folder nil if there is none
---@return string description for example "MNIST in data/mnist"; or the message
---@return moonglass.Code? code
function moon.data.find(folder, name) end

---The class names of the set that `moon.data.find` finds: "0" to "9", or "T-shirt/top", "Trouser", ...
---@param folder string?
---@return string[]? names from class 0; nil if they are not known or there is no set
function moon.data.classes(folder) end

---MNIST, or another set in its four IDX files, plain or gzipped: `assert(moon.data.mnist("train"))`. Without a folder,
---the environment's MOONGLASS_DATA names it; else it is data/mnist, in the current folder or in the source tree; else
---Debian's Fashion-MNIST. Plain files are mapped, not read. In a session (`moon.interactive`) the first call prints
---which set it found.
---@param folder string?
---@param split moonglass.Split
---@return moonglass.Tensor? images uint8 [n x 784], one image per row; nil if there is no such set
---@return moonglass.Tensor|string labels uint8 [n], from 0; or the message
---@return moonglass.Code? code
---@overload fun(split: moonglass.Split): moonglass.Tensor?, moonglass.Tensor|string, moonglass.Code?
function moon.data.mnist(folder, split) end

---Options of every set of drawn points.
---@class moonglass.PointsOptions
---@field n integer? default 100: points per class
---@field seed integer? drawn from the stream of `moon.seed` if not given

---Options of `moon.data.spirals`.
---@class moonglass.SpiralsOptions: moonglass.PointsOptions
---@field classes integer? default 3, at most 256
---@field noise number? default 0.2, at least 0: standard deviation of the angle

---Points in the plane along spirals, as in CS231n's lecture: each goes from the origin to radius 1, over 4 radians.
---@param options moonglass.SpiralsOptions?
---@return moonglass.Tensor x [n * classes x 2], class after class
---@return moonglass.Tensor y uint8 [n * classes], from 0
function moon.data.spirals(options) end

---Options of `moon.data.circles`.
---@class moonglass.CirclesOptions: moonglass.PointsOptions
---@field classes integer? default 2, at most 256
---@field noise number? default 0.05, at least 0: standard deviation of each coordinate

---Points in the plane on rings around the origin, the last of radius 1.
---@param options moonglass.CirclesOptions?
---@return moonglass.Tensor x [n * classes x 2], class after class
---@return moonglass.Tensor y uint8 [n * classes], from 0
function moon.data.circles(options) end

---Options of `moon.data.blobs`.
---@class moonglass.BlobsOptions: moonglass.PointsOptions
---@field classes integer? default 3, at most 256
---@field noise number? default 0.2, at least 0: standard deviation of each coordinate

---Points in the plane in clouds around centres on the unit circle.
---@param options moonglass.BlobsOptions?
---@return moonglass.Tensor x [n * classes x 2], class after class
---@return moonglass.Tensor y uint8 [n * classes], from 0
function moon.data.blobs(options) end

-- ---- moon.onnx ----

---ONNX files, for other runtimes.
---@class moonglass.onnx
moon.onnx = {}

---Options of `moon.onnx.export` and `moon.onnx.encode`.
---@class moonglass.OnnxOptions
---@field opset integer? default 17, 11 to 23: the version of ONNX's operators
---@field name string? default "moonglass": the graph's name

---A net's inference, without dropout and noise, as the bytes of an ONNX file. It maps "input" [batch x in] to "output"
---[batch x out]. Batch normalisation is folded, as by `net:fold()`. Of a detector: all that it does to raw rows.
---"input" [batch x columns], in which NaN is a missing number, becomes "scores" [batch], "features" [batch x columns]
---and, with a threshold, "alarms" [batch], 1 or 0. The model's metadata has the threshold and the names of the columns:
---"threshold", "column.1" and so on. An ONNX model cannot refuse a row: where the detector refuses missing numbers,
---their row has the score infinity.
---@param net moonglass.Net|moonglass.Detector of native layers
---@param options moonglass.OnnxOptions?
---@return string? bytes nil if they would reach 2 GB or the net has a layer written in Lua
---@return string? message
---@return moonglass.Code? code
function moon.onnx.encode(net, options) end

---Write a net or a detector as an ONNX file, the bytes of `moon.onnx.encode`.
---@param path string
---@param net moonglass.Net|moonglass.Detector of native layers
---@param options moonglass.OnnxOptions?
---@return true? ok nil if it cannot be written, would reach 2 GB or has a layer written in Lua
---@return string? message
---@return moonglass.Code? code
function moon.onnx.export(path, net, options) end

-- ---- moon.npy ----

---NPY files, numpy's format of one array.
---@class moonglass.npy
moon.npy = {}

---Read an NPY file, numpy's format. `moon.data.npy` is the same.
---@param path string
---@return moonglass.Tensor? tensor nil if it cannot be read
---@return string? message
---@return moonglass.Code? code
function moon.npy.load(path) end

---Write a tensor as NPY, numpy's format: float32 as `<f4`, bytes as `|u1`. Writing is atomic: the file is complete, or
---as it was.
---@param path string
---@param tensor moonglass.Tensor
---@return true? ok nil if it cannot be written
---@return string? message
---@return moonglass.Code? code
function moon.npy.save(path, tensor) end

-- ---- moon.detector ----

---Detectors: nets that find rows unlike those they were trained on.
---@class moonglass.detector
---@overload fun(net: moonglass.Net|moonglass.Net[], options?: moonglass.DetectorOptions): moonglass.Detector
moon.detector = {}

---Options of `moon.detector.fit`.
---@class moonglass.DetectorFitOptions
---@field columns string[]? the names of the columns
---@field categories table<string, string[]>? the columns that were texts, and their values
---@field scaler "standard"|"minmax"|"robust"? default "standard": how columns are scaled
---@field score "mean"|"max"|"scaled"? default "mean": what is made of a row's squared errors
---@field missing "skip"|"fill"|"refuse"? default "skip": what NaN is in the rows to be scored
---@field quantile number? default 0.99, above 0 and below 1: the share of normal rows below the threshold
---@field ensemble integer? default 1: the number of nets, whose scores are averaged
---@field hidden integer? default 256: units of a net
---@field activation moonglass.ActivationName? default "tanh": of these units
---@field noise number? default 0.3, above 0: deviation of the noise in the training, in scaled units
---@field epochs integer? at most; if not given, as many as `steps` need
---@field steps integer? at most, but 3 epochs; if not given, 6000, or fewer for more than 120 columns
---@field batch_size integer? 32 to 256, growing with the number of rows
---@field lr number? default 0.002, above 0: the learning rate of Adam
---@field seed integer? restarts the stream of `moon.seed`, from which all is drawn
---@field verbose 0|1|2? default 0: as in `fit`, for each net
---@field threads integer? worker threads of the training

---A detector of rows like x, ready to score: scaling, one or several denoising nets with early stopping, and the
---threshold are made from x, which should be normal rows: a strange one may be learnt. Of up to 20,000 rows, if a fifth
---would be too few for the threshold, each is held out once, by nets of five folds; else a part at the end of the mixed
---rows. Rows of a source keep their order. NaN is a missing number. The same seed and number of threads give the same
---detector.
---@param x moonglass.Tensor|moonglass.Source [rows x width], not scaled
---@param options moonglass.DetectorFitOptions?
---@return moonglass.Detector detector
function moon.detector.fit(x, options) end

---A detector of trained nets, whose outputs are as wide as their inputs: it takes rows as they come, scales them, and
---says how badly the nets rebuild them. With several nets the score is the mean of theirs. The same is
---`moon.detector(net, options)`.
---@param net moonglass.Net|moonglass.Net[]
---@param options moonglass.DetectorOptions?
---@return moonglass.Detector detector
function moon.detector.build(net, options) end

-- ---- moon.dictionary ----

---Sparse coding. `moon.dictionary(x, options)` is `moon.dictionary.learn(x, options)`.
---@class moonglass.dictionary
---@overload fun(x: moonglass.Tensor, options: moonglass.DictionaryOptions): moonglass.Dictionary
moon.dictionary = {}

---Each element moved towards 0 by a threshold, and 0 where that would change its sign.
---@param t moonglass.Tensor
---@param threshold number
---@param nonnegative boolean? default false; true: negative elements become 0
---@return moonglass.Tensor tensor
function moon.dictionary.soft_threshold(t, threshold, nonnegative) end

---Options of `moon.dictionary.codes`.
---@class moonglass.CodesOptions
---@field l1 number required, above 0: weight of the penalty on a code's absolute values
---@field steps integer? default 50
---@field method "fista"|"ista"? default "fista", the faster one; with "ista" the objective never rises
---@field nonnegative boolean? default false; true: codes have no negative elements
---@field start moonglass.Tensor? [rows x k]: codes to start from instead of 0
---@field record boolean? default false; true: also return the objective after each step

---The objective 1/2 |x - z D|^2 + l1 |z|_1, averaged over the rows.
---@param x moonglass.Tensor [rows x width]
---@param atoms moonglass.Tensor [k x width]
---@param codes moonglass.Tensor [rows x k]
---@param l1 number
---@return number objective
function moon.dictionary.objective(x, atoms, codes, l1) end

---Codes of rows for given atoms. The objective approaches its minimum as 1/steps^2 with FISTA (Beck and Teboulle 2009),
---as 1/steps with ISTA (Daubechies, Defrise and De Mol 2004).
---@param x moonglass.Tensor [rows x width], float32 or bytes, which count as value/255
---@param atoms moonglass.Tensor [k x width]
---@param options moonglass.CodesOptions
---@return moonglass.Tensor codes [rows x k]
---@return number[]? objectives with record: after each step, averaged over the rows
function moon.dictionary.codes(x, atoms, options) end

---Options of `moon.dictionary.learn`.
---@class moonglass.DictionaryOptions
---@field atoms integer required: the number of atoms
---@field l1 number required, above 0: weight of the penalty on a code's absolute values
---@field epochs integer? default 1
---@field batch_size integer? default 256
---@field steps integer? default 50: steps of the search for codes
---@field method "fista"|"ista"? default "fista"
---@field nonnegative boolean? default false; true: codes have no negative elements (atoms may)
---@field seed integer? for the order of the rows; drawn from the stream of `moon.seed` if not given
---@field on_epoch (fun(dictionary: moonglass.Dictionary, epoch: integer))? called after each epoch

---Learn atoms for rows, by codes for a mini-batch and then atoms for these codes (Mairal, Bach, Ponce and Sapiro 2009).
---@param x moonglass.Tensor [rows x width], float32 or bytes, which count as value/255
---@param options moonglass.DictionaryOptions
---@return moonglass.Dictionary dictionary
function moon.dictionary.learn(x, options) end

-- ---- Dictionary ----

---Atoms for sparse coding. Each row is a sum of few atoms.
---@class moonglass.Dictionary
---@field atoms moonglass.Tensor [k x width], each of length 1
---@field l1 number
---@field steps integer
---@field method "fista"|"ista"
---@field nonnegative boolean
local Dictionary = {}

---Options of `dictionary:encode`, `reconstruct` and `errors`.
---@class moonglass.DictionaryBatchOptions
---@field batch_size integer? default 1024: rows at a time

---The code z of each row x, which minimises 1/2 |x - z D|^2 + l1 |z|_1.
---@param x moonglass.Tensor [rows x width], float32 or bytes, which count as value/255
---@param options moonglass.DictionaryBatchOptions?
---@return moonglass.Tensor code [rows x k]
function Dictionary:encode(x, options) end

---The rows that the codes stand for.
---@param code moonglass.Tensor [rows x k]
---@return moonglass.Tensor x [rows x width]
function Dictionary:decode(code) end

---The reconstruction of each row: decode(encode(x)).
---@param x moonglass.Tensor [rows x width]
---@param options moonglass.DictionaryBatchOptions?
---@return moonglass.Tensor reconstruction [rows x width]
function Dictionary:reconstruct(x, options) end

---The reconstruction error of each row: the mean squared difference from x.
---@param x moonglass.Tensor [rows x width]
---@param options moonglass.DictionaryBatchOptions?
---@return moonglass.Tensor errors [rows]
function Dictionary:errors(x, options) end

-- ---- Knn ----

---Rows of known classes, with which other rows are compared.
---@class moonglass.Knn
---@field x moonglass.Tensor
---@field labels moonglass.Tensor
---@field k integer
local Knn = {}

---Options of `moon.knn`.
---@class moonglass.KnnOptions
---@field k integer? default 5: the number of neighbours, at most the number of rows

---Classification by the k nearest rows (Cover and Hart 1967).
---@param x moonglass.Tensor [rows x width], at most 2^24 rows; kept, not copied. Bytes count as value/255
---@param labels moonglass.Tensor class numbers [rows], from 0
---@param options moonglass.KnnOptions?
---@return moonglass.Knn knn
function moon.knn(x, labels, options) end

---The k nearest rows of each row of x, the nearest first. Rows at the same distance are ordered by number. Distances
---are computed in double from the rows themselves, so the result is exact also far from zero.
---@param x moonglass.Tensor [n x width]
---@return moonglass.Tensor index [n x k], row numbers from 1
---@return moonglass.Tensor distance [n x k], Euclidean
function Knn:neighbours(x) end

---The class of most of the k nearest rows. In a tie the nearest row decides.
---@param x moonglass.Tensor [n x width]
---@return moonglass.Tensor classes [n], of the labels' element type
function Knn:predict(x) end

---The fraction of rows whose class is predicted.
---@param x moonglass.Tensor [n x width]
---@param labels moonglass.Tensor class numbers [n]
---@return number fraction 0 to 1
function Knn:accuracy(x, labels) end

-- ---- moon.metrics ----

---Measures of reconstructions, classifiers and scores.
---@class moonglass.metrics
moon.metrics = {}

---The mean squared error: the mean of (a - b)^2 over all elements. Bytes count as value/255. Differences are computed
---in float32, squares and sums in double.
---@param a moonglass.Tensor
---@param b moonglass.Tensor of the same shape
---@return number mse
function moon.metrics.mse(a, b) end

---Options of `moon.metrics.psnr`.
---@class moonglass.PsnrOptions
---@field peak number? default 1, above 0: the largest possible value

---The peak signal-to-noise ratio 10 log10(peak^2 / mse) in dB (Huynh-Thu and Ghanbari 2008, Electronics Letters 44). It
---is infinite for equal tensors.
---@param a moonglass.Tensor bytes count as value/255
---@param b moonglass.Tensor of the same shape
---@param options moonglass.PsnrOptions?
---@return number decibels
function moon.metrics.psnr(a, b, options) end

---The fraction of rows whose class is right.
---@param prediction moonglass.Tensor scores [rows x classes], or class numbers [rows]
---@param labels moonglass.Tensor class numbers [rows] or [rows x 1], from 0
---@return number fraction 0 to 1
function moon.metrics.accuracy(prediction, labels) end

---The confusion matrix: element (i, j) counts the rows of class i that were predicted as class j.
---@param prediction moonglass.Tensor scores [rows x classes], or class numbers [rows]
---@param labels moonglass.Tensor class numbers [rows] or [rows x 1], from 0
---@param classes integer? default the width of the scores, or one more than the largest number
---@return moonglass.Tensor counts [classes x classes]
function moon.metrics.confusion(prediction, labels, classes) end

---A ROC curve: for each threshold the fractions of rows whose score reaches it.
---@class moonglass.Roc
---@field fpr moonglass.Tensor [points]: the fractions of negative rows, 0 to 1
---@field tpr moonglass.Tensor [points]: the fractions of positive rows, 0 to 1
---@field thresholds moonglass.Tensor [points], from infinity down

---The ROC curve, from (0, 0) to (1, 1) (Fawcett 2006, An introduction to ROC analysis, algorithm 1).
---@param scores moonglass.Tensor [rows] or [rows x 1]: higher is more likely positive
---@param positive moonglass.Tensor [rows] or [rows x 1]: 1 for a positive row, else 0
---@return moonglass.Roc roc
function moon.metrics.roc(scores, positive) end

---The area under the ROC curve: the probability that a positive row scores higher than a negative one; equal scores
---count half (Hanley and McNeil 1982, Radiology 143).
---@param scores moonglass.Tensor [rows] or [rows x 1]: higher is more likely positive
---@param positive moonglass.Tensor [rows] or [rows x 1]: 1 for a positive row, else 0
---@return number area 0 to 1
function moon.metrics.auc(scores, positive) end

---The dead units: those whose output is 0 in every row. A ReLU unit that is 0 for all training rows gets no gradient
---and stays 0.
---@param outputs moonglass.Tensor [rows x units]: a layer's outputs
---@return moonglass.Tensor mask [units]: 1 for a dead unit, else 0
---@return integer count the number of dead units
function moon.metrics.dead_units(outputs) end

---The quantile: a fraction q of all values lies below it. It interpolates linearly, as numpy does by default (number 7
---of Hyndman and Fan 1996). Between an infinite and a finite value it is the infinite one; between both infinities, the
---nearer one.
---@param values moonglass.Tensor of any shape, at most 2^24 elements; bytes count by value
---@param q number|number[] 0 to 1, or a list of such numbers
---@return number|number[] value a list for a list; NaN if any value is NaN
function moon.metrics.quantile(values, q) end

-- ---- Pca ----

---Principal components: the linear autoencoder with k code elements that has the smallest error.
---@class moonglass.Pca
---@field mean moonglass.Tensor [width]
---@field remainder moonglass.Tensor [width]: the part of the mean that float32 cannot hold; it is subtracted, too
---@field components moonglass.Tensor [k x width], orthogonal, each of length 1, the one of largest variance first
---@field variance moonglass.Tensor [k]: the variance along each component, over n
---@field explained_ratio moonglass.Tensor [k]: the fractions of the total variance
local Pca = {}

---Principal component analysis of rows. Covariances are within 1e-6 of the largest variance of those in double
---precision, also far from zero: the mean is subtracted before squaring.
---@param x moonglass.Tensor [rows x width], float32 or bytes, which count as value/255
---@param k integer the number of components, 1 to the width
---@param options moonglass.PcaOptions?
---@return moonglass.Pca pca
function moon.pca(x, k, options) end

---Options of `moon.pca` and its methods.
---@class moonglass.PcaOptions
---@field batch_size integer? default 1024: rows at a time

---The code of each row: its coordinates along the components.
---@param x moonglass.Tensor [rows x width]
---@param options moonglass.PcaOptions?
---@return moonglass.Tensor code [rows x k]
function Pca:encode(x, options) end

---The rows that the codes stand for.
---@param code moonglass.Tensor [rows x k]
---@param options moonglass.PcaOptions?
---@return moonglass.Tensor x [rows x width]
function Pca:decode(code, options) end

---The reconstruction of each row: decode(encode(x)).
---@param x moonglass.Tensor [rows x width]
---@param options moonglass.PcaOptions?
---@return moonglass.Tensor reconstruction [rows x width]
function Pca:reconstruct(x, options) end

---The reconstruction error of each row: the mean squared difference from x.
---@param x moonglass.Tensor [rows x width]
---@param options moonglass.PcaOptions?
---@return moonglass.Tensor errors [rows]
function Pca:errors(x, options) end

-- ---- Probe ----

---A softmax regression on codes.
---@class moonglass.Probe
---@field net moonglass.Net
---@field history moonglass.History
---@field mean moonglass.Tensor [width]: the mean of the codes
---@field deviation moonglass.Tensor [width]: the standard deviation of the codes
local Probe = {}

---Options of `moon.probe`.
---@class moonglass.ProbeOptions
---@field epochs integer? default 10
---@field lr number? default 0.01, above 0
---@field batch_size integer? 128, or all rows if they are fewer
---@field seed integer? for the order of the rows; drawn from the stream of `moon.seed` if not given
---@field classes integer? one more than the largest label if not given

---Train a linear probe, which measures how well codes separate classes (Alain and Bengio 2016). It is a softmax layer,
---trained with cross-entropy and Adam, whose rate falls along a cosine. It starts at zero, so that the result depends
---on the order of the rows only.
---@param codes moonglass.Tensor [rows x width]; the probe standardises them
---@param labels moonglass.Tensor class numbers [rows], from 0
---@param options moonglass.ProbeOptions?
---@return moonglass.Probe probe
function moon.probe(codes, labels, options) end

---The probability of each class.
---@param codes moonglass.Tensor [n x width]
---@return moonglass.Tensor scores [n x classes]
function Probe:scores(codes) end

---The most likely class of each row.
---@param codes moonglass.Tensor [n x width]
---@return moonglass.Tensor classes [n], of the labels' element type
function Probe:predict(codes) end

---The fraction of rows whose class is predicted.
---@param codes moonglass.Tensor [n x width]
---@param labels moonglass.Tensor class numbers [n]
---@return number fraction 0 to 1
function Probe:accuracy(codes, labels) end

-- ---- mpi ----

---Several processes, the ranks, that run one script: `local mpi = require "moonglass.mpi"`, which initialises MPI.
---`net:fit` and `net:evaluate` take it as `distributed`; the functions are for what else ranks say to each other. All
---ranks make the same calls in the same order.
---@class moonglass.mpi
---@field rank integer the number of this process, from 0
---@field size integer how many processes there are
---@field first boolean true on rank 0
---@field host string this machine's name
---@field library string the MPI and its version: "Open MPI 4.1.4"
---@field timeout number 30, may be set: seconds until a rank that is silent, or lets others wait, ends the run
---@field reducer moonglass.Reducer for `net:set_reducer`
local mpi = {}

---Wait until all ranks are here.
function mpi.barrier() end

---End MPI, after the last call of this module. The end of the script does it, too.
function mpi.finalize() end

---Go on if `ok` is true on all ranks. Otherwise raise one error on all of them: the message of the first rank whose
---`ok` is not true, with the rank's number before it unless all give the same message.
---@param ok any false or nil: this rank has failed
---@param message string? why
function mpi.agree(ok, message) end

---Give all ranks the value of one: nil, a boolean, a number, a string, or a table of these. A tensor is written over
---the other ranks' tensor of the same shape.
---@param value any the other ranks' values do not count, except that they have a tensor for a tensor
---@param root integer? default 0: the rank whose value it is, the same on all ranks
---@return any value the tensor, or a copy of the value
function mpi.broadcast(value, root) end

---Sum a number, or a tensor element by element, over all ranks. All get the same bits.
---@param value number|moonglass.Tensor a tensor is float32, of the same shape on all ranks, and becomes the sum
---@param how "sum"?
---@return number|moonglass.Tensor sum the tensor itself, or a number: an integer if all have one
function mpi.reduce(value, how) end

---End all ranks with a message, which rank 0 prints. Any rank may call it, alone.
---@param message string
function mpi.fail(message) end

---`mpi.fail`.
---@param message string
function mpi.abort(message) end

-- ---- moon.image ----

---Pictures of rows.
---@class moonglass.image
moon.image = {}

---Options of `moon.image.grid`.
---@class moonglass.GridOptions: moonglass.RowsOptions
---@field columns integer? tiles per line; about as many as lines if not given
---@field crossed number[]|moonglass.Tensor? [n]: a tile is a cross where this is not 0, as for a dead unit

---One picture of all rows as tiles, line by line from the left. With normalize = "each" each tile goes from its
---smallest to its largest value, with "all" all tiles share that range. With "signed" 0 is grey, and the largest
---absolute value of a tile is black or white.
---@param t moonglass.Tensor [n x h*w] or [n x h x w]; bytes as they are, floats from 0 to 1
---@param options moonglass.GridOptions?
---@return moonglass.Tensor picture uint8 [height x width]
function moon.image.grid(t, options) end

---Options of `moon.image.rows`.
---@class moonglass.RowsOptions
---@field shape integer[]? {height, width} of a tile; a square if not given
---@field pad integer? default 1: pixels around each tile
---@field background integer? default 0, 0 to 255: the grey value of these pixels
---@field scale integer? default 1: each pixel becomes this many pixels a side
---@field normalize "none"|"each"|"all"|"signed"? default "none"; "each", "all": minimum to maximum; "signed": 0 is grey
---@field title string? above the picture, black on white, in letters of 14 pixels
---@field titles (string|number)[]? on the left, one for each line of tiles
---@field heads (string|number)[]? above the columns; an entry may be empty

---One line of tiles per tensor: `moon.image.rows{originals, noisy, reconstructions}`. All have the same number of rows.
---@param list (moonglass.Tensor|moonglass.Tensor[])[] an element may be a list of tensors, which are joined
---@param options moonglass.RowsOptions?
---@return moonglass.Tensor picture uint8 [height x width]
function moon.image.rows(list, options) end

-- ---- Page ----

---Text, tables and pictures as one HTML file. What is given is escaped: none of it becomes markup.
---@class moonglass.Page
local Page = {}

---A page for the results of an experiment: `moon.page("Autoencoders"):heading("Data"):html()`.
---@param title string
---@return moonglass.Page page
function moon.page(title) end

---A heading.
---@param text string
---@return moonglass.Page self
function Page:heading(text) end

---The table of contents: links to all headings of the page, later ones included.
---@return moonglass.Page self
function Page:contents() end

---A paragraph.
---@param text string
---@return moonglass.Page self
function Page:text(text) end

---Preformatted lines.
---@param text string
---@return moonglass.Page self
function Page:code(text) end

---A table.
---@param rows any[][] a list of rows; the first is the head
---@return moonglass.Page self
function Page:table(rows) end

---A line with a link to a file.
---@param path string relative to the page
---@param text string
---@return moonglass.Page self
function Page:link(path, text) end

---A picture.
---@param picture string the bytes of a PNG, which are embedded, or a path relative to the page
---@param caption string?
---@return moonglass.Page self
function Page:picture(picture, caption) end

---The page as HTML.
---@return string html
function Page:html() end

-- ---- moon.plot ----

---Plots as PNG files, drawn by the program gnuplot (Debian: gnuplot-nox).
---@class moonglass.plot
moon.plot = {}

---One colour of bars of `moon.plot.bars`.
---@class moonglass.BarSeries
---@field y moonglass.Numbers required: one for each label; NaN and infinity are left out
---@field label string? in the legend

---Options of `moon.plot.bars`.
---@class moonglass.BarsOptions: moonglass.AxesOptions, moonglass.SizeOptions
---@field yrange number[]? {from, to}
---@field logy boolean|number? a logarithmic axis: true, or the base

---Bars in groups, one group for each label. Each series is {y =, label =}, with one bar in each group.
---@param path string
---@param labels (string|number)[] one below each group
---@param series moonglass.BarSeries[]
---@param options moonglass.BarsOptions?
---@return true? ok nil if gnuplot is missing or fails, or the file cannot be written
---@return string? message
---@return moonglass.Code? code
function moon.plot.bars(path, labels, series, options) end

---Options of `moon.plot.scatter`.
---@class moonglass.ScatterOptions: moonglass.AxesOptions, moonglass.SizeOptions
---@field labels string[]? names of class 0, class 1 and so on
---@field size number? above 0: the size of the points; 1 is about 7 pixels
---@field named boolean? default false; true: each class's name also stands amid its points
---@field xrange number[]? {from, to}
---@field yrange number[]? {from, to}
---@field logx boolean|number? a logarithmic axis: true, or the base
---@field logy boolean|number? a logarithmic axis: true, or the base

---Points in the plane, the rows of x, with a colour for each class in y.
---@param path string
---@param x moonglass.Tensor [n x 2]
---@param y moonglass.Numbers? [n], class numbers from 0; nil: one colour for all
---@param options moonglass.ScatterOptions?
---@return true? ok nil if gnuplot is missing or fails, or the file cannot be written
---@return string? message
---@return moonglass.Code? code
function moon.plot.scatter(path, x, y, options) end

---Options of `moon.plot.regions`.
---@class moonglass.RegionsOptions: moonglass.AxesOptions, moonglass.SizeOptions
---@field labels string[]? names of class 0, class 1 and so on
---@field size number? above 0: the size of the points; 1 is about 7 pixels
---@field steps integer? default 200, 2 to 2000: places per side
---@field margin number? default 0.1, at least 0: the margin around the points, as a fraction of their extent

---The regions that a classifier assigns to each class, with points of known classes on top. `classify` maps points [m x
---2] to m class numbers, or is a net, whose largest output counts.
---@param path string
---@param classify moonglass.Net|fun(points: moonglass.Tensor): moonglass.Numbers from [m x 2] to m class numbers
---@param x moonglass.Tensor [n x 2]
---@param y moonglass.Numbers [n], class numbers from 0
---@param options moonglass.RegionsOptions?
---@return true? ok nil if gnuplot is missing or fails, or the file cannot be written
---@return string? message
---@return moonglass.Code? code
function moon.plot.regions(path, classify, x, y, options) end

---One distribution of `moon.plot.histogram`.
---@class moonglass.Distribution
---@field values moonglass.Numbers required: of any shape; NaN and infinity do not count
---@field label string? in the legend

---Options of `moon.plot.histogram`.
---@class moonglass.HistogramOptions: moonglass.AxesOptions, moonglass.SizeOptions
---@field bins integer? default 50, at most 10000
---@field density boolean? default true: each has an area of 1; false: counts
---@field range number[]? {from, to} of the bins; the range of all numbers if not given
---@field style "filled"|"steps"? default "filled"
---@field xrange number[]? {from, to} of the axis
---@field yrange number[]? {from, to}
---@field logy boolean|number? a logarithmic axis: true, or the base

---Histograms of distributions, over one pair of axes. Each is {values =, label =}.
---@param path string
---@param distributions moonglass.Distribution[]
---@param options moonglass.HistogramOptions?
---@return true? ok nil if gnuplot is missing or fails, or the file cannot be written
---@return string? message
---@return moonglass.Code? code
function moon.plot.histogram(path, distributions, options) end

---One curve of `moon.plot.lines`.
---@class moonglass.LineSeries
---@field y moonglass.Numbers required; nil, NaN and infinity make a gap
---@field x moonglass.Numbers? 1 to n if not given
---@field label string? in the legend
---@field style "lines"|"points"|"linespoints"|"steps"? default "lines"

---Options of `moon.plot.lines`.
---@class moonglass.LinesOptions: moonglass.AxesOptions, moonglass.SizeOptions
---@field xrange number[]? {from, to}; nil for the data's limit
---@field yrange number[]? {from, to}
---@field logx boolean|number? a logarithmic axis: true, or the base
---@field logy boolean|number? a logarithmic axis: true, or the base

---Curves over one pair of axes. Each is {y =, x =, label =, style =}.
---@param path string
---@param series moonglass.LineSeries[]
---@param options moonglass.LinesOptions?
---@return true? ok nil if gnuplot is missing or fails, or the file cannot be written
---@return string? message
---@return moonglass.Code? code
function moon.plot.lines(path, series, options) end

---One plot of `moon.plot.panels`. It takes the options of lines, or with labels those of bars, but not the size.
---@class moonglass.Panel: moonglass.AxesOptions
---@field series (moonglass.LineSeries|moonglass.BarSeries)[] required
---@field labels (string|number)[]? below groups of bars
---@field xrange number[]? {from, to}
---@field yrange number[]? {from, to}
---@field logx boolean|number? a logarithmic axis: true, or the base
---@field logy boolean|number? a logarithmic axis: true, or the base

---Options of `moon.plot.panels`.
---@class moonglass.PanelsOptions
---@field title string?
---@field columns integer? about as many as lines if not given
---@field width integer? of the whole picture; 360 pixels per panel if not given
---@field height integer? of the whole picture; 270 pixels per panel if not given

---Small plots in one picture, line by line from the left. Each is {series =, title =, ...}, with options of lines, or
---with `labels` also of bars.
---@param path string
---@param list moonglass.Panel[]
---@param options moonglass.PanelsOptions?
---@return true? ok nil if gnuplot is missing or fails, or the file cannot be written
---@return string? message
---@return moonglass.Code? code
function moon.plot.panels(path, list, options) end

-- ---- session ----

---The globals of a session of the program `moonglass`, besides `moon`. `_` is the last result. Of several results `_1`
---is the first, as is `_`, and `_2` the second. A `;` at the end of a line keeps the results without printing them. `?
---name` and `help name` are `help "name"`. `who`, `clear`, `help`, `exit` and `quit` need no brackets.
---@class moonglass.session
local session = {}

---Print the globals of the session, with type and shape.
function session.who() end

---Call a function and print how many seconds it took: `time(net.predict, net, x)`.
---@param f any a function or another value that can be called
---@param ... any its arguments
---@return any results all its results
function session.time(f, ...) end

---Clear the screen.
function session.clear() end

---`moon.help`.
---@param x any
function session.help(x) end

---`moon.show`.
---@param t moonglass.Tensor
---@param options moonglass.ShowOptions?
---@return true? ok with `save`
---@return string? message
---@return moonglass.Code? code
function session.show(t, options) end

---End the session, as Ctrl-D does.
---@param status integer|boolean? the program's exit status; success if not given
function session.exit(status) end

---End the session, as `exit` does.
---@param status integer|boolean?
function session.quit(status) end

-- ---- moon ----

---Options of `moon.detector.build`.
---@class moonglass.DetectorOptions
---@field scaler moonglass.Scaler|table? how rows are scaled for the nets: a scaler, or {offset = list, scale = list}
---@field columns string[]? the names of the columns; "1", "2", ... if not given
---@field categories table<string, string[]>? the columns that were texts, and their values
---@field score "mean"|"max"|"scaled"? default "mean": what is made of a row's squared errors
---@field missing "skip"|"fill"|"refuse"? default "skip": NaN does not count; or counts as the offset; or is an error
---@field low number[]? the smallest number of each column in the training data; the scaler's if not given
---@field high number[]? the largest one
---@field margin number? default 3, above 0: a cell more than so many ranges (high - low) from them is far outside

---Branches as one layer: what `moon.branches` makes.
---@class moonglass.Branches: moonglass.LuaLayer
---@field parts (moonglass.Net|boolean)[] the branches; false: one without layers, which hands on its input

---The record of a training. `tostring` makes a table of it.
---@class moonglass.History
---@field loss number[] by epoch: the objective before each update, averaged over the rows
---@field val_loss number[] by validation, as a rule one in each epoch; empty without validation
---@field val_epochs integer[] for each element of val_loss the number of its epoch
---@field metrics table<string, number[]> by epoch, `val_NAME` by validation; `history.NAME` is `history.metrics.NAME`
---@field epoch_seconds number[] by epoch: the training time, without validation
---@field epochs integer the number of the last epoch
---@field stopped string? why the training ended early on a loss that is NaN or infinite
---@field warning string? a callback's warning: the monitored value was NaN in every epoch

---Options of methods that process rows in batches.
---@class moonglass.BatchOptions
---@field batch_size integer? rows at a time; the results do not depend on it

---Options of `moon.callbacks.show`.
---@class moonglass.LiveOptions
---@field every integer? default 1: epochs from one picture to the next; the last epoch is always shown
---@field columns integer? the number of rows of x shown; as many as fit if not given
---@field method "kitty"|"iterm2"|"sixel"|"blocks"|"ascii"? detected from the environment if not given

---Options of `moon.show`.
---@class moonglass.ShowOptions
---@field shape integer[]? {height, width} of a tile; if not given, rows of 64, 81, 100, ... elements are squares
---@field columns integer? tiles per line; as many as fit if not given
---@field limit integer? the largest number of tiles; as many as fit on the screen, at least 10, if not given
---@field normalize "none"|"each"|"all"? as in `moon.image.grid`; "all" for floats outside 0 to 1 if not given
---@field method "kitty"|"iterm2"|"sixel"|"blocks"|"ascii"? detected from the environment if not given
---@field save string? a PNG file to write instead

---Options of every plot: the size of the picture.
---@class moonglass.SizeOptions
---@field width integer? default 800, 100 to 10000: pixels
---@field height integer? default 600, 100 to 10000: pixels

---Options of every pair of axes.
---@class moonglass.AxesOptions
---@field title string?
---@field xlabel string?
---@field ylabel string?
---@field legend "right"|"below"|"top left"|"top right"|"bottom left"|"bottom right"|"none"? the place of the legend

---The registered names of a family, as `moon.layer`, `moon.loss`, `moon.optimizer` and options take them.
---@param family moonglass.Family
---@return string[] names
function moon.registered(family) end

---Options of `moon.limits`.
---@class moonglass.LimitsOptions
---@field memory integer? bytes that tensors and nets may hold; 0: no limit. At most the limit that the host has set

---Limit the memory. An allocation beyond the limit raises "out of memory".
---@param limits moonglass.LimitsOptions
function moon.limits(limits) end

---Restart the stream of random numbers, from which come random tensors, initial weights and seeds that are not given.
---@param seed integer
function moon.seed(seed) end

---Draw a seed from the stream of random numbers.
---@return integer seed 0 to 2^53 - 1
function moon.draw_seed() end

---Set the number of worker threads. The default is 1; in the program `moonglass` it is the number of cores, at most 4.
---The same seed and the same number of threads give the same bits.
---@param n integer 1 to 256
function moon.set_threads(n) end

---The build and the memory it holds.
---@class moonglass.Info
---@field version string
---@field blis string the version of BLIS
---@field blis_config string the kernels that BLIS has selected; "generic" is slow
---@field simd "base"|"avx2"|"avx512" the instruction set of our kernels
---@field threads integer worker threads
---@field memory integer bytes held now
---@field memory_peak integer the most bytes held so far
---@field memory_limit integer 0: no limit
---@field files boolean true if files may be opened

---The build and the memory it holds.
---@return moonglass.Info info
function moon.info() end

---Seconds of a monotonic clock.
---@return number seconds
function moon.clock() end

---End the running or next step or predict with an error, as Ctrl-C does.
function moon.interrupt() end

---Options of `moon.print_options`.
---@class moonglass.PrintOptions
---@field precision integer? default 4, at most 9: the most digits after the point
---@field threshold integer? default 1000: the most elements that are shown in full
---@field edge_items integer? default 3: elements shown at either end of a dimension that is summarised
---@field width integer? default 75: characters per line

---Set how tensors are printed. Options that are not given keep their values.
---@param options moonglass.PrintOptions?
---@return moonglass.PrintOptions options the current values
function moon.print_options(options) end

---Print the documentation of a function, a class or an object, by name or by value: `moon.help "zeros"`,
---`moon.help(net.fit)`, in a session also `? zeros`. Without an argument it tells how to ask.
---@param x any
function moon.help(x) end

---Show a picture in the terminal: by kitty's, iTerm2's or sixel graphics if the environment names such a terminal, else
---by coloured half blocks, else by plain text. A matrix is one picture, unless its rows are squares: [n x 784] is n
---tiles.
---@param t moonglass.Tensor [h x w], [n x h*w], [n x h x w], [h*w], or bytes [h x w x 3]; floats from 0 to 1
---@param options moonglass.ShowOptions?
---@return true? ok with `save`: nil if it cannot be written
---@return string? message
---@return moonglass.Code? code
function moon.show(t, options) end

---Branches: each gets the same rows, and their outputs stand side by side, [rows x the sum of their widths]. The result
---is an element of `moon.sequential`, or of an autoencoder's encoder or decoder. A branch without layers, {}, hands on
---its input. In a native net they become its layers, with a `branch` between two and a `join` behind the last.
---@param layers (moonglass.AnyLayer[]|moonglass.AnyLayer)[] at least two: a list of layers, a net or a layer each
---@return moonglass.Branches branches
function moon.branches(layers) end

---Options of `moon.gradcheck`.
---@class moonglass.GradcheckOptions
---@field loss moonglass.AnyLoss? a fixed weighted sum of the outputs if not given
---@field target moonglass.Tensor? required with a loss
---@field eps number? default 0.03, above 0: the step of the differences; kinks must be more than twice as far away
---@field samples integer? default 64: the number of elements checked in each tensor, evenly spread
---@field tolerance number? default 0.01, above 0: the largest relative error that passes
---@field seed integer? default 1: for the noise

---The worst element of one tensor.
---@class moonglass.GradcheckDetail
---@field name string "input", or the parameter's name
---@field checked integer the number of elements checked
---@field error number the largest relative error
---@field index integer? the element with that error
---@field numeric number? its slope by differences
---@field analytic number? its slope by `backward`

---The result of a gradient check. `tostring` makes a table of it.
---@class moonglass.GradcheckDetails
---@field passed boolean true if the largest error is within the tolerance
---@field [integer] moonglass.GradcheckDetail the input first, then each parameter

---Compare `backward` with numeric gradients, to test a layer or a loss written in Lua.
---@param subject moonglass.AnyLayer a net or a layer, also one written in Lua
---@param x moonglass.Tensor [rows x in], float32
---@param options moonglass.GradcheckOptions?
---@return number error the largest relative error
---@return moonglass.GradcheckDetails details
function moon.gradcheck(subject, x, options) end

---Set the function that gets the lines that `fit` prints with `verbose`.
---@param f (fun(line: string))? called with a line without newline; nil: the host's log, or standard output
function moon.set_log(f) end

return moon
