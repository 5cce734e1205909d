"""The check page answers as `engang check` does, whatever is sent to it; it stores nothing and logs no cell."""

import base64
import io
import json
import logging
import re
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from flows.check_page import app as page_app
from flows.check_page import guard
from flows.check_page.app import make_app
from flows.check_page.check import Upload
from flows.check_page.texts import texts_of
from flows.installation import Installation, open_installation
from schemas.check_page import CheckPageSettings
from tests.support.check_page import FAULTY, HOSTILE, REJECTED, SOUND, WARNED, publish_shared, write_contracts
from tests.support.cli_runner import engang

LANGUAGES = ("nb", "nn", "en")


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENGANG_HOME", str(folder / "home"))
        patch.setenv("ENGANG_CONTRACTS", str(write_contracts(folder)))
        yield open_installation()


def client_of(installation: Installation, **limits: Any) -> TestClient:
    settings = replace(installation.settings, check_page=CheckPageSettings(**limits))
    return TestClient(make_app(replace(installation, settings=settings)))


@pytest.fixture(scope="module")
def client(installation: Installation) -> TestClient:
    return client_of(installation)


def upload(text: str | bytes, name: str = "a.csv") -> dict[str, tuple[str, bytes]]:
    return {"file": (name, text.encode() if isinstance(text, str) else text)}


@pytest.mark.parametrize("text", [SOUND, WARNED, FAULTY, REJECTED, HOSTILE, "", "\0\1binary", "who;month\nA;1\n"])
def test_programs_get_what_the_command_prints(
    client: TestClient, installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("ENGANG_HOME", str(installation.settings.home))
    monkeypatch.setenv("ENGANG_CONTRACTS", str(installation.settings.contracts))
    (tmp_path / "a.csv").write_text(text)
    answer = client.post("/check", data={"contract": "visits"}, files=upload(text))
    assert answer.status_code == 200
    printed = engang("check", tmp_path / "a.csv", "-c", "visits", "--json").json
    assert answer.json() == printed


def test_the_description_names_every_key_of_the_answer(client: TestClient) -> None:
    described = client.get("/openapi.json").json()["paths"]["/check"]["post"]
    receipt = described["responses"]["200"]["content"]["application/json"]["schema"]["items"]["properties"]
    (answer,) = client.post("/check", data={"contract": "visits"}, files=upload(FAULTY)).json()
    assert list(receipt) == list(answer)
    assert list(receipt["rejects"]["items"]["properties"]) == list(answer["rejects"][0])
    assert set(described["requestBody"]["content"]) == {"multipart/form-data"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("text", "outcome", "count"), [(SOUND, "accepted", 0), (WARNED, "warned", 1), (FAULTY, "partly", 5)]
)
def test_people_get_the_receipt_in_their_language(
    client: TestClient, language: str, text: str, outcome: str, count: int
) -> None:
    answer = client.post(f"/obligations/visits?lang={language}", files=upload(text))
    texts = texts_of(language)  # type: ignore[arg-type]
    assert answer.status_code == 200
    assert f'<html lang="{language}">' in answer.text
    assert texts["outcome"][outcome] in answer.text
    assert answer.text.count('<th scope="row">') == count
    assert f'download="{texts["download_name"]}" href="data:text/csv;' in answer.text


def test_what_is_missing_is_asked_for_again_with_what_was_stated(client: TestClient) -> None:
    answer = client.post("/obligations/visits-asking?lang=en", data={"period": "", "sender": "filialen"})
    assert answer.status_code == 422
    assert "Choose a file." in answer.text
    assert "Fill in the period." in answer.text
    assert "<option selected>filialen</option>" in answer.text
    assert "Write it like this: 01.2025" in answer.text
    stated = {"period": "01.2024", "sender": "filialen"}
    done = client.post("/obligations/visits-asking?lang=en", data=stated, files=upload("who;n\nA;5\n"))
    assert "The file would be accepted" in done.text


def test_what_a_sender_wrote_is_text_and_never_markup(client: TestClient) -> None:
    name = "<img src=x onerror=alert(2)>.csv"
    answer = client.post("/obligations/visits", files=upload(HOSTILE, name), data={"sender": "<b>"})
    assert answer.status_code == 422
    answer = client.post("/obligations/visits?lang=<script>", files=upload(HOSTILE, name))
    assert answer.status_code == 200
    assert not re.search(r"<script>|<img|<b>", answer.text)
    assert "&lt;img src=x onerror=alert(1)&gt;" in answer.text


@pytest.mark.parametrize("path", ["/", "/obligations/visits", "/obligations/none", "/none", "/static/page.css"])
def test_every_answer_has_the_headers_that_protect_its_reader(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    for name, value in guard.HEADERS.items():
        assert headers[name] == value
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("request_of", "status"),
    [
        ({"method": "GET", "url": "/obligations/../../etc/passwd"}, 404),
        ({"method": "GET", "url": "/static/../app.py"}, 404),
        ({"method": "GET", "url": "/static/%2e%2e/app.py"}, 404),
        ({"method": "PUT", "url": "/"}, 405),
        ({"method": "POST", "url": "/obligations/none", "files": upload(SOUND)}, 404),
        ({"method": "POST", "url": "/check", "files": upload(SOUND), "data": {"contract": "none"}}, 404),
        ({"method": "POST", "url": "/check", "data": {"contract": "visits"}}, 422),
        ({"method": "POST", "url": "/check", "files": upload(SOUND), "data": {"contract": "visits-asking"}}, 422),
        ({"method": "POST", "url": "/check", "content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400),
        (
            {
                "method": "POST",
                "url": "/check",
                "content": b"--b\r\nContent-Disposition: form-data; name=file; filename=a\r\n",
                "headers": {"content-type": "multipart/form-data; boundary=b"},
            },
            422,
        ),
        ({"method": "POST", "url": "/check", "data": {"contract": "c" * 9000}, "files": upload(SOUND)}, 400),
        ({"method": "POST", "url": "/check", "data": {f"f{n}": "x" for n in range(20)}, "files": upload(SOUND)}, 400),
        ({"method": "POST", "url": "/check", "files": [("file", ("a", b"x"))] * 2}, 400),
    ],
)
def test_what_is_no_check_gets_a_clear_error(client: TestClient, request_of: dict[str, Any], status: int) -> None:
    answer = client.request(**request_of)
    assert answer.status_code == status
    if request_of["url"] == "/check":
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status
        assert answer.json()["detail"]
    else:
        assert '<html lang="nb">' in answer.text


def test_a_large_upload_is_refused_while_it_arrives(installation: Installation) -> None:
    client = client_of(installation, bytes=100_000)
    assert client.post("/check", data={"contract": "visits"}, files=upload("x" * 300_000)).status_code == 413

    def endless() -> Iterator[bytes]:
        nonlocal sent
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for piece in [head, *[b"x" * 10_000] * 10_000]:
            sent += len(piece)
            yield piece

    sent = 0
    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = client.post("/obligations/visits?lang=en", content=endless(), headers=headers)
    assert answer.status_code == 413
    assert "The file is too large" in answer.text


def test_an_archive_is_unpacked_within_limits_and_nothing_of_it_stays(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    client = client_of(installation)
    packed = zip_of({"../../b.csv": FAULTY, "a.csv": SOUND})
    receipts = client.post("/check", data={"contract": "visits"}, files=upload(packed, "../x.ZIP")).json()
    assert [(r["filename"], r["rejected"]) for r in receipts] == [("../../b.csv", 6), ("a.csv", 0)]
    many = zip_of({f"{n}.csv": SOUND for n in range(101)})
    answer = client.post("/obligations/visits?lang=nn", files=upload(many, "many.zip"))
    assert (answer.status_code, "Fila kunne ikkje kontrollerast" in answer.text) == (422, True)
    broken = client.post("/check", data={"contract": "visits"}, files=upload(b"PK no zip", "x.zip"))
    assert (broken.status_code, "cannot be unpacked" in broken.json()["detail"]) == (422, True)
    assert list(tmp_path.iterdir()) == []


def zip_of(members: dict[str, str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return file.getvalue()


def test_nothing_is_stored_and_no_cell_or_file_name_is_logged(
    client: TestClient, installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="engang")
    before = sorted(path for path in installation.settings.home.rglob("*") if path.is_file())
    for text in (FAULTY, HOSTILE, "secret\0"):
        client.post("/obligations/visits", files=upload(text, "kari-nordmann.csv"))
    assert sorted(path for path in installation.settings.home.rglob("*") if path.is_file()) == before
    ours = [json.dumps(record.__dict__, default=str) for record in caplog.records if record.name.startswith("engang")]
    assert any('"rejected": 6' in line for line in ours)
    assert not [line for line in ours if re.search("many|script|secret|nordmann", line)]


PIECES = (
    b"--b", b"--b--", b"--b\r\n", b"\r\n", b"\r\n\r\n", b"Content-Disposition: form-data; name=", b"file", b"contract",
    b"; filename=", b'"a.csv"', b"; filename*=utf-8''%ff", b"visits", SOUND.encode(), b"\0", b"\xff\xfe", b"=",
    b'"', b"a" * 5000,
    b"Content-Type: text/csv", b"Content-Transfer-Encoding: base64\r\n", b":", b";",
)  # fmt: skip
FIELD = b'--b\r\nContent-Disposition: form-data; name="contract"\r\n\r\nvisits\r\n'
FILE = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'


@settings(max_examples=60)
@given(pieces=st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=40)), max_size=25), begun=st.booleans())
def test_any_body_gets_an_answer_and_no_fault(client: TestClient, pieces: list[bytes], begun: bool) -> None:
    body = (FIELD + FILE if begun else b"") + b"".join(pieces) + (b"\r\n--b--\r\n" if begun else b"")
    answer = client.post("/check", content=body, headers={"content-type": "multipart/form-data; boundary=b"})
    assert answer.status_code in {200, 400, 404, 422}
    assert answer.json()


def test_too_many_checks_at_a_time_are_turned_away(installation: Installation) -> None:
    answer = client_of(installation, waiting=0).post("/obligations/visits?lang=en", files=upload(SOUND))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "20")
    assert "Many are checking at the moment" in answer.text


def test_a_check_that_takes_too_long_is_given_up(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setattr(page_app, "check_upload", lambda *_: time.sleep(1.5))
    answer = client_of(installation, seconds=1).post("/check", data={"contract": "visits"}, files=upload(SOUND))
    assert (answer.status_code, answer.json()["title"]) == (503, "The check took too long")


def test_a_fault_of_ours_quotes_nothing(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fault(_: Installation, given: Upload) -> None:
        raise ZeroDivisionError(given.content)

    monkeypatch.setattr(page_app, "check_upload", fault)
    client = client_of(installation)
    answer = client.post("/obligations/visits?lang=nb", files=upload("secret"))
    assert (answer.status_code, "secret" in answer.text) == (500, False)
    assert texts_of("nb")["errors"]["failed"]["title"] in answer.text
    assert client.post("/check", data={"contract": "visits"}, files=upload("secret")).status_code == 500
    lines = [json.dumps(record.__dict__, default=str) for record in caplog.records if record.name.startswith("engang")]
    assert any("ZeroDivisionError at test_answers.py" in line for line in lines)
    assert "secret" not in "".join(lines)


def test_on_this_machine_alone_only_its_own_names_are_answered(installation: Installation) -> None:
    client = TestClient(make_app(installation, local_only=True), base_url="http://localhost:4201")
    assert client.get("/").status_code == 200
    for host in ("127.0.0.1", "[::1]:4201", "LOCALHOST"):
        assert client.get("/", headers={"host": host}).status_code == 200
    for host in ("evil.example", "localhost.evil.example", "[", "", "127.0.0.1.evil.example:4201"):
        answer = client.get("/", headers={"host": host})
        assert (answer.status_code, "as localhost only" in answer.text) == (421, True)


def test_what_a_file_changes_is_shown_only_where_the_setting_allows_it(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGANG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ENGANG_CONTRACTS", str(installation.settings.contracts))
    (tmp_path / "a.csv").write_text(SOUND)
    assert engang("submit", tmp_path / "a.csv", "-c", "visits").code == 0
    own, changed = open_installation(), upload(SOUND.replace("7", "8"))
    hidden = client_of(own).post("/check", data={"contract": "visits"}, files=changed).json()[0]
    shown = client_of(own, earlier=True).post("/check", data={"contract": "visits"}, files=changed).json()[0]
    assert hidden["earlier"] is None
    assert (shown["earlier"]["corrected"], shown["earlier"]["unchanged"]) == (1, 1)
    page = client_of(own, earlier=True).post("/obligations/visits?lang=nn", files=changed).text
    assert "0 nye, 1 retta, 1 uendra" in page


@pytest.mark.usefixtures("unchecked")
def test_what_is_known_is_shown_only_where_the_setting_and_its_contract_allow_it(tmp_path: Path) -> None:
    own = publish_shared(tmp_path / "home", write_contracts(tmp_path))
    asked = "/obligations/visits/known?lang=en&period=2024-01&unit="
    assert client_of(own).get(f"{asked}A").status_code == 404
    assert "known" not in client_of(own).get("/obligations/visits?lang=en").text
    client = client_of(own, known=True)
    assert 'href="/obligations/visits/known?lang=en"' in client.get("/obligations/visits?lang=en").text
    shared, unstated = client.get(f"{asked}A").text, client.get(f"{asked}B").text
    assert "1 of 1 figures are known" in shared
    draft = re.search(r'download="visits-A-2024-01.csv" href="data:application/octet-stream;base64,([^"]+)"', shared)
    assert draft is not None
    assert base64.b64decode(draft[1]) == b"who;month;n\r\nA;2024-01;5\r\n"
    assert "0 of 1 figures are known" in unstated
    assert "nobody who may share it has reported it" in unstated
    assert "7" not in re.sub(r'href="[^"]+"|<svg.*?</svg>', "", unstated[unstated.index("<section") :])
    assert "kan dele det, har rapportert det" in client.get(f"{asked.replace('=en', '=nb')}B").text
    hostile = client.get("/obligations/visits/known", params={"unit": "=1+1", "period": "2024-01"}).text
    draft = re.search(r'href="data:application/octet-stream;base64,([^"]+)"', hostile)
    assert draft is not None
    assert base64.b64decode(draft[1]) == b"who;month;n\r\n;2024-01;\r\n"
    wrong = client.get("/obligations/visits/known?lang=en&unit=A&period=<b>soon")
    assert (wrong.status_code, "&lt;b&gt;soon" in wrong.text) == (200, True)


def test_contracts_that_change_while_it_serves_are_read_again(installation: Installation, tmp_path: Path) -> None:
    folder = write_contracts(tmp_path)
    own = replace(installation, settings=replace(installation.settings, contracts=folder))
    client, visits = client_of(own), folder / "visits.yml"
    assert "Besøk på biblioteket" in client.get("/").text
    text = visits.read_text(encoding="utf-8")
    visits.write_text(text.replace("nb: Besøk på biblioteket", "nb: Gjester i huset"), encoding="utf-8")
    (folder / "more.yml").write_text(
        re.sub("(?m)^(contract|obligation): visits$", r"\1: more", text).replace("column: n,", "column: m,")
        .replace("month;n", "month;m"), encoding="utf-8",
    )  # fmt: skip
    page = client.get("/?lang=nb").text
    assert "Gjester i huset" in page
    assert 'href="/obligations/more' in page
    receipt = {"contract": "more"}
    (answer,) = client.post("/check", data=receipt, files=upload("who;month;m\nA;2024-01;5\n")).json()
    assert (answer["contract"], answer["claims"]) == ("more", 1)
    (folder / "more.yml").write_text("contract: [", encoding="utf-8")
    assert client.post("/check", data=receipt, files=upload(SOUND)).status_code == 404
    assert client.post("/check", data={"contract": "visits"}, files=upload(SOUND)).status_code == 200
