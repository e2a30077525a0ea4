"""What a brand says about itself, typed by its grammar, so that it stands only where that grammar allows. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from consumers.generation.gate.usable import sayable
from consumers.generation.texts import STOP_WORDS_OF, words

_WORDS_1: Final = (
    "absorb add adapt adjust aid align allow answer arrive attach automate balance become block boost break brew "
    "bring build calm care carry catch change charge check clean clear click close collect come comfort connect "
    "contain convert cook cool cost cover create cut cushion deliver detect dissolve do draw drain drop dry earn "
    "ease eat eliminate enable end even explain fade fall feed feel fight fill filter find finish fit fix flag "
    "fold follow form free give glide glow go grip grow guide handle have heat help hide hold hug hydrate improve "
    "include integrate keep kill last launch learn leave let lift light list live load lock look loosen lower "
    "make map match measure melt mend mix move need nourish offer open organize organise pack pair park pay pick "
    "plan play plug pop prepare prevent print protect provide pull push put reach read recover reduce refill "
    "regrow rehydrate relax release remember remind remove repair repel replace require resist rest restore "
    "return ride rinse rise run save scan seal seem select send serve set settle shape share ship shield show "
    "shrink shut sink sit sleep slide slip slow smell smooth snap soak soften solve soothe sort sound speak speed "
    "split spot spread stand start stay steam stick stop store stream stretch strengthen suit supply support "
    "survive swap sync take talk taste teach tell tighten track train translate travel treat trim tuck turn "
    "understand unlock update use walk warm wash watch wear weigh wick wipe withstand work wrap write"
)
_WORDS_2: Final = (
    "grown written made built sewn woven given chosen spun brewed drawn hand-made handmade hand-poured hand- "
    "picked cut found born known sold shot bought baked"
)
_WORDS_3: Final = "in with without for under within from at on across by through after before"
_WORDS_4: Final = "en con sin para desde por a entre bajo"
_WORDS_5: Final = "in mit ohne für unter ab aus auf bei nach seit innerhalb"
_WORDS_6: Final = "you your it it's they we there everything nothing no-one"
_WORDS_7: Final = "du es alles nichts man"
_WORDS_8: Final = (
    "vegan lightweight organic waterproof washable light quiet small soft warm simple fast gentle local seasonal "
    "compact recyclable vegano vegana ligero ligera suave silencioso silenciosa bio vegan leicht leise weich lokal"
)

_ACRONYM: Final = re.compile(r"^(?:[A-Z]{2,}|[A-Z]\w*[A-Z]|I\b|I')")

_VERBS_EN: Final = frozenset(_WORDS_1.split())
# In front of a noun these are no verbs: "free shipping", "light soles".
_ALSO_ADJECTIVES: Final = frozenset(
    {"free", "light", "even", "clear", "cool", "warm", "smooth", "dry", "open", "slow", "last", "fit", "care", "plan"}
    | {"cost", "live", "close", "lower", "complete", "clean", "steam", "sleep", "work", "travel", "wash", "test"}
)
_IRREGULAR: Final = {"has": "have", "does": "do", "goes": "go", "is": "be"}
_PARTICIPLES_EN: Final = frozenset(_WORDS_2.split())
_PREPOSITIONS: Final = {
    "en": frozenset(_WORDS_3.split()),
    "es": frozenset(_WORDS_4.split()),
    "de": frozenset(_WORDS_5.split()),
}
_PRONOUNS: Final = {
    "en": frozenset(_WORDS_6.split()),
    "es": frozenset(["tú", "todo", "nada"]),
    "de": frozenset(_WORDS_7.split()),
}
_VERBS_ES: Final = re.compile(
    r"^(?:es|está|son|tiene|dura|pesa|llega|viene|cabe|deja|ayuda|cuida|seca|lava|limpia|ahorra|muestra|reparte|divide|"
    r"funciona|aguanta|mantiene|calma|hidrata|protege|unifica|absorbe|necesita|ofrece|incluye|cuesta|hace|da|pone|sale|"
    r"calienta|enfría|filtra|muele|sabe|huele|crece|dobla|abre|cierra|sujeta|se \w+|no \w+|te \w+|"
    r"prepara|acompaña|conserva|recuerda|evita|encaja|enseña|guarda|carga|ilumina|cocina|crea)\b"
)
_VERBS_DE: Final = re.compile(
    r"^(?:ist|hat|hält|wiegt|kommt|passt|lässt|hilft|pflegt|trocknet|wäscht|spart|zeigt|teilt|läuft|zieht|bleibt|"
    r"braucht|dämpft|faltet|öffnet|schließt|filtert|kocht|mahlt|wächst|bietet|enthält|kostet|macht|gibt|schützt|beruhigt|glättet|reicht|steht|sitzt|erinnert|lädt|federt|"
    r"erklärt|begleitet|funktioniert|verbindet|liefert|bringt|schont|reinigt|wärmt|kühlt|schmeckt|duftet)\b"
)
_PARTICIPLE_DE: Final = re.compile(r"^(?:ge\w+t|ge\w+en|ver\w+t|her\w*ge\w+t|hand\w*ge\w+t|ent\w+t|von \w+ ge\w+)\b")
_PARTICIPLE_ES: Final = re.compile(
    r"^(?:\w+(?:ado|ada|ados|adas|ido|ida|idos|idas)|hech[oa]s?|escrit[oa]s?|\w+puest[oa]s?)\b"
)
_ADJECTIVE_EN: Final = re.compile(r"^[\w-]+(?:-free|proof|less|able|ible|ful|light|ian|an)$")
_ADJECTIVES: Final = frozenset(_WORDS_8.split())
_ANGLES: Final = (
    (
        "saving",
        r"\b(?:save|saves|saving|cost|costs|price|cheap\w*|refill\w*|lasts?|keeps its|budget|payday|bill|"
        r"ahorr\w+|cuesta|spart|kostet|hält)\b",
    ),
    (
        "time",
        r"\b(?:minutes?|seconds?|hours?|fast\w*|quick\w*|instant\w*|overnight|days?|minutos?|segundos?|horas?|rápid\w+|minuten?|sekunden|stunden?|schnell\w*)\b",
    ),
    (
        "safety",
        r"\b(?:return|returns|refund|warranty|replace\w*|read-only|secure\w*|encrypt\w*|safe\w*|if yours|"
        r"tested|devoluci\w+|garant\w+|segur\w+|sicher\w*|rückgabe|getestet)\b",
    ),
    (
        "health",
        r"\b(?:skin|sleep|gentle|natural|vitamin|hydrat\w+|calm\w*|sooth\w*|energy|protein|organic|piel|suave|haut|sanft|schlaf)\b",
    ),
    (
        "ease",
        r"\b(?:automatic\w*|one|single|skip|easy|without|no |simple|fits|arrives|lets you|"
        r"comes with|ready|fácil|sin|deja|ohne|einfach|passt|automatisch)\b",
    ),
    (
        "quality",
        r"\b(?:made|built|grown|written|hand\w*|ingredients?|family|since|wear-tested|formula|hecho|hecha|ingredientes|desde|gemacht|zutaten|seit)\b",
    ),
)


_HYPHENED: Final = re.compile(r"\w+-(?:tested|made|poured|picked|sewn|built|reviewed|grown|brewed)\b")
_AFTER_PARTICIPLE: Final = frozenset(
    {*("by", "in", "with", "for", "from", "since"), *("on", "at", "to", "and", "using", "without")}
)
_SINCE: Final = re.compile(r"\b(?:since|for \w+ years)\b")


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact. `kind` is vp, inf, np, part, clause, adj or adv; `bare` has no full stop, no capital of a sentence."""

    kind: str
    bare: str
    angle: str | None
    gain: bool

    @property
    def slots(self) -> dict[str, str]:
        """What it fills. `fact_state` is a participle of what still is: nothing "is grown since 1987"."""
        slots = {f"fact_{self.kind}": self.bare}
        if self.kind == "part" and not _SINCE.search(self.bare):
            slots["fact_state"] = self.bare
        return slots

    @property
    def infinitive(self) -> str | None:
        """A finite English verb phrase as it stands after `to`: `sinks in` gives `sink in`."""
        if self.kind == "inf":
            return self.bare
        verb, *rest = self.bare.split()
        base = _base_en(verb)
        if base is None or verb == "is":
            return None
        # "drains and dries": what is joined to the verb is a verb as well.
        joined = [
            _base_en(word) or word if rest[place - 1] == "and" and place > 0 else word
            for place, word in enumerate(rest)
        ]
        return " ".join([base, *joined])


def typed(facts: Sequence[str], language: str, *, gain: bool) -> list[Fact]:
    """The facts that can be used, typed; what is no plain phrase (markup, sentences, very long) is left out."""
    found = []
    for fact in facts:
        text = bare(fact)
        if sayable(fact):
            found.append(Fact(_kind(text, language), text, _angle(text), gain))
    return found


def bare(fact: str) -> str:
    """A phrase as it fits into a sentence: no full stop, no capital unless the word has it anyway."""
    text = " ".join(fact.split()).rstrip(".!;,: ")
    first = text.partition(" ")[0]
    if first[:1].isupper() and not _ACRONYM.match(first) and not first[1:].isupper():
        return text[0].lower() + text[1:]
    return text


def _angle(text: str) -> str | None:
    return next((angle for angle, pattern in _ANGLES if re.search(pattern, text, re.IGNORECASE)), None)


def _kind(text: str, language: str) -> str:
    row = words(text)
    first = row[0] if row else ""
    if first in _PRONOUNS[language]:
        return "clause"
    if first in _PREPOSITIONS[language] and len(row) > 1:
        return "adv"
    if language == "en":
        return _kind_en(text, row)
    verb, participle = (_VERBS_ES, _PARTICIPLE_ES) if language == "es" else (_VERBS_DE, _PARTICIPLE_DE)
    if verb.search(text.lower()):
        return "vp"
    if participle.search(text.lower()):
        return "part"
    return "adj" if set(row) - STOP_WORDS_OF[language] <= _ADJECTIVES else "np"


def _kind_en(text: str, row: list[str]) -> str:
    # By spaces: "wear-tested" is no "wear".
    apart = text.lower().split()
    first, second, third = (*apart, "", "")[0], (*apart, "", "")[1], (*apart, "", "", "")[2]
    # "recipes tested in kitchens": a plural noun looks like a verb until a participle follows.
    told = second in {"that", "who"} or (
        (second.endswith("ed") or second in _PARTICIPLES_EN) and third in _AFTER_PARTICIPLE - {"and"}
    )
    if first in _IRREGULAR or (_base_en(first) is not None and not told):
        return "vp"
    if first in _VERBS_EN - _ALSO_ADJECTIVES and second and second not in {"of", "and", "that"}:
        return "inf"
    made = first.endswith("ed") or first in _PARTICIPLES_EN or _HYPHENED.match(first) is not None
    if made and second in _AFTER_PARTICIPLE:
        return "part"
    if set(row) - {"and", "very", "really"} <= _ADJECTIVES or (len(apart) == 1 and _ADJECTIVE_EN.match(first)):
        return "adj"
    return "np"


def _base_en(verb: str) -> str | None:
    """The base of a third person, where it is a verb."""
    if verb in _IRREGULAR:
        return _IRREGULAR[verb]
    if not verb.endswith("s"):
        return None
    candidates = [verb[:-1]]
    if verb.endswith("es"):
        candidates.append(verb[:-2])
    if verb.endswith("ies"):
        candidates.append(verb[:-3] + "y")
    return next((base for base in candidates if base in _VERBS_EN), None)
