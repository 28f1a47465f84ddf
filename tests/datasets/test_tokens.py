"""CLIP's tokens, against merges done by hand and against a plain implementation of byte-pair encoding."""

from __future__ import annotations

import gzip
from itertools import islice
from itertools import pairwise
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from hnas.base import DataError

pytest.importorskip("tokenizers", reason="the extra 'text' is not installed")
pytest.importorskip("ftfy", reason="the extra 'text' is not installed")

from hnas.datasets.tokens import ClipTokenizer
from hnas.testing import write_clip_vocabulary

MERGES = [("l", "l"), ("h", "e"), ("he", "ll"), ("hell", "o</w>"), ("c", "a"), ("ca", "t</w>"), ("'", "s</w>")]
FIRST = 512
"""Id of the first merge, after 256 bytes and 256 bytes that end a word."""
START = FIRST + len(MERGES)


def byte(letter: str) -> int:
    """Id of a printable ASCII letter."""
    return ord(letter) - ord("!")


def last(letter: str) -> int:
    """Id of a printable ASCII letter that ends a word."""
    return 256 + byte(letter)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return ClipTokenizer(write_clip_vocabulary(tmp_path_factory.mktemp("bpe") / "small.txt.gz", MERGES))


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("", []),
        ("hello", [FIRST + 3]),
        ("HeLLo", [FIRST + 3]),
        ("hell", [FIRST + 1, byte("l"), last("l")]),  # the last l ends the word: no merge of l and l</w> is known
        ("cat", [FIRST + 5]),
        ("cats", [FIRST + 4, byte("t"), last("s")]),
        ("cat's", [FIRST + 5, FIRST + 6]),
        ("cat\u2019s", [FIRST + 5, FIRST + 6]),  # a curly apostrophe is made straight
        ("  cat \n\t hello ", [FIRST + 5, FIRST + 3]),
        ("cat!!", [FIRST + 5, byte("!"), last("!")]),
        ("12", [last("1"), last("2")]),
        ("cat12!a", [FIRST + 5, last("1"), last("2"), last("!"), last("a")]),
        ("&amp;amp;", [last("&")]),  # HTML entities are resolved twice
        ("é", [127, 256 + 102]),  # bytes C3 and A9 in CLIP's numbering
        ("Ã©", [127, 256 + 102]),  # the same, wrongly decoded, is mended
        # Bytes E4, B8 and AD; the last is not printable and so numbered after the 188 printable, 33 and 34 others.
        ("\u4e2d", [94 + 12 + 0xE4 - 0xAE, 94 + 12 + 0xB8 - 0xAE, 256 + 188 + 33 + 34]),
    ],
)
def test_ids_by_hand(tokenizer, text, inner):
    ids = tokenizer(text)
    assert ids.shape == (77,) and ids.dtype == np.int32
    expected = [START, *inner, START + 1]
    assert ids[: len(expected)].tolist() == expected
    assert not ids[len(expected) :].any()


def test_words_of_control_tokens_are_text(tokenizer):
    ids = tokenizer("<|endoftext|>").tolist()
    assert ids.index(START + 1) > 5


def test_long_texts_keep_75_tokens(tokenizer):
    ids = tokenizer("cat hello " * 60)
    assert ids.tolist() == [START, *([FIRST + 5, FIRST + 3] * 38)[:75], START + 1]


def test_the_published_size(tmp_path):
    """A file as long as the published one: 48,894 merges count, the 213,250 after them do not."""
    symbols = [chr(code) for code in [*range(33, 127), *range(161, 173), *range(174, 256), *range(256, 324)]]
    assert len(symbols) == 256
    pairs = list(islice(product(symbols, symbols), 48_894))
    ignored = [("e", "\u0141</w>"), *([("x", "y")] * 213_249)]
    tokenizer = ClipTokenizer(write_clip_vocabulary(tmp_path / "full.txt.gz", pairs + ignored))
    assert (tokenizer.size, tokenizer.start, tokenizer.end) == (49_408, 49_406, 49_407)
    ids = {letter: tokenizer(letter)[1] for letter in "ab!~"}
    assert ids == {"a": 256 + 64, "b": 256 + 65, "!": 256, "~": 256 + 93}
    # 'ab' within a word is merge number 64 * 256 + 65, then c ends the word.
    assert tokenizer("abc")[:4].tolist() == [49_406, 512 + 64 * 256 + 65, 256 + 66, 49_407]


def encode(word: str, merges: list[tuple[str, str]]) -> list[str]:
    """Byte-pair encoding of an ASCII word, plainly: the best pair anywhere is merged until none is known."""
    parts = [*word[:-1], word[-1] + "</w>"]
    while pairs := [pair for pair in pairwise(parts) if pair in merges]:
        best = min(pairs, key=merges.index)
        merged: list[str] = []
        for part in parts:
            if merged and merged[-1] == best[0] and part == best[1]:
                merged[-1] += part + "\0"
            else:
                merged.append(part)
        parts = [part.replace("\0", "") for part in merged]
    return parts


@settings(max_examples=40, deadline=None)
@given(
    choices=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), min_size=1, max_size=25),
    words=st.lists(st.text("abc", min_size=1, max_size=9), min_size=1, max_size=6),
)
def test_agrees_with_plain_byte_pair_encoding(tmp_path_factory, choices, words):
    symbols = ["a", "b", "c", "a</w>", "b</w>", "c</w>"]
    merges: list[tuple[str, str]] = []
    for first, second in choices:
        pair = symbols[first % len(symbols)], symbols[second % len(symbols)]
        if not pair[0].endswith("</w>") and "".join(pair) not in symbols:
            merges.append(pair)
            symbols.append("".join(pair))
    merges = merges or [("a", "b")]
    tokenizer = ClipTokenizer(write_clip_vocabulary(tmp_path_factory.mktemp("bpe") / "v.txt.gz", merges))
    ids = {"".join(pair): FIRST + number for number, pair in enumerate(merges)}
    ids |= {letter: byte(letter) for letter in "abc"} | {letter + "</w>": last(letter) for letter in "abc"}
    expected = [ids[part] for word in words for part in encode(word, merges)]
    assert tokenizer(" ".join(words))[1 : len(expected) + 1].tolist() == expected


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["version", "a b", "c"], "line 3: expected two symbols"),
        (["version", "a b", "abc d"], "line 3: merges 'abc' and 'd', not both known"),
        (["version"], "lists no merges"),
    ],
)
def test_broken_vocabularies(tmp_path, lines, problem):
    with gzip.open(tmp_path / "v.txt.gz", "wt") as file:
        file.write("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=problem):
        ClipTokenizer(tmp_path / "v.txt.gz")


def test_damaged_and_missing_vocabularies(tmp_path):
    path = write_clip_vocabulary(tmp_path / "v.txt.gz")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="cannot read the vocabulary"):
        ClipTokenizer(path)
    path.write_text("version\na b\n")
    with pytest.raises(DataError, match="cannot read the vocabulary"):
        ClipTokenizer(path)
    with pytest.raises(DataError, match="no vocabulary file"):
        ClipTokenizer(tmp_path / "none.txt.gz")
