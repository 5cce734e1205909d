"""The beginning of a small contract, the same for all tests that write their own."""

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
