"""The package of a workbook: its kind, its members and its sheets, unpacked within a limit."""

import io
import zipfile

import pytest

from schemas.errors import SubmissionError
from transforms.parsing.workbook import package
from transforms.parsing.workbook.package import HINT, Package, Sheet

WORKBOOK = """<workbook><workbookPr PROPERTIES/><sheets>
<sheet name="Tall &amp; tekst" sheetId="1" r:id="rId1"/>
<sheet name='Skjult' sheetId="2" state="hidden" r:id="rId2"/>
<sheet name="Borte" state="veryHidden" r:id="rId9"/>
<sheet name="Synlig" state="visible" r:id="rId3"/>
</sheets></workbook>"""
RELATIONS = """<Relationships>
<Relationship Id="rId1" Target="worksheets/sheet1.xml"/>
<Relationship Target="/xl/other/sheet2.xml" Id="rId2"/>
<Relationship Id='rId3' Target='worksheets\\sheet3.xml'/>
</Relationships>"""


def archive(members: dict[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return target.getvalue()


def workbook(properties: str = "", method: int = zipfile.ZIP_DEFLATED, **more: str | bytes) -> bytes:
    book = WORKBOOK.replace("PROPERTIES", properties)
    return archive({"xl/workbook.xml": book, "xl/_rels/workbook.xml.rels": RELATIONS, **more}, method)


def refused(data: bytes) -> SubmissionError:
    with pytest.raises(SubmissionError) as caught:
        Package(data)
    return caught.value


def test_the_sheets_in_order_with_their_members() -> None:
    assert Package(workbook()).sheets() == [
        Sheet("Tall & tekst", "xl/worksheets/sheet1.xml", hidden=False),
        Sheet("Skjult", "xl/other/sheet2.xml", hidden=True),
        Sheet("Borte", None, hidden=True),
        Sheet("Synlig", "xl/worksheets/sheet3.xml", hidden=False),
    ]


def test_names_may_have_a_prefix() -> None:
    book = '<x:workbook><x:sheet name="A" q:id="r1"/></x:workbook>'
    relations = '<p:Relationship Id="r1" Target="worksheets/s.xml"/>'
    data = archive({"xl/workbook.xml": book, "xl/_rels/workbook.xml.rels": relations})
    assert Package(data).sheets() == [Sheet("A", "xl/worksheets/s.xml", hidden=False)]


def test_a_workbook_without_relations_has_sheets_without_members() -> None:
    data = archive({"xl/workbook.xml": '<sheet name="A" r:id="r1"/>'})
    assert Package(data).sheets() == [Sheet("A", None, hidden=False)]


@pytest.mark.parametrize(
    ("properties", "since_1904"),
    [
        ("", False), ('date1904="1"', True), ("date1904='true'", True), ('x="y" date1904 = "on"', True),
        ('date1904="0"', False), ('date1904="false"', False),
    ],
)  # fmt: skip
def test_the_first_day(properties: str, since_1904: bool) -> None:
    assert Package(workbook(properties)).starts_in_1904() is since_1904


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_are_unpacked_whatever_the_case_of_their_names(method: int) -> None:
    content = bytes(range(256)) * 9000  # of several pieces
    found = Package(workbook(method=method, **{"XL/Data.bin": content, "xl/empty": b""}))
    assert found.part("xl/data.BIN") == content
    assert b"".join(found.pieces("xl/data.bin")) == content
    assert found.size("xl/data.bin") == len(content)
    assert (found.part("xl/empty"), found.size("xl/empty")) == (b"", 0)
    assert (found.part("xl/none"), list(found.pieces("xl/none")), found.size("xl/none")) == (b"", [], 0)


@pytest.mark.parametrize(("room", "is_read"), [(0, True), (-1, False)])
def test_a_workbook_unpacks_to_the_limit_and_no_further(
    monkeypatch: pytest.MonkeyPatch, room: int, is_read: bool
) -> None:
    data = workbook(**{"xl/a": b"a" * 5000, "xl/b": b"b" * 5000})
    total = len(WORKBOOK.replace("PROPERTIES", "")) + len(RELATIONS) + 10_000
    monkeypatch.setattr(package, "UNPACKED_BYTES", total + room)
    if is_read:
        assert Package(data).size("xl/a") == 5000
        return
    error = refused(data)
    assert str(error) == (
        f"too-large: found more than {total - 1} bytes when unpacked, expected a workbook of less. "
        "Deliver it in parts, or as CSV."
    )


@pytest.mark.parametrize(("most", "is_read"), [(5000, True), (4999, False)])
def test_a_part_that_describes_the_workbook_is_small(monkeypatch: pytest.MonkeyPatch, most: int, is_read: bool) -> None:
    found = Package(workbook(**{"xl/styles.xml": b"s" * 5000}))
    monkeypatch.setattr(package, "DESCRIPTION_BYTES", most)
    if is_read:
        assert len(found.part("xl/styles.xml")) == 5000
    else:
        with pytest.raises(SubmissionError, match="too-large"):
            found.part("xl/styles.xml")
    assert found.size("xl/styles.xml") == 5000


COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (archive({"a.txt": "a"}), "an archive without a workbook"),
        (archive({}), "an archive without a workbook"),
        (archive({"xl/workbook.bin": "a"}), "a binary workbook (.xlsb)"),
        (archive({"word/document.xml": "a"}), "a Word document"),
        (archive({"mimetype": "application/vnd.oasis.opendocument.spreadsheet"}), "an OpenDocument spreadsheet (.ods)"),
        (archive({"mimetype": "application/vnd.oasis.opendocument.text"}), "an archive without a workbook"),
        (COMPOUND, "an old workbook (.xls) or one that is protected with a password"),
        (COMPOUND + "EncryptedPackage".encode("utf-16-le"), "a workbook that is encrypted with a password"),
        (
            b'<?xml version="1.0"?><x xmlns="urn:schemas-microsoft-com:office:spreadsheet"/>',
            "an XML spreadsheet of 2003",
        ),
        (b"unit;year;sum\n", "File is not a zip file"),
    ],
)
def test_another_file_is_named(data: bytes, found: str) -> None:
    error = refused(data)
    assert (error.code, error.found, error.expected, error.hint) == (
        "unreadable", found, "an Excel workbook (.xlsx)", HINT,
    )  # fmt: skip


def test_a_workbook_with_a_document_is_a_workbook() -> None:
    assert len(Package(workbook(**{"word/document.xml": "a", "mimetype": "opendocument.spreadsheet"})).sheets()) == 4


def test_a_damaged_or_oddly_packed_member_is_refused() -> None:
    data = workbook()
    start = data.index(b"xl/workbook.xml") + len("xl/workbook.xml")
    damaged = refused(data[:start] + b"\xff" * 20 + data[start + 20 :])
    assert damaged.found.startswith("a damaged archive: ")
    packed = refused(workbook(method=zipfile.ZIP_BZIP2))
    assert (packed.found, packed.expected) == ("an encrypted or oddly packed workbook", "a plain one")


def test_the_size_that_an_archive_states_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"a" * 100_000
    data = workbook(**{"xl/a": content}).replace(len(content).to_bytes(4, "little"), (1).to_bytes(4, "little"))
    monkeypatch.setattr(package, "UNPACKED_BYTES", 50_000)
    assert refused(data).code == "too-large"


def test_its_limits_are_those_that_senders_know() -> None:
    assert (package.UNPACKED_BYTES, package.DESCRIPTION_BYTES) == (2**30, 16 * 2**20)
