"""Published methods that the league runs beside ours, each as its authors describe it."""

from forecasting.engine.classics.etas import GridETAS
from forecasting.engine.classics.hotspot import ProspectiveHotspot
from forecasting.engine.classics.terrain import RiskTerrain

CLASSICS = {"prospective_hotspot": ProspectiveHotspot, "etas": GridETAS, "risk_terrain": RiskTerrain}

__all__ = ["CLASSICS", "GridETAS", "ProspectiveHotspot", "RiskTerrain"]
