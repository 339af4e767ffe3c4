"""Images of the digits net for every test of the attribution."""

import numpy as np
import pytest

from tests.kit.places import MODELS

f32 = np.float32


@pytest.fixture(scope="module")
def images():
    data = np.load(MODELS / "digits_inputs.npz")
    return (data["test_images"][:2] / f32(16)).reshape(-1, 1, 8, 8, 1).astype(f32)
