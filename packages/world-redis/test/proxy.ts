/** A proxy before a server, for connections that break in ways which a server's end does not. */
import { createServer, connect as dial, type Server, type Socket } from "node:net";
import { onTestFinished } from "vitest";

export interface Proxy {
  readonly url: string;
  readonly port: number;
  /** How many connections were made since the start. */
  readonly connections: number;
  /** Forwards nothing any more on the connections that are open, and leaves them open. New ones work. */
  stall(): void;
  /** Forwards nothing on new connections either, until `heal`. */
  stallAll(): void;
  heal(): void;
  /** Ends all connections and leads new ones to the server at another port. */
  switchTo(port: number): void;
}

/** Starts a proxy that ends with the test. */
export async function proxyTo(port: number): Promise<Proxy> {
  const open = new Set<Socket>();
  let connections = 0;
  let target = port;
  let silent = false;
  const server = await listening((socket) => {
    connections++;
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    if (silent) return;
    const upstream = dial(target, "127.0.0.1");
    upstream.on("error", () => socket.destroy());
    socket.on("close", () => upstream.destroy());
    upstream.on("close", () => open.has(socket) && !stalled.has(socket) && socket.destroy());
    socket.on("data", (data) => stalled.has(socket) || upstream.write(data));
    upstream.on("data", (data) => stalled.has(socket) || socket.write(data));
  });
  const stalled = new Set<Socket>();
  const { port: own } = server.address() as { port: number };
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  const stall = (): void => {
    for (const socket of open) stalled.add(socket);
  };
  return {
    url: `redis://127.0.0.1:${own}`,
    port: own,
    get connections() {
      return connections;
    },
    stall,
    stallAll() {
      silent = true;
      stall();
    },
    heal() {
      silent = false;
    },
    switchTo(other) {
      target = other;
      for (const socket of open) socket.destroy();
    },
  };
}

/** A server that does with each connection what `serve` does. */
export async function listening(serve: (socket: Socket) => void): Promise<Server> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

/** The URL of a server of the test's own that ends with the test. */
export async function urlOf(serve: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = await listening((socket) => {
    sockets.add(socket);
    serve(socket);
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `redis://127.0.0.1:${(server.address() as { port: number }).port}`;
}
