"""Makes tests/reference/keras-weights.json: small files of weights that Keras saved, and their weights as esnsim names and
arranges them.

    python keras_weights.py > ../reference/keras-weights.json

Made with keras 3.15.1 on jax, and h5py for the form of Keras 2. Files are hexadecimal; weights are in the order of rows,
`[filters, channels, ...]`.
"""

import io
import json
import os
import sys
import tempfile

os.environ["KERAS_BACKEND"] = "jax"

import h5py
import keras
import numpy as np
from keras import layers

IN_KERAS_2 = ["depthwise", "head", "stem", "tower", "up"]
rng = np.random.default_rng(11)


def network():
    inner = keras.Sequential([layers.Conv2D(2, 1, use_bias=False, name="inner")], name="tower")
    model = keras.Sequential(
        [
            layers.Input((6, 6, 3)),
            layers.Conv2D(4, 3, name="stem"),
            layers.BatchNormalization(name="norm"),
            layers.DepthwiseConv2D(2, depth_multiplier=2, name="depthwise"),
            layers.SeparableConv2D(3, 2, name="separable"),
            inner,
            layers.Conv2DTranspose(5, 2, name="up"),
            layers.Flatten(),
            layers.Dense(3, name="head"),
        ]
    )
    return filled(model)


def composed(with_equation):
    """A network of layers that have parts, and of tensors of two axes that are no kernels."""
    x = layers.Input((5, 6))
    y = layers.LSTM(4, return_sequences=True, name="memory")(x)
    y = layers.GRU(3, return_sequences=True, name="gates")(y)
    y = layers.Bidirectional(layers.SimpleRNN(2, return_sequences=True), name="both")(y)
    y = layers.MultiHeadAttention(2, 3, name="att")(y, y)
    y = layers.PReLU(name="slope")(y)
    y = layers.LayerNormalization(axis=[1, 2], name="norm")(y)
    if with_equation:
        y = layers.EinsumDense("abc,cde->abde", (5, 2, 3), bias_axes="de", name="proj")(y)
    return filled(keras.Model(x, y))


def filled(model):
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape))
    return model


def expected_of_composed(model):
    """Kernels as `[filters, channels]`: the last axis of a recurrent one, those behind the first of a product for heads, the
    last of a product behind heads."""
    found = []
    for weight in model.weights:
        name = weight.path.replace("/", ".")
        value = np.asarray(weight.value, "float32")
        if not name.endswith("kernel"):
            continue
        channels = value.ndim - 1 if "attention_output" in name or value.ndim == 2 else 1
        value = value.reshape(int(np.prod(value.shape[:channels])), -1).T
        found.append({"layer": name, "shape": list(value.shape), "weights": value.ravel().tolist()})
    return found


def arranged(path, value):
    """A weight of Keras with its filters in front."""
    value = np.asarray(value, "float32")
    if value.ndim < 2:
        return None
    spatial = list(range(value.ndim - 2))
    if "depthwise" in path:
        value = value.transpose([value.ndim - 2, value.ndim - 1, *spatial])
        return value.reshape(-1, 1, *value.shape[2:])
    if path.startswith("up"):
        return value.transpose([value.ndim - 2, value.ndim - 1, *spatial])
    return value.transpose([value.ndim - 1, value.ndim - 2, *spatial])


def expected(model, prefix):
    """Name, shape and elements of each layer's weights. `prefix` is what stands before the layer of the inner network."""
    found = []
    for layer in model.layers:
        inside = layer.layers if isinstance(layer, keras.Sequential) else [layer]
        for inner in inside:
            for weight in inner.weights:
                name = f"{inner.name}.{weight.name}"
                value = arranged(name, weight.value)
                if value is not None:
                    name = f"{prefix}.{name}" if inner is not layer else name
                    found.append({"layer": name, "shape": list(value.shape), "weights": value.ravel().tolist()})
    return found


def saved(model, name, save):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, name)
        save(path)
        with open(path, "rb") as file:
            return file.read().hex()


def of_keras_2(model):
    """Weights alone in the form that Keras 2 saves: a group for each layer, names that end in `:0`; in float16, packed."""
    file = io.BytesIO()
    with h5py.File(file, "w", libver="earliest") as h5:
        h5.attrs["layer_names"] = IN_KERAS_2
        for layer in map(model.get_layer, IN_KERAS_2):
            group = h5.create_group(layer.name)
            for weight in layer.weights:
                is_depthwise = layer.name == "depthwise" and len(weight.shape) > 1
                name = "depthwise_kernel" if is_depthwise else weight.name
                owner = "inner" if layer.name == "tower" else layer.name
                value = np.asarray(weight.value, "float16")
                group.create_dataset(f"{owner}/{name}:0", data=value, compression="gzip", shuffle=True)
    return file.getvalue().hex()


def expected_of_keras_2(model):
    half = lambda x: float(np.float16(x))
    layers = [layer for layer in expected(model, "tower") if layer["layer"].split(".")[0] in IN_KERAS_2]
    # There is no configuration in such a file: layers come in the order of their names.
    layers.sort(key=lambda layer: layer["layer"])
    name = lambda layer: layer["layer"].replace("depthwise.kernel", "depthwise.depthwise_kernel")
    return [{**layer, "layer": name(layer), "weights": [half(x) for x in layer["weights"]]} for layer in layers]


def main():
    model = network()
    layers_of_model = expected(model, "tower")
    cases = [
        {"name": "archive", "file": saved(model, "m.keras", model.save), "layers": layers_of_model},
        {"name": "whole model in HDF5", "file": saved(model, "m.h5", model.save), "layers": layers_of_model},
        {"name": "weights alone", "file": saved(model, "m.weights.h5", model.save_weights), "layers": layers_of_model},
        {"name": "Keras 2", "file": of_keras_2(model), "layers": expected_of_keras_2(model)},
    ]
    model = composed(True)
    layers_of_model = expected_of_composed(model)
    cases += [
        {"name": "parts", "file": saved(model, "m.keras", model.save), "layers": layers_of_model},
        {"name": "parts in HDF5", "file": saved(model, "m.h5", model.save), "layers": layers_of_model},
    ]
    model = composed(False)
    layers_of_model = expected_of_composed(model)
    cases.append({"name": "parts alone", "file": saved(model, "m.weights.h5", model.save_weights), "layers": layers_of_model})
    json.dump(cases, sys.stdout, separators=(",", ":"))


main()
