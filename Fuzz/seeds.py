#!/usr/bin/env python3
"""Copies the models that fuzzing starts from: hostile files, and the smallest cases of each operator and opset.

    seeds.py TESTDATA FOLDER      TESTDATA is where `make data` writes
"""

import collections
import hashlib
import json
import pathlib
import sys

LARGEST = 16 << 10  # bytes of a seed
EACH = 2  # cases of one operator at one opset

testdata, folder = map(pathlib.Path, sys.argv[1:])
files = list((testdata / "hostile").glob("*.onnx"))
for index in sorted(testdata.glob("*/index.jsonl")):
    cases = collections.defaultdict(list)
    for line in index.read_text().splitlines():
        entry = json.loads(line)
        path = index.parent / entry["name"] / "model.onnx"
        cases[entry["operator"], entry["opset"]].append((path.stat().st_size, path))
    for same in cases.values():
        files += [path for _, path in sorted(same)[:EACH]]

folder.mkdir(parents=True, exist_ok=True)
for path in files:
    content = path.read_bytes()
    if len(content) <= LARGEST:
        (folder / hashlib.sha1(content).hexdigest()).write_bytes(content)
print(len(list(folder.iterdir())), "seeds")
