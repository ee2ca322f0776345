"""Keras' own inner functions that the course cannot do without, in one place; public calls may replace them one day."""

from __future__ import annotations

from collections.abc import Callable


def times_used(layer) -> int:
    """At how many places a layer stands in graphs, of whatever networks: `layer.output` is the oldest of them.

    In place of a public count: Keras keeps its nodes in `layer._inbound_nodes`.
    """
    return len(layer._inbound_nodes)


def is_graph(layer) -> bool:
    """Whether a layer is a network whose own layers a graph shows: a functional or a built sequential model."""
    import keras

    return isinstance(layer, keras.Model) and bool(getattr(layer, "inputs", None))


def feeds(layer, later) -> bool:
    """Whether what `layer` answers is what `later` is given, anywhere in a graph."""
    answers = [id(tensor) for node in layer._inbound_nodes for tensor in node.output_tensors]
    return any(id(tensor) in answers for node in later._inbound_nodes for tensor in node.input_tensors)


def as_function(operation) -> Callable | None:
    """An operation of a graph as a function of the one tensor that it is given there; None where it is given several.

    What else it is called with stays: keras.ops.maximum(x, 0) becomes a function of x. In place of a public way to
    the arguments of a node.
    """
    import keras

    nodes = operation._inbound_nodes
    if not nodes or len(nodes[0].input_tensors) != 1:
        return None
    (place,), arguments = nodes[0].input_tensors, nodes[0].arguments

    def call(value):
        args, options = keras.tree.map_structure(
            lambda given: value if given is place else given, (arguments.args, arguments.kwargs)
        )
        return operation(*args, **options)

    return call


def bare_copy(layer):
    """The same layer, its weights shared, that stands in no graph yet; the layer itself is not touched."""
    twin = object.__new__(type(layer))
    vars(twin).update(vars(layer), _inbound_nodes=[], _outbound_nodes=[])
    return twin


def run_watched(network, inputs, seen: Callable, prefix: str = "", instead: dict[int, Callable] | None = None):
    """The network's answer; what each operation answers goes through seen(name, operation, answer) first.

    instead : {id(operation): what is run in its place}.

    It does what calling the network does, with `_run_through_graph`, and makes no new nodes, so that the layers stay as
    they were; a public sub-model of every layer would add a node to each.
    """
    import keras

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

    graph = keras.Model(network.inputs, network.outputs)
    answer = keras.tree.flatten(graph._run_through_graph(inputs, operation_fn=watched))
    return answer[0] if len(answer) == 1 else answer
