"""Names of providers and their GUIDs."""

from __future__ import annotations

from etwmon import _etwcore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

_GUID_DIGITS = 32
_SUGGESTIONS = 3


def provider_guid(provider: str | UUID) -> bytes:
    """Return the GUID of a provider as its 16 bytes in a record.

    Args:
        provider: a known provider's name in any case, the text of a GUID with or without
            braces, or a UUID.

    Raises:
        ValueError: for a name that is not known, with the nearest ones.
        TypeError: for anything else.
    """
    if isinstance(provider, str):
        return _guid_from_text(provider)
    guid = getattr(provider, "bytes_le", None)
    if isinstance(guid, bytes):
        return guid
    raise TypeError(f"a provider is a name, a GUID's text or a UUID, not {provider!r}")


def provider_guids(providers: str | UUID | Iterable[str | UUID]) -> list[bytes]:
    """Return the GUIDs of one provider or several; see `provider_guid`."""
    if isinstance(providers, str | bytes) or not hasattr(providers, "__iter__"):
        return [provider_guid(providers)]
    return [provider_guid(provider) for provider in providers]


def _guid_from_text(text: str) -> bytes:
    found = None if _has_surrogates(text) else _etwcore.find_provider(text)
    if found is not None:
        return found
    digits = text.strip("{}").replace("-", "")
    if len(digits) == _GUID_DIGITS:
        from uuid import UUID

        try:
            return UUID(hex=digits).bytes_le
        except ValueError:
            pass
    raise ValueError(_unknown(text))


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _unknown(name: str) -> str:
    """What to tell about a name that nobody knows."""
    import difflib

    names = {known.lower(): known for known, _ in _etwcore.known_providers()}
    lower = name.lower()
    near = difflib.get_close_matches(lower, names, n=_SUGGESTIONS, cutoff=0.5)
    near += [known for known in names if lower and lower in known and known not in near]
    text = f"unknown provider {name!r}"
    if near:
        listed = ", ".join(repr(names[known]) for known in near[:_SUGGESTIONS])
        text += f"; did you mean {listed}?"
    else:
        text += "."
    return text + " Other providers are selected by GUID."
