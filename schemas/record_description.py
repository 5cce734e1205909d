"""A published description of a record of fixed width, as Statistics Norway writes them for KOSTRA: a field each."""

import re
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from schemas.strict_yaml import read_declared

_LETTERS: Final = str.maketrans({"æ": "ae", "ø": "oe", "å": "aa"})


class _Described(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: object) -> object:
        return {k: v for k, v in given.items() if v is not None} if isinstance(given, dict) else given


class DescribedCode(_Described):
    """A code of a field, and what it means."""

    code: str
    """The code."""
    value: str | None = None
    """What it means."""


class DescribedField(_Described):
    """A field of the record."""

    name: str = Field(min_length=1)
    """Its id, the same in all forms that have it."""
    title: str = Field(default="", alias="description")
    """What it holds."""
    start: int = Field(alias="from", ge=1)
    """Position of its first character, from 1."""
    size: int = Field(ge=1)
    """Number of characters."""
    type: Literal["STRING_TYPE", "INTEGER_TYPE", "DATE_TYPE"] = Field(alias="dataType")
    """Type of its values."""
    mandatory: bool = False
    """Whether it may not be empty."""
    date_pattern: str = Field(default="", alias="datePattern")
    """How a date is written, in Java's letters: ddMMyyyy."""
    codes: tuple[DescribedCode, ...] = Field(default=(), alias="codeList")
    """The codes that it may hold; none for any text."""

    @property
    def id(self) -> str:
        """The name in small letters of ASCII, digits and `_`: that of its concept, or of its kind's field."""
        plain = re.sub(r"[^a-z0-9]+", "_", self.name.lower().translate(_LETTERS)).strip("_")
        return plain if plain[:1].isalpha() else f"field_{plain}"

    @property
    def line(self) -> str:
        """The title on one line; the name where there is none."""
        return " ".join(self.title.split()) or self.name


class RecordDescription(_Described):
    """The description of one form's record for one year."""

    form: str = Field(default="", alias="id")
    """The form's id."""
    title: str
    """The form's title."""
    year: int = Field(alias="reportingYear", ge=1900, le=2999)
    """The year that is reported on."""
    fields: tuple[DescribedField, ...] = Field(min_length=1)
    """The fields in order."""

    @field_validator("fields")
    @classmethod
    def _named_once(cls, fields: tuple[DescribedField, ...]) -> tuple[DescribedField, ...]:
        ids = [field.id for field in fields]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f"fields that occur twice: {', '.join(twice)}")
        return fields


def read_description(text: str, name: str) -> RecordDescription:
    """Read a description from YAML text; `name` is the file to name in errors. Raises `ContractError`."""
    return read_declared(text, name, RecordDescription)
