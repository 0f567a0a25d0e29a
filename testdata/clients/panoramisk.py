"""Drives Debian's python3-panoramisk as driver.js says. It is told where rows of a list belong by the library, so they are in the answer."""

import asyncio
import json
import sys

from panoramisk import Manager


def say(**said):
    print(json.dumps(said), flush=True)


async def connect(order):
    manager = Manager(
        loop=asyncio.get_running_loop(), host=order["host"], port=order["port"], username=order["user"], secret=order["secret"], reconnect_timeout=1,
        on_login=lambda m: say(say="in"), on_disconnect=lambda m, exc: say(say="out"))
    manager.register_event("*", lambda m, event: say(say="event", fields=dict(event)))
    await manager.connect()
    answer = await manager.authenticated_future
    if not answer.success:
        say(say="refused", why=answer.message)
    return manager


async def send(manager, order):
    answer = await manager.send_action(order["action"])
    rows = []
    if isinstance(answer, list):
        answer, *rows = answer
    say(say="answer", id=order["id"], ok=answer.success, fields=dict(answer), rows=[dict(row) for row in rows])


async def main():
    manager, tasks = None, set()
    orders = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        order = json.loads(line)
        if order["do"] == "connect":
            manager = await connect(order)
        elif order["do"] == "send":
            task = asyncio.ensure_future(send(manager, order))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        else:
            answer = await manager.send_action({"Action": "Logoff"})
            manager.close()
            say(say="left", why=answer.response)


asyncio.run(main())
