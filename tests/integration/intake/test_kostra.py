"""Real KOSTRA deliveries: fixed width by the published descriptions, XML forms, workbooks; each with its receipt."""

from dataclasses import replace
from pathlib import Path

import pytest

from flows.installation import Installation
from flows.intake.deliveries import Delivery
from flows.intake.receipt import Receipt
from flows.intake.registration import receive
from flows.onboarding.described import write_described_contract
from infra.ledger.open import open_ledger
from infra.settings import read_settings
from schemas.kind import load_kinds
from schemas.record_description import read_description
from tests.support.kostra_contracts import FORMS, KOSTRA, ROADS, road_contract, write_kostra_contracts
from tests.support.paths import DATA

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not KOSTRA.is_dir(), reason=f"real input is not at {KOSTRA}"),
    pytest.mark.usefixtures("unchecked"),
]
DESCRIPTIONS = sorted((KOSTRA / "forms").glob("*.yaml"))
CLIENT_FORMS = ("11F", "11CF")


def parts(path: Path) -> tuple[str, str]:
    """Return the form and the year of a description's file."""
    form, _, year = path.stem.removeprefix("file_description_").partition("_")
    return form, year or "2025"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Return an installation with a contract of every description, the forms in XML and the workbooks."""
    folder = tmp_path_factory.mktemp("kostra")
    contracts, kinds = folder / "contracts", folder / "kinds"
    contracts.mkdir()
    kinds.mkdir()
    write_kostra_contracts(contracts, kinds)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENGANG_KINDS", str(kinds))
        patch.setenv("ENGANG_PSEUDONYM_KEY", "0123456789abcdef0123456789abcdef")
        settings = replace(
            read_settings(folder / "home"), contracts=contracts, kinds=kinds, codelists=DATA / "codelists",
            ledger_url=f"sqlite:///{folder / 'ledger.db'}",
        )  # fmt: skip
        settings.home.mkdir()
        for path in DESCRIPTIONS:
            form, year = parts(path)
            kind = "kostra_client" if form in CLIENT_FORMS else None
            opened = Installation(settings, open_ledger(settings.ledger_url))
            write_described_contract(opened, f"kostra-{form.lower()}-{year}", path, to=contracts, kind=kind)
    return Installation(settings, open_ledger(settings.ledger_url))


def received(home: Installation, file: Path, contract: str, period: str | None = None) -> Receipt:
    data = file.read_bytes()
    found = [r for some in receive(home, [Delivery(file.name, data, contract, "someone", period)]) for r in some]
    assert len(found) == 1
    return found[0]


def test_every_description_becomes_a_contract(home: Installation) -> None:
    assert home.broken_contracts == {}
    assert len([name for name in home.contracts if name.startswith("kostra-")]) == len(DESCRIPTIONS) + 1
    claims = [c.contract for c in home.contracts.values() if c.claims and c.format.type == "fixed_width"]
    assert {name.rsplit("-", 1)[0] for name in claims} == {"kostra-53f", "kostra-55f", "kostra-regnskap"}


def test_forms_share_the_concepts_of_one_name(home: Installation) -> None:
    for year in ("2022", "2023", "2024", "2025", "2026"):
        texts = [KOSTRA / "forms" / f"file_description_{form}_{year}.yaml" for form in CLIENT_FORMS]
        names = [{f.id for f in read_description(p.read_text(encoding="utf-8"), p.name).fields} for p in texts]
        fields = [home.contracts[f"kostra-{form.lower()}-{year}"].record for form in CLIENT_FORMS]
        shared = set.intersection(*(set(record.fields) for record in fields if record))
        assert len(shared) == len(names[0] & names[1])
        assert year != "2026" or len(shared) == 23
    years = [home.contracts[f"kostra-53f-{year}"] for year in ("2024", "2025", "2026")]
    assert [bool(contract.concepts) for contract in years] == [True, False, False], "declared once, then referred to"
    assert len({claim.concept for contract in years for claim in contract.claims}) == 14
    assert home.settings.kinds
    assert len(load_kinds(home.settings.kinds)["kostra_client"].fields) > 109


@pytest.mark.parametrize(
    ("file", "contract", "counts"),
    [
        ("0A_V2019_K4_R040200_OK.dat", "kostra-regnskap-2025", ("registered", 1644, 1644, 0)),
        ("0G.dat", "kostra-regnskap-2025", ("registered", 20, 20, 0)),
        ("52AF.dat", "kostra-52af-2024", ("registered", 37, 27, 9)),
        ("11CF_minimal.dat", "kostra-11cf-2024", ("rejected", 2, 0, 2)),
        ("11CF_minimal.dat", "kostra-11cf-2026", ("rejected", 2, 0, 2)),
        ("15F_Testfil_00_Junk.dat", "kostra-11cf-2026", ("rejected", 0, 0, 0)),
    ],
)
def test_files_of_fixed_width(
    home: Installation, file: str, contract: str, counts: tuple[str, int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGANG_PSEUDONYM_KEY", "0123456789abcdef0123456789abcdef")
    receipt = received(home, KOSTRA / "flat" / file, contract)
    assert (receipt.status, receipt.delivered, receipt.claims, receipt.rejected) == counts


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("15F_Testfil_00_Blank.txt", ("rejected", 0, 0, 0)),
        ("15F_Testfil_00_Junk.dat", ("rejected", 0, 0, 0)),
        ("15F_Testfil_01_FEIL_2020_15F_ugyldig_xml.xml", ("rejected", 1, 0, 1)),
        ("15F_Testfil_02_FEIL_2020_15F_for_3401_feil_i_avgiver.xml", ("rejected", 1, 0, 1)),
        ("15F_Testfil_04_FEIL_2020_15F_for_3401.xml", ("registered", 50, 49, 0)),
        ("15F_Testfil_12_ADVARSEL_2020_15F_for_3035_Visma.xml", ("registered", 7, 7, 0)),
        ("15F_Testfil_21_OK_2020_15F_for_3401.xml", ("registered", 4, 4, 0)),
        ("15F_Testfil_22_OK_2020_15F_for_030102.xml", ("registered", 4, 4, 0)),
    ],
)
def test_form_15f_in_xml(
    home: Installation, file: str, counts: tuple[str, int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGANG_PSEUDONYM_KEY", "0123456789abcdef0123456789abcdef")
    receipt = received(home, KOSTRA / "flat" / file, "kostra-15f")
    assert (receipt.status, receipt.delivered, receipt.claims, receipt.rejected) == counts


@pytest.mark.parametrize(
    ("file", "status", "claims"),
    [
        ("form_1e7d1c3e69c0.xml", "rejected", 0),  # its organisation is 999999999, which is none
        ("form_373a35bb8808.xml", "rejected", 0),
        ("form_40b39a0b5ebd.xml", "registered", 2),
    ],
)
def test_forms_of_altinn(home: Installation, file: str, status: str, claims: int) -> None:
    contract = FORMS[file][0].lower().replace("_", "-")
    receipt = received(home, KOSTRA / "altinn_xml" / file, contract)
    assert (receipt.status, receipt.delivered, receipt.claims) == (status, 1, claims)
    other = received(
        home, KOSTRA / "altinn_xml" / file, next(form for form in ("a3-ra0482-m", "a3-rs0182-m") if form != contract)
    )
    assert (other.status, other.delivered) == ("rejected", 0), "a form of another kind is no row of this one"


def test_the_workbooks_of_the_road_administration(home: Installation) -> None:
    files = sorted(ROADS.glob("*.xlsx"))
    assert len(files) == 25
    receipts = {file.name: received(home, file, road_contract(file.name), "2024") for file in files}
    assert {r.status for r in receipts.values()} == {"registered"}
    rejected = {name[:9]: r.rejected for name, r in receipts.items() if r.rejected}
    assert rejected == {"Kostra 17": 1, "Kostra 21": 9, "Kostra 24": 1}, "87755.3840000001: ten decimals, never rounded"
    assert sum(r.claims for r in receipts.values()) > 3500
    again = received(home, files[3], road_contract(files[3].name), "2024")
    assert again.status == "redelivered"
