"""Small contracts: the beginning of those that tests write themselves, one whole, one about the period before."""

from typing import Final

CONTRACT_HEAD: Final = """
contract: small
version: 1
obligation: small
title: {nb: Lite, nn: Lite, en: Small}
agency: a
legal_basis: none
rhythm: yearly
hours_per_report: null
"""
BEDS_CONTRACT: Final = """
contract: beds
version: 1
obligation: beds
title: {nb: Senger, nn: Senger, en: Beds}
agency: Helsetilsynet
legal_basis: none
rhythm: monthly
hours_per_report: null
sender: {allowed: any}
format: {type: csv}
unit: {column: u, kind: municipality, by: code}
period: {column: p, type: month}
repeat: error
claims:
  - {concept: beds, column: v, reported_by: {option: sender}, unit_measure: {value: beds}}
rules:
  - {id: jump, check: change, concept: beds, max_share: "0.5", severity: warning}
examples: [{name: none, given: "u;p;v"}]
"""
SMALL_CONTRACT: Final = """
contract: small
version: 1
obligation: small
title: {nb: Lite, nn: Lite, en: Small}
agency: Statens prøvetilsyn
legal_basis: none
rhythm: monthly
hours_per_report: 1.5
sender: {default: agency}
format: {type: csv}
ignore: [remark]
unit: {column: kommune, kind: municipality}
period: {column: month, type: month}
repeat: error
claims:
  - concept: places
    column: places
    reported_by: {option: sender}
    unit_measure: {value: places}
rules:
  - {id: r1, check: range, column: places, min: 0}
examples:
  - name: none
    given: ""
"""
