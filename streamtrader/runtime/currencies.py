"""In which currency an account counts, and what the others are worth in it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamtrader.errors import ConfigError
from streamtrader.kernel.account import CURRENCIES

if TYPE_CHECKING:
    from streamtrader.instruments import Instrument
    from streamtrader.kernel.market import Market
    from streamtrader.runtime.accounts import AccountTerms


@dataclass(frozen=True, slots=True)
class Conversion:
    """The currency of an instrument's quotes: its number, and the market that says what it is worth, or a fixed mark."""

    currency: int = 0
    source: int = -1
    is_inverse: bool = False
    rate: float = 1.0

    def put_into(self, market: Market) -> None:
        market.currency = self.currency
        market.rate_source = self.source
        market.is_rate_inverse = self.is_inverse
        market.quote_rate = self.rate


def conversions(instruments: Sequence[Instrument], traded: Collection[int], terms: AccountTerms) -> list[Conversion]:
    """One for each instrument; those that nobody trades need none.

    A currency that has neither a market of the session nor a mark cannot be counted: a ConfigError with the remedy.
    """
    first = min(traded, default=0)
    own = terms.currency or instruments[first].quote
    numbers = {own: 0}
    made = []
    for at, instrument in enumerate(instruments):
        quote = instrument.quote
        if at not in traded or quote == own:
            made.append(Conversion())
            continue
        number = numbers.setdefault(quote, len(numbers))
        if number >= CURRENCIES:
            raise ConfigError(f"the instruments are quoted in more than {CURRENCIES} currencies; trade fewer of them")
        made.append(_conversion(number, quote, own, instruments, terms))
    return made


def _conversion(
    number: int, quote: str, own: str, instruments: Sequence[Instrument], terms: AccountTerms
) -> Conversion:
    for at, other in enumerate(instruments):
        if other.kind == "spot" and (other.base, other.quote) in ((quote, own), (own, quote)):
            return Conversion(number, at, is_inverse=other.base == own, rate=0.0)
    marks = dict(terms.marks)
    if quote in marks:
        return Conversion(number, rate=marks[quote])
    raise ConfigError(
        f"account.currency: the account is in {own}, and nothing says what {quote} is worth in it. Listen to {quote}{own} "
        f"or {own}{quote} too (exchange.symbols), or set account.marks = {{ {quote} = ... }}"
    )
