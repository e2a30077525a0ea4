"""The bar on facts: no figure, price, award, result or crowd that the brand did not give. Pure.

A clone that invents a claim is a legal risk to whoever posts it.
"""

import re
from collections.abc import Iterator
from typing import Final

from consumers.generation.gate.finding import Finding
from consumers.generation.gate.source import figures

BAR: Final = "facts"

_NUMBER: Final = (
    r"(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty|ninety|"
    r"hundreds?(?: of)?|thousands?(?: of)?|millions?(?: of)?|dozens?(?: of)?|half|double|triple|twice|"
    r"dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|veinte|treinta|cien|cientos de|miles de|millones de|"
    r"zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|zwölf|zwanzig|dreißig|hundert|hunderte|tausende?|millionen)"
)
_UNIT: Final = (
    r"(?:percent|per cent|customers?|people|users|families|runners|dollars?|euros?|pounds|cents|bucks|weeks?|days|"
    r"months|years|times (?:faster|better|more|less)|stars|reviews|por ciento|clientes|personas|"
    r"euros|semanas|días|meses|años|"
    r"estrellas|prozent|kunden|menschen|leute|wochen|tagen?|monaten?|jahren?|sterne)"
)
_CLAIMS: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b{_NUMBER} (?:\w+ )?{_UNIT}\b",
        r"[$€£%]|\b\d+ ?(?:usd|eur|gbp)\b",
        # Prices and offers.
        r"\b(?:for free|free (?:shipping|trial|gift|sample|delivery)|discount|on sale|sale ends|half price|promo code|"
        r"coupon|cheapest|lowest price|money[- ]back|limited (?:time|offer)|giveaway)\b",
        r"\b(?:gratis|descuentos?|rebajas|oferta limitada|envío gratuito|cupón|kostenlos|rabatt|gutschein|"
        r"geld[- ]zurück|sonderangebot|versandkostenfrei)\b",
        # Awards and rankings.
        r"\b(?:award[- ]winning|awards?|best[- ]?sell(?:er|ing)|number one|no\.? ?1|top[- ]rated|"
        r"world'?s (?:best|first)|market leader|the best \w+ (?:ever|on the market))\b|#1",
        r"\b(?:premiad[oa]s?|galardonad[oa]s?|superventas|número uno|l[ií]der del mercado|preisgekrönt|ausgezeichnet|"
        r"bestseller|marktführer|testsieger|nummer eins)\b",
        # Results and authority.
        r"\b(?:clinically|scientifically|dermatologist|doctor[- ](?:recommended|approved)|lab[- ]tested|proven|"
        r"guarantee[sd]?|certified|fda|cures?|heals?|100 ?%|instant results|visible results)\b",
        r"\b(?:clínicamente|científicamente|demostrad[oa]|garantizad[oa]s?|certificad[oa]|klinisch|wissenschaftlich|"
        r"bewiesen|garantiert|zertifiziert|nachweislich)\b",
        # Crowds.
        r"\b(?:everyone (?:loves|uses|is (?:using|talking|raving))|everybody (?:loves|uses)|thousands|millions|"
        r"loved by|trusted by|people are (?:raving|obsessed)|sold out|went viral|five[- ]star|"
        r"customers (?:say|love))\b",
        r"\b(?:todo el mundo (?:lo|la) (?:usa|ama)|miles de|millones de|agotad[oa]|alle (?:lieben|benutzen)|tausende|"
        r"millionen|ausverkauft|kunden (?:sagen|lieben))\b",
    )
)


def claims(field: str, text: str, given: str) -> Iterator[Finding]:
    """Every claim in a text that does not stand in what the brand gave (`given`: all its own text)."""
    invented = figures(text) - figures(given)
    if invented:
        yield Finding(BAR, field, f"a figure that the brand did not give: {', '.join(sorted(invented))}")
    lowered = given.lower()
    for pattern in _CLAIMS:
        for match in pattern.finditer(text):
            if match.group().lower() not in lowered:
                yield Finding(BAR, field, f"a claim that the brand did not give: {match.group()}")
