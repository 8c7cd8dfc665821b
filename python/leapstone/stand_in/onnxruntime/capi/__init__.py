"""Where programs look for onnxruntime's exception classes."""
