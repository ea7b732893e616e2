"""Published methods that the league runs beside ours, each as its authors describe it."""

from collections.abc import Callable

from forecasting.engine.classics.etas import GridETAS
from forecasting.engine.classics.hotspot import ProspectiveHotspot
from forecasting.engine.classics.points import PointProcess
from forecasting.engine.classics.terrain import RiskTerrain

CLASSICS: dict[str, Callable[[], PointProcess]] = {
    "prospective_hotspot": ProspectiveHotspot,
    "etas": GridETAS,
    "risk_terrain": RiskTerrain,
}

__all__ = ["CLASSICS", "GridETAS", "ProspectiveHotspot", "RiskTerrain"]
