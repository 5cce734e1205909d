"""What the demo's invented incidents are made of: places, types of incident, and how two agencies describe each."""

from dataclasses import dataclass
from typing import Final

INCIDENT_PLACES: Final = {
    "1120": ("Solbakken sykehjem", "Furulia skole"), "1121": ("Granheim sykehjem", "Bjørkelunden skole"),
    "1508": ("Fjordglimt sykehjem", "Måsebukta skole"), "1515": ("Havblikk sykehjem", "Skjærgården skole"),
    "1580": ("Lyngtunet sykehjem", "Steinrøysa skole"), "1815": ("Øyheimen sykehjem", "Ærfuglen skole"),
    "1818": ("Nordlystunet sykehjem", "Tindefoten skole"), "1840": ("Elvebredden sykehjem", "Fosseteigen skole"),
    "3101": ("Tistelvollen sykehjem", "Festningsjordet skole"), "3103": ("Kanalparken sykehjem", "Verftshagen skole"),
    "4624": ("Kvernhuset sykehjem", "Bekkefaret skole"), "5612": ("Viddestua sykehjem", "Multemyra skole"),
}  # fmt: skip
"""A municipality's code -> its care home and its school, both invented."""


@dataclass(frozen=True)
class IncidentType:
    """One type of incident.

    word, code: what the doctors and the supervisor call it. doctor, supervisor: their descriptions, with the
    placeholders {a}, {b} and {c}. a, b, c: the details that replace the placeholders.
    """

    word: str
    code: str
    doctor: str
    supervisor: str
    a: tuple[str, ...]
    b: tuple[str, ...]
    c: tuple[str, ...]


INCIDENT_TYPES: Final = {
    "fall": IncidentType(
        "Fall", "T1",
        "Falt {a} etter å ha snublet i {b}. Vondt i {c}, sendt til legevakt.",
        "Person ble funnet på gulvet {a}. Årsak oppgis å være {b}. Undersøkt for skade i {c}.",
        ("på badet", "i trappen", "i korridoren", "i spisesalen", "ved inngangen", "i garderoben", "på terrassen"),
        ("rullatoren", "dørterskelen", "vått gulv", "en ledning", "gulvteppet", "en vaskebøtte", "en skolesekk"),
        ("hoften", "håndleddet", "hodet", "kneet", "skulderen", "ankelen", "albuen"),
    ),
    "medication": IncidentType(
        "Legemiddelfeil", "T2",
        "Ga {a} {b} uten at det var ordinert. Oppdaget av {c}.",
        "Avvik i legemiddelhåndtering: {a} utdelt {b}. Meldt videre av {c} samme dag.",
        ("blodfortynnende", "insulin", "smertestillende", "sovemedisin", "antibiotika", "hjertemedisin"),
        ("dobbel dose", "fra feil dosett", "til feil person", "etter at kuren var ferdig", "ved feil måltid"),
        ("nattevakten", "tilkallingsvikaren", "avdelingslederen", "farmasøyten", "helsesykepleieren"),
    ),
    "violence": IncidentType(
        "Vold", "T3",
        "Slått med {a} {b}. Krangelen begynte om {c}.",
        "Utagering {b}, {a} brukt mot en annen. Utløst av uenighet om {c}.",
        ("knyttneven", "en gaffel", "en krykke", "en ball", "en stol", "en bok"),
        ("i dagligstuen", "i skolegården", "under måltidet", "i skyssen", "i gymsalen", "utenfor rommet"),
        ("en plass", "fjernkontrollen", "en telefon", "medisinene", "en lue", "køen"),
    ),
    "missing": IncidentType(
        "Savnet person", "T4",
        "Ikke å finne etter {a}. Kom til rette {b}, {c}.",
        "Leteaksjon etter {a}; vedkommende ble gjenfunnet {b}, {c}.",
        ("frokost", "turdagen", "besøkstiden", "utflukten", "kveldsrunden", "brannøvelsen"),
        ("ved elven", "på busstasjonen", "i nabolagets hage", "i kjelleren", "på kirkegården", "ved skogkanten"),
        ("lettkledd", "søkkvåt", "uskadd", "forvirret", "gjennomfrosset"),
    ),
    "fire": IncidentType(
        "Brann", "T5",
        "Tok fyr i {a} {b}. Slukket med {c}.",
        "Branntilløp, {a} antent {b}. Håndtert med {c} før brannvesenet kom.",
        ("en brødrister", "en papirkurv", "et gardin", "en tørketrommel", "en lampe", "et adventslys"),
        ("på kjøkkenet", "i vaskeriet", "på lærerværelset", "i aktivitetsrommet", "på vaktrommet"),
        ("brannteppe", "pulverapparat", "husslangen", "skumslukker", "håndklær"),
    ),
    "food": IncidentType(
        "Mat", "T6",
        "Fikk {a} til {b} tross allergi. Reagerte med {c}.",
        "Servering av {a} i strid med matplan ({b}). Symptomer: {c}.",
        ("nøtter", "skalldyr", "egg", "hvetemel", "melk", "selleri", "sesamfrø"),
        ("lunsj", "middag", "en bursdag", "kveldsmat", "en utflukt"),
        ("utslett", "pustebesvær", "oppkast", "hevelse", "magesmerter"),
    ),
}  # fmt: skip
"""Type of incident in the record kind -> its texts."""
SEVERITY_GRADES: Final = ("lav", "middels", "høy", "svært høy")
"""The supervisor's words for severity 1 to 4."""
VAGUE_TEXTS: Final = (
    "Uønsket hendelse. Se journal.",
    "Hendelsen er fulgt opp lokalt.",
    "Melding mottatt per telefon, utfyllende opplysninger ettersendes.",
    "Avvik registrert, ingen ytterligere beskrivelse.",
)
"""Descriptions that contain no details."""
