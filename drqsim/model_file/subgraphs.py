"""What joins the subgraphs of a ``.tflite`` file: operators that run them, and signatures."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from drqsim.errors import ModelFileError, UnsupportedOperatorError
from drqsim.graph import Graph, Signature, shorten
from drqsim.model_file.schema import SUBGRAPHS_OF
from drqsim.model_file.tensors import Places, name_of
from drqsim.names import numbered_names

SIGNATURES = 18  # of a model: where the vtable has the vector
# of a signature, and of the pairs of a name and a tensor in it
SIGNATURE_INPUTS, SIGNATURE_OUTPUTS, KEY = 4, 6, 8
PAIR_NAME = 4


def runs_of(tflite, entry, code: str) -> tuple[int, ...]:
    """The indices of the subgraphs that an operator runs; none where its table is missing."""
    if code not in SUBGRAPHS_OF:
        return ()
    table_name, accessors = SUBGRAPHS_OF[code]
    union, kind = entry.BuiltinOptions(), entry.BuiltinOptionsType()
    wanted = getattr(tflite.BuiltinOptions, table_name, None)
    if wanted is None:
        union, kind = entry.BuiltinOptions2(), entry.BuiltinOptions2Type()
        wanted = getattr(tflite.BuiltinOptions2, table_name)
    if union is None or kind != wanted:
        return ()
    table = getattr(tflite, table_name)()
    table.Init(union.Bytes, union.Pos)
    return tuple(getattr(table, accessor)() for accessor in accessors)


def check_runs(graphs: list[Graph], label: str) -> None:
    """Every operator that runs subgraphs names some that the file has.

    Raises
    ------
    ModelFileError
        When one does not.
    """
    for graph in dict.fromkeys(graphs):
        for op in graph.operators:
            wrong = [at for at in op.runs if not 0 <= at < len(graphs)]
            if wrong:
                raise ModelFileError(
                    f"{label}: {op.name} runs subgraph {wrong[0]}, but the file has {len(graphs)}."
                )


def check_whole(graph: Graph) -> None:
    """Refuse to quantize or write a file's graph where only the first of its parts would be left.

    Raises
    ------
    UnsupportedOperatorError
        When there are several.
    """
    for what, held in (
        ("subgraphs", graph.subgraph_names),
        ("signatures", tuple(graph.signatures)),
    ):
        if len(held) > 1:
            named = ", ".join(shorten(name) for name in held[:6])
            raise UnsupportedOperatorError(
                f"This model has {len(held)} {what} ({named}{', ...' if len(held) > 6 else ''}); "
                "drqsim quantizes and writes a model of one, and would lose the others."
            )


def read_signatures(tflite, model, graphs: list[Graph], places: Places) -> Mapping[str, Signature]:
    """The signatures by name; of two with one name the second is called ``name:1``."""
    found = [
        places.read("signatures", at, 0, partial(_signature, tflite, at, graphs, places))
        for at in places.tables(model._tab, SIGNATURES)
    ]
    names = numbered_names([name for name, _ in found])
    return MappingProxyType(dict(zip(names, (made for _, made in found), strict=True)))


def _signature(tflite, at: int, graphs: list[Graph], places: Places) -> tuple[str, Signature]:
    entry = tflite.SignatureDef()
    entry.Init(places.data, at)
    name, subgraph = name_of(entry._tab, places, KEY), entry.SubgraphIndex()
    if subgraph >= len(graphs):
        raise ModelFileError(
            f"{places.label}: the signature {name[:60]!r} names subgraph {subgraph}, but the file "
            f"has {len(graphs)}."
        )
    count = len(graphs[subgraph].tensors)

    def tensors(field: int) -> dict[str, int]:
        vector = places.tables(entry._tab, field)
        places.take("signatures", 4 * len(vector))
        named = {}
        for where in vector:
            pair = tflite.TensorMap()
            pair.Init(places.data, where)
            if pair.TensorIndex() >= count:
                raise ModelFileError(
                    f"{places.label}: the signature {name[:60]!r} names tensor "
                    f"{pair.TensorIndex()} of {count}."
                )
            named[name_of(pair._tab, places, PAIR_NAME)] = pair.TensorIndex()
        return named

    return name, Signature(subgraph, tensors(SIGNATURE_INPUTS), tensors(SIGNATURE_OUTPUTS))
