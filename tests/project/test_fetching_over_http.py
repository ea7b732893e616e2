"""The client for other people's servers: where it may go, how long it waits, what its messages never show."""

from __future__ import annotations

import ipaddress
import random
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from missions_project.lib.addresses import AddressRefused, endpoints, is_public
from missions_project.lib.errors import MissionsError
from missions_project.lib.http import (
    Fetcher,
    FetchError,
    FetchLater,
    FetchPolicy,
    conditional_headers,
    retry_after_seconds,
)
from tests.ingestion.portals import Portal, answers, fine, hangs_up, serving

HERE = FetchPolicy(private_hosts=("127.0.0.0/8",))


@pytest.fixture
def portal() -> Iterator[Portal]:
    with serving(Portal()) as served:
        served.files["/a"] = b"hello", "text/plain"
        yield served


def fetcher(policy: FetchPolicy = HERE, **more: Any) -> tuple[Fetcher, list[float]]:
    """A client whose waits are only written down."""
    slept: list[float] = []
    return Fetcher(policy, rng=random.Random(1), sleep=slept.append, clock=lambda: 0.0, **more), slept


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
        ),
        *(
            "::1",
            "fe80::1",
            "fc00::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "64:ff9b:1::a00:1",
            "fec0::1",
            "::127.0.0.1",
            "::8.8.8.8",
            "::",
        ),
    ],
)
def test_addresses_inside_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_addresses_outside_are(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1"])
def test_this_machine_is_out_of_reach_by_any_name(host: str, portal: Portal) -> None:
    port = portal.url.rpartition(":")[2]
    client, _ = fetcher(FetchPolicy())
    with pytest.raises(AddressRefused):
        client.get(f"http://{host}:{port}/a")
    assert not portal.asked


def test_a_name_with_one_address_inside_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("8.8.8.8", "10.0.0.5")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: both)
    with pytest.raises(AddressRefused, match=r"10\.0\.0\.5"):
        endpoints("cad.example.org", 80)
    assert [e.address for e in endpoints("cad.example.org", 80, ("10.0.0.0/8",))] == ["8.8.8.8", "10.0.0.5"]
    assert len(endpoints("cad.example.org", 80, ("CAD.example.org",))) == 2


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://example.org/", "http://", "https://me:pw@example.org/", "x"]
)
def test_only_http_is_fetched(url: str) -> None:
    client, _ = fetcher()
    with pytest.raises(AddressRefused, match="can be fetched"):
        client.get(url)


def test_a_redirect_leads_to_no_address_inside(portal: Portal) -> None:
    portal.faults.append(answers(302, Location="http://169.254.169.254/latest/meta-data"))
    client, _ = fetcher()
    with pytest.raises(AddressRefused, match=r"169\.254"):
        client.get(f"{portal.url}/a")


def test_keys_do_not_follow_a_redirect_to_another_server(portal: Portal) -> None:
    with serving(Portal(files={"/b": (b"there", "text/plain")})) as other:
        portal.faults.append(answers(302, Location=f"{other.url}/b"))
        client, _ = fetcher()
        assert client.get(f"{portal.url}/a", headers={"X-App-Token": "hush"}).body == b"there"
        assert portal.asked[0].headers["x-app-token"] == "hush"
        assert "x-app-token" not in other.asked[0].headers


def test_redirects_in_a_circle_end(portal: Portal) -> None:
    portal.faults.extend([answers(302, Location="/a")] * 9)
    client, _ = fetcher()
    with pytest.raises(FetchError, match="redirects more than 5 times"):
        client.get(f"{portal.url}/a")


def test_waits_grow_are_jittered_and_obey_the_server(portal: Portal) -> None:
    portal.faults.extend([answers(503), answers(503), answers(429, Retry_After="7"), hangs_up])
    client, slept = fetcher()
    assert client.get(f"{portal.url}/a").body == b"hello"
    assert 0.5 <= slept[0] <= 1.0
    assert slept.count(1.0) >= 7, "the seven seconds, one at a time so that the run's heart beats"
    assert len(portal.asked) == 5


def test_patience_ends(portal: Portal) -> None:
    portal.faults.extend([answers(500)] * 20)
    client, _ = fetcher()
    with pytest.raises(FetchError, match="500, 6 times in a row"):
        client.get(f"{portal.url}/a")
    portal.faults.clear()
    portal.faults.append(answers(429, Retry_After="9999"))
    with pytest.raises(FetchLater) as later:
        client.get(f"{portal.url}/a")
    assert later.value.seconds == 9999


def test_messages_show_neither_the_query_nor_a_hidden_word(portal: Portal) -> None:
    client, _ = fetcher(hidden=("hush",))
    portal.faults.extend([answers(400, b'{"message": "bad token hush"}'), *[hangs_up] * 6])
    for _ in range(2):
        with pytest.raises(MissionsError) as failed:
            client.get(f"{portal.url}/a", query={"token": "hush", "q": "secret-q"})
        assert "hush" not in str(failed.value)
        assert "secret-q" not in str(failed.value)
        assert "127.0.0.1" in str(failed.value)


def test_an_answer_is_read_up_to_its_cap(portal: Portal) -> None:
    portal.files["/big"] = b"x" * 100_000, "text/plain"
    client, _ = fetcher(FetchPolicy(private_hosts=("127.0.0.1",), max_bytes=70_000))
    with pytest.raises(FetchError, match="larger than 70,000 bytes"):
        client.get(f"{portal.url}/big")
    with client.stream(f"{portal.url}/a") as (_, blocks):
        assert b"".join(blocks) == b"hello"


def test_an_answer_that_drips_is_stopped_on_time(portal: Portal) -> None:
    import threading

    stop = threading.Event()

    def drips(handler: Any) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        while not stop.wait(0.05):
            handler.wfile.write(b".")
        return True

    portal.faults.append(drips)
    client, _ = fetcher(FetchPolicy(private_hosts=("127.0.0.1",), max_seconds=0.5))
    try:
        with pytest.raises(FetchError, match="took longer than"):
            client.get(f"{portal.url}/a")
    finally:
        stop.set()


def test_a_head_that_drips_is_stopped_and_is_not_taken_for_whole(portal: Portal) -> None:
    import threading

    stop = threading.Event()

    def drips(handler: Any) -> bool:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n")
        while not stop.wait(0.05):
            handler.wfile.write(b"X-More: 1\r\n")
        return True

    policy = FetchPolicy(private_hosts=("127.0.0.1",), max_head_seconds=0.5)
    client, _ = fetcher(policy)
    try:
        portal.faults.append(drips)
        with pytest.raises(FetchError, match="took longer than"), client.stream(f"{portal.url}/a"):
            pytest.fail("half a head was taken for an answer")
        portal.faults.append(drips)
        with pytest.raises(FetchError, match="took longer than"):
            client.post(f"{portal.url}/a", body=b"{}", headers={})
    finally:
        stop.set()


def test_what_drips_is_a_sign_of_life_at_each_piece(portal: Portal) -> None:
    beats: list[str] = []

    def drips(handler: Any) -> bool:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
        for letter in b"abc":
            before = len(beats)
            handler.wfile.write(bytes([letter]))
            for _ in range(500):
                if len(beats) > before:
                    break
                time.sleep(0.01)
        return True

    portal.faults.append(drips)
    client, _ = fetcher(pulse=beats.append)
    assert client.get(f"{portal.url}/a").body == b"abc"
    assert beats == ["Asking 127.0.0.1", *["Receiving from 127.0.0.1"] * 3]


def test_unchanged_is_an_answer_without_a_body(portal: Portal) -> None:
    client, _ = fetcher()
    first = client.get(f"{portal.url}/a")
    again = client.get(f"{portal.url}/a", headers=conditional_headers(first.validators))
    assert (again.status, again.body) == (304, b"")
    portal.faults.append(fine)
    assert client.get(f"{portal.url}/a").status == 200


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate for localhost, good for a day."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "key.pem").write_bytes(pem)
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return folder / "key.pem", folder / "cert.pem"


def test_certificates_are_checked_against_the_name_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = self_signed(tmp_path)
    policy = FetchPolicy(private_hosts=("localhost", "127.0.0.1"), attempts=2)
    with serving(Portal(files={"/a": (b"hello", "text/plain")}), tls=(key, certificate)) as secure:
        port = secure.url.rpartition(":")[2]
        client, _ = fetcher(policy)
        with pytest.raises(FetchError, match="SSLError"):
            client.get(f"https://localhost:{port}/a")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        client, _ = fetcher(policy)
        assert client.get(f"https://localhost:{port}/a").body == b"hello"
        with pytest.raises(FetchError, match="SSLError"):
            client.get(f"https://127.0.0.1:{port}/a")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5", 5.0), ("Thu, 01 Jan 1970 00:00:09 GMT", 9.0), ("soon", None), ("", None), ("-3", None)],
)
def test_retry_after_in_both_forms(text: str, seconds: float | None) -> None:
    assert retry_after_seconds(text, 0.0) == seconds
