"""The methods that blocks can be ranked by: their names, what they measure, and who answers them.

The one list of them. It needs no torch, so that pages and the command line show it at once. A
further method is an entry here and the pass that it names.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Method:
    """One measure of how much a block matters.

    Attributes:
        name: what a person calls it by.
        computed_by: the function that computes it, as `module.function` inside `qwen_ui.rank`;
            methods of the same function are answered by one pass over the model.
        what, formula, source: what it measures, how, and the publication that it comes from.
        by_blocks: whether a block's weights suffice at a time: not for what goes back through all
            of them, or runs the model once a block.
    """

    name: str
    computed_by: str
    what: str
    formula: str
    source: str
    by_blocks: bool = False


_ALL = (
    Method(
        "gradient",
        "gradients.gradient_pass",
        "Norm of the gradient of the loss.",
        "root mean square over batches of ||dL/dW||, L the batch's mean cross-entropy.",
        "gradient norm by block, as in Surgical fine-tuning, Lee et al., arXiv 2210.11466.",
    ),
    Method(
        "relative-gradient",
        "gradients.gradient_pass",
        "Norm of the gradient over the norm of the tensor: how much a step moves it for its size.",
        "||dL/dW|| / ||W|| for each tensor, then the mean over a block's tensors. A tensor that is "
        "all zero has no such ratio and is not ranked.",
        "relative gradient norm (Auto-RGN), Surgical fine-tuning, Lee et al., arXiv 2210.11466.",
    ),
    Method(
        "fisher",
        "gradients.fisher_pass",
        "Trace of the empirical Fisher matrix: how sensitive the loss is to a random step.",
        "mean over sequences of ||dL/dW||^2, L one sequence's mean cross-entropy; summed over a "
        "block's tensors.",
        "empirical Fisher, Kunstner et al., arXiv 1905.12558.",
    ),
    Method(
        "relative-fisher",
        "gradients.fisher_pass",
        "The empirical Fisher weighted by the parameters: how sensitive the loss is to removing "
        "them.",
        "mean over sequences of sum_i (dL/dw_i)^2 w_i^2; summed over a block's tensors.",
        "Taylor importance, Molchanov et al., arXiv 1906.10771.",
    ),
    Method(
        "activation",
        "activations.activation_pass",
        "Block Influence: how far a block turns the hidden state.",
        "1 - mean over tokens of cos(x, y), x the block's input and y its output.",
        "ShortGPT, Men et al., arXiv 2403.03853, equation 1.",
        by_blocks=True,
    ),
    Method(
        "change",
        "activations.activation_pass",
        "How much a block adds to the hidden state, relative to the state's size.",
        "mean over tokens of ||y - x|| / ||x||, x the block's input and y its output.",
        "activation statistics; the residual view of Veit et al., arXiv 1605.06431.",
        by_blocks=True,
    ),
    Method(
        "wanda",
        "activations.activation_pass",
        "Size of the weights, each times the size of the activation that it meets.",
        "mean over i, j of |W_ij| sqrt(mean over tokens of x_j^2); each matrix over the mean of "
        "its kind, then the mean of a block's matrices. Only matrices of linear modules are "
        "ranked.",
        "Wanda, Sun et al., arXiv 2306.11695, equation 1.",
        by_blocks=True,
    ),
    Method(
        "weight",
        "spectrum.weight_pass",
        "Signal-to-noise of the singular values of each matrix; reads weights alone, no data.",
        "(sum of the singular values above the Marchenko-Pastur bound) / (sum of the others) / "
        "(the largest); each over the mean of its kind, then the mean of a block's matrices. "
        "Norms, biases and embeddings have no such values and are not ranked.",
        "Spectrum, Hartford et al., arXiv 2406.06623.",
        by_blocks=True,
    ),
    Method(
        "ablation",
        "ablation.ablation_pass",
        "How much the loss rises when the block is skipped: its input becomes its output.",
        "loss(without the block) - loss, mean cross-entropy over the data (nats per token).",
        "leave-one-block-out ablation, as in Veit et al., arXiv 1605.06431, section 4.1.",
    ),
)
METHODS: dict[str, Method] = {method.name: method for method in _ALL}
