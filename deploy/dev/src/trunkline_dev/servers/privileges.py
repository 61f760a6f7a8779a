"""Who a server runs as: PostgreSQL refuses root, so root hands it to an unprivileged account."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from trunkline_dev.refusals import CannotGoOn

_ACCOUNTS = ("postgres", "nobody")

# Either lets a process pass folders closed to it (a checkout below a home of mode 700); the first
# gives less away. The numbers are the kernel's, for the bit field in /proc/self/status.
_PASSING = (("dac_read_search", 2), ("dac_override", 1))


@dataclass(frozen=True, slots=True)
class Privileges:
    """How to start a program as somebody: a command before it, or ids for the child."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None


AS_WE_ARE = Privileges()


def unprivileged_account() -> pwd.struct_passwd | None:
    """The account that root's servers run as; None for an ordinary user, who is one already."""
    if os.geteuid() != 0:
        return None
    for name in _ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise CannotGoOn(
        "PostgreSQL refuses to run as root and there is no account "
        f"{' or '.join(_ACCOUNTS)}: run as an ordinary user or set TRUNKLINE_POSTGRES_URL"
    )


def privileges_of(account: pwd.struct_passwd | None, needs: Iterable[Path]) -> Privileges:
    """What lets the account use these files, and no more than that."""
    if account is None:
        return AS_WE_ARE
    needs = list(needs)
    if all(can_reach(account, path) for path in needs):
        return Privileges(uid=account.pw_uid, gid=account.pw_gid)
    setpriv = shutil.which("setpriv")
    capability = _passing_capability()
    if setpriv is None or capability is None:
        raise CannotGoOn(
            f"the account {account.pw_name} cannot read {needs[0]}: move the checkout, run as an "
            "ordinary user, or set TRUNKLINE_POSTGRES_URL"
        )
    return Privileges(
        prefix=(
            setpriv,
            f"--reuid={account.pw_uid}",
            f"--regid={account.pw_gid}",
            "--clear-groups",
            f"--inh-caps=-all,+{capability}",
            f"--ambient-caps=-all,+{capability}",
            f"--bounding-set=-all,+{capability}",
            "--no-new-privs",
        )
    )


def can_reach(account: pwd.struct_passwd, path: Path) -> bool:
    """Whether the account may enter every folder above the path, and read the path itself."""
    resolved = path.resolve()
    return all(_allows(account, folder, read=False) for folder in resolved.parents) and _allows(
        account, resolved, read=True
    )


def _allows(account: pwd.struct_passwd, path: Path, *, read: bool) -> bool:
    status = path.stat()
    wanted = 0o5 if read else 0o1
    if status.st_uid == account.pw_uid:
        return (status.st_mode >> 6) & wanted == wanted
    if status.st_gid == account.pw_gid:
        return (status.st_mode >> 3) & wanted == wanted
    return status.st_mode & wanted == wanted


def _passing_capability() -> str | None:
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    held = next(
        int(line.split()[1], 16)
        for line in status.read_text().splitlines()
        if line.startswith("CapPrm:")
    )
    return next((name for name, bit in _PASSING if held >> bit & 1), None)
