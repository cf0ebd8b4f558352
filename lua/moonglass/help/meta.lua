---@meta moonglass

-- The public interface of Moonglass in LuaCATS annotations: what editors (lua-language-server), `help` and the
-- reference read. Never run, never required: functions here have no bodies. spec/api/interface_spec.lua holds it to the
-- library.
--
-- Everywhere: indices, dimensions and epochs count from 1, class numbers from 0. Shapes stand in brackets, [rows x
-- columns]. Numbers are float32 unless said. What does not fit, an unknown name or want of memory raises an error; what
-- reads or writes a file gives nil, a message and a code ("I/O", "format" and others) instead. A tensor that is given
-- back is new, and the caller's, unless it is called a view or live: these share their elements.

---An engine for autoencoders: `local moon = require "moonglass"`.
---@class moonglass
---@field interactive boolean? is `fit` to report as on a terminal (verbose = 1) unless told otherwise? Set by sessions
local moon = {}

-- ---- names ----

---@alias moonglass.Dtype "float32"|"uint8"
---@alias moonglass.Split "train"|"test"
---@alias moonglass.Family "layers"|"losses"|"optimizers"|"activations"|"inits"
---@alias moonglass.Reduction "mean"|"batchmean"|"sum"
---@alias moonglass.Code "I/O"|"format"|"range"|"type"
---@alias moonglass.LayerName
---| "dense"
---| "activation"
---| "dropout"
---| "gaussian_noise"
---| "masking_noise"
---| "salt_pepper_noise"
---| "k_sparse"
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
---@alias moonglass.OptimizerName "adam"|"sgd"|"rmsprop"|"adagrad"
---@alias moonglass.Figure "val_loss"|"loss"
---@alias moonglass.AnyLayer moonglass.Layer|moonglass.LuaLayer|moonglass.Net
---@alias moonglass.AnyLoss moonglass.Loss|moonglass.LuaLoss|moonglass.LossFunction
---@alias moonglass.AnyOptimizer moonglass.Optimizer|moonglass.LuaOptimizer
---@alias moonglass.Numbers number[]|moonglass.Tensor
---A loss as one function: the value, and its gradient on the prediction, a tensor of the prediction's shape.
---@alias moonglass.LossFunction fun(prediction: moonglass.Tensor, target: moonglass.Tensor): number, moonglass.Tensor

-- ---- tensors ----

---A view of numbers in up to 4 dimensions, row by row: float32, or uint8 for stored images and labels.
---Bytes count by value in arithmetic, and as value/255 in nets. Operators work element by element; the other operand is
---a tensor of the same shape or of one element, a number, or a row against a matrix. `#t` is the first size; `t[i]` is
---a view of row i, or in one dimension its number; `t[i] = v` fills a row with a number or copies a tensor into it.
---`t == u` is `t:equal(u)`. `tostring(t)` is at most a page of text, whatever the size.
---@class moonglass.Tensor
---@field shape integer[] the sizes, a new list each time
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

---A tensor of given numbers, or a copy of one.
---@param list number|table|moonglass.Tensor a number (rank 0), nested lists of numbers, or a tensor
---@param options moonglass.TensorOptions? of a copy: the type it has already, if there are none
---@return moonglass.Tensor tensor of the lists' shape
function moon.tensor(list, options) end

---Zeros: `moon.zeros(2, 3)`, `moon.zeros(t.shape)`, `moon.zeros(2, 3, {dtype = "uint8"})`.
---@param ... integer|integer[]|moonglass.TensorOptions 1 to 4 sizes of at least 0, or one list of them; then options
---@return moonglass.Tensor tensor
function moon.zeros(...) end

---Ones; sizes and options as those of `moon.zeros`.
---@param ... integer|integer[]|moonglass.TensorOptions sizes, then options
---@return moonglass.Tensor tensor
function moon.ones(...) end

---The same number everywhere; sizes and options as those of `moon.zeros`.
---@param value number bytes are rounded and kept to 0 to 255
---@param ... integer|integer[]|moonglass.TensorOptions sizes, then options
---@return moonglass.Tensor tensor
function moon.full(value, ...) end

---Evenly spaced numbers from a on, before b. With one number: 0, 1, ... before it. Element i, counted from 0, is
---a + i * step, computed in double and rounded to float32. b never belongs to them: an element that float32 rounds to b
---is left out, so that 1 to 1.3 by 0.1 has 3 (numpy's arange has 4). `moon.linspace` takes the number of elements
---instead. float32 has all whole numbers up to 2^24 only.
---@param a number the first
---@param b number where they end
---@param step number? default 1: any number but 0
---@param options moonglass.TensorOptions?
---@return moonglass.Tensor tensor [n], empty if b does not lie ahead
---@overload fun(b: number): moonglass.Tensor
function moon.arange(a, b, step, options) end

---n numbers evenly spaced from a to b, both included.
---@param a number the first
---@param b number the last
---@param n integer how many, at least 0
---@param options moonglass.TensorOptions?
---@return moonglass.Tensor tensor [n]
function moon.linspace(a, b, n, options) end

---The identity matrix.
---@param n integer rows and columns
---@param options moonglass.TensorOptions?
---@return moonglass.Tensor tensor [n x n]
function moon.eye(n, options) end

---Uniform draws from [0, 1), out of the stream that `moon.seed` starts.
---@param ... integer|integer[] sizes, as those of `moon.zeros`
---@return moonglass.Tensor tensor
function moon.rand(...) end

---Normal draws of mean 0 and deviation 1, out of the stream that `moon.seed` starts.
---@param ... integer|integer[] sizes, as those of `moon.zeros`
---@return moonglass.Tensor tensor
function moon.randn(...) end

---The numbers 1 to n in random order, out of the stream that `moon.seed` starts.
---@param n integer 0 to 2^24
---@return moonglass.Tensor tensor [n]
function moon.randperm(n) end

---Tensors one after the other along a dimension; all other sizes have to be the same, and the element types.
---@param list moonglass.Tensor[] at least one, none of rank 0
---@param dim integer? default 1
---@return moonglass.Tensor tensor
function moon.cat(list, dim) end

---Eigenvalues and eigenvectors of a symmetric matrix, computed in double. Only the triangle on and below the diagonal
---counts.
---@param t moonglass.Tensor [n x n], finite, n at most 32766
---@return moonglass.Tensor values [n], ascending
---@return moonglass.Tensor vectors [n x n], one a row, each of length 1
function moon.eigh(t) end

-- ---- tensors: shape, elements, copies ----

---The size of one dimension.
---@param dim integer 1 to the rank
---@return integer size
function Tensor:size(dim) end

---How many elements there are.
---@return integer n
function Tensor:numel() end

---How many dimensions there are, 0 to 4.
---@return integer rank
function Tensor:rank() end

---One element, by as many indices as there are dimensions.
---@param ... integer each from 1 to that dimension's size
---@return number value
function Tensor:get(...) end

---Set one element.
---@param value number a byte is rounded and kept to 0 to 255
---@param ... integer as many indices as there are dimensions
---@return moonglass.Tensor self
function Tensor:set(value, ...) end

---Rows i to j, both included, as a view: it shares the elements.
---@param i integer the first row; rows(i, i - 1) is empty
---@param j integer? default i: the last row
---@return moonglass.Tensor view
function Tensor:rows(i, j) end

---The same elements in another shape, as a view.
---@param ... integer|integer[] sizes, or one list of them, as many elements as there are; one may be -1: what is left
---@return moonglass.Tensor view
function Tensor:reshape(...) end

---The rows with these numbers, copied.
---@param rows integer[]|moonglass.Tensor row numbers from 1, a list or a tensor [k]; any order, also repeated
---@return moonglass.Tensor tensor k rows
function Tensor:index(rows) end

---A copy with elements of its own.
---@return moonglass.Tensor tensor
function Tensor:clone() end

---A float32 copy, by value: bytes become 0 to 255, not fractions.
---@return moonglass.Tensor tensor
function Tensor:float() end

---A uint8 copy, by value: rounded, and kept to 0 to 255.
---@return moonglass.Tensor tensor
function Tensor:byte() end

---The elements as lists nested as the dimensions are; a number for rank 0.
---@return number|table list
function Tensor:totable() end

---A float32 tensor of what a function makes of each element, in order.
---@param f fun(value: number): number
---@return moonglass.Tensor tensor of the same shape
function Tensor:map(f) end

---Set all elements to one number, in place.
---@param value number
---@return moonglass.Tensor self
function Tensor:fill_(value) end

---Set all elements to 0, in place.
---@return moonglass.Tensor self
function Tensor:zero_() end

---Take over another tensor's elements, in place, by value: the element types may differ.
---@param source moonglass.Tensor as many elements in the same shape
---@return moonglass.Tensor self
function Tensor:copy_(source) end

-- ---- tensors: arithmetic ----

---The sum, element by element: t + alpha u.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row against a matrix
---@param alpha number? default 1: what other is multiplied by
---@return moonglass.Tensor tensor float32
function Tensor:add(other, alpha) end

---The sum in place: t becomes t + alpha u. A uint8 tensor raises.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row against a matrix
---@param alpha number? default 1: what other is multiplied by
---@return moonglass.Tensor self
function Tensor:add_(other, alpha) end

---The difference, element by element: t - alpha u.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row against a matrix
---@param alpha number? default 1: what other is multiplied by
---@return moonglass.Tensor tensor float32
function Tensor:sub(other, alpha) end

---The difference in place: t becomes t - alpha u. A uint8 tensor raises.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row against a matrix
---@param alpha number? default 1: what other is multiplied by
---@return moonglass.Tensor self
function Tensor:sub_(other, alpha) end

---The product, element by element: t * u.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row against a matrix
---@return moonglass.Tensor tensor float32
function Tensor:mul(other) end

---The product in place: t becomes t * u. A uint8 tensor raises.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row against a matrix
---@return moonglass.Tensor self
function Tensor:mul_(other) end

---The quotient, element by element: t / u.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row against a matrix
---@return moonglass.Tensor tensor float32
function Tensor:div(other) end

---The quotient in place: t becomes t / u. A uint8 tensor raises.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row against a matrix
---@return moonglass.Tensor self
function Tensor:div_(other) end

---The larger of both, element by element.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row against a matrix
---@return moonglass.Tensor tensor float32
function Tensor:maximum(other) end

---The larger of both, in place. A uint8 tensor raises.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row against a matrix
---@return moonglass.Tensor self
function Tensor:maximum_(other) end

---The smaller of both, element by element.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row against a matrix
---@return moonglass.Tensor tensor float32
function Tensor:minimum(other) end

---The smaller of both, in place. A uint8 tensor raises.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row against a matrix
---@return moonglass.Tensor self
function Tensor:minimum_(other) end

---1 where an element is equal to the other's, else 0.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row against a matrix
---@return moonglass.Tensor tensor float32
function Tensor:eq(other) end

---1 where an element is not equal to the other's, else 0.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row against a matrix
---@return moonglass.Tensor tensor float32
function Tensor:ne(other) end

---1 where an element is less than the other's, else 0.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row against a matrix
---@return moonglass.Tensor tensor float32
function Tensor:lt(other) end

---1 where an element is at most the other's, else 0.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row against a matrix
---@return moonglass.Tensor tensor float32
function Tensor:le(other) end

---1 where an element is greater than the other's, else 0.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row against a matrix
---@return moonglass.Tensor tensor float32
function Tensor:gt(other) end

---1 where an element is at least the other's, else 0.
---@param other moonglass.Tensor|number of the same shape, of one element, or a row against a matrix
---@return moonglass.Tensor tensor float32
function Tensor:ge(other) end

---Have both the same shape and the same values? The operator ==. Bytes count by value.
---@param other any
---@return boolean same false for what is no tensor
function Tensor:equal(other) end

---Is every |t - u| <= atol + rtol |u|? numpy's allclose; NaN is close to nothing.
---@param other moonglass.Tensor of the same shape
---@param rtol number? default 1e-5
---@param atol number? default 1e-8
---@return boolean close
function Tensor:allclose(other, rtol, atol) end

---The negative: -t.
---@return moonglass.Tensor tensor float32
function Tensor:neg() end

---`neg` in place. A uint8 tensor raises.
---@return moonglass.Tensor self
function Tensor:neg_() end

---The absolute value.
---@return moonglass.Tensor tensor float32
function Tensor:abs() end

---`abs` in place. A uint8 tensor raises.
---@return moonglass.Tensor self
function Tensor:abs_() end

----1, 0 or 1.
---@return moonglass.Tensor tensor float32
function Tensor:sign() end

---`sign` in place. A uint8 tensor raises.
---@return moonglass.Tensor self
function Tensor:sign_() end

---The square root; NaN below 0.
---@return moonglass.Tensor tensor float32
function Tensor:sqrt() end

---`sqrt` in place. A uint8 tensor raises.
---@return moonglass.Tensor self
function Tensor:sqrt_() end

---The square.
---@return moonglass.Tensor tensor float32
function Tensor:square() end

---`square` in place. A uint8 tensor raises.
---@return moonglass.Tensor self
function Tensor:square_() end

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

---The largest whole number that is not larger.
---@return moonglass.Tensor tensor float32
function Tensor:floor() end

---`floor` in place. A uint8 tensor raises.
---@return moonglass.Tensor self
function Tensor:floor_() end

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

---The hyperbolic tangent.
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

---The activation elu: t above 0, exp(t) - 1 below.
---@return moonglass.Tensor tensor float32
function Tensor:elu() end

---`elu` in place. A uint8 tensor raises.
---@return moonglass.Tensor self
function Tensor:elu_() end

---The activation leaky_relu: t above 0, 0.2 t below, Keras's slope.
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

---The softmax of each row, exp(t) over its sum: along the last dimension.
---@return moonglass.Tensor tensor float32
function Tensor:softmax() end

---`softmax` in place. A uint8 tensor raises.
---@return moonglass.Tensor self
function Tensor:softmax_() end

---Each element to the power of a number: t ^ p.
---@param exponent number
---@return moonglass.Tensor tensor float32
function Tensor:pow(exponent) end

---`pow` in place. A uint8 tensor raises.
---@param exponent number
---@return moonglass.Tensor self
function Tensor:pow_(exponent) end

---Each element kept within two bounds.
---@param low number? nil: no bound below
---@param high number? nil: no bound above; at least low
---@return moonglass.Tensor tensor float32
function Tensor:clamp(low, high) end

---`clamp` in place. A uint8 tensor raises.
---@param low number? nil: no bound below
---@param high number? nil: no bound above; at least low
---@return moonglass.Tensor self
function Tensor:clamp_(low, high) end

-- ---- tensors: reductions, products ----

---The sum, added up in double precision: it is right to its last place as float32, from the elements as they are. Of
---that kind are mean, var, std and norm, too.
---@param dim integer? along this dimension only; nil: over all elements
---@return number|moonglass.Tensor result a number; with dim a tensor without that dimension, if there is another
function Tensor:sum(dim) end

---The mean.
---@param dim integer? along this dimension only; nil: over all elements
---@return number|moonglass.Tensor result a number; with dim a tensor without that dimension, if there is another
function Tensor:mean(dim) end

---The smallest element.
---@param dim integer? along this dimension only; nil: over all elements
---@return number|moonglass.Tensor result a number; with dim a tensor without that dimension, if there is another
function Tensor:min(dim) end

---The largest element.
---@param dim integer? along this dimension only; nil: over all elements
---@return number|moonglass.Tensor result a number; with dim a tensor without that dimension, if there is another
function Tensor:max(dim) end

---The variance over n, not n - 1. The mean is taken off before anything is squared, both in double: far from zero it
---loses nothing, and squares do not overflow.
---@param dim integer? along this dimension only; nil: over all elements
---@return number|moonglass.Tensor result a number; with dim a tensor without that dimension, if there is another
function Tensor:var(dim) end

---The standard deviation, over n; as exact as `var`.
---@param dim integer? along this dimension only; nil: over all elements
---@return number|moonglass.Tensor result a number; with dim a tensor without that dimension, if there is another
function Tensor:std(dim) end

---The Euclidean norm: the root of the sum of squares, in double, so that no square overflows.
---@param dim integer? along this dimension only; nil: over all elements
---@return number|moonglass.Tensor result a number; with dim a tensor without that dimension, if there is another
function Tensor:norm(dim) end

---Where the largest element is, from 1; of equal ones the first. Over all elements it is exact for any number of them.
---@param dim integer? along this dimension only, of at most 2^24 elements; nil: over all elements, counted row by row
---@return integer|moonglass.Tensor result with dim a tensor without that dimension, if there is another
function Tensor:argmax(dim) end

---The k largest elements along a dimension, or the k smallest, the best first, and where they are.
---@param k integer 1 to that dimension's size
---@param dim integer? default the last
---@param largest boolean? default true: false for the k smallest
---@return moonglass.Tensor values the dimension being k long
---@return moonglass.Tensor index of the same shape, from 1
function Tensor:topk(k, dim, largest) end

---The matrix product; a vector on the left counts as a row, and two vectors give a number.
---@param other moonglass.Tensor [k x n], or [k], which counts as a column
---@return moonglass.Tensor|number product [m x n] for [m x k] by [k x n]; a vector's dimension is missing
function Tensor:matmul(other) end

---The transpose of a matrix, copied.
---@return moonglass.Tensor tensor [columns x rows]
function Tensor:t() end

-- ---- layers ----

---A layer of a net: what it computes, its parameters, and what `backward` needs of the last `forward`.
---Its options can be read as fields. Assigning a tensor to `weight` or `bias` copies its elements. Two handles on one
---layer are equal.
---@class moonglass.Layer
local Layer = {}

---A dense layer: y = activation(x W + b).
---@class moonglass.Dense: moonglass.Layer, moonglass.DenseOptions
---@field weight moonglass.Tensor [in x out], live
---@field bias moonglass.Tensor|boolean [out], live; false if the layer has none
---@field weight_grad moonglass.Tensor [in x out], live: the gradient that the last backward left
---@field bias_grad moonglass.Tensor [out], live

---An activation as a layer of its own.
---@class moonglass.Activation: moonglass.Layer, moonglass.ActivationOptions

---A layer that sets elements to 0 in training.
---@class moonglass.Dropout: moonglass.Layer, moonglass.DropoutOptions

---A layer that adds normal noise in training.
---@class moonglass.GaussianNoise: moonglass.Layer, moonglass.GaussianNoiseOptions

---A layer that sets elements to 0 in training, without rescaling the others.
---@class moonglass.MaskingNoise: moonglass.Layer, moonglass.MaskingNoiseOptions

---A layer that sets elements to 0 or 1 in training.
---@class moonglass.SaltPepperNoise: moonglass.Layer, moonglass.SaltPepperNoiseOptions

---A layer that lets the largest elements of a row pass.
---@class moonglass.KSparse: moonglass.Layer, moonglass.KSparseOptions

---Options of `moon.dense`; `in` and `out` are given by place as a rule.
---@class moonglass.DenseOptions
---@field in integer? required: width of the input
---@field out integer? required: width of the output, the number of units
---@field activation moonglass.ActivationName? default "linear"
---@field bias boolean? default true: add a bias, which begins at 0
---@field init moonglass.InitName? default "glorot_uniform": initialiser of the weight
---@field name string? a name for summaries
---@field activity_l1 number? default 0, at least 0: times the sum of the absolute outputs, as a penalty
---@field activity_reduction "batchmean"|"sum"? default "batchmean": that penalty over the rows of the batch, or not
---@field kl_weight number? default 0, at least 0: draws each output's mean over the batch to kl_target, as a penalty
---@field kl_target number? default 0.05, between 0 and 1: for outputs in [0, 1]
---@field contractive number? default 0, at least 0: times the squared derivatives by the inputs, per row, as a penalty
---@field weight_l2 number? default 0, at least 0: times the sum of the squared weights, as a penalty
---@field tied moonglass.Layer? a dense layer out -> in, whose weight is used transposed

---A dense layer, y = activation(x W + b), W [in x out] drawn from the stream that `moon.seed` starts.
---@param n_in integer width of the input
---@param n_out integer width of the output
---@param options moonglass.DenseOptions?
---@return moonglass.Dense layer
---@overload fun(options: moonglass.DenseOptions): moonglass.Dense
function moon.dense(n_in, n_out, options) end

---Options of `moon.activation`.
---@class moonglass.ActivationOptions
---@field activation moonglass.ActivationName? required

---An activation as a layer of its own, for rows of any width.
---@param activation moonglass.ActivationName
---@return moonglass.Activation layer
---@overload fun(options: moonglass.ActivationOptions): moonglass.Activation
function moon.activation(activation) end

---Options of `moon.dropout`.
---@class moonglass.DropoutOptions
---@field p number? required, at least 0 and below 1: probability that an element is dropped

---In training each element becomes 0 with probability p, and the others are divided by 1 - p; nothing in inference.
---@param p number at least 0 and below 1
---@return moonglass.Dropout layer
---@overload fun(options: moonglass.DropoutOptions): moonglass.Dropout
function moon.dropout(p) end

---Options of `moon.gaussian_noise`.
---@class moonglass.GaussianNoiseOptions
---@field sigma number? required, at least 0: standard deviation
---@field clip number[]? {low, high}: where the result is cut off; not at all if it is not given

---In training, normal noise of mean 0 is added to each element; nothing in inference.
---@param sigma number standard deviation, at least 0
---@param options moonglass.GaussianNoiseOptions?
---@return moonglass.GaussianNoise layer
---@overload fun(options: moonglass.GaussianNoiseOptions): moonglass.GaussianNoise
function moon.gaussian_noise(sigma, options) end

---Options of `moon.masking_noise`.
---@class moonglass.MaskingNoiseOptions
---@field p number? required, 0 to 1: probability that an element is spoilt

---In training each element becomes 0 with probability p, the others staying as they are; nothing in inference.
---@param p number 0 to 1
---@return moonglass.MaskingNoise layer
---@overload fun(options: moonglass.MaskingNoiseOptions): moonglass.MaskingNoise
function moon.masking_noise(p) end

---Options of `moon.salt_pepper_noise`.
---@class moonglass.SaltPepperNoiseOptions
---@field p number? required, 0 to 1: probability that an element is spoilt

---In training each element becomes, with probability p, 0 or 1, either as likely; nothing in inference.
---@param p number 0 to 1
---@return moonglass.SaltPepperNoise layer
---@overload fun(options: moonglass.SaltPepperNoiseOptions): moonglass.SaltPepperNoise
function moon.salt_pepper_noise(p) end

---Options of `moon.k_sparse`.
---@class moonglass.KSparseOptions
---@field k integer? required, at least 1: how many elements of a row pass, the largest
---@field alpha number? default 1, at least 1: in inference alpha times k pass, rounded, or all if they are fewer

---The k largest elements of a row pass, of equal ones the first, and the others become 0 (Makhzani and Frey 2013).
---@param k integer at least 1; rows have to be k wide or wider
---@param options moonglass.KSparseOptions?
---@return moonglass.KSparse layer
---@overload fun(options: moonglass.KSparseOptions): moonglass.KSparse
function moon.k_sparse(k, options) end

---A layer by the name of its kind: `moon.layer("dense", 784, 32, {activation = "relu"})`.
---@param kind moonglass.LayerName
---@param ... any what the constructor of that name takes
---@return moonglass.Layer layer
function moon.layer(kind, ...) end

---Run rows through this layer alone.
---@param x moonglass.Tensor [rows x in]; bytes count as value/255
---@param training boolean? default false: with true, noise and dropout are active
---@return moonglass.Tensor y [rows x out]
function Layer:forward(x, training) end

---The gradient on the input of the last `forward` of this layer alone; the parameters' gradients are set.
---@param dy moonglass.Tensor [rows x out]: the gradient on the output
---@return moonglass.Tensor dx [rows x in]
function Layer:backward(dy) end

---The parameters with their gradients; the tensors are live.
---@return moonglass.Parameter[] parameters
function Layer:parameters() end

---The penalties of the last `forward` of this layer alone.
---@return number penalty
function Layer:penalty() end

---Restart the stream of its noise.
---@param seed integer
function Layer:seed(seed) end

---The name of its kind, "dense" for example.
---@return moonglass.LayerName kind
function Layer:kind() end

---One parameter of a layer or a net.
---@class moonglass.Parameter
---@field name string "weight" or "bias"; of a net "1.weight", the number being the layer's
---@field value moonglass.Tensor live
---@field grad moonglass.Tensor live, of the same shape
---@field shared boolean? true if it belongs to another layer: tied weights

---A layer written in Lua: a table with these methods, of which the last three may be missing.
---@class moonglass.LuaLayer
---@field name string? for messages and summaries
---@field forward fun(self, x: moonglass.Tensor, training: boolean): moonglass.Tensor rows in, rows out
---@field backward fun(self, dy: moonglass.Tensor): moonglass.Tensor dy to dx; sets the parameters' gradients
---@field parameters (fun(self): moonglass.Parameter[])? name, value and grad of each
---@field penalty (fun(self): number)? that of the last forward
---@field seed (fun(self, seed: integer))? restart its noise

-- ---- losses ----

---A loss: a value, and its gradient on the prediction. Its options can be read as fields.
---@class moonglass.Loss
---@field reduction moonglass.Reduction of mse, mae, bce and huber
---@field from_logits boolean of bce and cross_entropy
---@field delta number of huber
local Loss = {}

---Options of `moon.mse`.
---@class moonglass.MseOptions
---@field reduction moonglass.Reduction? default "mean": over all elements; "batchmean": summed over the features

---Mean squared error. With reduction "batchmean" it is the lecture's squared norm, the mean over the rows.
---@param options moonglass.MseOptions?
---@return moonglass.Loss loss
function moon.mse(options) end

---Options of `moon.mae`.
---@class moonglass.MaeOptions
---@field reduction moonglass.Reduction? default "mean": over all elements; "batchmean": summed over the features

---Mean absolute error.
---@param options moonglass.MaeOptions?
---@return moonglass.Loss loss
function moon.mae(options) end

---Options of `moon.bce`.
---@class moonglass.BceOptions
---@field reduction moonglass.Reduction? default "mean": over all elements; "batchmean": summed over the features
---@field from_logits boolean? default false: the prediction has not been through its sigmoid

---Binary cross-entropy, -(t ln p + (1 - t) ln(1 - p)), for targets in [0, 1]; fused with a final sigmoid.
---p is kept 1e-7 away from 0 and 1, as in Keras. The value is below 0 only for targets outside [0, 1].
---@param options moonglass.BceOptions?
---@return moonglass.Loss loss
function moon.bce(options) end

---Options of `moon.cross_entropy`.
---@class moonglass.CrossEntropyOptions
---@field from_logits boolean? default false: the prediction has not been through its softmax

---Categorical cross-entropy, -sum t ln p over the classes, the mean over the rows; fused with a final softmax.
---Targets are one-hot rows or probabilities [rows x classes], or class numbers [rows], from 0.
---@param options moonglass.CrossEntropyOptions?
---@return moonglass.Loss loss
function moon.cross_entropy(options) end

---Options of `moon.huber`.
---@class moonglass.HuberOptions
---@field reduction moonglass.Reduction? default "mean": over all elements; "batchmean": summed over the features
---@field delta number? default 1, above 0: where the square turns into a line

---Huber's loss: e^2 / 2 within delta, delta |e| - delta^2 / 2 beyond.
---@param options moonglass.HuberOptions?
---@return moonglass.Loss loss
function moon.huber(options) end

---A loss by name, Keras's longer names too: `moon.loss("binary_crossentropy")`.
---@param kind moonglass.LossName
---@param options table? those of the loss of that name
---@return moonglass.Loss loss
function moon.loss(kind, options) end

---The value.
---@param prediction moonglass.Tensor [rows x width]
---@param target moonglass.Tensor of the same shape, bytes as value/255; for cross_entropy as they are, or class numbers
---@return number value
function Loss:forward(prediction, target) end

---The gradient on the prediction of the last `forward`.
---@return moonglass.Tensor gradient of the prediction's shape
function Loss:backward() end

---The name of its kind, "mse" for example.
---@return string kind
function Loss:kind() end

---A loss written in Lua: a table with these two methods.
---@class moonglass.LuaLoss
---@field forward fun(self, prediction: moonglass.Tensor, target: moonglass.Tensor): number
---@field backward fun(self): moonglass.Tensor the gradient on the last prediction

-- ---- optimisers ----

---An optimiser with its moments. Its options can be read as fields, and most of them set between steps.
---@class moonglass.Optimizer
---@field lr number learning rate; may be set
---@field weight_decay number may be set
---@field beta1 number of adam; may be set
---@field beta2 number of adam; may be set
---@field eps number of adam, rmsprop and adagrad; may be set
---@field momentum number of sgd and rmsprop
---@field nesterov boolean of sgd
---@field rho number of rmsprop; may be set
---@field centered boolean of rmsprop
---@field initial_accumulator number of adagrad
local Optimizer = {}

---Options of `moon.adam`.
---@class moonglass.AdamOptions
---@field lr number? default 0.001, at least 0: learning rate
---@field beta1 number? default 0.9, at least 0 and below 1: decay of the mean gradient
---@field beta2 number? default 0.999, at least 0 and below 1: decay of the mean squared gradient
---@field eps number? default 1e-7, above 0: keeps the division finite
---@field weight_decay number? default 0, at least 0: share of each weight, times lr, taken off at each step

---Adam (Kingma and Ba 2015) as Keras has it: the paper's efficient form. With weight_decay it is AdamW.
---@param options moonglass.AdamOptions?
---@return moonglass.Optimizer optimizer
function moon.adam(options) end

---Options of `moon.sgd`.
---@class moonglass.SgdOptions
---@field lr number? default 0.01, at least 0: learning rate
---@field momentum number? default 0, at least 0 and below 1: share of the last step that is made again
---@field nesterov boolean? default false: look ahead along the momentum
---@field weight_decay number? default 0, at least 0: share of each weight, times lr, taken off at each step

---Stochastic gradient descent, with momentum if wanted.
---@param options moonglass.SgdOptions?
---@return moonglass.Optimizer optimizer
function moon.sgd(options) end

---Options of `moon.rmsprop`.
---@class moonglass.RmspropOptions
---@field lr number? default 0.001, at least 0: learning rate
---@field rho number? default 0.9, at least 0 and below 1: decay of the mean squared gradient
---@field momentum number? default 0, at least 0 and below 1: share of the last step that is made again
---@field eps number? default 1e-7, above 0: keeps the division finite
---@field centered boolean? default false: divide by the variance
---@field weight_decay number? default 0, at least 0: share of each weight, times lr, taken off at each step

---RMSprop (Hinton 2012) as Keras has it.
---@param options moonglass.RmspropOptions?
---@return moonglass.Optimizer optimizer
function moon.rmsprop(options) end

---Options of `moon.adagrad`.
---@class moonglass.AdagradOptions
---@field lr number? default 0.001, at least 0: learning rate
---@field initial_accumulator number? default 0.1, at least 0: where the sum of squared gradients starts
---@field eps number? default 1e-7, above 0: keeps the division finite
---@field weight_decay number? default 0, at least 0: share of each weight, times lr, taken off at each step

---Adagrad (Duchi, Hazan and Singer 2011) as Keras has it.
---@param options moonglass.AdagradOptions?
---@return moonglass.Optimizer optimizer
function moon.adagrad(options) end

---An optimiser by name: `moon.optimizer("adam", {lr = 0.01})`.
---@param kind moonglass.OptimizerName
---@param options table? those of the optimiser of that name
---@return moonglass.Optimizer optimizer
function moon.optimizer(kind, options) end

---One update of each parameter by its gradient.
---@param parameters moonglass.Parameter[] as `parameters()` gives them; shared ones are left to their owners
function Optimizer:step(parameters) end

---How many steps there have been.
---@return integer steps
function Optimizer:steps() end

---Go on counting from another number of steps.
---@param steps integer at least 0
function Optimizer:set_steps(steps) end

---The live moments of each parameter by name, for example {m =, v =}; made if there are none yet.
---@param parameters moonglass.Parameter[]
---@return table<string, moonglass.Tensor>[] moments
function Optimizer:moments(parameters) end

---All of it as a table: kind, steps, every option, and with parameters also moments.
---@param parameters moonglass.Parameter[]?
---@return table state
function Optimizer:state(parameters) end

---The name of its kind, "adam" for example.
---@return moonglass.OptimizerName kind
function Optimizer:kind() end

---An optimiser written in Lua: a table with this method.
---@class moonglass.LuaOptimizer
---@field step fun(self, parameters: moonglass.Parameter[]) update each value by its grad
---@field lr number? for callbacks that set the learning rate

---The names of all that is registered: what `moon.layer`, `moon.loss`, `moon.optimizer` and the options take.
---@param family moonglass.Family
---@return string[] names
function moon.registered(family) end

-- ---- nets ----

---A list of layers as one function, with what trains it. `#net` is the number of layers.
---All of native layers it runs in C; with a layer written in Lua it is walked from Lua, with the same numbers and the
---same methods but those of files (`archive`, `load`, `save`), `plan`, `encoder_layers` and `set_encoder_layers`. A
---script may give it fields of its own.
---@class moonglass.Net
---@field loss moonglass.AnyLoss? that of the last `fit`; the default of the next, and of `evaluate`
---@field optimizer moonglass.AnyOptimizer? that of the last `fit`
---@field shares string? of a slice: "layers 1 to 2 of another net"
---@operator len: integer
local Net = {}

---A net of layers, one after the other: `moon.sequential{moon.dense(784, 32), moon.dense(32, 784)}`.
---A net among them stands for its layers. The layers stay the caller's, too: two nets may share one. One that stands in
---several places, of one net or two, has noise of its own in each; its penalty on the weights counts once in a net, one
---on the outputs for each place.
---@param layers moonglass.AnyLayer[] at least one
---@return moonglass.Net net
function moon.sequential(layers) end

---A saved net, an autoencoder if it was one. Loading runs no code.
---@param path string
---@return moonglass.Net|moonglass.Autoencoder? net nil if it cannot be read
---@return string? message
---@return moonglass.Code? code
function moon.load(path) end

---Options of `net:fit`.
---@class moonglass.FitOptions
---@field loss moonglass.LossName|moonglass.AnyLoss? that of the last `fit`, required in the first
---@field optimizer moonglass.OptimizerName|moonglass.AnyOptimizer? default "adam": a name is a fresh one for this call
---@field epochs integer? default 1: train up to this epoch
---@field initial_epoch integer? default 0: the epochs that are done already
---@field batch_size integer? 32, or all rows if they are fewer; at most the rows of x. The last batch may be smaller
---@field shuffle boolean? default true: a new order each epoch, which depends on seed and epoch alone
---@field seed integer? of the order of the rows and of the noise; else drawn from the stream that `moon.seed` starts
---@field validation moonglass.Tensor[]|moonglass.Tensor? {xv, yv}, or xv where the target is x
---@field validation_split number? above 0 and below 1: this share of the last rows, taken before any shuffle
---@field callbacks (moonglass.Callback|fun(state: moonglass.State))[]? a list, called in its order
---@field verbose 0|1|2? 0, or 1 if `moon.interactive`: silent, a bar on a terminal, or a line an epoch
---@field threads integer? during this call, 1 to 256; else as `moon.set_threads` has set
---@field history moonglass.History? a history to go on with
---@field resume moonglass.Checkpoint? of this very net: for optimizer, initial_epoch, seed and history
---@field on_nan "error"|"stop"|"ignore"? default "error": what a loss that is no finite number does

---Train: pass over the rows in batches, `epochs` times. `net:fit(x, options)`: the target is x itself.
---An epoch's loss is the mean over its rows of the objective before each update, penalties included. uint8 rows count
---as value/255. An error, also of a callback, or Ctrl-C leaves the net as the last whole step left it. By a loss that
---is not finite nothing is updated.
---@param x moonglass.Tensor [rows x in], float32 or bytes
---@param y moonglass.Tensor? [rows x out], or class numbers [rows] for cross_entropy
---@param options moonglass.FitOptions?
---@return moonglass.History history
---@overload fun(self: moonglass.Net, x: moonglass.Tensor, options: moonglass.FitOptions): moonglass.History
function Net:fit(x, y, options) end

---Options of `net:evaluate`.
---@class moonglass.EvaluateOptions
---@field loss moonglass.LossName|moonglass.AnyLoss? that of the last `fit`, required before the first
---@field batch_size integer? default 32

---The objective over all rows in inference, penalties included. `net:evaluate(x, options)`: the target is x itself.
---@param x moonglass.Tensor [rows x in]
---@param y moonglass.Tensor? targets, as those of `fit`
---@param options moonglass.EvaluateOptions?
---@return number objective the mean over the rows
---@overload fun(self: moonglass.Net, x: moonglass.Tensor, options: moonglass.EvaluateOptions): number
function Net:evaluate(x, y, options) end

---Options of whatever goes through rows in batches.
---@class moonglass.BatchOptions
---@field batch_size integer? how many rows at a time; the results do not depend on it

---The outputs for rows, in inference.
---@param x moonglass.Tensor [rows x in]; a single row is x:reshape(1, -1)
---@param options moonglass.BatchOptions?
---@return moonglass.Tensor y [rows x out]
function Net:predict(x, options) end

---Row by row the mean squared difference of output and input: how badly each row is reconstructed.
---@param x moonglass.Tensor [rows x in], as wide as the output
---@param options moonglass.BatchOptions?
---@return moonglass.Tensor errors [rows]
function Net:errors(x, options) end

---One training step on one batch. By an objective that is not finite nothing is updated.
---@param x moonglass.Tensor [rows x in]
---@param y moonglass.Tensor? the targets; nil: x
---@param loss moonglass.LossName|moonglass.AnyLoss
---@param optimizer moonglass.AnyOptimizer an object, whose moments outlive the step
---@return number objective before the update, penalties included
function Net:step(x, y, loss, optimizer) end

---One training step on rows of a dataset, in its present order.
---@param data moonglass.Dataset
---@param first integer the first row
---@param count integer how many rows
---@param loss moonglass.LossName|moonglass.AnyLoss
---@param optimizer moonglass.AnyOptimizer
---@return number objective before the update, penalties included
function Net:step_rows(data, first, count, loss, optimizer) end

---The objective over all rows of a dataset, in inference.
---@param data moonglass.Dataset
---@param loss moonglass.LossName|moonglass.AnyLoss
---@param batch integer? default 32
---@return number objective
function Net:evaluate_rows(data, loss, batch) end

---The outputs for one batch, keeping what `backward` needs.
---@param x moonglass.Tensor [rows x in]
---@param training boolean? default false: with true, noise and dropout are active
---@return moonglass.Tensor y [rows x out]
function Net:forward(x, training) end

---The gradient on the input of the last `forward`; the parameters' gradients are set.
---@param dy moonglass.Tensor [rows x out]: the gradient on the output
---@return moonglass.Tensor dx [rows x in]
function Net:backward(dy) end

---The penalties of the last `forward`.
---@return number penalty
function Net:penalty() end

---All parameters with their gradients, each once; the tensors are live.
---@return moonglass.Parameter[] parameters
function Net:parameters() end

---One layer.
---@param i integer 1 to #net
---@return moonglass.Layer|moonglass.LuaLayer layer
function Net:layer(i) end

---A copy with parameters of its own, and halves, if it is an autoencoder: what is done to one does not change the
---other. What is tied, or stands twice, is so within the copy, which has the noise that would come next. The loss comes
---along, the optimiser does not. A layer written in Lua is copied by its method `clone`; without one it is an error.
---@return moonglass.Net net
function Net:clone() end

---Layers i to j as a net of their own, sharing the parameters; printed, it says so.
---@param i integer
---@param j integer
---@return moonglass.Net net
function Net:slice(i, j) end

---The width of the input, 0 where any does.
---@return integer width
function Net:inputs() end

---The width of the output, 0 where it is not known.
---@return integer width
function Net:outputs() end

---The net as a table: layers, output shapes, parameters, their total.
---@return string text
function Net:summary() end

---Restart the streams of its noise.
---@param seed integer
function Net:seed(seed) end

---Take the memory for batches of so many rows now, so that a step takes none.
---@param rows integer
---@param loss moonglass.Loss?
---@param optimizer moonglass.Optimizer?
function Net:plan(rows, loss, optimizer) end

---How many of the layers are an autoencoder's encoder; 0: it is none.
---@return integer layers
function Net:encoder_layers() end

---Say how many of the layers are an encoder, which `save` writes too.
---@param layers integer 0 to #net
function Net:set_encoder_layers(layers) end

---Save architecture and parameters as a safetensors file, which appears whole or not at all.
---Tensors are named as in the same stack of torch.nn.Sequential. A layer written in Lua raises.
---@param path string
---@return true? ok nil if it cannot be written
---@return string? message
---@return moonglass.Code? code
function Net:save(path) end

---Options of `net:load`.
---@class moonglass.LoadOptions
---@field prefix string? default "": what the names of the tensors begin with, "encoder." for example

---Parameters out of a safetensors file into this net, ours or PyTorch's, each by its name; on failure nothing changes.
---@param path string
---@param options moonglass.LoadOptions?
---@return true? ok nil if a tensor is missing, has another shape, or belongs to no layer
---@return string? message
---@return moonglass.Code? code
function Net:load(path, options) end

---What `save` writes, as tables.
---@return table<string, moonglass.Tensor> tensors
---@return table<string, string> metadata
function Net:archive() end

---How a training went; `tostring` makes a table of it.
---@class moonglass.History
---@field loss number[] by epoch: the mean over its rows of the objective before each update
---@field val_loss number[] by epoch, empty without validation
---@field epoch_seconds number[] by epoch: training only, without validation
---@field epochs integer the number of the last epoch
---@field stopped string? why a training ended early on a loss that is not finite
---@field warning string? set by a callback at the end: a monitored value was NaN in every epoch

---Rows with their targets, and an order to take them in. `#data` is the number of rows.
---@class moonglass.Dataset
---@operator len: integer
local Dataset = {}

---Rows to train on; the tensors stay the caller's and are not copied.
---@param x moonglass.Tensor [rows x in], float32 or bytes
---@param y moonglass.Tensor? [rows x out], or class numbers [rows]; nil: x itself
---@return moonglass.Dataset data
function moon.dataset(x, y) end

---The number of rows.
---@return integer rows
function Dataset:rows() end

---Copies of rows in the present order, as float32; bytes become value/255, class numbers stay. A y of bytes that are
---all 0 or 1, as one-hot rows are, stays that.
---@param first integer the first row
---@param count integer how many rows
---@param bytes boolean? default false: with true, the bytes of y stay bytes, for a loss to read
---@return moonglass.Tensor x [count x in]
---@return moonglass.Tensor? y nil if x is its own target
function Dataset:batch(first, count, bytes) end

---Take the rows in a new order, which depends on these two numbers alone.
---@param seed integer
---@param epoch integer? default 0
function Dataset:shuffle(seed, epoch) end

---Take the rows in the order of the tensors again.
function Dataset:unshuffle() end

-- ---- autoencoders ----

---A net with names for its halves; the target of `ae:fit(x, options)` is x.
---@class moonglass.Autoencoder: moonglass.Net
---@field encoder moonglass.Net the layers up to the code, noise included, sharing the parameters
---@field decoder moonglass.Net the layers behind the code, sharing the parameters
local Autoencoder = {}

---The code of each row.
---@param x moonglass.Tensor [rows x in]
---@param options moonglass.BatchOptions?
---@return moonglass.Tensor code [rows x code]
function Autoencoder:encode(x, options) end

---The rows that codes stand for.
---@param code moonglass.Tensor [rows x code]
---@param options moonglass.BatchOptions?
---@return moonglass.Tensor x [rows x out]
function Autoencoder:decode(code, options) end

---What it makes of each row: decode(encode(x)).
---@param x moonglass.Tensor [rows x in]
---@param options moonglass.BatchOptions?
---@return moonglass.Tensor reconstruction [rows x out]
function Autoencoder:reconstruct(x, options) end

---Options of `moon.autoencoder`.
---@class moonglass.AutoencoderOptions
---@field encoder moonglass.AnyLayer[]|moonglass.Net required: a list of layers, or a net
---@field decoder moonglass.AnyLayer[]|moonglass.Net required: a list of layers, or a net
---@field noise moonglass.AnyLayer? in front of the encoder, active in training only: fit's target stays the clean x

---Autoencoders. `moon.autoencoder{encoder = {...}, decoder = {...}, noise = layer}` is one of given layers.
---@class moonglass.autoencoder
---@overload fun(options: moonglass.AutoencoderOptions): moonglass.Autoencoder
moon.autoencoder = {}

---Options of `moon.autoencoder.plain`.
---@class moonglass.PlainOptions
---@field input integer required: width of a row
---@field hidden integer required: width of the code
---@field activation moonglass.ActivationName? default "relu": of the hidden layers
---@field code_activation moonglass.ActivationName? of the code; else that of the others
---@field output moonglass.ActivationName? default "sigmoid": of the last layer
---@field init moonglass.InitName? default "glorot_uniform"
---@field tied boolean? default false: the decoder uses the encoder's weights, transposed
---@field contractive number? default 0: times the squared derivatives of the code by its layer's inputs, as a penalty

---One hidden layer, which is the code: `moon.autoencoder.plain{input = 784, hidden = 32}`.
---@param options moonglass.PlainOptions
---@return moonglass.Autoencoder autoencoder
function moon.autoencoder.plain(options) end

---Options of `moon.autoencoder.deep`.
---@class moonglass.DeepOptions
---@field input integer required: width of a row
---@field hidden integer|integer[] required: widths of the layers before the code; the decoder mirrors them
---@field code integer required: width of the code
---@field activation moonglass.ActivationName? default "relu": of the hidden layers
---@field code_activation moonglass.ActivationName? of the code; else that of the others
---@field output moonglass.ActivationName? default "sigmoid": of the last layer
---@field init moonglass.InitName? default "glorot_uniform"
---@field tied boolean? default false: the decoder uses the encoder's weights, transposed
---@field contractive number? default 0: times the squared derivatives of the code by its layer's inputs, as a penalty

---Hidden layers on both sides of the code: `moon.autoencoder.deep{input = 784, hidden = {128}, code = 32}`.
---@param options moonglass.DeepOptions
---@return moonglass.Autoencoder autoencoder
function moon.autoencoder.deep(options) end

---Options of `moon.autoencoder.denoising`.
---@class moonglass.DenoisingOptions
---@field noise moonglass.AnyLayer required: `moon.gaussian_noise(0.4, {clip = {0, 1}})` for example
---@field input integer required: width of a row
---@field hidden integer|integer[] required: widths of the hidden layers; without `code` the last is the code
---@field code integer? width of the code
---@field activation moonglass.ActivationName? default "relu": of the hidden layers
---@field code_activation moonglass.ActivationName? of the code; else that of the others
---@field output moonglass.ActivationName? default "sigmoid": of the last layer
---@field init moonglass.InitName? default "glorot_uniform"
---@field tied boolean? default false: the decoder uses the encoder's weights, transposed

---Plain or deep, behind a layer of noise that is active in training only; the target stays the clean x.
---@param options moonglass.DenoisingOptions
---@return moonglass.Autoencoder autoencoder
function moon.autoencoder.denoising(options) end

---Options of `moon.autoencoder.sparse`: one kind of sparsity, l1, kl_weight or k; options of two kinds raise.
---@class moonglass.SparseOptions
---@field input integer required: width of a row
---@field hidden integer|integer[] required: widths of the hidden layers; without `code` the last is the code
---@field code integer? width of the code
---@field l1 number? default 1e-5, the kind if none is given: times the sum of the absolute values, as a penalty
---@field reduction "batchmean"|"sum"? default "batchmean": the mean of that penalty over the rows, or their sum
---@field layers "code"|"encoder"|"all"|integer[]? default "code": the dense layers that l1 is for, or their numbers
---@field kl_weight number? draws the mean of each code element over the batch to kl_target, as a penalty
---@field kl_target number? default 0.05, above 0 and below 1
---@field k integer? of each code only the k largest elements stay
---@field activation moonglass.ActivationName? default "relu": of the hidden layers
---@field code_activation moonglass.ActivationName? "sigmoid" with kl_weight, "linear" with k, else the others'
---@field output moonglass.ActivationName? default "sigmoid": of the last layer
---@field init moonglass.InitName? default "glorot_uniform"
---@field tied boolean? default false: the decoder uses the encoder's weights, transposed

---Plain or deep, and the code made sparse, in one of three ways.
---@param options moonglass.SparseOptions
---@return moonglass.Autoencoder autoencoder
function moon.autoencoder.sparse(options) end

---What `moon.autoencoder` calls: an autoencoder of given layers.
---@param options moonglass.AutoencoderOptions
---@return moonglass.Autoencoder autoencoder
function moon.autoencoder.build(options) end

---Make a net an autoencoder whose first layers are the encoder.
---@param net moonglass.Net
---@param layers integer how many
---@return moonglass.Autoencoder net the same net
function moon.autoencoder.adopt(net, layers) end

---A net as an autoencoder, if it has `encoder_layers`.
---@param net moonglass.Net
---@return moonglass.Net|moonglass.Autoencoder net the same net
function moon.autoencoder.restore(net) end

---Principal components: of all linear autoencoders with k numbers in between, the one that errs least.
---@class moonglass.Pca
---@field mean moonglass.Tensor [width]
---@field remainder moonglass.Tensor [width], what mean lacks as float32: taken off, too, so that far from zero codes,
---reconstructions and errors are as exact as near it
---@field components moonglass.Tensor [k x width], at right angles, each of length 1, that of greatest variance first
---@field variance moonglass.Tensor [k], along each component, over n
---@field explained_ratio moonglass.Tensor [k], of the whole variance
local Pca = {}

---Options of `moon.pca` and its methods.
---@class moonglass.PcaOptions
---@field batch_size integer? default 1024: how many rows at a time

---Principal component analysis of rows. Mean and covariance are those of double precision to 1e-6 of the largest
---variance, wherever the rows lie: the mean is taken off before anything is squared.
---@param x moonglass.Tensor [rows x width], float32 or bytes, which count as value/255
---@param k integer how many components, 1 to the width
---@param options moonglass.PcaOptions?
---@return moonglass.Pca pca
function moon.pca(x, k, options) end

---The code of each row: its place along the components.
---@param x moonglass.Tensor [rows x width]
---@param options moonglass.PcaOptions?
---@return moonglass.Tensor code [rows x k]
function Pca:encode(x, options) end

---The rows that codes stand for.
---@param code moonglass.Tensor [rows x k]
---@param options moonglass.PcaOptions?
---@return moonglass.Tensor x [rows x width]
function Pca:decode(code, options) end

---What it makes of each row: decode(encode(x)).
---@param x moonglass.Tensor [rows x width]
---@param options moonglass.PcaOptions?
---@return moonglass.Tensor reconstruction [rows x width]
function Pca:reconstruct(x, options) end

---Row by row the mean squared difference of the reconstruction and x.
---@param x moonglass.Tensor [rows x width]
---@param options moonglass.PcaOptions?
---@return moonglass.Tensor errors [rows]
function Pca:errors(x, options) end

---Atoms for sparse coding: each row as a sum of few of them.
---@class moonglass.Dictionary
---@field atoms moonglass.Tensor [k x width], each of length 1
---@field l1 number
---@field steps integer
---@field method "fista"|"ista"
---@field nonnegative boolean
local Dictionary = {}

---Options of `dictionary:encode`, `reconstruct` and `errors`.
---@class moonglass.DictionaryBatchOptions
---@field batch_size integer? default 1024: how many rows at a time

---The code of each row x: what makes 1/2 |x - z D|^2 + l1 |z|_1 least.
---@param x moonglass.Tensor [rows x width], float32 or bytes, which count as value/255
---@param options moonglass.DictionaryBatchOptions?
---@return moonglass.Tensor code [rows x k]
function Dictionary:encode(x, options) end

---The rows that codes stand for.
---@param code moonglass.Tensor [rows x k]
---@return moonglass.Tensor x [rows x width]
function Dictionary:decode(code) end

---What it makes of each row: decode(encode(x)).
---@param x moonglass.Tensor [rows x width]
---@param options moonglass.DictionaryBatchOptions?
---@return moonglass.Tensor reconstruction [rows x width]
function Dictionary:reconstruct(x, options) end

---Row by row the mean squared difference of the reconstruction and x.
---@param x moonglass.Tensor [rows x width]
---@param options moonglass.DictionaryBatchOptions?
---@return moonglass.Tensor errors [rows]
function Dictionary:errors(x, options) end

---Sparse coding. `moon.dictionary(x, options)` is `moon.dictionary.learn(x, options)`.
---@class moonglass.dictionary
---@overload fun(x: moonglass.Tensor, options: moonglass.DictionaryOptions): moonglass.Dictionary
moon.dictionary = {}

---Options of `moon.dictionary.learn`.
---@class moonglass.DictionaryOptions
---@field atoms integer required: how many
---@field l1 number required, above 0: the price of a code's absolute values
---@field epochs integer? default 1
---@field batch_size integer? default 256
---@field steps integer? default 50: of the search for codes
---@field method "fista"|"ista"? default "fista"
---@field nonnegative boolean? default false: codes without negative elements; atoms have both signs
---@field seed integer? of the order of the rows; else drawn from the stream that `moon.seed` starts
---@field on_epoch (fun(dictionary: moonglass.Dictionary, epoch: integer))? called after each epoch

---Learn atoms for rows: codes of a mini-batch, then atoms for the codes (Mairal, Bach, Ponce and Sapiro 2009).
---@param x moonglass.Tensor [rows x width], float32 or bytes, which count as value/255
---@param options moonglass.DictionaryOptions
---@return moonglass.Dictionary dictionary
function moon.dictionary.learn(x, options) end

---Options of `moon.dictionary.codes`.
---@class moonglass.CodesOptions
---@field l1 number required, above 0: the price of a code's absolute values
---@field steps integer? default 50
---@field method "fista"|"ista"? default "fista" (Beck and Teboulle 2009); with "ista" the objective never rises
---@field nonnegative boolean? default false: codes without negative elements
---@field start moonglass.Tensor? [rows x k]: codes to begin from instead of 0
---@field record boolean? default false: give the objective after each step, too

---Codes of rows for given atoms.
---@param x moonglass.Tensor [rows x width], float32 or bytes, which count as value/255
---@param atoms moonglass.Tensor [k x width]
---@param options moonglass.CodesOptions
---@return moonglass.Tensor codes [rows x k]
---@return number[]? objectives with record: after each step, the mean over the rows
function moon.dictionary.codes(x, atoms, options) end

---The objective 1/2 |x - z D|^2 + l1 |z|_1, the mean over the rows.
---@param x moonglass.Tensor [rows x width]
---@param atoms moonglass.Tensor [k x width]
---@param codes moonglass.Tensor [rows x k]
---@param l1 number
---@return number objective
function moon.dictionary.objective(x, atoms, codes, l1) end

---Each element nearer to 0 by a threshold, and 0 where that would change its sign.
---@param t moonglass.Tensor
---@param threshold number
---@param nonnegative boolean? default false: negative elements become 0, too
---@return moonglass.Tensor tensor
function moon.dictionary.soft_threshold(t, threshold, nonnegative) end

-- ---- callbacks ----

---What `fit` hands to callbacks; set `stop` to end the training.
---@class moonglass.State
---@field net moonglass.Net
---@field opt moonglass.AnyOptimizer
---@field epoch integer the present one, from 1
---@field epochs integer the last one
---@field initial_epoch integer how many were done before
---@field batch integer the present one, from 1
---@field batches integer how many an epoch has
---@field batch_size integer
---@field rows integer an epoch's
---@field loss number? the epoch's; in `on_batch_end` the mean so far
---@field batch_loss number? the batch's own, in `on_batch_end`
---@field val_loss number? after the epoch, with validation
---@field seconds number? the epoch took, without validation
---@field rows_per_second number?
---@field seed integer? nil in `check`: drawn after it, if it was not given
---@field validation boolean is there any?
---@field trained integer? epochs that all fits have trained this net, with the present one
---@field history moonglass.History
---@field callbacks (moonglass.Callback|fun(state: moonglass.State))[] those of this `fit`
---@field resumed boolean was the option `resume` given?
---@field stop boolean true ends the training
---@field stopped string? why it ended on a loss that is not finite

---What may listen to `fit`: a table with any of these; a plain function is called after each epoch.
---@class moonglass.Callback
---@field name string? by which a checkpoint knows it
---@field check (fun(self, state: moonglass.State))? before all else, nothing being written yet: raises what is wrong
---@field on_train_begin (fun(self, state: moonglass.State))?
---@field on_epoch_begin (fun(self, state: moonglass.State))?
---@field on_batch_end (fun(self, state: moonglass.State))?
---@field on_epoch_end (fun(self, state: moonglass.State))?
---@field on_checkpoint (fun(self, state: moonglass.State))? when every on_epoch_end has run: the time to save
---@field on_train_end (fun(self, state: moonglass.State))?
---@field on_abort (fun(self, state: moonglass.State))? an error ended the training, or its coroutine was closed
---@field snapshot (fun(self): table, table?)? what a checkpoint keeps: numbers, texts and booleans; and tensors
---@field restore (fun(self, values: table, tensors: table, state: moonglass.State))? get them back

---Callbacks that are built in.
---@class moonglass.callbacks
moon.callbacks = {}

---Options of `moon.callbacks.progress`.
---@class moonglass.ProgressOptions
---@field bar boolean? default true: a bar that is redrawn; false: a line an epoch
---@field terminal boolean? is the output a terminal? Found out if it is not given
---@field write (fun(text: string))? where to; else `moon.set_log`'s function, or standard output
---@field clock (fun(): number)? default `moon.clock`: seconds

---A bar on a terminal, a line an epoch anywhere else: what fit's `verbose` adds.
---@param options moonglass.ProgressOptions?
---@return moonglass.Callback callback
function moon.callbacks.progress(options) end

---Options of `moon.callbacks.csv_logger`.
---@class moonglass.CsvLoggerOptions
---@field append boolean? default false: write behind what is in the file; a last line that was cut off is removed

---A line an epoch in a file: epoch,loss,val_loss,seconds. A resumed training appends to its file. A file
---that has other columns is an error, and stays as it is.
---@param path string
---@param options moonglass.CsvLoggerOptions?
---@return moonglass.Callback callback
function moon.callbacks.csv_logger(path, options) end

---A callback that ends a training, and tells of it.
---@class moonglass.EarlyStopping: moonglass.Callback
---@field best number the best value; infinity as long as there is none
---@field best_epoch integer? when it was; nil if the value was NaN in every epoch: see `history.warning`
---@field stopped_epoch integer? when it ended the training, if it has

---Options of `moon.callbacks.early_stopping`.
---@class moonglass.EarlyStoppingOptions
---@field monitor moonglass.Figure? default "val_loss"
---@field patience integer? default 0: so many epochs in a row without a better value end the training
---@field min_delta number? default 0: better is value + |min_delta| < best, strictly
---@field restore_best boolean? default false: at the end the net gets the weights of its best epoch

---Keras's EarlyStopping, but that an epoch whose value is NaN is never the best, not even the first.
---@param options moonglass.EarlyStoppingOptions?
---@return moonglass.EarlyStopping callback
function moon.callbacks.early_stopping(options) end

---Options of `moon.callbacks.checkpoint`.
---@class moonglass.CheckpointOptions
---@field every integer? default 1: after every so many epochs
---@field best boolean? default false: only when the monitor is the lowest so far, which NaN never is
---@field monitor moonglass.Figure? "val_loss" with validation, else "loss"
---@field keep integer? default 1, 1 to 10: with 3 the two before the last stay as path.1 and path.2

---Save after epochs all that a resume needs, when all callbacks have seen the epoch.
---@param path string a %d in it, or %03d, becomes the epoch, and %% a %; any other % is an error
---@param options moonglass.CheckpointOptions?
---@return moonglass.Callback callback
function moon.callbacks.checkpoint(path, options) end

---A picture after each epoch, epoch_001.png and so on: rows over what the net makes of them.
---@param dir string a folder, which has to exist
---@param x moonglass.Tensor [rows x in], the rows being images
---@return moonglass.Callback callback
function moon.callbacks.reconstructions(dir, x) end

---Options of `moon.callbacks.step_decay`.
---@class moonglass.StepDecayOptions
---@field every integer required: epochs
---@field factor number required, above 0

---The learning rate times factor after every so many epochs; at the end the base rate comes back.
---@param options moonglass.StepDecayOptions
---@return moonglass.Callback callback
function moon.callbacks.step_decay(options) end

---Options of `moon.callbacks.cosine`.
---@class moonglass.CosineOptions
---@field epochs integer required: the rate would reach lr_min in the epoch after these
---@field lr_min number? default 0, at least 0
---@field warmup integer? default 0: so many epochs up to the base rate come first; fewer than epochs

---The learning rate down along half a cosine (Loshchilov and Hutter 2017); at the end the base rate comes back.
---@param options moonglass.CosineOptions
---@return moonglass.Callback callback
function moon.callbacks.cosine(options) end

---Options of `moon.callbacks.reduce_on_plateau`.
---@class moonglass.ReduceOnPlateauOptions
---@field monitor moonglass.Figure? default "val_loss"
---@field factor number? default 0.1, above 0 and below 1
---@field patience integer? default 10: epochs in a row without a better value
---@field min_delta number? default 1e-4: better is value + |min_delta| < best
---@field cooldown integer? default 0: for so many epochs afterwards nothing is counted
---@field lr_min number? default 0: no lower than this

---Keras's ReduceLROnPlateau; the last rate stays.
---@param options moonglass.ReduceOnPlateauOptions?
---@return moonglass.Callback callback
function moon.callbacks.reduce_on_plateau(options) end

---A function gives the learning rate before each epoch, from the present one; the last rate stays.
---Keras's LearningRateScheduler, but that the epoch counts from 1.
---@param f fun(epoch: integer, lr: number): number
---@return moonglass.Callback callback
function moon.callbacks.learning_rate(f) end

---All that a training needs to go on bit for bit; fit's option `resume` takes it as it is.
---@class moonglass.Checkpoint
---@field net moonglass.Net|moonglass.Autoencoder
---@field opt moonglass.Optimizer?
---@field epoch integer how many are done
---@field seed integer?
---@field history moonglass.History?
---@field callbacks table? what callbacks remember, or a list of them to be saved

---Checkpoints as files.
---@class moonglass.checkpoint
moon.checkpoint = {}

---Save a checkpoint, which appears whole or not at all.
---@param path string
---@param state moonglass.Checkpoint|moonglass.State net, and if wanted opt, epoch, seed, history, callbacks
---@return true? ok nil if it cannot be written
---@return string? message
---@return moonglass.Code? code
function moon.checkpoint.save(path, state) end

---Load a checkpoint.
---@param path string
---@return moonglass.Checkpoint? checkpoint nil if it cannot be read, or is none
---@return string? message
---@return moonglass.Code? code
function moon.checkpoint.load(path) end

---The newest whole one of path, path.1, path.2 and so on.
---@param path string as given to `moon.callbacks.checkpoint` with `keep`
---@return moonglass.Checkpoint? checkpoint nil if there is none
---@return string[]|string? skipped messages on newer ones that could not be loaded; with nil, why
---@return moonglass.Code? code
function moon.checkpoint.latest(path) end

---Options of `moon.callbacks.show`.
---@class moonglass.LiveOptions
---@field every integer? default 1: epochs from one picture to the next; the last epoch has one, too
---@field columns integer? how many rows of x; as many as fit if it is not given
---@field method "kitty"|"iterm2"|"sixel"|"blocks"|"ascii"? else what the environment says of the terminal

---On a terminal, rows over what the net makes of them, drawn again in the same place after epochs; elsewhere nothing.
---@param x moonglass.Tensor [rows x h*w], or [rows x h x w]
---@param options moonglass.LiveOptions?
---@return moonglass.Callback callback
function moon.callbacks.show(x, options) end

-- ---- data ----

---Data sets.
---@class moonglass.data
moon.data = {}

---MNIST, or any set in its four IDX files, plain or gzipped: `assert(moon.data.mnist("train"))`.
---Without a folder it takes the one that the environment's MOONGLASS_DATA names, else data/mnist here or in the source
---tree, else Debian's Fashion-MNIST. Plain files are mapped, not read. Where `moon.interactive` is set, as in a
---session, the first call prints which set it has found.
---@param folder string? may be left out
---@param split moonglass.Split
---@return moonglass.Tensor? images uint8 [n x 784], an image a row; nil if there is no such set
---@return moonglass.Tensor|string labels uint8 [n], from 0; or the message
---@return moonglass.Code? code
---@overload fun(split: moonglass.Split): moonglass.Tensor?, moonglass.Tensor|string, moonglass.Code?
function moon.data.mnist(folder, split) end

---The folder that `moon.data.mnist` would take, and in words what is in it.
---@param folder string?
---@param name "MNIST"|"Fashion-MNIST"? this set and no other: the first of the places that has it, or the folder
---@return string? folder nil if there is none
---@return string description "MNIST in data/mnist" for example; or the message
---@return moonglass.Code? code
function moon.data.find(folder, name) end

---The names of the classes of the set that `moon.data.find` would take: "0" to "9", or "T-shirt/top", "Trouser", ...
---@param folder string?
---@return string[]? names from class 0; nil if nobody knows them, or there is no set
function moon.data.classes(folder) end

---An IDX file, plain or gzipped, as a tensor of the file's shape; bytes stay bytes.
---@param path string
---@return moonglass.Tensor? tensor nil if it cannot be read
---@return string? message
---@return moonglass.Code? code
function moon.data.idx(path) end

---Options of `moon.data.spirals`.
---@class moonglass.SpiralsOptions
---@field n integer? default 100: points a class
---@field classes integer? default 3, at most 256
---@field noise number? default 0.2, at least 0: deviation of the angle
---@field seed integer? else drawn from the stream that `moon.seed` starts

---Points in the plane along spirals, the arms of CS231n's lecture.
---@param options moonglass.SpiralsOptions?
---@return moonglass.Tensor x [n * classes x 2], class after class
---@return moonglass.Tensor y uint8 [n * classes], from 0
function moon.data.spirals(options) end

---Options of `moon.data.circles`.
---@class moonglass.CirclesOptions
---@field n integer? default 100: points a class
---@field classes integer? default 2, at most 256
---@field noise number? default 0.05, at least 0: deviation of each coordinate
---@field seed integer? else drawn from the stream that `moon.seed` starts

---Points in the plane on rings around the middle, the last of radius 1.
---@param options moonglass.CirclesOptions?
---@return moonglass.Tensor x [n * classes x 2], class after class
---@return moonglass.Tensor y uint8 [n * classes], from 0
function moon.data.circles(options) end

---Options of `moon.data.blobs`.
---@class moonglass.BlobsOptions
---@field n integer? default 100: points a class
---@field classes integer? default 3, at most 256
---@field noise number? default 0.2, at least 0: deviation of each coordinate
---@field seed integer? else drawn from the stream that `moon.seed` starts

---Points in the plane in clouds around centres on the unit circle.
---@param options moonglass.BlobsOptions?
---@return moonglass.Tensor x [n * classes x 2], class after class
---@return moonglass.Tensor y uint8 [n * classes], from 0
function moon.data.blobs(options) end

-- ---- files ----

---PNG files.
---@class moonglass.png
moon.png = {}

---Read a PNG file.
---@param path string
---@return moonglass.Tensor? picture uint8 [height x width], or [height x width x channels]; nil if it cannot be read
---@return string? message
---@return moonglass.Code? code
function moon.png.read(path) end

---Write a PNG file, which appears whole or not at all.
---@param path string
---@param picture moonglass.Tensor uint8 [height x width], or [height x width x channels]; `moon.image` makes them
---@return true? ok nil if it cannot be written
---@return string? message
---@return moonglass.Code? code
function moon.png.write(path, picture) end

---A PNG in memory as a picture.
---@param bytes string
---@return moonglass.Tensor? picture as `moon.png.read` gives it; nil if that is no PNG
---@return string? message
---@return moonglass.Code? code
function moon.png.decode(bytes) end

---A picture as a PNG in memory.
---@param picture moonglass.Tensor uint8 [height x width], or [height x width x channels]
---@return string bytes
function moon.png.encode(picture) end

---Safetensors files, ours and others'.
---@class moonglass.safetensors
moon.safetensors = {}

---All tensors of a file; floats of 16 and 64 bits become float32.
---@param path string
---@return table<string, moonglass.Tensor>? tensors nil if it cannot be read
---@return table<string, string>|string metadata or the message
---@return string[]|moonglass.Code names in the file's order; or the code
function moon.safetensors.load(path) end

---Write tensors, in the order of their names, as a file that appears whole or not at all.
---@param path string
---@param tensors table<string, moonglass.Tensor>
---@param metadata table<string, string>?
---@return true? ok nil if it cannot be written
---@return string? message
---@return moonglass.Code? code
function moon.safetensors.save(path, tensors, metadata) end

---ONNX files, for other runtimes.
---@class moonglass.onnx
moon.onnx = {}

---Options of `moon.onnx.export`.
---@class moonglass.OnnxOptions
---@field opset integer? default 17, 11 to 23: the version of ONNX's operators
---@field name string? default "moonglass": the graph's

---Write a net's inference, without dropout and noise, as an ONNX file: "input" [batch x in], "output" [batch x out].
---@param path string
---@param net moonglass.Net of native layers
---@param options moonglass.OnnxOptions?
---@return true? ok nil if it cannot be written, or holds a layer written in Lua
---@return string? message
---@return moonglass.Code? code
function moon.onnx.export(path, net, options) end

-- ---- pictures ----

---Pictures of rows.
---@class moonglass.image
moon.image = {}

---Options of `moon.image.rows`.
---@class moonglass.RowsOptions
---@field shape integer[]? {height, width} of a tile; else a square
---@field pad integer? default 1: pixels around each tile
---@field background integer? default 0, 0 to 255: their grey
---@field scale integer? default 1: pixels a side that each pixel becomes
---@field normalize "none"|"each"|"all"|"signed"? default "none"; from least to largest; "signed": 0 is grey
---@field title string? above the picture, black on white in letters 14 pixels high
---@field titles (string|number)[]? on the left, one for each line of tiles
---@field heads (string|number)[]? above the columns; a place may be empty

---Options of `moon.image.grid`.
---@class moonglass.GridOptions: moonglass.RowsOptions
---@field columns integer? tiles a line; else about as many as lines
---@field crossed number[]|moonglass.Tensor? [n]: where it is not 0 the tile is a cross, as of a dead unit

---Each row as a tile, line by line from the left.
---@param t moonglass.Tensor [n x h*w] or [n x h x w]; bytes as they are, floats 0 to 1
---@param options moonglass.GridOptions?
---@return moonglass.Tensor picture uint8 [height x width]
function moon.image.grid(t, options) end

---One line of tiles for each tensor, all of as many rows: `moon.image.rows{originals, noisy, reconstructions}`.
---@param list (moonglass.Tensor|moonglass.Tensor[])[] an element may be a list of tensors that follow one another
---@param options moonglass.RowsOptions?
---@return moonglass.Tensor picture uint8 [height x width]
function moon.image.rows(list, options) end

---Plots as PNG files, drawn by the program gnuplot (Debian: gnuplot-nox).
---@class moonglass.plot
moon.plot = {}

---Options of every pair of axes.
---@class moonglass.AxesOptions
---@field title string?
---@field xlabel string?
---@field ylabel string?
---@field legend "right"|"below"|"top left"|"top right"|"bottom left"|"bottom right"|"none"? where it is

---Options of every plot: the size of the picture.
---@class moonglass.SizeOptions
---@field width integer? default 800, 100 to 10000: pixels
---@field height integer? default 600, 100 to 10000: pixels

---One curve of `moon.plot.lines`.
---@class moonglass.LineSeries
---@field y moonglass.Numbers required; a nil or what is not finite makes a gap
---@field x moonglass.Numbers? 1 to n if it is not given
---@field label string? in the legend
---@field style "lines"|"points"|"linespoints"|"steps"? default "lines"

---Options of `moon.plot.lines`.
---@class moonglass.LinesOptions: moonglass.AxesOptions, moonglass.SizeOptions
---@field xrange number[]? {from, to}, where nil is up to the data
---@field yrange number[]? {from, to}
---@field logx boolean|number? a logarithmic axis: true, or the base
---@field logy boolean|number? a logarithmic axis: true, or the base

---Curves over one pair of axes.
---@param path string
---@param series moonglass.LineSeries[]
---@param options moonglass.LinesOptions?
---@return true? ok nil if gnuplot is missing or fails, or the file cannot be written
---@return string? message
---@return moonglass.Code? code
function moon.plot.lines(path, series, options) end

---One colour of bars of `moon.plot.bars`.
---@class moonglass.BarSeries
---@field y moonglass.Numbers required: one for each label; what is not finite is left out
---@field label string? in the legend

---Options of `moon.plot.bars`.
---@class moonglass.BarsOptions: moonglass.AxesOptions, moonglass.SizeOptions
---@field yrange number[]? {from, to}
---@field logy boolean|number? a logarithmic axis: true, or the base

---Groups of bars.
---@param path string
---@param labels (string|number)[] below the groups
---@param series moonglass.BarSeries[]
---@param options moonglass.BarsOptions?
---@return true? ok nil if gnuplot is missing or fails, or the file cannot be written
---@return string? message
---@return moonglass.Code? code
function moon.plot.bars(path, labels, series, options) end

---One distribution of `moon.plot.histogram`.
---@class moonglass.Distribution
---@field values moonglass.Numbers required: of any shape; what is not finite does not count
---@field label string? in the legend

---Options of `moon.plot.histogram`.
---@class moonglass.HistogramOptions: moonglass.AxesOptions, moonglass.SizeOptions
---@field bins integer? default 50, at most 10000
---@field density boolean? default true: an area of 1 each; false: counts
---@field range number[]? {from, to} of the bins; else that of all numbers
---@field style "filled"|"steps"? default "filled"
---@field xrange number[]? {from, to} of the axis
---@field yrange number[]? {from, to}
---@field logy boolean|number? a logarithmic axis: true, or the base

---Distributions over each other.
---@param path string
---@param distributions moonglass.Distribution[]
---@param options moonglass.HistogramOptions?
---@return true? ok nil if gnuplot is missing or fails, or the file cannot be written
---@return string? message
---@return moonglass.Code? code
function moon.plot.histogram(path, distributions, options) end

---Options of `moon.plot.scatter`.
---@class moonglass.ScatterOptions: moonglass.AxesOptions, moonglass.SizeOptions
---@field labels string[]? names of class 0, class 1 and so on
---@field size number? above 0: of the points, 1 is about 7 pixels
---@field xrange number[]? {from, to}
---@field yrange number[]? {from, to}
---@field logx boolean|number? a logarithmic axis: true, or the base
---@field logy boolean|number? a logarithmic axis: true, or the base

---Points in the plane, a colour for each class.
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
---@field size number? above 0: of the points, 1 is about 7 pixels
---@field steps integer? default 200, 2 to 2000: places a side
---@field margin number? default 0.1, at least 0: the part of the points' extent to show around them

---What a classifier says of each place, and over it points of known classes.
---@param path string
---@param classify moonglass.Net|fun(points: moonglass.Tensor): moonglass.Numbers [m x 2] to m class numbers
---@param x moonglass.Tensor [n x 2]
---@param y moonglass.Numbers [n], class numbers from 0
---@param options moonglass.RegionsOptions?
---@return true? ok nil if gnuplot is missing or fails, or the file cannot be written
---@return string? message
---@return moonglass.Code? code
function moon.plot.regions(path, classify, x, y, options) end

---One plot of `moon.plot.panels`: options of lines, or with labels those of bars, but for the size.
---@class moonglass.Panel: moonglass.AxesOptions
---@field series (moonglass.LineSeries|moonglass.BarSeries)[] required
---@field labels (string|number)[]? of bars
---@field xrange number[]? {from, to}
---@field yrange number[]? {from, to}
---@field logx boolean|number? a logarithmic axis: true, or the base
---@field logy boolean|number? a logarithmic axis: true, or the base

---Options of `moon.plot.panels`.
---@class moonglass.PanelsOptions
---@field title string?
---@field columns integer? else about as many as lines
---@field width integer? of the whole picture; else 360 pixels a panel
---@field height integer? of the whole picture; else 270 pixels a panel

---Many small plots in one picture, line by line from the left.
---@param path string
---@param list moonglass.Panel[]
---@param options moonglass.PanelsOptions?
---@return true? ok nil if gnuplot is missing or fails, or the file cannot be written
---@return string? message
---@return moonglass.Code? code
function moon.plot.panels(path, list, options) end

---Text, tables and pictures as one HTML file. Whatever is given is text: nothing of it becomes markup.
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

---The table of contents: links to all headings of the page, also to those that come later.
---@return moonglass.Page self
function Page:contents() end

---A paragraph.
---@param text string
---@return moonglass.Page self
function Page:text(text) end

---Lines as they are.
---@param text string
---@return moonglass.Page self
function Page:code(text) end

---A table.
---@param rows any[][] a list of lists, the first of them the head
---@return moonglass.Page self
function Page:table(rows) end

---A picture.
---@param picture string the bytes of a PNG, which become part of the page, or a path relative to the page
---@param caption string?
---@return moonglass.Page self
function Page:picture(picture, caption) end

---A line with a link to a file.
---@param path string relative to the page
---@param text string
---@return moonglass.Page self
function Page:link(path, text) end

---The whole page.
---@return string html
function Page:html() end

-- ---- measuring ----

---How good a reconstruction, a classifier or a score is.
---@class moonglass.metrics
moon.metrics = {}

---The mean over all elements of (a - b)^2; bytes count as value/255. The differences are float32, their squares and
---sums double.
---@param a moonglass.Tensor
---@param b moonglass.Tensor of the same shape
---@return number mse
function moon.metrics.mse(a, b) end

---Options of `moon.metrics.psnr`.
---@class moonglass.PsnrOptions
---@field peak number? default 1, above 0: the largest value that there can be

---Peak signal-to-noise ratio, 10 log10(peak^2 / mse), in dB; infinite where both are the same.
---@param a moonglass.Tensor bytes count as value/255
---@param b moonglass.Tensor of the same shape
---@param options moonglass.PsnrOptions?
---@return number decibels
function moon.metrics.psnr(a, b, options) end

---The share of rows whose class is right.
---@param prediction moonglass.Tensor scores [rows x classes], or class numbers [rows]
---@param labels moonglass.Tensor class numbers [rows], from 0
---@return number share 0 to 1
function moon.metrics.accuracy(prediction, labels) end

---How many rows of the row's class were taken for the column's.
---@param prediction moonglass.Tensor scores [rows x classes], or class numbers [rows]
---@param labels moonglass.Tensor class numbers [rows], from 0
---@param classes integer? the width of the scores, or one more than the largest number
---@return moonglass.Tensor counts [classes x classes]
function moon.metrics.confusion(prediction, labels, classes) end

---A ROC curve: at each threshold the shares of rows that score at least that.
---@class moonglass.Roc
---@field fpr moonglass.Tensor [points], the shares of negative rows, 0 to 1
---@field tpr moonglass.Tensor [points], the shares of positive rows, 0 to 1
---@field thresholds moonglass.Tensor [points], from infinity down

---The ROC curve, from (0, 0) to (1, 1).
---@param scores moonglass.Tensor [rows]: the higher the more likely positive
---@param positive moonglass.Tensor [rows]: 1 where a row is, 0 where it is not
---@return moonglass.Roc roc
function moon.metrics.roc(scores, positive) end

---The area under the ROC curve: how often a positive row has the higher score, equal ones counting half.
---@param scores moonglass.Tensor [rows]
---@param positive moonglass.Tensor [rows]: 1 where a row is, 0 where it is not
---@return number area 0 to 1
function moon.metrics.auc(scores, positive) end

---The units that are dead: 0 in every row. A ReLU that is 0 for all rows of a training never comes back.
---@param outputs moonglass.Tensor [rows x units], what a layer gives
---@return moonglass.Tensor mask [units], 1 where a unit is dead, else 0
---@return integer count how many are
function moon.metrics.dead_units(outputs) end

---The value below which the share q of all values lies: numpy's default. Between an infinite value and a finite one
---lies the infinite one, between both infinities the nearer one.
---@param values moonglass.Tensor of any shape, at most 2^24, bytes by value
---@param q number|number[] 0 to 1, or a list of them
---@return number|number[] value a list for a list; NaN if there is one among the values
function moon.metrics.quantile(values, q) end

---Rows of known classes that others are compared with.
---@class moonglass.Knn
---@field x moonglass.Tensor
---@field labels moonglass.Tensor
---@field k integer
local Knn = {}

---Options of `moon.knn`.
---@class moonglass.KnnOptions
---@field k integer? default 5: neighbours, at most the rows

---Classification by the k nearest rows (Cover and Hart 1967).
---@param x moonglass.Tensor [rows x width], at most 2^24 rows, kept; bytes count as value/255
---@param labels moonglass.Tensor class numbers [rows], from 0
---@param options moonglass.KnnOptions?
---@return moonglass.Knn knn
function moon.knn(x, labels, options) end

---The majority of the k nearest, of equal ones the class of the nearest.
---@param x moonglass.Tensor [n x width]
---@return moonglass.Tensor classes [n], of the labels' element type
function Knn:predict(x) end

---The share of rows whose class is predicted.
---@param x moonglass.Tensor [n x width]
---@param labels moonglass.Tensor class numbers [n]
---@return number share 0 to 1
function Knn:accuracy(x, labels) end

---The k nearest rows of each, the nearest first; equally near ones by their number. They are the true ones wherever the
---rows lie: the distances that decide are of the rows as they are, in double.
---@param x moonglass.Tensor [n x width]
---@return moonglass.Tensor index [n x k], row numbers from 1
---@return moonglass.Tensor distance [n x k], Euclidean
function Knn:neighbours(x) end

---A softmax regression on codes.
---@class moonglass.Probe
---@field net moonglass.Net
---@field history moonglass.History
---@field mean moonglass.Tensor [width], of the codes
---@field deviation moonglass.Tensor [width], of the codes
local Probe = {}

---Options of `moon.probe`.
---@class moonglass.ProbeOptions
---@field epochs integer? default 10
---@field lr number? default 0.01, above 0
---@field batch_size integer? 128, or all rows if they are fewer
---@field seed integer? of the order of the rows; else drawn from the stream that `moon.seed` starts
---@field classes integer? one more than the largest label

---Train a linear probe: how well classes can be told apart by codes (Alain and Bengio 2016).
---@param codes moonglass.Tensor [rows x width], which are standardised
---@param labels moonglass.Tensor class numbers [rows], from 0
---@param options moonglass.ProbeOptions?
---@return moonglass.Probe probe
function moon.probe(codes, labels, options) end

---The probability of each class.
---@param codes moonglass.Tensor [n x width]
---@return moonglass.Tensor scores [n x classes]
function Probe:scores(codes) end

---The likeliest class of each row.
---@param codes moonglass.Tensor [n x width]
---@return moonglass.Tensor classes [n], of the labels' element type
function Probe:predict(codes) end

---The share of rows whose class is predicted.
---@param codes moonglass.Tensor [n x width]
---@param labels moonglass.Tensor class numbers [n]
---@return number share 0 to 1
function Probe:accuracy(codes, labels) end

---Options of `moon.gradcheck`.
---@class moonglass.GradcheckOptions
---@field loss moonglass.AnyLoss? a fixed weighted sum of the outputs if it is not given
---@field target moonglass.Tensor? required with a loss
---@field eps number? default 0.03, above 0: how far an element is moved; kinks have to be further than twice that
---@field samples integer? default 64: elements of each tensor, evenly spread
---@field tolerance number? default 0.01, above 0
---@field seed integer? default 1: of the noise

---What a gradient check found; `tostring` makes a table of it.
---@class moonglass.GradcheckDetails
---@field passed boolean is the largest error within the tolerance?
---@field [integer] moonglass.GradcheckDetail the input first, then each parameter

---The worst element of one tensor.
---@class moonglass.GradcheckDetail
---@field name string "input", or the parameter's
---@field checked integer how many elements
---@field error number the largest relative error
---@field index integer? where
---@field numeric number? the slope by differences
---@field analytic number? the slope by `backward`

---Compare `backward` with numeric gradients: of a layer or loss of one's own before it is trusted.
---@param subject moonglass.AnyLayer a net or a layer, also one written in Lua
---@param x moonglass.Tensor [rows x in], float32
---@param options moonglass.GradcheckOptions?
---@return number error the largest relative one
---@return moonglass.GradcheckDetails details
function moon.gradcheck(subject, x, options) end

-- ---- in a session ----

---Options of `moon.show`.
---@class moonglass.ShowOptions
---@field shape integer[]? {height, width} of a tile; else rows whose width is a square of 8 or more are squares
---@field columns integer? tiles a line; as many as fit if it is not given
---@field limit integer? tiles at most; else as many as the screen has room for, but 10 in any case
---@field normalize "none"|"each"|"all"? as in `moon.image.grid`; else "all" for floats beyond 0 to 1
---@field method "kitty"|"iterm2"|"sixel"|"blocks"|"ascii"? else what the environment says of the terminal
---@field save string? a PNG file to write instead

---A picture in the terminal: kitty's, iTerm2's or sixel graphics where the environment names such a terminal, else half
---blocks in colours, else plain text. A matrix is one picture, unless its rows are squares: [n x 784] are n tiles.
---@param t moonglass.Tensor [h x w], [n x h*w], [n x h x w], [h*w], or bytes [h x w x 3]; floats count from 0 to 1
---@param options moonglass.ShowOptions?
---@return true? ok with `save`: nil if it cannot be written
---@return string? message
---@return moonglass.Code? code
function moon.show(t, options) end

---What is known of a function, a class or an object, by name or by value: `moon.help "zeros"`, `moon.help(net.fit)`.
---In a session also `? zeros`. Without an argument it tells how to ask.
---@param x any
function moon.help(x) end

---Options of `moon.print_options`.
---@class moonglass.PrintOptions
---@field precision integer? default 4, at most 9: digits after the point, at most
---@field threshold integer? default 1000: elements up to which all are shown
---@field edge_items integer? default 3: of a longer dimension, how many at either end
---@field width integer? default 75: characters a line

---How tensors become text. What is not given stays.
---@param options moonglass.PrintOptions?
---@return moonglass.PrintOptions options as they are now
function moon.print_options(options) end

---What a session of the program `moonglass` has as globals, beside `moon`.
---`_` is the result of the last line that had one; of several, `_1` is the first, which `_` is too, `_2` the second. A
---`;` at the end of a line keeps its results, but does not print them. `? name` and `help name` are `help "name"`.
---`who`, `clear`, `help`, `exit` and `quit` do without brackets.
---@class moonglass.session
local session = {}

---The globals that the session has got, with type and shape.
function session.who() end

---Call a function and print how many seconds it took: `time(net.predict, net, x)`.
---@param f any what can be called
---@param ... any its arguments
---@return any results what it gives, all of it
function session.time(f, ...) end

---Clear the screen.
function session.clear() end

---End the session, as Ctrl-D does.
---@param status integer|boolean? the program's exit status; success if it is not given
function session.exit(status) end

---End the session, as `exit` does.
---@param status integer|boolean?
function session.quit(status) end

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

-- ---- the state ----

---Restart the stream of random numbers: of tensors, initial weights and seeds that are not given.
---@param seed integer
function moon.seed(seed) end

---A seed out of that stream.
---@return integer seed 0 to 2^53 - 1
function moon.draw_seed() end

---Set the number of worker threads. The same seed and number of threads give the same bits.
---@param n integer 1 to 256
function moon.set_threads(n) end

---End the next step or predict with an error, as Ctrl-C does.
function moon.interrupt() end

---Options of `moon.limits`.
---@class moonglass.LimitsOptions
---@field memory integer? bytes that tensors and nets may hold; 0: no limit. No more than the host's own limit

---Limit the memory; what would take more raises "out of memory".
---@param limits moonglass.LimitsOptions
function moon.limits(limits) end

---What this build is and what it holds.
---@class moonglass.Info
---@field version string
---@field blis string BLIS's version
---@field blis_config string the kernels that it has chosen; "generic" is slow
---@field simd "base"|"avx2"|"avx512" the kernels of our own
---@field threads integer
---@field memory integer bytes held
---@field memory_peak integer the most there were
---@field memory_limit integer 0: none
---@field files boolean may files be opened?

---What this build is and what it holds.
---@return moonglass.Info info
function moon.info() end

---Who gets the lines that `fit` prints with `verbose`.
---@param f (fun(line: string))? without the newline; nil: the host's log, or standard output
function moon.set_log(f) end

---Seconds of a clock that never goes back.
---@return number seconds
function moon.clock() end

return moon
