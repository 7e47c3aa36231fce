"""The server for HTTP with JSON: uvicorn, with what it is advised to use in production, and no framework on top.

It listens on a free TCP port of the loopback device, which it prints when it is ready.
"""

import socket
from typing import TYPE_CHECKING

import lifetime
import numpy as np
import orjson
import uvicorn
import workload

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope


async def app(scope: "Scope", receive: "ASGIReceiveCallable", send: "ASGISendCallable") -> None:
    """Answer a list of numbers with the list of indices, and an empty request with an empty answer."""
    parts, more = [], True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return
        parts.append(message["body"])
        more = message["more_body"]
    request, answer = b"".join(parts), b""
    if request:
        indices = workload.detect(np.array(orjson.loads(request), dtype=np.float64))
        answer = orjson.dumps(indices, option=orjson.OPT_SERIALIZE_NUMPY)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": answer, "more_body": False})


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    lifetime.end_with_parent()
    config = uvicorn.Config(app, lifespan="off", log_level="warning", access_log=False, loop="uvloop", http="httptools")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
