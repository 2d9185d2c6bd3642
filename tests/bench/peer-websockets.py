# A WebSocket echo server on Python's websockets, as its documentation has it.
import asyncio
import sys

import websockets


async def echo(socket, path=None):
    async for message in socket:
        await socket.send(message)


async def main():
    async with websockets.serve(echo, "127.0.0.1", int(sys.argv[1]), compression=None, max_size=None):
        await asyncio.Future()


asyncio.run(main())
