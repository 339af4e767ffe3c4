"""Small ONNX models, and ONNX Runtime to run them."""

from functools import cache

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType

onnxruntime.set_default_logger_severity(3)
TYPES = {"int8": QuantType.QInt8, "uint8": QuantType.QUInt8}


def model(nodes, inputs, outputs, constants=()):
    """A model whose inputs and outputs are pairs (name, ONNX type)."""
    described = [
        [helper.make_tensor_value_info(name, kind, None) for name, kind in side]
        for side in (inputs, outputs)
    ]
    held = [numpy_helper.from_array(np.asarray(v), name) for name, v in constants]
    graph = helper.make_graph(nodes, "g", *described, held)
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8)


def session(model, optimized=False):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimized else level.ORT_DISABLE_ALL
    content = model.SerializeToString()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def run(model, feeds, optimized=False):
    alive = session(model, optimized)
    names = [output.name for output in alive.get_outputs()]
    return dict(zip(names, alive.run(names, feeds), strict=True))


@cache
def quantizer():
    node = helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"])
    kinds = (TensorProto.UINT8, TensorProto.FLOAT, TensorProto.UINT8)
    outputs = zip("qsz", kinds, strict=True)
    return session(model([node], [("x", TensorProto.FLOAT)], outputs))
