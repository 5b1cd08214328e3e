"""Finding a key's field in the models, from the path a file or an environment variable gives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from brekzsync.settings.sections import Settings

Location = tuple[str | int, ...]


def split_location(location: Sequence[str | int]) -> tuple[Location, type[BaseModel], Location]:
    """Part a path into the tables it goes through, the model of the last of them, and the rest.

    ``("targets", "be", "erp", "warehouses", 0)`` → ``("targets", "be", "erp")``, ErpSettings,
    ``("warehouses", 0)``.
    """
    model: type[BaseModel] = Settings
    depth = 0
    while depth < len(location):
        field = model.model_fields.get(str(location[depth]))
        if field is None:
            break
        table, width = _table_of(field)
        if table is None or len(location) < depth + width:
            break
        model, depth = table, depth + width
    return tuple(location[:depth]), model, tuple(location[depth:])


def find_field(location: Sequence[str | int]) -> FieldInfo | None:
    """The field a path names, or ``None`` when it names a table or nothing."""
    _, model, rest = split_location(location)
    return model.model_fields.get(str(rest[0])) if rest else None


def is_secret(field: FieldInfo | None) -> bool:
    """Whether a key's value must never be shown."""
    if field is None:
        return False
    annotation = _bare(field.annotation)
    if get_origin(annotation) is list:
        annotation = _bare(get_args(annotation)[0])
    return annotation is SecretStr


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name a misspelt one most likely means."""
    from difflib import get_close_matches  # only for a person who mistyped

    matches = get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


def _table_of(field: FieldInfo) -> tuple[type[BaseModel] | None, int]:
    """The model a field holds and how many steps of a path lead into it (2 for a table of tables)."""
    annotation = _bare(field.annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, 1
    if get_origin(annotation) is dict:
        value = _bare(get_args(annotation)[1])
        if isinstance(value, type) and issubclass(value, BaseModel):
            return value, 2
    return None, 0


def _bare(annotation: Any) -> Any:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation
