"""Blocking rules drafted from data: those that bring few enough pairs together, with the pairs that each finds.

Every field by itself comes first; what would bring too many pairs is combined with another field. Values that two
records write differently are met by rare words, and by first characters of two fields.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import polars as pl

from schemas.blocking import RARE_LIMIT, BlockingRule, Key, rule_has_lists
from schemas.kind import Kind
from transforms.drafting.block_report import MAX_CAPTURED, captured_pairs, pairs_of_blocks
from transforms.drafting.columns import GIVEN_NAMES, SURNAMES, ColumnProfile
from transforms.linkage.blocking import blocking_index, key_columns, without_capped_keys
from transforms.linkage.candidates import blocks_over_limit

PAIRS_A_RECORD: Final = 10
PAIRS_A_RECORD_BY_TEXT: Final = 20
"""Pairs a record that one rule may bring together; those of words and characters, which meet spellings, may be more."""
MOST_REPEATED_PAIRS: Final = 10
"""How often a pair may share a value of one rule, in the mean, for the rule to be considered."""
MOST_COMBINED: Final = 6
"""Rules of two fields, at most."""
OWN_SHARE: Final = 0.001
"""Pairs a record that a rule of two fields must find alone to be of use; one of a single field: any."""
PREFIX: Final = 4
TEXT_PREFIX: Final = 10
EMAIL_QGRAM: Final = 5
RARE_STEPS: Final = (RARE_LIMIT, 15, 8)
"""Records that may share a rare word: fewer, where that would bring too many pairs together."""
WHOLE_VALUES: Final = ("email", "telephone", "date", "code", "name")
"""Contents of which equal values bring records together."""


@dataclass(frozen=True)
class DraftedRule:
    """A blocking rule, and the pairs that it brings together in the data."""

    rule: BlockingRule
    pairs: int


def draft_rules(reports: pl.DataFrame, kind: Kind, profiles: dict[str, ColumnProfile]) -> list[DraftedRule]:
    """Return the rules for a kind that has none yet. profiles: by field."""
    budget = PAIRS_A_RECORD * reports.height
    rules = [*_rules_alone(reports, kind, profiles, budget)]
    crowded = [
        name for name, p in profiles.items() if p.content in WHOLE_VALUES and (Key(field=name),) not in _of(rules)
    ]
    return _needed([*rules, *_combined(reports, kind, profiles, crowded, budget)], reports, kind)


def _needed(rules: list[DraftedRule], reports: pl.DataFrame, kind: Kind) -> list[DraftedRule]:
    """Return the rules without those that find hardly a pair which no other one finds, the narrowest dropped first."""
    if not rules:
        return rules
    every = kind.model_copy(update={"blocking": tuple(each.rule for each in rules)})
    index = blocking_index(reports, every).with_columns(reports["reported_by"])
    within = without_capped_keys(index, blocks_over_limit(index, every), every)
    share = min(1.0, MAX_CAPTURED / max(sum(each.pairs for each in rules), 1))
    pairs = captured_pairs(within, every, share)
    used = sorted(range(len(rules)), key=lambda n: -rules[n].pairs)
    for n in reversed(used.copy()):
        others = [f"found_{m}" for m in used if m != n]
        own = pairs.filter(pl.col(f"found_{n}"), ~pl.any_horizontal(pl.lit(False), *others)).height
        least = OWN_SHARE * share * reports.height if len(rules[n].rule) > 1 else 0
        if own <= least and len(used) > 1:
            used.remove(n)
    return [rules[n] for n in sorted(used)]


def _of(rules: list[DraftedRule]) -> list[BlockingRule]:
    return [each.rule for each in rules]


def _rules_alone(
    reports: pl.DataFrame, kind: Kind, profiles: dict[str, ColumnProfile], budget: int
) -> list[DraftedRule]:
    """Return the rules of one field that bring few enough pairs together."""
    found = []
    for name, profile in profiles.items():
        for options in _options(name, profile):
            counts = ((rule, measure_rule(reports, kind, rule)) for rule in options)
            limit = budget * (PAIRS_A_RECORD_BY_TEXT // PAIRS_A_RECORD if _reads_text(options[0]) else 1)
            found += [DraftedRule(*each) for each in counts if 0 < each[1] <= limit][:1]
    exchanged = (DraftedRule(rule, measure_rule(reports, kind, rule)) for rule in _exchanged_names(profiles))
    return found + [each for each in exchanged if 0 < each.pairs <= budget]


def _exchanged_names(profiles: dict[str, ColumnProfile]) -> list[BlockingRule]:
    """Return the rule by which one record's given name is another one's surname; none unless both are there."""
    given, surname = (next((n for n, p in profiles.items() if x.match(p.name)), None) for x in (GIVEN_NAMES, SURNAMES))
    return [(Key(field=given, other=surname),)] if given and surname else []


def _reads_text(rule: BlockingRule) -> bool:
    return rule_has_lists(rule) or any(key.longest_word or key.prefix == TEXT_PREFIX for key in rule)


def _options(name: str, profile: ColumnProfile) -> list[list[BlockingRule]]:
    """Return lists of rules of one field, of each of which the first that is not too much is used."""
    if profile.content in {"text", "long_text"}:
        two = (Key(field=name, longest_word=1), Key(field=name, longest_word=2))
        rare: list[BlockingRule] = [
            (Key(field=name, rare="word", most=n if n != RARE_LIMIT else None),) for n in RARE_STEPS
        ]
        return [rare, [two], [(Key(field=name, prefix=TEXT_PREFIX),)]]
    if profile.content == "email":
        return [[(Key(field=name),)], [(Key(field=name, rare="qgram", length=EMAIL_QGRAM),)]]
    return [[(Key(field=name),)]] if profile.content in WHOLE_VALUES else []


def _combined(
    reports: pl.DataFrame, kind: Kind, profiles: dict[str, ColumnProfile], crowded: list[str], budget: int
) -> list[DraftedRule]:
    """Return rules of two fields: a field that is not enough by itself with any other, then first characters."""
    whole = [name for name, p in profiles.items() if p.content in (*WHOLE_VALUES, "category")]
    pairs = [(a, b) for a, b in combinations(whole, 2) if a in crowded or b in crowded]
    options: list[BlockingRule] = [(Key(field=a), Key(field=b)) for a, b in pairs]
    starts = [name for name in whole if profiles[name].content in {"name", "code", "date"}]
    options += [(Key(field=a, prefix=PREFIX), Key(field=b, prefix=PREFIX)) for a, b in combinations(starts, 2)]
    counted = [DraftedRule(rule, measure_rule(reports, kind, rule)) for rule in options]
    useful = [each for each in counted if 0 < each.pairs <= budget]
    return sorted(useful, key=lambda each: (-_coverage(each.rule, profiles), each.pairs))[:MOST_COMBINED]


def _coverage(rule: BlockingRule, profiles: dict[str, ColumnProfile]) -> float:
    """Return the share of records that have all parts of a rule, about; names and codes before categories."""
    share = 1.0
    for key in rule:
        profile = profiles[key.field]
        share *= profile.filled * (0.5 if profile.content == "category" else 1)
    return round(share, 1)


def measure_rule(reports: pl.DataFrame, kind: Kind, rule: BlockingRule) -> int:
    """Return how many pairs a rule brings together."""
    alone = kind.model_copy(update={"blocking": (rule,)})
    index = blocking_index(reports, alone).with_columns(reports["reported_by"])
    within = without_capped_keys(index, blocks_over_limit(index, alone), alone)
    pairs = pairs_of_blocks(within, key_columns(alone)[0], once=bool(kind.one_report_per_item))
    most = MOST_REPEATED_PAIRS * PAIRS_A_RECORD_BY_TEXT * reports.height
    return captured_pairs(within, alone, 1.0).height if alone.has_lists(0) and pairs <= most else pairs


def rule_as_yaml(rule: BlockingRule) -> list[Any]:
    """Return a rule as plain values: a field's name, or a mapping of what is set."""
    parts = [key.model_dump(mode="json", exclude_none=True) for key in rule]
    return [part["field"] if len(part) == 1 else part for part in parts]
