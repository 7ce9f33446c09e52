"""The slow, obvious ledger: fractions, one list entry for every unit that is held, and nothing that is clever."""

from collections import defaultdict
from fractions import Fraction


class TwinPosition:
    """Units of one symbol, oldest first: the direction of each, and what it cost."""

    def __init__(self, method: str) -> None:
        self.method = method
        self.units: list[tuple[int, Fraction]] = []
        self.realized = Fraction(0)

    def fill(self, direction: int, count: int, price: Fraction) -> None:
        """Buy or sell so many units at a price for each."""
        for _ in range(count):
            if self.units and self.units[0][0] == -direction:
                held, cost = self.units.pop(0)
                self.realized += held * (price - cost)
                continue
            self.units.append((direction, price))
            if self.method == "average":
                average = sum((cost for _, cost in self.units), Fraction(0)) / len(self.units)
                self.units = [(direction, average) for _ in self.units]

    @property
    def size(self) -> int:
        return sum(direction for direction, _ in self.units)

    @property
    def cost(self) -> Fraction:
        return sum((direction * cost for direction, cost in self.units), Fraction(0))


class TwinLedger:
    """Money by currency, positions by symbol; every fact is remembered whole and told again only once."""

    def __init__(self, method: str = "average") -> None:
        self.method = method
        self.cash: defaultdict[str, Fraction] = defaultdict(Fraction)
        self.brought: defaultdict[str, Fraction] = defaultdict(Fraction)
        self.costs: defaultdict[tuple[str, str], Fraction] = defaultdict(Fraction)  # kind and currency: paid
        self.positions: dict[str, TwinPosition] = {}
        self.told: set[object] = set()

    def is_new(self, key: object) -> bool:
        is_new = key not in self.told
        self.told.add(key)
        return is_new

    def deposit(self, amount: Fraction, currency: str) -> None:
        self.cash[currency] += amount
        self.brought[currency] += amount

    def pay(self, kind: str, amount: Fraction, currency: str) -> None:
        self.cash[currency] -= amount
        self.costs[kind, currency] += amount

    def fill(
        self, symbol: str, quote: str, direction: int, count: int, price: Fraction, fee: Fraction, fee_asset: str
    ) -> None:
        """`price` is that of one unit."""
        self.cash[quote] -= direction * count * price
        self.positions.setdefault(symbol, TwinPosition(self.method)).fill(direction, count, price)
        self.pay("fees", fee, fee_asset)
