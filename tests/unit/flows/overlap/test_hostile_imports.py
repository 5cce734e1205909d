"""Files of other registers may hold anything: each is read, or is an error of that file."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.installation import Installation
from flows.overlap.imported import READERS, import_obligations
from schemas.errors import UsageError
from tests.support.small_installation import open_small

FORM: dict[str, Any] = {
    "guid": "g1", "navn": "Skjema", "eier": {"etatsnavn": "Etat"},
    "lovhjemler": [{"tittel": "Lov", "henvisning": None}],
    "bruksomraader": [{"navn": "bruk", "antallPerioderPrAar": 1}], "formaal": {"fritekst": ""},
    "tidsbruk": {"elektronisk": 10, "papir": None, "prosentandelPapir": 0, "antallPrAar": 5},
    "skjemainnhold": [{"kode": "A1"}],
}  # fmt: skip
RECORD = """\
<InformationCollectionRequestList><InformationCollectionRequest><OMBControlNumber>1-2</OMBControlNumber>
<Burden><BurdenResponse><TotalQuantity>{responses}</TotalQuantity></BurdenResponse></Burden>
<InformationCollections><InformationCollection><BurdenHour><TotalQuantity>{hours}</TotalQuantity></BurdenHour>
<NumberResponses><AnnualQuantity>4</AnnualQuantity></NumberResponses></InformationCollection></InformationCollections>
</InformationCollectionRequest></InformationCollectionRequestList>"""
BOMB = "\n".join(
    [f"a0: &a0 [{', '.join('x' * 9)}]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10))]
)
"""YAML that is a billion texts when it is written out."""


def form(*path: Any, value: Any) -> bytes:
    """Return a list of one form in which a value at a path is another."""
    whole = json.loads(json.dumps(FORM))
    part = whole
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    return json.dumps([whole]).encode()


def record(responses: str = "5", hours: str = "8") -> bytes:
    return RECORD.format(responses=responses, hours=hours).encode()


def parquet(**columns: list[Any]) -> bytes:
    whole = {"framework": ["f"], "module": ["m"], "module_name": ["n"], "data_point": ["1"], **columns}
    file = io.BytesIO()
    pl.DataFrame(whole).write_parquet(file)
    return file.getvalue()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    home = open_small(tmp_path_factory.mktemp("imports") / "home")
    yield home
    home.engine.dispose()


def read(home: Installation, folder: Path, source: str, data: bytes) -> dict[str, Any]:
    file = folder / "file"
    file.write_bytes(data)
    return import_obligations(home, file, source, "name", dry_run=True)


@pytest.mark.parametrize(
    ("source", "data"),
    [
        ("oppgaveregisteret", json.dumps(FORM).encode()),
        ("oppgaveregisteret", form("tidsbruk", "elektronisk", value=None)),
        ("us-inventory", record()),
        ("us-inventory", record(hours="")),
        ("kostra", b"title: a\nfields: [{name: x}, {name: 2024}]\n"),
        ("matrix", b"\xef\xbb\xbfr;x\n1;ja\n"),
        ("eba", parquet()),
        ("eba", parquet(module=[1], data_point=[1])),
    ],
)
def test_a_file_as_its_register_gives_it_is_read(home: Installation, tmp_path: Path, source: str, data: bytes) -> None:
    assert read(home, tmp_path, source, data)["obligations"] == 1


@pytest.mark.parametrize(
    ("source", "data"),
    [
        *(
            ("oppgaveregisteret", data)
            for data in (
                b"", b"\xff", b"null", b"7", b"{}", b"[]", b"[" * 200_000, form("guid", value=["x"]),
                form("guid", value=None), form("guid", value="\ud800"), form("formaal", "fritekst", value={"a": 1}),
                form("tidsbruk", "elektronisk", value=float("inf")), form("tidsbruk", "elektronisk", value=10**400),
                form("tidsbruk", "elektronisk", value=float("nan")), form("tidsbruk", "elektronisk", value="1e999999"),
                form("tidsbruk", "elektronisk", value="ti"), form("tidsbruk", "antallPrAar", value="mange"),
                form("tidsbruk", "antallPrAar", value=10**30), form("tidsbruk", "prosentandelPapir", value="alt"),
                form("skjemainnhold", value=[{"kode": 7}]), form("skjemainnhold", value={"kode": "a"}),
                form("bruksomraader", value=None), json.dumps([FORM, FORM]).encode(),
            )
        ),
        *(
            ("us-inventory", data)
            for data in (
                b"", b"<a/>", b"<InformationCollectionRequestList/>", b"<a>" * 5000, record("Infinity"), record("NaN"),
                record("1E+999999999"), record("-1E+30"), record("many"), record(hours="Infinity"), record(hours="NaN"),
                record(hours="1E+999999"), b"<!DOCTYPE a [<!ENTITY x 'y'>]>" + record(),
            )
        ),
        *(
            ("kostra", data)
            for data in (
                b"", b"\xff", b"7", b"- a", b"[" * 5000, b"title: a\nfields: x\n", b"title: a\nfields: [{}]\n",
                b"title: a\nfields: [{name: [x]}]\n", b"title: [a]\nfields: []\n",
                b"id: {a: b}\ntitle: a\nfields: []\n",
                f"{BOMB}\ntitle: *a9\nfields: []".encode(), f"{BOMB}\ntitle: a\nfields: [{{name: *a9}}]".encode(),
                b"title: a\nfields: []\n---\n" * 1001, b"title: a\nfields: []\n---\ntitle: a\nfields: []\n",
            )
        ),
        *(
            ("matrix", data)
            for data in (
                b"", b"r\n1\n", b"r,x\n", b",x\n1,y\n", b"r,x\n1,2,3\n", b"r,x\n1,y\n1,y\n", b"r,x\na b,y\n",
                b"r,x\nA,y\na,y\n", b'r,x\n"1\n', b"\xff\xfe\x00", b"r,x\n../a,y\n",
            )
        ),
        *(
            ("eba", data)
            for data in (b"", b"PAR1", b"x" * 100, parquet(data_point=[[1]]), parquet(module=[None]), parquet()[:-9])
        ),
    ],
)  # fmt: skip
def test_what_is_no_such_file_is_an_error_that_names_it(
    home: Installation, tmp_path: Path, source: str, data: bytes
) -> None:
    with pytest.raises(UsageError) as caught:
        read(home, tmp_path, source, data)
    assert str(caught.value).startswith(f"{tmp_path / 'file'}: ")
    assert len(str(caught.value)) < 600


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
PLACES = [
    ("guid",), ("navn",), ("eier",), ("eier", "etatsnavn"), ("lovhjemler",), ("lovhjemler", 0, "tittel"),
    ("bruksomraader",), ("bruksomraader", 0, "antallPerioderPrAar"), ("formaal",), ("tidsbruk",),
    ("tidsbruk", "elektronisk"), ("tidsbruk", "antallPrAar"), ("skjemainnhold",), ("skjemainnhold", 0, "kode"),
]  # fmt: skip


@settings(max_examples=50)
@given(st.sampled_from(PLACES), ANYTHING)
def test_a_form_in_which_any_value_is_anything_is_read_or_refused(place: tuple[Any, ...], value: Any) -> None:
    try:
        found = READERS["oppgaveregisteret"](form(*place, value=value), "name")
    except (UsageError, ArithmeticError, pl.exceptions.PolarsError):
        return  # `import_obligations` names the file
    assert found.height == 1
