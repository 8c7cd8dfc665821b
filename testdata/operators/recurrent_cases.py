"""RNN, GRU and LSTM."""

import numpy as np

from case_writer import random, versions

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
DEFAULTS = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}
OTHERS = {"RNN": ["HardSigmoid"], "GRU": ["HardSigmoid", "Softsign"],
          "LSTM": ["HardSigmoid", "Elu", "Softsign"]}


def operands(operator, directions, steps, batch, inputs, size, seed=0):
    gates = GATES[operator]
    x = random(steps, batch, inputs, seed=seed)
    w = random(directions, gates * size, inputs, seed=seed + 1) / 2
    r = random(directions, gates * size, size, seed=seed + 2) / 2
    b = random(directions, 2 * gates * size, seed=seed + 3)
    state = random(directions, batch, size, seed=seed + 4)
    cell = random(directions, batch, size, seed=seed + 5)
    peepholes = random(directions, 3 * size, seed=seed + 6)
    return x, w, r, b, state, cell, peepholes


def all_cases(add):
    for operator in GATES:
        is_long = operator == "LSTM"
        outputs = 3 if is_long else 2
        opsets = [opset for opset in versions(operator, 7)]
        for opset in opsets:
            for direction in ("forward", "reverse", "bidirectional"):
                directions = 2 if direction == "bidirectional" else 1
                for steps, batch, inputs, size in ((1, 1, 3, 4), (5, 3, 7, 6), (9, 17, 5, 33)):
                    x, w, r, b, state, cell, peepholes = operands(
                        operator, directions, steps, batch, inputs, size)
                    settings = {"hidden_size": size, "direction": direction, "outputs": outputs,
                                "rtol": 1e-4, "atol": 5e-5, "name": direction}
                    more = [state, cell] if is_long else [state]
                    add(operator, opset, [x, w, r], (1, 2), **settings)
                    add(operator, opset, [x, w, r, b, None, *more], **settings)
                    lengths = np.arange(batch, dtype=np.int32) * 2 % (steps + 1)
                    lengths[0] = steps
                    lengths = np.maximum(lengths, 1)
                    add(operator, opset, [x, w, r, b, lengths, *more], (1, 2, 3), **settings)
                    add(operator, opset, [x, w, r, b], (1, 2), clip=0.5, **settings)
                    add(operator, opset, [x, w, r, b], (1, 2),
                        activations=OTHERS[operator] * directions, **settings)
                    if operator == "GRU":
                        add(operator, opset, [x, w, r, b, None, state], (1, 2),
                            linear_before_reset=1, **settings)
                    if is_long:
                        add(operator, opset, [x, w, r, b, None, state, cell, peepholes], (1, 2),
                            **settings)
                        add(operator, opset, [x, w, r, b, None, state, cell], (1, 2),
                            input_forget=1, **settings)
                    if opset >= 14 and direction == "forward":
                        swapped = [x.swapaxes(0, 1).copy(), w, r, b, None,
                                   *(value.swapaxes(0, 1).copy() for value in more)]
                        add(operator, opset, swapped, (1, 2), layout=1, reference=True,
                            **settings)
