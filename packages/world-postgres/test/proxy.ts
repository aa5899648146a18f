import { connect, createServer, type Server, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** A stretch of wire between driver and server on which bytes stop without a word, as behind a firewall that forgot. */
export interface Proxy {
  /** The server's URL by way of the proxy. */
  readonly url: string;
  /** How many connections were made. */
  readonly connections: number;
  /** From now on nothing goes over the connections that are there, and none of them is closed. New ones work. */
  freeze(): void;
  /** {@link freeze}, when the server has answered the next message that the test matches; the answer is not passed on. */
  freezeAfter(matches: (message: string) => boolean): void;
}

/** Starts a proxy to the server of a URL; it ends with the test. */
export async function startProxy(url: string): Promise<Proxy> {
  const target = new URL(url);
  const port = Number(target.port);
  const open = new Set<{ frozen: boolean }>();
  let made = 0;
  let armed: ((message: string) => boolean) | undefined;
  const freeze = (): void => {
    for (const wire of open) wire.frozen = true;
  };
  const server = createServer((client) => {
    made++;
    const upstream = connect(port, target.hostname);
    const wire = { frozen: false };
    open.add(wire);
    let swallow = false;
    keep(client, upstream);
    client.on("data", (chunk) => {
      if (wire.frozen) return;
      if (armed?.(chunk.toString("latin1")) === true) {
        armed = undefined;
        swallow = true;
      }
      upstream.write(chunk);
    });
    upstream.on("data", (chunk) => {
      if (swallow) freeze();
      if (!wire.frozen) client.write(chunk);
    });
    client.on("close", () => open.delete(wire));
    upstream.on("close", () => {
      if (!wire.frozen) client.destroy();
    });
    client.on("close", () => {
      if (!wire.frozen) upstream.destroy();
    });
  });
  target.port = String(await listening(server));
  return {
    url: target.href,
    get connections() {
      return made;
    },
    freeze,
    freezeAfter(matches) {
      armed = matches;
    },
  };
}

/** The port of a server that takes connections and does with them what `onSocket` does; it ends with the test. */
export function startServer(onSocket: (socket: Socket) => void = () => {}): Promise<number> {
  return listening(
    createServer((socket) => {
      keep(socket);
      onSocket(socket);
    }),
  );
}

function keep(...sockets: readonly Socket[]): void {
  for (const socket of sockets) {
    socket.on("error", () => {});
    onEnd.push(() => socket.destroy());
  }
}

let onEnd: (() => void)[] = [];

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    for (const end of onEnd) end();
    onEnd = [];
  });
  return (server.address() as { port: number }).port;
}
