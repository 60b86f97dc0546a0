r"""What leaves the program of a command line: everything, no secrets, a digest, or nothing.

`redact` hides what command lines are known to carry and what nobody else should read: values of
options and settings whose names say that they are secret (`/p:Password=x`, `--token x`,
`"AccountKey=x;..."`), credentials of URLs and HTTP headers, tokens that are known by their shape,
and the names of users in paths. It would rather hide too much than too little, and it is no
proof that nothing is left: a secret that looks like any other word is not found.
"""

from __future__ import annotations

import re

MODES = ("mask", "hash", "drop", "keep")
MASK = "***"

# The end of a name; what comes before it ("DB_", "client-") does not matter.
_NAMES = (
    r"pass(?:word|wd|phrase|code)?|pwd|pw|secret|token|credentials?|auth(?:orization)?"
    r"|(?:api|access|account|private|encryption|storage|master|subscription|license|product|ssh"
    r"|ssl|signing|shared|session|secret)[_-]?key|accesssignature|signature|sig|sas|cookie"
    r"|connection[_-]?string|conn[_-]?str"
)
_SCHEMES = r"bearer|basic|digest|negotiate|ntlm"
# The name of a secret, and what parts it from its value: "=", ":", or a space after an option.
_SECRET = re.compile(
    rf"""(?:{_NAMES})(?![\w-])
    (?: (?P<sign>\\?["']?\s*[=:]\s*) (?:(?:{_SCHEMES})\s+)? | (?P<space>["']?\s+) )""",
    re.IGNORECASE | re.VERBOSE,
)
_SCHEME = re.compile(rf"\b({_SCHEMES})\s+[^\s\"']+", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^\s/@\"']*(?:@[^\s/@\"']*)*@")
# curl -u name:password
_USER_OPTION = re.compile(r"(?<!\S)(-u|--user|--proxy-user)(\s+|=)[\"']?[^\s:\"']*:[^\s\"']+[\"']?")
_SHAPES = re.compile(
    r"\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?"  # JSON web tokens
    r"|\bgh[opsur]_\w{16,}|\bgithub_pat_\w{16,}|\bglpat-[\w-]{16,}"
    r"|\bxox[abeoprs]-[\w-]{8,}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bsk-[\w-]{16,}|\bnpm_\w{16,}"
)
# A name with spaces ends at the next separator, one without also at a space.
_USER_PATH = re.compile(
    r"((?:[\\/](?:Users|home)|[\\/]Documents and Settings)[\\/]+)"
    r"(?!(?:Public|Default|All Users)(?:[\\/\s\"']|$))"
    r"(?:[^\\/:\"'*?<>|\r\n]{1,64}(?=[\\/])|[^\\/\s\"']+)",
    re.IGNORECASE,
)
# Ends of names of fields, in small letters and without "_".
_LINES = ("commandline", "cmdline")
# The provider whose events carry command lines, also in payloads that are not fully decoded.
_PROCESS = "Process"
_HOMES = ("users", "home", "documents and settings")
_WORD_REACH = 64


def redact(text: str | None, mode: str = "mask") -> str | None:
    """Return what may be told of a command line.

    Args:
        text: the command line; None stays None.
        mode: "mask" puts `***` in the place of secrets and of user names in paths, "hash"
            returns a digest of the masked text, so that no secret can be guessed from it,
            "drop" returns None, "keep" the text as it is.

    Raises:
        ValueError: for another mode.
    """
    _check(mode)
    if text is None or mode == "drop":
        return None
    if mode == "keep":
        return text
    masked = mask(text)
    if mode == "mask":
        return masked
    from hashlib import sha256  # loads OpenSSL, which takes 3.5 MB

    return "sha256:" + sha256(masked.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def mask(text: str) -> str:
    """Return the text with `***` for every secret that is found; masking twice changes nothing."""
    text = _USERINFO.sub(MASK + "@", text)
    text = _SCHEME.sub(rf"\1 {MASK}", text)
    text = _USER_OPTION.sub(rf"\1\2{MASK}", text)
    text = _mask_settings(text)
    text = _SHAPES.sub(MASK, text)
    return mask_users(text)


def mask_users(text: str) -> str:
    """Return the text with `***` for the names of users in paths, and nothing else hidden."""
    if not may_name_users(text):
        return text
    return _USER_PATH.sub(rf"\1{MASK}", text)


def may_name_users(text: str) -> bool:
    """Whether a text can have paths that name users; quick, for texts that are many or long."""
    lower = text.lower()
    return any(folder in lower for folder in _HOMES)


def redact_event(event: dict[str, object], mode: str = "mask") -> None:
    """Leave in an event what may be told of it.

    Its payload becomes None where the fields hide something of it, and where it was not fully
    decoded and may hold a command line, or has what a command line would be masked for.

    Args:
        event: what `Event.to_dict` makes, changed here.
        mode: see `redact`; unless it is "keep", users are hidden in the paths of all texts.

    Raises:
        ValueError: for another mode.
    """
    _check(mode)
    if mode == "keep":
        return
    fields = event["fields"]
    told = event["fields"] = redact_field("", fields, mode)
    payload = event["payload"]
    is_guess = event["decoded"] != "full"
    if told != fields or (is_guess and (event["provider"] == _PROCESS or _tells(payload))):
        event["payload"] = None


def redact_field(name: str, value: object, mode: str) -> object:
    """Return what may be told of a field of an event, given by its name."""
    if mode == "keep" or isinstance(value, int):
        return value
    if isinstance(value, str):
        return redact(value, mode) if _is_line(name) else mask_users(value)
    if isinstance(value, bytes):
        return None if _is_line(name) or _tells(value) else value
    if isinstance(value, list):
        return [redact_field(name, one, mode) for one in value]
    if isinstance(value, dict):
        return {key: redact_field(str(key), one, mode) for key, one in value.items()}
    return value


def _is_line(name: str) -> bool:
    return name.lower().replace("_", "").endswith(_LINES)


def _tells(data: object) -> bool:
    """Whether bytes have text that is masked in command lines, in UTF-16 too."""
    if not isinstance(data, bytes):
        return False
    text = data.replace(b"\0", b"").decode("latin-1")
    return mask(text) != text


def _check(mode: str) -> None:
    if mode not in MODES:
        raise ValueError(f"{mode!r} is no way to redact; there are: {', '.join(MODES)}")


def _mask_settings(text: str) -> str:
    parts = []
    done = 0
    in_quotes = False
    while (found := _SECRET.search(text, done)) is not None:
        begin = found.end()
        in_quotes ^= text.count('"', done, begin) % 2 == 1
        if found["space"] is not None and not _is_option(text, found.start()):
            parts.append(text[done:begin])
            done = begin
            continue
        end = _end_of_value(text, begin, in_quotes, is_option=found["space"] is not None)
        parts.append(text[done:begin])
        if end > begin:
            parts.append(_masked(text[begin:end]))
        in_quotes ^= text.count('"', begin, end) % 2 == 1
        done = end
    parts.append(text[done:])
    return "".join(parts)


def _is_option(text: str, at: int) -> bool:
    """Whether the word that the name ends begins like an option."""
    begin = at
    while begin > max(0, at - _WORD_REACH) and (
        text[begin - 1].isalnum() or text[begin - 1] in "-_."
    ):
        begin -= 1
    return text[begin : begin + 1] == "-" or text[begin - 1 : begin] == "/"


def _end_of_value(text: str, begin: int, in_quotes: bool, *, is_option: bool) -> int:
    if text.startswith(MASK, begin):
        return begin + len(MASK)
    for quote in ('\\"', '"', "'"):
        # Inside quotes a plain one ends the text around it, unless text follows at once.
        ends_text = quote == '"' and in_quotes and text[begin + 1 : begin + 2].strip(" ;&") == ""
        if text.startswith(quote, begin) and not ends_text:
            end = text.find(quote, begin + len(quote))
            return len(text) if end < 0 else end + len(quote)
    stops = '"' if in_quotes else ""
    if not is_option:
        stops += ";&"
    at = begin
    quoted = False
    while at < len(text):
        char = text[at]
        if char in stops and not quoted:
            break
        # A setting inside quotes may have spaces; it ends with the quotes, or at a semicolon.
        if char.isspace() and not quoted and (is_option or not in_quotes):
            break
        quoted ^= char == '"'
        at += 1
    return at


def _masked(value: str) -> str:
    for quote in ('\\"', '"', "'"):
        if len(value) >= 2 * len(quote) and value.startswith(quote) and value.endswith(quote):
            return quote + MASK + quote
    return MASK
