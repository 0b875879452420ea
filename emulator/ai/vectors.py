"""Embeddings whose distances mean something, without a service.

A text's vector is the mean of the word vectors that the package `wordllama` carries (32,000 tokens x 256 numbers),
projected to the model's dimensions by a fixed matrix of signs, cut to the dimensions asked for, and scaled to length 1.
Random signs keep angles, and so does any first part of them: that is how `dimensions` behaves with the service too.

All sums are of whole numbers, so a text has the same vector to the last bit whatever it is sent together with.
"""

import hashlib
import importlib.util
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.ai.models import EmbeddingModel

Vectors = npt.NDArray[np.float32]

_WIDTH = 256
# The largest weight is 8.02, so a weight takes 14 bits and a sum of 8,192 of them 27.
_WEIGHT_SCALE = 1024
# 256 numbers of up to 2**15 add up to less than 2**24, which float32 holds exactly.
_PROJECTION_SCALE = 2**15


class _Words:
    """The tokenizer and the word vectors of `wordllama`, read from its files.

    Importing the package instead would take 0.6 s and reconfigure the process's logging.
    """

    def __init__(self) -> None:
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        package = importlib.util.find_spec("wordllama")
        if package is None or not package.submodule_search_locations:
            raise RuntimeError("the package wordllama is not installed: run `python -m tools setup`")
        folder = Path(package.submodule_search_locations[0])
        weights = load_file(folder / "weights" / "l2_supercat_256.safetensors")["embedding.weight"]
        self.table = np.rint(weights.astype(np.float32) * _WEIGHT_SCALE).astype(np.int16)
        self.tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()


_loading = threading.Lock()


@cache
def _loaded() -> _Words:
    return _Words()


def _words() -> _Words:
    with _loading:
        return _loaded()


@cache
def _signs(model: str, dimensions: int) -> Vectors:
    """Return the model's matrix, of 1 and -1; another model has another one, so their vectors do not compare."""
    bits = hashlib.shake_256(f"postgres-genai {model}".encode()).digest(_WIDTH * dimensions // 8)
    signs = np.unpackbits(np.frombuffer(bits, np.uint8)).reshape(dimensions, _WIDTH).astype(np.float32)
    return np.ascontiguousarray((signs * 2 - 1).T)


def _of_length_1(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    squares = (rows * rows).sum(axis=1, keepdims=True)
    scaled: npt.NDArray[np.float64] = rows / np.maximum(np.sqrt(squares.astype(np.float64)), 1.0)
    return scaled


def _means(texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return a vector of length 1 for each text."""
    words = _words()
    encoded = [encoding.ids or [0] for encoding in words.tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
    starts = np.cumsum([0] + [len(ids) for ids in encoded[:-1]])
    rows = words.table[np.concatenate([np.asarray(ids, np.int32) for ids in encoded])]
    sums = np.add.reduceat(rows, starts, axis=0, dtype=np.int32).astype(np.int64)
    return _of_length_1(sums)


def embed(texts: Sequence[str], model: EmbeddingModel, dimensions: int) -> Vectors:
    """Return one vector a text.

    Args:
        texts: At least one text.
        model: Whose vectors to make.
        dimensions: At most the model's.

    Returns:
        An array of len(texts) x dimensions, each row of length 1.
    """
    numbers = np.rint(_means(list(texts)) * _PROJECTION_SCALE).astype(np.float32)
    projected = (numbers @ _signs(model.name, model.dimensions)[:, :dimensions]).astype(np.int64)
    return np.ascontiguousarray(_of_length_1(projected).astype(np.float32))


def load() -> None:
    """Load the word vectors now, so that the first request does not wait for them."""
    _words()
