"""Random graphs for the memory planner: branches, residuals, results nobody reads, odd orders."""

import numpy as np

from drqsim.arithmetic.window import axis
from drqsim.graph import Graph, Quantization, Tensor
from tests.kit.memory_net import Net

f32, i32, i8 = np.dtype(np.float32), np.dtype(np.int32), np.dtype(np.int8)


def _window(net: Net, x: int, kernel, stride, dilation):
    padding = net.choose("SAME", "VALID")
    sizes = [
        axis(size, k, s, d, padding).out
        for size, k, s, d in zip(net.shape(x)[1:3], kernel, stride, dilation, strict=True)
    ]
    options = {"padding": padding, "stride_h": stride[0], "stride_w": stride[1]}
    return sizes, options


def conv_2d(net: Net, x: int) -> None:
    channels = net.shape(x)[3]
    kernel = net.choose((1, 1), (1, 1), (3, 3), (2, 3))
    stride = net.choose((1, 1), (1, 1), (2, 2))
    dilation = net.choose((1, 1), (1, 1), (1, 1), (2, 2))
    groups = 2 if channels % 2 == 0 and net.chance(0.1) else 1
    out = groups * int(net.random.integers(1, 9))
    filters = net.weights((out, *kernel, channels // groups), 0, may_be_one=groups == 1)
    sizes, options = _window(net, x, kernel, stride, dilation)
    options |= {"dilation_h_factor": dilation[0], "dilation_w_factor": dilation[1]}
    reads = (x, filters, net.floats(out))
    net.add("CONV_2D", reads, (net.shape(x)[0], *sizes, out), **options)


def depthwise(net: Net, x: int) -> None:
    channels, multiplier = net.shape(x)[3], net.choose(1, 1, 2)
    kernel, stride = net.choose((3, 3), (1, 2)), net.choose((1, 1), (2, 2))
    out = channels * multiplier
    filters = net.weights((1, *kernel, out), 3, may_be_one=False)
    sizes, options = _window(net, x, kernel, stride, (1, 1))
    options |= {"dilation_h_factor": 1, "dilation_w_factor": 1, "depth_multiplier": multiplier}
    reads = (x, filters, net.floats(out))
    net.add("DEPTHWISE_CONV_2D", reads, (net.shape(x)[0], *sizes, out), **options)


def transpose_conv(net: Net, x: int) -> None:
    batch, height, width, channels = net.shape(x)
    out = int(net.random.integers(1, 6))
    filters = net.weights((out, 2, 2, channels), 0)
    y = (batch, 2 * height, 2 * width, out)
    reads = (net.numbers(y), filters, x)
    net.add("TRANSPOSE_CONV", reads, y, padding="SAME", stride_h=2, stride_w=2)


def pool(net: Net, x: int) -> None:
    batch, _, _, channels = net.shape(x)
    sizes, options = _window(net, x, (2, 2), (2, 2), (1, 1))
    options |= {"filter_width": 2, "filter_height": 2}
    code = net.choose("MAX_POOL_2D", "AVERAGE_POOL_2D")
    net.add(code, (x,), (batch, *sizes, channels), **options)


def resize(net: Net, x: int) -> None:
    batch, _, _, channels = net.shape(x)
    code = net.choose("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
    net.add(code, (x, net.numbers((6, 5))), (batch, 6, 5, channels))


def dense(net: Net, x: int) -> None:
    *leading, depth = net.shape(x)
    units, keep = int(net.random.integers(1, 20)), net.chance(0.5)
    filters = net.weights((units, depth), 0)
    shape = (*leading, units) if keep else (int(np.prod(leading)), units)
    bias = net.floats(units) if net.chance(0.8) else -1
    net.add("FULLY_CONNECTED", (x, filters, bias), shape, keep_num_dims=keep)


def matmul(net: Net, x: int) -> None:
    *leading, rows, depth = net.shape(x)
    columns = int(net.random.integers(1, 9))
    adjoint = net.chance(0.5)
    right = (*leading, columns, depth) if adjoint else (*leading, depth, columns)
    y = (*leading, rows, columns)
    if net.chance(0.6):
        other = net.weights(right, 0, may_be_one=True)
        if net.tensors[other].quantization is not None:  # one scale
            net.tensors[other] = _with_one_scale(net.tensors[other])
    else:
        others = [i for i in net.live if net.shape(i) == right]
        other = net.choose(*others) if others else net.input(*right)
    net.add("BATCH_MATMUL", (x, other), y, adj_x=False, adj_y=adjoint)


def _with_one_scale(tensor: Tensor) -> Tensor:
    quantization = Quantization(tensor.quantization.scale[:1], np.zeros(1, np.int64), 0)
    return Tensor(tensor.name, tensor.shape, tensor.dtype, tensor.value, quantization)


def binary(net: Net, x: int) -> None:
    code = net.choose("ADD", "ADD", "SUB", "MUL", "DIV", "MAXIMUM", "SQUARED_DIFFERENCE")
    shape = net.shape(x)
    same = [i for i in net.live if net.shape(i) == shape]
    other = net.choose(net.choose(*same), net.choose(*same), net.floats(*shape[-1:]), net.floats(1))
    net.add(code, (x, other) if net.chance(0.5) else (other, x), shape)


def residual(net: Net, x: int) -> None:
    """A result that only the next operator reads, so that it may be written over."""
    shape = net.shape(x)
    branch = net.add("RELU", (x,), shape)
    net.live.remove(branch)
    first = net.choose(x, net.floats(*shape), net.floats(shape[-1]))
    code = net.choose("ADD", "SUB", "MUL", "DIV")
    last = net.add(code, (first, branch) if net.chance(0.7) else (branch, first), shape)
    if net.chance(0.5):
        net.live.remove(last)
        net.add(net.choose("SOFTMAX", "LOGISTIC"), (last,), shape)


def unary(net: Net, x: int) -> None:
    code = net.choose("RELU", "LOGISTIC", "TANH", "HARD_SWISH", "SOFTMAX", "SOFTMAX", "LEAKY_RELU")
    options = {"SOFTMAX": {"beta": 1.0}, "LEAKY_RELU": {"alpha": 0.1}}.get(code, {})
    net.add(code, (x,), net.shape(x), **options)


def concatenation(net: Net, x: int) -> None:
    shape = net.shape(x)
    mates = [i for i in net.live if net.shape(i)[:-1] == shape[:-1]]
    reads = [x, *(net.choose(*mates) for _ in range(net.choose(1, 1, 2, 13)))]
    depth = sum(net.shape(i)[-1] for i in reads)
    net.add("CONCATENATION", reads, (*shape[:-1], depth), axis=-1)


def reshape(net: Net, x: int) -> None:
    shape = net.shape(x)
    new = net.choose((shape[0], -1), (1, -1), shape, (*shape[:1], 1, *shape[1:]))
    if len(new) > 4:
        return
    size = int(np.prod(shape))
    full = [n if n > 0 else size // int(np.prod([m for m in new if m > 0])) for n in new]
    reads = (x, net.numbers(new)) if net.chance(0.8) else (x,)
    net.add("RESHAPE", reads, full, new_shape=tuple(map(int, new)))


def expand(net: Net, x: int) -> None:
    shape = net.shape(x)
    if len(shape) < 4:
        net.add("EXPAND_DIMS", (x, net.numbers(1)), (shape[0], 1, *shape[1:]))


def squeeze(net: Net, x: int) -> None:
    shape = net.shape(x)
    dims = tuple(at for at, n in enumerate(shape) if n == 1 and at)
    if dims and len(shape) - len(dims) > 1:
        kept = [n for at, n in enumerate(shape) if at not in dims]
        net.add("SQUEEZE", (x,), kept, squeeze_dims=dims)


def reduce(net: Net, x: int) -> None:
    shape, keep = net.shape(x), net.chance(0.5)
    axes = net.choose((len(shape) - 1,), (1, 2) if len(shape) == 4 else (1,))
    kept = [1 if at in axes else n for at, n in enumerate(shape) if keep or at not in axes]
    code = net.choose("MEAN", "MEAN", "SUM", "REDUCE_MAX")
    net.add(code, (x, net.numbers(axes)), kept, keep_dims=keep)


def split(net: Net, x: int) -> None:
    shape = net.shape(x)
    if shape[-1] % 2 == 0:
        half = (*shape[:-1], shape[-1] // 2)
        net.add("SPLIT", (net.numbers(len(shape) - 1), x), half, half, num_splits=2)


def many(net: Net, x: int) -> None:
    """One operator with so many outputs that the planner's sets grow past their first size."""
    shape = net.shape(x)
    count = shape[-1]
    if count > 1 and len(shape) > 1:
        parts = [shape[:-1]] * count
        net.add("UNPACK", (x,), *parts, num=count, axis=len(shape) - 1)


def pack(net: Net, x: int) -> None:
    shape = net.shape(x)
    if len(shape) < 4:
        mates = [i for i in net.live if net.shape(i) == shape]
        net.add("PACK", (x, net.choose(*mates)), (2, *shape), values_count=2, axis=0)


def pad(net: Net, x: int) -> None:
    shape = net.shape(x)
    before_after = [(0, 0)] + [net.choose((0, 0), (1, 0), (1, 1)) for _ in shape[1:]]
    padded = [n + sum(p) for n, p in zip(shape, before_after, strict=True)]
    if all(n > max(p) for n, p in zip(shape, before_after, strict=True)) and net.chance(0.4):
        net.add("MIRROR_PAD", (x, net.numbers(before_after)), padded, mode="REFLECT")
    else:
        net.add("PAD", (x, net.numbers(before_after)), padded)


def transpose(net: Net, x: int) -> None:
    order = [0, *range(len(net.shape(x)) - 1, 0, -1)]
    net.add("TRANSPOSE", (x, net.numbers(order)), [net.shape(x)[at] for at in order])


def cut(net: Net, x: int) -> None:
    shape = net.shape(x)
    begin = [0] * len(shape)
    size = [max(1, n // 2) for n in shape]
    if net.chance(0.5):
        net.add("SLICE", (x, net.numbers(begin), net.numbers(size)), size)
    else:
        reads = (x, net.numbers(begin), net.numbers(size), net.numbers([1] * len(shape)))
        net.add("STRIDED_SLICE", reads, size)


def gather(net: Net, x: int) -> None:
    shape = net.shape(x)
    which = net.random.integers(0, shape[-1], 3)
    along = len(shape) - 1
    net.add("GATHER", (x, net.numbers(which)), (*shape[:-1], 3), axis=along)


def dequantized(net: Net, x: int) -> None:
    """A constant that is turned into float32 once, and used."""
    shape = net.shape(x)[-1:]
    values = net.random.integers(-127, 128, shape, dtype=np.int8)
    quantization = Quantization(np.array([0.1], f32), np.zeros(1, np.int64))
    codes = net.tensor(shape, i8, values, quantization=quantization)
    floats = net.add("DEQUANTIZE", (codes,), shape)
    net.add(net.choose("ADD", "MUL"), (x, floats), net.shape(x))


def at_run_time(net: Net, x: int) -> None:
    """A shape that is measured, and a RESHAPE that knows it only then."""
    shape = net.shape(x)
    measured = net.add("SHAPE", (x,), (len(shape),), dtype=i32, out_type=2)
    if net.chance(0.3):  # known to the planner after all
        net.add("RESHAPE", (x, measured), shape)
        return
    reads = (measured, net.numbers([0]), net.numbers([1]), net.numbers([1]))
    batch = net.add("STRIDED_SLICE", reads, (), dtype=i32, shrink_axis_mask=1)
    rest = int(np.prod(shape[1:]))
    target = net.add("PACK", (batch, net.numbers(rest)), (2,), dtype=i32, values_count=2)
    net.add("RESHAPE", (x, target), (shape[0], rest))


WINDOWS = (conv_2d, conv_2d, conv_2d, depthwise, transpose_conv, pool, resize)
ALWAYS = (binary, binary, unary, unary, reshape, concatenation, reduce, pad, cut, gather, split)
ALWAYS += (transpose, expand, squeeze, pack, dequantized, residual, residual)


def random_graph(seed: int, length: int, share_of_int8=0.5, run_time=False) -> Graph:
    """A graph of about ``length`` operators."""
    net = Net(seed, share_of_int8)
    batch = int(net.choose(1, 1, 2, 3))
    for _ in range(net.choose(1, 1, 2)):
        net.input(batch, *(int(n) for n in net.random.integers(2, 9, 3)))
    if net.chance(0.2):
        net.input(batch, int(net.random.integers(1, 20)))
    if net.chance(0.1):
        net.input(int(net.random.integers(2, 30)))  # nobody need read it
    while len(net.operators) < length:
        recent = net.live[-4:] if net.chance(0.7) else net.live
        x = net.choose(*recent)
        rank = len(net.shape(x))
        if rank < 2:
            unary(net, x)
            continue
        kinds = ALWAYS + WINDOWS * 2 if rank == 4 else ALWAYS + (dense, dense, matmul)
        if net.chance(0.03):
            kinds = (many,)
        if run_time and net.chance(0.1):
            kinds = (at_run_time,)
        net.choose(*kinds)(net, x)
    return net.graph()
