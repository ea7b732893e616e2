"""What to take from an OpenStreetMap extract: ready choices for the places that crime follows, as tag filters."""

from dataclasses import dataclass


@dataclass(frozen=True)
class OsmChoice:
    """One kind of place. ``tags`` by key; a place with any of them is taken from each of ``layers``.

    ``as_points``: outlines (a school's grounds) become one point inside them, so that they count like mapped points.
    """

    key: str
    label: str
    tags: tuple[tuple[str, tuple[str, ...]], ...]
    layers: tuple[str, ...] = ("points", "multipolygons")
    as_points: bool = True

    @property
    def where(self) -> str:
        """The filter in GDAL's own words. Keys and values are constants of this module: nobody's input reaches it."""
        parts = (f"{key} IN ({', '.join(repr(value) for value in values)})" for key, values in self.tags)
        return " OR ".join(parts)


OSM_CHOICES: dict[str, OsmChoice] = {
    choice.key: choice
    for choice in (
        OsmChoice("bars", "Bars, pubs and clubs", (("amenity", ("bar", "pub", "nightclub", "biergarten")),)),
        OsmChoice("liquor-stores", "Liquor stores", (("shop", ("alcohol", "beverages", "wine")),)),
        OsmChoice(
            "transit",
            "Stations and stops",
            (
                ("highway", ("bus_stop",)),
                ("railway", ("station", "halt", "tram_stop", "subway_entrance")),
                ("amenity", ("bus_station", "ferry_terminal")),
            ),
        ),
        OsmChoice(
            "schools",
            "Schools and colleges",
            (("amenity", ("school", "kindergarten", "college", "university")),),
        ),
        OsmChoice(
            "vacant-parcels",
            "Vacant land and abandoned buildings",
            (
                ("landuse", ("brownfield",)),
                ("building", ("abandoned", "ruins")),
                ("abandoned", ("yes",)),
                ("disused", ("yes",)),
            ),
            layers=("multipolygons",),
            as_points=False,
        ),
        OsmChoice(
            "streets",
            "Street network",
            (
                (
                    "highway",
                    (
                        *(
                            "motorway",
                            "trunk",
                            "primary",
                            "secondary",
                            "tertiary",
                            "unclassified",
                            "residential",
                        ),
                        *("living_street", "pedestrian", "service"),
                    ),
                ),
            ),
            layers=("lines",),
            as_points=False,
        ),
    )
}

_KEYS = sorted({key for choice in OSM_CHOICES.values() for key, _ in choice.tags})


def osm_configuration() -> str:
    """GDAL's settings for OSM files: the keys we filter by become columns, everything else (names of mappers too) is left out."""
    lines = [
        "closed_ways_are_polygons=amenity,building,landuse,leisure,shop,abandoned,disused",
        "report_all_nodes=no",
    ]
    for layer in ("points", "lines", "multipolygons", "multilinestrings", "other_relations"):
        lines += [f"[{layer}]", "osm_id=no", f"attributes=name,{','.join(_KEYS)}", "other_tags=no"]
        if layer == "multipolygons":
            lines.append("osm_way_id=no")
    return "\n".join(lines) + "\n"
