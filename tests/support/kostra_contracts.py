"""Contracts for the real KOSTRA deliveries that are no files of fixed width: XML forms and workbooks."""

from pathlib import Path
from typing import Any, Final

import yaml

from tests.support.paths import DATA

KOSTRA: Final = DATA / "kostra"
ROADS: Final = KOSTRA / "vegvesen_xlsx" / "kostraleveranse2024"
CHILD_KIND: Final = """
kind: child_case
version: 1
title: {nb: Barnevernssak, nn: Barnevernssak, en: Child welfare case}
one_report_per_item: true
personal: true
fields:
  journal: {type: code, role: attribute, doc: Journal number}
  person: {type: code, role: attribute, doc: Person number, personal: pseudonymise}
  caseworker: {type: text, role: attribute, doc: Caseworker, personal: drop}
  started: {type: date, role: attribute, doc: First day}
  ended: {type: date, role: attribute, doc: Last day}
  closed: {type: code, role: attribute, doc: Whether it was closed at the end of the year}
"""


def _contract(name: str, **keys: Any) -> dict[str, Any]:
    return {
        "contract": name, "version": 1, "obligation": name, "title": dict.fromkeys(("nb", "nn", "en"), name),
        "agency": "Statistisk sentralbyrå", "legal_basis": "none", "rhythm": "yearly", "hours_per_report": None,
        "sender": {"allowed": "any"}, **keys, "examples": [{"name": "none", "given": ""}],
    }  # fmt: skip


def _concepts(claims: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        claim["concept"]: {
            "title": dict.fromkeys(("nb", "nn", "en"), claim["concept"]), "definition": claim["column"],
            "measures": [claim["unit_measure"]["value"]], "dimensions": "any",
        }
        for claim in claims
    }  # fmt: skip


def child_cases() -> dict[str, Any]:
    """Return the contract of form 15F: a record for each child."""
    row = "Barnevern.Individ[]"
    ignored = [
        "Melding",
        "Plan",
        "Tiltak",
        "Undersokelse",
        "Oversendelse",
        "Flytting",
        "Slutt",
        "OversendelseBarneverntjeneste",
    ]
    return _contract(
        "kostra-15f",
        format={"type": "xml", "rows": "Barnevern.Individ"},
        ignore=[
            *(f"{row}.{name}" for name in ignored),
            *(f"{row}.@{name}" for name in ("Id", "Bydelsnavn", "Bydelsnummer", "DUFnummer", "Fodseldato")),
            "Barnevern.Avgiver.@Kommunenavn", "Barnevern.Avgiver.@Organisasjonsnummer",
        ],
        record={
            "kind": "child_case",
            "reported_by": {"column": "Barnevern.Avgiver.@Kommunenummer"},
            "report_key": ["Barnevern.Avgiver.@Versjon", f"{row}.@Journalnummer"],
            "fields": {
                "journal": {"column": f"{row}.@Journalnummer", "required": True},
                "person": {"column": f"{row}.@Fodselsnummer"},
                "caseworker": {"column": f"{row}.@Saksbehandler"},
                "started": {"column": f"{row}.@StartDato", "required": True},
                "ended": {"column": f"{row}.@SluttDato"},
                "closed": {"column": f"{row}.@Avslutta3112", "required": True},
            },
        },
        rules=[
            {
                "id": "municipality", "check": "pattern", "column": "Barnevern.Avgiver.@Kommunenummer",
                "pattern": "[0-9]{4}",
            },
            {"id": "version", "check": "pattern", "column": "Barnevern.Avgiver.@Versjon", "pattern": "20[0-9]{2}"},
            {"id": "order", "check": "pattern", "column": f"{row}.@Avslutta3112", "pattern": "[12]"},
        ],
    )  # fmt: skip


def altinn(form: str, claims: dict[str, str]) -> dict[str, Any]:
    """Return the contract of a form of Altinn, which is one row. claims: element below SkjemaData -> measure."""
    row = f"{form}[]"
    made = [
        {
            "concept": f"altinn_{path.split('.')[-1].lower()}", "column": f"{row}.SkjemaData.{path}",
            "reported_by": {"option": "sender"}, "unit_measure": {"value": measure},
        }
        for path, measure in claims.items()
    ]  # fmt: skip
    unit = {"column": f"{row}.InternInfo.enhetsOrgNr", "kind": "organisation", "by": "organisation_number"}
    return _contract(
        form.lower().replace("_", "-"),
        format={"type": "xml", "rows": form},
        ignore="rest",
        unit=unit | {"provisional": True},
        period={"column": f"{row}.InternInfo.periodeAAr", "type": "year"},
        repeat="error",
        concepts=_concepts(made),
        claims=made,
    )


FORMS: Final = {
    "form_1e7d1c3e69c0.xml": ("A3_RA0482_M", {"salgFastFullBrukSum": "number", "prisElspotSum": "number"}),
    "form_373a35bb8808.xml": ("A3_RA0689_M", {"antallNorskeGjester": "persons", "antallTotalGjester": "persons"}),
    "form_40b39a0b5ebd.xml": ("A3_RS0182_M", {"personerEmKvinner": "persons", "prefill.antallAnsattMenn": "persons"}),
}
"""A form's file -> its root element, its figures."""


class Table:
    """One table of the road administration's workbooks."""

    def __init__(
        self, sheet: str, *columns: str, by: tuple[str, ...] = (), names: bool = False, header: int = 1
    ) -> None:
        """Take the columns of figures, those that break them down, and whether counties are named."""
        self.sheet, self.columns, self.by, self.names, self.header = sheet, columns, by, names, header

    def contract(self, name: str) -> dict[str, Any]:
        """Return the contract."""
        unit: dict[str, Any] = {"column": "Fylke" if self.header > 1 else "fylke", "kind": "county"}
        unit |= {"by": "name"} if self.names else {"by": "code", "pad": 2}
        if "kommune" in self.by:
            unit = {"column": "kommune", "kind": "municipality", "by": "code", "pad": 4}
        claims = [
            {
                "concept": f"{name.replace('-', '_')}_{number}", "column": column, "reported_by": {"option": "sender"},
                "unit_measure": {"value": "number" if column == "Antall" else "metres"}, "missing": "skip",
            }
            for number, column in enumerate(self.columns)
        ]  # fmt: skip
        by = {
            f"{name.replace('-', '_')}_by_{number}": {"column": column}
            for number, column in enumerate(self.by)
            if column != "kommune"
        }
        dimensions = {key: {"title": dict.fromkeys(("nb", "nn", "en"), key), "open": True} for key in by}
        return _contract(
            name,
            format={"type": "xlsx", "sheet": self.sheet, "header_row": self.header},
            ignore="rest", unit=unit, period={"option": "period", "type": "year"}, breakdown=by, repeat="sum",
            concepts=_concepts(claims), dimensions=dimensions, claims=claims,
        )  # fmt: skip


_LENGTH, _BRIDGE = ("Antall", "Lengde (m)"), ("Antall", "Lengde")
TABLES: Final = {
    "EKSTRARAPPORT": Table("Motorveger", "Lengde (m)", by=("Motorvegtype",)),
    "KOSTRA 04": Table("Kostra 4", *_LENGTH, names=True, header=7),
    "Kostra 01": Table("Tabell kommuner", "E", "K", "P", "R", "S", by=("kommune",)),
    "Kostra 02": Table("Fv med motor(trafikk)veg", "Lengde (m)", by=("Veg",)),
    "Kostra 03": Table("Fv grus kjørende", "Lengde kjøreveg (m)"),
    "Kostra 05": Table("Fv aksellast u 10t", "Lengde (m)"),
    "Kostra 06": Table("Fv totalvekt u 50t", "Lengde (m)"),
    "Kostra 07": Table("Fv 50km eller lavere", "Lengde (m)"),
    "Kostra 08": Table("Fv lengde u 19,5m", "Lengde (m)"),
    "Kostra 09": Table("Undergang lavere enn 4m", "Antall"),
    "Kostra 11": Table("Fv grus over 5000ÅDT", "Lengde (m)"),
    "Kostra 12": Table("Fv over 5000ÅDT", "segmentlengde"),
    "Kostra 13": Table("Tunnel Fv", *_LENGTH),
    "Kostra 15": Table("Tunnel lengre enn 500m", *_LENGTH),
    "Kostra 16": Table("Tunnel u 4m", *_LENGTH),
    "Kostra 17": Table("Bruer fylkesveg", *_BRIDGE),
    "Kostra 18": Table("Bru aksellast under 10t", *_BRIDGE),
    "Kostra 19": Table("Bru høydebegrensning under 4m", *_BRIDGE),
    "Kostra 20": Table("Alle midtrekkverk", "Lengde midtrekkverk totalt (m)"),
    "Kostra 21 EKSTRA": Table("Gang og sykkelveg", "lengde", by=("vegkategori",)),
    "Kostra 21 gang": Table("Fylkesveg gang og sykkelveg", "lengde"),
    "Kostra 23": Table("FV med forsterket vegmerking", *_LENGTH),
    "Kostra 24": Table("Fylkesveg med støyskjerm", *_LENGTH),
    "Kostra 25": Table("Fylkesveg med kollektivfelt", "Lengde en retning (m)", "Lengde per kollektivfelt (m)"),
}
"""The beginning of a workbook's name -> its table."""


def road_contract(workbook: str) -> str:
    """Return the name of the contract that reads a workbook."""
    beginning = next(start for start in sorted(TABLES, key=len, reverse=True) if workbook.startswith(start))
    return "road-" + beginning.lower().replace(" ", "-")


def write_kostra_contracts(contracts: Path, kinds: Path) -> None:
    """Write every contract, and the kind of form 15F."""
    made = [child_cases(), *(altinn(*form) for form in FORMS.values())]
    made += [table.contract(road_contract(start)) for start, table in TABLES.items()]
    for contract in made:
        text = yaml.safe_dump(contract, allow_unicode=True, sort_keys=False)
        (contracts / f"{contract['contract']}.yml").write_text(text, encoding="utf-8")
    (kinds / "child_case.yml").write_text(CHILD_KIND, encoding="utf-8")
