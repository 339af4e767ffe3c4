"""The native code, and the process that runs it. The only file that imports ``ai_edge_litert``.

``child.py`` starts this file as a program of its own, so it takes NumPy and the runtime, nothing of
drqsim. It reads questions from one pipe and writes answers to another. A message is a line of JSON
and, behind it, the bytes of the arrays in it: nothing that could run code.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import os
import struct
import warnings

import numpy as np

RESOLVERS = {
    "reference": "BUILTIN_REF",
    "optimized": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    "xnnpack": "AUTO",
}


def interpreter(content: bytes | str, kernels: str, preserve: bool = True, threads: int = 1):
    """An interpreter, of a path too; without its warning that keeping every tensor takes memory."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*experimental_preserve_all_tensors")
        return Interpreter(
            **{"model_path" if isinstance(content, str) else "model_content": content},
            experimental_op_resolver_type=getattr(OpResolverType, RESOLVERS[kernels]),
            experimental_preserve_all_tensors=preserve,
            num_threads=threads,
        )


# of a TfLiteTensor, 112 bytes: the address of its data, its TfLiteAllocationType, its bytes
_TENSOR = struct.Struct("8xQ16xi4xQ64x")
# by TfLiteAllocationType; tensors of all other kinds have memory of their own
MEMORY = {1: "file", 2: "arena", 3: "persistent"}


# The questions. Tensors are named by their index, so that nothing here reads the file itself.


def run(content: bytes, kernels: str, fed: list, outputs: list[int], outputs_only: bool) -> dict:
    """Feed pairs (index, array), and read every tensor that can be read."""
    runtime = interpreter(content, kernels, preserve=not outputs_only)
    _run(runtime, fed)
    details = [] if outputs_only else runtime.get_tensor_details()
    return {
        "tensors": [
            {
                "index": int(detail["index"]),
                "name": detail["name"],
                "dtype": np.dtype(detail["dtype"]).str,
                "shape": [int(n) for n in detail["shape"]],
                "value": _value(runtime, detail["index"]),
            }
            for detail in details
        ],
        "outputs": [runtime.get_tensor(index) for index in outputs],
    }


def _run(runtime, fed: list) -> None:
    declared = {detail["index"]: detail["shape"] for detail in runtime.get_input_details()}
    for index, array in fed:
        if index in declared and tuple(declared[index]) != array.shape:
            runtime.resize_tensor_input(index, array.shape)
    runtime.allocate_tensors()
    for index, array in fed:
        runtime.set_tensor(index, array)
    runtime.invoke()


def heap(kernels: str) -> int | None:
    """Bytes in use of what ``malloc`` has given out, by its own count (``man 3 mallinfo2``)."""
    import ai_edge_litert.interpreter  # noqa: F401  what it allocates is no model's

    try:
        count = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError):  # not glibc, or one before 2.33
        return None
    fields = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    names = [(name, ctypes.c_size_t) for name in fields.split()]
    count.restype = type("mallinfo2", (ctypes.Structure,), {"_fields_": names})
    counted = count()
    return counted.uordblks + counted.hblkhd


_HELD: list = []


def hold(content: bytes | str, kernels: str, fed: list) -> None:
    """Run as an app does, in one thread, and keep everything: somebody looks from outside."""
    runtime = interpreter(content, kernels, preserve=False)
    _run(runtime, fed)
    _HELD.append(runtime)


def _value(runtime, index: int) -> np.ndarray | None:
    try:
        # a scratch tensor without dimensions makes get_tensor crash, and makes this call raise
        runtime._interpreter.TensorSize(index, 0)
        value = runtime.get_tensor(index)
    except ValueError:
        return None  # hidden: inside a delegate, or never allocated
    return None if value.dtype.hasobject else value


def delegated(content: bytes, kernels: str, inputs: list[int], unread: list[int]) -> list[int]:
    """The tensors that parts of the delegate write; of those that nobody reads, what is hidden."""
    # keeping every tensor makes a part of each operator, so that they can be told apart
    runtime = interpreter(content, kernels)
    runtime.allocate_tensors()
    operators = runtime._get_ops_details()
    taken = [op["outputs"] for op in operators if op["op_name"] == "DELEGATE"]
    found = [int(index) for outputs in taken for index in outputs]
    if unread:
        # no output of a delegate: inside of one such a result has no memory, outside it has
        _run_on_zeros(runtime, inputs)
        found += [index for index in unread if _view(runtime, index) is None]
    return found


def places(
    content: bytes,
    kernels: str,
    threads: int,
    preserve: bool,
    inputs: list[int],
    resized: list,
    in_file: int,
    look=None,
    fed: list = (),
) -> list:
    """Index, kind of memory, address and bytes of each tensor that has any, after a run.

    The run is on zeros where the pairs (index, array) in ``fed`` have nothing else.
    The kind is one of ``MEMORY``; empty where only Python's view of the tensors can be had.
    ``look`` is called with them while they are still there.
    """
    runtime = interpreter(content, kernels, preserve, threads)
    for index, shape in resized:
        runtime.resize_tensor_input(index, shape)
    runtime.allocate_tensors()
    _run_on_zeros(runtime, inputs, fed)
    count = runtime._interpreter.NumTensors(0)
    views = ((index, _view(runtime, index, index >= in_file)) for index in range(count))
    # of a tensor without dimensions Python hands out a copy
    shown = {
        index: view.__array_interface__["data"][0]
        for index, view in views
        if view is not None and view.ndim and view.size
    }
    found = _own_table(runtime, count)
    if not shown.items() <= {index: address for index, _, address, _ in found}.items():
        found = [(i, "", at, _view(runtime, i, i >= in_file).nbytes) for i, at in shown.items()]
    if look is not None:
        look(found)
    return found


def _run_on_zeros(runtime, inputs: list[int], fed: list = ()) -> None:
    """Invoke, so that tensors whose shape is computed at run time get their memory, too."""
    for index in inputs:
        if runtime.tensor(index)().ndim:
            runtime.tensor(index)()[...] = 0
        else:  # a copy
            runtime.set_tensor(index, np.zeros_like(runtime.get_tensor(index)))
    for index, array in fed:
        runtime.set_tensor(index, array)
    runtime.invoke()


def _view(runtime, index: int, scratch: bool = False) -> np.ndarray | np.generic | None:
    """A tensor's values; None inside a delegate, or if it was never allocated."""
    try:
        if scratch:
            # a scratch tensor without dimensions makes tensor() crash, and makes this call raise
            runtime._interpreter.TensorSize(index, 0)
        return runtime.tensor(index)()
    except ValueError:
        return None


def _own_table(runtime, count: int) -> list:
    """``places`` by the runtime's own table of tensors, which Python shows in part.

    ``tflite/core/c/common.h``: an interpreter begins with a pointer to its ``TfLiteContext``, whose
    words are the number of tensors, a function, and the table of ``TfLiteTensor``. Nothing where it
    does not look like that, or a process cannot read its own memory in this way.
    """
    try:
        memory = os.open("/proc/self/mem", os.O_RDONLY)
    except OSError:
        return []
    try:
        (context,) = _words(memory, runtime._native_handle(), "Q")
        tensors, _, table = _words(memory, context, "3Q")
        if tensors != count:
            return []
        rows = [_words(memory, table + index * _TENSOR.size, _TENSOR) for index in range(count)]
    except (OSError, OverflowError, struct.error):
        return []
    finally:
        os.close(memory)
    return [
        (index, MEMORY.get(kind, "heap"), address, nbytes)
        for index, (address, kind, nbytes) in enumerate(rows)
        if address and nbytes
    ]


def _words(memory: int, address: int, layout) -> tuple:
    layout = struct.Struct(layout) if isinstance(layout, str) else layout
    return layout.unpack(os.pread(memory, layout.size, address))


QUESTIONS = {each.__name__: each for each in (delegated, heap, hold, places, run)}

# Messages


def send(pipe, message: object) -> None:
    """Write a message: None, bool, numbers, text, bytes, arrays, and lists and dicts of them."""
    blobs: list = []
    header = json.dumps(_without_bytes(message, blobs)).encode()
    pipe.write(len(header).to_bytes(8, "little") + header)
    for blob in blobs:
        pipe.write(blob)
    pipe.flush()


def _without_bytes(value: object, blobs: list) -> object:
    if isinstance(value, (bytes, bytearray)):
        blobs.append(value)
        return {"bytes": len(value)}
    if isinstance(value, (np.ndarray, np.generic)):  # a tensor without dimensions comes as either
        value = np.asarray(value)
        blobs.append(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
        return {"array": value.dtype.str, "shape": list(value.shape)}
    if isinstance(value, dict):
        return {"dict": {key: _without_bytes(each, blobs) for key, each in value.items()}}
    if isinstance(value, (list, tuple)):
        return [_without_bytes(each, blobs) for each in value]
    return value


def receive(pipe) -> object:
    """Read a message; EOFError where the other side is gone."""
    header = _read(pipe, int.from_bytes(_read(pipe, 8), "little"))
    return _with_bytes(json.loads(bytes(header)), pipe)


def _with_bytes(value: object, pipe) -> object:
    if isinstance(value, list):
        return [_with_bytes(each, pipe) for each in value]
    if not isinstance(value, dict):
        return value
    if "bytes" in value:
        return bytes(_read(pipe, value["bytes"]))
    if "array" in value:
        dtype, shape = np.dtype(value["array"]), tuple(value["shape"])
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        return np.frombuffer(_read(pipe, size), dtype).reshape(shape)
    return {key: _with_bytes(each, pipe) for key, each in value["dict"].items()}


def _read(pipe, size: int) -> bytearray:
    content = bytearray(size)
    view, got = memoryview(content), 0
    while got < size:
        more = pipe.readinto(view[got:])
        if not more:
            raise EOFError
        got += more
    return content


def serve() -> None:
    """Answer questions until the pipe is closed."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what native code prints must not get between the answers
    questions = os.fdopen(0, "rb", closefd=False)
    while True:
        try:
            name, arguments, limit = receive(questions)
        except EOFError:
            return
        # should nobody be left to end this process
        faulthandler.dump_traceback_later(limit + 10, exit=True)
        try:
            answer = {"answer": QUESTIONS[name](**arguments)}
        except (RuntimeError, ValueError) as error:
            answer = {"refused": str(error)}
        except Exception as error:  # whatever it is, the other side has a sentence for it
            answer = {"refused": f"{type(error).__name__}: {error}"}
        faulthandler.cancel_dump_traceback_later()
        send(answers, answer)


if __name__ == "__main__":
    serve()
