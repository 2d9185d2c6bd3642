"""What Python's websockets sees of our server: ws_client.py URL CASE; exits 0 where all is well."""
import asyncio
import sys

import websockets

url, case = sys.argv[1:3]
SNOWMAN = "snow \u2603 and \U0001f600"


def connect(**options):
    return websockets.connect(url, max_size=1 << 25, **options)


async def echo():
    async with connect() as ws:
        for message in ["", "x", SNOWMAN, "a\nb\r\n\x00c", "y" * 125, "y" * 126, "y" * 65536,
                        b"", b"\x00\xff\n", bytes(range(256)) * 1000]:
            await ws.send(message)
            assert await ws.recv() == message


async def large():
    async with connect() as ws:
        for message in ["\u20ac" * (1 << 20), b"\xfe" * (1 << 24)]:
            await ws.send(message)
            assert await ws.recv() == message


async def fragments():
    async with connect() as ws:
        await ws.send(["sn", "ow \u2603", "", " and \U0001f600"])
        assert await ws.recv() == SNOWMAN
        await ws.send([b"%d" % (i % 10) for i in range(5000)])
        assert await ws.recv() == b"0123456789" * 500


async def pings():
    async with connect() as ws:
        for payload in [b"", b"hello", b"\xff" * 125]:
            await asyncio.wait_for(await ws.ping(payload), 10)
        await ws.pong(b"nobody asked")
        await ws.send("still here")
        assert await ws.recv() == "still here"


async def closing():
    for code, reason in [(1000, ""), (1001, "gone"), (1000, "\u2603" * 41), (3000, "x"), (4999, "bye")]:
        ws = await connect()
        await ws.send("last")
        await ws.close(code, reason)
        assert ws.close_code == code, ws.close_code
    ws = await connect()
    await ws.send("last words")
    assert await ws.recv() == "last words"
    await ws.close()


async def many():
    async def one(i):
        async with connect() as ws:
            for k in range(50):
                await ws.send("client %d, message %d" % (i, k))
            for k in range(50):
                assert await ws.recv() == "client %d, message %d" % (i, k)
    await asyncio.gather(*(one(i) for i in range(50)))


async def subprotocol():
    async with connect(subprotocols=["v1", "v2", "v3"]) as ws:
        assert ws.subprotocol == "v2", ws.subprotocol


async def foreign():
    try:
        async with connect(origin="http://evil.example"):
            raise AssertionError("let in")
    except websockets.InvalidStatusCode as refused:
        assert refused.status_code == 403, refused


async def lines():
    """A server of `sh -c 'echo ready; cat; printf last; exit 7'` in lines."""
    async with connect() as ws:
        assert await ws.recv() == "ready"
        await ws.send("one\ntwo")
        assert [await ws.recv(), await ws.recv()] == ["one", "two"]
        await ws.send(SNOWMAN)
        assert await ws.recv() == SNOWMAN


async def ended():
    """A server whose program writes `last` without newline and exits with 7."""
    async with connect() as ws:
        assert await ws.recv() == "last"
        try:
            await ws.recv()
            raise AssertionError("more came")
        except websockets.ConnectionClosed:
            assert ws.close_code == 1011, ws.close_code


async def binary():
    """A server in lines takes a binary message if it is UTF-8."""
    async with connect() as ws:
        await ws.send("caf\u00e9".encode())
        assert await ws.recv() == "caf\u00e9"
        await ws.send(b"\xff")
        try:
            while True:
                await ws.recv()
        except websockets.ConnectionClosed:
            assert ws.close_code == 1003, ws.close_code


asyncio.run(asyncio.wait_for(globals()[case](), 60))
