"""Starts what a launch config of Olmix asks for, up to the dataset, and draws every sequence. Run with one JSON argument.

The checkout's own LaunchConfig, mk_source_instances and TransformerConfigBuilder make the OLMo-core dataset that its train.py builds.
"""

import collections
import json
import sys
import types

from order import tenths


def main(job: dict) -> None:
    sys.path.insert(0, job["checkout"])
    sys.modules["s3fs"] = types.ModuleType("s3fs")  # opens nothing here: the paths are local
    sys.modules["s3fs"].S3FileSystem = type("S3FileSystem", (), {})
    from olmix.aliases import LaunchConfig
    from olmix.launch.utils import mk_source_instances
    from olmix.model.transformer import TransformerConfigBuilder
    from olmo_core.data import NumpyDataLoaderConfig

    launch = LaunchConfig.from_yaml(job["config"])
    instances = mk_source_instances(launch.data.sources, launch.mix)
    training = launch.training
    config = TransformerConfigBuilder(
        run_name=launch.name,
        sources=instances,
        chinchilla_multiple=training.chinchilla_multiple,
        group_id="test",
        cluster=launch.infra.cluster,
        beaker_user="test",
        tokenizer=training.tokenizer,
        dtype=launch.data.dtype.name,
        model_identifier=training.proxy_model_id,
        weka=launch.infra.weka,
        device_batch_size=training.device_batch_size,
        seed=training.seed,
        global_batch_size=training.global_batch_size,
    ).build()
    config.dataset.work_dir = job["work"]
    dataset = config.dataset.build()
    dataset.prepare()
    counts = collections.Counter(
        int(dataset[place]["input_ids"][0]) for place in range(len(dataset))
    )
    loader = NumpyDataLoaderConfig(
        global_batch_size=8 * dataset.sequence_length, seed=1, work_dir=job["work"]
    ).build(dataset)
    loader.reshuffle(1)
    drawn = [int(row[0]) for batch in loader for row in batch["input_ids"]]
    names = {one.name: [one.ratio, one.repetition_factor] for one in instances}
    print(
        "RESULT",
        json.dumps(
            {
                "counts": counts,
                "order": tenths(drawn),
                "instances": names,
                "examples": examples(job["examples"], LaunchConfig),
            }
        ),
    )


def examples(paths: list[str], config: type) -> dict:
    """Path to name to weight, of launch configs as Olmix reads them."""
    return {
        path: {name: entry.weight for name, entry in config.from_yaml(path).mix.items()}
        for path in paths
    }


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
