"""What own trades do to the price: published laws as plain functions, and what is left of the impact as state.

Impacts are signed fractions of the price (0.001 is 10 basis points, above zero for a buyer). `volatility` is the
deviation of returns over the same period in which `volume` is traded, a day in all the papers, and both must be above
zero: otherwise the functions answer nan, and the record takes no notice of the trade.

* Square root: Y * volatility * sqrt(size / volume) for a whole order, however it was cut up. Y is "of order unity"
  (Toth et al., "Anomalous price impact and the critical nature of liquidity in financial markets", 2011); 0.90 with a
  deviation of 0.35 on Bitcoin (Donier and Bonart, "A million metaorder analysis of market impact on the Bitcoin",
  2015), who also find that the impact of uninformed orders decays almost completely.
* Linear: Almgren and Chriss, "Optimal execution of portfolio transactions" (2000), in the price's unit there.
* Power: Almgren, Thum, Hauptmann and Li, "Direct estimation of equity market impact" (2005), fitted to US shares.

A book that is walked charges for its own levels, and half the spread is in it: none of these adds the spread.
"""

from __future__ import annotations

import math

from streamtrader.errors import ConfigError
from streamtrader.kernel.record import Record
from streamtrader.units import NS_PER_DAY

SQUARE_ROOT_PREFACTOR = 0.90
PERMANENT_GAMMA, TEMPORARY_ETA, TEMPORARY_BETA = 0.314, 0.142, 0.600  # errors: 0.041, 0.0062, 0.038
TURNOVER_EXPONENT = 0.25
LN_2 = math.log(2.0)


def signed_power(number: float, exponent: float) -> float:
    """|number| to the power, with the sign of the number."""
    return math.copysign(abs(number) ** exponent, number)


def square_root_impact(
    signed_size: float, volume: float, volatility: float, prefactor: float = SQUARE_ROOT_PREFACTOR
) -> float:
    """How far a whole order of this size moves the price by its end."""
    if not (volume > 0.0 and volatility > 0.0):
        return math.nan
    return prefactor * volatility * math.copysign(math.sqrt(abs(signed_size) / volume), signed_size)


def linear_permanent_impact(signed_size: float, gamma: float) -> float:
    """Almgren and Chriss: gamma a unit traded, in the price's unit; it stays."""
    return gamma * signed_size


def linear_temporary_impact(signed_rate: float, epsilon: float, eta: float) -> float:
    """Almgren and Chriss: half the spread (`epsilon`) and eta times the rate (size by time), in the price's unit."""
    return 0.0 if signed_rate == 0.0 else math.copysign(epsilon, signed_rate) + eta * signed_rate


def power_law_permanent_impact(
    signed_size: float, volume: float, volatility: float, shares_outstanding: float
) -> float:
    """Almgren et al. (2005): what stays, linear in size; the slower a share turns over, the more.

    gamma * volatility * size / volume * (shares outstanding / volume)^(1/4)
    """
    if not (volume > 0.0 and volatility > 0.0 and shares_outstanding > 0.0):
        return math.nan
    turnover = (shares_outstanding / volume) ** TURNOVER_EXPONENT
    return PERMANENT_GAMMA * volatility * signed_size / volume * turnover


def power_law_temporary_impact(signed_size: float, volume: float, volatility: float, duration: float) -> float:
    """Almgren et al. (2005): what trading evenly costs extra; `duration` in periods of the volume, so in days.

    eta * volatility * |size / (volume * duration)|^beta
    """
    if not (volume > 0.0 and volatility > 0.0 and duration > 0.0):
        return math.nan
    return TEMPORARY_ETA * volatility * signed_power(signed_size / (volume * duration), TEMPORARY_BETA)


def power_law_cost(
    signed_size: float, volume: float, volatility: float, duration: float, shares_outstanding: float
) -> float:
    """Almgren et al. (2005): the mean price paid against the price before; half of what stays is met on the way."""
    permanent = power_law_permanent_impact(signed_size, volume, volatility, shares_outstanding)
    return 0.5 * permanent + power_law_temporary_impact(signed_size, volume, volatility, duration)


class Impact(Record):
    """The shift that own trades have left in the price: a part that stays and a part that decays.

    With the flow x, the sum of signed size / volume over own trades,

        permanent part = permanent * volatility * x
        temporary part = temporary * volatility * sign(x') |x'|^exponent

    where x' forgets: the temporary part halves in `half_life_ns` of the event clock (0: then it is gone at once).
    The law is that of the whole remembered flow, so an order cut into slices moves the price as far as one that is
    not, and a round trip at one moment leaves nothing. The permanent part is linear whatever the law, because any
    other could be pumped for money (Huberman and Stanzl, 2004).
    """

    def __init__(
        self, temporary: float = 0.0, exponent: float = 1.0, permanent: float = 0.0, half_life_ns: int = 0
    ) -> None:
        for name, given in (("temporary", temporary), ("permanent", permanent), ("half_life_ns", half_life_ns)):
            if not 0.0 <= given < math.inf:
                raise ConfigError(f"impact: {name} must not be below zero, not {given}")
        if not 0.0 < exponent <= 1.0:
            raise ConfigError(f"impact: exponent must lie above 0 and not above 1, not at {exponent}")
        self.temporary = float(temporary)
        self.exponent = float(exponent)
        self.permanent = float(permanent)
        self.half_life_ns = int(half_life_ns)
        self.at_ns = 0  # of the last trade
        self.flow = 0.0  # x' at that moment
        self.temporary_shift = 0.0  # at that moment
        self.permanent_shift = 0.0
        self.ignored_count = 0  # trades whose numbers made no sense

    def shift(self, signed_size: float, volume: float, volatility: float, now_ns: int) -> float:
        """An own trade was made, above zero for a purchase; answers with the shift after it.

        `volume` and `volatility` are the market's over one and the same period.
        """
        share = signed_size / volume if volume > 0.0 else math.nan
        if not (math.isfinite(share) and volatility > 0.0 and math.isfinite(volatility)):
            self.ignored_count += 1
            return self.price_shift(now_ns)
        # The flow forgets faster than its impact: |x'|^exponent must halve in the half-life.
        self.flow = self.flow * self.kept(now_ns, self.exponent) + share
        self.at_ns = max(self.at_ns, now_ns)
        self.temporary_shift = self.temporary * volatility * signed_power(self.flow, self.exponent)
        self.permanent_shift += self.permanent * volatility * share
        return self.permanent_shift + self.temporary_shift

    def mean_shift(self, signed_size: float, volume: float, volatility: float, now_ns: int) -> float:
        """What such a trade would pay on average: the shift as it grows from before the trade to after it.

        The mean of the law over the flow, so that going in and out at one moment pays back what it cost, and no more.
        """
        share = signed_size / volume if volume > 0.0 else math.nan
        is_sensible = math.isfinite(share) and share != 0.0 and volatility > 0.0 and math.isfinite(volatility)
        if not is_sensible:
            return self.price_shift(now_ns)
        power = self.exponent + 1.0
        before = self.flow * self.kept(now_ns, self.exponent)
        grown = (abs(before + share) ** power - abs(before) ** power) / (power * share)
        return self.permanent_shift + volatility * (self.temporary * grown + 0.5 * self.permanent * share)

    def price_shift(self, now_ns: int) -> float:
        """The shift at a time: a market that would stand at 100 stands at 100 * (1 + shift)."""
        return self.permanent_shift + self.temporary_shift * self.kept(now_ns, 1.0)

    def kept(self, now_ns: int, exponent: float) -> float:
        """What is left of that whose power `exponent` halves in the half-life; a clock running back does nothing."""
        passed_ns = now_ns - self.at_ns
        if passed_ns <= 0:
            return 1.0
        if self.half_life_ns == 0:
            return 0.0
        return math.exp(-LN_2 * passed_ns / (self.half_life_ns * exponent))


def square_root(
    prefactor: float = SQUARE_ROOT_PREFACTOR, *, half_life_ns: int, permanent_share: float = 0.0
) -> Impact:
    """The square-root law with decay; of a trade of all the period's volume `permanent_share` of the impact stays."""
    if not 0.0 <= permanent_share <= 1.0:
        raise ConfigError(f"impact: permanent_share must lie from 0 to 1, not at {permanent_share}")
    return Impact(prefactor * (1.0 - permanent_share), 0.5, prefactor * permanent_share, half_life_ns)


def linear(temporary: float, permanent: float, *, half_life_ns: int = 0) -> Impact:
    """Almgren and Chriss, as fractions of the price: coefficients times volatility times size / volume.

    Theirs are in the price's unit: `permanent` = gamma * volume / (volatility * price), and `temporary` likewise from
    eta divided by the time that a trade takes. Their temporary impact meets only the trade itself: a half-life of 0.
    """
    return Impact(temporary, 1.0, permanent, half_life_ns)


def power_law(inverse_turnover: float = 1.0, *, half_life_ns: int) -> Impact:
    """Almgren et al. (2005) for volume and volatility of a day; `inverse_turnover` is shares outstanding / volume.

    Their temporary impact is one of the rate of trading. Here the rate is the remembered flow divided by how long it
    is remembered: trading evenly for much longer moves the price as they say, a burst as if it had taken that long.
    """
    if not 0.0 < inverse_turnover < math.inf:
        raise ConfigError(f"impact: inverse_turnover must be above zero, not {inverse_turnover}")
    if half_life_ns <= 0:
        raise ConfigError(f"impact: the power law needs a half_life_ns above zero, not {half_life_ns}")
    memory_days = memory_ns(half_life_ns, TEMPORARY_BETA) / NS_PER_DAY
    temporary = TEMPORARY_ETA * memory_days**-TEMPORARY_BETA
    return Impact(temporary, TEMPORARY_BETA, PERMANENT_GAMMA * inverse_turnover**TURNOVER_EXPONENT, half_life_ns)


def memory_ns(half_life_ns: float, exponent: float) -> float:
    """How long a steady flow is remembered: the flow at rest is its rate times this."""
    return half_life_ns * exponent / LN_2
