"""Keras' own inner functions that the course cannot do without, in one place; public calls may replace them one day."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial


def times_used(layer) -> int:
    """At how many places a layer stands in graphs, of whatever networks: `layer.output` is the oldest of them.

    In place of a public count: Keras keeps its nodes in `layer._inbound_nodes`.
    """
    return len(layer._inbound_nodes)


def is_graph(layer) -> bool:
    """Whether a layer is a network whose own layers a graph shows: a functional or a built sequential model.

    A call of the learner's own may do anything beside the graph.
    """
    import keras

    own = not type(layer).call.__module__.startswith("keras.")
    return isinstance(layer, keras.Model) and bool(getattr(layer, "inputs", None)) and not own


def feeds(layer, later) -> bool:
    """Whether what `layer` answers is what `later` is given, anywhere in a graph."""
    answers = [id(tensor) for node in layer._inbound_nodes for tensor in node.output_tensors]
    return any(id(tensor) in answers for node in later._inbound_nodes for tensor in node.input_tensors)


def as_functions(operation) -> Iterator[Callable]:
    """An operation of a graph as a function of one tensor: of what it is given, or of what that is made from.

    What else it is called with stays: keras.ops.maximum(x, 0) becomes a function of x, and so does x * (x > 0), whose
    parts are operations of their own. None goes further back than operations that are Keras' own and have no weights.
    In place of a public way to the arguments of a node.
    """
    if not operation._inbound_nodes or not _is_function(operation):
        return
    end, tried = operation._inbound_nodes[0], set[int]()
    starts = list(end.input_tensors)
    while starts and len(tried) < STARTS:
        start = starts.pop(0)
        if id(start) in tried:
            continue
        tried.add(id(start))
        yield partial(_from_start, end, start)
        maker, place, _ = start._keras_history
        if _is_function(maker):
            starts.extend(maker._inbound_nodes[place].input_tensors)


STARTS = 8
"""From so many tensors an operation is looked at: a ReLU written by hand takes four steps at most."""


def _is_function(operation) -> bool:
    """Whether it is Keras' own and has no weights. A learner's own layer may count its calls."""
    import keras

    own = type(operation).__module__.startswith("keras.")
    no_function = isinstance(operation, (keras.Model, keras.layers.InputLayer))
    return own and not no_function and not getattr(operation, "weights", None)


def _from_start(end, start, value):
    """What a node's operation answers where `start` is `value`. Raises ValueError where more than that leads to it."""
    import keras

    known = {id(start): value}

    def value_of(given):
        if not isinstance(given, keras.KerasTensor):
            return given
        if id(given) not in known:
            maker, place, index = given._keras_history
            if not _is_function(maker):
                raise ValueError("another tensor leads there, too")
            known[id(given)] = keras.tree.flatten(answer_of(maker._inbound_nodes[place]))[index]
        return known[id(given)]

    def answer_of(node):
        args, options = keras.tree.map_structure(value_of, (node.arguments.args, node.arguments.kwargs))
        return node.operation(*args, **options)

    return answer_of(end)


def bare_copy(layer):
    """The same layer, its weights shared, that stands in no graph yet; the layer itself is not touched."""
    twin = object.__new__(type(layer))
    vars(twin).update(vars(layer), _inbound_nodes=[], _outbound_nodes=[])
    return twin


def run_watched(network, inputs, seen: Callable, prefix: str = "", instead: dict[int, Callable] | None = None):
    """The network's answer; what each operation answers goes through seen(name, operation, answer) first.

    instead : {id(operation): what is run in its place}.

    It does what calling the network does, and makes no new nodes, so that the layers stay as they were; a public
    sub-model of every layer would add a node to each.
    """

    def watched(operation):
        name = prefix + operation.name

        def run(*values, **options):
            if is_graph(operation):
                return seen(name, operation, run_watched(operation, values, seen, f"{name}/", instead))
            # A layer that was told to train when the graph was made must not do so here.
            how = {"training": False} if getattr(operation, "_call_has_training_arg", False) else {}
            runs = (instead or {}).get(id(operation), operation)
            return seen(name, operation, runs(*values, **(options | how)))

        return run

    answers = _walked(network, inputs, watched)
    return answers[0] if len(answers) == 1 else answers


def _walked(network, inputs, runs: Callable) -> list:
    """The network's answers, where each operation is run as runs(operation).

    In place of `_run_through_graph`, which keeps what every operation answers until the end: a gigabyte for four images
    in Xception. Here an answer is let go when nothing will read it any more.
    """
    import keras

    graph = keras.Model(network.inputs, network.outputs)
    depths = sorted(graph._nodes_by_depth, reverse=True)
    nodes = [node for depth in depths for node in graph._nodes_by_depth[depth] if not node.is_input]
    last = {id(tensor): place for place, node in enumerate(nodes) for tensor in node.input_tensors}
    last |= {id(tensor): len(nodes) for tensor in graph.outputs}
    values = dict(zip(map(id, graph.inputs), keras.tree.flatten(inputs), strict=True))
    for place, node in enumerate(nodes):
        args, options = node.arguments.fill_in(values)
        answers = keras.tree.flatten(runs(node.operation)(*args, **options))
        values.update(zip(map(id, node.outputs), answers, strict=True))
        del args, options, answers
        for tensor in node.input_tensors:
            if last[id(tensor)] == place:
                values.pop(id(tensor), None)
    return [values[id(tensor)] for tensor in graph.outputs]
