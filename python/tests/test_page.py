"""The page of onnx-inspect in a real browser."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
from browser import address, browser, missing
from conftest import ROOT, model_of, tensor
from onnx import TensorProto, helper

INSPECT = ROOT / ".build/release/onnx-inspect"
NETWORKS = ROOT / ".build/testdata/models"

# What a page must not take longer than, from its address to its drawing.
SECONDS = 2.0


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    lacking = missing() if INSPECT.exists() else "there is no onnx-inspect: make build"
    if lacking:
        pytest.skip(lacking)
    with browser() as found:
        yield found


Open = Callable[..., Any]


@pytest.fixture
def opened(driver: Any, tmp_path: Path) -> Iterator[Open]:
    """Opens the page of a model; what the browser complains of fails the test."""

    def page(model: Path, *options: str) -> Any:
        path = tmp_path / "page.html"
        done = subprocess.run([INSPECT, model, "-q", "-o", path, *options], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        driver.get_log("browser")
        driver.get(address(path))
        return driver

    yield page
    assert driver.get_log("browser") == []


def network(name: str) -> Path:
    """One of the networks that scripts make."""
    path = NETWORKS / f"{name}.onnx"
    if not path.exists():
        pytest.skip(f"no {name}")
    return path


def small(name: str) -> Path:
    return ROOT / "testdata" / f"{name}.onnx"


def count(driver: Any, selector: str) -> int:
    return int(driver.execute_script("return document.querySelectorAll(arguments[0]).length", selector))


def text(driver: Any, selector: str) -> str:
    return str(driver.execute_script("return document.querySelector(arguments[0]).textContent", selector))


def click(driver: Any, selector: str) -> None:
    """A click as a person's, at the middle of an element."""
    driver.execute_script("""
        const element = document.querySelector(arguments[0]);
        const {left, top, width, height} = element.getBoundingClientRect();
        const place = {bubbles: true, clientX: left + width / 2, clientY: top + height / 2};
        for (const name of ["pointerdown", "pointerup"]) {
          element.dispatchEvent(new PointerEvent(name, {pointerId: 1, button: 0, ...place}));
        }
        element.dispatchEvent(new MouseEvent("click", place));""", selector)


def skips(driver: Any) -> dict[str, int]:
    """How many skips are drawn, by family: arcs, signs at folded boxes, and shortcuts through layers."""
    return dict(driver.execute_script("""
        const found = {};
        const add = (family, count) => { found[family] = (found[family] ?? 0) + count; };
        for (const arc of document.querySelectorAll(".arcs .arc, .inners")) {
          add(arc.dataset.family, Number(arc.dataset.count));
        }
        for (const box of document.querySelectorAll(".box.join")) {
          if (box.dataset.shortcut) add(box.dataset.shortcut, 1);
        }
        return found;"""))


def overlapping(driver: Any) -> list[list[str]]:
    """Pairs of boxes that are drawn over each other."""
    return list(driver.execute_script("""
        const boxes = [...document.querySelectorAll(".box")].map((box) => {
          const {left, top, right, bottom} = box.querySelector(".body").getBoundingClientRect();
          return {name: box.dataset.unit, left, top, right, bottom};
        });
        const pairs = [];
        boxes.forEach((a, index) => boxes.slice(index + 1).forEach((b) => {
          const isOver = a.left < b.right - 0.5 && b.left < a.right - 0.5 && a.top < b.bottom - 0.5 && b.top < a.bottom - 0.5;
          if (isOver) pairs.push([a.name, b.name]);
        }));
        return pairs;"""))


@pytest.mark.parametrize("name, nodes, expected", [
    ("resnet-digits", 53, {"add": 6}), ("densenet-digits", 82, {"concat": 30}),
    ("unet-shapes", None, {"encoder-decoder": 3}), ("inception-resnet-digits", None, {"add": 4})])
def test_every_node_and_every_skip_is_drawn(
    opened: Open, name: str, nodes: int | None, expected: dict[str, int],
) -> None:
    driver = opened(small(name))
    model = onnx.load(small(name))
    constant = sum(node.op_type == "Constant" for node in model.graph.node)
    assert skips(driver) == expected
    if count(driver, "#unfold-all"):
        click(driver, "#unfold-all")
    # Every node that is no constant, the input and the output.
    assert count(driver, ".box.vertex") == len(model.graph.node) - constant + 2
    assert count(driver, ".box.run, .box.copy") == 0
    assert skips(driver) == expected
    assert overlapping(driver) == []


@pytest.mark.parametrize("name, expected, runs", [
    ("densenet121", {"concat": 535}, ["dense layer × 6", "dense layer × 12", "dense layer × 24", "dense layer × 16"]),
    ("unet", {"encoder-decoder": 4}, []),
    ("inception_resnet_v2", {"add": 40}, ["residual block × 10", "residual block × 20", "residual block × 9"]),
    ("resnet50", {"add": 16}, ["residual block × 2", "residual block × 3", "residual block × 5", "residual block × 2"])])
def test_full_size_networks(opened: Open, name: str, expected: dict[str, int], runs: list[str]) -> None:
    driver = opened(network(name))
    loaded = driver.execute_script(
        "return performance.getEntriesByType('navigation')[0].loadEventEnd / 1000")
    print(f"{name}: loaded in {loaded:.2f} s")
    assert 0 < loaded < SECONDS
    # It asks for nothing.
    assert driver.execute_script("return performance.getEntriesByType('resource').length") == 0
    labels = driver.execute_script(
        "return [...document.querySelectorAll('.box.run .label')].map((label) => label.textContent)")
    assert labels == runs
    assert skips(driver) == expected and overlapping(driver) == []
    if runs:
        click(driver, "#unfold-all")
        assert count(driver, ".box.run") == 0 and skips(driver) == expected and overlapping(driver) == []


def test_blocks_fold_and_unfold(opened: Open) -> None:
    driver = opened(small("densenet-digits"))
    folded = count(driver, ".box")
    assert count(driver, ".box.run") == 3 and count(driver, ".frame") == 0
    click(driver, ".box.run .sign")
    # One box is four, in a frame; arcs from each to all that follow are seen.
    assert count(driver, ".box") == folded + 3 and count(driver, ".frame.run") == 1
    assert count(driver, ".arcs .arc.concat") > 0
    click(driver, ".box.copy .sign")
    assert count(driver, ".box") == folded + 3 + 6 and count(driver, ".frame.copy") == 1
    click(driver, ".frame.run .sign")
    assert count(driver, ".box") == folded and count(driver, ".frame") == 0


def test_a_click_tells_of_a_node(opened: Open) -> None:
    driver = opened(small("resnet-digits"))
    assert not count(driver, "#details:not([hidden])") and count(driver, "#summary:not([hidden])")
    click(driver, '.box.layer[data-unit="v1"]')
    told = text(driver, "#details")
    for words in ("Conv 3×3", "/stem/conv/Conv", "multiply-adds", "strides", "float32 1x16x32x32", "stem.conv.weight",
                  "min ", "std ", "computed by", "stage", "lives"):
        assert words in told, words
    assert count(driver, "#details .histogram rect") == 16
    assert count(driver, ".box.selected") == 1
    # When its output is in memory, in the timeline.
    assert count(driver, ".span:not([hidden])") == 1 and count(driver, ".buffer.lit") == 1
    click(driver, "#details .back")
    assert count(driver, "#summary:not([hidden])") == 1 and count(driver, ".box.selected") == 0


def test_the_timeline_tells_of_nodes(opened: Open) -> None:
    driver = opened(small("unet-shapes"))
    assert count(driver, ".box.running") == 0
    click(driver, ".plot")
    assert count(driver, ".box.running") >= 1 and count(driver, ".box.alive") >= 1
    assert text(driver, "#details").startswith("← about the modelStage ")
    # Skips are alive in the middle of the network.
    alive = driver.execute_script(
        "return [...document.querySelectorAll('.box.alive')].map((box) => box.getAttribute('aria-label'))")
    assert any("/inc/1/" in name for name in alive), alive
    assert count(driver, ".buffer.lit.encoder-decoder") >= 1


def test_search_finds_and_unfolds(opened: Open) -> None:
    driver = opened(small("densenet-digits"))
    field = driver.find_element("id", "search")
    field.send_keys("block2/3/conv2")
    assert count(driver, "#results button") >= 1
    field.send_keys("\ue007")
    assert "/block2/3/conv2/Conv" in text(driver, "#details .name")
    assert count(driver, ".frame.run") == 1 and count(driver, ".frame.copy") == 1
    place = driver.execute_script("""
        const {left, top, right, bottom} = document.querySelector(".box.selected").getBoundingClientRect();
        const canvas = document.querySelector(".canvas").getBoundingClientRect();
        return left >= canvas.left && right <= canvas.right && top >= canvas.top && bottom <= canvas.bottom;""")
    assert place is True
    field.send_keys("zzz")
    assert text(driver, "#results") == "nothing fits"


def test_keys_and_wheel(opened: Open) -> None:
    driver = opened(small("resnet-digits"))
    body = driver.find_element("tag name", "body")

    def scale() -> str:
        return str(driver.execute_script("return document.querySelector('.world').getAttribute('transform')"))

    before = scale()
    body.send_keys("+")
    assert scale() != before
    body.send_keys("0")
    whole = scale()
    driver.execute_script("""
        const canvas = document.querySelector(".canvas");
        canvas.dispatchEvent(new WheelEvent("wheel", {deltaY: -120, clientX: 300, clientY: 300, cancelable: true}));""")
    assert scale() != whole
    for key, selected in (("\ue015", "v0"), ("\ue015", "v1"), ("\ue013", "v0")):
        body.send_keys(key)
        assert count(driver, f'.box.selected[data-unit="{selected}"]') == 1
    body.send_keys("\ue00c")
    assert count(driver, ".box.selected") == 0
    body.send_keys("/")
    assert driver.switch_to.active_element.get_attribute("id") == "search"


def test_the_legend_hides_arcs(opened: Open) -> None:
    driver = opened(small("unet-shapes"))
    assert text(driver, "[data-legend]") == "encoder-decoder 3"
    click(driver, "[data-legend]")
    shown = driver.execute_script(
        "return [...document.querySelectorAll('.arcs .arc')].filter((arc) => getComputedStyle(arc).display !== 'none').length")
    assert shown == 0


def test_hostile_names_are_text(opened: Open, tmp_path: Path) -> None:
    evil = "</script><script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">'"
    nodes = [helper.make_node("Relu", ["x"], [evil], name=evil), helper.make_node("Neg", [evil], ["y"], name="__proto__")]
    path = tmp_path / "hostile.onnx"
    shape = [1, 3]
    path.write_bytes(model_of(nodes, [tensor("x", TensorProto.FLOAT, shape)], [tensor("y", TensorProto.FLOAT, shape)]))
    driver = opened(path)
    click(driver, '.box[data-unit="v1"]')
    assert text(driver, "#details .name") == evil
    assert driver.title != "broken" and count(driver, "img") == 0
    click(driver, '.box[data-unit="v2"]')
    assert text(driver, "#details .name") == "__proto__"


def test_a_thousand_nodes_are_quick(opened: Open, tmp_path: Path) -> None:
    """Not one block repeats itself: every node is drawn."""
    nodes, value = [], "x"
    for index in range(400):
        activation = ("Relu", "Sigmoid", "Tanh", "Neg", "Abs", "Softplus", "Exp")[index * index % 7]
        nodes += [helper.make_node(activation, [value], [f"a{index}"], name=f"a{index}"),
                  helper.make_node("MatMul", [f"a{index}", "w"], [f"b{index}"], name=f"b{index}"),
                  helper.make_node("Add", [f"b{index}", value], [f"c{index}"], name=f"c{index}")]
        value = f"c{index}"
    weights = helper.make_tensor("w", TensorProto.FLOAT, [4, 4], [0.1] * 16)
    path = tmp_path / "long.onnx"
    path.write_bytes(model_of(nodes, [tensor("x", TensorProto.FLOAT, [1, 4])],
                              [tensor(value, TensorProto.FLOAT, [1, 4])], initializers=[weights]))
    driver = opened(path)
    loaded = driver.execute_script("return performance.getEntriesByType('navigation')[0].loadEventEnd / 1000")
    assert 0 < loaded < SECONDS, loaded
    if count(driver, "#unfold-all"):
        click(driver, "#unfold-all")
    assert count(driver, ".box.vertex") == 1202


def test_subgraphs_are_shown(opened: Open, tmp_path: Path) -> None:
    branch = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["t"], name="inside")], "branch", [], [tensor("t", TensorProto.FLOAT, [3])])
    node = helper.make_node("If", ["c"], ["y"], name="choice", then_branch=branch, else_branch=branch)
    path = tmp_path / "if.onnx"
    path.write_bytes(model_of([node], [tensor("c", TensorProto.BOOL, []), tensor("x", TensorProto.FLOAT, [3])],
                              [tensor("y", TensorProto.FLOAT, [3])]))
    driver = opened(path)
    assert count(driver, "#graphs option") == 3
    driver.execute_script("""
        const chooser = document.getElementById("graphs");
        chooser.value = "1";
        chooser.dispatchEvent(new Event("change"));""")
    assert "inside" in str(driver.execute_script("return document.querySelector('.box.other').getAttribute('aria-label')"))


def test_without_a_script(tmp_path: Path) -> None:
    lacking = missing()
    if lacking:
        pytest.skip(lacking)
    path = tmp_path / "page.html"
    subprocess.run([INSPECT, small("densenet-digits"), "-q", "-o", path], check=True, env=dict(os.environ))
    with browser(script=False) as driver:
        driver.get(address(path))
        body = driver.find_element("tag name", "body").text
        for words in ("dense layer × 4", "multiply-adds", "BatchNormalization", "Arena of a run"):
            assert words in body, words
        assert driver.find_elements("css selector", ".buffer.concat")
        assert not driver.find_elements("css selector", ".box")
