"""The words around a match, for Presidio's context rules, without a language model: a text cut into words, as they stand.

Made when somebody asks, for most texts hold no match and need none. Presidio compares context words as parts of words, so
``accounts`` supports ``account`` without anybody knowing its lemma. There are no entities here: names are found elsewhere (`names`).
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Final

_WORD: Final = re.compile(r"\w+|[^\w\s]")  # two single classes, side by side: linear
_STOP: Final = frozenset([
    "a", "an", "and", "are", "as", "at", "be", "been", "but", "by", "for", "from", "had", "has", "have", "he",
    "her", "his", "i", "if", "in", "is", "it", "its", "me", "my", "no", "not", "of", "on", "or", "our",
    "she", "so", "that", "the", "their", "them", "they", "this", "to", "was", "we", "were", "will", "with", "you", "your",
])  # fmt: skip


class Words:
    """Stands where Presidio's ``NlpArtifacts`` stand; ``tokens`` are plain strings. A recogniser which needs more of it fails, and the text with it."""

    def __init__(self, text: str) -> None:
        self._text: Final = text
        self.entities: list[object] = []
        self.scores: list[float] = []

    @cached_property
    def _matches(self) -> list[re.Match[str]]:
        return list(_WORD.finditer(self._text))

    @cached_property
    def tokens(self) -> list[str]:
        """The words and signs in order."""
        return [match.group() for match in self._matches]

    @cached_property
    def tokens_indices(self) -> list[int]:
        """Where each begins, in characters."""
        return [match.start() for match in self._matches]

    @cached_property
    def lemmas(self) -> list[str]:
        """The words in lower case."""
        return [token.lower() for token in self.tokens]

    @cached_property
    def keywords(self) -> list[str]:
        """The words that carry meaning."""
        return sorted({one for one in self.lemmas if one[0].isalnum() and one not in _STOP})
