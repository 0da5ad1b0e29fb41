"""What an operator takes as its source."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_docconv.batch.sources import SourceSpec, read_specs
from airflow_provider_docconv.compat import ObjectStoragePath
from airflow_provider_docconv.exceptions import InvalidOptions

SECRET = "open-sesame"


def test_every_form_of_a_source_is_understood() -> None:
    path, options = ObjectStoragePath("s3://store@b/in/x.pptx"), {"password": SECRET}
    own = {"source": "c/", "target_format": "png", "options": {"slides": [1]}}
    items = read_specs(["a/", path, own, {"folder": "d", "documents": ["x", "y"]}], "pdf", options)
    assert items == [
        SourceSpec("a/", None, "pdf", options),
        SourceSpec("s3://store@b/in/x.pptx", None, "pdf", options),
        SourceSpec("c/", None, "png", {"slides": [1]}),
        SourceSpec("d", ["x", "y"], "pdf", options),
    ]
    assert read_specs("a/", "pdf", None) == [SourceSpec("a/", None, "pdf", {})]
    assert read_specs(path, "pdf", None)[0].source == "s3://store@b/in/x.pptx"
    assert (
        read_specs(own, "pdf", None)
        == read_specs((own,), "pdf", None)
        == [SourceSpec("c/", None, "png", {"slides": [1]})]
    )
    assert read_specs({"source": path}, "pdf", None)[0].source == "s3://store@b/in/x.pptx"
    assert read_specs({"source": "a", "options": {}}, "pdf", options)[0].options == {}
    assert read_specs({"source": "a", "options": None}, "pdf", options)[0].options == options
    assert read_specs([], "pdf", None) == []
    assert SECRET not in repr(items)


@pytest.mark.parametrize(
    "source",
    [
        *("", None, 5, 0, True, 1.5, b"s3://b/", {"a/", "b/"}, object(), ["a/", ""], [["a/"]], [None], [b"a/"]),
        *({}, {"source": ""}, {"source": None}, {"source": 5}, {"source": ["a"]}, {"source": {"source": "a"}}),
        *({"folder": "a"}, {"documents": ["x"]}, {"source": "a", "documents": ["x"]}, {"folder": "a", "source": "b"}),
        *({"folder": "a", "documents": "x"}, {"folder": "a", "documents": 5}, {"folder": "", "documents": ["x"]}),
        *({"folder": "a", "documents": None}, {"folder": "a", "documents": [5]}, {"folder": "a", "documents": b"x"}),
        *({"folder": "a", "documents": [""]}, {"folder": "a", "documents": {"x": "y"}}),
        *({"source": "a", "format": "pdf"}, {"source": "a", "target_format": 5}),
    ],
    ids=str,
)
def test_nothing_else_is_a_source(source: Any) -> None:
    with pytest.raises(InvalidOptions):
        read_specs(source, "pdf", None)


@pytest.mark.parametrize(
    "item",
    [
        {"options": {"password": SECRET}},
        {"source": 5, "options": {"password": SECRET}},
        {"source": "a", "options": [SECRET]},
        {"source": "a", "options": SECRET},
        {"source": "a", "option": {"password": SECRET}},
        {"source": "a", "Options": {"password": SECRET}},
        {"source": "a", "password": SECRET},
        {"source": {"source": "a", "options": {"password": SECRET}}},
        [{"source": "a", "options": {"password": SECRET}}],
        {"folder": {"options": {"password": SECRET}}, "documents": ["x"]},
        {"folder": "a", "documents": [{"source": "x", "options": {"password": SECRET}}]},
        {"folder": "a", "documents": {"password": SECRET}},
    ],
)
def test_an_item_that_is_not_understood_keeps_its_passwords(item: Any) -> None:
    with pytest.raises(InvalidOptions) as raised:
        read_specs([item], "pdf", None)
    assert SECRET not in str(raised.value)
    assert SECRET not in repr(raised.value.__dict__)
