"""Read-only views for desktop mapping (QGIS): a schema and a role for each agency, so that nobody sees another's.

Needs PostgreSQL with PostGIS. Squares and forecasts lie packed in the database, so the schema holds them unpacked as of the last
run; missions, visits, beats and districts are read as they are now. No names, call signs or texts that people wrote are in it.
"""

import hashlib
from typing import Any

import numpy as np
from django.db import DatabaseError, connection, transaction

from agencies.models import Agency, Beat, CrimeType, District, Shift
from forecasting.models import ForecastRun, Grid, RiskSurface
from forecasting.selectors import cell_beats, grid_spec, surface_values
from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import Progress, no_progress
from patrols.models import Engagement, Mission, MissionPlan

MARK = "Made by manage.py gis_views; dropped and made anew by it."
INSTALL = (
    "apt-get install postgresql-15-postgis-3 (the number is the server's version) on the database server"
)
VIEWS = ("districts", "beats", "cells", "risk", "missions", "visits")
LONGEST_NAME = 63


def schema_name(agency: Agency) -> str:
    """The agency's schema, e.g. ``gis_riverton``."""
    return f"gis_{agency.slug}"


def role_name(agency: Agency) -> str:
    """The role that may read the agency's views. Roles belong to the whole server, so the database is part of the name."""
    name = f"{connection.settings_dict['NAME']}_gis_{agency.slug}"
    if len(name) <= LONGEST_NAME:
        return name
    # The server cuts longer names silently, and two agencies could get one role.
    return f"{name[: LONGEST_NAME - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def postgis_ensure() -> None:
    """Switch PostGIS on in this database. Raises ``MissionsError`` where the database has none."""
    if connection.vendor != "postgresql":
        raise MissionsError(
            "Views for QGIS need PostgreSQL with PostGIS; this database is SQLite.",
            next_step="set DATABASE_URL to a PostgreSQL database, or use the GeoJSON exports.",
        )
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'postgis'")
        if cursor.fetchone():
            return
        cursor.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'postgis'")
        if not cursor.fetchone():
            raise MissionsError("The database server has no PostGIS.", next_step=f"{INSTALL}.")
        try:
            with transaction.atomic():
                cursor.execute("CREATE EXTENSION postgis")
        except DatabaseError as exc:
            raise MissionsError(
                "PostGIS is installed but not switched on, and this database user may not do it.",
                next_step="as the server's superuser, in this database: CREATE EXTENSION postgis;",
            ) from exc


@transaction.atomic
def gis_views_make(*, agency: Agency, progress: Progress = no_progress) -> dict[str, int]:
    """Make the agency's schema, views and role, or make them anew; returns rows by view.

    All or nothing. Raises ``MissionsError`` where the user may not create roles or schemas, and where a schema of this name is
    somebody else's.
    """
    schema = schema_name(agency)
    _check_ours(schema)
    _role_ensure(role_name(agency))
    try:
        with transaction.atomic():
            _execute("DROP SCHEMA IF EXISTS {} CASCADE", schema)
            _execute("CREATE SCHEMA {}", schema)
            _execute("COMMENT ON SCHEMA {} IS {}", schema, literals=(MARK,))
    except DatabaseError as exc:
        raise MissionsError(
            f"This database user may not create the schema {schema}.",
            next_step="as the database's owner: GRANT CREATE ON DATABASE … TO this user.",
        ) from exc
    _tables_make(agency, schema, progress)
    _views_make(agency, schema)
    _execute("REVOKE ALL ON SCHEMA {} FROM PUBLIC", schema)
    _execute("GRANT USAGE ON SCHEMA {} TO {}", schema, role_name(agency))
    for view in VIEWS:
        _execute("GRANT SELECT ON {}.{} TO {}", schema, view, role_name(agency))
    return {view: _execute("SELECT count(*) FROM {}.{}", schema, view)[0][0] for view in VIEWS}


@transaction.atomic
def gis_views_drop(*, agency: Agency) -> bool:
    """Remove the agency's schema and role; returns whether there was a schema."""
    schema, role = schema_name(agency), role_name(agency)
    found = _check_ours(schema)
    _execute("DROP SCHEMA IF EXISTS {} CASCADE", schema)
    if _role_exists(role):
        try:
            with transaction.atomic():
                _execute("DROP ROLE {}", role)
        except DatabaseError as exc:
            raise MissionsError(
                f"The role {role} cannot be dropped: {str(exc).splitlines()[0]}.",
                next_step=f'take its other rights away, or as a superuser: DROP OWNED BY "{role}"; DROP ROLE "{role}";',
            ) from exc
    return found


def _execute(text: str, *names: str, literals: tuple[Any, ...] = ()) -> list[Any]:
    """Run a statement whose {} are names, then literal values, each quoted by the driver."""
    # Here: an installation on SQLite has no need of the driver.
    from psycopg import sql

    parts = [*(sql.Identifier(name) for name in names), *(sql.Literal(value) for value in literals)]
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(text).format(*parts))
        return list(cursor.fetchall()) if cursor.description else []


def _check_ours(schema: str) -> bool:
    """Whether the schema is there. Raises ``MissionsError`` where it is not this command's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = %s", [schema]
        )
        row = cursor.fetchone()
    if row and row[0] != MARK:
        raise MissionsError(
            f"A schema {schema} exists that this command has not made.",
            next_step="rename that schema: this command would drop it with all that is in it.",
        )
    return row is not None


def _role_exists(role: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
        return cursor.fetchone() is not None


def _role_ensure(role: str) -> None:
    if _role_exists(role):
        return
    try:
        with transaction.atomic():
            _execute("CREATE ROLE {} NOLOGIN", role)
    except DatabaseError as exc:
        raise MissionsError(
            "This database user may not create roles.",
            next_step=f'as the server\'s superuser: CREATE ROLE "{role}" NOLOGIN; then run this again.',
        ) from exc


def _tables_make(agency: Agency, schema: str, progress: Progress) -> None:
    """The squares of every grid that missions lie on, and the latest published forecast, unpacked."""
    _execute(
        "CREATE TABLE {}.{} (grid_id bigint, cell_id bigint, beat text, district text, in_use boolean, "
        "geom geometry(Polygon, 4326), PRIMARY KEY (grid_id, cell_id))",
        schema, "cell_squares",
    )  # fmt: skip
    _execute(
        "CREATE TABLE {}.{} (cell_id bigint, crime_type_id bigint, run_id bigint, model text, expected double precision, "
        "PRIMARY KEY (cell_id, crime_type_id))",
        schema, "cell_risk",
    )  # fmt: skip
    run = _latest_run(agency)
    plans = MissionPlan.objects.filter(agency=agency, state=MissionPlan.State.PUBLISHED)
    used = set(plans.values_list("grid", flat=True).distinct())
    grids = [
        grid
        for grid in Grid.objects.filter(agency=agency).order_by("pk")
        if grid.pk in used or grid.is_active
    ]
    shown = run.grid_id if run else next((grid.pk for grid in grids if grid.is_active), None)
    codes = {
        pk: (code, district)
        for pk, code, district in Beat.objects.filter(agency=agency).values_list(
            "pk", "code", "district__code"
        )
    }
    for number, grid in enumerate(grids):
        progress(number, len(grids), "grids")
        _squares_write(schema, grid, codes, shown == grid.pk)
    progress(len(grids), len(grids), "grids")
    _execute("CREATE INDEX ON {}.{} USING gist (geom)", schema, "cell_squares")
    if run is not None and run.grid is not None:
        spec = grid_spec(run.grid)
        surfaces = RiskSurface.objects.filter(agency=agency, run=run)
        for surface in surfaces.select_related("model_version__crime_type"):
            _rows_write(
                schema, "cell_risk",
                "SELECT c, %s::bigint, %s::bigint, %s::text, e FROM unnest(%s::bigint[], %s::float8[]) AS made (c, e)",
                [surface.crime_type_id, run.pk, str(surface.model_version), spec.cells.tolist(),
                 surface_values(surface, run.grid).astype(np.float64).tolist()],
            )  # fmt: skip


def _latest_run(agency: Agency) -> ForecastRun | None:
    """The forecast behind the newest published plan; None before the first."""
    plan = (
        MissionPlan.objects.filter(
            agency=agency, state=MissionPlan.State.PUBLISHED, forecast_run__isnull=False
        )
        .select_related("forecast_run__grid")
        .order_by("-period_from", "-pk")
        .first()
    )
    return plan.forecast_run if plan else None


def _squares_write(schema: str, grid: Grid, codes: dict[int, tuple[str, str]], in_use: bool) -> None:
    spec = grid_spec(grid)
    at = np.arange(len(spec))
    rings = spec.rings_lonlat(at)
    texts = [f"POLYGON(({','.join(f'{lon} {lat}' for lon, lat in ring)}))" for ring in rings.tolist()]
    beats = [codes.get(pk, (None, None)) for pk in cell_beats(grid).tolist()]
    _rows_write(
        schema, "cell_squares",
        "SELECT %s::bigint, c, b, d, %s::boolean, ST_GeomFromText(g, 4326) "
        "FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[]) AS made (c, b, d, g)",
        [grid.pk, in_use, spec.cells.tolist(), [b for b, _ in beats], [d for _, d in beats], texts],
    )  # fmt: skip


def _rows_write(schema: str, table: str, select: str, values: list[Any]) -> None:
    from psycopg import sql

    head = sql.SQL("INSERT INTO {}.{} ").format(sql.Identifier(schema), sql.Identifier(table))
    with connection.cursor() as cursor:
        cursor.execute(head + sql.SQL(select), values)


def _views_make(agency: Agency, schema: str) -> None:
    """The views. ``security_barrier``: a function of the reader's own must not see the rows that the view leaves out."""
    from psycopg import sql

    tables = {
        model.__name__.lower(): sql.Identifier(model._meta.db_table)
        for model in (Beat, CrimeType, District, Engagement, ForecastRun, Mission, MissionPlan, Shift)
    }
    own = {
        "squares": sql.Identifier(schema, "cell_squares"),
        "cell_risk": sql.Identifier(schema, "cell_risk"),
    }
    for name, select in _SELECTS.items():
        head = sql.SQL("CREATE VIEW {} WITH (security_barrier) AS ").format(sql.Identifier(schema, name))
        body = sql.SQL(select).format(agency=sql.Literal(agency.pk), **tables, **own)  # constants below
        with connection.cursor() as cursor:
            cursor.execute(head + body)


_AREA = (
    "ST_Multi(ST_SetSRID(ST_GeomFromGeoJSON({}.geometry::text), 4326))::geometry(MultiPolygon, 4326) AS geom"
)
_SELECTS = {
    "districts": "SELECT d.id, d.code, d.name, "  # nosec B608 - constants, put together by psycopg.sql
    + _AREA.format("d")
    + " FROM {district} d WHERE d.agency_id = {agency}",
    "beats": "SELECT b.id, b.code, b.name, d.code AS district, "  # nosec B608 - constants, put together by psycopg.sql
    + _AREA.format("b")
    + " FROM {beat} b JOIN {district} d "
    "ON d.id = b.district_id WHERE b.agency_id = {agency}",
    "cells": """
        SELECT c.cell_id AS id, c.beat, c.district, r.expected, r.harm, s.slug AS shift, f."on", f.period_from, f.period_to,
               f.as_of AS forecast_as_of, c.geom
        FROM {squares} c
        LEFT JOIN (
            SELECT k.cell_id, k.run_id, sum(k.expected) AS expected, sum(k.expected * t.weight) AS harm
            FROM {cell_risk} k JOIN {crimetype} t ON t.id = k.crime_type_id GROUP BY k.cell_id, k.run_id
        ) r ON r.cell_id = c.cell_id
        LEFT JOIN {forecastrun} f ON f.id = r.run_id
        LEFT JOIN {shift} s ON s.id = f.shift_id
        WHERE c.in_use""",
    "risk": """
        SELECT row_number() OVER (ORDER BY k.crime_type_id, k.cell_id) AS id, k.cell_id, c.beat, c.district, t.slug AS crime_type,
               k.expected, t.weight, k.model, s.slug AS shift, f."on", f.period_from, f.period_to, f.as_of AS forecast_as_of, c.geom
        FROM {cell_risk} k
        JOIN {squares} c ON c.cell_id = k.cell_id AND c.in_use
        JOIN {crimetype} t ON t.id = k.crime_type_id
        JOIN {forecastrun} f ON f.id = k.run_id
        JOIN {shift} s ON s.id = f.shift_id""",
    "missions": """
        SELECT m.id, m.plan_id, s.slug AS shift, p."on", m.number, b.code AS beat, d.code AS district, m.cell_id,
               t.slug AS crime_type, m.starts_at, m.dose_minutes, m.expected, m.harm, m.probability, m.source,
               m.withdrawn_at IS NOT NULL AS is_withdrawn,
               EXISTS (SELECT FROM {engagement} e WHERE e.mission_id = m.id) AS was_visited, c.geom
        FROM {mission} m
        JOIN {missionplan} p ON p.id = m.plan_id AND p.state = 'published'
        JOIN {shift} s ON s.id = p.shift_id
        JOIN {beat} b ON b.id = m.beat_id
        JOIN {district} d ON d.id = b.district_id
        JOIN {crimetype} t ON t.id = m.crime_type_id
        LEFT JOIN {squares} c ON c.grid_id = p.grid_id AND c.cell_id = m.cell_id
        WHERE m.agency_id = {agency}""",
    "visits": """
        SELECT e.id, e.mission_id, s.slug AS shift, p."on", b.code AS beat, m.cell_id, t.slug AS crime_type, e.arrived_at, e.left_at,
               extract(epoch FROM e.left_at - e.arrived_at) / 60 AS minutes, e.source, c.geom
        FROM {engagement} e
        JOIN {mission} m ON m.id = e.mission_id
        JOIN {missionplan} p ON p.id = m.plan_id AND p.state = 'published'
        JOIN {shift} s ON s.id = p.shift_id
        JOIN {beat} b ON b.id = m.beat_id
        JOIN {crimetype} t ON t.id = m.crime_type_id
        LEFT JOIN {squares} c ON c.grid_id = p.grid_id AND c.cell_id = m.cell_id
        WHERE e.agency_id = {agency}""",
}
