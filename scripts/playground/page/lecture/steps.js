/**
 * The lecture's ten steps, as data. Each is one screen:
 *
 *   name, sentences       the title, and two sentences
 *   settings              of the room "autoencoder", where they differ from its defaults
 *   control               what one changes: {setting, values}, or {panel, presets} with buttons for the panel "draw"
 *   panels                modules of ../autoencoder/ that show it
 *   measures              columns of "What you have tried": {label, event, of: function(data), digits}
 *   notice                what to see; its numbers are of MNIST with these settings, as the column shows them
 *   formula, spoken       and the same in words
 *   script, shows         of scripts/, which measures it at length, and what it shows
 *
 * The net trains until it has seen IMAGES images: every value of a control gets the same number of steps.
 */

import {dotOf, house, withDot} from "./drawings.js";
import {comma, frac, hat, lines, log, of, row, sub, sum, sup, under, words} from "./math.js";

const IMAGES = 200000;

/** How many epochs a step trains with these settings. */
export const epochsOf = ({rows}) => Math.ceil(IMAGES / rows);

const mean = (list) => list.reduce((total, value) => total + value, 0) / list.length;

/** The mean squared difference of two lists of pictures, of a pixel from 0 to 1. */
function difference(a, b) {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += ((a[i] - b[i]) / 255) ** 2;
  return total / a.length;
}

const digitsError = {label: "error of the ten pictures", event: "digits", of: (data) => mean(data.errors), digits: 4};
const testLoss = {label: "test loss", event: "epoch", of: (data) => data.test_loss, digits: 4};

const x = "x";
const y = hat("x");
const z = "z";
const square = (...parts) => sup(row("(", ...parts, ")"), "2");

export const steps = [
  {
    name: "Bottleneck",
    sentences: [
      "An autoencoder learns to give back its input: an encoder turns the 784 pixels of a picture into a short code, "
        + "and a decoder turns the code into 784 pixels again.",
      "The code is the bottleneck: it has no room for a copy, so the net must find out what the pictures have in "
        + "common.",
    ],
    settings: {kind: "plain", code: 8},
    control: {setting: "code", values: [2, 8, 32]},
    panels: ["digits", "code"],
    measures: [digitsError],
    notice: "two numbers give blurs, eight give digits that one can guess, and 32 give nearly the originals: the "
      + "error falls from 0.05 to 0.01. Drag a bar, and the decoder makes another picture.",
    formula: row(z, "=", of("f", x), comma, y, "=", of("g", z), comma, z, "∈", sup("ℝ", "k"), comma, "k", "<", "784"),
    spoken: "the code z is f of the picture x; the reconstruction x hat is g of z; z has k numbers, fewer than 784",
    script: "plain", shows: "the lecture's net, 784-32-784, and why its error stays large",
  },
  {
    name: "Reconstruction error",
    sentences: [
      "The reconstruction error compares each pixel of the output with the same pixel of the input, and training "
        + "changes the weights a little with each batch of pictures, so that it falls.",
      "No labels are needed: the input itself is the target.",
    ],
    settings: {kind: "deep"},
    control: {setting: "loss", values: ["bce", "mse"]},
    panels: ["digits", "loss"],
    measures: [digitsError],
    notice: "the ten errors differ: a 1 is one stroke and easy, a 2 or a 5 has about ten times its error. The two "
      + "losses have other values, but lead to nearly the same error, 0.010.",
    formula: lines(
      row("MSE", "=", frac("1", "784"), sum(row("i", "=", "1"), "784"), square(sub(x, "i"), "−", sub(y, "i"))),
      row("BCE", "=", "−", frac("1", "784"), sum(row("i", "=", "1"), "784"), "(", sub(x, "i"), log(sub(y, "i")), "+",
        "(", "1", "−", sub(x, "i"), ")", log(row("(", "1", "−", sub(y, "i"), ")")), ")"),
    ),
    spoken: "the squared error is the mean over the pixels of x minus x hat, squared; the binary cross-entropy is "
      + "minus the mean of x log x hat plus, in brackets, 1 minus x, times log of 1 minus x hat",
    script: "by_hand", shows: "the error's gradient and the steps, written out without layers",
  },
  {
    name: "Compression",
    sentences: [
      "A code of 8 numbers stands for 784 pixels, so it is about a hundred times shorter.",
      "PCA, principal component analysis, finds the best code that a linear net can have; an autoencoder bends, and "
        + "may do better with as many numbers.",
    ],
    settings: {kind: "deep", code: 8},
    control: {setting: "code", values: [2, 8, 32]},
    panels: ["pca", "loss"],
    measures: [
      {label: "error of the net", event: "pca", of: (data) => data.net_error, digits: 4},
      {label: "error of PCA", event: "pca", of: (data) => data.pca_error, digits: 4},
    ],
    notice: "the net is worse than PCA at first, and then passes it: with 8 numbers its error is 0.023, PCA's 0.037. "
      + "With 32 it is 0.010 against 0.017.",
    formula: row(frac(words("pixels"), words("numbers of the code")), "=", frac("784", "k"), comma,
      frac("784", "8"), "=", "98"),
    spoken: "pixels over numbers of the code is 784 over k; for k equal to 8 it is 98",
    script: "compression", shows: "the error for codes of 2 to 128 numbers, of PCA, a plain and a deep net",
  },
  {
    name: "Lossy",
    sentences: [
      "What comes out is not quite what went in: a PNG keeps every pixel, an autoencoder only what fits into its "
        + "code.",
      "What is common to many pictures is kept, and what is rare is lost.",
    ],
    settings: {kind: "deep"},
    control: {
      panel: "draw", label: "Put something rare into a digit",
      presets: [
        {label: "The digit", picture: (digit) => digit},
        {label: "With a white square", picture: withDot},
      ],
    },
    panels: ["draw", "digits"],
    measures: [
      {label: "square, as drawn", event: "drawing", of: (data) => dotOf(data.pixels.data), digits: 2},
      {label: "square, as it comes back", event: "drawing", of: (data) => dotOf(data.reconstruction.data), digits: 2},
    ],
    notice: "the digit comes back, the white square in the corner does not: no digit has one, so no number of the "
      + "code stands for it. Draw a mark of your own beside the digit, and see what is kept.",
    formula: row(of("g", of("f", x)), "≠", x, comma, of("L", x, ",", of("g", of("f", x))), ">", "0"),
    spoken: "g of f of x is not equal to x, and the error L of x and g of f of x is above 0",
    script: "plain", shows: "how much is lost in a code of 32, beside PCA, and where",
  },
  {
    name: "Learned for its data",
    sentences: [
      "JPEG compresses any photo, but an autoencoder knows only pictures like those it was trained on.",
      "Give it something else and it answers with the strokes that it knows; so a large error tells that a picture "
        + "is strange.",
    ],
    settings: {kind: "deep", code: 8},
    control: {
      panel: "draw", label: "Show it something",
      presets: [
        {label: "A house", picture: () => house()},
        {label: "A test digit", picture: (digit) => digit},
      ],
    },
    panels: ["draw", "digits"],
    measures: [
      {label: "error", event: "drawing", of: (data) => data.error, digits: 4},
      digitsError,
    ],
    notice: "the house comes back as something made of a digit's strokes, with about three times the error of the "
      + "ten digits.",
    formula: row("f", ",", "g", "=", under(row("arg", "min"), row("f", ",", "g")), sum("n"),
      of("L", sub(x, "n"), ",", of("g", of("f", sub(x, "n"))))),
    spoken: "f and g are those that make the sum of the errors over the training pictures x n smallest",
    script: "anomaly", shows: "how well the error finds clothes among digits",
  },
  {
    name: "Deep",
    sentences: [
      "A plain autoencoder has one layer on each side of its code; a deep one has more, so that encoder and decoder "
        + "can bend the space of pictures.",
      "The shorter the code, the more that helps.",
    ],
    settings: {kind: "deep", code: 2, code_activation: "linear"},
    control: {setting: "kind", values: ["plain", "deep"]},
    panels: ["digits", "map"],
    measures: [digitsError, testLoss],
    notice: "with a code of 2 the plain net hardly gets beyond blurs, with an error of 0.053, while the deep net "
      + "reaches 0.042. Without any label its map keeps digits of a kind together, though some kinds overlap.",
    formula: row(of("f", x), "=", sub("W", "2"), of("a", sub("W", "1"), x, "+", sub("b", "1")), "+", sub("b", "2")),
    spoken: "f of x is W 2 times a of W 1 x plus b 1, plus b 2, where a is the activation",
    script: "deep", shows: "784-128-32-128-784, with the options --hidden and --code for other widths",
  },
  {
    name: "Activation functions",
    sentences: [
      "A layer adds up its inputs, each times a weight, and its activation function bends the result: ReLU makes "
        + "what is negative 0, tanh and sigmoid flatten both ends.",
      "Without it (linear), layers in a row are no more than one layer.",
    ],
    settings: {kind: "deep", code: 8, code_activation: "linear"},
    control: {setting: "activation", values: ["linear", "relu", "tanh", "sigmoid"]},
    panels: ["pca", "filters"],
    measures: [
      {label: "error of the net", event: "pca", of: (data) => data.net_error, digits: 4},
      {label: "dead units", event: "filters", of: (data) => data.dead_total, digits: 0},
    ],
    notice: "the linear net stays near PCA's error, 0.034 against 0.037, while the others get to 0.022 to 0.025. "
      + "Only ReLU has dead units: they are 0 for every picture, so they learn nothing more.",
    formula: lines(
      row(of("ReLU", z), "=", of("max", "0", ",", z), comma, of("σ", z), "=",
        frac("1", row("1", "+", sup("e", row("−", z))))),
      row(sub("W", "2"), "(", sub("W", "1"), x, ")", "=", "(", sub("W", "2"), sub("W", "1"), ")", x),
    ),
    spoken: "ReLU of z is the larger of 0 and z; sigmoid of z is 1 over 1 plus e to the minus z; W 2 times W 1 x is "
      + "the product of W 2 and W 1, times x",
    script: "activations", shows: "each activation and its derivative",
  },
  {
    name: "Denoising",
    sentences: [
      "A denoising autoencoder sees a picture with noise and is to give back the clean one, so copying does not "
        + "help.",
      "It must know what clean pictures look like.",
    ],
    settings: {kind: "denoising"},
    control: {setting: "noise_level", values: [0.2, 0.4, 0.6]},
    panels: ["digits", "draw"],
    measures: [
      {
        label: "error before", event: "digits", digits: 4,
        of: (data) => (data.noisy ? difference(data.noisy.data, data.original.data) : null),
      },
      {label: "error after", event: "digits", of: (data) => mean(data.errors), digits: 4},
    ],
    notice: "most of the noise is gone: at level 0.4 the error falls from 0.08 to 0.02. Draw a digit, move the noise "
      + "slider, and the net cleans that one, too.",
    formula: row(under("min", row("f", ",", "g")), sum("n"), of("L", sub(x, "n"), ",", of("g", of("f", sub(x, "n"), "+",
      "ε"))), comma, "ε", "∼", of("N", "0", ",", sup("σ", "2"))),
    spoken: "the sum over the pictures of L of x n and g of f of x n plus epsilon becomes smallest; epsilon is "
      + "normal noise of standard deviation sigma",
    script: "denoising", shows: "three kinds of noise, and how much of each is left",
  },
  {
    name: "Sparse",
    sentences: [
      "A sparse autoencoder may have a long code, but pays a penalty for each number in it that is not 0.",
      "So it learns to describe each picture by a few of its numbers.",
    ],
    settings: {kind: "sparse", hidden: 0, code: 128, penalty: 3e-4},
    control: {setting: "penalty", values: [0, 3e-4, 1e-3, 1e-2]},
    panels: ["density", "code"],
    measures: [
      {label: "share of zeros", event: "density", of: (data) => data.zeros, digits: 2},
      testLoss,
    ],
    notice: "without a penalty 3 of 100 numbers are 0, with 0.0003 about half, with 0.001 seven of ten, while the "
      + "loss grows from 0.07 to 0.11. With 0.01 all are 0: the code has died, and all digits come back the same.",
    formula: row(of("L", x, ",", y), "+", "λ", sum(row("j", "=", "1"), "k"), "|", sub(z, "j"), "|"),
    spoken: "the error L of x and x hat, plus lambda times the sum of the absolute values of the code's numbers",
    script: "sparse", shows: "three ways to a sparse code, beside the same net without",
  },
  {
    name: "Overfitting",
    sentences: [
      "A net with many weights and few pictures learns the pictures by heart: their error falls, that of others does "
        + "not.",
      "The gap between training and test loss shows it; more pictures close it, and so does noise.",
    ],
    settings: {kind: "deep", rows: 300},
    control: {setting: "rows", values: [100, 300, 1000, 20000]},
    panels: ["memory", "loss"],
    measures: [
      {label: "training loss", event: "memory", of: (data) => data.train.loss, digits: 4},
      {label: "test loss", event: "memory", of: (data) => data.test.loss, digits: 4},
    ],
    notice: "with 300 pictures the training loss falls to 0.06, while the test loss turns round early and climbs to "
      + "0.21. With 20000 and the same number of steps they end at 0.088 and 0.089: the gap is closed.",
    formula: row(words("gap"), "=", sub("L", words("test")), "−", sub("L", words("train"))),
    spoken: "the gap is the test loss minus the training loss",
    script: "memorise", shows: "the same with a larger net, and three remedies: noise, weight decay, stopping early",
  },
];
