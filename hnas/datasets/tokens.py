"""CLIP's tokens of a text: byte-pair encoding with the vocabulary file that OpenAI published with CLIP.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision" (2021). The file
``bpe_simple_vocab_16e6.txt.gz`` is a list of merges, best first, of which CLIP uses the first 48,894. Tokens are
numbered: 256 bytes, 256 bytes that end a word, the merges, start of text, end of text; 49,408 in all.
"""

from __future__ import annotations

import gzip
import html
import re
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hnas.base import DataError
from hnas.base import require_extra

VOCABULARY_NAME = "bpe_simple_vocab_16e6.txt.gz"
LENGTH = 77
MERGES = 48_894
PUBLISHED_TOKENS = 49_408

_EXTRA = "text"
_WORD_END = "</w>"
# English contractions, runs of letters, single digits, runs of anything else that is no space.
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


class ClipTokenizer:
    """Turns texts into token ids.

    The words ``<|startoftext|>`` and ``<|endoftext|>`` inside a text are text like any other.

    Attributes:
        size: Number of tokens.
        start: Id of the start of text.
        end: Id of the end of text.
    """

    def __init__(self, vocabulary: Path) -> None:
        """Reads the vocabulary file.

        Raises:
            DataError: The file is missing, damaged or not a list of merges.
            MissingExtraError: The extra ``text`` (tokenizers, ftfy) is not installed.
        """
        tokenizers = require_extra("tokenizers", _EXTRA)
        self._ftfy = require_extra("ftfy", _EXTRA)
        merges = _read_merges(vocabulary)
        # CLIP numbers the printable stand-ins of bytes in the order of their code points.
        letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
        entries = [*letters, *(letter + _WORD_END for letter in letters), *(first + last for first, last in merges)]
        ids = {token: number for number, token in enumerate(entries)}
        for number, (first, last) in enumerate(merges):
            if first not in ids or last not in ids:
                raise DataError(f"'{vocabulary}', line {number + 2}: merges '{first}' and '{last}', not both known")
        self.size = len(entries) + 2
        self.start, self.end = self.size - 2, self.size - 1
        model = tokenizers.models.BPE(vocab=ids, merges=merges, end_of_word_suffix=_WORD_END)
        self._tokenizer = tokenizers.Tokenizer(model)
        self._tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
            [
                tokenizers.pre_tokenizers.Split(tokenizers.Regex(_WORDS), behavior="removed", invert=True),
                tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )

    def __call__(self, text: str) -> NDArray[np.int32]:
        """Returns start, at most 75 tokens, end, and zeros: int32 (77,)."""
        inner = self._tokenizer.encode(self.clean(text)).ids[: LENGTH - 2]
        ids = np.zeros(LENGTH, dtype=np.int32)
        ids[: len(inner) + 2] = [self.start, *inner, self.end]
        return ids

    def clean(self, text: str) -> str:
        """Mends encodings, resolves HTML entities (twice, as CLIP does), joins white space and lowers case."""
        mended = html.unescape(html.unescape(self._ftfy.fix_text(text)))
        return re.sub(r"\s+", " ", mended).strip().lower()


def _read_merges(path: Path) -> list[tuple[str, str]]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            lines = file.read().split("\n")
    except FileNotFoundError:
        raise DataError(f"no vocabulary file '{path}'; CLIP's repository has it under clip/") from None
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as reason:
        raise DataError(f"cannot read the vocabulary '{path}': {reason}") from reason
    # The first line says the version.
    merges = []
    for number, line in enumerate(lines[1 : MERGES + 1], start=2):
        if not line and number == len(lines):
            break
        pair = line.split()
        if len(pair) != 2:
            raise DataError(f"'{path}', line {number}: expected two symbols to merge, found '{line}'")
        merges.append((pair[0], pair[1]))
    if not merges:
        raise DataError(f"'{path}' lists no merges")
    return merges
