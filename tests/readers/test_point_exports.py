"""Files of single points: ClearML's and Comet's, as clearml 2.1.12 and comet_ml 3.58.8 wrote them offline."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest

import reweightviz as rv


def clearml_events(*steps):
    """The lines of a session: a list of events each."""
    for step in steps:
        events = [
            {
                "timestamp": 1796082121250 + step,
                "type": "training_stats_scalar",
                "task": "offline-1",
                "iter": step,
                "metric": "loss",
                "variant": name,
                "value": value - step / 10,
                "method": "get",
            }
            for name, value in (("web", 3.0), ("code", 2.0))
        ]
        yield json.dumps(events) + "\n"


def comet_message(name, value, step, **more):
    metric = {"epoch": 1, "metricName": name, "metricValue": value, "step": step}
    payload = {"local_timestamp": 1796082134147, "message_id": 1, "metric": metric} | more
    return json.dumps({"payload": payload, "type": "metric_msg"}) + "\n"


COMET = (
    '{"payload":{"file_name":"train.py","message_id":1},"type":"file_name"}\n'
    + comet_message("sys.cpu.percent.avg", 0.0, None)
    + "".join(
        comet_message(f"loss/{name}", value - step / 10, step, context="train")
        for step in (0, 10)
        for name, value in (("code", 2.0), ("web", 3.0))
    )
    + comet_message("grad", "NaN", 10)
)


def archive(path, **members):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name.replace("_json", ".json"), content)
    return path


def losses(log):
    return log["loss"][:, [log.domains.index(name) for name in ("web", "code")]].tolist()


def test_clearmls_session_as_archive_and_as_a_folder_that_grows(tmp_path):
    content = "".join(clearml_events(0, 10))
    packed = tmp_path / "offline-1.zip"
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("metrics.jsonl", content)
        file.writestr("task.json", "{}")
    log = rv.read_log(packed)
    assert log.meta["format"] == "clearml" and log.steps.tolist() == [0, 10]
    assert losses(log) == [[3.0, 2.0], [2.0, 1.0]]
    assert log.times[0] == pytest.approx(1796082121.25)
    folder = tmp_path / "offline-2"
    folder.mkdir()
    (folder / "task.json").write_text("{}")
    (folder / "metrics.jsonl").write_text(content + '[{"timest')
    tail = rv.read_log(folder, follow=True)
    assert tail.log.name == "offline-2" and len(tail.log) == 2 and not tail.poll()
    (folder / "metrics.jsonl").write_text("".join(clearml_events(0, 10, 20)))
    assert tail.poll() and losses(tail.log) == [[3.0, 2.0], [2.0, 1.0], [1.0, 0.0]]


def test_clearmls_reported_scalars(tmp_path):
    scalars = {
        "loss": {
            "web": {"name": "web", "x": [0, 10, 20], "y": [3.0, 2.5, 2.0]},
            "code": {"name": "code", "x": [0, 20], "y": [2.0, 1.0]},
        },
        ":monitor:gpu": {"gpu_0": {"x": [1], "y": [50.0]}},
    }
    path = tmp_path / "scalars.json"
    path.write_text(json.dumps(scalars, indent=1))
    log = rv.read_log(path)
    assert log.meta["format"] == "clearml" and log.steps.tolist() == [0, 1, 10, 20]
    np.testing.assert_array_equal(losses(log), [[3, 2], [np.nan, np.nan], [2.5, np.nan], [2, 1]])


def test_comets_offline_experiment(tmp_path):
    log = rv.read_log(archive(tmp_path / "1.zip", messages_json=COMET, experiment_json="{}"))
    assert log.meta["format"] == "comet" and losses(log) == [[3.0, 2.0], [2.0, 1.0]]
    assert log.meta["pattern"] == {"loss": ["train_loss/{domain}"]}
    assert "Values without a step, left out: 1." in log.meta["notes"]
    assert "grad: 1 value is NaN or infinite; drawn as a gap." in log.meta["notes"]


def test_comets_metrics_in_any_order(tmp_path):
    rows = [
        {
            "metricName": f"loss/{name}",
            "metricValue": str(value - step / 10),
            "timestamp": 1757001865179 + step,
            "step": step,
            "epoch": 0,
            "runContext": None,
        }
        for step in (10, 0)
        for name, value in (("web", 3.0), ("code", 2.0))
    ]
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps(rows))
    log = rv.read_log(path)
    assert log.meta["format"] == "comet" and log.steps.tolist() == [0, 10]
    assert losses(log) == [[3.0, 2.0], [2.0, 1.0]]


def test_other_archives_are_not_taken(tmp_path):
    for content in (b"PK\x03\x04broken", b"", b"text"):
        (tmp_path / "a.zip").write_bytes(content)
        with pytest.raises(rv.ReweightvizError):
            rv.read_log(tmp_path / "a.zip")
    with pytest.raises(rv.ReweightvizError, match="is compressed by zip: unpack it first"):
        rv.read_log(archive(tmp_path / "b.zip", task_json="{}"))
