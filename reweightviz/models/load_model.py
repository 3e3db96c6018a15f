"""Find a causal language model by path, name or object, and put it on a device."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from reweightviz.core.cache import stamp_files
from reweightviz.core.errors import MissingPackage, ReweightvizError, UnmetNeed
from reweightviz.models.byte_transformer import VOCABULARY, ByteTransformer
from reweightviz.models.device import choose_device
from reweightviz.models.language_model import BYTES, LanguageModel, Tokens, weights_digest

__all__ = ["load_language_model", "name_model", "stamp_model"]


_ENDINGS = (".npz", ".pt", ".pth", ".bin", ".safetensors")
"""Of files of models, which are no part of their names."""
_PICKLES = (".pt", ".pth", ".bin", ".pkl")


def load_language_model(
    model: Any,
    *,
    tokenizer: Any = None,
    device: str = "auto",
    dtype: str = "auto",
    remote_code: bool = False,
) -> LanguageModel:
    """Return a model that is ready to read.

    Args:
        model: the file of a :class:`reweightviz.training.ByteTransformer`, or one itself; a path or
            name of Hugging Face, weights as safetensors; or a causal model of transformers, with
            ``tokenizer``.
        tokenizer: of a model of transformers; its path or name's own when not given.
        device: torch device; "auto" takes CUDA where there is one.
        dtype: "float32", "bfloat16" or "float16"; "auto" is bfloat16 on CUDA, where the device has
            it, and float32 elsewhere.
        remote_code: whether code that comes with the model may run here.

    Raises:
        ReweightvizError: there is no such model, it holds pickled weights, or there is no such
            device.
    """
    place = choose_device(device)
    if isinstance(model, str | os.PathLike) and Path(model).suffix == ".npz":
        model = _open_bytes(Path(model))
    if isinstance(model, ByteTransformer):
        return _wrap_bytes(model.to(place).eval())
    kind = _choose_dtype(dtype, place)
    if isinstance(model, str | os.PathLike):
        if Path(model).suffix in _PICKLES:
            raise ReweightvizError(
                f"{Path(model).name} holds pickled weights, which can run code when they are "
                "read; save the model as safetensors, save_pretrained(folder)."
            )
        name = os.fspath(model)
        loaded, tokenizer = _open_pretrained(name, tokenizer, kind, remote_code=remote_code)
        return _wrap_transformers(
            loaded.to(place).eval(), tokenizer, name_model(name), stamp_model(name)
        )
    if tokenizer is None or not hasattr(model, "get_output_embeddings"):
        raise UnmetNeed(
            name="a language model",
            value=model,
            expected="a path, a name of Hugging Face, a ByteTransformer, or a causal model of "
            "transformers with tokenizer=",
            got=type(model).__name__,
        )
    return _wrap_transformers(
        model.to(place).eval(), tokenizer, name_model(model), weights_digest(model)
    )


def name_model(model: Any) -> str:
    """Return what a model is called in labels: the end of its path, without a file's ending.

    >>> name_model("HuggingFaceTB/SmolLM2-135M"), name_model("runs/proxy-1.7b.npz")
    ('SmolLM2-135M', 'proxy-1.7b')
    """
    if isinstance(model, str | os.PathLike):
        path = Path(model)
        # "proxy-1.7b" is a name with a dot.
        return path.stem if path.suffix in _ENDINGS else path.name
    config = getattr(model, "config", None)
    return Path(getattr(config, "name_or_path", "") or "proxy").name


def stamp_model(model: Any) -> str:
    """Return what changes when a model does; a file or folder is not read for it.

    It is the hash of the weights of a model in memory; of a folder, of names, sizes and times of
    its files; and of a name, of what the hub's cache has under it.
    """
    if not isinstance(model, str | os.PathLike):
        return weights_digest(model)
    place = _find_folder(os.fspath(model))
    if place is None:
        return ""
    return stamp_files([place] if place.is_file() else place.glob("*"))


def _find_folder(name: str) -> Path | None:
    """Return the file or folder of a model on this machine, None where there is none."""
    if Path(name).exists():
        return Path(name)
    try:
        from huggingface_hub import try_to_load_from_cache

        config = try_to_load_from_cache(name, "config.json")
    except (ImportError, ValueError):
        return None
    return Path(config).parent if isinstance(config, str) else None


def _choose_dtype(name: str, place: torch.device) -> torch.dtype:
    if name == "auto":
        has_bfloat = place.type == "cuda" and torch.cuda.is_bf16_supported()
        return torch.bfloat16 if has_bfloat else torch.float32
    if name not in ("float32", "bfloat16", "float16"):
        raise ReweightvizError(
            f"dtype must be 'auto', 'float32', 'bfloat16' or 'float16'; got {name!r:.60}."
        )
    found: torch.dtype = getattr(torch, name)
    return found


# ---- bytes


def _open_bytes(path: Path) -> ByteTransformer:
    if not path.exists():
        raise ReweightvizError(
            f"there is no model at {path}; 'proxy' is the demo's, and a ByteTransformer can be "
            "passed itself."
        )
    return ByteTransformer.load(path)


def _wrap_bytes(model: ByteTransformer) -> LanguageModel:
    def encode(texts: Sequence[str]) -> list[Tokens]:
        # A lone surrogate has no UTF-8.
        parts = (text.encode("utf-8", "replace") for text in texts)
        return [np.frombuffer(part, np.uint8).astype(np.int64) for part in parts]

    return LanguageModel(
        name="proxy",
        module=model,
        tokenizer=BYTES,
        context=model.config.context,
        width=model.config.width,
        vocabulary=VOCABULARY,
        stamp=weights_digest(model),
        encode=encode,
        hidden=model.hidden,
        head=lambda states: F.linear(states, model.embed.weight),
    )


# ---- transformers


def _open_pretrained(
    name: str, tokenizer: Any, dtype: torch.dtype, *, remote_code: bool
) -> tuple[Any, Any]:
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError:
        raise MissingPackage(
            package="transformers", extra="minilm", who=f"the model {name!r}"
        ) from None
    try:
        if tokenizer is None:
            tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=remote_code)
        model = AutoModelForCausalLM.from_pretrained(
            name, dtype=dtype, use_safetensors=True, trust_remote_code=remote_code
        )
    except (OSError, ValueError, ImportError) as error:
        raise ReweightvizError(_explain(name, error)) from error
    return model, tokenizer


def _explain(name: str, error: Exception) -> str:
    words = str(error)
    if "trust_remote_code" in words:
        return f"the model {name!r} brings code of its own; remote_code=True lets it run here."
    folder = Path(name)
    if folder.is_dir() and any(file.suffix in _PICKLES for file in folder.iterdir()):
        return (
            f"the model {name!r} has pickled weights alone, which can run code when they are "
            "read; save it as safetensors, save_pretrained(folder)."
        )
    return (
        f"there is no causal language model {name!r} here or on the hub; 'proxy', the demo's own, "
        "needs no network."
    )


def _wrap_transformers(model: Any, tokenizer: Any, name: str, stamp: str) -> LanguageModel:
    config = model.config.get_text_config()
    head = model.get_output_embeddings()
    body = model.get_decoder() if hasattr(model, "get_decoder") else model.base_model

    def encode(texts: Sequence[str]) -> list[Tokens]:
        if not len(texts):
            return []
        # Nothing is cut here, so the tokenizer need not warn of length.
        found = tokenizer(list(texts), verbose=False)["input_ids"]
        return [np.asarray(ids, np.int64) for ids in found]

    def hidden(ids: Tensor) -> Tensor:
        # Padding stands behind all tokens, where a causal model does not look.
        states: Tensor = body(input_ids=ids, use_cache=False).last_hidden_state
        return states

    return LanguageModel(
        name=name,
        module=model,
        tokenizer=Path(getattr(tokenizer, "name_or_path", "") or name).name,
        context=int(getattr(config, "max_position_embeddings", 0) or 2048),
        width=int(config.hidden_size),
        vocabulary=int(config.vocab_size),
        stamp=stamp,
        encode=encode,
        hidden=hidden,
        head=head,
    )
