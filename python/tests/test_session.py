"""Sessions: what they say of their models, what runs return, and what they raise."""

from __future__ import annotations

import logging
import os
import pickle
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from conftest import model_of, node_model, tensor, trained
from onnx import TensorProto, helper, numpy_helper

import leapstone
from leapstone import InferenceSession, RunOptions, SessionOptions


def test_trained_network_agrees_with_onnxruntime() -> None:
    path, inputs, outputs = trained("resnet-digits")
    session = InferenceSession(path)
    results = session.run(list(outputs), inputs)
    for name, result in zip(outputs, results):
        np.testing.assert_allclose(result, outputs[name], rtol=1e-4, atol=1e-4)


def test_bytes_and_path_load_the_same(tmp_path: Path, add_model: bytes, add_feed: Any) -> None:
    path = tmp_path / "add.onnx"
    path.write_bytes(add_model)
    for model in (add_model, str(path), path, bytearray(add_model)):
        [y] = InferenceSession(model).run(None, add_feed)
        np.testing.assert_array_equal(y, add_feed["x0"] + 10)


def test_inputs_and_outputs(add_model: bytes) -> None:
    session = InferenceSession(add_model)
    arguments = session.get_inputs()
    assert [(one.name, one.type, one.shape) for one in arguments] == [
        ("x0", "tensor(float)", ["N", 2]), ("x1", "tensor(float)", ["N", 2])]
    assert [(one.name, one.type, one.shape) for one in session.get_outputs()] == [
        ("y", "tensor(float)", ["N", 2])]
    assert repr(arguments[0]) == "NodeArg(name='x0', type='tensor(float)', shape=['N', 2])"
    assert session.get_overridable_initializers() == []
    assert session.get_value_names() == ["y"]
    assert session.get_weight_bytes() == (0, 0)


@pytest.mark.parametrize("shape, seen", [(None, []), ([], []), ([None, "n", 3], [None, "n", 3])])
def test_shapes_are_told_as_onnxruntime_does(shape: Any, seen: list[Any]) -> None:
    session = InferenceSession(node_model("Relu", TensorProto.FLOAT, shape))
    assert session.get_inputs()[0].shape == seen


def test_types_of_containers() -> None:
    of_tensors = helper.make_tensor_sequence_value_info("s", TensorProto.INT64, None)
    optional = helper.make_optional_type_proto(of_tensors.type)
    model = model_of([helper.make_node("Neg", ["x"], ["y"])],
                     [tensor("x", TensorProto.INT64, []), of_tensors,
                      helper.make_value_info("o", optional)], [tensor("y", TensorProto.INT64, [])])
    types = [one.type for one in InferenceSession(model).get_inputs()]
    assert types == ["tensor(int64)", "seq(tensor(int64))", "optional(seq(tensor(int64)))"]


def test_metadata() -> None:
    x, y = tensor("x", TensorProto.FLOAT, [1]), tensor("y", TensorProto.FLOAT, [1])
    model = onnx.load_from_string(model_of(
        [helper.make_node("Relu", ["x"], ["y"])], [x], [y], producer_name="maker", domain="org",
        producer_version="7", model_version=3, doc_string="words"))
    model.graph.doc_string = "graph's words"
    helper.set_model_props(model, {"labels": "a,b", "ü": "é"})
    meta = InferenceSession(model.SerializeToString()).get_modelmeta()
    assert (meta.producer_name, meta.producer_version, meta.domain) == ("maker", "7", "org")
    assert (meta.graph_name, meta.description, meta.version) == ("graph", "words", 3)
    assert meta.graph_description == "graph's words"
    assert meta.custom_metadata_map == {"labels": "a,b", "ü": "é"}
    assert meta.opsets == {"": 21}
    assert meta.ir_version == model.ir_version


def test_any_value_is_an_output() -> None:
    nodes = [helper.make_node("Neg", ["x"], ["inner"]), helper.make_node("Abs", ["inner"], ["y"])]
    model = model_of(nodes, [tensor("x", TensorProto.FLOAT, [2])],
                     [tensor("y", TensorProto.FLOAT, [2])])
    session = InferenceSession(model)
    x = np.array([1, -2], np.float32)
    y, inner = session.run(["y", "inner"], {"x": x})
    np.testing.assert_array_equal(inner, -x)
    np.testing.assert_array_equal(y, np.abs(x))
    again, twice = session.run(["y", "y"], {"x": x})
    np.testing.assert_array_equal(again, twice)
    assert [one.tolist() for one in session.run([], {"x": x})] == [y.tolist()]


def test_initializers_that_are_inputs_may_be_replaced() -> None:
    weight = numpy_helper.from_array(np.array([1, 2], np.float32), "w")
    arguments = [tensor("x", TensorProto.FLOAT, [2]), tensor("w", TensorProto.FLOAT, [2])]
    model = model_of([helper.make_node("Mul", ["x", "w"], ["y"])], arguments,
                     [tensor("y", TensorProto.FLOAT, [2])], initializers=[weight])
    session = InferenceSession(model)
    x, w = np.array([3, 4], np.float32), np.array([5, 6], np.float32)
    assert [one.name for one in session.get_inputs()] == ["x"]
    assert [one.name for one in session.get_overridable_initializers()] == ["w"]
    assert session.run(None, {"x": x})[0].tolist() == [3, 8]
    assert session.run(None, {"x": x, "w": w})[0].tolist() == [15, 24]

    options = SessionOptions()
    options.add_initializer("w", leapstone.OrtValue.ortvalue_from_numpy(w))
    assert InferenceSession(model, options).run(None, {"x": x})[0].tolist() == [15, 24]
    options.add_initializer("nothing", leapstone.OrtValue.ortvalue_from_numpy(w))
    with pytest.raises(leapstone.NotFound, match="nothing"):
        InferenceSession(model, options)


# ---- What is raised ----------------------------------------------------------------------------------


@pytest.mark.parametrize("model, error", [
    ("/no/such/model.onnx", leapstone.NoSuchFile),
    (b"garbage", leapstone.InvalidProtobuf),
    (b"<!DOCTYPE html><html></html>", leapstone.InvalidProtobuf),
])
def test_what_is_no_model(model: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        InferenceSession(model)


def test_what_cannot_be_a_model() -> None:
    with pytest.raises(TypeError, match="int"):
        InferenceSession(5)  # type: ignore[arg-type]


def test_unknown_operator() -> None:
    with pytest.raises(leapstone.NotImplemented, match="Nonesuch"):
        InferenceSession(node_model("Nonesuch", TensorProto.FLOAT, [1]))


def test_invalid_graph() -> None:
    node = helper.make_node("Add", ["x", "undefined"], ["y"])
    model = model_of([node], [tensor("x", TensorProto.FLOAT, [1])],
                     [tensor("y", TensorProto.FLOAT, [1])])
    with pytest.raises(leapstone.InvalidGraph, match="undefined"):
        InferenceSession(model)


@pytest.mark.parametrize("change, error, words", [
    ({"x1": None}, leapstone.InvalidArgument, "x1"),
    ({"x0": np.zeros((3, 2))}, leapstone.InvalidArgument, "x0"),
    ({"x0": np.zeros(2, np.float32)}, leapstone.InvalidArgument, "x0"),
    ({"x0": np.zeros((3, 3), np.float32)}, leapstone.InvalidArgument, "x0"),
    ({"x0": np.zeros((4, 2), np.float32)}, leapstone.InvalidArgument, "N = "),
    ({"z": np.zeros(1, np.float32)}, leapstone.InvalidArgument, "'z'"),
    ({"x0": np.array(["a"])}, leapstone.InvalidArgument, "x0"),
    ({"x0": np.zeros(1, "datetime64[s]")}, leapstone.InvalidArgument, "datetime64"),
])
def test_inputs_that_do_not_fit(
    add_model: bytes, add_feed: Any, change: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        InferenceSession(add_model).run(None, {**add_feed, **change})


def test_missing_input_is_a_value_error(add_model: bytes, add_feed: Any) -> None:
    session = InferenceSession(add_model)
    del add_feed["x1"]
    with pytest.raises(ValueError, match="x1"):
        session.run(None, add_feed)
    with pytest.raises(leapstone.InvalidArgument, match="x1"):
        session.run(None, add_feed)


def test_unknown_output(add_model: bytes, add_feed: Any) -> None:
    session = InferenceSession(add_model)
    with pytest.raises(leapstone.InvalidArgument, match="nothing"):
        session.run(["nothing"], add_feed)
    with pytest.raises(TypeError):
        session.run("y", add_feed)


def test_node_that_cannot_compute() -> None:
    node = helper.make_node("Gather", ["x", "i"], ["y"])
    model = model_of([node], [tensor("x", TensorProto.FLOAT, [2]), tensor("i", TensorProto.INT64, [1])],
                     [tensor("y", TensorProto.FLOAT, [1])])
    for kind in (leapstone.RuntimeException, leapstone.Fail):
        with pytest.raises(kind, match="Gather"):
            InferenceSession(model).run(
                None, {"x": np.zeros(2, np.float32), "i": np.array([7], np.int64)})


def test_hierarchy_is_onnxruntimes() -> None:
    ort = pytest.importorskip("onnxruntime.capi.onnxruntime_pybind11_state")
    names = [name for name in dir(ort) if isinstance(getattr(ort, name), type)
             and issubclass(getattr(ort, name), Exception)]
    assert len(names) > 10
    for name in names:
        mine = getattr(leapstone, name)
        assert issubclass(mine, Exception) and not issubclass(mine, (RuntimeError, OSError)), name


# ---- Options -----------------------------------------------------------------------------------------


def test_unknown_things_warn_once(add_model: bytes) -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        for _ in range(2):
            options = SessionOptions()
            options.add_session_config_entry("nonesuch", "1")
            options.nonesuch = 1  # type: ignore[attr-defined]
            InferenceSession(add_model, options, providers=["CUDAExecutionProvider"], nonesuch=1)
    assert len(heard) == 4
    assert sum("nonesuch" in str(one.message) for one in heard) == 3
    assert sum("CUDAExecutionProvider" in str(one.message) for one in heard) == 1


@pytest.mark.parametrize("key", [
    "session.intra_op.zzz", "session.intra_op", "session.zzz", "optimization.zzz", "mlas.zzz"])
def test_entries_that_only_begin_as_known_ones_warn(key: str) -> None:
    with pytest.warns(UserWarning, match=key):
        SessionOptions().add_session_config_entry(key, "1")


@pytest.mark.parametrize("arguments", [
    {"providers": [("CPUExecutionProvider", {"zzz": "1"})]},
    {"providers": ["CUDAExecutionProvider", "CPUExecutionProvider"],
     "provider_options": [{"device_id": "0"}, {"zzz": "1"}]},
])
def test_options_of_the_provider_warn_once(add_model: bytes, arguments: dict[str, Any]) -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        for _ in range(2):
            InferenceSession(add_model, **arguments)
    assert sum("zzz" in str(one.message) for one in heard) == 1
    assert not any("device_id" in str(one.message) for one in heard)


def test_known_things_do_not_warn(add_model: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        options = SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = leapstone.ExecutionMode.ORT_PARALLEL
        options.graph_optimization_level = leapstone.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.enable_mem_pattern = False
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = InferenceSession(
            add_model, sess_options=options,
            providers=[("CPUExecutionProvider", {}), "CPUExecutionProvider"])
    assert session.get_providers() == leapstone.get_available_providers() == ["CPUExecutionProvider"]
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


@pytest.mark.parametrize("name, value", [
    ("intra_op_num_threads", "2"), ("graph_optimization_level", 99), ("logid", 5)])
def test_options_of_a_wrong_type(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=name):
        setattr(SessionOptions(), name, value)


def test_options_that_change_later_leave_a_session_alone(add_model: bytes) -> None:
    options = SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("leapstone.concurrency", "3")
    session = InferenceSession(add_model, options)
    for later in (options, session.get_session_options()):
        later.intra_op_num_threads = 2
        later.add_session_config_entry("leapstone.concurrency", "4")
        later.add_free_dimension_override_by_name("N", 7)
    for one in (session, pickle.loads(pickle.dumps(session))):
        kept = one.get_session_options()
        assert kept.intra_op_num_threads == 1
        assert kept.get_session_config_entry("leapstone.concurrency") == "3"
        assert one.get_inputs()[0].shape == ["N", 2]


def test_runs_of_one_worker_proceed_on_all_cores() -> None:
    options = SessionOptions()
    assert "concurrency" not in dict(options._settings())
    options.intra_op_num_threads = 1
    cores = len(os.sched_getaffinity(0))
    assert dict(options._settings())["concurrency"] == str(max(2, cores))
    options.add_session_config_entry("leapstone.concurrency", "5")
    assert dict(options._settings())["concurrency"] == "5"
    options.intra_op_num_threads = 64 * cores
    assert ("concurrency", "2") in options._settings()


def test_free_dimensions(add_model: bytes, add_feed: Any) -> None:
    options = SessionOptions()
    options.add_free_dimension_override_by_name("N", 3)
    session = InferenceSession(add_model, options)
    assert session.get_inputs()[0].shape == [3, 2]
    assert session.run(None, add_feed)[0].shape == (3, 2)
    with pytest.raises(leapstone.InvalidArgument):
        session.run(None, {name: array[:2] for name, array in add_feed.items()})


def test_a_cache_is_kept_and_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model, feed, _ = trained("resnet-digits")
    plain = InferenceSession(os.fspath(model)).run(None, feed)
    options = SessionOptions()
    options.add_session_config_entry("leapstone.cache", os.fspath(tmp_path / "cache"))
    for _ in range(2):
        outputs = InferenceSession(os.fspath(model), options).run(None, feed)
        assert all((one == other).all() for one, other in zip(outputs, plain, strict=True))
        [kept] = (tmp_path / "cache").iterdir()
        assert kept.stat().st_mode & 0o777 == 0o600
    assert not caplog.records


def test_a_cache_that_cannot_be_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_bytes(b"")
    model, feed, _ = trained("resnet-digits")
    options = SessionOptions()
    options.add_session_config_entry("leapstone.cache", os.fspath(tmp_path / "file"))
    InferenceSession(os.fspath(model), options).run(None, feed)
    assert "the cache keeps nothing" in caplog.text


def test_options_of_the_library(add_model: bytes, add_feed: Any) -> None:
    options = SessionOptions()
    options.add_session_config_entry("leapstone.memory-budget", "1KiB")
    big = {name: np.zeros((1000, 2), np.float32) for name in add_feed}
    with pytest.raises(MemoryError):
        InferenceSession(add_model, options).run(None, big)
    options = SessionOptions()
    options.add_session_config_entry("leapstone.nonesuch", "1")
    with pytest.raises(leapstone.InvalidArgument, match="nonesuch"):
        InferenceSession(add_model, options)


@pytest.mark.parametrize("policy", ["fast", "balanced", "lean"])
@pytest.mark.parametrize("isa", ["auto", "portable"])
def test_policies_and_instruction_sets_agree(policy: str, isa: str) -> None:
    path, inputs, _ = trained("resnet-digits")
    options = SessionOptions()
    options.add_session_config_entry("leapstone.memory-policy", policy)
    options.add_session_config_entry("leapstone.isa", isa)
    [chosen] = InferenceSession(path, options).run(None, inputs)
    [usual] = InferenceSession(path).run(None, inputs)
    np.testing.assert_allclose(chosen, usual, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("key, value", [("memory-policy", "tiny"), ("isa", "sse9"), ("isa", "")])
def test_policies_and_instruction_sets_without_meaning(
    add_model: bytes, key: str, value: str,
) -> None:
    options = SessionOptions()
    options.add_session_config_entry(f"leapstone.{key}", value)
    with pytest.raises(leapstone.InvalidArgument, match=key):
        InferenceSession(add_model, options)


def test_unoptimised_runs_agree() -> None:
    path, inputs, _ = trained("resnet-digits")
    options = SessionOptions()
    options.graph_optimization_level = leapstone.GraphOptimizationLevel.ORT_DISABLE_ALL
    [plain] = InferenceSession(path, options).run(None, inputs)
    [fused] = InferenceSession(path).run(None, inputs)
    np.testing.assert_allclose(fused, plain, rtol=1e-4, atol=1e-4)


def test_warnings_of_a_model_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    model = onnx.load_from_string(node_model("Relu", TensorProto.FLOAT, [1]))
    model.ir_version = 999
    with caplog.at_level(logging.WARNING, "leapstone"):
        InferenceSession(model.SerializeToString())
    assert ["IR version 999" in record.getMessage() for record in caplog.records] == [True]
    caplog.clear()
    options = SessionOptions()
    options.log_severity_level = 3
    InferenceSession(model.SerializeToString(), options)
    assert caplog.records == []


# ---- Run options -------------------------------------------------------------------------------------


def slow_session() -> tuple[InferenceSession, dict[str, Any]]:
    """A session whose runs take a second or so."""
    nodes = [helper.make_node("MatMul", ["x" if index == 0 else f"v{index}", "x"], [f"v{index + 1}"])
             for index in range(40)]
    model = model_of(nodes, [tensor("x", TensorProto.FLOAT, [1500, 1500])],
                     [tensor("v40", TensorProto.FLOAT, [1500, 1500])])
    return InferenceSession(model), {"x": np.zeros((1500, 1500), np.float32)}


def test_terminate_ends_a_run() -> None:
    session, feed = slow_session()
    options = RunOptions()
    timer = threading.Timer(0.05, lambda: setattr(options, "terminate", True))
    timer.start()
    started = time.monotonic()
    with pytest.raises(leapstone.Fail) as raised:
        session.run(None, feed, options)
    assert isinstance(raised.value, leapstone.Cancelled)
    elapsed = time.monotonic() - started
    with pytest.raises(leapstone.Cancelled):
        session.run(None, feed, options)
    assert elapsed < 1
    options.terminate = False
    options.timeout = 1e-3
    with pytest.raises(TimeoutError):
        session.run(None, feed, options)


def run_option_modules() -> list[Any]:
    """Leapstone, and onnxruntime where there is one: they must agree on what is taken."""
    try:
        import onnxruntime
    except ImportError:
        return [leapstone]
    return [leapstone, onnxruntime]


@pytest.mark.parametrize("module", run_option_modules(), ids=lambda module: module.__name__)
@pytest.mark.parametrize("name, value, kept", [
    ("log_severity_level", "x", TypeError), ("log_severity_level", 1.5, TypeError),
    ("log_severity_level", None, TypeError), ("log_severity_level", 3, 3),
    ("log_verbosity_level", np.int64(2), 2), ("log_verbosity_level", b"x", TypeError),
    ("logid", 1, TypeError), ("logid", None, TypeError), ("logid", "x", "x"),
    ("only_execute_path_to_fetches", "x", TypeError), ("only_execute_path_to_fetches", 1, True),
    ("terminate", "x", TypeError), ("terminate", b"x", TypeError), ("terminate", None, False),
    ("terminate", 1, True), ("terminate", 1.5, True), ("terminate", np.True_, True),
    ("time_out", 1, AttributeError),
])
def test_run_options_take_what_onnxruntimes_do(
    module: Any, name: str, value: Any, kept: Any
) -> None:
    options = module.RunOptions()
    if isinstance(kept, type):
        with pytest.raises(kept):
            setattr(options, name, value)
    else:
        setattr(options, name, value)
        assert getattr(options, name) == kept and type(getattr(options, name)) is type(kept)


def test_timeouts_are_numbers() -> None:
    options = RunOptions()
    for value in (2, 2.0, np.float32(2)):
        options.timeout = value  # type: ignore[assignment]
        assert options.timeout == 2 and type(options.timeout) is float
    for value in ("2", None):
        with pytest.raises(TypeError, match="timeout"):
            options.timeout = value  # type: ignore[assignment]
    with pytest.raises(TypeError):
        options.add_run_config_entry("key", 1)  # type: ignore[arg-type]


def test_run_options_of_a_wrong_type(add_model: bytes, add_feed: Any) -> None:
    with pytest.raises(TypeError, match="int"):
        InferenceSession(add_model).run(None, add_feed, 5)  # type: ignore[arg-type]


def test_run_async(add_model: bytes, add_feed: Any) -> None:
    session = InferenceSession(add_model)
    answers: list[Any] = []
    done = threading.Event()

    def callback(results: list[Any], user_data: Any, error: str) -> None:
        answers.append((results, user_data, error))
        if len(answers) == 2:
            done.set()

    session.run_async(None, add_feed, callback, "mine")
    session.run_async(None, {}, callback, "empty")
    assert done.wait(10)
    by_data = {data: (results, error) for results, data, error in answers}
    assert by_data["mine"][1] == "" and by_data["mine"][0][0].shape == (3, 2)
    assert by_data["empty"][0] == [] and "x0" in by_data["empty"][1]
