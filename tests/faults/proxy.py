"""A TCP proxy that does what networks do: delays, cuts, swallows, repeats and changes what passes, while it is told to."""
import asyncio
import threading

CHUNK = 16384
MODES = ("pass", "refuse", "delay", "swallow", "cut", "truncate", "duplicate", "change")


class Proxy(threading.Thread):
    """Listens on a port of 127.0.0.1 and passes everything to `target`. `mode` may change at any time; it counts for what
    comes from then on, in both directions. What was swallowed stays lost, as on a link that was down for too long."""

    def __init__(self, target, delay=0.2):
        super().__init__(daemon=True)
        self.target, self.delay, self.mode = target, delay, "pass"
        self.port, self.connections = 0, 0
        self._listening = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._writers = set()

    def __enter__(self):
        self.start()
        if not self._listening.wait(10):
            raise RuntimeError("the proxy does not listen")
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self.join(10)

    def cut_all(self):
        """Ends every connection now."""
        self._loop.call_soon_threadsafe(lambda: [writer.transport.abort() for writer in list(self._writers)])

    def run(self):
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        self._loop.run_forever()
        server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.run_until_complete(asyncio.sleep(0))  # what was aborted is closed by the next turn
        self._loop.close()

    async def _accept(self, reader, writer):
        self.connections += 1
        if self.mode == "refuse":
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        try:
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        except asyncio.CancelledError:
            return  # the proxy ends
        self._writers -= {writer, far_writer}

    async def _pump(self, reader, writer):
        try:
            while data := await reader.read(CHUNK):
                if not await self._pass_on(data, writer):
                    break
            if self.mode != "swallow":  # nor does the other end hear that this one has gone
                writer.write_eof()
        except (OSError, RuntimeError):
            pass
        if self.mode in ("cut", "truncate"):
            writer.transport.abort()

    async def _pass_on(self, data, writer):
        """Whether the connection goes on."""
        if self.mode == "delay":
            await asyncio.sleep(self.delay)
        elif self.mode in ("swallow", "refuse"):
            return True
        elif self.mode == "cut":
            return False
        elif self.mode == "truncate":
            writer.write(data[:len(data) // 2])
            await writer.drain()
            return False
        elif self.mode == "duplicate":
            data = data + data
        elif self.mode == "change":
            data = data[:-1] + bytes([data[-1] ^ 0x10])
        writer.write(data)
        await writer.drain()
        return True
