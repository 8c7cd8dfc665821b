"""Trains the five small networks and writes what testdata/ holds of them.

    python train.py [NAME ...]        default: all; about ten minutes on two cores

Seeded; on the same machine with the same packages (requirements.txt) the same files come out.
"""

import argparse
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime

import data
import networks
from layers import JaxLayers, OnnxLayers

HERE = pathlib.Path(__file__).resolve().parent.parent
SEED = 20
# name: family, network, opset, IR version, epochs
NETWORKS = {
    "resnet-digits": ("resnet", networks.resnet, 13, 7, 12),
    "preresnet-digits": ("resnet", networks.preresnet, 9, 4, 10),
    "densenet-digits": ("densenet", networks.densenet, 17, 8, 10),
    "inception-resnet-digits": ("inception-resnet", networks.inception_resnet, 11, 6, 12),
    "unet-shapes": ("unet", networks.unet, 18, 8, 8),
}


def digit_loss(output, labels):
    """Cross entropy, with a twentieth of the weight on the other classes."""
    target = 0.95 * jax.nn.one_hot(labels, 10) + 0.005
    return -(jax.nn.log_softmax(output) * target).sum(1).mean()


def mask_loss(output, masks):
    """Binary cross entropy and Dice."""
    output = jnp.clip(output, 1e-6, 1 - 1e-6)
    entropy = -(masks * jnp.log(output) + (1 - masks) * jnp.log(1 - output)).mean()
    return entropy + 1 - 2 * (output * masks).sum() / (output.sum() + masks.sum())


def shifted(rng, images):
    """Each image moved by up to two pixels and made a little lighter or darker."""
    padded = np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2)))
    side = images.shape[2]
    offsets = rng.integers(0, 5, (2, len(images)))
    lights = rng.uniform(0.8, 1, len(images))
    moved = [image[:, row : row + side, column : column + side] * light
             for image, row, column, light in zip(padded, *offsets, lights)]
    return np.minimum(np.stack(moved), 1).astype(np.float32)


def train(network, images, targets, loss, epochs, augment, batch=32, rate=4e-3):
    """Adam with a cosine schedule; returns parameters and BatchNormalization statistics."""
    rng = np.random.default_rng(SEED)
    parameters, statistics = {}, {}
    first = JaxLayers(parameters, statistics, training=True, rng=rng)
    network(first, jnp.asarray(images[:2]))
    statistics = first.updated
    moments = jax.tree.map(lambda p: (jnp.zeros_like(p), jnp.zeros_like(p)), parameters)

    def objective(parameters, statistics, x, t):
        layers = JaxLayers(parameters, statistics, training=True)
        return loss(network(layers, x), t), layers.updated

    @jax.jit
    def step(parameters, statistics, moments, x, t, count, rate):
        (value, statistics), gradients = jax.value_and_grad(objective, has_aux=True)(
            parameters, statistics, x, t)
        results = {}
        for key, gradient in gradients.items():
            mean = 0.9 * moments[key][0] + 0.1 * gradient
            square = 0.999 * moments[key][1] + 0.001 * gradient**2
            change = mean / (1 - 0.9**count) / (jnp.sqrt(square / (1 - 0.999**count)) + 1e-8)
            change = change + 5e-3 * parameters[key]
            results[key] = (parameters[key] - rate * change, mean, square)
        return ({k: r[0] for k, r in results.items()}, statistics,
                {k: r[1:] for k, r in results.items()}, value)

    steps, count = epochs * (len(images) // batch), 0
    for epoch in range(epochs):
        order = rng.permutation(len(images))
        for start in range(0, len(images) - batch + 1, batch):
            chosen = order[start : start + batch]
            count += 1
            x = augment(rng, images[chosen]) if augment else images[chosen]
            now = rate * 0.5 * (1 + np.cos(np.pi * count / steps))
            parameters, statistics, moments, value = step(
                parameters, statistics, moments, x, targets[chosen], float(count), now)
        print(f"  epoch {epoch + 1}: loss {float(value):.4f}", flush=True)
    return parameters, statistics


def runner(path):
    """The model in ONNX Runtime, without graph optimisation, on one thread."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    return lambda images: session.run(None, {"input": images})[0]


def write_model(name, trained, image_shape, output_shape, samples):
    """NAME.onnx and NAME.npz, NAME.batch5.npz; returns what runs the model."""
    _, network, opset, ir_version, _ = NETWORKS[name]
    layers = OnnxLayers(*trained, opset)
    result = network(layers, ("input", image_shape[0]))
    path = HERE / f"{name}.onnx"
    onnx.save(layers.model(name, result, image_shape, output_shape, ir_version), path)
    run = runner(path)
    for file, count in ((f"{name}.npz", 2), (f"{name}.batch5.npz", 5)):
        arrays = {"in:input": samples[-count:]}
        np.savez_compressed(HERE / file, **arrays, **{"out:output": run(samples[-count:])})
    return run


def train_digits(name):
    family, network, _, _, epochs = NETWORKS[name]
    (_, images, labels), (pictures, held_out, truth) = data.digits(SEED)
    trained = train(network, images, labels, digit_loss, epochs, shifted)
    run = write_model(name, trained, held_out.shape[1:], [10], held_out)
    accuracy = float((run(held_out).argmax(1) == truth).mean())
    np.savez_compressed(HERE / "digits-held-out.npz", images=held_out,
                        labels=truth.astype(np.int64))
    words = "zero one two three four five six seven eight nine".split()
    (HERE / "digits.txt").write_text("".join(f"{word}\n" for word in words))
    folder = HERE / "pictures"
    folder.mkdir(exist_ok=True)
    for label in range(10):
        pictures[int(np.flatnonzero(truth == label)[0])].save(folder / f"digit-{label}.png")
    return {"name": name, "family": family, "task": "classification", "model": f"{name}.onnx",
            "inputShape": list(held_out.shape[1:]), "preset": "unit", "labels": "digits.txt",
            "evaluation": "digits-held-out.npz", "samples": len(truth), "accuracy": accuracy}


def intersection_over_union(output, masks):
    """The mean over pictures."""
    found, truth = output > 0.5, masks > 0.5
    axes = (1, 2, 3)
    return float(((found & truth).sum(axes) / np.maximum((found | truth).sum(axes), 1)).mean())


def train_shapes(name):
    family, network, _, _, epochs = NETWORKS[name]
    images, masks = data.shapes(SEED, 900)
    held_out, truth = data.shapes(SEED + 1, 60)
    trained = train(network, images, masks, mask_loss, epochs, None, batch=16)
    run = write_model(name, trained, held_out.shape[1:], [1, *data.SHAPES_SIZE], held_out)
    score = intersection_over_union(run(held_out), truth)
    np.savez_compressed(HERE / "shapes-held-out.npz", images=held_out, masks=truth)
    folder = HERE / "pictures"
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(SEED + 2)
    for index in range(3):
        picture, mask = data.draw_shapes(rng, scale=4)
        picture.save(folder / f"shapes-{index + 1}.png")
        mask.save(folder / f"shapes-{index + 1}-mask.png")
    return {"name": name, "family": family, "task": "segmentation", "model": f"{name}.onnx",
            "inputShape": list(held_out.shape[1:]), "preset": "unit",
            "evaluation": "shapes-held-out.npz", "samples": len(truth), "iou": score}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*NETWORKS, []], metavar="NAME")
    names = parser.parse_args().names or list(NETWORKS)
    index_path = HERE / "index.json"
    index = json.loads(index_path.read_text()) if index_path.exists() else []
    entries = {entry["name"]: entry for entry in index}
    for name in names:
        print(name, flush=True)
        entries[name] = train_shapes(name) if name == "unet-shapes" else train_digits(name)
        print(f"  {entries[name].get('accuracy', entries[name].get('iou')):.4f}", flush=True)
        ordered = [entries[key] for key in NETWORKS if key in entries]
        index_path.write_text(json.dumps(ordered, indent=2) + "\n")


if __name__ == "__main__":
    main()
