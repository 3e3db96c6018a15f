"""Draws every sequence of both forms of an OLMo-core mixture; prints the counts. Run with one JSON argument."""

import collections
import importlib.util
import json
import sys

from order import tenths


def draw(dataset) -> dict[int, int]:
    """How often each token, one a source, came first."""
    return collections.Counter(int(dataset[place]["input_ids"][0]) for place in range(len(dataset)))


def draw_as_trained(loader) -> list[dict[str, int]]:
    """The tenths of an epoch of OLMo-core's own data loader, which shuffles unless it is told not to."""
    loader.reshuffle(1)
    return tenths(int(row[0]) for batch in loader for row in batch["input_ids"])


def main(job: dict) -> None:
    import olmo_core.version
    from olmo_core.data import NumpyDataLoaderConfig, NumpyFSLDatasetConfig, TokenizerConfig
    from olmo_core.data.composable import ComposableDataLoaderConfig
    from olmo_core.data.source_mixture import SourceMixtureDatasetConfig, SourceMixtureList
    from olmo_core.data.types import NumpyDatasetDType

    length, tokens = job["length"], job["tokens"]
    tokenizer, dtype = (
        TokenizerConfig(vocab_size=1000, eos_token_id=0, pad_token_id=1),
        NumpyDatasetDType.uint16,
    )
    found = {"version": olmo_core.version.VERSION}
    sources = SourceMixtureDatasetConfig(
        source_list=SourceMixtureList.from_yaml(job["config"]),
        requested_tokens=tokens,
        global_batch_size=length * 8,
        render_tables=False,
        quiet=True,
    )
    try:
        dataset = NumpyFSLDatasetConfig(
            tokenizer=tokenizer,
            source_mixture_config=sources,
            sequence_length=length,
            dtype=dtype,
            work_dir=job["work"],
            generate_doc_lengths=False,
        ).build()
        dataset.prepare()
        found["sources"] = draw(dataset)
        loader = NumpyDataLoaderConfig(global_batch_size=length * 8, seed=1, work_dir=job["work"])
        found["order"] = [draw_as_trained(loader.build(dataset))]
    except Exception as error:
        found["refused"] = str(error)
    if job.get("module"):
        spec = importlib.util.spec_from_file_location("exported", job["module"])
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        mixed = module.mixture(length, tokenizer, dtype=dtype).build(job["work"])
        found["composable"] = draw(mixed)
        mixed_loader = ComposableDataLoaderConfig(
            tokenizer=tokenizer,
            global_batch_size=length * 8,
            seed=1,
            display_source_visualization=False,
        )
        found["order"].append(draw_as_trained(mixed_loader.build(mixed, work_dir=job["work"])))
    print("RESULT", json.dumps(found))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
