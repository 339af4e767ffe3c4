"""Dynamic quantization in ONNX Runtime and PyTorch, in plain NumPy."""
