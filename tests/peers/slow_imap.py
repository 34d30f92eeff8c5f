"""An IMAP server for saslauthd's rimap: it knows LOGIN and LOGOUT, takes
its time, and holds any number of sessions at once (RFC 3501 6.2.3)."""

import argparse
import asyncio
import re

ATOM = re.compile(r'"((?:[^"\\]|\\.)*)"|\{(\d+)\+?\}$|(\S+)')


async def read_words(line, reader, writer):
    """The arguments of a command, quoted strings and literals resolved."""
    words = []
    while True:
        rest = line
        literal = None
        for match in ATOM.finditer(rest):
            quoted, size, atom = match.groups()
            if size is not None:
                literal = int(size)
            elif quoted is not None:
                words.append(re.sub(r"\\(.)", r"\1", quoted))
            else:
                words.append(atom)
        if literal is None:
            return words
        writer.write(b"+ go on\r\n")
        words.append((await reader.readexactly(literal)).decode())
        line = (await reader.readline()).decode().strip()


async def serve(options, reader, writer):
    writer.write(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
    try:
        while line := (await reader.readline()).decode().strip():
            tag, verb, *args = await read_words(line, reader, writer)
            if verb.upper() == "LOGIN":
                await asyncio.sleep(options.delay)
                good = options.users.get(args[0]) == args[1]
                writer.write(f"{tag} {'OK' if good else 'NO'} LOGIN\r\n"
                             .encode())
            elif verb.upper() == "LOGOUT":
                writer.write(f"* BYE\r\n{tag} OK LOGOUT\r\n".encode())
                break
            else:
                writer.write(f"{tag} BAD unknown\r\n".encode())
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError, ValueError):
        pass
    writer.close()


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("users", nargs="*", metavar="USER=PASSWORD")
    options = parser.parse_args()
    options.users = dict(pair.split("=", 1) for pair in options.users)
    server = await asyncio.start_server(
        lambda reader, writer: serve(options, reader, writer),
        "127.0.0.1", options.port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
