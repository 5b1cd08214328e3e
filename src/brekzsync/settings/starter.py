"""The starter configuration of ``config init``: every section and key there is, from the models themselves.

A line that begins with ``#`` and a space is a remark; one that begins with ``#`` alone is a key at its
default, to be uncommented by removing that one character.
"""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from brekzsync.settings.in_use import used_keys
from brekzsync.settings.schema import is_secret
from brekzsync.settings.sections import DEFAULT_TARGET, Settings
from brekzsync.settings.toml_text import toml_value

_WIDTH = 100
_OPENING = """\
# brekzsync's configuration.
#
# Lines that begin with "# " explain. Lines that begin with "#" alone are keys at their default: remove
# the "#" and change the value. Only what stands without "#" must be filled in. Then: brekzsync config check
#
# Text stands in quotes. Relative paths start from this file's folder. Durations read 30s, 5m, 24h, 7d.
# In a database's password write @ as %40, / as %2F and : as %3A.
# Every key can be overridden by BREKZSYNC_<SECTION>__<KEY>; a secret can also be read from the file
# that BREKZSYNC_<SECTION>__<KEY>_FILE names.
"""
_TARGETS = """\
#
# A target's tables are these; what they do not set is as in the sections of that name. Two targets may not
# share an outbox.
#[targets.{name}.erp]
#[targets.{name}.exact_xml]
#[targets.{name}.products]
#output = "./outbox-{name}"
#[targets.{name}.orders]
#[targets.{name}.stock]
#[targets.{name}.shipments]
"""
_TARGET = "belgium"


def starter() -> str:
    """The whole file. Loads as soon as its required keys fit, also with every key uncommented."""
    return "\n".join(_parts())


def _parts() -> Iterator[str]:
    yield _OPENING
    for name, field in Settings.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield _section(name, model)
        elif name == "targets":
            told = f"{field.description} Without any there is one target, called {DEFAULT_TARGET}."
            yield _remark(told) + "\n" + _TARGETS.format(name=_TARGET)


def _section(name: str, model: type[BaseModel]) -> str:
    used = used_keys(name, model)
    heading = _remark((model.__doc__ or "").strip())
    if not used:
        heading += "\n# Accepted, and not used by this release."
    keys = [
        _key(key, field, unused=bool(used) and key not in used) for key, field in model.model_fields.items()
    ]
    return "\n\n".join([f"{heading}\n[{name}]", *keys]) + "\n"


def _key(name: str, field: FieldInfo, *, unused: bool) -> str:
    """A key under its remark, commented out unless it must be filled in."""
    remarks = [(field.description or "").strip(), _choices(field)]
    remarks += ["Secret."] if is_secret(field) else []
    remarks += ["Not used by this release."] if unused else []
    example = str(field.examples[0]) if field.examples else ""
    if field.is_required():
        return f"{_remark(*remarks, 'Required: change it.')}\n{name} = {example}"
    default = field.get_default(call_default_factory=True)
    if default is None:  # TOML has no word for nothing
        return f"{_remark(*remarks, 'Not set; for example:')}\n#{name} = {example}"
    shown = toml_value(default)
    # On a line of its own, to be copied; "# " because it is no default.
    more = f"\n# Example: {name} = {example}" if example not in ("", shown) else ""
    return f"{_remark(*remarks)}{more}\n#{name} = {shown}"


def _choices(field: FieldInfo) -> str:
    """The words a key may be, where there are only a few."""
    if get_origin(field.annotation) is not Literal:
        return ""
    *others, last = (toml_value(word) for word in get_args(field.annotation))
    return f"{', '.join(others)} or {last}."


def _remark(*sentences: str) -> str:
    text = " ".join(filter(None, sentences))
    return "\n".join(wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False))
