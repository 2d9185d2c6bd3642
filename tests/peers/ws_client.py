"""Python's websockets as a client of an echo service: ws_client.py URL CASE; exits 0 on success."""
import asyncio
import sys

import websockets

url, case = sys.argv[1:3]
SNOWMAN = "snow \u2603 and \U0001f600"


def connect():
    return websockets.connect(url, max_size=1 << 25)


async def echo():
    async with connect() as ws:
        for message in ["", "x", SNOWMAN, "a\nb\r\n\x00c", "y" * 125, "y" * 126, "y" * 65536,
                        b"", b"\x00\xff\n", bytes(range(256)) * 1000, "\u20ac" * (1 << 20)]:
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


async def closing():
    for code, reason in [(1000, ""), (1001, "gone"), (1000, "\u2603" * 41), (3000, "x"), (4999, "bye")]:
        ws = await connect()
        await ws.send("last")
        await ws.close(code, reason)
        assert ws.close_code == code, ws.close_code


asyncio.run(asyncio.wait_for(globals()[case](), 60))
