"""Strategies: the two bases and the ones that come with the engine."""

from streamtrader.strategies.avellaneda_stoikov import AvellanedaStoikov
from streamtrader.strategies.candle_momentum import CandleMomentum
from streamtrader.strategies.ema_cross import EmaCross
from streamtrader.strategies.execution import Pegged, Pov, Shortfall, Twap, Vwap
from streamtrader.strategies.imbalance_maker import ImbalanceMaker
from streamtrader.strategies.rsi_momentum import RsiMomentum
from streamtrader.strategies.strategy import PythonStrategy, Strategy
from streamtrader.strategies.target_weights import TargetWeights
from streamtrader.strategies.vwap_reversion import VwapReversion

__all__ = [
    "AvellanedaStoikov",
    "CandleMomentum",
    "EmaCross",
    "ImbalanceMaker",
    "Pegged",
    "Pov",
    "PythonStrategy",
    "RsiMomentum",
    "Shortfall",
    "Strategy",
    "TargetWeights",
    "Twap",
    "Vwap",
    "VwapReversion",
]
