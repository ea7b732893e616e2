"""The values of which malformed requests are made: each was once the undoing of some server."""

from __future__ import annotations

import gzip
import io
import json
import zipfile

NINES = "9" * 30
TEXTS = (
    "", " ", "0", "-1", "1", "2", "-0", "007", "1_000", "+1", "0x10", "1e5", "0.5", ".", "-", "1e999", "-1e999", "NaN", "nan", "Infinity",
    "-inf", str(2**31), str(2**31 - 1), str(-(2**31) - 1), str(2**63), str(2**63 - 1), str(-(2**63) - 1), str(2**64), NINES, "-" + NINES, "1" * 5000,
    "true", "false", "null", "None", "undefined", "on", "[]", "{}", "[object Object]", '{"a":', '"', "'", "\\", "\x00", "a\x00b", "%00", "%", "%zz", "%ff%fe",
    "%C0%AF", "%ED%A0%BD", "\ud83d", "a\udfffb", "\ufffe", "\uffff", "\x85", "\x1f", "\x7f", "\u2028", "\u202e", "\u200b", "\ufeff1", "e\u0301" * 50,
    "٣", "１２", "²", "½", "Ⅷ", "i̇", "ß", "ﷺ", "💩", "👩‍👩‍👧", "2025-02-30", "0000-00-00", "0001-01-01", "9999-12-31", "10000-01-01", "-0001-01-01",
    "2025-13-01", "2025-W01-1", "20250101", "2025-1-1", "2026-03-14", "2026-03-14T25:61", "9999-12-31T25:61", "2026-03-14T12:00:00Z",
    "2026-03-14T12:00:00+99:99", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2026-03-08T02:30", "24:00", "23:60", "00:00:60", "today", "now",
    "tomorrow", "../../etc/passwd", "..%2f..%2f", "/", "//", "//example.org", "http://127.0.0.1:1/", "javascript:alert(1)", "file:///etc/passwd", "C:\\con",
    "' OR 1=1 --", "1; DROP TABLE x", "<script>alert(1)</script>", "{{7*7}}", "{% debug %}", "${7*7}", "$(id)", "`id`", "%s%s%n", "&&&==", "a[b][c]=1",
    "\r\nX-Odd: 1", "\n", "\t", "a" * 300, "a" * 3000, "ä" * 1500, "1,2,3", "1:2", ",", ",,,,", "-87.7,41.8,-87.6,41.9", "1,2,3,4,5", "nan,nan,nan,nan",
    "1e308,1e308,1e308,1e308", "-181,-91,181,91", "41.8,-87.7,41.8,-87.7", "POINT(0 0)", "POLYGON((0 0,1 1,0 0))", '{"type":"Point","coordinates":[0,0]}',
    '{"type":"Polygon","coordinates":[]}', '{"type":"Polygon","coordinates":[[[0,0],[1,1]]]}', '{"type":"Polygon","coordinates":[[[NaN,0],[1,1],[1,0],[NaN,0]]]}',
    '{"type":"Polygon","coordinates":[[[1e400,0],[1,1],[1,0],[1e400,0]]]}', '{"type":"GeometryCollection","geometries":[]}',
    '{"type":"MultiPolygon","coordinates":[[[["a","b"]]]]}', "[" * 3000, '{"a":' * 300, "riverton", "lakeside", "burglary", "robbery", "harm", "night", "R11",
    "R11,R11", "id", "-id", "pk", "__class__", "agency__name", "password", "..", "*", "?", "#", "~", "csv", "json", "xml", "es", "xx", "zz-ZZ",
    "00000000-0000-0000-0000-000000000000", "AAAA", "eyJ9", "W10=", "bnVsbA==", "====", "gAAAAA", "_" * 40, "-" * 40, "(?:a+)+$", "a" * 60 + "!", "1970-01-01",
)  # fmt: skip
NAMES = ["page", "q", "o", "p", "on", "from", "to", "shift", "sort", "agency", "bbox", "limit", "offset", "cursor", "next", "format", "lang", "id", "e", "all",
         "_popup", "_to_field", "_changelist_filters", "ot", "-ot", "action", "select_across", "_selected_action", "index", "a[]", "__proto__", "id__in",
         "agency__id__exact", "at__gte", "at__year", "pk__regex", "password__startswith", "user__password__contains", "_save", "_saveasnew", "as_of"]  # fmt: skip
QUERIES = (
    "=", "&", "&&&&&", "a", "a&a&a", "=a", "a==b", "?", "%", "%%%", "%u0041=1", "a=1;b=2", "&".join(f"x{n}=1" for n in range(500)), "page=1" + "&page=2" * 300,
    "a=" + "b" * 3500, "%00=%00", "\xff=\xff", "page[]=1", "page=%0d%0aSet-Cookie:%20a=b",
)  # fmt: skip
ADDRESSES = (
    b"@/", b"@//", b"/@", b"//@", b"@%2f", b"@%00", b"@;a=1", b"@?", b"@#a", b"@.", b"@..", b"@../", b"@%2e%2e%2f", b"@.json", b"@~", b"@%20", b"@\\", b"@%5c", b"@%",
    b"@%zz", b"@%ff", b"@\xff", b"@ ", b"@\t", b"@\x00", b"*", b"", b"@@", b"@/@/@", b"http://127.0.0.1@", b"http://example.org@", b"ftp://a@", b"127.0.0.1:80", b"/static@",
    b"/static/..%2f..%2fmanage.py", b"/static/%00", b"/static//etc/passwd", b"@" + b"a" * 3000, b"@" + b"/a" * 1200, b"@" + b"%41" * 1000, b"/%2561dmin/", b"@%F0%9F%92%A9",
    b"@%ED%A0%BD", b"@%C0%AF", b"@[", b"http://[::1@", b"@\xe2\x80\xae", b"@%0d%0aX-Odd:%201", b"@index.html", b"@static/", b"/%40",
)  # fmt: skip
METHODS = (
    b"POST", b"PUT", b"PATCH", b"DELETE", b"HEAD", b"OPTIONS", b"TRACE", b"CONNECT", b"BREW", b"PROPFIND", b"MKCOL", b"LOCK", b"PRI", b"SEARCH", b"get", b"Get", b"G\x00T",
    b"GET\t", b" GET", b"", b"A" * 20, b"A" * 300, b"GE T", b"\xff\xfe", b"123", b"G", b"GET\r", b"-", b"GET/",
)  # fmt: skip
HEADERS: dict[bytes, list[bytes]] = {
    b"Range": [b"bytes=0-", b"bytes=-1", b"bytes=5-1", b"bytes=0-0,1-1,2-2", b"bytes=" + b"0-1," * 500, b"lines=1-2", b"bytes=a-b", b"bytes=99999999999999999999-"],
    b"If-None-Match": [b"*", b'""', b'"a', b"W/", b'W/"' + b"a" * 3000 + b'"', b'"a",' * 300, b"\xff", b'"\x00"'],
    b"If-Match": [b"*", b'"1"', b"1", b"", b'W/"1"', b'"' + b"9" * 30 + b'"', b",,,"],
    b"If-Modified-Since": [b"0", b"yesterday", b"Thu, 99 Foo 9999 99:99:99 GMT", b"Thu, 01 Jan 0000 00:00:00 GMT", b"Fri, 31 Dec 99999 23:59:59 GMT", b"Sat, 14-Mar-9999999999 00:00:00 GMT"],
    b"If-Unmodified-Since": [b"", b"Thu, 30 Feb 2025 00:00:00 GMT", b"Sunday, 06-Nov-00 08:49:37 GMT"],
    b"Accept": [b"", b"*", b"*/*;q=x", b"a/b;q=99", b"text/html;q=0", b"application/json;v=" + b"1" * 2000, b"," * 500, b"\x7f", b"text/csv", b"image/tiff", b"a/b/c", b"/"],
    b"Accept-Language": [b"", b"*", b"xx", b"es;q=nan", b"es-" + b"a" * 3000, b"en;q=1," * 400, b"zh-Hant-\x00", b"../../es", b"e\xff", b"es;q=1e9", b"-", b"_"],
    b"Accept-Encoding": [b"gzip;q=x", b"*;q=0", b"br, " * 500, b"identity;q=0"],
    b"Host": [b"", b"example.org", b"127.0.0.1:99999", b"127.0.0.1:x", b"[::1", b"a b", b"\xff", b"localhost:0", b"127.0.0.1, 127.0.0.1", b"a" * 3000, b"127.0.0.1/..", b"@"],
    b"X-Forwarded-For": [b"", b"::1", b"a", b"," * 300, b"127.0.0.1" + b", 10.0.0.1" * 300, b"' OR 1=1", b"\x00", b"999.999.999.999", b"fe80::1%eth0"],
    b"X-Forwarded-Host": [b"example.org", b"", b"\xff"],
    b"X-Forwarded-Proto": [b"https", b"ftp", b"https, http", b""],
    b"X-Request-ID": [b"", b"a" * 3000, b"\xff", b"a\x00b", b"<script>"],
    b"Referer": [b"http://", b"http://[", b"http://[::1", b"\xff", b"a" * 3000, b"https://example.org/", b"//"],
    b"Origin": [b"null", b"http://[", b"http://127.0.0.1", b"\xff", b"http://a:b:c"],
    b"Content-Type": [b"", b";", b"a", b"application/json; charset=xx", b"multipart/form-data", b"text/html; charset=\x00", b"a/b; " + b"c=d; " * 300],
    b"Content-Encoding": [b"gzip", b"x"],
    b"HX-Request": [b"true", b"x"],
    b"HX-Current-URL": [b"", b"http://[", b"\xff", b"a" * 3000, b"javascript:1"],
    b"HX-Target": [b"<x>", b"\xff"],
    b"HX-Trigger": [b"{", b'{"a":'],
    b"Triggering-Event": [b"{", b"null", b"%ff"],
    b"X-HTTP-Method-Override": [b"DELETE", b"x"],
    b"Idempotency-Key": [b"", b"a" * 3000, b"\xff", b"\x00", b"a b"],
    b"Expect": [b"100-continue", b"x"],
    b"Upgrade": [b"websocket", b"h2c"],
    b"Transfer-Encoding": [b"identity", b"gzip", b"x"],
    b"Cookie": [],
    b"Authorization": [],
    b"User-Agent": [b"", b"\xff" * 100, b"a" * 4000, b"() { :; }; echo"],
    b"Via": [b"1.1 " * 300],
    b"X-Odd": [],
    b"X_Odd": [b"1"],
    b"X-Odd ": [b"1"],
    b"": [b"1"],
    b"X:Odd": [b"1"],
    b"\xff": [b"1"],
    b"Content-Length": [b"0", b"5"],
}  # fmt: skip
MANY_HEADERS = (
    [(b"X", b"y")] * 90,
    [(b"X", b"y")] * 200,
    [(b"X-%d" % n, b"y" * 500) for n in range(60)],
    [(b"X", b"y" * 7000)],
    [(b"X", b"y" * 9000)],
    [(b"Host", b"127.0.0.1"), (b"Host", b"example.org")],
    [(b"X", b"y\r\n folded")],
    [(b"X", b"y\n\nz")],
    [(b"X", b"y\r")],
)
COOKIES = (
    b"", b"=", b"=;=;", b";;;;", b"sessionid", b"sessionid=", b"sessionid=x", b"sessionid=@x", b"sessionid=@; sessionid=x", b"sessionid=x; sessionid=@", b'sessionid="@"',
    b"sessionid=@; csrftoken=\x80", b"sessionid=@; csrftoken=" + b"a" * 3000, b"sessionid=" + b"a" * 3500, b"sessionid=%00", b"sessionid=\x00", b"sessionid=\xff\xfe",
    b"sessionid=@; django_language=../../x", b"sessionid=@; django_language=\xff", b"sessionid=@; django_language=es; django_language=xx", b"sessionid=@; messages=x",
    b'sessionid=@; messages="[[1' + b"[" * 500, b"sessionid=@; messages=W1tdXQ:1:x", b"sessionid=@; look=" + b"9" * 30, b"sessionid=@; theme=<script>", b"sessionid=@; a=\"\\377\\400\"",
    b"sessionid=@; " + b"a=b; " * 600, b"sessionid='; DROP TABLE x", b"$Version=1; sessionid=@", b"sessionid=@, sessionid=x", b"__Host-sessionid=@", b"sessionid=@; expires=x",
    b"sessionid=@; csrftoken=\"", b"sessionid=..%2f..%2fx", b"sessionid=" + b"a" * 32, b"sessionid=@\r\n x",
)  # fmt: skip
WORDS = (
    b"",
    b"a",
    b"a" * 31,
    b"a" * 32,
    b"b" * 32,
    b"a" * 64,
    b"a" * 65,
    b"a" * 3000,
    b"%00",
    b"!" * 32,
    b"a" * 31 + b"-",
    b"null",
    b"1e9",
    b"aaaa aaaa",
    b"'",
)
ORIGINS = (
    b"null",
    b"http://127.0.0.1",
    b"https://example.org",
    b"http://[",
    b"x",
    b"http://127.0.0.1:99999",
    b"",
)
ONCE = (b"Idempotency-Key", b"If-Match")
TYPES = (
    b"", b"x", b";", b"/", b"text/plain", b"text/csv", b"text/csv; charset=utf-16", b"text/html", b"application/xml", b"application/json; charset=utf-16",
    b"application/json; charset=nothing", b"application/json; charset=\x00", b"application/json;;;", b"APPLICATION/JSON", b"application/jsonp", b"application/x-ndjson",
    b"application/x-www-form-urlencoded", b"application/x-www-form-urlencoded; charset=utf-7", b"application/x-www-form-urlencoded; charset=idna",
    b"application/x-www-form-urlencoded; charset=rot13", b"application/x-www-form-urlencoded; charset=base64", b"application/x-www-form-urlencoded; charset=utf-16",
    b"multipart/form-data", b"multipart/form-data; boundary=", b"multipart/form-data; boundary=\xff", b"multipart/form-data; boundary=" + b"a" * 500, b"multipart/mixed; boundary=x",
    b"multipart/form-data; boundary*=utf-8''%ff", b"image/png", b"application/gzip", b"application/zip", b"application/octet-stream", b"a/b; c*0=d; c*1=e", b"a" * 3000,
)  # fmt: skip
LENGTHS = (
    (b"-1",), (b"-0",), (b"x",), (b"",), (b" ",), (b"1e3",), (b"0x10",), (b"1_0",), (b"+5",), (b"5 5",), (b"9" * 30,), (b"99999",), (b"1",), (b"0",), (b"5", b"5"), (b"5", b"6"),
    (b"5, 5",), (b"5, 6",), (b"\xff",), (b"\x00",), (b"1.0",), (b"\xb2",), (b"1000000000000",), (b"2147483648",), (),
)  # fmt: skip
CODINGS = (
    b"chunked",
    b"chunked",
    b"chunked",
    b"chunked",
    b"Chunked",
    b"chunked, chunked",
    b"gzip, chunked",
    b"chunked, identity",
    b"x",
    b"",
    b"\x0bchunked",
    b"chunked;a=b",
)
CHUNKS = (
    b"", b"0\r\n\r\n", b"zz\r\n", b"5\r\nabc", b"5\r\nabcde", b"5\r\nabcdefg\r\n0\r\n\r\n", b"-5\r\nabcde\r\n0\r\n\r\n", b"+2\r\n{}\r\n0\r\n\r\n", b"0x2\r\n{}\r\n0\r\n\r\n", b"1_0\r\n{}\r\n",
    b"2\r\n{}\r\n0\r\n\r\n", b"2\n{}\n0\n\n", b"2;a=b\r\n{}\r\n0\r\n\r\n", b"2;" + b"a" * 5000 + b"\r\n{}\r\n0\r\n\r\n", b"2\r\n{}\r\n0\r\nX-Late: 1\r\n\r\n", b"2\r\n{}\r\n0\r\nX: " + b"y" * 9000 + b"\r\n\r\n",
    b"ffffffffffffffff\r\n{}", b"fffffffffffffffffffffffff\r\n{}", b"7fffffff\r\n{}", b"1\r\n{\r\n" * 200, b"\r\n", b"2\r\n{}", b"2\r\n{}\r\n", b"2\r\n{}\r\n0", b"2 \r\n{}\r\n0\r\n\r\n", b" 2\r\n{}\r\n0\r\n\r\n",
    b"\xff\r\n{}\r\n0\r\n\r\n", b"2\r\n{}\r\n0\r\n\r\nGET /admin/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"\xd9\xa2\r\n{}\r\n0\r\n\r\n", b"00000000000000000000002\r\n{}\r\n0\r\n\r\n",
)  # fmt: skip
NO_HTTP = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/0.9\r\n\r\n", b"GET / HTTP/2.0\r\n\r\n", b"GET / HTTP/1.1.1\r\n\r\n", b"GET / HTTP/1.\r\n\r\n",
    b"GET / HTTP/x.y\r\n\r\n", b"GET /  HTTP/1.1\r\n\r\n", b"GET / http/1.1\r\n\r\n", b"GET /\r\n\r\n", b"\x00" * 200, b"\r\n" * 100, b"\n", b" ", b"GET / HTTP/1.1", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\nX", b"GET / HTTP/1.1\r\n: x\r\n\r\n", b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n",
    b"GET / HTTP/1.1\nHost: localhost\n\n", b"GET / HTTP/1.1\rHost: localhost\r\r", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\nGET / HTTP/1.1\r\n\r\n", b"PROXY x\r\n",
    b"\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"EHLO x\r\n", b"*1\r\n$4\r\nPING\r\n", b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"A" * 20_000, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 500 + b"\r\n", b"HTTP/1.1 200 OK\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /admin/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST / HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"GET http:// HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
)  # fmt: skip
KEYS = (
    b"", b"Token", b"Token ", b"Token  @", b"Token @ @", b"Token @x", b"token @", b"TOKEN @", b"Token\t@", b"Bearer @", b"Bearer", b"Basic @", b"Basic ====", b"Basic Og==", b"Basic /w==", b"Digest a=b", b"Token \x00",
    b"Token \xff\xfe", b"Token " + b"a" * 3500, b"Token " + b"9" * 64, b"Token %00", b"Token ' OR 1=1", b"Token null", b"Token \xe2\x80\xae", b"@", b"Token @,Token @", b"Token @\x00", b"Token \xc3\xa9" + b"a" * 60,
)  # fmt: skip
DEEP = 3_000
JSON_VALUES = (
    "null", "true", "false", "0", "-1", "1", "0.5", "-0.0", "1e400", "-1e400", "1e308", "5e-324", "NaN", "Infinity", "-Infinity", str(2**31), str(2**53 + 1), str(2**63), str(2**63 - 1), str(-(2**63) - 1), str(2**64),
    NINES, "9" * 5000, "0." + "1" * 5000, "1E+2", '""', '" "', '"0"', '"1"', '"NaN"', '"1e400"', '"\\u0000"', '"a\\u0000b"', '"\\ud800"', '"\\udfff\\ud800"', '"\\uffff"', '"\\u202e"', '"\ud83d"', '"💩"', '"' + "x" * 5000 + '"',
    '"' + "ä" * 300 + '"', '"%00"', '"<script>"', '"=1+1"', '"\\n"', "[]", "[[]]", "[null]", "{}", '{"a": {"b": []}}', '{"__proto__": 1}', '{"a": 1, "a": 2}', "[" * 200 + "]" * 200, '{"a":' * 200 + "1" + "}" * 200,
    "[" * DEEP + "]" * DEEP, '"2025-02-30"', '"0001-01-01T00:00:00Z"', '"0001-01-01T00:00:00+14:00"', '"9999-12-31T23:59:59-14:00"', '"9999-12-31T23:59:59Z"', '"10000-01-01"', '"2026-03-14T24:00:00Z"', '"2026-03-14"',
    '"2026-03-14T12:00:00"', '"2026-03-14T12:00:00.123456789Z"', '"2026-03-14T12:00:60Z"', '"-2026-03-14T12:00:00Z"', "1e12", "1.77e12", "-62135596800", "253402300800000", '"riverton"', '"burglary"', '"R11"', '"11"',
    '{"type": "Polygon", "coordinates": []}', '{"type": "Polygon", "coordinates": [[]]}', '{"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}', '{"type": "Polygon", "coordinates": [[[1e400, 0], [1, 1], [1, 0], [1e400, 0]]]}',
    '{"type": "Polygon", "coordinates": [[[-87.7, 41.8], [-87.6, 41.9], [-87.6, 41.8], [-87.7, 41.9], [-87.7, 41.8]]]}', '{"type": "Polygon", "coordinates": [[["a", "b"]]]}', '{"type": "Polygon", "coordinates": {"a": 1}}',
    '{"type": "Polygon", "coordinates": [[[-87.7, 41.8, 1, 2, 3], [-87.6, 41.9], [-87.6, 41.8], [-87.7, 41.8]]]}', '{"type": "Point", "coordinates": [0, 0]}', '{"type": "Nothing"}', '{"type": ["Polygon"]}', '{"type": null, "coordinates": null}',
    '{"type": "GeometryCollection", "geometries": []}', '{"type": "Polygon", "coordinates": [[[-87.7, 41.8], [-87.7, 41.8], [-87.7, 41.8], [-87.7, 41.8]]]}', '{"type": "MultiPolygon", "coordinates": [[[[0,0],[1e-300,0],[0,1e-300],[0,0]]]]}',
)  # fmt: skip
DOCUMENTS = (
    b"", b" ", b"{", b"}", b"[", b"[]", b"{}", b"[[]]", b"[{}]", b"[1]", b"[null]", b"null", b"true", b"0", b'"a"', b"NaN", b"-Infinity", b"[NaN]", b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00", b"\x00", b"\x00\xff\xfe", b'{"a":1,}', b"{'a':1}", b"{a:1}",
    b'{"a":1}{"b":2}', b'{"a":1}\n{"b":2}\n', b'{"\\ud800":1}', b'{"\xed\xa0\x80":1}', b'{"\xff":1}', b'{"":""}', b"[" * 100_000, b'{"a":' * 20_000, b"[" + b"1," * 60_000 + b"1]", b'{"a":"' + b"x" * 300_000 + b'"}', b'{"rows":null}', b'{"rows":{}}',
    b'{"rows":[null]}', b'{"rows":' + b"[" * 2000, b"[" + b'{"id":"1"},' * 12_000 + b"{}]", b'{"actions":null}', b'{"actions":[null,1,[],"a",{}]}', b"9" * 5000, b"a=%ff&b=%", b"a=1&" * 3000, b"csrfmiddlewaretoken=" + b"x" * 5000,
    b"id,lat\r\n1,\x00\r\n", b'"', b'"a\r\n' * 2000, b"\x1f\x8b\x08\x00garbage", gzip.compress(b"[" + b" " * 2_000_000 + b"]"), b"PK\x03\x04garbage", b"PAR1PAR1", b"SQLite format 3\x00",
    b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>", b"--x\r\nContent-Disposition: form-data\r\n\r\n", b'{"a":1e999999999}', b"[" + b"9" * 400 + b"e999]", b"\xe2\x80\xa8", b"// a\n{}",
)  # fmt: skip


def _archive(**members: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return target.getvalue()


FILES = (
    b"", b"\x00", b"\xff\xfe", b"id,occurred_at\r\n", b"{", b'{"type":"FeatureCollection"}', b'{"type":"FeatureCollection","features":[{"type":"Feature","geometry":null,"properties":null}]}',
    b'{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"code":"\\u0000"},"geometry":{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,0]]]}}]}',
    json.dumps({"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"code": "9" * 400}, "geometry": {"type": "Polygon", "coordinates": [[[1e300, 0], [1, 0], [1, 1], [1e300, 0]]]}}]}).encode(),
    b"PK\x03\x04" + b"\x00" * 100, b"PK\x05\x06" + b"\x00" * 18, _archive(a_shp=b"\x00\x00\x27\x0a", a_dbf=b"x", a_shx=b""), _archive(______etc__passwd=b"x"), _archive(bomb_csv=b"a," * 3_000_000), b"\x1f\x8b" + b"\x00" * 50,
    b"PAR1" + b"\xff" * 60 + b"PAR1", b"SQLite format 3\x00" + b"\x00" * 200, b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:99999999\r\n", b"<kml><!DOCTYPE a><a/></kml>", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    b'{"format": "missions configuration", "version": 1}', b'{"version": "NaN", "sections": []}', b"[" * 50_000, b"[]", b"null", b'{"agency": {"slug": "\\ud800"}}',
)  # fmt: skip
_HEAD = b'--x\r\nContent-Disposition: form-data; name="@name"'
_BOUNDARY = b"multipart/form-data; boundary=x"
MULTIPARTS = (
    *((_BOUNDARY, b"@fields" + _HEAD + b'; filename="a.csv"\r\nContent-Type: text/csv\r\n\r\n' + file + b"\r\n--x--\r\n") for file in FILES),
    *((_BOUNDARY, b"@fields" + _HEAD + b'; filename="' + name + b'"\r\n\r\nid\r\n1\r\n--x--\r\n') for name in (
        b"", b"..", b"/", b"../../etc/passwd", b"a\x00.csv", b"\xff.csv", b"a" * 3000, b"con", b".csv", b"a.csv.zip", b"a\\b.csv", b"a\r\nb", b"%00", b"a.geojson", b"a.parquet", b"a.xlsx", b"a.zip", b"a.gpkg", b"a.ics", b"a.json", b"a.xml")),
    (_BOUNDARY, b""), (_BOUNDARY, b"--x--\r\n"), (_BOUNDARY, b"--x"), (_BOUNDARY, _HEAD), (_BOUNDARY, _HEAD + b"\r\n\r\n"), (_BOUNDARY, b"@fields"), (_BOUNDARY, b"--y\r\n\r\n--y--"), (_BOUNDARY, b"\x00" * 2000),
    (_BOUNDARY, b"--x\r\n\r\n\r\n--x--\r\n"), (_BOUNDARY, b"--x\r\nContent-Disposition: x\r\n\r\na\r\n--x--\r\n"), (_BOUNDARY, _HEAD + b"; filename*=utf-8''%ff%fe\r\n\r\na\r\n--x--\r\n"), (_BOUNDARY, _HEAD + b"; filename*=x''a\r\n\r\na\r\n--x--\r\n"),
    (_BOUNDARY, _HEAD + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!\r\n--x--\r\n"), (_BOUNDARY, _HEAD + b"; filename=a\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAAA\r\n--x--\r\n"), (_BOUNDARY, _HEAD + b"\r\nX: " + b"y" * 9000 + b"\r\n\r\na\r\n--x--\r\n"),
    (_BOUNDARY, (_HEAD + b"\r\n\r\na\r\n") * 1200 + b"--x--\r\n"), (_BOUNDARY, (_HEAD + b"; filename=a\r\n\r\na\r\n") * 150 + b"--x--\r\n"), (_BOUNDARY, _HEAD + b"\r\n\r\n\xff\xfe\x00\r\n--x--\r\n"), (_BOUNDARY, _HEAD + b"\r\n\r\n" + b"a" * 3_000_000 + b"\r\n--x--\r\n"),
    (b"multipart/form-data", _HEAD + b"\r\n\r\na\r\n--x--\r\n"), (b"multipart/form-data; boundary=", b"--\r\n"), (b'multipart/form-data; boundary="', b"--\r\n"), (b"multipart/form-data; boundary=" + b"x" * 300, b"--x--"), (b"multipart/form-data; boundary=\xff", b"--\xff--"),
    (b"multipart/form-data; boundary=x; charset=utf-16", _HEAD + b"\r\n\r\na\r\n--x--\r\n"), (b"multipart/mixed; boundary=x", _HEAD + b"\r\n\r\na\r\n--x--\r\n"), (b"multipart/form-data; charset=nothing; boundary=x", _HEAD + b"\r\n\r\n\xff\r\n--x--\r\n"),
)  # fmt: skip
