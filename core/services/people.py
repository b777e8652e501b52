"""Accounts, logging in, PINs and browser sessions. Hashes are argon2id; every login is audited, failed ones too."""

from __future__ import annotations

import hashlib
import secrets
import threading
from datetime import timedelta
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from core.errors import BadInput, Conflict, NotAllowed, NotFound
from core.i18n import _
from core.index.tables import Account
from core.index.tables import Session as SessionRow
from core.index.writer import Unit
from core.model.people import Actor, Role, User
from core.services.access import require
from core.services.kit import Kit

PIN_FAULTS = 5
SESSION_HOURS = 12
READERS = {Role.RADIOLOGIST, Role.RESIDENT}
DESKS = {
    Role.RECEPTION, Role.TYPIST, Role.TECHNOLOGIST, Role.LEAD_TECHNOLOGIST,
    Role.CASHIER, Role.IDENTITY_OFFICER, Role.ADMINISTRATOR,
}  # fmt: skip
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Hashing costs 19 MiB and a core: never more than two at a time.
_turn = threading.BoundedSemaphore(2)
# What an unknown login is checked against, so that its answer takes as long as a known one's.
_DECOY = _hasher.hash(secrets.token_hex(16))


class People:
    """Verbs on accounts and sessions."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    def login(self, name: str, password: str, origin: str = "", post: str = "") -> Actor:
        """The actor of a login. Raises `NotAllowed` with one sentence, whatever was wrong."""
        login = name.strip().lower()
        account: Any = Account.get_or_none(Account.login == login)
        right = _verify(account.password if account else _DECOY, password) and account is not None
        if not right or not account.active:
            stranger = Actor(login[:40], frozenset(), post=post, origin=origin)
            self._kit.index.writer.do(
                lambda unit: unit.audit(stranger, "login", f"account:{login[:40]}", outcome="refused")
            )
            raise NotAllowed(_("Identifiant ou mot de passe incorrect."))
        actor = actor_of(account, origin, post)

        def act(unit: Unit) -> None:
            if account.pin_faults:
                Account.update(pin_faults=0).where(Account.login == login).execute()
            unit.audit(actor, "login", f"account:{login}")

        self._kit.index.writer.do(act)
        return actor

    def confirm(self, actor: Actor, secret: str) -> None:
        """The person proves to be there: PIN, or password. Raises `NotAllowed`; five wrong PINs need the password."""
        account = Account.get_or_none(Account.login == actor.name)
        if account is None or not account.active:
            raise NotAllowed(_("Ce compte n'est plus actif."))
        by_pin = bool(account.pin) and account.pin_faults < PIN_FAULTS and _verify(account.pin, secret)
        if by_pin and self._in_time(actor):
            return
        if _verify(account.password, secret):
            if account.pin_faults:
                self._forgive(actor)
            return
        barred = self._fault(actor) >= PIN_FAULTS and bool(account.pin)
        refusal = NotAllowed(
            _("Trop d'erreurs : le mot de passe complet est demandé.") if barred else _("Code incorrect.")
        )
        refusal.noted = True  # counted, and so written down
        raise refusal

    def _fault(self, actor: Actor) -> int:
        """How many wrong secrets by now; counted in the writer, so that tries made together count one by one."""

        def act(unit: Unit) -> int:
            mine = Account.login == actor.name
            Account.update(pin_faults=Account.pin_faults + 1).where(mine).execute()
            faults = int(Account.get(mine).pin_faults)
            unit.audit(actor, "confirm", f"account:{actor.name}", outcome="refused", faults=faults)
            return faults

        return self._kit.index.writer.do(act)

    def _in_time(self, actor: Actor) -> bool:
        """Whether a right PIN still counts: tries made together are numbered by the writer, like the wrong ones."""

        def act(unit: Unit) -> bool:
            mine = Account.login == actor.name
            faults = int(Account.get(mine).pin_faults)
            if 0 < faults < PIN_FAULTS:
                Account.update(pin_faults=0).where(mine).execute()
            return faults < PIN_FAULTS

        return self._kit.index.writer.do(act)

    def _forgive(self, actor: Actor) -> None:
        self._kit.index.writer.do(
            lambda unit: Account.update(pin_faults=0).where(Account.login == actor.name).execute()
        )

    # Accounts

    def users(self, actor: Actor) -> list[User]:
        require(actor, Role.ADMINISTRATOR)
        return [user_of(a) for a in Account.select().order_by(Account.login)]

    def add_user(self, actor: Actor, user: User, password: str, pin: str = "") -> None:
        """A new account. Raises `Conflict` when the login exists, `BadInput` for a weak password."""
        require(actor, Role.ADMINISTRATOR)
        login = user.login.strip().lower()
        if not login:
            raise BadInput(_("L'identifiant manque."), "login")
        _check_strength(password, pin)
        hashed, pin_hash = _hash(password), _hash(pin) if pin else ""

        def act(unit: Unit) -> None:
            if Account.get_or_none(Account.login == login):
                raise Conflict(_("Le compte %s existe déjà.") % login)
            Account.create(
                login=login,
                full_name=user.full_name,
                roles=sorted(user.roles),
                ward=user.ward,
                password=hashed,
                pin=pin_hash,
            )
            unit.audit(actor, "add_user", f"account:{login}", roles=sorted(user.roles))

        self._kit.act(actor, "add_user", act)

    def set_secret(self, actor: Actor, login: str, password: str = "", pin: str = "") -> None:
        """A new password or PIN; open sessions of the account end."""
        if login != actor.name:
            require(actor, Role.ADMINISTRATOR)
        _check_strength(password or "x" * 12, pin)
        columns = {k: _hash(v) for k, v in (("password", password), ("pin", pin)) if v}

        def act(unit: Unit) -> None:
            if not Account.update(pin_faults=0, **columns).where(Account.login == login).execute():
                raise NotFound(_("Aucun compte %s.") % login)
            SessionRow.delete().where(SessionRow.login == login).execute()
            unit.audit(actor, "set_secret", f"account:{login}", changed=sorted(columns))
            unit.event("sessions", login)

        self._kit.act(actor, "set_secret", act)

    def remove_user(self, actor: Actor, login: str) -> None:
        """The account can no longer log in; its name stays in the audit."""
        require(actor, Role.ADMINISTRATOR)

        def act(unit: Unit) -> None:
            if not Account.update(active=False).where(Account.login == login).execute():
                raise NotFound(_("Aucun compte %s.") % login)
            SessionRow.delete().where(SessionRow.login == login).execute()
            unit.audit(actor, "remove_user", f"account:{login}")
            unit.event("sessions", login)

        self._kit.act(actor, "remove_user", act)

    # Browser sessions

    def open_session(self, actor: Actor, origin: str = "") -> str:
        """A token of 256 random bits for a cookie; only its hash is kept."""
        token = secrets.token_urlsafe(32)

        def act(unit: Unit) -> None:
            SessionRow.create(
                token=_digest(token),
                login=actor.name,
                origin=origin,
                post=actor.post,
                opened_at=unit.now,
                active_at=unit.now,
            )

        self._kit.index.writer.do(act)
        return token

    def session(self, token: str) -> Actor | None:
        """Who a cookie stands for; None when it is unknown, too old, idle too long, or its account is closed."""
        row, account = self._open_session(token)
        if account is None or self._kit.now() - row.active_at > self.idle_limit(account.roles):
            return None
        return actor_of(account, row.origin, row.post)

    def holder(self, token: str) -> Actor | None:
        """The same for a terminal on an open line, which counts its own keys and locks itself when nobody types."""
        row, account = self._open_session(token)
        return None if account is None else actor_of(account, row.origin, row.post)

    def _open_session(self, token: str) -> tuple[Any, Any]:
        """The session and its account; the account is None when either is closed or too old."""
        row = SessionRow.get_or_none(SessionRow.token == _digest(token)) if token else None
        if row is None or self._kit.now() - row.opened_at > timedelta(hours=SESSION_HOURS):
            return row, None
        account = Account.get_or_none(Account.login == row.login)
        return row, account if account is not None and account.active else None

    def idle_limit(self, roles: Any) -> timedelta:
        """How long a post may stay idle before it locks: a reader's longest, then the department's own desks.

        A post in a ward stands where parents pass; a technologist positions a child for longer than two minutes.
        """
        web, held = self._kit.config.web, set(roles)
        if held & READERS:
            return timedelta(minutes=web.reader_lock_minutes)
        return timedelta(minutes=web.desk_lock_minutes if held & DESKS else web.ward_lock_minutes)

    def touch(self, token: str) -> None:
        """The person did something (polls do not count). Written at most every 15 s."""
        row = SessionRow.get_or_none(SessionRow.token == _digest(token))
        if row is None or (self._kit.now() - row.active_at).total_seconds() < 15:
            return

        def act(unit: Unit) -> None:
            SessionRow.update(active_at=unit.now).where(SessionRow.token == _digest(token)).execute()

        self._kit.index.writer.do(act)

    def close_session(self, token: str) -> None:
        def act(unit: Unit) -> None:
            SessionRow.delete().where(SessionRow.token == _digest(token)).execute()

        self._kit.index.writer.do(act)


def user_of(account: Any) -> User:
    return User(
        account.login,
        account.full_name,
        frozenset(Role(r) for r in account.roles),
        account.ward,
        account.active,
        bool(account.pin),
    )


def actor_of(account: Any, origin: str, post: str = "") -> Actor:
    return Actor(
        account.login,
        frozenset(Role(r) for r in account.roles),
        post=post,
        ward=account.ward,
        origin=origin,
        full_name=account.full_name,
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _hash(secret: str) -> str:
    with _turn:
        return _hasher.hash(secret)


def _verify(hashed: str, secret: str) -> bool:
    try:
        with _turn:
            return _hasher.verify(hashed, secret)
    except (VerificationError, InvalidHashError):
        return False


def _check_strength(password: str, pin: str) -> None:
    if len(password) < 8:
        raise BadInput(_("Le mot de passe compte au moins 8 caractères."), "password")
    if pin and not (4 <= len(pin) <= 6 and pin.isdigit()):
        raise BadInput(_("Le code PIN compte 4 à 6 chiffres."), "pin")
