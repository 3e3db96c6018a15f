"""The harness itself: if these hold, a failing browser test speaks about a widget."""

from __future__ import annotations

import numpy as np
import pytest
from lab import CellError, Lab

COUNTER = '''
import anywidget, traitlets

class Counter(anywidget.AnyWidget):
    _esm = """
    export default { render({ model, el }) {
      const button = document.createElement("button");
      button.className = "count";
      button.style.cssText = "color: var(--jp-ui-font-color1); background: var(--jp-layout-color1); padding: 8px";
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [20, 10];
      const draw = () => {
        button.textContent = `clicked ${model.get("value")}`;
        const pen = canvas.getContext("2d");
        pen.fillStyle = "rgb(255, 0, 0)";
        pen.fillRect(0, 0, model.get("value"), 10);
      };
      button.addEventListener("click", () => { model.set("value", model.get("value") + 1); model.save_changes(); });
      model.on("change:value", draw);
      draw();
      el.append(button, canvas);
    } };
    """
    value = traitlets.Int(0).tag(sync=True)

counter = Counter()
counter
'''


def test_a_click_reaches_python_and_python_reaches_the_pixels(lab: Lab):
    page = lab.open([COUNTER])
    page.run_all()
    page.locator("button.count").click()
    page.until("counter.value == 1")
    page.execute("counter.value = 7")
    page.locator("button.count", has_text="clicked 7").wait_for()
    red = page.pixels("canvas")[:, :, 0] == 255
    assert red.shape == (10, 20)
    assert red.sum() == 7 * 10
    # Dragging from the button to the canvas is no click, so nothing is counted.
    page.drag("button.count", [(0.5, 0.5), (1.5, 0.5)])
    assert page.python("counter.value") == 7


def test_light_and_dark_are_seen_and_kept(lab: Lab):
    page = lab.open([COUNTER])
    page.run(0)
    seen = {}
    for theme in ("light", "dark"):
        page.theme(theme)
        seen[theme] = page.seen("button.count")
        assert page.shot(f"lab-{theme}").stat().st_size > 10_000
    light, dark = (np.median(seen[theme][..., :3]) for theme in ("light", "dark"))
    assert light > 200
    assert dark < 60


def test_a_cell_that_raises_says_so(lab: Lab):
    page = lab.open(["x = 1", "1 / 0", "x += 1"])
    page.run(0)
    with pytest.raises(
        CellError, match=r"cell 1 raised:\n1 / 0\n(.|\n)*ZeroDivisionError: division by zero"
    ):
        page.run(1)
    with pytest.raises(CellError, match="nothing_here raised NameError"):
        page.python("nothing_here")
    assert page.python("[x] * 2000") == [1] * 2000


def test_saved_restarted_and_reloaded(lab: Lab):
    page = lab.open(["x = 'kept in the notebook'; print(x)"])
    page.run(0)
    assert page.save().cells[0].outputs[0].text == "kept in the notebook\n"
    page.restart_kernel()
    assert page.python("'x' in globals()") is False
    page.reload()
    page.run(0)
    assert page.python("x") == "kept in the notebook"


def test_the_kernel_sleeps_and_the_page_does_not(lab: Lab):
    page = lab.open(["import time; time.sleep(3)"])
    page.start(0)
    assert page.page.evaluate("1 + 1") == 2
    assert page.page.evaluate("window.rvRuns[0]") is False
    page.wait(0)


def test_errors_of_the_page_are_heard(lab: Lab):
    page = lab.open(["1"])
    page.page.evaluate(
        "console.error('said aloud'); setTimeout(() => { throw new Error('thrown') })"
    )
    page.page.wait_for_timeout(300)
    assert [error.split("\n")[0].partition(" (")[0] for error in page.errors] == [
        "said aloud",
        "uncaught: Error: thrown",
    ]
    page.errors.clear()
