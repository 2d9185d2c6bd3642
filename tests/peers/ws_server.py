"""A server of Python's websockets on a free port, which it prints. The path selects its behavior."""
import asyncio

import websockets


async def serve(ws, path):
    if path == "/echo":
        async for message in ws:
            await ws.send(message)
    elif path == "/talk":
        await ws.send("first, behind the 101")
        await ws.ping(b"are you there")
        await ws.send(["in ", "frag", "ments"])
        await ws.send("two\nlines")
        await ws.send("\u2603" * 100000)
    elif path == "/4000":
        await ws.send("x")
        await ws.close(4000, "no more \u2603")
    elif path == "/protocol":
        await ws.send("protocol " + str(ws.subprotocol))
    elif path == "/ping":
        await asyncio.wait_for(await ws.ping(b"hello"), 10)
        await ws.send("pong came")


async def main():
    async with websockets.serve(serve, "127.0.0.1", 0, max_size=1 << 25, subprotocols=["v2"]) as server:
        print("Bound to", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


asyncio.run(main())
