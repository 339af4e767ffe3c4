"""A layer of the digits net with what it reads, and a smaller one."""

import numpy as np

import drqsim
from tests.kit.places import MODELS


def digits(name="digits_drq"):
    model = drqsim.load(MODELS / f"{name}.tflite")
    image = np.load(MODELS / "digits_inputs.npz")["images"][:1]
    (x,) = drqsim.run(model.extract("conv_2d_0"), image)[0].values()
    return model, model.extract("conv_2d_1"), x


def trace_of(kernels="optimized", name="digits_drq"):
    _, layer, x = digits(name)
    return drqsim.run(layer, x, kernels=kernels)[1]


def small_layer(activation="RELU"):
    filter = np.array([[[[127], [-64]]]], np.int8)
    layer = drqsim.conv_relu(
        filter,
        np.array([0.5], np.float32),
        input_shape=(1, 2, 3, 1),
        activation=activation,
        filter_scale=np.array([0.25], np.float32),
    )
    x = np.array([[[[0.0], [1.0], [2.0]], [[3.0], [-1.0], [-2.0]]]], np.float32)
    return layer, drqsim.run(layer, x)[1]
