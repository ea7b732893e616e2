"""The report of a backtest: one HTML file that needs nothing else, with what was done, found, left out and meant."""

import base64
import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from forecasting.engine.bench.charts import (
    hit_rate_svg,
    log_skill_svg,
    reliability_svg,
    weekly_svg,
)
from forecasting.engine.bench.league import CategoryLeague, ModelFigures
from forecasting.engine.drawing import model_label
from forecasting.engine.metrics import MAIN_AREA, Estimate

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:74rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
h1,h2,h3{line-height:1.2}table{border-collapse:collapse;margin:1rem 0;display:block;overflow-x:auto}
caption{text-align:left;font-weight:600;padding:.2rem 0}th,td{padding:.25rem .6rem;border-bottom:1px solid #ddd;text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left;white-space:normal}th{white-space:normal;vertical-align:bottom}td small{color:#555;display:block}tr.written td{background:#e8f2fa}tr.best td{background:#fcefe6}
figure{display:inline-block;margin:.5rem 1rem .5rem 0;vertical-align:top}figcaption{font-size:14px;color:#444;max-width:34rem}
img{max-width:100%}dt{font-weight:600}dd{margin:0 0 .5rem 0}
"""
FEW_BLOCKS = 8
"""Fewer weeks than this, drawn with replacement, say little of how much they differ."""
DEFINITIONS = (
    (
        "Hit rate",
        "The share of all crimes that fell inside the flagged cells. Crimes outside every cell count as missed.",
    ),
    ("PAI", "Predictive accuracy index: the hit rate divided by the flagged share of the area. 1 is chance."),
    (
        "PEI*",
        "The crimes inside the flagged cells, divided by the most that any choice of as many cells could have held.",
    ),
    (
        "Log score and log skill",
        "Log score: the mean Poisson log-likelihood of a cell in a period. Log skill: how many nats a crime the forecast is "
        "better than the best baseline; above zero is better.",
    ),
    (
        "Expected / observed",
        "All expected crimes divided by all observed ones. 1 means that the level is right.",
    ),
    (
        "Best baseline",
        "The plain count that did best on the time before the test, never on the test itself: by log score for the log skill, "
        "and for each area by the crimes inside it and inside twice the area, for the lift.",
    ),
    ("Lift", "The hit rate divided by that of the area's best baseline."),
    (
        "Intervals",
        "95 %, by drawing whole weeks (or periods, where these are as long) 1,000 times with replacement, the same draws for "
        "all models. With 13 weeks they cover a little less than they say. PAI is the hit rate times a constant, and so is "
        "its interval; the lift compares hit rate, PAI and PEI* at once, for what they are divided by cancels.",
    ),
    (
        "Seconds",
        "Of all fits, and of all forecasts, together. Their intervals draw whole fits with replacement, the same for all models: "
        "one fit has none, and a few fits tell little. Other work on the machine is in them.",
    ),
    (
        "Ties",
        "Among cells with the same score those without crime are taken first: giving many cells one score wins nothing.",
    ),
    (
        "Point-process methods",
        "Prospective hot spot, self-exciting process and risk terrain give intensities without a level: each is scaled to the "
        "same city-wide level as the others, and a small share, chosen before the test, is spread evenly over the city: "
        "without it one crime in a cell with an intensity of zero would make the log score infinite.",
    ),
    (
        "Honest origins",
        "A forecast knows only what had been reported before its period began; models are fitted only on what had been "
        "reported before their origin; a layer is not seen before the day from which it is valid.",
    ),
)


@dataclass(frozen=True)
class About:
    """What the report says of the run itself: rows of (name, value), and what was left out and why."""

    title: str
    facts: Sequence[tuple[str, str]]
    left_out: Sequence[tuple[str, str]]
    written: str


def report_html(about: About, leagues: Sequence[CategoryLeague]) -> str:
    """The whole page; pictures are inside it as data."""
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(about.title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{_text(about.title)}</h1>",
        _pairs("The run", about.facts),
        f"<p>The forecast that is written beside this report is that of <b>{_text(model_label(about.written))}</b>. "
        "The same figures, unrounded, are in league.csv and league.json.</p>",
        _pairs("Left out, and why", about.left_out or [("Nothing", "every row of the file was used")]),
        *(_category(league) for league in leagues),
        "<h2>What the words mean</h2><dl>",
        *(f"<dt>{_text(word)}</dt><dd>{_text(meaning)}</dd>" for word, meaning in DEFINITIONS),
        "</dl></body></html>\n",
    ]
    return "\n".join(parts)


def _category(league: CategoryLeague) -> str:
    pictures: tuple[tuple[Callable[[CategoryLeague], bytes], str], ...] = (
        (
            hit_rate_svg,
            "Crimes inside the flagged area. Blue: the written forecast, orange: the best baseline, grey: others.",
        ),
        (
            reliability_svg,
            "Ten bands of equal expected counts, riskiest cells first. On the line the forecast means what it says.",
        ),
        (log_skill_svg, "Log skill against the best baseline, with 95 % intervals."),
        (weekly_svg, "Crimes expected and observed."),
    )
    name = league.category
    baselines: dict[str, list[str]] = {}
    for area, best in league.best_by_area.items():
        baselines.setdefault(best, []).append(area)
    by_area = "; ".join(f"{model_label(best)} ({', '.join(areas)})" for best, areas in baselines.items())
    even = ", ".join(f"{model_label(model)} {share:.0%}" for model, share in league.even_shares.items())
    return "\n".join(
        [
            f"<h2>{_text(name)}</h2>",
            f"<p>{league.events:,} crimes in {league.periods:,} periods over {league.cells:,} cells; {league.outside_cells:,} of "
            f"them outside every cell. Best baseline before the test, by log score: {_text(model_label(league.best_baseline.name))}; "
            f"by area: {_text(by_area)}." + (f" Spread evenly: {_text(even)}." if even else "") + "</p>",
            _few_blocks(len(league.blocks)),
            _league(league),
            *(_area(league, area) for area in league.best_by_area),
            *(_figure(draw(league), f"{name}: {caption}") for draw, caption in pictures),
        ]
    )


def _few_blocks(n: int) -> str:
    if n >= FEW_BLOCKS:
        return ""
    return (
        f"<p><b>Weeks (or longer periods) tested: {n}. Intervals from so few are far too narrow. "
        "Test 13 or more before you conclude anything.</b></p>"
    )


def _league(league: CategoryLeague) -> str:
    rows = [
        [
            _estimate(model.log_skill, 3, sign=True),
            _estimate(model.log_score, 6),
            _estimate(model.log_gain, 7, sign=True),
            _estimate(model.calibration, 3),
            _seconds(model.fit_seconds, model.fits),
            _seconds(model.forecast_seconds, model.fits),
        ]
        for model in league.models
    ]
    head = (
        *("Log skill, nats a crime", "Log score", "Log score minus the best baseline’s"),
        *("Expected / observed", "Fit, s", "Forecast, s"),
    )
    return _table(f"League, {league.category} (best log score first)", head, league.models, rows)


def _area(league: CategoryLeague, area: str) -> str:
    found = [next(one for one in model.areas if one.area == area) for model in league.models]
    rows = [
        [
            _estimate(one.hit_rate, 1, percent=True),
            _estimate(one.pai, 1),
            _estimate(one.pei_star, 3),
            _estimate(one.lift, 2),
        ]
        for one in found
    ]
    caption = f"{league.category} at {area} ({found[0].cells:,} cells)"
    table = _table(caption, ("Hit rate", "PAI", "PEI*", "Lift over the best baseline"), league.models, rows)
    mark = " open" if area == MAIN_AREA else ""
    return f"<details{mark}><summary>Hit rate, PAI, PEI* and lift at {_text(area)}</summary>{table}</details>"


def _table(
    caption: str, head: Sequence[str], models: Sequence[ModelFigures], rows: Sequence[Sequence[str]]
) -> str:
    lines = [f"<table><caption>{_text(caption)}</caption><tr><th>Model</th>"]
    lines += [*(f"<th>{_text(word)}</th>" for word in head), "</tr>"]
    for model, cells in zip(models, rows, strict=True):
        mark = ' class="written"' if model.is_written else ' class="best"' if model.is_best_baseline else ""
        lines.append(f"<tr{mark}><td>{_text(model_label(model.name) + _note(model))}</td>")
        lines += [*(f"<td>{cell}</td>" for cell in cells), "</tr>"]
    return "".join([*lines, "</table>"])


def _note(model: ModelFigures) -> str:
    note = " (written)" if model.is_written else " (best baseline)" if model.is_best_baseline else ""
    if model.stood_in_fits:
        note += f"; best baseline stood in at {model.stood_in_fits} fit(s): too few crimes to learn from"
    return note


def _estimate(estimate: Estimate, digits: int, *, percent: bool = False, sign: bool = False) -> str:
    factor, unit = (100.0, " %") if percent else (1.0, "")
    middle = _number(factor * estimate.value, digits, sign)
    if not math.isfinite(estimate.value):
        return middle
    if not math.isfinite(estimate.low):
        return f"{middle}{unit} <small>[no interval]</small>"
    low, high = _number(factor * estimate.low, digits, sign), _number(factor * estimate.high, digits, sign)
    return f"{middle}{unit} <small>[{low}, {high}]</small>"


def _seconds(estimate: Estimate, fits: int) -> str:
    return _estimate(estimate, 1).replace(
        "no interval", "one fit, no interval" if fits == 1 else "no interval"
    )


def _number(value: float, digits: int, sign: bool = False) -> str:
    if not math.isfinite(value):
        return "n/a"
    return f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"


def _figure(svg: bytes, caption: str) -> str:
    data = base64.b64encode(svg).decode("ascii")
    text = _text(caption)
    return f'<figure><img src="data:image/svg+xml;base64,{data}" alt="{text}"><figcaption>{text}</figcaption></figure>'


def _pairs(title: str, pairs: Sequence[tuple[str, str]]) -> str:
    rows = "".join(f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>" for name, value in pairs)
    return f"<h2>{_text(title)}</h2><dl>{rows}</dl>"


def _text(value: str) -> str:
    return html.escape(value, quote=True)
