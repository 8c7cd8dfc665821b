#!/usr/bin/env python3
"""Writes centre.onnx: y = x - Median(x), row by row, with an operator that ONNX does not have.

    make_model.py FILE

Needs the package onnx. An exporter leaves such nodes in a model where it meets a layer that is not ONNX's own.
"""

import sys

from onnx import TensorProto, helper, save

x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", "columns"])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", "columns"])
nodes = [
    helper.make_node("Median", ["x"], ["middle"], name="find_middle", domain="org.example", keepdims=1),
    helper.make_node("Sub", ["x", "middle"], ["y"], name="centre"),
]
opsets = [helper.make_opsetid("", 17), helper.make_opsetid("org.example", 1)]
save(helper.make_model(helper.make_graph(nodes, "centre", [x], [y]), opset_imports=opsets, ir_version=8), sys.argv[1])
