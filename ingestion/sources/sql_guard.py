"""Let one SELECT through and nothing else.

The database account should be able to read only, and PostgreSQL is asked in a read-only transaction besides; this is
the first of three doors, and the one that can explain itself.
"""

import re

from django.utils.translation import gettext as _

_LITERALS = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\$(\w*)\$.*?\$\1\$|--[^\n]*|/\*.*?\*/", re.DOTALL)
_FORBIDDEN = re.compile(
    r"\b(?:insert|update|delete|merge|into|create|drop|alter|truncate|grant|revoke|call|exec|execute|copy|do|lock|vacuum|"
    r"attach|detach|pragma|listen|notify|set|reset|begin|commit|rollback|prepare|load|shutdown|kill|"
    r"pg_sleep\w*|pg_read_file|pg_read_binary_file|pg_ls_\w+|pg_stat_file|pg_terminate_backend|pg_cancel_backend|pg_reload_conf|"
    r"lo_\w+|dblink\w*|query_to_xml\w*|cursor_to_xml\w*|table_to_xml\w*|schema_to_xml\w*|database_to_xml\w*|xp_cmdshell|openrowset|"
    r"load_file|benchmark|sleep)\b"
)


def select_problem(sql: str) -> str:
    """What is wrong with a query, or nothing if it is one SELECT that only reads.

    >>> select_problem("SELECT id, 'it''s; DROP' AS word FROM calls;"), select_problem("DELETE FROM calls")
    ('', 'it does not begin with SELECT or WITH')
    """
    bare = _LITERALS.sub(lambda found: " " if _is_comment(found[0]) else " x ", sql).strip()
    # What a literal ends is a matter of dialect: what is left of one after all, hides nothing.
    if any(mark in bare for mark in ("'", '"', "/*", "$$", "`", "\\")):
        return _("a quotation mark or comment in it is never closed, or it holds a backslash or back-quote")
    bare = bare.rstrip(";").strip().lower()
    if ";" in bare:
        return _("it holds more than one statement")
    if not re.match(r"(?:select|with)\b", bare):
        return _("it does not begin with SELECT or WITH")
    found = _FORBIDDEN.search(bare)
    return _("the word %(word)s is not allowed in it") % {"word": found[0].upper()} if found else ""


def bare_query(sql: str) -> str:
    """The query without comments and closing semicolon, ready to stand inside another one."""
    return (
        _LITERALS.sub(lambda found: " " if _is_comment(found[0]) else found[0], sql)
        .strip()
        .rstrip(";")
        .strip()
    )


def _is_comment(text: str) -> bool:
    return text.startswith(("--", "/*"))
