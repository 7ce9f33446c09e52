"""Symbols are split where they say it themselves, and refused where they could mean two things."""

import pytest

from streamtrader.errors import LedgerError
from streamtrader.ledger.symbols import pair_of


@pytest.mark.parametrize(
    ("symbol", "base", "quote"),
    [
        ("BTCUSDT", "BTC", "USDT"), ("ETHBTC", "ETH", "BTC"), ("BNBBTC", "BNB", "BTC"), ("USDCUSDT", "USDC", "USDT"),
        ("BTC/USDT", "BTC", "USDT"), ("BTC-USD", "BTC", "USD"), ("btc_eur", "BTC", "EUR"), ("AAPL/XYZ", "AAPL", "XYZ"),
        ("BTC/USDT:USDT", "BTC", "USDT"), ("BTC-USDT-SWAP", "BTC", "USDT"), ("BTC-USD-240927", "BTC", "USD"),
        ("ETH-ZAR", "ETH", "ZAR"), ("1000SHIBUSDT", "1000SHIB", "USDT"), ("BRK.B/USD", "BRK.B", "USD"),
    ],
)  # fmt: skip
def test_a_symbol_is_split(symbol: str, base: str, quote: str) -> None:
    assert pair_of(symbol) == (symbol, base, quote)


@pytest.mark.parametrize(
    ("symbol", "why"),
    [
        ("BTCFDUSD", "BTC in FDUSD or BTCFD in USD; name the quote currency with --quote FDUSD, or write BTC/FDUSD"),
        ("ETHTUSD", "ETH in TUSD or ETHT in USD"),
        ("AAPL", "does not say what it is quoted in; name it with --quote"),
        ("BTC-PERPETUAL", "PERPETUAL is no known currency"),
        ("BTC-27SEP24", "27SEP24 is no known currency"),
        ("USDT", "does not say"),
        ("", "is no symbol"),
        ("BTC/", "is no symbol"),
        ("BTC USDT", "is no symbol"),
        ("BTC//USDT", "is no symbol"),
    ],
)
def test_a_symbol_that_could_mean_two_things_is_refused_with_a_remedy(symbol: str, why: str) -> None:
    with pytest.raises(LedgerError) as raised:
        pair_of(symbol)

    assert why in str(raised.value)


@pytest.mark.parametrize(
    ("symbol", "quotes", "base", "quote"),
    [
        ("BTCFDUSD", ["FDUSD"], "BTC", "FDUSD"), ("BTCFDUSD", ["USD"], "BTCFD", "USD"), ("AAPL", ["USD"], "AAPL", "USD"),
        ("BTC-PERPETUAL", ["usd"], "BTC", "USD"), ("ETHUSDT", ["FDUSD"], "ETH", "USDT"), ("XYZABC", ["ABC"], "XYZ", "ABC"),
    ],
)  # fmt: skip
def test_the_callers_quote_decides(symbol: str, quotes: list[str], base: str, quote: str) -> None:
    assert pair_of(symbol, quotes) == (symbol, base, quote)


def test_two_quotes_of_the_caller_that_both_fit_decide_nothing() -> None:
    with pytest.raises(LedgerError, match="may be BTC in FDUSD or BTCFD in USD"):
        pair_of("BTCFDUSD", ["FDUSD", "USD"])
