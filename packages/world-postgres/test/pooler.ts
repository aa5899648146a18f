/**
 * What a pooler looks like from outside: a server that tells its clients process ids of its own invention. Every client
 * still gets one session of the database to itself.
 */
import { connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

const BACKEND_KEY_DATA = "K".charCodeAt(0);
const READY_FOR_QUERY = "Z".charCodeAt(0);

/** Stands before the server until the test is over; returns the URL to reach it by. */
export async function pooler(serverUrl: string): Promise<string> {
  const { hostname, port } = new URL(serverUrl);
  const sockets = new Set<Socket>();
  const proxy = createServer((client) => {
    const server = connect(Number(port), hostname);
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        client.destroy();
        server.destroy();
      });
    }
    client.pipe(server);
    let greeting = Buffer.alloc(0);
    const greet = (chunk: Buffer): void => {
      greeting = Buffer.concat([greeting, chunk]);
      let at = 0;
      // Messages are a type, a length that counts itself, and a body.
      while (greeting.length >= at + 5 && greeting.length >= at + 1 + greeting.readInt32BE(at + 1)) {
        if (greeting[at] === BACKEND_KEY_DATA) greeting.writeInt32BE(7_777_777, at + 5);
        const ready = greeting[at] === READY_FOR_QUERY;
        at += 1 + greeting.readInt32BE(at + 1);
        if (!ready) continue;
        server.off("data", greet);
        client.write(greeting);
        server.pipe(client);
        return;
      }
      client.write(greeting.subarray(0, at));
      greeting = greeting.subarray(at);
    };
    server.on("data", greet);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  const url = new URL(serverUrl);
  url.port = String((proxy.address() as { port: number }).port);
  return url.href;
}
