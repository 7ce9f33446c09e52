"""The slow, obvious ledger: every unit of size is an entry in a list, and each entry costs the average."""

from fractions import Fraction


class UnitLots:
    """Fractions, and one list entry a unit: nothing is ever rounded and nothing is clever."""

    def __init__(self, cash: int) -> None:
        self.cash = Fraction(cash)
        self.realized = Fraction(0)
        self.fees = Fraction(0)
        self.units: list[tuple[int, Fraction]] = []  # direction and cost of each unit that is held

    def fill(self, direction: int, units: int, price: Fraction, fee: Fraction) -> None:
        self.fees += fee
        self.cash -= fee
        for _ in range(units):
            self.cash -= direction * price
            if self.units and self.units[-1][0] == -direction:
                held, cost = self.units.pop()
                self.realized += held * (price - cost)
            else:
                self.units.append((direction, price))
                average = sum((cost for _, cost in self.units), Fraction(0)) / len(self.units)
                self.units = [(direction, average) for _ in self.units]

    @property
    def size(self) -> int:
        return sum(direction for direction, _ in self.units)

    @property
    def average(self) -> Fraction | None:
        return self.units[0][1] if self.units else None
