"""The compression formats of trace buffers against implementations of other people.

XPRESS and LZNT1 are compared with dissect.util, XPRESS-HUFF with wimlib and dissect.util; the
examples that are published for the formats are in tests/c/test_decompress.c.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from support.compression import E_CORRUPT, E_NEED_MORE, FORMATS, OK, Format, build_formats
from support.trace_like import compressed_buffers, record_like
from support.wimlib import MAX_BLOCK, Wimlib

COMPRESSED_TRACES = ("net.4.5.2.x64.etl", "z_msbuild.PerfViewData.etl", "z_mono.PerfViewData.etl")

# Byte strings with matches of all kinds: pieces are repeated, also ones from further back.
pieces = st.lists(
    st.tuples(st.binary(max_size=40), st.integers(0, 30), st.integers(0, 8)), max_size=30
)


def join_pieces(parts: list[tuple[bytes, int, int]]) -> bytes:
    """Each piece repeated, and after it an earlier piece again."""
    output = bytearray()
    for index, (piece, times, back) in enumerate(parts):
        output += piece * times + piece
        output += parts[max(0, index - back)][0]
    return bytes(output)


@pytest.fixture(scope="session")
def formats(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Format]:
    return build_formats(tmp_path_factory.mktemp("compression"))


@pytest.fixture(scope="session", params=FORMATS)
def each(request: pytest.FixtureRequest, formats: dict[str, Format]) -> Format:
    return formats[request.param]


@pytest.fixture(scope="session")
def wimlib() -> Wimlib:
    return Wimlib()


def peer_decoder(name: str) -> Callable[[bytes], bytes]:
    """The decoder of dissect.util for a format."""
    module = {"xpress": "lzxpress", "xpress_huff": "lzxpress_huffman"}.get(name, name)
    peer = pytest.importorskip(f"dissect.util.compression.{module}", reason="needs dissect.util")
    decode: Callable[[bytes], bytes] = peer.decompress
    return decode


def check_with_peer(name: str, packed: bytes, data: bytes) -> None:
    """The peer decodes `packed` to `data`.

    It is not told the size, so for XPRESS-HUFF it stops where the input does, which is a few
    items too early or too late.
    """
    theirs = peer_decoder(name)(packed)
    if name == "xpress_huff":
        common = min(len(theirs), len(data))
        assert theirs[:common] == data[:common]
        assert common > len(data) * 0.9 - 100
    else:
        assert theirs == data


@pytest.mark.parametrize("name", COMPRESSED_TRACES)
def test_recorded_buffers_decode_like_the_peer(
    name: str, traces: Path, formats: dict[str, Format]
) -> None:
    peer = peer_decoder("xpress")
    buffers = compressed_buffers(traces / name)
    assert buffers
    for data, size in buffers[:40] + buffers[-10:]:
        assert formats["xpress"].decode(data, size) == (OK, peer(data))


@pytest.mark.parametrize("size", [1, 72, 4096, 20000, 65464])
def test_peer_decodes_what_we_encode(each: Format, size: int) -> None:
    data = record_like(size, size)
    status, packed = each.encode(data)
    assert status == OK
    check_with_peer(each.name, packed, data)


def test_wimlib_decodes_what_we_encode(formats: dict[str, Format], wimlib: Wimlib) -> None:
    for seed, size in enumerate((1, 2, 100, 4096, 65464, MAX_BLOCK)):
        for data in (record_like(size, seed), bytes(size), random.Random(seed).randbytes(size)):
            status, packed = formats["xpress_huff"].encode(data)
            assert status == OK
            assert wimlib.decompress(packed, size) == data


def test_we_decode_what_wimlib_encodes(formats: dict[str, Format], wimlib: Wimlib) -> None:
    for seed, size in enumerate((1000, 4096, 65464, MAX_BLOCK)):
        for data in (record_like(size, seed), bytes(size), bytes(range(256)) * (size // 256)):
            packed = wimlib.compress(data)
            assert packed is not None
            assert formats["xpress_huff"].decode(packed, len(data)) == (OK, data)


@settings(max_examples=150, deadline=None)
@given(parts=pieces)
def test_wimlib_agrees_on_any_data(
    formats: dict[str, Format], wimlib: Wimlib, parts: list[tuple[bytes, int, int]]
) -> None:
    data = join_pieces(parts)[:MAX_BLOCK]
    status, packed = formats["xpress_huff"].encode(data)
    assert status == OK
    if data:
        assert wimlib.decompress(packed, len(data)) == data
    theirs = wimlib.compress(data) if data else None
    if theirs is not None:
        assert formats["xpress_huff"].decode(theirs, len(data)) == (OK, data)


@settings(max_examples=150, deadline=None)
@given(parts=pieces)
@example(parts=[(b"", 0, 0)])
def test_any_data_survives_the_round_trip(
    each: Format, parts: list[tuple[bytes, int, int]]
) -> None:
    data = join_pieces(parts)
    status, packed = each.encode(data)
    assert status == OK
    assert each.decode(packed, len(data)) == (OK, data)
    if each.name != "xpress_huff":
        check_with_peer(each.name, packed, data)


def test_encoding_is_repeatable_and_shrinks_records(each: Format) -> None:
    data = record_like(65464, 7)
    status, packed = each.encode(data)
    assert (status, packed) == each.encode(data)
    assert status == OK
    assert len(packed) < len(data) * 0.6


def test_literals_end_where_the_output_does(formats: dict[str, Format]) -> None:
    data = random.Random(11).randbytes(600)  # no three bytes of it come twice
    assert len({data[i : i + 3] for i in range(598)}) == 598
    status, packed = formats["xpress_huff"].encode(data)
    assert status == OK
    for capacity in range(len(data) + 1):
        assert formats["xpress_huff"].decode(packed, capacity) == (OK, data[:capacity])


def test_literals_end_where_a_block_does(formats: dict[str, Format]) -> None:
    for seed in range(4):
        data = random.Random(seed).randbytes(3 * MAX_BLOCK + seed)
        status, packed = formats["xpress_huff"].encode(data)
        assert status == OK
        assert formats["xpress_huff"].decode(packed, len(data)) == (OK, data)


def test_an_encoding_that_does_not_fit_is_refused(each: Format) -> None:
    data = random.Random(3).randbytes(5000)
    assert each.encode(data, capacity=len(data) - 1)[0] == E_NEED_MORE
    assert each.encode(b"", capacity=0)[0] == (OK if each.name == "xpress_huff" else E_NEED_MORE)


def test_each_cut_gives_a_prefix(each: Format) -> None:
    data = record_like(3000, 5)
    packed = each.encode(data)[1]
    for cut in range(len(packed)):
        status, output = each.decode(packed[:cut], len(data))
        assert status in (OK, E_NEED_MORE)
        assert data.startswith(output)
        if each.name == "xpress_huff":  # the other two can end wherever an item does
            assert status == E_NEED_MORE or output == data


def test_a_cut_loses_little(each: Format) -> None:
    """The prefix reaches as far as the input does: what is lost is less than one item."""
    data = record_like(20000, 6)
    packed = each.encode(data)[1]
    half = each.decode(packed[: len(packed) // 2], len(data))[1]
    assert len(half) > len(data) * 0.35


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=1500), capacity=st.integers(0, 5000))
def test_noise_is_bounded(each: Format, data: bytes, capacity: int) -> None:
    status, output = each.decode(data, capacity)
    assert status in (OK, E_NEED_MORE, E_CORRUPT)
    assert len(output) <= capacity


@settings(max_examples=200, deadline=None)
@given(
    parts=pieces,
    flips=st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), max_size=6),
    short=st.integers(-50, 50),
)
def test_changed_streams_are_bounded(
    each: Format,
    parts: list[tuple[bytes, int, int]],
    flips: list[tuple[int, int]],
    short: int,
) -> None:
    data = join_pieces(parts)
    packed = bytearray(each.encode(data)[1])
    for at, value in flips:
        if packed:
            packed[at % len(packed)] ^= value
    capacity = max(0, len(data) + short)
    status, output = each.decode(bytes(packed), capacity)
    assert status in (OK, E_NEED_MORE, E_CORRUPT)
    assert len(output) <= capacity
