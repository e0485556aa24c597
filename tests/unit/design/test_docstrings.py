"""What a user of the design functions reads: what each refuses, an example that runs, and where its numbers come from."""

from __future__ import annotations

import inspect
import re
import sys

import pytest

from streamspc import design

FUNCTIONS = [name for name in design.__all__ if not inspect.isclass(getattr(design, name))]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_function_says_what_it_promises(name):
    """The reasons of its ValueError and an example; its source there or, with the paper's title, in its module."""
    function = inspect.unwrap(getattr(design, name))
    text = inspect.getdoc(function) or ""
    module = sys.modules[function.__module__].__doc__ or ""

    assert "Raises:\n    ValueError: " in text
    assert ">>> " in text
    assert re.search(r"\(?\b(19|20)\d\d\)?", text + module) or name in {"series_arl0", "confirmed_arl", "bank_limits"}
    for argument in inspect.signature(function).parameters:
        assert re.search(rf"\b{argument}\b", text + module), argument
