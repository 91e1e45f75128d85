"""10,000 changes of what was signed: none is believed (promise R11, feature 94)."""

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from exporter.config.secret import Scheme
from exporter.intake.signatures import Proof, Shown, prove
from tests.unit.intake.test_signatures import BOTH, NOW, SCHEMES, shown

FUZZ = settings(max_examples=10_000, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
SIGNED = {"webhook-id", "webhook-timestamp", "webhook-signature", "x-hub-signature-256", "stripe-signature"}
SIGNED |= {"x-github-delivery"}  # what is not signed may change what it likes: it is another delivery to nobody
LETTERS = "abcdefABCDEF0189+/=._-,v \x00é"
Change = tuple[int, int, int, int]


@FUZZ
@given(st.sampled_from(SCHEMES), st.tuples(*[st.integers(0, 2**16)] * 4))
def test_no_mutation_is_accepted(scheme: Scheme, change: Change) -> None:
    """Of one byte of a header, a token or the body; cut off, or longer: none breaks anything either."""
    good = shown(scheme)
    headers, raw, token = dict(good.headers), good.raw, good.token
    places = sorted(SIGNED & headers.keys()) or (["token"] if token else ["authorization"])
    if scheme in {"standard", "github", "stripe"}:
        places.append("body")
    place = places[change[0] % len(places)]
    whole = raw.decode() if place == "body" else token if place == "token" else headers[place]
    changed = mutated(whole, change)
    if place == "body":
        raw = changed.encode()
    elif place == "token":
        token = changed
    else:
        headers[place] = changed
    found = prove(scheme, BOTH, Shown(headers=headers, token=token, raw=raw), NOW)
    harmless = place != "body" and says_the_same(scheme, place, whole, changed)
    assert not isinstance(found, Proof) or (harmless and found == prove(scheme, BOTH, good, NOW))


def mutated(whole: str, change: Change) -> str:
    """Another letter somewhere, cut off there, or a letter more."""
    spot = change[1] % len(whole)
    others = [letter for letter in LETTERS if letter != whole[spot]]
    letter = others[change[2] % len(others)]
    return (whole[:spot] + letter + whole[spot + 1 :], whole[:spot], letter + whole)[change[3] % 3]


def says_the_same(scheme: Scheme, place: str, before: str, after: str) -> bool:
    """What a scheme does not sign: a word more beside a whole signature, the case of `Bearer`, space around it."""
    if scheme == "standard" and place == "webhook-signature":
        return before in after.split(" ")
    if place == "x-github-delivery":
        return True
    if scheme == "stripe":
        parts = {part.strip() for part in after.split(",")}
        return {part for part in before.split(",") if part[0] == "t" or part[:2] == "v1"} <= parts
    return (
        scheme == "bearer"
        and after.split()[1:] == before.split()[1:]
        and after.split(maxsplit=1)[0].lower() == "bearer"
    )
