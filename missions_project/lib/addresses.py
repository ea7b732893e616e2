"""Where our own requests may go: public addresses, and private ones only where the operator has said so.

An administrator of one agency enters addresses of data sources; the server that fetches them stands inside a network.
Unchecked, "http://169.254.169.254/" or "postgresql://localhost/" would read what nobody outside may read.
"""

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from missions_project.lib.errors import MissionsError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_LOCAL = tuple(map(ipaddress.IPv6Network, ("64:ff9b:1::/48", "fec0::/10", "::/96")))
"""Networks of a site's own (RFC 8215, RFC 3879) and IPv4 addresses in a form that nobody routes (RFC 4291), which Python calls global."""


class AddressRefused(MissionsError):
    """A host that cannot be found, or that lies in a network to which nobody has allowed requests."""


@dataclass(frozen=True)
class Endpoint:
    """An address that was looked up and allowed; connect to this one and do not look the name up again."""

    host: str
    address: str
    port: int
    family: socket.AddressFamily


def hosts_of(entries: Sequence[str], agency: str) -> tuple[str, ...]:
    """Return the entries of a list of private hosts that hold for an agency: those of all, and its own behind its slug.

    >>> hosts_of(("10.0.0.7", "riverton=cad.local", "lakeside=cad.lake"), "riverton")
    ('10.0.0.7', 'cad.local')
    """
    split = (entry.rpartition("=") for entry in entries)
    return tuple(host.strip() for slug, _equals, host in split if slug.strip() in ("", agency))


def is_public(address: Address) -> bool:
    """Whether the address belongs to the public internet, also when it is wrapped into an IPv6 one.

    >>> is_public(ipaddress.ip_address("8.8.8.8")), is_public(ipaddress.ip_address("::ffff:10.0.0.1"))
    (True, False)
    """
    inner: Address | None = None
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if any(address in network for network in _LOCAL):
            return False
    if inner is not None:
        return is_public(inner)
    return address.is_global and not address.is_multicast


def _is_allowed(host: str, address: Address, private_hosts: Sequence[str]) -> bool:
    for entry in private_hosts:
        if entry.lower() == host.lower():
            return True
        try:
            network = ipaddress.ip_network(entry, strict=False)
        except ValueError:
            continue
        if address.version == network.version and address in network:
            return True
    return is_public(address)


def endpoints(
    host: str, port: int, private_hosts: Sequence[str] = (), *, setting: str = "PULL_PRIVATE_HOSTS"
) -> list[Endpoint]:
    """Look a host up and return its allowed addresses, in the resolver's order.

    ``private_hosts`` holds host names, addresses or networks (CIDR) that may be reached although they are private;
    ``setting`` is where the operator adds to them.
    Raises ``AddressRefused`` for an unknown host, and if any of its addresses is refused: a name with a public and
    a private address is how a check is led astray.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError, ValueError) as exc:
        raise AddressRefused(
            _("The host %(host)s cannot be found.") % {"host": f"{host[:120]!r}"},
            next_step=_("check the address, and that this server can look up names."),
        ) from exc
    allowed = []
    for family, _type, _protocol, _name, place in found:
        address = ipaddress.ip_address(str(place[0]).split("%")[0])
        if not _is_allowed(host, address, private_hosts):
            raise AddressRefused(
                _(
                    "The host %(host)s has the address %(address)s, which is not on the public internet; requests to such addresses are refused."
                )
                % {"host": f"{host!r}", "address": address},
                next_step=_("if it is the agency's own server, the operator adds it to %(setting)s.")
                % {"setting": setting},
            )
        allowed.append(Endpoint(host, str(place[0]), port, family))
    return allowed
